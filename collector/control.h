/*
 * The write half: the control socket, what it sets, and the state file that holds it.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <systemd/sd-event.h>

#include "acting/coordination.h"
#include "acting/job_runner.h"
#include "conf.h"
#include "model/regions.h"
#include "model/values.h"
#include "record.h"
#include "sources/poller.h"

struct control;

/* The values in force are others now: judge and publish. Requests are answered after it returns. A
 * negative errno: they cannot be published; 1: not yet, control_published() will say when. */
typedef int (*control_changed)(void *userdata);

/*
 * Reads the state file: recalls the nodes and, unless there is no local source, *ret_local; opens
 * the control socket. `conf` must stay until control_configure() or _free(). What is wrong with
 * either is logged, and no error.
 */
int control_new(sd_event *event, const struct conf *conf, struct cluster *cluster,
                control_changed changed, void *userdata, struct poller_local *ret_local,
                struct control **ret);

/* Where its decisions go. Borrowed; NULL = nowhere, as to begin with. */
void control_set_record(struct control *control, struct record *record);

/* Who answers for what may be once in the cluster; borrowed. NULL = nobody, as to begin with. */
void control_set_coordination(struct control *control, struct coordination *coordination);

/* Carries out the run state of this host's node, if there is anything to do: once a round. */
void control_act(struct control *control);

/* Who answers for jobs; likewise. */
void control_set_jobs(struct control *control, struct job_runner *jobs);

/* Another configuration. The socket and the state file stay where they are. */
void control_configure(struct control *control, const struct conf *conf);

/* Whom the local node is asked through besides its polls. Borrowed; until the next call. */
void control_set_poller(struct control *control, struct poller *poller);

/* Says something as an operator would. 0: it will hold once it is on disk. */
int control_set(struct control *control, const char *key, const char *text, const char *user);

/* Those in force. Borrowed until the loop goes on. */
const struct values *control_values(const struct control *control);

/* Who makes a version: the local node's host id, or while that is not known, this host's. */
const char *control_host(const struct control *control);

/* Who the local node is; saves what is to be remembered when that is another one, and from time to
 * time. Opens the control socket where that could not be done. Call it once a round. */
void control_remember(struct control *control, const struct poller_local *known);

/* The same soon, as the membership has changed. */
void control_remember_soon(struct control *control);

/* All values in force have been published, or could not be: a negative errno. */
void control_published(struct control *control, int error);

/* Call it when the cluster may have got its name, or another one: values are of one cluster. True
 * when those of another are gone. */
bool control_follow_cluster(struct control *control);

/* Brings the drains, and who needs a repair, up to the values and the time; tells the journal.
 * Judge afterwards. */
void control_drain(struct control *control, int64_t now_ms);

/* Which nodes are seeds; when this host is to write a list of theirs, that is begun. Call it after
 * an evaluation. */
void control_seeds(struct control *control, const struct regions *regions, int64_t now_ms);

/* What GET /state of `host` said. 1: something new is in force; 0: nothing; a negative errno:
 * `why`. */
int control_merge(struct control *control, const struct prober_addr *host, const char *body,
                  size_t len, char why[DETAIL_LEN]);

struct control *control_free(struct control *control); /* accepts NULL; returns NULL */

#endif

/*
 * What of the collector acts, for the whole cluster or on this host's units: the coordination store
 * with who leads and the permit, systemd's units, and jobs. The rest watches and tells.
 */
#ifndef ACTING_H
#define ACTING_H

#include <systemd/sd-event.h>

#include "conf.h"
#include "control.h"
#include "follow_keyspaces.h"
#include "publish/render.h"
#include "record.h"

struct acting;

struct acting_handlers {
    void (*context)(void *userdata, struct render_context *ret); /* what the gates are asked with */
    void (*changed)(void *userdata);   /* there is something else to be shown */
    bool (*may_judge)(void *userdata); /* what is known of nodes is of now */
    void *userdata;
};

/* All but `handlers` is borrowed, and must stay until acting_free(), `conf` until
 * acting_configure(). */
int acting_new(sd_event *event, const struct conf *conf, const struct cluster *cluster,
               struct control *control, struct record *record,
               const struct acting_handlers *handlers, struct acting **ret);

/* Before the control it was made with. Requests that wait are answered. Accepts NULL; returns NULL.
 */
struct acting *acting_free(struct acting *acting);

/* Call it once a round. */
void acting_follow(struct acting *acting);
void acting_configure(struct acting *acting, const struct conf *conf);

/* Whom the local node is asked through. Borrowed; until the next call. `local_changed`: it is
 * another node. */
void acting_set_poller(struct acting *acting, struct poller *poller, bool local_changed);

/* How keyspaces are replicated, for the gates. Borrowed until the loop goes on. */
const struct keyspaces *acting_keyspaces(const struct acting *acting);

/* As last seen; NULL = none, or it is over. Borrowed until the loop goes on. */
const struct permit *acting_permit(const struct acting *acting);

/* NULL = not known yet. Borrowed until the loop goes on. */
const struct jobs_shown *acting_jobs(struct acting *acting);

#endif

/*
 * HAProxy's agent checks: who connects gets one line of a node's verdict, and the connection ends.
 *
 *   up ready           it is ready
 *   drain              an operator has taken it out of service, and nothing else is wrong
 *   down #DOWN by 3 of 4
 *
 * Of this host's own node, at once; or (`asked`) of the node whose address comes first as a line
 * (agent-send), and nothing where none comes: a late line must not get another node's answer.
 */
#ifndef AGENT_H
#define AGENT_H

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "../conf.h"
#include "../publish/agent_line.h"

#define AGENT_CLIENTS 64 /* at a time; more wait */
#define AGENT_ASK_MAX 64 /* bytes of a line */
#define AGENT_WAIT_US 1000000
#define AGENT_RATE    1000 /* connections a second; more wait */

struct agent;

/* Makes the line for `node`; NULL = this host's own. False: nothing is known now, so nothing is
 * said, which HAProxy takes for no news. */
typedef bool (*agent_answer)(const struct prober_addr *node, char line[AGENT_LINE_LEN],
                             void *userdata);

/* The address in the first line of what came. 1: there it is; 0: more has to come; -EINVAL: it is
 * none. */
int agent_read_ask(const char *bytes, size_t len, struct prober_addr *ret);

/* Listens where the configuration says, or nowhere; that it cannot is logged, as nobody is to miss
 * the documents because a port is taken. */
void agent_follow(struct agent **agent, sd_event *event, const struct conf *conf,
                  agent_answer answer, void *userdata);

/* Listens after all, where it could not; that it still cannot is not said again. */
void agent_retry(struct agent **agent, sd_event *event, const struct conf *conf,
                 agent_answer answer, void *userdata);

struct agent *agent_free(struct agent *agent); /* accepts NULL; returns NULL */

#endif

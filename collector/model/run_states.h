/*
 * Run states: what an operator wants a node's process to do, by the values "runstate/ADDRESS".
 * PURE.
 *
 * A value is a JSON string: "RUN", "STOP", "RESTART", or "TERMINATE HOST-ID", which holds as long
 * as the node there has that host id, that is until it is replaced.
 */
#ifndef RUN_STATES_H
#define RUN_STATES_H

#include "cluster.h"
#include "values.h"

#define RUN_STATE_KEY      "runstate/"
#define RUN_STATE_TEXT_LEN (HOST_ID_LEN + 16)

const char *run_state_word(enum run_state state); /* "RUN", "STOP", "RESTART", "TERMINATE" */

/* One of those words and nothing else. */
bool run_state_parse(const char *text, size_t len, enum run_state *ret);

/* The value's text for a state of a node. `host_id` "" = not known: then a TERMINATE holds for
 * whoever has that address. */
void run_state_text(enum run_state state, const char *host_id, char text[RUN_STATE_TEXT_LEN]);

/* Reads a value's text. *ret_host_id: empty unless it is a TERMINATE of one. */
bool run_state_read(const char *text, enum run_state *ret, char ret_host_id[HOST_ID_LEN]);

/* Brings node->run of every node up to the values. Judge afterwards. */
void run_states_apply(struct cluster *cluster, const struct values *values);

/* `at` is being restarted by this host now, and is not ready for that; unset = none is. */
void run_states_restarting(struct cluster *cluster, const struct prober_addr *at);

/* Why what was asked for is not done yet, or has failed; "" = nothing. */
void run_states_wait(struct cluster *cluster, struct node *node, const char *why);

#endif

/*
 * Keeps the decision log: every part of the collector that changes its mind, or is asked to, says
 * so here. It is published as /admin/cluster/observer/decisions, and kept in STATE.decisions beside
 * the state file: a second after a decision, and not more often than every five seconds.
 */
#ifndef RECORD_H
#define RECORD_H

#include <systemd/sd-event.h>

#include "model/decisions.h"

struct record;

/* Reads what was kept; what is wrong with that is logged and no error. -ENOMEM and the like. */
int record_new(sd_event *event, const char *state_path, struct record **ret);

/*
 * Adds an entry, now. `kind` as in model/decisions.h; `node`: "" or NULL = the cluster, or this
 * host; `why` may be NULL; `by`: who asked for it, "" or NULL = automatic. What is longer than an
 * entry has room for is cut. `record` may be NULL: nothing is recorded.
 */
void record_decision(struct record *record, const char *kind, const char *node, const char *what,
                     const char *why, const char *by);

/* Borrowed until the next decision. */
const struct decisions *record_decisions(const struct record *record);

/* Saves what is not saved yet, and waits for it. Accepts NULL; returns NULL. */
struct record *record_free(struct record *record);

#endif

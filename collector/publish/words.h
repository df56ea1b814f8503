/* The words in which documents, the journal and systemctl status tell of verdicts. PURE. */
#ifndef WORDS_H
#define WORDS_H

#include "../model/cluster.h"
#include "text.h"

#define WORDS_TIME_LEN 32

/* A time of day in ms as "2026-11-24T10:00:00Z"; "" when it is none. */
void words_time(int64_t wall_ms, char buf[WORDS_TIME_LEN]);

/* "ready", "not ready", "unknown". */
const char *readiness_word(enum readiness readiness);

/* "voter" when its opinion counts, else why not: "stale", "settling", "lost vote", … */
const char *observer_word(const struct node *node);

/*
 * What stands in a body for the opinion of an observer that has no fresh view: the HTTP status or
 * error word of its last poll, "?" when that says nothing. `buf` is room for a status.
 */
const char *missing_view_word(const struct node *observer, char buf[16]);

/* Calls `each` with the text of every reason of the node's verdict, most telling first. */
void words_reasons(const struct node *node, void (*each)(const char *reason, void *userdata),
                   void *userdata);

/* "DOWN by 3 of 4, mode DRAINED"; nothing when there is no reason. */
void words_add_reasons(struct text *text, const struct node *node);

/*
 * The reasons, and who says so of those that count: "DOWN by 3 of 4; DOWN say 10.0.0.1, 10.0.0.2,
 * 10.0.0.4; its poll: refused". Of a node that is ready: "UP by 4 of 4".
 */
void words_add_evidence(struct text *text, const struct cluster *cluster, const struct node *node);

/* Who of those that count contradicts the node: "; DOWN say 10.0.0.1; it sees DOWN 10.0.0.3". */
void words_add_conflicts(struct text *text, const struct cluster *cluster, const struct node *node);

/* "5 nodes, 4 ready, 10.0.0.3 not ready: DOWN by 3 of 4": one line for systemctl status. */
void words_add_status(struct text *text, const struct cluster *cluster);

#endif

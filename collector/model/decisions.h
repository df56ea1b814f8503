/*
 * The decision log: what changed, why, when, by whom. Bounded: the oldest go, and of the older half
 * verdicts, observers and nodes before all else; the same again within a while only counts. PURE:
 * the time comes in.
 *
 * Entries lie in the order of their last times as they came in, whatever the clock did: one that
 * happens again moves to the end. It is the same again while nothing else of that kind was decided
 * of that node since; what was decided of others may lie between.
 */
#ifndef DECISIONS_H
#define DECISIONS_H

#include "../sources/observation.h"

#define DECISIONS_MAX     1000
#define DECISIONS_SAME_MS 60000 /* the same again within that time of the last is one entry */
#define DECISION_KIND_LEN 16
#define DECISION_TEXT_LEN 256
#define DECISION_USER_LEN 64

struct decision_entry {
    char kind[DECISION_KIND_LEN];  /* "verdict", "observer", "node", "repair", "drain", "seeds",
                                      "value", "permit", "job", "run state", "suspend", "region",
                                      "leader", "collector" */
    char node[PROBER_ADDR_STRLEN]; /* "" = the cluster, or this host */
    char what[DECISION_TEXT_LEN];  /* what was decided: "not ready" */
    char why[DECISION_TEXT_LEN];   /* the cause, with its evidence: "DOWN by 3 of 4" */
    char by[DECISION_USER_LEN];    /* a user, or "automatic" */
    int64_t at_ms;                 /* time of day; the first of several that are the same */
    int64_t last_ms;               /* the last of them */
    unsigned times;
};

struct decisions {
    struct decision_entry *items; /* oldest first; n <= DECISIONS_MAX */
    size_t n, size;
    uint64_t changes; /* grows with each change: whether it has to be published, or saved */
};

/* Copies; what does not fit on one line becomes '?'. at_ms is set by the caller; last_ms and times
 * here, unless times is more than 0: an entry of a log that was kept. -ENOMEM. */
int decisions_add(struct decisions *decisions, const struct decision_entry *entry);

/* The last one of that kind about that node; NULL = none. Borrowed until the next call. */
const struct decision_entry *decisions_last(const struct decisions *decisions, const char *kind,
                                            const char *node);

void decisions_free(struct decisions *decisions);

#endif

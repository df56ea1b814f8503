/*
 * The decision log: what changed, why, when, by whom; newest last here, newest first in documents.
 * Bounded; the same again within a while only counts. PURE: the time comes in.
 */
#ifndef DECISIONS_H
#define DECISIONS_H

#include "../sources/observation.h"

#define DECISIONS_MAX     1000
#define DECISIONS_SAME_MS 60000 /* the same again within that time is one entry */
#define DECISION_TEXT_LEN 256
#define DECISION_USER_LEN 64

struct decision_entry {
    const char *kind; /* a literal: "verdict", "observer", "drain", "seeds", "value", "permit",
                         "job", "run state", "suspend", "region", "leader" */
    char node[PROBER_ADDR_STRLEN]; /* "" = the cluster */
    char what[DECISION_TEXT_LEN];  /* what was decided: "not ready" */
    char why[DECISION_TEXT_LEN];   /* the cause, with its evidence: "DOWN by 3 of 4" */
    char by[DECISION_USER_LEN];    /* a user, or "automatic" */
    int64_t at_ms;                 /* time of day; the first of several that are the same */
    int64_t last_ms;               /* the last of them */
    unsigned times;
};

struct decisions {
    struct decision_entry *items; /* oldest first */
    size_t n;
    uint64_t changes; /* grows with each change: whether it has to be published, or saved */
};

/* Copies; at_ms is set by the caller, times and last_ms here. -ENOMEM. */
int decisions_add(struct decisions *decisions, const struct decision_entry *entry);

void decisions_free(struct decisions *decisions);

#endif

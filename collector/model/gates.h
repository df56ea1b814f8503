/*
 * Gates: may this node start, or stop, now? Rules on what the cluster says, no memory. PURE.
 *
 * An answer is yes, no, or unknown ("cannot tell"); every rule that forbids adds its reason, so
 * that a person sees all of them at once.
 */
#ifndef GATES_H
#define GATES_H

#include "permit.h"

#define GATE_REASON_LEN  224
#define GATE_REASONS_MAX 12

enum gate_verdict {
    GATE_UNKNOWN = 0, /* too little is known to say: the admin's choice what that means */
    GATE_NO,
    GATE_YES,
};

struct gate_answer {
    enum gate_verdict verdict;
    size_t n_reasons;
    char reasons[GATE_REASONS_MAX][GATE_REASON_LEN]; /* one line each, for a person */
};

/* How a keyspace is replicated. */
struct keyspace_dc {
    char name[NAME_LEN]; /* "" = SimpleStrategy: all of the cluster */
    unsigned replicas;
};

struct keyspace {
    char name[NAME_LEN];
    struct keyspace_dc *dcs;
    size_t n_dcs;
};

/* What the local Cassandra says of the keyspaces that are not Cassandra's own. */
struct keyspaces {
    struct keyspace *items; /* owned */
    size_t n;
    int64_t read_at_ms; /* CLOCK_BOOTTIME; 0 = never: then one node per DC may be down at a time */
};

void keyspaces_done(struct keyspaces *keyspaces);

struct gate_settings {
    int64_t bootstrap_grace_ms; /* after a start began, no other one for that long */
    int64_t stable_ms;          /* the others have been as they are for that long, for a stop */
    bool strict; /* the literal rules: no start while a node is DOWN, no stop at RF < 3 */
    struct prober_addr first_node; /* unset = none; the node that may start with no seed up */
};

/* What the rules are applied to. `permit` is what the store has: kind PERMIT_NONE = none, or it is
 * over. */
struct gate_context {
    const struct cluster *cluster;
    const struct keyspaces *keyspaces;
    const struct gate_settings *settings;
    const struct permit *permit;
    int64_t now_ms;    /* CLOCK_BOOTTIME */
    int64_t wall_ms;   /* time of day */
    const char *waits; /* why this host's region may not begin (regions.h); NULL = it may */
};

/*
 * `node` may be one that nobody knows yet (a new node): NULL in the cluster. `token`: of who asks,
 * so that who holds the permit already is not held back by it; NULL = nobody's.
 */
void gate_start(const struct gate_context *context, const struct prober_addr *node,
                const char *token, struct gate_answer *ret);
void gate_stop(const struct gate_context *context, const struct prober_addr *node,
               const char *token, struct gate_answer *ret);

#endif

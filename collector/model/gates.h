/*
 * Gates: may this node start, or stop, now? Rules on what the cluster says, no memory. PURE.
 *
 * An answer is yes, no, or unknown ("cannot tell"); every rule that forbids adds its reason, so
 * that a person sees all of them at once. Reasons have no figures that move by themselves, as
 * documents show them.
 *
 * A start:
 * - A node that joins (it is not known, no member yet, or has left) may when all others are NORMAL
 *   and UP, and this host's region may begin.
 * - A known member may whoever is DOWN, or a full stop could not be ended (`strict`: it may not).
 * - A seed is NORMAL and UP: Cassandra starts without only when it is a seed itself. So where none
 *   is, a known member may that is a seed, or any where no seed is known, or none was chosen yet;
 *   and first_node.
 * - Nobody else who runs is joining, leaving, moving or starting; none in its rack is coming up.
 * - No other one began to start within bootstrap_grace: by its gossip generation, which is the time
 *   of day of its own host. This does not hold for the node that the permit is about: it was
 *   judged when that was granted, and in a rolling restart the one before it began not long ago.
 * - The permit is not another node's. Who holds it for this node, and for what, is no matter: it is
 *   there for one node at a time. One to stop holds back only who joins: that a known member comes
 *   back costs no quorum, and could be what the node that was stopped waits for.
 * - Where nobody's opinion counts it cannot be told, unless more than half of the nodes are known
 *   not to run (their hosts say so, or refuse): that is a full stop, which known members may end.
 *
 * A stop:
 * - Who is DOWN already may.
 * - Every keyspace keeps LOCAL_QUORUM in the node's data center. All that are not ready there are
 *   taken for lost. With as many racks as replicas no rack has two replicas of anything, so racks
 *   are lost rather than nodes. Of fewer than 3 replicas none may be lost: then, and where the
 *   replication is not known, one node of a data center at a time; `strict`: none.
 * - The others' verdicts have not changed for stable_ms.
 * - Nobody else is joining, leaving or moving; in its data center none is draining, and none has
 *   been taken out of service.
 * - The permit is not held, but by who asks.
 */
#ifndef GATES_H
#define GATES_H

#include "../sources/replication.h"
#include "permit.h"
#include "seed_lists.h"

#define GATE_REASON_LEN  224
#define GATE_REASONS_MAX 12

enum gate_verdict {
    GATE_UNKNOWN = 0, /* too little is known to say: the admin's choice what that means */
    GATE_NO,
    GATE_YES,
};

const char *gate_verdict_word(enum gate_verdict verdict); /* "unknown", "no", "yes" */

struct gate_answer {
    enum gate_verdict verdict;
    size_t n_reasons;                                /* of a yes: what should be known besides */
    char reasons[GATE_REASONS_MAX][GATE_REASON_LEN]; /* one line each, for a person */
};

struct gate_settings {
    int64_t bootstrap_grace_ms; /* after a start began, no other one for that long */
    int64_t stable_ms;          /* the others have been as they are for that long, for a stop */
    bool strict; /* the literal rules: no start while a node is DOWN, no stop at RF < 3 */
    struct prober_addr first_node; /* unset = none; the node that may start with no seed up */
};

/*
 * What the rules are applied to. `permit` is what the store has: NULL or kind PERMIT_NONE = none,
 * or it is over.
 */
struct gate_context {
    const struct cluster *cluster;
    const struct keyspaces *keyspaces; /* NULL = never read */
    const struct gate_settings *settings;
    const struct permit *permit;
    const struct addresses *seeds; /* as /allseeds has them; NULL = those that are node->seed */
    bool seeds_guessed; /* nobody has chosen them yet: they are whom this host would take now, which
                           in a full stop is whom it happens to have heard of */
    int64_t now_ms;     /* CLOCK_BOOTTIME */
    int64_t wall_ms;    /* time of day */
    const char *waits;  /* why this host's region may not begin (regions.h); NULL = it may */
};

/*
 * What is common to all nodes, worked out once: asking for each of n nodes then costs n, not its
 * square. What `context` points to must stay as it is meanwhile.
 */
struct gates *gates_new(const struct gate_context *context);
struct gates *gates_free(struct gates *gates); /* accepts NULL; returns NULL */

/*
 * `node` may be one that nobody knows (a new node). `token`: of who asks, so that who holds the
 * permit already is not held back by it; NULL = nobody's.
 */
void gates_start(const struct gates *gates, const struct prober_addr *node, const char *token,
                 struct gate_answer *ret);
void gates_stop(const struct gates *gates, const struct prober_addr *node, const char *token,
                struct gate_answer *ret);

/* The same for one node. */
void gate_start(const struct gate_context *context, const struct prober_addr *node,
                const char *token, struct gate_answer *ret);
void gate_stop(const struct gate_context *context, const struct prober_addr *node,
               const char *token, struct gate_answer *ret);

#endif

/*
 * The permit: the one right, in the whole cluster, to start or to stop a node now. PURE.
 *
 * Kept in the coordination store under one key and changed by compare-and-set alone, so there is at
 * most one at any time. It is taken for a node, and is over when
 *   - it was given back (the key is gone),
 *   - start: the node is READY; or its TTL has passed and nothing of it starts any more,
 *   - stop: the node has been not UP since it was granted, and is READY again; or its TTL has
 *     passed and the node is READY, or has left the cluster.
 * A job gives the permit of its node back itself, so that of a job is not over because the node was
 * down and is ready again: a unit that does not stop it may still run.
 * A node that serves and has nobody yet to be READY in the eyes of counts as READY: it is the first
 * after a full stop. While a node is to stop, known members start beside it (gates.h), without a
 * permit: there is one key, and it stays who stops the node's.
 * A TTL that has passed never frees a node that is down: who holds the permit of a node that does
 * not come back has to be told to give it back by a person (DELETE). What is known of a node may be
 * view_ttl old, so that for so long after it was granted no permit is over by READY.
 *
 * Each process counts from when it saw the permit first, by its own clock: when it was granted is
 * another host's time of day, and a clock that is ahead would end every permit at once. So one that
 * has just begun holds a permit for longer than the others do, never for less.
 */
#ifndef PERMIT_H
#define PERMIT_H

#include "cluster.h"

#define PERMIT_KEY       "permit"
#define PERMIT_JOB       "job-" /* how the token of a job's permit begins */
#define PERMIT_WHO_LEN   64
#define PERMIT_TOKEN_LEN 40
#define PERMIT_WHY_LEN   224

enum permit_kind {
    PERMIT_NONE = 0,
    PERMIT_START,
    PERMIT_STOP,
};

struct permit {
    enum permit_kind kind;
    struct prober_addr node;
    char token[PERMIT_TOKEN_LEN]; /* of who holds it: another one with the same node is not him */
    char who[PERMIT_WHO_LEN];     /* a user, "job ID" or "run state"; for people */
    char host[HOST_ID_LEN];       /* whose collector has written it */
    int64_t granted_ms;           /* time of day of that host; for people */
    int64_t ttl_ms;
    int64_t seen_since_ms; /* by this process, CLOCK_BOOTTIME; not in the store */
    bool seen_down;        /* the node has been not UP since then; written by whoever has seen it */
    int64_t down_since_ms; /* seen_down, as seen by this process; not in the store */
};

const char *permit_kind_word(enum permit_kind kind); /* "start", "stop", "none" */

enum permit_state {
    PERMIT_FREE = 0, /* there is none */
    PERMIT_HELD,
    PERMIT_OVER, /* another one may replace it */
};

/*
 * `now_ms`: CLOCK_BOOTTIME. `why`: for a person, why it is held, or over; without figures that
 * move, as documents show it. Before the first round it is held.
 */
enum permit_state permit_state(const struct permit *permit, const struct cluster *cluster,
                               int64_t now_ms, char why[PERMIT_WHY_LEN]);

/* The node is not UP now: time to set permit.seen_down, when it is not. */
bool permit_sees_down(const struct permit *permit, const struct cluster *cluster);

#endif

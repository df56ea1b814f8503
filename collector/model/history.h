/*
 * Health-check history: what each evaluated round found of each node. Rounds that find the same as
 * the one before are one entry, so that an entry is a time in which nothing changed. PURE.
 *
 * The same: the verdict, its reasons, and the node's own state. How many see it UP of how many that
 * count is as of the entry's last round, since these move with what happens to others.
 *
 * Memory: 88 bytes an entry, up to 100 entries a node: at most 8.8 MB at 1,000 nodes, and 0.3 MB
 * while each has the two or three that a quiet cluster gives it.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include "cluster.h"

#define HISTORY_MAX      100 /* entries of a node; then the oldest go */
#define HISTORY_WORD_LEN 20  /* modes and statuses, with their NUL; longer ones are cut */

/* Times are of CLOCK_BOOTTIME. */
struct history_entry {
    int64_t from_ms, to_ms; /* the first and the last of its rounds */
    uint32_t checks;        /* rounds */
    enum readiness verdict;
    uint32_t reasons; /* enum verdict_reason */
    enum trilean native;
    uint16_t up, down, unseen, counted;
    uint16_t needed;
    uint8_t
        run_state; /* enum run_state; with `restarting`: why, where a reason is REASON_RUN_STATE */
    bool restarting;
    char mode[HISTORY_WORD_LEN], status[HISTORY_WORD_LEN];
};

struct node_history {
    struct prober_addr address;  /* whose; another node may have had its place before */
    struct history_entry *items; /* oldest first */
    size_t n, size;
    bool added;              /* an entry since this was published last */
    int64_t published_at_ms; /* by whoever publishes; 0 = never */
};

struct history {
    struct node_history *nodes; /* [index of a node] */
    size_t n;
    size_t next; /* for whoever publishes: where the next turn begins */
};

/* Takes in what a complete round found: call it once after each. False: no memory, and the history
 * has a gap there. */
bool history_add(struct history *history, const struct cluster *cluster, int64_t now_ms);

/* NULL = none (yet). */
struct node_history *history_of(const struct history *history, const struct node *node);

void history_free(struct history *history);

#endif

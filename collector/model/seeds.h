/*
 * Which nodes are seeds. PURE.
 *
 * Per data center of n members: all when n <= 3, else max(3, racks) but never all of them; spread
 * evenly over its racks, the remainder to the first ones; what a rack has no nodes for, the others
 * get. Only a ready node with STATUS NORMAL becomes a seed.
 *
 * The list is written into nodes' configurations, so it must not follow every hiccup, and a
 * restart of a node is one: a seed stays one until
 * - it has left or was removed, or is no member any more (it joins again): at once;
 * - it has not been ready for `patience`, whatever the reason (down, drained, leaving), and
 *   there is a ready node to take its place: of its rack, else of its data center;
 * - its rack has more than its share, and a rack that had nobody for its share has a ready one now;
 * - fewer are wanted, as the data center shrank: those that are not ready go first.
 * So the last seed that is ready stays while it is a member. A data center keeps its last list
 * while it has nobody to choose, and loses it with its last node.
 *
 * The list of a data center is a value ("seeds/DC"), by address, that all hosts hold alike. One
 * host writes it, its author: the one whose own node is the first by address of those of the region
 * that are ready and vote, when more than half of the region's members vote. So the smaller side
 * of a split, and both of an even one, keep the lists. Who has become the author waits for
 * SEEDS_SETTLE_MS, to hear first what the one before it has written. Until there is a first list
 * every host shows what the rule gives there.
 */
#ifndef SEEDS_H
#define SEEDS_H

#include "cluster.h"
#include "regions.h"
#include "seed_lists.h"

#define SEEDS_SETTLE_MS 5000

/* Borrowed. */
struct seeds_settings {
    char *const *datacenters; /* of this host's region, whose seeds are chosen here; see region.h */
    const char *region_name;  /* NULL = none */
    const struct regions *regions; /* what the others say of theirs; NULL = there are none */
    int64_t patience_ms; /* with a seed that is not ready; of no matter to what is only shown */
    bool alone;          /* no other host's values come here: this host is the author for itself */
};

/* How many seeds a data center of so many members and racks is to have. */
size_t seeds_wanted(size_t n, size_t n_racks);

/* Sets node->seed of every node and marks dirty what changed. Call it after an evaluation. */
void seeds_apply(struct cluster *cluster, const struct values *values,
                 const struct seeds_settings *settings, int64_t now_ms);

/* A value to write. */
struct seeds_change {
    char key[VALUES_KEY_LEN];
    char *text; /* NULL = the data center is no more */
};

/*
 * What this host is to write now: nothing when it is not the author, or everything is as it should
 * be. Call it after seeds_apply(), after every evaluation: it tells since when this host is the
 * author. *ret is freed by seeds_changes_free().
 */
void seeds_changes(struct cluster *cluster, const struct values *values,
                   const struct seeds_settings *settings, int64_t now_ms, struct seeds_change **ret,
                   size_t *ret_n);
void seeds_changes_free(struct seeds_change *changes, size_t n);

/*
 * The seeds of this host's region, data center by data center by name, in the order of each one's
 * list; and of all: region by region by name. Each once. Freed by addresses_free().
 */
void seeds_of_region(const struct cluster *cluster, const struct values *values,
                     const struct seeds_settings *settings, struct addresses *ret);
void seeds_of_all(const struct cluster *cluster, const struct values *values,
                  const struct seeds_settings *settings, struct addresses *ret);

#endif

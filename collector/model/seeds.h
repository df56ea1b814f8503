/*
 * Which nodes are seeds. PURE.
 *
 * Per data center of n members: all when n <= 3, else max(3, racks) but never all of them; spread
 * evenly over its racks. Only a ready node with STATUS NORMAL becomes a seed; one that is a seed
 * stays one while it is a member, ready or not: the list is written into nodes' configurations and
 * must not follow every hiccup. Once known it is never empty.
 */
#ifndef SEEDS_H
#define SEEDS_H

#include "cluster.h"

/* Sets node->seed of every node and marks dirty what changed. Call it after an evaluation. */
void seeds_choose(struct cluster *cluster);

#endif

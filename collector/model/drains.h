/*
 * Drains: which nodes an operator has taken out of service, by the values. PURE.
 *
 * A drain ends by the time of day, and no later than its TTL after this process heard of it,
 * whatever is done to the clock.
 */
#ifndef DRAINS_H
#define DRAINS_H

#include "cluster.h"
#include "values.h"

/*
 * Brings node->drain of every node up to the values and the clocks (time of day, CLOCK_BOOTTIME)
 * and calls `each` (or NULL) with every node of which it changed, and what it was. Judge
 * afterwards. Returns in how many ms the next drain ends; INT64_MAX = none does.
 */
int64_t
drains_apply(struct cluster *cluster, const struct values *values, int64_t wall_ms, int64_t now_ms,
             void (*each)(const struct node *node, const struct drain *before, void *userdata),
             void *userdata);

#endif

/*
 * Nodes that were down for longer than hints are kept for them: they miss writes until they are
 * repaired, which whoever repairs them says as the value repaired/ADDRESS. PURE.
 */
#ifndef REPAIRS_H
#define REPAIRS_H

#include "cluster.h"
#include "values.h"

/* The time of day at which a node began to need a repair, in ms; 0 = it does not. */
int64_t node_repair_since(const struct cluster *cluster, const struct node *node);

/* Ends the need of those of which somebody has said so since. Times of day of several hosts are
 * compared: against windows of hours. Call it before an evaluation. */
void repairs_apply(struct cluster *cluster, const struct values *values);

#endif

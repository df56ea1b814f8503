/*
 * Data centers and the region this host serves. PURE.
 *
 * A region is a list of data centers: names ended by NULL; a NULL or empty list is all of the
 * cluster.
 */
#ifndef REGION_H
#define REGION_H

#include "cluster.h"

struct region_dc {
    char name[NAME_LEN];
    unsigned replicas; /* members */
};

/*
 * The data centers that have members, by name. *ret is owned by the caller (free()). Members whose
 * data center is not known yet are in none. 0 or -ENOMEM.
 */
int region_dcs(const struct cluster *cluster, struct region_dc **ret, size_t *ret_n);

/* The node is in the region. */
bool region_has(char *const *datacenters, const struct node *node);

/* The region has a member in each data center it names (at least one in all), and every member of
 * it is ready. */
bool region_ready(const struct cluster *cluster, char *const *datacenters);

#endif

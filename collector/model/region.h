/*
 * Data centers and the region this host serves. PURE.
 *
 * A region is a list of data centers: names ended by NULL; a NULL or empty list is all of the
 * cluster.
 */
#ifndef REGION_H
#define REGION_H

#include "../sources/region_answer.h"
#include "cluster.h"

/* What the configuration wants a data center to be. The texts are the configuration's. */
struct dc_wanted {
    char *name;
    unsigned size; /* nodes; 0 = it does not say */
    char **racks;  /* NULL-terminated; NULL = it does not say */
};

size_t dc_wanted_racks(const struct dc_wanted *wanted);

/* What this host serves, and what it should be. Borrowed. */
struct region_settings {
    char *const *datacenters;
    const struct dc_wanted *wanted;
    size_t n_wanted;
};

/*
 * The data centers that have members, by name. *ret is owned by the caller (free()). Members whose
 * data center is not known yet are in none. 0 or -ENOMEM.
 */
int region_dcs(const struct cluster *cluster, struct region_dc **ret, size_t *ret_n);

/* The data center is in the region. */
bool region_names(char *const *datacenters, const char *name);

/* The node is in the region. */
bool region_has(char *const *datacenters, const struct node *node);

/*
 * Every member of the region is ready, and nobody is missing: each data center it names has as many
 * members as are wanted, at least one. A region of all data centers has those that are wanted, too.
 * A member whose data center is not known may be the region's: one that names its data centers is
 * not ready then.
 */
bool region_ready(const struct cluster *cluster, const struct region_settings *region);

#endif

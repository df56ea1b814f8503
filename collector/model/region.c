#include "region.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct region_dc *)a)->name, ((const struct region_dc *)b)->name);
}

static bool counts(const struct node *node)
{
    return node->member && !node->forgotten;
}

int region_dcs(const struct cluster *cluster, struct region_dc **ret, size_t *ret_n)
{
    struct region_dc *dcs = calloc(cluster->n_sorted + 1, sizeof(*dcs));
    size_t n = 0, kept = 0;

    if (!dcs)
        return -ENOMEM;
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *node = cluster->sorted[i];

        if (!counts(node) || node->gossip.datacenter[0] == '\0')
            continue;
        memcpy(dcs[n].name, node->gossip.datacenter, NAME_LEN);
        dcs[n++].replicas = 1;
    }
    qsort(dcs, n, sizeof(*dcs), compare_names);
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && strcmp(dcs[kept - 1].name, dcs[i].name) == 0)
            dcs[kept - 1].replicas++;
        else
            dcs[kept++] = dcs[i];
    }
    *ret = dcs;
    *ret_n = kept;
    return 0;
}

static bool names_all(char *const *datacenters)
{
    return !datacenters || !datacenters[0];
}

bool region_names(char *const *datacenters, const char *name)
{
    if (names_all(datacenters))
        return true;
    for (; *datacenters; datacenters++)
        if (strcmp(*datacenters, name) == 0)
            return true;
    return false;
}

bool region_has(char *const *datacenters, const struct node *node)
{
    return region_names(datacenters, node->gossip.datacenter);
}

size_t dc_wanted_racks(const struct dc_wanted *wanted)
{
    size_t n = 0;

    while (wanted->racks && wanted->racks[n])
        n++;
    return n;
}

/* At least so many members, and all of them ready. */
static bool all_ready(const struct cluster *cluster, char *const *datacenters, unsigned least)
{
    unsigned n = 0;

    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *node = cluster->sorted[i];

        if (!counts(node) || !region_has(datacenters, node))
            continue;
        if (node->verdict.readiness != READY)
            return false;
        n++;
    }
    return n >= least;
}

static bool one_ready(const struct cluster *cluster, char *name, unsigned size)
{
    char *const one[] = {name, NULL};

    return all_ready(cluster, one, size > 0 ? size : 1);
}

/* A member that may be of any data center. */
static bool any_unplaced(const struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->n_sorted; i++)
        if (counts(cluster->sorted[i]) && cluster->sorted[i]->gossip.datacenter[0] == '\0')
            return true;
    return false;
}

bool region_ready(const struct cluster *cluster, const struct region_settings *region)
{
    bool all = names_all(region->datacenters);

    if (all ? !all_ready(cluster, NULL, 1) : any_unplaced(cluster))
        return false;
    for (size_t i = 0; i < region->n_wanted; i++) {
        const struct dc_wanted *wanted = &region->wanted[i];

        if ((all || region_names(region->datacenters, wanted->name)) &&
            !one_ready(cluster, wanted->name, wanted->size))
            return false;
    }
    for (char *const *name = region->datacenters; !all && *name; name++)
        if (!one_ready(cluster, *name, 1))
            return false;
    return true;
}

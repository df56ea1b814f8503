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

bool region_has(char *const *datacenters, const struct node *node)
{
    if (names_all(datacenters))
        return true;
    for (; *datacenters; datacenters++)
        if (strcmp(*datacenters, node->gossip.datacenter) == 0)
            return true;
    return false;
}

/* At least one member, and all of them ready. */
static bool all_ready(const struct cluster *cluster, char *const *datacenters)
{
    bool any = false;

    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *node = cluster->sorted[i];

        if (!counts(node) || !region_has(datacenters, node))
            continue;
        if (node->verdict.readiness != READY)
            return false;
        any = true;
    }
    return any;
}

bool region_ready(const struct cluster *cluster, char *const *datacenters)
{
    if (names_all(datacenters))
        return all_ready(cluster, NULL);
    for (; *datacenters; datacenters++) {
        char *const one[] = {*datacenters, NULL};

        if (!all_ready(cluster, one))
            return false;
    }
    return true;
}

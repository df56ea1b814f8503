#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster_internal.h"
#include "seeds.h"

/* A seed and its place. */
struct entry {
    const char *datacenter;
    size_t rank; /* in its data center's list */
    struct prober_addr address;
};

struct entries {
    struct entry *items;
    size_t n;
};

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = strcmp(x->datacenter, y->datacenter);

    return order ? order : (x->rank > y->rank) - (x->rank < y->rank);
}

/* The seeds of all data centers, as far as they are known here: what the values say, and the rule
 * where they say nothing. */
static struct entries gather(const struct cluster *cluster, const struct seed_lists *lists,
                             char *const *datacenters)
{
    struct entries entries = {0};
    size_t room = cluster->n_sorted;

    for (size_t i = 0; i < lists->n; i++)
        room += lists->items[i].seeds.n;
    entries.items = model_alloc(room, sizeof(*entries.items));
    for (size_t i = 0; i < lists->n; i++)
        for (size_t j = 0; j < lists->items[i].seeds.n; j++)
            entries.items[entries.n++] = (struct entry){
                lists->items[i].datacenter,
                j,
                lists->items[i].seeds.items[j],
            };
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *node = cluster->sorted[i];

        if (node->seed && region_has(datacenters, node) &&
            !seed_lists_find(lists, node->gossip.datacenter))
            entries.items[entries.n++] = (struct entry){node->gossip.datacenter, i, node->address};
    }
    qsort(entries.items, entries.n, sizeof(*entries.items), compare_entries);
    return entries;
}

static void add(struct addresses *addresses, const struct prober_addr *items, size_t n)
{
    addresses->items =
        reallocarray(addresses->items, addresses->n + n + 1, sizeof(*addresses->items));
    if (!addresses->items)
        abort();
    for (size_t i = 0; i < n; i++)
        if (!addresses_have(addresses, &items[i]))
            addresses->items[addresses->n++] = items[i];
}

/* Those of the region's data centers, or those of the others. */
static void add_entries(struct addresses *addresses, const struct entries *entries,
                        char *const *datacenters, bool own)
{
    for (size_t i = 0; i < entries->n; i++)
        if (region_names(datacenters, entries->items[i].datacenter) == own)
            add(addresses, &entries->items[i].address, 1);
}

/* What operators say stands in place of what was chosen. */
static void add_own(struct addresses *addresses, const struct entries *entries,
                    const struct values *values, const struct seeds_settings *settings)
{
    char key[VALUES_KEY_LEN];
    const struct value *said = NULL;
    struct addresses parsed;

    if (values && settings->region_name &&
        snprintf(key, sizeof(key), "region/%s/localseeds", settings->region_name) <
            (int)sizeof(key))
        said = values_find(values, key);
    if (said && addresses_parse(said->text, &parsed) == 0) {
        add(addresses, parsed.items, parsed.n);
        addresses_free(&parsed);
    } else {
        add_entries(addresses, entries, settings->datacenters, true);
    }
}

void seeds_of_region(const struct cluster *cluster, const struct values *values,
                     const struct seeds_settings *settings, struct addresses *ret)
{
    struct seed_lists lists;
    struct entries entries;

    *ret = (struct addresses){0};
    seed_lists_load(values, &lists);
    entries = gather(cluster, &lists, settings->datacenters);
    add_own(ret, &entries, values, settings);
    free(entries.items);
    seed_lists_free(&lists);
}

void seeds_of_all(const struct cluster *cluster, const struct values *values,
                  const struct seeds_settings *settings, struct addresses *ret)
{
    const struct regions *regions = settings->regions;
    struct seed_lists lists;
    struct entries entries;

    *ret = (struct addresses){0};
    seed_lists_load(values, &lists);
    entries = gather(cluster, &lists, settings->datacenters);
    if (!regions || regions->n == 0)
        add_own(ret, &entries, values, settings);
    for (size_t i = 0; regions && i < regions->n; i++) {
        if (regions->items[i].own)
            add_own(ret, &entries, values, settings);
        else
            add(ret, regions->items[i].seeds, regions->items[i].n_seeds);
    }
    add_entries(ret, &entries, settings->datacenters, false);
    free(entries.items);
    seed_lists_free(&lists);
}

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
    bool replaced; /* an operator has said something else */
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
                .datacenter = lists->items[i].datacenter,
                .rank = j,
                .address = lists->items[i].seeds.items[j],
            };
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *node = cluster->sorted[i];

        if (node->seed && region_has(datacenters, node) &&
            !seed_lists_find(lists, node->gossip.datacenter))
            entries.items[entries.n++] = (struct entry){
                .datacenter = node->gossip.datacenter,
                .rank = i,
                .address = node->address,
            };
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
        addresses->items[addresses->n++] = items[i];
}

static int compare_spots(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = prober_addr_compare(&x->address, &y->address);

    return order ? order : (x->rank > y->rank) - (x->rank < y->rank);
}

/* Each once, where it is first; other regions may say many. */
static void unique(struct addresses *addresses)
{
    struct entry *spots = model_alloc(addresses->n, sizeof(*spots));
    bool *again = model_alloc(addresses->n, sizeof(*again));
    size_t kept = 0;

    for (size_t i = 0; i < addresses->n; i++)
        spots[i] = (struct entry){.rank = i, .address = addresses->items[i]};
    qsort(spots, addresses->n, sizeof(*spots), compare_spots);
    for (size_t i = 1; i < addresses->n; i++)
        again[spots[i].rank] = prober_addr_compare(&spots[i - 1].address, &spots[i].address) == 0;
    for (size_t i = 0; i < addresses->n; i++)
        if (!again[i])
            addresses->items[kept++] = addresses->items[i];
    addresses->n = kept;
    free(spots);
    free(again);
}

/* Those of the region's data centers. */
static void add_entries(struct addresses *addresses, const struct entries *entries,
                        char *const *datacenters)
{
    for (size_t i = 0; i < entries->n; i++)
        if (region_names(datacenters, entries->items[i].datacenter))
            add(addresses, &entries->items[i].address, 1);
}

/* Another region has the data center, and says which seeds there are. */
static bool is_told(const struct regions *regions, const char *datacenter)
{
    for (size_t i = 0; i < regions->n; i++) {
        const struct region *region = &regions->items[i];

        for (size_t j = 0; !region->own && region->n_seeds > 0 && j < region->n_dcs; j++)
            if (strcmp(region->dcs[j].name, datacenter) == 0)
                return true;
    }
    return false;
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
        add_entries(addresses, entries, settings->datacenters);
    }
}

/* Region by region, and what is known of data centers that are nobody's. */
static void add_regions(struct addresses *addresses, const struct entries *entries,
                        const struct values *values, const struct seeds_settings *settings)
{
    const struct regions *regions = settings->regions;

    for (size_t i = 0; i < regions->n; i++) {
        if (regions->items[i].own)
            add_own(addresses, entries, values, settings);
        else
            add(addresses, regions->items[i].seeds, regions->items[i].n_seeds);
    }
    for (size_t i = 0; i < entries->n; i++) {
        const struct entry *entry = &entries->items[i];

        if (!region_names(settings->datacenters, entry->datacenter) &&
            !is_told(regions, entry->datacenter))
            add(addresses, &entry->address, 1);
    }
}

static const char *datacenter_of(const struct cluster *cluster, const struct entries *entries,
                                 const struct prober_addr *address)
{
    const struct node *node = cluster_find(cluster, address);

    if (node && node->gossip.datacenter[0])
        return node->gossip.datacenter;
    for (size_t i = 0; i < entries->n; i++)
        if (prober_addr_compare(&entries->items[i].address, address) == 0)
            return entries->items[i].datacenter;
    return "";
}

/* What an operator said, in place of the lists of the data centers in which those seeds are. */
static void add_said(struct addresses *addresses, const struct cluster *cluster,
                     struct entries *entries, const struct addresses *said)
{
    add(addresses, said->items, said->n);
    for (size_t i = 0; i < said->n; i++) {
        const char *datacenter = datacenter_of(cluster, entries, &said->items[i]);

        for (size_t j = 0; j < entries->n; j++)
            entries->items[j].replaced |= strcmp(entries->items[j].datacenter, datacenter) == 0;
    }
}

/* Several regions that do not ask each other: nothing that hosts of one know alone may count. */
static void add_unasked(struct addresses *addresses, const struct cluster *cluster,
                        struct entries *entries, const struct values *values)
{
    static const char last[] = "/localseeds";

    for (size_t i = 0; values && i < values->n; i++) {
        const struct value *value = &values->items[i];
        const char *what = strrchr(value->key, '/');
        struct addresses said;

        if (strncmp(value->key, "region/", 7) != 0 || strcmp(what, last) != 0 || !value->text ||
            addresses_parse(value->text, &said) < 0)
            continue;
        add_said(addresses, cluster, entries, &said);
        addresses_free(&said);
    }
    for (size_t i = 0; i < entries->n; i++)
        if (!entries->items[i].replaced)
            add(addresses, &entries->items[i].address, 1);
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
    unique(ret);
    free(entries.items);
    seed_lists_free(&lists);
}

void seeds_of_all(const struct cluster *cluster, const struct values *values,
                  const struct seeds_settings *settings, struct addresses *ret)
{
    bool whole = !settings->datacenters || !settings->datacenters[0];
    struct seed_lists lists;
    struct entries entries;

    *ret = (struct addresses){0};
    seed_lists_load(values, &lists);
    entries = gather(cluster, &lists, settings->datacenters);
    if (settings->regions && settings->regions->n > 0)
        add_regions(ret, &entries, values, settings);
    else if (whole)
        add_own(ret, &entries, values, settings);
    else
        add_unasked(ret, cluster, &entries, values);
    unique(ret);
    free(entries.items);
    seed_lists_free(&lists);
}

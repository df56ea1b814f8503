#include "seeds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster_internal.h"

#define SEEDS_MIN 3

/* What speaks for a node, the best first. */
enum claim {
    CLAIM_LIVE = 0,  /* a seed that is ready */
    CLAIM_KEPT,      /* a seed that is not, but not for long */
    CLAIM_CANDIDATE, /* may become one */
    CLAIM_LATE,      /* a seed that is to be replaced when there is somebody */
    CLAIM_NONE,
};

/* A member of the region. */
struct place {
    struct node *node;
    const char *datacenter;
    enum claim claim;
    bool chosen;
};

struct places {
    struct place *items; /* by data center and rack; within a rack by address */
    size_t n;
};

/* A run of places, and how many of them are to be seeds. */
struct rack {
    struct place *places;
    size_t n;
    size_t claims[CLAIM_LATE]; /* so many of this claim or a better one */
    size_t wanted;
};

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int order = strcmp(x->datacenter, y->datacenter);

    if (order == 0)
        order = strcmp(x->node->gossip.rack, y->node->gossip.rack);
    return order ? order : prober_addr_compare(&x->node->address, &y->node->address);
}

/* "" = not known. One that is not known now was where it is a seed. */
static const char *datacenter_of(const struct node *node, const struct seed_lists *lists)
{
    for (size_t i = 0; i < lists->n && node->gossip.datacenter[0] == '\0'; i++)
        if (addresses_have(&lists->items[i].seeds, &node->address))
            return lists->items[i].datacenter;
    return node->gossip.datacenter;
}

static enum claim claim_of(const struct node *node, const struct seed_list *list,
                           int64_t patience_ms, int64_t now_ms)
{
    bool ready = node->verdict.readiness == READY;

    if (list ? addresses_have(&list->seeds, &node->address) : node->seed) {
        if (ready)
            return CLAIM_LIVE;
        return node->verdict.readiness == NOT_READY && now_ms - node->changed_at_ms >= patience_ms
                   ? CLAIM_LATE
                   : CLAIM_KEPT;
    }
    return ready && strcmp(node->gossip.status, "NORMAL") == 0 ? CLAIM_CANDIDATE : CLAIM_NONE;
}

static struct places gather(const struct cluster *cluster, const struct seed_lists *lists,
                            const struct seeds_settings *settings, int64_t now_ms)
{
    struct places places = {.items = model_alloc(cluster->n_sorted, sizeof(struct place))};

    for (size_t i = 0; i < cluster->n_sorted; i++) {
        struct node *node = cluster->sorted[i];
        const char *datacenter = datacenter_of(node, lists);

        if (!node->member || node->forgotten || datacenter[0] == '\0' ||
            !region_names(settings->datacenters, datacenter))
            continue;
        places.items[places.n++] = (struct place){
            .node = node,
            .datacenter = datacenter,
            .claim =
                claim_of(node, seed_lists_find(lists, datacenter), settings->patience_ms, now_ms),
        };
    }
    qsort(places.items, places.n, sizeof(struct place), compare_places);
    return places;
}

static size_t split_racks(struct place *places, size_t n, struct rack *racks)
{
    size_t n_racks = 0;

    for (size_t i = 0; i < n; i++) {
        struct rack *rack;

        if (i == 0 || strcmp(places[i - 1].node->gossip.rack, places[i].node->gossip.rack) != 0)
            racks[n_racks++] = (struct rack){.places = places + i};
        rack = &racks[n_racks - 1];
        rack->n++;
        for (int claim = CLAIM_LIVE; claim < CLAIM_LATE; claim++)
            rack->claims[claim] += places[i].claim <= (enum claim)claim;
    }
    return n_racks;
}

size_t seeds_wanted(size_t n, size_t n_racks)
{
    size_t wanted = n_racks > SEEDS_MIN ? n_racks : SEEDS_MIN;

    if (n <= SEEDS_MIN)
        return n;
    return wanted < n ? wanted : n - 1;
}

/*
 * One for each rack, then a second one, and so on, as far as a rack has nodes. What does not
 * suffice for all of them goes where the seeds are already. Returns for how many there is nobody.
 */
static size_t deal(struct rack *racks, size_t n_racks, size_t wanted)
{
    for (size_t each = 1, before = wanted + 1; wanted < before; each++) {
        before = wanted;
        for (int claim = CLAIM_LIVE; claim < CLAIM_LATE; claim++) {
            for (size_t i = 0; i < n_racks && wanted > 0; i++) {
                if (racks[i].wanted >= each || racks[i].claims[claim] < each)
                    continue;
                racks[i].wanted++;
                wanted--;
            }
        }
    }
    return wanted;
}

/* At most so many of that claim; returns how many. */
static size_t choose_claim(struct place *places, size_t n, enum claim claim, size_t wanted)
{
    size_t chosen = 0;

    for (size_t i = 0; i < n && chosen < wanted; i++)
        if (places[i].claim == claim)
            chosen += places[i].chosen = true;
    return chosen;
}

static void choose_in_datacenter(struct place *places, size_t n, struct rack *racks)
{
    size_t n_racks = split_racks(places, n, racks);
    size_t missing = deal(racks, n_racks, seeds_wanted(n, n_racks));

    for (size_t i = 0; i < n_racks; i++) {
        size_t wanted = racks[i].wanted;

        for (int claim = CLAIM_LIVE; claim < CLAIM_LATE; claim++)
            wanted -= choose_claim(racks[i].places, racks[i].n, (enum claim)claim, wanted);
    }
    choose_claim(places, n, CLAIM_LATE, missing);
}

/* The end of the run of places of one data center. */
static size_t run_end(const struct places *places, size_t from)
{
    size_t to = from;

    while (to < places->n &&
           strcmp(places->items[to].datacenter, places->items[from].datacenter) == 0)
        to++;
    return to;
}

static struct places choose(const struct cluster *cluster, const struct seed_lists *lists,
                            const struct seeds_settings *settings, int64_t now_ms)
{
    struct places places = gather(cluster, lists, settings, now_ms);
    struct rack *racks = model_alloc(places.n, sizeof(*racks));

    for (size_t from = 0, to; from < places.n; from = to) {
        to = run_end(&places, from);
        choose_in_datacenter(places.items + from, to - from, racks);
    }
    free(racks);
    return places;
}

static void set_seed(struct cluster *cluster, struct node *node, bool seed)
{
    if (node->seed == seed)
        return;
    node->seed = seed;
    mark_verdict(cluster, node);
}

static bool regions_have(const struct regions *regions, const struct prober_addr *address)
{
    for (size_t i = 0; regions && i < regions->n; i++) {
        const struct region *region = &regions->items[i];

        if (!region->own &&
            addresses_have(&(struct addresses){region->seeds, region->n_seeds}, address))
            return true;
    }
    return false;
}

/* What the rule makes of a node while there are no lists. */
enum fate {
    FATE_STAYS = 0, /* what it is: there is nobody to choose */
    FATE_SEED,
    FATE_NO_SEED,
};

static void decide_datacenter(const struct cluster *cluster, const struct place *places, size_t n,
                              bool chosen, enum fate *fates)
{
    for (size_t i = 0; i < cluster->n_sorted; i++)
        if (strcmp(cluster->sorted[i]->gossip.datacenter, places[0].datacenter) == 0)
            fates[cluster->sorted[i]->index] = chosen ? FATE_NO_SEED : FATE_STAYS;
    for (size_t i = 0; i < n; i++)
        if (places[i].chosen)
            fates[places[i].node->index] = FATE_SEED;
}

static bool any_chosen(const struct place *places, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (places[i].chosen)
            return true;
    return false;
}

/* For each node, by its index. */
static enum fate *decide(const struct cluster *cluster, const struct places *places)
{
    enum fate *fates = model_alloc(cluster->n_nodes, sizeof(*fates));

    if (any_chosen(places->items, places->n))
        for (size_t i = 0; i < cluster->n_nodes; i++)
            fates[i] = FATE_NO_SEED;
    for (size_t from = 0, to; from < places->n; from = to) {
        const struct place *run = places->items + from;

        to = run_end(places, from);
        decide_datacenter(cluster, run, to - from, any_chosen(run, to - from), fates);
    }
    return fates;
}

static bool region_has_lists(const struct seed_lists *lists, const struct seeds_settings *settings)
{
    for (size_t i = 0; i < lists->n; i++)
        if (region_names(settings->datacenters, lists->items[i].datacenter))
            return true;
    return false;
}

void seeds_apply(struct cluster *cluster, const struct values *values,
                 const struct seeds_settings *settings, int64_t now_ms)
{
    struct seed_lists lists;
    struct places places;
    enum fate *fates;

    seed_lists_load(values, &lists);
    places = choose(cluster, &lists, settings, now_ms);
    fates = decide(cluster, &places);
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        struct node *node = cluster->sorted[i];
        const char *datacenter = datacenter_of(node, &lists);
        const struct seed_list *list = seed_lists_find(&lists, datacenter);

        if (list)
            set_seed(cluster, node, addresses_have(&list->seeds, &node->address));
        else if (!region_names(settings->datacenters, datacenter))
            set_seed(cluster, node, regions_have(settings->regions, &node->address));
        else if (region_has_lists(&lists, settings))
            set_seed(cluster, node, false);
        else if (fates[node->index] != FATE_STAYS)
            set_seed(cluster, node, fates[node->index] == FATE_SEED);
    }
    free(fates);
    free(places.items);
    seed_lists_free(&lists);
}

/* How many of the region there are, and who is the first that may be the author. */
struct electorate {
    size_t members, voters;
    const struct node *first;
};

static struct electorate count(const struct cluster *cluster, const struct seeds_settings *settings)
{
    struct electorate counted = {0};

    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *node = cluster->sorted[i];

        if (!node->member || node->forgotten ||
            (node->gossip.datacenter[0] && !region_has(settings->datacenters, node)))
            continue;
        counted.members++;
        counted.voters += node->voter;
        if (!counted.first && node->voter && node->verdict.readiness == READY)
            counted.first = node;
    }
    return counted;
}

/* Seeds that nobody has heard of. Either they are long gone, or it is this host's Cassandra that
 * has not heard of the others. */
static size_t strangers(const struct cluster *cluster, const struct seed_lists *lists,
                        const struct seeds_settings *settings)
{
    size_t n = 0;

    for (size_t i = 0; i < lists->n; i++) {
        const struct seed_list *list = &lists->items[i];

        for (size_t j = 0; j < list->seeds.n; j++)
            n += region_names(settings->datacenters, list->datacenter) &&
                 !cluster_find(cluster, &list->seeds.items[j]);
    }
    return n;
}

static bool is_author(struct cluster *cluster, const struct seed_lists *lists,
                      const struct seeds_settings *settings, int64_t now_ms)
{
    const struct electorate counted = count(cluster, settings);
    int64_t *since_ms = &cluster->private->author_since_ms, patience_ms = SEEDS_SETTLE_MS;

    if (!counted.first || (counted.first != cluster->local && !settings->alone) ||
        counted.voters * 2 <= counted.members) {
        *since_ms = 0;
        return false;
    }
    if (*since_ms == 0)
        *since_ms = now_ms;
    if (counted.voters * 2 <= counted.members + strangers(cluster, lists, settings))
        patience_ms = settings->patience_ms;
    return now_ms - *since_ms >= patience_ms;
}

static void add_change(struct seeds_change *changes, size_t *n, const char *datacenter, char *text)
{
    struct seeds_change *change = &changes[*n];

    snprintf(change->key, sizeof(change->key), "seeds/%s", datacenter);
    change->text = text;
    (*n)++;
}

static int compare_addresses(const void *a, const void *b)
{
    return prober_addr_compare(a, b);
}

/* The list of a data center, unless it has those chosen already. */
static void change_list(const struct place *places, size_t n, const struct seed_list *list,
                        struct seeds_change *changes, size_t *n_changes)
{
    struct addresses chosen = {.items = model_alloc(n, sizeof(*chosen.items))};
    size_t known = 0;

    for (size_t i = 0; i < n; i++) {
        if (!places[i].chosen)
            continue;
        known += list && addresses_have(&list->seeds, &places[i].node->address);
        chosen.items[chosen.n++] = places[i].node->address;
    }
    qsort(chosen.items, chosen.n, sizeof(*chosen.items), compare_addresses);
    if (chosen.n > 0 && !(list && known == chosen.n && list->seeds.n == chosen.n))
        add_change(changes, n_changes, places[0].datacenter, addresses_text(&chosen));
    addresses_free(&chosen);
}

/* Somebody is there still, or again. */
static bool is_inhabited(const struct cluster *cluster, const struct seed_lists *lists,
                         const char *datacenter)
{
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *node = cluster->sorted[i];

        if (!node->gone && !node->forgotten && strcmp(datacenter_of(node, lists), datacenter) == 0)
            return true;
    }
    return false;
}

void seeds_changes(struct cluster *cluster, const struct values *values,
                   const struct seeds_settings *settings, int64_t now_ms, struct seeds_change **ret,
                   size_t *ret_n)
{
    struct seed_lists lists;
    struct places places;

    *ret = NULL;
    *ret_n = 0;
    seed_lists_load(values, &lists);
    if (!is_author(cluster, &lists, settings, now_ms)) {
        seed_lists_free(&lists);
        return;
    }
    places = choose(cluster, &lists, settings, now_ms);
    *ret = model_alloc(places.n + lists.n, sizeof(**ret));
    for (size_t from = 0, to; from < places.n; from = to) {
        const struct place *run = places.items + from;

        to = run_end(&places, from);
        change_list(run, to - from, seed_lists_find(&lists, run->datacenter), *ret, ret_n);
    }
    for (size_t i = 0; i < lists.n; i++)
        if (region_names(settings->datacenters, lists.items[i].datacenter) &&
            !is_inhabited(cluster, &lists, lists.items[i].datacenter))
            add_change(*ret, ret_n, lists.items[i].datacenter, NULL);
    free(places.items);
    seed_lists_free(&lists);
}

void seeds_changes_free(struct seeds_change *changes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(changes[i].text);
    free(changes);
}

#include "seeds.h"

#include <stdlib.h>
#include <string.h>

#include "cluster_internal.h"

#define SEEDS_MIN 3

/* The members by data center and rack; within a rack by address. */
static int compare_places(const void *a, const void *b)
{
    const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;
    int order = strcmp(x->gossip.datacenter, y->gossip.datacenter);

    if (order == 0)
        order = strcmp(x->gossip.rack, y->gossip.rack);
    return order ? order : prober_addr_compare(&x->address, &y->address);
}

/* A run of members, and how many of them are to be seeds. */
struct rack {
    struct node **nodes;
    size_t n;
    size_t wanted;
};

static size_t split_racks(struct node **nodes, size_t n, struct rack *racks)
{
    size_t n_racks = 0;

    for (size_t i = 0; i < n; i++) {
        if (i == 0 || strcmp(nodes[i - 1]->gossip.rack, nodes[i]->gossip.rack) != 0)
            racks[n_racks++] = (struct rack){.nodes = nodes + i};
        racks[n_racks - 1].n++;
    }
    return n_racks;
}

static size_t seeds_wanted(size_t n, size_t n_racks)
{
    size_t wanted = n_racks > SEEDS_MIN ? n_racks : SEEDS_MIN;

    if (n <= SEEDS_MIN)
        return n;
    return wanted < n ? wanted : n - 1;
}

/* One after the other, as far as a rack has nodes. */
static void deal(struct rack *racks, size_t n_racks, size_t wanted)
{
    while (wanted > 0) {
        for (size_t i = 0; i < n_racks && wanted > 0; i++) {
            if (racks[i].wanted == racks[i].n)
                continue;
            racks[i].wanted++;
            wanted--;
        }
    }
}

static bool may_become_seed(const struct node *node)
{
    return node->verdict.readiness == READY && strcmp(node->gossip.status, "NORMAL") == 0;
}

/* Seeds of the rack: those that are seeds first, then those that may become one. Returns how many.
 */
static size_t choose_in_rack(const struct rack *rack, bool *chosen)
{
    size_t n = 0;

    for (size_t i = 0; i < rack->n && n < rack->wanted; i++)
        if (rack->nodes[i]->seed)
            n += chosen[i] = true;
    for (size_t i = 0; i < rack->n && n < rack->wanted; i++)
        if (!chosen[i] && may_become_seed(rack->nodes[i]))
            n += chosen[i] = true;
    return n;
}

/* The racks that were to have seeds have nobody: any rack will do. */
static size_t choose_any(struct node **nodes, size_t n, bool *chosen)
{
    const struct rack all = {.nodes = nodes, .n = n, .wanted = 1};

    return choose_in_rack(&all, chosen);
}

static size_t choose_in_datacenter(struct node **nodes, size_t n, struct rack *racks, bool *chosen)
{
    size_t n_racks = split_racks(nodes, n, racks), n_seeds = 0;

    deal(racks, n_racks, seeds_wanted(n, n_racks));
    for (size_t i = 0; i < n_racks; i++)
        n_seeds += choose_in_rack(&racks[i], chosen + (racks[i].nodes - nodes));
    return n_seeds > 0 ? n_seeds : choose_any(nodes, n, chosen);
}

static size_t choose(struct node **nodes, size_t n, struct rack *racks, bool *chosen)
{
    size_t n_seeds = 0;

    for (size_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n; to++)
            if (strcmp(nodes[from]->gossip.datacenter, nodes[to]->gossip.datacenter) != 0)
                break;
        n_seeds += choose_in_datacenter(nodes + from, to - from, racks, chosen + from);
    }
    return n_seeds;
}

static void set_seed(struct cluster *cluster, struct node *node, bool seed)
{
    if (node->seed == seed)
        return;
    node->seed = seed;
    mark_verdict(cluster, node);
}

void seeds_choose(struct cluster *cluster)
{
    struct node **members = model_alloc(cluster->n_sorted, sizeof(struct node *));
    struct rack *racks = model_alloc(cluster->n_sorted, sizeof(*racks));
    bool *chosen = model_alloc(cluster->n_sorted, sizeof(*chosen));
    size_t n = 0;

    for (size_t i = 0; i < cluster->n_sorted; i++)
        if (cluster->sorted[i]->member && !cluster->sorted[i]->forgotten)
            members[n++] = cluster->sorted[i];
    qsort(members, n, sizeof(struct node *), compare_places);
    /* With nobody to choose the last list stays. */
    if (choose(members, n, racks, chosen) > 0) {
        for (size_t i = 0; i < cluster->n_sorted; i++)
            if (!cluster->sorted[i]->member || cluster->sorted[i]->forgotten)
                set_seed(cluster, cluster->sorted[i], false);
        for (size_t i = 0; i < n; i++)
            set_seed(cluster, members[i], chosen[i]);
    }
    free(members);
    free(racks);
    free(chosen);
}

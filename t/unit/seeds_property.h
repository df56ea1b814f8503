/*
 * Seeds by property: what a list is to be, told anew. Each case has a seed of its own, printed when
 * it fails; SEED=n repeats that case alone.
 */
#ifndef SEEDS_PROPERTY_H
#define SEEDS_PROPERTY_H

#include "seeds_util.h"

static uint64_t seed_of_case;

#define check(what)                                                                                \
    do {                                                                                           \
        if (!(what))                                                                               \
            fail_msg("SEED=%llu: %s", (unsigned long long)seed_of_case, #what);                    \
    } while (0)

static inline uint64_t begin_case(uint64_t seed)
{
    seed_of_case = seed;
    return seed * 0x9E3779B97F4A7C15ULL + 1;
}

struct tally {
    size_t members[10], listed[10], ready[10],
        spare[10]; /* by rack; listed: those that are ready */
    size_t n, n_racks, late, candidates, total;
};

static inline size_t wanted_of(const struct tally *tally)
{
    size_t most = tally->n_racks > 3 ? tally->n_racks : 3;

    return tally->n <= 3 ? tally->n : most < tally->n - 1 ? most : tally->n - 1;
}

static inline bool is_late(const struct node *node, int64_t now_ms)
{
    return node->verdict.readiness != READY && now_ms - node->changed_at_ms >= SEEDS_PATIENCE_MS;
}

static inline struct tally tally_of(const struct cluster *cluster, const char *datacenter,
                                    const struct addresses *list, int64_t now_ms)
{
    struct tally tally = {0};

    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *node = cluster->sorted[i];
        size_t rack = (size_t)(node->gossip.rack[1] - '0');
        bool is_seed = list && addresses_have(list, &node->address);
        bool ready = node->verdict.readiness == READY;

        if (!node->member || node->forgotten || strcmp(node->gossip.datacenter, datacenter) != 0)
            continue;
        tally.n++;
        tally.n_racks += tally.members[rack]++ == 0;
        tally.total += is_seed;
        tally.late += is_seed && is_late(node, now_ms);
        tally.listed[rack] += is_seed && !is_late(node, now_ms);
        if (!is_seed && ready && strcmp(node->gossip.status, "NORMAL") == 0) {
            tally.spare[rack] += now_ms - node->changed_at_ms >= SEEDS_PATIENCE_MS;
            tally.candidates++;
        }
    }
    return tally;
}

/* A rack has two more than another one that has had somebody to give for long. */
static inline bool is_uneven(const struct tally *tally)
{
    for (size_t a = 0; a < 10; a++)
        for (size_t b = 0; b < 10; b++)
            if (tally->spare[b] > 0 && tally->listed[a] > tally->listed[b] + 1)
                return true;
    return false;
}

/* Nothing has happened for long: the list is as good as it can be. */
static inline void check_at_rest(const struct cluster *cluster, const char *datacenter,
                                 const struct addresses *list, int64_t now_ms)
{
    const struct tally tally = tally_of(cluster, datacenter, list, now_ms);

    check(tally.total <= wanted_of(&tally));
    check(tally.candidates == 0 || (tally.late == 0 && tally.total == wanted_of(&tally)));
    check(!is_uneven(&tally));
    check(tally.total > 0 || tally.candidates == 0);
}

static inline void judge_node(struct node *node, enum readiness readiness, int64_t now_ms)
{
    if (node->verdict.readiness != readiness)
        node->changed_at_ms = now_ms;
    node->verdict.readiness = readiness;
    node->voter = readiness == READY;
}

static inline struct cluster *new_cluster(size_t n)
{
    const struct readiness_settings settings = fleet_settings(POLICY_MUTUAL);
    struct cluster *cluster = cluster_new(&settings);

    for (size_t i = 0; i < n; i++) {
        const struct prober_addr address = fleet_address(i);

        cluster_add(cluster, &address);
    }
    return cluster;
}

static inline struct addresses listed_in(const struct cluster *cluster, const char *datacenter)
{
    struct addresses list = {.items = calloc(cluster->n_sorted + 1, sizeof(*list.items))};

    for (size_t i = 0; i < cluster->n_sorted; i++)
        if (cluster->sorted[i]->seed &&
            strcmp(cluster->sorted[i]->gossip.datacenter, datacenter) == 0)
            list.items[list.n++] = cluster->sorted[i]->address;
    return list;
}

static inline void cases(void (*one)(uint64_t seed), uint64_t n)
{
    const char *seed = getenv("SEED");

    if (seed) {
        one(strtoull(seed, NULL, 10));
        return;
    }
    for (uint64_t i = 1; i <= n; i++)
        one(i);
}

#endif

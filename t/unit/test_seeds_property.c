/* The seeds of random topologies. */
#include "seeds_property.h"

#define TOPOLOGIES 4000
#define LARGE      80

static void place_node(struct node *node, const char *datacenter, size_t rack)
{
    strcpy(node->gossip.datacenter, datacenter);
    snprintf(node->gossip.rack, sizeof(node->gossip.rack), "r%zu", rack);
    strcpy(node->gossip.status, "NORMAL");
    node->member = true;
}

static void check_datacenters(const struct cluster *cluster, int64_t now_ms, size_t *ret_n)
{
    static const char *const datacenters[] = {"dc0", "dc1", "dc2"};

    *ret_n = 0;
    for (size_t i = 0; i < 3; i++) {
        struct addresses list = listed_in(cluster, datacenters[i]);

        check_at_rest(cluster, datacenters[i], &list, now_ms);
        *ret_n += list.n;
        addresses_free(&list);
    }
}

/* What a first choice is exactly: the remainder is the first racks'. */
static void check_first_racks(const struct cluster *cluster)
{
    const struct addresses none = {0};
    struct tally tally = tally_of(cluster, "dc0", &none, 0);
    size_t left = wanted_of(&tally), shares[10] = {0};

    while (left > 0)
        for (size_t rack = 0; rack < 10 && left > 0; rack++)
            if (shares[rack] < tally.members[rack]) {
                shares[rack]++;
                left--;
            }
    for (size_t i = 0; i < cluster->n_sorted; i++)
        if (cluster->sorted[i]->seed && strcmp(cluster->sorted[i]->gossip.datacenter, "dc0") == 0)
            shares[cluster->sorted[i]->gossip.rack[1] - '0']--;
    for (size_t rack = 0; rack < 10; rack++)
        check(shares[rack] == 0);
}

/* Every host is there, whatever its node is. Returns how many lists were written. */
static size_t write(struct cluster *cluster, struct values *values, int64_t now_ms)
{
    const struct seeds_settings alone = {.patience_ms = SEEDS_PATIENCE_MS, .alone = true};
    struct seeds_change *changes;
    size_t n;

    for (size_t i = 0; i < cluster->n_sorted; i++)
        cluster->sorted[i]->voter = true;
    seeds_apply(cluster, values, &alone, now_ms);
    seeds_changes(cluster, values, &alone, now_ms, &changes, &n);
    for (size_t i = 0; i < n; i++) {
        const struct value_change change = {.key = changes[i].key, .text = changes[i].text};

        check(values_change(values, &change, "host", WALL) == 0);
    }
    seeds_changes_free(changes, n);
    seeds_apply(cluster, values, &alone, now_ms);
    return n;
}

static void topology(uint64_t seed)
{
    uint64_t random = begin_case(seed);
    size_t n = 1 + random_below(&random, seed % 10 ? 16 : LARGE), before, after;
    size_t n_dcs = 1 + random_below(&random, 3), n_racks = 1 + random_below(&random, 10);
    struct cluster *cluster = new_cluster(n);
    int64_t now_ms = FLEET_START;
    struct values values = {0};

    for (size_t i = 0; i < n; i++) {
        char datacenter[8];

        snprintf(datacenter, sizeof(datacenter), "dc%zu", random_below(&random, n_dcs));
        place_node(cluster->sorted[i], datacenter, random_below(&random, n_racks));
        judge_node(cluster->sorted[i], READY, now_ms);
    }
    check(write(cluster, &values, now_ms) == 0);
    check_first_racks(cluster);
    now_ms += SEEDS_SETTLE_MS;
    cluster_clean(cluster);
    check(write(cluster, &values, now_ms) > 0);
    check(!cluster->dirty); /* shown already */
    check_datacenters(cluster, now_ms, &before);
    check(before > 0);
    /* Some go down for good, in one go. */
    for (size_t i = 0; i < n; i++)
        if (random_below(&random, 3) == 0)
            judge_node(cluster->sorted[i], NOT_READY, now_ms);
    check(write(cluster, &values, now_ms + SEEDS_PATIENCE_MS - 1) == 0);
    check(!cluster->dirty);
    now_ms += SEEDS_PATIENCE_MS + SEEDS_SETTLE_MS;
    write(cluster, &values, now_ms);
    check_datacenters(cluster, now_ms, &after);
    check(after == before);
    /* What was chosen is what is chosen. */
    check(write(cluster, &values, now_ms) == 0);
    values_free(&values);
    cluster_free(cluster);
}

static void every_topology_has_the_seeds_it_should(void **state)
{
    (void)state;
    cases(topology, TOPOLOGIES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_topology_has_the_seeds_it_should),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

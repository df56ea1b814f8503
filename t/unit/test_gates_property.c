/*
 * Whatever the cluster: a node that may stop takes no LOCAL_QUORUM with it, by Cassandra's own rule
 * of where replicas are; and from a full stop those that may start bring all back.
 */
#include "gates_util.h"

#define RUNS      3000
#define RING_SIZE 64 /* tokens */

/* Who owns the tokens, in the ring's order. */
struct ring {
    size_t owner[RING_SIZE], n;
};

static void make_ring(struct ring *ring, size_t n_nodes, uint64_t *random)
{
    size_t per_node = RING_SIZE / n_nodes;

    ring->n = per_node * n_nodes;
    for (size_t i = 0; i < ring->n; i++)
        ring->owner[i] = i % n_nodes;
    for (size_t i = ring->n - 1; i > 0; i--) {
        size_t k = random_below(random, i + 1), owner = ring->owner[i];

        ring->owner[i] = ring->owner[k];
        ring->owner[k] = owner;
    }
}

static bool has(const size_t *items, size_t n, size_t item)
{
    for (size_t i = 0; i < n; i++)
        if (items[i] == item)
            return true;
    return false;
}

/* NetworkTopologyStrategy (DatacenterEndpoints): a rack that has one already gets another only when
 * there are more replicas than racks. */
static size_t place_by_racks(const struct fleet *fleet, const struct ring *ring, size_t from,
                             const char *dc, unsigned replicas, size_t found[])
{
    const char *racks[FLEET_MAX], *seen[FLEET_MAX];
    size_t n_racks = 0, n_seen = 0, n = 0, n_nodes = 0;
    long again;

    for (size_t i = 0; i < fleet->n; i++) {
        bool known = strcmp(fleet->node[i].datacenter, dc) != 0;

        n_nodes += !known;
        for (size_t k = 0; k < n_racks; k++)
            known |= strcmp(racks[k], fleet->node[i].rack) == 0;
        if (!known)
            racks[n_racks++] = fleet->node[i].rack;
    }
    again = (long)replicas - (long)n_racks;
    for (size_t step = 0; step < ring->n && n < replicas && n < n_nodes; step++) {
        size_t node = ring->owner[(from + step) % ring->n];
        bool rack_seen = false;

        if (strcmp(fleet->node[node].datacenter, dc) != 0 || has(found, n, node))
            continue;
        for (size_t k = 0; k < n_seen; k++)
            rack_seen |= strcmp(seen[k], fleet->node[node].rack) == 0;
        if (rack_seen && again-- <= 0)
            continue;
        if (!rack_seen)
            seen[n_seen++] = fleet->node[node].rack;
        found[n++] = node;
    }
    return n;
}

/* SimpleStrategy: the next ones. */
static size_t place_simply(const struct ring *ring, size_t from, unsigned replicas, size_t found[])
{
    size_t n = 0;

    for (size_t step = 0; step < ring->n && n < replicas; step++)
        if (!has(found, n, ring->owner[(from + step) % ring->n]))
            found[n++] = ring->owner[(from + step) % ring->n];
    return n;
}

/* Every range has its quorum without those that are down. */
static bool holds(const struct fleet *fleet, const struct ring *ring,
                  const struct keyspace_dc *where, const bool down[])
{
    for (size_t from = 0; from < ring->n; from++) {
        size_t found[FLEET_MAX], up = 0, n;

        n = where->name[0] ? place_by_racks(fleet, ring, from, where->name, where->replicas, found)
                           : place_simply(ring, from, where->replicas, found);
        for (size_t i = 0; i < n; i++)
            up += !down[found[i]];
        if (up < where->replicas / 2 + 1)
            return false;
    }
    return true;
}

static void random_fleet(struct fleet *fleet, uint64_t *random, bool down[])
{
    static const char states[] = "+++++++++++++DDnsdo";
    char nodes[FLEET_MAX * 4 + 1] = "";
    size_t n = random_below(random, FLEET_MAX - 3) + 3;

    for (size_t i = 0; i < n; i++) {
        char state = states[random_below(random, sizeof(states) - 1)];

        snprintf(nodes + strlen(nodes), 5, "%s%zu%zu%c", i ? " " : "",
                 random_below(random, 4) == 0 ? (size_t)2 : 1, random_below(random, 4) + 1, state);
        down[i] = state == 'D' || state == 's';
    }
    gates_place(fleet, nodes);
}

static void a_stop_keeps_the_quorum(void **state)
{
    const struct gate_settings settings = {.bootstrap_grace_ms = 120000, .stable_ms = 5000};
    unsigned yes = 0, no = 0, lucky = 0;
    uint64_t random = 11;

    (void)state;
    for (int run = 0; run < RUNS; run++) {
        struct keyspace_dc dcs[] = {{"dc1", (unsigned)random_below(&random, 6)},
                                    {"dc2", (unsigned)random_below(&random, 4)}};
        struct keyspace_dc simple = {"", (unsigned)random_below(&random, 6) + 1};
        struct keyspace items[] = {{.name = "a", .dcs = dcs, .n_dcs = 2},
                                   {.name = "b", .dcs = &simple, .n_dcs = 1}};
        const struct keyspaces keyspaces = {
            .items = items + (random_below(&random, 3) == 0), .n = 1, .read_at_ms = 1};
        bool down[FLEET_MAX] = {false};
        struct gate_context context;
        struct fleet fleet;
        struct ring ring;

        random_fleet(&fleet, &random, down);
        make_ring(&ring, fleet.n, &random);
        context = (struct gate_context){.cluster = fleet.cluster,
                                        .keyspaces = &keyspaces,
                                        .settings = &settings,
                                        .now_ms = fleet.now_ms,
                                        .wall_ms = GATES_WALL_MS};
        for (size_t who = 0; who < fleet.n; who++) {
            const struct keyspace_dc *where =
                strcmp(fleet.node[who].datacenter, "dc1") ? &dcs[1] : &dcs[0];
            const struct prober_addr address = fleet_address(who);
            struct gate_answer answer;
            bool held, was_down = down[who];

            if (keyspaces.items == &items[1])
                where = &simple;
            gate_stop(&context, &address, NULL, &answer);
            if (was_down || where->replicas < 3)
                continue;
            down[who] = true;
            held = holds(&fleet, &ring, where, down);
            down[who] = false;
            yes += answer.verdict == GATE_YES;
            no += answer.verdict == GATE_NO && !held;
            lucky += answer.verdict == GATE_NO && held;
            if (answer.verdict == GATE_YES && !held)
                fail_msg("run %d: %zu of %zu may stop, and %u replicas in \"%s\" lose a quorum",
                         run, who + 1, fleet.n, where->replicas, where->name);
        }
        fleet_done(&fleet);
    }
    /* Both sides were there. */
    assert_true(yes > RUNS / 4);
    assert_true(no > RUNS / 4);
    assert_true(lucky > 0);
}

/* Node i runs again, and is seen to. */
static void bring_up(struct fleet *fleet, size_t i, const bool up[])
{
    fleet->node[i].result = POLL_OK;
    fleet->node[i].process_gone = false;
    fleet->node[i].generation = GATES_WALL_MS / 1000;
    for (size_t j = 0; j < fleet->n; j++) {
        fleet->node[i].row[j] = up[j] ? 'U' : 'D';
        fleet->node[j].row[i] = 'U';
    }
}

/* As who leads has it in the store. */
static const struct permit *still_held(struct permit *permit, const struct fleet *fleet)
{
    char why[PERMIT_WHY_LEN];

    permit->seen_down |= permit_sees_down(permit, fleet->cluster);
    if (permit_state(permit, fleet->cluster, fleet->now_ms, why) != PERMIT_HELD)
        permit->kind = PERMIT_NONE;
    return permit->kind == PERMIT_NONE ? NULL : permit;
}

static void a_full_stop_has_an_end(void **state)
{
    const struct gate_settings settings = {.bootstrap_grace_ms = 120000, .stable_ms = 5000};
    uint64_t random = 5;

    (void)state;
    for (int run = 0; run < 200; run++) {
        char nodes[FLEET_MAX * 4 + 1] = "";
        size_t n = random_below(&random, FLEET_MAX - 1) + 2, n_up = 0;
        bool up[FLEET_MAX] = {false}, by_hosts = random_below(&random, 2);
        /* One of them had been stopped before, whose permit is still there. */
        struct permit permit = {.kind = random_below(&random, 3) ? PERMIT_STOP : PERMIT_NONE,
                                .node = fleet_address(random_below(&random, n)),
                                .token = "somebody",
                                .who = "ops",
                                .ttl_ms = 600000,
                                .seen_since_ms = 1,
                                .seen_down = random_below(&random, 2)};
        int64_t wall_ms = GATES_WALL_MS;
        struct fleet fleet;

        for (size_t i = 0; i < n; i++)
            snprintf(nodes + strlen(nodes), 5, "%s%zu%zu+", i ? " " : "",
                     random_below(&random, 2) + 1, random_below(&random, 3) + 1);
        gates_place(&fleet, nodes);
        for (size_t i = 0; i < n; i++)
            fleet_node(&fleet, i)->seed = random_below(&random, 3) == 0;
        /* One after the other, in any state of their own. */
        for (size_t i = 0; i < n; i++) {
            fleet_crash(&fleet, i);
            fleet.node[i].process_gone = by_hosts;
            if (random_below(&random, 2))
                fleet_round(&fleet);
        }
        fleet_rounds(&fleet, 6000);
        while (n_up < n) {
            size_t before = n_up, offset = random_below(&random, n);

            for (size_t k = 0; k < n && n_up == before; k++) {
                size_t i = (k + offset) % n;
                const struct prober_addr address = fleet_address(i);
                const struct gate_context context = {.cluster = fleet.cluster,
                                                     .settings = &settings,
                                                     .permit = still_held(&permit, &fleet),
                                                     .now_ms = fleet.now_ms,
                                                     .wall_ms = wall_ms};
                struct gate_answer answer;

                if (up[i])
                    continue;
                gate_start(&context, &address, NULL, &answer);
                if (answer.verdict != GATE_YES)
                    continue;
                up[i] = true;
                n_up++;
                bring_up(&fleet, i, up);
            }
            if (n_up == before)
                fail_msg("run %d: %s, %zu of %zu up, and none may start", run, nodes, n_up, n);
            fleet.detail = true;
            fleet_rounds(&fleet, 7000);
            wall_ms += 121000;
        }
        for (size_t i = 0; i < n; i++)
            assert_int_equal(fleet_node(&fleet, i)->verdict.readiness, READY);
        assert_null(still_held(&permit, &fleet));
        fleet_done(&fleet);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stop_keeps_the_quorum),
        cmocka_unit_test(a_full_stop_has_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

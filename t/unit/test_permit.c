/* When the permit is held, and when another one may take it. */
#include "gates_util.h"
#include "model/jobs.h"

#define TTL_MS 60000

static void states(void **state)
{
    static const struct {
        const char *nodes;
        enum permit_kind kind;
        size_t who;
        int64_t held_ms;
        bool seen_down;
        enum permit_state state;
        const char *why;
    } table[] = {
        {"11+ 12+ 13+", PERMIT_NONE, 1, 10000, false, PERMIT_FREE, ""},
        /* Start: until it is ready. */
        {"11+ 12+ 13D", PERMIT_START, 3, 10000, false, PERMIT_HELD, "10.0.0.3 is to start (ops)"},
        {"11+ 12+ 13s", PERMIT_START, 3, 10000, false, PERMIT_HELD, "it is starting"},
        {"11+ 12+ 13+", PERMIT_START, 3, 10000, false, PERMIT_OVER, "10.0.0.3 is ready"},
        /* What was said a moment ago may be of before it. */
        {"11+ 12+ 13+", PERMIT_START, 3, 1000, false, PERMIT_HELD, "10.0.0.3 is to start"},
        {"11+ 12+ 13+", PERMIT_START, 3, 0, false, PERMIT_HELD, "10.0.0.3 is to start"},
        {"11+ 12+ 13n", PERMIT_START, 3, 10000, false, PERMIT_HELD, "10.0.0.3 is to start"},
        /* ... or too late, and nothing of it starts. */
        {"11+ 12+ 13D", PERMIT_START, 3, TTL_MS, false, PERMIT_OVER, "not become ready in time"},
        {"11+ 12+ 13s", PERMIT_START, 3, TTL_MS, false, PERMIT_HELD, "is starting still"},
        {"11+ 12+ 13J", PERMIT_START, 3, TTL_MS, false, PERMIT_HELD, "is starting still"},
        {"11D 12D 13D", PERMIT_START, 3, TTL_MS, false, PERMIT_OVER, "not become ready in time"},
        /* A new one that has not been heard of. */
        {"11+ 12+ 13+", PERMIT_START, 4, 10000, false, PERMIT_HELD, "10.0.0.4 is to start"},
        {"11+ 12+ 13+", PERMIT_START, 4, TTL_MS, false, PERMIT_OVER, "10.0.0.4 has not become"},
        /* Stop: until it was down and is back. */
        {"11+ 12+ 13+", PERMIT_STOP, 3, 10000, false, PERMIT_HELD, "10.0.0.3 is to stop (ops)"},
        {"11+ 12+ 13D", PERMIT_STOP, 3, 10000, true, PERMIT_HELD, "it is not ready"},
        {"11+ 12+ 13n", PERMIT_STOP, 3, 10000, true, PERMIT_HELD, "it is not ready"},
        {"11+ 12+ 13+", PERMIT_STOP, 3, 10000, true, PERMIT_OVER, "was down and is ready again"},
        {"11+ 12+ 13+", PERMIT_STOP, 3, 1000, true, PERMIT_HELD, "10.0.0.3 is to stop"},
        {"11+ 12+ 13+", PERMIT_STOP, 3, TTL_MS, false, PERMIT_OVER, "was not stopped in time"},
        /* The first after a full stop serves, and nobody is there to see it. */
        {"11+ 12D 13D", PERMIT_STOP, 1, 10000, true, PERMIT_OVER, "serves again, and is the first"},
        {"11+ 12D 13D", PERMIT_STOP, 1, 1000, true, PERMIT_HELD, "10.0.0.1 is to stop (ops)"},
        {"11+ 12D 13D", PERMIT_STOP, 1, 10000, false, PERMIT_HELD, "10.0.0.1 is to stop (ops)"},
        {"11+ 12D 13D", PERMIT_STOP, 1, TTL_MS, false, PERMIT_OVER, "not stopped in time"},
        {"11+ 12D 13D", PERMIT_START, 1, 10000, false, PERMIT_OVER, "serves, and is the first"},
        /* Time never frees a node that is down. */
        {"11+ 12+ 13D", PERMIT_STOP, 3, 1000 * TTL_MS, true, PERMIT_HELD, "give it back"},
        {"11+ 12+ 13D", PERMIT_STOP, 3, 1000 * TTL_MS, false, PERMIT_HELD, "give it back"},
        {"11D 12D 13D", PERMIT_STOP, 3, 1000 * TTL_MS, true, PERMIT_HELD, "give it back"},
        {"11D 12D 13D", PERMIT_STOP, 4, 1000 * TTL_MS, true, PERMIT_HELD, "give it back"},
        /* But one that has left. */
        {"11+ 12+ 13Q", PERMIT_STOP, 3, 10000, true, PERMIT_HELD, "it is not ready"},
        {"11+ 12+ 13Q", PERMIT_STOP, 3, TTL_MS, true, PERMIT_OVER, "has left the cluster"},
        {"11+ 12+ 13+", PERMIT_STOP, 4, TTL_MS, true, PERMIT_OVER, "has left the cluster"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct permit permit = {.kind = table[i].kind,
                                .node = gates_address(table[i].who),
                                .who = "ops",
                                .ttl_ms = TTL_MS,
                                .seen_down = table[i].seen_down};
        char why[PERMIT_WHY_LEN];
        enum permit_state found;
        struct fleet fleet;

        gates_place(&fleet, table[i].nodes);
        permit.seen_since_ms = permit.down_since_ms = fleet.now_ms - table[i].held_ms;
        found = permit_state(&permit, fleet.cluster, fleet.now_ms, why);
        if (found != table[i].state || !strstr(why, table[i].why))
            fail_msg("%zu: %s, %s %zu for %lld ms: %d, %s", i, table[i].nodes,
                     permit_kind_word(permit.kind), table[i].who, (long long)table[i].held_ms,
                     found, why);
        fleet_done(&fleet);
    }
}

/* A cleanup does not stop its node: that gossip took it for down for a moment ends nothing. */
static void a_job_gives_it_back_itself(void **state)
{
    struct permit permit = {
        .kind = PERMIT_STOP, .node = gates_address(3), .ttl_ms = TTL_MS, .seen_down = true};
    const struct job job = {.id = "0123456789abcdef"};
    char why[PERMIT_WHY_LEN];
    struct fleet fleet;

    (void)state;
    gates_place(&fleet, "11+ 12+ 13+");
    permit.seen_since_ms = fleet.now_ms - 10000;
    strcpy(permit.token, "upgrade-17");
    assert_int_equal(permit_state(&permit, fleet.cluster, fleet.now_ms, why), PERMIT_OVER);
    job_token(&job, 2, permit.token);
    assert_int_equal(permit_state(&permit, fleet.cluster, fleet.now_ms, why), PERMIT_HELD);
    /* Nobody cares any more. */
    permit.seen_since_ms = fleet.now_ms - TTL_MS;
    assert_int_equal(permit_state(&permit, fleet.cluster, fleet.now_ms, why), PERMIT_OVER);
    fleet_done(&fleet);
}

/* One host has seen it down; another one has it for ready still, by what it knew before. */
static void who_has_not_seen_it_down_yet(void **state)
{
    struct permit permit = {
        .kind = PERMIT_STOP, .node = gates_address(3), .ttl_ms = TTL_MS, .seen_down = true};
    char why[PERMIT_WHY_LEN];
    struct fleet fleet;

    (void)state;
    gates_place(&fleet, "11+ 12+ 13+");
    permit.seen_since_ms = fleet.now_ms - 10000;
    permit.down_since_ms = fleet.now_ms;
    fleet.node[2].result = POLL_REFUSED; /* gossip takes its time */
    for (int i = 0; i < 6; i++) {
        assert_int_equal(permit_state(&permit, fleet.cluster, fleet.now_ms, why), PERMIT_HELD);
        fleet_rounds(&fleet, 1000);
    }
    fleet.node[2].result = POLL_OK;
    fleet_rounds(&fleet, 6000);
    assert_int_equal(permit_state(&permit, fleet.cluster, fleet.now_ms, why), PERMIT_OVER);
    fleet_done(&fleet);
}

static void before_the_first_round(void **state)
{
    const struct readiness_settings readiness = fleet_settings(POLICY_MUTUAL);
    const struct permit permit = {.kind = PERMIT_START, .node = gates_address(1), .ttl_ms = 1};
    struct cluster *cluster = cluster_new(&readiness);
    char why[PERMIT_WHY_LEN];

    (void)state;
    assert_int_equal(permit_state(&permit, cluster, 1000, why), PERMIT_HELD);
    assert_string_equal(why, "the permit is held: 10.0.0.1 is to start (somebody); it cannot be "
                             "judged before the first round");
    cluster_free(cluster);
}

static void who_sees_it_down(void **state)
{
    struct permit permit = {.kind = PERMIT_STOP, .node = gates_address(3)};
    struct fleet fleet;

    (void)state;
    gates_place(&fleet, "11+ 12+ 13+");
    assert_false(permit_sees_down(&permit, fleet.cluster));
    fleet.node[2].result = POLL_NO_MBEAN; /* a restart that gossip does not notice */
    fleet_round(&fleet);
    assert_true(permit_sees_down(&permit, fleet.cluster));
    fleet.node[2].result = POLL_OK;
    fleet_rounds(&fleet, 6000);
    assert_false(permit_sees_down(&permit, fleet.cluster));
    fleet_crash(&fleet, 2);
    fleet_rounds(&fleet, 2000);
    assert_true(permit_sees_down(&permit, fleet.cluster));
    permit.node = gates_address(4);
    assert_false(permit_sees_down(&permit, fleet.cluster));
    fleet_done(&fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states),
        cmocka_unit_test(a_job_gives_it_back_itself),
        cmocka_unit_test(who_has_not_seen_it_down_yet),
        cmocka_unit_test(before_the_first_round),
        cmocka_unit_test(who_sees_it_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

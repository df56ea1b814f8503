/* Which of two gossip states holds. */
#include "model_util.h"

#include "model/cluster_internal.h"

static struct gossip_state make(int64_t generation, int64_t version, const char *status)
{
    struct gossip_state state = {.generation = generation,
                                 .status_version = version,
                                 .rpc_ready_version = version + 1,
                                 .rpc_ready = TRILEAN_TRUE,
                                 .native_port = 9042,
                                 .datacenter = "dc1",
                                 .rack = "r1",
                                 .release = "5.0.4",
                                 .host_id = "a"};

    state.native = fleet_address(1);
    strcpy(state.status, status);
    return state;
}

static void the_newer_status_holds_in_any_order(void **state)
{
    static const struct {
        int64_t generation, version, other_generation, other_version;
        bool other_holds;
    } cases[] = {
        {5, 10, 5, 11, true}, {5, 10, 5, 9, false},  {5, 10, 6, 1, true}, {5, 10, 4, 99, false},
        {0, 10, 5, 1, true},  {5, 10, 0, 11, false}, {5, 0, 5, 1, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (int swap = 0; swap < 2; swap++) {
            struct gossip_state held = {0};
            struct gossip_state one = make(cases[i].generation, cases[i].version, "NORMAL");
            struct gossip_state other =
                make(cases[i].other_generation, cases[i].other_version, "LEAVING");

            gossip_merge(&held, swap ? &other : &one);
            gossip_merge(&held, swap ? &one : &other);
            if (strcmp(held.status, cases[i].other_holds ? "LEAVING" : "NORMAL") != 0)
                fail_msg("case %zu, swapped %d: %s", i, swap, held.status);
        }
}

static void only_a_change_is_a_change(void **state)
{
    struct gossip_state held = {0}, same = make(5, 10, "NORMAL");

    (void)state;
    assert_true(gossip_merge(&held, &same));
    assert_false(gossip_merge(&held, &same));
    same.status_version = 12;
    assert_false(gossip_merge(&held, &same));
    assert_int_equal(held.status_version, 12);
    same.generation = 6;
    assert_true(gossip_merge(&held, &same));
    same.native_port = 9142;
    assert_true(gossip_merge(&held, &same));
    assert_false(gossip_merge(&held, &same));
}

static void one_version_has_one_content(void **state)
{
    struct gossip_state held = make(5, 10, "LEFT"), other = make(5, 10, "NORMAL");

    (void)state;
    assert_false(gossip_merge(&held, &other));
    assert_string_equal(held.status, "LEFT");
}

static void a_restarted_endpoint_has_said_nothing_of_its_state_yet(void **state)
{
    struct gossip_state held = make(5, 1000, "shutdown"), started = {.generation = 6};

    (void)state;
    assert_true(gossip_merge(&held, &started));
    assert_string_equal(held.status, "");
    assert_int_equal(held.rpc_ready, TRILEAN_UNKNOWN);
    assert_string_equal(held.datacenter, "dc1");
    assert_string_equal(held.rack, "r1");
    assert_string_equal(held.host_id, "a");
    assert_int_equal(held.native_port, 9042);
    started = make(6, 3, "BOOT");
    assert_true(gossip_merge(&held, &started));
    assert_string_equal(held.status, "BOOT");
}

static void native_transport_has_a_version_of_its_own(void **state)
{
    struct gossip_state held = make(5, 10, "NORMAL"), other = make(5, 9, "BOOT");

    (void)state;
    other.rpc_ready_version = 20;
    other.rpc_ready = TRILEAN_FALSE;
    assert_true(gossip_merge(&held, &other));
    assert_string_equal(held.status, "NORMAL");
    assert_int_equal(held.rpc_ready, TRILEAN_FALSE);
    other.rpc_ready_version = 21;
    other.rpc_ready = TRILEAN_UNKNOWN;
    assert_false(gossip_merge(&held, &other));
    assert_int_equal(held.rpc_ready, TRILEAN_FALSE);
}

static void what_is_unknown_wipes_nothing_out(void **state)
{
    struct gossip_state held = make(5, 10, "NORMAL"),
                        other = {.generation = 5, .status_version = 11};

    (void)state;
    assert_false(gossip_merge(&held, &other));
    assert_string_equal(held.status, "NORMAL");
    assert_int_equal(held.status_version, 10);
    assert_string_equal(held.datacenter, "dc1");
    assert_int_equal(prober_addr_is_unset(&held.native), false);
}

/* Who does not take part in gossip has it as it was. */
static void states_come_from_those_that_take_part(void **state)
{
    static const struct {
        const char *mode;
        enum trilean gossip;
        const char *cluster_name;
        bool believed;
    } cases[] = {
        {"NORMAL", TRILEAN_TRUE, "Test Cluster", true},
        {"NORMAL", TRILEAN_UNKNOWN, "Test Cluster", true},
        {"", TRILEAN_TRUE, "", true},
        {"NORMAL", TRILEAN_FALSE, "Test Cluster", false},
        {"DRAINED", TRILEAN_TRUE, "Test Cluster", false},
        {"JOINING", TRILEAN_TRUE, "Test Cluster", false},
        {"NORMAL", TRILEAN_TRUE, "Other Cluster", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fleet fleet;

        fleet_init(&fleet, 3, POLICY_MUTUAL);
        fleet_round(&fleet);
        fleet.node[1].mode = cases[i].mode;
        fleet.node[1].gossip = cases[i].gossip;
        fleet.node[1].cluster_name = cases[i].cluster_name;
        fleet.node[2].status = "LEAVING";
        fleet.node[2].status_version++;
        fleet_poll(&fleet, 1);
        assert_string_equal(fleet_node(&fleet, 2)->gossip.status,
                            cases[i].believed ? "LEAVING" : "NORMAL");
        assert_int_equal(fleet_node(&fleet, 2)->dirty_verdict, cases[i].believed);
        fleet_done(&fleet);
    }
}

static void words_of_those_that_left_and_those_that_come(void **state)
{
    (void)state;
    assert_true(status_is_gone("LEFT"));
    assert_true(status_is_gone("removed"));
    assert_false(status_is_gone("removing"));
    assert_false(status_is_gone("LEAVING"));
    assert_false(status_is_gone(""));
    assert_true(status_is_joining("BOOT"));
    assert_true(status_is_joining("BOOT_REPLACE"));
    assert_false(status_is_joining("NORMAL"));
    assert_false(status_is_joining(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newer_status_holds_in_any_order),
        cmocka_unit_test(only_a_change_is_a_change),
        cmocka_unit_test(one_version_has_one_content),
        cmocka_unit_test(a_restarted_endpoint_has_said_nothing_of_its_state_yet),
        cmocka_unit_test(native_transport_has_a_version_of_its_own),
        cmocka_unit_test(what_is_unknown_wipes_nothing_out),
        cmocka_unit_test(states_come_from_those_that_take_part),
        cmocka_unit_test(words_of_those_that_left_and_those_that_come),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

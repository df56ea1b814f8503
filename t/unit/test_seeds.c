/* Which nodes are seeds: how many, where, and that they stay. */
#include "model/seeds.h"
#include "model_util.h"

static void choose(struct fleet *fleet)
{
    fleet_round(fleet);
    seeds_choose(fleet->cluster);
}

/* Which nodes are seeds: 's', or '.'. */
static const char *seeds_text(const struct fleet *fleet)
{
    static char text[FLEET_MAX + 1];

    for (size_t i = 0; i < fleet->n; i++)
        text[i] = fleet_node(fleet, i)->seed ? 's' : '.';
    text[fleet->n] = '\0';
    return text;
}

/* Racks by number, one digit for each node; a data center of its own after each space. */
static void place(struct fleet *fleet, const char *racks)
{
    static const char *const names[] = {"r0", "r1", "r2", "r3", "r4", "r5", "r6"};
    static const char *const datacenters[] = {"dc1", "dc2", "dc3"};
    size_t n = 0, datacenter = 0;

    fleet_init(fleet, strlen(racks), POLICY_MUTUAL);
    for (; *racks; racks++) {
        if (*racks == ' ') {
            datacenter++;
            continue;
        }
        fleet->node[n].rack = names[*racks - '0'];
        fleet->node[n++].datacenter = datacenters[datacenter];
    }
    fleet->n = n;
    for (size_t i = 0; i < n; i++) {
        memset(fleet->node[i].row, '-', FLEET_MAX);
        memset(fleet->node[i].row, 'U', n);
    }
}

static void so_many_and_spread_over_the_racks(void **state)
{
    static const struct {
        const char *racks, *seeds;
    } cases[] = {
        {"1", "s"},
        {"11", "ss"},
        {"111", "sss"},
        {"123", "sss"},
        {"1111", "sss."},
        {"1234", "sss."},             /* never all of more than three */
        {"112233", "s.s.s."},         /* one in each rack */
        {"11112222", "ss..s..."},     /* the rest to the first racks */
        {"22221111", "s...ss.."},     /* by name, not by address */
        {"1122334455", "s.s.s.s.s."}, /* as many as racks */
        {"1222222", "sss...."},       /* what a small rack has no nodes for, the others get */
        {"111 222", "ssssss"},        /* each data center for itself */
        {"1111 1", "sss.s"},
        {"11223 1111", "s.s.ssss."},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fleet fleet;

        place(&fleet, cases[i].racks);
        choose(&fleet);
        if (strcmp(seeds_text(&fleet), cases[i].seeds) != 0)
            fail_msg("%s: %s instead of %s", cases[i].racks, seeds_text(&fleet), cases[i].seeds);
        fleet_done(&fleet);
    }
}

static void only_ready_and_normal_nodes_become_seeds(void **state)
{
    struct fleet fleet;

    (void)state;
    place(&fleet, "111111");
    fleet.node[0].native = TRILEAN_FALSE;
    fleet.node[1].status = ""; /* not known, by itself no contradiction */
    choose(&fleet);
    assert_verdicts(&fleet, ".rrrrr");
    assert_string_equal(seeds_text(&fleet), "..sss.");
    fleet_done(&fleet);
}

static void a_seed_stays_one_while_it_is_a_member(void **state)
{
    struct fleet fleet;

    (void)state;
    place(&fleet, "112233");
    fleet.node[0].native = TRILEAN_FALSE;
    choose(&fleet);
    assert_string_equal(seeds_text(&fleet), ".ss.s.");
    /* Neither a better one nor a bad day changes the list. */
    fleet.node[0].native = TRILEAN_TRUE;
    choose(&fleet);
    assert_verdicts(&fleet, "rrrrrr");
    assert_string_equal(seeds_text(&fleet), ".ss.s.");
    fleet_crash(&fleet, 1);
    choose(&fleet);
    choose(&fleet);
    assert_verdicts(&fleet, "r.rrrr");
    assert_string_equal(seeds_text(&fleet), ".ss.s.");
    /* Only when it has left, another of its rack follows. */
    fleet.node[1].status = "LEFT";
    fleet.node[1].status_version++;
    choose(&fleet);
    assert_string_equal(seeds_text(&fleet), "s.s.s.");
    fleet_done(&fleet);
}

static void a_data_center_has_a_seed_when_it_has_anybody(void **state)
{
    struct fleet fleet;

    (void)state;
    place(&fleet, "1234");
    for (size_t i = 0; i < 3; i++)
        fleet.node[i].status = "";
    choose(&fleet);
    /* Three are wanted, one in each of the first racks; only the fourth can be one. */
    assert_string_equal(seeds_text(&fleet), "...s");
    choose(&fleet);
    assert_string_equal(seeds_text(&fleet), "...s");
    fleet.node[1].status = "NORMAL";
    choose(&fleet);
    assert_string_equal(seeds_text(&fleet), ".s..");
    fleet_done(&fleet);
}

static void nobody_is_a_seed_before_somebody_is_ready(void **state)
{
    struct fleet fleet;

    (void)state;
    place(&fleet, "111");
    for (size_t i = 0; i < 3; i++)
        fleet.node[i].native = TRILEAN_FALSE;
    choose(&fleet);
    assert_string_equal(seeds_text(&fleet), "...");
    fleet_done(&fleet);
}

static void the_last_list_stays_when_there_is_nobody_to_choose(void **state)
{
    struct fleet fleet;

    (void)state;
    place(&fleet, "111");
    choose(&fleet);
    for (size_t i = 0; i < 3; i++) {
        fleet.node[i].status = "LEFT";
        fleet.node[i].status_version++;
    }
    choose(&fleet);
    assert_int_equal(fleet.cluster->n_members, 0);
    assert_string_equal(seeds_text(&fleet), "sss");
    fleet_done(&fleet);
}

static void what_changed_is_marked_and_nothing_else(void **state)
{
    struct fleet fleet;

    (void)state;
    place(&fleet, "1111");
    choose(&fleet);
    assert_true(fleet_node(&fleet, 0)->dirty_verdict);
    assert_false(fleet_node(&fleet, 3)->dirty_verdict);
    assert_true(fleet.cluster->dirty);
    cluster_clean(fleet.cluster);
    seeds_choose(fleet.cluster);
    assert_false(fleet.cluster->dirty);
    fleet_done(&fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_and_spread_over_the_racks),
        cmocka_unit_test(only_ready_and_normal_nodes_become_seeds),
        cmocka_unit_test(a_seed_stays_one_while_it_is_a_member),
        cmocka_unit_test(a_data_center_has_a_seed_when_it_has_anybody),
        cmocka_unit_test(nobody_is_a_seed_before_somebody_is_ready),
        cmocka_unit_test(the_last_list_stays_when_there_is_nobody_to_choose),
        cmocka_unit_test(what_changed_is_marked_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

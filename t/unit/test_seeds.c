/* Which nodes are seeds: how many, where, and that they stay. */
#include "seeds_util.h"

/* One host polls all nodes, and writes. */
static const struct seeds_settings alone = {.patience_ms = SEEDS_PATIENCE_MS, .alone = true};
static struct values values;

static void choose(struct fleet *fleet)
{
    write_lists(fleet, &values, &alone);
}

static void wait_for(struct fleet *fleet, int64_t ms)
{
    write_for(fleet, &values, &alone, ms);
}

/* The first lists are written. */
static void settle(struct fleet *fleet)
{
    wait_for(fleet, SEEDS_SETTLE_MS + FLEET_ROUND);
}

static void done(struct fleet *fleet)
{
    values_free(&values);
    fleet_done(fleet);
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
        done(&fleet);
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
    done(&fleet);
}

static void a_seed_stays_one_for_a_while(void **state)
{
    struct fleet fleet;

    (void)state;
    place(&fleet, "112233");
    fleet.node[0].native = TRILEAN_FALSE;
    settle(&fleet);
    assert_string_equal(seeds_text(&fleet), ".ss.s.");
    /* Neither a better one nor a bad minute changes the list. */
    fleet.node[0].native = TRILEAN_TRUE;
    choose(&fleet);
    assert_verdicts(&fleet, "rrrrrr");
    assert_string_equal(seeds_text(&fleet), ".ss.s.");
    fleet_crash(&fleet, 1);
    choose(&fleet);
    wait_for(&fleet, SEEDS_PATIENCE_MS - FLEET_ROUND);
    assert_verdicts(&fleet, "r.rrrr");
    assert_string_equal(seeds_text(&fleet), ".ss.s.");
    /* Then another of its rack follows. */
    choose(&fleet);
    assert_string_equal(seeds_text(&fleet), "s.s.s.");
    /* One that has left is none at once. */
    fleet.node[0].status = "LEFT";
    fleet.node[0].status_version++;
    choose(&fleet);
    assert_string_equal(seeds_text(&fleet), "..sss.");
    done(&fleet);
}

static void revive(struct fleet *fleet, size_t i)
{
    fleet->node[i].result = POLL_OK;
    for (size_t j = 0; j < fleet->n; j++)
        fleet->node[j].row[i] = 'U';
}

static void who_cannot_be_replaced_stays(void **state)
{
    struct fleet fleet;

    (void)state;
    place(&fleet, "1122");
    settle(&fleet);
    assert_string_equal(seeds_text(&fleet), "sss.");
    fleet_crash(&fleet, 1);
    fleet_crash(&fleet, 3);
    wait_for(&fleet, 2 * SEEDS_PATIENCE_MS);
    assert_string_equal(seeds_text(&fleet), "sss.");
    /* Nobody of its rack, but somebody of its data center. */
    revive(&fleet, 3);
    wait_for(&fleet, 12000); /* it votes again, and the author has settled */
    assert_verdicts(&fleet, "r.rr");
    assert_string_equal(seeds_text(&fleet), "s.ss");
    done(&fleet);
}

static void a_rack_gets_its_share_back(void **state)
{
    struct fleet fleet;

    (void)state;
    place(&fleet, "123333");
    settle(&fleet);
    assert_string_equal(seeds_text(&fleet), "sss...");
    fleet_crash(&fleet, 1);
    wait_for(&fleet, SEEDS_PATIENCE_MS + FLEET_ROUND);
    assert_string_equal(seeds_text(&fleet), "s.ss..");
    /* To whoever has been there for long, as each change of the list is one too many. */
    for (int i = 0; i < 3; i++) {
        revive(&fleet, 1);
        wait_for(&fleet, SEEDS_PATIENCE_MS / 2);
        assert_verdicts(&fleet, "rrrrrr");
        assert_string_equal(seeds_text(&fleet), "s.ss..");
        fleet_crash(&fleet, 1);
        wait_for(&fleet, 2 * SEEDS_PATIENCE_MS);
        assert_string_equal(seeds_text(&fleet), "s.ss..");
    }
    revive(&fleet, 1);
    wait_for(&fleet, SEEDS_PATIENCE_MS);
    assert_string_equal(seeds_text(&fleet), "s.ss..");
    wait_for(&fleet, 10000);
    assert_string_equal(seeds_text(&fleet), "sss...");
    done(&fleet);
}

/* Where nobody good has to go for it, who has just come becomes a seed. */
static void an_open_place_is_filled_at_once(void **state)
{
    struct fleet fleet;

    (void)state;
    place(&fleet, "112233");
    settle(&fleet);
    wait_for(&fleet, SEEDS_PATIENCE_MS);
    assert_string_equal(seeds_text(&fleet), "s.s.s.");
    fleet_crash(&fleet, 5);
    choose(&fleet);
    revive(&fleet, 5);
    wait_for(&fleet, 2000);
    assert_verdicts(&fleet, "rrrrrr");
    fleet.node[4].status = "LEFT";
    fleet.node[4].status_version++;
    choose(&fleet);
    assert_string_equal(seeds_text(&fleet), "s.s..s");
    done(&fleet);
}

static void who_has_no_rack_stays_what_it_is(void **state)
{
    struct fleet fleet;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        place(&fleet, "112233");
        settle(&fleet);
        wait_for(&fleet, SEEDS_PATIENCE_MS);
        /* Gossip that is begun anew has no racks at first. */
        strcpy(fleet_node(&fleet, 4 + i)->gossip.rack, "");
        fleet.node[4 + i].rack = "";
        wait_for(&fleet, 2000);
        assert_string_equal(fleet_node(&fleet, 4 + i)->gossip.rack, "");
        assert_string_equal(seeds_text(&fleet), "s.s.s.");
        done(&fleet);
    }
    /* Nobody else is there. */
    place(&fleet, "111");
    fleet.node[2].rack = "";
    settle(&fleet);
    assert_string_equal(seeds_text(&fleet), "sss");
    done(&fleet);
    place(&fleet, "1111");
    fleet.node[0].rack = "";
    settle(&fleet);
    assert_string_equal(seeds_text(&fleet), ".sss");
    done(&fleet);
}

static void the_last_ready_seed_stays(void **state)
{
    struct fleet fleet;

    (void)state;
    place(&fleet, "1234");
    settle(&fleet);
    assert_string_equal(seeds_text(&fleet), "sss.");
    fleet_crash(&fleet, 0);
    fleet_node(&fleet, 1)->drain.on = true;
    wait_for(&fleet, SEEDS_PATIENCE_MS + 2000);
    assert_verdicts(&fleet, "..rr");
    assert_string_equal(seeds_text(&fleet), "s.ss");
    /* Fewer are wanted. */
    fleet.node[3].status = "LEFT";
    fleet.node[3].status_version++;
    choose(&fleet);
    assert_true(fleet_node(&fleet, 2)->seed);
    done(&fleet);
}

static void a_data_center_has_as_many_as_it_can(void **state)
{
    struct fleet fleet;

    (void)state;
    place(&fleet, "1234");
    for (size_t i = 0; i < 3; i++)
        fleet.node[i].status = "";
    settle(&fleet);
    /* Three are wanted, one in each of the first racks; only the fourth can be one. */
    assert_string_equal(seeds_text(&fleet), "...s");
    choose(&fleet);
    assert_string_equal(seeds_text(&fleet), "...s");
    fleet.node[1].status = "NORMAL";
    choose(&fleet);
    assert_string_equal(seeds_text(&fleet), ".s.s");
    done(&fleet);
}

/* Hosts to which the nodes became ready in another order, and that nobody writes for. */
static void without_lists_what_is_seen_now_decides(void **state)
{
    (void)state;
    for (size_t first = 0; first < 3; first++) {
        struct fleet fleet;

        place(&fleet, "11111");
        for (size_t i = 0; i < 5; i++)
            fleet.node[i].native = i >= first && i < first + 3 ? TRILEAN_TRUE : TRILEAN_FALSE;
        fleet_round(&fleet);
        seeds_apply(fleet.cluster, NULL, &everywhere, fleet.now_ms);
        assert_string_equal(seeds_text(&fleet), first == 0   ? "sss.."
                                                : first == 1 ? ".sss."
                                                             : "..sss");
        for (size_t i = 0; i < 5; i++)
            fleet.node[i].native = TRILEAN_TRUE;
        fleet_round(&fleet);
        seeds_apply(fleet.cluster, NULL, &everywhere, fleet.now_ms);
        assert_string_equal(seeds_text(&fleet), "sss..");
        /* Who shows seeds shows them still when there is nobody to choose. */
        for (size_t i = 0; i < 5; i++)
            fleet.node[i].native = TRILEAN_FALSE;
        fleet_round(&fleet);
        seeds_apply(fleet.cluster, NULL, &everywhere, fleet.now_ms);
        assert_string_equal(seeds_text(&fleet), "sss..");
        done(&fleet);
    }
}

static void that_nobody_chooses_is_told(void **state)
{
    size_t voters, members;
    struct fleet fleet;

    (void)state;
    place(&fleet, "11111");
    settle(&fleet);
    wait_for(&fleet, SEEDS_MINORITY_MS);
    assert_false(seeds_unchosen(fleet.cluster, &voters, &members));
    for (size_t i = 2; i < 5; i++)
        fleet.node[i].result = POLL_REFUSED;
    wait_for(&fleet, SEEDS_MINORITY_MS);
    assert_false(seeds_unchosen(fleet.cluster, &voters, &members));
    wait_for(&fleet, 5000);
    assert_true(seeds_unchosen(fleet.cluster, &voters, &members));
    assert_int_equal(voters, 2);
    assert_int_equal(members, 5);
    fleet.node[2].result = POLL_OK;
    wait_for(&fleet, 10000);
    assert_false(seeds_unchosen(fleet.cluster, &voters, &members));
    done(&fleet);
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
    done(&fleet);
}

static void the_last_list_stays_when_there_is_nobody_to_choose(void **state)
{
    struct fleet fleet;

    (void)state;
    place(&fleet, "111");
    settle(&fleet);
    for (size_t i = 0; i < 3; i++) {
        fleet.node[i].status = "LEFT";
        fleet.node[i].status_version++;
    }
    choose(&fleet);
    assert_int_equal(fleet.cluster->n_members, 0);
    assert_string_equal(seeds_text(&fleet), "sss");
    done(&fleet);
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
    seeds_apply(fleet.cluster, NULL, &everywhere, fleet.now_ms);
    assert_false(fleet.cluster->dirty);
    done(&fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_and_spread_over_the_racks),
        cmocka_unit_test(only_ready_and_normal_nodes_become_seeds),
        cmocka_unit_test(a_seed_stays_one_for_a_while),
        cmocka_unit_test(who_cannot_be_replaced_stays),
        cmocka_unit_test(a_rack_gets_its_share_back),
        cmocka_unit_test(an_open_place_is_filled_at_once),
        cmocka_unit_test(who_has_no_rack_stays_what_it_is),
        cmocka_unit_test(the_last_ready_seed_stays),
        cmocka_unit_test(a_data_center_has_as_many_as_it_can),
        cmocka_unit_test(without_lists_what_is_seen_now_decides),
        cmocka_unit_test(that_nobody_chooses_is_told),
        cmocka_unit_test(nobody_is_a_seed_before_somebody_is_ready),
        cmocka_unit_test(the_last_list_stays_when_there_is_nobody_to_choose),
        cmocka_unit_test(what_changed_is_marked_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

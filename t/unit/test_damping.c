/* rise, fall, rehab, and what a node's history leaves behind: down since, repair needed. */
#include "model/repairs.h"
#include "model_util.h"

static void with(struct fleet *fleet, unsigned rise, unsigned fall)
{
    struct readiness_settings settings = fleet_settings(POLICY_MUTUAL);

    settings.rise = rise;
    settings.fall = fall;
    fleet_init(fleet, 4, POLICY_MUTUAL);
    cluster_set_readiness(fleet->cluster, &settings);
    fleet_round(fleet);
}

/* Takes node 3 from and to readiness by its own word, which needs no second round. */
static void set_ready(struct fleet *fleet, bool ready)
{
    fleet->node[3].native = ready ? TRILEAN_TRUE : TRILEAN_FALSE;
}

static void the_first_judgement_is_published_at_once(void **state)
{
    struct fleet fleet;

    (void)state;
    with(&fleet, 3, 3);
    assert_verdicts(&fleet, "rrrr");
    assert_int_equal(fleet.n_decisions, 4);
    assert_int_equal(fleet.decisions[0].before, READINESS_UNKNOWN);
    fleet_done(&fleet);
}

static void rise_and_fall_are_rounds(void **state)
{
    struct fleet fleet;

    (void)state;
    with(&fleet, 3, 2);
    set_ready(&fleet, false);
    fleet_round(&fleet);
    assert_verdicts(&fleet, "rrrr");
    assert_int_equal(fleet_reasons(&fleet, 3), REASON_NATIVE_OFF);
    assert_int_equal(fleet.n_decisions, 0);
    fleet_round(&fleet);
    assert_verdicts(&fleet, "rrr.");
    assert_int_equal(fleet.n_decisions, 1);
    assert_ptr_equal(fleet.decisions[0].node, fleet_node(&fleet, 3));
    assert_int_equal(fleet.decisions[0].before, READY);
    assert_int_equal(fleet_node(&fleet, 3)->changed_at_ms, fleet.now_ms);

    set_ready(&fleet, true);
    for (int round = 0; round < 2; round++) {
        fleet_round(&fleet);
        assert_verdicts(&fleet, "rrr.");
        assert_int_equal(fleet_reasons(&fleet, 3), REASON_RISING);
    }
    fleet_round(&fleet);
    assert_verdicts(&fleet, "rrrr");
    assert_int_equal(fleet_reasons(&fleet, 3), 0);
    fleet_done(&fleet);
}

static void only_complete_rounds_count(void **state)
{
    struct fleet fleet;

    (void)state;
    with(&fleet, 2, 2);
    set_ready(&fleet, false);
    fleet_poll(&fleet, 3);
    for (int i = 0; i < 5; i++)
        fleet_evaluate(&fleet, false);
    assert_verdicts(&fleet, "rrrr");
    fleet_round(&fleet);
    for (int i = 0; i < 5; i++)
        fleet_evaluate(&fleet, false);
    assert_verdicts(&fleet, "rrrr");
    fleet_round(&fleet);
    assert_verdicts(&fleet, "rrr.");
    fleet_done(&fleet);
}

static void a_change_of_mind_starts_the_count_anew(void **state)
{
    struct fleet fleet;

    (void)state;
    with(&fleet, 1, 3);
    for (int i = 0; i < 5; i++) {
        set_ready(&fleet, false);
        fleet_round(&fleet);
        fleet_round(&fleet);
        set_ready(&fleet, true);
        fleet_poll(&fleet, 3);
        fleet_evaluate(&fleet, false);
    }
    assert_verdicts(&fleet, "rrrr");
    assert_int_equal(fleet_node(&fleet, 3)->streak, 0);
    fleet_done(&fleet);
}

static void one_and_one_is_at_once_between_rounds(void **state)
{
    struct fleet fleet;

    (void)state;
    with(&fleet, 1, 1);
    set_ready(&fleet, false);
    fleet_poll(&fleet, 3);
    fleet_evaluate(&fleet, false);
    assert_verdicts(&fleet, "rrr.");
    set_ready(&fleet, true);
    fleet_poll(&fleet, 3);
    fleet_evaluate(&fleet, false);
    assert_verdicts(&fleet, "rrrr");
    assert_int_equal(fleet.cluster->changes, 6);
    fleet_done(&fleet);
}

static void a_process_that_is_gone_does_not_wait_to_fall(void **state)
{
    struct fleet fleet;

    (void)state;
    with(&fleet, 1, 5);
    fleet.node[0].result = POLL_REFUSED;
    fleet.node[0].process_gone = true;
    fleet_poll(&fleet, 0);
    fleet_evaluate(&fleet, false);
    assert_verdicts(&fleet, ".rrr");
    fleet.node[3].status = "LEFT";
    fleet.node[3].status_version++;
    fleet_round(&fleet);
    assert_verdicts(&fleet, ".rr.");
    fleet_done(&fleet);
}

static void change(struct fleet *fleet, bool ready, int64_t after_ms)
{
    fleet_rounds(fleet, after_ms);
    set_ready(fleet, ready);
    fleet_round(fleet);
}

static void one_crash_leads_to_no_rehab(void **state)
{
    struct fleet fleet;

    (void)state;
    with(&fleet, 1, 1);
    change(&fleet, false, 1000);
    change(&fleet, true, 1000);
    assert_verdicts(&fleet, "rrrr");
    fleet_done(&fleet);
}

static void the_third_change_leads_to_rehab(void **state)
{
    int64_t changed_at_ms;
    struct fleet fleet;

    (void)state;
    with(&fleet, 1, 1);
    change(&fleet, false, 1000);
    change(&fleet, true, 1000);
    change(&fleet, false, 6000);
    assert_verdicts(&fleet, "rrr.");
    changed_at_ms = fleet.now_ms;
    change(&fleet, true, 1000);
    assert_verdicts(&fleet, "rrr.");
    assert_int_equal(fleet_reasons(&fleet, 3), REASON_REHAB);
    while (fleet.now_ms < changed_at_ms + 59500)
        fleet_round(&fleet);
    assert_verdicts(&fleet, "rrr.");
    fleet_round(&fleet);
    assert_verdicts(&fleet, "rrrr");
    assert_int_equal(fleet_reasons(&fleet, 3), 0);
    /* And again with the next: the changes are still within ten minutes. */
    change(&fleet, false, 6000);
    change(&fleet, true, 1000);
    assert_int_equal(fleet_reasons(&fleet, 3), REASON_REHAB);
    fleet_done(&fleet);
}

/* Gossip may end the former life of a node that is up again. */
static void a_bounce_is_part_of_coming_back(void **state)
{
    struct fleet fleet;

    (void)state;
    with(&fleet, 1, 1);
    change(&fleet, false, 1000);
    change(&fleet, true, 1000);
    change(&fleet, false, 1000);
    assert_verdicts(&fleet, "rrr.");
    change(&fleet, true, 1000);
    assert_verdicts(&fleet, "rrrr");
    /* Once. */
    change(&fleet, false, 1000);
    change(&fleet, true, 1000);
    assert_int_equal(fleet_reasons(&fleet, 3), REASON_REHAB);
    fleet_done(&fleet);
}

static void changes_long_ago_are_no_reason(void **state)
{
    struct fleet fleet;

    (void)state;
    with(&fleet, 1, 1);
    change(&fleet, false, 1000);
    change(&fleet, true, 1000);
    change(&fleet, false, 10 * 60 * 1000);
    change(&fleet, true, 1000);
    assert_verdicts(&fleet, "rrrr");
    fleet_done(&fleet);
}

static void no_change_yet_is_none_of_three_soon_after_boot(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 4, POLICY_MUTUAL);
    fleet.now_ms = 1000;
    fleet_round(&fleet);
    change(&fleet, false, 1000);
    change(&fleet, true, 1000);
    assert_verdicts(&fleet, "rrrr");
    fleet_done(&fleet);
}

static void rehab_may_be_off(void **state)
{
    struct readiness_settings settings = fleet_settings(POLICY_MUTUAL);
    struct fleet fleet;

    (void)state;
    with(&fleet, 1, 1);
    settings.rehab_ms = 0;
    cluster_set_readiness(fleet.cluster, &settings);
    for (int i = 0; i < 5; i++) {
        change(&fleet, false, 500);
        assert_verdicts(&fleet, "rrr.");
        change(&fleet, true, 500);
        assert_verdicts(&fleet, "rrrr");
    }
    fleet_done(&fleet);
}

static void down_since_is_in_the_eyes_of_those_that_count(void **state)
{
    int64_t since;
    struct fleet fleet;

    (void)state;
    with(&fleet, 1, 1);
    set_ready(&fleet, false);
    fleet_round(&fleet);
    assert_int_equal(fleet_node(&fleet, 3)->down_since_ms, 0);
    fleet_crash(&fleet, 3);
    fleet_round(&fleet);
    since = fleet.now_ms;
    assert_int_equal(fleet_node(&fleet, 3)->down_since_ms, since);
    fleet_rounds(&fleet, 5000);
    assert_int_equal(fleet_node(&fleet, 3)->down_since_ms, since);
    /* Nobody can say: what was known stays. */
    for (size_t i = 0; i < 3; i++)
        fleet.node[i].result = POLL_TIMEOUT;
    fleet_rounds(&fleet, 5000);
    assert_int_equal(fleet_node(&fleet, 3)->down_since_ms, since);
    assert_int_equal(fleet_node(&fleet, 1)->down_since_ms, 0);
    for (size_t i = 0; i < 3; i++) {
        fleet.node[i].result = POLL_OK;
        fleet.node[i].row[3] = 'U';
    }
    fleet_rounds(&fleet, 6000);
    assert_int_equal(fleet_node(&fleet, 3)->down_since_ms, 0);
    fleet_done(&fleet);
}

static void repair_is_needed_after_the_hint_window(void **state)
{
    static const int64_t windows[] = {3 * 60 * 60 * 1000, 60000};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct fleet fleet;

        with(&fleet, 1, 1);
        if (i > 0)
            fleet.cluster->hint_window_ms = windows[i];
        fleet_crash(&fleet, 3);
        fleet_round(&fleet);
        fleet.now_ms += windows[i] - FLEET_ROUND;
        fleet_round(&fleet);
        assert_false(fleet_node(&fleet, 3)->repair_needed);
        for (size_t k = 0; k < 3; k++)
            fleet_poll(&fleet, k);
        fleet_evaluate(&fleet, true);
        assert_false(fleet_node(&fleet, 3)->dirty_verdict);
        fleet.now_ms++;
        fleet_evaluate(&fleet, true);
        assert_true(fleet_node(&fleet, 3)->repair_needed);
        assert_true(fleet_node(&fleet, 3)->dirty_verdict);
        /* It was down that long whatever comes. */
        for (size_t k = 0; k < 4; k++)
            fleet.node[k].row[3] = 'U';
        fleet.node[3].result = POLL_OK;
        fleet_rounds(&fleet, 8000);
        assert_verdicts(&fleet, "rrrr");
        assert_true(fleet_node(&fleet, 3)->repair_needed);
        fleet_done(&fleet);
    }
}

/* Until somebody says so, after it began to be needed and not while it goes on. */
static void a_repair_ends_the_need(void **state)
{
    const int64_t wall_ms = 1800000000000LL;
    struct value_change change = {.key = "repaired/10.0.0.4", .text = "true"};
    struct values values = {0};
    struct fleet fleet;

    (void)state;
    with(&fleet, 1, 1);
    fleet.cluster->hint_window_ms = 60000;
    fleet.cluster->wall_offset_ms = wall_ms - fleet.now_ms;
    assert_int_equal(values_change(&values, &change, "h", wall_ms), 0);
    fleet_crash(&fleet, 3);
    fleet_rounds(&fleet, 61000);
    assert_true(fleet_node(&fleet, 3)->repair_needed);
    /* It was said of something else. */
    repairs_apply(fleet.cluster, &values);
    assert_true(fleet_node(&fleet, 3)->repair_needed);
    /* It is down still: what it misses grows. */
    assert_int_equal(
        values_change(&values, &change, "h", fleet.now_ms + fleet.cluster->wall_offset_ms), 0);
    repairs_apply(fleet.cluster, &values);
    fleet_rounds(&fleet, 1000);
    assert_true(fleet_node(&fleet, 3)->repair_needed);
    for (size_t k = 0; k < 4; k++)
        fleet.node[k].row[3] = 'U';
    fleet.node[3].result = POLL_OK;
    fleet_rounds(&fleet, 8000);
    repairs_apply(fleet.cluster, &values);
    assert_true(fleet_node(&fleet, 3)->repair_needed);
    assert_int_equal(
        values_change(&values, &change, "h", fleet.now_ms + fleet.cluster->wall_offset_ms), 0);
    repairs_apply(fleet.cluster, &values);
    assert_false(fleet_node(&fleet, 3)->repair_needed);
    assert_true(fleet_node(&fleet, 3)->dirty_verdict);
    fleet_rounds(&fleet, 1000);
    assert_false(fleet_node(&fleet, 3)->repair_needed);
    values_free(&values);
    fleet_done(&fleet);
}

/* To come up for the first time is no change of mind. */
static void one_crash_of_a_new_node_is_no_flapping(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet.node[1].native = TRILEAN_FALSE;
    fleet_round(&fleet);
    for (int i = 0; i < 2; i++) {
        fleet.node[1].native = TRILEAN_TRUE;
        fleet_round(&fleet);
        assert_int_equal(fleet_node(&fleet, 1)->verdict.readiness, READY);
        fleet_rounds(&fleet, 6000);
        fleet.node[1].native = TRILEAN_FALSE;
        fleet_round(&fleet);
        assert_int_equal(fleet_node(&fleet, 1)->verdict.readiness, NOT_READY);
    }
    /* The second one is. */
    fleet.node[1].native = TRILEAN_TRUE;
    fleet_round(&fleet);
    assert_int_equal(fleet_node(&fleet, 1)->verdict.reasons, REASON_REHAB);
    fleet_done(&fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_judgement_is_published_at_once),
        cmocka_unit_test(rise_and_fall_are_rounds),
        cmocka_unit_test(only_complete_rounds_count),
        cmocka_unit_test(a_change_of_mind_starts_the_count_anew),
        cmocka_unit_test(one_and_one_is_at_once_between_rounds),
        cmocka_unit_test(a_process_that_is_gone_does_not_wait_to_fall),
        cmocka_unit_test(one_crash_leads_to_no_rehab),
        cmocka_unit_test(the_third_change_leads_to_rehab),
        cmocka_unit_test(a_bounce_is_part_of_coming_back),
        cmocka_unit_test(changes_long_ago_are_no_reason),
        cmocka_unit_test(no_change_yet_is_none_of_three_soon_after_boot),
        cmocka_unit_test(rehab_may_be_off),
        cmocka_unit_test(down_since_is_in_the_eyes_of_those_that_count),
        cmocka_unit_test(repair_is_needed_after_the_hint_window),
        cmocka_unit_test(a_repair_ends_the_need),
        cmocka_unit_test(one_crash_of_a_new_node_is_no_flapping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

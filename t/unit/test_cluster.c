/* The table: who is in it, what is kept of an observation, what is marked to be rendered anew. */
#include "model_util.h"

static void empty_knows_nobody_and_judges_nobody(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    assert_null(fleet_node(&fleet, 0));
    fleet_evaluate(&fleet, true);
    assert_int_equal(fleet.n_decisions, 0);
    assert_int_equal(fleet.cluster->n_known, 0);
    fleet_done(&fleet);
    assert_null(cluster_free(NULL));
}

static void nodes_are_found_and_sorted_by_address(void **state)
{
    static const char *const texts[] = {"10.0.0.9",  "2001:db8::1", "10.0.0.10",
                                        "9.255.0.1", "2001:db8::",  "192.0.2.1"};
    static const char *const sorted[] = {"9.255.0.1", "10.0.0.9",   "10.0.0.10",
                                         "192.0.2.1", "2001:db8::", "2001:db8::1"};
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 1, POLICY_MUTUAL);
    for (size_t i = 0; i < 6; i++) {
        struct prober_addr address;

        assert_int_equal(prober_addr_parse(texts[i], strlen(texts[i]), &address), 0);
        assert_string_equal(cluster_add(fleet.cluster, &address)->text, texts[i]);
        assert_ptr_equal(cluster_add(fleet.cluster, &address),
                         cluster_find(fleet.cluster, &address));
    }
    assert_int_equal(fleet.cluster->n_sorted, 6);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(fleet.cluster->sorted[i]->text, sorted[i]);
        assert_ptr_equal(fleet.cluster->nodes[fleet.cluster->sorted[i]->index],
                         fleet.cluster->sorted[i]);
    }
    fleet_done(&fleet);
}

static void the_local_view_makes_the_others_known(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 5, POLICY_MUTUAL);
    assert_true(fleet_poll(&fleet, 0));
    assert_int_equal(fleet.cluster->n_sorted, 5);
    assert_ptr_equal(fleet.cluster->local, fleet_node(&fleet, 0));
    assert_true(fleet_node(&fleet, 0)->local);
    assert_string_equal(fleet.cluster->name, "Test Cluster");
    assert_string_equal(fleet_node(&fleet, 4)->gossip.datacenter, "dc1");
    assert_int_equal(cluster_opinion(fleet.cluster, fleet_node(&fleet, 0), fleet_node(&fleet, 4)),
                     LIVENESS_UP);
    assert_int_equal(cluster_opinion(fleet.cluster, fleet_node(&fleet, 4), fleet_node(&fleet, 0)),
                     LIVENESS_UNKNOWN);
    fleet_done(&fleet);
}

static void an_observation_of_a_stranger_is_dropped(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    assert_false(fleet_poll(&fleet, 1));
    assert_int_equal(fleet.cluster->n_sorted, 0);
    fleet_poll(&fleet, 0);
    assert_true(fleet_poll(&fleet, 1));
    fleet_done(&fleet);
}

static void a_local_node_without_an_address_is_remembered_by_its_last_poll(void **state)
{
    struct observation observation = {
        .local = true, .result = POLL_REFUSED, .began_ms = FLEET_START, .process_gone = true};
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 2, POLICY_MUTUAL);
    assert_true(cluster_ingest(fleet.cluster, &observation, FLEET_START));
    assert_true(fleet.cluster->dirty);
    assert_false(cluster_ingest(fleet.cluster, &observation, FLEET_START));
    assert_null(fleet.cluster->local);
    assert_int_equal(fleet.cluster->last_local.result, POLL_REFUSED);
    assert_true(fleet.cluster->last_local.process_gone);
    fleet_round(&fleet);
    assert_int_equal(fleet.cluster->last_local.result, POLL_OK);
    assert_null(fleet.cluster->last_local.view);
    assert_ptr_equal(fleet.cluster->local, fleet_node(&fleet, 0));
    /* Known once, a failed poll is the node's. */
    assert_true(cluster_ingest(fleet.cluster, &observation, fleet.now_ms));
    assert_int_equal(fleet_node(&fleet, 0)->last_result, POLL_REFUSED);
    fleet_done(&fleet);
}

static void the_local_node_may_move_to_another_address(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet_round(&fleet);
    fleet.no_local = true;
    struct view *view = fleet_view(&fleet, 2);
    struct observation observation = {.observer = fleet_address(2),
                                      .local = true,
                                      .result = POLL_OK,
                                      .began_ms = fleet.now_ms,
                                      .view = view};
    cluster_ingest(fleet.cluster, &observation, fleet.now_ms);
    view_free(view);
    assert_ptr_equal(fleet.cluster->local, fleet_node(&fleet, 2));
    assert_true(fleet_node(&fleet, 2)->local);
    assert_false(fleet_node(&fleet, 0)->local);
    assert_true(fleet_node(&fleet, 0)->dirty_verdict);
    fleet_done(&fleet);
}

static void a_view_that_did_not_change_changes_nothing(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 4, POLICY_MUTUAL);
    fleet_round(&fleet);
    fleet_round(&fleet);
    assert_false(fleet.cluster->dirty);
    fleet.cluster->wants_detail = false;
    fleet.now_ms += FLEET_ROUND;
    for (size_t i = 0; i < 4; i++)
        assert_false(i % 2 ? fleet_poll(&fleet, i) : fleet_poll_unchanged(&fleet, i));
    fleet_evaluate(&fleet, true);
    assert_false(fleet.cluster->dirty);
    assert_false(fleet.cluster->wants_detail);
    for (size_t i = 0; i < 4; i++) {
        const struct node *node = fleet_node(&fleet, i);

        assert_false(node->dirty_opinions || node->dirty_verdict);
        assert_int_equal(node->observed_at_ms, fleet.now_ms);
        assert_int_equal(node->polls_ok, 3);
    }
    fleet_done(&fleet);
}

static void a_changed_opinion_marks_the_node_it_is_of(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 4, POLICY_MAJORITY);
    fleet_round(&fleet);
    fleet.detail = false;
    fleet.cluster->wants_detail = false;
    fleet.node[1].row[3] = 'D';
    assert_true(fleet_poll(&fleet, 1));
    assert_true(fleet.cluster->dirty);
    assert_true(fleet.cluster->wants_detail);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(fleet_node(&fleet, i)->dirty_opinions, i == 3);
        assert_false(fleet_node(&fleet, i)->dirty_verdict);
    }
    fleet_evaluate(&fleet, false);
    assert_true(fleet_node(&fleet, 3)->dirty_verdict);
    assert_false(fleet_node(&fleet, 2)->dirty_verdict);
    cluster_clean(fleet.cluster);
    assert_false(fleet_node(&fleet, 3)->dirty_opinions);
    assert_false(fleet.cluster->dirty);
    fleet_done(&fleet);
}

static size_t count_dirty_opinions(const struct fleet *fleet)
{
    size_t n = 0;

    for (size_t i = 0; i < fleet->n; i++)
        n += fleet_node(fleet, i)->dirty_opinions;
    return n;
}

/* Every body has a line for every observer: its opinion, or the word that stands for a view. */
static void a_view_that_turns_stale_or_fresh_marks_every_body(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 4, POLICY_MUTUAL);
    fleet_round(&fleet);
    fleet.node[2].result = POLL_TIMEOUT;
    for (int i = 0; i < 6; i++)
        fleet_round(&fleet);
    assert_true(node_view_fresh(fleet.cluster, fleet_node(&fleet, 2), fleet.now_ms));
    for (size_t i = 0; i < 4; i++)
        fleet_poll(&fleet, i);
    fleet_evaluate(&fleet, true);
    assert_int_equal(count_dirty_opinions(&fleet), 0);

    fleet.now_ms++;
    assert_false(node_view_fresh(fleet.cluster, fleet_node(&fleet, 2), fleet.now_ms));
    fleet_evaluate(&fleet, false);
    assert_int_equal(count_dirty_opinions(&fleet), 4);
    cluster_clean(fleet.cluster);

    assert_false(fleet_poll(&fleet, 2));
    fleet_evaluate(&fleet, false);
    assert_int_equal(count_dirty_opinions(&fleet), 0);
    fleet.node[2].result = POLL_REFUSED;
    assert_true(fleet_poll(&fleet, 2));
    fleet_evaluate(&fleet, false);
    assert_int_equal(count_dirty_opinions(&fleet), 4);
    cluster_clean(fleet.cluster);

    assert_true(fleet_poll_unchanged(&fleet, 2));
    fleet_evaluate(&fleet, false);
    assert_int_equal(count_dirty_opinions(&fleet), 4);
    fleet_done(&fleet);
}

static void another_error_while_the_view_is_fresh_marks_its_own_node_alone(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet_round(&fleet);
    fleet.node[1].result = POLL_RESET;
    assert_true(fleet_poll(&fleet, 1));
    fleet_evaluate(&fleet, false);
    assert_int_equal(count_dirty_opinions(&fleet), 0);
    assert_true(fleet_node(&fleet, 1)->dirty_verdict);
    assert_false(fleet_node(&fleet, 2)->dirty_verdict);
    assert_int_equal(fleet_node(&fleet, 1)->polls_failed, 1);
    fleet_done(&fleet);
}

static void a_new_node_marks_every_body_and_asks_for_detail(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet_round(&fleet);
    fleet.cluster->wants_detail = false;
    fleet.detail = false;
    fleet.node[1].row[3] = 'U';
    assert_true(fleet_poll(&fleet, 1));
    assert_true(fleet.cluster->wants_detail);
    fleet_evaluate(&fleet, false);
    fleet.n = 4;
    assert_int_equal(count_dirty_opinions(&fleet), 4);
    fleet_done(&fleet);
}

static void a_table_grows_with_every_opinion_in_it(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet_round(&fleet);
    for (size_t i = 0; i < 500; i++) {
        struct prober_addr address = {{[0] = 0x20, [14] = (uint8_t)(i / 256), [15] = (uint8_t)i}};

        cluster_add(fleet.cluster, &address);
    }
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < fleet.cluster->n_sorted; j++)
            assert_int_equal(
                cluster_opinion(fleet.cluster, fleet_node(&fleet, i), fleet.cluster->sorted[j]),
                j < 3 ? LIVENESS_UP : LIVENESS_UNKNOWN);
    fleet_round(&fleet);
    assert_verdicts(&fleet, "rrr");
    fleet_done(&fleet);
}

/* A view that stood still for long may count again with the next poll that finds it unchanged. */
static void an_unchanged_view_that_was_too_old_is_news(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet_round(&fleet);
    assert_false(fleet_poll_unchanged(&fleet, 2));
    fleet.now_ms += 3001;
    assert_true(fleet_poll_unchanged(&fleet, 2));
    assert_false(fleet_poll_unchanged(&fleet, 2));
    fleet_done(&fleet);
}

/* An opinion nobody has had yet is no conflict that two rounds have confirmed. */
static void a_new_voter_is_not_unseen_at_once(void **state)
{
    struct readiness_settings settings = fleet_settings(POLICY_MUTUAL);
    struct fleet fleet;

    (void)state;
    settings.settle_ms = 0;
    fleet_init(&fleet, 4, POLICY_MUTUAL);
    cluster_set_readiness(fleet.cluster, &settings);
    fleet_rows(&fleet, "UUU- UUU- UUU- UUUU");
    fleet_rounds(&fleet, 3000);
    fleet_rows(&fleet, "UUUU UUU- UUUU UUUU");
    fleet_poll(&fleet, 0);
    fleet_poll(&fleet, 3);
    fleet_evaluate(&fleet, false);
    assert_true(fleet_node(&fleet, 3)->voter);
    assert_verdicts(&fleet, "rrrr");
    fleet_round(&fleet);
    assert_verdicts(&fleet, "rrr.");
    fleet_done(&fleet);
}

static void phi_is_as_the_local_observer_has_it(void **state)
{
    struct view *view;
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet_round(&fleet);
    assert_true(fleet_node(&fleet, 1)->phi < 0);
    view = fleet_view(&fleet, 0);
    view->phis = calloc(1, sizeof(*view->phis));
    view->phis[0] = (struct phi){.endpoint = fleet_address(1), .value = 0.5};
    view->n_phis = 1;
    view->hint_window_ms = 7200000;
    for (int local = 0; local < 2; local++) {
        struct observation observation = {.observer = fleet_address(local ? 0 : 2),
                                          .local = local,
                                          .result = POLL_OK,
                                          .began_ms = fleet.now_ms,
                                          .view = view};

        snprintf(view->host_id, sizeof(view->host_id), "%s", fleet.node[local ? 0 : 2].host_id);
        cluster_ingest(fleet.cluster, &observation, fleet.now_ms);
        assert_int_equal(fleet_node(&fleet, 1)->phi * 10, local ? 5 : -10);
        assert_int_equal(fleet.cluster->hint_window_ms, local ? 7200000 : 0);
        assert_int_equal(fleet_node(&fleet, 1)->dirty_verdict, local);
    }
    view_free(view);
    fleet_done(&fleet);
}

static void a_reload_is_judged_at_the_next_evaluation(void **state)
{
    struct readiness_settings settings = fleet_settings(POLICY_UNANIMOUS);
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 5, POLICY_MAJORITY);
    fleet.node[1].row[4] = 'D';
    fleet_round(&fleet);
    assert_verdicts(&fleet, "rrrrr");
    cluster_set_readiness(fleet.cluster, &settings);
    assert_verdicts(&fleet, "rrrrr");
    fleet_round(&fleet);
    assert_verdicts(&fleet, "rrrr.");
    fleet_done(&fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_knows_nobody_and_judges_nobody),
        cmocka_unit_test(nodes_are_found_and_sorted_by_address),
        cmocka_unit_test(the_local_view_makes_the_others_known),
        cmocka_unit_test(an_observation_of_a_stranger_is_dropped),
        cmocka_unit_test(a_local_node_without_an_address_is_remembered_by_its_last_poll),
        cmocka_unit_test(the_local_node_may_move_to_another_address),
        cmocka_unit_test(a_view_that_did_not_change_changes_nothing),
        cmocka_unit_test(a_changed_opinion_marks_the_node_it_is_of),
        cmocka_unit_test(a_view_that_turns_stale_or_fresh_marks_every_body),
        cmocka_unit_test(another_error_while_the_view_is_fresh_marks_its_own_node_alone),
        cmocka_unit_test(a_new_node_marks_every_body_and_asks_for_detail),
        cmocka_unit_test(a_table_grows_with_every_opinion_in_it),
        cmocka_unit_test(an_unchanged_view_that_was_too_old_is_news),
        cmocka_unit_test(a_new_voter_is_not_unseen_at_once),
        cmocka_unit_test(phi_is_as_the_local_observer_has_it),
        cmocka_unit_test(a_reload_is_judged_at_the_next_evaluation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

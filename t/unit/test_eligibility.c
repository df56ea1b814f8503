/* What a node's own state has against it, and whose opinion counts. */
#include "model_util.h"

/* One node's state among three that are well, and what becomes of it. */
struct own_state {
    const char *mode, *status;
    enum trilean native, gossip, rpc_ready;
    bool ready;
    uint32_t reasons;
};

#define YES     TRILEAN_TRUE
#define NO      TRILEAN_FALSE
#define UNKNOWN TRILEAN_UNKNOWN

static const struct own_state seen_by_itself[] = {
    {"NORMAL", "NORMAL", YES, YES, YES, true, 0},
    {"", "", UNKNOWN, UNKNOWN, UNKNOWN, false, REASON_STATUS}, /* in gossip, nothing announced */
    {"", "NORMAL", UNKNOWN, UNKNOWN, UNKNOWN, true, 0},
    {"NORMAL", "", YES, YES, UNKNOWN, true, 0},
    {"STARTING", "NORMAL", YES, YES, YES, false, REASON_MODE},
    {"JOINING", "BOOT", NO, YES, NO, false, REASON_MODE | REASON_STATUS | REASON_NATIVE_OFF},
    {"LEAVING", "LEAVING", YES, YES, YES, false, REASON_MODE | REASON_STATUS},
    {"MOVING", "MOVING", YES, YES, YES, false, REASON_MODE | REASON_STATUS},
    {"DRAINED", "shutdown", NO, NO, NO, false,
     REASON_MODE | REASON_STATUS | REASON_NATIVE_OFF | REASON_GOSSIP_OFF},
    {"DECOMMISSION_FAILED", "NORMAL", YES, YES, YES, false, REASON_MODE},
    {"normal", "NORMAL", YES, YES, YES, false, REASON_MODE},
    {"NORMAL", "SOMETHING_NEW", YES, YES, YES, false, REASON_STATUS},
    {"NORMAL", "hibernate", YES, YES, YES, false, REASON_STATUS},
    {"NORMAL", "removing", YES, YES, YES, false, REASON_STATUS},
    {"NORMAL", "NORMAL", NO, YES, YES, false, REASON_NATIVE_OFF},
    {"NORMAL", "NORMAL", YES, YES, NO, true, 0}, /* its own word is newer than gossip's */
    {"NORMAL", "NORMAL", UNKNOWN, YES, NO, false, REASON_NATIVE_OFF},
    {"NORMAL", "NORMAL", YES, NO, YES, false, REASON_GOSSIP_OFF},
    {"NORMAL", "NORMAL", YES, UNKNOWN, YES, true, 0},
    {"NORMAL", "LEFT", YES, YES, YES, false, REASON_GONE},
    {"NORMAL", "removed", YES, YES, YES, false, REASON_GONE},
};

static const struct own_state seen_by_others[] = {
    {"", "NORMAL", UNKNOWN, UNKNOWN, YES, true, 0},
    {"", "NORMAL", UNKNOWN, UNKNOWN, UNKNOWN, true, 0},
    {"", "NORMAL", UNKNOWN, UNKNOWN, NO, false, REASON_NATIVE_OFF},
    {"", "BOOT", UNKNOWN, UNKNOWN, UNKNOWN, false, REASON_STATUS},
    {"", "BOOT_REPLACE", UNKNOWN, UNKNOWN, UNKNOWN, false, REASON_STATUS},
    {"", "shutdown", UNKNOWN, UNKNOWN, YES, false, REASON_STATUS},
    {"", "LEAVING", UNKNOWN, UNKNOWN, YES, false, REASON_STATUS},
    {"", "removing", UNKNOWN, UNKNOWN, YES, false, REASON_STATUS},
    {"", "NoRmAl", UNKNOWN, UNKNOWN, YES, false, REASON_STATUS},
    {"", "", UNKNOWN, UNKNOWN, YES, false, REASON_STATUS}, /* before it joins */
    {"", "LEFT", UNKNOWN, UNKNOWN, YES, false, REASON_GONE},
};

static void check_state(const struct own_state *own, size_t i, bool polled)
{
    const struct node *node;
    struct fleet fleet;

    fleet_init(&fleet, 4, POLICY_MUTUAL);
    fleet.node[3].mode = own->mode;
    fleet.node[3].status = own->status;
    fleet.node[3].native = own->native;
    fleet.node[3].gossip = own->gossip;
    fleet.node[3].rpc_ready = own->rpc_ready;
    fleet.node[3].result = polled ? POLL_OK : POLL_REFUSED;
    fleet_round(&fleet);
    fleet_round(&fleet);
    node = fleet_node(&fleet, 3);
    if ((node->verdict.readiness == READY) != own->ready || node->verdict.reasons != own->reasons)
        fail_msg("state %zu (%s, %s): readiness %d, reasons %#x instead of %#x", i, own->mode,
                 own->status, node->verdict.readiness, node->verdict.reasons, own->reasons);
    assert_int_equal(node->gone, own->reasons == REASON_GONE);
    assert_int_equal(node->ineligible, !polled      ? INELIGIBLE_NO_VIEW
                                       : own->ready ? ELIGIBLE
                                                    : INELIGIBLE_STATE);
    /* It is nobody's witness either: the others do without it. */
    assert_int_equal(fleet_node(&fleet, 0)->verdict.counted, polled && own->ready ? 3 : 2);
    assert_int_equal(memcmp(fleet_text(&fleet), "rrr", 3), 0);
    fleet_done(&fleet);
}

static void own_state_as_the_node_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(seen_by_itself) / sizeof(seen_by_itself[0]); i++)
        check_state(&seen_by_itself[i], i, true);
}

static void own_state_as_gossip_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(seen_by_others) / sizeof(seen_by_others[0]); i++)
        check_state(&seen_by_others[i], i, false);
}

/* A node that has joined, or was started again, is not held up by what gossip said before. */
static void an_older_status_does_not_hold_a_normal_node_back(void **state)
{
    static const char *const older[] = {"shutdown", "BOOT", "BOOT_REPLACE", "hibernate"};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct fleet fleet;

        fleet_init(&fleet, 3, POLICY_MUTUAL);
        fleet.node[2].mode = "JOINING";
        fleet.node[2].status = older[i];
        fleet_round(&fleet);
        assert_verdicts(&fleet, "rr.");
        fleet.detail = false;
        fleet.cluster->wants_detail = false;
        fleet.node[2].mode = "NORMAL";
        fleet_round(&fleet);
        assert_true(fleet.cluster->wants_detail);
        assert_verdicts(&fleet, "rrr");
        assert_true(fleet_node(&fleet, 2)->member);
        /* Once it has said so itself in this mode, it counts. */
        fleet.detail = true;
        fleet_round(&fleet);
        assert_verdicts(&fleet, "rr.");
        fleet.node[2].status = "NORMAL";
        fleet.node[2].status_version++;
        fleet_round(&fleet);
        assert_verdicts(&fleet, "rrr");
        fleet_done(&fleet);
    }
}

static void a_joining_node_is_never_ready_before_it_is_normal(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet_rounds(&fleet, 10000);
    /* It turns up in the others' views; no detail poll has told of its STATUS, nor it of itself. */
    fleet.detail = false;
    fleet.n = 4;
    for (size_t i = 0; i < 4; i++)
        memset(fleet.node[i].row, 'U', 4);
    fleet.node[3].result = POLL_TIMEOUT;
    fleet.node[3].mode = "JOINING";
    fleet.node[3].status = "BOOT";
    fleet_round(&fleet);
    assert_verdicts(&fleet, "rrr.");
    fleet_rounds(&fleet, 2000);
    assert_verdicts(&fleet, "rrr.");
    fleet.detail = true;
    fleet_rounds(&fleet, 10000);
    assert_verdicts(&fleet, "rrr.");
    fleet.node[3].result = POLL_OK;
    fleet_rounds(&fleet, 10000);
    assert_verdicts(&fleet, "rrr.");
    fleet.node[3].mode = fleet.node[3].status = "NORMAL";
    fleet.node[3].status_version++;
    fleet_round(&fleet);
    assert_verdicts(&fleet, "rrrr");
    fleet_done(&fleet);
}

/* A node is in gossip, and seen UP, long before it announces a STATUS. */
static void a_node_without_a_status_in_gossip_waits_for_one(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet.node[2].result = POLL_NO_MBEAN;
    fleet.node[2].status = "";
    fleet_rounds(&fleet, 20000);
    assert_verdicts(&fleet, "rr.");
    assert_int_equal(fleet_reasons(&fleet, 2), REASON_STATUS | REASON_STARTING);
    fleet_done(&fleet);
}

/* A crash and a start at once: gossip notices nothing, so all see it UP and have it as NORMAL. */
static void a_node_without_mbeans_is_not_ready_whatever_gossip_says(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet.cluster->readiness.rehab_ms = 0;
    fleet_round(&fleet);
    assert_verdicts(&fleet, "rrr");
    fleet.node[2].result = POLL_NO_MBEAN;
    fleet_round(&fleet);
    assert_verdicts(&fleet, "rr.");
    assert_int_equal(fleet_reasons(&fleet, 2), REASON_STARTING);
    assert_int_equal(fleet_node(&fleet, 2)->ineligible, INELIGIBLE_STATE);
    assert_true(fleet_node(&fleet, 2)->member);
    /* A start that is slow makes polls time out. */
    fleet.node[2].result = POLL_TIMEOUT;
    fleet_rounds(&fleet, 60000);
    assert_verdicts(&fleet, "rr.");
    assert_int_equal(fleet_reasons(&fleet, 2), REASON_STARTING);
    /* Gossip of the process that has started is news once that serves, as long as the node says
     * nothing else. */
    fleet.node[2].generation++;
    fleet.node[2].rpc_ready = TRILEAN_UNKNOWN;
    fleet_rounds(&fleet, 2000);
    assert_verdicts(&fleet, "rr.");
    fleet.node[2].rpc_ready = TRILEAN_TRUE;
    fleet_round(&fleet);
    assert_verdicts(&fleet, "rrr");
    fleet.node[2].result = POLL_NO_MBEAN;
    fleet_rounds(&fleet, 2000);
    assert_verdicts(&fleet, "rr.");
    fleet.node[2].result = POLL_OK;
    fleet_round(&fleet);
    assert_verdicts(&fleet, "rrr");
    fleet_done(&fleet);
}

/* What gossip says of a node that does not speak for itself is asked for again and again. */
static void the_state_of_a_silent_node_is_asked_for(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet_round(&fleet);
    fleet.node[2].result = POLL_REFUSED;
    fleet.detail = fleet.cluster->wants_detail = false;
    fleet_rounds(&fleet, 3000);
    assert_false(fleet.cluster->wants_detail);
    fleet_round(&fleet);
    assert_true(fleet.cluster->wants_detail);
    fleet.detail = true;
    fleet_poll(&fleet, 0);
    fleet.detail = fleet.cluster->wants_detail = false;
    fleet_rounds(&fleet, 2500);
    assert_false(fleet.cluster->wants_detail);
    fleet_round(&fleet);
    assert_true(fleet.cluster->wants_detail);
    /* Not of one that nobody sees UP. */
    fleet_crash(&fleet, 2);
    fleet_round(&fleet);
    fleet.cluster->wants_detail = false;
    fleet_rounds(&fleet, 10000);
    assert_false(fleet.cluster->wants_detail);
    fleet_done(&fleet);
}

/* Where nobody can tell of anybody's gossip state, unknown is no contradiction for good. */
static void a_state_that_stays_unknown_is_no_contradiction(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet.detail = false;
    fleet.node[2].result = POLL_AUTH;
    fleet_round(&fleet);
    assert_verdicts(&fleet, "rr.");
    assert_int_equal(fleet_reasons(&fleet, 2), REASON_STATUS);
    fleet_rounds(&fleet, 5000);
    assert_verdicts(&fleet, "rrr");
    fleet_done(&fleet);
}

static void a_view_counts_until_view_ttl(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet_round(&fleet);
    fleet.node[2].result = POLL_TIMEOUT;
    fleet_rounds(&fleet, 3000);
    assert_int_equal(fleet_node(&fleet, 2)->ineligible, ELIGIBLE);
    fleet.now_ms++;
    fleet_evaluate(&fleet, false);
    assert_int_equal(fleet_node(&fleet, 2)->ineligible, INELIGIBLE_NO_VIEW);
    assert_int_equal(fleet_node(&fleet, 0)->verdict.counted, 1);
    fleet.node[1].silent = true; /* not even a failed poll: only old */
    fleet_rounds(&fleet, 3500);
    assert_int_equal(fleet_node(&fleet, 1)->ineligible, INELIGIBLE_STALE);
    assert_false(fleet_node(&fleet, 1)->voter);
    fleet_done(&fleet);
}

static void who_sees_itself_down_does_not_count(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet_rows(&fleet, "UUU UUU DDD");
    fleet_round(&fleet);
    fleet_round(&fleet);
    assert_int_equal(fleet_node(&fleet, 2)->ineligible, INELIGIBLE_SELF_DOWN);
    assert_verdicts(&fleet, "rrr");
    fleet_rows(&fleet, "UUU UUU DD-");
    fleet_round(&fleet);
    assert_int_equal(fleet_node(&fleet, 2)->ineligible, INELIGIBLE_SELF_DOWN);
    fleet_done(&fleet);
}

/* A restarted node sees the others as DOWN at first. */
static void an_observer_settles_before_it_counts(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_UNANIMOUS);
    fleet.node[2].mode = "STARTING";
    fleet_round(&fleet);
    fleet.node[2].mode = "NORMAL";
    memcpy(fleet.node[2].row, "DDU", 3);
    fleet_round(&fleet);
    assert_int_equal(fleet_node(&fleet, 2)->ineligible, INELIGIBLE_SETTLING);
    fleet_rounds(&fleet, 4500);
    assert_int_equal(fleet_node(&fleet, 2)->ineligible, INELIGIBLE_SETTLING);
    assert_verdicts(&fleet, "rrr");
    fleet_round(&fleet);
    assert_int_equal(fleet_node(&fleet, 2)->ineligible, ELIGIBLE);
    assert_verdicts(&fleet, "..r");
    /* A moment without eligibility and it settles again. */
    fleet.node[2].native = TRILEAN_FALSE;
    fleet_round(&fleet);
    fleet.node[2].native = TRILEAN_TRUE;
    fleet_round(&fleet);
    assert_int_equal(fleet_node(&fleet, 2)->ineligible, INELIGIBLE_SETTLING);
    fleet_done(&fleet);
}

static void nobody_settles_who_was_eligible_in_the_first_round(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    for (size_t i = 0; i < 3; i++) {
        fleet_poll(&fleet, i);
        fleet_evaluate(&fleet, false);
        assert_verdicts(&fleet, "???");
    }
    fleet_round(&fleet);
    assert_verdicts(&fleet, "rrr");
    fleet_rounds(&fleet, 2000);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(fleet_node(&fleet, i)->ineligible, ELIGIBLE);
    fleet_done(&fleet);
}

static void a_process_that_is_gone_is_not_ready_at_once(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet_round(&fleet);
    fleet.node[0].result = POLL_REFUSED;
    fleet.node[0].process_gone = true;
    assert_true(fleet_poll(&fleet, 0));
    fleet_evaluate(&fleet, false);
    assert_verdicts(&fleet, ".rr");
    assert_int_equal(fleet_reasons(&fleet, 0), REASON_PROCESS_GONE);
    assert_false(node_view_fresh(fleet.cluster, fleet_node(&fleet, 0), fleet.now_ms));
    assert_int_equal(fleet_node(&fleet, 1)->verdict.counted, 1);
    fleet_done(&fleet);
}

/* The others see the dead one as UP for 18 s: no failed poll of it is a reason to believe them. */
static void a_process_stays_gone_until_it_answers_or_gossip_knows_the_next(void **state)
{
    struct fleet fleet;

    (void)state;
    for (int by_gossip = 0; by_gossip < 2; by_gossip++) {
        fleet_init(&fleet, 3, POLICY_MUTUAL);
        fleet_round(&fleet);
        fleet.node[2].result = POLL_REFUSED;
        fleet.node[2].process_gone = true;
        fleet_round(&fleet);
        fleet.node[2].process_gone = false;
        fleet.node[2].result = POLL_TIMEOUT;
        fleet_rounds(&fleet, 5000);
        assert_verdicts(&fleet, "rr.");
        fleet.node[2].generation++;
        fleet.node[2].rpc_ready = TRILEAN_UNKNOWN;
        fleet_rounds(&fleet, 2000);
        assert_verdicts(&fleet, "rr.");
        if (by_gossip)
            fleet.node[2].rpc_ready = TRILEAN_TRUE;
        else
            fleet.node[2].result = POLL_OK;
        fleet_round(&fleet);
        assert_verdicts(&fleet, "rrr");
        fleet_done(&fleet);
    }
}

static void a_view_of_another_cluster_does_not_count(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 4, POLICY_UNANIMOUS);
    fleet.node[2].cluster_name = "Other Cluster";
    memcpy(fleet.node[2].row, "DDUDUU", 6);
    fleet_round(&fleet);
    assert_int_equal(fleet_node(&fleet, 2)->last_result, POLL_WRONG_CLUSTER);
    assert_int_equal(fleet_node(&fleet, 2)->ineligible, INELIGIBLE_IMPOSTOR);
    assert_false(node_view_fresh(fleet.cluster, fleet_node(&fleet, 2), fleet.now_ms));
    assert_null(fleet_node(&fleet, 4));
    assert_verdicts(&fleet, "rrrr");
    /* That it did not change makes it no better. */
    fleet_poll_unchanged(&fleet, 2);
    assert_int_equal(fleet_node(&fleet, 2)->last_result, POLL_WRONG_CLUSTER);
    fleet.node[2].cluster_name = "Test Cluster";
    fleet_round(&fleet);
    assert_int_equal(fleet_node(&fleet, 2)->last_result, POLL_OK);
    fleet_done(&fleet);
}

static void the_local_node_says_what_the_cluster_is_called(void **state)
{
    const struct prober_addr first = fleet_address(2);
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    cluster_add(fleet.cluster, &first);
    fleet.node[2].cluster_name = "Other Cluster";
    fleet_poll(&fleet, 2);
    assert_string_equal(fleet.cluster->name, "Other Cluster");
    fleet_round(&fleet);
    assert_string_equal(fleet.cluster->name, "Test Cluster");
    assert_int_equal(fleet_node(&fleet, 2)->ineligible, INELIGIBLE_IMPOSTOR);
    assert_int_equal(fleet_node(&fleet, 1)->ineligible, ELIGIBLE);
    fleet_done(&fleet);
}

static void a_view_of_another_host_does_not_count(void **state)
{
    struct view *view;
    struct observation observation = {.observer = fleet_address(2), .result = POLL_OK};
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 4, POLICY_UNANIMOUS);
    fleet_round(&fleet);
    fleet.cluster->wants_detail = false;
    fleet.detail = false;
    memcpy(fleet.node[2].row, "DDUDUU", 6);
    view = observation.view = fleet_view(&fleet, 2);
    strcpy(view->host_id, fleet.node[3].host_id);
    observation.began_ms = ++fleet.now_ms;
    assert_true(cluster_ingest(fleet.cluster, &observation, fleet.now_ms));
    view_free(view);
    fleet_evaluate(&fleet, false);
    assert_true(fleet.cluster->wants_detail);
    assert_int_equal(fleet_node(&fleet, 2)->last_result, POLL_WRONG_HOST);
    assert_int_equal(fleet_node(&fleet, 2)->ineligible, INELIGIBLE_IMPOSTOR);
    assert_verdicts(&fleet, "rrrr");
    assert_null(fleet_node(&fleet, 4));
    fleet_done(&fleet);
}

static void a_replaced_host_counts_once_gossip_knows_it(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet_round(&fleet);
    strcpy(fleet.node[2].host_id, "11111111-0000-0000-0000-000000000002");
    fleet.detail = false;
    fleet_round(&fleet);
    assert_int_equal(fleet_node(&fleet, 2)->last_result, POLL_WRONG_HOST);
    /* The others tell of it; its own view is the one that was there before. */
    fleet_poll_unchanged(&fleet, 2);
    assert_int_equal(fleet_node(&fleet, 2)->last_result, POLL_WRONG_HOST);
    fleet.node[2].generation++;
    fleet.detail = true;
    fleet_poll(&fleet, 1);
    fleet_evaluate(&fleet, false);
    assert_int_equal(fleet_node(&fleet, 2)->last_result, POLL_OK);
    assert_int_equal(fleet_node(&fleet, 2)->ineligible, INELIGIBLE_SETTLING);
    assert_verdicts(&fleet, "rrr");
    fleet_done(&fleet);
}

static void a_replaced_host_may_tell_of_itself(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 1, POLICY_MUTUAL);
    fleet_round(&fleet);
    strcpy(fleet.node[0].host_id, "11111111-0000-0000-0000-000000000000");
    fleet_round(&fleet);
    assert_int_equal(fleet_node(&fleet, 0)->last_result, POLL_WRONG_HOST);
    fleet.node[0].generation++;
    fleet_poll(&fleet, 0);
    assert_int_equal(fleet_node(&fleet, 0)->last_result, POLL_OK);
    fleet_rounds(&fleet, 6000);
    assert_verdicts(&fleet, "r");
    fleet_done(&fleet);
}

static void a_node_that_left_may_come_back(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 4, POLICY_MUTUAL);
    fleet_round(&fleet);
    fleet.node[3].status = "LEFT";
    fleet.node[3].status_version++;
    fleet.node[3].mode = "DECOMMISSIONED";
    fleet_round(&fleet);
    assert_true(fleet_node(&fleet, 3)->gone);
    assert_int_equal(fleet_reasons(&fleet, 3), REASON_GONE);
    assert_int_equal(fleet.cluster->n_known, 3);
    assert_int_equal(fleet.cluster->n_members, 3);
    /* Whatever it says of itself then. */
    fleet.node[3].mode = "NORMAL";
    fleet.node[3].status = "NORMAL";
    fleet_rounds(&fleet, 10000);
    assert_true(fleet_node(&fleet, 3)->gone);
    assert_int_equal(fleet_node(&fleet, 3)->ineligible, INELIGIBLE_STATE);
    fleet.node[3].generation++;
    fleet_round(&fleet);
    assert_false(fleet_node(&fleet, 3)->gone);
    assert_verdicts(&fleet, "rrrr");
    assert_int_equal(fleet.cluster->n_known, 4);
    fleet_done(&fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_state_as_the_node_says),
        cmocka_unit_test(own_state_as_gossip_says),
        cmocka_unit_test(an_older_status_does_not_hold_a_normal_node_back),
        cmocka_unit_test(a_joining_node_is_never_ready_before_it_is_normal),
        cmocka_unit_test(a_node_without_a_status_in_gossip_waits_for_one),
        cmocka_unit_test(a_node_without_mbeans_is_not_ready_whatever_gossip_says),
        cmocka_unit_test(the_state_of_a_silent_node_is_asked_for),
        cmocka_unit_test(a_state_that_stays_unknown_is_no_contradiction),
        cmocka_unit_test(a_view_counts_until_view_ttl),
        cmocka_unit_test(who_sees_itself_down_does_not_count),
        cmocka_unit_test(an_observer_settles_before_it_counts),
        cmocka_unit_test(nobody_settles_who_was_eligible_in_the_first_round),
        cmocka_unit_test(a_process_that_is_gone_is_not_ready_at_once),
        cmocka_unit_test(a_process_stays_gone_until_it_answers_or_gossip_knows_the_next),
        cmocka_unit_test(a_view_of_another_cluster_does_not_count),
        cmocka_unit_test(the_local_node_says_what_the_cluster_is_called),
        cmocka_unit_test(a_view_of_another_host_does_not_count),
        cmocka_unit_test(a_replaced_host_counts_once_gossip_knows_it),
        cmocka_unit_test(a_replaced_host_may_tell_of_itself),
        cmocka_unit_test(a_node_that_left_may_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

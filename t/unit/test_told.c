/* What other hosts tell of their own nodes: how old it is, and how far it is believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model_util.h"

static void old_news_ages(void **state)
{
    struct fleet fleet;
    int64_t ttl;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet.mesh = true;
    fleet_rounds(&fleet, 4000);
    ttl = fleet.cluster->readiness.view_ttl_ms;
    fleet.node[1].age_ms = ttl;
    fleet_round(&fleet);
    assert_int_equal(fleet_node(&fleet, 1)->ineligible, ELIGIBLE);
    assert_int_equal(fleet_node(&fleet, 1)->observed_at_ms, fleet.now_ms - ttl);
    fleet.node[1].age_ms = ttl + 1;
    fleet_round(&fleet);
    assert_int_equal(fleet_node(&fleet, 1)->ineligible, INELIGIBLE_STALE);
    assert_false(fleet_node(&fleet, 1)->voter);
    /* Older than this host has been up. */
    fleet.node[1].age_ms = INT64_MAX;
    fleet_round(&fleet);
    assert_int_equal(fleet_node(&fleet, 1)->observed_at_ms, 1);
    fleet_done(&fleet);
}

static void a_process_that_is_gone_is_known_at_once(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet.mesh = true;
    fleet_rounds(&fleet, 4000);
    assert_int_equal(fleet_node(&fleet, 1)->verdict.readiness, READY);
    fleet.node[1].result = POLL_REFUSED;
    fleet.node[1].process_gone = true;
    fleet_round(&fleet);
    assert_int_equal(fleet_node(&fleet, 1)->verdict.readiness, NOT_READY);
    assert_true(fleet_node(&fleet, 1)->verdict.reasons & REASON_PROCESS_GONE);
    /* Its host does not answer any more: that is no sign of life. */
    fleet.node[1].process_gone = false;
    fleet_round(&fleet);
    assert_int_equal(fleet_node(&fleet, 1)->verdict.readiness, NOT_READY);
    fleet.node[1].result = POLL_OK;
    fleet_rounds(&fleet, 8000);
    assert_int_equal(fleet_node(&fleet, 1)->verdict.readiness, READY);
    fleet_done(&fleet);
}

static void a_hung_node_is_known_by_its_host(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet.mesh = true;
    fleet_rounds(&fleet, 4000);
    fleet.node[1].result = POLL_TIMEOUT;
    fleet.node[1].hung = true;
    fleet_round(&fleet);
    assert_int_equal(fleet_node(&fleet, 1)->raw.reasons, REASON_HUNG);
    /* Said too long ago: its host's word ages like its data. */
    fleet.node[1].age_ms = 3001;
    fleet_round(&fleet);
    assert_int_equal(fleet_node(&fleet, 1)->raw.reasons, 0);
    fleet.node[1].age_ms = 0;
    fleet_round(&fleet);
    assert_int_equal(fleet_node(&fleet, 1)->raw.reasons, REASON_HUNG);
    /* Nobody says so any more. */
    fleet.node[1].hung = false;
    fleet_round(&fleet);
    assert_int_equal(fleet_node(&fleet, 1)->raw.reasons, 0);
    fleet_done(&fleet);
}

/* Of the own node this host finds it out itself; of others a timeout says nothing. */
static void who_does_not_answer_its_own_host_hangs(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet.mesh = true;
    fleet_rounds(&fleet, 4000);
    fleet.node[0].result = fleet.node[1].result = POLL_TIMEOUT;
    fleet_rounds(&fleet, 3000);
    assert_int_equal(fleet_node(&fleet, 0)->verdict.reasons, 0);
    fleet_rounds(&fleet, 1000);
    assert_true(fleet_node(&fleet, 0)->verdict.reasons & REASON_HUNG);
    assert_false(fleet_node(&fleet, 1)->verdict.reasons & REASON_HUNG);
    fleet.node[0].result = POLL_OK;
    fleet_round(&fleet);
    assert_int_equal(fleet_node(&fleet, 0)->verdict.reasons, 0);
    fleet_done(&fleet);
}

/* A host whose prober is dead has lost a witness, not its node. */
static void a_silent_host_is_judged_by_the_others(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 4, POLICY_MUTUAL);
    fleet.mesh = true;
    fleet_rounds(&fleet, 4000);
    fleet.node[2].result = POLL_REFUSED;
    fleet_rounds(&fleet, 8000);
    assert_int_equal(fleet_node(&fleet, 2)->ineligible, INELIGIBLE_NO_VIEW);
    assert_int_equal(fleet_node(&fleet, 2)->verdict.readiness, READY);
    fleet_done(&fleet);
}

static void nobody_else_makes_nodes(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet.mesh = true;
    fleet_rounds(&fleet, 4000);
    fleet.node[1].row[7] = 'U';
    fleet_rounds(&fleet, 4000);
    assert_null(fleet_node(&fleet, 7));
    /* The own node knows it too. */
    fleet.node[0].row[7] = 'U';
    fleet.cluster->wants_views = false;
    fleet_round(&fleet);
    assert_non_null(fleet_node(&fleet, 7));
    assert_true(fleet.cluster->wants_views);
    fleet_done(&fleet);
}

static void without_the_own_node_the_others_are_believed(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet.mesh = true;
    fleet_rounds(&fleet, 4000);
    fleet.node[0].result = POLL_REFUSED;
    fleet_rounds(&fleet, 4000);
    fleet.node[1].row[7] = 'U';
    fleet_round(&fleet);
    assert_non_null(fleet_node(&fleet, 7));
    fleet_done(&fleet);
}

/* A host that is met late need not settle here when it has at home. */
static void who_has_settled_at_home_votes_at_once(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 4, POLICY_MUTUAL);
    fleet.mesh = true;
    fleet.node[2].result = fleet.node[3].result = POLL_TIMEOUT;
    fleet_rounds(&fleet, 4000);
    fleet.node[2].result = fleet.node[3].result = POLL_OK;
    fleet.node[2].settled = true;
    fleet_round(&fleet);
    assert_int_equal(fleet_node(&fleet, 2)->ineligible, ELIGIBLE);
    assert_int_equal(fleet_node(&fleet, 3)->ineligible, INELIGIBLE_SETTLING);
    fleet_done(&fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_news_ages),
        cmocka_unit_test(a_process_that_is_gone_is_known_at_once),
        cmocka_unit_test(a_hung_node_is_known_by_its_host),
        cmocka_unit_test(who_does_not_answer_its_own_host_hangs),
        cmocka_unit_test(a_silent_host_is_judged_by_the_others),
        cmocka_unit_test(nobody_else_makes_nodes),
        cmocka_unit_test(who_has_settled_at_home_votes_at_once),
        cmocka_unit_test(without_the_own_node_the_others_are_believed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

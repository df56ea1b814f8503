/* Who is a member, who is known, and who is forgotten. */
#include "model_util.h"

static void members_are_who_is_in_gossip_and_not_joining(void **state)
{
    struct prober_addr stranger = fleet_address(9);
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 5, POLICY_MUTUAL);
    cluster_add(fleet.cluster, &stranger);
    fleet.node[3].status = "BOOT";
    fleet.node[3].mode = "JOINING";
    fleet.node[4].status = "LEAVING";
    fleet.node[4].mode = "LEAVING";
    fleet_round(&fleet);
    assert_int_equal(fleet.cluster->n_members, 4);
    assert_false(fleet_node(&fleet, 3)->member);
    assert_true(fleet_node(&fleet, 4)->member);
    assert_false(fleet_node(&fleet, 9)->member);
    assert_int_equal(fleet.cluster->n_known, 6);
    fleet.node[3].status = "BOOT_REPLACE";
    fleet.node[3].status_version++;
    fleet_round(&fleet);
    assert_int_equal(fleet.cluster->n_members, 4);
    fleet.node[3].status = fleet.node[3].mode = "NORMAL";
    fleet.node[3].status_version++;
    fleet_round(&fleet);
    assert_int_equal(fleet.cluster->n_members, 5);
    fleet_done(&fleet);
}

/* Long before a node announces a STATUS it is in gossip; a member that starts again has none at
 * first either. */
static void who_has_no_status_yet_is_no_member_unless_it_was_one(void **state)
{
    struct fleet fleet;

    (void)state;
    for (int speaks = 0; speaks < 2; speaks++) {
        fleet_init(&fleet, 4, POLICY_MUTUAL);
        fleet.node[3].status = "";
        fleet.node[3].mode = "JOINING";
        fleet.node[3].result = POLL_NO_MBEAN;
        fleet.detail = false;
        fleet_round(&fleet);
        assert_false(fleet_node(&fleet, 3)->member);
        fleet.detail = true;
        fleet.node[3].result = speaks ? POLL_OK : POLL_NO_MBEAN;
        fleet_rounds(&fleet, 2000);
        assert_false(fleet_node(&fleet, 3)->member);
        assert_int_equal(fleet.cluster->n_members, 3);
        fleet.node[3].status = fleet.node[3].mode = "NORMAL";
        fleet.node[3].result = POLL_OK;
        fleet_round(&fleet);
        assert_true(fleet_node(&fleet, 3)->member);
        fleet.node[3].generation++;
        fleet.node[3].status = "";
        fleet.node[3].mode = "STARTING";
        fleet.node[3].result = speaks ? POLL_OK : POLL_NO_MBEAN;
        fleet_rounds(&fleet, 2000);
        assert_true(fleet_node(&fleet, 3)->member);
        fleet_done(&fleet);
    }
}

static void members_stay_when_nobody_can_say(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet_round(&fleet);
    for (size_t i = 0; i < 3; i++)
        fleet.node[i].result = POLL_TIMEOUT;
    fleet_rounds(&fleet, 10000);
    assert_int_equal(fleet.cluster->n_members, 3);
    assert_verdicts(&fleet, "...");
    fleet_done(&fleet);
}

static void a_node_in_no_view_is_forgotten_after_its_documents_went(void **state)
{
    const struct prober_addr address = fleet_address(3);
    struct node *node;
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 4, POLICY_MUTUAL);
    fleet_round(&fleet);
    for (size_t i = 0; i < 4; i++)
        fleet.node[i].row[3] = '-';
    fleet.n = 3;
    fleet.node[3].silent = true;
    fleet.now_ms += FLEET_ROUND;
    for (size_t i = 0; i < 3; i++)
        fleet_poll(&fleet, i);
    fleet_evaluate(&fleet, false);
    assert_non_null(fleet_node(&fleet, 3));
    /* Its own view still says it is there; that is nobody else's. */
    fleet_rounds(&fleet, 3500);
    assert_null(fleet_node(&fleet, 3));
    assert_int_equal(fleet.cluster->n_sorted, 3);
    assert_int_equal(fleet.cluster->n_known, 3);
    assert_verdicts(&fleet, "rrr");

    /* Its place is the next one's, with nothing of it left. */
    node = cluster_add(fleet.cluster, &address);
    assert_int_equal(node->verdict.readiness, READINESS_UNKNOWN);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(cluster_opinion(fleet.cluster, fleet_node(&fleet, i), node),
                         LIVENESS_UNKNOWN);
    fleet_done(&fleet);
}

static void a_forgotten_node_keeps_its_place_until_cleaned(void **state)
{
    struct node *node;
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 4, POLICY_MUTUAL);
    fleet.node[3].silent = true;
    fleet_round(&fleet);
    node = fleet_node(&fleet, 3);
    for (size_t i = 0; i < 3; i++) {
        fleet.node[i].row[3] = '-';
        fleet_poll(&fleet, i);
    }
    fleet_evaluate(&fleet, true);
    assert_true(node->forgotten);
    assert_null(fleet_node(&fleet, 3));
    assert_int_equal(fleet.cluster->n_sorted, 4);
    assert_int_equal(fleet.cluster->n_known, 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(fleet_node(&fleet, i)->dirty_opinions);
    /* The documents could not be published, and it is back. */
    fleet.node[1].row[3] = 'U';
    fleet_poll(&fleet, 1);
    assert_ptr_equal(fleet_node(&fleet, 3), node);
    assert_false(node->forgotten);
    assert_true(node->dirty_verdict);
    fleet_evaluate(&fleet, true);
    cluster_clean(fleet.cluster);
    assert_ptr_equal(fleet_node(&fleet, 3), node);
    fleet_done(&fleet);
}

static void static_and_local_nodes_are_never_forgotten(void **state)
{
    const struct prober_addr fixed = fleet_address(9);
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    cluster_add(fleet.cluster, &fixed);
    fleet_round(&fleet);
    assert_int_equal(fleet_node(&fleet, 9)->verdict.readiness, NOT_READY);
    assert_true(fleet_reasons(&fleet, 9) & REASON_UNSEEN);
    fleet.node[0].result = POLL_TIMEOUT;
    fleet.node[1].row[0] = fleet.node[2].row[0] = '-';
    fleet_rounds(&fleet, 10000);
    assert_non_null(fleet_node(&fleet, 9));
    assert_non_null(fleet_node(&fleet, 0));
    fleet_done(&fleet);
}

static void nobody_is_forgotten_while_nobody_is_eligible(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet_round(&fleet);
    for (size_t i = 0; i < 3; i++)
        fleet.node[i].mode = "DRAINED";
    fleet_rows(&fleet, "U-- -U- --U");
    fleet_rounds(&fleet, 5000);
    assert_non_null(fleet_node(&fleet, 2));
    fleet_done(&fleet);
}

/* A node that starts shows endpoints that left long ago; those that take part know better. */
static void a_node_that_takes_no_part_makes_nobody_known_while_others_do(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet_round(&fleet);
    fleet.node[2].mode = "STARTING";
    fleet.node[2].row[7] = 'D';
    fleet_poll(&fleet, 2);
    assert_null(fleet_node(&fleet, 7));
    fleet_round(&fleet);
    assert_null(fleet_node(&fleet, 7));
    fleet.node[0].result = fleet.node[1].result = POLL_TIMEOUT;
    fleet_rounds(&fleet, 4000);
    assert_non_null(fleet_node(&fleet, 7));
    fleet_done(&fleet);
}

/* Whoever takes part in gossip knows who is in it, whether its opinion counts or not. */
static void who_takes_part_keeps_nodes_known(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 4, POLICY_MUTUAL);
    fleet.node[2].native = TRILEAN_FALSE;
    fleet.node[3].result = POLL_TIMEOUT;
    fleet_rows(&fleet, "UUU- UUU- UUUU ----");
    fleet_rounds(&fleet, 2000);
    assert_int_equal(fleet_node(&fleet, 2)->ineligible, INELIGIBLE_STATE);
    assert_non_null(fleet_node(&fleet, 3));
    assert_true(fleet_node(&fleet, 3)->member);
    assert_int_equal(fleet.cluster->n_members, 4);
    fleet_done(&fleet);
}

/* One that left does not: what it alone lists is gone with it. */
static void a_node_that_left_keeps_nobody_known(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 4, POLICY_MUTUAL);
    fleet.node[3].silent = true;
    fleet_round(&fleet);
    assert_non_null(fleet_node(&fleet, 3));
    fleet_rows(&fleet, "UUU- UUU- UUUU ----");
    fleet.node[2].status = "LEFT";
    fleet.node[2].status_version++;
    fleet_round(&fleet);
    assert_null(fleet_node(&fleet, 3));
    fleet_done(&fleet);
}

static void a_place_is_handed_on_empty(void **state)
{
    const struct prober_addr next = fleet_address(9);
    struct node *node;
    size_t place;
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 4, POLICY_MUTUAL);
    fleet_round(&fleet);
    place = fleet_node(&fleet, 3)->index;
    /* Node 2 is dead and cannot take back what it said of node 3. */
    fleet.node[2].result = fleet.node[3].result = POLL_REFUSED;
    fleet.node[0].row[3] = fleet.node[1].row[3] = '-';
    fleet_rounds(&fleet, 4000);
    assert_null(fleet_node(&fleet, 3));
    assert_int_equal(fleet_node(&fleet, 2)->opinions[place], LIVENESS_UP);
    node = cluster_add(fleet.cluster, &next);
    assert_int_equal(node->index, place);
    assert_int_equal(cluster_opinion(fleet.cluster, fleet_node(&fleet, 2), node), LIVENESS_UNKNOWN);
    fleet_done(&fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_who_is_in_gossip_and_not_joining),
        cmocka_unit_test(who_has_no_status_yet_is_no_member_unless_it_was_one),
        cmocka_unit_test(members_stay_when_nobody_can_say),
        cmocka_unit_test(a_node_in_no_view_is_forgotten_after_its_documents_went),
        cmocka_unit_test(a_forgotten_node_keeps_its_place_until_cleaned),
        cmocka_unit_test(static_and_local_nodes_are_never_forgotten),
        cmocka_unit_test(nobody_is_forgotten_while_nobody_is_eligible),
        cmocka_unit_test(a_node_that_takes_no_part_makes_nobody_known_while_others_do),
        cmocka_unit_test(who_takes_part_keeps_nodes_known),
        cmocka_unit_test(a_node_that_left_keeps_nobody_known),
        cmocka_unit_test(a_place_is_handed_on_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Policies and min_observers, each in every situation a cluster gets into. */
#include "model_util.h"

/* What every policy makes of one situation. */
struct situation {
    const char *name;
    const char *rows;
    const char *mutual, *unanimous, *majority, *count2;
};

static const struct situation situations[] = {
    {"one node", "U", "r", "r", "r", "."},
    {"two nodes", "UU UU", "rr", "rr", "rr", "rr"},
    {"two nodes apart", "UD DU", "r.", "..", "..", ".."},
    {"two nodes, the first accuses", "UD UU", "r.", "r.", "r.", "r."},
    {"two nodes, the second accuses", "UU DU", ".r", ".r", ".r", ".r"},
    {"all up", "UUU UUU UUU", "rrr", "rrr", "rrr", "rrr"},
    {"isolated node", "UUD UUD DDU", "rr.", "...", "...", "..."},
    {"isolated node of five", "UUUUD UUUUD UUUUD UUUUD DDDDU", "rrrr.", ".....", "rrrr.", "rrrr."},
    {"one that sees all down", "UUUUU UUUUU DDUDD UUUUU UUUUU", "rr.rr", "..r..", "rrrrr", "rrrrr"},
    {"one that all see down", "UUDUU UUDUU UUUUU UUDUU UUDUU", "rr.rr", "rr.rr", "rr.rr", "rr.rr"},
    {"one accusation", "UUUUU UUUUD UUUUU UUUUU UUUUU", "rrrr.", "rrrr.", "rrrrr", "rrrrr"},
    {"one accusation the other way", "UUUUU UUUUU UUUUU UUUUU DUUUU", ".rrrr", ".rrrr", "rrrrr",
     "rrrrr"},
    {"two accusations by one", "UUUUU DUUUD UUUUU UUUUU UUUUU", "r.rrr", ".rrr.", "rrrrr", "rrrrr"},
    {"two accusations of one", "UUUUD UUUUD UUUUU UUUUU UUUUU", "rrrr.", "rrrr.", "rrrr.", "rrrrr"},
    {"not seen by one", "UUUUU UUUU- UUUUU UUUUU UUUUU", "rrrr.", "rrrr.", "rrrrr", "rrrrr"},
    {"two against three", "UUDDD UUDDD DDUUU DDUUU DDUUU", "..rrr", ".....", ".....", "..rrr"},
    {"three against two", "UUUDD UUUDD UUUDD DDDUU DDDUU", "rrr..", ".....", ".....", "rrr.."},
    {"three against three", "UUUDDD UUUDDD UUUDDD DDDUUU DDDUUU DDDUUU", "rrr...", "......",
     "......", "rrrrrr"},
    {"two pairs of one", "UDD DUD DDU", "...", "...", "...", "..."},
};

static void check(const struct situation *situation, enum policy policy, const char *expected)
{
    size_t n = strcspn(situation->rows, " ");
    struct readiness_settings settings = fleet_settings(policy);
    struct fleet fleet;

    assert_int_equal(strlen(expected), n);
    settings.count = 2;
    fleet_init(&fleet, n, policy);
    cluster_set_readiness(fleet.cluster, &settings);
    fleet_rows(&fleet, situation->rows);
    fleet_round(&fleet);
    fleet_round(&fleet);
    if (strcmp(fleet_text(&fleet), expected) != 0)
        fail_msg("%s, policy %d: %s instead of %s", situation->name, policy, fleet_text(&fleet),
                 expected);
    fleet_done(&fleet);
}

static void every_policy_in_every_situation(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(situations) / sizeof(situations[0]); i++) {
        check(&situations[i], POLICY_MUTUAL, situations[i].mutual);
        check(&situations[i], POLICY_UNANIMOUS, situations[i].unanimous);
        check(&situations[i], POLICY_MAJORITY, situations[i].majority);
        check(&situations[i], POLICY_COUNT, situations[i].count2);
    }
}

static void a_crashed_node_is_not_ready_under_any_policy(void **state)
{
    (void)state;
    for (enum policy policy = POLICY_MUTUAL; policy <= POLICY_COUNT; policy++) {
        struct readiness_settings settings = fleet_settings(policy);
        struct fleet fleet;

        settings.count = 2;
        fleet_init(&fleet, 5, policy);
        cluster_set_readiness(fleet.cluster, &settings);
        fleet_round(&fleet);
        assert_verdicts(&fleet, "rrrrr");
        fleet_crash(&fleet, 3);
        fleet_round(&fleet);
        fleet_round(&fleet);
        assert_verdicts(&fleet, "rrr.r");
        /* Its view counts until it is too old; then it is judged by the others alone. */
        fleet_rounds(&fleet, 4000);
        assert_verdicts(&fleet, "rrr.r");
        assert_true(fleet_reasons(&fleet, 3) & REASON_DOWN);
        assert_int_equal(fleet_node(&fleet, 3)->verdict.down, 4);
        assert_int_equal(fleet_node(&fleet, 3)->verdict.counted, 4);
        fleet_done(&fleet);
    }
}

static void a_refused_jmx_alone_takes_nothing_from_a_node(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet_round(&fleet);
    fleet.node[1].result = POLL_REFUSED;
    fleet_rounds(&fleet, 10000);
    assert_verdicts(&fleet, "rrr");
    assert_int_equal(fleet_node(&fleet, 1)->ineligible, INELIGIBLE_NO_VIEW);
    fleet_done(&fleet);
}

static void a_lie_counts_among_voters_from_its_second_round(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 5, POLICY_MUTUAL);
    fleet_round(&fleet);
    memcpy(fleet.node[2].row, "DDUDD", 5);
    fleet_round(&fleet);
    assert_verdicts(&fleet, "rrrrr");
    fleet_round(&fleet);
    assert_verdicts(&fleet, "rr.rr");
    assert_int_equal(fleet_reasons(&fleet, 2), REASON_LOST_VOTE);
    assert_true(fleet_node(&fleet, 2)->lost_vote);
    assert_false(fleet_node(&fleet, 2)->voter);
    assert_true(fleet_node(&fleet, 1)->voter);
    memset(fleet.node[2].row, 'U', 5);
    fleet_round(&fleet);
    assert_verdicts(&fleet, "rrrrr");
    fleet_done(&fleet);
}

static void a_lie_told_every_other_time_is_never_confirmed(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 4, POLICY_MUTUAL);
    for (int i = 0; i < 10; i++) {
        memcpy(fleet.node[2].row, i % 2 ? "DDUD" : "UUUU", 4);
        fleet_round(&fleet);
        assert_verdicts(&fleet, "rrrr");
    }
    fleet_done(&fleet);
}

static void down_and_not_listed_are_one_conflict(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 4, POLICY_MUTUAL);
    fleet_round(&fleet);
    memcpy(fleet.node[2].row, "DDUD", 4);
    fleet_round(&fleet);
    memcpy(fleet.node[2].row, "--U-", 4);
    fleet_round(&fleet);
    assert_verdicts(&fleet, "rr.r");
    fleet_done(&fleet);
}

static void failed_polls_confirm_nothing(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 4, POLICY_MUTUAL);
    fleet_round(&fleet);
    memcpy(fleet.node[2].row, "DDUD", 4);
    fleet_round(&fleet);
    fleet.node[2].result = POLL_TIMEOUT;
    fleet_rounds(&fleet, 2000);
    assert_verdicts(&fleet, "rrrr");
    fleet.node[2].result = POLL_OK;
    fleet_round(&fleet);
    assert_verdicts(&fleet, "rr.r");
    fleet_done(&fleet);
}

static void a_voter_is_believed_at_once_about_a_node_without_a_vote(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 4, POLICY_MUTUAL);
    fleet.node[3].result = POLL_AUTH; /* never a view of its own */
    fleet_round(&fleet);
    assert_verdicts(&fleet, "rrrr");
    fleet.node[1].row[3] = 'D';
    fleet_round(&fleet);
    assert_verdicts(&fleet, "rrr.");
    assert_int_equal(fleet_reasons(&fleet, 3), REASON_DOWN);
    fleet_done(&fleet);
}

static void nobody_is_ready_whom_nobody_sees_up(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet_crash(&fleet, 2);
    fleet.node[0].row[1] = 'D';
    fleet_round(&fleet);
    /* The only witness of node 1 sees it as DOWN, once: no conflict yet, but no witness either. */
    assert_verdicts(&fleet, "r..");
    fleet_done(&fleet);
}

static void a_lone_observer_is_no_witness_of_its_own(void **state)
{
    static const char *const expected[] = {"...", "r..", "...", "..."};

    (void)state;
    for (enum policy policy = POLICY_MUTUAL; policy <= POLICY_COUNT; policy++) {
        struct readiness_settings settings = fleet_settings(policy);
        struct fleet fleet;

        settings.count = 1;
        fleet_init(&fleet, 3, policy);
        cluster_set_readiness(fleet.cluster, &settings);
        fleet_crash(&fleet, 1);
        fleet_crash(&fleet, 2);
        fleet_round(&fleet);
        fleet_round(&fleet);
        assert_verdicts(&fleet, expected[policy]);
        if (policy == POLICY_MUTUAL)
            assert_int_equal(fleet_reasons(&fleet, 0), REASON_FEW_OBSERVERS);
        fleet_done(&fleet);
    }
}

/* `needed` as a number and as a majority of all members, with so many nodes dead. */
static void min_observers_counts_the_others(void **state)
{
    static const struct {
        size_t n, dead;
        unsigned min_observers; /* 0 = majority */
        const char *expected;
    } cases[] = {
        {5, 0, 4, "rrrrr"}, {5, 0, 5, "....."}, {5, 2, 2, "rrr.."},  {5, 2, 3, "....."},
        {5, 2, 0, "rrr.."}, {5, 3, 0, "....."}, {3, 1, 0, "rr."},    {3, 2, 0, "..."},
        {4, 1, 0, "rrr."},  {4, 2, 0, "...."},  {6, 3, 0, "......"}, {6, 2, 0, "rrrr.."},
        {2, 0, 2, "rr"},    {2, 1, 0, ".."},    {2, 0, 0, "rr"},     {1, 0, 0, "r"},
        {1, 0, 2, "."},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct readiness_settings settings = fleet_settings(POLICY_MUTUAL);
        struct fleet fleet;

        settings.min_observers = cases[i].min_observers;
        settings.min_majority = cases[i].min_observers == 0;
        fleet_init(&fleet, cases[i].n, POLICY_MUTUAL);
        cluster_set_readiness(fleet.cluster, &settings);
        for (size_t k = 0; k < cases[i].dead; k++)
            fleet_crash(&fleet, cases[i].n - 1 - k);
        fleet_round(&fleet);
        fleet_round(&fleet);
        if (strcmp(fleet_text(&fleet), cases[i].expected) != 0)
            fail_msg("case %zu: %s instead of %s", i, fleet_text(&fleet), cases[i].expected);
        fleet_done(&fleet);
    }
}

static void a_majority_is_of_all_members_also_on_the_small_side(void **state)
{
    struct readiness_settings settings = fleet_settings(POLICY_MUTUAL);
    struct fleet fleet;

    (void)state;
    settings.min_majority = true;
    fleet_init(&fleet, 5, POLICY_MUTUAL);
    cluster_set_readiness(fleet.cluster, &settings);
    fleet_round(&fleet);
    assert_verdicts(&fleet, "rrrrr");
    /* This collector reaches nodes 0 and 1 alone, and those see nobody else. */
    fleet_rows(&fleet, "UUDDD UUDDD UUDDD UUDDD UUDDD");
    for (size_t i = 2; i < 5; i++)
        fleet.node[i].result = POLL_TIMEOUT;
    fleet_rounds(&fleet, 4000);
    assert_verdicts(&fleet, ".....");
    assert_true(fleet_reasons(&fleet, 0) & REASON_FEW_OBSERVERS);
    assert_int_equal(fleet_node(&fleet, 0)->verdict.counted, 1);
    assert_int_equal(fleet_node(&fleet, 0)->verdict.needed, 2);
    fleet_done(&fleet);
}

static void count_asks_for_so_many_that_see_it_up(void **state)
{
    struct readiness_settings settings = fleet_settings(POLICY_COUNT);
    struct fleet fleet;

    (void)state;
    settings.count = 3;
    fleet_init(&fleet, 5, POLICY_COUNT);
    cluster_set_readiness(fleet.cluster, &settings);
    fleet_rows(&fleet, "UUUUU UUUUD UUUUU UUUUU UUUUU");
    fleet_round(&fleet);
    assert_verdicts(&fleet, "rrrrr");
    fleet_rows(&fleet, "UUUUU UUUUD UUUUD UUUUU UUUUU");
    fleet_round(&fleet);
    assert_verdicts(&fleet, "rrrr.");
    assert_int_equal(fleet_reasons(&fleet, 4), REASON_DOWN);
    fleet_crash(&fleet, 0);
    fleet_crash(&fleet, 1);
    fleet_rounds(&fleet, 4000);
    assert_verdicts(&fleet, ".....");
    assert_int_equal(fleet_reasons(&fleet, 3), REASON_FEW_OBSERVERS);
    fleet_done(&fleet);
}

static void the_figures_of_a_verdict_add_up(void **state)
{
    struct fleet fleet;
    const struct verdict *verdict;

    (void)state;
    fleet_init(&fleet, 6, POLICY_UNANIMOUS);
    fleet_rows(&fleet, "UUUUU- UUUUUD UUUUUU UUUUUU UUUUUD UUUUUU");
    fleet_round(&fleet);
    verdict = &fleet_node(&fleet, 5)->verdict;
    assert_int_equal(verdict->counted, 6);
    assert_int_equal(verdict->up, 3);
    assert_int_equal(verdict->down, 2);
    assert_int_equal(verdict->unseen, 1);
    assert_int_equal(verdict->reasons, REASON_DOWN | REASON_UNSEEN);
    assert_verdicts(&fleet, "rrrrr.");
    fleet_done(&fleet);
}

/* A rolling restart of three: one is just back and settles, the next one drains. */
static void who_settles_is_a_witness_for_whom_it_sees(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet_rounds(&fleet, 1000);
    fleet.node[0].result = POLL_REFUSED;
    fleet_rounds(&fleet, 4000);
    fleet.node[0].result = POLL_OK;
    fleet_round(&fleet);
    assert_int_equal(fleet_node(&fleet, 0)->ineligible, INELIGIBLE_SETTLING);
    fleet.node[1].mode = "DRAINING";
    fleet_round(&fleet);
    assert_int_equal(fleet_node(&fleet, 0)->ineligible, INELIGIBLE_SETTLING);
    assert_int_equal(fleet_node(&fleet, 2)->verdict.readiness, READY);
    assert_int_equal(fleet_node(&fleet, 2)->verdict.counted, 1);
    /* What it does not see UP yet is no accusation. */
    fleet.node[0].row[2] = 'D';
    fleet_round(&fleet);
    assert_int_equal(fleet_node(&fleet, 2)->verdict.reasons, REASON_FEW_OBSERVERS);
    assert_int_equal(fleet_node(&fleet, 2)->verdict.counted, 0);
    fleet_done(&fleet);
}

/* A node that is new, and of which gossip has not told everybody yet, is judged by those that know
 * it. */
static void who_has_not_heard_of_a_new_node_says_nothing(void **state)
{
    struct fleet fleet;

    (void)state;
    for (enum policy policy = POLICY_MUTUAL; policy <= POLICY_UNANIMOUS; policy++) {
        fleet_init(&fleet, 4, policy);
        fleet.node[3].result = POLL_TIMEOUT;
        for (size_t i = 0; i < 4; i++)
            fleet.node[i].row[3] = '-';
        fleet_rounds(&fleet, 4000);
        fleet.node[0].row[3] = fleet.node[1].row[3] = 'U';
        fleet_rounds(&fleet,
                     5500); /* without a view of its own it is taken for joining that long */
        assert_true(fleet_node(&fleet, 3)->verdict.reasons & REASON_UNSEEN);
        fleet_done(&fleet);

        fleet_init(&fleet, 4, policy);
        for (size_t i = 0; i < 4; i++)
            fleet.node[3].row[i] = fleet.node[i].row[3] = i < 3 ? '-' : 'U';
        fleet.node[3].result = POLL_TIMEOUT;
        fleet_rounds(&fleet, 4000);
        fleet.node[3].result = POLL_OK;
        memcpy(fleet.node[3].row, "UUUU", 4);
        fleet.node[0].row[3] = fleet.node[1].row[3] = 'U';
        fleet_rounds(&fleet, 4000);
        assert_int_equal(fleet_node(&fleet, 3)->verdict.readiness, READY);
        assert_int_equal(fleet_node(&fleet, 2)->verdict.readiness, READY);
        assert_int_equal(fleet_node(&fleet, 3)->verdict.counted, 2);
        /* Now it is no news any more. */
        fleet_rounds(&fleet, 2000);
        assert_false(fleet_node(&fleet, 2)->verdict.readiness == READY &&
                     fleet_node(&fleet, 3)->verdict.readiness == READY);
        fleet_done(&fleet);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_policy_in_every_situation),
        cmocka_unit_test(a_crashed_node_is_not_ready_under_any_policy),
        cmocka_unit_test(a_refused_jmx_alone_takes_nothing_from_a_node),
        cmocka_unit_test(a_lie_counts_among_voters_from_its_second_round),
        cmocka_unit_test(a_lie_told_every_other_time_is_never_confirmed),
        cmocka_unit_test(down_and_not_listed_are_one_conflict),
        cmocka_unit_test(failed_polls_confirm_nothing),
        cmocka_unit_test(a_voter_is_believed_at_once_about_a_node_without_a_vote),
        cmocka_unit_test(nobody_is_ready_whom_nobody_sees_up),
        cmocka_unit_test(a_lone_observer_is_no_witness_of_its_own),
        cmocka_unit_test(min_observers_counts_the_others),
        cmocka_unit_test(a_majority_is_of_all_members_also_on_the_small_side),
        cmocka_unit_test(count_asks_for_so_many_that_see_it_up),
        cmocka_unit_test(the_figures_of_a_verdict_add_up),
        cmocka_unit_test(who_has_not_heard_of_a_new_node_says_nothing),
        cmocka_unit_test(who_settles_is_a_witness_for_whom_it_sees),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

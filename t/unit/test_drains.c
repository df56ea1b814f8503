/* Drains: whom an operator took out of service, until when, and what that does to a verdict. */
#include "model/drains.h"
#include "model_util.h"

#define WALL    1700000000000LL
#define DAY_MS  (24LL * 60 * 60 * 1000)
#define ADDRESS "10.0.0.2"

static void set(struct values *values, const char *text, int64_t ttl_ms)
{
    const struct value_change change = {
        .key = "drain/" ADDRESS, .text = text, .user = "ops", .ttl_ms = ttl_ms};

    assert_int_equal(values_change(values, &change, "host-a", WALL), 0);
}

static unsigned told;

static void tell(const struct node *node, const struct drain *before, void *userdata)
{
    (void)userdata;
    assert_string_equal(node->text, ADDRESS);
    assert_true(node->drain.on || before->on);
    told++;
}

static int64_t apply(struct fleet *fleet, const struct values *values, int64_t wall_ms)
{
    return drains_apply(fleet->cluster, values, wall_ms, fleet->now_ms, tell, NULL);
}

/* Not ready at once, also where `fall` would wait; its opinion counts on; back when it is over. */
static void verdict(void **state)
{
    struct readiness_settings settings = fleet_settings(POLICY_MUTUAL);
    struct values values = {0};
    struct fleet fleet;

    (void)state;
    told = 0;
    settings.fall = 5;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    cluster_set_readiness(fleet.cluster, &settings);
    fleet_rounds(&fleet, 6000);
    assert_verdicts(&fleet, "rrr");
    assert_int_equal(apply(&fleet, &values, WALL), INT64_MAX);

    set(&values, "true", 0);
    assert_int_equal(apply(&fleet, &values, WALL), INT64_MAX);
    fleet_evaluate(&fleet, false);
    assert_verdicts(&fleet, "r.r");
    assert_int_equal(fleet_reasons(&fleet, 1), REASON_DRAINED);
    assert_true(fleet_node(&fleet, 1)->voter);
    assert_string_equal(fleet_node(&fleet, 1)->drain.user, "ops");
    assert_string_equal(fleet_node(&fleet, 1)->drain.host, "host-a");
    apply(&fleet, &values, WALL);
    assert_int_equal(told, 1);

    set(&values, NULL, 0);
    apply(&fleet, &values, WALL);
    fleet_round(&fleet);
    assert_verdicts(&fleet, "rrr");
    assert_int_equal(told, 2);
    values_free(&values);
    fleet_done(&fleet);
}

/* However often, it is no flapping; a crash is. */
static void no_flapping(void **state)
{
    struct values values = {0};
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet_rounds(&fleet, 6000);
    for (size_t i = 0; i < 5; i++) {
        set(&values, "true", 0);
        apply(&fleet, &values, WALL);
        fleet_round(&fleet);
        assert_verdicts(&fleet, "r.r");
        set(&values, NULL, 0);
        apply(&fleet, &values, WALL);
        fleet_round(&fleet);
        assert_verdicts(&fleet, "rrr");
    }
    values_free(&values);
    fleet_done(&fleet);
}

/* Never longer than its TTL after it was heard of, whatever the time of day is set to. */
static void clocks(void **state)
{
    struct values values = {0};
    const struct node *node;
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet_rounds(&fleet, 6000);
    node = fleet_node(&fleet, 1);
    set(&values, "true", 10000);
    assert_int_equal(apply(&fleet, &values, WALL), 10000);
    fleet.now_ms += 4000;
    assert_int_equal(apply(&fleet, &values, WALL + 4000), 6000);
    /* Set back by a day: what is left is counted by the clock that nobody sets. */
    assert_int_equal(apply(&fleet, &values, WALL - DAY_MS), 6000);
    assert_true(node->drain.on);
    fleet.now_ms += 5999;
    assert_int_equal(apply(&fleet, &values, WALL - DAY_MS), 1);
    fleet.now_ms += 1;
    assert_int_equal(apply(&fleet, &values, WALL - DAY_MS), INT64_MAX);
    assert_false(node->drain.on);

    /* Set forward: over. */
    set(&values, "true", 10000);
    assert_int_equal(apply(&fleet, &values, WALL), 10000);
    assert_int_equal(apply(&fleet, &values, WALL + DAY_MS), INT64_MAX);
    assert_false(node->drain.on);

    /* Heard of with a clock that is a day late. */
    set(&values, "true", 10000);
    assert_int_equal(apply(&fleet, &values, WALL - DAY_MS), 10000);
    /* Said anew: the time begins anew. */
    fleet.now_ms += 9000;
    set(&values, "true", 20000);
    assert_int_equal(apply(&fleet, &values, WALL), 20000);
    values_free(&values);
    fleet_done(&fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdict),
        cmocka_unit_test(no_flapping),
        cmocka_unit_test(clocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

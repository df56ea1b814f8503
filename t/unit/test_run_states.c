/* Run states: their texts, what they do to a verdict, how long a TERMINATE holds; requests for
 * them. */
#include "control/requests.h"
#include "control/value_body.h"
#include "model/run_states.h"
#include "model_util.h"

#define WALL    1700000000000LL
#define ADDRESS "10.0.0.2"

static void set(struct values *values, const char *text)
{
    const struct value_change change = {.key = RUN_STATE_KEY ADDRESS, .text = text, .user = "ops"};

    assert_int_equal(values_change(values, &change, "host-a", WALL), 0);
}

static void texts(void **state)
{
    static const char *const good[] = {"\"RUN\"", "\"STOP\"", "\"RESTART\"", "\"TERMINATE\"",
                                       "\"TERMINATE 00000000-0000-0000-0000-00000000000a\""};
    static const char *const bad[] = {"",
                                      "\"",
                                      "\"\"",
                                      "RUN",
                                      "\"run\"",
                                      "\"RUN \"",
                                      "\"STOP a\"",
                                      "\"TERMINATE \"",
                                      "\"TERMINATE x\"",
                                      "\"TERMINATE 0 0\"",
                                      "\"TERMINATE 0123456789012345678901234567890123456789\""};
    char text[RUN_STATE_TEXT_LEN], host_id[HOST_ID_LEN];
    enum run_state read;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        json_t *value = json_loads(good[i], JSON_DECODE_ANY, NULL);

        assert_true(run_state_read(good[i], &read, host_id));
        run_state_text(read, host_id, text);
        assert_string_equal(text, good[i]);
        assert_true(value_body_is(RUN_STATE_KEY ADDRESS, value));
        json_decref(value);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (run_state_read(bad[i], &read, host_id))
            fail_msg("%s", bad[i]);
    assert_string_equal(run_state_word(RUN_STATE_TERMINATE), "TERMINATE");
}

/* Which verdicts "rrr" become with each. */
static void verdict(void **state)
{
    static const struct {
        const char *text, *verdicts;
        enum run_state state;
    } table[] = {
        {"\"STOP\"", "r.r", RUN_STATE_STOP},
        {"\"RUN\"", "rrr", RUN_STATE_RUN},
        {"\"RESTART\"", "rrr", RUN_STATE_RESTART},
        {"\"TERMINATE\"", "r.r", RUN_STATE_TERMINATE},
        {NULL, "rrr", RUN_STATE_RUN},
    };
    struct values values = {0};
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet_rounds(&fleet, 6000);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const struct node *node = fleet_node(&fleet, 1);

        set(&values, table[i].text);
        run_states_apply(fleet.cluster, &values);
        fleet_round(&fleet);
        assert_verdicts(&fleet, table[i].verdicts);
        assert_int_equal(node->run.state, table[i].state);
        assert_int_equal(fleet_reasons(&fleet, 1),
                         table[i].verdicts[1] == '.' ? REASON_RUN_STATE : 0);
        assert_true(node->voter); /* its opinion counts on */
    }
    run_states_restarting(fleet.cluster, &fleet_node(&fleet, 1)->address);
    fleet_round(&fleet);
    assert_verdicts(&fleet, "r.r");
    run_states_restarting(fleet.cluster, &(struct prober_addr){0});
    fleet_round(&fleet);
    assert_verdicts(&fleet, "rrr");
    values_free(&values);
    fleet_done(&fleet);
}

static void terminated(void **state)
{
    struct values values = {0};
    struct fleet fleet;
    struct node *node;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet_rounds(&fleet, 6000);
    node = fleet_node(&fleet, 1);
    snprintf(node->gossip.host_id, sizeof(node->gossip.host_id), "ABC-1");
    set(&values, "\"TERMINATE abc-1\"");
    run_states_apply(fleet.cluster, &values);
    assert_int_equal(node->run.state, RUN_STATE_TERMINATE);
    snprintf(node->gossip.host_id, sizeof(node->gossip.host_id), "ABC-2");
    run_states_apply(fleet.cluster, &values);
    assert_int_equal(node->run.state, RUN_STATE_RUN);
    assert_false(node->run.said);
    values_free(&values);
    fleet_done(&fleet);
}

static unsigned request(const struct fleet *fleet, const char *method, const char *path,
                        const char *body, const char *expected)
{
    struct values values = {0};
    struct request_change change;
    char line[REQUEST_LINE_LEN];
    const char *allow;
    unsigned status = request_read(fleet->cluster, &values, "local", method, path, NULL, body,
                                   strlen(body), &change, line, &allow);

    if (status == 0)
        assert_string_equal(change.text, expected);
    else
        assert_true(line[0]);
    request_change_done(&change);
    return status;
}

static void requests(void **state)
{
    static const char path[] = "/nodes/" ADDRESS "/runstate";
    struct fleet fleet;
    struct node *node;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet_rounds(&fleet, 6000);
    node = fleet_node(&fleet, 1);
    snprintf(node->gossip.host_id, sizeof(node->gossip.host_id), "abc-1");
    assert_int_equal(request(&fleet, "PUT", path, "STOP\n", "\"STOP\""), 0);
    assert_int_equal(request(&fleet, "PUT", path, "TERMINATE", "\"TERMINATE abc-1\""), 0);
    assert_int_equal(request(&fleet, "PUT", path, "stop", NULL), 400);
    assert_int_equal(request(&fleet, "PUT", path, "", NULL), 400);
    assert_int_equal(request(&fleet, "PUT", path, "RESTARTING", NULL), 400);
    assert_int_equal(request(&fleet, "DELETE", path, "", NULL), 405);
    assert_int_equal(request(&fleet, "PUT", "/nodes/10.0.0.99/runstate", "RUN", NULL), 404);
    assert_int_equal(request(&fleet, "PUT", "/nodes/x/runstate", "RUN", NULL), 404);
    node->run.state = RUN_STATE_TERMINATE;
    assert_int_equal(request(&fleet, "PUT", path, "RUN", NULL), 403);
    assert_int_equal(request(&fleet, "PUT", path, "TERMINATE", "\"TERMINATE abc-1\""), 0);
    fleet_done(&fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(verdict),
        cmocka_unit_test(terminated),
        cmocka_unit_test(requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

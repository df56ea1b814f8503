/* Health-check history: what is one entry, how it shows, and what goes when there are too many. */
#include "model/history.h"
#include "model_util.h"
#include "publish/render_history.h"

struct past {
    struct fleet fleet;
    struct history history;
};

static void begin(struct past *past)
{
    *past = (struct past){0};
    fleet_init(&past->fleet, 4, POLICY_MUTUAL);
}

static void end(struct past *past)
{
    history_free(&past->history);
    fleet_done(&past->fleet);
}

static void rounds(struct past *past, int n)
{
    for (int i = 0; i < n; i++) {
        fleet_round(&past->fleet);
        assert_true(history_add(&past->history, past->fleet.cluster, past->fleet.now_ms));
    }
}

static const struct node_history *of(const struct past *past, size_t i)
{
    return history_of(&past->history, fleet_node(&past->fleet, i));
}

static const struct history_entry *last(const struct past *past, size_t i)
{
    return &of(past, i)->items[of(past, i)->n - 1];
}

static void what_stays_the_same_is_one_entry(void **state)
{
    struct past past;

    (void)state;
    begin(&past);
    rounds(&past, 10);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(of(&past, i)->n, 1);
        assert_int_equal(last(&past, i)->checks, 10);
        assert_int_equal(last(&past, i)->from_ms, past.fleet.now_ms - 9 * FLEET_ROUND);
        assert_int_equal(last(&past, i)->to_ms, past.fleet.now_ms);
        assert_int_equal(last(&past, i)->verdict, READY);
        assert_string_equal(last(&past, i)->mode, "NORMAL");
        assert_string_equal(last(&past, i)->status, "NORMAL");
        assert_int_equal(last(&past, i)->native, TRILEAN_TRUE);
        assert_int_equal(last(&past, i)->up, 3);
        assert_int_equal(last(&past, i)->counted, 3);
    }
    end(&past);
}

/* Each step changes something of node 3, or of another one; how many entries there are then. */
static void what_changes_is_another_entry(void **state)
{
    struct past past;
    struct fleet_node *node;

    (void)state;
    begin(&past);
    node = &past.fleet.node[3];
    rounds(&past, 20);
    assert_int_equal(of(&past, 3)->n, 1);
    node->native = TRILEAN_FALSE;
    rounds(&past, 2);
    assert_int_equal(of(&past, 3)->n, 2);
    assert_int_equal(last(&past, 3)->verdict, NOT_READY);
    assert_int_equal(last(&past, 3)->reasons, REASON_NATIVE_OFF);
    assert_int_equal(last(&past, 3)->checks, 2);
    node->mode = "DRAINED";
    rounds(&past, 1);
    assert_int_equal(of(&past, 3)->n, 3);
    node->mode = "a mode with a name that is far too long";
    rounds(&past, 2);
    assert_int_equal(of(&past, 3)->n, 4);
    assert_string_equal(last(&past, 3)->mode, "a mode with a name ");
    assert_int_equal(last(&past, 3)->checks, 2);
    /* The others' count of those that count is another now: that is no entry of theirs. */
    assert_int_equal(of(&past, 0)->n, 1);
    assert_int_equal(last(&past, 0)->counted, 2);
    end(&past);
}

static void run_states_are_told_as_they_were(void **state)
{
    struct render_context context = {.wall_offset_ms = 1800000000000LL - FLEET_START};
    struct past past;
    struct node *node;
    struct text text = {0};

    (void)state;
    begin(&past);
    rounds(&past, 2);
    node = fleet_node(&past.fleet, 3);
    node->run.state = RUN_STATE_STOP;
    rounds(&past, 2);
    node->run.state = RUN_STATE_TERMINATE;
    rounds(&past, 2);
    node->run = (struct node_run){.restarting = true};
    rounds(&past, 2);
    node->run = (struct node_run){0};
    rounds(&past, 1);
    context.cluster = past.fleet.cluster;
    render_history(&text, &context, node, of(&past, 3));
    text_add(&text, "", 1);
    assert_int_equal(of(&past, 3)->n, 5);
    assert_non_null(strstr(text.data, "[\"run state STOP\"]"));
    assert_non_null(strstr(text.data, "[\"run state TERMINATE\"]"));
    assert_non_null(strstr(text.data, "[\"is being restarted\"]"));
    assert_null(strstr(text.data, "run state RUN"));
    text_free(&text);
    end(&past);
}

static void another_node_begins_anew(void **state)
{
    struct past past;
    struct node *node;

    (void)state;
    begin(&past);
    rounds(&past, 3);
    node = fleet_node(&past.fleet, 2);
    /* Its place is another's. */
    past.history.nodes[node->index].address.bytes[15] ^= 1;
    assert_null(of(&past, 2));
    rounds(&past, 1);
    assert_int_equal(of(&past, 2)->n, 1);
    assert_int_equal(last(&past, 2)->checks, 1);
    node->forgotten = true;
    assert_true(history_add(&past.history, past.fleet.cluster, past.fleet.now_ms));
    assert_null(history_of(&past.history, node));
    node->forgotten = false;
    end(&past);
}

/* Whatever comes: bounded, in order, without a gap in the count of what is left, and no two
 * neighbours that are the same. */
static void bounded_and_in_order(void **state)
{
    static const char *const modes[] = {"NORMAL", "DRAINED", "LEAVING"};
    struct past past;

    (void)state;
    begin(&past);
    srand(11);
    for (int i = 0; i < 3000; i++) {
        struct fleet_node *node = &past.fleet.node[rand() % 4];

        if (rand() % 2)
            node->native = rand() % 2 ? TRILEAN_TRUE : TRILEAN_FALSE;
        else
            node->mode = modes[rand() % 3];
        rounds(&past, 1);
    }
    for (size_t n = 0; n < 4; n++) {
        const struct node_history *history = of(&past, n);

        assert_int_equal(history->n, HISTORY_MAX);
        assert_int_equal(last(&past, n)->to_ms, past.fleet.now_ms);
        for (size_t i = 0; i < history->n; i++) {
            const struct history_entry *entry = &history->items[i], *before = entry - 1;

            assert_int_equal(entry->to_ms - entry->from_ms, (entry->checks - 1) * FLEET_ROUND);
            if (i == 0)
                continue;
            assert_int_equal(entry->from_ms, before->to_ms + FLEET_ROUND);
            assert_false(entry->verdict == before->verdict && entry->reasons == before->reasons &&
                         entry->native == before->native && !strcmp(entry->mode, before->mode) &&
                         !strcmp(entry->status, before->status));
        }
    }
    assert_true(sizeof(struct history_entry) <= 88); /* as history.h says */
    end(&past);
}

static void the_document_is_newest_first(void **state)
{
    struct past past;
    struct text text = {0};
    struct render_context context = {.wall_offset_ms = 1800000000000LL - FLEET_START};

    (void)state;
    begin(&past);
    rounds(&past, 2);
    past.fleet.node[3].mode = "DRAINED";
    rounds(&past, 1);
    context.cluster = past.fleet.cluster;
    render_history(&text, &context, fleet_node(&past.fleet, 3), of(&past, 3));
    text_add(&text, "", 1);
    assert_string_equal(
        text.data,
        "{\"node\":\"10.0.0.4\",\"history\":[{\"from\":\"2027-01-15T08:00:01Z\","
        "\"to\":\"2027-01-15T08:00:01Z\",\"checks\":1,\"verdict\":\"not ready\","
        "\"reasons\":[\"mode DRAINED\"],\"mode\":\"DRAINED\",\"status\":\"NORMAL\",\"native\":true,"
        "\"up\":3,\"counted\":3},\n"
        "{\"from\":\"2027-01-15T08:00:00Z\",\"to\":\"2027-01-15T08:00:01Z\",\"checks\":2,"
        "\"verdict\":\"ready\",\"reasons\":[],\"mode\":\"NORMAL\",\"status\":\"NORMAL\","
        "\"native\":true,\"up\":3,\"counted\":3}]}\n");
    text_free(&text);
    end(&past);
}

static void reports_tell_how_polls_ended(void **state)
{
    struct past past;
    struct text text = {0};
    struct render_context context = {.wall_offset_ms = 1800000000000LL - FLEET_START};

    (void)state;
    begin(&past);
    rounds(&past, 2);
    fleet_crash(&past.fleet, 3);
    rounds(&past, 3);
    context.cluster = past.fleet.cluster;
    render_reports(&text, &context);
    text_add(&text, "", 1);
    assert_non_null(
        strstr(text.data, "{\"observer\":\"10.0.0.4\",\"reported\":\"2027-01-15T08:00:0"));
    assert_non_null(strstr(text.data, "\"result\":\"refused\""));
    assert_non_null(
        strstr(text.data, "\"polls_ok\":2,\"polls_failed\":3,\"failures\":{\"refused\":3}}"));
    assert_non_null(strstr(text.data, "\"polls_ok\":5,\"polls_failed\":0,\"failures\":{}}"));
    text_free(&text);
    end(&past);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_stays_the_same_is_one_entry),
        cmocka_unit_test(what_changes_is_another_entry),
        cmocka_unit_test(run_states_are_told_as_they_were),
        cmocka_unit_test(another_node_begins_anew),
        cmocka_unit_test(bounded_and_in_order),
        cmocka_unit_test(the_document_is_newest_first),
        cmocka_unit_test(reports_tell_how_polls_ended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

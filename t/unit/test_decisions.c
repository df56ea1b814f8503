/* The decision log: what is one entry, what goes when there are too many, and how it is kept. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/decisions_json.h"
#include "model/decisions.h"
#include "publish/render_decisions.h"

#define NOW 1800000000000LL

static struct decision_entry entry(const char *kind, const char *node, const char *what,
                                   const char *why, int64_t at_ms)
{
    struct decision_entry ret = {.at_ms = at_ms};

    snprintf(ret.kind, sizeof(ret.kind), "%s", kind);
    snprintf(ret.node, sizeof(ret.node), "%s", node);
    snprintf(ret.what, sizeof(ret.what), "%s", what);
    snprintf(ret.why, sizeof(ret.why), "%s", why);
    snprintf(ret.by, sizeof(ret.by), "automatic");
    return ret;
}

static void add(struct decisions *decisions, struct decision_entry one)
{
    uint64_t before = decisions->changes;

    assert_int_equal(decisions_add(decisions, &one), 0);
    assert_true(decisions->changes > before);
}

/* Each step: an entry some seconds after the one before; what the log is then, oldest first, as
 * "what of node xTIMES". */
static void the_same_again_only_counts(void **state)
{
    static const struct {
        const char *kind, *node, *what, *why;
        int after_s;
        const char *log;
    } steps[] = {
        {"verdict", "a", "not ready", "DOWN", 0, "not ready a x1"},
        {"verdict", "a", "not ready", "DOWN", 59, "not ready a x2"},
        /* That of another node may lie between; what happens again is the newest. */
        {"verdict", "b", "not ready", "DOWN", 1, "not ready a x2,not ready b x1"},
        {"verdict", "a", "not ready", "DOWN", 1, "not ready b x1,not ready a x3"},
        /* Another kind, too. */
        {"drain", "a", "drained", "", 1, "not ready b x1,not ready a x3,drained a x1"},
        {"verdict", "a", "not ready", "DOWN", 1, "not ready b x1,drained a x1,not ready a x4"},
        /* Another cause is another decision. */
        {"verdict", "b", "not ready", "gone", 1,
         "not ready b x1,drained a x1,not ready a x4,not ready b x1"},
        /* A change of mind and back is no repetition. */
        {"verdict", "b", "not ready", "DOWN", 1,
         "not ready b x1,drained a x1,not ready a x4,not ready b x1,not ready b x1"},
        /* Too long ago. */
        {"drain", "a", "drained", "", 61,
         "not ready b x1,drained a x1,not ready a x4,not ready b x1,not ready b x1,drained a x1"},
        /* The clock was set back by a day. */
        {"drain", "a", "drained", "", -86400,
         "not ready b x1,drained a x1,not ready a x4,not ready b x1,not ready b x1,drained a x1,"
         "drained a x1"},
    };
    struct decisions decisions = {0};
    int64_t now = NOW;

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        char log[1024] = "";

        now += steps[i].after_s * 1000LL;
        add(&decisions, entry(steps[i].kind, steps[i].node, steps[i].what, steps[i].why, now));
        for (size_t k = 0; k < decisions.n; k++)
            sprintf(log + strlen(log), "%s%s %s x%u", k > 0 ? "," : "", decisions.items[k].what,
                    decisions.items[k].node, decisions.items[k].times);
        assert_string_equal(log, steps[i].log);
    }
    decisions_free(&decisions);
}

static void first_and_last_time(void **state)
{
    struct decisions decisions = {0};

    (void)state;
    add(&decisions, entry("permit", "a", "refused", "x", NOW));
    add(&decisions, entry("permit", "a", "refused", "x", NOW + 30000));
    add(&decisions, entry("permit", "a", "refused", "x", NOW + 80000));
    assert_int_equal(decisions.n, 1);
    assert_int_equal(decisions.items[0].at_ms, NOW);
    assert_int_equal(decisions.items[0].last_ms, NOW + 80000);
    assert_int_equal(decisions.items[0].times, 3);
    assert_ptr_equal(decisions_last(&decisions, "permit", "a"), &decisions.items[0]);
    assert_null(decisions_last(&decisions, "permit", "b"));
    assert_null(decisions_last(&decisions, "job", "a"));
    decisions_free(&decisions);
}

static void what_breaks_a_line_does_not(void **state)
{
    struct decisions decisions = {0};
    struct decision_entry one = entry("value", "", "a\nb", "c\x7f\t", NOW);

    (void)state;
    memset(one.by, 'u', sizeof(one.by)); /* without an end */
    add(&decisions, one);
    add(&decisions, one);
    assert_int_equal(decisions.n, 1);
    assert_string_equal(decisions.items[0].what, "a?b");
    assert_string_equal(decisions.items[0].why, "c??");
    assert_int_equal(strlen(decisions.items[0].by), DECISION_USER_LEN - 1);
    /* Cut, but not within a character. */
    one = entry("value", "", "", "", NOW);
    memset(one.what, 'x', sizeof(one.what));
    memcpy(one.what + sizeof(one.what) - 2, "\xc3\xbc", 2);
    add(&decisions, one);
    assert_int_equal(strlen(decisions.items[1].what), DECISION_TEXT_LEN - 2);
    one.what[sizeof(one.what) - 1] = '\0';
    memcpy(one.what + sizeof(one.what) - 3, "\xc3\xbc", 2);
    add(&decisions, one);
    assert_int_equal(strlen(decisions.items[2].what), DECISION_TEXT_LEN - 1);
    decisions_free(&decisions);
}

/* Whatever comes: bounded, in the order of last times, no two that are the same one after the
 * other, and the last of each node is what was said of it last. */
static void bounded_and_in_order(void **state)
{
    static const char *const nodes[] = {"", "a", "b", "c"};
    static const char *const whats[] = {"ready", "not ready"};
    struct decisions decisions = {0};
    int64_t now = NOW;

    (void)state;
    srand(7);
    for (int i = 0; i < 20000; i++) {
        const char *node = nodes[rand() % 4], *what = whats[rand() % 2];
        const struct decision_entry *last;

        now += rand() % 40000;
        add(&decisions, entry("verdict", node, what, "", now));
        assert_true(decisions.n <= DECISIONS_MAX);
        last = decisions_last(&decisions, "verdict", node);
        assert_non_null(last);
        assert_string_equal(last->what, what);
        assert_int_equal(last->last_ms, now);
        assert_ptr_equal(last, &decisions.items[decisions.n - 1]);
    }
    assert_int_equal(decisions.n, DECISIONS_MAX);
    for (size_t i = 0; i < decisions.n; i++) {
        assert_true(decisions.items[i].at_ms <= decisions.items[i].last_ms);
        assert_true(decisions.items[i].times > 0);
        if (i > 0)
            assert_true(decisions.items[i - 1].last_ms <= decisions.items[i].last_ms);
    }
    decisions_free(&decisions);
}

/* What people did before a swarm, and in it, is still there after it; of their own the oldest go.
 */
static void what_people_did_outlives_a_swarm(void **state)
{
    static const char *const swarm[] = {"verdict", "observer", "node"};
    struct decisions decisions = {0};
    int64_t now = NOW;
    size_t people = 0;

    (void)state;
    for (int i = 0; i < 10; i++)
        add(&decisions, entry("run state", "a", i % 2 ? "RUN" : "STOP", "", now++));
    for (int i = 0; i < 3000; i++) {
        add(&decisions, entry(swarm[i % 3], "b", i % 2 ? "x" : "y", "", now++));
        if (i == 1500)
            add(&decisions, entry("suspend", "", "suspended", "", now++));
    }
    assert_int_equal(decisions.n, DECISIONS_MAX);
    for (size_t i = 0; i < decisions.n; i++)
        people += strcmp(decisions.items[i].kind, "run state") == 0 ||
                  strcmp(decisions.items[i].kind, "suspend") == 0;
    assert_int_equal(people, 11);
    for (int i = 0; i < DECISIONS_MAX + 1; i++)
        add(&decisions, entry("value", "", i % 2 ? "x" : "y", "", now++));
    assert_int_equal(decisions.n, DECISIONS_MAX);
    assert_string_equal(decisions.items[0].kind, "value");
    assert_null(decisions_last(&decisions, "suspend", ""));
    decisions_free(&decisions);
}

static void kept_and_read_again(void **state)
{
    struct decisions decisions = {0}, again = {0};
    struct text text = {0}, text_again = {0};

    (void)state;
    add(&decisions, entry("verdict", "10.0.0.3", "not ready", "DOWN by 3 of 4", NOW));
    add(&decisions, entry("value", "", "set to \"x\\y\"", "said on ü", NOW + 1));
    add(&decisions, entry("value", "", "set to \"x\\y\"", "said on ü", NOW + 2));
    render_kept_decisions(&text, &decisions);
    assert_int_equal(decisions_json_parse(text.data, text.len, &again), 0);
    assert_int_equal(again.n, 2);
    assert_int_equal(again.items[1].times, 2);
    assert_int_equal(again.items[1].last_ms, NOW + 2);
    render_kept_decisions(&text_again, &again);
    assert_int_equal(text.len, text_again.len);
    assert_memory_equal(text.data, text_again.data, text.len);
    text_free(&text);
    text_free(&text_again);
    decisions_free(&decisions);
    decisions_free(&again);
}

#define GOOD                                                                                       \
    "\"kind\":\"job\",\"node\":\"\",\"what\":\"w\",\"why\":\"\",\"by\":\"b\",\"at_ms\":1,"         \
    "\"last_ms\":2,\"times\":1"

static void what_is_none_of_ours_is_refused(void **state)
{
    static const struct {
        const char *text;
        int r;
        size_t n;
    } table[] = {
        {"", -EBADMSG, 0},
        {"[]", -EBADMSG, 0},
        {"{\"format\":2,\"decisions\":[]}", -EBADMSG, 0},
        {"{\"format\":1}", -EBADMSG, 0},
        {"{\"format\":1,\"decisions\":{}}", -EBADMSG, 0},
        {"{\"format\":1,\"decisions\":[", -EBADMSG, 0},
        {"{\"format\":1,\"decisions\":[{" GOOD "}]}", 0, 1},
        /* A part that is none does not take the others along. */
        {"{\"format\":1,\"decisions\":[1,{},{" GOOD "},{\"kind\":\"job\"}]}", 0, 1},
        {"{\"format\":1,\"decisions\":[{\"kind\":\"a name that is too long\"," GOOD "}]}", -EBADMSG,
         0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct decisions decisions = {0};

        assert_int_equal(decisions_json_parse(table[i].text, strlen(table[i].text), &decisions),
                         table[i].r);
        assert_int_equal(decisions.n, table[i].n);
        decisions_free(&decisions);
    }
}

static void the_document_is_newest_first(void **state)
{
    struct decisions decisions = {0};
    struct text text = {0};

    (void)state;
    render_decisions(&text, &decisions, "h");
    text_add(&text, "", 1);
    assert_string_equal(text.data, "{\"decisions\":[]}\n");
    text_reset(&text);
    add(&decisions, entry("verdict", "10.0.0.3", "not ready", "DOWN by 3 of 4", NOW));
    add(&decisions, entry("verdict", "10.0.0.3", "not ready", "DOWN by 3 of 4", NOW + 5000));
    add(&decisions, entry("suspend", "", "suspended", "", NOW + 6000));
    render_decisions(&text, &decisions, "h");
    text_add(&text, "", 1);
    assert_string_equal(
        text.data,
        "{\"decisions\":[{\"at\":\"2027-01-15T08:00:06Z\",\"last\":\"2027-01-15T08:00:06Z\","
        "\"times\":1,\"kind\":\"suspend\",\"node\":\"\",\"what\":\"suspended\",\"why\":\"\","
        "\"by\":\"automatic\",\"host\":\"h\"},\n"
        "{\"at\":\"2027-01-15T08:00:00Z\",\"last\":\"2027-01-15T08:00:05Z\",\"times\":2,"
        "\"kind\":\"verdict\",\"node\":\"10.0.0.3\",\"what\":\"not ready\","
        "\"why\":\"DOWN by 3 of 4\",\"by\":\"automatic\",\"host\":\"h\"}]}\n");
    text_free(&text);
    decisions_free(&decisions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_again_only_counts),
        cmocka_unit_test(first_and_last_time),
        cmocka_unit_test(what_breaks_a_line_does_not),
        cmocka_unit_test(bounded_and_in_order),
        cmocka_unit_test(what_people_did_outlives_a_swarm),
        cmocka_unit_test(kept_and_read_again),
        cmocka_unit_test(what_is_none_of_ours_is_refused),
        cmocka_unit_test(the_document_is_newest_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

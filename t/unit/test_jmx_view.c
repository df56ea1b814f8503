/* Views from JMX answers: as real nodes gave them (t/fixtures/jmx), and made ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "jmx_util.h"
#include "sources/jmx_view.h"

static const struct java_limits LIMITS = {.bytes = 8 << 20, .nodes = 600000, .handles = 262144};

static char detail[DETAIL_LEN];
static enum spelling spelling;

/* The view of answers that stand one after the other. */
static enum poll_result view_of(unsigned asked, const struct bytes *bytes, struct view **ret)
{
    struct jmx_answered answers[JMX_MAX_CALLS];
    struct java_stream *streams[JMX_MAX_CALLS] = {0};
    enum poll_result result;
    size_t n = 0, at = 0;

    for (unsigned left = asked; left != 0; n++) {
        assert_int_equal(java_stream_new(&LIMITS, &streams[n]), 0);
        answers[n].asked = questions_of_mbean(left);
        answers[n].stream = streams[n];
        left &= ~answers[n].asked;
        assert_int_equal(jmx_read_answer(streams[n], bytes->data + at, bytes->len - at, true,
                                         &answers[n].answer),
                         JAVA_OK);
        at += answers[n].answer.len;
    }
    assert_int_equal(at, bytes->len);
    *ret = NULL;
    spelling = SPELLING_UNKNOWN;
    result = jmx_view(answers, n, ret, &spelling, detail);
    for (size_t i = 0; i < JMX_MAX_CALLS; i++)
        java_stream_free(streams[i]);
    return result;
}

static struct view *view_ok(unsigned asked, struct bytes *bytes)
{
    struct view *view;
    enum poll_result result = view_of(asked, bytes, &view);

    if (result != POLL_OK)
        fail_msg("%s: %s", poll_result_word(result), detail);
    assert_string_equal(detail, "");
    bytes_free(bytes);
    return view;
}

static void view_fails(unsigned asked, struct bytes *bytes, enum poll_result expected,
                       const char *what)
{
    struct view *view;

    assert_int_equal(view_of(asked, bytes, &view), expected);
    assert_string_equal(detail, what);
    assert_null(view);
    assert_int_equal(spelling, SPELLING_UNKNOWN);
    bytes_free(bytes);
}

static void assert_recorded(const struct view *view, bool is_detail)
{
    assert_string_equal(view->cluster_name, "prober");
    assert_string_equal(view->host_id, "852873f2-c65b-4075-805d-799cc42a331c");
    assert_string_equal(view->mode, "NORMAL");
    assert_string_equal(view->release, "5.0.4");
    assert_int_equal(view->native_transport, TRILEAN_TRUE);
    assert_int_equal(view->gossip, TRILEAN_TRUE);
    assert_int_equal(view->n_opinions, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true(prober_addr_is_v4(&view->opinions[i].endpoint));
        assert_int_equal(view->opinions[i].endpoint.bytes[15], i + 1);
        assert_int_equal(view->opinions[i].liveness, LIVENESS_UP);
    }
    assert_int_equal(view->n_states, is_detail ? 2 : 0);
    assert_int_equal(view->n_phis, is_detail ? 1 : 0);
    assert_int_equal(view->hint_window_ms, is_detail ? 10800000 : 0);
    if (!is_detail)
        return;
    assert_string_equal(view->states[0].status, "NORMAL");
    assert_string_equal(view->states[0].host_id, view->host_id);
    assert_string_equal(view->states[1].datacenter, "dc2");
    assert_int_equal(view->states[1].native_port, 9042);
    assert_int_equal(view->phis[0].endpoint.bytes[15], 2);
    assert_true(view->phis[0].value > 0 && view->phis[0].value < 8);
}

static void recorded(void **state)
{
    static const struct {
        const char *name;
        bool detail;
        enum spelling asked;
    } table[] = {
        {"5.0.4/steady-node1-fast.bin", false, SPELLING_PORT},
        {"5.0.4/steady-node1-both.bin", false, SPELLING_UNKNOWN},
        {"5.0.4/steady-node1-detail.bin", true, SPELLING_PORT},
        {"5.0.4/steady-node1-detail-both.bin", true, SPELLING_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct bytes bytes = fixture_bytes(table[i].name);
        struct view *view =
            view_ok(questions_of_poll(table[i].detail, true, table[i].asked), &bytes);

        assert_int_equal(spelling, SPELLING_PORT);
        assert_recorded(view, table[i].detail);
        view_free(view);
    }
}

/* A list of attributes, its end to follow. */
static void put_list(struct bytes *bytes)
{
    put_answer(bytes, 1);
    put_collection(bytes, "java.util.ArrayList");
}

static void put_end(struct bytes *bytes)
{
    put_byte(bytes, 0x78);
}

static void put_storage(struct bytes *bytes)
{
    put_list(bytes);
    put_attribute(bytes, "OperationMode");
    put_string(bytes, "NORMAL");
    put_end(bytes);
}

/* The liveness of two endpoints in this kind of map. */
static void put_liveness(struct bytes *bytes, const char *attribute, const char *map)
{
    put_attribute(bytes, attribute);
    put_collection(bytes, map);
    put_string(bytes, "/10.0.0.1:7000");
    put_string(bytes, "UP");
    put_string(bytes, "x/10.0.0.2:7000");
    put_string(bytes, "DOWN");
    put_end(bytes);
}

#define FAST (ASK_LIVENESS_PORT | ASK_STORAGE)
#define BOTH (FAST | ASK_LIVENESS)

static void spellings(void **state)
{
    struct bytes bytes = {0};
    struct view *view;

    (void)state;
    put_list(&bytes);
    put_liveness(&bytes, "SimpleStates", "java.util.HashMap");
    put_end(&bytes);
    put_storage(&bytes);
    view = view_ok(BOTH, &bytes);
    assert_int_equal(spelling, SPELLING_PLAIN);
    assert_int_equal(view->n_opinions, 2);
    assert_int_equal(view->opinions[1].liveness, LIVENESS_DOWN);
    view_free(view);
    put_list(&bytes);
    put_liveness(&bytes, "SimpleStates", "java.util.HashMap");
    put_end(&bytes);
    put_storage(&bytes);
    view_fails(FAST, &bytes, POLL_NO_MBEAN, "FailureDetector");
}

/* Other maps than the one that is used today. */
static void other_maps(void **state)
{
    static const char *const maps[] = {"java.util.TreeMap", "java.util.HashMap"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct bytes bytes = {0};
        struct view *view;

        put_list(&bytes);
        put_attribute(&bytes, "SimpleStatesWithPort");
        put_byte(&bytes, 0x73);
        put_class_head(&bytes, "java.util.Collections$UnmodifiableMap", 2, 1);
        put_byte(&bytes, 'L');
        put_utf(&bytes, "m");
        put_string(&bytes, "Ljava/util/Map;");
        put(&bytes, "\x78\x70", 2);
        put_collection(&bytes, maps[i]);
        put_string(&bytes, "/10.0.0.1:7000");
        put_string(&bytes, "UP");
        put_end(&bytes);
        put_end(&bytes);
        put_storage(&bytes);
        view = view_ok(FAST, &bytes);
        assert_int_equal(view->n_opinions, 1);
        view_free(view);
    }
}

static void opinions_as_jolokia(void **state)
{
    struct bytes bytes = {0};
    struct view *view;

    (void)state;
    put_list(&bytes);
    put_attribute(&bytes, "SimpleStatesWithPort");
    put_collection(&bytes, "java.util.HashMap");
    put_string(&bytes, "/10.0.0.9:7000");
    put_string(&bytes, "UP");
    put_string(&bytes, "nonsense");
    put_string(&bytes, "UP");
    put_string(&bytes, "/10.0.0.1:7001");
    put_string(&bytes, "UP");
    put_string(&bytes, "/10.0.0.1:7000");
    put_string(&bytes, "DOWN");
    put_string(&bytes, "/[2001:db8::1]:7000");
    put_string(&bytes, "ALIVE");
    put_string(&bytes, "a key without a value");
    put_end(&bytes);
    put_end(&bytes);
    put_storage(&bytes);
    view = view_ok(FAST, &bytes);
    assert_int_equal(view->n_opinions, 3);
    assert_int_equal(view->opinions[0].liveness, LIVENESS_DOWN);
    assert_int_equal(view->opinions[1].liveness, LIVENESS_UP);
    assert_int_equal(view->opinions[2].liveness, LIVENESS_UNKNOWN);
    view_free(view);
}

static void storage_attributes_of(struct bytes *bytes, const char *name, const char *text,
                                  size_t len)
{
    put_list(bytes);
    put_liveness(bytes, "SimpleStatesWithPort", "java.util.HashMap");
    put_end(bytes);
    put_list(bytes);
    put_attribute(bytes, name);
    put(bytes, text, len);
    put_end(bytes);
}

static void storage(void **state)
{
    struct bytes bytes = {0};
    struct view *view;

    (void)state;
    /* What is null, or is not there, is unknown. */
    storage_attributes_of(&bytes, "OperationMode", "\x70", 1);
    view = view_ok(FAST, &bytes);
    assert_string_equal(view->mode, "");
    assert_int_equal(view->gossip, TRILEAN_UNKNOWN);
    view_free(view);
    storage_attributes_of(&bytes, "ClusterName", "\x74\x00\x07\xc3\xa9\xc0\x80\n\xed\xa0", 10);
    view = view_ok(FAST, &bytes);
    assert_string_equal(view->cluster_name, "\xc3\xa9????");
    view_free(view);
    storage_attributes_of(&bytes, "GossipRunning", "\x74\x00\x04true", 7);
    view_fails(FAST, &bytes, POLL_BAD_SHAPE, "GossipRunning is not a boolean");
    put_list(&bytes);
    put_liveness(&bytes, "SimpleStatesWithPort", "java.util.HashMap");
    put_end(&bytes);
    put_list(&bytes);
    put_attribute(&bytes, "OperationMode");
    put_boxed(&bytes, "java.lang.Integer", 'I', 1, 4);
    put_end(&bytes);
    view_fails(FAST, &bytes, POLL_BAD_SHAPE, "OperationMode is not a string");
    put_list(&bytes);
    put_liveness(&bytes, "SimpleStatesWithPort", "java.util.HashMap");
    put_end(&bytes);
    put_list(&bytes);
    put_attribute(&bytes, "GossipRunning");
    put_boxed(&bytes, "java.lang.Boolean", 'Z', 0, 1);
    put_end(&bytes);
    view = view_ok(FAST, &bytes);
    assert_int_equal(view->gossip, TRILEAN_FALSE);
    view_free(view);
}

/* Phi, hints and states may be missing or fail; of another kind they may not be. */
static void details_of_a_poll(void **state)
{
    unsigned asked = FAST | ASK_STATES_PORT | ASK_PHI_PORT | ASK_HINTS;
    struct bytes bytes = {0};
    struct view *view;

    (void)state;
    put_list(&bytes);
    put_liveness(&bytes, "SimpleStatesWithPort", "java.util.HashMap");
    put_end(&bytes);
    put_storage(&bytes);
    put_answer(&bytes, 2);
    put_exception(&bytes, "javax.management.InstanceNotFoundException", "cause");
    put_byte(&bytes, 0x70);
    view = view_ok(asked, &bytes);
    assert_null(view->states);
    assert_null(view->phis);
    assert_int_equal(view->hint_window_ms, 0);
    view_free(view);

    put_list(&bytes);
    put_liveness(&bytes, "SimpleStatesWithPort", "java.util.HashMap");
    put_attribute(&bytes, "PhiValuesWithPort");
    put_string(&bytes, "x");
    put_end(&bytes);
    put_storage(&bytes);
    put_list(&bytes);
    put_end(&bytes);
    view_fails(asked, &bytes, POLL_BAD_SHAPE, "PhiValues is not a table");

    put_list(&bytes);
    put_liveness(&bytes, "SimpleStatesWithPort", "java.util.HashMap");
    put_attribute(&bytes, "AllEndpointStatesWithPort");
    put_byte(&bytes, 0x70);
    put_end(&bytes);
    put_storage(&bytes);
    put_list(&bytes);
    put_end(&bytes);
    view_fails(asked, &bytes, POLL_BAD_SHAPE, "AllEndpointStates is not a string");

    put_list(&bytes);
    put_liveness(&bytes, "SimpleStatesWithPort", "java.util.HashMap");
    put_end(&bytes);
    put_storage(&bytes);
    put_list(&bytes);
    put_attribute(&bytes, "MaxHintWindow");
    put_boxed(&bytes, "java.lang.Double", 'D', 0, 8);
    put_end(&bytes);
    view_fails(asked, &bytes, POLL_BAD_SHAPE, "MaxHintWindow is not an integer");
}

static void shapes(void **state)
{
    struct bytes bytes = {0};

    (void)state;
    put_list(&bytes);
    put_attribute(&bytes, "SimpleStatesWithPort");
    put_collection(&bytes, "java.util.HashMap");
    put_string(&bytes, "/10.0.0.1:7000");
    put_byte(&bytes, 0x70);
    put_end(&bytes);
    put_end(&bytes);
    put_storage(&bytes);
    view_fails(FAST, &bytes, POLL_BAD_SHAPE, "SimpleStates is not a map of strings");
    put_answer(&bytes, 1);
    put_byte(&bytes, 0x70);
    put_storage(&bytes);
    view_fails(FAST, &bytes, POLL_BAD_SHAPE, "the answer of FailureDetector is not a list");
    put_list(&bytes);
    put_liveness(&bytes, "SimpleStatesWithPort", "java.util.HashMap");
    put_end(&bytes);
    put_answer(&bytes, 2);
    put_exception(&bytes, "javax.management.InstanceNotFoundException", "cause");
    put_byte(&bytes, 0x70);
    view_fails(FAST, &bytes, POLL_NO_MBEAN, "StorageService");
}

static void many_endpoints(void **state)
{
    struct bytes bytes = {0};
    char text[64];

    (void)state;
    put_list(&bytes);
    put_attribute(&bytes, "SimpleStatesWithPort");
    put_collection(&bytes, "java.util.HashMap");
    for (int i = 0; i <= MAX_ENDPOINTS; i++) {
        snprintf(text, sizeof(text), "/10.%d.%d.%d:7000", i >> 16, i >> 8 & 255, i & 255);
        put_string(&bytes, text);
        put(&bytes, "\x74\x00\x02UP", 5);
    }
    put_end(&bytes);
    put_end(&bytes);
    put_storage(&bytes);
    view_fails(FAST, &bytes, POLL_BAD_SHAPE, "SimpleStates names more than 20000 endpoints");
}

/* An answer whose parts refer to each other again and again takes no time to walk. */
static void shared_references(void **state)
{
    struct bytes bytes = {0};
    struct view *view;

    (void)state;
    put_list(&bytes);
    put_liveness(&bytes, "SimpleStatesWithPort", "java.util.HashMap");
    put_attribute(&bytes, "PhiValuesWithPort");
    put_byte(&bytes, 0x73);
    put_class_head(&bytes, "T", 2, 1);
    put_byte(&bytes, 'L');
    put_utf(&bytes, "dataMap");
    put_string(&bytes, "Ljava/util/Map;");
    put(&bytes, "\x78\x70", 2);
    put_collection(&bytes, "java.util.HashMap");
    /* The row is a key first, where it is not looked at. It has 100000 columns. */
    put_byte(&bytes, 0x73);
    put_class_head(&bytes, "R", 2, 1);
    put_byte(&bytes, 'L');
    put_utf(&bytes, "contents");
    put_string(&bytes, "Ljava/util/SortedMap;");
    put(&bytes, "\x78\x70", 2);
    put_collection(&bytes, "java.util.TreeMap");
    put_string(&bytes, "Endpoint");
    put_string(&bytes, "/10.0.0.1:7000");
    put_string(&bytes, "PHI");
    put_boxed(&bytes, "java.lang.Double", 'D', 0x3ff0000000000000, 8);
    for (int i = 0; i < 200000; i++)
        put_byte(&bytes, 0x70);
    put_end(&bytes);
    put_byte(&bytes, 0x70);
    /* 20000 rows, all the same one: its handle is 25. */
    for (int i = 1; i < 20000; i++) {
        put_byte(&bytes, 0x70);
        put_reference(&bytes, 25);
    }
    put_end(&bytes);
    put_end(&bytes);
    put_storage(&bytes);
    view = view_ok(FAST | ASK_PHI_PORT, &bytes);
    assert_int_equal(view->n_phis, 1);
    assert_true(view->phis[0].value == 1);
    view_free(view);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded),
        cmocka_unit_test(spellings),
        cmocka_unit_test(other_maps),
        cmocka_unit_test(opinions_as_jolokia),
        cmocka_unit_test(storage),
        cmocka_unit_test(details_of_a_poll),
        cmocka_unit_test(shapes),
        cmocka_unit_test(many_endpoints),
        cmocka_unit_test(shared_references),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

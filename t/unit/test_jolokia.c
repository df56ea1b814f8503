/* Jolokia's JSON: answers recorded from real nodes (t/fixtures/jolokia), and bad ones. Run from the
 * top directory. */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sources/jolokia.h"

#define FAST   (ASK_LIVENESS_PORT | ASK_STORAGE)
#define DETAIL (FAST | ASK_STATES_PORT | ASK_PHI_PORT | ASK_HINTS)
#define BOTH   (FAST | ASK_LIVENESS)

#define GOOD_STORAGE                                                                               \
    "{\"status\":200,\"value\":{\"OperationMode\":\"NORMAL\",\"ClusterName\":\"c\"}}"
#define GOOD_LIVENESS "{\"status\":200,\"value\":{\"/10.0.0.1:7000\":\"UP\"}}"

static char detail[128];
static enum spelling spelling;

static struct view *parse_ok(unsigned questions, const char *body, size_t len)
{
    struct view *view = NULL;
    enum poll_result result = jolokia_parse(questions, body, len, &view, &spelling, detail);

    if (result != POLL_OK)
        fail_msg("%s: %s", poll_result_word(result), detail);
    assert_string_equal(detail, "");
    assert_non_null(view);
    return view;
}

static void parse_fails(unsigned questions, const char *body, size_t len, enum poll_result expected)
{
    struct view *view = NULL;
    enum poll_result result;

    spelling = SPELLING_UNKNOWN;
    result = jolokia_parse(questions, body, len, &view, &spelling, detail);
    if (result != expected)
        fail_msg("%.100s: %s (%s), not %s", body, poll_result_word(result), detail,
                 poll_result_word(expected));
    assert_null(view);
    assert_int_equal(spelling, SPELLING_UNKNOWN);
}

static char *read_file(const char *path, size_t *ret_len)
{
    FILE *file = fopen(path, "r");
    char *body = malloc(1 << 20);

    if (!file)
        fail_msg("%s: not there", path);
    assert_non_null(body);
    *ret_len = fread(body, 1, 1 << 20, file);
    fclose(file);
    return body;
}

static struct view *fixture(const char *name, unsigned questions)
{
    char path[256];
    struct view *view;
    size_t len;
    char *body;

    snprintf(path, sizeof(path), "t/fixtures/jolokia/5.0.4/%s", name);
    body = read_file(path, &len);
    view = parse_ok(questions, body, len);
    free(body);
    return view;
}

static void assert_address(const struct prober_addr *address, int last)
{
    /* The network of a recording is what the kernel had free. */
    assert_true(prober_addr_is_v4(address));
    assert_int_equal(address->bytes[15], last);
}

static void recorded_steady(void **state)
{
    struct view *view = fixture("steady-node1-detail.json", DETAIL);

    (void)state;
    assert_string_equal(view->cluster_name, "prober");
    assert_string_equal(view->mode, "NORMAL");
    assert_string_equal(view->release, "5.0.4");
    assert_int_equal(strlen(view->host_id), 36);
    assert_int_equal(view->native_transport, TRILEAN_TRUE);
    assert_int_equal(view->gossip, TRILEAN_TRUE);
    assert_int_equal(view->n_opinions, 3);
    assert_int_equal(view->n_states, 3);
    assert_int_equal(view->hint_window_ms, 10800000);
    for (size_t i = 0; i < 3; i++) {
        assert_address(&view->opinions[i].endpoint, (int)i + 1);
        assert_int_equal(view->opinions[i].liveness, LIVENESS_UP);
        assert_address(&view->states[i].endpoint, (int)i + 1);
        assert_address(&view->states[i].native, (int)i + 1);
        assert_int_equal(view->states[i].native_port, 9042);
        assert_string_equal(view->states[i].status, "NORMAL");
        assert_string_equal(view->states[i].datacenter, i < 2 ? "dc1" : "dc2");
        assert_string_equal(view->states[i].rack, i == 1 ? "r2" : "r1");
        assert_int_equal(view->states[i].rpc_ready, TRILEAN_TRUE);
    }
    assert_string_equal(view->states[0].host_id, view->host_id);
    assert_int_equal(spelling, SPELLING_PORT);
    view_free(view);
}

static void recorded_down(void **state)
{
    struct view *view = fixture("killed-down-node1-detail.json", DETAIL);

    (void)state;
    assert_int_equal(view->opinions[0].liveness, LIVENESS_UP);
    assert_int_equal(view->opinions[2].liveness, LIVENESS_DOWN);
    assert_int_equal(view->n_phis, 2);
    assert_address(&view->phis[0].endpoint, 2);
    assert_address(&view->phis[1].endpoint, 3);
    assert_true(view->phis[1].value > 8);
    view_free(view);
}

static void recorded_off(void **state)
{
    struct view *view = fixture("native-off-node2-fast.json", FAST);

    (void)state;
    assert_int_equal(view->native_transport, TRILEAN_FALSE);
    assert_null(view->states);
    assert_int_equal(view->n_states, 0);
    view_free(view);
    view = fixture("gossip-off-node2-fast.json", FAST);
    assert_int_equal(view->gossip, TRILEAN_FALSE);
    view_free(view);
    view = fixture("joining-node1-detail.json", DETAIL);
    assert_string_equal(view->mode, "NORMAL");
    assert_string_equal(view->states[3].status, "BOOT");
    view_free(view);
}

/* Whatever was recorded is either a view, or that of a node that starts. */
static void everything_recorded(void **state)
{
    size_t views = 0, starting = 0;
    glob_t files;

    (void)state;
    assert_int_equal(glob("t/fixtures/jolokia/*/*.json", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        bool is_detail = strstr(files.gl_pathv[i], "-detail.json");
        struct view *view = NULL;
        enum poll_result result;
        size_t len;
        char *body = read_file(files.gl_pathv[i], &len);

        result = jolokia_parse(is_detail ? DETAIL : FAST, body, len, &view, &spelling, detail);
        if (result != POLL_OK && result != POLL_NO_MBEAN)
            fail_msg("%s: %s %s", files.gl_pathv[i], poll_result_word(result), detail);
        if (result == POLL_NO_MBEAN) {
            assert_true(strstr(files.gl_pathv[i], "start") || strstr(files.gl_pathv[i], "joining"));
            starting++;
        } else {
            views++;
            assert_true(!is_detail || view->n_states > 0);
        }
        view_free(view);
        free(body);
    }
    globfree(&files);
    assert_true(views > 20);
    assert_true(starting > 2);
}

static void questions(void **state)
{
    char body[JOLOKIA_REQUEST_LEN];

    (void)state;
    assert_int_equal(questions_of_poll(false, false, SPELLING_UNKNOWN), BOTH);
    assert_int_equal(questions_of_poll(false, true, SPELLING_PORT), FAST);
    assert_int_equal(questions_of_poll(true, true, SPELLING_PORT), DETAIL);
    assert_int_equal(questions_of_poll(true, false, SPELLING_PLAIN),
                     ASK_LIVENESS | ASK_STORAGE | ASK_STATES);
    jolokia_request(FAST, body);
    assert_string_equal(
        body, "[{\"type\":\"read\",\"mbean\":\"org.apache.cassandra.net:type=FailureDetector\","
              "\"attribute\":\"SimpleStatesWithPort\"},"
              "{\"type\":\"read\",\"mbean\":\"org.apache.cassandra.db:type=StorageService\","
              "\"attribute\":[\"OperationMode\",\"NativeTransportRunning\",\"GossipRunning\","
              "\"LocalHostId\",\"ClusterName\",\"ReleaseVersion\"]}]");
    /* The longest one fits. */
    jolokia_request(0xff, body);
    assert_int_equal(body[strlen(body) - 1], ']');
}

#define PARSES(questions, body) parse_ok(questions, body, strlen(body))

static void spellings(void **state)
{
    struct view *view;

    (void)state;
    /* 4.0 and later answer both: the one with ports is taken. */
    view = PARSES(BOTH, "[{\"status\":200,\"value\":{\"/10.0.0.1:7000\":\"UP\"}},"
                        "{\"status\":200,\"value\":{\"/10.0.0.1\":\"DOWN\"}}," GOOD_STORAGE "]");
    assert_int_equal(spelling, SPELLING_PORT);
    assert_int_equal(view->opinions[0].liveness, LIVENESS_UP);
    view_free(view);
    /* 3.11 has no attribute with ports. */
    view = PARSES(BOTH, "[{\"status\":404,\"error_type\":\"javax.management."
                        "AttributeNotFoundException\"},"
                        "{\"status\":200,\"value\":{\"/10.0.0.1\":\"DOWN\"}}," GOOD_STORAGE "]");
    assert_int_equal(spelling, SPELLING_PLAIN);
    assert_int_equal(view->opinions[0].liveness, LIVENESS_DOWN);
    view_free(view);
}

static void opinions_sorted_without_duplicates(void **state)
{
    struct view *view =
        PARSES(FAST, "[{\"status\":200,\"value\":{\"/10.0.0.9:7000\":\"UP\",\"x\":\"UP\","
                     "\"/10.0.0.1:7001\":\"UP\",\"/10.0.0.1:7000\":\"DOWN\","
                     "\"/10.0.0.2:7000\":\"ALIVE\"}}," GOOD_STORAGE "]");

    (void)state;
    assert_int_equal(view->n_opinions, 3);
    assert_address(&view->opinions[0].endpoint, 1);
    assert_int_equal(view->opinions[0].liveness, LIVENESS_DOWN);
    assert_address(&view->opinions[1].endpoint, 2);
    assert_int_equal(view->opinions[1].liveness, LIVENESS_UNKNOWN);
    assert_address(&view->opinions[2].endpoint, 9);
    view_free(view);
}

static void what_is_missing_is_unknown(void **state)
{
    struct view *view;

    (void)state;
    view = PARSES(FAST, "[{\"status\":200,\"value\":{}},{\"status\":200,\"value\":{"
                        "\"OperationMode\":null,\"NativeTransportRunning\":\"ERROR: no daemon\","
                        "\"LocalHostId\":\"ERROR: x\",\"ClusterName\":\"c\"}}]");
    assert_int_equal(view->n_opinions, 0);
    assert_string_equal(view->mode, "");
    assert_string_equal(view->host_id, "");
    assert_int_equal(view->native_transport, TRILEAN_UNKNOWN);
    assert_int_equal(view->gossip, TRILEAN_UNKNOWN);
    view_free(view);
    /* The optional questions of a detail poll. */
    view = PARSES(DETAIL, "[" GOOD_LIVENESS "," GOOD_STORAGE ",{\"status\":404},{\"status\":500},"
                          "{\"status\":404}]");
    assert_null(view->states);
    assert_null(view->phis);
    assert_int_equal(view->hint_window_ms, 0);
    view_free(view);
}

static void bad_answers(void **state)
{
    static const struct {
        enum poll_result expected;
        const char *body;
    } table[] = {
        {POLL_BAD_JSON, ""},
        {POLL_BAD_JSON, "<html><body>404</body></html>"},
        {POLL_BAD_JSON, "[" GOOD_LIVENESS "," GOOD_STORAGE},
        {POLL_BAD_JSON, "[" GOOD_LIVENESS "," GOOD_STORAGE "] trailing"},
        {POLL_BAD_JSON, "[{\"status\":200,\"status\":200,\"value\":{}}," GOOD_STORAGE "]"},
        {POLL_BAD_JSON,
         "[{\"status\":200,\"value\":{\"/10.0.0.1\":\"UP\",\"/10.0.0.1\":\"DOWN\"}}]"},
        {POLL_BAD_JSON,
         "[{\"status\":200,\"value\":{\"/10.0.0.1\":\"\xff\xfe\"}}," GOOD_STORAGE "]"},
        {POLL_BAD_SHAPE, "[]"},
        {POLL_BAD_SHAPE, "{}"},
        {POLL_BAD_SHAPE, "[" GOOD_LIVENESS "]"},
        {POLL_BAD_SHAPE, "[" GOOD_LIVENESS "," GOOD_STORAGE "," GOOD_STORAGE "]"},
        {POLL_BAD_SHAPE, "[1,2]"},
        {POLL_BAD_SHAPE, "[null," GOOD_STORAGE "]"},
        {POLL_BAD_SHAPE, "[{\"value\":{}}," GOOD_STORAGE "]"},
        {POLL_BAD_SHAPE, "[{\"status\":\"200\",\"value\":{}}," GOOD_STORAGE "]"},
        {POLL_BAD_SHAPE, "[{\"status\":200}," GOOD_STORAGE "]"},
        {POLL_BAD_SHAPE, "[{\"status\":200,\"value\":[]}," GOOD_STORAGE "]"},
        {POLL_BAD_SHAPE, "[{\"status\":200,\"value\":{\"/10.0.0.1\":true}}," GOOD_STORAGE "]"},
        {POLL_BAD_SHAPE, "[" GOOD_LIVENESS ",{\"status\":200,\"value\":\"x\"}]"},
        {POLL_BAD_SHAPE, "[" GOOD_LIVENESS ",{\"status\":200,\"value\":{\"OperationMode\":1}}]"},
        {POLL_BAD_SHAPE,
         "[" GOOD_LIVENESS ",{\"status\":200,\"value\":{\"GossipRunning\":\"yes\"}}]"},
        {POLL_NO_MBEAN, "[{\"status\":404}," GOOD_STORAGE "]"},
        {POLL_NO_MBEAN, "[" GOOD_LIVENESS ",{\"status\":404}]"},
        {POLL_AUTH, "[{\"status\":403}," GOOD_STORAGE "]"},
        {POLL_AUTH, "[" GOOD_LIVENESS ",{\"status\":401}]"},
        {POLL_AUTH, "{\"status\":403,\"error\":\"no\"}"},
        {POLL_HTTP, "{\"status\":400,\"error\":\"no\"}"},
        {POLL_HTTP, "[" GOOD_LIVENESS ",{\"status\":500,\"error_type\":\"java.lang.Oops\"}]"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        parse_fails(FAST, table[i].body, strlen(table[i].body), table[i].expected);
}

/* A person learns which attribute it was; nothing of the node's text can break a line or a
 * document. */
static void details(void **state)
{
    static const char wrong_type[] =
        "[" GOOD_LIVENESS ",{\"status\":200,\"value\":{\"GossipRunning\":7}}]";
    static const char hostile[] =
        "[" GOOD_LIVENESS ",{\"status\":500,\"error_type\":\"a\\n\xc3\xa9\"}]";
    static const char both[] = "[{\"status\":404},{\"status\":404}," GOOD_STORAGE "]";

    (void)state;
    parse_fails(FAST, wrong_type, strlen(wrong_type), POLL_BAD_SHAPE);
    assert_string_equal(detail, "GossipRunning is not a boolean");
    parse_fails(FAST, hostile, strlen(hostile), POLL_HTTP);
    assert_string_equal(detail, "StorageService: status 500 inside the answer: a???");
    parse_fails(BOTH, both, strlen(both), POLL_NO_MBEAN);
    assert_string_equal(detail, "FailureDetector");
}

static void wrong_detail_types(void **state)
{
    static const char *const table[] = {
        "[" GOOD_LIVENESS "," GOOD_STORAGE
        ",{\"status\":200,\"value\":{}},{\"status\":404},{\"status\":404}]",
        "[" GOOD_LIVENESS "," GOOD_STORAGE
        ",{\"status\":404},{\"status\":200,\"value\":[]},{\"status\":404}]",
        "[" GOOD_LIVENESS "," GOOD_STORAGE
        ",{\"status\":404},{\"status\":404},{\"status\":200,\"value\":\"3h\"}]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        parse_fails(DETAIL, table[i], strlen(table[i]), POLL_BAD_SHAPE);
}

/* One string, n times, between two others; the caller frees. */
static char *repeated(const char *before, const char *piece, size_t n, const char *after)
{
    size_t len = strlen(piece);
    char *body = malloc(strlen(before) + n * len + strlen(after) + 1);
    char *at = stpcpy(body, before);

    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, piece);
    strcpy(at, after);
    return body;
}

static void enormous_answers(void **state)
{
    char *body = repeated("", "[", 100000, "");

    (void)state;
    parse_fails(FAST, body, strlen(body), POLL_TOO_LARGE);
    free(body);
    body = repeated("", "[", 5000, "");
    parse_fails(FAST, body, strlen(body), POLL_BAD_JSON);
    free(body);
    body = repeated("[", "{},", 300000, "{}]");
    parse_fails(FAST, body, strlen(body), POLL_TOO_LARGE);
    free(body);
    body = repeated("[", "1,", 300000, "1]");
    parse_fails(FAST, body, strlen(body), POLL_TOO_LARGE);
    assert_string_equal(detail, "too many values");
    free(body);
    /* Commas and brackets in a string are no values. */
    body = repeated("[\"\\\"", "[,", 300000, "\"]");
    parse_fails(FAST, body, strlen(body), POLL_BAD_SHAPE);
    free(body);
}

static void too_many_endpoints(void **state)
{
    char *body = malloc(2 << 20);
    size_t len;

    (void)state;
    assert_non_null(body);
    len = (size_t)sprintf(body, "[{\"status\":200,\"value\":{");
    for (int i = 0; i <= MAX_ENDPOINTS; i++)
        len += (size_t)sprintf(body + len, "%s\"/10.%d.%d.%d\":\"UP\"", i ? "," : "", i >> 16,
                               i >> 8 & 255, i & 255);
    len += (size_t)sprintf(body + len, "}}," GOOD_STORAGE "]");
    parse_fails(FAST, body, len, POLL_BAD_SHAPE);
    assert_string_equal(detail, "SimpleStates names more than 20000 endpoints");
    free(body);
}

static void timestamps_are_blanked(void **state)
{
    char a[] = "[{\"value\":\"\\\"timestamp\\\":12\",\"timestamp\":1795489454},{\"timestamp\":17}]";
    char b[] = "[{\"value\":\"\\\"timestamp\\\":12\",\"timestamp\":1795489999},{\"timestamp\":18}]";
    char c[] = "[{\"value\":\"\\\"timestamp\\\":13\",\"timestamp\":1795489999},{\"timestamp\":18}]";
    char cut[] = "\"timestamp\":";

    (void)state;
    jolokia_blank_timestamps(a, strlen(a));
    jolokia_blank_timestamps(b, strlen(b));
    jolokia_blank_timestamps(c, strlen(c));
    assert_string_equal(a, b);
    assert_string_not_equal(b, c);
    jolokia_blank_timestamps(cut, strlen(cut));
    jolokia_blank_timestamps(cut, 0);
    assert_string_equal(cut, "\"timestamp\":");
}

static void long_names_are_cut_whole(void **state)
{
    char *name = repeated("[" GOOD_LIVENESS ",{\"status\":200,\"value\":{\"OperationMode\":\"",
                          "\xc3\xa9", 100, "\"}}]");
    struct view *view = PARSES(FAST, name);

    (void)state;
    assert_int_equal(strlen(view->mode), 62);
    view_free(view);
    free(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_steady),
        cmocka_unit_test(recorded_down),
        cmocka_unit_test(recorded_off),
        cmocka_unit_test(everything_recorded),
        cmocka_unit_test(questions),
        cmocka_unit_test(spellings),
        cmocka_unit_test(opinions_sorted_without_duplicates),
        cmocka_unit_test(what_is_missing_is_unknown),
        cmocka_unit_test(bad_answers),
        cmocka_unit_test(details),
        cmocka_unit_test(wrong_detail_types),
        cmocka_unit_test(enormous_answers),
        cmocka_unit_test(too_many_endpoints),
        cmocka_unit_test(timestamps_are_blanked),
        cmocka_unit_test(long_names_are_cut_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

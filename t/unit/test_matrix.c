/* The document /matrix: who sees whom, as runs; and when it is published. */
#define FLEET_MAX 120
#include "model_util.h"
#include "publish/publish.h"
#include "publish/render_matrix.h"
#include "segment_util.h"

static struct render_context context_of(const struct fleet *fleet)
{
    static const struct regions none;

    return (struct render_context){.cluster = fleet->cluster,
                                   .regions = &none,
                                   .region_name = "local",
                                   .now_ms = fleet->now_ms};
}

/* As a string, until the next call. */
static const char *matrix(const struct fleet *fleet)
{
    static struct text text;
    struct render_context context = context_of(fleet);

    assert_true(render_prepare(&context));
    text_reset(&text);
    render_matrix(&text, &context);
    text_add(&text, "", 1);
    assert_false(text.failed);
    render_done(&context);
    return text.data;
}

static void each_view_is_runs(void **state)
{
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 4, POLICY_MUTUAL);
    fleet.node[1].rack = "r\"2\\<b>";
    fleet_rounds(&fleet, 8000);
    fleet.node[2].result = POLL_REFUSED;
    memcpy(fleet.node[0].row, "UUD-", 4);
    memcpy(fleet.node[3].row, "DDUU", 4);
    fleet_rounds(&fleet, 4000);

    const char *text = matrix(&fleet);

    assert_ptr_equal(strstr(text, "{\"cluster\":\"Test Cluster\",\"view_ttl_ms\":3000,\"nodes\":[\n"
                                  "{\"address\":\"10.0.0.1\","
                                  "\"dc\":\"dc1\",\"rack\":\"r1\",\"verdict\":\""),
                     text);
    assert_non_null(strstr(text, "\"view\":\"2UD?\"}"));
    assert_non_null(strstr(text, "\"rack\":\"r\\\"2\\\\<b>\""));
    assert_non_null(strstr(text, "\"view\":\"4U\"}"));
    assert_non_null(strstr(text, "\"view\":null,\"missing\":\"refused\"}"));
    assert_non_null(strstr(text, "\"view\":\"2D2U\"}"));
    assert_non_null(strstr(text, "\"reasons\":[\""));
    fleet_done(&fleet);
}

/* The runs of the `row`th view, read back: n letters. */
static void read_view(const char *text, size_t row, char *ret, size_t n)
{
    size_t at = 0, length = 0;

    for (size_t i = 0; i <= row; i++)
        text = strstr(text, "\"view\":\"") + strlen("\"view\":\"");
    for (; *text != '"'; text++) {
        if (*text >= '0' && *text <= '9') {
            length = length * 10 + (size_t)(*text - '0');
            continue;
        }
        assert_int_not_equal(length, 1);
        length = length ? length : 1;
        assert_true(at + length <= n);
        memset(ret + at, *text, length);
        at += length;
        length = 0;
    }
    assert_int_equal(at, n);
}

static void what_is_read_back_is_what_was_seen(void **state)
{
    static const char letters[] = "UUUUD-";
    uint64_t random = 7;
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 60, POLICY_MUTUAL);
    fleet_rounds(&fleet, 1000);
    for (int turn = 0; turn < 20; turn++) {
        for (size_t i = 0; i < fleet.n; i++)
            for (size_t j = 0; j < fleet.n; j++)
                fleet.node[i].row[j] = letters[random_below(&random, turn < 10 ? 6 : 5)];
        fleet_round(&fleet);
        for (size_t i = 0; i < fleet.n; i++) {
            char row[FLEET_MAX];

            read_view(matrix(&fleet), i, row, fleet.n);
            for (size_t j = 0; j < fleet.n; j++)
                assert_int_equal(row[j], fleet.node[i].row[j] == '-' ? '?' : fleet.node[i].row[j]);
        }
    }
    fleet_done(&fleet);
}

struct shown {
    struct place *place;
    struct fleet fleet;
    struct publisher publisher;
};

static void publish(struct shown *shown, bool round)
{
    const struct process_figures figures = {0};
    struct render_context context = context_of(&shown->fleet);

    assert_true(render_prepare(&context));
    if (publisher_publish(&shown->publisher, &context, &figures, round) == 0)
        cluster_clean(shown->fleet.cluster);
    render_done(&context);
}

/* The tag and flags of a document. */
static struct prober_reading reading_of(const struct shown *shown, const char *key)
{
    struct prober_segment_reader reader = prober_segment_writer_view(shown->publisher.writer);
    struct prober_reading reading;

    assert_int_equal(find(&reader, key, &reading), 0);
    return reading;
}

static void begin(struct shown *shown, void **state, size_t n)
{
    *shown = (struct shown){.place = *state};
    shown->publisher.writer = open_writer(shown->place->path);
    fleet_init(&shown->fleet, n, POLICY_MUTUAL);
    for (int round = 0; round < 3; round++) {
        fleet_round(&shown->fleet);
        publish(shown, true);
    }
}

static void end(struct shown *shown)
{
    publisher_free(&shown->publisher);
    prober_segment_writer_close(shown->publisher.writer);
    fleet_done(&shown->fleet);
}

/* An opinion changes between rounds: whether /matrix shows it then, and that it does at the next
 * round. */
static void opinion_changes(void **state, size_t n, bool at_once)
{
    struct shown shown;
    uint64_t before, between;

    begin(&shown, state, n);
    before = reading_of(&shown, "/matrix").etag;
    fleet_round(&shown.fleet);
    publish(&shown, true);
    assert_true(reading_of(&shown, "/matrix").etag == before);
    shown.fleet.node[2].row[1] = '-';
    shown.fleet.now_ms += 100;
    fleet_poll(&shown.fleet, 2);
    fleet_evaluate(&shown.fleet, false);
    publish(&shown, false);
    between = reading_of(&shown, "/matrix").etag;
    assert_int_equal(between != before, at_once);
    fleet_round(&shown.fleet);
    publish(&shown, true);
    assert_true(reading_of(&shown, "/matrix").etag != before);
    end(&shown);
}

static void few_are_shown_at_once(void **state)
{
    opinion_changes(state, 12, true);
}

static void many_wait_for_the_round(void **state)
{
    opinion_changes(state, 101, false);
}

static void the_page_is_there_and_ageless(void **state)
{
    struct shown shown;
    struct prober_reading page;

    begin(&shown, state, 3);
    page = reading_of(&shown, "/");
    assert_int_equal(page.status, 200);
    assert_int_equal(page.flags, PROBER_DOCUMENT_AGELESS);
    assert_int_equal(page.observed_at_ms, 0);
    assert_true(page.body_len > 10000);
    assert_int_equal(reading_of(&shown, "/matrix").flags, 0);
    end(&shown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_view_is_runs),
        cmocka_unit_test(what_is_read_back_is_what_was_seen),
        cmocka_unit_test_setup_teardown(few_are_shown_at_once, make_place, remove_place),
        cmocka_unit_test_setup_teardown(many_wait_for_the_round, make_place, remove_place),
        cmocka_unit_test_setup_teardown(the_page_is_there_and_ageless, make_place, remove_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

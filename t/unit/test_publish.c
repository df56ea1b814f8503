/* What is published when: changes at once, ages and the heartbeat at a round's end. */
#define FLEET_MAX 100
#include "model_util.h"
#include "publish/publish.h"
#include "segment_util.h"

struct house {
    struct place *place;
    struct fleet fleet;
    struct publisher publisher;
    struct history history;
    struct gate_settings gates;
};

static int publish(struct house *house, bool round)
{
    const struct process_figures figures = {0};
    static const struct regions none;
    struct render_context context = {.cluster = house->fleet.cluster,
                                     .regions = &none,
                                     .region_name = "local",
                                     .history = &house->history,
                                     .gates = &house->gates,
                                     .now_ms = house->fleet.now_ms};

    if (round)
        assert_true(history_add(&house->history, house->fleet.cluster, house->fleet.now_ms));
    assert_true(render_prepare(&context));
    int r = publisher_publish(&house->publisher, &context, &figures, round);
    render_done(&context);
    if (r == 0)
        cluster_clean(house->fleet.cluster);
    return r;
}

/* Everybody is polled and judged; the documents of that are published as at a round's end or not.
 */
static int pass(struct house *house, bool round)
{
    house->fleet.now_ms += FLEET_ROUND;
    for (size_t i = 0; i < house->fleet.n; i++)
        fleet_poll(&house->fleet, i);
    fleet_evaluate(&house->fleet, round);
    return publish(house, round);
}

static void build(struct house *house, void **state, size_t n)
{
    *house = (struct house){.place = *state};
    house->publisher.writer = open_writer(house->place->path);
    fleet_init(&house->fleet, n, POLICY_MUTUAL);
    for (int round = 0; round < 3; round++)
        assert_int_equal(pass(house, true), 0);
}

static void leave(struct house *house)
{
    publisher_free(&house->publisher);
    history_free(&house->history);
    prober_segment_writer_close(house->publisher.writer);
    fleet_done(&house->fleet);
}

static struct prober_reading reading_of(const struct house *house, const char *key)
{
    struct prober_segment_reader reader = prober_segment_writer_view(house->publisher.writer);
    struct prober_reading reading;

    assert_int_equal(find(&reader, key, &reading), 0);
    return reading;
}

static bool says(const struct house *house, const char *key, const char *part)
{
    struct prober_segment_reader reader = prober_segment_writer_view(house->publisher.writer);
    struct prober_reading reading = reading_of(house, key);
    char *body = calloc(1, reading.body_len + 1u);

    assert_int_equal(prober_segment_copy(&reader, &reading, body), 0);
    bool said = strstr(body, part);
    free(body);
    return said;
}

static int64_t heartbeat_ms(const struct house *house)
{
    struct prober_segment_reader reader = prober_segment_writer_view(house->publisher.writer);

    return prober_segment_heartbeat_ms(&reader);
}

static void a_few_changes_are_published_at_once(void **state)
{
    struct house house;

    build(&house, state, 4);
    int64_t before_ms = house.fleet.now_ms;
    house.fleet.node[3].native = TRILEAN_FALSE;
    assert_int_equal(pass(&house, false), 0);
    assert_int_equal(reading_of(&house, "/healthz/10.0.0.4").status, 404);
    assert_int_equal(reading_of(&house, "/healthz/10.0.0.4").flags, PROBER_DOCUMENT_NOT_READY);
    assert_int_equal(reading_of(&house, "/healthz/10.0.0.4?brief").status, 404);
    assert_true(says(&house, "/nodes/10.0.0.4", "native transport off"));
    assert_true(says(&house, "/nodes", "native transport off"));
    assert_true(says(&house, "/view", "\"/10.0.0.4\":\"UP\""));
    assert_int_equal(heartbeat_ms(&house), before_ms);
    leave(&house);
}

/* Everybody's host says that nothing runs there: that is no old news. Nobody says anything: it is.
 */
static void where_nothing_serves_the_data_is_as_old_as_who_says_so(void **state)
{
    struct house house;
    int64_t last_ms;

    build(&house, state, 3);
    for (size_t i = 0; i < 3; i++) {
        house.fleet.node[i].process_gone = true;
        house.fleet.node[i].result = POLL_REFUSED;
    }
    for (int i = 0; i < 60; i++)
        pass(&house, true);
    last_ms = house.fleet.now_ms;
    assert_int_equal(reading_of(&house, "/nodes").observed_at_ms, last_ms);
    assert_int_equal(reading_of(&house, "/readylocaldcs").observed_at_ms, last_ms);
    for (size_t i = 0; i < 3; i++) {
        house.fleet.node[i].process_gone = false;
        house.fleet.node[i].result = POLL_TIMEOUT;
    }
    for (int i = 0; i < 5; i++)
        pass(&house, true);
    assert_int_equal(reading_of(&house, "/nodes").observed_at_ms, last_ms);
    leave(&house);
}

static void ages_move_at_the_end_of_a_round(void **state)
{
    struct house house;

    build(&house, state, 4);
    int64_t before_ms = house.fleet.now_ms;
    assert_int_equal(pass(&house, false), 0);
    assert_int_equal(reading_of(&house, "/healthz/10.0.0.2").observed_at_ms, before_ms);
    assert_int_equal(heartbeat_ms(&house), before_ms);
    assert_int_equal(pass(&house, true), 0);
    assert_int_equal(reading_of(&house, "/healthz/10.0.0.2").observed_at_ms, house.fleet.now_ms);
    assert_int_equal(reading_of(&house, "/nodes").observed_at_ms, house.fleet.now_ms);
    assert_int_equal(reading_of(&house, "/healthz/*").observed_at_ms, house.fleet.now_ms);
    leave(&house);
}

static void where_much_changes_verdicts_go_first(void **state)
{
    struct house house;

    build(&house, state, 100);
    uint64_t version = reading_of(&house, "/nodes/10.0.0.7").version;
    int64_t before_ms = house.fleet.now_ms;
    assert_true(says(&house, "/nodes/10.0.0.7", "\"counted\":99"));
    /* Node 6 votes no more, so the figures of all others change. */
    house.fleet.node[5].native = TRILEAN_FALSE;
    assert_int_equal(pass(&house, false), 1);
    assert_int_equal(reading_of(&house, "/healthz/10.0.0.6").status, 404);
    assert_int_equal(reading_of(&house, "/healthz/10.0.0.6?brief").status, 404);
    assert_true(says(&house, "/nodes/10.0.0.6", "native transport off"));
    assert_int_equal(reading_of(&house, "/nodes/10.0.0.7").version, version);
    assert_int_equal(reading_of(&house, "/nodes/10.0.0.7").observed_at_ms, before_ms);
    assert_false(says(&house, "/nodes", "native transport off"));
    /* A verdict that turns again meanwhile is news again. */
    house.fleet.node[5].native = TRILEAN_TRUE;
    assert_int_equal(pass(&house, false), 1);
    assert_int_equal(reading_of(&house, "/healthz/10.0.0.6").status, 200);

    house.fleet.node[5].native = TRILEAN_FALSE;
    assert_int_equal(pass(&house, true), 0);
    assert_true(says(&house, "/nodes/10.0.0.7", "\"counted\":98"));
    assert_true(says(&house, "/nodes", "native transport off"));
    assert_int_equal(reading_of(&house, "/nodes/10.0.0.7").observed_at_ms, house.fleet.now_ms);
    assert_int_equal(heartbeat_ms(&house), house.fleet.now_ms);
    leave(&house);
}

/* Else a thousand of them were rendered twice a second. */
static void histories_that_go_on_wait_their_turn(void **state)
{
    struct house house;
    size_t rendered = 0;

    build(&house, state, 100);
    uint64_t version = reading_of(&house, "/history/10.0.0.7").version;
    int64_t first_ms = house.fleet.now_ms;
    while (house.fleet.now_ms < first_ms + 50000)
        assert_int_equal(pass(&house, true), 0);
    assert_int_equal(reading_of(&house, "/history/10.0.0.7").version, version);
    assert_true(says(&house, "/history/10.0.0.7", "\"checks\":1,"));
    /* One entry more shows with the round that has it. */
    house.fleet.node[6].native = TRILEAN_FALSE;
    assert_int_equal(pass(&house, true), 0);
    assert_true(says(&house, "/history/10.0.0.7", "native transport off"));
    assert_false(says(&house, "/history/10.0.0.8", "\"checks\":102,"));
    /* After a minute each has its turn, and no round has all. */
    while (house.fleet.now_ms < first_ms + 95000) {
        size_t now = 0;

        assert_int_equal(pass(&house, true), 0);
        for (size_t n = 0; n < 100; n++)
            now += history_of(&house.history, fleet_node(&house.fleet, n))->published_at_ms ==
                   house.fleet.now_ms;
        assert_true(now <= 2);
        rendered += now;
    }
    assert_int_equal(rendered, 99);
    assert_int_equal(reading_of(&house, "/history/*").status, 404);
    leave(&house);
}

static void a_first_publish_is_whole(void **state)
{
    struct house house = {.place = *state};

    house.publisher.writer = open_writer(house.place->path);
    fleet_init(&house.fleet, 100, POLICY_MUTUAL);
    assert_int_equal(pass(&house, true), 0);
    for (size_t i = 0; i < 100; i++) {
        char key[64];

        snprintf(key, sizeof(key), "/healthz/10.0.0.%zu", i + 1);
        assert_int_equal(reading_of(&house, key).observed_at_ms, house.fleet.now_ms);
        assert_true(says(&house, key, "\"/10.0.0.100\":\"UP\"}"));
    }
    leave(&house);
}

/* The gates' answers about each node, about one that nobody knows, and about one that is gone. */
static void the_gates_answer(void **state)
{
    struct prober_segment_reader reader;
    struct prober_reading reading;
    struct house house;
    uint64_t version;

    build(&house, state, 4);
    version = reading_of(&house, "/may-stop/10.0.0.2").version;
    assert_int_equal(reading_of(&house, "/may-stop/10.0.0.2").status, 200);
    assert_true(says(&house, "/may-stop/10.0.0.2", "{\"may\":\"yes\",\"reasons\":[]}\n"));
    assert_int_equal(reading_of(&house, "/may-start/*").status, 409);
    assert_true(
        says(&house, "/may-start/*", "{\"may\":\"no\",\"reasons\":[\"no seed is known\"]}"));
    assert_int_equal(reading_of(&house, "/may-stop/*").status, 404);
    fleet_node(&house.fleet, 0)->seed = true;
    assert_int_equal(pass(&house, true), 0);
    assert_int_equal(reading_of(&house, "/may-start/*").status, 200);
    assert_int_equal(reading_of(&house, "/may-stop/10.0.0.2").version, version);
    assert_int_equal(reading_of(&house, "/may-stop/10.0.0.2").observed_at_ms, house.fleet.now_ms);

    fleet_crash(&house.fleet, 3);
    assert_int_equal(pass(&house, true), 0);
    assert_int_equal(pass(&house, true), 0);
    assert_int_equal(reading_of(&house, "/may-stop/10.0.0.2").status, 409);
    assert_true(says(&house, "/may-stop/10.0.0.2", "one node of dc1 at a time: 10.0.0.4 is down"));
    assert_int_equal(reading_of(&house, "/may-stop/10.0.0.4").status, 200);
    assert_int_equal(reading_of(&house, "/may-start/10.0.0.4").status, 200);
    assert_int_equal(reading_of(&house, "/may-start/*").status, 409);

    house.fleet.node[3].silent = true;
    for (size_t i = 0; i < 3; i++)
        house.fleet.node[i].row[3] = '-';
    house.fleet.n = 3;
    for (int round = 0; round < 8; round++) /* its own view has to age */
        assert_int_equal(pass(&house, true), 0);
    reader = prober_segment_writer_view(house.publisher.writer);
    assert_int_equal(find(&reader, "/may-stop/10.0.0.4", &reading), -ENOENT);
    assert_int_equal(find(&reader, "/may-start/10.0.0.4", &reading), -ENOENT);
    assert_int_equal(reading_of(&house, "/may-start/*").status, 200);
    assert_int_equal(reading_of(&house, "/may-stop/10.0.0.2").status, 200);
    leave(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_few_changes_are_published_at_once, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(where_nothing_serves_the_data_is_as_old_as_who_says_so,
                                        make_place, remove_place),
        cmocka_unit_test_setup_teardown(ages_move_at_the_end_of_a_round, make_place, remove_place),
        cmocka_unit_test_setup_teardown(where_much_changes_verdicts_go_first, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(histories_that_go_on_wait_their_turn, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(a_first_publish_is_whole, make_place, remove_place),
        cmocka_unit_test_setup_teardown(the_gates_answer, make_place, remove_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

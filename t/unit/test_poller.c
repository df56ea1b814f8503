/* The poller: turns, detail polls, who the local node is, what did not change, and what ends a
 * poll. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "poll_server.h"
#include "sources/poller.h"
#include "sources/source.h"

#define PATIENCE_MS 20000

struct bench {
    sd_event *event;
    struct poller *poller;
    struct poller_settings settings;
    struct script *script;
    struct server server;
    char url[64];
    unsigned rounds, polls, ok, unchanged, views, details, failures, with_observer, gone;
    int64_t took_ms;
    struct observation last;       /* its view is not kept */
    struct poller_target *replace; /* set from inside the handler */
    size_t n_replace;
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void on_observation(struct observation *observation, void *userdata)
{
    struct bench *bench = userdata;

    bench->polls++;
    bench->ok += observation->result == POLL_OK;
    bench->failures += observation->result != POLL_OK;
    bench->unchanged += observation->unchanged;
    bench->views += observation->view != NULL;
    bench->details += observation->view && observation->view->n_states > 0;
    bench->with_observer += !prober_addr_is_unset(&observation->observer);
    bench->gone += observation->process_gone;
    bench->took_ms += observation->ended_ms - observation->began_ms;
    bench->last = *observation;
    bench->last.view = NULL;
    if (bench->replace) {
        assert_int_equal(poller_set_targets(bench->poller, bench->replace, bench->n_replace), 0);
        bench->replace = NULL;
    }
}

static void on_round(void *userdata)
{
    ((struct bench *)userdata)->rounds++;
}

static struct prober_addr address(const char *text)
{
    struct prober_addr ret;

    assert_int_equal(prober_addr_parse(text, strlen(text), &ret), 0);
    return ret;
}

static void poller_begin(struct bench *bench)
{
    const struct poller_handlers handlers = {
        .done = on_observation, .round = on_round, .userdata = bench};

    assert_true(sd_event_new(&bench->event) >= 0);
    assert_int_equal(poller_new(bench->event, &bench->settings, &handlers, &bench->poller), 0);
}

/* A scripted node, to be polled as the local one. */
static int setup(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    if (!bench)
        return -1;
    bench->script = script_new();
    bench->server = server_start(talk_node, bench->script);
    snprintf(bench->url, sizeof(bench->url), "jolokia+http://127.0.0.1:%u/jolokia",
             bench->server.port);
    bench->settings = (struct poller_settings){.interval_ms = 50,
                                               .timeout_ms = 2000,
                                               .membership_ms = 60000,
                                               .local_url = bench->url,
                                               .local_user = "",
                                               .local_password = "",
                                               .peer_url = ""};
    *state = bench;
    return 0;
}

static int teardown(void **state)
{
    struct bench *bench = *state;

    poller_free(bench->poller);
    sd_event_unref(bench->event);
    server_stop(&bench->server);
    script_free(bench->script);
    free(bench);
    return 0;
}

/* Runs until `what` reached `least`. */
static void run_until(struct bench *bench, const unsigned *what, unsigned least)
{
    int64_t end = now_ms() + PATIENCE_MS;

    while (*what < least) {
        assert_true(now_ms() < end);
        assert_true(sd_event_run(bench->event, 100000) >= 0);
    }
}

static void run_polls(struct bench *bench, unsigned n)
{
    run_until(bench, &bench->polls, bench->polls + n);
}

static void unchanged_answers(void **state)
{
    struct bench *bench = *state;
    struct prober_addr own = address("127.0.9.1");

    poller_begin(bench);
    /* The first poll asks everything, in both spellings, and learns who the node is. */
    run_polls(bench, 1);
    assert_int_equal(bench->views, 1);
    assert_int_equal(bench->details, 1);
    assert_true(bench->last.local);
    assert_int_equal(prober_addr_compare(&bench->last.observer, &own), 0);
    run_polls(bench, 40);
    assert_int_equal(bench->unchanged, 40);
    assert_int_equal(bench->failures, 0);
    assert_int_equal(bench->with_observer, 41);
    assert_int_equal(bench->script->details, 1);
    assert_int_equal(bench->script->both, 1);
    assert_int_equal(bench->script->connections, 1);
    assert_int_equal(bench->script->overlapping, 0);
    assert_int_equal(poller_counters(bench->poller)->unchanged, 40);
    assert_int_equal(poller_counters(bench->poller)->results[POLL_OK], 41);
}

static void changed_answers(void **state)
{
    struct bench *bench = *state;

    poller_begin(bench);
    run_polls(bench, 5);
    assert_int_equal(bench->views, 1);
    bench->script->second_down = true;
    /* The change, and then a detail poll for it. */
    run_until(bench, &bench->views, 3);
    assert_int_equal(bench->details, 2);
    run_polls(bench, 5);
    assert_int_equal(bench->views, 3);
    bench->script->second_down = false;
    run_until(bench, &bench->views, 5);
    assert_int_equal(bench->details, 3);
    assert_int_equal(bench->failures, 0);
}

static void detail_on_demand_and_in_time(void **state)
{
    struct bench *bench = *state;

    bench->settings.membership_ms = 1000;
    poller_begin(bench);
    run_polls(bench, 3);
    assert_int_equal(bench->details, 1);
    poller_want_detail(bench->poller);
    run_polls(bench, 2);
    assert_int_equal(bench->details, 2);
    run_until(bench, &bench->details, 4);
    assert_true(bench->polls >= 12);
}

static void of_3_11(void **state)
{
    struct bench *bench = *state;

    bench->script->old = true;
    poller_begin(bench);
    run_polls(bench, 10);
    assert_int_equal(bench->ok, 10);
    assert_int_equal(bench->unchanged, 9);
    assert_int_equal(bench->script->both, 1);
    assert_int_equal(bench->with_observer, 10);
    /* An upgrade: the old spelling goes on working. */
    bench->script->old = false;
    run_polls(bench, 10);
    assert_int_equal(bench->failures, 0);
}

static void another_release_answers(void **state)
{
    struct bench *bench = *state;

    poller_begin(bench);
    run_polls(bench, 3);
    bench->script->old = true;
    run_until(bench, &bench->failures, 1);
    assert_int_equal(bench->last.result, POLL_NO_MBEAN);
    run_polls(bench, 5);
    assert_int_equal(bench->failures, 1);
}

/* Another node behind the same URL: not known by address before its own states were seen. */
static void another_host_answers(void **state)
{
    struct bench *bench = *state;
    unsigned views;

    poller_begin(bench);
    run_polls(bench, 3);
    views = bench->views;
    bench->script->host = 7;
    run_until(bench, &bench->views, views + 1);
    assert_true(prober_addr_is_unset(&bench->last.observer));
    run_until(bench, &bench->views, views + 2);
    assert_false(prober_addr_is_unset(&bench->last.observer));
}

static void process_gone(void **state)
{
    struct bench *bench = *state;
    struct server native = {.fd = -1};

    native.fd = bound_socket(&native.port);
    assert_int_equal(listen(native.fd, 1024), 0);
    bench->script->native_port = native.port;
    poller_begin(bench);
    run_polls(bench, 2);
    server_stop(&bench->server);
    run_polls(bench, 5);
    /* Jolokia is refused, the native transport is not: the process lives. */
    assert_int_equal(bench->last.result, POLL_REFUSED);
    assert_int_equal(bench->gone, 0);
    close(native.fd);
    run_polls(bench, 5);
    assert_true(bench->last.process_gone);
    assert_int_equal(bench->last.result, POLL_REFUSED);
}

static void unknown_native_address_is_not_gone(void **state)
{
    struct bench *bench = *state;

    server_stop(&bench->server);
    poller_begin(bench);
    run_polls(bench, 5);
    assert_int_equal(bench->last.result, POLL_REFUSED);
    assert_int_equal(bench->gone, 0);
    assert_int_equal(bench->with_observer, 0);
}

/* A node that cannot bear the detail poll keeps its view by the cheap one. */
static void failing_details(void **state)
{
    struct bench *bench = *state;

    bench->settings.timeout_ms = 300;
    bench->settings.membership_ms = 100;
    bench->script->detail_hangs = true;
    poller_begin(bench);
    run_until(bench, &bench->failures, 4);
    assert_int_equal(bench->details, 0);
    assert_int_equal(bench->last.result, POLL_TIMEOUT);
    assert_true(bench->ok >= 3);
}

/*
 * A server that writes head and body apart waits for the ACK of the head, 40 ms when that is
 * delayed. On a busy machine it may take long for other reasons, but not every time.
 */
static void no_delayed_acks(void **state)
{
    struct bench *bench = *state;
    bool quick = false;

    bench->script->two_writes = true;
    poller_begin(bench);
    run_polls(bench, 40);
    for (int i = 0; i < 5 && !quick; i++) {
        bench->took_ms = 0;
        run_polls(bench, 40);
        quick = bench->took_ms / 40 < 20;
    }
    assert_int_equal(bench->script->connections, 1);
    assert_true(quick);
}

static void nobody_to_poll(void **state)
{
    struct bench *bench = *state;
    int64_t began = now_ms();

    bench->settings.local_url = "";
    poller_begin(bench);
    run_until(bench, &bench->rounds, 10);
    assert_true(now_ms() - began >= 9 * 50 - 5);
    assert_int_equal(bench->polls, 0);
    assert_true(poller_first_pass_done(bench->poller));
}

static void slow_answers_do_not_overlap(void **state)
{
    struct bench *bench = *state;
    int64_t began = now_ms();

    bench->script->pause_ms = 120;
    poller_begin(bench);
    assert_false(poller_first_pass_done(bench->poller));
    run_until(bench, &bench->rounds, 12);
    /* A round ends in time whether or not the answers came. */
    assert_true(now_ms() - began >= 11 * 50 - 5);
    assert_true(bench->polls * 120 <= now_ms() - began);
    assert_true(poller_counters(bench->poller)->skipped > 0);
    assert_int_equal(bench->script->overlapping, 0);
    assert_true(poller_first_pass_done(bench->poller));
}

static void the_local_node_is_polled_once(void **state)
{
    struct bench *bench = *state;
    struct script *script = script_new();
    struct server twin = server_start(talk_node, script);
    char url[64];
    struct poller_target targets[2];

    snprintf(url, sizeof(url), "jolokia+http://127.0.0.1:%u", twin.port);
    targets[0] = (struct poller_target){.address = address("127.0.9.2"), .url = url};
    targets[1] = (struct poller_target){.address = address("127.0.9.1"), .url = url};
    poller_begin(bench);
    run_polls(bench, 1);
    assert_int_equal(poller_set_targets(bench->poller, targets, 2), 0);
    run_until(bench, &bench->rounds, 6);
    assert_true(script->requests > 3);
    assert_int_equal(bench->failures, 0);
    assert_int_equal(script->connections, 1);
    assert_true(poller_first_pass_done(bench->poller));
    server_stop(&twin);
    script_free(script);
}

/* Targets come and go, also while their polls run and from inside the handler. */
static void targets_change(void **state)
{
    struct bench *bench = *state;
    struct poller_target many[40];
    struct poller_target bad = {.address = address("127.0.8.1"), .url = "ftp://127.0.0.1/"};

    for (unsigned i = 0; i < 40; i++) {
        many[i] = (struct poller_target){.address = address("127.0.8.1"), .url = bench->url};
        many[i].address.bytes[15] = (uint8_t)(40 - i / 2); /* each twice */
    }
    poller_begin(bench);
    assert_int_equal(poller_set_targets(bench->poller, many, 40), 0);
    assert_false(poller_first_pass_done(bench->poller));
    run_polls(bench, 21);
    while (!poller_first_pass_done(bench->poller))
        run_polls(bench, 1);
    assert_int_equal(poller_set_targets(bench->poller, &bad, 1), -EINVAL);
    run_polls(bench, 30);
    for (unsigned i = 0; i < 12; i++) {
        bench->replace = &many[i];
        bench->n_replace = i % 3 ? 40 - i : 0;
        run_polls(bench, 3);
    }
    bench->script->pause_ms = 100;
    assert_int_equal(poller_set_targets(bench->poller, many, 40), 0);
    run_polls(bench, 1);
    assert_int_equal(poller_set_targets(bench->poller, many, 2), 0);
    run_polls(bench, 2);
    assert_int_equal(poller_set_targets(bench->poller, many, 40), 0);
    run_polls(bench, 1);
    assert_int_equal(bench->failures, 0);
    /* Freed with polls on their way. */
}

static void credentials(void **state)
{
    struct bench *bench = *state;

    bench->settings.local_user = "u";
    bench->settings.local_password = "secret";
    poller_begin(bench);
    run_polls(bench, 3);
    assert_int_equal(bench->ok, 3);
    assert_int_equal(bench->script->authorized, 3);
}

static void urls(void **state)
{
    static const struct {
        const char *url;
        bool with_address, accepted;
    } table[] = {
        {"jolokia+http://127.0.0.1:8778/jolokia", false, true},
        {"jolokia+https://cassandra.example:8778/jolokia/", false, true},
        {"jolokia+http://[::1]:8778", false, true},
        {"jolokia+http://localhost", false, true},
        {"jolokia+http://{address}:8778/jolokia", true, true},
        {"jolokia+http://{address}", true, true},
        {"jolokia+http://{address}:8778", false, false},
        {"jolokia+http://127.0.0.1:8778", true, false},
        {"jolokia+http://{address}.{address}", true, false},
        {"jolokia+http://", false, false},
        {"jolokia+http:///jolokia", false, false},
        {"jolokia+ftp://127.0.0.1", false, false},
        {"http://127.0.0.1", false, false},
        {"", false, false},
        {"jolokia+http://user:password@127.0.0.1", false, false},
        {"jolokia+http://127.0.0.1:0", false, false},
        {"jolokia+http://127.0.0.1:65536", false, false},
        {"jolokia+http://127.0.0.1:80x", false, false},
        {"jolokia+http://127.0.0.1:", false, false},
        {"jolokia+http://::1:80", false, false},
        {"jolokia+http://[::1", false, false},
        {"jolokia+http://[x]:80", false, false},
        {"jolokia+http://a b", false, false},
        {"jolokia+http://a\r\nb", false, false},
        {"jolokia+http://a/?x=1", false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const char *expected = NULL;
        bool accepted = poller_accepts_url(table[i].url, false, table[i].with_address, &expected);

        if (accepted != table[i].accepted || accepted != !expected)
            fail_msg("%s: %d", table[i].url, accepted);
    }
}

static void expanded_urls(void **state)
{
    static const char *const table[][2] = {
        {"10.0.0.1", "jolokia+http://10.0.0.1:1/x"},
        {"2001:db8::1", "jolokia+http://[2001:db8::1]:1/x"},
        {"::ffff:10.0.0.1", "jolokia+http://10.0.0.1:1/x"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct prober_addr node = address(table[i][0]);
        char *url = source_expand("jolokia+http://{address}:1/x", &node);

        assert_string_equal(url, table[i][1]);
        free(url);
    }
}

static void bad_settings(void **state)
{
    struct bench *bench = *state;
    const struct poller_handlers handlers = {0};
    struct poller *poller = NULL;

    assert_true(sd_event_new(&bench->event) >= 0);
    bench->settings.local_url = "ftp://127.0.0.1";
    assert_int_equal(poller_new(bench->event, &bench->settings, &handlers, &poller), -EINVAL);
    bench->settings.local_url = "";
    bench->settings.peer_url = "jolokia+http://127.0.0.1";
    assert_int_equal(poller_new(bench->event, &bench->settings, &handlers, &poller), -EINVAL);
    assert_null(poller);
    assert_null(poller_free(NULL));
}

static void result_words(void **state)
{
    (void)state;
    for (int i = 0; i < POLL_RESULTS; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(poll_result_word(i), poll_result_word(j));
    assert_string_equal(poll_result_word(POLL_TOO_LARGE), "too_large");
    assert_string_equal(poll_result_word(POLL_RESULTS), "unknown");
}

#define POLLER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        POLLER_TEST(unchanged_answers),
        POLLER_TEST(changed_answers),
        POLLER_TEST(detail_on_demand_and_in_time),
        POLLER_TEST(of_3_11),
        POLLER_TEST(another_release_answers),
        POLLER_TEST(another_host_answers),
        POLLER_TEST(process_gone),
        POLLER_TEST(unknown_native_address_is_not_gone),
        POLLER_TEST(failing_details),
        POLLER_TEST(no_delayed_acks),
        POLLER_TEST(nobody_to_poll),
        POLLER_TEST(slow_answers_do_not_overlap),
        POLLER_TEST(the_local_node_is_polled_once),
        POLLER_TEST(targets_change),
        POLLER_TEST(credentials),
        cmocka_unit_test(urls),
        cmocka_unit_test(expanded_urls),
        POLLER_TEST(bad_settings),
        cmocka_unit_test(result_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The source jmx:// against a JMX server in C: what it keeps, and what it does when that is stale.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "jmx_server.h"
#include "sources/source.h"

#define TIMEOUT_MS 3000 /* far more than it takes */

struct bench {
    struct jmx_script *script;
    struct jmx_node node;
    struct server server;
    sd_event *event;
    struct source_context context;
    struct source_target *target;
    bool ended;
    struct observation last; /* its view is freed, or kept in `view` */
    struct view *view;
    struct reply reply;
};

static void target_open(struct bench *bench, const char *user, const char *password)
{
    char url[64];
    struct source_place place = {.url = url, .user = user, .password = password};

    snprintf(url, sizeof(url), "jmx://127.0.0.1:%u", bench->server.port);
    assert_ptr_equal(source_find(url, SOURCE_CASSANDRA), &jmx_source);
    assert_int_equal(jmx_source.open(&bench->context, &place, &bench->target), 0);
}

static int bench_new(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    if (!bench)
        return -1;
    bench->script = jmx_script_new();
    bench->node.script = bench->script;
    bench->server = server_start(talk_jmx, &bench->node);
    assert_true(sd_event_new(&bench->event) >= 0);
    assert_int_equal(multi_new(bench->event, &bench->context.multi), 0);
    assert_int_equal(fingerprint_key_draw(&bench->context.key), 0);
    target_open(bench, "", "");
    *state = bench;
    return 0;
}

static int bench_free(void **state)
{
    struct bench *bench = *state;

    if (bench->target)
        jmx_source.close(bench->target);
    multi_free(bench->context.multi);
    sd_event_unref(bench->event);
    server_stop(&bench->server);
    jmx_script_free(bench->script);
    view_free(bench->view);
    reply_done(&bench->reply);
    free(bench);
    return 0;
}

static void on_polled(struct observation *observation, void *userdata)
{
    struct bench *bench = userdata;

    assert_false(bench->ended);
    bench->ended = true;
    bench->last = *observation;
    view_free(bench->view);
    bench->view = observation->view;
    bench->last.view = NULL;
}

static void poll_for(struct bench *bench, bool detail, int64_t timeout_ms)
{
    struct source_ask ask = {.detail = detail, .own = true, .timeout_ms = timeout_ms};

    bench->ended = false;
    assert_int_equal(jmx_source.start(bench->target, &ask, on_polled, bench), 0);
    assert_false(bench->ended);
    while (!bench->ended)
        assert_true(sd_event_run(bench->event, UINT64_MAX) >= 0);
}

/* A poll that brings this. */
static void polls(struct bench *bench, enum poll_result expected)
{
    poll_for(bench, false, TIMEOUT_MS);
    if (bench->last.result != expected)
        fail_msg("%s: %s", poll_result_word(bench->last.result), bench->last.detail);
}

static void polls_ok(struct bench *bench, bool unchanged)
{
    polls(bench, POLL_OK);
    assert_string_equal(bench->last.detail, "");
    assert_int_equal(bench->last.unchanged, unchanged);
    assert_int_equal(bench->view == NULL, unchanged);
}

/* What is not answered, like the acknowledgement, takes a moment to be seen. */
static void wait_for(atomic_uint *counter, unsigned expected)
{
    for (int i = 0; i < 3000 && *counter < expected; i++)
        sleep_ms(1);
    assert_int_equal(*counter, expected);
}

static void one_connection(void **state)
{
    struct bench *bench = *state;

    polls_ok(bench, false);
    assert_int_equal(bench->view->n_opinions, 2);
    assert_int_equal(bench->view->opinions[1].liveness, LIVENESS_UP);
    assert_string_equal(bench->view->mode, "NORMAL");
    assert_string_equal(bench->view->host_id, "host-1");
    assert_int_equal(bench->view->native_transport, TRILEAN_TRUE);
    assert_int_equal(bench->view->gossip, TRILEAN_UNKNOWN);
    for (int i = 0; i < 5; i++)
        polls_ok(bench, true);
    poll_for(bench, true, TIMEOUT_MS);
    assert_int_equal(bench->last.result, POLL_OK);
    assert_int_equal(bench->view->n_states, 1);
    assert_string_equal(bench->view->states[0].status, "NORMAL");
    assert_int_equal(bench->view->hint_window_ms, 10800000);
    polls_ok(bench, true);
    /* Everything is on one port: one connection did it all. */
    assert_int_equal(bench->script->connections, 1);
    assert_int_equal(bench->script->lookups, 1);
    assert_int_equal(bench->script->new_clients, 1);
    assert_int_equal(bench->script->both, 1);
    assert_int_equal(bench->script->calls, 8 * 2 + 1);
    wait_for(&bench->script->acknowledged, 1);
    jmx_source.close(bench->target);
    bench->target = NULL;
    wait_for(&bench->script->closed, 1);
}

static void what_changes_is_seen(void **state)
{
    struct bench *bench = *state;

    polls_ok(bench, false);
    bench->script->down = true;
    polls_ok(bench, false);
    assert_int_equal(bench->view->opinions[1].liveness, LIVENESS_DOWN);
    polls_ok(bench, true);
    bench->script->in_two = true;
    polls_ok(bench, true);
    bench->script->down = false;
    polls_ok(bench, false);
    assert_int_equal(bench->view->opinions[1].liveness, LIVENESS_UP);
    polls_ok(bench, true);
}

static void old_release(void **state)
{
    struct bench *bench = *state;

    polls_ok(bench, false);
    /* Another release at the same place: the spelling that is asked is not there, so both are. */
    bench->script->old = true;
    polls(bench, POLL_NO_MBEAN);
    assert_string_equal(bench->last.detail, "FailureDetector");
    polls_ok(bench, true);
    assert_int_equal(bench->script->both, 2);
    poll_for(bench, true, TIMEOUT_MS);
    assert_int_equal(bench->last.result, POLL_OK);
    assert_int_equal(bench->view->n_opinions, 2);
    assert_int_equal(bench->view->n_states, 1);
    assert_int_equal(bench->script->both, 2);
    assert_int_equal(bench->script->connections, 1);
}

static void forgotten_connection_object(void **state)
{
    struct bench *bench = *state;

    polls_ok(bench, false);
    bench->script->forgets++;
    polls_ok(bench, true);
    assert_int_equal(bench->script->new_clients, 2);
    assert_int_equal(bench->script->lookups, 1);
    /* Restarted on the same port. */
    bench->script->forgets++;
    bench->script->restarts++;
    polls_ok(bench, true);
    assert_int_equal(bench->script->new_clients, 4);
    assert_int_equal(bench->script->lookups, 2);
}

/* Closed while nobody asks, as servers and firewalls do: the connection object stays in use. */
static void closed_while_idle(void **state)
{
    struct bench *bench = *state;

    bench->script->close_each = 2;
    polls_ok(bench, false);
    for (unsigned i = 1; i < 4; i++) {
        polls_ok(bench, true);
        assert_int_equal(bench->script->connections, 1 + i);
    }
    assert_int_equal(bench->script->new_clients, 1);
    assert_int_equal(bench->script->lookups, 1);
}

/* Closed under a poll's hands: it is tried again at once, and by a higher level each time. */
static void closed_while_asked(void **state)
{
    struct bench *bench = *state;

    polls_ok(bench, false);
    bench->script->hang_up = 1;
    polls_ok(bench, true);
    assert_int_equal(bench->script->new_clients, 1);
    bench->script->hang_up = 2;
    polls_ok(bench, true);
    assert_int_equal(bench->script->lookups, 2);
    bench->script->hang_up = 3;
    polls(bench, POLL_RESET);
    assert_string_equal(bench->last.detail, "connection closed");
    polls_ok(bench, true);
    assert_int_equal(bench->script->lookups, 4);
}

/* The server's own port is another one after each start. */
static void moved_server(void **state)
{
    struct bench *bench = *state;
    struct server first = server_start(talk_jmx, &bench->node), second;
    char text[64];

    bench->script->port = first.port;
    polls_ok(bench, false);
    polls_ok(bench, true);
    assert_int_equal(bench->script->lookups, 1);
    server_stop(&first);
    snprintf(text, sizeof(text), "port %u, which the registry names", first.port);
    polls(bench, POLL_REFUSED);
    assert_string_equal(bench->last.detail, text);
    assert_int_equal(bench->script->lookups, 2);
    second = server_start(talk_jmx, &bench->node);
    bench->script->port = second.port;
    polls_ok(bench, true);
    assert_int_equal(bench->script->lookups, 3);
    /* Nothing there at all. */
    server_stop(&second);
    server_stop(&bench->server);
    polls(bench, POLL_REFUSED);
    assert_string_equal(bench->last.detail, "");
}

static void deadline(void **state)
{
    struct bench *bench = *state;

    polls_ok(bench, false);
    bench->script->hang = true;
    for (int i = 0; i < 4; i++) {
        poll_for(bench, false, 50);
        assert_int_equal(bench->last.result, POLL_TIMEOUT);
        assert_string_equal(bench->last.detail, "no answer");
    }
    bench->script->hang = false;
    polls_ok(bench, true);
    polls_ok(bench, true);
}

/* A login that was refused is not tried again at once: servers count such things. */
static void refused_login(void **state)
{
    struct bench *bench = *state;

    bench->script->refuse = true;
    for (int i = 0; i < 4; i++) {
        polls(bench, POLL_AUTH);
        assert_string_equal(bench->last.detail, "java.lang.SecurityException");
        assert_int_equal(bench->script->new_clients, 1);
    }
    jmx_source.close(bench->target);
    target_open(bench, "mon", "secret");
    polls_ok(bench, false);
    jmx_source.close(bench->target);
    target_open(bench, "mon", "secreT");
    polls(bench, POLL_AUTH);
    assert_int_equal(bench->script->new_clients, 3);
}

static void more_than_was_asked(void **state)
{
    struct bench *bench = *state;

    polls_ok(bench, false);
    bench->script->talkative = true;
    for (int i = 0; i < 3; i++)
        poll_for(bench, false, TIMEOUT_MS);
    assert_int_not_equal(bench->last.result, POLL_TIMEOUT);
    bench->script->talkative = false;
    poll_for(bench, false, TIMEOUT_MS);
    polls_ok(bench, true);
    assert_true(bench->script->connections > 1);
}

static void on_invoked(struct reply *reply, void *userdata)
{
    struct bench *bench = userdata;

    assert_false(bench->ended);
    bench->ended = true;
    reply_done(&bench->reply);
    bench->reply = *reply;
    reply->texts = NULL;
    reply->n_texts = 0;
}

static void invoke(struct bench *bench)
{
    struct source_operation operation = {.mbean = "org.apache.cassandra.net:type=Gossiper",
                                         .name = "getEndpointDowntime",
                                         .argument = "127.0.9.2",
                                         .timeout_ms = TIMEOUT_MS};

    bench->ended = false;
    assert_int_equal(jmx_source.invoke(bench->target, &operation, on_invoked, bench), 0);
    while (!bench->ended)
        assert_true(sd_event_run(bench->event, UINT64_MAX) >= 0);
}

static void operations(void **state)
{
    struct bench *bench = *state;

    invoke(bench);
    assert_int_equal(bench->reply.result, POLL_OK);
    assert_int_equal(bench->reply.number, 42);
    polls_ok(bench, false);
    bench->script->forgets++;
    invoke(bench);
    assert_int_equal(bench->reply.result, POLL_OK);
    assert_int_equal(bench->script->invoked, 3);
    /* It may have been done: not again. */
    bench->script->hang_up = 1;
    invoke(bench);
    assert_int_equal(bench->reply.result, POLL_RESET);
    assert_int_equal(bench->script->invoked, 4);
    polls_ok(bench, true);
}

static void never_called(struct observation *observation, void *userdata)
{
    (void)observation;
    (void)userdata;
    fail_msg("a closed target called back");
}

/* Closed at every moment of a poll: nothing is called, nothing leaks. */
static void closed_target(void **state)
{
    struct bench *bench = *state;
    struct source_ask ask = {.timeout_ms = TIMEOUT_MS};

    jmx_source.close(bench->target);
    for (int steps = 0; steps < 12; steps++) {
        target_open(bench, "", "");
        assert_int_equal(jmx_source.start(bench->target, &ask, never_called, NULL), 0);
        for (int i = 0; i < steps && bench->script->calls == 0; i++)
            sd_event_run(bench->event, 10000);
        jmx_source.close(bench->target);
        bench->target = NULL;
        if (bench->script->calls > 0)
            break;
    }
    assert_true(bench->script->lookups > 1);
    target_open(bench, "", "");
    bench->ended = false;
    polls_ok(bench, false);
}

static void urls(void **state)
{
    static const char *const good[] = {"jmx://127.0.0.1:7199", "jmx://[::1]:7199", "jmx://host",
                                       "jmx+ssl://node-1.example:1"};
    static const char *const bad[] = {"jmx://",         "jmx://a:0",     "jmx://a:b",
                                      "jmx://a:7199/",  "jmx:a:7199",    "jmx://::1:7199",
                                      "jmx://u@a:7199", "jmx+tls://a:1", "jmx://{address}:7199",
                                      "jmx://a:7199/x"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_ptr_equal(source_find(good[i], SOURCE_CASSANDRA), &jmx_source);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (source_find(bad[i], SOURCE_CASSANDRA))
            fail_msg("%s is taken", bad[i]);
}

/* Credentials that no request can hold. */
static void long_credentials(void **state)
{
    struct bench *bench = *state;
    struct source_target *target;
    char password[5000];
    struct source_place place = {.url = "jmx://127.0.0.1:1", .user = "u", .password = password};

    memset(password, 'x', sizeof(password) - 1);
    password[sizeof(password) - 1] = '\0';
    assert_int_equal(jmx_source.open(&bench->context, &place, &target), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_connection, bench_new, bench_free),
        cmocka_unit_test_setup_teardown(what_changes_is_seen, bench_new, bench_free),
        cmocka_unit_test_setup_teardown(old_release, bench_new, bench_free),
        cmocka_unit_test_setup_teardown(forgotten_connection_object, bench_new, bench_free),
        cmocka_unit_test_setup_teardown(closed_while_idle, bench_new, bench_free),
        cmocka_unit_test_setup_teardown(closed_while_asked, bench_new, bench_free),
        cmocka_unit_test_setup_teardown(moved_server, bench_new, bench_free),
        cmocka_unit_test_setup_teardown(deadline, bench_new, bench_free),
        cmocka_unit_test_setup_teardown(refused_login, bench_new, bench_free),
        cmocka_unit_test_setup_teardown(more_than_was_asked, bench_new, bench_free),
        cmocka_unit_test_setup_teardown(operations, bench_new, bench_free),
        cmocka_unit_test_setup_teardown(closed_target, bench_new, bench_free),
        cmocka_unit_test(urls),
        cmocka_unit_test_setup_teardown(long_credentials, bench_new, bench_free),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Which keyspaces there are and how they are replicated, asked of a node by Jolokia beside its
 * polls. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "follow_keyspaces.h"
#include "poll_server.h"

#define PATIENCE_MS 20000

enum mode {
    SAYS_ALL,
    SAYS_OTHER,   /* another replication, and one keyspace more */
    DROPPED_ONE,  /* between its name and the question */
    SAYS_NOTHING, /* before 4.0 */
    STARTS,
};

struct node {
    atomic_int mode;
    atomic_uint asked;   /* for the names */
    atomic_uint running; /* operations at the same time */
    atomic_bool overlapping;
};

struct bench {
    sd_event *event;
    struct poller *poller;
    struct follow_keyspaces *follow;
    struct node *node;
    struct server server;
    unsigned operations, busy;
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static const char *answer_to(struct node *node, const char *request)
{
    int mode = atomic_load(&node->mode);

    if (mode == STARTS)
        return "{\"error_type\":\"javax.management.InstanceNotFoundException\",\"status\":404}";
    if (strstr(request, "NonSystemKeyspaces")) {
        atomic_fetch_add(&node->asked, 1);
        return mode == SAYS_OTHER
                   ? "{\"value\":[\"system_auth\",\"app\",\"old\",\"new\"],\"status\":200}"
                   : "{\"value\":[\"system_auth\",\"app\",\"old\"],\"status\":200}";
    }
    if (mode == SAYS_NOTHING || (mode == DROPPED_ONE && strstr(request, "\"old\"")))
        return "{\"error_type\":\"java.lang.IllegalArgumentException\",\"status\":400}";
    if (strstr(request, "\"app\""))
        return mode == SAYS_OTHER
                   ? "{\"value\":\"NetworkTopologyStrategy {dc1=5}\",\"status\":200}"
                   : "{\"value\":\"NetworkTopologyStrategy {dc1=3}\",\"status\":200}";
    if (strstr(request, "\"old\""))
        return "{\"value\":\"SimpleStrategy {replication_factor=1}\",\"status\":200}";
    return "{\"value\":\"LocalStrategy {}\",\"status\":200}";
}

static void talk(int fd, const void *userdata)
{
    struct node *node = (struct node *)userdata;
    char request[8192], head[128];

    while (read_request(fd, request, sizeof(request))) {
        bool poll = strstr(request, "OperationMode");
        const char *body = poll ? "[]" : answer_to(node, request);

        if (!poll && atomic_fetch_add(&node->running, 1) > 0)
            atomic_store(&node->overlapping, true);
        sleep_ms(1);
        if (!poll)
            atomic_fetch_sub(&node->running, 1);
        snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
                 strlen(body));
        if (!send_text(fd, head) || !send_text(fd, body))
            return;
    }
}

static void on_observation(struct observation *observation, void *userdata)
{
    (void)observation;
    (void)userdata;
}

static void on_round(void *userdata)
{
    (void)userdata;
}

static struct poller *make_poller(struct bench *bench)
{
    const struct poller_handlers handlers = {.done = on_observation, .round = on_round};
    struct poller *poller;
    char url[64];
    const struct poller_settings settings = {.interval_ms = 50,
                                             .timeout_ms = 2000,
                                             .membership_ms = 60000,
                                             .local_url = url,
                                             .local_user = "",
                                             .local_password = "",
                                             .peer_url = ""};

    snprintf(url, sizeof(url), "jolokia+http://127.0.0.1:%u/jolokia", bench->server.port);
    assert_int_equal(poller_new(bench->event, &settings, &handlers, &poller), 0);
    return poller;
}

static int setup(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));

    if (!bench)
        return -1;
    bench->node =
        mmap(NULL, sizeof(*bench->node), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bench->server = server_start(talk, bench->node);
    assert_true(sd_event_new(&bench->event) >= 0);
    bench->poller = make_poller(bench);
    assert_int_equal(follow_keyspaces_new(bench->event, &bench->follow), 0);
    follow_keyspaces_set_poller(bench->follow, bench->poller, 50, false);
    *state = bench;
    return 0;
}

static int teardown(void **state)
{
    struct bench *bench = *state;

    follow_keyspaces_free(bench->follow);
    poller_free(bench->poller);
    sd_event_unref(bench->event);
    server_stop(&bench->server);
    munmap(bench->node, sizeof(*bench->node));
    free(bench);
    return 0;
}

/* "app:dc1=3 old:=1", "never" */
static const char *current(const struct bench *bench)
{
    const struct keyspaces *keyspaces = follow_keyspaces_current(bench->follow);
    static char text[256];
    size_t len = 0;

    if (keyspaces->read_at_ms == 0)
        return "never";
    text[0] = '\0';
    for (size_t i = 0; i < keyspaces->n; i++) {
        const struct keyspace *keyspace = &keyspaces->items[i];

        len +=
            (size_t)snprintf(text + len, sizeof(text) - len, "%s%s:", i ? " " : "", keyspace->name);
        if (keyspace->n_dcs == 0)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "?");
        for (size_t k = 0; k < keyspace->n_dcs; k++)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s=%u", keyspace->dcs[k].name,
                                    keyspace->dcs[k].replicas);
    }
    return text;
}

static void run(struct bench *bench)
{
    assert_true(sd_event_run(bench->event, 100000) >= 0);
}

static void becomes(struct bench *bench, const char *expected)
{
    for (int64_t end = now_ms() + PATIENCE_MS; strcmp(current(bench), expected) != 0;) {
        if (now_ms() > end)
            fail_msg("%s instead of %s", current(bench), expected);
        run(bench);
    }
}

/* That many passes have begun after now. */
static void passes(struct bench *bench, unsigned n)
{
    unsigned end = atomic_load(&bench->node->asked) + n;

    for (int64_t until = now_ms() + PATIENCE_MS; atomic_load(&bench->node->asked) < end;) {
        assert_true(now_ms() < until);
        run(bench);
    }
}

static void it_follows_what_is_said(void **state)
{
    struct bench *bench = *state;

    becomes(bench, "app:dc1=3 old:=1");
    atomic_store(&bench->node->mode, SAYS_OTHER);
    becomes(bench, "app:dc1=5 old:=1"); /* the new one is local to each node */
    atomic_store(&bench->node->mode, DROPPED_ONE);
    becomes(bench, "app:dc1=3 old:?");
    atomic_store(&bench->node->mode, SAYS_ALL);
    becomes(bench, "app:dc1=3 old:=1");
}

static void what_was_said_stays_while_nobody_answers(void **state)
{
    struct bench *bench = *state;
    int64_t read_at_ms;

    becomes(bench, "app:dc1=3 old:=1");
    atomic_store(&bench->node->mode, STARTS);
    for (int64_t end = now_ms() + 500; now_ms() < end;)
        run(bench);
    assert_string_equal(current(bench), "app:dc1=3 old:=1");
    read_at_ms = follow_keyspaces_current(bench->follow)->read_at_ms;
    server_stop(&bench->server);
    for (int64_t end = now_ms() + 500; now_ms() < end;)
        run(bench);
    assert_string_equal(current(bench), "app:dc1=3 old:=1");
    assert_true(follow_keyspaces_current(bench->follow)->read_at_ms == read_at_ms);
    follow_keyspaces_set_poller(bench->follow, bench->poller, 50, true);
    assert_string_equal(current(bench), "never");
}

static void where_it_is_not_offered(void **state)
{
    struct bench *bench = *state;

    atomic_store(&bench->node->mode, SAYS_NOTHING);
    passes(bench, 3);
    assert_string_equal(current(bench), "never");
    atomic_store(&bench->node->mode, SAYS_ALL); /* an upgrade */
    becomes(bench, "app:dc1=3 old:=1");
    atomic_store(&bench->node->mode, SAYS_NOTHING);
    becomes(bench, "never");
}

static void on_other(struct reply *reply, void *userdata)
{
    struct bench *bench = userdata;

    assert_int_equal(reply->result, POLL_OK);
    bench->operations++;
}

/* Somebody else's operations get their turn, and one at a time runs. */
static void beside_others(void **state)
{
    static const struct source_operation operation = {
        .mbean = "a:type=b", .name = "other", .timeout_ms = 2000};
    struct bench *bench = *state;

    for (int64_t end = now_ms() + PATIENCE_MS; bench->operations < 50;) {
        int r = poller_invoke_local(bench->poller, &operation, on_other, bench);

        assert_true(now_ms() < end);
        assert_true(r == 0 || r == -EBUSY);
        bench->busy += r == -EBUSY;
        run(bench);
    }
    becomes(bench, "app:dc1=3 old:=1");
    assert_false(atomic_load(&bench->node->overlapping));
}

/* The answer of what the old poller asked does not come. */
static void another_poller(void **state)
{
    struct bench *bench = *state;

    for (int i = 0; i < 20; i++) {
        struct poller *poller;

        passes(bench, 1);
        poller = make_poller(bench);
        poller_free(bench->poller);
        bench->poller = poller;
        follow_keyspaces_set_poller(bench->follow, poller, 50, false);
    }
    becomes(bench, "app:dc1=3 old:=1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_follows_what_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_said_stays_while_nobody_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(where_it_is_not_offered, setup, teardown),
        cmocka_unit_test_setup_teardown(beside_others, setup, teardown),
        cmocka_unit_test_setup_teardown(another_poller, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

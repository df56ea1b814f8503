/*
 * Every fault a node can have, all at once in one poller, beside a healthy node: each gives its
 * named result, memory stays bounded, and the healthy one keeps its cadence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "poll_server.h"
#include "sources/http.h"
#include "sources/poller.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED   1
#define INTERVAL_MS 800
#else
#define SANITIZED   0
#define INTERVAL_MS 200
#endif
#define TIMEOUT_MS (3 * INTERVAL_MS)
#define ROUNDS     8
#define ATTEMPTS   4 /* a machine that is busy with other things may be late, but not every time */

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

/* Sends the text after the request, and closes. */
static void talk_text(int fd, const void *userdata)
{
    char request[8192];

    if (read_request(fd, request, sizeof(request)))
        send_text(fd, userdata);
    shutdown(fd, SHUT_WR);
    while (recv(fd, request, sizeof(request), 0) > 0)
        ;
}

/* Sends the text before it is asked for anything. */
static void talk_greeting(int fd, const void *userdata)
{
    send_text(fd, userdata);
    shutdown(fd, SHUT_WR);
    sleep_ms(50);
}

static void talk_hang(int fd, const void *userdata)
{
    char request[8192];

    (void)userdata;
    while (recv(fd, request, sizeof(request), 0) > 0)
        ;
}

/* Sends the text, then a byte every 100 ms. */
static void talk_drip(int fd, const void *userdata)
{
    char request[8192];

    if (!read_request(fd, request, sizeof(request)) || !send_text(fd, userdata))
        return;
    while (send_all(fd, "x", 1))
        sleep_ms(100);
}

/* Sends the text, then the same piece for ever. */
static void talk_endless(int fd, const void *userdata)
{
    static const char line[] =
        "X-Piece: 123456789012345678901234567890123456789012345678901234\r\n";
    char piece[256 * (sizeof(line) - 1)];
    char request[8192];

    for (size_t i = 0; i < sizeof(piece); i += sizeof(line) - 1)
        memcpy(piece + i, line, sizeof(line) - 1);
    if (!read_request(fd, request, sizeof(request)) || !send_text(fd, userdata))
        return;
    while (send_all(fd, piece, sizeof(piece)))
        ;
}

static void talk_reset(int fd, const void *userdata)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    char request[8192];

    if (read_request(fd, request, sizeof(request)))
        send_text(fd, userdata);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/* A body made of one piece many times. */
static void talk_repeated(int fd, const void *userdata)
{
    enum { TIMES = 100000 };
    size_t len = strlen(userdata);
    char *body = malloc(TIMES * len + 1);
    char request[8192];

    for (int i = 0; body && i < TIMES; i++)
        memcpy(body + (size_t)i * len, userdata, len);
    if (body && read_request(fd, request, sizeof(request)) && send_text(fd, HEAD "\r\n"))
        send_all(fd, body, TIMES * len);
    free(body);
}

/* 900 kB of a body that never ends. */
static void talk_large_and_hang(int fd, const void *userdata)
{
    static const char piece[9000];
    char request[8192];

    if (!read_request(fd, request, sizeof(request)) || !send_text(fd, HEAD "\r\n"))
        return;
    for (int i = 0; i < 100; i++)
        if (!send_all(fd, piece, sizeof(piece)))
            return;
    talk_hang(fd, userdata);
}

#define BAD_TYPE                                                                                   \
    HEAD "\r\n[{\"status\":200,\"value\":{\"/10.0.0.1\":7}},{\"status\":404},{\"status\":404}]"
#define INNER(status) HEAD "\r\n{\"status\":" status ",\"error_type\":\"x\",\"error\":\"y\"}"

static const struct fault {
    const char *name;
    talk_fn talk; /* NULL = made by hand below */
    const char *text;
    enum poll_result expected;
    int status;         /* -1 = any */
    const char *detail; /* NULL = any */
} faults[] = {
    {"refused", NULL, NULL, POLL_REFUSED, 0, ""},
    {"full backlog", NULL, NULL, POLL_TIMEOUT, 0, "connecting"},
    {"unreachable", NULL, NULL, POLL_UNREACHABLE, 0, "Network is unreachable"},
    {"no TLS there", NULL, NULL, POLL_TLS, 0, NULL},
    {"blackhole", talk_hang, NULL, POLL_TIMEOUT, 0, "no answer"},
    {"slow head", talk_drip, "HTTP/1.1 200 OK\r\nX-Slow: ", POLL_TIMEOUT, -1, "answer incomplete"},
    {"slow body", talk_drip, HEAD "\r\n[", POLL_TIMEOUT, 200, "answer incomplete"},
    {"endless body", talk_endless, HEAD "\r\n", POLL_TOO_LARGE, 200, ""},
    {"10 GB announced", talk_endless, HEAD "Content-Length: 10000000000\r\n\r\n", POLL_TOO_LARGE,
     200, ""},
    {"endless head", talk_endless, HEAD, POLL_TOO_LARGE, -1, "headers"},
    {"endless error page", talk_endless, "HTTP/1.1 500 No\r\n\r\n", POLL_HTTP, 500, ""},
    {"reset in the head", talk_reset, "HTTP/1.1 200", POLL_RESET, -1, "connection closed"},
    {"reset in the body", talk_reset, HEAD "Content-Length: 100\r\n\r\n[{", POLL_RESET, 200, NULL},
    {"closed without an answer", talk_text, "", POLL_RESET, 0, "connection closed"},
    {"cut short", talk_text, HEAD "Content-Length: 1000\r\n\r\n[{\"value\"", POLL_RESET, 200,
     "answer cut short"},
    {"cut chunk", talk_text, HEAD "Transfer-Encoding: chunked\r\n\r\n100\r\n[{", POLL_RESET, 200,
     NULL},
    {"HTML", talk_text, HEAD "\r\n<html><body>Hello</body></html>", POLL_BAD_JSON, 200, NULL},
    {"empty", talk_text, HEAD "Content-Length: 0\r\n\r\n", POLL_BAD_JSON, 200, "empty"},
    {"cut JSON", talk_text, HEAD "\r\n[{\"value\":{", POLL_BAD_JSON, 200, NULL},
    {"duplicate keys", talk_text, HEAD "\r\n[{\"status\":200,\"status\":200}]", POLL_BAD_JSON, 200,
     NULL},
    {"invalid UTF-8", talk_text, HEAD "\r\n[\"\xff\xfe\"]", POLL_BAD_JSON, 200, NULL},
    {"deep JSON", talk_repeated, "[", POLL_TOO_LARGE, 200, "too many values"},
    {"many values", talk_repeated, "{},", POLL_TOO_LARGE, 200, "too many values"},
    {"wrong type", talk_text, BAD_TYPE, POLL_BAD_SHAPE, 200,
     "SimpleStates holds a value that is not a string"},
    {"not an array", talk_text, HEAD "\r\n{}", POLL_BAD_SHAPE, 200, "the answer is not an array"},
    {"redirect", talk_text,
     "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
     POLL_REDIRECT, 302, ""},
    {"401", talk_text, "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
     POLL_AUTH, 401, ""},
    {"403", talk_text, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", POLL_AUTH, 403, ""},
    {"500", talk_text, "HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno", POLL_HTTP, 500, ""},
    {"204", talk_text, "HTTP/1.1 204 No\r\n\r\n", POLL_HTTP, 204, ""},
    {"403 inside", talk_text, INNER("403"), POLL_AUTH, 200, NULL},
    {"400 inside", talk_text, INNER("400"), POLL_HTTP, 200, "status 400 inside the answer"},
    {"not HTTP", talk_text, "SSH-2.0-OpenSSH_9.2\r\n", POLL_HTTP, -1, "the answer is not HTTP/1"},
    {"garbage chunk", talk_text, HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\n", POLL_RESET, 200,
     NULL},
    {"MBeans missing", talk_text, HEAD "\r\n[{\"status\":404},{\"status\":404},{\"status\":404}]",
     POLL_NO_MBEAN, 200, "FailureDetector"},
};

#define N_FAULTS (sizeof(faults) / sizeof(faults[0]))

struct run {
    sd_event *event;
    struct poller *poller;
    unsigned rounds, max_rounds;
    unsigned seen[N_FAULTS];
    unsigned late; /* timed out although the fault is another one */
    unsigned healthy, too_large, timeouts;
    int64_t last_healthy_ms, longest_gap_ms;
};

static struct prober_addr address_of(unsigned i)
{
    struct prober_addr address = {.bytes = {[10] = 0xff, [11] = 0xff, [12] = 127, [13] = 1}};

    address.bytes[14] = (uint8_t)(i >> 8);
    address.bytes[15] = (uint8_t)i;
    return address;
}

static void check_fault(struct run *run, const struct fault *fault,
                        const struct observation *observation)
{
    bool same = observation->result == fault->expected &&
                (fault->status < 0 || observation->http_status == fault->status) &&
                (!fault->detail || strcmp(observation->detail, fault->detail) == 0);

    run->seen[fault - faults]++;
    run->late += !same && observation->result == POLL_TIMEOUT;
    if (!same && observation->result != POLL_TIMEOUT)
        fail_msg("%s: %s, status %d, \"%s\"", fault->name, poll_result_word(observation->result),
                 observation->http_status, observation->detail);
    assert_null(observation->view);
}

static void on_observation(struct observation *observation, void *userdata)
{
    struct run *run = userdata;
    unsigned i = observation->observer.bytes[14] << 8 | observation->observer.bytes[15];

    if (i > 0) {
        check_fault(run, &faults[i - 1], observation);
        return;
    }
    run->late += observation->result == POLL_TIMEOUT;
    assert_true(observation->result == POLL_OK || observation->result == POLL_TIMEOUT);
    if (run->healthy++ > 0 && observation->ended_ms - run->last_healthy_ms > run->longest_gap_ms)
        run->longest_gap_ms = observation->ended_ms - run->last_healthy_ms;
    run->last_healthy_ms = observation->ended_ms;
}

static void on_round(void *userdata)
{
    struct run *run = userdata;

    if (++run->rounds == run->max_rounds)
        sd_event_exit(run->event, 0);
}

static long peak_kb(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    long kb = 0;

    while (file && fgets(line, sizeof(line), file))
        sscanf(line, "VmHWM: %ld", &kb);
    if (file)
        fclose(file);
    return kb;
}

/* A listener whose queue is full: the kernel drops what else wants in. */
static struct server full_backlog(int filler[2])
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct server server = {0};

    server.fd = bound_socket(&server.port);
    assert_int_equal(listen(server.fd, 0), 0);
    to.sin_port = htons(server.port);
    for (int i = 0; i < 2; i++) {
        filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(filler[i], (struct sockaddr *)&to, sizeof(to));
    }
    return server;
}

/* A server for every fault, and the healthy node: target 0. */
struct fleet {
    struct server healthy, servers[N_FAULTS];
    struct script *script;
    struct poller_target targets[N_FAULTS + 1];
    char urls[N_FAULTS + 1][64];
    int filler[2];
};

static void fleet_start(struct fleet *fleet)
{
    fleet->script = script_new();
    fleet->healthy = server_start(talk_node, fleet->script);
    fleet->servers[0].fd = bound_socket(&fleet->servers[0].port);
    fleet->servers[1] = full_backlog(fleet->filler);
    fleet->servers[2] = (struct server){.port = 1, .fd = -1};
    fleet->servers[3] = server_start(talk_greeting, "SSH-2.0-OpenSSH_9.2\r\n");
    for (size_t i = 4; i < N_FAULTS; i++)
        fleet->servers[i] = server_start(faults[i].talk, faults[i].text);
    for (size_t i = 0; i <= N_FAULTS; i++) {
        const char *host = i == 3 ? "127.255.255.255" : "127.0.0.1";
        uint16_t port = i == 0 ? fleet->healthy.port : fleet->servers[i - 1].port;

        snprintf(fleet->urls[i], sizeof(fleet->urls[i]), "jolokia+http%s://%s:%u/jolokia/",
                 i == 4 ? "s" : "", host, port);
        fleet->targets[i].address = address_of((unsigned)i);
        fleet->targets[i].url = fleet->urls[i];
    }
}

static void fleet_stop(struct fleet *fleet)
{
    for (size_t i = 0; i < N_FAULTS; i++)
        server_stop(&fleet->servers[i]);
    server_stop(&fleet->healthy);
    close(fleet->filler[0]);
    close(fleet->filler[1]);
    script_free(fleet->script);
}

/* True when everything came in time. */
static bool poll_faults(struct fleet *fleet)
{
    struct run run = {.max_rounds = ROUNDS};
    const struct poller_handlers handlers = {
        .done = on_observation, .round = on_round, .userdata = &run};
    const struct poller_settings settings = {.interval_ms = INTERVAL_MS,
                                             .timeout_ms = TIMEOUT_MS,
                                             .membership_ms = 30000,
                                             .local_url = "",
                                             .peer_url = ""};
    bool seen = true;

    fleet->script->overlapping = 0;
    assert_true(sd_event_new(&run.event) >= 0);
    assert_int_equal(poller_new(run.event, &settings, &handlers, &run.poller), 0);
    assert_int_equal(poller_set_targets(run.poller, fleet->targets, N_FAULTS + 1), 0);
    assert_true(sd_event_loop(run.event) >= 0);
    assert_int_equal(fleet->script->overlapping, 0);
    assert_true(poller_first_pass_done(run.poller));
    assert_true(poller_counters(run.poller)->skipped > 0);
    /* A hung one takes its turn every fourth round. */
    for (size_t i = 0; i < N_FAULTS; i++)
        seen = seen && run.seen[i] >= ROUNDS / 4;
    poller_free(run.poller);
    sd_event_unref(run.event);
    return seen && run.late == 0 && run.healthy >= ROUNDS - 1 &&
           run.longest_gap_ms <= 2 * INTERVAL_MS;
}

static void all_faults_at_once(void **state)
{
    struct fleet fleet = {0};
    long before_kb = peak_kb();
    bool good = false;

    (void)state;
    fleet_start(&fleet);
    for (int i = 0; i < ATTEMPTS && !good; i++)
        good = poll_faults(&fleet);
    assert_true(good);
    assert_true(SANITIZED || peak_kb() - before_kb < 32 * 1024);
    fleet_stop(&fleet);
}

static void on_large(struct observation *observation, void *userdata)
{
    struct run *run = userdata;

    assert_true(observation->result == POLL_TOO_LARGE || observation->result == POLL_TIMEOUT);
    if (observation->result == POLL_TOO_LARGE)
        assert_string_equal(observation->detail, "too many answers at once");
    run->too_large += observation->result == POLL_TOO_LARGE;
    run->timeouts += observation->result == POLL_TIMEOUT;
    if (run->too_large + run->timeouts == run->max_rounds)
        sd_event_exit(run->event, 0);
}

static void no_round(void *userdata)
{
    (void)userdata;
}

/* Each answer is below its bound, all together are not: some of the polls end, the memory does not.
 */
static void budget_of_all_bodies(void **state)
{
    enum { N = 100 };
    const struct poller_settings settings = {.interval_ms = 3000,
                                             .timeout_ms = 20000,
                                             .membership_ms = 30000,
                                             .local_url = "",
                                             .peer_url = ""};
    struct poller_target targets[N] = {0};
    struct server server = server_start(talk_large_and_hang, NULL);
    struct run run = {.max_rounds =
                          N * 8 / 10 / 4}; /* 64 MiB hold 64 of these bodies: 36 are too many */
    struct poller_handlers handlers = {.done = on_large, .round = no_round, .userdata = &run};
    long before_kb = peak_kb();
    char url[64];

    (void)state;
    snprintf(url, sizeof(url), "jolokia+http://127.0.0.1:%u", server.port);
    for (unsigned i = 0; i < N; i++)
        targets[i] = (struct poller_target){.address = address_of(i + 1), .url = url};
    assert_true(sd_event_new(&run.event) >= 0);
    assert_int_equal(poller_new(run.event, &settings, &handlers, &run.poller), 0);
    assert_int_equal(poller_set_targets(run.poller, targets, N), 0);
    assert_true(sd_event_loop(run.event) >= 0);
    assert_int_equal(run.timeouts, 0);
    assert_true(SANITIZED || peak_kb() - before_kb < (long)(HTTP_BUDGET / 1024) + 16 * 1024);
    /* With 64 polls on their way. */
    poller_free(run.poller);
    sd_event_unref(run.event);
    server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_faults_at_once),
        cmocka_unit_test(budget_of_all_bodies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

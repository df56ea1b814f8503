/*
 * Every fault a JMX server can have, and every one a hostile one can think of, all at once in one
 * poller, beside a healthy node: each gives its named result within the deadline, memory stays
 * bounded, and the healthy one keeps its cadence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "jmx_server.h"
#include "sources/http_multi.h"
#include "sources/poller.h"

#define INTERVAL_MS 400
#define TIMEOUT_MS  1000
#define ROUNDS      8
#define ATTEMPTS    4 /* a machine that is busy with other things may be late, but not every time */

#define ACK    "\x4e\x00\x00\x00\x00\x00\x00"
#define STREAM "\x51\xac\xed\x00\x05"
#define ANSWER                                                                                     \
    STREAM "\x77\x0f\x01"                                                                          \
           "0123456789abcd"
#define THROWN                                                                                     \
    STREAM "\x77\x0f\x02"                                                                          \
           "0123456789abcd"
#define CLASS(name_len, name, flags, fields)                                                       \
    "\x72\x00" name_len name "\x00\x00\x00\x00\x00\x00\x00\x01" flags "\x00" fields
#define PLAIN(name_len, name, flags) CLASS(name_len, name, flags, "\x00") "\x70\x78\x70"
#define EXCEPTION(name_len, name)    THROWN "\x73" PLAIN(name_len, name, "\x02")
#define LIST                         ANSWER "\x73" PLAIN("\x13", "java.util.ArrayList", "\x03") "\x77\x04\x00\x00\x00\x00"
#define ATTRIBUTE(name_len, name)                                                                  \
    "\x73" CLASS(                                                                                  \
        "\x1a", "javax.management.Attribute", "\x02",                                              \
        "\x02") "L\x00\x04name\x74\x00\x01xL\x00\x05value\x74\x00\x01x\x78\x70\x74\x00" name_len   \
        name
#define ANY "\x73" PLAIN("\x01", "A", "\x03")

#define BYTES(text) text, sizeof(text) - 1
#define NONE        "", 0

static const struct {
    const char *name;
    struct jmx_fault fault;
    enum poll_result expected;
    const char *detail; /* NULL = any */
} faults[] = {
    {"blackhole", {AT_CONNECT, NONE, NONE, HANG}, POLL_TIMEOUT, "no answer"},
    {"closed at once", {AT_CONNECT, NONE, NONE, CLOSE}, POLL_RESET, "connection closed"},
    {"reset at once", {AT_CONNECT, NONE, NONE, RESET}, POLL_RESET, "connection closed"},
    {"half a handshake", {AT_CONNECT, BYTES("\x4e\x00"), NONE, CLOSE}, POLL_RESET, NULL},
    {"slow handshake",
     {AT_CONNECT, BYTES("\x4e\x00\xff"), BYTES("x"), DRIP},
     POLL_TIMEOUT,
     "answer incomplete"},
    {"long host name",
     {AT_CONNECT, BYTES("\x4e\xff\xff"), NONE, HANG},
     POLL_BAD_STREAM,
     "not a JMX port: a handshake that is none"},
    {"not supported",
     {AT_CONNECT, BYTES("\x4f"), NONE, CLOSE},
     POLL_BAD_STREAM,
     "the server does not speak the stream protocol"},
    {"SSH",
     {AT_CONNECT, BYTES("SSH-2.0-OpenSSH_9.2\r\n"), NONE, CLOSE},
     POLL_BAD_STREAM,
     "not a JMX port: its answer begins with 53"},
    {"HTTP",
     {AT_CONNECT, BYTES("HTTP/1.1 400 Bad Request\r\n\r\n"), NONE, CLOSE},
     POLL_BAD_STREAM,
     NULL},
    {"CQL", {AT_CONNECT, BYTES("\x85\x00\x00\x00\x00"), NONE, CLOSE}, POLL_BAD_STREAM, NULL},
    {"TLS",
     {AT_CONNECT, BYTES("\x15\x03\x03\x00\x02\x02\x46"), NONE, CLOSE},
     POLL_TLS,
     "the port speaks TLS: jmx+ssl:// is for that"},
    {"not asked",
     {AT_CONNECT, BYTES(ACK "\x51\xac\xed\x00\x05\x51"), NONE, HANG},
     POLL_BAD_STREAM,
     "not a readable answer"},
    {"closed at lookup", {AT_LOOKUP, NONE, NONE, CLOSE}, POLL_RESET, "connection closed"},
    {"nothing registered",
     {AT_LOOKUP, BYTES(ANSWER "\x70"), NONE, HANG},
     POLL_NO_MBEAN,
     "no JMX server is registered"},
    {"not bound",
     {AT_LOOKUP, BYTES(EXCEPTION("\x1a", "java.rmi.NotBoundException")), NONE, HANG},
     POLL_NO_MBEAN,
     "no JMX server is registered"},
    {"text for a stub",
     {AT_LOOKUP, BYTES(ANSWER "\x74\x00\x01x"), NONE, HANG},
     POLL_BAD_STREAM,
     "not a reference to a JMX server"},
    {"object for a stub",
     {AT_LOOKUP, BYTES(ANSWER ANY "\x78"), NONE, HANG},
     POLL_BAD_STREAM,
     "not a reference to a JMX server"},
    {"endless stub",
     {AT_LOOKUP, BYTES(ANSWER ANY), BYTES("\x77\x01x"), ENDLESS},
     POLL_TOO_LARGE,
     NULL},
    {"login refused",
     {AT_NEW_CLIENT, BYTES(EXCEPTION("\x1b", "java.lang.SecurityException")), NONE, HANG},
     POLL_AUTH,
     "java.lang.SecurityException"},
    {"no registry yet",
     {AT_LOOKUP, BYTES(EXCEPTION("\x1e", "java.rmi.NoSuchObjectException")), NONE, CLOSE},
     POLL_NO_MBEAN,
     "no JMX server is registered"},
    {"server object unknown",
     {AT_NEW_CLIENT, BYTES(EXCEPTION("\x1e", "java.rmi.NoSuchObjectException")), NONE, CLOSE},
     POLL_EXCEPTION,
     "java.rmi.NoSuchObjectException"},
    {"server breaks",
     {AT_NEW_CLIENT, BYTES(EXCEPTION("\x14", "java.rmi.ServerError")), NONE, HANG},
     POLL_EXCEPTION,
     "java.rmi.ServerError"},
    {"no answer", {AT_CALL, NONE, NONE, HANG}, POLL_TIMEOUT, "no answer"},
    {"closed in the call", {AT_CALL, NONE, NONE, CLOSE}, POLL_RESET, "connection closed"},
    {"cut short", {AT_CALL, BYTES(LIST), NONE, CLOSE}, POLL_RESET, "connection closed"},
    {"reset in the answer", {AT_CALL, BYTES(LIST), NONE, RESET}, POLL_RESET, "connection closed"},
    {"drip", {AT_CALL, BYTES(LIST), BYTES("\x70"), DRIP}, POLL_TIMEOUT, "answer incomplete"},
    {"one answer of two",
     {AT_CALL, BYTES(LIST "\x78"), NONE, HANG},
     POLL_TIMEOUT,
     "answer incomplete"},
    {"connection object unknown",
     {AT_CALL, BYTES(EXCEPTION("\x1e", "java.rmi.NoSuchObjectException")), NONE, HANG},
     POLL_EXCEPTION,
     "java.rmi.NoSuchObjectException"},
    {"MBeans missing",
     {AT_CALL,
      BYTES(EXCEPTION("\x2a", "javax.management.InstanceNotFoundException")
                EXCEPTION("\x2a", "javax.management.InstanceNotFoundException")),
      NONE, CLOSE},
     POLL_NO_MBEAN,
     "FailureDetector"},
    {"may not read",
     {AT_CALL,
      BYTES(EXCEPTION("\x1b", "java.lang.SecurityException")
                EXCEPTION("\x1b", "java.lang.SecurityException")),
      NONE, CLOSE},
     POLL_AUTH,
     "java.lang.SecurityException"},
    {"getter fails",
     {AT_CALL, BYTES(EXCEPTION("\x03", "x.X") EXCEPTION("\x03", "x.X")), NONE, CLOSE},
     POLL_EXCEPTION,
     "x.X"},
    {"gives up in the middle",
     {AT_CALL, BYTES(LIST "\x73\x7b\x73" PLAIN("\x03", "x.X", "\x02")), NONE, CLOSE},
     POLL_EXCEPTION,
     "x.X"},
    {"attributes missing",
     {AT_CALL, BYTES(LIST "\x78" LIST "\x78"), NONE, CLOSE},
     POLL_NO_MBEAN,
     "FailureDetector"},
    {"text for a list",
     {AT_CALL, BYTES(ANSWER "\x74\x00\x01x" LIST "\x78"), NONE, CLOSE},
     POLL_BAD_SHAPE,
     "the answer of FailureDetector is not a list"},
    {"text for a map",
     {AT_CALL,
      BYTES(LIST ATTRIBUTE("\x14", "SimpleStatesWithPort") "\x74\x00\x01x\x78" LIST "\x78"), NONE,
      CLOSE},
     POLL_BAD_SHAPE,
     "SimpleStates is not a map"},
    {"garbage",
     {AT_CALL, BYTES(ANSWER "garbage"), NONE, HANG},
     POLL_BAD_STREAM,
     "not a readable answer"},
    {"exception in exception",
     {AT_CALL, BYTES(ANSWER "\x7b\x73\x7b\x70"), NONE, HANG},
     POLL_BAD_STREAM,
     "not a readable answer"},
    {"reference to nothing",
     {AT_CALL, BYTES(ANSWER "\x71\x00\x7e\x00\x00"), NONE, HANG},
     POLL_BAD_STREAM,
     NULL},
    {"reset code", {AT_CALL, BYTES(ANSWER "\x79"), NONE, HANG}, POLL_BAD_STREAM, NULL},
    {"2 GB array announced",
     {AT_CALL, BYTES(ANSWER "\x75" PLAIN("\x02", "[B", "\x02") "\x7f\xff\xff\xff"), NONE, HANG},
     POLL_TOO_LARGE,
     NULL},
    {"endless string announced",
     {AT_CALL, BYTES(ANSWER "\x7c\x7f\xff\xff\xff\xff\xff\xff\xff"), NONE, HANG},
     POLL_TOO_LARGE,
     NULL},
    {"endless nulls", {AT_CALL, BYTES(LIST), BYTES("\x70"), ENDLESS}, POLL_TOO_LARGE, NULL},
    {"endless handles",
     {AT_CALL, BYTES(LIST), BYTES("\x74\x00\x00"), ENDLESS},
     POLL_TOO_LARGE,
     NULL},
    {"endless blocks", {AT_CALL, BYTES(LIST), BYTES("\x77\x00"), ENDLESS}, POLL_TOO_LARGE, NULL},
    {"endless depth",
     {AT_CALL, BYTES(ANSWER ANY), BYTES("\x73\x71\x00\x7e\x00\x00"), ENDLESS},
     POLL_TOO_LARGE,
     NULL},
    {"endless classes",
     {AT_CALL, BYTES(ANSWER ANY), BYTES("\x76" PLAIN("\x00", "", "\x02")), ENDLESS},
     POLL_TOO_LARGE,
     NULL},
    {"endless superclasses",
     {AT_CALL, BYTES(ANSWER "\x73"), BYTES(CLASS("\x00", "", "\x02", "\x00") "\x78"), ENDLESS},
     POLL_TOO_LARGE,
     NULL},
    {"many fields",
     {AT_CALL, BYTES(ANSWER "\x73" CLASS("\x01", "A", "\x02", "\xff")), NONE, HANG},
     POLL_TOO_LARGE,
     NULL},
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

static void check_fault(struct run *run, size_t i, const struct observation *observation)
{
    run->seen[i]++;
    if (observation->result == POLL_TIMEOUT && faults[i].expected != POLL_TIMEOUT) {
        run->late++;
        return;
    }
    /* A busy machine may not come to the end of what it should. */
    if (observation->result == POLL_TIMEOUT && faults[i].detail &&
        strcmp(observation->detail, faults[i].detail) != 0) {
        run->late++;
        return;
    }
    if (observation->result != faults[i].expected ||
        (faults[i].detail && strcmp(observation->detail, faults[i].detail) != 0))
        fail_msg("%s: %s, \"%s\"", faults[i].name, poll_result_word(observation->result),
                 observation->detail);
    assert_null(observation->view);
    run->late += observation->ended_ms - observation->began_ms > TIMEOUT_MS + 200;
}

static void on_observation(struct observation *observation, void *userdata)
{
    struct run *run = userdata;
    unsigned i = observation->observer.bytes[14] << 8 | observation->observer.bytes[15];

    if (i > 0) {
        check_fault(run, i - 1, observation);
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

/* A server for every fault, and the healthy node: target 0. */
struct fleet {
    struct jmx_script *script;
    struct jmx_node nodes[N_FAULTS + 1];
    struct server servers[N_FAULTS + 1];
    struct poller_target targets[N_FAULTS + 1];
    char urls[N_FAULTS + 1][64];
};

static void fleet_start(struct fleet *fleet)
{
    fleet->script = jmx_script_new();
    for (size_t i = 0; i <= N_FAULTS; i++) {
        fleet->nodes[i].script = fleet->script;
        fleet->nodes[i].fault = i > 0 ? &faults[i - 1].fault : NULL;
        fleet->servers[i] = server_start(talk_jmx, &fleet->nodes[i]);
        snprintf(fleet->urls[i], sizeof(fleet->urls[i]), "jmx://127.0.0.1:%u",
                 fleet->servers[i].port);
        fleet->targets[i] =
            (struct poller_target){.address = address_of((unsigned)i), .url = fleet->urls[i]};
    }
}

static void fleet_stop(struct fleet *fleet)
{
    for (size_t i = 0; i <= N_FAULTS; i++)
        server_stop(&fleet->servers[i]);
    jmx_script_free(fleet->script);
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

    assert_true(sd_event_new(&run.event) >= 0);
    assert_int_equal(poller_new(run.event, &settings, &handlers, &run.poller), 0);
    assert_int_equal(poller_set_targets(run.poller, fleet->targets, N_FAULTS + 1), 0);
    assert_true(sd_event_loop(run.event) >= 0);
    assert_true(poller_first_pass_done(run.poller));
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
    int attempts = 1;

    (void)state;
    fleet_start(&fleet);
    while (!poll_faults(&fleet) && attempts < ATTEMPTS)
        attempts++;
    assert_int_not_equal(attempts, ATTEMPTS);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true((size_t)(peak_kb() - before_kb) < HTTP_BUDGET / 1024);
#else
    (void)before_kb;
#endif
    fleet_stop(&fleet);
}

/* 900 kB of small objects, and no end. */
static void talk_large_and_hang(int fd, const void *userdata)
{
    static struct jmx_fault fault = {AT_CALL, NULL, 0, NONE, HANG};
    struct jmx_node node = {.script = ((const struct jmx_node *)userdata)->script, .fault = &fault};
    struct bytes bytes = {0};

    put(&bytes, BYTES(LIST));
    for (int i = 0; i < 180000; i++)
        put(&bytes, BYTES("\x71\x00\x7e\x00\x00"));
    fault.bytes = (const char *)bytes.data;
    fault.len = bytes.len;
    talk_jmx(fd, &node);
}

static void on_large(struct observation *observation, void *userdata)
{
    struct run *run = userdata;

    if (observation->result == POLL_TOO_LARGE)
        assert_string_equal(observation->detail, "too many answers at once");
    run->too_large += observation->result == POLL_TOO_LARGE;
    run->timeouts += observation->result != POLL_TOO_LARGE;
    if (run->too_large + run->timeouts == run->max_rounds)
        sd_event_exit(run->event, 0);
}

static void no_round(void *userdata)
{
    (void)userdata;
}

/* Each answer is below its bounds, all together are not, for what is made of them counts too. */
static void budget_of_all_answers(void **state)
{
    enum { N = 30 };
    const struct poller_settings settings = {.interval_ms = 3000,
                                             .timeout_ms = 20000,
                                             .membership_ms = 30000,
                                             .local_url = "",
                                             .peer_url = ""};
    struct poller_target targets[N] = {0};
    struct jmx_node node = {.script = jmx_script_new()};
    struct server server = server_start(talk_large_and_hang, &node);
    struct run run = {.max_rounds = N / 3}; /* each takes 7 MiB or so: two thirds are too many */
    struct poller_handlers handlers = {.done = on_large, .round = no_round, .userdata = &run};
    long before_kb = peak_kb();
    char url[64];

    (void)state;
    snprintf(url, sizeof(url), "jmx://127.0.0.1:%u", server.port);
    for (unsigned i = 0; i < N; i++)
        targets[i] = (struct poller_target){.address = address_of(i + 1), .url = url};
    assert_true(sd_event_new(&run.event) >= 0);
    assert_int_equal(poller_new(run.event, &settings, &handlers, &run.poller), 0);
    assert_int_equal(poller_set_targets(run.poller, targets, N), 0);
    assert_true(sd_event_loop(run.event) >= 0);
    assert_int_equal(run.timeouts, 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true((size_t)(peak_kb() - before_kb) < HTTP_BUDGET / 1024 + 24 * 1024);
#else
    (void)before_kb;
#endif
    poller_free(run.poller);
    sd_event_unref(run.event);
    server_stop(&server);
    jmx_script_free(node.script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_faults_at_once),
        cmocka_unit_test(budget_of_all_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What is answered to who asks for the permit, by what the store has: one host, a store that is a
 * variable, and clocks that are the test's. */
#include "gates_util.h"
#include "log.h"
#include "store/permit_store.h"
#include "store/permit_text.h"

#define TTL_MS 600000

static struct fleet fleet;
static struct permits *permits;
static struct permits_answer answer;
static bool leads;
static unsigned gate_asked;
static int64_t wall_ms;

int64_t store_now_ms(void)
{
    return fleet.now_ms;
}

int64_t store_wall_ms(void)
{
    return wall_ms;
}

bool leader_is_us(const struct leader *leader)
{
    (void)leader;
    return leads;
}

void log_event(const struct log_event *event, const char *format, ...)
{
    (void)event;
    (void)format;
}

void log_message(int priority, const char *format, ...)
{
    (void)priority;
    (void)format;
}

/* The timer that looks */

struct sd_event_source {
    sd_event_time_handler_t handler;
    void *userdata;
};
static sd_event_source timer;

int sd_event_add_time(sd_event *event, sd_event_source **ret, clockid_t clock, uint64_t usec,
                      uint64_t accuracy, sd_event_time_handler_t handler, void *userdata)
{
    (void)event;
    (void)clock;
    (void)usec;
    (void)accuracy;
    timer = (sd_event_source){handler, userdata};
    *ret = &timer;
    return 0;
}

int sd_event_source_set_time_relative(sd_event_source *source, uint64_t usec)
{
    (void)source;
    (void)usec;
    return 0;
}

int sd_event_source_set_enabled(sd_event_source *source, int enabled)
{
    (void)source;
    (void)enabled;
    return 0;
}

sd_event_source *sd_event_source_disable_unref(sd_event_source *source)
{
    (void)source;
    return NULL;
}

/* The store */

static struct {
    char value[512];
    int64_t revision; /* 0 = there is none */
    int64_t last;
    bool delayed; /* the next change is done, and who asked for it not told, nor the next question
                     answered */
} store;

static struct {
    enum { GET, PUT, DELETE } verb;
    char value[512];
    int64_t revision;
    store_done done;
    void *userdata;
} queue[8];
static size_t n_queue;

static int add(int verb, const char *value, int64_t revision, store_done done, void *userdata)
{
    assert_true(n_queue < 8);
    queue[n_queue].verb = (unsigned)verb;
    snprintf(queue[n_queue].value, sizeof(queue[n_queue].value), "%s", value);
    queue[n_queue].revision = revision;
    queue[n_queue].done = done;
    queue[n_queue++].userdata = userdata;
    return 0;
}

int store_get(struct store *unused, const char *key, store_done done, void *userdata)
{
    (void)unused;
    (void)key;
    return add(GET, "", 0, done, userdata);
}

int store_put(struct store *unused, const char *key, const char *value, int64_t revision,
              bool session, store_done done, void *userdata)
{
    (void)unused;
    (void)key;
    (void)session;
    return add(PUT, value, revision, done, userdata);
}

int store_delete(struct store *unused, const char *key, int64_t revision, store_done done,
                 void *userdata)
{
    (void)unused;
    (void)key;
    return add(DELETE, "", revision, done, userdata);
}

static void serve(void)
{
    bool silent = false;

    while (n_queue > 0) {
        struct store_answer told = {.result = STORE_OK};
        store_done done = queue[0].done;
        void *userdata = queue[0].userdata;

        if (queue[0].verb != GET && queue[0].revision != store.revision) {
            told.result = STORE_CONFLICT;
        } else if (queue[0].verb == PUT) {
            strcpy(store.value, queue[0].value);
            store.revision = ++store.last;
        } else if (queue[0].verb == DELETE) {
            store.revision = 0;
        }
        if (silent || (store.delayed && queue[0].verb != GET)) {
            silent = store.delayed;
            store.delayed = false;
            told.result = STORE_UNKNOWN;
        }
        if (told.result != STORE_UNKNOWN && store.revision) {
            told.revision = store.revision;
            told.value = store.value;
            told.len = strlen(store.value);
        }
        memmove(queue, queue + 1, --n_queue * sizeof(queue[0]));
        done(&told, userdata);
    }
}

/* Another host has put it, by its own time of day. */
static void put_by_another(enum permit_kind kind, size_t who, const char *token, int64_t granted_ms)
{
    struct permit permit = {.kind = kind,
                            .node = gates_address(who),
                            .who = "ops",
                            .host = "another",
                            .granted_ms = granted_ms,
                            .ttl_ms = TTL_MS};
    char *text;

    strcpy(permit.token, token);
    text = permit_write(&permit);
    strcpy(store.value, text);
    store.revision = ++store.last;
    free(text);
}

/* The permit that the store has. */
static struct permit stored(void)
{
    struct permit permit = {0};

    if (store.revision)
        assert_int_equal(permit_read(store.value, strlen(store.value), &permit), 0);
    return permit;
}

static void judge(const struct permits_ask *ask, const struct permit *seen, struct gate_answer *ret,
                  void *userdata)
{
    static const struct gate_settings settings = {.bootstrap_grace_ms = 120000, .stable_ms = 5000};
    const struct gate_context context = {.cluster = fleet.cluster,
                                         .settings = &settings,
                                         .permit = seen,
                                         .now_ms = fleet.now_ms,
                                         .wall_ms = GATES_WALL_MS};

    (void)userdata;
    gate_asked++;
    if (ask->kind == PERMIT_START)
        gate_start(&context, &ask->node, ask->token, ret);
    else
        gate_stop(&context, &ask->node, ask->token, ret);
}

static void nothing(void *userdata)
{
    (void)userdata;
}

static void on_done(const struct permits_answer *told, void *userdata)
{
    (void)userdata;
    answer = *told;
}

static void begin(const char *nodes)
{
    struct permits_settings settings = {.gate = judge, .changed = nothing};

    gates_place(&fleet, nodes);
    gates_seeds(&fleet, "1");
    settings.cluster = fleet.cluster;
    memset(&store, 0, sizeof(store));
    leads = false;
    gate_asked = 0;
    wall_ms = GATES_WALL_MS;
    assert_int_equal(permits_new(NULL, &settings, &permits), 0);
    permits_set_host(permits, "this");
}

static void done(void)
{
    permits = permits_free(permits);
    n_queue = 0;
    fleet_done(&fleet);
}

static struct permits_ask ask_of(enum permit_kind kind, size_t who, const char *token)
{
    return (struct permits_ask){.kind = kind,
                                .node = gates_address(who),
                                .token = token,
                                .who = "somebody",
                                .ttl_ms = TTL_MS};
}

static enum permits_end take(enum permit_kind kind, size_t who, const char *token)
{
    const struct permits_ask ask = ask_of(kind, who, token);

    answer = (struct permits_answer){0};
    assert_int_equal(permits_take(permits, &ask, on_done, NULL), 0);
    serve();
    return answer.end;
}

static enum permits_end give_back(enum permit_kind kind, size_t who, const char *token)
{
    const struct permits_ask ask = ask_of(kind, who, token);

    answer = (struct permits_answer){0};
    assert_int_equal(permits_give_back(permits, &ask, on_done, NULL), 0);
    serve();
    return answer.end;
}

static void look(void)
{
    timer.handler(&timer, 0, timer.userdata);
    serve();
}

/* Time passes while the store is there. */
static void watch(int64_t ms)
{
    for (; ms > 0; ms -= 1000) {
        fleet_rounds(&fleet, ms < 1000 ? ms : 1000);
        look();
    }
}

static void taken_and_given_back(void **state)
{
    (void)state;
    begin("11+ 12+ 13+");
    assert_int_equal(take(PERMIT_STOP, 3, "mine-mine"), PERMITS_OK);
    assert_int_equal(take(PERMIT_STOP, 2, "his-his-his"), PERMITS_NO);
    assert_int_equal(give_back(PERMIT_STOP, 3, "his-his-his"), PERMITS_NO);
    assert_int_equal(give_back(PERMIT_STOP, 3, "mine-mine"), PERMITS_OK);
    assert_int_equal(take(PERMIT_STOP, 2, "his-his-his"), PERMITS_OK);
    done();
}

/* What counts is for how long it was seen here, whatever time of day the hosts have. */
static void clocks_that_differ(void **state)
{
    static const int64_t ahead_ms[] = {-3600000, 0, 3600000};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        begin("11+ 12+ 13+");
        leads = true;
        wall_ms = GATES_WALL_MS + ahead_ms[i];
        put_by_another(PERMIT_STOP, 3, "his-his-his", GATES_WALL_MS);
        look();
        assert_int_equal(take(PERMIT_STOP, 2, "mine-mine"), PERMITS_NO);
        watch(TTL_MS - 5000);
        assert_int_equal(take(PERMIT_STOP, 2, "mine-mine"), PERMITS_NO);
        assert_string_equal(stored().token, "his-his-his");
        watch(6000);
        assert_int_equal(take(PERMIT_STOP, 2, "mine-mine"), PERMITS_OK);

        /* Another one of the same token is another one. */
        put_by_another(PERMIT_STOP, 3, "mine-mine", GATES_WALL_MS + 1);
        assert_int_equal(take(PERMIT_STOP, 2, "his-his-his"), PERMITS_NO);
        watch(TTL_MS + 1000);
        assert_int_equal(stored().kind, PERMIT_NONE);
        done();
    }
}

/* While the store is away nobody can renew what he holds: that time does not count. */
static void the_time_of_an_outage_does_not_pass(void **state)
{
    (void)state;
    begin("11+ 12+ 13+");
    put_by_another(PERMIT_STOP, 3, "his-his-his", GATES_WALL_MS);
    look();
    watch(TTL_MS / 2);
    fleet_rounds(&fleet, 2 * TTL_MS);
    assert_int_equal(take(PERMIT_STOP, 2, "mine-mine"), PERMITS_NO);
    assert_string_equal(stored().token, "his-his-his");
    watch(TTL_MS / 2 - 5000);
    assert_int_equal(take(PERMIT_STOP, 2, "mine-mine"), PERMITS_NO);
    watch(6000);
    assert_int_equal(take(PERMIT_STOP, 2, "mine-mine"), PERMITS_OK);
    done();
}

/* One token for a whole change, as people have it: to start is a part of what the stop was for, and
 * its permit stays one to stop, which no time that has passed ends while the node is down. */
static void who_stops_starts_with_the_same_token(void **state)
{
    (void)state;
    begin("11+ 12+ 13+");
    assert_int_equal(take(PERMIT_STOP, 2, "mine-mine"), PERMITS_OK);
    fleet_crash(&fleet, 1);
    watch(6000);
    assert_int_equal(take(PERMIT_START, 2, "mine-mine"), PERMITS_OK);
    assert_true(answer.shared);
    assert_int_equal(stored().kind, PERMIT_STOP);
    assert_int_equal(give_back(PERMIT_START, 2, "mine-mine"), PERMITS_NO);
    assert_int_equal(stored().kind, PERMIT_STOP);
    watch(TTL_MS + 1000);
    assert_int_equal(take(PERMIT_STOP, 3, "his-his-his"), PERMITS_NO);
    assert_int_equal(give_back(PERMIT_STOP, 2, "mine-mine"), PERMITS_OK);
    done();
}

/* While somebody stops a node, members start beside it; he keeps the permit. */
static void a_start_beside_a_stop(void **state)
{
    (void)state;
    begin("11+ 12D 13D 13+");
    put_by_another(PERMIT_STOP, 2, "his-his-his", GATES_WALL_MS);
    assert_int_equal(take(PERMIT_START, 3, NULL), PERMITS_OK);
    assert_true(answer.shared);
    assert_string_not_equal(answer.permit.token, "his-his-his");
    assert_int_equal(take(PERMIT_START, 3, "mine-mine"), PERMITS_OK);
    assert_true(answer.shared);
    assert_string_equal(answer.permit.token, "mine-mine");
    assert_int_equal(give_back(PERMIT_START, 3, "mine-mine"), PERMITS_NO);
    assert_string_equal(stored().token, "his-his-his");
    assert_int_equal(stored().kind, PERMIT_STOP);

    /* Not who joins, nor who stops. */
    assert_int_equal(take(PERMIT_START, 5, NULL), PERMITS_NO);
    assert_int_equal(take(PERMIT_STOP, 4, NULL), PERMITS_NO);
    done();

    /* And only beside a stop; where none is held it is taken. */
    begin("11+ 12D 13D 13+");
    put_by_another(PERMIT_START, 2, "his-his-his", GATES_WALL_MS);
    assert_int_equal(take(PERMIT_START, 3, NULL), PERMITS_NO);
    assert_int_equal(give_back(PERMIT_START, 2, "his-his-his"), PERMITS_OK);
    assert_int_equal(take(PERMIT_START, 3, NULL), PERMITS_OK);
    assert_false(answer.shared);
    assert_int_equal(stored().kind, PERMIT_START);
    done();
}

/* A restart that has failed holds the permit of its node, which may start nevertheless. */
static void a_start_of_the_permits_own_node(void **state)
{
    static const enum permit_kind kinds[] = {PERMIT_START, PERMIT_STOP};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        begin("11+ 12D 13+");
        put_by_another(kinds[i], 2, "his-his-his", GATES_WALL_MS);
        assert_int_equal(take(PERMIT_START, 2, NULL), PERMITS_OK);
        assert_true(answer.shared);
        assert_string_not_equal(answer.permit.token,
                                "his-his-his"); /* it is not his to give back */
        assert_int_equal(take(PERMIT_START, 2, "mine-mine"), PERMITS_OK);
        assert_true(answer.shared);
        assert_string_equal(answer.permit.token, "mine-mine");
        assert_int_equal(give_back(PERMIT_START, 2, "mine-mine"), PERMITS_NO);
        assert_string_equal(stored().token, "his-his-his");
        done();
    }
}

/* A permit of which nobody was told is taken away again; but one that a start has gone by since. */
static void what_nobody_was_told_of(void **state)
{
    (void)state;
    for (int used = 0; used < 3; used++) {
        begin("11+ 12D 13D");
        store.delayed = true;
        assert_int_equal(take(PERMIT_START + (used == 2), 2, "mine-mine"), PERMITS_UNKNOWN);
        assert_int_equal(stored().kind, PERMIT_START + (used == 2));
        if (used > 0)
            assert_int_equal(take(PERMIT_START, used == 1 ? 2 : 3, NULL), PERMITS_OK);
        if (used > 0)
            assert_true(answer.shared);
        look();
        /* A start beside it does not need it. */
        assert_int_equal(stored().kind, used == 1 ? PERMIT_START : PERMIT_NONE);
        done();
    }
}

/* What has begun under a permit goes on: the gate, which would not let it begin now, is not asked.
 */
static void renewed(void **state)
{
    struct permits_ask ask;

    (void)state;
    begin("11+ 12+ 13+");
    assert_int_equal(take(PERMIT_STOP, 3, "mine-mine"), PERMITS_OK);
    fleet_crash(&fleet, 1);
    fleet_rounds(&fleet, 6000);
    assert_int_equal(take(PERMIT_STOP, 3, "mine-mine"), PERMITS_NO);
    ask = ask_of(PERMIT_STOP, 3, "mine-mine");
    ask.renew = true;
    ask.ttl_ms = 2 * TTL_MS;
    for (int late = 0; late < 2; late++) {
        gate_asked = 0;
        wall_ms++;
        answer = (struct permits_answer){0};
        assert_int_equal(permits_take(permits, &ask, on_done, NULL), 0);
        serve();
        assert_int_equal(answer.end, PERMITS_OK);
        assert_int_equal(gate_asked, 0);
        assert_int_equal(stored().ttl_ms, 2 * TTL_MS);
        assert_int_equal(stored().granted_ms, wall_ms);
        fleet_rounds(&fleet, 2 * TTL_MS + 1000);
    }

    /* Who does not hold it does not renew it. */
    store.revision = 0;
    put_by_another(PERMIT_STOP, 2, "his-his-his", GATES_WALL_MS);
    assert_int_equal(permits_take(permits, &ask, on_done, NULL), 0);
    serve();
    assert_int_equal(answer.end, PERMITS_NO);
    assert_string_equal(stored().token, "his-his-his");

    /* Who has lost it has it again where nobody else has it. */
    store.revision = 0;
    gate_asked = 0;
    assert_int_equal(permits_take(permits, &ask, on_done, NULL), 0);
    serve();
    assert_int_equal(answer.end, PERMITS_OK);
    assert_int_equal(gate_asked, 0);
    assert_string_equal(stored().token, "mine-mine");
    done();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taken_and_given_back),
        cmocka_unit_test(clocks_that_differ),
        cmocka_unit_test(the_time_of_an_outage_does_not_pass),
        cmocka_unit_test(who_stops_starts_with_the_same_token),
        cmocka_unit_test(a_start_beside_a_stop),
        cmocka_unit_test(a_start_of_the_permits_own_node),
        cmocka_unit_test(what_nobody_was_told_of),
        cmocka_unit_test(renewed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

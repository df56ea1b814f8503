/*
 * At most one permit, and at most one leader, whatever happens: hosts that ask the permit's and the
 * leader's own code over a simulated store, in random schedules with partitions, answers that are
 * lost, requests that are done long after who sent them has given up, hosts that die, and sessions
 * that expire. Looked at after every step.
 *
 * The store, the event loop and the clock are the test's: everything here follows from the seed.
 */
#include <errno.h>

#include "log.h"
#include "model_util.h"
#include "store/permit_store.h"
#include "store/permit_text.h"
#include "store/store.h"

#define HOSTS      5
#define NODES      6
#define CLIENTS    16
#define KEYS       2
#define FLIGHTS    256 /* requests on their way, or on their way back */
#define TTL_MS     10000
#define PERMIT_TTL 600000

#ifndef SEEDS
#define SEEDS 100
#endif

/* As store_private.h has it, whose struct is another one here. */
enum store_verb { STORE_GET = 0, STORE_PUT, STORE_DELETE };

/* Time and chance */

static uint64_t chance;
static int64_t now = 1000000;
#define WALL 1700000000000LL

static unsigned below(unsigned n)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return (unsigned)(chance >> 11) % n;
}

static bool one_in(unsigned n)
{
    return below(n) == 0;
}

int64_t store_now_ms(void)
{
    return now;
}

int64_t store_wall_ms(void)
{
    return WALL + now;
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

/* The event loop: timers alone. */

struct sd_event_source {
    sd_event_time_handler_t handler;
    void *userdata;
    int64_t due_ms;
    bool on;
    struct sd_event_source *next;
};
static sd_event_source *timers;

int sd_event_add_time(sd_event *event, sd_event_source **ret, clockid_t clock, uint64_t usec,
                      uint64_t accuracy, sd_event_time_handler_t handler, void *userdata)
{
    sd_event_source *source = calloc(1, sizeof(*source));

    (void)event;
    (void)clock;
    (void)usec;
    (void)accuracy;
    *source = (sd_event_source){handler, userdata, now, true, timers};
    *ret = timers = source;
    return 0;
}

int sd_event_source_set_time_relative(sd_event_source *source, uint64_t usec)
{
    source->due_ms = now + (int64_t)usec / 1000;
    return 0;
}

int sd_event_source_set_enabled(sd_event_source *source, int enabled)
{
    source->on = enabled != SD_EVENT_OFF;
    return 0;
}

sd_event_source *sd_event_source_disable_unref(sd_event_source *source)
{
    for (sd_event_source **at = &timers; source && *at; at = &(*at)->next)
        if (*at == source) {
            *at = source->next;
            free(source);
            break;
        }
    return NULL;
}

static void run_timers(void)
{
    for (sd_event_source *at = timers, *next; at; at = next) {
        next = at->next;
        if (at->on && at->due_ms <= now) {
            at->on = false;
            at->handler(at, 0, at->userdata);
        }
    }
}

/* The store as it is: linearizable, with sessions. */

struct item {
    char key[16], value[512];
    int64_t revision;
    uint64_t lease; /* 0 = none */
};

struct lease {
    uint64_t id;
    int64_t expires_ms;
};

static struct {
    struct item items[KEYS];
    struct lease leases[HOSTS * 64];
    size_t n_leases;
    int64_t revision;
    uint64_t n_given;
    bool broken; /* it compares nothing: what the checks are for */
} server;

static struct item *find_item(const char *key)
{
    for (size_t i = 0; i < KEYS; i++)
        if (server.items[i].revision && strcmp(server.items[i].key, key) == 0)
            return &server.items[i];
    return NULL;
}

static bool lease_lives(uint64_t id)
{
    for (size_t i = 0; i < server.n_leases; i++)
        if (server.leases[i].id == id)
            return server.leases[i].expires_ms > now;
    return false;
}

static void expire(void)
{
    for (size_t i = 0; i < KEYS; i++)
        if (server.items[i].lease && !lease_lives(server.items[i].lease))
            server.items[i] = (struct item){0};
}

/* A request, from when it is sent until its answer has come, or nobody cares any more. */
enum stage { FREE = 0, SENT, DONE };

struct flight {
    enum stage stage;
    size_t host;
    unsigned life;   /* of the host: answers for another one are lost */
    uint64_t number; /* of the host's operation; 0 = of its session */
    enum store_verb verb;
    char key[16], value[512];
    int64_t revision;
    uint64_t lease;
    bool renews;
    unsigned renewal;
    int64_t began_ms;
    struct store_answer answer;
    char answer_value[512];
};

static struct flight flights[FLIGHTS];

static void apply(struct flight *flight)
{
    struct item *item = find_item(flight->key);
    int64_t revision = item ? item->revision : 0;
    bool same = revision == flight->revision || server.broken;

    flight->answer.result = STORE_OK;
    if (flight->verb == STORE_PUT && flight->lease && !lease_lives(flight->lease)) {
        flight->answer.result = STORE_REFUSED;
    } else if (flight->verb != STORE_GET && !same) {
        flight->answer.result = STORE_CONFLICT;
    } else if (flight->verb == STORE_PUT) {
        for (size_t i = 0; !item && i < KEYS; i++)
            if (!server.items[i].revision)
                item = &server.items[i];
        if (!item)
            abort();
        strcpy(item->key, flight->key);
        strcpy(item->value, flight->value);
        item->revision = ++server.revision;
        item->lease = flight->lease;
    } else if (flight->verb == STORE_DELETE && item) {
        *item = (struct item){0};
        server.revision++;
    }
    item = find_item(flight->key);
    flight->answer.revision = item ? item->revision : 0;
    if (item)
        strcpy(flight->answer_value, item->value);
}

static void apply_session(struct flight *flight)
{
    flight->answer.result = STORE_OK;
    if (!flight->renews) {
        assert_true(server.n_leases < sizeof(server.leases) / sizeof(server.leases[0]));
        flight->lease = ++server.n_given;
        server.leases[server.n_leases++] = (struct lease){flight->lease, now + TTL_MS};
        return;
    }
    for (size_t i = 0; i < server.n_leases; i++)
        if (server.leases[i].id == flight->lease && lease_lives(flight->lease)) {
            server.leases[i].expires_ms = now + TTL_MS;
            return;
        }
    flight->answer.result = STORE_REFUSED;
}

/* Hosts */

struct operation {
    uint64_t number;
    enum store_verb verb;
    char key[16], *value;
    int64_t revision, deadline_ms;
    bool session;
    store_done done;
    void *userdata;
};

struct store {
    size_t host;
    struct operation queue[256];
    size_t n;
    bool sent; /* the first of the queue */
    uint64_t numbers;
    uint64_t lease, n_sessions;
    int64_t held_until_ms, renew_ms;
    bool renewing;
    unsigned renewal; /* which: of an earlier one no answer is waited for */
};

static struct host {
    struct store store;
    struct leader *leader;
    struct permits *permits;
    unsigned life;
    bool cut_off;
    int64_t paused_until_ms;
} hosts[HOSTS];

static struct fleet fleet;

static int begin(struct store *store, enum store_verb verb, const char *key, const char *value,
                 int64_t revision, bool session, store_done done, void *userdata)
{
    if (store->n == 256)
        return -ENOMEM;
    struct operation *op = &store->queue[store->n++];

    *op = (struct operation){.number = ++store->numbers,
                             .verb = verb,
                             .value = value ? strdup(value) : NULL,
                             .revision = revision,
                             .deadline_ms = now + STORE_DEADLINE_MS,
                             .session = session,
                             .done = done,
                             .userdata = userdata};
    strcpy(op->key, key);
    return 0;
}

int store_get(struct store *store, const char *key, store_done done, void *userdata)
{
    return begin(store, STORE_GET, key, NULL, 0, false, done, userdata);
}

int store_put(struct store *store, const char *key, const char *value, int64_t revision,
              bool session, store_done done, void *userdata)
{
    return begin(store, STORE_PUT, key, value, revision, session, done, userdata);
}

int store_delete(struct store *store, const char *key, int64_t revision, store_done done,
                 void *userdata)
{
    return begin(store, STORE_DELETE, key, NULL, revision, false, done, userdata);
}

int64_t store_session_left(const struct store *store)
{
    return store->lease && now < store->held_until_ms ? store->held_until_ms - now : 0;
}

uint64_t store_session(const struct store *store)
{
    return store_session_left(store) > 0 ? store->n_sessions : 0;
}

static void end_operation(struct store *store, const struct store_answer *answer)
{
    struct operation op = store->queue[0];

    memmove(store->queue, store->queue + 1, --store->n * sizeof(op));
    store->sent = false;
    op.done(answer, op.userdata);
    free(op.value);
}

static struct flight *launch(const struct store *store)
{
    for (size_t i = 0; i < FLIGHTS; i++)
        if (flights[i].stage == FREE) {
            flights[i] = (struct flight){.stage = SENT,
                                         .host = store->host,
                                         .life = hosts[store->host].life,
                                         .began_ms = now};
            return &flights[i];
        }
    return NULL;
}

static void send_first(struct store *store)
{
    const struct operation *op = &store->queue[0];
    struct flight *flight;

    if (op->session && store_session(store) == 0) {
        end_operation(store, &(struct store_answer){.result = STORE_UNREACHABLE});
        return;
    }
    flight = launch(store);
    if (!flight)
        return;
    flight->number = op->number;
    flight->verb = op->verb;
    flight->revision = op->revision;
    flight->lease = op->session ? store->lease : 0;
    strcpy(flight->key, op->key);
    strcpy(flight->value, op->value ? op->value : "");
    store->sent = true;
}

static void renew(struct store *store)
{
    struct flight *flight;

    if (store->renewing || now < store->renew_ms || !(flight = launch(store)))
        return;
    flight->renews = store_session(store) > 0;
    flight->lease = flight->renews ? store->lease : 0;
    flight->renewal = ++store->renewal;
    store->renewing = true;
    store->renew_ms = now + TTL_MS / 3;
}

/* An answer comes, to whom still waits for it. */
static void arrive(struct flight *flight)
{
    struct host *host = &hosts[flight->host];
    struct store *store = &host->store;

    if (flight->life != host->life)
        return;
    flight->answer.value = flight->answer_value[0] ? flight->answer_value : NULL;
    flight->answer.len = strlen(flight->answer_value);
    if (flight->number) {
        if (store->n && store->sent && store->queue[0].number == flight->number)
            end_operation(store, &flight->answer);
        return;
    }
    if (!store->renewing || flight->renewal != store->renewal)
        return;
    store->renewing = false;
    if (flight->answer.result != STORE_OK) {
        store->lease = 0;
        store->renew_ms = now;
        return;
    }
    store->n_sessions += !flight->renews;
    store->lease = flight->lease;
    store->held_until_ms = flight->began_ms + TTL_MS;
}

static bool is_paused(size_t host)
{
    return hosts[host].paused_until_ms > now;
}

/* One of the requests on their way gets a step further, or never will. */
static void move_flight(void)
{
    struct flight *flight = &flights[below(FLIGHTS)];

    /* The nearest that there is. */
    for (size_t i = 0; i < FLIGHTS && flight->stage == FREE; i++)
        flight = flight + 1 < flights + FLIGHTS ? flight + 1 : flights;
    if (flight->stage == FREE)
        return;
    if (hosts[flight->host].cut_off) {
        if (one_in(20))
            flight->stage = FREE;
        return;
    }
    if (flight->stage == SENT) {
        if (flight->number)
            apply(flight);
        else
            apply_session(flight);
        flight->stage = one_in(15) ? FREE : DONE;
    } else if (!is_paused(flight->host)) {
        flight->stage = FREE;
        arrive(flight);
    }
}

static void run_host(struct store *store)
{
    static const struct store_answer late = {.result = STORE_UNKNOWN},
                                     unsent = {.result = STORE_UNREACHABLE};

    if (is_paused(store->host))
        return;
    if (store->renewing && now >= store->renew_ms)
        store->renewing = false; /* nobody answers any more */
    renew(store);
    if (store->n && now >= store->queue[0].deadline_ms)
        end_operation(store, store->sent ? &late : &unsent);
    if (store->n && !store->sent)
        send_first(store);
}

static void allow(const struct permits_ask *ask, const struct permit *seen, struct gate_answer *ret,
                  void *userdata)
{
    (void)ask;
    (void)seen;
    (void)userdata;
    ret->verdict = GATE_YES;
}

static void nothing(void *userdata)
{
    (void)userdata;
}

static void start_host(size_t i)
{
    struct host *host = &hosts[i];
    struct permits_settings settings = {
        .store = &host->store, .cluster = fleet.cluster, .gate = allow, .changed = nothing};
    char name[16];

    snprintf(name, sizeof(name), "host-%zu", i);
    host->store = (struct store){.host = i};
    assert_int_equal(leader_new(NULL, &host->store, nothing, NULL, &host->leader), 0);
    leader_set_host(host->leader, name);
    settings.leader = host->leader;
    assert_int_equal(permits_new(NULL, &settings, &host->permits), 0);
    permits_set_host(host->permits, name);
}

static void stop_host(size_t i)
{
    struct host *host = &hosts[i];

    host->permits = permits_free(host->permits);
    host->leader = leader_free(host->leader);
    for (size_t n = 0; n < host->store.n; n++)
        free(host->store.queue[n].value);
    host->life++;
}

/* Who asks for permits */

static struct client {
    bool waits, gives_back, holds;
    size_t host; /* that is asked */
    unsigned life;
    enum permit_kind kind;
    char token[PERMIT_TOKEN_LEN]; /* chosen, or given; "" = none yet */
    bool chosen;
    int64_t holds_until_ms;
} clients[CLIENTS];

static struct {
    unsigned asked, given, shared, refused, unknown, returned, violations, leaders, moves;
} counted;

static struct permits_ask ask_of(const struct client *client)
{
    return (struct permits_ask){.kind = client->kind,
                                .node = fleet_address((size_t)(client - clients) % NODES),
                                .token = client->token[0] ? client->token : NULL,
                                .who = "client",
                                .ttl_ms = PERMIT_TTL};
}

static void on_taken(const struct permits_answer *answer, void *userdata)
{
    struct client *client = userdata;

    client->waits = false;
    counted.given += answer->end == PERMITS_OK;
    counted.refused += answer->end == PERMITS_NO;
    counted.unknown += answer->end == PERMITS_UNKNOWN;
    if (answer->shared) {
        const struct prober_addr node = ask_of(client).node;

        /* The permit is another one's, and so is when it ends: one to stop, or of the same node.
         * A start's own permit lets nobody through but its node. */
        counted.shared++;
        counted.violations +=
            client->kind != PERMIT_START || (answer->permit.kind != PERMIT_STOP &&
                                             prober_addr_compare(&answer->permit.node, &node) != 0);
        client->token[0] = '\0';
        return;
    }
    if (answer->end == PERMITS_OK) {
        client->holds = true;
        strcpy(client->token, answer->permit.token);
        /* Where all are ready a start is over after view_ttl: so long it is its own. */
        client->holds_until_ms = fleet.cluster->rounds && client->kind == PERMIT_START
                                     ? answer->permit.granted_ms - WALL + 3000
                                     : INT64_MAX;
        return;
    }
    /* Nobody knows: ask again, with the same token if it was chosen; or forget it. */
    if (answer->end == PERMITS_NO || !client->chosen || one_in(2))
        client->token[0] = '\0';
}

static void on_returned(const struct permits_answer *answer, void *userdata)
{
    struct client *client = userdata;

    client->waits = client->gives_back = false;
    if (answer->end == PERMITS_UNKNOWN && !one_in(4)) {
        client->gives_back = true; /* again */
        return;
    }
    counted.returned += answer->end == PERMITS_OK;
    client->token[0] = '\0';
}

static void move_client(struct client *client)
{
    size_t host = below(HOSTS);
    struct permits_ask ask;

    if (client->waits && client->life != hosts[client->host].life) {
        /* The connection is closed: nobody knows. */
        client->waits = false;
        if (!client->gives_back && (!client->chosen || one_in(2)))
            client->token[0] = '\0';
    }
    if (client->waits || is_paused(host))
        return;
    if (client->holds) {
        client->holds = false;
        client->gives_back = true;
    } else if (!client->token[0]) {
        client->kind = one_in(2) ? PERMIT_START : PERMIT_STOP;
        client->chosen = one_in(2) && (fleet.cluster->rounds == 0 || client->kind == PERMIT_STOP);
        if (client->chosen)
            snprintf(client->token, sizeof(client->token), "client-%08x", below(1u << 31));
    }
    client->host = host;
    client->life = hosts[host].life;
    client->waits = true;
    ask = ask_of(client);
    counted.asked++;
    if (client->gives_back)
        assert_int_equal(permits_give_back(hosts[host].permits, &ask, on_returned, client), 0);
    else
        assert_int_equal(permits_take(hosts[host].permits, &ask, on_taken, client), 0);
}

/* A permit that nobody has, as who asked is gone, is cleared away by a person, once nobody asks and
 * nothing is on its way. */
static void person(void)
{
    const struct item *item = find_item(PERMIT_KEY);
    struct permit permit;

    if (!item || permit_read(item->value, strlen(item->value), &permit) < 0)
        return;
    for (size_t i = 0; i < CLIENTS; i++)
        if (clients[i].token[0] && strcmp(clients[i].token, permit.token) == 0)
            return;
    for (size_t i = 0; i < FLIGHTS; i++)
        if (flights[i].stage != FREE && strcmp(flights[i].key, PERMIT_KEY) == 0 &&
            flights[i].verb != STORE_GET)
            return;
    for (size_t i = 0; i < HOSTS; i++)
        for (size_t n = 0; n < hosts[i].store.n; n++)
            if (strcmp(hosts[i].store.queue[n].key, PERMIT_KEY) == 0 &&
                hosts[i].store.queue[n].verb != STORE_GET)
                return;
    for (size_t i = 0; i < CLIENTS; i++)
        if (clients[i].waits && !clients[i].token[0])
            return;
    *find_item(PERMIT_KEY) = (struct item){0};
    server.revision++;
}

static void check(void)
{
    unsigned holders = 0, leaders = 0;
    const char *token = "";

    for (size_t i = 0; i < CLIENTS; i++) {
        struct client *client = &clients[i];

        if (client->holds && now > client->holds_until_ms) {
            client->holds = false;
            client->token[0] = '\0';
        }
        if (client->holds && strcmp(token, client->token) != 0) {
            holders++;
            token = client->token;
        }
    }
    for (size_t i = 0; i < HOSTS; i++)
        leaders += leader_is_us(hosts[i].leader);
    if (getenv("PROBER_TRACE") && (holders > 1 || leaders > 1))
        print_message("step %u: %u permits, %u leaders\n", counted.moves, holders, leaders);
    counted.violations += holders > 1 || leaders > 1;
    counted.leaders += leaders;
    counted.moves++;
}

static void move_host(size_t i)
{
    if (one_in(400))
        hosts[i].cut_off = !hosts[i].cut_off;
    else if (hosts[i].cut_off && one_in(50))
        hosts[i].cut_off = false;
    else if (one_in(1500))
        hosts[i].paused_until_ms = now + below(20000);
    else if (one_in(3000)) {
        stop_host(i);
        start_host(i);
    }
    run_host(&hosts[i].store);
}

static void simulate(uint64_t seed, bool judged, bool broken, unsigned steps)
{
    chance = seed * 0x9e3779b97f4a7c15u + 1;
    memset(&server, 0, sizeof(server));
    memset(flights, 0, sizeof(flights));
    memset(clients, 0, sizeof(clients));
    memset(hosts, 0, sizeof(hosts));
    server.broken = broken;
    fleet_init(&fleet, NODES, POLICY_MUTUAL);
    if (judged)
        fleet_rounds(&fleet, 6000);
    for (size_t i = 0; i < HOSTS; i++)
        start_host(i);
    for (unsigned step = 0; step < steps; step++) {
        now += below(60);
        expire();
        run_timers();
        for (size_t i = 0; i < HOSTS; i++)
            move_host(i);
        for (unsigned i = below(6); i > 0; i--) {
            move_flight();
            check();
        }
        if (one_in(2))
            move_client(&clients[below(CLIENTS)]);
        if (one_in(50))
            person();
        check();
    }
    for (size_t i = 0; i < HOSTS; i++)
        stop_host(i);
    fleet_done(&fleet);
    assert_null(timers);
}

static void at_most_one(void **state)
{
    (void)state;
    memset(&counted, 0, sizeof(counted));
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        simulate(seed, seed % 2, false, 5000);
        if (counted.violations)
            fail_msg("seed %llu: two permits, or two leaders", (unsigned long long)seed);
    }
    print_message("%u requests: %u given, %u of them shared, %u refused, %u unknown, %u returned; "
                  "led %u%% of "
                  "the time\n",
                  counted.asked, counted.given, counted.shared, counted.refused, counted.unknown,
                  counted.returned, 100 * counted.leaders / counted.moves);
    /* Something has happened. */
    assert_true(counted.asked >= 10000);
    assert_true(counted.given - counted.shared >= 500);
    assert_true(counted.shared >= 500);
    assert_true(counted.refused >= 500);
    assert_true(counted.unknown >= 100);
    assert_true(counted.leaders > counted.moves / 4);
}

/* The same with a store that compares nothing: the checks see it. */
static void checks_see(void **state)
{
    (void)state;
    memset(&counted, 0, sizeof(counted));
    for (uint64_t seed = 1; seed <= 40 && !counted.violations; seed++)
        simulate(seed, false, true, 5000);
    assert_true(counted.violations > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_most_one),
        cmocka_unit_test(checks_see),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

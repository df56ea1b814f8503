/* The store that is an etcd cluster; its session is a lease. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "etcd_client.h"
#include "store_private.h"

#define PATH_LEN         512
#define SESSION_AGAIN_MS 1000 /* after a session could not be made, or renewed */
#define REVOKE_MS        300  /* at the end, which is not held up for longer */

struct store_etcd {
    struct store store;
    struct etcd_client *client;
    char *template;         /* coordination.prefix */
    char prefix[PATH_LEN];  /* of all keys; "" = the cluster's name is not known yet */
    struct etcd_call *call; /* of the running operation */

    int64_t ttl_ms;
    int64_t lease;         /* 0 = none */
    int64_t held_until_ms; /* CLOCK_BOOTTIME: what the last renewal gives, from its beginning */
    uint64_t n_sessions;
    sd_event_source *renew; /* the next renewal, or attempt at a session */
    struct etcd_call *renewal;

    char problem[192]; /* of the last call; "" = it went well */
};

static struct store_etcd *etcd_of(struct store *store)
{
    return (struct store_etcd *)store;
}

static const struct store_etcd *const_etcd_of(const struct store *store)
{
    return (const struct store_etcd *)store;
}

static void set_problem(struct store_etcd *etcd, const char *detail)
{
    snprintf(etcd->problem, sizeof(etcd->problem), "%s%s", *detail ? "etcd: " : "", detail);
}

/* The session */

static void renew_in(struct store_etcd *etcd, int64_t ms)
{
    sd_event_source_set_time_relative(etcd->renew, (uint64_t)ms * 1000);
    sd_event_source_set_enabled(etcd->renew, SD_EVENT_ONESHOT);
}

static bool session_over(const struct store_etcd *etcd)
{
    return etcd->lease == 0 || store_now_ms() >= etcd->held_until_ms;
}

static void on_granted(const struct etcd_answer *answer, void *userdata)
{
    struct store_etcd *etcd = userdata;
    int64_t id, ttl_s;

    etcd->renewal = NULL;
    if (answer->result != STORE_OK || etcd_read_lease(answer->body, answer->len, &id, &ttl_s) < 0 ||
        ttl_s <= 0) {
        set_problem(etcd, answer->result == STORE_OK ? "no lease in its answer" : answer->detail);
        renew_in(etcd, SESSION_AGAIN_MS);
        return;
    }
    etcd->lease = id;
    etcd->n_sessions++;
    /* etcd may give more than was asked for; what it takes longer for is no harm. */
    etcd->held_until_ms =
        answer->began_ms + (ttl_s * 1000 < etcd->ttl_ms ? ttl_s * 1000 : etcd->ttl_ms);
    set_problem(etcd, "");
    renew_in(etcd, etcd->ttl_ms / 3);
}

static void on_renewed(const struct etcd_answer *answer, void *userdata)
{
    struct store_etcd *etcd = userdata;
    int64_t id, ttl_s = 0;
    int r = -EBADMSG;

    etcd->renewal = NULL;
    if (answer->result == STORE_OK)
        r = etcd_read_lease(answer->body, answer->len, &id, &ttl_s);
    if ((r == 0 && ttl_s == 0) || answer->error == ETCD_NO_LEASE) {
        etcd->lease = 0;
        renew_in(etcd, 0);
    } else if (r < 0) {
        set_problem(etcd, answer->result == STORE_OK ? "no lease in its answer" : answer->detail);
        renew_in(etcd, SESSION_AGAIN_MS);
    } else {
        etcd->held_until_ms =
            answer->began_ms + (ttl_s * 1000 < etcd->ttl_ms ? ttl_s * 1000 : etcd->ttl_ms);
        set_problem(etcd, "");
        renew_in(etcd, etcd->ttl_ms / 3);
    }
}

static int on_renew(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct store_etcd *etcd = userdata;
    struct etcd_ask ask = {.again = true};
    int r;

    (void)source;
    (void)usec;
    if (etcd->renewal || !etcd->prefix[0])
        return 0;
    /* The lease may live on in etcd, but who thought it over has stopped: a new one. */
    if (session_over(etcd))
        etcd->lease = 0;
    ask.path = etcd->lease ? "/v3/lease/keepalive" : "/v3/lease/grant";
    ask.body = etcd->lease ? etcd_lease(etcd->lease) : etcd_grant((etcd->ttl_ms + 999) / 1000);
    ask.deadline_ms = store_now_ms() + STORE_DEADLINE_MS;
    if (etcd->lease && etcd->held_until_ms < ask.deadline_ms)
        ask.deadline_ms = etcd->held_until_ms;
    r = etcd_call_start(etcd->client, &ask, etcd->lease ? on_renewed : on_granted, etcd,
                        &etcd->renewal);
    if (r < 0)
        renew_in(etcd, SESSION_AGAIN_MS);
    return 0;
}

static void end_session(struct store_etcd *etcd)
{
    etcd->renewal = etcd_call_cancel(etcd->renewal);
    etcd->lease = 0;
}

static int64_t session_left(const struct store *store)
{
    const struct store_etcd *etcd = const_etcd_of(store);

    return session_over(etcd) ? 0 : etcd->held_until_ms - store_now_ms();
}

static uint64_t session(const struct store *store)
{
    const struct store_etcd *etcd = const_etcd_of(store);

    return session_over(etcd) ? 0 : etcd->n_sessions;
}

/* Operations */

static void fail(struct store_etcd *etcd, enum store_result result, const char *detail)
{
    struct store_answer answer = {.result = result};

    snprintf(answer.detail, sizeof(answer.detail), "%.159s", detail);
    store_end(&etcd->store, &answer);
}

static void on_done(const struct etcd_answer *got, void *userdata)
{
    struct store_etcd *etcd = userdata;
    const struct store_op *op = etcd->store.running;
    struct store_answer answer = {.result = STORE_OK};
    struct etcd_kv kv;
    int r;

    etcd->call = NULL;
    set_problem(etcd, got->result == STORE_OK ? "" : got->detail);
    if (got->result != STORE_OK) {
        /* The lease went while this was on its way. */
        if (got->error == ETCD_NO_LEASE) {
            etcd->lease = 0;
            renew_in(etcd, 0);
        }
        fail(etcd, got->result, got->detail);
        return;
    }
    r = op->verb == STORE_GET ? etcd_read_range(got->body, got->len, &kv)
                              : etcd_read_txn(got->body, got->len, &kv);
    if (r < 0) {
        set_problem(etcd, "not an answer of etcd's");
        fail(etcd, STORE_UNKNOWN, "not an answer of etcd's");
        return;
    }
    if (op->verb != STORE_GET && !kv.done) {
        answer.result = STORE_CONFLICT;
        snprintf(answer.detail, sizeof(answer.detail), "%s has changed meanwhile", op->key);
    }
    answer.revision = kv.revision;
    answer.value = op->verb == STORE_PUT && kv.done ? op->value : kv.value;
    answer.len = op->verb == STORE_PUT && kv.done ? strlen(op->value) : kv.len;
    store_end(&etcd->store, &answer);
    etcd_kv_done(&kv);
}

static void run(struct store *store, const struct store_op *op)
{
    struct store_etcd *etcd = etcd_of(store);
    struct etcd_ask ask = {.path = op->verb == STORE_GET ? "/v3/kv/range" : "/v3/kv/txn",
                           .again = op->verb == STORE_GET,
                           .deadline_ms = op->deadline_ms};
    char key[PATH_LEN + STORE_KEY_LEN];
    int r;

    if (!etcd->prefix[0]) {
        fail(etcd, STORE_NONE, store_problem(store));
        return;
    }
    if (op->session && session_over(etcd)) {
        fail(etcd, STORE_UNREACHABLE, store_problem(store));
        return;
    }
    snprintf(key, sizeof(key), "%s%s", etcd->prefix, op->key);
    if (op->verb == STORE_GET)
        ask.body = etcd_range(key);
    else if (op->verb == STORE_PUT)
        ask.body = etcd_put(key, op->value, op->revision, op->session ? etcd->lease : 0);
    else
        ask.body = etcd_delete(key, op->revision);
    r = etcd_call_start(etcd->client, &ask, on_done, etcd, &etcd->call);
    if (r == -EACCES)
        fail(etcd, STORE_REFUSED, etcd->problem[0] ? etcd->problem : "the login was refused");
    else if (r < 0)
        fail(etcd, STORE_UNREACHABLE, strerror(-r));
}

/* Names are anything: what would be taken for a part of the key is written as in a URL. */
static void set_cluster(struct store *store, const char *name)
{
    struct store_etcd *etcd = etcd_of(store);
    const char *at = strstr(etcd->template, "{cluster}");
    char prefix[PATH_LEN] = "";
    size_t n = 0;

    if (at && !*name) {
        n = 0;
    } else {
        n = at ? (size_t)(at - etcd->template) : strlen(etcd->template);
        memcpy(prefix, etcd->template, n);
        for (; at && *name && n + 64 < sizeof(prefix); name++)
            n += (size_t)sprintf(
                prefix + n, (unsigned char)*name <= ' ' || strchr("/%{}", *name) ? "%%%02X" : "%c",
                (unsigned char)*name);
        if (at)
            n += (size_t)snprintf(prefix + n, sizeof(prefix) - n, "%s", at + strlen("{cluster}"));
    }
    prefix[n] = '\0';
    if (strcmp(prefix, etcd->prefix) == 0)
        return;
    strcpy(etcd->prefix, prefix);
    end_session(etcd);
    renew_in(etcd, 0);
}

static void set_alone(struct store *store, bool alone)
{
    (void)store;
    (void)alone;
}

static const char *problem(const struct store *store)
{
    const struct store_etcd *etcd = const_etcd_of(store);

    if (!etcd->prefix[0])
        return "the cluster's name is not known yet, which coordination.prefix asks for";
    if (!etcd->problem[0] && session_over(etcd))
        return etcd->n_sessions ? "etcd: it has not answered in time" : "etcd: no answer yet";
    return etcd->problem;
}

static void on_revoked(const struct etcd_answer *answer, void *userdata)
{
    struct store_etcd *etcd = userdata;

    (void)answer;
    etcd->renewal = NULL;
}

/* What belongs to the session is free at once, where etcd can be told in a moment. On a loop of its
 * own: the other one has ended, or is in the middle of something. */
static void give_up(struct store_etcd *etcd)
{
    struct etcd_ask ask = {.path = "/v3/lease/revoke", .again = true};
    int64_t until_ms = store_now_ms() + REVOKE_MS, left_ms;
    sd_event *event = NULL;

    etcd->renewal = etcd_call_cancel(etcd->renewal);
    if (session_over(etcd) || etcd->problem[0])
        return;
    if (sd_event_new(&event) >= 0 && etcd_client_move(etcd->client, event) >= 0) {
        ask.body = etcd_lease(etcd->lease);
        ask.deadline_ms = until_ms;
        if (etcd_call_start(etcd->client, &ask, on_revoked, etcd, &etcd->renewal) < 0)
            etcd->renewal = NULL;
        while (etcd->renewal && (left_ms = until_ms - store_now_ms()) > 0)
            if (sd_event_run(event, (uint64_t)left_ms * 1000) < 0)
                break;
        etcd->renewal = etcd_call_cancel(etcd->renewal);
    }
    sd_event_unref(event);
}

static void destroy(struct store *store)
{
    struct store_etcd *etcd = etcd_of(store);

    etcd->call = etcd_call_cancel(etcd->call);
    if (etcd->client)
        give_up(etcd);
    sd_event_source_disable_unref(etcd->renew);
    etcd_client_free(etcd->client);
    free(etcd->template);
    free(etcd);
}

int store_etcd_new(sd_event *event, const struct conf *conf, struct store **ret)
{
    static const struct store_kind kind = {
        .run = run,
        .free = destroy,
        .set_alone = set_alone,
        .set_cluster = set_cluster,
        .session_left = session_left,
        .session = session,
        .problem = problem,
    };
    struct store_etcd *etcd = calloc(1, sizeof(*etcd));
    int r;

    if (!etcd)
        return -ENOMEM;
    etcd->store.kind = &kind;
    etcd->ttl_ms = conf->store_ttl_ms;
    etcd->template = strdup(conf->store_prefix);
    r = etcd->template ? etcd_client_new(event, conf, &etcd->client) : -ENOMEM;
    if (r >= 0)
        r = sd_event_add_time(event, &etcd->renew, CLOCK_BOOTTIME, 0, 1000, on_renew, etcd);
    if (r >= 0)
        r = sd_event_source_set_enabled(etcd->renew, SD_EVENT_OFF);
    if (r < 0) {
        destroy(&etcd->store);
        return r;
    }
    set_cluster(&etcd->store, "");
    *ret = &etcd->store;
    return 0;
}

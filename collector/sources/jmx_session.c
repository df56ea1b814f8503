#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jmx_session_private.h"

void jmx_drop_answers(struct jmx_session *session)
{
    for (size_t i = 0; i < JMX_MAX_CALLS; i++)
        session->streams[i] = java_stream_free(session->streams[i]);
    multi_release(session->multi, session->reserved);
    session->reserved = 0;
    session->n_answers = session->end = 0;
}

static void close_tcp(struct jmx_session *session)
{
    size_t len = 0;

    if (session->jrmp)
        jrmp_data(session->jrmp, &len);
    session->bytes += len;
    jmx_drop_answers(session);
    session->jrmp = jrmp_close(session->jrmp);
}

/* What a failed run leaves is not relied upon the next time, the less the more was new. */
static void forget(struct jmx_session *session)
{
    close_tcp(session);
    if (session->level > LEVEL_KEPT)
        session->has_connection = session->has_server = session->registry_tls = false;
}

/* What the answers live in, no longer the session's. */
struct taken {
    struct java_stream *streams[JMX_MAX_CALLS];
    uint8_t *data;
    size_t reserved;
};

static void take(struct jmx_session *session, struct taken *ret, struct jmx_end *ret_end)
{
    size_t n = session->n_answers, len;
    bool broken;

    jrmp_data(session->jrmp, &len);
    /* Given up by the server, or more than was asked for. */
    broken = n > 0 && (session->answers[n - 1].aborted || len > session->end);
    ret->data = jrmp_take(session->jrmp, &ret->reserved);
    ret->reserved += session->reserved;
    session->reserved = 0;
    memcpy(ret->streams, session->streams, sizeof(ret->streams));
    memset(session->streams, 0, sizeof(session->streams));
    for (size_t i = 0; i < n; i++) {
        java_stream_moved(ret->streams[i], ret->data + session->at[i] + 1);
        ret_end->streams[i] = ret->streams[i];
    }
    memcpy(ret_end->answers, session->answers, sizeof(ret_end->answers));
    memcpy(ret_end->at, session->at, sizeof(ret_end->at));
    ret_end->n = n;
    ret_end->data = ret->data;
    session->bytes += len;
    jmx_drop_answers(session);
    if (broken)
        close_tcp(session);
}

void jmx_finish(struct jmx_session *session, enum poll_result result, const char *detail)
{
    struct jmx_run run = session->run;
    struct multi *multi = session->multi;
    struct jmx_end end = {.result = result};
    struct taken taken = {0};

    snprintf(end.detail, sizeof(end.detail), "%s", detail);
    sd_event_source_set_enabled(session->timer, SD_EVENT_OFF);
    session->step = STEP_IDLE;
    if (result == POLL_OK)
        take(session, &taken, &end);
    else
        forget(session);
    end.bytes = session->bytes;
    run.ended(&end, run.userdata);
    for (size_t i = 0; i < JMX_MAX_CALLS; i++)
        java_stream_free(taken.streams[i]);
    free(taken.data);
    multi_release(multi, taken.reserved);
}

uint64_t jmx_session_now(const struct jmx_session *session)
{
    uint64_t now = 0;

    sd_event_now(multi_event(session->multi), CLOCK_BOOTTIME, &now);
    return now;
}

static void on_input(void *userdata)
{
    jmx_on_input(userdata);
}

static void on_end(enum poll_result result, const char *detail, void *userdata);

int jmx_connect(struct jmx_session *session, uint16_t port, bool tls)
{
    struct jrmp_place place = {
        .host = session->host, .port = port, .tls = tls, .ca_file = session->ca_file};
    struct jrmp_handlers handlers = {.input = on_input, .ended = on_end, .userdata = session};

    if (jrmp_is_to(session->jrmp, port, tls))
        return 0;
    close_tcp(session);
    return jrmp_open(session->multi, &place, &handlers, &session->jrmp);
}

static int attempt(struct jmx_session *session, enum level level)
{
    int r = 0;

    session->level = level;
    session->has_connection = session->has_connection && level <= LEVEL_CONNECTION;
    session->has_server = session->has_server && level <= LEVEL_SERVER;
    switch (level) {
    case LEVEL_KEPT:
        return jmx_say_calls(session);
    case LEVEL_CONNECTION:
        r = jmx_connect(session, session->connection.port, session->tls);
        return r < 0 ? r : jmx_say_calls(session);
    case LEVEL_SERVER:
        r = jmx_connect(session, session->server.port, session->tls);
        return r < 0 ? r : jmx_say_new_client(session);
    default:
        r = jmx_connect(session, session->port, session->registry_tls);
        return r < 0 ? r : jmx_say_lookup(session);
    }
}

void jmx_retry(struct jmx_session *session, enum level level, enum poll_result result,
               const char *detail)
{
    int r;

    if (level <= session->level) {
        jmx_finish(session, result, detail);
        return;
    }
    close_tcp(session);
    r = attempt(session, level);
    if (r < 0)
        jmx_finish(session, POLL_UNREACHABLE, strerror(-r));
}

/* A connection was closed, refused, or is not of the kind it was. */
static void on_end(enum poll_result result, const char *detail, void *userdata)
{
    struct jmx_session *session = userdata;
    bool connected = result != POLL_REFUSED && result != POLL_UNREACHABLE;
    bool from_registry = session->level == LEVEL_NOTHING && session->step != STEP_LOOKUP;
    char text[DETAIL_LEN];
    int r;

    snprintf(text, sizeof(text), "%s", detail);
    close_tcp(session);
    if (session->step == STEP_IDLE || session->step == STEP_HELD)
        return;
    if (session->step == STEP_LOOKUP && result == POLL_TLS && session->tls &&
        !session->registry_tls) {
        session->registry_tls = true;
        r = attempt(session, LEVEL_NOTHING);
        if (r < 0)
            jmx_finish(session, POLL_UNREACHABLE, strerror(-r));
        return;
    }
    if (result == POLL_TLS && !session->tls)
        snprintf(text, sizeof(text), "the port speaks TLS: jmx+ssl:// is for that");
    if (result == POLL_REFUSED && from_registry)
        snprintf(text, sizeof(text), "port %u, which the registry names", session->server.port);
    if (result == POLL_TOO_LARGE || (session->run.once && connected && session->step == STEP_CALLS))
        jmx_finish(session, result, text);
    else
        jmx_retry(session, session->level == LEVEL_KEPT ? LEVEL_CONNECTION : LEVEL_NOTHING, result,
                  text);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct jmx_session *session = userdata;

    (void)source;
    (void)usec;
    if (session->step == STEP_HELD) {
        char refused[DETAIL_LEN];

        memcpy(refused, session->refused, sizeof(refused));
        jmx_finish(session, POLL_AUTH, refused);
    } else {
        jmx_finish(session, POLL_TIMEOUT, jrmp_stage(session->jrmp));
    }
    return 0;
}

/* The longest requests must fit, whatever the credentials are. */
static bool credentials_fit(const struct jmx_place *place)
{
    struct jmx_request request = {0};
    const struct jmx_id id = {0};

    jmx_put_new_client(&request, &id, place->user, place->password);
    explicit_bzero(request.bytes, sizeof(request.bytes));
    return !request.too_long;
}

int jmx_session_new(struct multi *multi, const struct jmx_place *place, struct jmx_session **ret)
{
    struct jmx_session *session;
    int r;

    if (!credentials_fit(place))
        return -EINVAL;
    session = calloc(1, sizeof(*session));
    if (!session)
        return -ENOMEM;
    session->multi = multi;
    session->port = place->port;
    session->tls = place->tls;
    session->host = strdup(place->host);
    session->ca_file = strdup(place->ca_file);
    session->user = strdup(place->user);
    session->password = strdup(place->password);
    r = sd_event_add_time(multi_event(multi), &session->timer, CLOCK_BOOTTIME, 0, 1000, on_timer,
                          session);
    if (r >= 0)
        r = sd_event_source_set_enabled(session->timer, SD_EVENT_OFF);
    if (!session->host || !session->ca_file || !session->user || !session->password)
        r = -ENOMEM;
    if (r < 0) {
        jmx_session_free(session);
        return r;
    }
    *ret = session;
    return 0;
}

struct jmx_session *jmx_session_free(struct jmx_session *session)
{
    struct jmx_request request = {0};

    if (!session)
        return NULL;
    if (session->jrmp && session->has_connection && session->step == STEP_IDLE) {
        jmx_put_close(&request, &session->connection.id);
        (void)jrmp_send(session->jrmp, &request);
    }
    close_tcp(session);
    sd_event_source_disable_unref(session->timer);
    free(session->host);
    free(session->ca_file);
    free(session->user);
    if (session->password)
        explicit_bzero(session->password, strlen(session->password));
    free(session->password);
    free(session);
    return NULL;
}

int jmx_session_run(struct jmx_session *session, const struct jmx_run *run)
{
    enum level level = !session->has_server       ? LEVEL_NOTHING
                       : !session->has_connection ? LEVEL_SERVER
                       : !session->jrmp           ? LEVEL_CONNECTION
                                                  : LEVEL_KEPT;
    uint64_t now = jmx_session_now(session);
    uint64_t due = now + (uint64_t)run->timeout_ms * 1000;
    int r = 0;

    session->run = *run;
    session->bytes = 0;
    if (now < session->refused_until_us) {
        session->step = STEP_HELD;
        due = 0;
    } else {
        r = attempt(session, level);
    }
    if (r < 0) {
        session->step = STEP_IDLE;
        close_tcp(session);
        return r;
    }
    sd_event_source_set_time(session->timer, due);
    return sd_event_source_set_enabled(session->timer, SD_EVENT_ONESHOT);
}

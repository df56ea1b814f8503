#include "jmx_session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "jrmp.h"
#include "questions.h"

#define REFUSED_MS 60000

/* What a stub or an exception may cost. */
static const struct java_limits stub_limits = {.bytes = 65536, .nodes = 16384, .handles = 8192};

enum step {
    STEP_IDLE = 0,
    STEP_HELD, /* the credentials were refused a short while ago */
    STEP_LOOKUP,
    STEP_NEW_CLIENT,
    STEP_CALLS,
};

/* What an attempt relies on. */
enum level {
    LEVEL_KEPT,       /* the TCP connection, and all below */
    LEVEL_CONNECTION, /* the connection object */
    LEVEL_SERVER,     /* where the server is */
    LEVEL_NOTHING,
};

struct jmx_session {
    struct multi *multi;
    char *host, *ca_file, *user, *password;
    uint16_t port;
    bool tls;
    sd_event_source *timer;
    int64_t refused_until_ms;
    char refused[DETAIL_LEN];

    /* What is kept. */
    bool registry_tls, has_server, has_connection;
    struct jmx_stub server, connection;
    struct jrmp *jrmp;

    /* The run. */
    enum step step;
    enum level level;
    struct jmx_run run;
    size_t bytes;                               /* of earlier steps and attempts */
    size_t n_answers;                           /* read to their end */
    struct java_stream *streams[JMX_MAX_CALLS]; /* one more than that may have begun */
    struct jmx_answer answers[JMX_MAX_CALLS];
    size_t at[JMX_MAX_CALLS];
    size_t end;      /* of the answers read */
    size_t reserved; /* for the streams */
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void drop_answers(struct jmx_session *session)
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
    drop_answers(session);
    session->jrmp = jrmp_close(session->jrmp);
}

/* What a failed run leaves is not relied upon the next time, the less the more was new. */
static void forget(struct jmx_session *session)
{
    close_tcp(session);
    if (session->level > LEVEL_KEPT)
        session->has_connection = session->has_server = session->registry_tls = false;
}

/* Every end of every run comes through here. The session may be gone afterwards. */
static void finish(struct jmx_session *session, enum poll_result result, const char *detail)
{
    struct jmx_run run = session->run;
    struct multi *multi = session->multi;
    struct java_stream *streams[JMX_MAX_CALLS] = {0};
    struct jmx_end end = {.result = result};
    size_t reserved = 0, streams_reserved = session->reserved, len = 0;
    uint8_t *data = NULL;

    snprintf(end.detail, sizeof(end.detail), "%s", detail);
    sd_event_source_set_enabled(session->timer, SD_EVENT_OFF);
    session->step = STEP_IDLE;
    if (result == POLL_OK) {
        bool broken = session->n_answers > 0 && session->answers[session->n_answers - 1].aborted;

        jrmp_data(session->jrmp, &len);
        broken = broken || (session->n_answers > 0 && len > session->end);
        end.data = data = jrmp_take(session->jrmp, &reserved);
        end.n = session->n_answers;
        for (size_t i = 0; i < end.n; i++) {
            streams[i] = session->streams[i];
            session->streams[i] = NULL;
            java_stream_moved(streams[i], data + session->at[i] + 1);
            end.streams[i] = streams[i];
            end.answers[i] = session->answers[i];
            end.at[i] = session->at[i];
        }
        session->reserved = 0;
        session->bytes += len;
        drop_answers(session);
        if (broken)
            close_tcp(session);
    } else {
        streams_reserved = 0;
        forget(session);
    }
    end.bytes = session->bytes;
    run.ended(&end, run.userdata);
    for (size_t i = 0; i < JMX_MAX_CALLS; i++)
        java_stream_free(streams[i]);
    free(data);
    multi_release(multi, reserved + streams_reserved);
}

static void on_input(void *userdata);
static void on_end(enum poll_result result, const char *detail, void *userdata);

/* A connection to this port of the host: the one there is, or a new one. */
static int connect_to(struct jmx_session *session, uint16_t port, bool tls)
{
    struct jrmp_place place = {
        .host = session->host, .port = port, .tls = tls, .ca_file = session->ca_file};
    struct jrmp_handlers handlers = {.input = on_input, .ended = on_end, .userdata = session};

    if (jrmp_is_to(session->jrmp, port, tls))
        return 0;
    close_tcp(session);
    return jrmp_open(session->multi, &place, &handlers, &session->jrmp);
}

static int send_lookup(struct jmx_session *session)
{
    struct jmx_request request = {0};

    session->step = STEP_LOOKUP;
    jmx_put_lookup(&request);
    jrmp_limit(session->jrmp, stub_limits.bytes);
    return jrmp_send(session->jrmp, &request);
}

static int send_new_client(struct jmx_session *session)
{
    struct jmx_request request = {0};
    int r;

    session->step = STEP_NEW_CLIENT;
    jmx_put_new_client(&request, &session->server.id, session->user, session->password);
    jrmp_limit(session->jrmp, stub_limits.bytes);
    r = jrmp_send(session->jrmp, &request);
    explicit_bzero(&request, sizeof(request));
    return r;
}

static int send_calls(struct jmx_session *session)
{
    struct jmx_request request = {0};

    session->step = STEP_CALLS;
    session->run.put(&request, &session->connection.id, session->run.userdata);
    jrmp_limit(session->jrmp, session->run.limits.bytes);
    return jrmp_send(session->jrmp, &request);
}

static int attempt(struct jmx_session *session, enum level level)
{
    int r = 0;

    session->level = level;
    session->has_connection = session->has_connection && level <= LEVEL_CONNECTION;
    session->has_server = session->has_server && level <= LEVEL_SERVER;
    switch (level) {
    case LEVEL_KEPT:
        return send_calls(session);
    case LEVEL_CONNECTION:
        r = connect_to(session, session->connection.port, session->tls);
        return r < 0 ? r : send_calls(session);
    case LEVEL_SERVER:
        r = connect_to(session, session->server.port, session->tls);
        return r < 0 ? r : send_new_client(session);
    default:
        r = connect_to(session, session->port, session->registry_tls);
        return r < 0 ? r : send_lookup(session);
    }
}

/* Tries again at this level; at the end of the ladder, or without memory, the run ends. */
static void retry(struct jmx_session *session, enum level level, enum poll_result result,
                  const char *detail)
{
    int r;

    if (level <= session->level) {
        finish(session, result, detail);
        return;
    }
    close_tcp(session);
    r = attempt(session, level);
    if (r < 0)
        finish(session, POLL_UNREACHABLE, strerror(-r));
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
            finish(session, POLL_UNREACHABLE, strerror(-r));
        return;
    }
    if (result == POLL_TLS && !session->tls)
        snprintf(text, sizeof(text), "the port speaks TLS: jmx+ssl:// is for that");
    if (result == POLL_REFUSED && from_registry)
        snprintf(text, sizeof(text), "port %u, which the registry names", session->server.port);
    if (result == POLL_TOO_LARGE || (session->run.once && connected && session->step == STEP_CALLS))
        finish(session, result, text);
    else
        retry(session, session->level == LEVEL_KEPT ? LEVEL_CONNECTION : LEVEL_NOTHING, result,
              text);
}

/* Reads the next answer as far as it has come. Not JAVA_OK nor JAVA_MORE: the run has ended. */
static enum java_status read_answer(struct jmx_session *session, const struct java_limits *limits)
{
    size_t i = session->n_answers, before, after, len;
    const uint8_t *data = jrmp_data(session->jrmp, &len);
    enum java_status status;

    if (!session->streams[i] && java_stream_new(limits, &session->streams[i]) < 0) {
        finish(session, POLL_TOO_LARGE, "out of memory");
        return JAVA_NO_MEMORY;
    }
    session->at[i] = session->end;
    before = session->reserved;
    status = jmx_read_answer(session->streams[i], data + session->end, len - session->end, true,
                             &session->answers[i]);
    after = 0;
    for (size_t k = 0; k <= i; k++)
        after += java_stream_memory(session->streams[k]);
    if (!multi_reserve(session->multi, after - before)) {
        finish(session, POLL_TOO_LARGE, "too many answers at once");
        return JAVA_TOO_LARGE;
    }
    session->reserved = after;
    if (status == JAVA_OK) {
        session->end += session->answers[i].len;
        session->n_answers++;
    } else if (status == JAVA_BAD) {
        finish(session, POLL_BAD_STREAM, "not a readable answer");
    } else if (status != JAVA_MORE) {
        finish(session, POLL_TOO_LARGE, status == JAVA_NO_MEMORY ? "out of memory" : "");
    }
    return status;
}

static void on_exception(struct jmx_session *session)
{
    const struct java_stream *stream = session->streams[0];
    const struct java_value *value = &session->answers[0].value;
    char detail[DETAIL_LEN];
    enum poll_result result = jmx_exception(stream, value, detail);

    if (session->step == STEP_NEW_CLIENT && result == POLL_AUTH) {
        session->refused_until_ms = now_ms() + REFUSED_MS;
        memcpy(session->refused, detail, sizeof(detail));
    }
    if (session->step == STEP_LOOKUP && result == POLL_NO_MBEAN)
        snprintf(detail, sizeof(detail), "no JMX server is registered");
    if (jmx_is_no_such_object(stream, value))
        retry(session, LEVEL_NOTHING, result, detail);
    else
        finish(session, result, detail);
}

/* The server is known: make a connection object. */
static int on_server(struct jmx_session *session, const struct jmx_stub *stub)
{
    int r;

    if (stub->tls != session->tls) {
        finish(session, POLL_TLS,
               stub->tls ? "the node speaks TLS: jmx+ssl:// is for that"
                         : "the node does not speak TLS");
        return 0;
    }
    session->server = *stub;
    session->has_server = true;
    drop_answers(session);
    r = connect_to(session, stub->port, session->tls);
    return r < 0 ? r : send_new_client(session);
}

static int on_connection(struct jmx_session *session, const struct jmx_stub *stub,
                         const uint8_t *answer)
{
    struct jmx_request acknowledge = {0};
    int r;

    jmx_put_acknowledge(&acknowledge, answer + JMX_UID_AT);
    r = jrmp_send(session->jrmp, &acknowledge);
    session->connection = *stub;
    session->has_connection = true;
    drop_answers(session);
    if (r >= 0)
        r = connect_to(session, stub->port, session->tls);
    return r < 0 ? r : send_calls(session);
}

static void on_stub(struct jmx_session *session)
{
    struct jmx_stub stub;
    const uint8_t *data;
    size_t len;
    int r;

    if (read_answer(session, &stub_limits) != JAVA_OK)
        return;
    data = jrmp_data(session->jrmp, &len);
    if (session->answers[0].thrown) {
        on_exception(session);
        return;
    }
    if (session->answers[0].value.kind == JAVA_NULL) {
        finish(session, POLL_NO_MBEAN, "no JMX server is registered");
        return;
    }
    if (jmx_stub(session->streams[0], &session->answers[0].value, &stub) < 0 ||
        session->end != len) {
        finish(session, POLL_BAD_STREAM, "not a reference to a JMX server");
        return;
    }
    /* Either connection stays for the next step, or is closed with what it had. */
    session->bytes += len;
    if (session->step == STEP_LOOKUP) {
        jrmp_drop(session->jrmp);
        r = on_server(session, &stub);
    } else {
        uint8_t answer[JMX_UID_AT + 14];

        memcpy(answer, data, sizeof(answer));
        jrmp_drop(session->jrmp);
        r = on_connection(session, &stub, answer);
    }
    if (r < 0)
        finish(session, POLL_UNREACHABLE, strerror(-r));
}

static void on_calls(struct jmx_session *session)
{
    size_t len;
    const uint8_t *data = jrmp_data(session->jrmp, &len);
    enum java_status status = JAVA_OK;

    if (session->end == 0 && session->run.known &&
        session->run.known(data, len, session->run.userdata)) {
        drop_answers(session);
        finish(session, POLL_OK, "");
        return;
    }
    while (status == JAVA_OK && session->n_answers < session->run.n_calls) {
        const struct jmx_answer *answer = &session->answers[session->n_answers];

        status = read_answer(session, &session->run.limits);
        if (status != JAVA_OK)
            return;
        if (answer->thrown &&
            jmx_is_no_such_object(session->streams[session->n_answers - 1], &answer->value)) {
            retry(session, session->level < LEVEL_SERVER ? LEVEL_SERVER : LEVEL_NOTHING,
                  POLL_EXCEPTION, "java.rmi.NoSuchObjectException");
            return;
        }
        if (answer->aborted)
            break;
    }
    finish(session, POLL_OK, "");
}

static void on_input(void *userdata)
{
    struct jmx_session *session = userdata;

    switch (session->step) {
    case STEP_LOOKUP:
    case STEP_NEW_CLIENT:
        on_stub(session);
        break;
    case STEP_CALLS:
        on_calls(session);
        break;
    default:
        /* Nobody asked. */
        close_tcp(session);
        break;
    }
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct jmx_session *session = userdata;

    (void)source;
    (void)usec;
    if (session->step == STEP_HELD) {
        char refused[DETAIL_LEN];

        memcpy(refused, session->refused, sizeof(refused));
        finish(session, POLL_AUTH, refused);
    } else {
        finish(session, POLL_TIMEOUT, jrmp_stage(session->jrmp));
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
    int64_t now = now_ms();
    int r = 0;

    session->run = *run;
    session->bytes = 0;
    if (now < session->refused_until_ms)
        session->step = STEP_HELD;
    else
        r = attempt(session, level);
    if (r < 0) {
        session->step = STEP_IDLE;
        close_tcp(session);
        return r;
    }
    sd_event_source_set_time(
        session->timer, session->step == STEP_HELD ? 0 : (uint64_t)(now + run->timeout_ms) * 1000);
    return sd_event_source_set_enabled(session->timer, SD_EVENT_ONESHOT);
}

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "jmx_session_private.h"

#define REFUSED_US (60 * (uint64_t)1000000)

/* What a stub or an exception may cost. */
static const struct java_limits stub_limits = {.bytes = 65536, .nodes = 16384, .handles = 8192};

int jmx_say_lookup(struct jmx_session *session)
{
    struct jmx_request request = {0};

    session->step = STEP_LOOKUP;
    jmx_put_lookup(&request);
    jrmp_limit(session->jrmp, stub_limits.bytes);
    return jrmp_send(session->jrmp, &request);
}

int jmx_say_new_client(struct jmx_session *session)
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

int jmx_say_calls(struct jmx_session *session)
{
    struct jmx_request request = {0};

    session->step = STEP_CALLS;
    session->run.put(&request, &session->connection.id, session->run.userdata);
    jrmp_limit(session->jrmp, session->run.limits.bytes);
    return jrmp_send(session->jrmp, &request);
}

/* Reads the next answer as far as it has come. Not JAVA_OK nor JAVA_MORE: the run has ended. */
static enum java_status read_answer(struct jmx_session *session, const struct java_limits *limits)
{
    size_t i = session->n_answers, before, after, len;
    const uint8_t *data = jrmp_data(session->jrmp, &len);
    enum java_status status;

    if (!session->streams[i] && java_stream_new(limits, &session->streams[i]) < 0) {
        jmx_finish(session, POLL_TOO_LARGE, "out of memory");
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
        jmx_finish(session, POLL_TOO_LARGE, "too many answers at once");
        return JAVA_TOO_LARGE;
    }
    session->reserved = after;
    if (status == JAVA_OK) {
        session->end += session->answers[i].len;
        session->n_answers++;
    } else if (status == JAVA_BAD) {
        jmx_finish(session, POLL_BAD_STREAM, "not a readable answer");
    } else if (status != JAVA_MORE) {
        jmx_finish(session, POLL_TOO_LARGE, status == JAVA_NO_MEMORY ? "out of memory" : "");
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
        session->refused_until_us = jmx_session_now(session) + REFUSED_US;
        memcpy(session->refused, detail, sizeof(detail));
    }
    /* A JVM that starts listens before it has a registry. */
    if (session->step == STEP_LOOKUP && jmx_is_no_such_object(stream, value))
        result = POLL_NO_MBEAN;
    if (session->step == STEP_LOOKUP && result == POLL_NO_MBEAN)
        snprintf(detail, sizeof(detail), "no JMX server is registered");
    if (jmx_is_no_such_object(stream, value))
        jmx_retry(session, LEVEL_NOTHING, result, detail);
    else
        jmx_finish(session, result, detail);
}

/* The server is known: make a connection object. */
static int on_server(struct jmx_session *session, const struct jmx_stub *stub)
{
    int r;

    if (stub->tls != session->tls) {
        jmx_finish(session, POLL_TLS,
                   stub->tls ? "the node speaks TLS: jmx+ssl:// is for that"
                             : "the node does not speak TLS");
        return 0;
    }
    session->server = *stub;
    session->has_server = true;
    jmx_drop_answers(session);
    r = jmx_connect(session, stub->port, session->tls);
    return r < 0 ? r : jmx_say_new_client(session);
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
    jmx_drop_answers(session);
    if (r >= 0)
        r = jmx_connect(session, stub->port, session->tls);
    return r < 0 ? r : jmx_say_calls(session);
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
        jmx_finish(session, POLL_NO_MBEAN, "no JMX server is registered");
        return;
    }
    if (jmx_stub(session->streams[0], &session->answers[0].value, &stub) < 0 ||
        session->end != len) {
        jmx_finish(session, POLL_BAD_STREAM, "not a reference to a JMX server");
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
        jmx_finish(session, POLL_UNREACHABLE, strerror(-r));
}

static void on_calls(struct jmx_session *session)
{
    size_t len;
    const uint8_t *data = jrmp_data(session->jrmp, &len);
    enum java_status status = JAVA_OK;

    if (session->end == 0 && session->run.known &&
        session->run.known(data, len, session->run.userdata)) {
        jmx_drop_answers(session);
        jmx_finish(session, POLL_OK, "");
        return;
    }
    while (status == JAVA_OK && session->n_answers < session->run.n_calls) {
        const struct jmx_answer *answer = &session->answers[session->n_answers];

        status = read_answer(session, &session->run.limits);
        if (status != JAVA_OK)
            return;
        if (answer->thrown &&
            jmx_is_no_such_object(session->streams[session->n_answers - 1], &answer->value)) {
            jmx_retry(session, session->level < LEVEL_SERVER ? LEVEL_SERVER : LEVEL_NOTHING,
                      POLL_EXCEPTION, "java.rmi.NoSuchObjectException");
            return;
        }
        if (answer->aborted)
            break;
    }
    jmx_finish(session, POLL_OK, "");
}

void jmx_on_input(struct jmx_session *session)
{
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
        session->jrmp = jrmp_close(session->jrmp);
        break;
    }
}

/* The source "jmx" and "jmx+ssl": Cassandra's MBeans as the JVM itself serves them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jmx_session.h"
#include "source.h"

#define DEFAULT_PORT 7199

/* Bytes of a whole poll; nodes and handles of each answer: thousands of endpoints fit. */
static const struct java_limits fast_limits = {
    .bytes = SOURCE_FAST_MAX, .nodes = 262144, .handles = 65536};
static const struct java_limits detail_limits = {
    .bytes = SOURCE_DETAIL_MAX, .nodes = 600000, .handles = 262144};

/* The last fast answers: how long they were, where bytes differ each time, and what the others are.
 */
struct last_answers {
    size_t len; /* 0 = none */
    size_t n;
    size_t at[JMX_MAX_CALLS];
    uint64_t print;
};

struct jmx_target {
    struct source_target base;
    struct source_context *context;
    struct jmx_session *session;
    enum spelling spelling;
    struct last_answers last;
    struct last_view last_view;

    /* The poll or operation that runs. */
    unsigned asked;
    bool detail;
    source_done done;
    char *mbean, *name, *argument;
    bool attribute;
    source_invoked invoked;
    void *userdata;
};

/* What follows the scheme; NULL = another source's. */
static const char *authority(const char *url, bool *ret_tls)
{
    *ret_tls = strncmp(url, "jmx+ssl://", 10) == 0;
    if (*ret_tls)
        return url + 10;
    return strncmp(url, "jmx://", 6) == 0 ? url + 6 : NULL;
}

static bool accepts(const char *url)
{
    bool tls;
    const char *text = authority(url, &tls);

    return text && !strchr(text, '/') && source_authority_ok(text);
}

static void operation_free(struct jmx_target *target)
{
    free(target->mbean);
    free(target->name);
    free(target->argument);
    target->mbean = target->name = target->argument = NULL;
}

static void jmx_close(struct source_target *base)
{
    struct jmx_target *target = (struct jmx_target *)base;

    if (!target)
        return;
    jmx_session_free(target->session);
    operation_free(target);
    free(target);
}

static int jmx_open(struct source_context *context, const struct source_place *place,
                    struct source_target **ret)
{
    struct jmx_place session = {.port = DEFAULT_PORT,
                                .ca_file = place->ca_file ? place->ca_file : "",
                                .user = place->user ? place->user : "",
                                .password = place->password ? place->password : ""};
    const char *text = authority(place->url, &session.tls);
    struct jmx_target *target;
    const char *colon;
    char *host;
    int r;

    if (!accepts(place->url))
        return -EINVAL;
    colon = strrchr(text, ':');
    if (colon && strchr(colon, ']'))
        colon = NULL;
    if (colon)
        session.port = (uint16_t)atoi(colon + 1);
    host = strndup(text, colon ? (size_t)(colon - text) : strlen(text));
    target = calloc(1, sizeof(*target));
    r = -ENOMEM;
    if (host && target) {
        target->base.source = &jmx_source;
        target->context = context;
        session.host = host;
        r = jmx_session_new(context->multi, &session, &target->session);
    }
    free(host);
    if (r < 0) {
        free(target);
        return r;
    }
    *ret = &target->base;
    return 0;
}

/* Of the answers without what differs each time. */
static uint64_t answers_print(const struct fingerprint_key *key, const uint8_t *data, size_t len,
                              const size_t *at, size_t n)
{
    uint64_t parts[JMX_MAX_CALLS + 1] = {0};
    size_t from = 0;

    for (size_t i = 0; i < n; i++) {
        parts[i] = fingerprint(key, data + from, at[i] + JMX_UID_AT - from);
        from = at[i] + JMX_UID_AT + 14;
    }
    parts[n] = fingerprint(key, data + from, len - from);
    return fingerprint(key, parts, sizeof(parts));
}

static bool known(const uint8_t *data, size_t len, void *userdata)
{
    const struct jmx_target *target = userdata;
    const struct last_answers *last = &target->last;

    return !target->detail && last->len == len && len > 0 &&
           answers_print(&target->context->key, data, len, last->at, last->n) == last->print;
}

static void remember(struct jmx_target *target, const struct jmx_end *end)
{
    struct last_answers *last = &target->last;
    size_t i = end->n - 1;

    last->n = end->n;
    memcpy(last->at, end->at, sizeof(last->at));
    last->len = end->at[i] + end->answers[i].len;
    last->print = answers_print(&target->context->key, end->data, last->len, last->at, last->n);
}

/* Reads the answers, and finds out whether they say anything new. */
static void take_answers(struct jmx_target *target, const struct jmx_end *end,
                         struct observation *observation)
{
    struct jmx_answered answered[JMX_MAX_CALLS];
    unsigned left = target->asked;
    bool same;

    for (size_t i = 0; i < end->n; i++) {
        answered[i] = (struct jmx_answered){.asked = questions_of_mbean(left),
                                            .stream = end->streams[i],
                                            .answer = end->answers[i]};
        left &= ~answered[i].asked;
    }
    target->last.len = 0;
    observation->result =
        jmx_view(answered, end->n, &observation->view, &target->spelling, observation->detail);
    if (observation->result != POLL_OK)
        return;
    if (!target->detail)
        remember(target, end);
    same = last_view_same(&target->last_view, &target->context->key, observation->view);
    if (same && !target->detail) {
        observation->view = view_free(observation->view);
        observation->unchanged = true;
    }
}

static void put_poll(struct jmx_request *request, const struct jmx_id *connection, void *userdata)
{
    const struct jmx_target *target = userdata;

    for (unsigned left = target->asked; left != 0; left &= ~questions_of_mbean(left))
        jmx_put_questions(request, connection, questions_of_mbean(left));
}

static void on_polled(const struct jmx_end *end, void *userdata)
{
    struct jmx_target *target = userdata;
    struct observation observation = {.result = end->result, .bytes = end->bytes};

    memcpy(observation.detail, end->detail, sizeof(observation.detail));
    if (end->result == POLL_OK && end->n == 0)
        observation.unchanged = true;
    else if (end->result == POLL_OK)
        take_answers(target, end, &observation);
    if (observation.result != POLL_OK) {
        /* Perhaps another release than before: ask both spellings again. */
        target->spelling = SPELLING_UNKNOWN;
        target->last.len = 0;
    }
    target->done(&observation, target->userdata);
}

static int jmx_start(struct source_target *base, const struct source_ask *ask, source_done done,
                     void *userdata)
{
    struct jmx_target *target = (struct jmx_target *)base;
    struct jmx_run run = {.limits = ask->detail ? detail_limits : fast_limits,
                          .timeout_ms = ask->timeout_ms,
                          .put = put_poll,
                          .known = known,
                          .ended = on_polled,
                          .userdata = target};

    target->detail = ask->detail;
    target->asked = questions_of_poll(ask->detail, ask->own, target->spelling);
    target->done = done;
    target->userdata = userdata;
    for (unsigned left = target->asked; left != 0; left &= ~questions_of_mbean(left))
        run.n_calls++;
    return jmx_session_run(target->session, &run);
}

static void put_operation(struct jmx_request *request, const struct jmx_id *connection,
                          void *userdata)
{
    const struct jmx_target *target = userdata;

    if (target->attribute)
        jmx_put_get_attributes(request, connection, target->mbean,
                               (const char *const[]){target->name}, 1);
    else
        jmx_put_invoke(request, connection, target->mbean, target->name, target->argument);
}

static void on_invoked(const struct jmx_end *end, void *userdata)
{
    struct jmx_target *target = userdata;
    struct reply reply = {.result = end->result};

    memcpy(reply.detail, end->detail, sizeof(reply.detail));
    if (end->result == POLL_OK && target->attribute)
        jmx_reply_attribute(end->streams[0], &end->answers[0], target->name, &reply);
    else if (end->result == POLL_OK)
        jmx_reply(end->streams[0], &end->answers[0], &reply);
    operation_free(target);
    target->invoked(&reply, target->userdata);
    reply_done(&reply);
}

static int jmx_invoke(struct source_target *base, const struct source_operation *operation,
                      source_invoked invoked, void *userdata)
{
    struct jmx_target *target = (struct jmx_target *)base;
    struct jmx_run run = {.n_calls = 1,
                          .limits = fast_limits,
                          .timeout_ms = operation->timeout_ms,
                          .once = !operation->attribute,
                          .put = put_operation,
                          .ended = on_invoked,
                          .userdata = target};
    int r = -ENOMEM;

    operation_free(target);
    target->mbean = strdup(operation->mbean);
    target->name = strdup(operation->name);
    target->attribute = operation->attribute;
    target->argument = operation->argument ? strdup(operation->argument) : NULL;
    target->invoked = invoked;
    target->userdata = userdata;
    if (target->mbean && target->name && !operation->argument == !target->argument)
        r = jmx_session_run(target->session, &run);
    if (r < 0)
        operation_free(target);
    return r;
}

const struct source jmx_source = {
    .accepts = accepts,
    .open = jmx_open,
    .start = jmx_start,
    .invoke = jmx_invoke,
    .close = jmx_close,
};

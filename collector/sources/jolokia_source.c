/* The source "jolokia+http(s)": Cassandra's MBeans by way of a Jolokia agent. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jolokia.h"
#include "source.h"

#define PREFIX       "jolokia+"
#define DEFAULT_PATH "/jolokia/"

struct jolokia_target {
    struct source_target base;
    struct source_context *context;
    char *url; /* of the agent, with the query */
    struct http_login login;
    enum spelling spelling;
    uint64_t body_print; /* of the last fast answer's bytes; body_len 0 = none */
    size_t body_len;
    struct last_view last; /* fast or detail */

    /* The poll that runs. */
    struct http_request *request;
    unsigned asked;
    bool detail;
    source_done done;
    source_invoked invoked;
    void *userdata;
};

static bool accepts(const char *url)
{
    if (strncmp(url, "jolokia+http://", 15) == 0)
        return source_authority_ok(url + 15);
    return strncmp(url, "jolokia+https://", 16) == 0 && source_authority_ok(url + 16);
}

/* The agent answers below its path only when that ends in a slash. */
static char *agent_url(const char *url)
{
    const char *http = url + sizeof(PREFIX) - 1;
    const char *path = strchr(strstr(http, "//") + 2, '/');
    bool bare = !path || !path[1];
    size_t len = bare && path ? strlen(http) - 1 : strlen(http);
    const char *tail = bare ? DEFAULT_PATH : http[len - 1] == '/' ? "" : "/";
    char *ret;

    return asprintf(&ret, "%.*s%s%s", (int)len, http, tail, JOLOKIA_QUERY) < 0 ? NULL : ret;
}

static void jolokia_close(struct source_target *base)
{
    struct jolokia_target *target = (struct jolokia_target *)base;

    if (!target)
        return;
    http_cancel(target->request);
    free(target->url);
    http_login_done(&target->login);
    free(target);
}

static int jolokia_open(struct source_context *context, const struct source_place *place,
                        struct source_target **ret)
{
    struct jolokia_target *target;

    if (!accepts(place->url))
        return -EINVAL;
    target = calloc(1, sizeof(*target));
    if (!target)
        return -ENOMEM;
    target->base.source = &jolokia_source;
    target->context = context;
    target->url = agent_url(place->url);
    if (!target->url ||
        http_login_copy(place->user, place->password, place->ca_file, &target->login) < 0) {
        jolokia_close(&target->base);
        return -ENOMEM;
    }
    *ret = &target->base;
    return 0;
}

/* Parses, and finds out whether it says anything new. */
static void take_body(struct jolokia_target *target, const char *body, size_t len,
                      struct observation *observation)
{
    bool same;

    observation->result = jolokia_parse(target->asked, body, len, &observation->view,
                                        &target->spelling, observation->detail);
    if (observation->result != POLL_OK) {
        /* Perhaps another release than before: ask both spellings again. */
        target->spelling = SPELLING_UNKNOWN;
        return;
    }
    same = last_view_same(&target->last, &target->context->key, observation->view);
    if (same && !target->detail) {
        observation->view = view_free(observation->view);
        observation->unchanged = true;
    }
}

static void on_answer(const struct http_answer *answer, void *userdata)
{
    struct jolokia_target *target = userdata;
    struct observation observation = {.bytes = answer->bytes};
    uint64_t print = 0;

    target->request = NULL;
    observation.result = answer->result;
    observation.http_status = answer->status;
    snprintf(observation.detail, sizeof(observation.detail), "%s", answer->detail);
    if (answer->result == POLL_OK && !target->detail && answer->len > 0) {
        jolokia_blank_timestamps(answer->body, answer->len);
        print = fingerprint(&target->context->key, answer->body, answer->len);
        observation.unchanged = answer->len == target->body_len && print == target->body_print;
    }
    if (answer->result == POLL_OK && !observation.unchanged) {
        take_body(target, answer->body, answer->len, &observation);
        target->body_len = observation.result == POLL_OK && !target->detail ? answer->len : 0;
        target->body_print = print;
    }
    target->done(&observation, target->userdata);
}

static int jolokia_start(struct source_target *base, const struct source_ask *ask, source_done done,
                         void *userdata)
{
    struct jolokia_target *target = (struct jolokia_target *)base;
    char body[JOLOKIA_REQUEST_LEN];
    struct http_ask post = {
        .url = target->url,
        .login = &target->login,
        .body = body,
        .timeout_ms = ask->timeout_ms,
        .max_bytes = ask->detail ? SOURCE_DETAIL_MAX : SOURCE_FAST_MAX,
    };

    target->detail = ask->detail;
    target->asked = questions_of_poll(ask->detail, ask->own, target->spelling);
    target->done = done;
    target->userdata = userdata;
    jolokia_request(target->asked, body);
    return http_start(target->context->http, &post, on_answer, target, &target->request);
}

static void on_reply(const struct http_answer *answer, void *userdata)
{
    struct jolokia_target *target = userdata;
    struct reply reply = {.result = answer->result};

    target->request = NULL;
    memcpy(reply.detail, answer->detail, sizeof(reply.detail));
    if (answer->result == POLL_OK)
        jolokia_exec_parse(answer->body, answer->len, &reply);
    target->invoked(&reply, target->userdata);
    reply_done(&reply);
}

static int jolokia_invoke(struct source_target *base, const struct source_operation *operation,
                          source_invoked invoked, void *userdata)
{
    struct jolokia_target *target = (struct jolokia_target *)base;
    char *body = operation->attribute
                     ? jolokia_read_request(operation->mbean, operation->name)
                     : jolokia_exec_request(operation->mbean, operation->name, operation->argument);
    struct http_ask post = {
        .url = target->url,
        .login = &target->login,
        .body = body,
        .timeout_ms = operation->timeout_ms,
        .max_bytes = SOURCE_FAST_MAX,
    };
    int r;

    if (!body)
        return -ENOMEM;
    target->invoked = invoked;
    target->userdata = userdata;
    r = http_start(target->context->http, &post, on_reply, target, &target->request);
    free(body);
    return r;
}

const struct source jolokia_source = {
    .accepts = accepts,
    .open = jolokia_open,
    .start = jolokia_start,
    .invoke = jolokia_invoke,
    .close = jolokia_close,
};

/* The source "http" and "https": another host's prober, which answers for the Cassandra there. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "peer_view.h"
#include "source.h"

#define STATE_TIMEOUT_MS 5000  /* values may be large, and nothing waits for them */
#define STATE_REST_MS    5000  /* after they could not be had */
#define STATE_AGAIN_MS   30000 /* after which some may be of use that were not */

struct peer_target {
    struct source_target base;
    struct source_context *context;
    struct prober_addr address;
    char *url; /* of its /view */
    struct http_login login;

    /* What the last document said, for when it is not modified. */
    char etag[ETAG_LEN]; /* "" = nothing */
    struct observation last;

    /* The poll that runs. */
    struct http_request *request;
    source_done done;
    void *userdata;

    /* Its values. */
    char *state_url;
    struct http_request *state_request;
    uint64_t asked;    /* the digest that the request is for */
    uint64_t known;    /* the digest of those that came last; 0 = none */
    int64_t known_ms;  /* CLOCK_BOOTTIME: when that was */
    bool state_failed; /* the last request */
    int64_t rest_ms;   /* CLOCK_BOOTTIME: not asked before */
};

static bool accepts(const char *url)
{
    if (strncmp(url, "http://", 7) == 0)
        return source_authority_ok(url + 7);
    return strncmp(url, "https://", 8) == 0 && source_authority_ok(url + 8);
}

static void peer_close(struct source_target *base)
{
    struct peer_target *target = (struct peer_target *)base;

    if (!target)
        return;
    http_cancel(target->request);
    http_cancel(target->state_request);
    free(target->url);
    free(target->state_url);
    http_login_done(&target->login);
    free(target);
}

static int peer_open(struct source_context *context, const struct source_place *place,
                     struct source_target **ret)
{
    size_t len = strlen(place->url);
    struct peer_target *target;

    if (!accepts(place->url))
        return -EINVAL;
    target = calloc(1, sizeof(*target));
    if (!target)
        return -ENOMEM;
    target->base.source = &peer_source;
    target->context = context;
    target->address = place->address;
    len -= place->url[len - 1] == '/';
    if (asprintf(&target->url, "%.*s/view", (int)len, place->url) < 0)
        target->url = NULL;
    if (asprintf(&target->state_url, "%.*s/state", (int)len, place->url) < 0)
        target->state_url = NULL;
    if (!target->url || !target->state_url ||
        http_login_copy(place->user, place->password, place->ca_file, &target->login) < 0) {
        peer_close(&target->base);
        return -ENOMEM;
    }
    *ret = &target->base;
    return 0;
}

/* What the document says; remembered with its ETag when it is one that can be relied upon. */
static void take_document(struct peer_target *target, const struct http_answer *answer,
                          struct observation *observation)
{
    struct observation *last = &target->last;

    if (answer->not_modified) {
        observation->result = last->result;
        observation->process_gone = last->process_gone;
        observation->hung = last->hung;
        observation->values = last->values;
        observation->unchanged = last->result == POLL_OK;
        memcpy(observation->detail, last->detail, sizeof(observation->detail));
        return;
    }
    peer_view_parse(&target->address, answer->body, answer->len, observation);
    *last = *observation;
    last->view = NULL;
    if (observation->result == POLL_OK || observation->result == POLL_NO_MBEAN ||
        observation->process_gone || observation->hung)
        memcpy(target->etag, answer->etag, strnlen(answer->etag, ETAG_LEN - 1) + 1);
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void on_state(const struct http_answer *answer, void *userdata)
{
    struct peer_target *target = userdata;
    struct source_context *context = target->context;
    bool again = target->state_failed;

    target->state_request = NULL;
    target->state_failed = false;
    target->known = target->asked;
    target->known_ms = now_ms();
    /* The target may be gone when they were of use. */
    if (context->state(&target->address, answer, again, context->state_userdata))
        return;
    target->state_failed = true;
    target->known = 0;
    target->rest_ms = now_ms() + STATE_REST_MS;
}

/*
 * Asks for its values when they differ from this host's and are not those that it told already:
 * merging is all that can be done with them. Only now and then again, as what was refused then may
 * be taken now. A failure to begin is tried again after the next poll.
 */
static void follow_values(struct peer_target *target, uint64_t digest)
{
    struct source_context *context = target->context;
    const struct http_ask get = {
        .url = target->state_url,
        .login = &target->login,
        .timeout_ms = STATE_TIMEOUT_MS,
        .max_bytes = SOURCE_STATE_MAX,
    };
    int64_t now = now_ms();

    if (digest == 0 || context->values == 0 || target->state_request)
        return;
    if (digest == context->values) {
        /* What this host says next is no reason to ask for these. */
        target->known = digest;
        target->known_ms = now;
        return;
    }
    if (now < target->rest_ms ||
        (digest == target->known && now - target->known_ms < STATE_AGAIN_MS))
        return;
    target->asked = digest;
    http_start(context->http, &get, on_state, target, &target->state_request);
}

static void on_answer(const struct http_answer *answer, void *userdata)
{
    struct peer_target *target = userdata;
    struct observation observation = {
        .result = answer->result, .http_status = answer->status, .bytes = answer->bytes};

    target->request = NULL;
    memcpy(observation.detail, answer->detail, sizeof(observation.detail));
    if (!answer->not_modified)
        target->etag[0] = '\0';
    if (answer->result == POLL_OK && answer->age_ms < 0) {
        /* However fresh it looks, nobody says so. */
        observation.result = POLL_BAD_SHAPE;
        snprintf(observation.detail, sizeof(observation.detail), "no X-Prober-Age-Ms");
        target->etag[0] = '\0';
    } else if (answer->result == POLL_OK) {
        observation.age_ms = answer->age_ms;
        take_document(target, answer, &observation);
    }
    follow_values(target, observation.values);
    target->done(&observation, target->userdata);
}

static int peer_start(struct source_target *base, const struct source_ask *ask, source_done done,
                      void *userdata)
{
    struct peer_target *target = (struct peer_target *)base;
    struct http_ask get = {
        .url = target->url,
        .login = &target->login,
        .etag = target->etag,
        .timeout_ms = ask->timeout_ms,
        .max_bytes = SOURCE_FAST_MAX,
    };

    if (ask->whole)
        target->etag[0] = '\0';
    target->done = done;
    target->userdata = userdata;
    return http_start(target->context->http, &get, on_answer, target, &target->request);
}

/* What runs on another host is that host's business. */
static int peer_invoke(struct source_target *base, const struct source_operation *operation,
                       source_invoked invoked, void *userdata)
{
    (void)base;
    (void)operation;
    (void)invoked;
    (void)userdata;
    return -EOPNOTSUPP;
}

const struct source peer_source = {
    .accepts = accepts,
    .open = peer_open,
    .start = peer_start,
    .invoke = peer_invoke,
    .close = peer_close,
};

#include "region_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "questions.h"

#define ANSWER_MAX ((size_t)1024 * 1024) /* bytes of a document */

enum { DOCUMENTS = 3 };

static const struct {
    const char *path;
    enum poll_result (*read)(const char *body, size_t len, struct region_answer *ret);
} documents[DOCUMENTS] = {
    {"/readylocaldcs", region_read_ready},
    {"/localseeds", region_read_seeds},
    {"/dcs?local", region_read_dcs}, /* who does not know the argument answers /dcs */
};

struct region_source {
    struct http *http;
    struct http_login login;
    char *url[DOCUMENTS];

    /* The poll that runs. */
    struct http_request *request;
    size_t at; /* which document */
    int64_t timeout_ms;
    struct region_answer answer;
    region_done done;
    void *userdata;
};

int region_source_open(struct http *http, const struct source_place *place,
                       struct region_source **ret)
{
    size_t len = strlen(place->url);
    struct region_source *source = calloc(1, sizeof(*source));
    bool whole = source != NULL;

    if (len > 0 && place->url[len - 1] == '/')
        len--;
    for (size_t i = 0; whole && i < DOCUMENTS; i++)
        if (asprintf(&source->url[i], "%.*s%s", (int)len, place->url, documents[i].path) < 0) {
            source->url[i] = NULL;
            whole = false;
        }
    if (!whole ||
        http_login_copy(place->user, place->password, place->ca_file, &source->login) < 0) {
        region_source_close(source);
        return -ENOMEM;
    }
    source->http = http;
    *ret = source;
    return 0;
}

struct region_source *region_source_close(struct region_source *source)
{
    if (!source)
        return NULL;
    http_cancel(source->request);
    region_answer_done(&source->answer);
    for (size_t i = 0; i < DOCUMENTS; i++)
        free(source->url[i]);
    http_login_done(&source->login);
    free(source);
    return NULL;
}

/* What kept a document from being read; the first reason stands for the poll. */
static void take_reason(struct region_source *source, enum poll_result result, int http_status,
                        const char *detail)
{
    struct region_answer *answer = &source->answer;

    if (result == POLL_OK || answer->path[0])
        return;
    answer->result = result;
    answer->http_status = http_status;
    answer->path = documents[source->at].path;
    snprintf(answer->detail, sizeof(answer->detail), "%s", detail);
}

static void take_part(struct region_source *source, const struct http_answer *got,
                      struct region_answer *part)
{
    struct region_answer *answer = &source->answer;

    if (source->at == 0) {
        answer->ready = part->ready;
        answer->age_ms = got->age_ms;
    }
    if (part->seeds) {
        answer->seeds = part->seeds;
        answer->n_seeds = part->n_seeds;
    }
    if (part->dcs) {
        answer->dcs = part->dcs;
        answer->n_dcs = part->n_dcs;
    }
}

/* A readiness of which nobody says how old it is cannot be relied upon. */
static void take_document(struct region_source *source, const struct http_answer *got)
{
    struct region_answer part = {0};
    enum poll_result result = POLL_OK;

    if (source->at == 0 && got->age_ms < 0)
        result = poll_fail(POLL_BAD_SHAPE, part.detail, "no X-Prober-Age-Ms");
    else
        result = documents[source->at].read(got->body ? got->body : "", got->len, &part);
    if (result == POLL_OK)
        take_part(source, got, &part);
    else
        take_reason(source, result, got->status, part.detail);
}

static void finish(struct region_source *source)
{
    struct region_answer answer = source->answer;

    source->answer = (struct region_answer){0};
    source->done(&answer, source->userdata);
    region_answer_done(&answer);
}

static int ask(struct region_source *source);

static void on_answer(const struct http_answer *got, void *userdata)
{
    struct region_source *source = userdata;

    source->request = NULL;
    if (got->result == POLL_OK)
        take_document(source, got);
    else
        take_reason(source, got->result, got->status, got->detail);
    /* Who cannot be reached, or refuses the login, is not asked the rest. */
    if (++source->at < DOCUMENTS && got->status != 0 && got->result != POLL_AUTH &&
        ask(source) == 0)
        return;
    finish(source);
}

static int ask(struct region_source *source)
{
    const struct http_ask get = {
        .url = source->url[source->at],
        .login = &source->login,
        .timeout_ms = source->timeout_ms / DOCUMENTS,
        .max_bytes = ANSWER_MAX,
    };

    return http_start(source->http, &get, on_answer, source, &source->request);
}

int region_source_start(struct region_source *source, int64_t timeout_ms, region_done done,
                        void *userdata)
{
    if (source->request)
        return 1;
    source->at = 0;
    source->timeout_ms = timeout_ms;
    source->done = done;
    source->userdata = userdata;
    source->answer = (struct region_answer){.result = POLL_OK, .path = ""};
    return ask(source);
}

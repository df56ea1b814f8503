#include "etcd_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* One member's time to answer: its part of what is left for all of them, within these bounds. */
#define TRY_LEAST_MS 300
#define TRY_MOST_MS  3000
#define LEAST_MS     50 /* less is no time to ask anybody */

/* Passwords are costly to check, and who tries too many looks like an attack. */
#define LOGIN_AGAIN_MS 10000

struct etcd_client {
    struct multi *multi;
    struct http *http;
    struct http_login login; /* of TLS: no basic authentication */
    char *user, *password;
    char **urls; /* "http://HOST:PORT" */
    size_t n_urls;
    size_t at;                  /* who is asked first */
    char token[ETCD_TOKEN_LEN]; /* "" = none yet */
    int64_t login_due_ms;       /* CLOCK_BOOTTIME: a login that was refused is not tried before */
};

struct etcd_call {
    struct etcd_client *client;
    char *path, *body;
    bool again;
    int64_t deadline_ms;
    etcd_done done;
    void *userdata;
    struct http_request *request;
    size_t member;   /* that is being asked */
    size_t asked;    /* members that could not be */
    bool logging_in; /* it is asked for a token first */
    bool logged_in;  /* a new one was fetched for this call */
    char *login_body;
    int64_t began_ms;
};

static int ask(struct etcd_call *call);

static int split_urls(struct etcd_client *client, const char *store)
{
    const char *scheme = store + strlen("etcd+");
    const char *at = strstr(store, "://") + 3;
    int n = (int)(at - scheme);

    while (at) {
        const char *end = strchrnul(at, ',');
        char **grown = reallocarray(client->urls, client->n_urls + 1, sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        client->urls = grown;
        if (asprintf(&grown[client->n_urls], "%.*s%.*s", n, scheme, (int)(end - at), at) < 0)
            return -ENOMEM;
        client->n_urls++;
        at = *end ? end + 1 : NULL;
    }
    return 0;
}

int etcd_client_new(sd_event *event, const struct conf *conf, struct etcd_client **ret)
{
    struct etcd_client *client = calloc(1, sizeof(*client));
    int r;

    if (!client)
        return -ENOMEM;
    client->user = strdup(conf->coordination.user);
    client->password = strdup(conf->coordination.password);
    r = client->user && client->password ? 0 : -ENOMEM;
    if (r >= 0)
        r = split_urls(client, conf->store);
    if (r >= 0)
        r = http_login_copy(NULL, NULL, conf->coordination.ca_file, &client->login);
    if (r >= 0)
        r = multi_new(event, &client->multi);
    if (r >= 0)
        r = http_new(client->multi, &client->http);
    if (r < 0) {
        etcd_client_free(client);
        return r;
    }
    /* So that all hosts do not ask the same member. */
    if (getrandom(&client->at, sizeof(client->at), GRND_NONBLOCK) != sizeof(client->at))
        client->at = 0;
    client->at %= client->n_urls;
    *ret = client;
    return 0;
}

int etcd_client_move(struct etcd_client *client, sd_event *event)
{
    int r;

    client->http = http_free(client->http);
    client->multi = multi_free(client->multi);
    r = multi_new(event, &client->multi);
    return r < 0 ? r : http_new(client->multi, &client->http);
}

static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

struct etcd_client *etcd_client_free(struct etcd_client *client)
{
    if (!client)
        return NULL;
    http_free(client->http);
    multi_free(client->multi);
    for (size_t i = 0; i < client->n_urls; i++)
        free(client->urls[i]);
    free(client->urls);
    free(client->user);
    wipe(client->password);
    explicit_bzero(client->token, sizeof(client->token));
    http_login_done(&client->login);
    free(client);
    return NULL;
}

static void call_free(struct etcd_call *call)
{
    http_cancel(call->request);
    free(call->path);
    free(call->body);
    wipe(call->login_body);
    free(call);
}

struct etcd_call *etcd_call_cancel(struct etcd_call *call)
{
    if (call)
        call_free(call);
    return NULL;
}

static void end(struct etcd_call *call, struct etcd_answer *answer)
{
    call->done(answer, call->userdata);
    call_free(call);
}

/* The member's address and what is wrong, as a person wants to read it. */
static void describe(const struct etcd_call *call, const struct http_answer *got, const char *why,
                     char detail[160])
{
    const char *url = call->client->urls[call->member];

    if (why[0])
        snprintf(detail, 160, "%.60s: %.90s", url, why);
    else if (got->status >= 300)
        snprintf(detail, 160, "%.60s: HTTP status %d", url, got->status);
    else
        snprintf(detail, 160, "%.60s: %s%s%.70s", url, poll_result_word(got->result),
                 got->detail[0] ? ": " : "", got->detail);
}

/* The request cannot have reached a member that would do it. */
static bool not_sent(const struct http_answer *got)
{
    switch (got->result) {
    case POLL_REFUSED:
    case POLL_UNREACHABLE:
    case POLL_TLS:
        return true;
    case POLL_TIMEOUT:
        return strcmp(got->detail, "resolving") == 0 || strcmp(got->detail, "connecting") == 0;
    default:
        return false;
    }
}

/* Whether the next member is being asked. */
static bool next_member(struct etcd_call *call)
{
    struct etcd_client *client = call->client;

    /* Others may have moved on already. */
    if (client->at == call->member)
        client->at = (client->at + 1) % client->n_urls;
    call->member = (call->member + 1) % client->n_urls;
    return ++call->asked < client->n_urls && ask(call) == 0;
}

static void on_failed(struct etcd_call *call, const struct http_answer *got, const char *why)
{
    bool sent = !not_sent(got) && !call->logging_in;
    struct etcd_answer answer = {.began_ms = call->began_ms};

    describe(call, got, why, answer.detail);
    answer.result = sent ? STORE_UNKNOWN : STORE_UNREACHABLE;
    if (sent && !call->again) {
        /* It may have been done: others may be asked by who comes next. */
        if (call->client->at == call->member)
            call->client->at = (call->member + 1) % call->client->n_urls;
        end(call, &answer);
    } else if (!next_member(call)) {
        end(call, &answer);
    }
}

/* A login that was refused for another reason than a token's age stays refused. */
static void on_refused(struct etcd_call *call, const struct http_answer *got, enum etcd_error error,
                       const char *why)
{
    struct etcd_client *client = call->client;
    struct etcd_answer answer = {.result = STORE_REFUSED, .error = error};

    if (error == ETCD_LOGIN && client->user[0] && !call->logged_in) {
        client->token[0] = '\0';
        if (ask(call) == 0)
            return;
    }
    if (call->logging_in)
        client->login_due_ms = store_now_ms() + LOGIN_AGAIN_MS;
    describe(call, got, why, answer.detail);
    end(call, &answer);
}

static void on_token(struct etcd_call *call, const struct http_answer *got)
{
    struct etcd_client *client = call->client;
    struct etcd_answer answer = {.result = STORE_REFUSED};

    call->logging_in = false;
    call->logged_in = true;
    if (etcd_read_token(got->body ? got->body : "", got->len, client->token) == 0) {
        if (ask(call) == 0)
            return;
        answer.result = STORE_UNREACHABLE;
    }
    describe(call, got, "no token in its answer", answer.detail);
    end(call, &answer);
}

/* etcd has given up waiting (408, 499: by its version): what was asked may still be done. */
static bool is_refusal(int status)
{
    return status >= 400 && status < 500 && status != 408 && status != 499;
}

static void on_answer(const struct http_answer *got, void *userdata)
{
    struct etcd_call *call = userdata;
    struct etcd_answer answer = {.result = STORE_OK, .began_ms = call->began_ms};
    enum etcd_error error = ETCD_OTHER;
    char why[ETCD_WHY_LEN] = "";

    call->request = NULL;
    if (got->status >= 300 && got->body)
        error = etcd_read_error(got->body, got->len, why);
    if (call->logging_in && error == ETCD_NO_AUTH) {
        /* etcd asks nobody who he is: so be it. */
        call->logging_in = false;
        call->logged_in = true;
        snprintf(call->client->token, sizeof(call->client->token), "none");
        if (ask(call) == 0)
            return;
        error = ETCD_OTHER;
    }
    if (is_refusal(got->status)) {
        on_refused(call, got, error, why);
    } else if (got->result != POLL_OK || got->not_modified) {
        on_failed(call, got, why);
    } else if (call->logging_in) {
        on_token(call, got);
    } else {
        answer.body = got->body ? got->body : "";
        answer.len = got->len;
        snprintf(answer.detail, sizeof(answer.detail), "%s", call->client->urls[call->member]);
        end(call, &answer);
    }
}

static int64_t time_to_answer(const struct etcd_call *call, int64_t left_ms)
{
    int64_t ms = left_ms / (int64_t)(call->client->n_urls - call->asked);

    ms = ms < TRY_LEAST_MS ? TRY_LEAST_MS : ms > TRY_MOST_MS ? TRY_MOST_MS : ms;
    return ms < left_ms ? ms : left_ms;
}

static int ask_for(struct etcd_call *call, const char *path, const char *body, bool once)
{
    struct etcd_client *client = call->client;
    int64_t left_ms = call->deadline_ms - store_now_ms();
    struct http_ask request = {
        .login = &client->login,
        .body = body,
        .token = strcmp(client->token, "none") != 0 && !call->logging_in ? client->token : NULL,
        .once = once,
        .keep_errors = true,
        .timeout_ms = time_to_answer(call, left_ms),
        .max_bytes = ETCD_ANSWER_MAX,
    };
    char *url;
    int r;

    if (left_ms < LEAST_MS)
        return -ETIMEDOUT;
    if (asprintf(&url, "%s%s", client->urls[call->member], path) < 0)
        return -ENOMEM;
    request.url = url;
    call->began_ms = store_now_ms();
    r = http_start(client->http, &request, on_answer, call, &call->request);
    free(url);
    return r;
}

static int ask(struct etcd_call *call)
{
    struct etcd_client *client = call->client;

    call->logging_in = client->user[0] && client->token[0] == '\0';
    if (!call->logging_in)
        return ask_for(call, call->path, call->body, !call->again);
    if (store_now_ms() < client->login_due_ms)
        return -EACCES;
    if (!call->login_body)
        call->login_body = etcd_authenticate(client->user, client->password);
    if (!call->login_body)
        return -ENOMEM;
    return ask_for(call, "/v3/auth/authenticate", call->login_body, false);
}

int etcd_call_start(struct etcd_client *client, const struct etcd_ask *what, etcd_done done,
                    void *userdata, struct etcd_call **ret)
{
    struct etcd_call *call = calloc(1, sizeof(*call));
    int r = -ENOMEM;

    if (!call || !what->body) {
        free(call);
        free(what->body);
        return -ENOMEM;
    }
    call->client = client;
    call->body = what->body;
    call->path = strdup(what->path);
    call->again = what->again;
    call->deadline_ms = what->deadline_ms;
    call->done = done;
    call->userdata = userdata;
    call->member = client->at;
    if (call->path)
        r = ask(call);
    if (r < 0) {
        call_free(call);
        return r;
    }
    *ret = call;
    return 0;
}

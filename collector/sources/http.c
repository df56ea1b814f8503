#include "http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POOL_SIZE      64 /* easy handles kept for the next request */
#define BODY_START     16384
#define HEADERS_MAX    (64 * 1024) /* of one answer */
#define RECEIVE_BUFFER 16384L

struct http {
    struct multi *multi;
    struct curl_slist *headers;
    size_t n_pool;
    CURL *pool[POOL_SIZE];
};

struct http_request {
    struct transfer transfer;
    struct http *http;
    http_done done;
    void *userdata;
    char *body;
    size_t len, room;
    size_t arrived; /* also what is not kept */
    size_t headers;
    size_t max_bytes;
    bool too_large;
};

int http_new(struct multi *multi, struct http **ret)
{
    struct http *http = calloc(1, sizeof(*http));
    struct curl_slist *more;

    if (!http)
        return -ENOMEM;
    http->multi = multi;
    http->headers = curl_slist_append(NULL, "Content-Type: application/json");
    /* Never wait for a "100 Continue". */
    more = http->headers ? curl_slist_append(http->headers, "Expect:") : NULL;
    if (!more) {
        http_free(http);
        return -ENOMEM;
    }
    *ret = http;
    return 0;
}

struct http *http_free(struct http *http)
{
    if (!http)
        return NULL;
    while (http->n_pool > 0)
        curl_easy_cleanup(http->pool[--http->n_pool]);
    curl_slist_free_all(http->headers);
    free(http);
    return NULL;
}

static bool body_reserve(struct http_request *request, size_t wanted)
{
    struct http *http = request->http;
    size_t room = request->room ? request->room : BODY_START;
    char *bigger;

    if (wanted <= request->room)
        return true;
    while (room < wanted)
        room *= 2;
    if (!multi_reserve(http->multi, room - request->room))
        return false;
    bigger = realloc(request->body, room);
    if (!bigger) {
        multi_release(http->multi, room - request->room);
        return false;
    }
    request->body = bigger;
    request->room = room;
    return true;
}

static size_t on_body(char *data, size_t size, size_t n, void *userdata)
{
    struct http_request *request = userdata;
    size_t len = size * n;
    long status = 0;

    request->arrived += len;
    if (request->arrived > request->max_bytes) {
        request->too_large = true;
        return 0;
    }
    curl_easy_getinfo(request->transfer.easy, CURLINFO_RESPONSE_CODE, &status);
    /* The body of an error page is read, so that the connection stays, but not kept. */
    if (status != 200)
        return len;
    if (!body_reserve(request, request->len + len)) {
        request->too_large = true;
        return 0;
    }
    memcpy(request->body + request->len, data, len);
    request->len += len;
    return len;
}

static size_t on_header(char *data, size_t size, size_t n, void *userdata)
{
    struct http_request *request = userdata;

    (void)data;
    request->headers += size * n;
    if (request->headers > HEADERS_MAX) {
        request->too_large = true;
        return 0;
    }
    return size * n;
}

static enum poll_result status_result(int status)
{
    if (status == 200)
        return POLL_OK;
    if (status == 401 || status == 403)
        return POLL_AUTH;
    return status >= 300 && status < 400 ? POLL_REDIRECT : POLL_HTTP;
}

static void request_free(struct http_request *request)
{
    struct http *http = request->http;

    if (request->transfer.easy && http->n_pool < POOL_SIZE)
        http->pool[http->n_pool++] = request->transfer.easy;
    else
        curl_easy_cleanup(request->transfer.easy);
    multi_release(http->multi, request->room);
    free(request->body);
    free(request);
}

static void on_done(struct transfer *transfer, CURLcode code)
{
    struct http_request *request = (struct http_request *)transfer;
    struct http_answer answer = {.bytes = request->arrived};
    long status = 0;

    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    answer.status = (int)status;
    answer.result = multi_result(transfer->easy, code, answer.detail);
    if (request->too_large) {
        answer.result = POLL_TOO_LARGE;
        snprintf(answer.detail, sizeof(answer.detail), "%s",
                 request->headers > HEADERS_MAX          ? "headers"
                 : request->arrived > request->max_bytes ? ""
                                                         : "too many answers at once");
    }
    /* A status other than 200 says why, however its body ended. */
    if (status >= 300 || (code == CURLE_OK && !request->too_large)) {
        answer.result = status_result((int)status);
        answer.detail[0] = '\0';
    }
    if (answer.result == POLL_OK) {
        answer.body = request->body;
        answer.len = request->len;
    }
    request->done(&answer, request->userdata);
    request_free(request);
}

static CURL *easy_get(struct http *http)
{
    CURL *easy;

    if (http->n_pool > 0)
        return http->pool[--http->n_pool];
    easy = multi_easy();
    if (!easy)
        return NULL;
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, http->headers);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BUFFER);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    return easy;
}

static int easy_prepare(CURL *easy, const struct http_post *post, struct http_request *request)
{
    bool credentials = post->user && post->user[0];

    /* The size first: it says how much of the body is copied. */
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(post->body));
    if (curl_easy_setopt(easy, CURLOPT_URL, post->url) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, post->body) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_USERNAME, credentials ? post->user : NULL) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_PASSWORD, credentials ? post->password : NULL) != CURLE_OK ||
        (post->ca_file[0] && curl_easy_setopt(easy, CURLOPT_CAINFO, post->ca_file) != CURLE_OK))
        return -ENOMEM;
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)post->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)post->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
    return 0;
}

int http_start(struct http *http, const struct http_post *post, http_done done, void *userdata,
               struct http_request **ret)
{
    struct http_request *request = calloc(1, sizeof(*request));
    int r = -ENOMEM;

    if (!request)
        return -ENOMEM;
    request->http = http;
    request->done = done;
    request->userdata = userdata;
    request->max_bytes = post->max_bytes;
    request->transfer.done = on_done;
    request->transfer.easy = easy_get(http);
    if (request->transfer.easy)
        r = easy_prepare(request->transfer.easy, post, request);
    if (r >= 0)
        r = multi_start(http->multi, &request->transfer);
    if (r < 0) {
        request_free(request);
        return r;
    }
    *ret = request;
    return 0;
}

struct http_request *http_cancel(struct http_request *request)
{
    if (!request)
        return NULL;
    multi_cancel(request->http->multi, &request->transfer);
    request_free(request);
    return NULL;
}

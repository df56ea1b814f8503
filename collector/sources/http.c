#include "http.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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
    size_t header_bytes;
    struct curl_slist *own_headers; /* If-None-Match, or Authorization; NULL = the common ones */
    char etag[ETAG_LEN];
    int64_t age_ms;
    size_t max_bytes;
    bool too_large;
    bool keep_errors;
    bool conditional; /* by If-None-Match */
    bool own_ca;      /* the handle cannot be told to take the system's list again */
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

int http_login_copy(const char *user, const char *password, const char *ca_file,
                    struct http_login *ret)
{
    ret->user = strdup(user ? user : "");
    ret->password = strdup(password ? password : "");
    ret->ca_file = strdup(ca_file ? ca_file : "");
    if (ret->user && ret->password && ret->ca_file)
        return 0;
    http_login_done(ret);
    return -ENOMEM;
}

void http_login_done(struct http_login *login)
{
    free(login->user);
    if (login->password)
        explicit_bzero(login->password, strlen(login->password));
    free(login->password);
    free(login->ca_file);
    *login = (struct http_login){0};
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
    if (status != 200 && !request->keep_errors)
        return len;
    if (!body_reserve(request, request->len + len)) {
        request->too_large = true;
        return 0;
    }
    memcpy(request->body + request->len, data, len);
    request->len += len;
    return len;
}

/* The value of the header `name`, without the blanks around it; NULL when it is another one. */
static const char *header_value(const char *line, size_t len, const char *name, size_t *ret_len)
{
    size_t at = strlen(name);

    if (len <= at || strncasecmp(line, name, at) != 0 || line[at] != ':')
        return NULL;
    at++;
    while (at < len && (line[at] == ' ' || line[at] == '\t'))
        at++;
    while (len > at && (unsigned char)line[len - 1] <= ' ')
        len--;
    *ret_len = len - at;
    return line + at;
}

static void take_header(struct http_request *request, const char *line, size_t len)
{
    char digits[16] = "";
    const char *value;
    size_t n;

    if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        request->etag[0] = '\0';
        request->age_ms = -1;
    }
    value = header_value(line, len, "ETag", &n);
    if (value && n < ETAG_LEN) {
        memcpy(request->etag, value, n);
        request->etag[n] = '\0';
    }
    value = header_value(line, len, "X-Prober-Age-Ms", &n);
    /* Not a number, or one without end: none. */
    if (value && n > 0 && n < sizeof(digits)) {
        memcpy(digits, value, n);
        if (strspn(digits, "0123456789") == n)
            request->age_ms = strtoll(digits, NULL, 10);
    }
}

static size_t on_header(char *data, size_t size, size_t n, void *userdata)
{
    struct http_request *request = userdata;

    request->header_bytes += size * n;
    if (request->header_bytes > HEADERS_MAX) {
        request->too_large = true;
        return 0;
    }
    take_header(request, data, size * n);
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

    if (request->transfer.easy && !request->own_ca && http->n_pool < POOL_SIZE)
        http->pool[http->n_pool++] = request->transfer.easy;
    else
        curl_easy_cleanup(request->transfer.easy);
    curl_slist_free_all(request->own_headers);
    multi_release(http->multi, request->room);
    free(request->body);
    free(request);
}

static void on_done(struct transfer *transfer, CURLcode code)
{
    struct http_request *request = (struct http_request *)transfer;
    struct http_answer answer = {
        .bytes = request->arrived, .etag = request->etag, .age_ms = request->age_ms};
    long status = 0;

    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    answer.status = (int)status;
    answer.result = multi_result(transfer->easy, code, answer.detail);
    if (request->too_large) {
        answer.result = POLL_TOO_LARGE;
        snprintf(answer.detail, sizeof(answer.detail), "%s",
                 request->header_bytes > HEADERS_MAX     ? "headers"
                 : request->arrived > request->max_bytes ? ""
                                                         : "too many answers at once");
    }
    /* A status other than 200 says why, however its body ended. */
    if (status >= 300 || (code == CURLE_OK && !request->too_large)) {
        answer.not_modified = status == 304 && request->conditional;
        answer.result = answer.not_modified ? POLL_OK : status_result((int)status);
        answer.detail[0] = '\0';
    }
    if (answer.result == POLL_OK || (request->keep_errors && code == CURLE_OK)) {
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
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BUFFER);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    return easy;
}

/* The headers of this request alone; the others take the common ones. */
static int set_headers(CURL *easy, const struct http_ask *ask, struct http_request *request)
{
    struct curl_slist *headers = ask->body ? request->http->headers : NULL, *more;
    char line[ETAG_LEN + 20], *token;

    if (!ask->body && ask->etag && ask->etag[0]) {
        snprintf(line, sizeof(line), "If-None-Match: %s", ask->etag);
        request->conditional = true;
        headers = request->own_headers = curl_slist_append(NULL, line);
        if (!headers)
            return -ENOMEM;
    }
    if (ask->token && ask->token[0]) {
        if (asprintf(&token, "Authorization: %s", ask->token) < 0)
            return -ENOMEM;
        request->own_headers = curl_slist_append(request->own_headers, token);
        free(token);
        more = request->own_headers;
        for (struct curl_slist *common = headers; more && common && headers != request->own_headers;
             common = common->next)
            more = curl_slist_append(request->own_headers, common->data);
        if (!more)
            return -ENOMEM;
        headers = request->own_headers;
    }
    return curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers) == CURLE_OK ? 0 : -ENOMEM;
}

/* What distinguishes a POST from a GET: the handle may have been the other before. */
static int easy_set_method(CURL *easy, const struct http_ask *ask, struct http_request *request)
{
    if (set_headers(easy, ask, request) < 0)
        return -ENOMEM;
    if (ask->body) {
        /* The size first: it says how much of the body is copied. */
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(ask->body));
        return curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, ask->body) == CURLE_OK ? 0 : -ENOMEM;
    }
    curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    return 0;
}

static int easy_prepare(CURL *easy, const struct http_ask *ask, struct http_request *request)
{
    bool credentials = ask->login->user[0];

    request->own_ca = ask->login->ca_file[0] != '\0';
    if (easy_set_method(easy, ask, request) < 0 ||
        curl_easy_setopt(easy, CURLOPT_URL, ask->url) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_USERNAME, credentials ? ask->login->user : NULL) !=
            CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_PASSWORD, credentials ? ask->login->password : NULL) !=
            CURLE_OK ||
        (request->own_ca &&
         curl_easy_setopt(easy, CURLOPT_CAINFO, ask->login->ca_file) != CURLE_OK))
        return -ENOMEM;
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, ask->once ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)ask->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)ask->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
    return 0;
}

int http_start(struct http *http, const struct http_ask *ask, http_done done, void *userdata,
               struct http_request **ret)
{
    struct http_request *request = calloc(1, sizeof(*request));
    int r = -ENOMEM;

    if (!request)
        return -ENOMEM;
    request->http = http;
    request->done = done;
    request->userdata = userdata;
    request->max_bytes = ask->max_bytes;
    request->keep_errors = ask->keep_errors;
    request->age_ms = -1;
    request->transfer.done = on_done;
    request->transfer.easy = easy_get(http);
    if (request->transfer.easy)
        r = easy_prepare(request->transfer.easy, ask, request);
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

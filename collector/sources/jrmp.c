#include "jrmp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define DATA_START 4096

struct jrmp {
    struct transfer transfer;
    struct multi *multi;
    struct jrmp_handlers handlers;
    uint16_t port;
    bool tls;
    sd_event_source *io; /* NULL = not connected */
    bool broken;         /* sending failed */
    bool greeted;        /* the server's half of the handshake has come */
    uint8_t *data;
    size_t len, room, max;
    size_t out_at, out_len;
    uint8_t out[JMX_REQUEST_LEN + 64]; /* the handshake goes with the first request */
};

static bool flush(struct jrmp *jrmp)
{
    size_t n = 0;
    CURLcode code = CURLE_OK;

    while (code == CURLE_OK && jrmp->out_at < jrmp->out_len) {
        code = curl_easy_send(jrmp->transfer.easy, jrmp->out + jrmp->out_at,
                              jrmp->out_len - jrmp->out_at, &n);
        jrmp->out_at += code == CURLE_OK ? n : 0;
    }
    if (jrmp->out_at == jrmp->out_len) {
        /* There may have been a password in it. */
        explicit_bzero(jrmp->out, jrmp->out_len);
        jrmp->out_at = jrmp->out_len = 0;
    }
    return code == CURLE_OK || code == CURLE_AGAIN;
}

/* Sends what can be sent, and watches for what is to come. */
static void push(struct jrmp *jrmp)
{
    /* That it is broken is said from on_io(), never from inside of what the owner called. */
    jrmp->broken = jrmp->broken || !flush(jrmp);
    sd_event_source_set_io_events(jrmp->io,
                                  jrmp->broken || jrmp->out_len > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static bool reserve(struct jrmp *jrmp)
{
    size_t room = jrmp->room ? jrmp->room * 2 : DATA_START;
    uint8_t *bigger;

    if (jrmp->len < jrmp->room)
        return true;
    if (!multi_reserve(jrmp->multi, room - jrmp->room))
        return false;
    bigger = realloc(jrmp->data, room);
    if (!bigger) {
        multi_release(jrmp->multi, room - jrmp->room);
        return false;
    }
    jrmp->data = bigger;
    jrmp->room = room;
    return true;
}

static void forget(struct jrmp *jrmp, size_t n)
{
    jrmp->len -= n;
    if (jrmp->len > 0) {
        memmove(jrmp->data, jrmp->data + n, jrmp->len);
        return;
    }
    multi_release(jrmp->multi, jrmp->room);
    free(jrmp->data);
    jrmp->data = NULL;
    jrmp->room = 0;
}

static void end(struct jrmp *jrmp, enum poll_result result, const char *detail)
{
    if (jrmp->io)
        sd_event_source_set_enabled(jrmp->io, SD_EVENT_OFF);
    jrmp->handlers.ended(result, detail, jrmp->handlers.userdata);
}

/* Takes all that is there. False: the connection has ended, which was said. */
static bool receive(struct jrmp *jrmp)
{
    size_t before = jrmp->len, n = 1;
    CURLcode code = CURLE_OK;

    while (n > 0) {
        if (jrmp->len > jrmp->max) {
            end(jrmp, POLL_TOO_LARGE, "");
            return false;
        }
        if (!reserve(jrmp)) {
            end(jrmp, POLL_TOO_LARGE, "too many answers at once");
            return false;
        }
        n = 0;
        code =
            curl_easy_recv(jrmp->transfer.easy, jrmp->data + jrmp->len, jrmp->room - jrmp->len, &n);
        if (code != CURLE_OK)
            n = 0;
        jrmp->len += n;
    }
    if (jrmp->len == before)
        forget(jrmp, 0);
    /* What came before the end is read first; the end stays to be seen. */
    if (code == CURLE_AGAIN || jrmp->len > before)
        return true;
    end(jrmp, POLL_RESET, "connection closed");
    return false;
}

/* False: not a server of this kind, which was said; or there is nothing for the owner yet. */
static bool greet(struct jrmp *jrmp)
{
    char detail[DETAIL_LEN];
    size_t len;
    enum java_status status;

    if (jrmp->greeted)
        return true;
    status = jmx_read_handshake(jrmp->data, jrmp->len, &len, detail);
    if (status == JAVA_MORE)
        return false;
    if (status != JAVA_OK) {
        end(jrmp, jmx_is_tls_alert(jrmp->data, jrmp->len) ? POLL_TLS : POLL_BAD_STREAM, detail);
        return false;
    }
    jrmp->greeted = true;
    forget(jrmp, len);
    return jrmp->len > 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct jrmp *jrmp = userdata;
    size_t before = jrmp->len;

    (void)source;
    (void)fd;
    if (revents & EPOLLOUT)
        push(jrmp);
    if (!receive(jrmp))
        return 0;
    if (jrmp->len > before) {
        if (greet(jrmp))
            jrmp->handlers.input(jrmp->handlers.userdata);
    } else if (jrmp->broken) {
        end(jrmp, POLL_RESET, "connection closed");
    }
    return 0;
}

static void on_done(struct transfer *transfer, CURLcode code)
{
    struct jrmp *jrmp = (struct jrmp *)transfer;
    char detail[DETAIL_LEN];
    curl_socket_t fd = CURL_SOCKET_BAD;
    enum poll_result result = multi_result(transfer->easy, code, detail);

    if (result == POLL_OK)
        curl_easy_getinfo(transfer->easy, CURLINFO_ACTIVESOCKET, &fd);
    if (result == POLL_OK &&
        (fd == CURL_SOCKET_BAD ||
         sd_event_add_io(multi_event(jrmp->multi), &jrmp->io, fd, EPOLLIN, on_io, jrmp) < 0)) {
        result = POLL_UNREACHABLE;
        snprintf(detail, sizeof(detail), "cannot watch the connection");
    }
    if (result == POLL_OK)
        push(
            jrmp); /* at once: libcurl closes a connection that nobody has used yet when it likes */
    else
        end(jrmp, result, detail);
}

static CURL *connection_easy(const struct jrmp_place *place)
{
    CURL *easy = multi_easy();
    char url[512];
    int n = snprintf(url, sizeof(url), "http%s://%s:%u", place->tls ? "s" : "", place->host,
                     place->port);

    if (!easy || n >= (int)sizeof(url) || curl_easy_setopt(easy, CURLOPT_URL, url) != CURLE_OK ||
        (place->ca_file[0] && curl_easy_setopt(easy, CURLOPT_CAINFO, place->ca_file) != CURLE_OK)) {
        curl_easy_cleanup(easy);
        return NULL;
    }
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_ENABLE_ALPN, 0L);
    return easy;
}

int jrmp_open(struct multi *multi, const struct jrmp_place *place,
              const struct jrmp_handlers *handlers, struct jrmp **ret)
{
    struct jrmp *jrmp = calloc(1, sizeof(*jrmp));
    struct jmx_request handshake = {0};
    int r = -ENOMEM;

    if (!jrmp)
        return -ENOMEM;
    jrmp->multi = multi;
    jrmp->handlers = *handlers;
    jrmp->port = place->port;
    jrmp->tls = place->tls;
    jrmp->max = DATA_START;
    jmx_put_handshake(&handshake);
    memcpy(jrmp->out, handshake.bytes, handshake.len);
    jrmp->out_len = handshake.len;
    jrmp->transfer.connection = true;
    jrmp->transfer.done = on_done;
    jrmp->transfer.easy = connection_easy(place);
    if (jrmp->transfer.easy)
        r = multi_start(multi, &jrmp->transfer);
    if (r < 0) {
        curl_easy_cleanup(jrmp->transfer.easy);
        free(jrmp);
        return r;
    }
    *ret = jrmp;
    return 0;
}

struct jrmp *jrmp_close(struct jrmp *jrmp)
{
    if (!jrmp)
        return NULL;
    /* Before the socket that it watches is closed. */
    sd_event_source_disable_unref(jrmp->io);
    multi_cancel(jrmp->multi, &jrmp->transfer);
    curl_easy_cleanup(jrmp->transfer.easy);
    multi_release(jrmp->multi, jrmp->room);
    free(jrmp->data);
    explicit_bzero(jrmp->out, jrmp->out_len);
    free(jrmp);
    return NULL;
}

int jrmp_send(struct jrmp *jrmp, const struct jmx_request *request)
{
    if (request->too_long || request->len > sizeof(jrmp->out) - jrmp->out_len)
        return -ENOBUFS;
    memcpy(jrmp->out + jrmp->out_len, request->bytes, request->len);
    jrmp->out_len += request->len;
    if (jrmp->io)
        push(jrmp);
    return 0;
}

void jrmp_limit(struct jrmp *jrmp, size_t max_bytes)
{
    jrmp->max = max_bytes;
}

const uint8_t *jrmp_data(const struct jrmp *jrmp, size_t *ret_len)
{
    *ret_len = jrmp->len;
    return jrmp->data;
}

void jrmp_drop(struct jrmp *jrmp)
{
    forget(jrmp, jrmp->len);
}

uint8_t *jrmp_take(struct jrmp *jrmp, size_t *ret_reserved)
{
    uint8_t *data = jrmp->data;

    *ret_reserved = jrmp->room;
    jrmp->data = NULL;
    jrmp->len = jrmp->room = 0;
    return data;
}

bool jrmp_is_to(const struct jrmp *jrmp, uint16_t port, bool tls)
{
    return jrmp && jrmp->port == port && jrmp->tls == tls;
}

const char *jrmp_stage(const struct jrmp *jrmp)
{
    curl_off_t resolved = 0;

    if (jrmp && jrmp->io)
        return jrmp->len > 0 ? "answer incomplete" : "no answer";
    if (jrmp)
        curl_easy_getinfo(jrmp->transfer.easy, CURLINFO_NAMELOOKUP_TIME_T, &resolved);
    return resolved > 0 ? "connecting" : "resolving";
}

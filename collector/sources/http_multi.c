#include "http_multi.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

struct multi {
    sd_event *event;
    sd_event_source *timer;
    CURLM *curl;
    size_t reserved; /* of HTTP_BUDGET */
};

/* Calls `done` of everything that ended. A callback may start and cancel transfers. */
static void collect(struct multi *multi)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(multi->curl, &left))) {
        struct transfer *transfer = NULL;
        CURLcode code = message->data.result;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        if (!transfer->connection)
            curl_multi_remove_handle(multi->curl, transfer->easy);
        transfer->done(transfer, code);
    }
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct multi *multi = userdata;
    int mask = 0;
    int running;

    (void)source;
    if (revents & (EPOLLIN | EPOLLHUP))
        mask |= CURL_CSELECT_IN;
    if (revents & EPOLLOUT)
        mask |= CURL_CSELECT_OUT;
    if (revents & EPOLLERR)
        mask |= CURL_CSELECT_ERR;
    curl_multi_socket_action(multi->curl, fd, mask, &running);
    collect(multi);
    return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct multi *multi = userdata;
    int running;

    (void)source;
    (void)usec;
    curl_multi_socket_action(multi->curl, CURL_SOCKET_TIMEOUT, 0, &running);
    collect(multi);
    return 0;
}

static int set_timer(CURLM *curl, long timeout_ms, void *userdata)
{
    struct multi *multi = userdata;
    uint64_t now;

    (void)curl;
    if (timeout_ms < 0) {
        sd_event_source_set_enabled(multi->timer, SD_EVENT_OFF);
        return 0;
    }
    sd_event_now(multi->event, CLOCK_BOOTTIME, &now);
    sd_event_source_set_time(multi->timer, timeout_ms > 0 ? now + (uint64_t)timeout_ms * 1000 : 0);
    sd_event_source_set_enabled(multi->timer, SD_EVENT_ONESHOT);
    return 0;
}

/*
 * libcurl tells which sockets to watch. Failing to watch one is not reported to it, as that would
 * end all transfers: the one concerned runs into its deadline.
 */
static int set_socket(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socket_data)
{
    struct multi *multi = userdata;
    sd_event_source *source = socket_data;
    uint32_t events = 0;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        sd_event_source_unref(source);
        curl_multi_assign(multi->curl, fd, NULL);
        return 0;
    }
    if (what & CURL_POLL_IN) {
        /* Waiting for an answer: a server that writes it in pieces must not wait for our delayed
         * ACK. */
        setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &(int){1}, sizeof(int));
        events |= EPOLLIN;
    }
    if (what & CURL_POLL_OUT)
        events |= EPOLLOUT;
    if (source) {
        sd_event_source_set_io_events(source, events);
    } else if (sd_event_add_io(multi->event, &source, fd, events, on_io, multi) >= 0) {
        curl_multi_assign(multi->curl, fd, source);
    }
    return 0;
}

int multi_new(sd_event *event, struct multi **ret)
{
    struct multi *multi = calloc(1, sizeof(*multi));
    int r;

    if (!multi)
        return -ENOMEM;
    multi->event = sd_event_ref(event);
    /* libcurl counts these; each multi_free() gives one back. */
    curl_global_init(CURL_GLOBAL_DEFAULT);
    r = sd_event_add_time(event, &multi->timer, CLOCK_BOOTTIME, 0, 1000, on_timer, multi);
    if (r >= 0)
        sd_event_source_set_enabled(multi->timer, SD_EVENT_OFF);
    multi->curl = curl_multi_init();
    if (r < 0 || !multi->curl) {
        multi_free(multi);
        return r < 0 ? r : -ENOMEM;
    }
    curl_multi_setopt(multi->curl, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(multi->curl, CURLMOPT_TIMERDATA, multi);
    curl_multi_setopt(multi->curl, CURLMOPT_SOCKETFUNCTION, set_socket);
    curl_multi_setopt(multi->curl, CURLMOPT_SOCKETDATA, multi);
    curl_multi_setopt(multi->curl, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    *ret = multi;
    return 0;
}

struct multi *multi_free(struct multi *multi)
{
    if (!multi)
        return NULL;
    if (multi->curl)
        curl_multi_cleanup(multi->curl);
    curl_global_cleanup();
    sd_event_source_unref(multi->timer);
    sd_event_unref(multi->event);
    free(multi);
    return NULL;
}

sd_event *multi_event(struct multi *multi)
{
    return multi->event;
}

bool multi_reserve(struct multi *multi, size_t bytes)
{
    if (bytes > HTTP_BUDGET - multi->reserved)
        return false;
    multi->reserved += bytes;
    return true;
}

void multi_release(struct multi *multi, size_t bytes)
{
    multi->reserved -= bytes;
}

void multi_keep(struct multi *multi, size_t n_connections)
{
    curl_multi_setopt(multi->curl, CURLMOPT_MAXCONNECTS, (long)n_connections);
}

CURL *multi_easy(void)
{
    CURL *easy = curl_easy_init();

    if (!easy)
        return NULL;
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A name that does not resolve in time is left behind; waiting for its thread would stop every
     * poll. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
    /* Addresses need no cache, and libcurl would look through all of it at every transfer. */
    curl_easy_setopt(easy, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    return easy;
}

int multi_start(struct multi *multi, struct transfer *transfer)
{
    curl_easy_setopt(transfer->easy, CURLOPT_PRIVATE, transfer);
    return curl_multi_add_handle(multi->curl, transfer->easy) == CURLM_OK ? 0 : -ENOMEM;
}

void multi_cancel(struct multi *multi, struct transfer *transfer)
{
    curl_multi_remove_handle(multi->curl, transfer->easy);
}

static enum poll_result connect_result(CURL *easy, char detail[DETAIL_LEN])
{
    long error = 0;

    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &error);
    if (error == ECONNREFUSED)
        return POLL_REFUSED;
    if (error == ETIMEDOUT)
        return POLL_TIMEOUT;
    if (error == ECONNRESET || error == EPIPE) {
        /* It was there, if only for a moment. */
        snprintf(detail, DETAIL_LEN, "connection closed");
        return POLL_RESET;
    }
    snprintf(detail, DETAIL_LEN, "%s", error ? strerror((int)error) : "cannot connect");
    return POLL_UNREACHABLE;
}

/* How far it got before the deadline. */
static enum poll_result timeout_result(CURL *easy, char detail[DETAIL_LEN])
{
    curl_off_t resolved = 0, connected = 0, sending = 0, first_byte = 0;
    const char *stage;

    curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &resolved);
    curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connected);
    curl_easy_getinfo(easy, CURLINFO_STARTTRANSFER_TIME_T, &first_byte);
    /* A connection that was kept has not been made, but is there. */
    curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &sending);
    if (connected == 0)
        connected = sending;
    stage = resolved == 0     ? "resolving"
            : connected == 0  ? "connecting"
            : first_byte == 0 ? "no answer"
                              : "answer incomplete";
    snprintf(detail, DETAIL_LEN, "%s", stage);
    return POLL_TIMEOUT;
}

enum poll_result multi_result(CURL *easy, CURLcode code, char detail[DETAIL_LEN])
{
    detail[0] = '\0';
    switch (code) {
    case CURLE_OK:
        return POLL_OK;
    case CURLE_COULDNT_CONNECT:
        return connect_result(easy, detail);
    case CURLE_OPERATION_TIMEDOUT:
        return timeout_result(easy, detail);
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE:
        snprintf(detail, DETAIL_LEN, "%s",
                 code == CURLE_PARTIAL_FILE ? "answer cut short" : "connection closed");
        return POLL_RESET;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        snprintf(detail, DETAIL_LEN, "%s", curl_easy_strerror(code));
        return POLL_TLS;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING:
        snprintf(detail, DETAIL_LEN, "the answer is not HTTP/1");
        return POLL_HTTP;
    default:
        snprintf(detail, DETAIL_LEN, "%s", curl_easy_strerror(code));
        return POLL_UNREACHABLE;
    }
}

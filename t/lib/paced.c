/*
 * An HTTP/1.1 client that keeps a rate, and says how long answers took.
 *
 *   paced PORT METHOD TARGET COUNT [RATE [CONNECTIONS]]
 *
 * Sends COUNT requests to 127.0.0.1:PORT over CONNECTIONS (1) kept connections, RATE of them a
 * second (0: each as soon as a connection is free). A request's time counts from when it was due,
 * not from when it could be sent: a server that stalls does not hide the requests that waited
 * meanwhile. Answers need a Content-Length.
 *
 * Prints "COUNT requests, N statuses other than 200, p50 … p90 … p99 … p99.9 … max … us"; exit
 * status 0 when every request was answered.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64
#define ANSWER_MAX      (1 << 20)

struct connection {
    int fd;
    bool busy;
    int64_t due_ns;
    size_t len; /* of the answer so far */
    char *answer;
};

static struct connection connections[CONNECTIONS_MAX];
static struct pollfd polls[CONNECTIONS_MAX];
static int n_connections = 1;
static char request[1024];
static bool head;
static uint32_t *took_us;
static size_t answered, not_200;

static void fail(const char *what)
{
    fprintf(stderr, "paced: %s: %s\n", what, errno ? strerror(errno) : "closed");
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void open_connection(struct connection *connection, int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connection->answer = malloc(ANSWER_MAX + 1);
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (!connection->answer || connection->fd < 0 ||
        connect(connection->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        fail("connect");
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void send_request(struct connection *connection, int64_t due_ns)
{
    ssize_t len = (ssize_t)strlen(request);

    connection->due_ns = due_ns;
    connection->busy = true;
    connection->len = 0;
    if (send(connection->fd, request, (size_t)len, MSG_NOSIGNAL) != len)
        fail("send");
}

/* True when the answer is there whole. */
static bool complete(const struct connection *connection)
{
    const char *end = strstr(connection->answer, "\r\n\r\n"), *length;

    if (!end)
        return false;
    length = strcasestr(connection->answer, "\r\ncontent-length:");
    if (!length || length > end)
        fail("no Content-Length");
    return head || connection->len >=
                       (size_t)(end + 4 - connection->answer) + strtoul(length + 17, NULL, 10);
}

static void receive(struct connection *connection)
{
    ssize_t n =
        recv(connection->fd, connection->answer + connection->len, ANSWER_MAX - connection->len, 0);

    errno = n == 0 ? 0 : errno;
    if (n <= 0)
        fail("receive");
    connection->len += (size_t)n;
    connection->answer[connection->len] = '\0';
    if (!complete(connection))
        return;
    not_200 += strncmp(connection->answer, "HTTP/1.1 200 ", 13) != 0;
    took_us[answered++] = (uint32_t)((now_ns() - connection->due_ns) / 1000);
    connection->busy = false;
}

static struct connection *idle_connection(void)
{
    for (int i = 0; i < n_connections; i++)
        if (!connections[i].busy)
            return &connections[i];
    return NULL;
}

/* Until something arrives, or until `until_ns`. */
static void wait_for_answers(int64_t until_ns)
{
    int64_t left_ns = until_ns - now_ns();
    struct timespec wait = {.tv_sec = left_ns / 1000000000, .tv_nsec = left_ns % 1000000000};

    for (int i = 0; i < n_connections; i++)
        polls[i] = (struct pollfd){.fd = connections[i].fd, .events = POLLIN};
    if (left_ns < 0)
        wait = (struct timespec){0};
    if (ppoll(polls, (nfds_t)n_connections, &wait, NULL) < 0)
        fail("poll");
    for (int i = 0; i < n_connections; i++)
        if (polls[i].revents)
            receive(&connections[i]);
}

static void run(size_t count, double rate)
{
    int64_t began_ns = now_ns();
    size_t sent = 0;

    while (answered < count) {
        int64_t now = now_ns();
        int64_t due_ns = rate > 0 ? began_ns + (int64_t)((double)sent * 1e9 / rate) : now;
        struct connection *idle = sent < count && due_ns <= now ? idle_connection() : NULL;

        if (idle) {
            send_request(idle, due_ns);
            sent++;
        } else {
            wait_for_answers(sent < count && due_ns > now ? due_ns : now + 1000000000);
        }
    }
}

static int compare(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

    return a < b ? -1 : a > b;
}

static uint32_t quantile(size_t count, double q)
{
    return took_us[(size_t)(q * (double)(count - 1))];
}

int main(int argc, char **argv)
{
    size_t count = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;
    double rate = argc > 5 ? strtod(argv[5], NULL) : 0, seconds;
    int64_t began_ns;

    n_connections = argc > 6 ? atoi(argv[6]) : 1;
    if (count == 0 || n_connections < 1 || n_connections > CONNECTIONS_MAX) {
        fprintf(stderr, "usage: paced PORT METHOD TARGET COUNT [RATE [CONNECTIONS]]\n");
        return 2;
    }
    head = strcmp(argv[2], "HEAD") == 0;
    snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: localhost\r\n\r\n", argv[2],
             argv[3]);
    took_us = calloc(count, sizeof(*took_us));
    if (!took_us)
        fail("memory");
    for (int i = 0; i < n_connections; i++)
        open_connection(&connections[i], atoi(argv[1]));
    began_ns = now_ns();
    run(count, rate);
    seconds = (double)(now_ns() - began_ns) / 1e9;
    qsort(took_us, count, sizeof(*took_us), compare);
    printf("%zu requests in %.3f s, %zu statuses other than 200, ", count, seconds, not_200);
    printf("p50 %u p90 %u p99 %u p99.9 %u max %u us\n", quantile(count, 0.5), quantile(count, 0.9),
           quantile(count, 0.99), quantile(count, 0.999), quantile(count, 1));
    return 0;
}

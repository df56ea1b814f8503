/* What must not be sent twice is not: libcurl repeats a request that a kept connection has
 * swallowed, unless it is asked for `once`. And what etcd needs: a token, and what an error says.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "sources/http.h"

/* Answers the first request, then reads each one and closes its connection. */
#define CONNECTIONS 8

static struct {
    int listening;
    int port;
    unsigned requests; /* by the threads, under the lock; read after they have ended */
    unsigned answers;
    const char *answer;
    char first[2048];
    pthread_t thread, connections[CONNECTIONS];
    size_t n_connections;
} server;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* One request, as far as it is one; 0 = the connection was closed. */
static size_t read_request(int fd, char *buf, size_t size)
{
    size_t len = 0;

    while (len + 1 < size) {
        ssize_t n = read(fd, buf + len, size - 1 - len);

        if (n <= 0)
            return 0;
        len += (size_t)n;
        buf[len] = '\0';
        /* Bodies here are "{}". */
        if (strstr(buf, "\r\n\r\n{}"))
            return len;
    }
    return len;
}

static void *serve(void *userdata)
{
    int fd = (int)(intptr_t)userdata;
    char buf[2048];
    bool answers = true;

    while (answers && read_request(fd, buf, sizeof(buf)) > 0) {
        pthread_mutex_lock(&lock);
        if (server.requests++ == 0)
            strcpy(server.first, buf);
        answers = server.requests <= server.answers;
        pthread_mutex_unlock(&lock);
        if (answers && write(fd, server.answer, strlen(server.answer)) < 0)
            break;
    }
    close(fd);
    return NULL;
}

static void *run_server(void *unused)
{
    int fd;

    while (server.n_connections < CONNECTIONS && (fd = accept(server.listening, NULL, NULL)) >= 0)
        if (pthread_create(&server.connections[server.n_connections++], NULL, serve,
                           (void *)(intptr_t)fd) != 0)
            abort();
    return unused;
}

static void start_server(unsigned answers, const char *answer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    memset(&server, 0, sizeof(server));
    server.answers = answers;
    server.answer = answer;
    server.listening = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(server.listening, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(server.listening, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(listen(server.listening, 8), 0);
    server.port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server.thread, NULL, run_server, NULL), 0);
}

static void stop_server(void)
{
    shutdown(server.listening, SHUT_RDWR);
    pthread_join(server.thread, NULL);
    for (size_t i = 0; i < server.n_connections; i++)
        pthread_join(server.connections[i], NULL);
    close(server.listening);
}

struct client {
    sd_event *event;
    struct multi *multi;
    struct http *http;
    bool done;
    enum poll_result result;
    int status;
    char body[128];
};

static void on_done(const struct http_answer *answer, void *userdata)
{
    struct client *client = userdata;

    client->done = true;
    client->result = answer->result;
    client->status = answer->status;
    snprintf(client->body, sizeof(client->body), "%.*s", (int)answer->len,
             answer->body ? answer->body : "");
}

static void client_init(struct client *client)
{
    *client = (struct client){0};
    assert_int_equal(sd_event_new(&client->event), 0);
    assert_int_equal(multi_new(client->event, &client->multi), 0);
    assert_int_equal(http_new(client->multi, &client->http), 0);
}

static void client_done(struct client *client)
{
    http_free(client->http);
    multi_free(client->multi);
    sd_event_unref(client->event);
}

static void post(struct client *client, const struct http_ask *more)
{
    struct http_login login;
    struct http_request *request;
    struct http_ask ask = *more;
    char url[64];

    assert_int_equal(http_login_copy(NULL, NULL, NULL, &login), 0);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/x", server.port);
    ask.url = url;
    ask.login = &login;
    ask.body = "{}";
    ask.timeout_ms = 20000;
    ask.max_bytes = 1000;
    client->done = false;
    assert_int_equal(http_start(client->http, &ask, on_done, client, &request), 0);
    while (!client->done)
        assert_true(sd_event_run(client->event, UINT64_MAX) >= 0);
    http_login_done(&login);
}

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static void repeated(void **state)
{
    struct client client;

    (void)state;
    start_server(1, ANSWER);
    client_init(&client);
    post(&client, &(struct http_ask){0});
    assert_int_equal(client.result, POLL_OK);
    post(&client, &(struct http_ask){0});
    assert_int_equal(client.result, POLL_RESET);
    client_done(&client);
    stop_server();
    /* This is what it is about: two were asked for. */
    assert_int_equal(server.requests, 3);
}

static void once(void **state)
{
    struct client client;

    (void)state;
    start_server(1, ANSWER);
    client_init(&client);
    post(&client, &(struct http_ask){.once = true});
    assert_int_equal(client.result, POLL_OK);
    post(&client, &(struct http_ask){.once = true});
    assert_int_equal(client.result, POLL_RESET);
    client_done(&client);
    stop_server();
    assert_int_equal(server.requests, 2);
}

static void token(void **state)
{
    struct client client;

    (void)state;
    start_server(9, ANSWER);
    client_init(&client);
    post(&client, &(struct http_ask){.token = "abc.1"});
    assert_int_equal(client.result, POLL_OK);
    client_done(&client);
    stop_server();
    assert_non_null(strstr(server.first, "\r\nAuthorization: abc.1\r\n"));
    assert_non_null(strstr(server.first, "\r\nContent-Type: application/json\r\n"));
}

static void errors(void **state)
{
    struct client client;

    (void)state;
    start_server(9, "HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nwhy");
    client_init(&client);
    post(&client, &(struct http_ask){.keep_errors = true});
    assert_int_equal(client.result, POLL_HTTP);
    assert_int_equal(client.status, 400);
    assert_string_equal(client.body, "why");
    post(&client, &(struct http_ask){0});
    assert_int_equal(client.status, 400);
    assert_string_equal(client.body, "");
    client_done(&client);
    stop_server();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repeated),
        cmocka_unit_test(once),
        cmocka_unit_test(token),
        cmocka_unit_test(errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Servers for the poller's tests: a child process each that listens on a loopback port of its own
 * and, in a further process per connection, lets a `talk` function say what it likes. And a node
 * that answers as Cassandra's Jolokia does, by a script in memory shared with the test.
 */
#ifndef POLL_SERVER_H
#define POLL_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct server {
    pid_t pid;
    int fd; /* of a port that is only bound, or listened on without accepting */
    uint16_t port;
};

/* Has one connection; ends by returning. */
typedef void (*talk_fn)(int fd, const void *userdata);

/* What the scripted node says; the test changes it while it runs. */
struct script {
    atomic_uint requests, connections, details, both;
    atomic_uint authorized;           /* as u:secret */
    atomic_uint overlapping, running; /* requests at the same time */
    atomic_bool old;                  /* as 3.11: no attributes with ports */
    atomic_bool second_down;          /* sees 127.0.9.2 DOWN */
    atomic_bool two_writes;           /* head and body apart */
    atomic_bool detail_hangs;
    atomic_uint pause_ms;
    atomic_ushort native_port;
    atomic_uint host; /* last digit of the host id */
};

static inline void sleep_ms(unsigned ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static inline int bound_socket(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) < 0)
        abort();
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static inline void serve(int listener, talk_fn talk, const void *userdata)
{
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        int fd = accept(listener, NULL, NULL);

        if (fd >= 0 && fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            close(listener);
            talk(fd, userdata);
            close(fd);
            _exit(0);
        }
        close(fd);
    }
}

static inline struct server server_start(talk_fn talk, const void *userdata)
{
    struct server server = {.fd = -1};
    int listener = bound_socket(&server.port);

    if (listen(listener, 1024) < 0)
        abort();
    server.pid = fork();
    if (server.pid == 0) {
        setpgid(0, 0);
        serve(listener, talk, userdata);
    }
    setpgid(server.pid, server.pid);
    close(listener);
    return server;
}

/* Ends it and all its connections; its port refuses from then on. */
static inline void server_stop(struct server *server)
{
    if (server->pid > 0) {
        kill(-server->pid, SIGKILL);
        waitpid(server->pid, NULL, 0);
    }
    if (server->fd >= 0)
        close(server->fd);
    server->pid = 0;
    server->fd = -1;
}

static inline bool send_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static inline bool send_text(int fd, const char *text)
{
    return send_all(fd, text, strlen(text));
}

/* Reads one request, head and body, into buf; false at the end of the connection. */
static inline bool read_request(int fd, char *buf, size_t size)
{
    size_t len = 0;

    while (len < size - 1) {
        ssize_t n = recv(fd, buf + len, size - 1 - len, 0);
        char *body, *announced;

        if (n <= 0)
            return false;
        len += (size_t)n;
        buf[len] = '\0';
        body = strstr(buf, "\r\n\r\n");
        announced = strcasestr(buf, "Content-Length:");
        if (body && announced && strlen(body + 4) >= strtoul(announced + 15, NULL, 10))
            return true;
    }
    return false;
}

static inline size_t node_answer(const struct script *script, const char *attribute, char *to)
{
    static const char missing[] =
        "{\"error_type\":\"javax.management.AttributeNotFoundException\",\"status\":404}";
    const char *port =
        strstr(attribute, "WithPort") < strchr(attribute, '}') && strstr(attribute, "WithPort")
            ? ":7000"
            : "";
    const char *second = script->second_down ? "DOWN" : "UP";
    time_t now = time(NULL);

    if (port[0] && script->old)
        return (size_t)sprintf(to, "%s", missing);
    if (strncmp(attribute, "\"SimpleStates", 13) == 0)
        return (size_t)sprintf(to,
                               "{\"value\":{\"/127.0.9.1%s\":\"UP\",\"/"
                               "127.0.9.2%s\":\"%s\"},\"status\":200,\"timestamp\":%ld}",
                               port, port, second, (long)now);
    if (strncmp(attribute, "\"AllEndpointStates", 18) == 0)
        return (size_t)sprintf(
            to,
            "{\"value\":\"/127.0.9.1%s\\n  generation:1\\n  HOST_ID:1:host-%u\\n"
            "  NATIVE_ADDRESS_AND_PORT:1:127.0.0.1:%u\\n  STATUS_WITH_PORT:2:NORMAL,1\\n\","
            "\"status\":200,\"timestamp\":%ld}",
            port, script->host, script->native_port, (long)now);
    if (strncmp(attribute, "\"PhiValues", 10) == 0)
        return (size_t)sprintf(
            to, "{\"value\":{\"/127.0.9.2%s\":{\"PHI\":0.5}},\"status\":200,\"timestamp\":%ld}",
            port, (long)now);
    if (strncmp(attribute, "\"MaxHintWindow", 14) == 0)
        return (size_t)sprintf(to, "{\"value\":10800000,\"status\":200,\"timestamp\":%ld}",
                               (long)now);
    return (size_t)sprintf(
        to,
        "{\"value\":{\"OperationMode\":\"NORMAL\",\"NativeTransportRunning\":true,"
        "\"GossipRunning\":true,"
        "\"LocalHostId\":\"host-%u\",\"ClusterName\":\"c\",\"ReleaseVersion\":\"%s\"},"
        "\"status\":200,\"timestamp\":%ld}",
        script->host, script->old ? "3.11.19" : "5.0.4", (long)now);
}

/* A node like Cassandra's, following the script. */
static inline void talk_node(int fd, const void *userdata)
{
    struct script *script = (struct script *)userdata;
    char request[8192], body[8192], head[256];

    script->connections++;
    while (read_request(fd, request, sizeof(request))) {
        static const char label[] = "\"attribute\":";
        bool detail = strstr(request, "AllEndpointStates");
        size_t len = 0;

        script->requests++;
        script->details += detail;
        script->authorized += strstr(request, "Authorization: Basic dTpzZWNyZXQ=\r\n") != NULL;
        script->both +=
            strstr(request, "\"SimpleStates\"") && strstr(request, "\"SimpleStatesWithPort\"");
        if (++script->running > 1)
            script->overlapping++;
        if (script->pause_ms > 0)
            sleep_ms(script->pause_ms);
        while (detail && script->detail_hangs)
            sleep_ms(1);
        for (char *at = request; (at = strstr(at, label)); at++) {
            body[len] = len == 0 ? '[' : ',';
            len++;
            len += node_answer(script, at + sizeof(label) - 1, body + len);
        }
        body[len++] = ']';
        script->running--;
        sprintf(head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", len);
        if (!script->two_writes) {
            memmove(body + strlen(head), body, len);
            memcpy(body, head, strlen(head));
            if (!send_all(fd, body, len + strlen(head)))
                return;
        } else if (!send_text(fd, head) || !send_all(fd, body, len)) {
            return;
        }
    }
}

static inline struct script *script_new(void)
{
    struct script *script =
        mmap(NULL, sizeof(*script), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (script == MAP_FAILED)
        abort();
    return script;
}

static inline void script_free(struct script *script)
{
    munmap(script, sizeof(*script));
}

#endif

#include "agent.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../log.h"

struct client {
    struct agent *agent;
    struct client *next;
    int fd;
    sd_event_source *io, *timer;
    bool answered; /* what comes is read and thrown away: unread, it would take the answer along */
    size_t len;
    char asked[AGENT_ASK_MAX];
};

struct agent {
    sd_event *event;
    int fd;
    sd_event_source *io;
    bool asked;
    agent_answer answer;
    void *userdata;
    struct client *clients;
    size_t n_clients;
};

int agent_read_ask(const char *bytes, size_t len, struct prober_addr *ret)
{
    const char *end = memchr(bytes, '\n', len);
    size_t n;

    if (!end)
        return len < AGENT_ASK_MAX ? 0 : -EINVAL;
    n = (size_t)(end - bytes);
    if (n > 0 && bytes[n - 1] == '\r')
        n--;
    return prober_addr_parse(bytes, n, ret) < 0 ? -EINVAL : 1;
}

static void client_end(struct client *client)
{
    struct agent *agent = client->agent;
    struct client **at = &agent->clients;

    while (*at != client)
        at = &(*at)->next;
    *at = client->next;
    agent->n_clients--;
    sd_event_source_disable_unref(client->io);
    sd_event_source_disable_unref(client->timer);
    close(client->fd);
    free(client);
    if (agent->io)
        sd_event_source_set_enabled(agent->io, SD_EVENT_ON);
}

/* The line is far less than what a new connection takes at once. */
static void say(struct client *client, const struct prober_addr *node)
{
    struct agent *agent = client->agent;
    char line[AGENT_LINE_LEN];

    client->answered = true;
    if (agent->answer(node, line, agent->userdata) &&
        send(client->fd, line, strlen(line), MSG_NOSIGNAL) < 0)
        return;
    shutdown(client->fd, SHUT_WR);
}

static int on_late(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    client_end(userdata);
    return 0;
}

static void take(struct client *client, const char *bytes, size_t len)
{
    struct prober_addr node;
    size_t room = sizeof(client->asked) - client->len;
    int r;

    memcpy(client->asked + client->len, bytes, len < room ? len : room);
    client->len += len < room ? len : room;
    r = agent_read_ask(client->asked, client->len, &node);
    if (r > 0)
        say(client, &node);
    else if (r < 0)
        client_end(client);
}

static int on_client(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct client *client = userdata;
    char bytes[256];
    ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    (void)source;
    (void)revents;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0)
        client_end(client);
    else if (!client->answered)
        take(client, bytes, (size_t)n);
    return 0;
}

static void client_new(struct agent *agent, int fd)
{
    struct client *client = calloc(1, sizeof(*client));

    if (!client) {
        close(fd);
        return;
    }
    *client = (struct client){.agent = agent, .fd = fd, .next = agent->clients};
    agent->clients = client;
    if (++agent->n_clients >= AGENT_CLIENTS)
        sd_event_source_set_enabled(agent->io, SD_EVENT_OFF);
    if (sd_event_add_io(agent->event, &client->io, fd, EPOLLIN, on_client, client) < 0 ||
        sd_event_add_time_relative(agent->event, &client->timer, CLOCK_MONOTONIC, AGENT_WAIT_US,
                                   10000, on_late, client) < 0) {
        client_end(client);
        return;
    }
    if (!agent->asked)
        say(client, NULL);
}

static int on_connect(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)source;
    (void)revents;
    if (connection >= 0)
        client_new(userdata, connection);
    return 0;
}

/* Also where the address comes later than this process does (IP_FREEBIND). */
static int listen_at(const struct conf_listen *where)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(where->port)};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(where->port)};
    bool is_v4 = prober_addr_is_v4(&where->address);
    const int on = 1;
    int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int r;

    if (fd < 0)
        return -errno;
    memcpy(&v6.sin6_addr, where->address.bytes, sizeof(v6.sin6_addr));
    memcpy(&v4.sin_addr, where->address.bytes + 12, sizeof(v4.sin_addr));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (is_v4)
        setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
    else
        setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on));
    r = is_v4 ? bind(fd, (const struct sockaddr *)&v4, sizeof(v4))
              : bind(fd, (const struct sockaddr *)&v6, sizeof(v6));
    if (r < 0 || listen(fd, AGENT_CLIENTS) < 0) {
        r = -errno;
        close(fd);
        return r;
    }
    return fd;
}

static int agent_new(sd_event *event, const struct conf_listen *listen, bool asked,
                     agent_answer answer, void *userdata, struct agent **ret)
{
    struct agent *agent = calloc(1, sizeof(*agent));
    int r;

    if (!agent)
        return -ENOMEM;
    *agent = (struct agent){
        .event = sd_event_ref(event), .asked = asked, .answer = answer, .userdata = userdata};
    agent->fd = r = listen_at(listen);
    if (r >= 0)
        r = sd_event_add_io(event, &agent->io, agent->fd, EPOLLIN, on_connect, agent);
    /* Connections that come, or cannot be taken for want of descriptors, do not keep everything
     * else waiting. */
    if (r >= 0)
        r = sd_event_source_set_ratelimit(agent->io, 1000000, AGENT_RATE);
    if (r < 0) {
        agent_free(agent);
        return r;
    }
    *ret = agent;
    return 0;
}

void agent_follow(struct agent **agent, sd_event *event, const struct conf *conf,
                  agent_answer answer, void *userdata)
{
    int r = 0;

    *agent = agent_free(*agent);
    if (conf->agent.port > 0)
        r = agent_new(event, &conf->agent, conf->agent_asked, answer, userdata, agent);
    if (r < 0)
        log_error("agent.listen: cannot listen on port %u: %s", conf->agent.port, strerror(-r));
}

void agent_retry(struct agent **agent, sd_event *event, const struct conf *conf,
                 agent_answer answer, void *userdata)
{
    if (!*agent && conf->agent.port > 0 &&
        agent_new(event, &conf->agent, conf->agent_asked, answer, userdata, agent) == 0)
        log_notice("agent.listen: listening on port %u", conf->agent.port);
}

struct agent *agent_free(struct agent *agent)
{
    if (!agent)
        return NULL;
    agent->io = sd_event_source_disable_unref(agent->io);
    while (agent->clients)
        client_end(agent->clients);
    if (agent->fd >= 0)
        close(agent->fd);
    sd_event_unref(agent->event);
    free(agent);
    return NULL;
}

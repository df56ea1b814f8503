#include "socket.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTIONS_MAX 256
#define IDLE_S          60

struct control_socket {
    struct MHD_Daemon *daemon;
    sd_event_source *io, *timer;
    char *path;       /* NULL = not bound */
    struct stat file; /* at `path`, to be removed at the end when it is still this one */
    int fd;           /* until the daemon has it; -1 */
    control_handler handler;
    void *userdata;
};

/* What is known of a connection's request; control_request is its head. */
struct pending {
    struct control_request request;
    struct control_socket *socket;
    struct MHD_Connection *connection;
    char *body;
    size_t size;
    bool too_large;
    bool strange; /* has an argument that nobody knows */
    bool answered, suspended, handled;
    unsigned status;
    char line[512];
    const char *allow;
};

static enum MHD_Result queue_answer(struct pending *pending)
{
    size_t len = strlen(pending->line);
    struct MHD_Response *response;
    enum MHD_Result result;

    response = MHD_create_response_from_buffer(len, pending->line, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    if (len > 0)
        MHD_add_response_header(response, "Content-Type", "text/plain; charset=utf-8");
    if (pending->allow)
        MHD_add_response_header(response, "Allow", pending->allow);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    result = MHD_queue_response(pending->connection, pending->status, response);
    MHD_destroy_response(response);
    return result;
}

void control_reply(struct control_request *request, unsigned status, const char *line,
                   const char *allow)
{
    struct pending *pending = (struct pending *)request;

    pending->status = status;
    pending->allow = allow;
    pending->answered = true;
    snprintf(pending->line, sizeof(pending->line) - 1, "%s", line);
    if (line[0])
        strcat(pending->line, "\n");
    if (!pending->suspended)
        return;
    pending->suspended = false;
    MHD_resume_connection(pending->connection);
    /* It takes notice of that when it runs next. */
    sd_event_source_set_time_relative(pending->socket->timer, 0);
    sd_event_source_set_enabled(pending->socket->timer, SD_EVENT_ONESHOT);
}

static const char *header(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* A browser says from where it was sent. */
static bool is_cross_site(struct MHD_Connection *connection)
{
    const char *site = header(connection, "Sec-Fetch-Site"), *origin = header(connection, "Origin"),
               *host = header(connection, "Host"), *authority;

    if (site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
        return true;
    if (!origin)
        return false;
    authority = strstr(origin, "://");
    return !host || !authority || strcasecmp(authority + 3, host) != 0;
}

/* As whom nginx has let it in, or else which local user it is. */
static void find_user(struct pending *pending)
{
    const char *user = header(pending->connection, "X-Prober-User");
    const union MHD_ConnectionInfo *info;
    struct ucred credentials = {.uid = (uid_t)-1};
    socklen_t len = sizeof(credentials);

    if (user && user[0]) {
        snprintf(pending->request.user, sizeof(pending->request.user), "%s", user);
        /* It goes into JSON and the journal; nobody says in which encoding it is. */
        for (char *c = pending->request.user; *c; c++)
            if (*c < 0x20 || *c > 0x7e)
                *c = '?';
        return;
    }
    info = MHD_get_connection_info(pending->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info && getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len) == 0)
        snprintf(pending->request.user, sizeof(pending->request.user), "uid %u",
                 (unsigned)credentials.uid);
}

static struct pending *pending_new(struct control_socket *socket, struct MHD_Connection *connection,
                                   const char *method, const char *path)
{
    struct pending *pending = calloc(1, sizeof(*pending));

    if (!pending)
        return NULL;
    pending->socket = socket;
    pending->connection = connection;
    pending->request.method = method;
    pending->request.path = path;
    pending->request.cross_site = is_cross_site(connection);
    find_user(pending);
    return pending;
}

static enum MHD_Result take_body(struct pending *pending, const char *data, size_t *len)
{
    size_t have = pending->request.len, want = have + *len + 1;

    if (want - 1 > CONTROL_BODY_MAX)
        pending->too_large = true;
    if (!pending->too_large && want > pending->size) {
        size_t size = want < 4096 ? 4096 : want * 2;
        char *body = realloc(pending->body, size);

        if (!body)
            return MHD_NO;
        pending->body = body;
        pending->size = size;
    }
    if (!pending->too_large) {
        memcpy(pending->body + have, data, *len);
        pending->request.len = have + *len;
        pending->body[pending->request.len] = '\0';
    }
    *len = 0;
    return MHD_YES;
}

static enum MHD_Result take_argument(void *userdata, enum MHD_ValueKind kind, const char *key,
                                     const char *value)
{
    struct pending *pending = userdata;

    (void)kind;
    if (strcmp(key, "ttl") == 0)
        pending->request.ttl = value ? value : "";
    else if (strcmp(key, "value") == 0)
        pending->request.value = value ? value : "";
    else
        pending->strange = true;
    return MHD_YES;
}

/* The whole request is there, or its answer is. */
static enum MHD_Result handle(struct pending *pending)
{
    struct control_request *request = &pending->request;

    if (!pending->handled) {
        pending->handled = true;
        request->body = pending->body ? pending->body : "";
        MHD_get_connection_values(pending->connection, MHD_GET_ARGUMENT_KIND, take_argument,
                                  pending);
        if (pending->strange)
            control_reply(request, MHD_HTTP_BAD_REQUEST, "the arguments are ttl and value", NULL);
        else if (pending->too_large)
            control_reply(request, MHD_HTTP_CONTENT_TOO_LARGE, "the body is larger than 1 MiB",
                          NULL);
        else
            pending->socket->handler(request, pending->socket->userdata);
    }
    if (pending->answered)
        return queue_answer(pending);
    pending->suspended = true;
    MHD_suspend_connection(pending->connection);
    return MHD_YES;
}

static enum MHD_Result on_access(void *userdata, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *data,
                                 size_t *len, void **state)
{
    struct pending *pending = *state;

    (void)version;
    if (!pending) {
        *state = pending_new(userdata, connection, method, url);
        return *state ? MHD_YES : MHD_NO;
    }
    if (*len > 0)
        return take_body(pending, data, len);
    return handle(pending);
}

static void on_completed(void *userdata, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    struct pending *pending = *state;

    (void)userdata;
    (void)connection;
    (void)code;
    if (!pending)
        return;
    free(pending->body);
    free(pending);
    *state = NULL;
}

static void arm(struct control_socket *socket)
{
    MHD_UNSIGNED_LONG_LONG ms;

    if (MHD_get_timeout(socket->daemon, &ms) == MHD_YES) {
        sd_event_source_set_time_relative(socket->timer, ms * 1000);
        sd_event_source_set_enabled(socket->timer, SD_EVENT_ONESHOT);
    } else {
        sd_event_source_set_enabled(socket->timer, SD_EVENT_OFF);
    }
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct control_socket *socket = userdata;

    (void)source;
    (void)fd;
    (void)events;
    MHD_run(socket->daemon);
    arm(socket);
    return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)usec;
    return on_io(source, -1, 0, userdata);
}

/* Nobody listens on a socket that refuses. Other files refuse too, and are not ours to remove. */
static bool is_abandoned(const struct sockaddr_un *address)
{
    struct stat st;
    bool abandoned;
    int fd;

    if (lstat(address->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return false;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    abandoned = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
                errno == ECONNREFUSED;
    close(fd);
    return abandoned;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static int listen_on(const char *path, struct stat *ret_file)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd, r = 0;

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (is_abandoned(&address))
        unlink(path);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        r = -errno;
    /* Nobody can connect before listen(). */
    else if (chmod(path, 0660) < 0 || lstat(path, ret_file) < 0 || listen(fd, SOMAXCONN) < 0)
        r = -errno;
    if (r < 0) {
        close(fd);
        return r;
    }
    return fd;
}

static int start(struct control_socket *socket, sd_event *event)
{
    const union MHD_DaemonInfo *info;
    int r;

    socket->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_access, socket,
        MHD_OPTION_LISTEN_SOCKET, socket->fd, MHD_OPTION_NOTIFY_COMPLETED, on_completed, socket,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_S, MHD_OPTION_END);
    if (!socket->daemon)
        return -ENOMEM;
    socket->fd = -1;
    info = MHD_get_daemon_info(socket->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info)
        return -EOPNOTSUPP;
    r = sd_event_add_io(event, &socket->io, info->epoll_fd, EPOLLIN, on_io, socket);
    if (r >= 0)
        r = sd_event_add_time(event, &socket->timer, CLOCK_MONOTONIC, 0, 1000, on_timer, socket);
    return r;
}

int control_socket_new(sd_event *event, const char *path, control_handler handler, void *userdata,
                       struct control_socket **ret)
{
    struct control_socket *socket = calloc(1, sizeof(*socket));
    int r = -ENOMEM;

    if (!socket)
        return r;
    socket->handler = handler;
    socket->userdata = userdata;
    socket->fd = listen_on(path, &socket->file);
    if (socket->fd < 0) {
        r = socket->fd;
    } else {
        socket->path = strdup(path);
        r = socket->path ? start(socket, event) : -ENOMEM;
    }
    if (r < 0) {
        control_socket_free(socket);
        return r;
    }
    *ret = socket;
    return 0;
}

struct control_socket *control_socket_free(struct control_socket *socket)
{
    struct stat now;

    if (!socket)
        return NULL;
    /* Before it is closed: until then nobody else's file can be the same one. */
    if (socket->path && lstat(socket->path, &now) == 0 && same_file(&now, &socket->file))
        unlink(socket->path);
    sd_event_source_disable_unref(socket->io);
    sd_event_source_disable_unref(socket->timer);
    if (socket->daemon) {
        MHD_run(socket->daemon); /* sends the last answers */
        MHD_stop_daemon(socket->daemon);
    }
    if (socket->fd >= 0)
        close(socket->fd);
    free(socket->path);
    free(socket);
    return NULL;
}

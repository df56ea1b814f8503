/*
 * The control socket: HTTP on a unix socket, for nginx (proxy_pass) and proberctl. Who may connect
 * is a matter of the file's mode and group. This knows HTTP; requests.h knows what may be asked.
 */
#ifndef CONTROL_SOCKET_H
#define CONTROL_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

#define CONTROL_BODY_MAX ((size_t)1024 * 1024)
#define CONTROL_USER_LEN 64

struct control_socket;

/* A request that waits for its answer. Borrowed texts live until control_reply(). */
struct control_request {
    const char *method, *path; /* path without the query */
    const char *ttl, *value;   /* of the query; NULL = not given */
    const char *body;          /* NUL-terminated; may hold NULs, see len */
    size_t len;
    char user[CONTROL_USER_LEN]; /* X-Prober-User, else "uid N" of the peer */
    bool cross_site;             /* a browser was made to send it by another site's page */
};

/* To be answered by control_reply(), at once or later. */
typedef void (*control_handler)(struct control_request *request, void *userdata);

/*
 * Listens on `path` (0660; a socket that nobody listens on is replaced). -EADDRINUSE: somebody
 * does. `lingering`: how many connections may wait for their answers is bounded inside.
 */
int control_socket_new(sd_event *event, const char *path, control_handler handler, void *userdata,
                       struct control_socket **ret);

/* Closes all connections, and removes the file unless it is another's by now; requests that were
 * not answered must not be any more. Accepts NULL; returns NULL. */
struct control_socket *control_socket_free(struct control_socket *socket);

/* Answers with one line of text (without its end of line; "" = no body). `allow` is for 405: NULL
 * otherwise. The request is gone afterwards. */
void control_reply(struct control_request *request, unsigned status, const char *line,
                   const char *allow);

#endif

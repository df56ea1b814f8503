/*
 * A session with one JMX server: finds it by its registry, makes a connection object there, calls
 * that one's methods, and keeps all this for the next time.
 *
 * What is kept goes stale: servers close idle connections, forget connection objects after two
 * minutes without a call, restart on the same port or on another one. So a run that fails by such a
 * thing is tried again one level higher, relying on less of what is kept, and at the highest level
 * on nothing. However many attempts it takes, a run has one deadline and ends once.
 */
#ifndef JMX_SESSION_H
#define JMX_SESSION_H

#include "http_multi.h"
#include "jmx_view.h"

struct jmx_session;

/* Copied by jmx_session_new(). */
struct jmx_place {
    const char *host; /* IPv6 in brackets */
    uint16_t port;    /* of the registry */
    /*
     * The server must speak TLS; the registry may (it often stays without), and what it tells is
     * not relied upon: the address stays this one, and its certificate is checked.
     */
    bool tls;
    const char *ca_file; /* "" = the system's list */
    const char *user;    /* "" = no credentials */
    const char *password;
};

/* How a run ended. */
struct jmx_end {
    enum poll_result result;
    char detail[DETAIL_LEN];
    size_t bytes; /* that arrived */
    /* POLL_OK: the answers, in order, and where each one begins in `data`. n is 0 when known() said
     * that they need no reading. An answer may be an exception. */
    size_t n;
    const struct java_stream *streams[JMX_MAX_CALLS];
    struct jmx_answer answers[JMX_MAX_CALLS];
    size_t at[JMX_MAX_CALLS];
    const uint8_t *data;
};

struct jmx_run {
    size_t n_calls; /* 1 to JMX_MAX_CALLS, each returning an object */
    struct java_limits limits;
    int64_t timeout_ms;
    bool once; /* not to be tried again when it may have been done */
    /* Appends the calls. */
    void (*put)(struct jmx_request *request, const struct jmx_id *connection, void *userdata);
    /* True: these bytes are all the answers, and need no reading. May be NULL. */
    bool (*known)(const uint8_t *data, size_t len, void *userdata);
    /* Exactly once, later; may free the session, but not what it runs on. */
    void (*ended)(const struct jmx_end *end, void *userdata);
    void *userdata;
};

/* -EINVAL: the credentials are too long. */
int jmx_session_new(struct multi *multi, const struct jmx_place *place, struct jmx_session **ret);

/*
 * Takes leave of the server when that costs no waiting; a run that has not ended is dropped.
 * Accepts NULL; returns NULL.
 */
struct jmx_session *jmx_session_free(struct jmx_session *session);

/*
 * One run at a time. After the server has refused the credentials, runs end with POLL_AUTH without
 * asking it for a minute: it may count attempts. A negative errno: nothing began.
 */
int jmx_session_run(struct jmx_session *session, const struct jmx_run *run);

#endif

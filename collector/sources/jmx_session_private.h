/*
 * The insides of a JMX session: jmx_session.c keeps and tries again, jmx_dialog.c says things and
 * understands the answers.
 */
#ifndef JMX_SESSION_PRIVATE_H
#define JMX_SESSION_PRIVATE_H

#include "jmx_session.h"
#include "jrmp.h"

enum step {
    STEP_IDLE = 0,
    STEP_HELD, /* the credentials were refused a short while ago */
    STEP_LOOKUP,
    STEP_NEW_CLIENT,
    STEP_CALLS,
};

/* What an attempt relies on. */
enum level {
    LEVEL_KEPT,       /* the TCP connection, and all below */
    LEVEL_CONNECTION, /* the connection object */
    LEVEL_SERVER,     /* where the server is */
    LEVEL_NOTHING,
};

struct jmx_session {
    struct multi *multi;
    char *host, *ca_file, *user, *password;
    uint16_t port;
    bool tls;
    sd_event_source *timer;
    uint64_t refused_until_us; /* the credentials; as jmx_session_now() */
    char refused[DETAIL_LEN];

    /* What is kept. */
    bool registry_tls, has_server, has_connection;
    struct jmx_stub server, connection;
    struct jrmp *jrmp;

    /* The run. */
    enum step step;
    enum level level;
    struct jmx_run run;
    size_t bytes;                               /* of earlier steps and attempts */
    size_t n_answers;                           /* read to their end */
    struct java_stream *streams[JMX_MAX_CALLS]; /* one more than that may have begun */
    struct jmx_answer answers[JMX_MAX_CALLS];
    size_t at[JMX_MAX_CALLS];
    size_t end;      /* of the answers read */
    size_t reserved; /* for the streams */
};

/* CLOCK_BOOTTIME in us. */
uint64_t jmx_session_now(const struct jmx_session *session);

void jmx_drop_answers(struct jmx_session *session);

/* A connection to this port of the host: the one there is, or a new one. */
int jmx_connect(struct jmx_session *session, uint16_t port, bool tls);

/* Tries again at this level; at the end of the ladder, or without memory, the run ends. */
void jmx_retry(struct jmx_session *session, enum level level, enum poll_result result,
               const char *detail);

/* Every end of every run comes through here. The session may be gone afterwards. */
void jmx_finish(struct jmx_session *session, enum poll_result result, const char *detail);

/* The steps: each says its part on the connection, which may still be on its way. */
int jmx_say_lookup(struct jmx_session *session);
int jmx_say_new_client(struct jmx_session *session);
int jmx_say_calls(struct jmx_session *session);

/* There is more on the connection than before. */
void jmx_on_input(struct jmx_session *session);

#endif

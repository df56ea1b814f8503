/*
 * What one poll brought: a view, or the reason there is none. The data that flows from sources/ to
 * model/.
 *
 * Plain data, no behaviour but making and freeing it. Times are CLOCK_BOOTTIME in ms. 0 means
 * unknown in every enum, so zeroed memory never claims health.
 */
#ifndef OBSERVATION_H
#define OBSERVATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "prober_addr.h"

/* What an observer says of an endpoint. */
enum liveness {
    LIVENESS_UNKNOWN = 0,
    LIVENESS_UP,
    LIVENESS_DOWN,
};

enum trilean {
    TRILEAN_UNKNOWN = 0,
    TRILEAN_FALSE,
    TRILEAN_TRUE,
};

/* How a poll ended. Every poll ends in exactly one of these. */
enum poll_result {
    POLL_NEVER = 0,   /* not ended yet */
    POLL_OK,          /* a view */
    POLL_REFUSED,     /* connection refused */
    POLL_TIMEOUT,     /* no complete answer before the deadline */
    POLL_RESET,       /* connection closed or reset while answering, or an answer cut short */
    POLL_UNREACHABLE, /* no route, no such name, other connect errors */
    POLL_TLS,         /* TLS handshake or certificate */
    POLL_AUTH,        /* 401 or 403, by HTTP or inside the answer; a SecurityException */
    POLL_REDIRECT,    /* 3xx: never followed */
    POLL_HTTP,        /* another HTTP status; observation.http_status has it */
    POLL_TOO_LARGE,   /* the answer passed its bound */
    POLL_BAD_JSON,    /* not JSON: HTML, cut, too deep, duplicate keys, invalid UTF-8 */
    POLL_BAD_STREAM,  /* not Java's remote method invocation, or not readable */
    POLL_BAD_SHAPE,   /* readable, but not of the shape asked for */
    POLL_EXCEPTION,   /* the node answered with a Java exception that has no name of its own here */
    POLL_NO_MBEAN,    /* Cassandra's MBeans are not there: starting or stopping */
    POLL_WRONG_CLUSTER, /* another cluster's name (found by the model) */
    POLL_WRONG_HOST,    /* not the host id that gossip has for the address (found by the model) */
    POLL_RESULTS
};

/* One word for documents, metrics and the journal: "ok", "refused", "timeout", "too_large", … */
const char *poll_result_word(enum poll_result result);

/* A liveness in a view. */
struct opinion {
    struct prober_addr endpoint;
    enum liveness liveness;
};

#define DETAIL_LEN 128 /* of what a result says besides, with its NUL */
#define NAME_LEN                                                                                   \
    64 /* data centers, racks, statuses, modes, releases, with their NUL; longer ones are cut */
#define HOST_ID_LEN 40 /* a UUID as text, with its NUL */

/* An endpoint's application states as one observer has them. Empty strings are unknown. */
struct gossip_state {
    struct prober_addr endpoint;
    int64_t generation;        /* seconds; grows at each start of the endpoint; 0 = unknown */
    int64_t status_version;    /* version of STATUS_WITH_PORT, else STATUS; 0 = none */
    int64_t rpc_ready_version; /* version of RPC_READY; 0 = none */
    enum trilean rpc_ready;    /* native transport as gossiped */
    char status[NAME_LEN]; /* "NORMAL", "BOOT", "LEFT", "shutdown", … text before the first comma */
    char datacenter[NAME_LEN];
    char rack[NAME_LEN];
    char host_id[HOST_ID_LEN];
    char release[NAME_LEN];
    struct prober_addr native; /* native transport address (RPC_ADDRESS / NATIVE_ADDRESS_AND_PORT);
                                  unset = unknown */
    uint16_t native_port;      /* 0 = unknown: 9042 */
};

struct phi {
    struct prober_addr endpoint;
    double value;
};

/* All opinions of one observer, and its own state. Arrays are sorted by endpoint, without
 * duplicates. */
struct view {
    char cluster_name[NAME_LEN * 2];
    char host_id[HOST_ID_LEN];
    char mode[NAME_LEN]; /* OperationMode; "" = unknown */
    char release[NAME_LEN];
    enum trilean native_transport;
    enum trilean gossip;
    bool settled; /* its host says that its opinion counts there, so it need not settle here */
    struct opinion *opinions;
    size_t n_opinions;
    /* A detail poll's: NULL and 0 otherwise. */
    struct gossip_state *states;
    size_t n_states;
    struct phi *phis;
    size_t n_phis;
    int64_t hint_window_ms; /* StorageProxy MaxHintWindow; 0 = not asked or unknown */
};

struct observation {
    struct prober_addr
        observer;   /* who was asked; for the local source unset until its own address is known */
    bool local;     /* from this host's own node */
    bool told;      /* by the prober of the observer's host, not by the observer itself */
    bool unchanged; /* POLL_OK, and the answer says what the last one said; view is NULL */
    bool process_gone; /* as its own host found: JMX and the native address both refused */
    bool hung;         /* as another host says of its node: it has not answered for long */
    enum poll_result result;
    int http_status;  /* 0 = none */
    int64_t began_ms; /* when we began to ask: a view's age counts from here */
    int64_t age_ms;   /* of the data by then: what another host told was older already */
    int64_t ended_ms;
    size_t bytes;            /* of the answer's body */
    uint64_t values;         /* digest of the values another host has; 0 = it says nothing */
    char detail[DETAIL_LEN]; /* for a person: what exactly was wrong; "" when result says it all */
    struct view *view;       /* owned; NULL unless POLL_OK and not unchanged */
};

/* What an operation of an MBean returned, or what an attribute is: nothing, a number or texts (a
 * text is one of them); or why it did not. */
struct reply {
    enum poll_result result;
    char detail[DETAIL_LEN];
    int64_t number;
    char **texts; /* owned */
    size_t n_texts;
};

/* Frees what a reply owns, not the reply itself. */
void reply_done(struct reply *reply);

/* Appends a copy of a text. -ENOMEM. */
int reply_add_text(struct reply *reply, const char *text, size_t len);

/* Frees a view and its arrays; accepts NULL; returns NULL. */
struct view *view_free(struct view *view);

/* An operation of an MBean. Borrowed during invoke() alone. */
struct source_operation {
    const char *mbean;
    const char *name;
    bool attribute;       /* no operation: what the attribute `name` is */
    const char *argument; /* a java.lang.String; NULL = the operation has no arguments */
    int64_t timeout_ms;
};

/* The reply is borrowed; its texts may be taken by setting ->texts to NULL. */
typedef void (*source_invoked)(struct reply *reply, void *userdata);

#endif

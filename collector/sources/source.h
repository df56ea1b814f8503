/*
 * A source: one way of asking a node for its view. The poller knows when to ask, a source knows
 * how.
 *
 * What a source has to remember of a node between polls (a connection, the spelling it has, the
 * last answer's fingerprint) lives in its source_target.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include "fingerprint.h"
#include "http.h"
#include "http_multi.h"
#include "observation.h"

/* Bytes of a poll's answers. */
#define SOURCE_FAST_MAX   ((size_t)1024 * 1024)
#define SOURCE_DETAIL_MAX ((size_t)8 * 1024 * 1024)

/* What the sources share; owned by the poller. */
struct source_context {
    struct multi *multi;
    struct http *http;
    struct fingerprint_key key;
};

/* Where and as whom. Borrowed during open() alone. */
struct source_place {
    const char *url;
    const char *user; /* "" = no credentials */
    const char *password;
    const char *ca_file; /* who signs the certificates, in PEM; NULL or "" = the system's list */
    struct prober_addr address; /* the node's; unset for the local one */
};

struct source_ask {
    bool detail; /* gossip states too */
    bool own;    /* this host's own node: with `detail` phi and the hint window too */
    bool whole;  /* the view even when it has not changed, of a source that is not asked details */
    int64_t timeout_ms;
};

/* Takes an observation with result, http_status, unchanged, process_gone, hung, age_ms, bytes, detail and
 * view filled in; the view is given away. */
typedef void (*source_done)(struct observation *observation, void *userdata);

/* An operation of an MBean. Borrowed during invoke() alone. */
struct source_operation {
    const char *mbean;
    const char *name;
    const char *argument; /* a java.lang.String; NULL = the operation has no arguments */
    int64_t timeout_ms;
};

/* The reply is borrowed; its texts may be taken by setting ->texts to NULL. */
typedef void (*source_invoked)(struct reply *reply, void *userdata);

/* At most one poll or operation of it runs at a time. */
struct source_target {
    const struct source *source;
};

struct source {
    /* The URL (with no placeholder left in it) is this source's and well-formed. */
    bool (*accepts)(const char *url);

    /* `context` must outlive the target. -EINVAL, -ENOMEM. */
    int (*open)(struct source_context *context, const struct source_place *place,
                struct source_target **ret);

    /*
     * Begins a poll. `done` is called exactly once, later, never from here, and may close the
     * target. A negative errno: nothing began.
     */
    int (*start)(struct source_target *target, const struct source_ask *ask, source_done done,
                 void *userdata);

    /* Begins an operation; as start(). It is not tried again when it may have been done. */
    int (*invoke)(struct source_target *target, const struct source_operation *operation,
                  source_invoked invoked, void *userdata);

    /* Ends what runs without calling back, and frees. */
    void (*close)(struct source_target *target);
};

extern const struct source jmx_source, jolokia_source, peer_source;

/* Whom a source asks. */
enum source_kind {
    SOURCE_CASSANDRA = 0, /* the node itself */
    SOURCE_PEER,          /* the prober of the node's host */
};

/* NULL = no source of this kind takes this URL. */
const struct source *source_find(const char *url, enum source_kind kind);

/* The forms that a source of this kind takes, for a person. */
const char *source_expected(enum source_kind kind, bool with_address);

/* "{address}" in a source URL replaced by the address, IPv6 in brackets. Owned by the caller; NULL
 * when memory is out. */
char *source_expand(const char *url, const struct prober_addr *address);

/* A helper for accepts(): "HOST[:PORT][/PATH]" without credentials, blanks or controls; IPv6 in
 * brackets. */
bool source_authority_ok(const char *text);

#endif

/*
 * ngx_http_prober_module: answers requests with the documents of a segment.
 *
 *   ngx_http_prober_module.c    directives, variables, configuration
 *   ngx_http_prober_handler.c   a request -> a document -> an HTTP answer
 *   ngx_http_prober_key.c       the URI of a request -> the key of a document
 *   ngx_http_prober_segment.c   one mapping per worker and path: open, remap, log
 */
#ifndef NGX_HTTP_PROBER_MODULE_H
#define NGX_HTTP_PROBER_MODULE_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "prober_segment_reader.h"

#define NGX_HTTP_PROBER_ON_STALE_ERROR 0
#define NGX_HTTP_PROBER_ON_STALE_LAST  1

/* One per path and configuration, made while the configuration is read. Only a worker maps it, at
 * its first request, into memory of its own; the pool of the configuration unmaps it. */
typedef struct {
    ngx_str_t path; /* NUL-terminated */
    struct prober_segment_reader reader;
    enum prober_segment_problem problem; /* of the file now at the path */
    ngx_msec_t problem_since;            /* when it was first seen */
    time_t checked;                      /* when the path was last looked at */
    ngx_msec_t stale_limit;              /* that was logged as exceeded; 0: none is */
    ngx_msec_t stale_logged;             /* when */
    unsigned wait : 1;                   /* look at the path again next second, not at once */
    unsigned corrupt : 1;                /* a look-up in this mapping met nonsense */
} ngx_http_prober_segment_t;

typedef struct {
    ngx_str_t prefix; /* of the URI, not of the key; empty in exact, regex and named locations */
    ngx_str_t path;
    ngx_str_t control; /* a named location, or empty: there is none */
    ngx_http_prober_segment_t *segment;
    ngx_array_t *error_pages;     /* those of this very location, else NULL */
    ngx_array_t *all_error_pages; /* with the inherited ones, to tell which are its own */
    ngx_msec_t stale;
    ngx_uint_t on_stale;
    ngx_uint_t not_ready; /* HTTP status */
    unsigned on : 1;
} ngx_http_prober_loc_conf_t;

/* An answer; the variables read it later. */
typedef struct {
    ngx_uint_t status;
    ngx_str_t type;
    ngx_str_t body; /* data is NULL when only its length was wanted */
    size_t room;    /* bytes allocated at body.data */
    int64_t age_ms; /* of the data, or of the heartbeat when that is stale; -1: none */
    struct prober_reading reading;
    unsigned document : 1; /* the reading is what is answered */
    unsigned unknown : 1;  /* no document: nginx makes the body */
    unsigned stale : 1;    /* the heartbeat is */
    unsigned ready : 1;
    unsigned bodiless : 1;
    u_char etag[sizeof("\"0123456789abcdef\"") - 1];
    u_char age[NGX_INT64_LEN];
} ngx_http_prober_ctx_t;

typedef struct {
    size_t len;
    size_t dir_len; /* of an address key: up to and with the '/' before the address */
    u_char data[PROBER_KEY_MAX];
} ngx_http_prober_key_t;

extern ngx_module_t ngx_http_prober_module;

/* The content handler. */
ngx_int_t ngx_http_prober_handler(ngx_http_request_t *r);

/* The path below the location, without slashes around it; it points into r->uri. A URI that a
 * rewrite changed within the location has no prefix to lose. */
void ngx_http_prober_path(ngx_http_request_t *r, ngx_http_prober_loc_conf_t *plcf, ngx_str_t *path);

/* The key for such a path. NGX_DECLINED: it is longer than any key. */
ngx_int_t ngx_http_prober_key(ngx_str_t *path, ngx_http_prober_key_t *key);

/* The same with the address at its end in canonical spelling. NGX_DECLINED: there is none. */
ngx_int_t ngx_http_prober_address_key(ngx_str_t *path, ngx_http_prober_key_t *key);

/* The segment at `path` (kept, NUL-terminated), unmapped when the pool goes. NULL: no memory. */
ngx_http_prober_segment_t *ngx_http_prober_segment_create(ngx_pool_t *pool, ngx_str_t *path);

/* Maps the segment anew when the path has another file. reader.base is NULL when there is none to
 * be had. Of what is wrong with the path a mapping outlives a newer ABI, errors that say nothing of
 * the file, and, for two seconds, that there is none. Logs each change of problem. */
void ngx_http_prober_segment_refresh(ngx_http_prober_segment_t *segment, ngx_log_t *log);

/* A look-up met nonsense: logs it, once per mapping. */
void ngx_http_prober_segment_corrupt(ngx_http_prober_segment_t *segment, ngx_log_t *log);

/* Whether a heartbeat of that age, -1 for none, is stale by that limit. Logs that it is, and that
 * it is no longer, at most once in ten seconds. */
ngx_uint_t ngx_http_prober_segment_stale(ngx_http_prober_segment_t *segment, int64_t age_ms,
                                         ngx_msec_t limit, ngx_log_t *log);

/* As prober_segment_age_ms(), but -1 for a time in the future, which gives no age. */
int64_t ngx_http_prober_age_ms(int64_t then_ms, int64_t now_ms);

#endif

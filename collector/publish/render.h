/*
 * The bodies of the documents. PURE: cluster in, bytes out. Every function adds to `text` and
 * returns the HTTP status where there is a choice.
 */
#ifndef RENDER_H
#define RENDER_H

#include "../model/cluster.h"
#include "../model/decisions.h"
#include "../model/history.h"
#include "../model/regions.h"
#include "../model/seeds.h"
#include "../model/values.h"
#include "text.h"

/* An observer as every /healthz/IP body shows it; prepared once for all bodies. */
struct observer_line {
    const uint8_t *opinions; /* of the observer; NULL = its view is missing */
    size_t key_len;
    char key[PROBER_ADDR_STRLEN + 8]; /* ,"/10.0.0.1":" with its comma and quotes */
    char missing[16];                 /* the word that stands for a missing view */
};

/* What a rendering needs beside the cluster. */
struct render_context {
    const struct cluster *cluster;
    struct observer_line *observers; /* by render_prepare(); owned by the context */
    size_t n_observers;
    int64_t now_ms; /* CLOCK_BOOTTIME */
    int64_t
        wall_offset_ms; /* add to a CLOCK_BOOTTIME time to get the time of day; for people only */
    struct region_settings region;
    const char *region_name;
    const struct regions *regions;
    const struct values *values; /* those in force */
    const char *state;           /* them as the document /state; NULL = nothing is known of them */
    struct history *history;     /* NULL = there is none; what was published is noted in it */
    const struct decisions *decisions; /* NULL = there are none */
    const char *host;                  /* this one's id */
    uint64_t state_digest;             /* values_digest() of what `state` says */
};

/* Fills context->observers from the cluster as it is now; render_done() frees it. False: no memory.
 */
bool render_prepare(struct render_context *context);
void render_done(struct render_context *context);

/* /healthz/IP: each observer's opinion of `node`. */
int render_healthz(struct text *text, const struct render_context *context,
                   const struct node *node);

/* /healthz/IP?brief */
int render_brief(struct text *text, const struct node *node);

/* /nodes/IP and its place in /nodes. */
int render_node(struct text *text, const struct render_context *context, const struct node *node);
void render_nodes(struct text *text, const struct render_context *context);

/* /ready: the local node for its load balancer. */
int render_ready(struct text *text, const struct cluster *cluster);

/*
 * /view: this host's own observation, as other collectors poll it. 503 while there is none.
 * `values`: the digest of the values that /state has; 0 = none.
 */
int render_view(struct text *text, const struct cluster *cluster, uint64_t values);

/* CLOCK_BOOTTIME in ms of what that says; 0 = nothing. */
int64_t render_view_time(const struct render_context *context);

/*
 * The value that operators have given this host's region under `name` ("dcs", …). False: none, and
 * nothing is added.
 */
bool render_said(struct text *text, const struct render_context *context, const char *name);

/* What operators say in place of these stands in place of them. */
void render_local_seeds(struct text *text, const struct render_context *context);
void render_all_seeds(struct text *text, const struct render_context *context);
/* /dcs: of all regions; /dcs?local: of this one, for the others. */
void render_dcs(struct text *text, const struct render_context *context);
void render_local_dcs(struct text *text, const struct render_context *context);
void render_ready_local_dcs(struct text *text, const struct render_context *context);

#endif

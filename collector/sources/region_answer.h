/*
 * What another region's prober answers, and what was kept of such answers: foreign bytes -> struct.
 * PURE.
 */
#ifndef REGION_ANSWER_H
#define REGION_ANSWER_H

#include "observation.h"

#define REGION_SEEDS_MAX 1000
#define REGION_DCS_MAX   1000

struct region_dc {
    char name[NAME_LEN];
    unsigned replicas; /* members */
};

/* One poll of another region: three documents, read one after the other. */
struct region_answer {
    enum poll_result result; /* of the first document that could not be had */
    int http_status;         /* 0 = none */
    const char *path;        /* of that document; "" = all could be had */
    char detail[DETAIL_LEN];
    int64_t began_ms;   /* when we began to ask */
    int64_t age_ms;     /* of what it says of its readiness, by then */
    enum trilean ready; /* unknown = it did not say */
    /* NULL = it did not say. Owned. */
    struct prober_addr *seeds; /* in its order */
    size_t n_seeds;
    struct region_dc *dcs;
    size_t n_dcs;
};

/* Frees what it owns, not the answer itself. */
void region_answer_done(struct region_answer *answer);

/*
 * The bodies of /readylocaldcs (as all booleans of the contract), /localseeds and /dcs. POLL_OK, or
 * why not; `detail` says what was wrong. An empty list is NULL.
 */
enum poll_result region_read_ready(const char *body, size_t len, struct region_answer *ret);
enum poll_result region_read_seeds(const char *body, size_t len, struct region_answer *ret);
enum poll_result region_read_dcs(const char *body, size_t len, struct region_answer *ret);

/*
 * What was kept of all regions:
 *   {"format":1,"regions":[{"name":"eu","was_ready":true,"seeds":[…],"dcs":[…]}]}
 * `take` is called for each; `ready` is whether it ever was.
 */
typedef void (*region_take)(const char *name, struct region_answer *answer, void *userdata);
enum poll_result region_read_kept(const char *body, size_t len, region_take take, void *userdata);

#endif

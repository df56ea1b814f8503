/*
 * A fleet to judge: what each node says of itself and of the others, polled into a cluster. Node i
 * has the address 10.0.0.i+1 (10.0.1.… from 255 on); node 0 is the local one. Everything is well
 * until a test says otherwise.
 */
#ifndef MODEL_UTIL_H
#define MODEL_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/cluster.h"

#ifndef FLEET_MAX
#define FLEET_MAX 16 /* a test that needs more defines it */
#endif
#define FLEET_ROUND 500 /* ms */
#define FLEET_START 1000000

/* One node: its own state, what its gossip state is, and row[j] = 'U', 'D' or '-' (not listed) of
 * node j. */
struct fleet_node {
    const char *mode, *status, *datacenter, *rack, *cluster_name;
    char host_id[HOST_ID_LEN];
    enum trilean native, gossip, rpc_ready;
    int64_t generation, status_version, rpc_ready_version;
    enum poll_result result; /* POLL_OK: its view */
    bool process_gone, hung;
    int64_t age_ms; /* of what its host tells */
    bool settled;   /* as its host tells */
    bool silent;    /* it is not polled at all */
    char row[FLEET_MAX];
};

struct fleet {
    struct cluster *cluster;
    int64_t now_ms;
    bool detail;   /* the next polls bring gossip states */
    bool no_local; /* node 0 is polled as the others are */
    bool mesh;     /* the others are told of by their hosts */
    size_t n;
    const struct decision *decisions;
    size_t n_decisions;
    struct fleet_node *node;
};

static inline struct prober_addr fleet_address(size_t i)
{
    struct prober_addr address = {{[10] = 0xff, [11] = 0xff, [12] = 10}};

    address.bytes[14] = (uint8_t)((i + 1) / 256);
    address.bytes[15] = (uint8_t)((i + 1) % 256);
    return address;
}

static inline struct readiness_settings fleet_settings(enum policy policy)
{
    return (struct readiness_settings){.policy = policy,
                                       .min_observers = 1,
                                       .rise = 1,
                                       .fall = 1,
                                       .settle_ms = 5000,
                                       .rehab_ms = 60000,
                                       .view_ttl_ms = 3000};
}

static inline void fleet_init(struct fleet *fleet, size_t n, enum policy policy)
{
    const struct readiness_settings settings = fleet_settings(policy);

    *fleet = (struct fleet){.n = n, .detail = true, .now_ms = FLEET_START};
    fleet->cluster = cluster_new(&settings);
    fleet->node = calloc(FLEET_MAX, sizeof(*fleet->node));
    for (size_t i = 0; i < FLEET_MAX; i++) {
        struct fleet_node *node = &fleet->node[i];

        node->mode = node->status = "NORMAL";
        node->datacenter = "dc1";
        node->rack = "r1";
        node->cluster_name = "Test Cluster";
        memcpy(node->host_id, "00000000-0000-0000-0000-000000000000", 37);
        node->host_id[33] = (char)('0' + i / 100 % 10);
        node->host_id[34] = (char)('0' + i / 10 % 10);
        node->host_id[35] = (char)('0' + i % 10);
        node->native = node->gossip = node->rpc_ready = TRILEAN_TRUE;
        node->generation = 1700000000;
        node->status_version = 20;
        node->rpc_ready_version = 30;
        node->result = POLL_OK;
        memset(node->row, '-', sizeof(node->row));
        if (i < n)
            memset(node->row, 'U', n);
    }
}

static inline void fleet_done(struct fleet *fleet)
{
    cluster_free(fleet->cluster);
    free(fleet->node);
}

static inline struct node *fleet_node(const struct fleet *fleet, size_t i)
{
    const struct prober_addr address = fleet_address(i);

    return cluster_find(fleet->cluster, &address);
}

static inline struct gossip_state fleet_state(const struct fleet *fleet, size_t i)
{
    const struct fleet_node *node = &fleet->node[i];
    struct gossip_state state = {.endpoint = fleet_address(i),
                                 .generation = node->generation,
                                 .status_version = node->status_version,
                                 .rpc_ready_version = node->rpc_ready_version,
                                 .rpc_ready = node->rpc_ready};

    snprintf(state.status, sizeof(state.status), "%s", node->status);
    snprintf(state.datacenter, sizeof(state.datacenter), "%s", node->datacenter);
    snprintf(state.rack, sizeof(state.rack), "%s", node->rack);
    snprintf(state.host_id, sizeof(state.host_id), "%s", node->host_id);
    return state;
}

/* What node i answers. */
static inline struct view *fleet_view(const struct fleet *fleet, size_t i)
{
    const struct fleet_node *node = &fleet->node[i];
    struct view *view = calloc(1, sizeof(*view));
    size_t listed = 0;

    snprintf(view->cluster_name, sizeof(view->cluster_name), "%s", node->cluster_name);
    snprintf(view->host_id, sizeof(view->host_id), "%s", node->host_id);
    snprintf(view->mode, sizeof(view->mode), "%s", node->mode);
    view->native_transport = node->native;
    view->settled = node->settled;
    view->gossip = node->gossip;
    for (size_t j = 0; j < FLEET_MAX; j++)
        listed += node->row[j] != '-';
    view->opinions = calloc(listed + 1, sizeof(*view->opinions));
    view->states = fleet->detail ? calloc(listed + 1, sizeof(*view->states)) : NULL;
    for (size_t j = 0; j < FLEET_MAX; j++) {
        if (node->row[j] == '-')
            continue;
        view->opinions[view->n_opinions].endpoint = fleet_address(j);
        view->opinions[view->n_opinions++].liveness =
            node->row[j] == 'U' ? LIVENESS_UP : LIVENESS_DOWN;
        if (view->states)
            view->states[view->n_states++] = fleet_state(fleet, j);
    }
    return view;
}

/* Polls node i; what cluster_ingest() says. */
static inline bool fleet_poll(struct fleet *fleet, size_t i)
{
    const struct fleet_node *node = &fleet->node[i];
    struct observation observation = {.observer = fleet_address(i),
                                      .local = i == 0 && !fleet->no_local,
                                      .result = node->result,
                                      .told = i > 0 && fleet->mesh,
                                      .age_ms = node->age_ms,
                                      .process_gone = node->process_gone,
                                      .hung = node->hung,
                                      .began_ms = fleet->now_ms,
                                      .ended_ms = fleet->now_ms};
    bool changed;

    if (node->result == POLL_OK)
        observation.view = fleet_view(fleet, i);
    changed = cluster_ingest(fleet->cluster, &observation, fleet->now_ms);
    view_free(observation.view);
    return changed;
}

/* Polls node i, which answers what it answered last. */
static inline bool fleet_poll_unchanged(struct fleet *fleet, size_t i)
{
    struct observation observation = {.observer = fleet_address(i),
                                      .local = i == 0 && !fleet->no_local,
                                      .result = POLL_OK,
                                      .unchanged = true,
                                      .began_ms = fleet->now_ms,
                                      .ended_ms = fleet->now_ms};

    return cluster_ingest(fleet->cluster, &observation, fleet->now_ms);
}

static inline void fleet_evaluate(struct fleet *fleet, bool round)
{
    cluster_evaluate(fleet->cluster, round, fleet->now_ms, &fleet->decisions, &fleet->n_decisions);
}

/* A round: everybody is polled, the cluster judged, and what is dirty published. */
static inline void fleet_round(struct fleet *fleet)
{
    fleet->now_ms += FLEET_ROUND;
    for (size_t i = 0; i < fleet->n; i++)
        if (!fleet->node[i].silent)
            fleet_poll(fleet, i);
    fleet_evaluate(fleet, true);
    cluster_clean(fleet->cluster);
}

static inline void fleet_rounds(struct fleet *fleet, int64_t ms)
{
    for (int64_t end = fleet->now_ms + ms; fleet->now_ms < end;)
        fleet_round(fleet);
}

/* Rows as text, one word for each node: "UUD UUD --U". */
static inline void fleet_rows(struct fleet *fleet, const char *rows)
{
    for (size_t i = 0; i < fleet->n; i++, rows += fleet->n + 1)
        memcpy(fleet->node[i].row, rows, fleet->n);
}

/* Node i is dead: its JMX refuses and the others see it as DOWN. */
static inline void fleet_crash(struct fleet *fleet, size_t i)
{
    fleet->node[i].result = POLL_REFUSED;
    for (size_t j = 0; j < fleet->n; j++)
        if (j != i)
            fleet->node[j].row[i] = 'D';
}

/* Node i is cut off: it and the others see each other as DOWN. */
static inline void fleet_isolate(struct fleet *fleet, size_t i)
{
    for (size_t j = 0; j < fleet->n; j++)
        if (j != i)
            fleet->node[j].row[i] = fleet->node[i].row[j] = 'D';
}

/* The published verdicts as text: 'r' ready, '.' not ready, '?' unknown, '-' no such node. */
static inline const char *fleet_text(const struct fleet *fleet)
{
    static char text[FLEET_MAX + 1];

    for (size_t i = 0; i < fleet->n; i++) {
        const struct node *node = fleet_node(fleet, i);

        text[i] = !node                                  ? '-'
                  : node->verdict.readiness == READY     ? 'r'
                  : node->verdict.readiness == NOT_READY ? '.'
                                                         : '?';
    }
    text[fleet->n] = '\0';
    return text;
}

#define assert_verdicts(fleet, expected) assert_string_equal(fleet_text(fleet), expected)

static inline uint32_t fleet_reasons(const struct fleet *fleet, size_t i)
{
    return fleet_node(fleet, i)->verdict.reasons;
}

/* A small generator of random numbers that is the same everywhere (xorshift64*). */
static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1DULL >> 16;
}

static inline size_t random_below(uint64_t *state, size_t n)
{
    return (size_t)(next_random(state) % n);
}

#endif

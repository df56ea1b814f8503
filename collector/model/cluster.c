#include "cluster_internal.h"

#include <stdlib.h>
#include <string.h>

/* Places at first, and by how much their number grows at least. */
#define CAPACITY_MIN 16

void *model_alloc(size_t n, size_t size)
{
    void *memory = calloc(n ? n : 1, size);

    if (!memory)
        abort();
    return memory;
}

/* A larger copy of an array, zeroed behind the old entries. */
static void *enlarge(void *old, size_t n_old, size_t n_new, size_t size)
{
    void *memory = model_alloc(n_new, size);

    if (n_old > 0)
        memcpy(memory, old, n_old * size);
    free(old);
    return memory;
}

void mark_opinions(struct cluster *cluster, struct node *node)
{
    node->dirty_opinions = cluster->dirty = true;
}

void mark_verdict(struct cluster *cluster, struct node *node)
{
    node->dirty_verdict = cluster->dirty = true;
}

void mark_all_opinions(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->n_sorted; i++)
        cluster->sorted[i]->dirty_opinions = true;
    cluster->dirty = true;
}

struct cluster *cluster_new(const struct readiness_settings *settings)
{
    struct cluster *cluster = model_alloc(1, sizeof(*cluster));

    cluster->private = model_alloc(1, sizeof(*cluster->private));
    cluster->readiness = *settings;
    return cluster;
}

static void free_node(struct node *node)
{
    free(node->view);
    free(node->opinions);
    free(node->opinion_since);
    free(node);
}

static void free_working_memory(struct cluster_private *private)
{
    free(private->voters.voter);
    free(private->voters.tally);
    free(private->voters.young);
    free(private->voters.witnesses);
    free(private->voters.accused);
    free(private->decisions);
}

struct cluster *cluster_free(struct cluster *cluster)
{
    if (!cluster)
        return NULL;
    for (size_t i = 0; i < cluster->n_sorted; i++)
        free_node(cluster->sorted[i]);
    free(cluster->nodes);
    free(cluster->sorted);
    free_working_memory(cluster->private);
    free(cluster->private);
    free(cluster);
    return NULL;
}

void cluster_set_readiness(struct cluster *cluster, const struct readiness_settings *settings)
{
    cluster->readiness = *settings;
}

/* The first place in `sorted` that is not before `address`. */
static size_t lower_bound(const struct cluster *cluster, const struct prober_addr *address)
{
    size_t low = 0, high = cluster->n_sorted;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (prober_addr_compare(&cluster->sorted[middle]->address, address) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct node *cluster_lookup(const struct cluster *cluster, const struct prober_addr *address)
{
    size_t at = lower_bound(cluster, address);

    if (at < cluster->n_sorted && prober_addr_compare(&cluster->sorted[at]->address, address) == 0)
        return cluster->sorted[at];
    return NULL;
}

struct node *cluster_find(const struct cluster *cluster, const struct prober_addr *address)
{
    struct node *node = cluster_lookup(cluster, address);

    return node && !node->forgotten ? node : NULL;
}

bool cluster_mistrusts(const struct cluster *cluster, const struct prober_addr *address)
{
    const struct node *node = cluster_find(cluster, address);

    return node && node->private.impostor;
}

static void ensure_capacity(struct cluster *cluster)
{
    struct cluster_private *private = cluster->private;
    size_t before = private->capacity, after = before ? before * 2 : CAPACITY_MIN;

    if (cluster->n_nodes < before)
        return;
    cluster->nodes = enlarge(cluster->nodes, before, after, sizeof(*cluster->nodes));
    cluster->sorted = enlarge(cluster->sorted, before, after, sizeof(*cluster->sorted));
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        struct node *node = cluster->sorted[i];

        if (node->n_opinions == 0)
            continue;
        node->opinions = enlarge(node->opinions, before, after, sizeof(*node->opinions));
        node->opinion_since =
            enlarge(node->opinion_since, before, after, sizeof(*node->opinion_since));
        node->n_opinions = after;
    }
    /* The rest is working memory: what is in it is made anew by every evaluation. */
    free_working_memory(private);
    private->voters = (struct voters){
        .voter = model_alloc(after, sizeof(*private->voters.voter)),
        .tally = model_alloc(after, sizeof(*private->voters.tally)),
        .young = model_alloc(after, sizeof(*private->voters.young)),
        .witnesses = model_alloc(after, sizeof(*private->voters.witnesses)),
        .accused = model_alloc(after, sizeof(*private->voters.accused)),
    };
    private->decisions = model_alloc(after, sizeof(*private->decisions));
    private->capacity = after;
}

/* A place nobody has, made empty in every observer's row. */
static size_t take_place(struct cluster *cluster)
{
    size_t place = 0;

    while (place < cluster->n_nodes && cluster->nodes[place])
        place++;
    if (place == cluster->n_nodes) {
        ensure_capacity(cluster);
        cluster->n_nodes++;
    }
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        struct node *observer = cluster->sorted[i];

        if (observer->n_opinions == 0)
            continue;
        observer->opinions[place] = LIVENESS_UNKNOWN;
        observer->opinion_since[place] = (uint32_t)observer->polls_ok;
    }
    return place;
}

struct node *cluster_learn(struct cluster *cluster, const struct prober_addr *address)
{
    struct node *node = cluster_lookup(cluster, address);
    size_t at;

    if (node)
        return node;
    node = model_alloc(1, sizeof(*node));
    node->address = *address;
    prober_addr_format(address, node->text);
    node->index = take_place(cluster);
    node->phi = -1;
    cluster->nodes[node->index] = node;
    at = lower_bound(cluster, address);
    memmove(cluster->sorted + at + 1, cluster->sorted + at,
            (cluster->n_sorted - at) * sizeof(*cluster->sorted));
    cluster->sorted[at] = node;
    cluster->n_sorted++;
    cluster->n_known++;
    cluster->wants_views = true;
    mark_opinions(cluster, node);
    mark_verdict(cluster, node);
    return node;
}

struct node *cluster_add(struct cluster *cluster, const struct prober_addr *address)
{
    struct node *node = cluster_learn(cluster, address);

    node->private.fixed = true;
    node->forgotten = false;
    return node;
}

void cluster_unfix(struct cluster *cluster, bool local)
{
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        struct node *node = cluster->sorted[i];

        node->private.fixed = false;
        if (!local)
            continue;
        node->local = false;
        node->phi = -1;
        mark_verdict(cluster, node);
    }
    if (local) {
        cluster->local = NULL;
        cluster->last_local = (struct observation){0};
    }
}

void cluster_recall(struct cluster *cluster, const struct prober_addr *address)
{
    cluster_learn(cluster, address);
}

void cluster_recall_state(struct cluster *cluster, const struct gossip_state *state)
{
    struct node *node = cluster_learn(cluster, &state->endpoint);

    node->gossip.endpoint = node->address;
    gossip_merge(&node->gossip, state);
}

enum liveness cluster_opinion(const struct cluster *cluster, const struct node *observer,
                              const struct node *node)
{
    (void)cluster;
    return observer->n_opinions ? observer->opinions[node->index] : LIVENESS_UNKNOWN;
}

void cluster_clean(struct cluster *cluster)
{
    size_t kept = 0;

    for (size_t i = 0; i < cluster->n_sorted; i++) {
        struct node *node = cluster->sorted[i];

        node->dirty_opinions = node->dirty_verdict = false;
        if (!node->forgotten) {
            cluster->sorted[kept++] = node;
            continue;
        }
        cluster->nodes[node->index] = NULL;
        free_node(node);
    }
    cluster->n_sorted = kept;
    cluster->dirty = false;
}

#include "cluster_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The node an observation is of; NULL = none that is known. */
static struct node *observer_of(struct cluster *cluster, const struct observation *observation)
{
    struct node *node;

    if (!observation->local)
        return cluster_find(cluster, &observation->observer);
    if (prober_addr_is_unset(&observation->observer))
        return cluster->local;
    node = cluster_learn(cluster, &observation->observer);
    if (node == cluster->local)
        return node;
    if (cluster->local) {
        cluster->local->local = false;
        mark_verdict(cluster, cluster->local);
    }
    cluster->local = node;
    node->local = true;
    node->forgotten = false;
    mark_verdict(cluster, node);
    return node;
}

/* What is shown while the local node has no address yet. */
static bool remember_local(struct cluster *cluster, const struct observation *observation)
{
    struct observation *last = &cluster->last_local;
    bool changed = last->result != observation->result ||
                   last->http_status != observation->http_status ||
                   last->process_gone != observation->process_gone;

    *last = *observation;
    last->view = NULL;
    cluster->dirty |= changed;
    return changed;
}

/* When the data was true at the latest. */
static int64_t data_ms(const struct observation *observation)
{
    int64_t age_ms = observation->age_ms, at_ms = observation->began_ms;

    return age_ms < at_ms ? at_ms - age_ms : 1;
}

static const struct gossip_state *own_state(const struct node *node, const struct view *view)
{
    for (size_t i = 0; i < view->n_states; i++)
        if (prober_addr_compare(&view->states[i].endpoint, &node->address) == 0)
            return &view->states[i];
    return NULL;
}

/* Keeps the head of a view. True when its owner's state is another than before. */
static bool keep_head(struct cluster *cluster, struct node *node, const struct view *view,
                      int64_t at_ms)
{
    struct view *kept = node->view;
    bool state_changed, changed;

    if (!kept)
        kept = node->view = model_alloc(1, sizeof(*kept));
    state_changed = node->private.state_since_ms == 0 || strcmp(kept->mode, view->mode) != 0 ||
                    kept->native_transport != view->native_transport ||
                    kept->gossip != view->gossip;
    changed = state_changed || strcmp(kept->release, view->release) != 0 ||
              strcmp(kept->host_id, view->host_id) != 0 ||
              strcmp(kept->cluster_name, view->cluster_name) != 0;
    *kept = *view;
    kept->opinions = NULL;
    kept->states = NULL;
    kept->phis = NULL;
    kept->n_opinions = kept->n_states = kept->n_phis = 0;
    if (state_changed)
        node->private.state_since_ms = at_ms;
    if (own_state(node, view))
        node->private.own_detail_ms = at_ms;
    if (changed)
        mark_verdict(cluster, node);
    return state_changed;
}

/* The cluster's name is what this host's own node says, else what was heard first. */
static void learn_name(struct cluster *cluster, const struct view *view, bool local)
{
    if (view->cluster_name[0] == '\0' || (cluster->name[0] && !local) ||
        strcmp(cluster->name, view->cluster_name) == 0)
        return;
    memcpy(cluster->name, view->cluster_name, sizeof(cluster->name));
    cluster->dirty = true;
}

/*
 * Whether the view is of the node it was asked of. A replaced host has a new host id: the others'
 * gossip says so, or its own when that is of a later generation than what is held.
 */
static enum poll_result check_identity(struct cluster *cluster, struct node *node,
                                       const struct view *view)
{
    enum poll_result identity = view_identity(cluster, node);
    const struct gossip_state *own = own_state(node, view);

    if (identity == POLL_WRONG_HOST && own && own->generation > node->gossip.generation &&
        strcasecmp(own->host_id, view->host_id) == 0) {
        gossip_merge(&node->gossip, own);
        mark_verdict(cluster, node);
        identity = view_identity(cluster, node);
    }
    if (identity == POLL_WRONG_HOST && !node->private.impostor)
        cluster->wants_detail = true;
    node->private.impostor = identity != POLL_OK;
    return identity;
}

/* Endpoints nobody knew before. True when there were any. */
static bool learn_endpoints(struct cluster *cluster, const struct view *view)
{
    bool learned = false;

    for (size_t i = 0, k = 0; i < view->n_opinions; i++) {
        const struct prober_addr *endpoint = &view->opinions[i].endpoint;
        struct node *node;

        while (k < cluster->n_sorted &&
               prober_addr_compare(&cluster->sorted[k]->address, endpoint) < 0)
            k++;
        node = k < cluster->n_sorted ? cluster->sorted[k] : NULL;
        if (node && prober_addr_compare(&node->address, endpoint) == 0 && !node->forgotten)
            continue;
        node = cluster_learn(cluster, endpoint);
        if (node->forgotten)
            mark_verdict(cluster, node);
        node->forgotten = false;
        learned = true;
    }
    return learned;
}

static void first_row(struct cluster *cluster, struct node *observer)
{
    size_t n = cluster->private->capacity;

    observer->opinions = model_alloc(n, sizeof(*observer->opinions));
    observer->opinion_since = model_alloc(n, sizeof(*observer->opinion_since));
    observer->n_opinions = n;
    for (size_t i = 0; i < n; i++)
        observer->opinion_since[i] = (uint32_t)observer->polls_ok;
}

/* Brings the observer's row up to its view. True when an opinion changed. */
static bool keep_opinions(struct cluster *cluster, struct node *observer, const struct view *view)
{
    bool changed = false;

    if (observer->n_opinions == 0)
        first_row(cluster, observer);
    for (size_t i = 0, k = 0; i < cluster->n_sorted; i++) {
        struct node *node = cluster->sorted[i];
        uint8_t *held = &observer->opinions[node->index], liveness = LIVENESS_UNKNOWN;

        while (k < view->n_opinions &&
               prober_addr_compare(&view->opinions[k].endpoint, &node->address) < 0)
            k++;
        if (k < view->n_opinions &&
            prober_addr_compare(&view->opinions[k].endpoint, &node->address) == 0)
            liveness = (uint8_t)view->opinions[k].liveness;
        if (*held == liveness)
            continue;
        if ((*held == LIVENESS_UP) != (liveness == LIVENESS_UP))
            observer->opinion_since[node->index] = (uint32_t)observer->polls_ok;
        *held = liveness;
        mark_opinions(cluster, node);
        changed = true;
    }
    return changed;
}

/* True when a gossip state changed. */
static bool keep_states(struct cluster *cluster, const struct view *view)
{
    bool changed = false;

    for (size_t i = 0, k = 0; i < view->n_states; i++) {
        const struct prober_addr *endpoint = &view->states[i].endpoint;
        struct node *node;

        while (k < cluster->n_sorted &&
               prober_addr_compare(&cluster->sorted[k]->address, endpoint) < 0)
            k++;
        node = k < cluster->n_sorted ? cluster->sorted[k] : NULL;
        if (!node || prober_addr_compare(&node->address, endpoint) != 0)
            continue;
        node->has_gossip = true;
        node->gossip.endpoint = node->address;
        if (!gossip_merge(&node->gossip, &view->states[i]))
            continue;
        mark_verdict(cluster, node);
        changed = true;
    }
    return changed;
}

static void keep_phis(struct cluster *cluster, const struct view *view)
{
    for (size_t i = 0, k = 0; i < cluster->n_sorted; i++) {
        struct node *node = cluster->sorted[i];
        double phi = -1;

        while (k < view->n_phis && prober_addr_compare(&view->phis[k].endpoint, &node->address) < 0)
            k++;
        if (k < view->n_phis && prober_addr_compare(&view->phis[k].endpoint, &node->address) == 0)
            phi = view->phis[k].value;
        if (node->phi == phi)
            continue;
        node->phi = phi;
        mark_verdict(cluster, node);
    }
}

/*
 * Whose word for it is taken that there is an endpoint. While this host's own node takes part in
 * gossip it knows them all, so that other hosts need not be able to have any address asked, or to
 * fill the tables.
 */
static bool may_teach(const struct cluster *cluster, const struct observation *observation,
                      int64_t now_ms)
{
    const struct node *local = cluster->local;

    if (observation->told && local && observer_usable(cluster, local, now_ms))
        return false;
    return view_takes_part(observation->view) || cluster->private->n_eligible == 0;
}

/* Takes a new view in; *ret_changed when that can matter to anybody. */
static enum poll_result keep_view(struct cluster *cluster, struct node *node,
                                  const struct observation *observation, int64_t now_ms,
                                  bool *ret_changed)
{
    const struct view *view = observation->view;
    /* Another host tells the state of its own node alone. */
    bool moved = keep_head(cluster, node, view, data_ms(observation)), refreshed = false;
    bool all_states = view->n_states > 0 && view->n_states >= view->n_opinions;
    enum poll_result identity;

    learn_name(cluster, view, observation->local);
    identity = check_identity(cluster, node, view);
    if (identity == POLL_OK && may_teach(cluster, observation, now_ms))
        moved |= learn_endpoints(cluster, view);
    moved |= keep_opinions(cluster, node, view);
    if (identity == POLL_OK && view_takes_part(view) && view->n_states > 0) {
        refreshed = keep_states(cluster, view);
        if (all_states)
            cluster->private->detail_ms = data_ms(observation);
    }
    if (observation->local && all_states)
        keep_phis(cluster, view);
    if (view->hint_window_ms > 0 && (observation->local || !cluster->local))
        cluster->hint_window_ms = view->hint_window_ms;
    /* Gossip states are in detail polls alone: what moved here may have moved there too. */
    if (moved && !all_states)
        cluster->wants_detail = true;
    *ret_changed |= moved || refreshed || node->dirty_verdict;
    return identity;
}

/*
 * The process is gone until it answers again. A poll that fails in another way is no sign of life
 * worth trusting, but gossip of a later generation that serves is.
 */
static bool follow_process(struct node *node, const struct observation *observation)
{
    bool before = node->process_gone;

    if (observation->process_gone && !before)
        node->private.gone_generation = node->gossip.generation;
    if (observation->process_gone)
        node->process_gone = true;
    else if (observation->result == POLL_OK)
        node->process_gone = false;
    return node->process_gone != before;
}

/*
 * Its agent answers, and Cassandra is not there: the process that gossip speaks of has ended, or is
 * about to. Nobody else may notice, when it starts again at once. What a start that keeps it from
 * answering makes of the next polls is no news.
 */
static void follow_start(struct node *node, const struct observation *observation)
{
    struct node_private *private = &node->private;
    enum poll_result result = observation->result;

    if (result == POLL_OK || result == POLL_NO_MBEAN)
    private->alive_ms = data_ms(observation);
    if (result == POLL_OK) {
        private->starting = false;
    } else if (result == POLL_NO_MBEAN && !private->starting) {
        private->starting = true;
        private->old_generation = node->gossip.generation;
    }
}

/* What another host says of its node holds until that host says otherwise, or nothing. */
static bool follow_hang(const struct cluster *cluster, struct node *node,
                        const struct observation *observation)
{
    bool before = node->private.hung;

    node->private.hung = observation->hung && observation->age_ms <= cluster->readiness.view_ttl_ms;
    return node->private.hung != before;
}

/* That nothing serves is data, too, where the process or its own host says so. */
static void keep_told(struct node *node, const struct observation *observation)
{
    if (observation->process_gone || observation->hung || observation->result == POLL_NO_MBEAN)
        node->told_at_ms = data_ms(observation);
}

/* How the poll ended, as documents show it. */
static bool keep_result(struct node *node, enum poll_result result,
                        const struct observation *observation)
{
    if (node->last_result == result && node->last_http_status == observation->http_status &&
        strcmp(node->last_detail, observation->detail) == 0)
        return false;
    node->last_result = result;
    node->last_http_status = observation->http_status;
    memcpy(node->last_detail, observation->detail, sizeof(node->last_detail));
    return true;
}

/* For people alone. */
static void keep_report(struct node *node, const struct observation *observation)
{
    node->reported_at_ms = observation->began_ms;
    node->took_ms = (uint32_t)(observation->ended_ms - observation->began_ms);
    if (observation->bytes > 0)
        node->bytes = observation->bytes;
}

bool cluster_ingest(struct cluster *cluster, struct observation *observation, int64_t now_ms)
{
    bool changed = observation->local && remember_local(cluster, observation), was_fresh;
    struct node *node = observer_of(cluster, observation);
    enum poll_result result = observation->result;

    if (!node)
        return changed;
    was_fresh = node_view_fresh(cluster, node, now_ms);
    changed |= follow_process(node, observation);
    changed |= follow_hang(cluster, node, observation);
    follow_start(node, observation);
    keep_told(node, observation);
    keep_report(node, observation);
    if (result == POLL_OK) {
        node->polls_ok++;
        if (observation->view)
            result = keep_view(cluster, node, observation, now_ms, &changed);
        else if (node->view)
            result = check_identity(cluster, node, node->view);
        if (node->view)
            node->observed_at_ms = data_ms(observation);
    } else {
        node->polls_failed++;
    }
    node->failures[result]++;
    if (keep_result(node, result, observation)) {
        mark_verdict(cluster, node);
        changed = true;
    }
    return changed || was_fresh != node_view_fresh(cluster, node, now_ms);
}

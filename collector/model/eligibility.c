#include "cluster_internal.h"

#include <string.h>
#include <strings.h>

static const char normal[] = "NORMAL";

enum poll_result view_identity(const struct cluster *cluster, const struct node *node)
{
    const struct view *view = node->view;

    if (view->cluster_name[0] && cluster->name[0] && strcmp(view->cluster_name, cluster->name) != 0)
        return POLL_WRONG_CLUSTER;
    if (view->host_id[0] && node->gossip.host_id[0] &&
        strcasecmp(view->host_id, node->gossip.host_id) != 0)
        return POLL_WRONG_HOST;
    return POLL_OK;
}

bool view_takes_part(const struct view *view)
{
    return (view->mode[0] == '\0' || strcmp(view->mode, normal) == 0) &&
           view->gossip != TRILEAN_FALSE;
}

bool node_view_fresh(const struct cluster *cluster, const struct node *observer, int64_t now_ms)
{
    return observer->view && !observer->private.impostor && !observer->process_gone &&
           now_ms - observer->observed_at_ms <= cluster->readiness.view_ttl_ms;
}

bool observer_usable(const struct cluster *cluster, const struct node *node, int64_t now_ms)
{
    return !node->gone && !node->forgotten && node_view_fresh(cluster, node, now_ms) &&
           view_takes_part(node->view);
}

/* The node itself says in what mode it is. */
static bool knows_mode(const struct cluster *cluster, const struct node *node, int64_t now_ms)
{
    return node_view_fresh(cluster, node, now_ms) && node->view->mode[0] != '\0';
}

/*
 * A node in mode NORMAL may still have the STATUS of an earlier state here (shutdown, BOOT): gossip
 * states are asked for seldom. Its STATUS counts again once the node itself has shown its gossip
 * state in the mode it is in.
 */
const char *node_status(const struct cluster *cluster, const struct node *node, int64_t now_ms)
{
    if (knows_mode(cluster, node, now_ms) && strcmp(node->view->mode, normal) == 0 &&
        node->private.own_detail_ms < node->private.state_since_ms)
        return "";
    return node->gossip.status;
}

/*
 * A node that says nothing of its mode. Without any gossip state of it yet it is given `settle` to
 * show one, so that a joining node is not taken for a ready one; a gossip state without a STATUS is
 * that of a node before it joins.
 */
static bool status_contradicts(const struct cluster *cluster, const struct node *node,
                               int64_t now_ms)
{
    const struct gossip_state *gossip = &node->gossip;

    if (gossip->status[0])
        return strcmp(gossip->status, normal) != 0;
    if (gossip->generation > 0)
        return true;
    return now_ms - node->private.first_seen_ms < cluster->readiness.settle_ms;
}

/*
 * Not in the ring yet, as far as is known, and for `settle` too while nothing is. A member that
 * starts again stays one, with no STATUS at first.
 */
bool node_joining(const struct cluster *cluster, const struct node *node, int64_t now_ms)
{
    const char *status = node_status(cluster, node, now_ms);

    if (status[0] || node->member)
        return status_is_joining(status);
    if (knows_mode(cluster, node, now_ms))
        return strcmp(node->view->mode, normal) != 0;
    return node->gossip.generation > 0 ||
           now_ms - node->private.first_seen_ms < cluster->readiness.settle_ms;
}

/*
 * Its process is there and does not answer: stopped, swapping, collecting garbage. The others would
 * find out much later. Its own host alone may conclude that: for anybody else it may be the
 * network.
 */
static bool is_hung(const struct cluster *cluster, const struct node *node, int64_t now_ms)
{
    if (!node->local)
        return node->private.hung;
    return node->last_result == POLL_TIMEOUT && node->view &&
           now_ms - node->observed_at_ms > cluster->readiness.view_ttl_ms;
}

uint32_t node_state_reasons(const struct cluster *cluster, const struct node *node, int64_t now_ms)
{
    bool fresh = node_view_fresh(cluster, node, now_ms);
    enum trilean native = fresh ? node->view->native_transport : TRILEAN_UNKNOWN;
    uint32_t reasons = 0;

    if (node->gone)
        return REASON_GONE;
    if (node->process_gone)
        reasons |= REASON_PROCESS_GONE;
    if (node->private.starting)
        reasons |= REASON_STARTING;
    if (is_hung(cluster, node, now_ms))
        reasons |= REASON_HUNG;
    if (knows_mode(cluster, node, now_ms)) {
        const char *status = node_status(cluster, node, now_ms);

        reasons |= strcmp(node->view->mode, normal) != 0 ? REASON_MODE : 0;
        reasons |= status[0] && strcmp(status, normal) != 0 ? REASON_STATUS : 0;
    } else if (status_contradicts(cluster, node, now_ms)) {
        reasons |= REASON_STATUS;
    }
    if (native == TRILEAN_UNKNOWN)
        native = node->gossip.rpc_ready;
    if (native == TRILEAN_FALSE)
        reasons |= REASON_NATIVE_OFF;
    if (fresh && node->view->gossip == TRILEAN_FALSE)
        reasons |= REASON_GOSSIP_OFF;
    return reasons;
}

/* Why its opinion would not count even after `settle`. */
static enum ineligible unfit(const struct cluster *cluster, const struct node *node, int64_t now_ms)
{
    if (!node->view)
        return INELIGIBLE_NO_VIEW;
    if (node->private.impostor)
        return INELIGIBLE_IMPOSTOR;
    if (!node_view_fresh(cluster, node, now_ms))
        return node->last_result == POLL_OK ? INELIGIBLE_STALE : INELIGIBLE_NO_VIEW;
    if (node_state_reasons(cluster, node, now_ms) != 0)
        return INELIGIBLE_STATE;
    if (node->opinions[node->index] != LIVENESS_UP)
        return INELIGIBLE_SELF_DOWN;
    return ELIGIBLE;
}

bool node_update_eligibility(const struct cluster *cluster, struct node *node, int64_t now_ms)
{
    enum ineligible before = node->ineligible;

    node->ineligible = node->forgotten ? INELIGIBLE_NO_VIEW : unfit(cluster, node, now_ms);
    if (node->ineligible != ELIGIBLE) {
        node->eligible_since_ms = 0;
        node->private.settled = false;
        return node->ineligible != before;
    }
    if (node->eligible_since_ms == 0)
        node->eligible_since_ms = now_ms;
    if (cluster->rounds == 0 || node->view->settled ||
        now_ms - node->eligible_since_ms >= cluster->readiness.settle_ms)
        node->private.settled = true;
    if (!node->private.settled)
        node->ineligible = INELIGIBLE_SETTLING;
    return node->ineligible != before;
}

#include <stdio.h>
#include <string.h>

#include "cluster_internal.h"

/* A process that starts may not answer for a while; what is silent for longer does not start. */
#define SILENT_MS 60000

static bool answered_lately(const struct node *node, int64_t now_ms)
{
    return node->private.alive_ms != 0 && now_ms - node->private.alive_ms <= SILENT_MS;
}

static bool has_mode(const struct cluster *cluster, const struct node *node, int64_t now_ms,
                     const char *mode)
{
    return node_view_fresh(cluster, node, now_ms) && strcmp(node->view->mode, mode) == 0;
}

bool node_starting(const struct cluster *cluster, const struct node *node, int64_t now_ms)
{
    if (node->gone || node->forgotten || node->process_gone)
        return false;
    if (node->private.starting && node->last_result != POLL_REFUSED)
        return answered_lately(node, now_ms);
    return has_mode(cluster, node, now_ms, "STARTING") ||
           has_mode(cluster, node, now_ms, "JOINING");
}

bool node_coming_up(const struct cluster *cluster, const struct node *node, int64_t now_ms)
{
    if (node_starting(cluster, node, now_ms))
        return true;
    return node->verdict.readiness != READY && !node->gone && node->down_since_ms == 0 &&
           (node->raw.reasons & REASON_NATIVE_OFF) && has_mode(cluster, node, now_ms, "NORMAL");
}

const char *node_movement(const struct node *node)
{
    const char *status = node->gossip.status;

    if (status_is_joining(status) ||
        (node->view && !node->member && strcmp(node->view->mode, "JOINING") == 0))
        return "joining";
    if (strcmp(status, "LEAVING") == 0)
        return "leaving";
    return strcmp(status, "MOVING") == 0 ? "moving" : NULL;
}

bool node_running(const struct cluster *cluster, const struct node *node, int64_t now_ms)
{
    if (node->gone || node->forgotten || node->process_gone)
        return false;
    if (node->raw.up > 0 || node_view_fresh(cluster, node, now_ms))
        return true;
    return node->raw.down == 0 && node->last_result != POLL_REFUSED &&
           answered_lately(node, now_ms);
}

/* Nobody who counts has an opinion of it. */
static bool unwatched(const struct node *node)
{
    return node->raw.counted == 0 && node->ineligible != ELIGIBLE &&
           node->ineligible != INELIGIBLE_SETTLING;
}

const char *node_flaw(const struct node *node, char word[FLAW_LEN])
{
    uint32_t reasons = node->raw.reasons;
    const char *movement = node_movement(node);

    if ((reasons & (REASON_PROCESS_GONE | REASON_DOWN)) && !(reasons & REASON_STARTING))
        return "is down";
    if (movement) {
        snprintf(word, FLAW_LEN, "is %s", movement);
        return word;
    }
    if (reasons & REASON_STARTING)
        return "is starting";
    if (reasons & REASON_HUNG)
        return "does not answer";
    if (reasons & REASON_LOST_VOTE)
        return "disagrees with the others";
    if (reasons & REASON_GOSSIP_OFF)
        return "has its gossip off";
    if ((reasons & REASON_MODE) && node->view) {
        snprintf(word, FLAW_LEN, "is in mode %.30s", node->view->mode);
        return word;
    }
    if (reasons & REASON_STATUS) {
        snprintf(word, FLAW_LEN, "has status %.30s",
                 node->gossip.status[0] ? node->gossip.status : "unknown");
        return word;
    }
    if (reasons & REASON_UNSEEN)
        return "is not known to all";
    return unwatched(node) ? "is seen by nobody" : NULL;
}

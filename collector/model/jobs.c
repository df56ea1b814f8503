#include "jobs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "permit.h"

const char *job_state_word(enum job_state state)
{
    static const char *const words[JOB_STATES] = {"none", "running", "paused", "aborting",
                                                  "done", "failed",  "aborted"};

    return words[state];
}

const char *job_node_state_word(enum job_node_state state)
{
    static const char *const words[JOB_NODE_STATES] = {"none",     "waiting", "granted", "running",
                                                       "settling", "done",    "failed",  "skipped"};

    return words[state];
}

bool job_type_ok(const char *type)
{
    size_t len = strspn(type, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");

    return len > 0 && len < JOB_TYPE_LEN && type[len] == '\0';
}

bool job_ended(const struct job *job)
{
    return job->state >= JOB_DONE;
}

void job_done(struct job *job)
{
    free(job->nodes);
    *job = (struct job){0};
}

int job_copy(const struct job *job, struct job *ret)
{
    struct job_node *nodes = calloc(job->n_nodes + 1, sizeof(*nodes));

    if (!nodes)
        return -ENOMEM;
    if (job->n_nodes > 0)
        memcpy(nodes, job->nodes, job->n_nodes * sizeof(*nodes));
    *ret = *job;
    ret->nodes = nodes;
    return 0;
}

static bool node_same(const struct job_node *a, const struct job_node *b)
{
    return prober_addr_compare(&a->address, &b->address) == 0 &&
           strcmp(a->datacenter, b->datacenter) == 0 && strcmp(a->rack, b->rack) == 0 &&
           a->state == b->state && a->bad == b->bad && a->mended == b->mended &&
           strcmp(a->why, b->why) == 0 && a->began_ms == b->began_ms && a->ended_ms == b->ended_ms;
}

bool job_same(const struct job *a, const struct job *b)
{
    if (strcmp(a->id, b->id) != 0 || strcmp(a->type, b->type) != 0 || a->state != b->state ||
        a->go_on != b->go_on || strcmp(a->why, b->why) != 0 || strcmp(a->by, b->by) != 0 ||
        strcmp(a->run, b->run) != 0 || strcmp(a->aborted_by, b->aborted_by) != 0 ||
        a->started_ms != b->started_ms || a->ended_ms != b->ended_ms || a->n_nodes != b->n_nodes)
        return false;
    for (size_t i = 0; i < a->n_nodes; i++)
        if (!node_same(&a->nodes[i], &b->nodes[i]))
            return false;
    return true;
}

/* Whether it is one of those that the request names, or it names none. */
static bool named(const struct job_request *request, const struct node *node)
{
    for (size_t i = 0; i < request->n_nodes; i++)
        if (prober_addr_compare(&request->nodes[i], &node->address) == 0)
            return true;
    return !request->nodes;
}

static bool wanted(const struct job_request *request, const struct node *node)
{
    return node->member && !node->gone && !node->forgotten && named(request, node) &&
           (!request->datacenter || strcmp(request->datacenter, node->gossip.datacenter) == 0) &&
           (!request->rack || strcmp(request->rack, node->gossip.rack) == 0);
}

static int compare(const void *left, const void *right)
{
    const struct job_node *a = left, *b = right;
    int r = strcmp(a->datacenter, b->datacenter);

    if (r == 0)
        r = strcmp(a->rack, b->rack);
    return r ? r : prober_addr_compare(&a->address, &b->address);
}

/* A node that was named and will not be part of it: who asks thinks of another cluster. */
static bool all_wanted(const struct cluster *cluster, const struct job_request *request, char *why)
{
    char text[PROBER_ADDR_STRLEN];

    for (size_t i = 0; i < request->n_nodes; i++) {
        const struct node *node = cluster_find(cluster, &request->nodes[i]);

        if (node && wanted(request, node))
            continue;
        prober_addr_format(&request->nodes[i], text);
        snprintf(why, JOB_WHY_LEN, "%s is no member of the cluster%s", text,
                 request->datacenter || request->rack ? ", data center and rack" : "");
        return false;
    }
    return true;
}

int job_make(const struct cluster *cluster, const struct job_request *request, int64_t wall_ms,
             struct job *ret, char why[JOB_WHY_LEN])
{
    struct job job = {.state = JOB_RUNNING, .go_on = request->go_on, .started_ms = wall_ms};

    if (!job_type_ok(request->type)) {
        snprintf(why, JOB_WHY_LEN, "no type of a job: up to %d letters, digits and \"-\"",
                 JOB_TYPE_LEN - 1);
        return -EINVAL;
    }
    if (!all_wanted(cluster, request, why))
        return -ENOENT;
    job.nodes = calloc(cluster->n_sorted + 1, sizeof(*job.nodes));
    if (!job.nodes)
        return -ENOMEM;
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *node = cluster->sorted[i];
        struct job_node *place = &job.nodes[job.n_nodes];

        if (!wanted(request, node))
            continue;
        job.n_nodes++;
        place->address = node->address;
        place->state = JOB_NODE_WAITING;
        memcpy(place->datacenter, node->gossip.datacenter, sizeof(place->datacenter));
        memcpy(place->rack, node->gossip.rack, sizeof(place->rack));
    }
    if (job.n_nodes == 0 || job.n_nodes > JOB_NODES_MAX) {
        int r = job.n_nodes == 0 ? -ENOENT : -E2BIG;

        snprintf(why, JOB_WHY_LEN,
                 r == -ENOENT ? "there is no such node"
                              : "there are too many nodes for one job; name a dc or rack");
        free(job.nodes);
        return r;
    }
    qsort(job.nodes, job.n_nodes, sizeof(*job.nodes), compare);
    snprintf(job.id, sizeof(job.id), "%s", request->id);
    snprintf(job.type, sizeof(job.type), "%s", request->type);
    snprintf(job.by, sizeof(job.by), "%s", request->by);
    *ret = job;
    return 0;
}

size_t job_current(const struct job *job)
{
    for (size_t i = 0; i < job->n_nodes; i++)
        if (job->nodes[i].state >= JOB_NODE_GRANTED && job->nodes[i].state <= JOB_NODE_SETTLING)
            return i;
    return JOB_NOBODY;
}

size_t job_attention(const struct job *job)
{
    size_t current = job_current(job);

    for (size_t i = 0; current == JOB_NOBODY && i < job->n_nodes; i++)
        if (job->nodes[i].state == JOB_NODE_WAITING)
            current = i;
    return current;
}

size_t job_find(const struct job *job, const struct prober_addr *address)
{
    for (size_t i = 0; i < job->n_nodes; i++)
        if (prober_addr_compare(&job->nodes[i].address, address) == 0)
            return i;
    return JOB_NOBODY;
}

void job_token(const struct job *job, size_t node, char ret[JOB_TOKEN_LEN])
{
    snprintf(ret, JOB_TOKEN_LEN, PERMIT_JOB "%.16s-%u", job->id, (unsigned)node);
}

size_t job_token_node(const struct job *job, const char *token)
{
    char own[JOB_TOKEN_LEN];

    for (size_t i = 0; i < job->n_nodes; i++) {
        job_token(job, i, own);
        if (strcmp(own, token) == 0)
            return i;
    }
    return JOB_NOBODY;
}

/* The most telling of what keeps it from being live. */
static void say_why(const struct cluster *cluster, const struct node *node, int64_t now_ms,
                    char *why)
{
    const struct verdict *verdict = &node->verdict;

    if (node->process_gone || verdict->reasons & REASON_PROCESS_GONE)
        snprintf(why, JOB_WHY_LEN, "its process is gone");
    else if (verdict->reasons & REASON_DRAINED)
        snprintf(why, JOB_WHY_LEN, "it is drained");
    else if (verdict->reasons & REASON_REHAB)
        snprintf(why, JOB_WHY_LEN, "it changed too often");
    else if (verdict->down > 0)
        snprintf(why, JOB_WHY_LEN, "DOWN by %u of %u", verdict->down, verdict->counted);
    else if (!node->view || !node_view_fresh(cluster, node, now_ms))
        snprintf(why, JOB_WHY_LEN, "no recent answer of it (%s)",
                 poll_result_word(node->last_result));
    else if (node->view->native_transport != TRILEAN_TRUE)
        snprintf(why, JOB_WHY_LEN, "its native transport does not run");
    else if (strcmp(node->view->mode, "NORMAL") != 0)
        snprintf(why, JOB_WHY_LEN, "mode %s", node->view->mode[0] ? node->view->mode : "unknown");
    else
        snprintf(why, JOB_WHY_LEN, "not ready");
}

void job_look(const struct cluster *cluster, const struct prober_addr *address, int64_t now_ms,
              struct job_sight *ret)
{
    const struct node *node = cluster_find(cluster, address);

    *ret = (struct job_sight){0};
    if (!node || node->gone || node->forgotten) {
        ret->gone = node && node->gone;
        snprintf(ret->why, sizeof(ret->why), "it %s",
                 ret->gone ? "has left the cluster" : "is not known");
        return;
    }
    ret->live = node->verdict.readiness == READY && !node->process_gone && node->view &&
                node_view_fresh(cluster, node, now_ms) &&
                node->view->native_transport == TRILEAN_TRUE &&
                strcmp(node->view->mode, "NORMAL") == 0;
    if (!ret->live)
        say_why(cluster, node, now_ms, ret->why);
}

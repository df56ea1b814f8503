/* What acts, in /metrics: who leads, whether the coordination store answers, and the job. */
#include <inttypes.h>

#include "metrics.h"
#include "render_jobs.h"

#define PREFIX METRICS_PREFIX

/* All states that an active job may be in, so that one that changes leaves no series behind. */
static void add_active(struct text *text, const struct job *job)
{
    static const enum job_state states[] = {JOB_RUNNING, JOB_PAUSED, JOB_ABORTING};
    size_t n[JOB_NODE_STATES] = {0};

    metrics_family(text, "job_state", "gauge",
                   "1 for the state that the active job is in; absent while there is none.");
    for (size_t i = 0; job && i < sizeof(states) / sizeof(states[0]); i++)
        text_printf(text, PREFIX "job_state{type=\"%s\",state=\"%s\"} %d\n", job->type,
                    job_state_word(states[i]), job->state == states[i]);
    metrics_family(text, "job_nodes", "gauge", "Nodes of the active job, by what became of them.");
    for (size_t i = 0; job && i < job->n_nodes; i++)
        n[job->nodes[i].state]++;
    for (int state = JOB_NODE_WAITING; job && state < JOB_NODE_STATES; state++)
        text_printf(text, PREFIX "job_nodes{type=\"%s\",state=\"%s\"} %zu\n", job->type,
                    job_node_state_word((enum job_node_state)state), n[state]);
}

static void add_last(struct text *text, const struct jobs_shown *shown)
{
    metrics_family(text, "job_last_failed", "gauge",
                   "1 when the last job of the type failed, 0 when it was done or aborted.");
    for (size_t i = 0; i < shown->n_last; i++)
        text_printf(text, PREFIX "job_last_failed{type=\"%s\"} %d\n", shown->last[i].type,
                    shown->last[i].state == JOB_FAILED);
}

void metrics_add_jobs(struct text *text, const struct render_context *context)
{
    const struct jobs_shown *shown = context->jobs;

    if (!shown || shown->no_store)
        return;
    metrics_gauge(text, "leader", "1 when this host leads the collectors of the cluster.",
                  context->host && shown->leader && *shown->leader &&
                      strcmp(context->host, shown->leader) == 0);
    metrics_gauge(text, "coordination_store_up",
                  "1 while the coordination store answers: permits and jobs need it.",
                  !shown->store || !*shown->store);
    add_active(text, shown->active);
    add_last(text, shown);
}

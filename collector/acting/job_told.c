/* What people are told of jobs: entries of the journal and decisions, by the host that did it. */
#include <stdio.h>
#include <string.h>

#include "job_runner_private.h"
#include "log.h"
#include "messages.h"

static void tell_node(struct job_runner *runner, const struct job *job, const struct job_node *node)
{
    const char *word = job_node_state_word(node->state), *why = node->why[0] ? node->why : NULL;
    bool bad = node->state == JOB_NODE_FAILED || node->state == JOB_NODE_SKIPPED || node->bad;
    char address[PROBER_ADDR_STRLEN], what[64];

    prober_addr_format(&node->address, address);
    log_event(&(struct log_event){.priority = bad ? LOG_WARNING : LOG_NOTICE,
                                  .id = MESSAGE_JOB_NODE,
                                  .node = address,
                                  .reason = why,
                                  .job = job->id,
                                  .job_type = job->type,
                                  .job_state = word},
              "job %s %s: %s is %s%s%s", job->type, job->id, address, word, why ? ": " : "",
              why ? why : "");
    if (node->state == JOB_NODE_DONE && strcmp(job->type, "repair") == 0 &&
        runner->settings.repaired)
        runner->settings.repaired(address, job->by, runner->settings.userdata);
    /* Who has granted it, and how it has ended, is to be known later; the steps between are not. */
    if (node->state == JOB_NODE_RUNNING || node->state == JOB_NODE_SETTLING)
        return;
    snprintf(what, sizeof(what), "%s: %s", job->type, word);
    record_decision(runner->settings.record, "job", address, what, why, job->by);
}

static void tell_job(struct job_runner *runner, const struct job *job)
{
    bool bad = job->state == JOB_PAUSED || job->state == JOB_FAILED;
    const char *word = job_state_word(job->state), *why = job->why[0] ? job->why : NULL;
    char what[64];

    log_event(&(struct log_event){.priority = bad ? LOG_WARNING : LOG_NOTICE,
                                  .id = MESSAGE_JOB,
                                  .reason = why,
                                  .job = job->id,
                                  .job_type = job->type,
                                  .job_state = word},
              "job %s %s by %s is %s: %zu nodes%s%s", job->type, job->id, job->by, word,
              job->n_nodes, why ? ": " : "", why ? why : "");
    snprintf(what, sizeof(what), "%s %s", job->type, word);
    record_decision(runner->settings.record, "job", NULL, what, why,
                    job->aborted_by[0] ? job->aborted_by : job->by);
}

void job_tell(struct job_runner *runner, const struct job *before, const struct job *after)
{
    for (size_t i = 0; before && i < after->n_nodes && i < before->n_nodes; i++)
        if (after->nodes[i].state != before->nodes[i].state)
            tell_node(runner, after, &after->nodes[i]);
    if (!before || after->state != before->state)
        tell_job(runner, after);
}

void job_tell_run(struct job_runner *runner, const struct job *job, size_t node, const char *unit)
{
    char address[PROBER_ADDR_STRLEN];

    (void)runner;
    prober_addr_format(&job->nodes[node].address, address);
    log_event(&(struct log_event){.priority = LOG_NOTICE,
                                  .id = MESSAGE_JOB_RUNS,
                                  .node = address,
                                  .job = job->id,
                                  .job_type = job->type},
              "job %s %s: starting %s on %s", job->type, job->id, unit, address);
}

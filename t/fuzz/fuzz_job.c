/* Arbitrary bytes as a job, or the last jobs, of the coordination store: what is read holds what
 * jobs.h says, and is the same once it was written and read again. */
#include <stdlib.h>
#include <string.h>

#include "store/job_json.h"

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_job(const struct job *job)
{
    unsigned acting = 0;

    check(job->state > JOB_NONE && job->state < JOB_STATES && job_type_ok(job->type));
    check(job->n_nodes <= JOB_NODES_MAX);
    check(memchr(job->why, '\0', sizeof(job->why)) && memchr(job->by, '\0', sizeof(job->by)));
    for (size_t i = 0; i < job->n_nodes; i++) {
        const struct job_node *node = &job->nodes[i];

        check(node->state > JOB_NODE_NONE && node->state < JOB_NODE_STATES);
        check(memchr(node->why, '\0', sizeof(node->why)));
        check(!node->bad || node->state == JOB_NODE_SETTLING);
        check(job_find(job, &node->address) == i);
        acting += node->state >= JOB_NODE_GRANTED && node->state <= JOB_NODE_SETTLING;
    }
    check(acting <= 1 && (!job_ended(job) || job_attention(job) == JOB_NOBODY));
}

static void check_again(const struct job *job)
{
    char why[DETAIL_LEN], *text = job_json_write(job);
    struct job again = {0};

    check(text && job_json_read(text, strlen(text), &again, why) == 0 && job_same(job, &again));
    job_done(&again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct job job = {0};
    struct jobs_last last = {0}, again = {0};
    char why[DETAIL_LEN] = "", *text;

    if (job_json_read((const char *)data, len, &job, why) == 0) {
        check_job(&job);
        check_again(&job);
    }
    if (job_json_read_last((const char *)data, len, &last, why) == 0 && last.n > 0) {
        for (size_t i = 0; i < last.n; i++)
            check_job(&last.items[i]);
        text = job_json_write_last(&last, &last.items[0], 100000);
        check(text && job_json_read_last(text, strlen(text), &again, why) == 0 && again.n > 0 &&
              again.n <= last.n && job_same(&again.items[0], &last.items[0]));
        free(text);
    }
    check(memchr(why, '\0', sizeof(why)));
    job_done(&job);
    jobs_last_done(&last);
    jobs_last_done(&again);
    return 0;
}

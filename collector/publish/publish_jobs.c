/* The cluster's jobs: rendered when they changed, as old as the store's last answer. */
#include <stdio.h>

#include "publish_private.h"
#include "render_jobs.h"

static void publish_type(const char *type, void *userdata)
{
    struct batch *batch = userdata;
    const struct jobs_shown *shown = batch->context->jobs;
    char key[JOB_TYPE_LEN + 16];

    snprintf(key, sizeof(key), "/jobs/%s", type);
    if (batch->all || batch->publisher->jobs != shown->changes + 1) {
        render_jobs_of(fresh(batch), shown, type);
        put(batch, key, 200, 0, TYPE_JSON);
    }
    touch(batch, key, shown->read_at_ms);
}

void publish_jobs(struct batch *batch)
{
    const struct jobs_shown *shown = batch->context->jobs;

    if (!shown)
        return;
    if (batch->all || batch->publisher->jobs != shown->changes + 1) {
        render_jobs(fresh(batch), shown);
        put(batch, "/jobs", 200, 0, TYPE_JSON);
    }
    touch(batch, "/jobs", shown->read_at_ms);
    jobs_types(shown, publish_type, batch);
    if (batch->error == 0)
        batch->publisher->jobs = shown->changes + 1;
}

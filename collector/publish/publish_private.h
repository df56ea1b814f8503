/* What the files that publish have in common. */
#ifndef PUBLISH_PRIVATE_H
#define PUBLISH_PRIVATE_H

#include <errno.h>

#include "publish.h"

#define TYPE_JSON "application/json"

/* One publish in progress. */
struct batch {
    struct publisher *publisher;
    const struct render_context *context;
    int64_t observed_at_ms; /* of the data behind the cluster-wide documents */
    bool all;               /* every document, changed or not */
    bool round;             /* and the ages of all */
    bool turned_only;       /* of the nodes only those whose readiness changed */
    int error;              /* the first one */
};

static inline void remember(struct batch *batch, int r)
{
    if (r >= 0)
        return;
    batch->publisher->failures++;
    if (batch->error == 0)
        batch->error = r;
}

/* Publishes what stands in publisher->text. */
static inline void put(struct batch *batch, const char *key, int status, unsigned flags,
                       const char *type)
{
    struct publisher *publisher = batch->publisher;
    const struct prober_document document = {
        .status = (uint16_t)status,
        .flags = (uint16_t)flags,
        .content_type = type,
        .body = publisher->text.data,
        .body_len = publisher->text.len,
    };
    int r = publisher->text.failed
                ? -ENOMEM
                : prober_segment_writer_put(publisher->writer, key, strlen(key), &document);

    remember(batch, r);
}

/* After a failure no age moves: what could not be replaced must not look new. */
static inline void touch(struct batch *batch, const char *key, int64_t observed_at_ms)
{
    if (batch->error < 0)
        return;
    prober_segment_writer_touch(batch->publisher->writer, key, strlen(key), observed_at_ms);
}

/* An empty text to render into. */
static inline struct text *fresh(struct batch *batch)
{
    text_reset(&batch->publisher->text);
    return &batch->publisher->text;
}

/* /jobs and /jobs/TYPE. */
void publish_jobs(struct batch *batch);

/* /matrix, where anything changed and, of many nodes, the round is over. */
void publish_matrix(struct batch *batch);

/* / */
void publish_page(struct batch *batch);

/* What was decided, found and reported: with a round. */
void publish_record(struct batch *batch);

#endif

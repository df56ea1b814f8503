/*
 * Documents -> segment: renders what is dirty, hands it to the segment writer, and keeps the ages
 * of the rest.
 */
#ifndef PUBLISH_H
#define PUBLISH_H

#include "metrics.h"
#include "prober_segment_writer.h"

#define SEEDS_DOCUMENTS 3

struct publisher {
    struct prober_segment_writer *writer; /* borrowed */
    struct text text;                     /* room that is used again */
    bool published;                  /* a complete set of documents was published by this process */
    int64_t published_at_ms;         /* the last publish without a failure began */
    uint64_t state_digest;           /* of the values that /state has; 0 = there is none yet */
    bool matrix_dirty;               /* /matrix waits for the round */
    uint64_t decisions;              /* how many changes of the log /decisions has, and one */
    uint64_t jobs;                   /* jobs_shown.changes of what /jobs has, and one */
    int64_t reports_ms;              /* when the reports were published last */
    bool seeds_age[SEEDS_DOCUMENTS]; /* these are of the collector before this one still */
    uint64_t failures;
    int last_error; /* negative errno of the last failure; 0 = the last publish was whole */
};

/*
 * Publishes every document that changed. `round`: a complete round, so the ages of all documents
 * and the heartbeat move.
 *
 * Between rounds, when many documents changed, only those of nodes whose readiness changed are
 * published, whatever the cluster's size; the rest waits for the round.
 *
 * 0: everything dirty is published; 1: some of it waits and must stay dirty; or the first error:
 * what could be published is.
 */
int publisher_publish(struct publisher *publisher, const struct render_context *context,
                      const struct process_figures *figures, bool round);

void publisher_free(struct publisher *publisher);

#endif

/*
 * Documents -> segment: renders what is dirty, hands it to the segment writer, and keeps the ages
 * of the rest.
 */
#ifndef PUBLISH_H
#define PUBLISH_H

#include "metrics.h"
#include "prober_segment_writer.h"

struct publisher {
    struct prober_segment_writer *writer; /* borrowed */
    struct text text;                     /* room that is used again */
    bool published; /* a complete set of documents was published by this process */
    uint64_t failures;
    int last_error; /* negative errno of the last failure; 0 = the last publish was whole */
};

/*
 * Publishes every document that changed and the ages of all. `round`: a complete round, so the
 * heartbeat moves. 0 or the first error; what could be published is.
 */
int publisher_publish(struct publisher *publisher, const struct render_context *context,
                      const struct process_figures *figures, bool round);

void publisher_free(struct publisher *publisher);

#endif

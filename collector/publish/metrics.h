/* The Prometheus text of /metrics. PURE: what the edges measured comes in as figures. */
#ifndef METRICS_H
#define METRICS_H

#include "../sources/poller.h"
#include "render.h"

/* Measured by the caller just before rendering. */
struct process_figures {
    double cpu_seconds; /* user + system */
    uint64_t resident_bytes;
    uint64_t segment_bytes;
    uint64_t segment_documents;
    uint64_t publish_failures; /* documents or rebuilds that could not be written */
    uint64_t reloads, reload_failures;
    uint64_t round_us_sum; /* from a round's first judgement to its last document */
    uint64_t round_us_max;
    struct poller_counters polls;
};

void render_metrics(struct text *text, const struct render_context *context,
                    const struct process_figures *figures);

#endif

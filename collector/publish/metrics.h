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
    uint64_t decisions; /* told to the journal */
    struct poller_counters polls;
};

/* With more nodes than that `context->metrics_opinions` is not followed: series grow by the square.
 */
#define METRICS_OPINIONS_MAX 200

/* `observed_at_ms`: CLOCK_BOOTTIME of the data behind the verdicts. */
void render_metrics(struct text *text, const struct render_context *context,
                    const struct process_figures *figures, int64_t observed_at_ms);

/* Private to metrics*.c. */
void metrics_family(struct text *text, const char *name, const char *type, const char *help);
void metrics_gauge(struct text *text, const char *name, const char *help, uint64_t value);
void metrics_add_nodes(struct text *text, const struct render_context *context);
void metrics_add_jobs(struct text *text, const struct render_context *context);

#define METRICS_PREFIX "cassandra_prober_"

#endif

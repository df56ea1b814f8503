#include "metrics.h"

#include <inttypes.h>
#include <stdio.h>

#include "words.h"

#define PREFIX METRICS_PREFIX

void metrics_family(struct text *text, const char *name, const char *type, const char *help)
{
    text_printf(text, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name, type);
}

static void family(struct text *text, const char *name, const char *type, const char *help)
{
    metrics_family(text, name, type, help);
}

void metrics_gauge(struct text *text, const char *name, const char *help, uint64_t value)
{
    family(text, name, "gauge", help);
    text_printf(text, PREFIX "%s %" PRIu64 "\n", name, value);
}

static void gauge(struct text *text, const char *name, const char *help, uint64_t value)
{
    metrics_gauge(text, name, help, value);
}

static void counter(struct text *text, const char *name, const char *help, uint64_t value)
{
    family(text, name, "counter", help);
    text_printf(text, PREFIX "%s %" PRIu64 "\n", name, value);
}

static void seconds(struct text *text, const char *name, const char *type, const char *help,
                    double value)
{
    family(text, name, type, help);
    text_printf(text, PREFIX "%s %.6f\n", name, value);
}

static void add_durations(struct text *text, const struct poller_counters *polls)
{
    static const int64_t bounds_us[POLL_DURATION_BUCKETS] = POLL_DURATIONS;
    uint64_t up_to = 0;

    family(text, "poll_duration_seconds", "histogram", "Time that polls took.");
    for (size_t i = 0; i < POLL_DURATION_BUCKETS; i++) {
        up_to += polls->durations[i];
        text_printf(text, PREFIX "poll_duration_seconds_bucket{le=\"%g\"} %" PRIu64 "\n",
                    (double)bounds_us[i] / 1e6, up_to);
    }
    text_printf(text, PREFIX "poll_duration_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n",
                polls->polls);
    text_printf(text, PREFIX "poll_duration_seconds_sum %.6f\n",
                (double)polls->duration_us_sum / 1e6);
    text_printf(text, PREFIX "poll_duration_seconds_count %" PRIu64 "\n", polls->polls);
}

static void add_polls(struct text *text, const struct poller_counters *polls)
{
    family(text, "polls_total", "counter", "Polls ended, by result.");
    for (int result = POLL_OK; result < POLL_RESULTS; result++)
        text_printf(text, PREFIX "polls_total{result=\"%s\"} %" PRIu64 "\n",
                    poll_result_word((enum poll_result)result), polls->results[result]);
    counter(text, "polls_unchanged_total", "Answers that said what the last one said.",
            polls->unchanged);
    counter(text, "polls_skipped_total", "Turns left out because the last poll still ran.",
            polls->skipped);
    counter(text, "poll_bytes_total", "Bytes of answers.", polls->bytes);
    add_durations(text, polls);
}

/* Times of day, so that who reads them later sees how old they are by then. */
static void add_times(struct text *text, const struct render_context *context,
                      int64_t observed_at_ms)
{
    seconds(text, "heartbeat_timestamp_seconds", "gauge",
            "Time of day of the round that these figures are of.",
            (double)(context->now_ms + context->wall_offset_ms) / 1e3);
    seconds(text, "data_timestamp_seconds", "gauge",
            "Time of day of the oldest view behind the verdicts.",
            (double)(observed_at_ms + context->wall_offset_ms) / 1e3);
    seconds(text, "data_age_seconds", "gauge",
            "Age of the oldest view behind the verdicts, as of the round.",
            (double)(context->now_ms - observed_at_ms) / 1e3);
}

static bool region_is_ready(const struct render_context *context)
{
    struct text text = {0};
    bool ready;

    render_ready_local_dcs(&text, context);
    ready = text.len >= 4 && memcmp(text.data, "true", 4) == 0;
    text_free(&text);
    return ready;
}

static void add_service(struct text *text, const struct render_context *context,
                        const struct process_figures *figures)
{
    counter(text, "rounds_total", "Complete rounds.", context->cluster->rounds);
    seconds(text, "round_seconds_total", "counter", "Time spent judging and publishing.",
            (double)figures->round_us_sum / 1e6);
    seconds(text, "round_seconds_max", "gauge", "Longest round since the start.",
            (double)figures->round_us_max / 1e6);
    counter(text, "verdict_changes_total", "Changes of published verdicts.",
            context->cluster->changes);
    counter(text, "decisions_total", "Decisions told to the journal.", figures->decisions);
    add_polls(text, &figures->polls);
    counter(text, "publish_failures_total", "Publishes that failed, as with a full disk.",
            figures->publish_failures);
    gauge(text, "segment_bytes", "Size of the segment.", figures->segment_bytes);
    gauge(text, "segment_documents", "Documents in the segment.", figures->segment_documents);
    gauge(text, "suspended", "1 while operators have told the observer to act on nothing.",
          observer_suspended(context->values));
    counter(text, "reloads_total", "Configuration reloads that were taken.", figures->reloads);
    counter(text, "reload_failures_total", "Configuration reloads that were refused.",
            figures->reload_failures);
    seconds(text, "cpu_seconds_total", "counter", "CPU time of the collector.",
            figures->cpu_seconds);
    gauge(text, "resident_bytes", "Resident memory of the collector.", figures->resident_bytes);
}

void render_metrics(struct text *text, const struct render_context *context,
                    const struct process_figures *figures, int64_t observed_at_ms)
{
    family(text, "build_info", "gauge", "The collector's version.");
    text_printf(text, PREFIX "build_info{version=\"%s\"} 1\n", PROBER_VERSION);
    add_times(text, context, observed_at_ms);
    gauge(text, "region_ready", "1 when every node of this host's region is ready, none missing.",
          region_is_ready(context));
    add_service(text, context, figures);
    metrics_add_nodes(text, context);
    metrics_add_jobs(text, context);
}

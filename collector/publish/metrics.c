#include "metrics.h"

#include <inttypes.h>
#include <stdio.h>

#include "words.h"

#define PREFIX "cassandra_prober_"

static void family(struct text *text, const char *name, const char *type, const char *help)
{
    text_printf(text, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name, type);
}

static void counter(struct text *text, const char *name, const char *help, uint64_t value)
{
    family(text, name, "counter", help);
    text_printf(text, PREFIX "%s %" PRIu64 "\n", name, value);
}

static void gauge(struct text *text, const char *name, const char *help, uint64_t value)
{
    family(text, name, "gauge", help);
    text_printf(text, PREFIX "%s %" PRIu64 "\n", name, value);
}

static void seconds(struct text *text, const char *name, const char *type, const char *help,
                    double value)
{
    family(text, name, type, help);
    text_printf(text, PREFIX "%s %.6f\n", name, value);
}

/* Label values: the same escapes as JSON's for ", \ and newline, which is all the format asks for.
 */
static void add_label(struct text *text, const char *name, const char *value)
{
    text_printf(text, "%s=", name);
    text_add_json(text, value);
}

/* Calls `add` for every node that documents show. */
static void each_node(struct text *text, const struct render_context *context,
                      void (*add)(struct text *, const struct render_context *,
                                  const struct node *))
{
    const struct cluster *cluster = context->cluster;

    for (size_t i = 0; i < cluster->n_sorted; i++)
        if (!cluster->sorted[i]->gone && !cluster->sorted[i]->forgotten)
            add(text, context, cluster->sorted[i]);
}

static void add_node_ready(struct text *text, const struct render_context *context,
                           const struct node *node)
{
    (void)context;
    text_printf(text, PREFIX "node_ready{node=\"%s\",", node->text);
    add_label(text, "dc", node->gossip.datacenter);
    text_add(text, ",", 1);
    add_label(text, "rack", node->gossip.rack);
    text_printf(text, "} %d\n", node->verdict.readiness == READY);
}

static void add_node_voter(struct text *text, const struct render_context *context,
                           const struct node *node)
{
    (void)context;
    text_printf(text, PREFIX "observer_counts{node=\"%s\"} %d\n", node->text, node->voter);
}

static void add_view_age(struct text *text, const struct render_context *context,
                         const struct node *node)
{
    if (node->observed_at_ms == 0)
        return;
    text_printf(text, PREFIX "view_age_seconds{node=\"%s\"} %.3f\n", node->text,
                (double)(context->now_ms - node->observed_at_ms) / 1000);
}

static void add_poll_failure(struct text *text, const struct render_context *context,
                             const struct node *node)
{
    (void)context;
    if (node->last_result == POLL_OK || node->last_result == POLL_NEVER)
        return;
    text_printf(text, PREFIX "poll_failing{node=\"%s\",reason=\"%s\"} 1\n", node->text,
                poll_result_word(node->last_result));
}

static void add_nodes(struct text *text, const struct render_context *context)
{
    const struct cluster *cluster = context->cluster;
    uint64_t nodes = 0, ready = 0;

    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *node = cluster->sorted[i];

        nodes += !node->gone && !node->forgotten;
        ready += !node->gone && !node->forgotten && node->verdict.readiness == READY;
    }
    gauge(text, "nodes", "Nodes known, without those that left.", nodes);
    gauge(text, "nodes_ready", "Nodes that are ready in the eyes of the cluster.", ready);
    family(text, "node_ready", "gauge", "1 when the node is ready in the eyes of the cluster.");
    each_node(text, context, add_node_ready);
    family(text, "observer_counts", "gauge", "1 when the node's opinion of the others counts.");
    each_node(text, context, add_node_voter);
    family(text, "view_age_seconds", "gauge", "Age of the node's last view.");
    each_node(text, context, add_view_age);
    family(text, "poll_failing", "gauge", "1 while polls of the node fail, with the reason.");
    each_node(text, context, add_poll_failure);
    if (!cluster->local && cluster->last_local.result > POLL_OK)
        text_printf(text, PREFIX "poll_failing{node=\"local\",reason=\"%s\"} 1\n",
                    poll_result_word(cluster->last_local.result));
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
    family(text, "poll_duration_seconds", "summary", "Time that polls took.");
    text_printf(text, PREFIX "poll_duration_seconds_sum %.6f\n",
                (double)polls->duration_us_sum / 1e6);
    text_printf(text, PREFIX "poll_duration_seconds_count %" PRIu64 "\n", polls->polls);
}

void render_metrics(struct text *text, const struct render_context *context,
                    const struct process_figures *figures)
{
    family(text, "build_info", "gauge", "The collector's version.");
    text_printf(text, PREFIX "build_info{version=\"%s\"} 1\n", PROBER_VERSION);
    counter(text, "rounds_total", "Complete rounds.", context->cluster->rounds);
    seconds(text, "round_seconds_total", "counter", "Time spent judging and publishing.",
            (double)figures->round_us_sum / 1e6);
    seconds(text, "round_seconds_max", "gauge", "Longest round since the start.",
            (double)figures->round_us_max / 1e6);
    counter(text, "verdict_changes_total", "Changes of published verdicts.",
            context->cluster->changes);
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
    add_nodes(text, context);
}

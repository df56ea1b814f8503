/* What /metrics says of nodes and data centers: some series a node, never one a pair of nodes
 * unless the configuration asks for that. */
#include <inttypes.h>

#include "../model/plan.h"
#include "metrics.h"
#include "words.h"

#define PREFIX METRICS_PREFIX

/* The format knows three escapes, which are JSON's, and no other: what they do not cover goes. */
static void add_label(struct text *text, const char *name, const char *value)
{
    char plain[256];
    size_t len = 0;

    for (; value[len] && len < sizeof(plain) - 1; len++)
        plain[len] = (unsigned char)value[len] < 0x20 || value[len] == 0x7f ? '?' : value[len];
    plain[len] = '\0';
    text_printf(text, "%s=", name);
    text_add_json(text, plain);
}

static bool shown(const struct node *node)
{
    return !node->gone && !node->forgotten;
}

static bool is_ready(const struct node *node)
{
    return node->verdict.readiness == READY;
}

static bool is_voter(const struct node *node)
{
    return node->voter;
}

static bool is_drained(const struct node *node)
{
    return node->verdict.reasons & REASON_DRAINED;
}

static bool needs_repair(const struct node *node)
{
    return node->repair_needed;
}

static bool is_seed(const struct node *node)
{
    return node->seed;
}

static bool lost_vote(const struct node *node)
{
    return node->lost_vote;
}

/* Those that see each other say different things of it, or it and they do of each other. */
static bool is_disputed(const struct node *node)
{
    return node->lost_vote || (node->verdict.up > 0 && node->verdict.down > 0);
}

/* One series of 0 or 1 a node. */
static const struct {
    const char *name, *help;
    bool (*is)(const struct node *node);
} flags[] = {
    {"observer_counts", "1 when the node's opinion of the others counts.", is_voter},
    {"node_disputed", "1 when the nodes' views of it, or its own and theirs, disagree.",
     is_disputed},
    {"node_lost_vote", "1 when the node contradicts the others and its opinion is left out.",
     lost_vote},
    {"node_drained", "1 while an operator has taken the node out of service.", is_drained},
    {"node_repair_needed", "1 when it was down for longer than hints are kept.", needs_repair},
    {"node_seed", "1 when the node is a seed.", is_seed},
};

static void add_flags(struct text *text, const struct cluster *cluster)
{
    for (size_t f = 0; f < sizeof(flags) / sizeof(flags[0]); f++) {
        metrics_family(text, flags[f].name, "gauge", flags[f].help);
        for (size_t i = 0; i < cluster->n_sorted; i++)
            if (shown(cluster->sorted[i]))
                text_printf(text, PREFIX "%s{node=\"%s\"} %d\n", flags[f].name,
                            cluster->sorted[i]->text, flags[f].is(cluster->sorted[i]));
    }
}

static void add_readiness(struct text *text, const struct cluster *cluster)
{
    metrics_family(text, "node_ready", "gauge",
                   "1 when the node is ready in the eyes of the cluster.");
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *node = cluster->sorted[i];

        if (!shown(node))
            continue;
        text_printf(text, PREFIX "node_ready{node=\"%s\",", node->text);
        add_label(text, "dc", node->gossip.datacenter);
        text_add(text, ",", 1);
        add_label(text, "rack", node->gossip.rack);
        text_printf(text, "} %d\n", is_ready(node));
    }
}

static void add_reasons(struct text *text, const struct cluster *cluster)
{
    static const struct {
        enum verdict_reason reason;
        const char *word;
    } words[] = {
        {REASON_DOWN, "down"},
        {REASON_UNSEEN, "unseen"},
        {REASON_FEW_OBSERVERS, "few_observers"},
        {REASON_LOST_VOTE, "lost_vote"},
        {REASON_STATUS, "status"},
        {REASON_MODE, "mode"},
        {REASON_NATIVE_OFF, "native_off"},
        {REASON_GOSSIP_OFF, "gossip_off"},
        {REASON_PROCESS_GONE, "process_gone"},
        {REASON_RISING, "rising"},
        {REASON_REHAB, "rehab"},
        {REASON_STARTING, "starting"},
        {REASON_HUNG, "hung"},
        {REASON_DRAINED, "drained"},
        {REASON_RUN_STATE, "run_state"},
    };

    metrics_family(text, "node_not_ready_reason", "gauge",
                   "1 for each reason that there is now for the node not to be ready.");
    for (size_t i = 0; i < cluster->n_sorted; i++)
        for (size_t w = 0; w < sizeof(words) / sizeof(words[0]); w++)
            if (shown(cluster->sorted[i]) &&
                (cluster->sorted[i]->verdict.reasons & words[w].reason))
                text_printf(text, PREFIX "node_not_ready_reason{node=\"%s\",reason=\"%s\"} 1\n",
                            cluster->sorted[i]->text, words[w].word);
}

/* Of nodes that have had a view, or are down: figures rather than flags. */
static void add_times(struct text *text, const struct render_context *context)
{
    const struct cluster *cluster = context->cluster;

    metrics_family(text, "view_age_seconds", "gauge", "Age of the node's last view.");
    for (size_t i = 0; i < cluster->n_sorted; i++)
        if (shown(cluster->sorted[i]) && cluster->sorted[i]->observed_at_ms > 0)
            text_printf(text, PREFIX "view_age_seconds{node=\"%s\"} %.3f\n",
                        cluster->sorted[i]->text,
                        (double)(context->now_ms - cluster->sorted[i]->observed_at_ms) / 1000);
    metrics_family(text, "node_down_timestamp_seconds", "gauge",
                   "Time of day since when the node is not UP; absent while it is.");
    for (size_t i = 0; i < cluster->n_sorted; i++)
        if (shown(cluster->sorted[i]) && cluster->sorted[i]->down_since_ms > 0)
            text_printf(text, PREFIX "node_down_timestamp_seconds{node=\"%s\"} %.3f\n",
                        cluster->sorted[i]->text,
                        (double)(cluster->sorted[i]->down_since_ms + context->wall_offset_ms) /
                            1000);
    metrics_family(text, "node_phi", "gauge",
                   "Of the local node's failure detector: how much the node is suspected.");
    for (size_t i = 0; i < cluster->n_sorted; i++)
        if (shown(cluster->sorted[i]) && cluster->sorted[i]->phi >= 0)
            text_printf(text, PREFIX "node_phi{node=\"%s\"} %.3f\n", cluster->sorted[i]->text,
                        cluster->sorted[i]->phi);
}

static void add_failing(struct text *text, const struct cluster *cluster)
{
    metrics_family(text, "poll_failing", "gauge",
                   "1 while polls of the node fail, with the reason.");
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *node = cluster->sorted[i];

        if (shown(node) && node->last_result > POLL_OK)
            text_printf(text, PREFIX "poll_failing{node=\"%s\",reason=\"%s\"} 1\n", node->text,
                        poll_result_word(node->last_result));
    }
    if (!cluster->local && cluster->last_local.result > POLL_OK)
        text_printf(text, PREFIX "poll_failing{node=\"local\",reason=\"%s\"} 1\n",
                    poll_result_word(cluster->last_local.result));
}

/* One series a data center. */
static void add_dc(struct text *text, const char *name, const struct plan_dc *dc, uint64_t value)
{
    text_printf(text, PREFIX "%s{", name);
    add_label(text, "dc", dc->name);
    text_printf(text, "} %" PRIu64 "\n", value);
}

static unsigned ready_seeds(const struct cluster *cluster, const char *dc)
{
    unsigned n = 0;

    for (size_t i = 0; i < cluster->n_sorted; i++)
        n += shown(cluster->sorted[i]) && cluster->sorted[i]->seed &&
             is_ready(cluster->sorted[i]) && strcmp(cluster->sorted[i]->gossip.datacenter, dc) == 0;
    return n;
}

static void add_plan(struct text *text, const struct cluster *cluster, const struct plan *plan)
{
    metrics_family(text, "seeds", "gauge", "Seeds that the data center has.");
    for (size_t i = 0; i < plan->n_dcs; i++)
        add_dc(text, "seeds", &plan->dcs[i], plan->dcs[i].seeds);
    metrics_family(text, "seeds_ready", "gauge", "Seeds of the data center that are ready.");
    for (size_t i = 0; i < plan->n_dcs; i++)
        add_dc(text, "seeds_ready", &plan->dcs[i], ready_seeds(cluster, plan->dcs[i].name));
    metrics_family(text, "seeds_wanted", "gauge", "Seeds that the data center is to have.");
    for (size_t i = 0; i < plan->n_dcs; i++)
        add_dc(text, "seeds_wanted", &plan->dcs[i], plan->dcs[i].seeds_wanted);
    metrics_family(text, "dc_nodes", "gauge", "Nodes of the data center, joining ones too.");
    for (size_t i = 0; i < plan->n_dcs; i++)
        add_dc(text, "dc_nodes", &plan->dcs[i], plan->dcs[i].present);
    metrics_family(text, "dc_nodes_wanted", "gauge",
                   "Nodes that the configuration wants the data center to have.");
    for (size_t i = 0; i < plan->n_dcs; i++)
        if (plan->dcs[i].wanted > 0)
            add_dc(text, "dc_nodes_wanted", &plan->dcs[i], plan->dcs[i].wanted);
}

static void add_dcs(struct text *text, const struct render_context *context)
{
    const struct plan_settings settings = {context->region, NULL};
    struct plan plan;

    if (plan_make(context->cluster, &settings, &plan) < 0) {
        text->failed = true;
        return;
    }
    add_plan(text, context->cluster, &plan);
    plan_done(&plan);
}

static void add_opinions_of(struct text *text, const struct cluster *cluster,
                            const struct node *observer)
{
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *node = cluster->sorted[i];
        enum liveness liveness = cluster_opinion(cluster, observer, node);

        if (shown(node) && liveness != LIVENESS_UNKNOWN)
            text_printf(text, PREFIX "opinion_up{observer=\"%s\",node=\"%s\"} %d\n", observer->text,
                        node->text, liveness == LIVENESS_UP);
    }
}

static void add_opinions(struct text *text, const struct render_context *context)
{
    const struct cluster *cluster = context->cluster;

    if (!context->metrics_opinions || cluster->n_known > METRICS_OPINIONS_MAX)
        return;
    metrics_family(text, "opinion_up", "gauge", "1 when the observer sees the node UP.");
    for (size_t i = 0; i < cluster->n_sorted; i++)
        if (shown(cluster->sorted[i]) &&
            node_view_fresh(cluster, cluster->sorted[i], context->now_ms))
            add_opinions_of(text, cluster, cluster->sorted[i]);
}

void metrics_add_nodes(struct text *text, const struct render_context *context)
{
    const struct cluster *cluster = context->cluster;
    uint64_t nodes = 0, ready = 0;

    for (size_t i = 0; i < cluster->n_sorted; i++) {
        nodes += shown(cluster->sorted[i]);
        ready += shown(cluster->sorted[i]) && is_ready(cluster->sorted[i]);
    }
    metrics_gauge(text, "nodes", "Nodes known, without those that left.", nodes);
    metrics_gauge(text, "nodes_ready", "Nodes that are ready in the eyes of the cluster.", ready);
    add_readiness(text, cluster);
    add_reasons(text, cluster);
    add_flags(text, cluster);
    add_times(text, context);
    add_failing(text, cluster);
    add_dcs(text, context);
    add_opinions(text, context);
}

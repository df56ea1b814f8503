#include "render.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../model/run_states.h"
#include "render_regions.h"
#include "words.h"

static bool shown(const struct node *node)
{
    return node && !node->gone && !node->forgotten;
}

static void make_key(struct observer_line *line, const struct node *node)
{
    char *end = stpcpy(line->key, ",\"/");

    end = stpcpy(end, node->text);
    end = stpcpy(end, "\":\"");
    line->key_len = (size_t)(end - line->key);
}

bool render_prepare(struct render_context *context)
{
    const struct cluster *cluster = context->cluster;

    context->observers = calloc(cluster->n_sorted + 1, sizeof(*context->observers));
    context->n_observers = 0;
    if (!context->observers)
        return false;
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *node = cluster->sorted[i];
        struct observer_line *line = &context->observers[context->n_observers];
        char status[16];

        if (!shown(node))
            continue;
        make_key(line, node);
        if (node_view_fresh(cluster, node, context->now_ms) && node->n_opinions > 0)
            line->opinions = node->opinions;
        else
            snprintf(line->missing, sizeof(line->missing), "%s", missing_view_word(node, status));
        context->n_observers++;
    }
    return true;
}

void render_done(struct render_context *context)
{
    free(context->observers);
    context->observers = NULL;
    context->n_observers = 0;
}

static const char *liveness_word(enum liveness liveness)
{
    switch (liveness) {
    case LIVENESS_UP:
        return "UP";
    case LIVENESS_DOWN:
        return "DOWN";
    case LIVENESS_UNKNOWN:
        break;
    }
    return "?";
}

static int status_of(const struct node *node)
{
    return node->verdict.readiness == READY ? 200 : 404;
}

int render_healthz(struct text *text, const struct render_context *context, const struct node *node)
{
    text_add(text, "{", 1);
    for (size_t i = 0; i < context->n_observers && !node->gone; i++) {
        const struct observer_line *line = &context->observers[i];
        size_t comma = i > 0 ? 0 : 1;

        text_add(text, line->key + comma, line->key_len - comma);
        text_puts(text,
                  line->opinions ? liveness_word(line->opinions[node->index]) : line->missing);
        text_add(text, "\"", 1);
    }
    text_add(text, "}\n", 2);
    return status_of(node);
}

int render_brief(struct text *text, const struct node *node)
{
    text_puts(text, node->verdict.readiness == READY ? "ready\n" : "not ready\n");
    return status_of(node);
}

/* `,"name":"value"`, or null when the value is empty. */
static void add_string(struct text *text, const char *name, const char *value)
{
    text_printf(text, ",\"%s\":", name);
    if (value && *value)
        text_add_json(text, value);
    else
        text_puts(text, "null");
}

static void add_trilean(struct text *text, const char *name, enum trilean value)
{
    const char *word = value == TRILEAN_TRUE ? "true" : value == TRILEAN_FALSE ? "false" : "null";

    text_printf(text, ",\"%s\":%s", name, word);
}

static void add_bool(struct text *text, const char *name, bool value)
{
    text_printf(text, ",\"%s\":%s", name, value ? "true" : "false");
}

/* A CLOCK_BOOTTIME time as time of day in UTC, or null for 0. */
static void add_time(struct text *text, const char *name, const struct render_context *context,
                     int64_t at_ms)
{
    char buf[WORDS_TIME_LEN] = "";

    if (at_ms != 0)
        words_time(at_ms + context->wall_offset_ms, buf);
    add_string(text, name, buf);
}

static void add_drain(struct text *text, const struct drain *drain)
{
    char at[WORDS_TIME_LEN], until[WORDS_TIME_LEN] = "";

    if (!drain->on) {
        text_puts(text, ",\"drain\":null");
        return;
    }
    words_time(drain->at_ms, at);
    if (drain->until_ms > 0)
        words_time(drain->until_ms, until);
    text_puts(text, ",\"drain\":{\"host\":");
    text_add_json(text, drain->host);
    add_string(text, "user", drain->user);
    add_string(text, "at", at);
    add_string(text, "until", until);
    text_puts(text, "}");
}

/* How the node's last poll went: the reason there is no view, when there is none. */
static void add_poll(struct text *text, enum poll_result result, int http_status,
                     const char *detail)
{
    text_printf(text, "{\"result\":\"%s\"", poll_result_word(result));
    if (http_status > 0 && result != POLL_OK)
        text_printf(text, ",\"http_status\":%d", http_status);
    if (*detail) {
        text_puts(text, ",\"detail\":");
        text_add_json(text, detail);
    }
    text_add(text, "}", 1);
}

int render_node(struct text *text, const struct render_context *context, const struct node *node)
{
    /* What it last said of itself is news only while it is fresh. */
    bool fresh = node_view_fresh(context->cluster, node, context->now_ms);
    const struct view *view = fresh ? node->view : NULL;
    enum trilean native = view ? view->native_transport : TRILEAN_UNKNOWN;

    if (node->gone) {
        text_printf(text, "{\"address\":\"%s\",\"verdict\":\"not ready\",\"reasons\":[\"gone\"]",
                    node->text);
        add_string(text, "status", node->gossip.status);
        text_add(text, "}", 1);
        return 404;
    }
    text_printf(text, "{\"address\":\"%s\",\"verdict\":\"%s\",\"reasons\":[", node->text,
                readiness_word(node->verdict.readiness));
    words_reasons(node, text_add_item, text);
    text_add(text, "]", 1);
    add_time(text, "since", context, node->changed_at_ms);
    text_printf(text, ",\"up\":%u,\"counted\":%u", node->verdict.up, node->verdict.counted);
    add_string(text, "dc", node->gossip.datacenter);
    add_string(text, "rack", node->gossip.rack);
    add_string(text, "host_id",
               *node->gossip.host_id ? node->gossip.host_id
                                     : (node->view ? node->view->host_id : ""));
    add_string(text, "status", node->gossip.status);
    add_string(text, "mode", view ? view->mode : "");
    add_trilean(text, "native_transport",
                native != TRILEAN_UNKNOWN ? native : node->gossip.rpc_ready);
    add_trilean(text, "gossip", view ? view->gossip : TRILEAN_UNKNOWN);
    add_string(text, "release", view ? view->release : node->gossip.release);
    text_puts(text, ",\"phi\":");
    if (node->phi >= 0 && isfinite(node->phi))
        text_printf(text, "%.3f", node->phi);
    else
        text_puts(text, "null");
    add_time(text, "down_since", context, node->down_since_ms);
    add_bool(text, "repair_needed", node->repair_needed);
    add_bool(text, "seed", node->seed);
    add_drain(text, &node->drain);
    add_string(text, "run_state", run_state_word(node->run.state));
    add_string(text, "run_state_waits", node->run.waits);
    add_bool(text, "member", node->member);
    add_bool(text, "local", node->local);
    add_string(text, "observer", observer_word(node));
    text_puts(text, ",\"poll\":");
    add_poll(text, node->last_result, node->last_http_status, node->last_detail);
    text_add(text, "}", 1);
    return 200;
}

void render_nodes(struct text *text, const struct render_context *context)
{
    const struct cluster *cluster = context->cluster;
    bool first = true;

    text_puts(text, "{\"cluster\":");
    text_add_json(text, cluster->name);
    if (!cluster->local && cluster->last_local.result != POLL_NEVER) {
        text_puts(text, ",\"local_poll\":");
        add_poll(text, cluster->last_local.result, cluster->last_local.http_status,
                 cluster->last_local.detail);
    }
    text_puts(text, ",\"nodes\":[");
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        if (!shown(cluster->sorted[i]))
            continue;
        text_puts(text, first ? "\n" : ",\n");
        first = false;
        render_node(text, context, cluster->sorted[i]);
    }
    text_puts(text, "]}\n");
}

int render_ready(struct text *text, const struct cluster *cluster)
{
    const struct node *local = cluster->local;

    if (local && local->verdict.readiness == READY) {
        text_puts(text, "ready\n");
        return 200;
    }
    if (local) {
        text_puts(text, "not ready: ");
        words_add_reasons(text, local);
    } else if (cluster->last_local.result != POLL_NEVER) {
        text_printf(text, "not ready: local node: %s",
                    poll_result_word(cluster->last_local.result));
    } else {
        text_puts(text, "no local node");
    }
    text_add(text, "\n", 1);
    return 503;
}

/* The node's own gossip state, without what moves by itself. */
static void add_own_state(struct text *text, const struct gossip_state *state)
{
    char native[PROBER_ADDR_STRLEN] = "";

    if (!prober_addr_is_unset(&state->native))
        prober_addr_format(&state->native, native);
    text_printf(text, ",\"state\":{\"generation\":%lld", (long long)state->generation);
    add_string(text, "status", state->status);
    add_string(text, "dc", state->datacenter);
    add_string(text, "rack", state->rack);
    add_trilean(text, "rpc_ready", state->rpc_ready);
    add_string(text, "native", native);
    text_puts(text, "}");
}

static void add_opinions(struct text *text, const struct cluster *cluster)
{
    bool first = true;

    text_puts(text, ",\"view\":{");
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *node = cluster->sorted[i];
        enum liveness liveness = cluster_opinion(cluster, cluster->local, node);

        if (liveness == LIVENESS_UNKNOWN)
            continue;
        text_printf(text, "%s\"/%s\":\"%s\"", first ? "" : ",", node->text,
                    liveness_word(liveness));
        first = false;
    }
    text_puts(text, "}");
}

static const char *process_word(const struct node *local)
{
    if (local->process_gone)
        return "gone";
    if (local->raw.reasons & REASON_HUNG)
        return "hung";
    return local->raw.reasons & REASON_STARTING ? "starting" : "up";
}

/* The format is told in sources/peer_view.h, where other hosts read it. */
int render_view(struct text *text, const struct cluster *cluster, uint64_t values)
{
    const struct node *local = cluster->local;
    const char *process = local ? process_word(local) : "";
    bool up = strcmp(process, "up") == 0;

    if (!local || (up && !local->view)) {
        text_puts(text, "{\"error\":\"no view\"}\n");
        return 503;
    }
    text_printf(text, "{\"format\":1,\"address\":\"%s\"", local->text);
    add_string(text, "cluster", local->view ? local->view->cluster_name : cluster->name);
    add_string(text, "host_id", local->view ? local->view->host_id : local->gossip.host_id);
    add_string(text, "process", process);
    if (values)
        text_printf(text, ",\"values\":\"%016llx\"", (unsigned long long)values);
    if (up) {
        add_string(text, "mode", local->view->mode);
        add_trilean(text, "native_transport", local->view->native_transport);
        add_trilean(text, "gossip", local->view->gossip);
        add_string(text, "release", local->view->release);
        add_bool(text, "settled", local->ineligible == ELIGIBLE);
        add_own_state(text, &local->gossip);
        add_opinions(text, cluster);
    }
    text_puts(text, "}\n");
    return 200;
}

int64_t render_view_time(const struct render_context *context)
{
    const struct node *local = context->cluster->local;

    if (!local)
        return 0;
    /* That there has been no answer for long is true now. */
    if (local->raw.reasons & REASON_HUNG)
        return context->now_ms;
    return strcmp(process_word(local), "up") == 0 ? local->observed_at_ms : local->reported_at_ms;
}

static const struct value *find_said(const struct render_context *context, const char *name)
{
    char key[VALUES_KEY_LEN];

    if (!context->values || !context->region_name ||
        snprintf(key, sizeof(key), "region/%s/%s", context->region_name, name) >= (int)sizeof(key))
        return NULL;
    return values_find(context->values, key);
}

bool render_said(struct text *text, const struct render_context *context, const char *name)
{
    const struct value *value = find_said(context, name);

    if (!value)
        return false;
    text_puts(text, value->text);
    text_add(text, "\n", 1);
    return true;
}

static void add_seeds(struct text *text, const struct addresses *seeds)
{
    char *list = addresses_text(seeds);

    text_puts(text, list);
    text_add(text, "\n", 1);
    free(list);
}

struct seeds_settings render_seeds_settings(const struct render_context *context)
{
    return (struct seeds_settings){
        .datacenters = context->region.datacenters,
        .region_name = context->region_name,
        .regions = context->regions,
    };
}

void render_local_seeds(struct text *text, const struct render_context *context)
{
    const struct seeds_settings settings = render_seeds_settings(context);
    struct addresses seeds;

    if (render_said(text, context, "localseeds"))
        return;
    seeds_of_region(context->cluster, context->values, &settings, &seeds);
    add_seeds(text, &seeds);
    addresses_free(&seeds);
}

void render_all_seeds(struct text *text, const struct render_context *context)
{
    const struct seeds_settings settings = render_seeds_settings(context);
    struct addresses seeds;

    seeds_of_all(context->cluster, context->values, &settings, &seeds);
    add_seeds(text, &seeds);
    addresses_free(&seeds);
}

static bool names_dc(const char *said, const struct region_dc *dc)
{
    struct text item = {0};
    bool found;

    text_puts(&item, "{\"name\":");
    text_add_json(&item, dc->name);
    text_add(&item, ",", 2);
    found = !item.failed && strstr(said, item.data) != NULL;
    text_free(&item);
    return found;
}

/* What an operator said of the region's own, as it is; then the others'. */
static void add_said_dcs(struct text *text, const char *said, struct region_dc *dcs, size_t n)
{
    size_t kept = 0, len = strlen(said);
    struct text others = {0};

    for (size_t i = 0; i < n; i++)
        if (!names_dc(said, &dcs[i]))
            dcs[kept++] = dcs[i];
    render_dc_list(&others, dcs, kept);
    text->failed |= others.failed;
    if (kept == 0 || others.failed) {
        text_puts(text, said);
    } else if (strcmp(said, "[]") == 0) {
        text_add(text, others.data, others.len);
    } else {
        text_add(text, said, len - 1);
        text_add(text, ",", 1);
        text_add(text, others.data + 1, others.len - 1);
    }
    text_free(&others);
}

void render_dcs(struct text *text, const struct render_context *context)
{
    const struct value *said = find_said(context, "dcs");
    struct region_dc *dcs = NULL;
    size_t n = 0;

    if (regions_dcs(context->regions, context->cluster, said ? &context->region : NULL, &dcs, &n) <
        0) {
        text->failed = true;
        return;
    }
    if (said)
        add_said_dcs(text, said->text, dcs, n);
    else
        render_dc_list(text, dcs, n);
    text_add(text, "\n", 1);
    free(dcs);
}

void render_local_dcs(struct text *text, const struct render_context *context)
{
    struct region_dc *dcs = NULL;
    size_t n = 0, kept = 0;

    if (render_said(text, context, "dcs"))
        return;
    if (region_dcs(context->cluster, &dcs, &n) < 0) {
        text->failed = true;
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (region_names(context->region.datacenters, dcs[i].name))
            dcs[kept++] = dcs[i];
    render_dc_list(text, dcs, kept);
    text_add(text, "\n", 1);
    free(dcs);
}

void render_ready_local_dcs(struct text *text, const struct render_context *context)
{
    if (render_said(text, context, "readylocaldcs"))
        return;
    text_puts(text, region_ready(context->cluster, &context->region) ? "true\n" : "false\n");
}

#include "publish_private.h"

#include <errno.h>
#include <stdio.h>

#include "page_document.h"
#include "render_gates.h"
#include "render_matrix.h"
#include "render_plan.h"
#include "render_regions.h"
#include "words.h"

static const char json[] = TYPE_JSON;
static const char plain[] = "text/plain; charset=utf-8";
static const char prometheus[] = "text/plain; version=0.0.4; charset=utf-8";

/* Between rounds so many nodes' documents are rendered at once; more wait for the round's end. */
#define AT_ONCE 64

static unsigned not_ready_flag(const struct node *node)
{
    /* A node that left is as unknown as one that never was: 404 whatever prober_not_ready says. */
    return !node->gone && node->verdict.readiness != READY ? PROBER_DOCUMENT_NOT_READY : 0;
}

/* The documents of one node have these keys. */
struct node_keys {
    char healthz[PROBER_ADDR_STRLEN + 16];
    char brief[PROBER_ADDR_STRLEN + 16];
    char node[PROBER_ADDR_STRLEN + 16];
    char history[PROBER_ADDR_STRLEN + 16];
    char start[PROBER_ADDR_STRLEN + 16];
    char stop[PROBER_ADDR_STRLEN + 16];
};

static void make_keys(const struct node *node, struct node_keys *keys)
{
    snprintf(keys->healthz, sizeof(keys->healthz), "/healthz/%s", node->text);
    snprintf(keys->brief, sizeof(keys->brief), "/healthz/%s?brief", node->text);
    snprintf(keys->node, sizeof(keys->node), "/nodes/%s", node->text);
    snprintf(keys->history, sizeof(keys->history), "/history/%s", node->text);
    snprintf(keys->start, sizeof(keys->start), "/may-start/%s", node->text);
    snprintf(keys->stop, sizeof(keys->stop), "/may-stop/%s", node->text);
}

static void remove_node(struct batch *batch, const struct node_keys *keys)
{
    struct prober_segment_writer *writer = batch->publisher->writer;

    prober_segment_writer_remove(writer, keys->healthz, strlen(keys->healthz));
    prober_segment_writer_remove(writer, keys->brief, strlen(keys->brief));
    prober_segment_writer_remove(writer, keys->node, strlen(keys->node));
    prober_segment_writer_remove(writer, keys->history, strlen(keys->history));
    prober_segment_writer_remove(writer, keys->start, strlen(keys->start));
    prober_segment_writer_remove(writer, keys->stop, strlen(keys->stop));
}

/* Its readiness changed since the last whole publish. */
static bool turned(const struct batch *batch, const struct node *node)
{
    return node->changed_at_ms >= batch->publisher->published_at_ms;
}

static void publish_bodies(struct batch *batch, const struct node *node,
                           const struct node_keys *keys)
{
    struct text *text = fresh(batch);
    int status = render_healthz(text, batch->context, node);

    put(batch, keys->healthz, status, not_ready_flag(node), json);
    text = fresh(batch);
    status = render_brief(text, node);
    put(batch, keys->brief, status, not_ready_flag(node), plain);
}

static void publish_account(struct batch *batch, const struct node *node,
                            const struct node_keys *keys)
{
    struct text *text = fresh(batch);
    int status = render_node(text, batch->context, node);

    text_add(text, "\n", 1);
    put(batch, keys->node, status, 0, json);
}

static void publish_node(struct batch *batch, const struct node *node)
{
    bool bodies = batch->all || node->dirty_opinions || turned(batch, node);
    bool account = batch->all || node->dirty_verdict;
    struct node_keys keys;

    if (!batch->round && !bodies && !account)
        return;
    if (batch->turned_only && !turned(batch, node))
        return;
    make_keys(node, &keys);
    if (node->forgotten) {
        remove_node(batch, &keys);
        return;
    }
    if (bodies)
        publish_bodies(batch, node, &keys);
    if (account)
        publish_account(batch, node, &keys);
    touch(batch, keys.healthz, batch->observed_at_ms);
    touch(batch, keys.brief, batch->observed_at_ms);
    touch(batch, keys.node, batch->observed_at_ms);
}

/* What an address that is no node of the cluster gets. */
static void publish_unknown(struct batch *batch)
{
    text_puts(fresh(batch), "{}\n");
    put(batch, "/healthz/*", 404, 0, json);
    put(batch, "/nodes/*", 404, 0, json);
    put(batch, "/history/*", 404, 0, json);
    text_puts(fresh(batch), "not ready\n");
    put(batch, "/healthz/*?brief", 404, 0, plain);
    touch(batch, "/healthz/*", batch->observed_at_ms);
    touch(batch, "/healthz/*?brief", batch->observed_at_ms);
    touch(batch, "/nodes/*", batch->observed_at_ms);
    touch(batch, "/history/*", batch->observed_at_ms);
}

static const struct {
    const char *key;
    void (*render)(struct text *text, const struct render_context *context);
} seeds_documents[SEEDS_DOCUMENTS] = {{"/localseeds", render_local_seeds},
                                      {"/seeds", render_local_seeds},
                                      {"/allseeds", render_all_seeds}};

/* A list that an earlier collector published outlives a start in which nobody can be chosen yet: it
 * ages. */
static void publish_seeds(struct batch *batch)
{
    struct publisher *publisher = batch->publisher;

    for (size_t i = 0; i < SEEDS_DOCUMENTS; i++) {
        const char *key = seeds_documents[i].key;
        struct text *text = fresh(batch);

        seeds_documents[i].render(text, batch->context);
        publisher->seeds_age[i] = text->len <= strlen("[]\n") &&
                                  prober_segment_writer_keep(publisher->writer, key, strlen(key));
        if (!publisher->seeds_age[i])
            put(batch, key, 200, 0, json);
    }
}

/* What nobody but operators knows. */
static void publish_said(struct batch *batch)
{
    static const struct {
        const char *key, *otherwise;
    } table[] = {{"/region-ips", "[]\n"}, {"/reaper-ips", "[]\n"}, {"/reaper-ready", "false\n"}};

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (!render_said(fresh(batch), batch->context, table[i].key + 1))
            text_puts(&batch->publisher->text, table[i].otherwise);
        put(batch, table[i].key, 200, 0, json);
        touch(batch, table[i].key, batch->context->now_ms);
    }
}

/* Before /view, which tells the others what is to be found here. */
static void publish_state(struct batch *batch)
{
    const struct render_context *context = batch->context;
    uint64_t *published = &batch->publisher->state_digest;

    if (!context->state)
        return;
    if (batch->all || batch->round || *published != context->state_digest) {
        text_puts(fresh(batch), context->state);
        put(batch, "/state", 200, 0, json);
        if (batch->error == 0)
            *published = context->state_digest;
    }
    touch(batch, "/state", context->now_ms);
}

static void publish_plan(struct batch *batch)
{
    const struct render_context *context = batch->context;
    char why[REGIONS_WHY_LEN];
    const struct plan_settings settings = {context->region, regions_waits(context->regions, why)};
    struct text *text = fresh(batch);
    struct plan plan;

    if (plan_make(context->cluster, &settings, &plan) < 0) {
        text->failed = true;
    } else {
        render_plan(text, &plan);
        plan_done(&plan);
    }
    put(batch, "/plan", 200, 0, json);
}

static void publish_gate(struct batch *batch, const char *key, const struct gate_answer *answer)
{
    int status = render_gate(fresh(batch), answer);

    put(batch, key, status, 0, json);
    touch(batch, key, batch->observed_at_ms);
}

/* To start, an address that nobody knows is a new node. */
static void publish_gates_unknown(struct batch *batch, const struct gates *gates)
{
    static const struct prober_addr nobody;
    struct gate_answer answer;

    gates_start(gates, &nobody, NULL, &answer);
    publish_gate(batch, "/may-start/*", &answer);
    text_puts(fresh(batch), "{}\n");
    put(batch, "/may-stop/*", 404, 0, json);
    touch(batch, "/may-stop/*", batch->observed_at_ms);
}

/* The answers depend on all nodes and on the time: what is common to them is worked out once, and
 * what has not changed is not written. */
static void publish_gates(struct batch *batch)
{
    const struct cluster *cluster = batch->context->cluster;
    struct gate_context context;
    struct gate_room room;
    struct gates *gates;

    if (!batch->context->gates)
        return;
    render_gate_context(batch->context, &room, &context);
    gates = gates_new(&context);
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *node = cluster->sorted[i];
        struct gate_answer answer;
        struct node_keys keys;

        if (node->forgotten)
            continue;
        make_keys(node, &keys);
        gates_start(gates, &node->address, NULL, &answer);
        publish_gate(batch, keys.start, &answer);
        gates_stop(gates, &node->address, NULL, &answer);
        publish_gate(batch, keys.stop, &answer);
    }
    publish_gates_unknown(batch, gates);
    gates_free(gates);
    gate_room_done(&room);
}

static void publish_regions(struct batch *batch)
{
    const struct render_context *context = batch->context;

    render_regions(fresh(batch), context->regions, context->region_name, context->wall_offset_ms);
    put(batch, "/regions", 200, 0, json);
    touch(batch, "/regions", context->now_ms);
}

static void publish_cluster(struct batch *batch)
{
    if (!batch->turned_only) {
        render_nodes(fresh(batch), batch->context);
        put(batch, "/nodes", 200, 0, json);
    }
    render_ready_local_dcs(fresh(batch), batch->context);
    put(batch, "/readylocaldcs", 200, 0, json);
    put(batch, "/region-ready", 200, 0, json);
    publish_seeds(batch);
    render_dcs(fresh(batch), batch->context);
    put(batch, "/dcs", 200, 0, json);
    render_local_dcs(fresh(batch), batch->context);
    put(batch, "/dcs?local", 200, 0, json);
    if (!batch->turned_only)
        publish_plan(batch);
}

static void touch_cluster(struct batch *batch)
{
    static const char *const keys[] = {"/nodes", "/readylocaldcs", "/region-ready",
                                       "/dcs",   "/dcs?local",     "/plan"};

    for (size_t i = 0; i < SEEDS_DOCUMENTS; i++)
        if (!batch->publisher->seeds_age[i])
            touch(batch, seeds_documents[i].key, batch->observed_at_ms);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        touch(batch, keys[i], batch->observed_at_ms);
}

/* The documents about this host's own node: rendered every time, written when changed. */
static void publish_local(struct batch *batch)
{
    const struct cluster *cluster = batch->context->cluster;
    int64_t view_at_ms = render_view_time(batch->context);
    struct text *text = fresh(batch);
    int status = render_ready(text, cluster);

    put(batch, "/ready", status, 0, plain);
    touch(batch, "/ready", batch->observed_at_ms);
    if (batch->turned_only)
        return;
    text = fresh(batch);
    status = render_view(text, cluster, batch->publisher->state_digest);
    put(batch, "/view", status, PROBER_DOCUMENT_NO_CACHE, json);
    touch(batch, "/view", view_at_ms ? view_at_ms : batch->observed_at_ms);
}

static void publish_service(struct batch *batch, const struct process_figures *figures)
{
    text_puts(fresh(batch), "pong\n");
    put(batch, "/ping", 200, PROBER_DOCUMENT_FRESH_ONLY, plain);
    touch(batch, "/ping", batch->context->now_ms);
    render_metrics(fresh(batch), batch->context, figures, batch->observed_at_ms);
    put(batch, "/metrics", 200, 0, prometheus);
    touch(batch, "/metrics", batch->context->now_ms);
}

/*
 * The time of the data behind the verdicts: the oldest view that counts. With none that counts, the
 * newest there ever was, or of the last answer that says why there is none: where all processes are
 * gone that is what is known. Never told anything, the first attempt's time is unknown and the data
 * is as old as the process: 1, not "now".
 */
static int64_t data_time(const struct cluster *cluster)
{
    int64_t oldest = INT64_MAX, newest = 1;

    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *node = cluster->sorted[i];

        if (node->told_at_ms > newest)
            newest = node->told_at_ms;
        if (node->observed_at_ms == 0)
            continue;
        if (node->voter && node->observed_at_ms < oldest)
            oldest = node->observed_at_ms;
        if (node->observed_at_ms > newest)
            newest = node->observed_at_ms;
    }
    return oldest != INT64_MAX ? oldest : newest;
}

static bool many_changed(const struct cluster *cluster)
{
    size_t n = 0;

    for (size_t i = 0; i < cluster->n_sorted; i++)
        n += cluster->sorted[i]->dirty_opinions || cluster->sorted[i]->dirty_verdict;
    return n > AT_ONCE;
}

static void publish_documents(struct batch *batch)
{
    const struct cluster *cluster = batch->context->cluster;

    for (size_t i = 0; i < cluster->n_sorted; i++)
        publish_node(batch, cluster->sorted[i]);
    publish_matrix(batch);
    publish_state(batch);
    publish_local(batch);
    if (batch->all || cluster->dirty)
        publish_cluster(batch);
    if (batch->all || batch->round || cluster->dirty)
        publish_said(batch);
    publish_jobs(batch);
    if (!batch->turned_only)
        touch_cluster(batch);
    if (batch->all || batch->round || (cluster->dirty && !batch->turned_only))
        publish_gates(batch);
    if (batch->all || batch->round) {
        publish_regions(batch);
        publish_record(batch);
        publish_unknown(batch);
    }
    if (batch->all)
        publish_page(batch);
}

int publisher_publish(struct publisher *publisher, const struct render_context *context,
                      const struct process_figures *figures, bool round)
{
    struct batch batch = {.publisher = publisher,
                          .context = context,
                          .observed_at_ms = data_time(context->cluster),
                          .all = !publisher->published,
                          .round = round};

    batch.turned_only =
        !round && !batch.all && publisher->last_error == 0 && many_changed(context->cluster);
    if (round)
        remember(&batch, prober_segment_writer_check(publisher->writer));
    publish_documents(&batch);
    if (round)
        publish_service(&batch, figures);
    /* What the collector before this one published, and this one does not know, is no more. */
    if (batch.all)
        prober_segment_writer_remove_inherited(publisher->writer);
    remember(&batch, prober_segment_writer_commit(publisher->writer));
    /* No heartbeat over documents that could not be replaced: they must not look fresh. */
    if (round && batch.error == 0)
        prober_segment_writer_heartbeat(publisher->writer, context->now_ms);
    publisher->published = batch.error == 0 || publisher->published;
    publisher->last_error = batch.error;
    if (batch.error < 0)
        return batch.error;
    publisher->published_at_ms = context->now_ms;
    return batch.turned_only;
}

void publisher_free(struct publisher *publisher)
{
    text_free(&publisher->text);
}

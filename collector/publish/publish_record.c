/* The observer's records: decisions, histories, reports. All with rounds: in turmoil there may be
 * many of them between two. */
#include <stdio.h>

#include "publish_private.h"
#include "render_decisions.h"
#include "render_history.h"

/* A history that only went on is rendered no more often than that, and of all of them no more than
 * this part in a round. The reports move with every poll. */
#define HISTORY_MS   60000
#define HISTORY_PART 64
#define REPORTS_MS   5000

static void publish_decisions(struct batch *batch)
{
    static const char key[] = "/admin/cluster/observer/decisions";
    const struct render_context *context = batch->context;
    uint64_t *published = &batch->publisher->decisions;

    if (!context->decisions)
        return;
    if (batch->all || *published != context->decisions->changes + 1) {
        render_decisions(fresh(batch), context->decisions, context->host);
        put(batch, key, 200, 0, TYPE_JSON);
        if (batch->error == 0)
            *published = context->decisions->changes + 1;
    }
    touch(batch, key, context->now_ms);
}

static void put_history(struct batch *batch, const struct node *node, struct node_history *history)
{
    char key[PROBER_ADDR_STRLEN + 16];

    snprintf(key, sizeof(key), "/history/%s", node->text);
    render_history(fresh(batch), batch->context, node, history);
    put(batch, key, 200, 0, TYPE_JSON);
    touch(batch, key, batch->context->now_ms);
    if (batch->error < 0)
        return;
    history->added = false;
    history->published_at_ms = batch->context->now_ms;
}

/* Those that have grown at once; of the others some, one turn after the other. */
static void publish_histories(struct batch *batch)
{
    const struct cluster *cluster = batch->context->cluster;
    struct history *history = batch->context->history;
    size_t left = cluster->n_sorted / HISTORY_PART + 1;

    for (size_t i = 0; history && i < cluster->n_sorted; i++) {
        size_t at = (history->next + i) % cluster->n_sorted;
        const struct node *node = cluster->sorted[at];
        struct node_history *of = history_of(history, node);

        if (!of)
            continue;
        if (!batch->all && !of->added) {
            if (left == 0 || batch->context->now_ms - of->published_at_ms < HISTORY_MS)
                continue;
            left--;
            if (left == 0)
                history->next = at + 1;
        }
        put_history(batch, node, of);
    }
}

static void publish_reports(struct batch *batch)
{
    static const char key[] = "/admin/cluster/maintenance-stats";
    int64_t now_ms = batch->context->now_ms, *published_ms = &batch->publisher->reports_ms;

    if (!batch->all && now_ms - *published_ms < REPORTS_MS)
        return;
    render_reports(fresh(batch), batch->context);
    put(batch, key, 200, 0, TYPE_JSON);
    touch(batch, key, now_ms);
    if (batch->error == 0)
        *published_ms = now_ms;
}

void publish_record(struct batch *batch)
{
    publish_decisions(batch);
    publish_histories(batch);
    publish_reports(batch);
}

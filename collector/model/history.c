#include "history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint16_t small(unsigned n)
{
    return n < UINT16_MAX ? (uint16_t)n : UINT16_MAX;
}

static struct history_entry look_at(const struct cluster *cluster, const struct node *node,
                                    int64_t now_ms)
{
    /* What it last said of itself is news only while it is fresh. */
    const struct view *view = node_view_fresh(cluster, node, now_ms) ? node->view : NULL;
    const struct verdict *verdict = &node->verdict;
    struct history_entry entry = {
        .from_ms = now_ms,
        .to_ms = now_ms,
        .checks = 1,
        .verdict = verdict->readiness,
        .reasons = verdict->reasons,
        .native = view ? view->native_transport : TRILEAN_UNKNOWN,
        .up = small(verdict->up),
        .down = small(verdict->down),
        .unseen = small(verdict->unseen),
        .counted = small(verdict->counted),
        .needed = small(verdict->needed),
        .run_state = (uint8_t)node->run.state,
        .restarting = node->run.restarting,
    };

    if (entry.native == TRILEAN_UNKNOWN)
        entry.native = node->gossip.rpc_ready;
    snprintf(entry.mode, sizeof(entry.mode), "%.*s", HISTORY_WORD_LEN - 1, view ? view->mode : "");
    snprintf(entry.status, sizeof(entry.status), "%.*s", HISTORY_WORD_LEN - 1, node->gossip.status);
    return entry;
}

static bool similar(const struct history_entry *a, const struct history_entry *b)
{
    return a->verdict == b->verdict && a->reasons == b->reasons && a->native == b->native &&
           a->run_state == b->run_state && a->restarting == b->restarting &&
           strcmp(a->mode, b->mode) == 0 && strcmp(a->status, b->status) == 0;
}

/* Room for one more. */
static bool reserve(struct node_history *history)
{
    size_t size = history->size ? history->size * 2 : 2;
    struct history_entry *items;

    if (history->n == HISTORY_MAX) {
        memmove(history->items, history->items + 1, (HISTORY_MAX - 1) * sizeof(*history->items));
        history->n--;
    }
    if (history->n < history->size)
        return true;
    if (size > HISTORY_MAX)
        size = HISTORY_MAX;
    items = reallocarray(history->items, size, sizeof(*items));
    if (!items)
        return false;
    history->items = items;
    history->size = size;
    return true;
}

static bool add(struct node_history *history, const struct history_entry *found)
{
    struct history_entry entry = *found;
    struct history_entry *last = history->n > 0 ? &history->items[history->n - 1] : NULL;

    if (last && similar(last, &entry)) {
        entry.from_ms = last->from_ms;
        entry.checks = last->checks + (last->checks < UINT32_MAX);
        *last = entry;
        return true;
    }
    if (!reserve(history))
        return false;
    history->items[history->n++] = entry;
    history->added = true;
    return true;
}

static void empty(struct node_history *history)
{
    free(history->items);
    *history = (struct node_history){0};
}

static bool grow(struct history *history, size_t n)
{
    struct node_history *nodes;

    if (n <= history->n)
        return true;
    nodes = reallocarray(history->nodes, n, sizeof(*nodes));
    if (!nodes)
        return false;
    memset(nodes + history->n, 0, (n - history->n) * sizeof(*nodes));
    history->nodes = nodes;
    history->n = n;
    return true;
}

bool history_add(struct history *history, const struct cluster *cluster, int64_t now_ms)
{
    bool ok = grow(history, cluster->n_nodes);

    for (size_t i = 0; ok && i < cluster->n_sorted; i++) {
        const struct node *node = cluster->sorted[i];
        const struct history_entry found = look_at(cluster, node, now_ms);
        struct node_history *of = &history->nodes[node->index];

        if (prober_addr_compare(&of->address, &node->address) != 0) {
            empty(of);
            of->address = node->address;
        }
        if (node->forgotten)
            empty(of);
        else
            ok = add(of, &found);
    }
    return ok;
}

struct node_history *history_of(const struct history *history, const struct node *node)
{
    struct node_history *of = node->index < history->n ? &history->nodes[node->index] : NULL;

    return of && of->n > 0 && prober_addr_compare(&of->address, &node->address) == 0 ? of : NULL;
}

void history_free(struct history *history)
{
    for (size_t i = 0; i < history->n; i++)
        free(history->nodes[i].items);
    free(history->nodes);
    *history = (struct history){0};
}

#include "render_history.h"

#include <inttypes.h>

#include "words.h"

/* In the words that the node as it was then would have got. */
static void add_reasons(struct text *text, const struct history_entry *entry)
{
    struct view view = {0};
    struct node then = {.view = entry->mode[0] ? &view : NULL,
                        .run = {.state = entry->run_state, .restarting = entry->restarting},
                        .verdict = {.readiness = entry->verdict,
                                    .reasons = entry->reasons,
                                    .counted = entry->counted,
                                    .up = entry->up,
                                    .down = entry->down,
                                    .unseen = entry->unseen,
                                    .needed = entry->needed}};

    memcpy(view.mode, entry->mode, sizeof(entry->mode));
    memcpy(then.gossip.status, entry->status, sizeof(entry->status));
    text_puts(text, ",\"reasons\":[");
    words_reasons(&then, text_add_item, text);
    text_puts(text, "]");
}

static void add_entry(struct text *text, const struct render_context *context,
                      const struct history_entry *entry)
{
    static const char *const trilean[] = {
        [TRILEAN_UNKNOWN] = "null", [TRILEAN_FALSE] = "false", [TRILEAN_TRUE] = "true"};
    char from[WORDS_TIME_LEN], to[WORDS_TIME_LEN];

    words_time(entry->from_ms + context->wall_offset_ms, from);
    words_time(entry->to_ms + context->wall_offset_ms, to);
    text_printf(text, "{\"from\":\"%s\",\"to\":\"%s\",\"checks\":%" PRIu32 ",\"verdict\":\"%s\"",
                from, to, entry->checks, readiness_word(entry->verdict));
    add_reasons(text, entry);
    text_add_member(text, "mode", entry->mode);
    text_add_member(text, "status", entry->status);
    text_printf(text, ",\"native\":%s,\"up\":%u,\"counted\":%u}", trilean[entry->native], entry->up,
                entry->counted);
}

void render_history(struct text *text, const struct render_context *context,
                    const struct node *node, const struct node_history *history)
{
    text_printf(text, "{\"node\":\"%s\",\"history\":[", node->text);
    for (size_t i = history->n; i-- > 0;) {
        add_entry(text, context, &history->items[i]);
        if (i > 0)
            text_puts(text, ",\n");
    }
    text_puts(text, "]}\n");
}

static void add_failures(struct text *text, const struct node *node)
{
    const char *before = "";

    text_puts(text, ",\"failures\":{");
    for (int result = POLL_OK + 1; result < POLL_RESULTS; result++) {
        if (node->failures[result] == 0)
            continue;
        text_printf(text, "%s\"%s\":%" PRIu32, before, poll_result_word((enum poll_result)result),
                    node->failures[result]);
        before = ",";
    }
    text_puts(text, "}");
}

static void add_report(struct text *text, const struct render_context *context,
                       const struct node *node)
{
    char at[WORDS_TIME_LEN] = "";

    if (node->reported_at_ms != 0)
        words_time(node->reported_at_ms + context->wall_offset_ms, at);
    text_printf(text, "{\"observer\":\"%s\"", node->text);
    text_add_member(text, "reported", at);
    text_printf(text, ",\"result\":\"%s\"", poll_result_word(node->last_result));
    text_add_member(text, "detail", node->last_detail);
    at[0] = '\0';
    if (node->observed_at_ms > 1)
        words_time(node->observed_at_ms + context->wall_offset_ms, at);
    text_add_member(text, "view_of", at);
    text_printf(text,
                ",\"took_ms\":%" PRIu32 ",\"bytes\":%zu,\"polls_ok\":%" PRIu64
                ",\"polls_failed\":%" PRIu64,
                node->took_ms, node->bytes, node->polls_ok, node->polls_failed);
    add_failures(text, node);
    text_puts(text, "}");
}

void render_reports(struct text *text, const struct render_context *context)
{
    const struct cluster *cluster = context->cluster;
    const char *before = "";

    text_puts(text, "{\"observers\":[");
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *node = cluster->sorted[i];

        if (node->gone || node->forgotten)
            continue;
        text_puts(text, before);
        add_report(text, context, node);
        before = ",\n";
    }
    text_puts(text, "]}\n");
}

#include "render_matrix.h"

#include <inttypes.h>
#include <stdio.h>

#include "words.h"

static char letter(uint8_t opinion)
{
    return opinion == LIVENESS_UP ? 'U' : opinion == LIVENESS_DOWN ? 'D' : '?';
}

static void add_run(struct text *text, char what, size_t n)
{
    if (n > 1)
        text_printf(text, "%zu", n);
    text_add(text, &what, 1);
}

/* The opinions of one observer in the order of the list. */
static void add_view(struct text *text, const struct cluster *cluster, const uint8_t *opinions)
{
    size_t run = 0;
    char what = 0;

    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *node = cluster->sorted[i];
        char now;

        if (node->gone || node->forgotten)
            continue;
        now = letter(opinions[node->index]);
        if (run > 0 && now != what) {
            add_run(text, what, run);
            run = 0;
        }
        what = now;
        run++;
    }
    if (run > 0)
        add_run(text, what, run);
}

static void add_flag(struct text *text, const char *name, bool value)
{
    if (value)
        text_printf(text, ",\"%s\":true", name);
}

static void add_node(struct text *text, const struct render_context *context,
                     const struct node *node, const struct observer_line *line)
{
    char since[WORDS_TIME_LEN] = "";

    if (node->changed_at_ms != 0)
        words_time(node->changed_at_ms + context->wall_offset_ms, since);
    text_printf(text, "{\"address\":\"%s\"", node->text);
    text_add_member(text, "dc", node->gossip.datacenter);
    text_add_member(text, "rack", node->gossip.rack);
    text_printf(text, ",\"verdict\":\"%s\",\"reasons\":[", readiness_word(node->verdict.readiness));
    words_reasons(node, text_add_item, text);
    text_puts(text, "]");
    text_add_member(text, "since", since);
    text_printf(text, ",\"observer\":\"%s\"", observer_word(node));
    add_flag(text, "local", node->local);
    add_flag(text, "seed", node->seed);
    add_flag(text, "drained", node->drain.on);
    add_flag(text, "repair_needed", node->repair_needed);
    if (line->opinions) {
        text_puts(text, ",\"view\":\"");
        add_view(text, context->cluster, line->opinions);
        text_puts(text, "\"}");
    } else {
        text_puts(text, ",\"view\":null");
        text_add_member(text, "missing", line->missing);
        text_puts(text, "}");
    }
}

void render_matrix(struct text *text, const struct render_context *context)
{
    const struct cluster *cluster = context->cluster;
    size_t n = 0;

    text_puts(text, "{\"cluster\":");
    text_add_json(text, cluster->name);
    text_printf(text, ",\"view_ttl_ms\":%" PRId64 ",\"nodes\":[", cluster->readiness.view_ttl_ms);
    /* The lines of the observers are those of the nodes that are shown, in this order. */
    for (size_t i = 0; i < cluster->n_sorted && n < context->n_observers; i++) {
        const struct node *node = cluster->sorted[i];

        if (node->gone || node->forgotten)
            continue;
        text_puts(text, n > 0 ? ",\n" : "\n");
        add_node(text, context, node, &context->observers[n++]);
    }
    text_puts(text, "]}\n");
}

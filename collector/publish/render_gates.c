#include "render_gates.h"

#include <string.h>

/* Hosts hold a list of some data center, or an operator has said one. */
static bool seeds_are_held(const struct values *values)
{
    for (size_t i = 0; values && i < values->n; i++) {
        const char *key = values->items[i].key, *end = strrchr(key, '/');

        if (values->items[i].text &&
            (strncmp(key, "seeds/", 6) == 0 || (end && strcmp(end, "/localseeds") == 0)))
            return true;
    }
    return false;
}

void render_gate_context(const struct render_context *context, struct gate_room *room,
                         struct gate_context *ret)
{
    const struct seeds_settings settings = render_seeds_settings(context);

    seeds_of_all(context->cluster, context->values, &settings, &room->seeds);
    *ret = (struct gate_context){
        .cluster = context->cluster,
        .keyspaces = context->keyspaces,
        .settings = context->gates,
        .permit = context->permit,
        .seeds = &room->seeds,
        .seeds_guessed = !seeds_are_held(context->values),
        .now_ms = context->now_ms,
        .wall_ms = context->now_ms + context->wall_offset_ms,
        .waits = regions_waits(context->regions, room->waits),
    };
}

void gate_room_done(struct gate_room *room)
{
    addresses_free(&room->seeds);
}

int render_gate(struct text *text, const struct gate_answer *answer)
{
    text_printf(text, "{\"may\":\"%s\",\"reasons\":[", gate_verdict_word(answer->verdict));
    for (size_t i = 0; i < answer->n_reasons; i++) {
        text_puts(text, i ? "," : "");
        text_add_json(text, answer->reasons[i]);
    }
    text_puts(text, "]}\n");
    return answer->verdict == GATE_YES ? 200 : 409;
}

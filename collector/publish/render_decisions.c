#include "render_decisions.h"

#include <inttypes.h>

#include "words.h"

static void add_string(struct text *text, const char *key, const char *value)
{
    text_printf(text, ",\"%s\":", key);
    text_add_json(text, value);
}

static void add_texts(struct text *text, const struct decision_entry *entry)
{
    add_string(text, "kind", entry->kind);
    add_string(text, "node", entry->node);
    add_string(text, "what", entry->what);
    add_string(text, "why", entry->why);
    add_string(text, "by", entry->by);
}

void render_decisions(struct text *text, const struct decisions *decisions, const char *host)
{
    char at[WORDS_TIME_LEN], last[WORDS_TIME_LEN];

    text_puts(text, "{\"decisions\":[");
    for (size_t i = decisions->n; i-- > 0;) {
        const struct decision_entry *entry = &decisions->items[i];

        words_time(entry->at_ms, at);
        words_time(entry->last_ms, last);
        text_printf(text, "%s{\"at\":\"%s\",\"last\":\"%s\",\"times\":%u",
                    i + 1 < decisions->n ? ",\n" : "", at, last, entry->times);
        add_texts(text, entry);
        add_string(text, "host", host);
        text_puts(text, "}");
    }
    text_puts(text, "]}\n");
}

void render_kept_decisions(struct text *text, const struct decisions *decisions)
{
    text_puts(text, "{\"format\":1,\n\"decisions\":[");
    for (size_t i = 0; i < decisions->n; i++) {
        const struct decision_entry *entry = &decisions->items[i];

        text_printf(text, "%s{\"at_ms\":%" PRId64 ",\"last_ms\":%" PRId64 ",\"times\":%u",
                    i > 0 ? ",\n" : "\n", entry->at_ms, entry->last_ms, entry->times);
        add_texts(text, entry);
        text_puts(text, "}");
    }
    text_puts(text, "]}\n");
}

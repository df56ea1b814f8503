#include "decisions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool same_subject(const struct decision_entry *a, const struct decision_entry *b)
{
    return strcmp(a->node, b->node) == 0 && strcmp(a->kind, b->kind) == 0;
}

static bool same(const struct decision_entry *a, const struct decision_entry *b)
{
    return strcmp(a->what, b->what) == 0 && strcmp(a->why, b->why) == 0 &&
           strcmp(a->by, b->by) == 0;
}

/* The clock may have been set back meanwhile. */
static bool soon_after(int64_t then_ms, int64_t now_ms)
{
    return now_ms - then_ms <= DECISIONS_SAME_MS && then_ms - now_ms <= DECISIONS_SAME_MS;
}

/* The entry that this one only counts for; decisions->n = none. */
static size_t find_same(const struct decisions *decisions, const struct decision_entry *entry)
{
    for (size_t i = decisions->n; i-- > 0;) {
        const struct decision_entry *held = &decisions->items[i];

        if (same_subject(held, entry))
            return same(held, entry) && soon_after(held->last_ms, entry->at_ms) ? i : decisions->n;
    }
    return decisions->n;
}

static void remove_at(struct decisions *decisions, size_t i)
{
    memmove(&decisions->items[i], &decisions->items[i + 1],
            (decisions->n - i - 1) * sizeof(*decisions->items));
    decisions->n--;
}

/* What comes in swarms, and of itself. */
static bool is_common(const struct decision_entry *entry)
{
    return strcmp(entry->kind, "observer") == 0 || strcmp(entry->kind, "verdict") == 0 ||
           strcmp(entry->kind, "node") == 0;
}

/* What people did, and what was done for them, outlives a cluster in turmoil: of the older half the
 * oldest that is common goes first. */
static size_t find_least(const struct decisions *decisions)
{
    for (size_t i = 0; i < decisions->n / 2; i++)
        if (is_common(&decisions->items[i]))
            return i;
    return 0;
}

/* Room for one more. */
static int reserve(struct decisions *decisions)
{
    size_t size = decisions->size ? decisions->size * 2 : 32;
    struct decision_entry *items;

    if (decisions->n == DECISIONS_MAX)
        remove_at(decisions, find_least(decisions));
    if (decisions->n < decisions->size)
        return 0;
    if (size > DECISIONS_MAX)
        size = DECISIONS_MAX;
    items = reallocarray(decisions->items, size, sizeof(*items));
    if (!items)
        return -ENOMEM;
    decisions->items = items;
    decisions->size = size;
    return 0;
}

/* What was cut within a character loses what is left of it. */
static void end_whole(char *text, size_t len)
{
    size_t begin = len;

    while (begin > 0 && len - begin < 4 && ((unsigned char)text[begin - 1] & 0xc0) == 0x80)
        begin--;
    if (begin > 0 && (unsigned char)text[begin - 1] >= 0xc0) {
        unsigned char lead = (unsigned char)text[begin - 1];
        size_t want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;

        if (len - begin + 1 < want)
            text[begin - 1] = '\0';
    }
}

static void on_one_line(char *text, size_t size)
{
    text[size - 1] = '\0';
    end_whole(text, strlen(text));
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
}

/* A copy in its one form, so that what is compared and what is kept are the same. */
static struct decision_entry made_of(const struct decision_entry *entry)
{
    struct decision_entry made = *entry;

    on_one_line(made.kind, sizeof(made.kind));
    on_one_line(made.node, sizeof(made.node));
    on_one_line(made.what, sizeof(made.what));
    on_one_line(made.why, sizeof(made.why));
    on_one_line(made.by, sizeof(made.by));
    if (made.times == 0) {
        made.times = 1;
        made.last_ms = made.at_ms;
    }
    return made;
}

int decisions_add(struct decisions *decisions, const struct decision_entry *entry)
{
    struct decision_entry made = made_of(entry);
    size_t i = decisions->n;
    int r;

    if (entry->times == 0)
        i = find_same(decisions, &made);
    if (i < decisions->n) {
        const struct decision_entry *held = &decisions->items[i];

        made.at_ms = held->at_ms;
        made.times = held->times + (held->times < UINT32_MAX);
        remove_at(decisions, i);
    }
    r = reserve(decisions);
    if (r < 0)
        return r;
    decisions->items[decisions->n++] = made;
    decisions->changes++;
    return 0;
}

const struct decision_entry *decisions_last(const struct decisions *decisions, const char *kind,
                                            const char *node)
{
    for (size_t i = decisions->n; i-- > 0;) {
        const struct decision_entry *held = &decisions->items[i];

        if (strcmp(held->kind, kind) == 0 && strcmp(held->node, node) == 0)
            return held;
    }
    return NULL;
}

void decisions_free(struct decisions *decisions)
{
    free(decisions->items);
    *decisions = (struct decisions){0};
}

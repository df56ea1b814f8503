#include "cluster_internal.h"

#include <string.h>

/* This many changes within this time are too many. A crash and its end are two. */
#define REHAB_CHANGES   3
#define REHAB_WINDOW_MS (10 * 60 * 1000)

/* What an operator has said. */
#define BY_OPERATOR (REASON_DRAINED | REASON_RUN_STATE)

/* These are facts and no opinions: `fall` does not hold them back. */
#define AT_ONCE (REASON_PROCESS_GONE | REASON_GONE | BY_OPERATOR)

_Static_assert(sizeof(((struct node_private *)0)->change_ms) == REHAB_CHANGES * sizeof(int64_t),
               "as many changes as count are remembered");

static bool in_rehab(const struct readiness_settings *settings, const struct node *node,
                     int64_t now_ms)
{
    int64_t oldest = node->private.change_ms[0],
            latest = node->private.change_ms[REHAB_CHANGES - 1];

    return oldest != 0 && now_ms - oldest <= REHAB_WINDOW_MS &&
           now_ms - latest < settings->rehab_ms;
}

/* Why the published readiness stays as it is although the raw one differs; false = it does not. */
static bool held_back(const struct readiness_settings *settings, const struct node *node,
                      int64_t now_ms, uint32_t *ret_reasons)
{
    bool rises = node->raw.readiness == READY;
    unsigned rounds = rises ? settings->rise : settings->fall;
    bool early = rounds > 1 && node->streak < rounds && !(node->raw.reasons & AT_ONCE);

    *ret_reasons = 0;
    if (!rises)
        return early;
    if (early)
        *ret_reasons |= REASON_RISING;
    if (in_rehab(settings, node, now_ms))
        *ret_reasons |= REASON_REHAB;
    return *ret_reasons != 0;
}

/*
 * Who comes back may be seen DOWN once more: gossip ends its former life while it is up already.
 * Such a fall soon after a rise, and the rise after it, are part of that rise: once.
 */
static bool is_bounce(const struct readiness_settings *settings, struct node *node, int64_t now_ms)
{
    struct node_private *private = &node->private;

    if (node->verdict.readiness == READY) {
        bool ends = private->bounce == BOUNCE_BEGUN;

        private->rose_ms = now_ms;
        private->bounce = ends ? BOUNCE_OVER : BOUNCE_NONE;
        return ends;
    }
    if (private->bounce != BOUNCE_NONE || private->rose_ms == 0 ||
        now_ms - private->rose_ms >= settings->settle_ms)
        return false;
    private->bounce = BOUNCE_BEGUN;
    return true;
}

/* To come up for the first time is no change of mind either: a crash soon after is still one crash.
 * And what an operator does is not held against the node: neither a drain nor its end. */
static void remember_change(const struct readiness_settings *settings, struct node *node,
                            int64_t now_ms)
{
    int64_t *change_ms = node->private.change_ms;
    bool first = !node->private.was_ready && node->verdict.readiness == READY;
    bool asked = node->raw.reasons && !(node->raw.reasons & ~(uint32_t)BY_OPERATOR);
    bool drain = node->private.was_drained || asked;

    node->private.was_ready = true;
    node->private.was_drained = asked;
    if (drain || is_bounce(settings, node, now_ms) || first)
        return;
    memmove(change_ms, change_ms + 1, (REHAB_CHANGES - 1) * sizeof(*change_ms));
    change_ms[REHAB_CHANGES - 1] = now_ms;
}

static bool same(const struct verdict *a, const struct verdict *b)
{
    return a->readiness == b->readiness && a->reasons == b->reasons && a->counted == b->counted &&
           a->up == b->up && a->down == b->down && a->unseen == b->unseen && a->needed == b->needed;
}

bool node_damp(const struct readiness_settings *settings, struct node *node, bool round,
               int64_t now_ms)
{
    const struct verdict before = node->verdict;
    uint32_t reasons;

    node->verdict = node->raw;
    if (before.readiness == READINESS_UNKNOWN) {
        node->changed_at_ms = now_ms;
        return true;
    }
    if (node->raw.readiness == before.readiness) {
        node->streak = 0;
        return !same(&before, &node->verdict);
    }
    node->streak += round;
    if (held_back(settings, node, now_ms, &reasons)) {
        node->verdict.readiness = before.readiness;
        node->verdict.reasons |= reasons;
        return !same(&before, &node->verdict);
    }
    node->streak = 0;
    node->changed_at_ms = now_ms;
    remember_change(settings, node, now_ms);
    return true;
}

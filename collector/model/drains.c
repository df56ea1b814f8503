#include "drains.h"

#include <stdio.h>
#include <string.h>

#include "cluster_internal.h"

/* The version that drains the node; NULL = none. */
static const struct value *find_drain(const struct values *values, const struct node *node)
{
    char key[VALUES_KEY_LEN];
    const struct value *value;

    if (node->gone || node->forgotten)
        return NULL;
    snprintf(key, sizeof(key), "drain/%s", node->text);
    value = values_find(values, key);
    return value && strcmp(value->text, "true") == 0 ? value : NULL;
}

static bool same_version(const struct drain *drain, const struct value *value)
{
    return drain->counter == value->counter && strcmp(drain->host, value->host) == 0 &&
           drain->until_ms == value->until_ms;
}

/* What is left of it, in ms; 0 = it has ended. */
static int64_t time_left(const struct drain *drain, const struct value *value, int64_t wall_ms,
                         int64_t now_ms)
{
    int64_t left = value_ends_in(value, wall_ms);
    int64_t most = drain->heard_ms + value->ttl_ms - now_ms;

    if (left == INT64_MAX || left < most)
        return left;
    return most > 0 ? most : 0;
}

/* Returns what is left of the drain that holds; INT64_MAX also when none does. */
static int64_t update(struct drain *drain, const struct value *value, int64_t wall_ms,
                      int64_t now_ms)
{
    int64_t left;

    if (!value) {
        *drain = (struct drain){0};
        return INT64_MAX;
    }
    if (!same_version(drain, value)) {
        *drain = (struct drain){.counter = value->counter,
                                .heard_ms = now_ms,
                                .at_ms = value->at_ms,
                                .until_ms = value->until_ms};
        memcpy(drain->user, value->user, sizeof(drain->user));
        memcpy(drain->host, value->host, sizeof(drain->host));
    }
    left = time_left(drain, value, wall_ms, now_ms);
    drain->on = left > 0;
    return drain->on ? left : INT64_MAX;
}

int64_t
drains_apply(struct cluster *cluster, const struct values *values, int64_t wall_ms, int64_t now_ms,
             void (*each)(const struct node *node, const struct drain *before, void *userdata),
             void *userdata)
{
    int64_t next_ms = INT64_MAX;

    for (size_t i = 0; i < cluster->n_sorted; i++) {
        struct node *node = cluster->sorted[i];
        const struct value *value = values->n > 0 ? find_drain(values, node) : NULL;
        const struct drain before = node->drain;
        int64_t left = update(&node->drain, value, wall_ms, now_ms);

        if (left < next_ms)
            next_ms = left;
        if (before.on == node->drain.on &&
            (!before.on ||
             (before.counter == node->drain.counter && strcmp(before.host, node->drain.host) == 0 &&
              before.until_ms == node->drain.until_ms)))
            continue;
        mark_verdict(cluster, node);
        if (each)
            each(node, &before, userdata);
    }
    return next_ms;
}

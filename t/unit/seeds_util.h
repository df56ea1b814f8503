/* Fleets in racks, and which of their nodes are seeds. */
#ifndef SEEDS_UTIL_H
#define SEEDS_UTIL_H

#include "model/seeds.h"
#include "model_util.h"

#define SEEDS_PATIENCE_MS 60000
#define WALL              1700000000000

static const struct seeds_settings everywhere = {.patience_ms = SEEDS_PATIENCE_MS};

/* Which nodes are seeds: 's', or '.'. */
static inline const char *seeds_text(const struct fleet *fleet)
{
    static char text[FLEET_MAX + 1];

    for (size_t i = 0; i < fleet->n; i++)
        text[i] = fleet_node(fleet, i)->seed ? 's' : '.';
    text[fleet->n] = '\0';
    return text;
}

/* Racks by number, one digit for each node; a data center of its own after each space. */
static inline void place(struct fleet *fleet, const char *racks)
{
    static const char *const names[] = {"r0", "r1", "r2", "r3", "r4", "r5", "r6"};
    static const char *const datacenters[] = {"dc1", "dc2", "dc3"};
    size_t n = 0, datacenter = 0;

    fleet_init(fleet, strlen(racks), POLICY_MUTUAL);
    for (; *racks; racks++) {
        if (*racks == ' ') {
            datacenter++;
            continue;
        }
        fleet->node[n].rack = names[*racks - '0'];
        fleet->node[n++].datacenter = datacenters[datacenter];
    }
    fleet->n = n;
    for (size_t i = 0; i < n; i++) {
        memset(fleet->node[i].row, '-', FLEET_MAX);
        memset(fleet->node[i].row, 'U', n);
    }
}

/* A round of a host; what it is to write is in force at once. Returns how many lists that were. */
static inline size_t write_lists(struct fleet *fleet, struct values *values,
                                 const struct seeds_settings *settings)
{
    struct seeds_change *changes;
    size_t n;

    fleet_round(fleet);
    seeds_apply(fleet->cluster, values, settings, fleet->now_ms);
    seeds_changes(fleet->cluster, values, settings, fleet->now_ms, &changes, &n);
    for (size_t i = 0; i < n; i++) {
        const struct value_change change = {.key = changes[i].key, .text = changes[i].text};

        assert_int_equal(values_change(values, &change, "host", WALL), 0);
    }
    seeds_changes_free(changes, n);
    if (n > 0)
        seeds_apply(fleet->cluster, values, settings, fleet->now_ms);
    return n;
}

static inline size_t write_for(struct fleet *fleet, struct values *values,
                               const struct seeds_settings *settings, int64_t ms)
{
    size_t n = 0;

    for (int64_t end = fleet->now_ms + ms; fleet->now_ms < end;)
        n += write_lists(fleet, values, settings);
    return n;
}

#endif

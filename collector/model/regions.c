#include "regions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct region *regions_find(const struct regions *regions, const char *name)
{
    for (size_t i = 0; i < regions->n; i++)
        if (strcmp(regions->items[i].name, name) == 0)
            return &regions->items[i];
    return NULL;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct region *)a)->name, ((const struct region *)b)->name);
}

static void region_free(struct region *region)
{
    free(region->seeds);
    free(region->dcs);
    free(region->offered_seeds.items);
    free(region->offered_dcs.items);
    *region = (struct region){0};
}

/* A place for the region, with what is known of it moved there. */
static void place(struct regions *from, struct regions *to, const char *name, bool own)
{
    struct region *known = regions_find(from, name), *region;

    if (regions_find(to, name))
        return;
    region = &to->items[to->n++];
    if (known) {
        *region = *known;
        *known = (struct region){0};
    }
    snprintf(region->name, sizeof(region->name), "%s", name);
    if (region->own != own)
        region->told_at_ms = 0;
    region->own = own;
}

int regions_set(struct regions *regions, const char *own, const char *const *others,
                size_t n_others, int64_t ttl_ms)
{
    struct regions set = {.ttl_ms = ttl_ms, .unsaved = regions->unsaved};

    set.items = calloc(n_others + 1, sizeof(*set.items));
    if (!set.items)
        return -ENOMEM;
    place(regions, &set, own, true);
    for (size_t i = 0; i < n_others; i++)
        place(regions, &set, others[i], false);
    regions_free(regions);
    if (set.n == 1)
        regions_free(&set);
    else
        qsort(set.items, set.n, sizeof(*set.items), compare);
    set.ttl_ms = ttl_ms;
    *regions = set;
    return 0;
}

static void move_list(void **to, size_t *n_to, void **from, size_t *n_from)
{
    free(*to);
    *to = *from;
    *n_to = *n_from;
    *from = NULL;
    *n_from = 0;
}

static bool same_list(const void *a, size_t n_a, const void *b, size_t n_b, size_t size)
{
    return n_a == n_b && memcmp(a, b, n_a * size) == 0;
}

/* True when the list is another one than before. Who says nothing offers nothing. */
static bool take_list(void **held, size_t *n_held, struct region_offer *offer, void **list,
                      size_t *n, size_t size)
{
    if (!*list)
        return false;
    if (*held && same_list(*held, *n_held, *list, *n, size)) {
        offer->times = 0;
        return false;
    }
    if (offer->times == 0 || !same_list(offer->items, offer->n, *list, *n, size)) {
        move_list(&offer->items, &offer->n, list, n);
        offer->times = 0;
    }
    if (++offer->times < REGIONS_SAME && *held)
        return false;
    move_list(held, n_held, &offer->items, &offer->n);
    offer->times = 0;
    return true;
}

static bool take_lists(struct region *region, struct region_answer *answer)
{
    bool seeds = take_list((void **)&region->seeds, &region->n_seeds, &region->offered_seeds,
                           (void **)&answer->seeds, &answer->n_seeds, sizeof(*region->seeds));

    region->seeds_changed |= seeds;
    return take_list((void **)&region->dcs, &region->n_dcs, &region->offered_dcs,
                     (void **)&answer->dcs, &answer->n_dcs, sizeof(*region->dcs)) ||
           seeds;
}

void regions_recall(struct regions *regions, const char *name, struct region_answer *kept)
{
    struct region *region = regions_find(regions, name);

    if (!region)
        return;
    region->was_ready |= kept->ready == TRILEAN_TRUE;
    /* What was heard since then is newer. */
    if (!region->own && !region->seeds && !region->dcs) {
        take_lists(region, kept);
        region->seeds_changed = false;
    }
}

bool regions_ingest(struct regions *regions, const char *name, struct region_answer *answer)
{
    struct region *region = regions_find(regions, name);

    if (!region || region->own)
        return false;
    region->result = answer->result;
    region->http_status = answer->http_status;
    region->path = answer->path;
    memcpy(region->detail, answer->detail, sizeof(region->detail));
    if (answer->ready != TRILEAN_UNKNOWN) {
        region->ready = answer->ready == TRILEAN_TRUE;
        region->told_at_ms = answer->began_ms - answer->age_ms;
    }
    if (!take_lists(region, answer))
        return false;
    regions->unsaved = true;
    return true;
}

static enum region_state state_of(const struct regions *regions, const struct region *region,
                                  int64_t now_ms)
{
    if (region->told_at_ms > 0 && now_ms - region->told_at_ms <= regions->ttl_ms)
        return region->ready ? REGION_READY : REGION_NOT_READY;
    return region->result == POLL_NEVER ? REGION_UNASKED : REGION_UNREACHABLE;
}

static bool cannot_be_reached(const struct region *region)
{
    return region->state == REGION_UNREACHABLE || region->state == REGION_UNASKED;
}

static void choose_next(struct regions *regions)
{
    regions->next = regions->blocker = NULL;
    for (size_t i = 0; i < regions->n && !regions->blocker; i++) {
        const struct region *region = &regions->items[i];

        if (region->state == REGION_READY)
            continue;
        if (!regions->next && cannot_be_reached(region))
            regions->blocker = region;
        else if (!regions->next)
            regions->next = region;
        else if (!regions->next->was_ready && region->was_ready && cannot_be_reached(region))
            regions->blocker = region;
    }
    if (regions->blocker)
        regions->next = NULL;
}

bool regions_judge(struct regions *regions, bool own_ready, int64_t now_ms)
{
    const struct region *next = regions->next, *blocker = regions->blocker;
    bool changed = false;

    for (size_t i = 0; i < regions->n; i++) {
        struct region *region = &regions->items[i];
        enum region_state state;

        if (region->own) {
            region->ready = own_ready;
            region->told_at_ms = now_ms;
        }
        state = state_of(regions, region, now_ms);
        if (state == REGION_READY && !region->was_ready)
            region->was_ready = regions->unsaved = true;
        changed |= state != region->state;
        region->state = state;
    }
    choose_next(regions);
    return changed || next != regions->next || blocker != regions->blocker;
}

const char *regions_waits(const struct regions *regions, char why[REGIONS_WHY_LEN])
{
    const struct region *blocker = regions->blocker, *next = regions->next;

    for (size_t i = 0; i < regions->n; i++)
        if (regions->items[i].own && regions->items[i].was_ready)
            return NULL;
    if (regions->n == 0 || (next && next->own))
        return NULL;
    if (blocker && blocker->state == REGION_UNASKED)
        snprintf(why, REGIONS_WHY_LEN, "region %s has not been asked yet", blocker->name);
    else if (blocker && blocker->result == POLL_OK)
        snprintf(why, REGIONS_WHY_LEN, "what region %s says is too old", blocker->name);
    else if (blocker)
        snprintf(why, REGIONS_WHY_LEN, "region %s cannot be reached (%s)%s", blocker->name,
                 poll_result_word(blocker->result),
                 blocker->was_ready ? "; it was ready before" : "");
    else if (next)
        snprintf(why, REGIONS_WHY_LEN, "region %s has its turn first", next->name);
    else
        snprintf(why, REGIONS_WHY_LEN, "nothing is known of the regions yet");
    return why;
}

static int compare_dcs(const void *a, const void *b)
{
    return strcmp(((const struct region_dc *)a)->name, ((const struct region_dc *)b)->name);
}

static bool has_dc(const struct region_dc *dcs, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(dcs[i].name, name) == 0)
            return true;
    return false;
}

int regions_dcs(const struct regions *regions, const struct cluster *cluster,
                const struct region_settings *without, struct region_dc **ret, size_t *ret_n)
{
    struct region_dc *dcs, *grown;
    size_t n, n_known, room, kept = 0;
    int r = region_dcs(cluster, &dcs, &n);

    if (r < 0)
        return r;
    n_known = n;
    room = n + 1;
    for (size_t i = 0; i < regions->n; i++)
        room += regions->items[i].own ? 0 : regions->items[i].n_dcs;
    grown = reallocarray(dcs, room, sizeof(*dcs));
    if (!grown) {
        free(dcs);
        return -ENOMEM;
    }
    dcs = grown;
    for (size_t i = 0; i < regions->n; i++) {
        const struct region *region = &regions->items[i];

        for (size_t j = 0; !region->own && j < region->n_dcs; j++)
            if (!has_dc(dcs, n, region->dcs[j].name))
                dcs[n++] = region->dcs[j];
    }
    for (size_t i = 0; i < n; i++)
        if (!without || i >= n_known || !region_names(without->datacenters, dcs[i].name))
            dcs[kept++] = dcs[i];
    qsort(dcs, kept, sizeof(*dcs), compare_dcs);
    *ret = dcs;
    *ret_n = kept;
    return 0;
}

void regions_free(struct regions *regions)
{
    for (size_t i = 0; i < regions->n; i++)
        region_free(&regions->items[i]);
    free(regions->items);
    *regions = (struct regions){0};
}

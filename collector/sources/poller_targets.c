#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "poller_private.h"

#define FIRST_BURST                                                                                \
    64 /* new targets asked at once; more of them take their turns within an interval */
#define SPARE_CONNECTIONS 8 /* kept open besides one to each target */

static struct target *target_free(struct target *target)
{
    struct poller *poller;

    if (!target)
        return NULL;
    poller = target->poller;
    if (target->running && target->pass == poller->pass)
        poller->pending--;
    poller->n_fresh -= target->fresh;
    probe_cancel(target->probe);
    if (target->source)
        target->source->source->close(target->source);
    free(target->url);
    free(target);
    return NULL;
}

/* `url` is the target's own one, "" when it has none. */
static int target_new(struct poller *poller, const struct source_place *place,
                      const struct prober_addr *address, const char *url, struct target **ret)
{
    struct target *target = calloc(1, sizeof(*target));
    struct source_place expanded = *place;
    bool peer = poller->mesh && !prober_addr_is_unset(address);
    enum source_kind kind = peer ? SOURCE_PEER : SOURCE_CASSANDRA;
    char *text = source_expand(place->url, address);
    const struct source *source = text ? source_find(text, kind) : NULL;
    int r = -ENOMEM;

    if (target && text) {
        expanded.url = text;
        expanded.address = *address;
        target->poller = poller;
        target->address = *address;
        target->url = strdup(url);
        r = !target->url ? -ENOMEM
            : !source    ? -EINVAL
                         : source->open(&poller->context, &expanded, &target->source);
    }
    free(text);
    if (r < 0) {
        /* Not yet one of the poller's, or not even that much. */
        if (target)
            free(target->url);
        free(target);
        return r;
    }
    *ret = target;
    return 0;
}

static struct target *target_find(const struct poller *poller, const struct prober_addr *address)
{
    size_t low = poller->has_local;
    size_t high = poller->n_targets;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = prober_addr_compare(&poller->targets[middle]->address, address);

        if (order == 0)
            return poller->targets[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* The target that is polled already in this way, or a new one. */
static int target_for(struct poller *poller, const struct poller_target *wanted,
                      struct target **ret)
{
    const char *url = wanted->url ? wanted->url : "";
    struct source_place place = {.url = url[0] ? url : poller->peer_url,
                                 .user = poller->peer_login.user,
                                 .password = poller->peer_login.password,
                                 .ca_file = poller->peer_login.ca_file};
    struct target *target = target_find(poller, &wanted->address);

    if (!target || strcmp(target->url, url) != 0)
        return target_new(poller, &place, &wanted->address, url, ret);
    *ret = target;
    return 0;
}

static int compare_wanted(const void *a, const void *b)
{
    return prober_addr_compare(&((const struct poller_target *)a)->address,
                               &((const struct poller_target *)b)->address);
}

/* Makes `next` the targets: what is not in it any more goes, what is new is to be asked. */
static void targets_replace(struct poller *poller, struct target **next, size_t n_next)
{
    size_t burst = 0;

    for (size_t i = 0; i < n_next; i++)
        next[i]->kept = true;
    for (size_t i = 0; i < poller->n_targets; i++)
        if (!poller->targets[i]->kept)
            target_free(poller->targets[i]);
    free(poller->targets);
    poller->targets = next;
    poller->n_targets = n_next;
    for (size_t i = 0; i < n_next; i++) {
        struct target *target = next[i];

        target->kept = false;
        if (!target->known && burst < FIRST_BURST) {
            target->fresh = true;
            poller->n_fresh++;
            burst++;
        } else if (!target->known) {
            target->turn = poller->pass;
        }
        target->known = true;
    }
    poller->cursor = 0;
    poller_choose_panel(poller);
    multi_keep(poller->context.multi, n_next + SPARE_CONNECTIONS);
}

int poller_set_targets(struct poller *poller, const struct poller_target *targets, size_t n_targets)
{
    struct poller_target *wanted = calloc(n_targets + 1, sizeof(*wanted));
    struct target **next = calloc(n_targets + 1, sizeof(*next));
    size_t n = 0;
    int r = wanted && next ? 0 : -ENOMEM;

    if (r >= 0 && poller->has_local)
        next[n++] = poller->targets[0];
    if (r >= 0 && n_targets > 0) {
        memcpy(wanted, targets, n_targets * sizeof(*wanted));
        qsort(wanted, n_targets, sizeof(*wanted), compare_wanted);
    }
    for (size_t i = 0; r >= 0 && i < n_targets; i++) {
        if (i > 0 && compare_wanted(&wanted[i - 1], &wanted[i]) == 0)
            continue;
        r = target_for(poller, &wanted[i], &next[n]);
        n += r >= 0;
    }
    free(wanted);
    if (r < 0) {
        for (size_t i = 0; i < n; i++)
            if (!next[i]->known)
                target_free(next[i]);
        free(next);
        return r;
    }
    targets_replace(poller, next, n);
    poller_arm(poller);
    return 0;
}

int poller_set_local(struct poller *poller, const struct source_place *place)
{
    static const struct prober_addr unset;
    struct target **targets = calloc(1, sizeof(*targets));
    int r = targets ? target_new(poller, place, &unset, "", &targets[0]) : -ENOMEM;

    if (r < 0) {
        free(targets);
        return r;
    }
    targets[0]->local = targets[0]->known = true;
    poller->targets = targets;
    poller->n_targets = 1;
    poller->has_local = true;
    return 0;
}

int poller_set_operator(struct poller *poller, const struct source_place *place)
{
    const struct source *source = source_find(place->url, SOURCE_CASSANDRA);

    return source ? source->open(&poller->context, place, &poller->operator) : -EINVAL;
}

static void on_invoked(struct reply *reply, void *userdata)
{
    struct poller *poller = userdata;
    source_invoked invoked = poller->invoked;

    poller->invoked = NULL;
    invoked(reply, poller->invoked_userdata);
}

int poller_invoke_local(struct poller *poller, const struct source_operation *operation,
                        source_invoked invoked, void *userdata)
{
    int r;

    if (!poller->operator)
        return -ENOENT;
    if (poller->invoked)
        return -EBUSY;
    poller->invoked = invoked;
    poller->invoked_userdata = userdata;
    r = poller->operator->source->invoke(poller->operator, operation, on_invoked, poller);
    if (r < 0)
        poller->invoked = NULL;
    return r;
}

void poller_drop_targets(struct poller *poller)
{
    if (poller->operator)
        poller->operator->source->close(poller->operator);
    poller->operator= NULL;
    for (size_t i = 0; i < poller->n_targets; i++)
        target_free(poller->targets[i]);
    free(poller->targets);
    poller->targets = NULL;
    poller->n_targets = 0;
}

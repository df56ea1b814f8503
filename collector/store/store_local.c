/* The store of a collector that is the only one: a table in memory, gone with the process. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_private.h"

struct item {
    char key[STORE_KEY_LEN];
    char *value;
    int64_t revision;
};

struct store_local {
    struct store store;
    struct item *items;
    size_t n;
    int64_t revision; /* the highest given so far */
    int64_t ttl_ms;
    bool alone;
};

static struct store_local *local_of(struct store *store)
{
    return (struct store_local *)store;
}

static const struct store_local *const_local_of(const struct store *store)
{
    return (const struct store_local *)store;
}

static struct item *find(struct store_local *local, const char *key)
{
    for (size_t i = 0; i < local->n; i++)
        if (strcmp(local->items[i].key, key) == 0)
            return &local->items[i];
    return NULL;
}

static int put(struct store_local *local, struct item *item, const struct store_op *op)
{
    char *value = strdup(op->value);

    if (!value)
        return -ENOMEM;
    if (!item) {
        struct item *grown = reallocarray(local->items, local->n + 1, sizeof(*grown));

        if (!grown) {
            free(value);
            return -ENOMEM;
        }
        local->items = grown;
        item = &grown[local->n++];
        *item = (struct item){0};
        strcpy(item->key, op->key);
    }
    free(item->value);
    item->value = value;
    item->revision = ++local->revision;
    return 0;
}

static void delete (struct store_local *local, struct item *item)
{
    free(item->value);
    *item = local->items[--local->n];
}

static void change(struct store_local *local, const struct store_op *op,
                   struct store_answer *answer)
{
    struct item *item = find(local, op->key);

    if ((item ? item->revision : 0) != op->revision) {
        answer->result = STORE_CONFLICT;
        snprintf(answer->detail, sizeof(answer->detail), "%s has changed meanwhile", op->key);
    } else if (op->verb == STORE_PUT && put(local, item, op) < 0) {
        answer->result = STORE_REFUSED;
        snprintf(answer->detail, sizeof(answer->detail), "out of memory");
    } else if (op->verb == STORE_DELETE && item) {
        delete (local, item);
    }
}

static void run(struct store *store, const struct store_op *op)
{
    struct store_local *local = local_of(store);
    struct store_answer answer = {.result = STORE_OK};
    const struct item *item;
    char *copy = NULL;

    if (!local->alone) {
        answer.result = STORE_NONE;
        snprintf(answer.detail, sizeof(answer.detail), "%s", store_problem(store));
        store_end(store, &answer);
        return;
    }
    if (op->verb != STORE_GET)
        change(local, op, &answer);
    item = find(local, op->key);
    if (item) {
        /* Who is called may begin, and so change, whatever it likes. */
        copy = strdup(item->value);
        answer.revision = item->revision;
        answer.value = copy;
        answer.len = copy ? strlen(copy) : 0;
    }
    if (item && !copy)
        answer.result = STORE_UNKNOWN;
    store_end(store, &answer);
    free(copy);
}

static void set_alone(struct store *store, bool alone)
{
    local_of(store)->alone = alone;
}

static void set_cluster(struct store *store, const char *name)
{
    (void)store;
    (void)name;
}

/* As long as this process lives nobody else has anything. */
static int64_t session_left(const struct store *store)
{
    return const_local_of(store)->alone ? const_local_of(store)->ttl_ms : 0;
}

static uint64_t session(const struct store *store)
{
    return const_local_of(store)->alone ? 1 : 0;
}

static const char *problem(const struct store *store)
{
    return const_local_of(store)->alone
               ? ""
               : "several hosts need a store that they share: coordination.store = "
                 "\"etcd+http://…\"";
}

static void destroy(struct store *store)
{
    struct store_local *local = local_of(store);

    while (local->n > 0)
        free(local->items[--local->n].value);
    free(local->items);
    free(local);
}

int store_local_new(const struct conf *conf, struct store **ret)
{
    static const struct store_kind kind = {
        .run = run,
        .free = destroy,
        .set_alone = set_alone,
        .set_cluster = set_cluster,
        .session_left = session_left,
        .session = session,
        .problem = problem,
    };
    struct store_local *local = calloc(1, sizeof(*local));

    if (!local)
        return -ENOMEM;
    local->store.kind = &kind;
    local->ttl_ms = conf->store_ttl_ms;
    *ret = &local->store;
    return 0;
}

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store_private.h"

static int64_t clock_ms(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t store_now_ms(void)
{
    return clock_ms(CLOCK_BOOTTIME);
}

int64_t store_wall_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

const char *store_result_word(enum store_result result)
{
    static const char *const words[] = {
        [STORE_UNKNOWN] = "no answer",          [STORE_OK] = "ok",
        [STORE_CONFLICT] = "changed meanwhile", [STORE_REFUSED] = "refused",
        [STORE_UNREACHABLE] = "unreachable",    [STORE_NONE] = "no store",
    };

    return words[result];
}

static struct store_op *op_free(struct store_op *op)
{
    if (op)
        free(op->value);
    free(op);
    return NULL;
}

void store_end(struct store *store, const struct store_answer *answer)
{
    struct store_op *op = store->running;

    store->running = NULL;
    if (store->first)
        sd_event_source_set_enabled(store->step, SD_EVENT_ONESHOT);
    op->done(answer, op->userdata);
    op_free(op);
}

static int on_step(sd_event_source *source, void *userdata)
{
    static const struct store_answer late = {.result = STORE_UNREACHABLE,
                                             .detail = "it was busy with what was asked before"};
    struct store *store = userdata;

    (void)source;
    if (store->running || !store->first)
        return 0;
    store->running = store->first;
    store->first = store->running->next;
    if (!store->first)
        store->last = NULL;
    if (store_now_ms() >= store->running->deadline_ms)
        store_end(store, &late);
    else
        store->kind->run(store, store->running);
    return 0;
}

static int begin(struct store *store, const struct store_op *what, const char *key,
                 const char *value)
{
    struct store_op *op;

    if (strlen(key) >= STORE_KEY_LEN || (value && strlen(value) > STORE_VALUE_MAX))
        return -EMSGSIZE;
    op = calloc(1, sizeof(*op));
    if (!op)
        return -ENOMEM;
    *op = *what;
    strcpy(op->key, key);
    op->value = value ? strdup(value) : NULL;
    if (value && !op->value) {
        op_free(op);
        return -ENOMEM;
    }
    op->deadline_ms = store_now_ms() + STORE_DEADLINE_MS;
    if (store->last)
        store->last->next = op;
    else
        store->first = op;
    store->last = op;
    if (!store->running)
        sd_event_source_set_enabled(store->step, SD_EVENT_ONESHOT);
    return 0;
}

int store_get(struct store *store, const char *key, store_done done, void *userdata)
{
    return begin(store, &(struct store_op){.verb = STORE_GET, .done = done, .userdata = userdata},
                 key, NULL);
}

int store_put(struct store *store, const char *key, const char *value, int64_t revision,
              bool session, store_done done, void *userdata)
{
    return begin(store,
                 &(struct store_op){.verb = STORE_PUT,
                                    .revision = revision,
                                    .session = session,
                                    .done = done,
                                    .userdata = userdata},
                 key, value);
}

int store_delete(struct store *store, const char *key, int64_t revision, store_done done,
                 void *userdata)
{
    return begin(
        store,
        &(struct store_op){
            .verb = STORE_DELETE, .revision = revision, .done = done, .userdata = userdata},
        key, NULL);
}

int store_new(sd_event *event, const struct conf *conf, struct store **ret)
{
    struct store *store;
    int r = strcmp(conf->store, "local") == 0 ? store_local_new(conf, &store)
                                              : store_etcd_new(event, conf, &store);

    if (r < 0)
        return r;
    r = sd_event_add_defer(event, &store->step, on_step, store);
    if (r >= 0)
        r = sd_event_source_set_enabled(store->step, SD_EVENT_OFF);
    if (r < 0) {
        store_free(store);
        return r;
    }
    *ret = store;
    return 0;
}

struct store *store_free(struct store *store)
{
    if (!store)
        return NULL;
    sd_event_source_disable_unref(store->step);
    op_free(store->running);
    while (store->first) {
        struct store_op *op = store->first;

        store->first = op->next;
        op_free(op);
    }
    store->kind->free(store);
    return NULL;
}

void store_set_alone(struct store *store, bool alone)
{
    store->kind->set_alone(store, alone);
}

void store_set_cluster(struct store *store, const char *name)
{
    store->kind->set_cluster(store, name);
}

int64_t store_session_left(const struct store *store)
{
    return store->kind->session_left(store);
}

uint64_t store_session(const struct store *store)
{
    return store->kind->session(store);
}

const char *store_problem(const struct store *store)
{
    return store->kind->problem(store);
}

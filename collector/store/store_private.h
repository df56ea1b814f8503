/*
 * What store.c and the implementations say to each other. One operation runs at a time: the front
 * keeps the queue, the implementation ends the one it was given by store_end(), at once or later.
 */
#ifndef STORE_PRIVATE_H
#define STORE_PRIVATE_H

#include "store.h"

enum store_verb {
    STORE_GET = 0,
    STORE_PUT,
    STORE_DELETE,
};

struct store_op {
    struct store_op *next;
    enum store_verb verb;
    char key[STORE_KEY_LEN];
    char *value; /* owned; of STORE_PUT */
    int64_t revision;
    bool session;
    int64_t deadline_ms; /* CLOCK_BOOTTIME */
    store_done done;
    void *userdata;
};

struct store_kind {
    void (*run)(struct store *store, const struct store_op *op);
    void (*free)(struct store *store);
    void (*set_alone)(struct store *store, bool alone);
    void (*set_cluster)(struct store *store, const char *name);
    int64_t (*session_left)(const struct store *store);
    uint64_t (*session)(const struct store *store);
    const char *(*problem)(const struct store *store);
};

/* The head of each implementation's own struct. */
struct store {
    const struct store_kind *kind;
    sd_event_source *step;         /* runs the next operation */
    struct store_op *first, *last; /* waiting */
    struct store_op *running;
};

int store_local_new(const struct conf *conf, struct store **ret);
int store_etcd_new(sd_event *event, const struct conf *conf, struct store **ret);

/* The running operation has ended so. `answer` is used during the call only. */
void store_end(struct store *store, const struct store_answer *answer);

#endif

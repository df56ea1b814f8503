/*
 * Calls of etcd's JSON gateway, by any of its members: who does not answer is passed by, the next
 * one is asked, and stays the one that is. A login's token is fetched when it is needed, and anew
 * when it is not good any more.
 */
#ifndef ETCD_CLIENT_H
#define ETCD_CLIENT_H

#include "../conf.h"
#include "../sources/http.h"
#include "etcd_message.h"
#include "store.h"

struct etcd_client;
struct etcd_call;

struct etcd_ask {
    const char *path;    /* "/v3/kv/range" */
    char *body;          /* taken over, also on an error; NULL: -ENOMEM */
    bool again;          /* it changes nothing, or may be done twice: another member may be asked
                            also where the first one may have done it */
    int64_t deadline_ms; /* CLOCK_BOOTTIME */
};

struct etcd_answer {
    enum store_result result; /* STORE_OK: status 200 */
    enum etcd_error error;    /* of STORE_REFUSED */
    const char *body;         /* of STORE_OK; borrowed */
    size_t len;
    int64_t began_ms; /* CLOCK_BOOTTIME: when the request that was answered was sent */
    char detail[160]; /* the member, and what is wrong with it or what it says */
};

typedef void (*etcd_done)(const struct etcd_answer *answer, void *userdata);

/* The settings are copied. */
int etcd_client_new(sd_event *event, const struct conf *conf, struct etcd_client **ret);

/* To another event loop. No call may run. */
int etcd_client_move(struct etcd_client *client, sd_event *event);

/* No call may run any more. Accepts NULL; returns NULL. */
struct etcd_client *etcd_client_free(struct etcd_client *client);

/* `done` is called later, never from here; *ret is gone by then. -EACCES: the login has just been
 * refused, and is not tried again so soon. */
int etcd_call_start(struct etcd_client *client, const struct etcd_ask *ask, etcd_done done,
                    void *userdata, struct etcd_call **ret);

/* Without calling `done`. Accepts NULL; returns NULL. */
struct etcd_call *etcd_call_cancel(struct etcd_call *call);

#endif

/*
 * The permit in the store: taken and given back by compare-and-set, so that of all that ask at once
 * one gets it, whoever they ask.
 *
 * Besides, each host writes into it that its node was down, when it sees that; and who leads
 * removes it when it is over.
 */
#ifndef PERMIT_STORE_H
#define PERMIT_STORE_H

#include "../model/gates.h"
#include "../record.h"
#include "leader.h"
#include "store.h"

struct permits;

struct permits_ask {
    enum permit_kind kind;
    struct prober_addr node;
    const char *token; /* NULL = a new one. One of the caller's choice makes it harmless to ask
                          twice; of who holds it already: it begins anew */
    const char *who;   /* for people */
    int64_t ttl_ms;
    bool renew; /* what was begun goes on, so the gate is not asked again: of who holds it, or has
                   held it until it was over */
};

/* What the gate says with that permit (NULL = there is none, or it is over). */
typedef void (*permits_gate)(const struct permits_ask *ask, const struct permit *seen,
                             struct gate_answer *ret, void *userdata);

enum permits_end {
    PERMITS_UNKNOWN = 0, /* the store cannot tell, or says nothing: answer.detail */
    PERMITS_OK,
    PERMITS_NO, /* answer.gate has the reasons */
};

struct permits_answer {
    enum permits_end end;
    struct permit permit; /* of PERMITS_OK: what was taken; what was given back, or kind
                             PERMIT_NONE: there was none */
    bool shared; /* a start for which another permit is enough, and stays whose it is: one for the
                    same node, or one to stop another node; with a token that gives nothing back */
    int64_t revision;        /* of the permit's key */
    struct gate_answer gate; /* a yes may have reasons, too */
    char detail[192];
};

typedef void (*permits_done)(const struct permits_answer *answer, void *userdata);

/* What is borrowed must stay. */
struct permits_settings {
    struct store *store;
    const struct leader *leader;
    const struct cluster *cluster;
    struct record *record; /* NULL = nothing is recorded */
    permits_gate gate;
    void (*changed)(void *userdata); /* another permit was seen than before, or none */
    void *userdata;
};

int permits_new(sd_event *event, const struct permits_settings *settings, struct permits **ret);

/* What runs is not called back. Accepts NULL; returns NULL. */
struct permits *permits_free(struct permits *permits);

void permits_set_host(struct permits *permits, const char *host_id);
/* How often the permit is looked up. */
void permits_set_interval(struct permits *permits, int64_t interval_ms);

/* `done` is called once, later, never from here. -EINVAL: no such token may be chosen. */
int permits_take(struct permits *permits, const struct permits_ask *ask, permits_done done,
                 void *userdata);

/* ask.token NULL: whoever holds it, as a person may say. ttl_ms is not used. */
int permits_give_back(struct permits *permits, const struct permits_ask *ask, permits_done done,
                      void *userdata);

/* The permit as last seen, kind PERMIT_NONE = there was none; and how long ago that was (INT64_MAX:
 * never). For advice: who acts takes it. */
const struct permit *permits_seen(const struct permits *permits, int64_t *ret_age_ms);

#endif

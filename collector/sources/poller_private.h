/*
 * The poller's insides: poller.c says when, poller_targets.c says whom.
 */
#ifndef POLLER_PRIVATE_H
#define POLLER_PRIVATE_H

#include "poller.h"
#include "probe.h"
#include "source.h"

struct target {
    struct poller *poller;
    struct source_target *source;
    struct prober_addr address; /* unset for the local one */
    char *url;                  /* of its own; "" = peer_url */
    bool local;
    bool known; /* was in poller->targets before */
    bool kept;  /* in the set that is being made */
    bool fresh; /* new: to be asked at once */
    bool panel; /* asked detail polls */
    bool ended; /* a poll, since it became known */
    enum poll_result last;
    uint64_t turn; /* the last pass it had its turn in */
    bool detail_wanted, whole_wanted;
    int64_t detail_due_ms;

    /* The poll that runs. */
    bool running;
    bool detail;
    uint64_t pass; /* began in it */
    int64_t began_us;
    struct probe *probe;
};

struct poller {
    sd_event_source *timer;
    struct source_context context;
    struct poller_handlers handlers;
    struct poller_counters counters;
    int64_t interval_us, timeout_ms, membership_ms;
    bool mesh;
    char *peer_url;
    struct http_login peer_login;

    struct target **targets; /* the local one first, then by address */
    size_t n_targets;
    bool has_local;

    uint64_t pass; /* counts from 1 */
    int64_t pass_began_us, next_tick_us, trim_due_us;
    size_t cursor; /* targets before it had their turn in this pass */
    size_t n_fresh;
    size_t pending; /* polls of this pass that have not ended */
    bool round_done;

    struct poller_local known;
    struct observation held; /* of the local poll while the native address is probed */

    struct source_target *operator; /* runs operations on the local node; NULL = no such node */
    source_invoked invoked;         /* of the one that runs; NULL = none */
    void *invoked_userdata;
};

/* Sets the timer to what is due next. */
void poller_arm(struct poller *poller);

/*
 * Chooses who is asked detail polls: everybody when they are few, else the local node and the first
 * ones that answer.
 */
void poller_choose_panel(struct poller *poller);

/* Adds the local node, as the first target. */
int poller_set_local(struct poller *poller, const struct source_place *place);

/* Opens what poller_invoke_local() uses: a connection of its own, made when it is needed. */
int poller_set_operator(struct poller *poller, const struct source_place *place);

void poller_drop_targets(struct poller *poller);

#endif

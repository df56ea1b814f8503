/*
 * Who leads: one collector of the cluster, as long as its session in the store lives. Who leads
 * acts, the others watch. That one has stopped leading it knows by its own clock, before anybody
 * else can begin.
 */
#ifndef LEADER_H
#define LEADER_H

#include "store.h"

#define LEADER_KEY "leader"

struct leader;

/* Somebody else leads now, or nobody that is known. Ask leader_is_us() and leader_host(). */
typedef void (*leader_changed)(void *userdata);

/* `store` must stay. Begins to stand for it at once. */
int leader_new(sd_event *event, struct store *store, leader_changed changed, void *userdata,
               struct leader **ret);
struct leader *leader_free(struct leader *leader); /* accepts NULL; returns NULL */

/* This host's id, which the others get to see. "" = not known: it does not stand for it. */
void leader_set_host(struct leader *leader, const char *host_id);

/* How often who leads is looked up. */
void leader_set_interval(struct leader *leader, int64_t interval_ms);

/* True: nobody else leads now, nor for a moment to come (300 ms). Ask right before each act. */
bool leader_is_us(const struct leader *leader);

/* Its host id, as last heard of; "" = nobody, or not known. Borrowed. */
const char *leader_host(const struct leader *leader);

#endif

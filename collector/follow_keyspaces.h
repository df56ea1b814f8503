/*
 * Keeps what the local Cassandra says of how its keyspaces are replicated: asked every
 * `poll.membership`, one short question after the other, beside the polls. Wiring.
 */
#ifndef FOLLOW_KEYSPACES_H
#define FOLLOW_KEYSPACES_H

#include <systemd/sd-event.h>

#include "sources/poller.h"
#include "sources/replication.h"

struct follow_keyspaces;

int follow_keyspaces_new(sd_event *event, struct follow_keyspaces **ret);
struct follow_keyspaces *follow_keyspaces_free(struct follow_keyspaces *follow);

/* `poller` is borrowed until the next call; what the one before it was asked is asked anew.
 * `local_changed`: another Cassandra is asked, what the one before it said holds no more. */
void follow_keyspaces_set_poller(struct follow_keyspaces *follow, struct poller *poller,
                                 int64_t every_ms, bool local_changed);

/* What was read last; it stays when Cassandra cannot be asked for a while. Valid until the next
 * turn of the loop. */
const struct keyspaces *follow_keyspaces_current(const struct follow_keyspaces *follow);

#endif

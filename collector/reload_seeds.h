/*
 * POST /reload-seeds on the control socket: has the local Cassandra read its cassandra.yaml again
 * (Gossiper.reloadSeeds, 4.0 and later), and compares the seeds it has then with those of the
 * request's body, a JSON array of addresses.
 *
 * Answers with a line for a person: 200 it has them, or it does not run and reads the file when it
 * starts; 409 it has others, which its file must say; 501 it cannot; 503 it could not be asked,
 * after some tries.
 */
#ifndef RELOAD_SEEDS_H
#define RELOAD_SEEDS_H

#include <systemd/sd-event.h>

#include "control/socket.h"
#include "sources/poller.h"

#define RELOAD_SEEDS_PATH "/reload-seeds"

struct reload_seeds;

int reload_seeds_new(sd_event *event, struct reload_seeds **ret);

/* What runs is answered. Accepts NULL; returns NULL. */
struct reload_seeds *reload_seeds_free(struct reload_seeds *reload);

/* Answers the request, at once or later. */
void reload_seeds_request(struct reload_seeds *reload, struct control_request *request);

/* Whom the local node is asked through, instead of whom before: borrowed. What the old one ran is
 * tried again; it may be gone already. */
void reload_seeds_set_poller(struct reload_seeds *reload, struct poller *poller);

#endif

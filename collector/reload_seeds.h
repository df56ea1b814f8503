/*
 * Has the local Cassandra read its seeds again (Gossiper.reloadSeeds, 4.0 and later) after its
 * cassandra.yaml was changed, and compares what it has then with what it is to have.
 */
#ifndef RELOAD_SEEDS_H
#define RELOAD_SEEDS_H

#include <systemd/sd-event.h>

#include "sources/poller.h"

/*
 * The end. 0: Cassandra has these seeds; -ESTALE: it has others (its file says so); -ENOENT: there
 * is no local node; -EIO: it could not be asked, after some tries. `what` is a line for a person.
 */
typedef void (*reload_seeds_done)(int result, const char *what, void *userdata);

struct reload_seeds;

int reload_seeds_new(sd_event *event, struct reload_seeds **ret);

/* Ends what runs without calling back. Accepts NULL; returns NULL. */
struct reload_seeds *reload_seeds_free(struct reload_seeds *reload);

/*
 * Begins; `done` is called later, never from here. `seeds` is copied; a node leaves its own address
 * out of what it says, so that does not count. -EBUSY: one runs already.
 */
int reload_seeds_start(struct reload_seeds *reload, struct poller *poller,
                       const struct prober_addr *seeds, size_t n_seeds, reload_seeds_done done,
                       void *userdata);

/* The poller goes (another takes its place for what is tried again); call it before
 * poller_free(). */
void reload_seeds_set_poller(struct reload_seeds *reload, struct poller *poller);

#endif

/*
 * The state file: what has to outlive this process and a boot. JSON, its format named in it;
 * written to a temporary file that takes its place, so that a reader finds the old one or the new
 * one.
 *
 * Today that is a hint: who the nodes are and which one is this host's, so that a host whose
 * Cassandra is down knows whom to ask and can say so. It is not worth waiting for a disk: nothing
 * is synced, and a file that cannot be read is none.
 */
#ifndef STATE_H
#define STATE_H

#include "../model/cluster.h"
#include "../sources/poller.h"

struct state {
    char *text; /* owned: as written last; NULL = not known */
    int error;  /* of the last write; 0 = none */
};

/*
 * Recalls the nodes and the cluster's name, and *ret_local when it is there. -ENOENT, or another
 * negative errno: the file could not be read; -EBADMSG: it is not one of ours.
 */
int state_load(struct state *state, const char *path, struct cluster *cluster,
               struct poller_local *ret_local);

/* Writes the file when it would be another one than the last. Negative errno; tried again by the
 * next call. */
int state_save(struct state *state, const char *path, const struct cluster *cluster,
               const struct poller_local *local);

void state_free(struct state *state);

#endif

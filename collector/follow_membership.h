/*
 * Whom to poll: the nodes that the cluster knows now, and those that the configuration names.
 */
#ifndef FOLLOW_MEMBERSHIP_H
#define FOLLOW_MEMBERSHIP_H

#include "conf.h"
#include "model/cluster.h"
#include "sources/poller.h"

/* Zeroed to begin with, and by followed_membership_free(). */
struct followed_membership {
    struct poller_target *targets; /* as the poller has them */
    size_t n;
};

/* Has the poller ask whom the cluster knows now. True when those are others than before. */
bool follow_membership(struct followed_membership *followed, const struct conf *conf,
                       const struct cluster *cluster, struct poller *poller);

/* Adds the nodes of peers.static. */
void add_static_peers(const struct conf *conf, struct cluster *cluster);

void followed_membership_free(struct followed_membership *followed);

/* A key of the segment of the collector before this one: what was a node then is one to begin with.
 * `userdata`: the cluster. */
void follow_recalled(const char *key, size_t key_len, void *userdata);

#endif

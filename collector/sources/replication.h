/*
 * How keyspaces are replicated, as Cassandra's StorageService says it. PURE.
 */
#ifndef REPLICATION_H
#define REPLICATION_H

#include "observation.h"

struct keyspace_dc {
    char name[NAME_LEN]; /* "" = SimpleStrategy: all of the cluster */
    unsigned replicas;
};

struct keyspace {
    char name[NAME_LEN];
    struct keyspace_dc *dcs;
    size_t n_dcs; /* 0 = that is not known: a strategy that is not Cassandra's */
};

/* What the local Cassandra says of the keyspaces that are not Cassandra's own. */
struct keyspaces {
    struct keyspace *items; /* owned */
    size_t n;
    int64_t read_at_ms; /* CLOCK_BOOTTIME; 0 = never: then one node per DC may be down at a time */
};

void keyspaces_done(struct keyspaces *keyspaces);

/* It is one of Cassandra's own. */
bool keyspace_is_own(const char *name);

/*
 * Adds a keyspace with what getKeyspaceReplicationInfo() says: "NetworkTopologyStrategy {dc1=3,
 * dc2=3}", "SimpleStrategy {replication_factor=3}". Any other text is a strategy that is not known;
 * with LocalStrategy nothing is added. 0 or -ENOMEM.
 */
int keyspaces_add(struct keyspaces *keyspaces, const char *name, const char *text, size_t len);

#endif

/* Arbitrary text as what Cassandra says of a keyspace's replication: at most one keyspace comes
 * out, with names that end, and few data centers. */
#include <stdlib.h>
#include <string.h>

#include "sources/replication.h"

static void check(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct keyspaces keyspaces = {0};

    check(keyspaces_add(&keyspaces, "name", (const char *)data, len) == 0);
    check(keyspaces.n <= 1);
    for (size_t i = 0; i < keyspaces.n; i++) {
        const struct keyspace *keyspace = &keyspaces.items[i];

        check(keyspace->n_dcs <= 256);
        for (size_t k = 0; k < keyspace->n_dcs; k++) {
            check(memchr(keyspace->dcs[k].name, '\0', NAME_LEN));
            check(keyspace->dcs[k].replicas <= 10000);
            check(keyspace->dcs[k].name[0] || keyspace->n_dcs == 1);
        }
    }
    keyspaces_done(&keyspaces);
    return 0;
}

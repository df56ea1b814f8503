#include "cluster_internal.h"

#include <string.h>

bool status_is_gone(const char *status)
{
    return strcmp(status, "LEFT") == 0 || strcmp(status, "removed") == 0;
}

bool status_is_joining(const char *status)
{
    return strcmp(status, "BOOT") == 0 || strcmp(status, "BOOT_REPLACE") == 0;
}

/* Copies a text that is known over one that may be older. True when that changed it. */
static bool take(char *held, const char *other, size_t size)
{
    if (other[0] == '\0' || strcmp(held, other) == 0)
        return false;
    memcpy(held, other, size);
    return true;
}

/* Within a generation. Without a version what was heard last holds. */
static bool supersedes(int64_t version, int64_t held)
{
    return version > held || held == 0;
}

/* A restarted endpoint: what it said before of its state holds no more; where it stands does until
 * it says otherwise. */
static void new_generation(struct gossip_state *held, int64_t generation)
{
    held->generation = generation;
    held->status_version = 0;
    held->status[0] = '\0';
    held->rpc_ready_version = 0;
    held->rpc_ready = TRILEAN_UNKNOWN;
}

bool gossip_merge(struct gossip_state *held, const struct gossip_state *other)
{
    bool changed = false;

    if (other->generation < held->generation)
        return false;
    if (other->generation > held->generation) {
        new_generation(held, other->generation);
        changed = true;
    }
    if (other->status[0] && supersedes(other->status_version, held->status_version)) {
        held->status_version = other->status_version;
        changed |= take(held->status, other->status, sizeof(held->status));
    }
    if (other->rpc_ready != TRILEAN_UNKNOWN &&
        supersedes(other->rpc_ready_version, held->rpc_ready_version)) {
        held->rpc_ready_version = other->rpc_ready_version;
        changed |= held->rpc_ready != other->rpc_ready;
        held->rpc_ready = other->rpc_ready;
    }
    changed |= take(held->datacenter, other->datacenter, sizeof(held->datacenter));
    changed |= take(held->rack, other->rack, sizeof(held->rack));
    changed |= take(held->host_id, other->host_id, sizeof(held->host_id));
    changed |= take(held->release, other->release, sizeof(held->release));
    if (!prober_addr_is_unset(&other->native) &&
        (prober_addr_compare(&held->native, &other->native) != 0 ||
         held->native_port != other->native_port)) {
        held->native = other->native;
        held->native_port = other->native_port;
        changed = true;
    }
    return changed;
}

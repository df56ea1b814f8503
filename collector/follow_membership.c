#include "follow_membership.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"

static const char *static_url(const struct conf *conf, const struct prober_addr *address)
{
    for (size_t i = 0; i < conf->n_peers_static; i++)
        if (prober_addr_compare(&conf->peers_static[i].address, address) == 0)
            return conf->peers_static[i].url;
    return "";
}

bool follow_membership(struct followed_membership *followed, const struct conf *conf,
                       const struct cluster *cluster, struct poller *poller)
{
    struct poller_target *targets;
    size_t n = 0;
    int r;

    if (conf->peers_mode == PEERS_OFF)
        return false;
    targets = calloc(cluster->n_sorted + 1, sizeof(*targets));
    if (!targets)
        return false;
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *node = cluster->sorted[i];

        if (node->gone || node->forgotten || node->local)
            continue;
        targets[n].address = node->address;
        targets[n++].url = static_url(conf, &node->address);
    }
    if (n == followed->n &&
        (n == 0 || memcmp(targets, followed->targets, n * sizeof(*targets)) == 0)) {
        free(targets);
        return false;
    }
    r = poller_set_targets(poller, targets, n);
    if (r < 0) {
        log_error("cannot follow the membership: %s", strerror(-r));
        free(targets);
        return false;
    }
    followed_membership_free(followed);
    followed->targets = targets;
    followed->n = n;
    return true;
}

void add_static_peers(const struct conf *conf, struct cluster *cluster)
{
    for (size_t i = 0; i < conf->n_peers_static; i++)
        cluster_add(cluster, &conf->peers_static[i].address);
}

void followed_membership_free(struct followed_membership *followed)
{
    free(followed->targets);
    *followed = (struct followed_membership){0};
}

void follow_recalled(const char *key, size_t key_len, void *userdata)
{
    static const char prefix[] = "/healthz/";
    const size_t len = sizeof(prefix) - 1;
    struct prober_addr address;

    if (key_len > len && memcmp(key, prefix, len) == 0 &&
        prober_addr_parse(key + len, key_len - len, &address) == 0)
        cluster_recall(userdata, &address);
}

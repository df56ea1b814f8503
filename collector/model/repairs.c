#include "repairs.h"

#include <stdio.h>

#include "cluster_internal.h"

int64_t node_repair_since(const struct cluster *cluster, const struct node *node)
{
    return node->repair_needed ? node->repair_since_ms + cluster->wall_offset_ms : 0;
}

void repairs_apply(struct cluster *cluster, const struct values *values)
{
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        struct node *node = cluster->sorted[i];
        char key[VALUES_KEY_LEN];
        const struct value *value;

        if (!node->repair_needed)
            continue;
        snprintf(key, sizeof(key), "repaired/%s", node->text);
        value = values_find(values, key);
        if (!value || value->at_ms < node_repair_since(cluster, node))
            continue;
        node->repair_needed = false;
        mark_verdict(cluster, node);
    }
}

/*
 * A fleet at the gates. Each node is "DC RACK STATE": digits, and
 *   '+' ready, 'D' dead, 's' starting (no MBeans), 'J' joining, 'L' leaving, 'M' moving, 'n' its
 *   native transport is off, 'd' draining, 'x' drained (Cassandra's), 'o' out of service by an
 *   operator, 'g' ready and its generation began a minute ago, 'h' its host cannot be reached and
 *   nobody sees it, 'Q' left; '?' for a rack that is not known.
 */
#ifndef GATES_UTIL_H
#define GATES_UTIL_H

#include "model/gates.h"
#include "model_util.h"

#define GATES_WALL_MS (1700000000000 + 86400000)

static inline void gates_set(struct fleet *fleet, size_t i, char state)
{
    struct fleet_node *node = &fleet->node[i];

    if (state == 'D') {
        fleet_crash(fleet, i);
    } else if (state == 's') {
        node->result = POLL_NO_MBEAN;
        for (size_t j = 0; j < fleet->n; j++)
            fleet->node[j].row[i] = 'D';
    } else if (state == 'J') {
        node->status = "BOOT";
        node->mode = "JOINING";
    } else if (state == 'L') {
        node->status = node->mode = "LEAVING";
    } else if (state == 'M') {
        node->status = node->mode = "MOVING";
    } else if (state == 'n') {
        node->native = node->rpc_ready = TRILEAN_FALSE;
    } else if (state == 'd') {
        node->mode = "DRAINING";
    } else if (state == 'x') {
        node->mode = "DRAINED";
    } else if (state == 'g') {
        node->generation = GATES_WALL_MS / 1000 - 60;
    } else if (state == 'h') {
        fleet_crash(fleet, i);
        node->result = POLL_TIMEOUT;
    } else if (state == 'Q') {
        node->status = "LEFT";
    }
}

/* The fleet as `nodes` say, six seconds later. */
static inline void gates_place(struct fleet *fleet, const char *nodes)
{
    static const char *const dcs[] = {"dc0", "dc1", "dc2"}, *const racks[] = {"r0", "r1", "r2",
                                                                              "r3", "r4", "r5"};
    size_t n = (strlen(nodes) + 1) / 4;

    fleet_init(fleet, n, POLICY_MUTUAL);
    for (size_t i = 0; i < n; i++) {
        const char *word = nodes + i * 4;
        struct gossip_state known = {.endpoint = fleet_address(i)};

        fleet->node[i].datacenter = word[0] == '?' ? "" : dcs[word[0] - '0'];
        fleet->node[i].rack = word[1] == '?' ? "" : racks[word[1] - '0'];
        /* Who joins is known by its address alone. */
        if (word[2] != 'J') {
            memcpy(known.host_id, fleet->node[i].host_id, sizeof(known.host_id));
            snprintf(known.datacenter, sizeof(known.datacenter), "%s", fleet->node[i].datacenter);
            snprintf(known.rack, sizeof(known.rack), "%s", fleet->node[i].rack);
        }
        cluster_recall_state(fleet->cluster, &known);
        gates_set(fleet, i, word[2]);
    }
    fleet_rounds(fleet, 6000);
    for (size_t i = 0; i < n; i++)
        if (nodes[i * 4 + 2] == 'o')
            fleet_node(fleet, i)->drain.on = true;
    fleet_rounds(fleet, 6000);
}

/* Node 1 is 10.0.0.1; with none of that number it is one that nobody knows. */
static inline struct prober_addr gates_address(size_t number)
{
    return fleet_address(number - 1);
}

/* Those whose digits are in `seeds`, and nobody else. */
static inline void gates_seeds(struct fleet *fleet, const char *seeds)
{
    for (size_t i = 0; i < fleet->n && i < 9; i++) {
        struct node *node = fleet_node(fleet, i);

        if (node)
            node->seed = strchr(seeds, (int)('1' + i)) != NULL;
    }
}

/* "yes", "no: it has left; …" */
static inline const char *gates_text(const struct gate_answer *answer)
{
    static char text[GATE_REASON_LEN * (GATE_REASONS_MAX + 1)];
    size_t len = (size_t)snprintf(text, sizeof(text), "%s", gate_verdict_word(answer->verdict));

    for (size_t i = 0; i < answer->n_reasons; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? "; " : ": ",
                                answer->reasons[i]);
    return text;
}

#endif

#include <stdio.h>
#include <string.h>

#include "gates_internal.h"

/* It was a member, as far as is known: as gossip says, or, before it says anything, as was known
 * before this process began. */
static bool is_member(const struct node *node)
{
    const struct gossip_state *gossip = &node->gossip;

    if (node->gone || node->forgotten)
        return false;
    return node->member ||
           (gossip->host_id[0] && gossip->generation == 0 && gossip->status[0] == '\0');
}

static bool is_first(const struct gates *gates, const struct prober_addr *address)
{
    const struct prober_addr *first = &gates->context.settings->first_node;

    return !prober_addr_is_unset(first) && prober_addr_compare(first, address) == 0;
}

/* Nobody's opinion counts: is it because nobody runs? `node`: who is to start; NULL = a new one. */
static bool can_tell(const struct gates *gates, const struct node *node, bool first,
                     struct gate_answer *answer)
{
    size_t others = gates->n_nodes, stopped = gates->n_stopped;

    if (gates->context.cluster->rounds == 0) {
        answer_add(answer, "the first round of polls has not ended yet");
        return false;
    }
    if (gates->n_voters > 0)
        return true;
    if (node && !node->gone) {
        others--;
        stopped -= node->process_gone || node->last_result == POLL_REFUSED;
    }
    if (others == 0 && (node || first))
        return true;
    if (others == 0)
        answer_add(answer, "no node of the cluster is known here");
    else if (2 * (stopped + 1) > others + 1)
        return true;
    else
        answer_add(answer,
                   "nobody's opinion counts, and of %zu other nodes %zu are known not to run",
                   others, stopped);
    return false;
}

static void judge_seeds(const struct gates *gates, const struct node *node, bool member, bool first,
                        struct gate_answer *answer)
{
    if (first || findings_others(&gates->seeds_up, node) > 0)
        return;
    if (member && (gates_is_seed(gates, node) || !gates->any_seed || gates->context.seeds_guessed))
        return;
    if (!answer_add_findings(answer, &gates->seeds_flawed, node, "no seed is NORMAL and UP: ", ""))
        answer_add(answer, "no seed is known");
}

static void judge_rack(const struct gates *gates, const struct node *node,
                       struct gate_answer *answer)
{
    const struct gate_rack *rack = gates_place(gates, node)->rack;
    const struct node *coming = rack ? rack->coming[rack->coming[0] == node] : NULL;

    if (coming)
        answer_add(answer, "%s is coming up in the same rack, %s", coming->text, rack->name);
}

static bool has_permit(const struct gates *gates, const struct prober_addr *address)
{
    const struct permit *permit = gates->context.permit;

    return permit && permit->kind != PERMIT_NONE &&
           prober_addr_compare(&permit->node, address) == 0;
}

/* Who was stopped by the permit has to come back, however soon after the one before it. */
static void judge_grace(const struct gates *gates, const struct node *node,
                        const struct prober_addr *address, struct gate_answer *answer)
{
    char before[80];

    if (has_permit(gates, address))
        return;
    snprintf(before, sizeof(before), "began to start less than %lld s ago: ",
             (long long)(gates->context.settings->bootstrap_grace_ms / 1000));
    answer_add_findings(answer, &gates->began, node, before, "");
}

/* That somebody is stopped is no reason to leave a member down: its start costs no quorum, and who
 * holds the permit may need it to be live again himself. */
static void judge_permit(const struct gates *gates, const struct prober_addr *address, bool member,
                         const char *token, struct gate_answer *answer)
{
    const struct permit *permit = gates->context.permit;

    if (!permit || permit->kind == PERMIT_NONE || has_permit(gates, address) ||
        (permit->kind == PERMIT_STOP && member))
        return;
    if (!token || strcmp(permit->token, token) != 0)
        answer_add_permit(gates, answer);
}

void gates_start(const struct gates *gates, const struct prober_addr *address, const char *token,
                 struct gate_answer *ret)
{
    const struct gate_context *context = &gates->context;
    const struct node *node = cluster_find(context->cluster, address);
    bool member = node && is_member(node), first = is_first(gates, address);

    ret->n_reasons = 0;
    ret->verdict = GATE_UNKNOWN;
    if (!can_tell(gates, node, first, ret))
        return;
    judge_seeds(gates, node, member, first, ret);
    if (!member && context->waits)
        answer_add(ret, "%s", context->waits);
    answer_add_findings(ret, &gates->busy, node, "", "");
    if (!member)
        answer_add_findings(ret, &gates->flawed, node,
                            "it joins, and not all others are NORMAL and UP: ", "");
    else if (context->settings->strict)
        answer_add_findings(ret, &gates->down, node, "", " (gates.strict)");
    judge_grace(gates, node, address, ret);
    judge_rack(gates, node, ret);
    judge_permit(gates, address, member, token, ret);
    ret->verdict = ret->n_reasons ? GATE_NO : GATE_YES;
}

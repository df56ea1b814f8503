#include <stdio.h>
#include <string.h>

#include "gates_internal.h"

#define QUORUM_FROM 3 /* with fewer replicas a quorum is all of them */

/* Who is to stop, and where its replicas are. */
struct stop {
    const struct gates *gates;
    const struct node *node;
    const struct place *place;
    struct gate_answer *answer;
};

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/*
 * How many replicas of anything can be lost at most with the node gone. Cassandra gives every rack
 * one before it gives any rack a second, and gives no more of these than replicas are left.
 */
static unsigned lost_at_most(const struct stop *stop, const struct gate_dc *dc, unsigned replicas)
{
    const struct gate_rack *own = dc == stop->place->dc ? stop->place->rack : NULL;
    unsigned again = replicas > dc->n_racks ? replicas - (unsigned)dc->n_racks : 0;
    unsigned loose = dc->n_lost_rackless, nodes = 0, racks = 0;

    for (size_t i = 0; i < dc->n_racks; i++) {
        unsigned n = dc->racks[i].n_lost + (&dc->racks[i] == own && !stop->place->lost);

        nodes += n;
        racks += n > 0;
    }
    loose += !own && !stop->place->lost;
    if (dc->name[0])
        loose += (unsigned)stop->gates->nowhere.n;
    return racks + least(again, nodes - racks) + loose;
}

/* "keyspace a", "keyspace a and 3 more" */
#define KEYSPACES_LEN (NAME_LEN + 32)
static void name_keyspaces(const struct need *need, char text[KEYSPACES_LEN])
{
    if (!need->keyspace)
        snprintf(text, KEYSPACES_LEN, "the keyspaces");
    else if (need->n_keyspaces == 1)
        snprintf(text, KEYSPACES_LEN, "keyspace %s", need->keyspace);
    else
        snprintf(text, KEYSPACES_LEN, "keyspace %s and %u more", need->keyspace,
                 need->n_keyspaces - 1);
}

static const char *has_or_have(const struct need *need)
{
    return need->n_keyspaces == 1 ? "has" : "have";
}

/* Others that are lost there: "10.0.0.4 is down", "" = none. */
static void name_lost(const struct stop *stop, const struct gate_dc *dc, char text[FINDINGS_LEN])
{
    const struct findings *nowhere = &stop->gates->nowhere;

    findings_text(&dc->lost, stop->node, text);
    if (text[0] == '\0' && dc->name[0])
        findings_text(nowhere, stop->node, text);
}

/* Nothing may be lost there, so at most one node at a time is. */
static void judge_one(const struct stop *stop, const struct gate_dc *dc, const char *what)
{
    char lost[FINDINGS_LEN];

    name_lost(stop, dc, lost);
    if (lost[0])
        answer_add(stop->answer, "%s, so one node of %s at a time: %s", what,
                   dc->name[0] ? dc->name : "the cluster", lost);
}

static void judge_need(const struct stop *stop, const struct gate_dc *dc, const struct need *need)
{
    const char *where = dc->name[0] ? dc->name : "the cluster";
    unsigned placed = least(need->replicas, dc->n), lost, kept;
    char keyspaces[KEYSPACES_LEN], what[KEYSPACES_LEN + 64], names[FINDINGS_LEN];

    name_keyspaces(need, keyspaces);
    if (need->replicas == 0) {
        snprintf(what, sizeof(what), "the replication of %s is not known", keyspaces);
        judge_one(stop, dc, what);
        return;
    }
    if (need->replicas < QUORUM_FROM) {
        snprintf(what, sizeof(what), "%s %s %u replica%s", keyspaces, has_or_have(need),
                 need->replicas, need->replicas == 1 ? "" : "s");
        if (stop->gates->context.settings->strict)
            answer_add(stop->answer, "%s in %s, fewer than %d (gates.strict)", what, where,
                       QUORUM_FROM);
        else
            judge_one(stop, dc, what);
        return;
    }
    lost = least(placed, lost_at_most(stop, dc, need->replicas));
    kept = placed - lost;
    if (kept >= need->replicas / 2 + 1)
        return;
    name_lost(stop, dc, names);
    if (names[0] == '\0')
        snprintf(names, sizeof(names), "it has %u node%s", dc->n, dc->n == 1 ? "" : "s");
    answer_add(stop->answer, "%s would keep %u of %u replicas in %s: %s", keyspaces, kept,
               need->replicas, where, names);
}

static void judge_replicas(const struct stop *stop)
{
    const struct gate_dc *own = stop->place->dc, *all = &stop->gates->all;

    for (size_t i = 0; i < own->needs.n; i++)
        judge_need(stop, own, &own->needs.items[i]);
    for (size_t i = 0; i < all->needs.n; i++)
        judge_need(stop, all, &all->needs.items[i]);
}

static void judge_others(const struct stop *stop)
{
    const struct gates *gates = stop->gates;
    char before[64];

    answer_add_findings(stop->answer, &gates->moving, stop->node, "", "");
    answer_add_findings(stop->answer, &stop->place->dc->draining, stop->node, "", "");
    answer_add_findings(stop->answer, &stop->place->dc->drained, stop->node,
                        "out of service by an operator: ", "");
    snprintf(before, sizeof(before), "changed within the last %lld s: ",
             (long long)(gates->context.settings->stable_ms / 1000));
    answer_add_findings(stop->answer, &gates->changed, stop->node, before, "");
}

static void judge_permit(const struct stop *stop, const char *token)
{
    const struct permit *permit = stop->gates->context.permit;

    if (permit && permit->kind != PERMIT_NONE && (!token || strcmp(permit->token, token) != 0))
        answer_add_permit(stop->gates, stop->answer);
}

/* What a yes costs where replicas are few: some data is away meanwhile. */
static void remark(const struct stop *stop, const struct gate_dc *dc)
{
    char keyspaces[KEYSPACES_LEN];

    for (size_t i = 0; i < dc->needs.n; i++) {
        const struct need *need = &dc->needs.items[i];

        if (need->replicas == 0 || need->replicas >= QUORUM_FROM)
            continue;
        name_keyspaces(need, keyspaces);
        answer_add(stop->answer, "%s %s %u replica%s in %s: LOCAL_QUORUM is lost for some data",
                   keyspaces, has_or_have(need), need->replicas, need->replicas == 1 ? "" : "s",
                   dc->name[0] ? dc->name : "the cluster");
    }
}

/* All that count see it so, or its own host does. */
static bool is_down(const struct node *node)
{
    return node->process_gone ||
           (node->raw.counted > 0 && node->raw.down == node->raw.counted && !node->voter);
}

/* Where that is enough to know. */
static bool judge_node(const struct gates *gates, const struct node *node,
                       struct gate_answer *answer)
{
    answer->verdict = GATE_NO;
    if (!node)
        answer_add(answer, "it is no node of the cluster");
    else if (node->gone)
        answer_add(answer, "it has left the cluster");
    else if (is_down(node))
        answer->verdict = GATE_YES;
    else
        answer->verdict = GATE_UNKNOWN;
    if (answer->verdict != GATE_UNKNOWN)
        return true;
    if (gates->n_voters == 0)
        answer_add(answer, "nobody's opinion counts");
    else if (!gates->places[node->index].dc)
        answer_add(answer, "its data center is not known");
    return answer->n_reasons > 0;
}

void gates_stop(const struct gates *gates, const struct prober_addr *address, const char *token,
                struct gate_answer *ret)
{
    const struct node *node = cluster_find(gates->context.cluster, address);
    const struct stop stop = {
        .gates = gates, .node = node, .place = gates_place(gates, node), .answer = ret};

    ret->n_reasons = 0;
    ret->verdict = GATE_UNKNOWN;
    if (gates->context.cluster->rounds == 0) {
        answer_add(ret, "the first round of polls has not ended yet");
        return;
    }
    if (judge_node(gates, node, ret))
        return;
    judge_replicas(&stop);
    judge_others(&stop);
    judge_permit(&stop, token);
    ret->verdict = ret->n_reasons ? GATE_NO : GATE_YES;
    if (ret->verdict == GATE_YES) {
        remark(&stop, stop.place->dc);
        remark(&stop, &gates->all);
    }
}

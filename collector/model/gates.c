#include "gates.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gates_internal.h"

/* So many are named in a reason. */
#define NAMED 3

const char *gate_verdict_word(enum gate_verdict verdict)
{
    return verdict == GATE_YES ? "yes" : verdict == GATE_NO ? "no" : "unknown";
}

static void *grow(void *items, size_t n, size_t size)
{
    void *grown = reallocarray(items, n, size);

    if (!grown)
        abort();
    return grown;
}

static void note(struct findings *findings, const struct node *node, const char *word)
{
    struct finding *finding;

    if (findings->n == findings->room) {
        findings->room = findings->room ? findings->room * 2 : 8;
        findings->items = grow(findings->items, findings->room, sizeof(*findings->items));
    }
    finding = &findings->items[findings->n++];
    finding->node = node;
    snprintf(finding->word, sizeof(finding->word), "%s", word);
}

size_t findings_others(const struct findings *findings, const struct node *self)
{
    size_t n = findings->n;

    for (size_t i = 0; i < findings->n && self; i++)
        if (findings->items[i].node == self)
            return n - 1;
    return n;
}

void findings_text(const struct findings *findings, const struct node *self,
                   char text[FINDINGS_LEN])
{
    size_t n = findings_others(findings, self), named = 0, len = 0;

    text[0] = '\0';
    for (size_t i = 0; i < findings->n && named < NAMED && len < FINDINGS_LEN; i++) {
        const struct finding *finding = &findings->items[i];

        if (finding->node == self)
            continue;
        len += (size_t)snprintf(text + len, FINDINGS_LEN - len, "%s%s%s%s", named ? ", " : "",
                                finding->node->text, finding->word[0] ? " " : "", finding->word);
        named++;
    }
    if (n > named && len < FINDINGS_LEN)
        snprintf(text + len, FINDINGS_LEN - len, ", and %zu more", n - named);
}

void answer_add(struct gate_answer *answer, const char *format, ...)
{
    va_list ap;

    if (answer->n_reasons == GATE_REASONS_MAX)
        return;
    va_start(ap, format);
    vsnprintf(answer->reasons[answer->n_reasons++], GATE_REASON_LEN, format, ap);
    va_end(ap);
}

bool answer_add_findings(struct gate_answer *answer, const struct findings *findings,
                         const struct node *self, const char *before, const char *after)
{
    char text[FINDINGS_LEN];

    if (findings_others(findings, self) == 0)
        return false;
    findings_text(findings, self, text);
    answer_add(answer, "%s%s%s", before, text, after);
    return true;
}

void answer_add_permit(const struct gates *gates, struct gate_answer *answer)
{
    const struct gate_context *context = &gates->context;
    char why[PERMIT_WHY_LEN];

    permit_state(context->permit, context->cluster, context->now_ms, why);
    answer_add(answer, "%s", why);
}

const struct place *gates_place(const struct gates *gates, const struct node *node)
{
    static const struct place nowhere;

    return node ? &gates->places[node->index] : &nowhere;
}

bool gates_is_seed(const struct gates *gates, const struct node *node)
{
    return gates->context.seeds ? addresses_have(gates->context.seeds, &node->address) : node->seed;
}

static struct gate_dc *dc_of(struct gates *gates, const char *name)
{
    for (size_t i = 0; i < gates->n_dcs; i++)
        if (strcmp(gates->dcs[i].name, name) == 0)
            return &gates->dcs[i];
    return NULL;
}

static void add_dc(struct gates *gates, const char *name)
{
    if (name[0] == '\0' || dc_of(gates, name))
        return;
    gates->dcs = grow(gates->dcs, gates->n_dcs + 1, sizeof(*gates->dcs));
    gates->dcs[gates->n_dcs++] = (struct gate_dc){.name = name};
}

static struct gate_rack *rack_of(struct gate_dc *dc, const char *name)
{
    for (size_t i = 0; i < dc->n_racks; i++)
        if (strcmp(dc->racks[i].name, name) == 0)
            return &dc->racks[i];
    return NULL;
}

/* Only where there are members can replicas be. */
static void add_rack(struct gate_dc *dc, const char *name)
{
    if (name[0] == '\0' || rack_of(dc, name))
        return;
    dc->racks = grow(dc->racks, dc->n_racks + 1, sizeof(*dc->racks));
    dc->racks[dc->n_racks++] = (struct gate_rack){.name = name};
}

static bool counts(const struct node *node)
{
    return !node->gone && !node->forgotten;
}

/* Replicas of it answer. Who is out of service by an operator's word alone still does. */
static bool serves(const struct node *node)
{
    if (node->raw.reasons & ~(uint32_t)(REASON_DRAINED | REASON_RUN_STATE))
        return false;
    return node->verdict.readiness == READY || node->drain.on ||
           (node->raw.reasons & REASON_RUN_STATE);
}

static void place_node(struct gates *gates, const struct node *node)
{
    struct place *place = &gates->places[node->index];
    const struct gossip_state *gossip = &node->gossip;
    char word[FLAW_LEN];
    const char *flaw = node_flaw(node, word);

    place->dc = dc_of(gates, gossip->datacenter);
    place->rack = place->dc ? rack_of(place->dc, gossip->rack) : NULL;
    place->lost = node->member && !serves(node);
    gates->all.n += node->member;
    if (place->dc)
        place->dc->n += node->member;
    if (!place->lost)
        return;
    flaw = flaw ? flaw : "is not ready";
    note(&gates->all.lost, node, flaw);
    gates->all.n_lost_rackless++;
    note(place->dc ? &place->dc->lost : &gates->nowhere, node, flaw);
    if (place->rack)
        place->rack->n_lost++;
    else if (place->dc)
        place->dc->n_lost_rackless++;
}

/* A process that is not there: its host says so, or refuses. */
static bool stopped(const struct node *node)
{
    return node->process_gone || node->last_result == POLL_REFUSED;
}

static bool is_down(const struct gates *gates, const struct node *node)
{
    const struct cluster *cluster = gates->context.cluster;

    if (node->raw.reasons & REASON_STARTING)
        return false;
    return (node->raw.reasons & (REASON_DOWN | REASON_PROCESS_GONE)) ||
           (stopped(node) && !node_running(cluster, node, gates->context.now_ms));
}

static void note_seed(struct gates *gates, const struct node *node, const char *flaw)
{
    if (!gates_is_seed(gates, node))
        return;
    gates->any_seed = true;
    note(flaw ? &gates->seeds_flawed : &gates->seeds_up, node, flaw ? flaw : "");
}

/* What it does that others have to wait for. */
static void note_activity(struct gates *gates, const struct node *node)
{
    const struct gate_context *context = &gates->context;
    const char *movement = node_movement(node);
    char word[FLAW_LEN];

    if (movement) {
        snprintf(word, sizeof(word), "is %s", movement);
        note(&gates->moving, node, word);
    }
    if (movement && node_running(context->cluster, node, context->now_ms))
        note(&gates->busy, node, word);
    else if (node_starting(context->cluster, node, context->now_ms))
        note(&gates->busy, node, "is starting");
}

static void note_coming(struct gates *gates, const struct node *node)
{
    const struct gate_context *context = &gates->context;
    struct gate_rack *rack = gates->places[node->index].rack;

    if (rack && !rack->coming[1] && node_coming_up(context->cluster, node, context->now_ms))
        rack->coming[rack->coming[0] ? 1 : 0] = node;
}

/* By the clock of its own host, which may be ahead. */
static bool began_lately(const struct gates *gates, const struct node *node)
{
    int64_t generation = node->gossip.generation, ago_ms;

    if (generation <= 0 || generation > INT64_MAX / 1000)
        return false;
    ago_ms = gates->context.wall_ms - generation * 1000;
    return llabs(ago_ms) < gates->context.settings->bootstrap_grace_ms;
}

/* Nodes of no known data center are left to `nowhere` and the permit. */
static void note_drained(struct gates *gates, const struct node *node)
{
    const struct gate_context *context = &gates->context;
    struct gate_dc *dc = gates->places[node->index].dc;
    bool fresh = node_view_fresh(context->cluster, node, context->now_ms);

    if (dc && fresh && strncmp(node->view->mode, "DRAIN", 5) == 0)
        note(&dc->draining, node,
             strcmp(node->view->mode, "DRAINED") ? "is draining" : "is drained");
    if (dc && node->drain.on)
        note(&dc->drained, node, "");
}

static void take_node(struct gates *gates, const struct node *node)
{
    const struct gate_context *context = &gates->context;
    char word[FLAW_LEN];
    const char *flaw = node_flaw(node, word);

    gates->n_nodes++;
    gates->n_voters += node->voter;
    gates->n_stopped += stopped(node);
    place_node(gates, node);
    note_seed(gates, node, flaw);
    note_activity(gates, node);
    note_coming(gates, node);
    note_drained(gates, node);
    if (flaw)
        note(&gates->flawed, node, flaw);
    if (is_down(gates, node))
        note(&gates->down, node, "is down");
    if (began_lately(gates, node))
        note(&gates->began, node, "");
    if (context->now_ms - node->changed_at_ms < context->settings->stable_ms)
        note(&gates->changed, node, "");
}

static void add_need(struct gate_dc *dc, unsigned replicas, const char *keyspace)
{
    for (size_t i = 0; i < dc->needs.n; i++)
        if (dc->needs.items[i].replicas == replicas) {
            dc->needs.items[i].n_keyspaces++;
            return;
        }
    dc->needs.items = grow(dc->needs.items, dc->needs.n + 1, sizeof(*dc->needs.items));
    dc->needs.items[dc->needs.n++] = (struct need){replicas, keyspace, 1};
}

static void take_keyspace(struct gates *gates, const struct keyspace *keyspace)
{
    for (size_t i = 0; keyspace->n_dcs == 0 && i < gates->n_dcs; i++)
        add_need(&gates->dcs[i], 0, keyspace->name);
    for (size_t i = 0; i < keyspace->n_dcs; i++) {
        const struct keyspace_dc *at = &keyspace->dcs[i];
        struct gate_dc *dc = at->name[0] ? dc_of(gates, at->name) : &gates->all;

        if (dc && at->replicas > 0)
            add_need(dc, at->replicas, keyspace->name);
    }
}

static void take_keyspaces(struct gates *gates)
{
    const struct keyspaces *keyspaces = gates->context.keyspaces;

    if (!keyspaces || keyspaces->read_at_ms == 0) {
        for (size_t i = 0; i < gates->n_dcs; i++)
            add_need(&gates->dcs[i], 0, NULL);
        return;
    }
    for (size_t i = 0; i < keyspaces->n; i++)
        take_keyspace(gates, &keyspaces->items[i]);
}

struct gates *gates_new(const struct gate_context *context)
{
    const struct cluster *cluster = context->cluster;
    struct gates *gates = model_alloc(1, sizeof(*gates));

    gates->context = *context;
    gates->any_seed = context->seeds && context->seeds->n > 0;
    gates->all.name = "";
    gates->places = model_alloc(cluster->n_nodes, sizeof(*gates->places));
    /* Names first: places point into what grows by them. */
    for (size_t i = 0; i < cluster->n_sorted; i++)
        if (counts(cluster->sorted[i]))
            add_dc(gates, cluster->sorted[i]->gossip.datacenter);
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *node = cluster->sorted[i];
        struct gate_dc *dc = dc_of(gates, node->gossip.datacenter);

        if (counts(node) && node->member && dc)
            add_rack(dc, node->gossip.rack);
    }
    for (size_t i = 0; i < cluster->n_sorted; i++)
        if (counts(cluster->sorted[i]))
            take_node(gates, cluster->sorted[i]);
    take_keyspaces(gates);
    return gates;
}

static void dc_done(struct gate_dc *dc)
{
    free(dc->racks);
    free(dc->lost.items);
    free(dc->draining.items);
    free(dc->drained.items);
    free(dc->needs.items);
}

struct gates *gates_free(struct gates *gates)
{
    if (!gates)
        return NULL;
    for (size_t i = 0; i < gates->n_dcs; i++)
        dc_done(&gates->dcs[i]);
    dc_done(&gates->all);
    free(gates->dcs);
    free(gates->nowhere.items);
    free(gates->places);
    free(gates->seeds_up.items);
    free(gates->seeds_flawed.items);
    free(gates->flawed.items);
    free(gates->down.items);
    free(gates->busy.items);
    free(gates->moving.items);
    free(gates->began.items);
    free(gates->changed.items);
    free(gates);
    return NULL;
}

void gate_start(const struct gate_context *context, const struct prober_addr *node,
                const char *token, struct gate_answer *ret)
{
    struct gates *gates = gates_new(context);

    gates_start(gates, node, token, ret);
    gates_free(gates);
}

void gate_stop(const struct gate_context *context, const struct prober_addr *node,
               const char *token, struct gate_answer *ret)
{
    struct gates *gates = gates_new(context);

    gates_stop(gates, node, token, ret);
    gates_free(gates);
}

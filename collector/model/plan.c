#include "plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster_internal.h"
#include "seeds.h"

static bool counts(const struct node *node)
{
    return !node->gone && !node->forgotten && node->gossip.datacenter[0];
}

static bool is_joining(const struct node *node)
{
    return status_is_joining(node->gossip.status) ||
           (node->view && !node->member && strcmp(node->view->mode, "JOINING") == 0);
}

/* What it does that no two nodes of a cluster should do at once; NULL = nothing. */
static const char *movement(const struct node *node)
{
    if (is_joining(node))
        return "joining";
    if (strcmp(node->gossip.status, "LEAVING") == 0)
        return "leaving";
    return strcmp(node->gossip.status, "MOVING") == 0 ? "moving" : NULL;
}

static bool is_down(const struct node *node)
{
    return node->verdict.readiness != READY && !(node->raw.reasons & REASON_STARTING) &&
           (node->down_since_ms != 0 || node->process_gone);
}

/* Its process is there and does not serve yet. */
static bool is_coming_up(const struct node *node)
{
    const uint32_t coming = REASON_STARTING | REASON_MODE | REASON_NATIVE_OFF;

    if (node->verdict.readiness == READY || node->process_gone)
        return false;
    return (node->raw.reasons & REASON_STARTING) ||
           (node->down_since_ms == 0 && (is_joining(node) || (node->raw.reasons & coming)));
}

static struct plan_rack *rack_of(struct plan_dc *dc, const char *name)
{
    for (size_t i = 0; i < dc->n_racks; i++)
        if (strcmp(dc->racks[i].name, name) == 0)
            return &dc->racks[i];
    return NULL;
}

static struct plan_dc *dc_of(struct plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->n_dcs; i++)
        if (strcmp(plan->dcs[i].name, name) == 0)
            return &plan->dcs[i];
    return NULL;
}

static struct plan_dc *add_dc(struct plan *plan, const char *name)
{
    struct plan_dc *dc = dc_of(plan, name), *grown;

    if (dc)
        return dc;
    grown = reallocarray(plan->dcs, plan->n_dcs + 1, sizeof(*grown));
    if (!grown)
        return NULL;
    plan->dcs = grown;
    dc = &plan->dcs[plan->n_dcs++];
    *dc = (struct plan_dc){0};
    snprintf(dc->name, sizeof(dc->name), "%s", name);
    return dc;
}

static struct plan_rack *add_rack(struct plan_dc *dc, const char *name)
{
    struct plan_rack *rack = rack_of(dc, name), *grown;

    if (rack)
        return rack;
    grown = reallocarray(dc->racks, dc->n_racks + 1, sizeof(*grown));
    if (!grown)
        return NULL;
    dc->racks = grown;
    rack = &dc->racks[dc->n_racks++];
    *rack = (struct plan_rack){0};
    snprintf(rack->name, sizeof(rack->name), "%s", name);
    return rack;
}

static int take_wanted(struct plan *plan, const struct plan_settings *settings)
{
    for (size_t i = 0; i < settings->region.n_wanted; i++) {
        const struct dc_wanted *wanted = &settings->region.wanted[i];
        struct plan_dc *dc = add_dc(plan, wanted->name);

        if (!dc)
            return -ENOMEM;
        dc->planned = true;
        dc->wanted = wanted->size;
        for (char **name = wanted->racks; name && *name; name++) {
            struct plan_rack *rack = add_rack(dc, *name);

            if (!rack)
                return -ENOMEM;
            rack->planned = true;
        }
    }
    return 0;
}

/* What is there, as it is found. */
static int take_node(struct plan *plan, const struct node *node)
{
    struct plan_dc *dc = add_dc(plan, node->gossip.datacenter);
    struct plan_rack *rack = dc ? add_rack(dc, node->gossip.rack) : NULL;

    if (!rack)
        return -ENOMEM;
    rack->present++;
    rack->ready += node->verdict.readiness == READY;
    rack->down += is_down(node);
    rack->joining += is_joining(node);
    rack->seeds += node->seed;
    return 0;
}

static int compare_dcs(const void *a, const void *b)
{
    return strcmp(((const struct plan_dc *)a)->name, ((const struct plan_dc *)b)->name);
}

/* Those of the configuration stay in its order. */
static int compare_racks(const void *a, const void *b)
{
    return strcmp(((const struct plan_rack *)a)->name, ((const struct plan_rack *)b)->name);
}

static void sum_up(struct plan_dc *dc)
{
    for (size_t i = 0; i < dc->n_racks; i++) {
        const struct plan_rack *rack = &dc->racks[i];

        dc->present += rack->present;
        dc->ready += rack->ready;
        dc->down += rack->down;
        dc->joining += rack->joining;
        dc->seeds += rack->seeds;
    }
    dc->scaling_up = dc->joining > 0 || dc->present < dc->wanted;
}

/* Evenly over the racks, the remainder to the first of them; no rack gets more than it has nodes.
 */
static void share_out(struct plan_dc *dc)
{
    unsigned nodes = dc->wanted > 0 ? dc->wanted : dc->present, planned = 0, at = 0, before;

    for (size_t i = 0; i < dc->n_racks; i++)
        planned += dc->racks[i].planned;
    for (size_t i = 0; i < dc->n_racks; i++)
        if (dc->racks[i].planned)
            dc->racks[i].wanted = dc->wanted / planned + (at++ < dc->wanted % planned);
    dc->seeds_wanted = (unsigned)seeds_wanted(nodes, planned);
    for (unsigned left = dc->seeds_wanted; left > 0;) {
        before = left;
        for (size_t i = 0; i < dc->n_racks && left > 0; i++) {
            struct plan_rack *rack = &dc->racks[i];
            unsigned room = dc->wanted > 0 ? rack->wanted : rack->planned ? rack->present : 0;

            if (rack->seeds_wanted < room) {
                rack->seeds_wanted++;
                left--;
            }
        }
        if (left == before)
            break;
    }
}

static void finish_dc(struct plan_dc *dc, const struct plan_settings *settings)
{
    size_t n_planned = 0;

    dc->own = region_names(settings->region.datacenters, dc->name);
    while (n_planned < dc->n_racks && dc->racks[n_planned].planned)
        n_planned++;
    if (dc->n_racks > n_planned)
        qsort(dc->racks + n_planned, dc->n_racks - n_planned, sizeof(*dc->racks), compare_racks);
    for (size_t i = 0; n_planned == 0 && i < dc->n_racks; i++)
        dc->racks[i].planned = true;
    sum_up(dc);
    share_out(dc);
}

/* Of those that lack a node the one that has the fewest. */
static struct plan_rack *emptiest(struct plan_dc *dc)
{
    struct plan_rack *found = NULL;

    for (size_t i = 0; i < dc->n_racks; i++) {
        struct plan_rack *rack = &dc->racks[i];

        if (rack->planned && rack->present < rack->wanted &&
            (!found || rack->present < found->present))
            found = rack;
    }
    return found;
}

#define why(to, ...) snprintf((to), PLAN_WHY_LEN, __VA_ARGS__)

/* The first node there is, in the cluster or in a rack, that `is`. */
static const struct node *first(const struct cluster *cluster, const char *dc,
                                const struct plan_rack *rack, bool (*is)(const struct node *))
{
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *node = cluster->sorted[i];

        if (counts(node) && is(node) &&
            (!rack || (strcmp(node->gossip.datacenter, dc) == 0 &&
                       strcmp(node->gossip.rack, rack->name) == 0)))
            return node;
    }
    return NULL;
}

static bool is_moving(const struct node *node)
{
    return movement(node) != NULL;
}

/* Why no node may be added to the data center, whatever the rack; `earlier`: another one that has
 * its turn first. */
static void judge_dc(const struct cluster *cluster, const struct plan_settings *settings,
                     const struct plan_dc *earlier, struct plan_dc *dc)
{
    const struct node *moving = first(cluster, NULL, NULL, is_moving);

    if (!dc->planned)
        why(dc->add_why, "it is not in the configuration");
    else if (dc->wanted == 0)
        why(dc->add_why, "the configuration does not say how many nodes it is to have");
    else if (dc->present >= dc->wanted)
        why(dc->add_why, "it has the %u nodes it is to have", dc->wanted);
    else if (!dc->own)
        why(dc->add_why, "it is not of this host's region");
    else if (settings->waits)
        why(dc->add_why, "%.200s", settings->waits);
    else if (moving)
        why(dc->add_why, "%s is %s; one node at a time", moving->text, movement(moving));
    else if (earlier)
        why(dc->add_why, "%s has its turn first", earlier->name);
    dc->may_add = dc->add_why[0] == '\0';
}

static void judge_add(const struct cluster *cluster, struct plan_dc *dc, struct plan_rack *rack)
{
    const struct plan_rack *fewest = emptiest(dc);
    const struct node *coming = first(cluster, dc->name, rack, is_coming_up);

    if (!rack->planned)
        why(rack->add_why, "it is not in the configuration");
    else if (!dc->may_add)
        why(rack->add_why, "%s", dc->add_why);
    else if (rack->present >= rack->wanted)
        why(rack->add_why, "it has the %u nodes it is to have", rack->wanted);
    else if (rack != fewest)
        why(rack->add_why, "%s has fewer nodes or comes first", fewest->name);
    else if (coming)
        why(rack->add_why, "%s is coming up in this rack", coming->text);
    rack->may_add = rack->add_why[0] == '\0';
}

static void judge_start(const struct cluster *cluster, const struct plan_dc *dc,
                        struct plan_rack *rack)
{
    const struct node *down = first(cluster, dc->name, rack, is_down);
    const struct node *coming = first(cluster, dc->name, rack, is_coming_up);

    if (!down)
        return;
    if (coming)
        why(rack->start_why, "%s is coming up in this rack", coming->text);
    else
        rack->start = down;
}

static void judge(const struct cluster *cluster, const struct plan_settings *settings,
                  struct plan *plan)
{
    const struct plan_dc *earlier = NULL;

    for (size_t i = 0; i < plan->n_dcs; i++) {
        struct plan_dc *dc = &plan->dcs[i];

        judge_dc(cluster, settings, earlier, dc);
        for (size_t j = 0; j < dc->n_racks; j++) {
            judge_add(cluster, dc, &dc->racks[j]);
            judge_start(cluster, dc, &dc->racks[j]);
        }
        if (dc->may_add && !earlier)
            earlier = dc;
    }
}

int plan_make(const struct cluster *cluster, const struct plan_settings *settings, struct plan *ret)
{
    struct plan plan = {0};
    int r = take_wanted(&plan, settings);

    for (size_t i = 0; r == 0 && i < cluster->n_sorted; i++)
        if (counts(cluster->sorted[i]))
            r = take_node(&plan, cluster->sorted[i]);
    if (r < 0) {
        plan_done(&plan);
        return r;
    }
    if (plan.n_dcs > 0)
        qsort(plan.dcs, plan.n_dcs, sizeof(*plan.dcs), compare_dcs);
    for (size_t i = 0; i < plan.n_dcs; i++)
        finish_dc(&plan.dcs[i], settings);
    judge(cluster, settings, &plan);
    *ret = plan;
    return 0;
}

void plan_done(struct plan *plan)
{
    for (size_t i = 0; i < plan->n_dcs; i++)
        free(plan->dcs[i].racks);
    free(plan->dcs);
    *plan = (struct plan){0};
}

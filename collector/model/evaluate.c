#include "cluster_internal.h"

#include <string.h>

/* Until a node has said how long hints are kept for a node that is down: Cassandra's default. */
#define HINT_WINDOW_MS (3 * 60 * 60 * 1000)

/* One evaluation in progress. */
struct evaluation {
    struct cluster *cluster;
    int64_t now_ms;
    bool round;
    bool bodies_changed; /* what stands for an observer in every body did */
    size_t n_decisions;
};

static void update_gone(struct evaluation *evaluation, struct node *node)
{
    bool gone = status_is_gone(node->gossip.status);

    if (gone == node->gone)
        return;
    node->gone = gone;
    mark_verdict(evaluation->cluster, node);
    evaluation->cluster->wants_detail = true;
}

/* Gossip states come and go: a view that was its owner's may have become an impostor's, or the
 * other way round. */
static void update_identity(struct evaluation *evaluation, struct node *node)
{
    enum poll_result identity;

    if (!node->view)
        return;
    identity = view_identity(evaluation->cluster, node);
    node->private.impostor = identity != POLL_OK;
    if (node->last_result == identity ||
        (node->last_result != POLL_OK && node->last_result != POLL_WRONG_CLUSTER &&
         node->last_result != POLL_WRONG_HOST))
        return;
    node->last_result = identity;
    mark_verdict(evaluation->cluster, node);
}

/*
 * Gossip has a later generation than the one that ended, and that one serves. Its STATUS alone is
 * not enough: it is NORMAL some time before.
 */
static bool serves_again(const struct node *node, int64_t generation)
{
    return node->gossip.generation > generation && node->gossip.rpc_ready == TRILEAN_TRUE;
}

static void update_process(struct node *node)
{
    if (node->process_gone && serves_again(node, node->private.gone_generation))
        node->process_gone = false;
    if (node->private.starting && serves_again(node, node->private.old_generation))
        node->private.starting = false;
}

static void update_shown(struct evaluation *evaluation, struct node *node)
{
    struct node_private *private = &node->private;
    bool known = !node->gone && !node->forgotten;
    bool fresh = known && node_view_fresh(evaluation->cluster, node, evaluation->now_ms);
    enum poll_result result = known && !fresh ? node->last_result : POLL_NEVER;
    int http_status = known && !fresh ? node->last_http_status : 0;

    if (private->shown_known == known && private->shown_fresh == fresh &&
        private->shown_result == result && private->shown_http_status == http_status)
        return;
    private->shown_known = known;
    private->shown_fresh = fresh;
    private->shown_result = result;
    private->shown_http_status = http_status;
    evaluation->bodies_changed = true;
}

static void update_nodes(struct evaluation *evaluation)
{
    struct cluster *cluster = evaluation->cluster;

    cluster->private->n_eligible = 0;
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        struct node *node = cluster->sorted[i];

        if (node->private.first_seen_ms == 0) {
            node->private.first_seen_ms = evaluation->now_ms;
            node->private.came_later = cluster->rounds > 0;
        }
        update_gone(evaluation, node);
        update_identity(evaluation, node);
        update_process(node);
        if (node_update_eligibility(cluster, node, evaluation->now_ms))
            mark_verdict(cluster, node);
        cluster->private->n_eligible += node->ineligible == ELIGIBLE;
    }
}

static void count_witness(struct voters *voters, const struct node *observer)
{
    for (size_t place = 0; place < voters->n_places; place++)
        voters->witnesses[place] +=
            place != observer->index && observer->opinions[place] == LIVENESS_UP;
}

/* Only voters_settle() takes votes; every policy starts from all eligible observers. */
static void count_votes(const struct evaluation *evaluation)
{
    struct cluster *cluster = evaluation->cluster;
    struct voters *voters = &cluster->private->voters;

    voters->n = 0;
    voters->n_places = cluster->n_nodes;
    if (voters->n_places > 0)
        memset(voters->witnesses, 0, voters->n_places * sizeof(*voters->witnesses));
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *node = cluster->sorted[i];

        /* Gossip takes a few seconds to get around. */
        voters->young[node->index] =
            node->private.came_later &&
            evaluation->now_ms - node->private.first_seen_ms < cluster->readiness.settle_ms;
        if (node->ineligible == INELIGIBLE_SETTLING)
            count_witness(voters, node);
        if (node->ineligible != ELIGIBLE)
            continue;
        voters->voter[voters->n++] = (struct voter){
            .opinions = node->opinions,
            .opinion_since = node->opinion_since,
            .polls = (uint32_t)node->polls_ok,
            .place = node->index,
        };
    }
    voters_count(voters);
}

static void list_row(struct cluster *cluster, const struct node *observer)
{
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        struct node *node = cluster->sorted[i];

        node->private.listed |= observer->opinions[node->index] != LIVENESS_UNKNOWN;
    }
}

/* Who is in gossip, as those say that take part in it. With none of them what is known stays. */
static void update_members(struct evaluation *evaluation)
{
    struct cluster *cluster = evaluation->cluster;
    const struct tally *tally = cluster->private->voters.tally;
    bool told = cluster->private->n_eligible > 0;

    for (size_t i = 0; i < cluster->n_sorted; i++) {
        struct node *node = cluster->sorted[i];

        node->private.listed = tally[node->index].up + tally[node->index].down > 0;
    }
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *node = cluster->sorted[i];

        if (node->ineligible == ELIGIBLE || !observer_usable(cluster, node, evaluation->now_ms))
            continue;
        list_row(cluster, node);
        told = true;
    }
    cluster->n_members = 0;
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        struct node *node = cluster->sorted[i];
        bool member = (told ? node->private.listed : node->member) && !node->gone &&
                      !node_joining(cluster, node, evaluation->now_ms);

        if (member != node->member)
            mark_verdict(cluster, node);
        node->member = member;
        cluster->n_members += member;
    }
}

static void update_votes(struct cluster *cluster)
{
    const struct voters *voters = &cluster->private->voters;

    for (size_t i = 0, k = 0; i < cluster->n_sorted; i++) {
        struct node *node = cluster->sorted[i];
        bool eligible = k < voters->n && voters->voter[k].place == node->index;
        bool lost = eligible && voters->voter[k].lost_vote;

        k += eligible;
        if (lost != node->lost_vote)
            mark_verdict(cluster, node);
        node->lost_vote = lost;
        node->voter = eligible && !lost;
    }
}

/* Down since when, as those that count see it; with nobody counting, what was known stays. */
static void update_down(struct evaluation *evaluation, struct node *node, bool seen_up)
{
    struct cluster *cluster = evaluation->cluster;
    int64_t window = cluster->hint_window_ms ? cluster->hint_window_ms : HINT_WINDOW_MS;
    int64_t before = node->down_since_ms;

    if (seen_up)
        node->down_since_ms = 0;
    else if (node->raw.counted > 0 && before == 0)
        node->down_since_ms = evaluation->now_ms;
    if (node->down_since_ms != before)
        mark_verdict(cluster, node);
    if (node->repair_needed || node->down_since_ms == 0 ||
        evaluation->now_ms - node->down_since_ms <= window)
        return;
    node->repair_needed = true;
    node->repair_since_ms = evaluation->now_ms;
    mark_verdict(cluster, node);
}

static void judge_gone(struct node *node)
{
    node->raw = (struct verdict){.readiness = NOT_READY, .reasons = REASON_GONE};
    node->down_since_ms = 0;
}

/*
 * A node that others see as UP, but that does not speak for itself, is judged by its gossip state:
 * that must not be much older than a view may be.
 */
static void want_state(struct evaluation *evaluation, const struct node *node)
{
    struct cluster *cluster = evaluation->cluster;
    int64_t age_ms = evaluation->now_ms - cluster->private->detail_ms;

    if (node->raw.up > 0 && age_ms >= cluster->readiness.view_ttl_ms &&
        !node_view_fresh(cluster, node, evaluation->now_ms))
        cluster->wants_detail = true;
}

static void judge(struct evaluation *evaluation, struct node *node)
{
    const struct cluster *cluster = evaluation->cluster;
    enum standing standing = node->voter       ? STANDING_VOTER
                             : node->lost_vote ? STANDING_LOST_VOTE
                                               : STANDING_NONE;
    bool seen_up;

    node->raw = verdict_judge(&cluster->readiness, cluster->n_members, &cluster->private->voters,
                              node->index, standing, &seen_up);
    node->raw.reasons |= node_state_reasons(cluster, node, evaluation->now_ms);
    if (node->drain.on)
        node->raw.reasons |= REASON_DRAINED;
    node->raw.readiness = node->raw.reasons ? NOT_READY : READY;
    update_down(evaluation, node, seen_up);
    want_state(evaluation, node);
}

static void publish_verdict(struct evaluation *evaluation, struct node *node)
{
    struct cluster *cluster = evaluation->cluster;
    enum readiness before = node->verdict.readiness;

    if (!node_damp(&cluster->readiness, node, evaluation->round, evaluation->now_ms))
        return;
    mark_verdict(cluster, node);
    if (node->verdict.readiness == before)
        return;
    cluster->changes++;
    cluster->private->decisions[evaluation->n_decisions++] =
        (struct decision){.node = node, .before = before};
}

/* A node that is in no view of those that take part in gossip is none of the cluster's. */
static void forget_nodes(struct evaluation *evaluation)
{
    struct cluster *cluster = evaluation->cluster;

    if (cluster->private->n_eligible == 0)
        return;
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        struct node *node = cluster->sorted[i];

        if (node->private.listed || node->private.fixed || node->local || node->forgotten)
            continue;
        node->forgotten = true;
        cluster->wants_detail = true;
        mark_verdict(cluster, node);
    }
}

/* What depends on all nodes together, after each has been judged. */
static void finish(struct evaluation *evaluation)
{
    struct cluster *cluster = evaluation->cluster;

    cluster->n_known = 0;
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        struct node *node = cluster->sorted[i];

        cluster->n_known += !node->gone && !node->forgotten;
        update_shown(evaluation, node);
    }
    if (evaluation->bodies_changed)
        mark_all_opinions(cluster);
}

void cluster_evaluate(struct cluster *cluster, bool round, int64_t now_ms,
                      const struct decision **ret_decisions, size_t *ret_n)
{
    struct evaluation evaluation = {.cluster = cluster, .now_ms = now_ms, .round = round};

    update_nodes(&evaluation);
    count_votes(&evaluation);
    update_members(&evaluation);
    if (cluster->readiness.policy == POLICY_MUTUAL)
        voters_settle(&cluster->private->voters);
    update_votes(cluster);
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        struct node *node = cluster->sorted[i];

        if (node->gone)
            judge_gone(node);
        else
            judge(&evaluation, node);
        if (round || cluster->rounds > 0)
            publish_verdict(&evaluation, node);
    }
    if (round) {
        forget_nodes(&evaluation);
        cluster->rounds++;
    }
    finish(&evaluation);
    *ret_decisions = cluster->private->decisions;
    *ret_n = evaluation.n_decisions;
}

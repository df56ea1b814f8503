#include "words.h"

#include <stdio.h>
#include <time.h>

#include "../model/run_states.h"

#define REASON_TEXT_MAX 192
#define WHO_MAX         5 /* are named */

const char *readiness_word(enum readiness readiness)
{
    switch (readiness) {
    case READY:
        return "ready";
    case NOT_READY:
        return "not ready";
    case READINESS_UNKNOWN:
        break;
    }
    return "unknown";
}

const char *observer_word(const struct node *node)
{
    switch (node->ineligible) {
    case ELIGIBLE:
        return node->lost_vote ? "lost vote" : "voter";
    case INELIGIBLE_STALE:
        return "stale";
    case INELIGIBLE_STATE:
        return "own state";
    case INELIGIBLE_SELF_DOWN:
        return "sees itself down";
    case INELIGIBLE_SETTLING:
        return "settling";
    case INELIGIBLE_IMPOSTOR:
        return "impostor";
    case INELIGIBLE_NO_VIEW:
    case INELIGIBLE_REASONS:
        break;
    }
    return "no view";
}

const char *missing_view_word(const struct node *observer, char buf[16])
{
    switch (observer->last_result) {
    case POLL_NEVER:
    case POLL_OK:
        return "?";
    case POLL_HTTP:
    case POLL_AUTH:
    case POLL_REDIRECT:
        if (observer->last_http_status >= 300) {
            snprintf(buf, 16, "%d", observer->last_http_status);
            return buf;
        }
        break;
    default:
        break;
    }
    return poll_result_word(observer->last_result);
}

/* Which text a reason has. Those with figures or words of the node are made by reason_text(). */
static const enum verdict_reason order[] = {
    REASON_GONE,     REASON_RUN_STATE,     REASON_DRAINED,    REASON_PROCESS_GONE,
    REASON_DOWN,     REASON_LOST_VOTE,     REASON_STATUS,     REASON_HUNG,
    REASON_STARTING, REASON_MODE,          REASON_GOSSIP_OFF, REASON_NATIVE_OFF,
    REASON_UNSEEN,   REASON_FEW_OBSERVERS, REASON_REHAB,      REASON_RISING,
};

void words_time(int64_t wall_ms, char buf[WORDS_TIME_LEN])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;

    if (!gmtime_r(&seconds, &tm) || strftime(buf, WORDS_TIME_LEN, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        buf[0] = '\0';
}

static void drain_text(const struct drain *drain, char buf[REASON_TEXT_MAX])
{
    char until[WORDS_TIME_LEN] = "";

    if (drain->until_ms > 0)
        words_time(drain->until_ms, until);
    snprintf(buf, REASON_TEXT_MAX, "drained%s%s%s%s", drain->user[0] ? " by " : "", drain->user,
             until[0] ? " until " : "", until);
}

static void run_state_text_of(const struct node_run *run, char buf[REASON_TEXT_MAX])
{
    if (run->restarting)
        snprintf(buf, REASON_TEXT_MAX, "is being restarted");
    else
        snprintf(buf, REASON_TEXT_MAX, "run state %s%s%s", run_state_word(run->state),
                 run->user[0] ? " by " : "", run->user);
}

static void reason_text(const struct node *node, enum verdict_reason reason,
                        char buf[REASON_TEXT_MAX])
{
    const struct verdict *verdict = &node->verdict;
    const size_t size = REASON_TEXT_MAX;

    switch (reason) {
    case REASON_GONE:
        snprintf(buf, size, "gone");
        break;
    case REASON_PROCESS_GONE:
        snprintf(buf, size, "process gone: JMX and native transport refused");
        break;
    case REASON_DOWN:
        snprintf(buf, size, "DOWN by %u of %u", verdict->down, verdict->counted);
        break;
    case REASON_UNSEEN:
        snprintf(buf, size, "not seen by %u of %u", verdict->unseen, verdict->counted);
        break;
    case REASON_FEW_OBSERVERS:
        snprintf(buf, size, "%u of %u needed observers count", verdict->counted, verdict->needed);
        break;
    case REASON_LOST_VOTE:
        snprintf(buf, size, "lost its vote: it disagrees with the others");
        break;
    case REASON_STATUS:
        if (node->gossip.status[0])
            snprintf(buf, size, "status %.64s", node->gossip.status);
        else
            snprintf(buf, size, "no status in gossip yet");
        break;
    case REASON_HUNG:
        snprintf(buf, size, "hung: it does not answer its own host");
        break;
    case REASON_STARTING:
        snprintf(buf, size, "starting or stopping: no MBeans");
        break;
    case REASON_MODE:
        snprintf(buf, size, "mode %.64s", node->view ? node->view->mode : "?");
        break;
    case REASON_NATIVE_OFF:
        snprintf(buf, size, "native transport off");
        break;
    case REASON_GOSSIP_OFF:
        snprintf(buf, size, "gossip off");
        break;
    case REASON_DRAINED:
        drain_text(&node->drain, buf);
        break;
    case REASON_RUN_STATE:
        run_state_text_of(&node->run, buf);
        break;
    case REASON_RISING:
        snprintf(buf, size, "rising");
        break;
    case REASON_REHAB:
        snprintf(buf, size, "rehab: changed too often");
        break;
    }
}

void words_reasons(const struct node *node, void (*each)(const char *reason, void *userdata),
                   void *userdata)
{
    char buf[REASON_TEXT_MAX];

    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        if (!(node->verdict.reasons & order[i]))
            continue;
        reason_text(node, order[i], buf);
        each(buf, userdata);
    }
}

struct joined {
    struct text *text;
    bool first;
};

static void join(const char *reason, void *userdata)
{
    struct joined *joined = userdata;

    if (!joined->first)
        text_puts(joined->text, ", ");
    joined->first = false;
    text_puts(joined->text, reason);
}

void words_add_reasons(struct text *text, const struct node *node)
{
    struct joined joined = {.text = text, .first = true};

    words_reasons(node, join, &joined);
}

/* One of a list of which so many were named before. */
static void add_name(struct text *text, const char *label, size_t before, const char *name)
{
    if (before < WHO_MAX)
        text_printf(text, "%s%s", before ? ", " : label, name);
}

static void end_names(struct text *text, size_t n)
{
    if (n > WHO_MAX)
        text_printf(text, " and %zu more", n - WHO_MAX);
}

/* Who of those that count says so of the node. */
static void add_who(struct text *text, const struct cluster *cluster, const struct node *node,
                    enum liveness liveness, const char *label)
{
    size_t n = 0;

    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *observer = cluster->sorted[i];

        if (observer->voter && observer != node &&
            cluster_opinion(cluster, observer, node) == liveness)
            add_name(text, label, n++, observer->text);
    }
    end_names(text, n);
}

/* Whom the node sees as DOWN of those that count. */
static void add_whom(struct text *text, const struct cluster *cluster, const struct node *node)
{
    size_t n = 0;

    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *other = cluster->sorted[i];

        if (other->voter && other != node && cluster_opinion(cluster, node, other) == LIVENESS_DOWN)
            add_name(text, "; it sees DOWN ", n++, other->text);
    }
    end_names(text, n);
}

void words_add_conflicts(struct text *text, const struct cluster *cluster, const struct node *node)
{
    add_who(text, cluster, node, LIVENESS_DOWN, "; DOWN say ");
    add_whom(text, cluster, node);
}

void words_add_evidence(struct text *text, const struct cluster *cluster, const struct node *node)
{
    const struct verdict *verdict = &node->verdict;

    if (!verdict->reasons)
        text_printf(text, "UP by %u of %u", verdict->up, verdict->counted);
    words_add_reasons(text, node);
    if (node->gone)
        return;
    add_who(text, cluster, node, LIVENESS_DOWN, "; DOWN say ");
    if (verdict->reasons & REASON_UNSEEN)
        add_who(text, cluster, node, LIVENESS_UNKNOWN, "; no opinion: ");
    if (verdict->reasons & REASON_LOST_VOTE)
        add_whom(text, cluster, node);
    if (node->last_result > POLL_OK)
        text_printf(text, "; its poll: %s%s%s", poll_result_word(node->last_result),
                    *node->last_detail ? ": " : "", node->last_detail);
}

void words_add_status(struct text *text, const struct cluster *cluster)
{
    const struct node *first = NULL;
    size_t nodes = 0, ready = 0;

    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *node = cluster->sorted[i];

        if (node->gone || node->forgotten)
            continue;
        nodes++;
        if (node->verdict.readiness == READY)
            ready++;
        else if (!first)
            first = node;
    }
    text_printf(text, "%zu node%s, %zu ready", nodes, nodes == 1 ? "" : "s", ready);
    if (nodes == 0 && cluster->last_local.result != POLL_NEVER)
        text_printf(text, ", local node: %s", poll_result_word(cluster->last_local.result));
    if (!first)
        return;
    text_printf(text, ", %s %s", first->text, readiness_word(first->verdict.readiness));
    if (first->verdict.reasons) {
        text_puts(text, ": ");
        words_add_reasons(text, first);
    }
    if (nodes - ready > 1)
        text_printf(text, ", and %zu more", nodes - ready - 1);
}

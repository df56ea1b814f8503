#include "permit.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cluster_internal.h"

/* What is asked, and what for. */
struct question {
    const struct permit *permit;
    const struct cluster *cluster;
    const struct node *node; /* NULL = it is no node of the cluster */
    int64_t now_ms, held_ms;
    char text[PROBER_ADDR_STRLEN];
    char *why;
};

const char *permit_kind_word(enum permit_kind kind)
{
    return kind == PERMIT_START ? "start" : kind == PERMIT_STOP ? "stop" : "none";
}

__attribute__((format(printf, 3, 4))) static enum permit_state
say(const struct question *question, enum permit_state state, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vsnprintf(question->why, PERMIT_WHY_LEN, format, ap);
    va_end(ap);
    return state;
}

static enum permit_state held(const struct question *question, const char *as)
{
    const struct permit *permit = question->permit;

    return say(question, PERMIT_HELD, "the permit is held: %s is to %s (%s)%s%s", question->text,
               permit_kind_word(permit->kind), permit->who[0] ? permit->who : "somebody",
               as[0] ? "; it " : "", as);
}

static bool anybody_counts(const struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->n_sorted; i++)
        if (cluster->sorted[i]->voter)
            return true;
    return false;
}

static bool is_ready(const struct question *question)
{
    return question->node && !question->node->gone && question->node->verdict.readiness == READY;
}

/* The first of a cluster that was stopped as a whole has nobody yet to be ready in the eyes of:
 * it serves, as it says itself, and so the next one may start. */
static bool serves_alone(const struct question *question)
{
    return question->node && !question->node->gone &&
           question->node->raw.reasons == REASON_FEW_OBSERVERS &&
           node_view_fresh(question->cluster, question->node, question->now_ms);
}

/* What was granted a moment ago is judged by what is known since: a view may be view_ttl old. */
static bool too_early(const struct question *question)
{
    return question->held_ms <= question->cluster->readiness.view_ttl_ms;
}

/* Another host has seen it down, of which this one may not know yet: its own answer is of since
 * then.
 */
static bool answers_again(const struct question *question)
{
    int64_t down_ms = question->now_ms - question->permit->down_since_ms;

    return down_ms > question->cluster->readiness.view_ttl_ms && !too_early(question) &&
           node_view_fresh(question->cluster, question->node, question->now_ms);
}

static enum permit_state judge_start(const struct question *question)
{
    bool starts =
        question->node && node_starting(question->cluster, question->node, question->now_ms);

    if (is_ready(question) && !too_early(question))
        return say(question, PERMIT_OVER, "%s is ready", question->text);
    if (serves_alone(question) && !too_early(question))
        return say(question, PERMIT_OVER, "%s serves, and is the first", question->text);
    if (question->held_ms < question->permit->ttl_ms)
        return held(question, starts ? "is starting" : "");
    if (starts)
        return held(question, "is starting still");
    return say(question, PERMIT_OVER, "%s has not become ready in time, and is not starting",
               question->text);
}

static enum permit_state judge_stop(const struct question *question)
{
    bool expired = question->held_ms >= question->permit->ttl_ms;
    bool left = !question->node || question->node->gone;
    bool alone = serves_alone(question), serves = is_ready(question) || alone;
    bool back = question->permit->seen_down &&
                strncmp(question->permit->token, PERMIT_JOB, strlen(PERMIT_JOB)) != 0;

    if (serves && back && answers_again(question))
        return say(question, PERMIT_OVER, "%s was down and %s", question->text,
                   alone ? "serves again, and is the first" : "is ready again");
    if (serves && expired)
        return say(question, PERMIT_OVER, "%s was not stopped in time, and %s", question->text,
                   alone ? "serves alone" : "is ready");
    if (left && expired && anybody_counts(question->cluster))
        return say(question, PERMIT_OVER, "%s has left the cluster", question->text);
    if (serves)
        return held(question, "");
    return held(question, expired ? "is not ready; give it back when it is not to come back"
                                  : "is not ready");
}

enum permit_state permit_state(const struct permit *permit, const struct cluster *cluster,
                               int64_t now_ms, char why[PERMIT_WHY_LEN])
{
    struct question question = {
        .permit = permit,
        .cluster = cluster,
        .node = cluster_find(cluster, &permit->node),
        .now_ms = now_ms,
        .held_ms = now_ms - permit->seen_since_ms,
        .why = why,
    };

    why[0] = '\0';
    if (permit->kind == PERMIT_NONE)
        return PERMIT_FREE;
    prober_addr_format(&permit->node, question.text);
    if (cluster->rounds == 0)
        return held(&question, "cannot be judged before the first round");
    return permit->kind == PERMIT_START ? judge_start(&question) : judge_stop(&question);
}

bool permit_sees_down(const struct permit *permit, const struct cluster *cluster)
{
    const struct node *node = cluster_find(cluster, &permit->node);

    return permit->kind != PERMIT_NONE && node && cluster->rounds > 0 &&
           (node->raw.reasons & (REASON_DOWN | REASON_PROCESS_GONE | REASON_STARTING));
}

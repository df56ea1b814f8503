/* Every change of a job. */
#include <stdio.h>
#include <string.h>

#include "jobs.h"

/* A host that has been granted begins with its next look at the store. */
#define GRANT_MS 60000

/* A reason that changes by itself is written no more often. */
#define TOLD_MS 5000

static void set_why(char *why, const char *text)
{
    snprintf(why, JOB_WHY_LEN, "%s", text);
}

static void end_node(struct job_node *node, enum job_node_state state, int64_t wall_ms)
{
    node->state = state;
    node->bad = node->mended = false;
    node->ended_ms = wall_ms;
}

void job_skip(struct job *job, size_t node, const char *why, int64_t wall_ms)
{
    set_why(job->nodes[node].why, why);
    end_node(&job->nodes[node], JOB_NODE_SKIPPED, wall_ms);
}

/* Whoever has not had his turn will not have one. */
static void end(struct job *job, enum job_state state, const char *why, int64_t wall_ms)
{
    for (size_t i = 0; i < job->n_nodes; i++)
        if (job->nodes[i].state == JOB_NODE_WAITING)
            job_skip(job, i, why, wall_ms);
    job->state = state;
    set_why(job->why, why);
    job->ended_ms = wall_ms;
}

static void end_well(struct job *job, int64_t wall_ms)
{
    unsigned failed = 0, skipped = 0;
    char why[JOB_WHY_LEN] = "";

    for (size_t i = 0; i < job->n_nodes; i++) {
        failed += job->nodes[i].state == JOB_NODE_FAILED;
        skipped += job->nodes[i].state == JOB_NODE_SKIPPED;
    }
    if (failed > 0)
        snprintf(why, sizeof(why), "%u of %zu failed, %u skipped", failed, job->n_nodes, skipped);
    else if (skipped > 0)
        snprintf(why, sizeof(why), "%u of %zu skipped", skipped, job->n_nodes);
    end(job, failed > 0 ? JOB_FAILED : JOB_DONE, why, wall_ms);
}

static void end_aborted(struct job *job, int64_t wall_ms)
{
    char why[JOB_WHY_LEN];

    snprintf(why, sizeof(why), "aborted by %s", job->aborted_by);
    end(job, JOB_ABORTED, why, wall_ms);
}

/* What stands in job.why may be another text each second. */
static bool tell(struct job *job, struct job_watch *watch, const char *why, int64_t now_ms)
{
    if (strcmp(job->why, why) == 0 ||
        (job->why[0] && watch->told_ms && now_ms - watch->told_ms < TOLD_MS))
        return false;
    set_why(job->why, why);
    watch->told_ms = now_ms;
    return true;
}

static bool tell_of(struct job *job, struct job_watch *watch, size_t node, const char *what,
                    const char *cause, int64_t now_ms)
{
    char why[JOB_WHY_LEN], text[PROBER_ADDR_STRLEN];

    prober_addr_format(&job->nodes[node].address, text);
    snprintf(why, sizeof(why), "%s %s: %.120s", text, what, cause);
    return tell(job, watch, why, now_ms);
}

/* Begins to count anew when it is about another node, or another state of it. */
static void follow(struct job_watch *watch, const struct job *job, size_t node,
                   const struct job_seen *seen)
{
    enum job_node_state state = node == JOB_NOBODY ? JOB_NODE_NONE : job->nodes[node].state;

    if (strcmp(watch->id, job->id) != 0 || watch->node != node || watch->state != state) {
        *watch = (struct job_watch){
            .node = node, .state = state, .since_ms = seen->now_ms, .told_ms = watch->told_ms};
        memcpy(watch->id, job->id, sizeof(watch->id));
    }
    if (!seen->sight.live)
        watch->live_since_ms = 0;
    else if (watch->live_since_ms == 0)
        watch->live_since_ms = seen->now_ms;
    if (seen->sight.live)
        watch->dead_since_ms = 0;
    else if (watch->dead_since_ms == 0)
        watch->dead_since_ms = seen->now_ms;
}

static bool dead_for_long(const struct job_watch *watch, const struct job_settings *settings,
                          const struct job_seen *seen)
{
    return watch->dead_since_ms && seen->now_ms - watch->dead_since_ms >= settings->settle_ms;
}

/* Back from a pause; true when there was one. Whoever has mended the node may end the job as well:
 * that its unit failed is then no reason to. */
static bool resume(struct job *job, struct job_node *node)
{
    if (job->state != JOB_PAUSED)
        return false;
    node->mended = node->bad;
    job->state = JOB_RUNNING;
    job->why[0] = '\0';
    return true;
}

/* The node is not live for too long: a person is to know, and nothing else happens. */
static enum job_act pause(struct job *job, struct job_watch *watch, size_t node,
                          const struct job_seen *seen)
{
    const char *what = job->nodes[node].state == JOB_NODE_RUNNING
                           ? "is not back, and how its unit ended is not known"
                           : "has not come back";
    bool changed = tell_of(job, watch, node, what, seen->sight.why, seen->now_ms);

    if (job->state == JOB_RUNNING) {
        job->state = JOB_PAUSED;
        changed = true;
    }
    return changed ? JOB_WRITE : JOB_REST;
}

static enum job_act lead_granted(struct job *job, struct job_watch *watch, size_t node,
                                 const struct job_seen *seen)
{
    char why[JOB_WHY_LEN];

    snprintf(why, sizeof(why), "aborted by %s", job->aborted_by);
    if (job->state == JOB_ABORTING)
        job_skip(job, node, why, seen->wall_ms);
    else if (seen->suspended)
        job_back(job, node);
    else if (seen->sight.gone)
        job_skip(job, node, seen->sight.why, seen->wall_ms);
    else if (seen->now_ms - watch->since_ms >= GRANT_MS)
        job_skip(job, node, "its host has not begun within 1min", seen->wall_ms);
    else
        return JOB_REST;
    return JOB_WRITE;
}

static enum job_act settled(struct job *job, size_t node, bool failed, const char *why,
                            int64_t wall_ms)
{
    struct job_node *it = &job->nodes[node];
    char text[PROBER_ADDR_STRLEN], line[JOB_WHY_LEN];
    bool mended;

    resume(job, it);
    mended = it->mended;
    if (why)
        set_why(it->why, why);
    end_node(it, failed ? JOB_NODE_FAILED : JOB_NODE_DONE, wall_ms);
    if (failed && !mended && !job->go_on && job->state != JOB_ABORTING) {
        prober_addr_format(&it->address, text);
        snprintf(line, sizeof(line), "%s failed: %.120s", text, it->why);
        end(job, JOB_FAILED, line, wall_ms);
    } else if (job->state != JOB_ABORTING) {
        job->why[0] = '\0';
    }
    return JOB_WRITE;
}

static enum job_act lead_acting(struct job *job, struct job_watch *watch, size_t node,
                                const struct job_settings *settings, const struct job_seen *seen)
{
    struct job_node *it = &job->nodes[node];

    if (seen->sight.gone)
        return settled(job, node, true, seen->sight.why, seen->wall_ms);
    if (dead_for_long(watch, settings, seen))
        return pause(job, watch, node, seen);
    if (seen->sight.live && it->state == JOB_NODE_SETTLING &&
        seen->now_ms - watch->live_since_ms >= settings->stable_ms)
        return settled(job, node, it->bad, NULL, seen->wall_ms);
    if (seen->sight.live && resume(job, it))
        return JOB_WRITE;
    if (seen->sight.live && it->state == JOB_NODE_RUNNING &&
        seen->now_ms - watch->live_since_ms >= settings->settle_ms &&
        tell_of(job, watch, node, "still runs its unit",
                "if it does not, its host cannot say so, as its journal tells", seen->now_ms))
        return JOB_WRITE;
    return JOB_REST;
}

static enum job_act lead_waiting(struct job *job, struct job_watch *watch, size_t node,
                                 const struct job_settings *settings, const struct job_seen *seen)
{
    char why[JOB_WHY_LEN];

    if (seen->suspended)
        return tell(job, watch, "suspended", seen->now_ms) ? JOB_WRITE : JOB_REST;
    if (seen->sight.gone) {
        job_skip(job, node, seen->sight.why, seen->wall_ms);
        return JOB_WRITE;
    }
    if (seen->sight.live)
        return JOB_TAKE;
    if (dead_for_long(watch, settings, seen)) {
        snprintf(why, sizeof(why), "it was not live when it was its turn: %.120s", seen->sight.why);
        job_skip(job, node, why, seen->wall_ms);
        return JOB_WRITE;
    }
    return tell_of(job, watch, node, "waits to be live", seen->sight.why, seen->now_ms) ? JOB_WRITE
                                                                                        : JOB_REST;
}

/* Whether it was ended by force while something of it may still have run. */
static bool given_up(const struct job *job, size_t node)
{
    return job->state == JOB_ABORTED && job->nodes[node].state == JOB_NODE_FAILED &&
           job->nodes[node].ended_ms == job->ended_ms;
}

/* A permit goes back when nothing of its node runs any more; where that is not known its own rules
 * hold. Nodes have their turns in order: a permit for a later one than this version is about
 * belongs to a later version. While nothing may be done nobody is kept from doing it by hand. */
static bool may_give(const struct job *job, const struct job_seen *seen)
{
    size_t node = job_attention(job);

    if (seen->held == JOB_NOBODY || given_up(job, seen->held))
        return false;
    return seen->held < node || (seen->suspended && seen->held == node && !job_ended(job) &&
                                 job->nodes[node].state == JOB_NODE_WAITING);
}

enum job_act job_lead(struct job *job, struct job_watch *watch, const struct job_settings *settings,
                      const struct job_seen *seen)
{
    size_t current = job_current(job), node = job_attention(job);

    follow(watch, job, node, seen);
    if (may_give(job, seen))
        return JOB_GIVE;
    if (job_ended(job))
        return JOB_FILE;
    if (current != JOB_NOBODY && job->nodes[current].state == JOB_NODE_GRANTED)
        return lead_granted(job, watch, current, seen);
    if (current != JOB_NOBODY) {
        enum job_act act = lead_acting(job, watch, current, settings, seen);

        return act == JOB_REST && seen->held == JOB_NOBODY ? JOB_RETAKE : act;
    }
    if (job->state == JOB_ABORTING)
        end_aborted(job, seen->wall_ms);
    else if (node == JOB_NOBODY)
        end_well(job, seen->wall_ms);
    else
        return lead_waiting(job, watch, node, settings, seen);
    return JOB_WRITE;
}

void job_grant(struct job *job, size_t node, int64_t wall_ms)
{
    job->nodes[node].state = JOB_NODE_GRANTED;
    job->nodes[node].began_ms = wall_ms;
    job->nodes[node].why[0] = '\0';
    job->why[0] = '\0';
}

bool job_refuse(struct job *job, struct job_watch *watch, size_t node, const char *why,
                int64_t now_ms)
{
    return tell_of(job, watch, node, "waits", why, now_ms);
}

bool job_lost(struct job *job, struct job_watch *watch, size_t node, const char *why,
              int64_t now_ms)
{
    return tell_of(job, watch, node, "runs its unit without the permit", why, now_ms);
}

bool job_renews(const struct job *job, size_t node, int64_t ttl_ms, int64_t held_ms)
{
    enum job_node_state state = job->nodes[node].state;

    return (state == JOB_NODE_RUNNING || state == JOB_NODE_SETTLING) &&
           (ttl_ms < JOB_PERMIT_RUN_MS || held_ms > ttl_ms / 2);
}

bool job_may_begin(const struct job *job, size_t node)
{
    return node != JOB_NOBODY && job->state == JOB_RUNNING &&
           job->nodes[node].state == JOB_NODE_GRANTED;
}

void job_begin(struct job *job, size_t node, const char *run, int64_t wall_ms)
{
    job->nodes[node].state = JOB_NODE_RUNNING;
    job->nodes[node].began_ms = wall_ms;
    snprintf(job->run, sizeof(job->run), "%s", run);
}

void job_back(struct job *job, size_t node)
{
    job->nodes[node].state = JOB_NODE_WAITING;
    job->nodes[node].began_ms = 0;
}

void job_ran(struct job *job, size_t node, bool good, const char *why)
{
    job->nodes[node].state = JOB_NODE_SETTLING;
    job->nodes[node].bad = !good;
    set_why(job->nodes[node].why, why);
}

void job_abort(struct job *job, const char *by, bool force, int64_t wall_ms)
{
    size_t current = job_current(job);

    snprintf(job->aborted_by, sizeof(job->aborted_by), "%s", by);
    if (force && current != JOB_NOBODY) {
        struct job_node *node = &job->nodes[current];

        snprintf(node->why, sizeof(node->why), "given up by %.60s while it was %s", by,
                 job_node_state_word(node->state));
        end_node(node, node->state == JOB_NODE_GRANTED ? JOB_NODE_SKIPPED : JOB_NODE_FAILED,
                 wall_ms);
    }
    if (current == JOB_NOBODY || force) {
        end_aborted(job, wall_ms);
        return;
    }
    job->state = JOB_ABORTING;
    snprintf(job->why, sizeof(job->why), "aborted by %s; the current node is waited for", by);
}

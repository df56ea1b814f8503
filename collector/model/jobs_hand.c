/* What the host of a node does when it is that node's turn. */
#include <stdio.h>
#include <string.h>

#include "jobs.h"

/* From the beginning of a question to the store until it is acted upon. The leader takes nothing
 * back from a node that is running, so that this bounds only how late a unit can start after a
 * person has ended the job by force. */
#define ACT_MS 5000

/* From winning `running` until the unit starts: what was true then is old news later. */
#define START_MS 10000

/* About a second each: a gate that has said yes to the leader a moment ago may see it a little
 * later here. */
#define REFUSALS_MAX 10

/* systemd has not answered so often: it will not. */
#define LOOKS_MAX 60

/* It has answered so often that nothing has run: what it was asked to start comes no more. */
#define IDLE_LOOKS_MAX 10

static enum job_turn turn_granted(const struct job_hand *hand, int64_t now_ms)
{
    if (hand->state == HAND_FREE)
        return TURN_FIND;
    if (hand->state == HAND_ALLOWED && now_ms - hand->allowed_ms <= ACT_MS)
        return TURN_BEGIN;
    return TURN_ASK;
}

enum job_turn job_turn(const struct job *job, size_t node, struct job_hand *hand, bool suspended,
                       int64_t asked_ms, int64_t now_ms)
{
    if (strcmp(hand->id, job->id) != 0) {
        *hand = (struct job_hand){0};
        memcpy(hand->id, job->id, sizeof(hand->id));
    }
    if (node == JOB_NOBODY || job_ended(job))
        return TURN_NONE;
    if (job_may_begin(job, node))
        return suspended || now_ms - asked_ms > ACT_MS ? TURN_NONE : turn_granted(hand, now_ms);
    if (job->nodes[node].state == JOB_NODE_WAITING && hand->state < HAND_ACTS)
        hand->state = HAND_FREE;
    if (job->nodes[node].state != JOB_NODE_RUNNING || hand->state == HAND_ACTS)
        return TURN_NONE;
    if (hand->state == HAND_ENDED)
        return TURN_REPORT;
    if (hand->state != HAND_BEGUN || strcmp(hand->run, job->run) != 0)
        return TURN_LOOK;
    if (now_ms - asked_ms > ACT_MS)
        return TURN_NONE;
    return suspended || now_ms - hand->begun_ms > START_MS ? TURN_BACK : TURN_RUN;
}

bool job_asked(struct job_hand *hand, bool yes, int64_t asked_ms)
{
    if (yes) {
        hand->state = HAND_ALLOWED;
        hand->allowed_ms = asked_ms;
        hand->refusals = 0;
        return false;
    }
    if (++hand->refusals < REFUSALS_MAX)
        return false;
    hand->refusals = 0;
    return true;
}

static void end(struct job_hand *hand, bool good, const char *why)
{
    hand->state = HAND_ENDED;
    hand->good = good;
    snprintf(hand->why, sizeof(hand->why), "%s", why);
}

/*
 * The times are of one clock, rounded. systemd forgets a unit that has ended well, and none that
 * has failed: so one that ran when it was looked at last, and is nothing special now, has ended
 * well.
 */
void job_looked(struct job_hand *hand, const struct job_node *node, const struct job_unit *unit)
{
    bool since = unit->ran_ms > 0 && unit->ran_ms + 1000 >= node->began_ms;

    if (!unit->known) {
        if (++hand->looks >= LOOKS_MAX)
            end(hand, false, "cannot tell whether it ran: systemd does not answer");
        return;
    }
    if (strcmp(unit->active, "activating") == 0 || strcmp(unit->active, "deactivating") == 0 ||
        strcmp(unit->active, "reloading") == 0) {
        hand->seen = true;
        return;
    }
    if ((since || hand->seen) && strcmp(unit->active, "failed") == 0)
        end(hand, false, "its unit failed while the collector was away");
    else if (since || hand->seen)
        end(hand, true, "");
    else if (++hand->looks >= IDLE_LOOKS_MAX)
        end(hand, false,
            "cannot tell whether it ran: the collector was away, and systemd does not "
            "know of it");
}

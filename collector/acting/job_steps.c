/* The steps of a job that are this host's to take: its own node's, and while it leads, the
 * leader's. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include "job_runner_private.h"
#include "log.h"

#define AGAIN_MS 1000

/* systemd has said so often that there is no such unit, or nothing. */
#define FINDS 3

enum errand { ERRAND_TAKE = 0, ERRAND_RENEW, ERRAND_GIVE };

/* A unit that was started. */
struct job_run {
    struct job_run *next;
    struct job_runner *runner;
    char id[JOB_ID_LEN];
};

/* The rest of what is known would be older than what was written. */
static void written(struct job_runner *runner, const struct store_answer *answer)
{
    job_tell(runner, &runner->job, &runner->next);
    job_done(&runner->job);
    runner->job = runner->next;
    runner->next = (struct job){0};
    runner->revision = answer->revision;
    runner->asked_ms = runner->read_at_ms = runner->put_ms;
    job_runner_changed(runner);
    job_runner_step(runner);
}

static void on_written(const struct store_answer *answer, void *userdata)
{
    struct job_runner *runner = userdata;

    runner->busy = false;
    if (answer->result == STORE_OK) {
        written(runner, answer);
        return;
    }
    if (answer->result == STORE_UNKNOWN) {
        job_done(&runner->unsaid);
        runner->unsaid = runner->next;
        runner->next = (struct job){0};
    }
    job_done(&runner->next);
    job_runner_look_in(runner, answer->result == STORE_CONFLICT ? 0 : AGAIN_MS);
}

/* Over the version that was read last. Takes `job` over. */
static void write_job(struct job_runner *runner, struct job *job)
{
    char *text = job_json_write(job);

    job_done(&runner->next);
    runner->next = *job;
    runner->put_ms = job_clock_ms(CLOCK_BOOTTIME);
    if (text && store_put(runner->settings.store, JOB_KEY, text, runner->revision, false,
                          on_written, runner) == 0)
        runner->busy = true;
    else
        job_runner_look_in(runner, AGAIN_MS);
    free(text);
}

static size_t own_node(const struct job_runner *runner)
{
    const struct node *local = runner->settings.cluster->local;

    return local ? job_find(&runner->job, &local->address) : JOB_NOBODY;
}

/* The node's own host */

static void on_ran(const struct unit_result *result, void *userdata)
{
    struct job_run *run = userdata;
    struct job_runner *runner = run->runner;
    struct job_hand *hand = &runner->hand;

    for (struct job_run **at = &runner->runs; *at; at = &(*at)->next)
        if (*at == run) {
            *at = run->next;
            break;
        }
    /* A person may have ended that job by force. */
    if (hand->state == HAND_ACTS && strcmp(hand->id, run->id) == 0) {
        hand->state = result->end == UNIT_UNKNOWN ? HAND_FREE : HAND_ENDED;
        hand->good = result->end == UNIT_DONE;
        snprintf(hand->why, sizeof(hand->why), "%.150s%s", hand->good ? "" : result->detail,
                 !hand->good && result->skipped ? " (its condition said no)" : "");
        job_runner_look(runner);
    }
    free(run);
}

void job_runs_free(struct job_runner *runner)
{
    while (runner->runs) {
        struct job_run *run = runner->runs;

        runner->runs = run->next;
        free(run);
    }
}

/* The fence: this version was asked for a moment ago, says that it is this process's turn, and its
 * session lives. */
static void run_unit(struct job_runner *runner, size_t node)
{
    struct job_run *run;
    char unit[UNIT_LEN];

    if (store_session_left(runner->settings.store) <= 0)
        return;
    run = calloc(1, sizeof(*run));
    if (!run)
        return;
    run->runner = runner;
    memcpy(run->id, runner->job.id, sizeof(run->id));
    job_unit_name(runner->conf, runner->job.type, unit);
    job_tell_run(runner, &runner->job, node, unit);
    runner->hand.state = HAND_ACTS;
    if (unit_run(runner->settings.units, unit, UNIT_START, on_ran, run) < 0) {
        free(run);
        runner->hand.state = HAND_ENDED;
        runner->hand.good = false;
        snprintf(runner->hand.why, sizeof(runner->hand.why), "out of memory");
        return;
    }
    run->next = runner->runs;
    runner->runs = run;
}

static void on_found(const struct unit_state *state, void *userdata)
{
    struct job_runner *runner = userdata;
    size_t node = own_node(runner);
    char unit[UNIT_LEN], why[JOB_WHY_LEN];
    struct job job;

    runner->busy = false;
    if (state->known) {
        runner->hand.state = HAND_FOUND;
        job_runner_step(runner);
    } else if (++runner->hand.looks < FINDS || !job_may_begin(&runner->job, node) ||
               job_copy(&runner->job, &job) < 0) {
        job_runner_look_in(runner, AGAIN_MS);
    } else {
        job_unit_name(runner->conf, job.type, unit);
        snprintf(why, sizeof(why), "there is no unit %.120s on its host", unit);
        job_skip(&job, node, why, job_clock_ms(CLOCK_REALTIME));
        write_job(runner, &job);
    }
}

static void on_looked(const struct unit_state *state, void *userdata)
{
    struct job_runner *runner = userdata;
    size_t node = own_node(runner);
    const struct job_unit unit = {.known = state->known,
                                  .active = state->active,
                                  .ran_ms = (int64_t)(state->invocation_us / 1000)};

    runner->busy = false;
    if (node != JOB_NOBODY && runner->job.nodes[node].state == JOB_NODE_RUNNING)
        job_looked(&runner->hand, &runner->job.nodes[node], &unit);
    job_runner_look_in(runner, runner->hand.state == HAND_ENDED ? 0 : AGAIN_MS);
}

static void look_at_unit(struct job_runner *runner, unit_looked looked)
{
    char unit[UNIT_LEN];

    job_unit_name(runner->conf, runner->job.type, unit);
    runner->busy = unit_look(runner->settings.units, unit, looked, runner) == 0;
}

static void ask_permit(struct job_runner *runner, size_t node, enum errand errand,
                       permits_done done);
static void say_refusal(const struct permits_answer *answer, char why[JOB_WHY_LEN]);

/* Nothing of it has run. `why` "": as the last version said. */
static void go_back(struct job_runner *runner, size_t node, const char *why)
{
    struct job_watch first = {0};
    struct job job;

    if (job_copy(&runner->job, &job) < 0)
        return;
    job_back(&job, node);
    if (why[0])
        job_refuse(&job, &first, node, why, job_clock_ms(CLOCK_BOOTTIME));
    write_job(runner, &job);
}

static void on_asked(const struct permits_answer *answer, void *userdata)
{
    struct job_runner *runner = userdata;
    size_t node = own_node(runner);
    char why[JOB_WHY_LEN];

    runner->busy = false;
    job_runner_look_in(runner, AGAIN_MS);
    if (!runner->active || !job_may_begin(&runner->job, node) || answer->end == PERMITS_UNKNOWN)
        return;
    say_refusal(answer, why);
    if (job_asked(&runner->hand, answer->end == PERMITS_OK, runner->permit_asked_ms))
        go_back(runner, node, why);
    else if (answer->end == PERMITS_OK)
        job_runner_step(runner);
}

static void begin(struct job_runner *runner, size_t node)
{
    sd_id128_t id;
    char text[SD_ID128_STRING_MAX];
    struct job job;

    if (sd_id128_randomize(&id) < 0 || job_copy(&runner->job, &job) < 0)
        return;
    snprintf(runner->hand.run, sizeof(runner->hand.run), "%.16s", sd_id128_to_string(id, text));
    runner->hand.state = HAND_BEGUN;
    runner->hand.begun_ms = job_clock_ms(CLOCK_BOOTTIME);
    job_begin(&job, node, runner->hand.run, job_clock_ms(CLOCK_REALTIME));
    write_job(runner, &job);
}

static void report(struct job_runner *runner, size_t node)
{
    struct job job;

    if (job_copy(&runner->job, &job) < 0)
        return;
    job_ran(&job, node, runner->hand.good, runner->hand.why);
    write_job(runner, &job);
}

static void take_turn(struct job_runner *runner)
{
    size_t node = own_node(runner);

    switch (job_turn(&runner->job, node, &runner->hand,
                     runner->settings.suspended(runner->settings.userdata), runner->asked_ms,
                     job_clock_ms(CLOCK_BOOTTIME))) {
    case TURN_FIND:
        look_at_unit(runner, on_found);
        break;
    case TURN_ASK:
        runner->permit_asked_ms = job_clock_ms(CLOCK_BOOTTIME);
        ask_permit(runner, node, ERRAND_TAKE, on_asked);
        break;
    case TURN_BEGIN:
        begin(runner, node);
        break;
    case TURN_BACK:
        go_back(runner, node, "");
        break;
    case TURN_RUN:
        run_unit(runner, node);
        break;
    case TURN_LOOK:
        look_at_unit(runner, on_looked);
        break;
    case TURN_REPORT:
        report(runner, node);
        break;
    case TURN_NONE:
        break;
    }
}

/* The leader */

static void on_deleted(const struct store_answer *answer, void *userdata)
{
    struct job_runner *runner = userdata;

    (void)answer;
    runner->busy = false;
    runner->until_last = 0;
    job_runner_look(runner);
}

static void take_away(struct job_runner *runner)
{
    runner->busy =
        store_delete(runner->settings.store, JOB_KEY, runner->revision, on_deleted, runner) == 0;
}

static void on_filed(const struct store_answer *answer, void *userdata)
{
    struct job_runner *runner = userdata;

    runner->busy = false;
    if (answer->result == STORE_OK)
        take_away(runner);
    if (!runner->busy)
        job_runner_look_in(runner, AGAIN_MS);
}

/* Keeps it as the last one of its type. Who was here before may have come as far as that. */
static void on_last(const struct store_answer *answer, void *userdata)
{
    struct job_runner *runner = userdata;
    struct jobs_last last = {0};
    char why[DETAIL_LEN], *text = NULL;

    runner->busy = false;
    job_runner_look_in(runner, AGAIN_MS);
    if (answer->result != STORE_OK || !runner->active || !job_ended(&runner->job))
        return;
    if (answer->value && job_json_read_last(answer->value, answer->len, &last, why) < 0)
        log_warning("the last jobs in the coordination store cannot be read, and are replaced: %s",
                    why);
    if (last.n > 0 && strcmp(last.items[0].id, runner->job.id) == 0) {
        take_away(runner);
    } else {
        text = job_json_write_last(&last, &runner->job, STORE_VALUE_MAX - 4096);
        runner->busy = text && store_put(runner->settings.store, JOB_LAST_KEY, text,
                                         answer->revision, false, on_filed, runner) == 0;
    }
    free(text);
    jobs_last_done(&last);
}

static struct permits_ask permit_of(const struct job_runner *runner, size_t node,
                                    enum errand errand, char token[JOB_TOKEN_LEN],
                                    char who[PERMIT_WHO_LEN])
{
    job_token(&runner->job, node, token);
    snprintf(who, PERMIT_WHO_LEN, "job %s %s", runner->job.type, runner->job.id);
    return (struct permits_ask){.kind = PERMIT_STOP,
                                .node = runner->job.nodes[node].address,
                                .token = token,
                                .who = who,
                                .ttl_ms = errand == ERRAND_RENEW ? JOB_PERMIT_RUN_MS
                                                                 : JOB_PERMIT_GRANT_MS,
                                .renew = errand == ERRAND_RENEW};
}

static void say_refusal(const struct permits_answer *answer, char why[JOB_WHY_LEN])
{
    size_t len = 0;

    snprintf(why, JOB_WHY_LEN, "%s",
             answer->end == PERMITS_NO ? "the gate says no" : answer->detail);
    for (size_t i = 0; answer->end == PERMITS_NO && i < answer->gate.n_reasons && len < JOB_WHY_LEN;
         i++)
        len += (size_t)snprintf(why + len, JOB_WHY_LEN - len, "%s%s", i > 0 ? "; " : "",
                                answer->gate.reasons[i]);
}

static void on_taken(const struct permits_answer *answer, void *userdata)
{
    struct job_runner *runner = userdata;
    size_t node = job_attention(&runner->job);
    char why[JOB_WHY_LEN];
    struct job job;
    bool write;

    runner->busy = false;
    job_runner_look_in(runner, AGAIN_MS);
    if (!runner->active || node == JOB_NOBODY ||
        runner->job.nodes[node].state != JOB_NODE_WAITING ||
        !leader_is_us(runner->settings.leader) || job_copy(&runner->job, &job) < 0)
        return;
    if (answer->end == PERMITS_OK) {
        job_grant(&job, node, job_clock_ms(CLOCK_REALTIME));
        write = true;
    } else {
        say_refusal(answer, why);
        write = job_refuse(&job, &runner->watch, node, why, job_clock_ms(CLOCK_BOOTTIME));
    }
    if (write)
        write_job(runner, &job);
    else
        job_done(&job);
}

/* It was lost, and its node's unit runs. */
static void on_retaken(const struct permits_answer *answer, void *userdata)
{
    struct job_runner *runner = userdata;
    size_t node = job_current(&runner->job);
    char why[JOB_WHY_LEN];
    struct job job;

    runner->busy = false;
    job_runner_look_in(runner, AGAIN_MS);
    if (answer->end != PERMITS_NO || !runner->active || node == JOB_NOBODY ||
        !leader_is_us(runner->settings.leader) || job_copy(&runner->job, &job) < 0)
        return;
    say_refusal(answer, why);
    if (job_lost(&job, &runner->watch, node, why, job_clock_ms(CLOCK_BOOTTIME)))
        write_job(runner, &job);
    else
        job_done(&job);
}

/* Given back, or begun anew: how that ended is seen with the next look. */
static void on_permit(const struct permits_answer *answer, void *userdata)
{
    struct job_runner *runner = userdata;

    runner->busy = false;
    job_runner_look_in(runner, answer->end == PERMITS_OK ? 0 : AGAIN_MS);
}

static void ask_permit(struct job_runner *runner, size_t node, enum errand errand,
                       permits_done done)
{
    char token[JOB_TOKEN_LEN], who[PERMIT_WHO_LEN];
    const struct permits_ask ask = permit_of(runner, node, errand, token, who);

    runner->busy = (errand == ERRAND_GIVE ? permits_give_back : permits_take)(
                       runner->settings.permits, &ask, done, runner) == 0;
}

static void lead(struct job_runner *runner)
{
    size_t node = job_attention(&runner->job);
    int64_t age_ms;
    const struct permit *permit = permits_seen(runner->settings.permits, &age_ms);
    struct job_seen seen = {.suspended = runner->settings.suspended(runner->settings.userdata),
                            .held = permit->kind == PERMIT_NONE
                                        ? JOB_NOBODY
                                        : job_token_node(&runner->job, permit->token),
                            .now_ms = job_clock_ms(CLOCK_BOOTTIME),
                            .wall_ms = job_clock_ms(CLOCK_REALTIME)};
    const struct job_settings settings = {.settle_ms = runner->conf->jobs_settle_ms,
                                          .stable_ms = runner->conf->jobs_stable_ms};
    struct job job;

    if (node != JOB_NOBODY)
        job_look(runner->settings.cluster, &runner->job.nodes[node].address, seen.now_ms,
                 &seen.sight);
    if (job_copy(&runner->job, &job) < 0)
        return;
    switch (job_lead(&job, &runner->watch, &settings, &seen)) {
    case JOB_WRITE:
        write_job(runner, &job);
        return;
    case JOB_TAKE:
        ask_permit(runner, node, ERRAND_TAKE, on_taken);
        break;
    case JOB_RETAKE:
        ask_permit(runner, node, ERRAND_RENEW, on_retaken);
        break;
    case JOB_GIVE:
        ask_permit(runner, seen.held, ERRAND_GIVE, on_permit);
        break;
    case JOB_FILE:
        runner->busy = store_get(runner->settings.store, JOB_LAST_KEY, on_last, runner) == 0;
        break;
    case JOB_REST:
        if (seen.held != JOB_NOBODY && permit->kind == PERMIT_STOP &&
            seen.held == job_current(&job) &&
            job_renews(&job, seen.held, permit->ttl_ms, seen.now_ms - permit->seen_since_ms))
            ask_permit(runner, seen.held, ERRAND_RENEW, on_permit);
        break;
    }
    job_done(&job);
}

void job_runner_step(struct job_runner *runner)
{
    if (runner->busy || !runner->active)
        return;
    take_turn(runner);
    if (runner->busy)
        return;
    if (leader_is_us(runner->settings.leader))
        lead(runner);
    else
        runner->watch = (struct job_watch){0};
}

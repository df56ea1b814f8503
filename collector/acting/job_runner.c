#include "job_runner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "job_runner_private.h"
#include "log.h"

/* How often the store is asked. A job of very many nodes is large, and each host reads all of it.
 */
#define LOOK_MS      1000
#define LOOK_NODE_MS 10 /* for each node of the job, where this host does not lead */
#define LOOK_IDLE_MS 3000

/* So many looks from one at the last jobs to the next. */
#define LOOKS_LAST 20

static const char *const shipped[] = {"restart", "cleanup", "repair"};

int64_t job_clock_ms(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void job_unit_name(const struct conf *conf, const char *type, char ret[UNIT_LEN])
{
    for (size_t i = 0; i < conf->n_jobs; i++) {
        if (strcmp(conf->jobs[i].type, type) == 0) {
            snprintf(ret, UNIT_LEN, "%s", conf->jobs[i].unit);
            return;
        }
    }
    snprintf(ret, UNIT_LEN, "cassandra-prober-job@%s.service", type);
}

void job_runner_changed(struct job_runner *runner)
{
    runner->changes++;
    runner->settings.changed(runner->settings.userdata);
}

static void set_problem(struct job_runner *runner, const char *problem)
{
    if (strcmp(runner->problem, problem) == 0)
        return;
    snprintf(runner->problem, sizeof(runner->problem), "%s", problem);
    job_runner_changed(runner);
}

void job_runner_look_in(struct job_runner *runner, int64_t ms)
{
    sd_event_source_set_time_relative(runner->timer, (uint64_t)ms * 1000);
    sd_event_source_set_enabled(runner->timer, SD_EVENT_ONESHOT);
}

static int64_t interval_ms(const struct job_runner *runner)
{
    int64_t of_nodes = (int64_t)runner->job.n_nodes * LOOK_NODE_MS;

    if (!runner->active)
        return leader_is_us(runner->settings.leader) ? LOOK_MS : LOOK_IDLE_MS;
    return leader_is_us(runner->settings.leader) || of_nodes < LOOK_MS ? LOOK_MS : of_nodes;
}

/* It has been filed, which is to be read yet: until then it is shown as last seen. */
static void keep_last(struct job_runner *runner)
{
    struct jobs_last *last = &runner->last;
    struct job *grown, *place = NULL;

    for (size_t i = 0; i < last->n; i++)
        if (strcmp(last->items[i].type, runner->job.type) == 0)
            place = &last->items[i];
    if (!place) {
        grown = reallocarray(last->items, last->n + 1, sizeof(*grown));
        if (!grown)
            return;
        last->items = grown;
        place = &grown[last->n++];
        *place = (struct job){0};
    }
    job_done(place);
    *place = runner->job;
    runner->job = (struct job){0};
}

static void forget_job(struct job_runner *runner)
{
    if (job_ended(&runner->job))
        keep_last(runner);
    job_done(&runner->job);
    runner->active = false;
    runner->revision = 0;
}

/* What was written without an answer is there, or was, and something else came after it. */
static bool shows(const struct job *read, const struct job *before, const struct job *unsaid)
{
    if (strcmp(read->id, unsaid->id) != 0 || strcmp(before->id, unsaid->id) != 0 ||
        read->n_nodes != unsaid->n_nodes || before->n_nodes != unsaid->n_nodes)
        return false;
    for (size_t i = 0; i < unsaid->n_nodes; i++)
        if (unsaid->nodes[i].state != before->nodes[i].state &&
            (read->nodes[i].state < unsaid->nodes[i].state ||
             (unsaid->nodes[i].state < before->nodes[i].state &&
              read->nodes[i].state != unsaid->nodes[i].state)))
            return false;
    return unsaid->state == before->state || read->state == unsaid->state;
}

static void take_job(struct job_runner *runner, struct job *job, int64_t revision)
{
    if (runner->unsaid.n_nodes > 0 && shows(job, &runner->job, &runner->unsaid))
        job_tell(runner, &runner->job, &runner->unsaid);
    job_done(&runner->unsaid);
    job_done(&runner->job);
    runner->job = *job;
    runner->active = true;
    runner->revision = revision;
    job_runner_changed(runner);
}

/* False: it cannot be read, and nothing is done about it. */
static bool read_job(struct job_runner *runner, const struct store_answer *answer)
{
    char why[DETAIL_LEN], line[sizeof(runner->problem)];
    struct job job;

    if (answer->revision == 0) {
        job_done(&runner->unsaid);
        if (runner->active) {
            forget_job(runner);
            runner->until_last = 0;
            job_runner_changed(runner);
        }
        return true;
    }
    if (runner->active && answer->revision == runner->revision) {
        job_done(&runner->unsaid);
        return true;
    }
    if (job_json_read(answer->value, answer->len, &job, why) < 0) {
        if (runner->active)
            forget_job(runner);
        snprintf(line, sizeof(line), "the job in it cannot be read: %s", why);
        set_problem(runner, line);
        return false;
    }
    take_job(runner, &job, answer->revision);
    return true;
}

static void on_last(const struct store_answer *answer, void *userdata)
{
    struct job_runner *runner = userdata;
    struct jobs_last last = {0};
    char why[DETAIL_LEN];

    runner->busy = false;
    if (answer->result == STORE_OK && answer->revision != runner->last_revision) {
        if (answer->value && job_json_read_last(answer->value, answer->len, &last, why) < 0)
            log_warning("the last jobs in the coordination store cannot be read: %s", why);
        jobs_last_done(&runner->last);
        runner->last = last;
        runner->last_revision = answer->revision;
        job_runner_changed(runner);
    }
    job_runner_step(runner);
}

static void on_job(const struct store_answer *answer, void *userdata)
{
    struct job_runner *runner = userdata;

    runner->busy = false;
    job_runner_look_in(runner, interval_ms(runner));
    runner->no_store = answer->result == STORE_NONE;
    if (answer->result != STORE_OK) {
        set_problem(runner, answer->detail[0] ? answer->detail : store_result_word(answer->result));
        /* That costs nothing; at the start the cluster's name is not known yet. */
        if (answer->result == STORE_NONE)
            job_runner_look_in(runner, LOOK_MS);
        return;
    }
    runner->read_at_ms = runner->asked_ms;
    if (!read_job(runner, answer))
        return;
    set_problem(runner, "");
    if (runner->until_last-- > 0) {
        job_runner_step(runner);
        return;
    }
    runner->until_last = LOOKS_LAST;
    runner->busy = store_get(runner->settings.store, JOB_LAST_KEY, on_last, runner) == 0;
}

void job_runner_look(struct job_runner *runner)
{
    if (runner->busy)
        return;
    runner->asked_ms = job_clock_ms(CLOCK_BOOTTIME);
    runner->busy = store_get(runner->settings.store, JOB_KEY, on_job, runner) == 0;
    if (!runner->busy)
        job_runner_look_in(runner, LOOK_MS);
}

/* What changes without the store's saying so. */
static void follow(struct job_runner *runner)
{
    const char *leader = leader_host(runner->settings.leader);
    bool suspended = runner->settings.suspended(runner->settings.userdata);

    if (strcmp(leader, runner->leader) == 0 && suspended == runner->suspended)
        return;
    snprintf(runner->leader, sizeof(runner->leader), "%s", leader);
    runner->suspended = suspended;
    job_runner_changed(runner);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct job_runner *runner = userdata;

    (void)source;
    (void)usec;
    follow(runner);
    job_runner_look_in(runner, interval_ms(runner));
    job_runner_look(runner);
    return 0;
}

static bool is_shipped(const char *type)
{
    for (size_t i = 0; i < sizeof(shipped) / sizeof(shipped[0]); i++)
        if (strcmp(shipped[i], type) == 0)
            return true;
    return false;
}

void job_runner_configure(struct job_runner *runner, const struct conf *conf)
{
    size_t n = sizeof(shipped) / sizeof(shipped[0]);
    const char **types = calloc(n + conf->n_jobs + 1, sizeof(*types));

    if (!types)
        abort();
    memcpy(types, shipped, sizeof(shipped));
    for (size_t i = 0; i < conf->n_jobs; i++)
        if (!is_shipped(conf->jobs[i].type))
            types[n++] = conf->jobs[i].type;
    free(runner->types);
    runner->types = types;
    runner->conf = conf;
    runner->changes++;
}

int job_runner_new(const struct job_runner_settings *settings, struct job_runner **ret)
{
    struct job_runner *runner = calloc(1, sizeof(*runner));
    int r;

    if (!runner)
        return -ENOMEM;
    runner->settings = *settings;
    runner->last_revision = -1;
    job_runner_configure(runner, settings->conf);
    r = sd_event_add_time_relative(settings->event, &runner->timer, CLOCK_MONOTONIC, 0, 1000,
                                   on_timer, runner);
    if (r < 0) {
        job_runner_free(runner);
        return r;
    }
    *ret = runner;
    return 0;
}

const struct jobs_shown *job_runner_shown(struct job_runner *runner)
{
    runner->shown = (struct jobs_shown){
        .leader = runner->leader,
        .store = runner->problem,
        .no_store = runner->no_store,
        .suspended = runner->suspended,
        .active = runner->active ? &runner->job : NULL,
        .last = runner->last.items,
        .n_last = runner->last.n,
        .types = runner->types,
        .read_at_ms = runner->read_at_ms,
        .changes = runner->changes,
    };
    return &runner->shown;
}

struct job_runner *job_runner_free(struct job_runner *runner)
{
    if (!runner)
        return NULL;
    job_asks_end(runner);
    job_runs_free(runner);
    sd_event_source_disable_unref(runner->timer);
    job_done(&runner->job);
    job_done(&runner->next);
    job_done(&runner->unsaid);
    jobs_last_done(&runner->last);
    free(runner->types);
    free(runner);
    return NULL;
}

#include "run_state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "messages.h"
#include "model/run_states.h"

/* After a refusal it is asked again so much later, and after an answer that nobody gave. */
#define AGAIN_MS 2000

/* A start, or a restart, for which nobody gives the permit back. */
#define TTL_MS 600000

#define SUSPENDED "suspended: proberctl resume"

/* A version of a value. */
struct version {
    char node[PROBER_ADDR_STRLEN];
    uint64_t counter; /* 0 = none */
    char host[HOST_ID_LEN];
};

enum step {
    STEP_IDLE = 0,
    STEP_LOOK,   /* at the unit */
    STEP_PERMIT, /* asks for it */
    STEP_UNIT,   /* systemd has been asked */
};

struct run_states {
    struct run_state_settings settings;
    char *path;
    struct units *units;
    struct version done; /* carried out, or begun */
    struct version now;  /* what is being done */
    enum run_state state;
    enum step step;
    char unit[128];
    int64_t again_ms;   /* CLOCK_MONOTONIC */
    int64_t release_ms; /* CLOCK_MONOTONIC: the permit of a node that is down is given back again */
    struct permits_ask ask;
    bool shared; /* the permit is another one's, and stays his */
    char token[PERMIT_TOKEN_LEN];
    char who[PERMIT_WHO_LEN];
};

static bool is(const char *text, const char *word)
{
    return strcmp(text, word) == 0;
}

static bool is_running(const struct unit_state *state)
{
    return is(state->active, "active") || is(state->active, "activating") ||
           is(state->active, "reloading");
}

static int64_t monotonic_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static bool same(const struct version *a, const struct version *b)
{
    return a->counter == b->counter && strcmp(a->node, b->node) == 0 &&
           strcmp(a->host, b->host) == 0;
}

static struct version version_of(const struct node *node)
{
    struct version version = {.counter = node->run.counter};

    memcpy(version.node, node->text, sizeof(version.node));
    memcpy(version.host, node->run.host, sizeof(version.host));
    return version;
}

/* "NODE COUNTER HOST"; whatever else there is counts as nothing. */
static void recall(struct run_states *run_state)
{
    struct version version;
    FILE *file = fopen(run_state->path, "re");
    uint64_t counter;

    memset(&version, 0, sizeof(version));
    if (!file)
        return;
    _Static_assert(PROBER_ADDR_STRLEN > 45 && HOST_ID_LEN > 39, "as long as is read");
    if (fscanf(file, "%45s %" SCNu64 " %39s", version.node, &counter, version.host) == 3) {
        version.counter = counter;
        run_state->done = version;
    }
    fclose(file);
}

static int sync_directory(const char *path)
{
    char copy[PATH_MAX];
    int fd, r = 0;

    snprintf(copy, sizeof(copy), "%s", path);
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fsync(fd) < 0)
        r = -errno;
    close(fd);
    return r;
}

/* On disk before anything is done. A disk that hangs would hold up the whole loop, and what is so
 * rare and so short as this is not worth a thread. */
static int remember(struct run_states *run_state, const struct version *version)
{
    char line[PROBER_ADDR_STRLEN + HOST_ID_LEN + 32], temporary[PATH_MAX];
    int len, fd, r = 0;

    if (snprintf(temporary, sizeof(temporary), "%s.new", run_state->path) >= (int)sizeof(temporary))
        return -ENAMETOOLONG;
    len = snprintf(line, sizeof(line), "%s %" PRIu64 " %s\n", version->node, version->counter,
                   version->host);
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
    if (fd < 0)
        return -errno;
    errno = EIO;
    if (write(fd, line, (size_t)len) != len || fsync(fd) < 0)
        r = -errno;
    close(fd);
    if (r == 0 && rename(temporary, run_state->path) < 0)
        r = -errno;
    if (r == 0)
        r = sync_directory(run_state->path);
    if (r < 0)
        unlink(temporary);
    else
        run_state->done = *version;
    return r;
}

/* The node that this is about; NULL: it is not this host's any more, or another version came. */
static struct node *subject(const struct run_states *run_state)
{
    struct node *local = run_state->settings.cluster->local;
    struct version version;

    if (!local || run_state->step == STEP_IDLE)
        return NULL;
    version = version_of(local);
    return same(&version, &run_state->now) && local->run.state == run_state->state ? local : NULL;
}

static void changed(struct run_states *run_state)
{
    run_state->settings.changed(run_state->settings.userdata);
}

static void wait_because(struct run_states *run_state, const char *why)
{
    struct node *node = run_state->settings.cluster->local;

    if (node && strcmp(node->run.waits, why) != 0 && *why)
        log_event(&(struct log_event){.priority = LOG_NOTICE,
                                      .id = MESSAGE_RUN_STATE_WAITS,
                                      .node = node->text,
                                      .reason = why},
                  "%s: run state %s waits: %s", node->text, run_state_word(node->run.state), why);
    if (node)
        run_states_wait(run_state->settings.cluster, node, why);
    run_state->step = STEP_IDLE;
    run_state->again_ms = monotonic_ms() + AGAIN_MS;
    changed(run_state);
}

static void on_given_back(const struct permits_answer *answer, void *userdata)
{
    (void)userdata;
    if (answer->end != PERMITS_OK)
        log_warning("cannot give the permit back: %s; proberctl gate tells who holds it",
                    answer->detail);
}

static void give_back(struct run_states *run_state)
{
    if (run_state->shared)
        return;
    permits_give_back(run_state->settings.permits, &run_state->ask, on_given_back, run_state);
}

static void tell_end(const struct run_states *run_state, const struct unit_result *result)
{
    bool good = result->end == UNIT_DONE;

    log_event(&(struct log_event){.priority = good ? LOG_NOTICE : LOG_ERR,
                                  .id = MESSAGE_RUN_STATE_DONE,
                                  .node = run_state->now.node,
                                  .reason = good ? NULL : result->detail},
              "%s: run state %s: %s %s%s%s", run_state->now.node, run_state_word(run_state->state),
              run_state->unit, unit_end_word(result->end), good ? "" : ": ",
              good ? "" : result->detail);
}

/* Back to RUN, unless somebody has said something else meanwhile, be it where this host has not
 * heard it yet. */
static void restart_ended(struct run_states *run_state)
{
    const struct node *node = subject(run_state);
    char key[VALUES_KEY_LEN], text[RUN_STATE_TEXT_LEN];
    int r;

    if (!node)
        return;
    snprintf(key, sizeof(key), RUN_STATE_KEY "%s", node->text);
    run_state_text(RUN_STATE_RUN, "", text);
    r = run_state->settings.set(key, text, node->run.counter, run_state->settings.userdata);
    if (r < 0)
        log_error("cannot set the run state of %s back to RUN: %s", node->text, strerror(-r));
}

/* It was not stopped: nobody has to wait for it. */
static void on_left(const struct unit_state *state, void *userdata)
{
    struct run_states *run_state = userdata;

    if (state->known && is_running(state))
        give_back(run_state);
    run_state->step = STEP_IDLE;
}

static bool stops(const struct run_states *run_state)
{
    return run_state->state == RUN_STATE_STOP || run_state->state == RUN_STATE_TERMINATE;
}

static void on_unit(const struct unit_result *result, void *userdata)
{
    struct run_states *run_state = userdata;
    struct node *node = subject(run_state);
    char why[sizeof(node->run.waits)] = "";

    tell_end(run_state, result);
    /* Of a node that is down by a restart that failed, nobody else may go down: the permit stays.
     */
    if (result->end == UNIT_DENIED ||
        (run_state->state == RUN_STATE_RUN && result->end == UNIT_FAILED))
        give_back(run_state);
    if (result->end != UNIT_DONE)
        snprintf(why, sizeof(why), "failed: %.50s: %s", run_state->unit, result->detail);
    if (node)
        run_states_wait(run_state->settings.cluster, node, why);
    run_states_restarting(run_state->settings.cluster, &(struct prober_addr){0});
    if (run_state->state == RUN_STATE_RESTART)
        restart_ended(run_state);
    run_state->step = STEP_IDLE;
    if (stops(run_state) && (result->end == UNIT_FAILED || result->end == UNIT_UNKNOWN) &&
        unit_look(run_state->units, run_state->unit, on_left, run_state) == 0)
        run_state->step = STEP_UNIT;
    changed(run_state);
}

static void say_unwritten(struct run_states *run_state, int error)
{
    char why[128];

    snprintf(why, sizeof(why), "cannot write %.80s: %s", run_state->path, strerror(-error));
    wait_because(run_state, why);
}

static void act_on_unit(struct run_states *run_state, struct node *node)
{
    static const enum unit_verb verbs[] = {UNIT_START, UNIT_STOP, UNIT_RESTART, UNIT_STOP};
    int r = remember(run_state, &run_state->now);

    if (r == 0) {
        run_state->step = STEP_UNIT;
        r = unit_run(run_state->units, run_state->unit, verbs[run_state->state], on_unit,
                     run_state);
    }
    if (r < 0) {
        give_back(run_state);
        say_unwritten(run_state, r);
        return;
    }
    log_event(&(struct log_event){.priority = LOG_NOTICE,
                                  .id = MESSAGE_RUN_STATE_DONE,
                                  .node = node->text},
              "%s: run state %s: %s of %s begins", node->text, run_state_word(run_state->state),
              unit_verb_word(verbs[run_state->state]), run_state->unit);
    run_states_wait(run_state->settings.cluster, node, "");
    if (run_state->state == RUN_STATE_RESTART)
        run_states_restarting(run_state->settings.cluster, &node->address);
    changed(run_state);
}

/* All reasons in one line. */
static void join_reasons(const struct permits_answer *answer, char why[256])
{
    size_t len = 0;

    snprintf(why, 256, "%s", answer->end == PERMITS_NO ? "" : answer->detail);
    for (size_t i = 0; answer->end == PERMITS_NO && i < answer->gate.n_reasons && len < 255; i++)
        len +=
            (size_t)snprintf(why + len, 256 - len, "%s%s", i ? "; " : "", answer->gate.reasons[i]);
    if (why[0] == '\0')
        snprintf(why, 256, "not allowed, without a reason");
}

static void on_permit(const struct permits_answer *answer, void *userdata)
{
    struct run_states *run_state = userdata;
    struct node *node = subject(run_state);
    char why[256];

    run_state->shared = answer->shared;
    if (answer->end == PERMITS_OK) {
        bool suspended = run_state->settings.suspended(run_state->settings.userdata);

        if (node && !suspended) {
            act_on_unit(run_state, node);
            return;
        }
        give_back(run_state);
        run_state->step = STEP_IDLE;
        if (node)
            wait_because(run_state, SUSPENDED);
        return;
    }
    join_reasons(answer, why);
    wait_because(run_state, why);
}

static void ask_permit(struct run_states *run_state, const struct node *node)
{
    int r;

    snprintf(run_state->token, sizeof(run_state->token), "runstate-%" PRIu64,
             run_state->now.counter);
    snprintf(run_state->who, sizeof(run_state->who), "run state %s",
             run_state_word(run_state->state));
    run_state->ask = (struct permits_ask){
        .kind = run_state->state == RUN_STATE_RUN ? PERMIT_START : PERMIT_STOP,
        .node = node->address,
        .token = run_state->token,
        .who = run_state->who,
        .ttl_ms = TTL_MS,
    };
    run_state->step = STEP_PERMIT;
    r = permits_take(run_state->settings.permits, &run_state->ask, on_permit, run_state);
    if (r < 0)
        wait_because(run_state, strerror(-r));
}

/* What is so already needs no permit. */
static void on_looked(const struct unit_state *state, void *userdata)
{
    struct run_states *run_state = userdata;
    const struct node *node = subject(run_state);
    bool stopped = is(state->active, "inactive") || is(state->active, "failed");
    char why[192];

    if (!node) {
        run_state->step = STEP_IDLE;
    } else if (!state->known) {
        snprintf(why, sizeof(why), "systemd does not tell of %s", run_state->unit);
        wait_because(run_state, why);
    } else if ((stops(run_state) && stopped) ||
               (run_state->state == RUN_STATE_RUN && is_running(state))) {
        int r = remember(run_state, &run_state->now);

        if (r < 0)
            say_unwritten(run_state, r);
        else
            wait_because(run_state, "");
    } else {
        ask_permit(run_state, node);
    }
}

/*
 * The node is down as it was told to be, for days perhaps, and nobody has to wait for it. By what
 * is seen, and again until it is so: the collector that stopped it may be another one.
 */
static void release_stop(struct run_states *run_state, const struct node *local)
{
    int64_t age_ms;
    const struct permit *permit = permits_seen(run_state->settings.permits, &age_ms);

    if (permit->kind != PERMIT_STOP || !permit->seen_down || !local->process_gone ||
        prober_addr_compare(&permit->node, &local->address) != 0 ||
        (!is(permit->who, "run state STOP") && !is(permit->who, "run state TERMINATE")) ||
        monotonic_ms() < run_state->release_ms)
        return;
    run_state->release_ms = monotonic_ms() + AGAIN_MS;
    run_state->shared = false;
    memcpy(run_state->token, permit->token, sizeof(run_state->token));
    memcpy(run_state->who, permit->who, sizeof(run_state->who));
    run_state->ask = (struct permits_ask){.kind = PERMIT_STOP,
                                          .node = permit->node,
                                          .token = run_state->token,
                                          .who = run_state->who};
    give_back(run_state);
}

/* Why a restart failed is told until the node is back. */
static void forget_failure(struct run_states *run_state, struct node *local)
{
    if (local->run.state != RUN_STATE_RUN || !is(local->run.user, "automatic") ||
        !local->run.waits[0] || local->verdict.readiness != READY)
        return;
    run_states_wait(run_state->settings.cluster, local, "");
    changed(run_state);
}

void run_state_act(struct run_states *run_state, const char *unit)
{
    struct node *local = run_state->settings.cluster->local;
    struct version version;
    int r;

    if (local && run_state->step == STEP_IDLE)
        release_stop(run_state, local);
    if (!local || !local->run.said || run_state->step != STEP_IDLE ||
        monotonic_ms() < run_state->again_ms)
        return;
    version = version_of(local);
    run_state->now = version;
    run_state->state = local->run.state;
    if (same(&version, &run_state->done)) {
        /* Of a collector that was killed meanwhile. */
        if (local->run.state == RUN_STATE_RESTART) {
            run_state->step = STEP_UNIT;
            restart_ended(run_state);
            run_state->step = STEP_IDLE;
            run_state->again_ms = monotonic_ms() + AGAIN_MS;
        }
        forget_failure(run_state, local);
        return;
    }
    /* That a restart has been carried out is no wish to start. */
    if (local->run.state == RUN_STATE_RUN && is(local->run.user, "automatic")) {
        r = remember(run_state, &version);
        if (r < 0)
            say_unwritten(run_state, r);
        return;
    }
    if (run_state->settings.suspended(run_state->settings.userdata)) {
        wait_because(run_state, SUSPENDED);
        return;
    }
    snprintf(run_state->unit, sizeof(run_state->unit), "%s", unit);
    run_state->step = STEP_LOOK;
    r = unit_look(run_state->units, run_state->unit, on_looked, run_state);
    if (r < 0)
        wait_because(run_state, strerror(-r));
}

int run_state_new(const struct run_state_settings *settings, struct run_states **ret)
{
    struct run_states *run_state = calloc(1, sizeof(*run_state));
    int r;

    if (!run_state)
        return -ENOMEM;
    run_state->settings = *settings;
    run_state->settings.state_path = NULL;
    if (asprintf(&run_state->path, "%s.runstate", settings->state_path) < 0) {
        run_state->path = NULL;
        run_state_free(run_state);
        return -ENOMEM;
    }
    r = units_new(settings->event, &run_state->units);
    if (r < 0) {
        run_state_free(run_state);
        return r;
    }
    recall(run_state);
    *ret = run_state;
    return 0;
}

struct run_states *run_state_free(struct run_states *run_state)
{
    if (!run_state)
        return NULL;
    units_free(run_state->units);
    free(run_state->path);
    free(run_state);
    return NULL;
}

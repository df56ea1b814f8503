/* POST /jobs/TYPE begins a job, DELETE /jobs/TYPE ends it after the current node. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include "job_runner_private.h"

/* So often it is tried once more when others change the job meanwhile, and so long it is waited for
 * the one before to be put away. */
#define TRIES    20
#define AGAIN_US 300000

/* A request that waits. */
struct job_ask {
    struct job_ask *next;
    struct job_runner *runner;
    struct control_request *request;
    sd_event_source *timer;
    char type[JOB_TYPE_LEN];
    bool abort, force;
    struct job job; /* POST: to be begun; DELETE: as it is to be */
    struct job before;
    int64_t revision;
    unsigned tries;
};

static void ask_store(struct job_ask *ask);

static void ask_free(struct job_ask *ask)
{
    for (struct job_ask **at = &ask->runner->asks; *at; at = &(*at)->next)
        if (*at == ask) {
            *at = ask->next;
            break;
        }
    sd_event_source_disable_unref(ask->timer);
    job_done(&ask->job);
    job_done(&ask->before);
    free(ask);
}

static void end(struct job_ask *ask, unsigned status, const char *line)
{
    control_reply(ask->request, status, line, NULL);
    ask_free(ask);
}

static void end_store(struct job_ask *ask, const struct store_answer *answer)
{
    char line[256];

    snprintf(line, sizeof(line), "the coordination store: %.200s",
             answer->detail[0] ? answer->detail : store_result_word(answer->result));
    end(ask, 503, line);
}

static void end_done(struct job_ask *ask)
{
    char line[JOB_ID_LEN];

    snprintf(line, sizeof(line), "%s", ask->job.id);
    job_tell(ask->runner, ask->abort ? &ask->before : NULL, &ask->job);
    job_runner_look_in(ask->runner, 0);
    end(ask, 200, line);
}

static int on_again(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    ask_store(userdata);
    return 0;
}

/* False: it was tried often enough. */
static bool again(struct job_ask *ask)
{
    if (++ask->tries > TRIES)
        return false;
    sd_event_source_set_time_relative(ask->timer, AGAIN_US);
    sd_event_source_set_enabled(ask->timer, SD_EVENT_ONESHOT);
    return true;
}

static void on_put(const struct store_answer *answer, void *userdata)
{
    struct job_ask *ask = userdata;

    if (answer->result == STORE_OK)
        end_done(ask);
    else if ((answer->result != STORE_CONFLICT && answer->result != STORE_UNKNOWN) || !again(ask))
        end_store(ask, answer);
}

static void put(struct job_ask *ask)
{
    char *text = job_json_write(&ask->job);

    if (!text || store_put(ask->runner->settings.store, JOB_KEY, text, ask->revision, false, on_put,
                           ask) < 0)
        end(ask, 503, "out of memory");
    free(text);
}

static void begin(struct job_ask *ask, const struct job *found)
{
    char line[256];

    if (!found) {
        ask->revision = 0;
        put(ask);
    } else if (strcmp(found->id, ask->job.id) == 0) {
        end_done(ask); /* the answer was lost */
    } else if (!job_ended(found)) {
        snprintf(line, sizeof(line), "another job is active: %.31s %.19s, %s", found->type,
                 found->id, job_state_word(found->state));
        end(ask, 409, line);
    } else if (!again(ask)) {
        end(ask, 409, "the job before has ended, and nobody leads who would put it away");
    }
}

static void abort_job(struct job_ask *ask, const struct job *found)
{
    char line[128];

    if (!found || job_ended(found) || strcmp(found->type, ask->type) != 0) {
        snprintf(line, sizeof(line), "no job of type %s is active", ask->type);
        end(ask, 404, line);
        return;
    }
    if (found->state == JOB_ABORTING && !ask->force) {
        end(ask, 200, found->id);
        return;
    }
    job_done(&ask->job);
    job_done(&ask->before);
    if (job_copy(found, &ask->before) < 0 || job_copy(found, &ask->job) < 0) {
        end(ask, 503, "out of memory");
        return;
    }
    job_abort(&ask->job, ask->request->user, ask->force, job_clock_ms(CLOCK_REALTIME));
    put(ask);
}

static void on_cleared(const struct store_answer *answer, void *userdata)
{
    if (answer->result == STORE_OK)
        end(userdata, 200, "");
    else
        end_store(userdata, answer);
}

static void on_read(const struct store_answer *answer, void *userdata)
{
    struct job_ask *ask = userdata;
    struct job found = {0};
    char why[DETAIL_LEN], line[512];

    if (answer->result != STORE_OK) {
        end_store(ask, answer);
        return;
    }
    ask->revision = answer->revision;
    if (answer->value && job_json_read(answer->value, answer->len, &found, why) < 0) {
        if (!ask->force) {
            snprintf(line, sizeof(line),
                     "the job in the coordination store cannot be read: %s; DELETE with force=true "
                     "takes it away",
                     why);
            end(ask, 503, line);
        } else if (store_delete(ask->runner->settings.store, JOB_KEY, answer->revision, on_cleared,
                                ask) < 0) {
            end(ask, 503, "out of memory");
        }
        return;
    }
    if (ask->abort)
        abort_job(ask, answer->value ? &found : NULL);
    else
        begin(ask, answer->value ? &found : NULL);
    job_done(&found);
}

static void ask_store(struct job_ask *ask)
{
    if (store_get(ask->runner->settings.store, JOB_KEY, on_read, ask) < 0)
        end(ask, 503, "out of memory");
}

/* A slip of the pen is found here, not by every host. */
static void on_unit(const struct unit_state *state, void *userdata)
{
    struct job_ask *ask = userdata;
    char unit[UNIT_LEN], line[UNIT_LEN + 96];

    if (state->known) {
        ask_store(ask);
    } else {
        job_unit_name(ask->runner->conf, ask->type, unit);
        snprintf(line, sizeof(line), "there is no unit %s on this host, or systemd does not say",
                 unit);
        end(ask, 404, line);
    }
}

/* Addresses between commas. False: one is none. */
static bool read_nodes(const char *list, struct prober_addr **ret, size_t *ret_n)
{
    struct prober_addr *nodes = calloc(strlen(list) / 2 + 1, sizeof(*nodes));
    size_t n = 0;

    if (!nodes)
        return false;
    for (const char *at = list; *at;) {
        size_t len = strcspn(at, ",");

        if (prober_addr_parse(at, len, &nodes[n++]) < 0) {
            free(nodes);
            return false;
        }
        at += len;
        at += *at == ',';
    }
    *ret = nodes;
    *ret_n = n;
    return true;
}

/* 0, or the status with the line that says what is wrong. */
static unsigned make(struct job_ask *ask, char line[JOB_WHY_LEN])
{
    const struct control_request *request = ask->request;
    const char *failure = request->on_failure ? request->on_failure : "stop";
    char id[SD_ID128_STRING_MAX], short_id[JOB_ID_LEN];
    struct prober_addr *nodes = NULL;
    size_t n_nodes = 0;
    sd_id128_t random;
    int r = sd_id128_randomize(&random);

    if (strcmp(failure, "stop") != 0 && strcmp(failure, "continue") != 0) {
        snprintf(line, JOB_WHY_LEN, "on_failure is stop or continue");
        return 400;
    }
    if (request->nodes && !read_nodes(request->nodes, &nodes, &n_nodes)) {
        snprintf(line, JOB_WHY_LEN, "nodes are addresses with commas between them");
        return 400;
    }
    if (r >= 0) {
        snprintf(short_id, sizeof(short_id), "%.16s", sd_id128_to_string(random, id));
        r = job_make(ask->runner->settings.cluster,
                     &(struct job_request){.type = ask->type,
                                           .by = request->user,
                                           .id = short_id,
                                           .go_on = strcmp(failure, "continue") == 0,
                                           .datacenter = request->dc,
                                           .rack = request->rack,
                                           .nodes = nodes,
                                           .n_nodes = n_nodes},
                     job_clock_ms(CLOCK_REALTIME), &ask->job, line);
    }
    free(nodes);
    return r == 0 ? 0 : r == -ENOMEM ? 503 : r == -ENOENT ? 404 : 400;
}

static unsigned read_request(struct job_ask *ask, char line[JOB_WHY_LEN])
{
    const struct control_request *request = ask->request;
    const char *type = request->path + strlen(JOBS_PATH);

    ask->abort = strcmp(request->method, "DELETE") == 0;
    ask->force = request->force && strcmp(request->force, "true") == 0;
    snprintf(line, JOB_WHY_LEN, "%s", "");
    if (!ask->abort && strcmp(request->method, "POST") != 0) {
        snprintf(line, JOB_WHY_LEN, "no such method here");
        return 405;
    }
    if (!job_type_ok(type)) {
        snprintf(line, JOB_WHY_LEN, "no type of a job");
        return 404;
    }
    memcpy(ask->type, type, strlen(type) + 1);
    if (request->ttl || request->value || (!ask->abort && request->force) ||
        (ask->abort && (request->on_failure || request->dc || request->rack || request->nodes))) {
        snprintf(line, JOB_WHY_LEN,
                 "POST takes on_failure, dc, rack and nodes, DELETE takes force");
        return 400;
    }
    if (ask->abort && request->force && !ask->force && strcmp(request->force, "false") != 0) {
        snprintf(line, JOB_WHY_LEN, "force is true or false");
        return 400;
    }
    return ask->abort ? 0 : make(ask, line);
}

/* A host without a node of its own need not have the units. */
static void start(struct job_ask *ask)
{
    char unit[UNIT_LEN];

    job_unit_name(ask->runner->conf, ask->type, unit);
    if (ask->abort || !ask->runner->settings.cluster->local)
        ask_store(ask);
    else if (unit_look(ask->runner->settings.units, unit, on_unit, ask) < 0)
        end(ask, 503, "out of memory");
}

void job_runner_request(struct job_runner *runner, struct control_request *request)
{
    struct job_ask *ask = calloc(1, sizeof(*ask));
    char line[JOB_WHY_LEN] = "out of memory";
    unsigned status = 503;

    if (ask) {
        ask->runner = runner;
        ask->request = request;
        ask->next = runner->asks;
        runner->asks = ask;
        status = read_request(ask, line);
        if (status == 0 && (sd_event_add_time(runner->settings.event, &ask->timer, CLOCK_MONOTONIC,
                                              0, 1000, on_again, ask) < 0 ||
                            sd_event_source_set_enabled(ask->timer, SD_EVENT_OFF) < 0)) {
            snprintf(line, sizeof(line), "out of memory");
            status = 503;
        }
    }
    if (status == 0) {
        start(ask);
        return;
    }
    control_reply(request, status, line, status == 405 ? "GET, HEAD, OPTIONS, POST, DELETE" : NULL);
    if (ask)
        ask_free(ask);
}

void job_asks_end(struct job_runner *runner)
{
    while (runner->asks)
        end(runner->asks, 503, "the collector ends; whether this was done is not known");
}

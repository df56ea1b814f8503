#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>
#include <time.h>

#include "acting/run_state.h"
#include "control/requests.h"
#include "control/socket.h"
#include "log.h"
#include "messages.h"
#include "model/drains.h"
#include "model/repairs.h"
#include "model/run_states.h"
#include "model/seeds.h"
#include "operator_state.h"
#include "reload_seeds.h"

/* How often what is to be remembered is compared with the state file. */
#define SAVE_MS 10000

/* How long after a list of seeds could not be written it is tried again. */
#define CHOOSE_AGAIN_MS 10000

/* How long after it could not be listened on the control socket that is tried again. */
#define LISTEN_AGAIN_MS 2000

#define WHOAMI_PATH "/whoami"

/* Names this program among those that ask who this machine is. */
#define APPLICATION SD_ID128_MAKE(8a, 0e, 3b, 5d, 2f, 61, 4c, 7e, 9d, 10, 55, c4, 21, 7b, 90, e3)

struct control {
    sd_event *event;
    const struct conf *conf;
    struct cluster *cluster;
    struct operator_state *state;
    struct control_socket *socket;
    struct reload_seeds *reload_seeds;
    struct record *record;
    struct coordination *coordination;
    struct run_states *run_state; /* NULL = nothing can be done about it */
    struct job_runner *jobs;
    sd_event_source *drain_ends;
    control_changed changed;
    void *userdata;
    struct poller_local known; /* who the local node is */
    char host[HOST_ID_LEN];    /* while that is not known */
    int64_t save_due_ms;       /* CLOCK_MONOTONIC */
    size_t choosing;           /* lists of seeds that wait for the disk */
    int64_t choose_due_ms;     /* CLOCK_MONOTONIC */
    int listen_error;          /* while there is no socket */
    int64_t listen_due_ms;     /* CLOCK_MONOTONIC */
};

/* A request whose change waits for the disk. */
struct asked {
    struct control_request *request;
    char what[VALUES_KEY_LEN + 32]; /* "PUT drain/10.0.0.1", when that fails */
};

static int64_t clock_ms(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

const char *control_host(const struct control *control)
{
    return control->known.host_id[0] ? control->known.host_id : control->host;
}

static int on_state_changed(void *userdata)
{
    struct control *control = userdata;

    return control->changed(control->userdata);
}

static const struct cluster *on_hints(const struct poller_local **ret_local, void *userdata)
{
    struct control *control = userdata;

    *ret_local = &control->known;
    return control->cluster;
}

static const char *cause(enum change_end end, int error)
{
    return end == CHANGE_UNTAKEN && error == -ENOSPC ? "there are too many values"
                                                     : strerror(-error);
}

static void on_done(enum change_end end, int error, void *userdata)
{
    static const char *const lines[] = {
        [CHANGE_UNPUBLISHED] =
            "kept on disk, but cannot be published: %s; it shows once that works again",
        [CHANGE_KEPT] = "kept on disk; it shows once the nodes have been asked",
        [CHANGE_UNWRITTEN] = "nothing has changed: cannot write the state file: %s",
        [CHANGE_UNTAKEN] = "nothing has changed: %s",
        [CHANGE_OPEN] = "the collector ends; whether this holds is not known",
    };
    struct asked *asked = userdata;
    struct control_request *request = asked->request;
    char line[256] = "";

    if (end != CHANGE_DONE) {
        snprintf(line, sizeof(line), lines[end], cause(end, error));
        log_error("%s by %s: %s", asked->what, request->user, line);
    }
    control_reply(request, end == CHANGE_DONE ? 200 : 503, line, NULL);
    free(asked);
}

static void ask(struct control *control, struct control_request *request,
                struct request_change *change)
{
    struct asked *asked = calloc(1, sizeof(*asked));
    int r = asked ? 0 : -ENOMEM;

    change->change.user = request->user;
    if (asked) {
        asked->request = request;
        snprintf(asked->what, sizeof(asked->what), "%s %s", request->method, change->key);
        r = operator_state_change(control->state, &change->change, control_host(control), on_done,
                                  asked);
    }
    if (r == 0)
        return;
    free(asked);
    control_reply(request, r == -EINVAL ? 400 : 503,
                  r == -EINVAL ? "this cannot be set to that" : cause(CHANGE_UNTAKEN, r), NULL);
}

/* A change that changes nothing: for the page, which is not told otherwise whether it may. */
static void tell_user(struct control_request *request)
{
    if (strcmp(request->method, "POST") == 0)
        control_reply(request, 200, request->user, NULL);
    else
        control_reply(request, 405, "no such method here", "POST");
}

static void on_request(struct control_request *request, void *userdata)
{
    struct control *control = userdata;
    bool suspend = strcmp(request->path, SUSPEND_PATH) == 0;
    struct request_change change;
    char line[REQUEST_LINE_LEN];
    const char *allow;
    unsigned status;

    if (request->cross_site) {
        log_warning("%s %s by %s refused: sent by the page of another site", request->method,
                    request->path, request->user);
        control_reply(request, 403, "sent by the page of another site", NULL);
        return;
    }
    if (strcmp(request->path, WHOAMI_PATH) == 0) {
        tell_user(request);
        return;
    }
    if (strcmp(request->path, RELOAD_SEEDS_PATH) == 0) {
        reload_seeds_request(control->reload_seeds, request);
        return;
    }
    if (coordination_wants(request->path) && control->coordination) {
        coordination_request(control->coordination, request);
        return;
    }
    if (strncmp(request->path, JOBS_PATH, strlen(JOBS_PATH)) == 0 && control->jobs) {
        job_runner_request(control->jobs, request);
        return;
    }
    if (request->token || request->force || request->on_failure || request->dc || request->rack ||
        request->nodes) {
        control_reply(request, 400, "that argument is for another path", NULL);
        return;
    }
    if (request->value && !suspend) {
        control_reply(request, 400, "value is for POST " SUSPEND_PATH, NULL);
        return;
    }
    if (suspend)
        status = request_read_suspend(request->method, request->value, &change, line, &allow);
    else
        status = request_read(control->cluster, control_values(control), control->conf->region_name,
                              request->method, request->path, request->ttl, request->body,
                              request->len, &change, line, &allow);
    if (status == 0)
        ask(control, request, &change);
    else
        control_reply(request, status, line, allow);
    request_change_done(&change);
}

static int on_drain_ends(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    on_state_changed(userdata);
    return 0;
}

static void identify(struct control *control)
{
    sd_id128_t id;

    if (sd_id128_get_machine_app_specific(APPLICATION, &id) < 0)
        id = APPLICATION;
    snprintf(control->host, sizeof(control->host), SD_ID128_FORMAT_STR, SD_ID128_FORMAT_VAL(id));
}

/* What is read does not depend on it. It is tried again and again: who has it may go. */
static void open_socket(struct control *control)
{
    int before = control->listen_error, r;
    const char *path = control->conf->control_socket;

    r = control_socket_new(control->event, path, on_request, control, &control->socket);
    control->listen_error = r;
    control->listen_due_ms = clock_ms(CLOCK_MONOTONIC) + LISTEN_AGAIN_MS;
    if (r == 0 && before < 0)
        log_notice("listening on %s now", path);
    if (r == before)
        return;
    if (r == -EADDRINUSE)
        log_error("%s: somebody else listens there, or it is no socket; nothing can be set", path);
    else if (r < 0)
        log_error("cannot listen on %s: %s; nothing can be set", path, strerror(-r));
}

int control_new(sd_event *event, const struct conf *conf, struct cluster *cluster,
                control_changed changed, void *userdata, struct poller_local *ret_local,
                struct control **ret)
{
    struct control *control = calloc(1, sizeof(*control));
    const struct operator_state_handlers handlers = {
        .changed = on_state_changed, .hints = on_hints, .userdata = control};
    int r;

    if (!control)
        return -ENOMEM;
    control->event = event;
    control->conf = conf;
    control->cluster = cluster;
    control->changed = changed;
    control->userdata = userdata;
    identify(control);
    r = operator_state_new(event, conf->state_path, &handlers, cluster, &control->known,
                           &control->state);
    if (conf->local_source[0] == '\0')
        control->known = (struct poller_local){0};
    if (r >= 0)
        r = sd_event_add_time(event, &control->drain_ends, CLOCK_MONOTONIC, 0, 1000, on_drain_ends,
                              control);
    if (r >= 0)
        r = sd_event_source_set_enabled(control->drain_ends, SD_EVENT_OFF);
    if (r >= 0)
        r = reload_seeds_new(event, &control->reload_seeds);
    if (r < 0) {
        control_free(control);
        return r;
    }
    open_socket(control);
    *ret_local = control->known;
    *ret = control;
    return 0;
}

int control_set(struct control *control, const char *key, const char *text, const char *user)
{
    const struct value_change change = {.key = key, .text = text, .user = user};

    return operator_state_change(control->state, &change, control_host(control), NULL, NULL);
}

static int set_value(const char *key, const char *text, uint64_t after, void *userdata)
{
    struct control *control = userdata;
    const struct value_change change = {
        .key = key, .text = text, .user = "automatic", .after = after};

    return operator_state_change(control->state, &change, control_host(control), NULL, NULL);
}

static bool is_suspended(void *userdata)
{
    return observer_suspended(control_values(userdata));
}

static void on_run_state(void *userdata)
{
    on_state_changed(userdata);
}

void control_set_record(struct control *control, struct record *record)
{
    control->record = record;
}

void control_set_jobs(struct control *control, struct job_runner *jobs)
{
    control->jobs = jobs;
}

void control_set_coordination(struct control *control, struct coordination *coordination)
{
    const struct run_state_settings settings = {
        .event = control->event,
        .state_path = control->conf->state_path,
        .cluster = control->cluster,
        .permits = coordination ? coordination_permits(coordination) : NULL,
        .set = set_value,
        .suspended = is_suspended,
        .changed = on_run_state,
        .userdata = control,
    };
    int r = 0;

    control->coordination = coordination;
    control->run_state = run_state_free(control->run_state);
    if (coordination)
        r = run_state_new(&settings, &control->run_state);
    if (r < 0)
        log_error("run states are not carried out: %s", strerror(-r));
}

void control_act(struct control *control)
{
    if (control->run_state)
        run_state_act(control->run_state, control->conf->unit);
}

void control_configure(struct control *control, const struct conf *conf)
{
    if (strcmp(conf->control_socket, control->conf->control_socket) != 0 ||
        strcmp(conf->state_path, control->conf->state_path) != 0)
        log_warning("control.socket and state.path change with a restart only");
    control->conf = conf;
}

void control_set_poller(struct control *control, struct poller *poller)
{
    reload_seeds_set_poller(control->reload_seeds, poller);
}

const struct values *control_values(const struct control *control)
{
    return operator_state_values(control->state);
}

void control_remember(struct control *control, const struct poller_local *known)
{
    int64_t now = clock_ms(CLOCK_MONOTONIC);

    if (!control->socket && now >= control->listen_due_ms)
        open_socket(control);
    if (memcmp(&control->known, known, sizeof(*known)) == 0 && now < control->save_due_ms)
        return;
    control->known = *known;
    control->save_due_ms = now + SAVE_MS;
    operator_state_save(control->state);
}

void control_remember_soon(struct control *control)
{
    control->save_due_ms = 0;
}

void control_published(struct control *control, int error)
{
    operator_state_published(control->state, error);
}

bool control_follow_cluster(struct control *control)
{
    return operator_state_follow(control->state);
}

/* What is said of drains is told as all that is said; that the time of one has come is not said. */
static void on_drain(const struct node *node, const struct drain *before, void *userdata)
{
    struct control *control = userdata;

    if (!before->on || node->drain.on || node->drain.counter != before->counter)
        return;
    log_event(&(struct log_event){.priority = LOG_NOTICE,
                                  .id = MESSAGE_NODE_UNDRAINED,
                                  .node = node->text},
              "%s: the time of its drain is over", node->text);
    record_decision(control->record, "drain", node->text, "drained no more", "its time is over",
                    NULL);
}

void control_drain(struct control *control, int64_t now_ms)
{
    int64_t ends_ms;

    repairs_apply(control->cluster, control_values(control));
    ends_ms = drains_apply(control->cluster, control_values(control), clock_ms(CLOCK_REALTIME),
                           now_ms, on_drain, control);

    run_states_apply(control->cluster, control_values(control));
    if (ends_ms == INT64_MAX) {
        sd_event_source_set_enabled(control->drain_ends, SD_EVENT_OFF);
        return;
    }
    sd_event_source_set_time_relative(control->drain_ends, (uint64_t)ends_ms * 1000);
    sd_event_source_set_enabled(control->drain_ends, SD_EVENT_ONESHOT);
}

static void on_chosen(enum change_end end, int error, void *userdata)
{
    struct control *control = userdata;

    (void)error;
    control->choosing--;
    if (end == CHANGE_UNWRITTEN || end == CHANGE_UNTAKEN)
        control->choose_due_ms = clock_ms(CLOCK_MONOTONIC) + CHOOSE_AGAIN_MS;
}

/* One after the other: while a list waits nothing new is chosen. */
static void write_seeds(struct control *control, const struct seeds_change *changes, size_t n)
{
    if (control->choosing > 0 || clock_ms(CLOCK_MONOTONIC) < control->choose_due_ms)
        return;
    for (size_t i = 0; i < n; i++) {
        const struct value_change change = {
            .key = changes[i].key, .text = changes[i].text, .user = "automatic"};
        int r = operator_state_change(control->state, &change, control_host(control), on_chosen,
                                      control);

        control->choosing += r == 0;
        if (r == 0)
            continue;
        control->choose_due_ms = clock_ms(CLOCK_MONOTONIC) + CHOOSE_AGAIN_MS;
        log_error("cannot set %s: %s", change.key, strerror(-r));
    }
}

void control_seeds(struct control *control, const struct regions *regions, int64_t now_ms)
{
    const struct conf *conf = control->conf;
    const struct values *values = control_values(control);
    const struct seeds_settings settings = {
        .datacenters = conf->region_datacenters,
        .region_name = conf->region_name,
        .regions = regions,
        .patience_ms = conf->seeds_patience_ms,
        .alone = conf->peers_mode != PEERS_MESH || conf->local_source[0] == '\0',
    };
    struct seeds_change *changes;
    size_t n;

    seeds_apply(control->cluster, values, &settings, now_ms);
    /* Somebody wants nothing to be changed but by hand. */
    if (observer_suspended(values))
        return;
    seeds_changes(control->cluster, values, &settings, now_ms, &changes, &n);
    write_seeds(control, changes, n);
    seeds_changes_free(changes, n);
}

int control_merge(struct control *control, const struct prober_addr *host, const char *body,
                  size_t len, char why[DETAIL_LEN])
{
    if (cluster_mistrusts(control->cluster, host)) {
        snprintf(why, DETAIL_LEN, "it is not the host of that node");
        return -EXDEV;
    }
    return operator_state_merge(control->state, body, len, why);
}

struct control *control_free(struct control *control)
{
    if (!control)
        return NULL;
    /* What waits is answered while there is a socket to answer on. */
    operator_state_free(control->state);
    reload_seeds_free(control->reload_seeds);
    control_socket_free(control->socket);
    sd_event_source_disable_unref(control->drain_ends);
    free(control);
    return NULL;
}

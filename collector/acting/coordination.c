#include "coordination.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "messages.h"
#include "publish/render_gates.h"
#include "publish/text.h"

#define TTL_MS       600000 /* of a permit, unless it says otherwise */
#define TTL_LEAST_MS 1000
#define TTL_MOST_MS  86400000

/* Each host looks so often at the store that many of them do not keep it busy. */
#define INTERVAL_MS      1000
#define INTERVAL_NODE_MS 5 /* more for each node */

/* Rounds that something has to be wrong with the store before people hear of it. */
#define PROBLEM_ROUNDS 6

/* A request that waits for the store. */
struct waiting {
    struct waiting *next;
    struct coordination *coordination;
    struct control_request *request;
    enum permit_kind kind;
    bool back;
    char node[PROBER_ADDR_STRLEN];
};

struct coordination {
    struct coordination_settings settings;
    struct store *store;
    struct leader *leader;
    struct permits *permits;
    struct waiting *waiting;
    bool led;
    unsigned problem_rounds;
};

static void tell_leader(struct coordination *coordination)
{
    bool us = leader_is_us(coordination->leader);
    const char *host = leader_host(coordination->leader);

    if (us == coordination->led)
        return;
    coordination->led = us;
    record_decision(coordination->settings.record, "leader", NULL,
                    us ? "this host leads" : "this host leads no more",
                    store_problem(coordination->store), NULL);
    if (us)
        log_event(&(struct log_event){.priority = LOG_NOTICE, .id = MESSAGE_LEADS},
                  "this host leads the cluster's collectors now");
    else
        log_event(&(struct log_event){.priority = LOG_NOTICE, .id = MESSAGE_LEADS_NOT},
                  "this host leads no more%s%s%s%s", host[0] ? "; now it is " : "", host,
                  store_problem(coordination->store)[0] ? ": " : "",
                  store_problem(coordination->store));
}

static void on_leader(void *userdata)
{
    struct coordination *coordination = userdata;

    tell_leader(coordination);
    coordination->settings.changed(coordination->settings.userdata);
}

static void on_permit(void *userdata)
{
    struct coordination *coordination = userdata;

    coordination->settings.changed(coordination->settings.userdata);
}

static void on_gate(const struct permits_ask *ask, const struct permit *seen,
                    struct gate_answer *ret, void *userdata)
{
    struct coordination *coordination = userdata;
    struct render_context context;
    struct gate_context gate;
    struct gate_room room;

    if (!coordination->settings.may_judge(coordination->settings.userdata)) {
        ret->verdict = GATE_UNKNOWN;
        ret->n_reasons = 1;
        snprintf(ret->reasons[0], GATE_REASON_LEN,
                 "this host has just begun, or did not run for a while: it asks all nodes anew");
        return;
    }
    coordination->settings.context(coordination->settings.userdata, &context);
    context.permit = seen;
    render_gate_context(&context, &room, &gate);
    if (ask->kind == PERMIT_START)
        gate_start(&gate, &ask->node, ask->token, ret);
    else
        gate_stop(&gate, &ask->node, ask->token, ret);
    gate_room_done(&room);
}

int coordination_new(const struct coordination_settings *settings, struct coordination **ret)
{
    struct coordination *coordination = calloc(1, sizeof(*coordination));
    struct permits_settings permits = {.cluster = settings->cluster,
                                       .record = settings->record,
                                       .gate = on_gate,
                                       .changed = on_permit,
                                       .userdata = coordination};
    int r;

    if (!coordination)
        return -ENOMEM;
    coordination->settings = *settings;
    r = store_new(settings->event, settings->conf, &coordination->store);
    if (r >= 0)
        r = leader_new(settings->event, coordination->store, on_leader, coordination,
                       &coordination->leader);
    if (r >= 0) {
        permits.store = coordination->store;
        permits.leader = coordination->leader;
        r = permits_new(settings->event, &permits, &coordination->permits);
    }
    if (r < 0) {
        coordination_free(coordination);
        return r;
    }
    coordination->settings.conf = NULL;
    *ret = coordination;
    return 0;
}

static void tell_problem(struct coordination *coordination)
{
    const char *problem = store_problem(coordination->store);

    if (!problem[0]) {
        if (coordination->problem_rounds > PROBLEM_ROUNDS)
            log_notice("the coordination store answers again");
        coordination->problem_rounds = 0;
    } else if (coordination->problem_rounds <= PROBLEM_ROUNDS &&
               ++coordination->problem_rounds > PROBLEM_ROUNDS) {
        log_warning("no permits and no jobs for now: %s", problem);
    }
}

void coordination_follow(struct coordination *coordination, const struct conf *conf,
                         const char *host_id)
{
    const struct cluster *cluster = coordination->settings.cluster;
    int64_t interval_ms = INTERVAL_MS + (int64_t)cluster->n_known * INTERVAL_NODE_MS;

    store_set_cluster(coordination->store, cluster->name);
    store_set_alone(coordination->store, conf->peers_mode == PEERS_DIRECT || cluster->n_known <= 1);
    leader_set_host(coordination->leader, host_id);
    leader_set_interval(coordination->leader, interval_ms);
    permits_set_host(coordination->permits, host_id);
    permits_set_interval(coordination->permits, interval_ms);
    tell_problem(coordination);
}

void coordination_configure(const struct conf *before, const struct conf *conf)
{
    if (strcmp(before->store, conf->store) != 0 ||
        strcmp(before->store_prefix, conf->store_prefix) != 0 ||
        before->store_ttl_ms != conf->store_ttl_ms ||
        strcmp(before->coordination.user, conf->coordination.user) != 0 ||
        strcmp(before->coordination.password, conf->coordination.password) != 0 ||
        strcmp(before->coordination.ca_file, conf->coordination.ca_file) != 0)
        log_warning("coordination changes with a restart only");
}

const struct permit *coordination_permit(const struct coordination *coordination)
{
    char why[PERMIT_WHY_LEN];
    const struct permit *permit;
    int64_t age_ms;

    if (!coordination)
        return NULL;
    permit = permits_seen(coordination->permits, &age_ms);
    return permit_state(permit, coordination->settings.cluster, store_now_ms(), why) == PERMIT_HELD
               ? permit
               : NULL;
}

/* Requests */

bool coordination_wants(const char *path)
{
    return strncmp(path, MAY_START_PATH, strlen(MAY_START_PATH)) == 0 ||
           strncmp(path, MAY_STOP_PATH, strlen(MAY_STOP_PATH)) == 0;
}

static void waiting_free(struct waiting *waiting)
{
    for (struct waiting **at = &waiting->coordination->waiting; *at; at = &(*at)->next)
        if (*at == waiting) {
            *at = waiting->next;
            break;
        }
    free(waiting);
}

static void reply(struct control_request *request, unsigned status, struct text *text)
{
    text_add(text, "", 1);
    control_reply_json(request, status, text->failed ? "{}" : text->data);
    text_free(text);
}

static void add_reasons(struct text *text, const struct gate_answer *gate)
{
    text_puts(text, ",\"reasons\":[");
    for (size_t i = 0; i < gate->n_reasons; i++) {
        text_puts(text, i ? "," : "");
        text_add_json(text, gate->reasons[i]);
    }
    text_puts(text, "]}");
}

/* "may": why not, or why nobody can tell. */
static void reply_not(struct control_request *request, unsigned status,
                      const struct gate_answer *gate)
{
    struct text text = {0};

    text_printf(&text, "{\"may\":\"%s\"", gate_verdict_word(gate->verdict));
    add_reasons(&text, gate);
    reply(request, status, &text);
}

static void reply_unknown(struct control_request *request, const char *why)
{
    struct gate_answer gate = {.n_reasons = 1};

    snprintf(gate.reasons[0], sizeof(gate.reasons[0]), "the coordination store: %s", why);
    reply_not(request, 503, &gate);
}

static void reply_permit(struct control_request *request, const struct permits_answer *answer)
{
    struct text text = {0};

    text_puts(&text, "{\"token\":");
    text_add_json(&text, answer->permit.token);
    text_printf(&text, ",\"ttl_ms\":%" PRId64, answer->permit.ttl_ms);
    add_reasons(&text, &answer->gate);
    reply(request, 200, &text);
}

static void tell_permit(const struct waiting *waiting, const struct permits_answer *answer)
{
    const char *kind = permit_kind_word(waiting->kind), *user = waiting->request->user;
    char what[DECISION_TEXT_LEN];

    if (waiting->back ? answer->permit.kind == PERMIT_NONE : answer->shared)
        return;
    snprintf(what, sizeof(what), "the permit to %s was %s", kind,
             waiting->back ? "given back" : "given");
    record_decision(waiting->coordination->settings.record, "permit", waiting->node, what, NULL,
                    user);
    if (waiting->back)
        log_event(&(struct log_event){.priority = LOG_NOTICE,
                                      .id = MESSAGE_PERMIT_RETURNED,
                                      .node = waiting->node},
                  "the permit to %s %s, held by %s, was given back by %s", kind, waiting->node,
                  answer->permit.who, user);
    else
        log_event(&(struct log_event){.priority = LOG_NOTICE,
                                      .id = MESSAGE_PERMIT_TAKEN,
                                      .node = waiting->node},
                  "the permit to %s %s was given to %s", kind, waiting->node, user);
}

static void on_answer(const struct permits_answer *answer, void *userdata)
{
    struct waiting *waiting = userdata;

    switch (answer->end) {
    case PERMITS_OK:
        tell_permit(waiting, answer);
        if (waiting->back)
            control_reply(waiting->request, 200, "", NULL);
        else
            reply_permit(waiting->request, answer);
        break;
    case PERMITS_NO:
        reply_not(waiting->request, 409, &answer->gate);
        break;
    case PERMITS_UNKNOWN:
        reply_unknown(waiting->request, answer->detail);
        break;
    }
    waiting_free(waiting);
}

/* What is wrong with the request's arguments, by their HTTP status; 0 = nothing. */
static unsigned read_arguments(const struct control_request *request, bool back,
                               struct permits_ask *ask, const char **ret_line)
{
    bool force = request->force && strcmp(request->force, "true") == 0;

    ask->ttl_ms = TTL_MS;
    ask->token = request->token;
    ask->who = request->user;
    *ret_line = NULL;
    if (request->force && (!back || (!force && strcmp(request->force, "false") != 0)))
        *ret_line = "force is true or false, and of DELETE";
    else if (back && request->ttl)
        *ret_line = "ttl is for POST";
    else if (request->ttl && (conf_parse_duration(request->ttl, &ask->ttl_ms) < 0 ||
                              ask->ttl_ms < TTL_LEAST_MS || ask->ttl_ms > TTL_MOST_MS))
        *ret_line = "ttl is a duration of 1s to 24h";
    else if (back && !force && !request->token)
        *ret_line = "whose permit? token=…, as POST has answered, or force=true";
    if (force)
        ask->token = NULL;
    return *ret_line ? 400 : 0;
}

static unsigned read_request(const struct control_request *request, struct permits_ask *ask,
                             bool *ret_back, const char **ret_line)
{
    bool start = strncmp(request->path, MAY_START_PATH, strlen(MAY_START_PATH)) == 0;
    const char *name = request->path + strlen(start ? MAY_START_PATH : MAY_STOP_PATH);

    *ret_back = strcmp(request->method, "DELETE") == 0;
    ask->kind = start ? PERMIT_START : PERMIT_STOP;
    if (prober_addr_parse(name, strlen(name), &ask->node) < 0 || prober_addr_is_unset(&ask->node)) {
        *ret_line = "no address";
        return 404;
    }
    if (!*ret_back && strcmp(request->method, "POST") != 0) {
        *ret_line = "no such method here";
        return 405;
    }
    return read_arguments(request, *ret_back, ask, ret_line);
}

/* A node that nobody knows may start, being new; there is none to be stopped. */
static bool is_nobody(const struct coordination *coordination, const struct permits_ask *ask)
{
    const struct node *node = cluster_find(coordination->settings.cluster, &ask->node);

    return ask->kind == PERMIT_STOP && (!node || node->gone || node->forgotten);
}

void coordination_request(struct coordination *coordination, struct control_request *request)
{
    struct waiting *waiting;
    struct permits_ask ask = {0};
    const char *line;
    bool back;
    unsigned status = read_request(request, &ask, &back, &line);
    int r = -ENOMEM;

    if (status == 0 && !back && is_nobody(coordination, &ask)) {
        status = 404;
        line = "no node of this cluster";
    }
    if (status > 0) {
        control_reply(request, status, line,
                      status == 405 ? "GET, HEAD, OPTIONS, POST, DELETE" : NULL);
        return;
    }
    waiting = calloc(1, sizeof(*waiting));
    if (waiting) {
        waiting->coordination = coordination;
        waiting->request = request;
        waiting->kind = ask.kind;
        waiting->back = back;
        prober_addr_format(&ask.node, waiting->node);
        r = back ? permits_give_back(coordination->permits, &ask, on_answer, waiting)
                 : permits_take(coordination->permits, &ask, on_answer, waiting);
    }
    if (r == 0) {
        waiting->next = coordination->waiting;
        coordination->waiting = waiting;
        return;
    }
    free(waiting);
    if (r == -EINVAL)
        control_reply(request, 400,
                      "token is 8 to 39 letters, digits, dots, underscores and minuses", NULL);
    else
        reply_unknown(request, strerror(-r));
}

struct store *coordination_store(const struct coordination *coordination)
{
    return coordination->store;
}

struct leader *coordination_leader(const struct coordination *coordination)
{
    return coordination->leader;
}

struct permits *coordination_permits(const struct coordination *coordination)
{
    return coordination->permits;
}

struct coordination *coordination_free(struct coordination *coordination)
{
    if (!coordination)
        return NULL;
    permits_free(coordination->permits);
    while (coordination->waiting) {
        reply_unknown(coordination->waiting->request,
                      "the collector ends; whether this was done is not known");
        waiting_free(coordination->waiting);
    }
    leader_free(coordination->leader);
    store_free(coordination->store);
    free(coordination);
    return NULL;
}

#include "follow_keyspaces.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "log.h"

#define TIMEOUT_MS 2000
#define FIRST_MS   100
#define NEXT_MS    20   /* others want to ask Cassandra, too */
#define AGAIN_MS   5000 /* while nothing is known yet */

static const char storage_service[] = "org.apache.cassandra.db:type=StorageService";

struct follow_keyspaces {
    sd_event_source *timer; /* the next step */
    struct poller *poller;  /* borrowed; NULL = not set yet */
    int64_t every_ms;
    struct keyspaces current;
    /* The pass that runs. */
    char **names; /* owned; NULL = they are to be asked for */
    size_t n_names, at;
    struct keyspaces next;
    size_t n_refused; /* keyspaces of which Cassandra did not say it */
    char refusal[DETAIL_LEN];
    bool told; /* that it does not say it at all */
};

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void step_in(struct follow_keyspaces *follow, int64_t ms)
{
    sd_event_source_set_time_relative(follow->timer, (uint64_t)ms * 1000);
    sd_event_source_set_enabled(follow->timer, SD_EVENT_ONESHOT);
}

static void forget_pass(struct follow_keyspaces *follow)
{
    for (size_t i = 0; i < follow->n_names; i++)
        free(follow->names[i]);
    free(follow->names);
    follow->names = NULL;
    follow->n_names = follow->at = follow->n_refused = 0;
    keyspaces_done(&follow->next);
}

/* The pass has ended without an outcome. */
static void try_later(struct follow_keyspaces *follow)
{
    forget_pass(follow);
    step_in(follow, follow->current.read_at_ms || follow->every_ms < AGAIN_MS ? follow->every_ms
                                                                              : AGAIN_MS);
}

/* Cassandra does not say how keyspaces are replicated: before 4.0. */
static void not_offered(struct follow_keyspaces *follow)
{
    if (!follow->told)
        log_warning("Cassandra does not say how keyspaces are replicated (%s): one node of a data "
                    "center at a time may stop",
                    follow->refusal);
    follow->told = true;
    keyspaces_done(&follow->current);
    forget_pass(follow);
    step_in(follow, follow->every_ms);
}

static void take_pass(struct follow_keyspaces *follow)
{
    if (follow->current.read_at_ms == 0)
        log_info("replication of %zu keyspaces read", follow->next.n);
    follow->told = false;
    keyspaces_done(&follow->current);
    follow->current = follow->next;
    follow->current.read_at_ms = now_ms();
    follow->next = (struct keyspaces){0};
    forget_pass(follow);
    step_in(follow, follow->every_ms);
}

/* An answer, and a no: by JMX so; by Jolokia it is inside an answer. */
static bool is_exception(const struct reply *reply)
{
    return reply->result == POLL_EXCEPTION ||
           (reply->result == POLL_HTTP && strstr(reply->detail, "Exception"));
}

static void on_names(struct reply *reply, void *userdata)
{
    struct follow_keyspaces *follow = userdata;

    if (reply->result != POLL_OK) {
        try_later(follow);
        return;
    }
    follow->names = reply->texts;
    follow->n_names = reply->n_texts;
    reply->texts = NULL;
    reply->n_texts = 0;
    step_in(follow, NEXT_MS);
}

/* A keyspace may have been dropped meanwhile: until the next pass it counts as one that is not
 * understood. */
static void on_replication(struct reply *reply, void *userdata)
{
    struct follow_keyspaces *follow = userdata;
    const char *text = reply->n_texts > 0 ? reply->texts[0] : "";

    if (reply->result != POLL_OK && !is_exception(reply)) {
        try_later(follow);
        return;
    }
    if (reply->result != POLL_OK) {
        follow->n_refused++;
        memcpy(follow->refusal, reply->detail, sizeof(follow->refusal));
    }
    if (keyspaces_add(&follow->next, follow->names[follow->at++], text, strlen(text)) < 0)
        try_later(follow);
    else
        step_in(follow, NEXT_MS);
}

static int ask(struct follow_keyspaces *follow)
{
    struct source_operation operation = {.mbean = storage_service, .timeout_ms = TIMEOUT_MS};

    if (!follow->names) {
        operation.name = "NonSystemKeyspaces";
        operation.attribute = true;
        return poller_invoke_local(follow->poller, &operation, on_names, follow);
    }
    operation.name = "getKeyspaceReplicationInfo";
    operation.argument = follow->names[follow->at];
    return poller_invoke_local(follow->poller, &operation, on_replication, follow);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct follow_keyspaces *follow = userdata;
    int r;

    (void)source;
    (void)usec;
    while (follow->names && follow->at < follow->n_names &&
           keyspace_is_own(follow->names[follow->at]))
        follow->at++;
    if (follow->names && follow->at == follow->n_names) {
        if (follow->n_refused > 0 && follow->n_refused == follow->next.n)
            not_offered(follow);
        else
            take_pass(follow);
        return 0;
    }
    r = ask(follow);
    if (r == -EBUSY)
        step_in(follow, NEXT_MS);
    else if (r < 0)
        try_later(follow);
    return 0;
}

int follow_keyspaces_new(sd_event *event, struct follow_keyspaces **ret)
{
    struct follow_keyspaces *follow = calloc(1, sizeof(*follow));
    int r;

    if (!follow)
        return -ENOMEM;
    r = sd_event_add_time(event, &follow->timer, CLOCK_MONOTONIC, 0, 1000, on_timer, follow);
    if (r < 0) {
        free(follow);
        return r;
    }
    sd_event_source_set_enabled(follow->timer, SD_EVENT_OFF);
    *ret = follow;
    return 0;
}

struct follow_keyspaces *follow_keyspaces_free(struct follow_keyspaces *follow)
{
    if (!follow)
        return NULL;
    forget_pass(follow);
    keyspaces_done(&follow->current);
    sd_event_source_disable_unref(follow->timer);
    free(follow);
    return NULL;
}

void follow_keyspaces_set_poller(struct follow_keyspaces *follow, struct poller *poller,
                                 int64_t every_ms, bool local_changed)
{
    follow->poller = poller;
    follow->every_ms = every_ms;
    if (local_changed)
        keyspaces_done(&follow->current);
    forget_pass(follow);
    step_in(follow, FIRST_MS);
}

const struct keyspaces *follow_keyspaces_current(const struct follow_keyspaces *follow)
{
    return &follow->current;
}

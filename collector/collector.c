#include "collector.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "acting.h"
#include "control.h"
#include "control/seeds_file.h"
#include "follow_membership.h"
#include "follow_values.h"
#include "journal.h"
#include "log.h"
#include "measure.h"
#include "notify.h"
#include "prober_segment_writer.h"
#include "publish/publish.h"
#include "record.h"
#include "region_watch.h"
#include "sources/poller.h"

/* Changes that come together are judged together; after a judgement between rounds comes a rest of
 * so many times what it took, so that a large cluster in turmoil costs no more than that share. */
#define SOON_US    10000
#define REST_TIMES 20

/* A step of the time of day larger than this shows in documents. */
#define WALL_STEP_MS 2000

struct collector {
    sd_event *event;
    struct conf *conf;
    struct poller *poller;
    struct region_watch *regions;
    struct cluster *cluster;
    struct prober_segment_writer *writer;
    struct publisher publisher;
    struct seeds_file seeds_file;
    sd_event_source *soon; /* judges between rounds; armed by a change */
    int64_t rest_until_us; /* CLOCK_MONOTONIC: no sooner */
    int64_t judged_ms;     /* CLOCK_BOOTTIME */
    bool waking;           /* overslept: waits for a pass of polls */
    struct followed_membership members;
    struct control *control; /* the write half */
    struct acting *acting;
    struct followed_values values;
    struct poller_local known; /* who the local node is */
    struct history history;
    struct record *record; /* the decision log */
    struct journal journal;
    int64_t wall_offset_ms;
    bool ready; /* READY=1 was sent */
    struct notify notify;
    struct process_figures figures;
};

static int64_t now_ms(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* The offset moves only with a real step, so that documents with times in them do not change by a
 * rounding. */
static void follow_wall_clock(struct collector *collector)
{
    int64_t offset = now_ms(CLOCK_REALTIME) - now_ms(CLOCK_BOOTTIME);

    if (llabs(offset - collector->wall_offset_ms) <= WALL_STEP_MS)
        return;
    collector->wall_offset_ms = collector->cluster->wall_offset_ms = offset;
    collector->publisher.published = false;
}

static void follow_members(struct collector *collector)
{
    if (follow_membership(&collector->members, collector->conf, collector->cluster,
                          collector->poller))
        control_remember_soon(collector->control);
}

/* Asks for what the cluster has got a reason to. */
static void follow_wishes(struct collector *collector)
{
    struct cluster *cluster = collector->cluster;

    if (cluster->wants_detail)
        poller_want_detail(collector->poller);
    if (cluster->wants_views)
        poller_want_views(collector->poller);
    cluster->wants_detail = cluster->wants_views = false;
}

/* The first complete round: from here on documents are ours. */
static void notify_ready(struct collector *collector)
{
    if (collector->ready)
        return;
    collector->ready = true;
    sd_notify(0, "READY=1");
    log_info("ready: %s", collector->journal.status.data ? collector->journal.status.data : "");
}

/* What documents, and the gates, are made from. */
static void fill_context(void *userdata, struct render_context *ret)
{
    struct collector *collector = userdata;

    *ret = (struct render_context){
        .cluster = collector->cluster,
        .now_ms = now_ms(CLOCK_BOOTTIME),
        .wall_offset_ms = collector->wall_offset_ms,
        .region = {collector->conf->region_datacenters, collector->conf->datacenters,
                   collector->conf->n_datacenters},
        .region_name = collector->conf->region_name,
        .regions = region_watch_regions(collector->regions),
        .values = control_values(collector->control),
        .state = collector->values.state,
        .state_digest = collector->values.digest,
        .history = &collector->history,
        .decisions = record_decisions(collector->record),
        .host = control_host(collector->control),
        .jobs = acting_jobs(collector->acting),
        .gates = &collector->conf->gates,
        .keyspaces = acting_keyspaces(collector->acting),
        .permit = acting_permit(collector->acting),
    };
}

static int publish(struct collector *collector, bool round, int64_t at_ms)
{
    struct render_context context;
    int before = collector->publisher.last_error, r;

    follow_wall_clock(collector);
    fill_context(collector, &context);
    context.now_ms = at_ms;
    if (!render_prepare(&context))
        return -ENOMEM;
    if (round && !history_add(&collector->history, collector->cluster, at_ms))
        log_warning("no memory for the history of all nodes");
    if (round)
        measure(&collector->figures, &collector->publisher, collector->poller);
    r = publisher_publish(&collector->publisher, &context, &collector->figures, round);
    if (collector->cluster->dirty || collector->seeds_file.error < 0)
        seeds_file_follow(&collector->seeds_file, collector->conf->segment_path, &context);
    render_done(&context);
    if (r == 0)
        cluster_clean(collector->cluster);
    if (r == -EBUSY) {
        log_error("%s: another collector has the segment now; ending",
                  collector->conf->segment_path);
        sd_event_exit(collector->event, r);
        return r;
    }
    journal_publish(collector->conf->segment_path, before, r);
    return r;
}

/* Judges what is known and publishes what changed. A negative errno: that cannot be published. */
static int judge(struct collector *collector, bool round)
{
    struct cluster *cluster = collector->cluster;
    const struct decision *decisions;
    int64_t began_us = now_us(), at_ms = now_ms(CLOCK_BOOTTIME), took_us;
    size_t n;
    int r;

    control_drain(collector->control, at_ms);
    follow_values(&collector->values, control_values(collector->control), cluster,
                  collector->record);
    poller_set_values(collector->poller, collector->values.asks);
    cluster_evaluate(cluster, round, at_ms, &decisions, &n);
    follow_wishes(collector);
    journal_nodes(&collector->journal, cluster);
    journal_decisions(&collector->journal, cluster, decisions, n);
    journal_observers(&collector->journal, cluster);
    control_seeds(collector->control, region_watch_regions(collector->regions), at_ms);
    if (region_watch_judge(collector->regions, cluster, control_values(collector->control), at_ms))
        cluster->dirty = true;
    r = publish(collector, round, at_ms);
    control_published(collector->control, r);
    follow_members(collector);
    collector->judged_ms = at_ms;

    took_us = now_us() - began_us;
    collector->figures.round_us_sum += (uint64_t)took_us;
    if ((uint64_t)took_us > collector->figures.round_us_max)
        collector->figures.round_us_max = (uint64_t)took_us;
    collector->rest_until_us = began_us + took_us * (1 + REST_TIMES);
    return r;
}

/*
 * This process did not run for longer than a view counts (a paused VM, a stopped process): every
 * view has aged without the nodes' doing. As at the start, nothing is judged before a pass of polls
 * has ended; meanwhile what is published ages.
 */
static bool overslept(const struct collector *collector)
{
    return now_ms(CLOCK_BOOTTIME) - collector->judged_ms >
           collector->conf->view_ttl_ms + collector->conf->interval_ms;
}

/* Neither before the first pass of polls, nor where another one is waited for. */
static bool may_judge(const struct collector *collector)
{
    return collector->ready && !collector->waking && !overslept(collector);
}

static int on_soon(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct collector *collector = userdata;

    (void)source;
    (void)usec;
    if (may_judge(collector))
        judge(collector, false);
    return 0;
}

/* What operators have said, or what ends: published before they are answered. */
static int on_values(void *userdata)
{
    struct collector *collector = userdata;

    collector->cluster->dirty = true;
    return may_judge(collector) ? judge(collector, false) : 1;
}

static void judge_soon(struct collector *collector)
{
    int enabled = SD_EVENT_OFF;
    int64_t rest_us = collector->rest_until_us - now_us();

    sd_event_source_get_enabled(collector->soon, &enabled);
    if (enabled != SD_EVENT_OFF)
        return;
    sd_event_source_set_time_relative(collector->soon,
                                      (uint64_t)(rest_us > SOON_US ? rest_us : SOON_US));
    sd_event_source_set_enabled(collector->soon, SD_EVENT_ONESHOT);
}

static void on_done(struct observation *observation, void *userdata)
{
    struct collector *collector = userdata;
    bool changed = cluster_ingest(collector->cluster, observation, now_ms(CLOCK_BOOTTIME));

    if (control_follow_cluster(collector->control)) {
        region_watch_forget(collector->regions);
        record_decision(collector->record, "collector", NULL, "values set aside",
                        "this host's node is of another cluster now", NULL);
    }
    if (!changed)
        return;
    follow_wishes(collector);
    if (collector->ready)
        judge_soon(collector);
    else
        follow_members(collector);
}

/* Another region, who leads, the permit or a job: documents say so. */
static void on_elsewhere(void *userdata)
{
    struct collector *collector = userdata;

    collector->cluster->dirty = true;
    if (collector->ready)
        judge_soon(collector);
}

static void on_round(void *userdata)
{
    struct collector *collector = userdata;

    if (!collector->ready && !poller_first_pass_done(collector->poller)) {
        notify_starting(collector->conf);
        return;
    }
    if (collector->ready && !collector->waking && overslept(collector)) {
        log_warning("did not run for %lld ms; asking everybody anew",
                    (long long)(now_ms(CLOCK_BOOTTIME) - collector->judged_ms));
        collector->waking = true;
        return;
    }
    collector->waking = false;
    judge(collector, true);
    control_remember(collector->control, poller_local(collector->poller));
    acting_follow(collector->acting);
    journal_status(&collector->journal, collector->cluster,
                   observer_suspended(control_values(collector->control)),
                   collector->publisher.last_error);
    notify_ready(collector);
    notify_round(&collector->notify);
}

static bool on_state(const struct prober_addr *host, const struct http_answer *answer, bool again,
                     void *userdata)
{
    struct collector *collector = userdata;

    return take_values(collector->control, host, answer, again);
}

static int start_polling(struct collector *collector, const struct conf *conf, struct poller **ret)
{
    /* Who polls every node itself does so as it polls its own, unless told otherwise. */
    bool own = conf->peers_mode == PEERS_MESH || *conf->peers.user || *conf->peers.ca_file;
    const struct conf_login *peers = own ? &conf->peers : &conf->local;
    const struct poller_settings settings = {
        .interval_ms = conf->interval_ms,
        .timeout_ms = conf->timeout_ms,
        .membership_ms = conf->membership_ms,
        .local_url = conf->local_source,
        .local_user = conf->local.user,
        .local_password = conf->local.password,
        .local_ca_file = conf->local.ca_file,
        .peer_url = conf->peers_mode == PEERS_OFF ? "" : conf->peers_url,
        .mesh = conf->peers_mode == PEERS_MESH,
        .peer_user = peers->user,
        .peer_password = peers->password,
        .peer_ca_file = peers->ca_file,
        .local = &collector->known,
    };
    const struct poller_handlers handlers = {
        .done = on_done, .round = on_round, .state = on_state, .userdata = collector};

    return poller_new(collector->event, &settings, &handlers, ret);
}

static int open_segment(struct collector *collector)
{
    const char *path = collector->conf->segment_path;
    int r = prober_segment_writer_open(path, &collector->writer);

    if (r == -EBUSY)
        log_error("%s: another collector is running (it holds %s.lock)", path, path);
    else if (r < 0)
        log_error("cannot open %s or %s.lock: %s", path, path, strerror(-r));
    else if (prober_segment_writer_took_over(collector->writer))
        log_info("%s: taken over with %zu documents", path,
                 prober_segment_writer_documents(collector->writer));
    return r;
}

static int start(struct collector *collector)
{
    int r;

    collector->publisher.writer = collector->writer;
    collector->cluster = cluster_new(&collector->conf->readiness);
    if (!collector->cluster)
        return -ENOMEM;
    follow_wall_clock(collector);
    r = record_new(collector->event, collector->conf->state_path, &collector->record);
    if (r < 0)
        return r;
    collector->journal.record = collector->record;
    record_decision(collector->record, "collector", NULL, "started", "version " PROBER_VERSION,
                    NULL);
    add_static_peers(collector->conf, collector->cluster);
    r = control_new(collector->event, collector->conf, collector->cluster, on_values, collector,
                    &collector->known, &collector->control);
    if (r < 0)
        return r;
    r = acting_new(collector->event, collector->conf, collector->cluster, collector->control,
                   collector->record,
                   &(struct acting_handlers){fill_context, on_elsewhere, collector},
                   &collector->acting);
    if (r < 0)
        return r;
    control_set_record(collector->control, collector->record);
    follow_values(&collector->values, control_values(collector->control), collector->cluster,
                  collector->record);
    /* So that the others are asked at once, also while the local node is down. */
    if (collector->conf->peers_mode != PEERS_OFF)
        prober_segment_writer_each(collector->writer, follow_recalled, collector->cluster);
    r = sd_event_add_time(collector->event, &collector->soon, CLOCK_MONOTONIC, 0, 1000, on_soon,
                          collector);
    if (r < 0)
        return r;
    sd_event_source_set_enabled(collector->soon, SD_EVENT_OFF);
    r = start_polling(collector, collector->conf, &collector->poller);
    if (r < 0)
        return r;
    control_set_poller(collector->control, collector->poller);
    acting_set_poller(collector->acting, collector->poller, false);
    r = region_watch_new(collector->event, collector->conf, on_elsewhere, collector,
                         &collector->regions);
    if (r == 0)
        region_watch_set_record(collector->regions, collector->record);
    return r;
}

int collector_new(sd_event *event, struct conf *conf, struct collector **ret)
{
    struct collector *collector = calloc(1, sizeof(*collector));
    int r;

    if (!collector) {
        conf_free(conf);
        return -ENOMEM;
    }
    collector->event = sd_event_ref(event);
    collector->conf = conf;
    notify_init(&collector->notify);
    notify_configure(&collector->notify, conf);
    notify_starting(conf);
    r = open_segment(collector);
    if (r == 0) {
        r = start(collector);
        if (r < 0)
            log_error("cannot start: %s", strerror(-r));
    }
    if (r < 0) {
        collector_free(collector);
        return r;
    }
    *ret = collector;
    return 0;
}

int collector_reload(struct collector *collector, struct conf *conf)
{
    bool local_changed = strcmp(conf->local_source, collector->conf->local_source) != 0;
    struct poller *poller;
    int r;

    if (strcmp(conf->segment_path, collector->conf->segment_path) != 0)
        log_warning("segment.path changes with a restart only; keeping %s",
                    collector->conf->segment_path);
    collector->known = local_changed ? (struct poller_local){0} : *poller_local(collector->poller);
    r = start_polling(collector, conf, &poller);
    if (r < 0) {
        log_error("reload: cannot poll as configured: %s; keeping the old configuration",
                  strerror(-r));
        conf_free(conf);
        collector->figures.reload_failures++;
        return r;
    }
    free(conf->segment_path);
    conf->segment_path = collector->conf->segment_path;
    collector->conf->segment_path = NULL;
    poller_free(collector->poller);
    collector->poller = poller;
    control_set_poller(collector->control, poller);
    acting_configure(collector->acting, conf);
    acting_set_poller(collector->acting, poller, local_changed);
    r = region_watch_configure(collector->regions, conf);
    if (r < 0)
        log_error("reload: cannot ask the other regions: %s", strerror(-r));
    control_configure(collector->control, conf);
    conf_free(collector->conf);
    collector->conf = conf;
    followed_membership_free(&collector->members);
    notify_configure(&collector->notify, conf);
    if (!collector->ready)
        notify_starting(conf);
    cluster_set_readiness(collector->cluster, &conf->readiness);
    cluster_unfix(collector->cluster, local_changed);
    add_static_peers(collector->conf, collector->cluster);
    follow_members(collector);
    collector->publisher.published = false; /* documents depend on the configuration, too */
    collector->figures.reloads++;
    record_decision(collector->record, "collector", NULL, "configuration read again", NULL,
                    "SIGHUP");
    return 0;
}

bool collector_is_ready(const struct collector *collector)
{
    return collector->ready;
}

void collector_reload_refused(struct collector *collector)
{
    collector->figures.reload_failures++;
    record_decision(collector->record, "collector", NULL,
                    "configuration refused, the old one stays", "the journal says why", "SIGHUP");
}

struct collector *collector_free(struct collector *collector)
{
    if (!collector)
        return NULL;
    acting_free(collector->acting);
    control_free(collector->control);
    region_watch_free(collector->regions);
    poller_free(collector->poller);
    sd_event_source_disable_unref(collector->soon);
    cluster_free(collector->cluster);
    publisher_free(&collector->publisher);
    seeds_file_free(&collector->seeds_file);
    prober_segment_writer_close(collector->writer);
    followed_membership_free(&collector->members);
    journal_free(&collector->journal);
    followed_values_free(&collector->values);
    record_free(collector->record);
    history_free(&collector->history);
    conf_free(collector->conf);
    sd_event_unref(collector->event);
    free(collector);
    return NULL;
}

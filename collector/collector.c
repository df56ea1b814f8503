#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "collector_private.h"
#include "log.h"

#define AGENT_RETRY_MS 2000

/* The first complete round: from here on documents are ours. */
static void notify_ready(struct collector *collector)
{
    if (collector->ready)
        return;
    collector->ready = true;
    sd_notify(0, "READY=1");
    log_info("ready: %s", collector->journal.status.data ? collector->journal.status.data : "");
}

static void on_done(struct observation *observation, void *userdata)
{
    struct collector *collector = userdata;
    bool changed =
        cluster_ingest(collector->cluster, observation, collector_now_ms(CLOCK_BOOTTIME));

    if (control_follow_cluster(collector->control)) {
        region_watch_forget(collector->regions);
        record_decision(collector->record, "collector", NULL, "values set aside",
                        "this host's node is of another cluster now", NULL);
    }
    if (!changed)
        return;
    collector_follow_wishes(collector);
    if (collector->ready)
        collector_judge_soon(collector);
    else
        collector_follow_members(collector);
}

/* Another region, who leads, the permit or a job: documents say so. */
static void on_elsewhere(void *userdata)
{
    struct collector *collector = userdata;

    collector->cluster->dirty = true;
    if (collector->ready)
        collector_judge_soon(collector);
}

static bool may_judge(void *userdata)
{
    return collector_may_judge(userdata);
}

/* HAProxy's agent checks. Nothing is said from data that is not to be judged by, nor of an own node
 * that nobody has asked yet who it is. */
static bool on_agent(const struct prober_addr *address, char line[AGENT_LINE_LEN], void *userdata)
{
    const struct collector *collector = userdata;
    const struct cluster *cluster = collector->cluster;

    if (!collector_may_judge(collector) ||
        (!address && !cluster->local && cluster->last_local.result == POLL_NEVER))
        return false;
    return agent_line(address ? cluster_find(cluster, address) : cluster->local, line);
}

/* A port that was taken may be free by now. */
static void retry_agent(struct collector *collector)
{
    int64_t now_ms = collector_now_ms(CLOCK_BOOTTIME);

    if (collector->agent || now_ms - collector->agent_tried_ms < AGENT_RETRY_MS)
        return;
    collector->agent_tried_ms = now_ms;
    agent_retry(&collector->agent, collector->event, collector->conf, on_agent, collector);
}

static void on_round(void *userdata)
{
    struct collector *collector = userdata;

    retry_agent(collector);
    if (!collector->ready && !poller_first_pass_done(collector->poller)) {
        notify_starting(collector->conf);
        return;
    }
    if (collector->ready && !collector->waking && collector_overslept(collector)) {
        log_warning("did not run for %lld ms; asking everybody anew",
                    (long long)(collector_now_ms(CLOCK_BOOTTIME) - collector->judged_ms));
        collector->waking = true;
        return;
    }
    collector->waking = false;
    collector_judge(collector, true);
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
    collector_follow_wall_clock(collector);
    r = record_new(collector->event, collector->conf->state_path, &collector->record);
    if (r < 0)
        return r;
    collector->journal.record = collector->record;
    record_decision(collector->record, "collector", NULL, "started", "version " PROBER_VERSION,
                    NULL);
    add_static_peers(collector->conf, collector->cluster);
    r = control_new(collector->event, collector->conf, collector->cluster, collector_on_values,
                    collector, &collector->known, &collector->control);
    if (r < 0)
        return r;
    r = acting_new(collector->event, collector->conf, collector->cluster, collector->control,
                   collector->record,
                   &(struct acting_handlers){collector_context, on_elsewhere, may_judge, collector},
                   &collector->acting);
    if (r < 0)
        return r;
    control_set_record(collector->control, collector->record);
    follow_values(&collector->values, control_values(collector->control), collector->cluster,
                  collector->record);
    /* So that the others are asked at once, also while the local node is down. */
    if (collector->conf->peers_mode != PEERS_OFF)
        prober_segment_writer_each(collector->writer, follow_recalled, collector->cluster);
    r = collector_judge_soon_new(collector);
    if (r < 0)
        return r;
    r = start_polling(collector, collector->conf, &collector->poller);
    if (r < 0)
        return r;
    control_set_poller(collector->control, collector->poller);
    collector_follow_members(collector);
    agent_follow(&collector->agent, collector->event, collector->conf, on_agent, collector);
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
    collector_follow_members(collector);
    agent_follow(&collector->agent, collector->event, collector->conf, on_agent, collector);
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
    agent_free(collector->agent);
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

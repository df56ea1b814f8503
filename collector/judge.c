/* What comes in is judged, and published. */
#include <errno.h>
#include <stdlib.h>

#include "collector_private.h"
#include "log.h"

/* Changes that come together are judged together; after a judgement between rounds comes a rest of
 * so many times what it took, so that a large cluster in turmoil costs no more than that share. */
#define SOON_US    10000
#define REST_TIMES 20

/* A step of the time of day larger than this shows in documents. */
#define WALL_STEP_MS 2000

int64_t collector_now_ms(clockid_t clock)
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
void collector_follow_wall_clock(struct collector *collector)
{
    int64_t offset = collector_now_ms(CLOCK_REALTIME) - collector_now_ms(CLOCK_BOOTTIME);

    if (llabs(offset - collector->wall_offset_ms) <= WALL_STEP_MS)
        return;
    collector->wall_offset_ms = collector->cluster->wall_offset_ms = offset;
    collector->publisher.published = false;
}

void collector_follow_members(struct collector *collector)
{
    if (follow_membership(&collector->members, collector->conf, collector->cluster,
                          collector->poller))
        control_remember_soon(collector->control);
}

void collector_follow_wishes(struct collector *collector)
{
    struct cluster *cluster = collector->cluster;

    if (cluster->wants_detail)
        poller_want_detail(collector->poller);
    if (cluster->wants_views)
        poller_want_views(collector->poller);
    cluster->wants_detail = cluster->wants_views = false;
}

void collector_context(void *userdata, struct render_context *ret)
{
    struct collector *collector = userdata;

    *ret = (struct render_context){
        .cluster = collector->cluster,
        .now_ms = collector_now_ms(CLOCK_BOOTTIME),
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
        .metrics_opinions = collector->conf->metrics_opinions,
    };
}

static int publish(struct collector *collector, bool round, int64_t at_ms)
{
    struct render_context context;
    int before = collector->publisher.last_error, r;

    collector_follow_wall_clock(collector);
    collector_context(collector, &context);
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

int collector_judge(struct collector *collector, bool round)
{
    struct cluster *cluster = collector->cluster;
    const struct decision *decisions;
    int64_t began_us = now_us(), at_ms = collector_now_ms(CLOCK_BOOTTIME), took_us;
    size_t n;
    int r;

    control_drain(collector->control, at_ms);
    follow_values(&collector->values, control_values(collector->control), cluster,
                  collector->record);
    poller_set_values(collector->poller, collector->values.asks);
    cluster_evaluate(cluster, round, at_ms, &decisions, &n);
    collector_follow_wishes(collector);
    journal_nodes(&collector->journal, cluster);
    journal_decisions(&collector->journal, cluster, decisions, n);
    journal_observers(&collector->journal, cluster);
    control_seeds(collector->control, region_watch_regions(collector->regions), at_ms);
    if (region_watch_judge(collector->regions, cluster, control_values(collector->control), at_ms))
        cluster->dirty = true;
    r = publish(collector, round, at_ms);
    control_published(collector->control, r);
    collector_follow_members(collector);
    collector->judged_ms = at_ms;

    took_us = now_us() - began_us;
    collector->figures.round_us_sum += (uint64_t)took_us;
    if ((uint64_t)took_us > collector->figures.round_us_max)
        collector->figures.round_us_max = (uint64_t)took_us;
    collector->rest_until_us = began_us + took_us * (1 + REST_TIMES);
    return r;
}

bool collector_overslept(const struct collector *collector)
{
    return collector_now_ms(CLOCK_BOOTTIME) - collector->judged_ms >
           collector->conf->view_ttl_ms + collector->conf->interval_ms;
}

bool collector_may_judge(const struct collector *collector)
{
    return collector->ready && !collector->waking && !collector_overslept(collector);
}

static int on_soon(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct collector *collector = userdata;

    (void)source;
    (void)usec;
    if (collector_may_judge(collector))
        collector_judge(collector, false);
    return 0;
}

int collector_on_values(void *userdata)
{
    struct collector *collector = userdata;

    collector->cluster->dirty = true;
    return collector_may_judge(collector) ? collector_judge(collector, false) : 1;
}

void collector_judge_soon(struct collector *collector)
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

int collector_judge_soon_new(struct collector *collector)
{
    int r = sd_event_add_time(collector->event, &collector->soon, CLOCK_MONOTONIC, 0, 1000, on_soon,
                              collector);

    return r < 0 ? r : sd_event_source_set_enabled(collector->soon, SD_EVENT_OFF);
}

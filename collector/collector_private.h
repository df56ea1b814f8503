/* What collector.c (its life, whom it asks) and judge.c (what it makes of the answers) share. */
#ifndef COLLECTOR_PRIVATE_H
#define COLLECTOR_PRIVATE_H

#include <time.h>

#include "acting/acting.h"
#include "collector.h"
#include "control.h"
#include "control/agent.h"
#include "control/seeds_file.h"
#include "follow_membership.h"
#include "follow_values.h"
#include "journal.h"
#include "measure.h"
#include "notify.h"
#include "prober_segment_writer.h"
#include "publish/publish.h"
#include "record.h"
#include "region_watch.h"
#include "sources/poller.h"

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
    struct agent *agent;     /* NULL = nobody listens */
    int64_t agent_tried_ms;  /* CLOCK_BOOTTIME: when it could not listen */
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

int64_t collector_now_ms(clockid_t clock);

/* What is added to CLOCK_BOOTTIME in documents follows the time of day. */
void collector_follow_wall_clock(struct collector *collector);

/* Who is to be polled follows who is known. */
void collector_follow_members(struct collector *collector);

/* Asks for what the cluster has got a reason to. */
void collector_follow_wishes(struct collector *collector);

/* What documents, and the gates, are made from. `userdata`: the collector. */
void collector_context(void *userdata, struct render_context *ret);

/* Judges what is known and publishes what changed. A negative errno: that cannot be published. */
int collector_judge(struct collector *collector, bool round);

/*
 * This process did not run for longer than a view counts (a paused VM, a stopped process): every
 * view has aged without the nodes' doing. As at the start, nothing is judged before a pass of polls
 * has ended; meanwhile what is published ages.
 */
bool collector_overslept(const struct collector *collector);

/* Neither before the first pass of polls, nor where another one is waited for. */
bool collector_may_judge(const struct collector *collector);

/* What operators have said, or what ends: published before they are answered. */
int collector_on_values(void *userdata);

/* So that collector_judge_soon() has its timer. A negative errno. */
int collector_judge_soon_new(struct collector *collector);

/* Judges between rounds, in a moment. */
void collector_judge_soon(struct collector *collector);

#endif

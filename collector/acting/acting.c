#include "acting.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "coordination.h"
#include "job_runner.h"

struct acting {
    const struct conf *conf;
    const struct cluster *cluster;
    struct control *control;
    struct coordination *coordination;
    struct follow_keyspaces *keyspaces;
    struct units *units;
    struct job_runner *jobs;
    struct acting_handlers handlers;
};

static void on_changed(void *userdata)
{
    struct acting *acting = userdata;

    acting->handlers.changed(acting->handlers.userdata);
}

static bool is_suspended(void *userdata)
{
    const struct acting *acting = userdata;

    return observer_suspended(control_values(acting->control));
}

static void on_repaired(const char *node, const char *who, void *userdata)
{
    const struct acting *acting = userdata;
    char key[VALUES_KEY_LEN];

    snprintf(key, sizeof(key), "repaired/%s", node);
    control_set(acting->control, key, "true", who);
}

static void fill_context(void *userdata, struct render_context *ret)
{
    const struct acting *acting = userdata;

    acting->handlers.context(acting->handlers.userdata, ret);
}

static bool may_judge(void *userdata)
{
    const struct acting *acting = userdata;

    return acting->handlers.may_judge(acting->handlers.userdata);
}

static int start_coordination(struct acting *acting, sd_event *event, struct record *record)
{
    const struct coordination_settings settings = {
        .event = event,
        .conf = acting->conf,
        .cluster = acting->cluster,
        .record = record,
        .context = fill_context,
        .changed = on_changed,
        .may_judge = may_judge,
        .userdata = acting,
    };
    int r = coordination_new(&settings, &acting->coordination);

    control_set_coordination(acting->control, acting->coordination);
    return r;
}

static int start_jobs(struct acting *acting, sd_event *event, struct record *record)
{
    struct job_runner_settings settings = {
        .event = event,
        .conf = acting->conf,
        .cluster = acting->cluster,
        .store = coordination_store(acting->coordination),
        .leader = coordination_leader(acting->coordination),
        .permits = coordination_permits(acting->coordination),
        .record = record,
        .suspended = is_suspended,
        .repaired = on_repaired,
        .changed = on_changed,
        .userdata = acting,
    };
    int r = units_new(event, &acting->units);

    settings.units = acting->units;
    if (r >= 0)
        r = job_runner_new(&settings, &acting->jobs);
    control_set_jobs(acting->control, acting->jobs);
    return r;
}

int acting_new(sd_event *event, const struct conf *conf, const struct cluster *cluster,
               struct control *control, struct record *record,
               const struct acting_handlers *handlers, struct acting **ret)
{
    struct acting *acting = calloc(1, sizeof(*acting));
    int r;

    if (!acting)
        return -ENOMEM;
    acting->conf = conf;
    acting->cluster = cluster;
    acting->control = control;
    acting->handlers = *handlers;
    r = follow_keyspaces_new(event, &acting->keyspaces);
    if (r >= 0)
        r = start_coordination(acting, event, record);
    if (r >= 0)
        r = start_jobs(acting, event, record);
    if (r < 0) {
        acting_free(acting);
        return r;
    }
    *ret = acting;
    return 0;
}

void acting_follow(struct acting *acting)
{
    coordination_follow(acting->coordination, acting->conf, control_host(acting->control));
    control_act(acting->control);
}

void acting_configure(struct acting *acting, const struct conf *conf)
{
    coordination_configure(acting->conf, conf);
    job_runner_configure(acting->jobs, conf);
    acting->conf = conf;
}

void acting_set_poller(struct acting *acting, struct poller *poller, bool local_changed)
{
    follow_keyspaces_set_poller(acting->keyspaces, poller, acting->conf->membership_ms,
                                local_changed);
}

const struct keyspaces *acting_keyspaces(const struct acting *acting)
{
    return follow_keyspaces_current(acting->keyspaces);
}

const struct permit *acting_permit(const struct acting *acting)
{
    return coordination_permit(acting->coordination);
}

const struct jobs_shown *acting_jobs(struct acting *acting)
{
    return acting && acting->jobs ? job_runner_shown(acting->jobs) : NULL;
}

struct acting *acting_free(struct acting *acting)
{
    if (!acting)
        return NULL;
    control_set_coordination(acting->control, NULL);
    control_set_jobs(acting->control, NULL);
    units_free(acting->units);
    job_runner_free(acting->jobs);
    coordination_free(acting->coordination);
    follow_keyspaces_free(acting->keyspaces);
    free(acting);
    return NULL;
}

/*
 * Cluster jobs on this host: follows the job in the coordination store, runs its unit when it is
 * the local node's turn, moves it on while this host leads, and answers POST and DELETE /jobs/TYPE.
 * What may happen when is in model/jobs.h.
 */
#ifndef JOB_RUNNER_H
#define JOB_RUNNER_H

#include <systemd/sd-event.h>

#include "conf.h"
#include "control/socket.h"
#include "publish/render_jobs.h"
#include "record.h"
#include "store/leader.h"
#include "store/permit_store.h"
#include "store/store.h"
#include "units.h"

#define JOBS_PATH "/jobs/"

struct job_runner;

/* All borrowed, and to stay. */
struct job_runner_settings {
    sd_event *event;
    const struct conf *conf; /* until job_runner_configure() */
    const struct cluster *cluster;
    struct store *store;
    const struct leader *leader;
    struct permits *permits;
    struct units *units;
    struct record *record;
    bool (*suspended)(void *userdata);
    /* A repair job has been on that node. NULL = nobody wants to know. */
    void (*repaired)(const char *node, const char *who, void *userdata);
    void (*changed)(void *userdata); /* there is something else to be shown: publish */
    void *userdata;
};

int job_runner_new(const struct job_runner_settings *settings, struct job_runner **ret);

/* Free the units first, and the store later. Requests that wait are answered. Accepts NULL; returns
 * NULL. */
struct job_runner *job_runner_free(struct job_runner *runner);

void job_runner_configure(struct job_runner *runner, const struct conf *conf);

/* Borrowed until the loop goes on. */
const struct jobs_shown *job_runner_shown(struct job_runner *runner);

/* Answers a request for JOBS_PATH…, at once or later. */
void job_runner_request(struct job_runner *runner, struct control_request *request);

#endif

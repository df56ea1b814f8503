/*
 * Carries out the run state of this host's own node: by systemd, with a permit of the whole
 * cluster, once per version of the value. What was begun is written beside the state file first, so
 * a version is never carried out twice, also by a collector that was killed.
 *
 *   RUN        starts the unit; the permit is over when the node is ready
 *   STOP       stops it, and gives the permit back when its process is gone and somebody has seen
 *              it down: not by what systemd answers, which may be late or lost; or when systemd has
 *              failed to, and the unit runs on
 *   RESTART    restarts it, and sets the run state back to RUN; the permit is over when the node is
 *              ready again
 *   TERMINATE  as STOP
 *
 * What the permit refuses is asked for again and again until another version comes.
 */
#ifndef RUN_STATE_H
#define RUN_STATE_H

#include "model/values.h"
#include "store/permit_store.h"
#include "units.h"

struct run_states;

struct run_state_settings {
    sd_event *event;
    const char *state_path; /* copied; ".runstate" comes after it */
    struct cluster *cluster;
    struct permits *permits;
    /* Sets the value of a key, as the collector itself, unless something was said since the version
     * with the counter `after`. 0: it will be. */
    int (*set)(const char *key, const char *text, uint64_t after, void *userdata);
    bool (*suspended)(void *userdata); /* nothing may be done; asked right before it is */
    void (*changed)(void *userdata);   /* judge and publish */
    void *userdata;
};

int run_state_new(const struct run_state_settings *settings, struct run_states **ret);

/* Accepts NULL; returns NULL. */
struct run_states *run_state_free(struct run_states *run_state);

/* Acts on what run_states_apply() has made of the values, if there is anything to do: once a round.
 * `unit`: Cassandra's; copied. */
void run_state_act(struct run_states *run_state, const char *unit);

#endif

/*
 * What may be once in the whole cluster, on this host: the store, who leads, and the permit, which
 * is asked for on the control socket: POST and DELETE /may-start/ADDRESS and /may-stop/ADDRESS.
 */
#ifndef COORDINATION_H
#define COORDINATION_H

#include <systemd/sd-event.h>

#include "conf.h"
#include "control/socket.h"
#include "publish/render.h"
#include "record.h"
#include "store/leader.h"
#include "store/permit_store.h"
#include "store/store.h"

#define MAY_START_PATH "/may-start/"
#define MAY_STOP_PATH  "/may-stop/"

struct coordination;

struct coordination_settings {
    sd_event *event;
    const struct conf *conf; /* used by coordination_new() only */
    const struct cluster *cluster;
    struct record *record; /* where what is decided goes */
    /* What the gates are asked with. */
    void (*context)(void *userdata, struct render_context *ret);
    void (*changed)(void *userdata); /* who leads, or the permit, is another one: publish */
    /* What is known of nodes is of now: not before the first round, nor after the host slept. */
    bool (*may_judge)(void *userdata);
    void *userdata;
};

int coordination_new(const struct coordination_settings *settings, struct coordination **ret);

/* Requests that wait are answered. Accepts NULL; returns NULL. */
struct coordination *coordination_free(struct coordination *coordination);

/* Brings it up to what is known of the cluster; `host_id` is this host's. Call it once a round. */
void coordination_follow(struct coordination *coordination, const struct conf *conf,
                         const char *host_id);

/* Another configuration: its section "coordination" counts with a restart, which is told. */
void coordination_configure(const struct conf *before, const struct conf *conf);

/* The permit as last seen, for documents; NULL = nobody holds one, or it is over. */
const struct permit *coordination_permit(const struct coordination *coordination);

/* Whether the path is asked for here. */
bool coordination_wants(const char *path);
/* Answers the request, at once or later. */
void coordination_request(struct coordination *coordination, struct control_request *request);

/* They stay as long as it does. */
struct store *coordination_store(const struct coordination *coordination);
struct leader *coordination_leader(const struct coordination *coordination);
struct permits *coordination_permits(const struct coordination *coordination);

#endif

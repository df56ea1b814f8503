/*
 * Who holds the values: those in force, those that wait for the disk, and the state file.
 *
 * A change counts when the file that has it is on disk: then it is in force, published, and its
 * `done` is called. Changes that come while a write runs go into the next one. What other hosts
 * have said is in force at once and saved by and by.
 */
#ifndef OPERATOR_STATE_H
#define OPERATOR_STATE_H

#include <systemd/sd-event.h>

#include "model/cluster.h"
#include "model/values.h"
#include "sources/poller.h"

struct operator_state;

enum change_end {
    CHANGE_DONE = 0,    /* on disk, in force and published */
    CHANGE_UNPUBLISHED, /* on disk and in force, and cannot be published */
    CHANGE_UNWRITTEN,   /* it cannot be written: nothing has changed */
    CHANGE_UNTAKEN,     /* nor taken into force, for want of room or memory: nothing has changed */
    CHANGE_OPEN,        /* the collector ends: on disk or not */
};

/* A change ended, `error` (a negative errno) says why so. */
typedef void (*operator_done)(enum change_end end, int error, void *userdata);

struct operator_state_handlers {
    /* The values in force are others now: publish them. Changes are done after it returns. A
     * negative errno: they cannot be published. */
    int (*changed)(void *userdata);
    /* What goes into the state file besides. *ret_local is borrowed. */
    const struct cluster *(*hints)(const struct poller_local **ret_local, void *userdata);
    void *userdata;
};

/* Reads the state file, and recalls what it hints at. Whatever is wrong with the file is logged,
 * and not an error. */
int operator_state_new(sd_event *event, const char *path,
                       const struct operator_state_handlers *handlers, struct cluster *cluster,
                       struct poller_local *ret_local, struct operator_state **ret);

/* Waits for the write that runs. Changes that wait end with -ECANCELED. Accepts NULL; returns
 * NULL. */
struct operator_state *operator_state_free(struct operator_state *state);

/* Those in force. Borrowed until the next call that changes them. */
const struct values *operator_state_values(const struct operator_state *state);

/*
 * Queues a change, made by `host`. `done` (or NULL, when nobody waits) is called later, never from
 * here. -EINVAL: no such key or a wrong value; -ENOSPC: too many keys; -ENOMEM: nothing queued.
 */
int operator_state_change(struct operator_state *state, const struct value_change *change,
                          const char *host, operator_done done, void *userdata);

/*
 * Takes over what GET /state of another host said. 1: something is in force that was not; 0:
 * nothing new; a negative errno: `why` says what is wrong with it.
 */
int operator_state_merge(struct operator_state *state, const char *body, size_t len,
                         char why[DETAIL_LEN]);

/* Saves the hints when they differ from what was saved last; drops what ended long ago. */
void operator_state_save(struct operator_state *state);

#endif

/*
 * Units of this host's systemd, by sd-bus: starting, stopping and restarting them and waiting for
 * how that ends. What may be done is what the polkit rule allows the collector's user, which is
 * named units alone.
 *
 * What a unit is asked for is in force until it has ended, however long that takes, and also when
 * this process is gone: who comes back asks unit_look(), or for the same once more, as systemd
 * makes one job of two that are the same.
 */
#ifndef UNITS_H
#define UNITS_H

#include <stdbool.h>
#include <systemd/sd-event.h>

struct units;

enum unit_verb {
    UNIT_START = 0,
    UNIT_STOP,
    UNIT_RESTART,
};

enum unit_end {
    UNIT_UNKNOWN = 0, /* the bus is gone, or no answer: ask unit_look() */
    UNIT_DONE,        /* the job ended well; for a oneshot: it ran and succeeded */
    UNIT_FAILED,      /* it ran and failed, or was cancelled or skipped */
    UNIT_DENIED,      /* not allowed (polkit), masked, or there is no such unit */
};

const char *unit_verb_word(enum unit_verb verb); /* "start", "stop", "restart" */
const char *unit_end_word(enum unit_end end);    /* "unknown", "done", "failed", "denied" */

struct unit_result {
    enum unit_end end;
    bool skipped;     /* an ExecCondition= or Condition…= said no; end is UNIT_FAILED */
    char detail[192]; /* for a person: "exit status 3", "access denied", … */
};

typedef void (*unit_done)(const struct unit_result *result, void *userdata);

int units_new(sd_event *event, struct units **ret); /* connects when it is needed */
struct units *units_free(struct units *units);      /* accepts NULL; returns NULL */

/* `done` is called once, later, never from here; *not* after units_free(). -ENOMEM. */
int unit_run(struct units *units, const char *name, enum unit_verb verb, unit_done done,
             void *userdata);

struct unit_state {
    bool known;      /* systemd has answered, and there is such a unit */
    char active[24]; /* ActiveState: "active", "inactive", "failed", "activating", … */
    char sub[24];    /* SubState */
    unsigned long long invocation_us; /* ActiveEnterTimestamp, or when its process began, if that
                                         is later (oneshot): time of day in us; 0 = never. Systemd
                                         forgets a oneshot that has ended well. */
};

typedef void (*unit_looked)(const struct unit_state *state, void *userdata);

/* As unit_run(): once, later, not after units_free(). */
int unit_look(struct units *units, const char *name, unit_looked looked, void *userdata);

#endif

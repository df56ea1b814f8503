/*
 * Units of this host's systemd, by sd-bus: starting, stopping and restarting them and waiting for
 * how that ends. What may be done is what the polkit rule allows the collector's user, which is
 * named units alone.
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

struct unit_result {
    enum unit_end end;
    bool skipped;     /* an ExecCondition= or Condition…= said no */
    char detail[192]; /* for a person: "exit status 3", "access denied", … */
};

typedef void (*unit_done)(const struct unit_result *result, void *userdata);

int units_new(sd_event *event, struct units **ret); /* connects when it is needed */
struct units *units_free(struct units *units);      /* accepts NULL; returns NULL */

/* `done` is called once, later, never from here; *not* after units_free(). */
int unit_run(struct units *units, const char *name, enum unit_verb verb, unit_done done,
             void *userdata);

struct unit_state {
    bool known;      /* systemd has answered, and there is such a unit */
    char active[24]; /* ActiveState: "active", "inactive", "failed", "activating", … */
    char sub[24];    /* SubState */
    unsigned long long invocation_us; /* ActiveEnterTimestamp, or when it last ran (oneshot):
                                         time of day in us; 0 = never */
};

typedef void (*unit_looked)(const struct unit_state *state, void *userdata);
int unit_look(struct units *units, const char *name, unit_looked looked, void *userdata);

#endif

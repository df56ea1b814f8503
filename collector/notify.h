/*
 * What the service manager is told of how the work goes on: how long the start may take, and that
 * the watchdog need not bite.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdint.h>

#include "conf.h"

struct notify {
    uint64_t asked_us;    /* the watchdog, as whoever started this has it; 0 = nobody watches */
    uint64_t watchdog_us; /* the same, made as long as rounds need */
    int64_t fed_us;       /* CLOCK_MONOTONIC */
};

void notify_init(struct notify *notify);

/* Rounds are as this says from now on: nobody is to take rare ones for a hang. */
void notify_configure(struct notify *notify, const struct conf *conf);

/* The first round is not there yet. It may take longer than a start is given, when polls may. */
void notify_starting(const struct conf *conf);

/*
 * A round has ended. Fed by finished work: what keeps a round from its end starves the watchdog.
 * Not at every round, since sd_notify() waits while the queue of a busy service manager is full.
 */
void notify_round(struct notify *notify);

#endif

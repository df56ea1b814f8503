/*
 * One running collector: observations come in from the poller, the cluster judges them, documents
 * go out. Everything runs on one sd-event loop.
 */
#ifndef COLLECTOR_H
#define COLLECTOR_H

#include <systemd/sd-event.h>

#include "conf.h"

struct collector;

/*
 * Opens the segment and starts polling. Takes `conf` over (also on an error). -EBUSY: another
 * collector has the segment. Errors are logged.
 */
int collector_new(sd_event *event, struct conf *conf, struct collector **ret);

/* Uses another configuration; takes it over. The old one stays in force when this fails, which is
 * logged. */
int collector_reload(struct collector *collector, struct conf *conf);

/* The first complete round has been published. */
bool collector_is_ready(const struct collector *collector);

/* A reload was refused before it came here (a bad file): counted in /metrics. */
void collector_reload_refused(struct collector *collector);

struct collector *collector_free(struct collector *collector); /* accepts NULL; returns NULL */

#endif

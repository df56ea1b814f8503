/*
 * Watches the other regions: asks their probers at an interval of its own, keeps what they say, and
 * says whose turn it is.
 */
#ifndef REGION_WATCH_H
#define REGION_WATCH_H

#include <systemd/sd-event.h>

#include "conf.h"
#include "model/regions.h"
#include "model/values.h"
#include "record.h"

struct region_watch;

/* Called when what a region said changes a document. */
typedef void (*region_watch_changed)(void *userdata);

/* Begins to ask as configured. `conf` must stay until region_watch_configure() or _free(). */
int region_watch_new(sd_event *event, const struct conf *conf, region_watch_changed changed,
                     void *userdata, struct region_watch **ret);

/* Where its decisions go. Borrowed; NULL = nowhere, as to begin with. */
void region_watch_set_record(struct region_watch *watch, struct record *record);

/* Another configuration; what is known of the regions that stay is kept. On an error nobody is
 * asked until the next one. */
int region_watch_configure(struct region_watch *watch, const struct conf *conf);

/* What is known of the other regions is of another cluster: all of it goes, and they are asked. */
void region_watch_forget(struct region_watch *watch);

/* Judges and, when something of it is to be kept, writes that. `values`: operators may have said
 * that this region is ready, or not. True when the turn or a state changed. */
bool region_watch_judge(struct region_watch *watch, const struct cluster *cluster,
                        const struct values *values, int64_t now_ms);

const struct regions *region_watch_regions(const struct region_watch *watch);

struct region_watch *region_watch_free(struct region_watch *watch); /* accepts NULL; returns NULL */

#endif

/*
 * Asks another region's prober for /readylocaldcs, /localseeds and /dcs?local, one after the other:
 * what a region says of itself, never what it has heard of others.
 */
#ifndef REGION_SOURCE_H
#define REGION_SOURCE_H

#include "region_answer.h"
#include "source.h"

struct region_source;

/* The answer is borrowed; its lists may be taken by setting them to NULL. began_ms is the
 * caller's. */
typedef void (*region_done)(struct region_answer *answer, void *userdata);

/* `place` is copied; `http` must outlive it. */
int region_source_open(struct http *http, const struct source_place *place,
                       struct region_source **ret);

/* Cancels what runs, without calling `done`. Accepts NULL; returns NULL. */
struct region_source *region_source_close(struct region_source *source);

/* Begins a poll. `done` is called once, later, never from here. 1: the last one still runs. */
int region_source_start(struct region_source *source, int64_t timeout_ms, region_done done,
                        void *userdata);

#endif

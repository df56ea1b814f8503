/* The document /regions, and what is kept of the regions on disk. PURE. */
#ifndef RENDER_REGIONS_H
#define RENDER_REGIONS_H

#include "../model/regions.h"
#include "text.h"

/*
 * {"region":"us","next":"eu","waits":"region eu has its turn first","regions":[
 *  {"name":"eu","own":false,"state":"not ready","was_ready":false,"last_seen":"…Z",
 *   "poll":{"result":"ok"},"seeds":[…],"dcs":[…]},…]}
 * "next" is whose turn it is to begin (null: nobody's), "waits" why this host's region may not
 * (null: it may, or has begun), "last_seen" the time of what the region said last of its readiness.
 * `wall_offset_ms`: add to CLOCK_BOOTTIME to get the time of day.
 */
void render_regions(struct text *text, const struct regions *regions, const char *own,
                    int64_t wall_offset_ms);

/* As region_read_kept() reads it. */
void render_kept_regions(struct text *text, const struct regions *regions);

/* "ready", "not ready", "unreachable", "not asked yet". */
const char *region_state_word(enum region_state state);

void render_dc_list(struct text *text, const struct region_dc *dcs, size_t n);

#endif

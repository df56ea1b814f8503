/* The document /plan. PURE. */
#ifndef RENDER_PLAN_H
#define RENDER_PLAN_H

#include "../model/plan.h"
#include "text.h"

/*
 * {"next":[{"do":"add a node","dc":"dc1","rack":"r2"},{"do":"start","node":"10.0.0.3",…}],
 *  "dcs":[{"name":"dc1","wanted":6,"present":5,…,"racks":[{"name":"r1",…,"add":"it has …"}]}]}
 * "add" and "start" of a rack say "yes", or why not; "start" is null where nobody is down.
 */
void render_plan(struct text *text, const struct plan *plan);

#endif

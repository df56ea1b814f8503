/* The decision log as a document, and as it is kept. PURE. */
#ifndef RENDER_DECISIONS_H
#define RENDER_DECISIONS_H

#include "../model/decisions.h"
#include "text.h"

/* /admin/cluster/observer/decisions: newest first. `host`: the id of the host whose log it is. */
void render_decisions(struct text *text, const struct decisions *decisions, const char *host);

/* The file, for control/decisions_json.h: oldest first. */
void render_kept_decisions(struct text *text, const struct decisions *decisions);

#endif

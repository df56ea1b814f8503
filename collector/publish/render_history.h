/* Histories and reports of nodes as documents. PURE. */
#ifndef RENDER_HISTORY_H
#define RENDER_HISTORY_H

#include "render.h"

/* /history/IP: newest first. */
void render_history(struct text *text, const struct render_context *context,
                    const struct node *node, const struct node_history *history);

/* /admin/cluster/maintenance-stats: how the last poll of every observer went, and all before it. */
void render_reports(struct text *text, const struct render_context *context);

#endif

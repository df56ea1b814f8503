/* The document /matrix: who sees whom, for the page. PURE. */
#ifndef RENDER_MATRIX_H
#define RENDER_MATRIX_H

#include "render.h"

/*
 * {"cluster":"Test","view_ttl_ms":5000,"nodes":[
 *  {"address":"10.0.0.1","dc":"dc1","rack":"r1","verdict":"ready","reasons":[],"since":"…Z",
 *   "observer":"voter","view":"3U"},
 *  {"address":"10.0.0.2",…,"view":null,"missing":"refused"},…]}
 *
 * `view` is what the node says of all nodes, in the order of the list: runs of U (UP), D (DOWN)
 * and ? (no opinion), each after its length unless that is 1: "12UD987U". So a quiet view of any
 * size is a few bytes, and no view is longer than one byte a node. null: there is no fresh view,
 * and `missing` is the word that stands for it in /healthz/IP. `drained`, `seed`, `local` and
 * `repair_needed` are there where they are true. What is shown is no older than `view_ttl_ms`, by
 * which whoever shows it tells old data from data that is let grow old.
 *
 * After render_prepare().
 */
void render_matrix(struct text *text, const struct render_context *context);

#endif

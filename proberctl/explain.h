/* A node's verdict as a sentence, with its evidence and what to do next. */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include <jansson.h>
#include <stdint.h>

/*
 * "10.0.0.3 is not ready since … (4 min): DOWN by 2 of 2. 10.0.0.1 and 10.0.0.2 see it DOWN; its
 * own view cannot be had (refused)." `node` is one of /nodes; `opinions` its /healthz, NULL = not
 * known; `stale_ms` is how old the collector's last sign of life is, 0 = fresh.
 */
void explain(const json_t *node, const json_t *opinions, int64_t stale_ms);

/* What to do about the first reason that has a remedy; NULL = nothing, or nothing is known. */
const char *remedy(const json_t *node);

#endif

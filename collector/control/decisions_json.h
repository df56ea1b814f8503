/*
 * The decision log as it outlives the collector: STATE.decisions beside the state file, which it is
 * no part of, as values must not wait for it.
 */
#ifndef DECISIONS_JSON_H
#define DECISIONS_JSON_H

#include "../model/decisions.h"

/* Reads what render_kept_decisions() made; adds to *decisions. What has not the form of an entry is
 * left out. -EBADMSG: none of ours; -ENOMEM. */
int decisions_json_parse(const char *body, size_t len, struct decisions *decisions);

/*
 * Reads PATH, or when that cannot be read the generation before it (PATH.1). 0: PATH; 1: PATH.1,
 * and *ret_error says what was wrong with PATH; -ENOENT: there is neither; another negative errno:
 * the same, and PATH.1 is no help. -EBADMSG: what was read is none of ours; it is PATH.bad then.
 */
int decisions_load(const char *path, struct decisions *decisions, int *ret_error);

#endif

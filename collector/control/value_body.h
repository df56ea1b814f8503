/*
 * What values may be, by their key: as people send them, and as other hosts tell them.
 */
#ifndef VALUE_BODY_H
#define VALUE_BODY_H

#include <jansson.h>

#include "../model/values.h"

#define VALUE_LINE_LEN 256
#define SEEDS_MAX      1000 /* of a list */

/*
 * Reads what a person sent into the one form that the value of this key has. Owned by the caller.
 * NULL: `line` says in one line what is wrong. `line` is "" to begin with.
 */
json_t *value_body_read(const char *key, const char *body, size_t len, char line[VALUE_LINE_LEN]);

/* Whether a value of this key may be that: in its one form already. */
bool value_body_is(const char *key, const json_t *value);

#endif

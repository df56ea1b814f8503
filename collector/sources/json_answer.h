/* A foreign answer's JSON, read within bounds. PURE. */
#ifndef JSON_ANSWER_H
#define JSON_ANSWER_H

#include <jansson.h>

#include "observation.h"

/*
 * POLL_OK: *ret is the document, owned by the caller (or by the arena, where that is jansson's
 * memory). Otherwise *ret is left alone and `detail` says what was wrong.
 */
enum poll_result json_answer(const char *body, size_t len, json_t **ret, char detail[DETAIL_LEN]);

#endif

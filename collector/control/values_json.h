/*
 * Values as JSON: in the state file, and between hosts in GET /state.
 *
 *   { "format": 1, "cluster": "c", "values": [
 *       { "key": "region/eu/dcs", "value": [ … ], or null, "counter": 7, "host": "UUID",
 *         "user": "ops", "at_ms": 1, "ttl_ms": 0, "until_ms": 0 } ] }
 */
#ifndef VALUES_JSON_H
#define VALUES_JSON_H

#include <jansson.h>

#include "../model/values.h"

/* Bytes of a /state that are read at all. */
#define VALUES_JSON_MAX ((size_t)16 * 1024 * 1024)

/* The array. Owned by the caller; NULL when memory is out. */
json_t *values_json_array(const struct values *values);

/*
 * Merges the versions in an array: *ret_taken says how many were taken. What is no version is
 * skipped, as a newer prober may have keys that this one does not know: `why` says how many, and
 * of the first for what reason ("" = none was). -EBADMSG: not an array, `why` says so.
 */
int values_json_merge(const json_t *array, struct values *values, int64_t wall_ms,
                      size_t *ret_taken, char why[DETAIL_LEN]);

/* The document of GET /state. Owned by the caller (free()); NULL when memory is out. */
char *values_json_document(const struct values *values, const char *cluster);

/*
 * Merges what another host's GET /state said; `why` as above. -EBADMSG: not such a document;
 * -EXDEV: of another cluster.
 */
int values_json_parse(const char *body, size_t len, const char *cluster, struct values *values,
                      int64_t wall_ms, size_t *ret_taken, char why[DETAIL_LEN]);

#endif

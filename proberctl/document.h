/*
 * Documents of the segment, as nginx would answer them, and how old they are.
 */
#ifndef DOCUMENT_H
#define DOCUMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "proberctl.h"

struct document {
    char *body; /* NUL-terminated; NULL = there is none */
    unsigned status;
    int64_t age_ms;       /* of its data */
    int64_t heartbeat_ms; /* age of the collector's last sign of life */
    bool stale;           /* too old to go by */
};

/* 0, -ENOENT (the segment has no such document) or another negative errno: no answer at all, and
 * unless it is `quiet` it said why. */
int document_read(const struct options *options, const char *key, bool quiet, struct document *ret);

/* The same and its JSON, which is complained about when it is missing or none; NULL then. To be
 * released by both document_free() and json_decref(). */
json_t *document_json(const struct options *options, const char *key, struct document *ret);

/* Says on stderr that it is stale and how old, if so. `answer`, or CANNOT_TELL for stale data. */
enum answer document_verdict(const struct document *document, enum answer answer);

void document_free(struct document *document);

/* Which document has the seeds: /allseeds, or where there is none /localseeds, and says so. */
const char *seeds_key(const struct options *options);

#endif

/*
 * The seeds in the text of a cassandra.yaml. Only the value is found and replaced, so that all
 * other bytes stay; what is not understood for certain is an error, never a guess.
 */
#ifndef SEEDS_LINE_H
#define SEEDS_LINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "prober_addr.h"

struct seeds_line {
    size_t start, end; /* of the value in the text, its quotes included */
    size_t line;       /* for people: from 1 */
    char quote;        /* '"', '\'' or 0 = none */
    bool flow;         /* within { } or [ ], where a comma needs quotes */
    json_t *entries;   /* as they stand there, trimmed */
    /* What the file says of its own node; "" where that is no IP address. */
    char broadcast[PROBER_ADDR_STRLEN], listen[PROBER_ADDR_STRLEN];
};

/* NULL, or what is wrong with the file in one line. ret->entries is to be released. */
const char *seeds_line_find(const char *text, size_t len, struct seeds_line *ret);

/*
 * How `seeds` (addresses) are written there: those that are there already as they are, the others
 * with the port that the first entry with one has. An array, to be released.
 */
json_t *seeds_line_entries(const struct seeds_line *line, const json_t *seeds);

/* The text with those entries in it, to be freed; *ret_len its length. */
char *seeds_line_replace(const struct seeds_line *line, const char *text, size_t len,
                         const json_t *entries, size_t *ret_len);

#endif

/*
 * Arbitrary bytes as a cassandra.yaml: what is found in it is found again in the file that it is
 * written into, and nothing else of that file is another one.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../proberctl/seeds_line.h"

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_replaced(const struct seeds_line *line, const char *text, size_t len,
                           const json_t *entries)
{
    size_t replaced_len;
    char *replaced = seeds_line_replace(line, text, len, entries, &replaced_len);
    struct seeds_line again;

    check(!seeds_line_find(replaced, replaced_len, &again));
    check(json_equal(again.entries, entries));
    check(again.start == line->start && again.line == line->line);
    check(replaced_len - again.end == len - line->end);
    check(memcmp(replaced, text, line->start) == 0);
    check(memcmp(replaced + again.end, text + line->end, len - line->end) == 0);
    json_decref(again.entries);
    free(replaced);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    /* On the heap and no byte longer, so that reading beyond its end is seen. */
    char *text = malloc(len ? len : 1);
    json_t *seeds = json_pack("[s, s]", "10.0.0.1", "2001:db8::1"), *entries;
    struct seeds_line line;

    check(text != NULL);
    memcpy(text, data, len);
    if (!seeds_line_find(text, len, &line)) {
        check(line.start < line.end && line.end <= len && json_array_size(line.entries) > 0);
        check_replaced(&line, text, len, line.entries);
        entries = seeds_line_entries(&line, seeds);
        check_replaced(&line, text, len, entries);
        json_decref(entries);
        json_decref(line.entries);
    }
    json_decref(seeds);
    free(text);
    return 0;
}

/* What the segment's tests share: a directory of their own, and documents by name. */
#ifndef SEGMENT_UTIL_H
#define SEGMENT_UTIL_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "prober_segment_reader.h"
#include "prober_segment_writer.h"

struct place {
    char dir[64];
    char path[80];
};

static inline int make_place(void **state)
{
    struct place *place = calloc(1, sizeof(*place));

    strcpy(place->dir, "/tmp/prober-segment-XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    assert_int_equal(chmod(place->dir, 0755), 0);
    snprintf(place->path, sizeof(place->path), "%s/segment", place->dir);
    *state = place;
    return 0;
}

static inline int remove_place(void **state)
{
    struct place *place = *state;
    char command[128];

    snprintf(command, sizeof(command), "rm -rf %s", place->dir);
    assert_int_equal(system(command), 0);
    free(place);
    return 0;
}

static inline struct prober_segment_writer *open_writer(const char *path)
{
    struct prober_segment_writer *writer;

    assert_int_equal(prober_segment_writer_open(path, &writer), 0);
    return writer;
}

static inline int put_bytes(struct prober_segment_writer *writer, const char *key, const void *body,
                            size_t body_len)
{
    struct prober_document document = {
        .status = 200, .content_type = "text/plain", .body = body, .body_len = body_len};

    return prober_segment_writer_put(writer, key, strlen(key), &document);
}

static inline int put_text(struct prober_segment_writer *writer, const char *key, const char *body)
{
    return put_bytes(writer, key, body, strlen(body));
}

static inline int find(const struct prober_segment_reader *reader, const char *key,
                       struct prober_reading *ret)
{
    return prober_segment_find(reader, key, strlen(key), ret);
}

/* The body of `key` is exactly these bytes. */
static inline void assert_body(const struct prober_segment_reader *reader, const char *key,
                               const void *body, size_t body_len)
{
    struct prober_reading reading;

    assert_int_equal(find(reader, key, &reading), 0);
    assert_int_equal(reading.body_len, body_len);
    char *copy = malloc(body_len + 1);
    copy[body_len] = 0x5a;
    assert_int_equal(prober_segment_copy(reader, &reading, copy), 0);
    assert_memory_equal(copy, body, body_len);
    assert_int_equal(copy[body_len], 0x5a);
    free(copy);
}

static inline void assert_text(const struct prober_segment_reader *reader, const char *key,
                               const char *body)
{
    assert_body(reader, key, body, strlen(body));
}

static inline void assert_absent(const struct prober_segment_reader *reader, const char *key)
{
    struct prober_reading reading;

    assert_int_equal(find(reader, key, &reading), -ENOENT);
}

#endif

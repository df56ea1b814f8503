/*
 * Reads one Java object stream (the serialization protocol, version 5) while its bytes arrive.
 * PURE.
 *
 * The bytes come from foreign hands. The reader is a small machine: every step either has all its
 * bytes or has done nothing, so it goes on where it stopped, in time linear in the bytes, without
 * recursion. Nothing is allocated because its size was announced; all that is held is bounded by
 * the limits.
 *
 * No class is known here: a class descriptor lists its fields, so every object can be read, and
 * what nobody asks for is skipped. Texts and bytes stay in the caller's buffer: values name their
 * place in it.
 */
#ifndef JAVA_STREAM_H
#define JAVA_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum java_status {
    JAVA_OK = 0,
    JAVA_MORE,      /* the bytes so far are the beginning of something */
    JAVA_ABORTED,   /* the writer gave up in the middle; the value is the exception it threw */
    JAVA_BAD,       /* not a stream, or of a kind that is not read here */
    JAVA_TOO_LARGE, /* passes a limit */
    JAVA_NO_MEMORY,
};

struct java_limits {
    size_t bytes;   /* of the stream */
    size_t nodes;   /* objects, classes, fields, values: each costs some 40 bytes of memory */
    size_t handles; /* what can be referred to: each costs 16 bytes */
};

enum java_kind {
    JAVA_NULL = 0,
    JAVA_INTEGER, /* byte, char, int, long, short, boolean */
    JAVA_REAL,    /* float, double */
    JAVA_TEXT,    /* in modified UTF-8 */
    JAVA_BYTES,   /* block data; the elements of an array of primitives */
    JAVA_OBJECT,  /* arrays and enum constants too */
    JAVA_CLASS,
};

struct java_value {
    enum java_kind kind;
    uint32_t len; /* of texts and bytes */
    union {
        int64_t integer;
        double real;
        size_t at; /* of texts and bytes: where they begin in the buffer */
        struct java_object *object;
        struct java_class *class;
    };
};

struct java_field {
    struct java_field *next;
    size_t name_at;
    uint16_t name_len;
    char type;
};

/* A value inside an object. */
struct java_item {
    struct java_item *next;
    const struct java_field *field; /* NULL: written besides the fields */
    struct java_value value;
};

struct java_stream;

int java_stream_new(const struct java_limits *limits, struct java_stream **ret);
/* Accepts NULL; returns NULL. All values are gone. */
struct java_stream *java_stream_free(struct java_stream *stream);

/*
 * Reads the next element on the top level: an object, a text, null, or block data (JAVA_BYTES).
 * `data` is the stream from its first byte, as much of it as is there: after JAVA_MORE call again
 * with more. *ret is only written with JAVA_OK and JAVA_ABORTED; it is valid until the stream is
 * freed, together with the data of the last call.
 */
enum java_status java_stream_next(struct java_stream *stream, const uint8_t *data, size_t len,
                                  struct java_value *ret);

/* The bytes read so far are somewhere else now. */
void java_stream_moved(struct java_stream *stream, const uint8_t *data);

/* How many bytes the elements read so far took, in whole. */
size_t java_stream_consumed(const struct java_stream *stream);

/* What it holds now, in bytes. */
size_t java_stream_memory(const struct java_stream *stream);

/* The bytes of a text or of JAVA_BYTES; NULL and 0 for every other kind. */
const char *java_bytes(const struct java_stream *stream, const struct java_value *value,
                       size_t *ret_len);
bool java_text_is(const struct java_stream *stream, const struct java_value *value,
                  const char *text);

/* An object whose class is, or descends from, this one. */
bool java_is(const struct java_stream *stream, const struct java_value *value, const char *name);

/* The name of an object's own class; NULL and 0 for what is no object. */
const char *java_class_name(const struct java_stream *stream, const struct java_value *value,
                            size_t *ret_len);

/* NULL when it is no object, or has no such field. */
const struct java_value *java_field(const struct java_stream *stream,
                                    const struct java_value *value, const char *name);

/*
 * The first value that a class of the object wrote besides its fields, which for an array are its
 * elements; the others follow by `next`. NULL when there is none.
 */
const struct java_item *java_written(const struct java_stream *stream,
                                     const struct java_value *value, const char *class_name);

/*
 * Modified UTF-8 as UTF-8: a NUL and what is not valid become '?'. `to` has room for len bytes;
 * returns how many were written.
 */
size_t java_utf8(const char *text, size_t len, char *to);

#endif

/*
 * The insides of the stream reader: java_bytes.c takes bytes and keeps memory, java_stream.c is the
 * machine, java_value.c looks at what it has read.
 */
#ifndef JAVA_STREAM_PRIVATE_H
#define JAVA_STREAM_PRIVATE_H

#include "java_stream.h"

#define JAVA_MAX_DEPTH 64

enum java_tag {
    TAG_NULL = 0x70,
    TAG_REFERENCE,
    TAG_CLASS_DESCRIPTOR,
    TAG_OBJECT,
    TAG_STRING,
    TAG_ARRAY,
    TAG_CLASS,
    TAG_BLOCK,
    TAG_END,
    TAG_RESET,
    TAG_LONG_BLOCK,
    TAG_EXCEPTION,
    TAG_LONG_STRING,
    TAG_PROXY_DESCRIPTOR,
    TAG_ENUM,
};

/* Flags of class descriptors. */
enum {
    WRITES_MORE = 0x01,
    SERIALIZABLE = 0x02,
    EXTERNALIZABLE = 0x04,
    IN_BLOCKS = 0x08,
};

struct java_class {
    size_t name_at;
    uint16_t name_len;
    uint16_t fields_left; /* announced, not read yet */
    uint8_t flags;
    uint8_t chain; /* how many classes it and those above it are; 0 = not read whole yet */
    struct java_class *super;
    struct java_field *fields, *last_field;
};

/* What one class of an object wrote besides its fields. */
struct java_part {
    struct java_part *next;
    const struct java_class *class;
    struct java_item *first, *last;
};

struct java_object {
    struct java_class *class;
    struct java_item *fields, *last_field;
    struct java_part *parts;
};

/* Something begun and not ended. */
struct frame {
    uint8_t tag;
    uint8_t phase;
    uint8_t level;              /* of the class whose data comes; 1 = the topmost one */
    uint32_t left;              /* elements */
    struct java_value *to;      /* where the value goes */
    struct java_class *class;   /* of the value, or the one described */
    struct java_class **ret;    /* where the class described goes */
    struct java_object *object; /* once its handle is given */
    struct java_field *field;   /* the next one */
    struct java_part *part;     /* that is being written */
    struct java_item *item;     /* for the next value, not in the object yet */
    struct java_value ignored;
};

struct chunk {
    struct chunk *next;
    size_t used, size;
    /* memory follows */
};

struct java_stream {
    struct java_limits limits;
    const uint8_t *data;
    size_t len, at;
    size_t consumed;
    size_t memory, nodes;
    struct chunk *chunks;
    struct java_value *handles;
    size_t n_handles, room_handles;
    struct java_value top;
    bool begun; /* the first byte of an element on the top level was taken */
    bool aborted;
    size_t depth;
    struct frame frames[JAVA_MAX_DEPTH];
};

/* Zeroed memory that lives as long as the stream; one node. */
enum java_status java_allocate(struct java_stream *stream, size_t size, void *ret);

/* From here on the value can be referred to. */
enum java_status java_handle_new(struct java_stream *stream, struct java_value value);

/* Whether n more bytes are there. Bytes that cannot come any more are not waited for. */
enum java_status java_need(const struct java_stream *stream, size_t n);

enum java_status java_read_number(struct java_stream *stream, size_t size, uint64_t *ret);

/* Bytes whose length comes before them, in `size` bytes. */
enum java_status java_read_sized(struct java_stream *stream, size_t size, enum java_kind kind,
                                 struct java_value *ret);

/* A text, which gets a handle. */
enum java_status java_read_text(struct java_stream *stream, size_t size, struct java_value *ret);

/* A reference to something read earlier, or that is being read. */
enum java_status java_read_reference(struct java_stream *stream, struct java_value *ret);

/* The size of a field's type; 0 = an object. */
size_t java_primitive_size(char type);

enum java_status java_read_primitive(struct java_stream *stream, char type, struct java_value *ret);

#endif

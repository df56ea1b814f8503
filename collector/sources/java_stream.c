#include <string.h>

#include "java_stream_private.h"

#define MAX_FIELDS     128
#define MAX_CHAIN      16 /* a class and those above it */
#define MAX_INTERFACES 64

enum phase {
    PHASE_CLASS = 0, /* of every frame: the class descriptor comes first */
    PHASE_BEGIN,
    PHASE_FIELDS, /* of an object: of the class at `level`. Of a class: their descriptions */
    PHASE_FIELD_TYPE,
    PHASE_WRITTEN,
    PHASE_SUPER,
    PHASE_END,
    PHASE_ELEMENTS,
};

static enum java_status push(struct java_stream *stream, struct frame frame)
{
    if (stream->depth == JAVA_MAX_DEPTH)
        return JAVA_TOO_LARGE;
    stream->frames[stream->depth++] = frame;
    return JAVA_OK;
}

static enum java_status begin_class(struct java_stream *stream, bool proxy, struct java_class **ret)
{
    struct java_value name = {0};
    struct java_class *class;
    uint64_t flags = SERIALIZABLE, fields = 0, serial, interfaces;
    enum java_status status;

    if (proxy) {
        /* Its name is made up at run time: the interfaces take its place. */
        status = java_read_number(stream, 4, &interfaces);
        if (!status && interfaces > MAX_INTERFACES)
            return JAVA_TOO_LARGE;
        for (uint64_t i = 0; !status && i < interfaces; i++)
            status = java_read_sized(stream, 2, JAVA_TEXT, &name);
    } else {
        status = java_read_sized(stream, 2, JAVA_TEXT, &name);
        status = status ? status : java_read_number(stream, 8, &serial);
        status = status ? status : java_read_number(stream, 1, &flags);
        status = status ? status : java_read_number(stream, 2, &fields);
    }
    if (status)
        return status;
    if (fields > MAX_FIELDS)
        return JAVA_TOO_LARGE;
    status = java_allocate(stream, sizeof(*class), &class);
    if (status)
        return status;
    class->name_at = name.at;
    class->name_len = proxy ? 0 : (uint16_t)name.len;
    class->flags = (uint8_t)flags;
    class->fields_left = (uint16_t)fields;
    status = java_handle_new(stream, (struct java_value){.kind = JAVA_CLASS, .class = class});
    if (status)
        return status;
    return push(stream, (struct frame){.tag = TAG_CLASS_DESCRIPTOR,
                                       .phase = PHASE_FIELDS,
                                       .class = class,
                                       .ret = ret});
}

/* Takes a class descriptor, or begins one whose end sets *ret. */
static enum java_status read_class(struct java_stream *stream, struct java_class **ret)
{
    struct java_value value = {0};
    uint64_t tag;
    enum java_status status = java_read_number(stream, 1, &tag);

    if (status)
        return status;
    switch (tag) {
    case TAG_NULL:
        *ret = NULL;
        return JAVA_OK;
    case TAG_REFERENCE:
        status = java_read_reference(stream, &value);
        if (status)
            return status;
        /* One that is still being read would make a ring of classes. */
        if (value.kind != JAVA_CLASS || value.class->chain == 0)
            return JAVA_BAD;
        *ret = value.class;
        return JAVA_OK;
    case TAG_CLASS_DESCRIPTOR:
    case TAG_PROXY_DESCRIPTOR:
        return begin_class(stream, tag == TAG_PROXY_DESCRIPTOR, ret);
    case TAG_EXCEPTION:
        return JAVA_ABORTED;
    default:
        return JAVA_BAD;
    }
}

/* Takes an object, or begins one: *to must stay, and is set as soon as it has a handle. */
static enum java_status read_object(struct java_stream *stream, struct java_value *to)
{
    uint64_t tag;
    enum java_status status = java_read_number(stream, 1, &tag);

    if (status)
        return status;
    switch (tag) {
    case TAG_NULL:
        *to = (struct java_value){.kind = JAVA_NULL};
        return JAVA_OK;
    case TAG_REFERENCE:
        return java_read_reference(stream, to);
    case TAG_STRING:
        return java_read_text(stream, 2, to);
    case TAG_LONG_STRING:
        return java_read_text(stream, 8, to);
    case TAG_OBJECT:
    case TAG_ARRAY:
    case TAG_ENUM:
    case TAG_CLASS:
        return push(stream, (struct frame){.tag = (uint8_t)tag, .to = to});
    case TAG_EXCEPTION:
        return JAVA_ABORTED;
    default:
        return JAVA_BAD;
    }
}

static enum java_status read_value(struct java_stream *stream, char type, struct java_value *to)
{
    return java_primitive_size(type) > 0 ? java_read_primitive(stream, type, to)
                                         : read_object(stream, to);
}

/* The item that the frame's next value goes into. It joins the object with item_add(). */
static enum java_status item_reserve(struct java_stream *stream, struct frame *frame)
{
    return frame->item ? JAVA_OK : java_allocate(stream, sizeof(*frame->item), &frame->item);
}

static void item_add(struct frame *frame, const struct java_field *field)
{
    struct java_item **first = field ? &frame->object->fields : &frame->part->first;
    struct java_item **last = field ? &frame->object->last_field : &frame->part->last;
    struct java_item *item = frame->item;

    frame->item = NULL;
    item->field = field;
    if (*last)
        (*last)->next = item;
    else
        *first = item;
    *last = item;
}

/* From here on values join the object as written by this class. */
static enum java_status begin_written(struct java_stream *stream, struct frame *frame,
                                      const struct java_class *class)
{
    enum java_status status = java_allocate(stream, sizeof(*frame->part), &frame->part);

    if (status)
        return status;
    frame->part->class = class;
    frame->part->next = frame->object->parts;
    frame->object->parts = frame->part;
    frame->phase = PHASE_WRITTEN;
    return JAVA_OK;
}

/*
 * The next value that a class wrote besides its fields: block data or an object. *ret_end: there
 * are no more.
 */
static enum java_status read_written(struct java_stream *stream, struct java_value *to,
                                     bool *ret_end)
{
    uint64_t tag;
    enum java_status status = java_read_number(stream, 1, &tag);

    *ret_end = false;
    if (status)
        return status;
    switch (tag) {
    case TAG_END:
        *ret_end = true;
        return JAVA_OK;
    case TAG_BLOCK:
        return java_read_sized(stream, 1, JAVA_BYTES, to);
    case TAG_LONG_BLOCK:
        return java_read_sized(stream, 4, JAVA_BYTES, to);
    default:
        stream->at--;
        return read_object(stream, to);
    }
}

/* The class at a level of an object's, the topmost one being 1. */
static struct java_class *class_at(struct java_class *class, uint8_t level)
{
    while (class->chain > level)
        class = class->super;
    return class;
}

/* To the data of the next class, which may have none. */
static enum java_status next_level(struct java_stream *stream, struct frame *frame)
{
    struct java_class *class;

    if (frame->level == frame->class->chain) {
        stream->depth--;
        return JAVA_OK;
    }
    class = class_at(frame->class, ++frame->level);
    frame->field = NULL;
    if (class->flags & SERIALIZABLE) {
        frame->phase = PHASE_FIELDS;
        frame->field = class->fields;
    } else if (class->flags & EXTERNALIZABLE && class->flags & IN_BLOCKS) {
        return begin_written(stream, frame, class);
    } else {
        /* Only the class itself could tell where its data ends. */
        return JAVA_BAD;
    }
    return JAVA_OK;
}

static enum java_status step_object_data(struct java_stream *stream, struct frame *frame)
{
    struct java_class *class = class_at(frame->class, frame->level);
    struct java_field *field = frame->field;
    enum java_status status;
    bool end;

    if (frame->phase == PHASE_FIELDS && !field && class->flags & WRITES_MORE)
        return begin_written(stream, frame, class);
    if (frame->phase == PHASE_FIELDS && !field)
        return next_level(stream, frame);
    status = item_reserve(stream, frame);
    if (status)
        return status;
    if (frame->phase == PHASE_FIELDS) {
        status = read_value(stream, field->type, &frame->item->value);
        if (status)
            return status;
        item_add(frame, field);
        frame->field = field->next;
        return JAVA_OK;
    }
    status = read_written(stream, &frame->item->value, &end);
    if (status)
        return status;
    if (end)
        return next_level(stream, frame);
    item_add(frame, NULL);
    return JAVA_OK;
}

/* The elements of an array, the name of an enum constant. */
static enum java_status step_elements(struct java_stream *stream, struct frame *frame)
{
    enum java_status status;

    if (frame->left == 0) {
        stream->depth--;
        return JAVA_OK;
    }
    status = item_reserve(stream, frame);
    if (!status)
        status = read_object(stream, &frame->item->value);
    if (status)
        return status;
    item_add(frame, NULL);
    frame->left--;
    return JAVA_OK;
}

static enum java_status step_primitives(struct java_stream *stream, struct frame *frame,
                                        size_t size)
{
    size_t len = frame->left * size;
    enum java_status status = java_need(stream, len);

    if (!status)
        status = item_reserve(stream, frame);
    if (status)
        return status;
    frame->item->value =
        (struct java_value){.kind = JAVA_BYTES, .len = (uint32_t)len, .at = stream->at};
    stream->at += len;
    item_add(frame, NULL);
    stream->depth--;
    return JAVA_OK;
}

static char element_type(const struct java_stream *stream, const struct java_class *class)
{
    const char *name = (const char *)stream->data + class->name_at;

    return class->name_len >= 2 && name[0] == '[' ? name[1] : '\0';
}

/* Its class is known: from here on it can be referred to. */
static enum java_status begin_object(struct java_stream *stream, struct frame *frame)
{
    struct java_value value = {.kind = JAVA_OBJECT};
    uint64_t left = frame->tag == TAG_ENUM;
    enum java_status status = JAVA_OK;

    if (!frame->class)
        return JAVA_BAD;
    if (frame->tag == TAG_CLASS) {
        value = (struct java_value){.kind = JAVA_CLASS, .class = frame->class};
        stream->depth--;
    } else {
        if (frame->tag == TAG_ARRAY && !element_type(stream, frame->class))
            return JAVA_BAD;
        if (frame->tag == TAG_ARRAY)
            status = java_read_number(stream, 4, &left);
        if (!status && left > stream->limits.bytes)
            return JAVA_TOO_LARGE;
        if (!status)
            status = java_allocate(stream, sizeof(*value.object), &value.object);
        if (status)
            return status;
        value.object->class = frame->class;
        frame->object = value.object;
        frame->left = (uint32_t)left;
        if (frame->tag != TAG_OBJECT) {
            status = begin_written(stream, frame, frame->class);
            frame->phase = PHASE_ELEMENTS;
        }
        if (status)
            return status;
    }
    *frame->to = value;
    status = java_handle_new(stream, value);
    if (!status && frame->tag == TAG_OBJECT)
        status = next_level(stream, frame);
    return status;
}

static enum java_status step_value(struct java_stream *stream, struct frame *frame)
{
    enum java_status status;
    size_t size;

    switch (frame->phase) {
    case PHASE_CLASS:
        status = read_class(stream, &frame->class);
        if (!status)
            frame->phase = PHASE_BEGIN;
        return status;
    case PHASE_BEGIN:
        return begin_object(stream, frame);
    case PHASE_ELEMENTS:
        size =
            frame->tag == TAG_ARRAY ? java_primitive_size(element_type(stream, frame->class)) : 0;
        return size > 0 ? step_primitives(stream, frame, size) : step_elements(stream, frame);
    default:
        return step_object_data(stream, frame);
    }
}

static enum java_status step_field(struct java_stream *stream, struct frame *frame)
{
    struct java_class *class = frame->class;
    struct java_value name;
    struct java_field *field;
    uint64_t type;
    enum java_status status;

    if (class->fields_left == 0) {
        frame->phase = PHASE_WRITTEN;
        return JAVA_OK;
    }
    status = java_read_number(stream, 1, &type);
    if (status)
        return status;
    if (type != 'L' && type != '[' && java_primitive_size((char)type) == 0)
        return JAVA_BAD;
    status = java_read_sized(stream, 2, JAVA_TEXT, &name);
    status = status ? status : java_allocate(stream, sizeof(*field), &field);
    if (status)
        return status;
    field->type = (char)type;
    field->name_at = name.at;
    field->name_len = (uint16_t)name.len;
    if (class->last_field)
        class->last_field->next = field;
    else
        class->fields = field;
    class->last_field = field;
    class->fields_left--;
    if (java_primitive_size(field->type) == 0)
        frame->phase = PHASE_FIELD_TYPE;
    return JAVA_OK;
}

static enum java_status end_class(struct java_stream *stream, struct frame *frame)
{
    struct java_class *class = frame->class;
    unsigned chain = class->super ? class->super->chain + 1u : 1;

    if (chain > MAX_CHAIN)
        return JAVA_TOO_LARGE;
    class->chain = (uint8_t)chain;
    *frame->ret = class;
    stream->depth--;
    return JAVA_OK;
}

static enum java_status step_class(struct java_stream *stream, struct frame *frame)
{
    enum java_status status;
    bool end;

    switch (frame->phase) {
    case PHASE_FIELDS:
        return step_field(stream, frame);
    case PHASE_FIELD_TYPE:
        /* A text, or a reference to one; it is of no use here. */
        status = read_object(stream, &frame->ignored);
        if (!status && frame->ignored.kind != JAVA_TEXT)
            return JAVA_BAD;
        if (!status)
            frame->phase = PHASE_FIELDS;
        return status;
    case PHASE_WRITTEN:
        status = read_written(stream, &frame->ignored, &end);
        if (!status && end)
            frame->phase = PHASE_SUPER;
        return status;
    case PHASE_SUPER:
        status = read_class(stream, &frame->class->super);
        if (!status)
            frame->phase = PHASE_END;
        return status;
    default:
        return end_class(stream, frame);
    }
}

/* Reads on until the element on the top level ends. A step that lacks bytes changes nothing. */
static enum java_status run(struct java_stream *stream)
{
    enum java_status status = JAVA_OK;

    while (!status && (!stream->begun || stream->depth > 0)) {
        size_t before = stream->at;

        if (!stream->begun) {
            bool end = false;

            status = read_written(stream, &stream->top, &end);
            stream->begun = !status;
            if (end)
                status = JAVA_BAD;
        } else {
            struct frame *frame = &stream->frames[stream->depth - 1];

            status = frame->tag == TAG_CLASS_DESCRIPTOR ? step_class(stream, frame)
                                                        : step_value(stream, frame);
        }
        if (status == JAVA_MORE)
            stream->at = before;
    }
    return status;
}

enum java_status java_stream_next(struct java_stream *stream, const uint8_t *data, size_t len,
                                  struct java_value *ret)
{
    enum java_status status = JAVA_OK;
    uint64_t head;

    stream->data = data;
    stream->len = len;
    if (stream->at == 0) {
        status = java_read_number(stream, 4, &head);
        if (status) {
            /* What is there must fit all the same. */
            stream->at = 0;
            return len > 0 && memcmp(data, "\xac\xed\x00\x05", len < 4 ? len : 4) != 0 ? JAVA_BAD
                                                                                       : status;
        }
        if (head != 0xaced0005)
            return JAVA_BAD;
    }
    status = run(stream);
    if (status == JAVA_ABORTED && !stream->aborted) {
        /* The exception follows, as if it stood alone. */
        stream->aborted = true;
        stream->begun = false;
        stream->depth = stream->n_handles = 0;
        status = run(stream);
    }
    if (status == JAVA_ABORTED)
        return JAVA_BAD;
    if (status)
        return status;
    stream->begun = false;
    stream->consumed = stream->at;
    *ret = stream->top;
    return stream->aborted ? JAVA_ABORTED : JAVA_OK;
}

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "java_stream_private.h"

#define FIRST_HANDLE 0x7e0000
#define CHUNK_MIN    ((size_t)2048)
#define CHUNK_MAX    ((size_t)256 * 1024)

int java_stream_new(const struct java_limits *limits, struct java_stream **ret)
{
    struct java_stream *stream = calloc(1, sizeof(*stream));

    if (!stream)
        return -ENOMEM;
    stream->limits = *limits;
    stream->memory = sizeof(*stream);
    *ret = stream;
    return 0;
}

struct java_stream *java_stream_free(struct java_stream *stream)
{
    if (!stream)
        return NULL;
    while (stream->chunks) {
        struct chunk *next = stream->chunks->next;

        free(stream->chunks);
        stream->chunks = next;
    }
    free(stream->handles);
    free(stream);
    return NULL;
}

void java_stream_moved(struct java_stream *stream, const uint8_t *data)
{
    stream->data = data;
}

size_t java_stream_consumed(const struct java_stream *stream)
{
    return stream->consumed;
}

size_t java_stream_memory(const struct java_stream *stream)
{
    return stream->memory;
}

enum java_status java_allocate(struct java_stream *stream, size_t size, void *ret)
{
    struct chunk *chunk = stream->chunks;

    if (stream->nodes >= stream->limits.nodes)
        return JAVA_TOO_LARGE;
    if (!chunk || chunk->size - chunk->used < size) {
        size_t room = chunk && chunk->size < CHUNK_MAX ? chunk->size * 2 : CHUNK_MIN;

        if (chunk && chunk->size >= CHUNK_MAX)
            room = CHUNK_MAX;
        chunk = calloc(1, sizeof(*chunk) + room);
        if (!chunk)
            return JAVA_NO_MEMORY;
        chunk->size = room;
        chunk->next = stream->chunks;
        stream->chunks = chunk;
        stream->memory += sizeof(*chunk) + room;
    }
    stream->nodes++;
    *(void **)ret = (char *)(chunk + 1) + chunk->used;
    chunk->used += (size + 15) & ~(size_t)15;
    return JAVA_OK;
}

enum java_status java_handle_new(struct java_stream *stream, struct java_value value)
{
    if (stream->n_handles >= stream->limits.handles)
        return JAVA_TOO_LARGE;
    if (stream->n_handles == stream->room_handles) {
        size_t room = stream->room_handles ? stream->room_handles * 2 : 32;
        struct java_value *bigger = reallocarray(stream->handles, room, sizeof(*bigger));

        if (!bigger)
            return JAVA_NO_MEMORY;
        stream->memory += (room - stream->room_handles) * sizeof(*bigger);
        stream->handles = bigger;
        stream->room_handles = room;
    }
    stream->handles[stream->n_handles++] = value;
    return JAVA_OK;
}

enum java_status java_need(const struct java_stream *stream, size_t n)
{
    if (n > stream->limits.bytes || stream->at > stream->limits.bytes - n)
        return JAVA_TOO_LARGE;
    return stream->len - stream->at < n ? JAVA_MORE : JAVA_OK;
}

enum java_status java_read_number(struct java_stream *stream, size_t size, uint64_t *ret)
{
    enum java_status status = java_need(stream, size);
    uint64_t number = 0;

    if (status)
        return status;
    for (size_t i = 0; i < size; i++)
        number = number << 8 | stream->data[stream->at++];
    *ret = number;
    return JAVA_OK;
}

enum java_status java_read_sized(struct java_stream *stream, size_t size, enum java_kind kind,
                                 struct java_value *ret)
{
    uint64_t len;
    enum java_status status = java_read_number(stream, size, &len);

    if (status)
        return status;
    if (len > UINT32_MAX)
        return JAVA_TOO_LARGE;
    status = java_need(stream, (size_t)len);
    if (status)
        return status;
    *ret = (struct java_value){.kind = kind, .len = (uint32_t)len, .at = stream->at};
    stream->at += (size_t)len;
    return JAVA_OK;
}

enum java_status java_read_reference(struct java_stream *stream, struct java_value *ret)
{
    uint64_t handle;
    enum java_status status = java_read_number(stream, 4, &handle);

    if (status)
        return status;
    if (handle < FIRST_HANDLE || handle - FIRST_HANDLE >= stream->n_handles)
        return JAVA_BAD;
    *ret = stream->handles[handle - FIRST_HANDLE];
    return JAVA_OK;
}

enum java_status java_read_text(struct java_stream *stream, size_t size, struct java_value *to)
{
    struct java_value value;
    enum java_status status = java_read_sized(stream, size, JAVA_TEXT, &value);

    if (!status)
        status = java_handle_new(stream, value);
    if (!status)
        *to = value;
    return status;
}

size_t java_primitive_size(char type)
{
    switch (type) {
    case 'B':
    case 'Z':
        return 1;
    case 'C':
    case 'S':
        return 2;
    case 'F':
    case 'I':
        return 4;
    case 'D':
    case 'J':
        return 8;
    default:
        return 0;
    }
}

enum java_status java_read_primitive(struct java_stream *stream, char type, struct java_value *ret)
{
    size_t size = java_primitive_size(type);
    uint64_t bits;
    uint32_t low;
    float single;
    enum java_status status = java_read_number(stream, size, &bits);

    if (status)
        return status;
    ret->kind = type == 'D' || type == 'F' ? JAVA_REAL : JAVA_INTEGER;
    low = (uint32_t)bits;
    if (type == 'D') {
        memcpy(&ret->real, &bits, sizeof(ret->real));
    } else if (type == 'F') {
        memcpy(&single, &low, sizeof(single));
        ret->real = (double)single;
    } else if (type == 'C') {
        ret->integer = (int64_t)bits;
    } else {
        ret->integer = (int64_t)(bits << (64 - 8 * size)) >> (64 - 8 * size);
    }
    return JAVA_OK;
}

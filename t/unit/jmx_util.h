/* Java object streams for tests: recorded ones, and ones put together by hand. */
#ifndef JMX_UTIL_H
#define JMX_UTIL_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes that grow. */
struct bytes {
    uint8_t *data;
    size_t len;
};

static inline void put(struct bytes *bytes, const void *data, size_t len)
{
    bytes->data = realloc(bytes->data, bytes->len + len + 1);
    if (!bytes->data)
        abort();
    if (len > 0)
        memcpy(bytes->data + bytes->len, data, len);
    bytes->len += len;
}

static inline void put_number(struct bytes *bytes, uint64_t number, int size)
{
    for (int i = size - 1; i >= 0; i--)
        put(bytes, &(uint8_t){(uint8_t)(number >> (8 * i))}, 1);
}

static inline void put_byte(struct bytes *bytes, unsigned byte)
{
    put_number(bytes, byte, 1);
}

/* Text with its length before it. */
static inline void put_utf(struct bytes *bytes, const char *text)
{
    put_number(bytes, strlen(text), 2);
    put(bytes, text, strlen(text));
}

static inline void put_string(struct bytes *bytes, const char *text)
{
    put_byte(bytes, 0x74);
    put_utf(bytes, text);
}

static inline void put_reference(struct bytes *bytes, unsigned handle)
{
    put_byte(bytes, 0x71);
    put_number(bytes, 0x7e0000 + handle, 4);
}

/* A class descriptor up to its fields. */
static inline void put_class_head(struct bytes *bytes, const char *name, unsigned flags,
                                  unsigned n_fields)
{
    put_byte(bytes, 0x72);
    put_utf(bytes, name);
    put_number(bytes, 1, 8);
    put_byte(bytes, flags);
    put_number(bytes, n_fields, 2);
}

/* A whole one, without fields and class above it. */
static inline void put_class(struct bytes *bytes, const char *name, unsigned flags)
{
    put_class_head(bytes, name, flags, 0);
    put(bytes, "\x70\x78\x70", 3);
}

static inline void put_head(struct bytes *bytes)
{
    put(bytes, "\xac\xed\x00\x05", 4);
}

static inline struct bytes bytes_free(struct bytes *bytes)
{
    free(bytes->data);
    return *bytes = (struct bytes){0};
}

/* Of t/fixtures/jmx; tests run from the top directory. */
static inline struct bytes fixture_bytes(const char *name)
{
    char path[256];
    char data[16384];
    struct bytes bytes = {0};
    FILE *file;
    size_t n;

    snprintf(path, sizeof(path), "t/fixtures/jmx/%s", name);
    file = fopen(path, "r");
    if (!file) {
        perror(path);
        abort();
    }
    n = fread(data, 1, sizeof(data), file);
    fclose(file);
    put(&bytes, data, n);
    return bytes;
}

#endif

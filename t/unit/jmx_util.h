/* Java object streams for tests: recorded ones, and ones put together by hand. */
#ifndef JMX_UTIL_H
#define JMX_UTIL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes that grow. */
struct bytes {
    uint8_t *data;
    size_t len, room;
};

static inline void put(struct bytes *bytes, const void *data, size_t len)
{
    if (bytes->len + len >= bytes->room) {
        bytes->room = 2 * (bytes->len + len) + 1;
        bytes->data = realloc(bytes->data, bytes->room);
    }
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

/* The head of an answer: 1 = a value follows, 2 = an exception. */
static inline void put_answer(struct bytes *bytes, unsigned kind)
{
    put(bytes, "\x51\xac\xed\x00\x05\x77\x0f", 7);
    put_byte(bytes, kind);
    put(bytes, "0123456789abcd", 14);
}

/* An exception of this class, its cause to follow. */
static inline void put_exception(struct bytes *bytes, const char *class_name, const char *field)
{
    put_byte(bytes, 0x73);
    put_class_head(bytes, class_name, 2, 1);
    put_byte(bytes, 'L');
    put_utf(bytes, field);
    put_string(bytes, "Ljava/lang/Throwable;");
    put(bytes, "\x78\x70", 2);
}

/* A collection, what it holds to follow, and 78. */
static inline void put_collection(struct bytes *bytes, const char *class_name)
{
    put_byte(bytes, 0x73);
    put_class(bytes, class_name, 3);
    put(bytes, "\x77\x04\x00\x00\x00\x00", 6);
}

/* An attribute of a list, its value to follow. */
static inline void put_attribute(struct bytes *bytes, const char *name)
{
    put_byte(bytes, 0x73);
    put_class_head(bytes, "javax.management.Attribute", 2, 2);
    put_byte(bytes, 'L');
    put_utf(bytes, "name");
    put_string(bytes, "Ljava/lang/String;");
    put_byte(bytes, 'L');
    put_utf(bytes, "value");
    put_string(bytes, "Ljava/lang/Object;");
    put(bytes, "\x78\x70", 2);
    put_string(bytes, name);
}

/* An object with one field "value" of a primitive type. */
static inline void put_boxed(struct bytes *bytes, const char *class_name, char type, uint64_t value,
                             int size)
{
    put_byte(bytes, 0x73);
    put_class_head(bytes, class_name, 2, 1);
    put_byte(bytes, (unsigned char)type);
    put_utf(bytes, "value");
    put_byte(bytes, 0x78);
    if (strcmp(class_name, "java.lang.Boolean") == 0)
        put_byte(bytes, 0x70);
    else
        put_class(bytes, "java.lang.Number", 2);
    put_number(bytes, value, size);
}

/* A reference to the object `number` of a server at this port; its host is nowhere. */
static inline void put_stub(struct bytes *bytes, uint16_t port, unsigned number, bool tls)
{
    struct bytes block = {0};

    put_byte(bytes, 0x73);
    put_class_head(bytes, "javax.management.remote.rmi.RMIServerImpl_Stub", 2, 0);
    put_byte(bytes, 0x78);
    put_class_head(bytes, "java.rmi.server.RemoteStub", 2, 0);
    put_byte(bytes, 0x78);
    put_class(bytes, "java.rmi.server.RemoteObject", 3);
    put_utf(&block, tls ? "UnicastRef2" : "UnicastRef");
    if (tls)
        put_byte(&block, 1);
    put_utf(&block, "192.0.2.255");
    put_number(&block, port, 4);
    if (tls) {
        put_byte(bytes, 0x77);
        put_byte(bytes, (unsigned)block.len);
        put(bytes, block.data, block.len);
        block.len = 0;
        put_byte(bytes, 0x73);
        put_class(bytes, "javax.rmi.ssl.SslRMIClientSocketFactory", 2);
    }
    put_number(&block, number, 8);
    put_number(&block, 0, 7);
    put_number(&block, 0, 7);
    put_byte(&block, 0);
    put_byte(bytes, 0x77);
    put_byte(bytes, (unsigned)block.len);
    put(bytes, block.data, block.len);
    put_byte(bytes, 0x78);
    bytes_free(&block);
}

#endif

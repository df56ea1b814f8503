#include "jmx_message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "questions.h"

#define MAX_CAUSES   16
#define MAX_HOST     255
#define MAX_STUB_LEN 512

/* The first 8 bytes of the SHA-1 of name and signature, the last one first. */
static const uint8_t hash_new_client[8] = {0xf0, 0xe0, 0x74, 0xea, 0xad, 0x0c, 0xae, 0xa8};
static const uint8_t hash_get_attributes[8] = {0x57, 0x39, 0xd9, 0x6a, 0x8b, 0x23, 0x5c, 0x47};
static const uint8_t hash_invoke[8] = {0x13, 0xe7, 0xd6, 0x94, 0x17, 0xe5, 0xda, 0x20};
static const uint8_t hash_close[8] = {0xbe, 0x2e, 0x5b, 0xc7, 0x80, 0x9d, 0x0d, 0xcc};
/* Of the registry's whole interface: with it operations have numbers. */
static const uint8_t hash_registry[8] = {0x44, 0x15, 0x4d, 0xc9, 0xd4, 0xe6, 0x3b, 0xdf};
#define OPERATION_LOOKUP  2
#define OPERATION_BY_HASH 0xffffffff

static void put(struct jmx_request *request, const void *data, size_t len)
{
    if (len > sizeof(request->bytes) - request->len) {
        request->too_long = true;
        return;
    }
    memcpy(request->bytes + request->len, data, len);
    request->len += len;
}

static void put_number(struct jmx_request *request, uint64_t number, size_t size)
{
    while (size-- > 0)
        put(request, &(uint8_t){(uint8_t)(number >> (8 * size))}, 1);
}

/* A character beyond 16 bits is two in Java, each written by itself. */
static size_t surrogates(const unsigned char *four, unsigned char six[6])
{
    uint32_t code = (uint32_t)(four[0] & 7) << 18 | (uint32_t)(four[1] & 0x3f) << 12 |
                    (uint32_t)(four[2] & 0x3f) << 6 | (four[3] & 0x3f);
    uint32_t unit[2] = {0xd800 + (code - 0x10000) / 0x400, 0xdc00 + code % 0x400};

    for (size_t i = 0; i < 2; i++) {
        six[3 * i] = (unsigned char)(0xe0 | unit[i] >> 12);
        six[3 * i + 1] = (unsigned char)(0x80 | (unit[i] >> 6 & 0x3f));
        six[3 * i + 2] = (unsigned char)(0x80 | (unit[i] & 0x3f));
    }
    return 6;
}

/* In modified UTF-8, its length before it. */
static void put_utf(struct jmx_request *request, const char *text)
{
    size_t length_at = request->len;
    size_t len;

    put_number(request, 0, 2);
    while (*text) {
        unsigned char six[6];

        if (((unsigned char)*text & 0xf8) == 0xf0 && strnlen(text, 4) == 4) {
            put(request, six, surrogates((const unsigned char *)text, six));
            text += 4;
        } else {
            put(request, text++, 1);
        }
    }
    if (request->too_long)
        return;
    len = request->len - length_at - 2;
    request->bytes[length_at] = (uint8_t)(len >> 8);
    request->bytes[length_at + 1] = (uint8_t)len;
}

static void put_string(struct jmx_request *request, const char *text)
{
    put(request, "\x74", 1);
    put_utf(request, text);
}

/* A class without fields. In a call every descriptor has a (null) place to load the class from. */
static void put_class(struct jmx_request *request, const char *name, uint64_t serial, uint8_t flags,
                      bool in_call)
{
    put(request, "\x72", 1);
    put_utf(request, name);
    put_number(request, serial, 8);
    put_number(request, flags, 1);
    put_number(request, 0, 2);
    put(request, in_call ? "\x70\x78\x70" : "\x78\x70", in_call ? 3 : 2);
}

static void put_strings(struct jmx_request *request, const char *const *texts, size_t n)
{
    put(request, "\x75", 1);
    put_class(request, "[Ljava.lang.String;", 0xadd256e7e91d7b47, 2, true);
    put_number(request, n, 4);
    for (size_t i = 0; i < n; i++)
        put_string(request, texts[i]);
}

static void put_object_name(struct jmx_request *request, const char *name)
{
    put(request, "\x73", 1);
    put_class(request, "javax.management.ObjectName", 0x0f03a71beb6d15cf, 3, true);
    put_string(request, name);
    put(request, "\x78", 1);
}

static void put_call(struct jmx_request *request, const struct jmx_id *object, uint32_t operation,
                     const uint8_t hash[8])
{
    put(request, "\x50\xac\xed\x00\x05\x77\x22", 7);
    put(request, object->bytes, sizeof(object->bytes));
    put_number(request, operation, 4);
    put(request, hash, 8);
}

void jmx_put_handshake(struct jmx_request *request)
{
    put(request, "JRMI\x00\x02\x4b", 7);
    /* Who we are: servers do not look at it. */
    put_utf(request, "127.0.0.1");
    put_number(request, 0, 4);
}

void jmx_put_lookup(struct jmx_request *request)
{
    static const struct jmx_id registry;

    put_call(request, &registry, OPERATION_LOOKUP, hash_registry);
    put_string(request, "jmxrmi");
}

void jmx_put_new_client(struct jmx_request *request, const struct jmx_id *server, const char *user,
                        const char *password)
{
    put_call(request, server, OPERATION_BY_HASH, hash_new_client);
    if (user[0])
        put_strings(request, (const char *const[]){user, password}, 2);
    else
        put(request, "\x70", 1);
}

void jmx_put_get_attributes(struct jmx_request *request, const struct jmx_id *connection,
                            const char *mbean, const char *const *names, size_t n_names)
{
    put_call(request, connection, OPERATION_BY_HASH, hash_get_attributes);
    put_object_name(request, mbean);
    put_strings(request, names, n_names);
    put(request, "\x70", 1);
}

/* The array of arguments, in a stream of its own inside a MarshalledObject. */
static void put_arguments(struct jmx_request *request, const char *argument)
{
    size_t length_at, hash_at, len;
    uint32_t hash = 0;

    put(request, "\x73\x72", 2);
    put_utf(request, "java.rmi.MarshalledObject");
    put_number(request, 0x7cbd1e97ed63fc3e, 8);
    put(request, "\x02\x00\x03I\x00\x04hash[", 11);
    put_utf(request, "locBytes");
    put_string(request, "[B");
    put(request, "[", 1);
    put_utf(request, "objBytes");
    /* "[B" again: 0 to 3 are the object's name and the operation, 4 is this class. */
    put(request, "\x71\x00\x7e\x00\x05\x70\x78\x70", 8);
    hash_at = request->len;
    put_number(request, 0, 4);
    put(request, "\x70\x75", 2);
    put_class(request, "[B", 0xacf317f8060854e0, 2, true);
    length_at = request->len;
    put_number(request, 0, 4);

    put(request, "\xac\xed\x00\x05\x75", 5);
    put_class(request, "[Ljava.lang.Object;", 0x90ce589f1073296c, 2, false);
    put_number(request, argument != NULL, 4);
    if (argument)
        put_string(request, argument);
    if (request->too_long)
        return;
    len = request->len - length_at - 4;
    for (size_t i = 0; i < len; i++)
        hash = hash * 31 + (uint32_t)(int8_t)request->bytes[length_at + 4 + i];
    for (size_t i = 0; i < 4; i++) {
        request->bytes[length_at + i] = (uint8_t)(len >> (24 - 8 * i));
        request->bytes[hash_at + i] = (uint8_t)(hash >> (24 - 8 * i));
    }
}

void jmx_put_invoke(struct jmx_request *request, const struct jmx_id *connection, const char *mbean,
                    const char *operation, const char *argument)
{
    put_call(request, connection, OPERATION_BY_HASH, hash_invoke);
    put_object_name(request, mbean);
    put_string(request, operation);
    put_arguments(request, argument);
    put_strings(request, (const char *const[]){"java.lang.String"}, argument != NULL);
    put(request, "\x70", 1);
}

void jmx_put_close(struct jmx_request *request, const struct jmx_id *connection)
{
    put_call(request, connection, OPERATION_BY_HASH, hash_close);
}

void jmx_put_acknowledge(struct jmx_request *request, const uint8_t uid[14])
{
    put(request, "\x54", 1);
    put(request, uid, 14);
}

bool jmx_is_tls_alert(const uint8_t *data, size_t len)
{
    return len > 0 && data[0] == 0x15;
}

enum java_status jmx_read_handshake(const uint8_t *data, size_t len, size_t *ret_len,
                                    char detail[DETAIL_LEN])
{
    size_t host;

    if (len == 0)
        return JAVA_MORE;
    if (data[0] == 0x4f)
        snprintf(detail, DETAIL_LEN, "the server does not speak the stream protocol");
    else if (jmx_is_tls_alert(data, len))
        snprintf(detail, DETAIL_LEN, "a TLS port");
    else if (data[0] != 0x4e)
        snprintf(detail, DETAIL_LEN, "not a JMX port: its answer begins with %02x", data[0]);
    if (data[0] != 0x4e)
        return JAVA_BAD;
    if (len < 3)
        return JAVA_MORE;
    host = (size_t)data[1] << 8 | data[2];
    if (host > MAX_HOST) {
        snprintf(detail, DETAIL_LEN, "not a JMX port: a handshake that is none");
        return JAVA_BAD;
    }
    *ret_len = 3 + host + 4;
    return len < *ret_len ? JAVA_MORE : JAVA_OK;
}

enum java_status jmx_read_answer(struct java_stream *stream, const uint8_t *data, size_t len,
                                 bool has_value, struct jmx_answer *ret)
{
    struct java_value value;
    enum java_status status;
    uint8_t kind;

    if (len == 0)
        return JAVA_MORE;
    if (data[0] != 0x51)
        return JAVA_BAD;
    if (java_stream_consumed(stream) == 0) {
        status = java_stream_next(stream, data + 1, len - 1, &value);
        if (status)
            return status == JAVA_ABORTED ? JAVA_BAD : status;
        /* In the short form, so that the value of a primitive type would be in it too. */
        if (value.kind != JAVA_BYTES || value.len < 15 || value.at != 6)
            return JAVA_BAD;
    }
    kind = data[JMX_UID_AT - 1];
    if (kind != 1 && kind != 2)
        return JAVA_BAD;
    *ret = (struct jmx_answer){.thrown = kind == 2};
    if (ret->thrown || has_value) {
        status = java_stream_next(stream, data + 1, len - 1, &ret->value);
        ret->aborted = status == JAVA_ABORTED;
        ret->thrown = ret->thrown || ret->aborted;
        if (status && !ret->aborted)
            return status;
        if (ret->value.kind == JAVA_BYTES)
            return JAVA_BAD;
    }
    ret->len = 1 + java_stream_consumed(stream);
    return JAVA_OK;
}

/* The block data of a remote reference, without the object that may stand in its middle. */
static size_t stub_bytes(const struct java_stream *stream, const struct java_value *value,
                         uint8_t buf[MAX_STUB_LEN], bool *ret_tls)
{
    const struct java_item *item = java_written(stream, value, "java.rmi.server.RemoteObject");
    size_t len = 0;

    for (; item; item = item->next) {
        size_t n;
        const char *bytes = java_bytes(stream, &item->value, &n);

        if (java_is(stream, &item->value, "javax.rmi.ssl.SslRMIClientSocketFactory"))
            *ret_tls = true;
        if (item->value.kind != JAVA_BYTES)
            continue;
        if (n > MAX_STUB_LEN - len)
            return 0;
        memcpy(buf + len, bytes, n);
        len += n;
    }
    return len;
}

int jmx_stub(const struct java_stream *stream, const struct java_value *value, struct jmx_stub *ret)
{
    static const char plain[] = "\0\x0aUnicastRef";
    static const char with_factory[] = "\0\x0bUnicastRef2";
    const struct java_value *handler = java_field(stream, value, "h");
    struct jmx_stub stub = {0};
    uint8_t buf[MAX_STUB_LEN];
    size_t len = stub_bytes(stream, handler ? handler : value, buf, &stub.tls);
    size_t at, host;
    uint32_t port;

    if (len > sizeof(with_factory) && memcmp(buf, with_factory, sizeof(with_factory) - 1) == 0)
        at = sizeof(with_factory); /* a byte of format follows */
    else if (len > sizeof(plain) && memcmp(buf, plain, sizeof(plain) - 1) == 0)
        at = sizeof(plain) - 1;
    else
        return -EINVAL;
    host = len - at >= 2 ? (size_t)buf[at] << 8 | buf[at + 1] : len;
    if (host > len - at || len - at - host < 2 + 4 + sizeof(stub.id.bytes))
        return -EINVAL;
    /* Its host is passed over: it is this very server, which often does not know its address. */
    at += 2 + host;
    port = (uint32_t)buf[at] << 24 | (uint32_t)buf[at + 1] << 16 | (uint32_t)buf[at + 2] << 8 |
           buf[at + 3];
    if (port == 0 || port > UINT16_MAX)
        return -EINVAL;
    stub.port = (uint16_t)port;
    memcpy(stub.id.bytes, buf + at + 4, sizeof(stub.id.bytes));
    *ret = stub;
    return 0;
}

/* What an exception was caused by; each kind has a name of its own for it. */
static const struct java_value *cause_of(const struct java_stream *stream,
                                         const struct java_value *value)
{
    static const char *const names[] = {
        "cause", "detail", "exception", "runtimeException", "error", "undeclaredThrowable",
        "target"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct java_value *cause = java_field(stream, value, names[i]);

        /* Its own cause: none. */
        if (cause && cause->kind == JAVA_OBJECT && cause->object != value->object)
            return cause;
    }
    return NULL;
}

static const struct java_value *find_cause(const struct java_stream *stream,
                                           const struct java_value *value, const char *class_name)
{
    for (int i = 0; value && i < MAX_CAUSES; i++) {
        if (java_is(stream, value, class_name))
            return value;
        value = value->kind == JAVA_OBJECT ? cause_of(stream, value) : NULL;
    }
    return NULL;
}

bool jmx_is_no_such_object(const struct java_stream *stream, const struct java_value *value)
{
    return find_cause(stream, value, "java.rmi.NoSuchObjectException");
}

enum poll_result jmx_exception(const struct java_stream *stream, const struct java_value *value,
                               char detail[DETAIL_LEN])
{
    static const struct {
        const char *class_name;
        enum poll_result result;
    } known[] = {
        {"java.lang.SecurityException", POLL_AUTH},
        {"javax.management.InstanceNotFoundException", POLL_NO_MBEAN},
        {"java.rmi.NotBoundException", POLL_NO_MBEAN},
    };
    const struct java_value *cause;
    const char *name;
    size_t len;

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (find_cause(stream, value, known[i].class_name))
            return poll_fail(known[i].result, detail, "%s", known[i].class_name);
    name = java_class_name(stream, value, &len);
    poll_fail(POLL_EXCEPTION, detail, "%.*s", (int)len, name ? name : "");
    cause = value->kind == JAVA_OBJECT ? cause_of(stream, value) : NULL;
    if (cause) {
        char first[DETAIL_LEN];

        memcpy(first, detail, sizeof(first));
        name = java_class_name(stream, cause, &len);
        poll_fail(POLL_EXCEPTION, detail, "%.60s, because of %.*s", first, (int)len, name);
    }
    return POLL_EXCEPTION;
}

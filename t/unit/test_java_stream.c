/* The reader of Java object streams: recorded ones (t/fixtures/jmx), and hostile ones. */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "jmx_util.h"
#include "sources/java_stream.h"

static const struct java_limits LIMITS = {.bytes = 1 << 20, .nodes = 10000, .handles = 1000};

/* Reads elements until something else than JAVA_OK, or until n are read, or all bytes taken. */
static enum java_status read_all(struct java_stream *stream, const struct bytes *bytes, size_t n,
                                 size_t *ret_n, struct java_value *ret_last)
{
    enum java_status status = JAVA_OK;

    while (status == JAVA_OK && *ret_n < n &&
           (n < SIZE_MAX || java_stream_consumed(stream) < bytes->len)) {
        status = java_stream_next(stream, bytes->data, bytes->len, ret_last);
        *ret_n += status == JAVA_OK || status == JAVA_ABORTED;
    }
    return status;
}

static struct java_stream *stream_new(const struct java_limits *limits)
{
    struct java_stream *stream;

    assert_int_equal(java_stream_new(limits, &stream), 0);
    return stream;
}

/* The one thing in a stream put together by hand. */
static enum java_status status_with(const struct java_limits *limits, struct bytes *bytes)
{
    struct java_stream *stream = stream_new(limits);
    struct java_value value;
    enum java_status status = java_stream_next(stream, bytes->data, bytes->len, &value);

    /* Memory follows the bytes that came and the limits, whatever they announce. */
    assert_true(java_stream_memory(stream) <
                64 * 1024 + limits->nodes * 80 + limits->handles * 32 + 64 * bytes->len);
    java_stream_free(stream);
    return status;
}

static void assert_status(struct bytes *bytes, enum java_status expected)
{
    assert_int_equal(status_with(&LIMITS, bytes), expected);
    bytes_free(bytes);
}

/* A recorded answer without the byte of the protocol around it. */
static struct bytes recorded(const char *name)
{
    struct bytes bytes = fixture_bytes(name);

    memmove(bytes.data, bytes.data + 1, --bytes.len);
    return bytes;
}

static void check_recorded(const char *name)
{
    bool aborted = strstr(name, "tc_exception") && !strstr(name, ".req.");
    struct bytes bytes = recorded(name);
    struct java_stream *stream = stream_new(&LIMITS);
    struct java_stream *slow = stream_new(&LIMITS);
    struct java_value value;
    size_t n = 0, n_slow = 0;
    enum java_status status = read_all(stream, &bytes, SIZE_MAX, &n, &value);

    if (status != (aborted ? JAVA_ABORTED : JAVA_OK))
        fail_msg("%s: status %d after %zu bytes", name, status, java_stream_consumed(stream));
    assert_int_equal(java_stream_consumed(stream), bytes.len);
    /* Cut anywhere, more is wanted; so it is when it comes byte by byte. */
    for (size_t len = 0; len < bytes.len; len++) {
        struct bytes prefix = {.len = len};
        struct java_stream *cut = stream_new(&LIMITS);
        size_t n_cut = 0;

        put(&prefix, "", 0);
        prefix.data = memcpy(realloc(prefix.data, len + 1), bytes.data, len);
        if (read_all(cut, &prefix, n, &n_cut, &value) != JAVA_MORE ||
            read_all(slow, &prefix, n, &n_slow, &value) != JAVA_MORE)
            fail_msg("%s: complete after %zu of %zu bytes", name, len, bytes.len);
        assert_true(n_cut < n);
        java_stream_free(cut);
        bytes_free(&prefix);
    }
    assert_int_equal(read_all(slow, &bytes, n, &n_slow, &value), status);
    assert_int_equal(java_stream_memory(slow), java_stream_memory(stream));
    java_stream_free(slow);
    java_stream_free(stream);
    bytes_free(&bytes);
}

static void everything_recorded(void **state)
{
    glob_t files;

    (void)state;
    assert_int_equal(glob("t/fixtures/jmx/*.bin", 0, NULL, &files), 0);
    assert_true(files.gl_pathc >= 30);
    for (size_t i = 0; i < files.gl_pathc; i++)
        check_recorded(strrchr(files.gl_pathv[i], '/') + 1);
    globfree(&files);
}

/* What was recorded holds what it is known to hold. */
static void values(void **state)
{
    struct bytes bytes = recorded("04_getattribute_simplestateswithport.bin");
    struct java_stream *stream = stream_new(&LIMITS);
    const struct java_item *item;
    struct java_value value;
    size_t n = 0, len;

    (void)state;
    assert_int_equal(java_stream_next(stream, bytes.data, bytes.len, &value), JAVA_OK);
    assert_int_equal(value.kind, JAVA_BYTES);
    assert_int_equal(value.len, 15);
    assert_null(java_class_name(stream, &value, &len));
    assert_int_equal(java_stream_next(stream, bytes.data, bytes.len, &value), JAVA_OK);
    assert_int_equal(value.kind, JAVA_OBJECT);
    assert_true(java_is(stream, &value, "java.util.HashMap"));
    assert_false(java_is(stream, &value, "java.util.HashMa"));
    assert_true(java_field(stream, &value, "loadFactor")->real == 0.75);
    assert_int_equal(java_field(stream, &value, "threshold")->integer, 3);
    assert_null(java_field(stream, &value, "size"));
    assert_null(java_written(stream, &value, "java.util.Map"));
    item = java_written(stream, &value, "java.util.HashMap");
    assert_int_equal(item->value.kind, JAVA_BYTES);
    item = item->next;
    assert_true(java_text_is(stream, &item->value, "127.0.0.2/127.0.0.2:7000"));
    item = item->next;
    assert_true(java_text_is(stream, &item->value, "UP"));
    for (; item; item = item->next)
        n++;
    assert_int_equal(n, 5);
    java_stream_free(stream);
    bytes_free(&bytes);
}

static void superclasses(void **state)
{
    struct bytes bytes = recorded("10_exception_auth_failed.bin");
    struct java_stream *stream = stream_new(&LIMITS);
    const struct java_value *cause, *trace;
    struct java_value value;

    (void)state;
    assert_int_equal(java_stream_next(stream, bytes.data, bytes.len, &value), JAVA_OK);
    assert_int_equal(java_stream_next(stream, bytes.data, bytes.len, &value), JAVA_OK);
    assert_true(java_is(stream, &value, "java.lang.SecurityException"));
    assert_true(java_is(stream, &value, "java.lang.Throwable"));
    assert_true(java_text_is(stream, java_field(stream, &value, "detailMessage"),
                             "Authentication failed! Invalid username or password"));
    cause = java_field(stream, &value, "cause");
    assert_true(java_is(stream, cause, "javax.security.auth.login.FailedLoginException"));
    trace = java_field(stream, &value, "stackTrace");
    assert_non_null(java_written(stream, trace, "[Ljava.lang.StackTraceElement;"));
    java_stream_free(stream);
    bytes_free(&bytes);
}

/* One object with a field of every primitive type. */
static void primitives(void **state)
{
    struct bytes bytes = {0};
    struct java_stream *stream = stream_new(&LIMITS);
    struct java_value value;

    (void)state;
    put_head(&bytes);
    put_byte(&bytes, 0x73);
    put_class_head(&bytes, "x.P", 2, 8);
    for (const char *type = "BCDFIJSZ"; *type; type++) {
        put_byte(&bytes, (unsigned char)*type);
        put_utf(&bytes, (char[]){*type, '\0'});
    }
    put(&bytes, "\x78\x70", 2);
    put_number(&bytes, 0x80, 1);
    put_number(&bytes, 0xffff, 2);
    put_number(&bytes, 0xbff8000000000000, 8);
    put_number(&bytes, 0x3f400000, 4);
    put_number(&bytes, 0xfffffffe, 4);
    put_number(&bytes, 0x8000000000000000, 8);
    put_number(&bytes, 0x8000, 2);
    put_number(&bytes, 1, 1);
    assert_int_equal(java_stream_next(stream, bytes.data, bytes.len, &value), JAVA_OK);
    assert_int_equal(java_field(stream, &value, "B")->integer, -128);
    assert_int_equal(java_field(stream, &value, "C")->integer, 0xffff);
    assert_true(java_field(stream, &value, "D")->real == -1.5);
    assert_true(java_field(stream, &value, "F")->real == 0.75);
    assert_int_equal(java_field(stream, &value, "I")->integer, -2);
    assert_true(java_field(stream, &value, "J")->integer == INT64_MIN);
    assert_int_equal(java_field(stream, &value, "S")->integer, -32768);
    assert_int_equal(java_field(stream, &value, "Z")->integer, 1);
    java_stream_free(stream);
    bytes_free(&bytes);
}

/* An array of arrays of long, an enum constant, a class, a proxy: read over. */
static void other_kinds(void **state)
{
    struct bytes bytes = {0};

    (void)state;
    put_head(&bytes);
    put_byte(&bytes, 0x75);
    put_class(&bytes, "[Ljava.lang.Object;", 2);
    put_number(&bytes, 4, 4);
    put_byte(&bytes, 0x75);
    put_class(&bytes, "[J", 2);
    put_number(&bytes, 2, 4);
    put_number(&bytes, 1, 8);
    put_number(&bytes, 2, 8);
    put_byte(&bytes, 0x7e);
    put_class(&bytes, "x.Colour", 0x12);
    put_string(&bytes, "RED");
    put_byte(&bytes, 0x76);
    put_class(&bytes, "x.C", 0);
    put_byte(&bytes, 0x73);
    put_byte(&bytes, 0x7d);
    put_number(&bytes, 2, 4);
    put_utf(&bytes, "x.I");
    put_utf(&bytes, "x.J");
    put(&bytes, "\x78\x70", 2);
    assert_status(&bytes, JAVA_OK);
}

static struct bytes objects(const char *name, unsigned flags)
{
    struct bytes bytes = {0};

    put_head(&bytes);
    put_byte(&bytes, 0x73);
    put_class(&bytes, name, flags);
    return bytes;
}

static void not_a_stream(void **state)
{
    static const char *const table[] = {
        "\xac\xee",
        "JRMI",
        "\xac\xed\x00\x06",
        "\xac\xed\x00\x05\x78",
        "\xac\xed\x00\x05\x79",
        "\xac\xed\x00\x05\x7f",
        "\xac\xed\x00\x05\x6f",
        "\xac\xed\x00\x05\x72",
        "\xac\xed\x00\x05\x73\x70",                     /* an object without class */
        "\xac\xed\x00\x05\x73\x74",                     /* a text as class */
        "\xac\xed\x00\x05\x71\x00\x7e\x00\x00",         /* nothing to refer to */
        "\xac\xed\x00\x05\x73\x71\x00\x7d\xff\xff",     /* below the first handle */
        "\xac\xed\x00\x05\x7b\x7b\x70",                 /* an exception inside an exception */
        "\xac\xed\x00\x05\x73\x7b\x73\x7b\x73\x7b\x70", /* deeper */
    };
    static const size_t len[] = {2, 4, 4, 5, 5, 5, 5, 5, 6, 6, 9, 10, 7, 11};

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct bytes bytes = {0};

        put(&bytes, table[i], len[i]);
        assert_status(&bytes, JAVA_BAD);
    }
}

/* References are taken for what they refer to. */
static void references(void **state)
{
    struct bytes bytes = objects("x.A", 3);

    (void)state;
    /* To itself, to its class: a ring of objects is fine. */
    put_reference(&bytes, 1);
    put_reference(&bytes, 0);
    put_byte(&bytes, 0x78);
    assert_status(&bytes, JAVA_OK);
    /* An object as a class. */
    bytes = objects("x.A", 3);
    put_byte(&bytes, 0x73);
    put_reference(&bytes, 1);
    assert_status(&bytes, JAVA_BAD);
    /* A class above itself. */
    put_head(&bytes);
    put_byte(&bytes, 0x73);
    put_class_head(&bytes, "x.A", 2, 0);
    put_byte(&bytes, 0x78);
    put_reference(&bytes, 0);
    assert_status(&bytes, JAVA_BAD);
    /* The type of a field that is no text. */
    put_head(&bytes);
    put_byte(&bytes, 0x73);
    put_class_head(&bytes, "x.A", 2, 1);
    put_byte(&bytes, 'L');
    put_utf(&bytes, "f");
    put_reference(&bytes, 0);
    assert_status(&bytes, JAVA_BAD);
    /* No such type. */
    put_head(&bytes);
    put_byte(&bytes, 0x73);
    put_class_head(&bytes, "x.A", 2, 1);
    put_byte(&bytes, 'V');
    assert_status(&bytes, JAVA_BAD);
    /* An array of what is no array. */
    put_head(&bytes);
    put_byte(&bytes, 0x75);
    put_class(&bytes, "x.A", 2);
    assert_status(&bytes, JAVA_BAD);
    /* Data that only its class could read. */
    bytes = objects("x.A", 4);
    assert_status(&bytes, JAVA_BAD);
    bytes = objects("x.A", 0);
    assert_status(&bytes, JAVA_BAD);
    bytes = objects("x.A", 12);
    put(&bytes, "\x77\x01\x00\x78", 4);
    assert_status(&bytes, JAVA_OK);
}

/* What is announced is neither believed nor waited for when it cannot be. */
static void announced_lengths(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        enum java_status expected;
    } table[] = {
        {"\x74\xff\xff", 3, JAVA_MORE},
        {"\x7c\x00\x00\x00\x00\x00\x0f\xff\x00", 9, JAVA_MORE},
        {"\x7c\x00\x00\x00\x00\x00\x10\x00\x00", 9, JAVA_TOO_LARGE},
        {"\x7c\x00\x00\x00\x00\xff\xff\xff\xff", 9, JAVA_TOO_LARGE},
        {"\x7c\x7f\xff\xff\xff\xff\xff\xff\xff", 9, JAVA_TOO_LARGE},
        {"\x7c\xff\xff\xff\xff\xff\xff\xff\xff", 9, JAVA_TOO_LARGE},
        {"\x7a\x7f\xff\xff\xff", 5, JAVA_TOO_LARGE},
        {"\x7a\xff\xff\xff\xff", 5, JAVA_TOO_LARGE},
        {"\x73\x7d\x7f\xff\xff\xff", 6, JAVA_TOO_LARGE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct bytes bytes = {0};

        put_head(&bytes);
        put(&bytes, table[i].bytes, table[i].len);
        assert_status(&bytes, table[i].expected);
    }
    for (uint64_t len = 0x7fffffff; len <= 0xffffffff; len += 0x80000000) {
        static const char *const arrays[] = {"[J", "[B", "[Ljava.lang.Object;"};

        for (int i = 0; i < 3; i++) {
            struct bytes bytes = {0};

            put_head(&bytes);
            put_byte(&bytes, 0x75);
            put_class(&bytes, arrays[i], 2);
            put_number(&bytes, len, 4);
            assert_status(&bytes, JAVA_TOO_LARGE);
        }
    }
}

static void bombs(void **state)
{
    struct bytes bytes = objects("x.A", 3);

    (void)state;
    /* Handles: every text is one. */
    for (int i = 0; i < 2000; i++)
        put(&bytes, "\x74\x00\x00", 3);
    assert_status(&bytes, JAVA_TOO_LARGE);
    /* Nodes: a byte each. */
    bytes = objects("x.A", 3);
    for (int i = 0; i < 20000; i++)
        put_byte(&bytes, 0x70);
    assert_status(&bytes, JAVA_TOO_LARGE);
    /* Depth: of objects in objects, of descriptors in annotations of descriptors. */
    bytes = objects("x.A", 3);
    for (int i = 0; i < 62; i++) {
        put_byte(&bytes, 0x73);
        put_reference(&bytes, 0);
    }
    put_byte(&bytes, 0x70);
    assert_int_equal(status_with(&LIMITS, &bytes), JAVA_MORE);
    put_byte(&bytes, 0x73);
    put_reference(&bytes, 0);
    put_byte(&bytes, 0x73);
    assert_status(&bytes, JAVA_TOO_LARGE);
    put_head(&bytes);
    for (int i = 0; i < 100; i++) {
        put_byte(&bytes, 0x73);
        put_class_head(&bytes, "x", 2, 0);
    }
    assert_status(&bytes, JAVA_TOO_LARGE);
    /* Fields, and classes above classes. */
    put_head(&bytes);
    put_byte(&bytes, 0x73);
    put_class_head(&bytes, "x.A", 2, 129);
    assert_status(&bytes, JAVA_TOO_LARGE);
    put_head(&bytes);
    put_byte(&bytes, 0x73);
    for (int i = 0; i < 17; i++) {
        put_class_head(&bytes, "x", 2, 0);
        put_byte(&bytes, 0x78);
    }
    put_byte(&bytes, 0x70);
    assert_status(&bytes, JAVA_TOO_LARGE);
}

/* Each object has 128 fields of the same class: what is announced grows as 128^depth. */
static void many_fields(void **state)
{
    const struct java_limits limits = {.bytes = 1 << 20, .nodes = 5000, .handles = 1000};
    struct bytes bytes = {0};

    (void)state;
    put_head(&bytes);
    put_byte(&bytes, 0x73);
    put_class_head(&bytes, "x.A", 2, 128);
    for (int i = 0; i < 128; i++) {
        put_byte(&bytes, 'L');
        put_utf(&bytes, "f");
        if (i == 0)
            put_string(&bytes, "Lx/A;");
        else
            put_reference(&bytes, 1);
    }
    put(&bytes, "\x78\x70", 2);
    for (int i = 0; i < 60; i++) {
        put_byte(&bytes, 0x73);
        put_reference(&bytes, 0);
    }
    assert_int_equal(status_with(&LIMITS, &bytes), JAVA_MORE);
    for (int i = 0; i < 10000; i++)
        put_byte(&bytes, 0x70);
    assert_int_equal(status_with(&limits, &bytes), JAVA_TOO_LARGE);
    bytes_free(&bytes);
}

static void limit_of_bytes(void **state)
{
    const struct java_limits limits = {.bytes = 100, .nodes = 1000, .handles = 1000};
    struct bytes bytes = objects("x.A", 3);

    (void)state;
    while (bytes.len < 100)
        put_byte(&bytes, 0x70);
    assert_int_equal(status_with(&limits, &bytes), JAVA_TOO_LARGE);
    bytes.data[99] = 0x78;
    assert_int_equal(status_with(&limits, &bytes), JAVA_OK);
    bytes_free(&bytes);
}

static void assert_utf8(const char *text, size_t len, const char *expected)
{
    char to[64];
    size_t n = java_utf8(text, len, to);

    assert_true(n <= len);
    assert_int_equal(n, strlen(expected));
    assert_memory_equal(to, expected, n);
}

static void modified_utf8(void **state)
{
    (void)state;
    assert_utf8("", 0, "");
    assert_utf8("dc1 \xc3\xa9\xe2\x82\xac", 9, "dc1 \xc3\xa9\xe2\x82\xac");
    assert_utf8("a\xc0\x80"
                "b",
                4, "a?b");
    assert_utf8("\xed\xa0\xbd\xed\xb8\x80", 6, "\xf0\x9f\x98\x80");
    /* Halves of pairs, cut sequences, what UTF-8 has and this has not. */
    assert_utf8("\xed\xa0\xbd", 3, "?");
    assert_utf8("\xed\xb8\x80\xed\xa0\xbd", 6, "??");
    assert_utf8("\xed\xa0\xbdx", 4, "?x");
    assert_utf8("\xc3", 1, "?");
    assert_utf8("\xe2\x82", 2, "??");
    assert_utf8("\xf0\x9f\x98\x80", 4, "????");
    assert_utf8("\xc1\xbf\xe0\x80\x80", 5, "?????");
    assert_utf8("\0", 1, "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_recorded),
        cmocka_unit_test(values),
        cmocka_unit_test(superclasses),
        cmocka_unit_test(primitives),
        cmocka_unit_test(other_kinds),
        cmocka_unit_test(not_a_stream),
        cmocka_unit_test(references),
        cmocka_unit_test(announced_lengths),
        cmocka_unit_test(bombs),
        cmocka_unit_test(many_fields),
        cmocka_unit_test(limit_of_bytes),
        cmocka_unit_test(modified_utf8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

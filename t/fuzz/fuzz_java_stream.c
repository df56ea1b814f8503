/*
 * Arbitrary bytes as a Java object stream. However they are cut into pieces, the outcome is the
 * same; memory stays within the limits; everything read can be looked at.
 */
#include <stdlib.h>
#include <string.h>

#include "sources/java_stream.h"

static const struct java_limits LIMITS = {.bytes = 4096, .nodes = 1000, .handles = 500};

static void check(bool condition)
{
    if (!condition)
        abort();
}

/* Reads at most n elements. */
static enum java_status read_elements(struct java_stream *stream, const uint8_t *data, size_t len,
                                      size_t *n, struct java_value *last)
{
    enum java_status status = JAVA_OK;

    while (status == JAVA_OK && *n > 0) {
        size_t before = java_stream_consumed(stream);

        status = java_stream_next(stream, data, len, last);
        if (status == JAVA_OK || status == JAVA_ABORTED) {
            check(java_stream_consumed(stream) > before);
            (*n)--;
        } else {
            check(java_stream_consumed(stream) == before);
        }
        check(java_stream_consumed(stream) <= len);
        check(java_stream_memory(stream) < 64 * 1024 + LIMITS.nodes * 80 + LIMITS.handles * 32);
    }
    return status;
}

static void look(const struct java_stream *stream, const struct java_value *value, size_t len)
{
    const struct java_value *field = java_field(stream, value, "value");
    const struct java_item *item = java_written(stream, value, "java.util.HashMap");
    char text[4096];
    size_t n;

    (void)java_is(stream, value, "java.util.HashMap");
    (void)java_is(stream, field, "java.lang.Number");
    (void)java_class_name(stream, value, &n);
    check(n <= len);
    (void)java_text_is(stream, value, "UP");
    for (; item; item = item->next) {
        const char *bytes = java_bytes(stream, &item->value, &n);

        check(n <= len);
        if (n > 0)
            check(java_utf8(bytes, n, text) <= n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct java_stream *whole, *pieces;
    struct java_value value = {0}, other = {0};
    size_t n = 4, n_pieces = 4, cut;
    enum java_status status, status_pieces = JAVA_MORE;

    if (len < 1 || len > LIMITS.bytes)
        return 0;
    cut = (size_t)data[0] % 7 + 1;
    data++;
    len--;
    check(java_stream_new(&LIMITS, &whole) == 0 && java_stream_new(&LIMITS, &pieces) == 0);
    status = read_elements(whole, data, len, &n, &value);
    for (size_t at = 0; at <= len && status_pieces == JAVA_MORE; at += cut) {
        /* In memory of its own: what is behind the piece must not be looked at. */
        uint8_t *piece = malloc(at + 1);

        check(piece != NULL);
        memcpy(piece, data, at);
        status_pieces = read_elements(pieces, piece, at, &n_pieces, &other);
        java_stream_moved(pieces, data);
        free(piece);
        if (status_pieces == JAVA_MORE && at < len && at + cut > len)
            at = len - cut;
    }
    check(status_pieces == status && n_pieces == n);
    check(java_stream_consumed(pieces) == java_stream_consumed(whole));
    if (status == JAVA_OK || status == JAVA_ABORTED) {
        check(value.kind == other.kind && value.len == other.len);
        look(whole, &value, len);
    }
    java_stream_free(whole);
    java_stream_free(pieces);
    return 0;
}

#include <string.h>

#include "java_stream_private.h"

const char *java_bytes(const struct java_stream *stream, const struct java_value *value,
                       size_t *ret_len)
{
    if (!value || (value->kind != JAVA_TEXT && value->kind != JAVA_BYTES)) {
        *ret_len = 0;
        return NULL;
    }
    *ret_len = value->len;
    return (const char *)stream->data + value->at;
}

static bool named(const struct java_stream *stream, size_t at, size_t len, const char *name)
{
    return len == strlen(name) && memcmp(stream->data + at, name, len) == 0;
}

bool java_text_is(const struct java_stream *stream, const struct java_value *value,
                  const char *text)
{
    return value && value->kind == JAVA_TEXT && named(stream, value->at, value->len, text);
}

const char *java_class_name(const struct java_stream *stream, const struct java_value *value,
                            size_t *ret_len)
{
    *ret_len = 0;
    if (!value || value->kind != JAVA_OBJECT)
        return NULL;
    *ret_len = value->object->class->name_len;
    return (const char *)stream->data + value->object->class->name_at;
}

bool java_is(const struct java_stream *stream, const struct java_value *value, const char *name)
{
    const struct java_class *class =
        value && value->kind == JAVA_OBJECT ? value->object->class : NULL;

    while (class && !named(stream, class->name_at, class->name_len, name))
        class = class->super;
    return class;
}

const struct java_value *java_field(const struct java_stream *stream,
                                    const struct java_value *value, const char *name)
{
    const struct java_item *item =
        value && value->kind == JAVA_OBJECT ? value->object->fields : NULL;

    while (item && !named(stream, item->field->name_at, item->field->name_len, name))
        item = item->next;
    return item ? &item->value : NULL;
}

const struct java_item *java_written(const struct java_stream *stream,
                                     const struct java_value *value, const char *class_name)
{
    const struct java_part *part =
        value && value->kind == JAVA_OBJECT ? value->object->parts : NULL;

    while (part && !named(stream, part->class->name_at, part->class->name_len, class_name))
        part = part->next;
    return part ? part->first : NULL;
}

/* One UTF-16 unit of modified UTF-8; 0 bytes when there is none that is valid. */
static size_t utf16_unit(const unsigned char *text, size_t len, uint32_t *ret)
{
    if (len >= 1 && text[0] < 0x80 && text[0] > 0) {
        *ret = text[0];
        return 1;
    }
    if (len >= 2 && (text[0] & 0xe0) == 0xc0 && (text[1] & 0xc0) == 0x80) {
        *ret = (uint32_t)(text[0] & 0x1f) << 6 | (text[1] & 0x3f);
        return *ret >= 0x80 || *ret == 0 ? 2 : 0;
    }
    if (len >= 3 && (text[0] & 0xf0) == 0xe0 && (text[1] & 0xc0) == 0x80 &&
        (text[2] & 0xc0) == 0x80) {
        *ret =
            (uint32_t)(text[0] & 0x0f) << 12 | (uint32_t)(text[1] & 0x3f) << 6 | (text[2] & 0x3f);
        return *ret >= 0x800 ? 3 : 0;
    }
    return 0;
}

size_t java_utf8(const char *text, size_t len, char *to)
{
    const unsigned char *at = (const unsigned char *)text;
    const unsigned char *end = at + len;
    char *out = to;

    while (at < end) {
        uint32_t unit = 0, low = 0;
        size_t n = utf16_unit(at, (size_t)(end - at), &unit);
        size_t m = n > 0 ? utf16_unit(at + n, (size_t)(end - at) - n, &low) : 0;

        if (n > 0 && unit != 0 && (unit & 0xf800) != 0xd800) {
            memcpy(out, at, n);
            out += n;
            at += n;
        } else if (n > 0 && m > 0 && (unit & 0xfc00) == 0xd800 && (low & 0xfc00) == 0xdc00) {
            uint32_t code = 0x10000 + ((unit & 0x3ff) << 10 | (low & 0x3ff));

            *out++ = (char)(0xf0 | code >> 18);
            *out++ = (char)(0x80 | (code >> 12 & 0x3f));
            *out++ = (char)(0x80 | (code >> 6 & 0x3f));
            *out++ = (char)(0x80 | (code & 0x3f));
            at += n + m;
        } else {
            *out++ = '?';
            at += n > 0 ? n : 1;
        }
    }
    return (size_t)(out - to);
}

#include "text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static bool reserve(struct text *text, size_t more)
{
    size_t size = text->size ? text->size : 256;
    char *data;

    if (text->failed)
        return false;
    if (text->len + more <= text->size)
        return true;
    while (size < text->len + more)
        size *= 2;
    data = realloc(text->data, size);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->size = size;
    return true;
}

void text_add(struct text *text, const char *bytes, size_t len)
{
    if (!reserve(text, len))
        return;
    memcpy(text->data + text->len, bytes, len);
    text->len += len;
}

void text_printf(struct text *text, const char *format, ...)
{
    va_list ap;
    int len;

    if (!reserve(text, 128))
        return;
    va_start(ap, format);
    len = vsnprintf(text->data + text->len, text->size - text->len, format, ap);
    va_end(ap);
    if (len < 0) {
        text->failed = true;
        return;
    }
    if ((size_t)len >= text->size - text->len) {
        if (!reserve(text, (size_t)len + 1))
            return;
        va_start(ap, format);
        vsnprintf(text->data + text->len, text->size - text->len, format, ap);
        va_end(ap);
    }
    text->len += (size_t)len;
}

/* Length of the valid UTF-8 sequence at s, or 0. */
static size_t utf8_sequence(const unsigned char *s)
{
    static const struct {
        unsigned char mask, lead;
        size_t len;
        uint32_t least;
    } forms[] = {{0xe0, 0xc0, 2, 0x80}, {0xf0, 0xe0, 3, 0x800}, {0xf8, 0xf0, 4, 0x10000}};

    for (size_t f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
        uint32_t code = s[0] & (unsigned char)~forms[f].mask;

        if ((s[0] & forms[f].mask) != forms[f].lead)
            continue;
        for (size_t i = 1; i < forms[f].len; i++) {
            if ((s[i] & 0xc0) != 0x80)
                return 0;
            code = code << 6 | (s[i] & 0x3f);
        }
        if (code < forms[f].least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
            return 0;
        return forms[f].len;
    }
    return 0;
}

void text_add_json(struct text *text, const char *string)
{
    text_add(text, "\"", 1);
    for (const unsigned char *s = (const unsigned char *)string; *s;) {
        size_t len = *s >= 0x80 ? utf8_sequence(s) : 1;

        if (len == 0) {
            text_puts(text, "\xef\xbf\xbd");
            len = 1;
        } else if (*s < 0x20 || *s == 0x7f) {
            text_printf(text, "\\u%04x", *s);
        } else {
            if (*s == '"' || *s == '\\')
                text_add(text, "\\", 1);
            text_add(text, (const char *)s, len);
        }
        s += len;
    }
    text_add(text, "\"", 1);
}

void text_free(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}

void text_add_member(struct text *text, const char *name, const char *value)
{
    text_printf(text, ",\"%s\":", name);
    if (*value)
        text_add_json(text, value);
    else
        text_puts(text, "null");
}

void text_add_item(const char *string, void *userdata)
{
    struct text *text = userdata;

    if (text->len > 0 && text->data[text->len - 1] != '[')
        text_add(text, ",", 1);
    text_add_json(text, string);
}

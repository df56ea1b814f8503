/*
 * A growing run of bytes to render into. An allocation failure is remembered, not reported at each
 * call: check ->failed once at the end. PURE.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct text {
    char *data; /* not NUL-terminated */
    size_t len, size;
    bool failed;
};

void text_add(struct text *text, const char *bytes, size_t len);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds `string` in quotes, escaped as JSON; invalid UTF-8 becomes U+FFFD. */
void text_add_json(struct text *text, const char *string);

/* Adds `,"name":"value"`, or null when the value is empty. */
void text_add_member(struct text *text, const char *name, const char *value);

/* Adds `string` to an array of JSON that is open, with its comma. `userdata`: the text. */
void text_add_item(const char *string, void *userdata);

void text_free(struct text *text);

static inline void text_puts(struct text *text, const char *string)
{
    text_add(text, string, strlen(string));
}

/* Empties it and keeps its room. */
static inline void text_reset(struct text *text)
{
    text->len = 0;
    text->failed = false;
}

#endif

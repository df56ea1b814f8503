#include "json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text && *text ? text : "-";
}

char *join(const json_t *array, const char *separator)
{
    char *text = NULL;
    size_t len, i;
    FILE *out = open_memstream(&text, &len);
    const json_t *item;

    if (!out)
        abort();
    json_array_foreach(array, i, item)
        fprintf(out, "%s%s", i > 0 ? separator : "", json_string_value(item) ?: "?");
    fclose(out);
    return text;
}

void make_printable(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c; c++)
        if (*c < 0x20 || *c == 0x7f)
            *c = '?';
        else if (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
            c[0] = c[1] = '?';
}

void say(const char *text)
{
    char *printable = strdup(text);

    if (!printable)
        abort();
    make_printable(printable);
    fputs(printable, stdout);
    free(printable);
}

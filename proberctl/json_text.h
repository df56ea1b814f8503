/*
 * JSON as text for people and files. Names from the sources are for people alone: nothing in them
 * may command the terminal.
 */
#ifndef JSON_TEXT_H
#define JSON_TEXT_H

#include <jansson.h>

/* The string `name` of an object; "-" when there is none. */
const char *text_of(const json_t *object, const char *name);

/* The strings of an array with `separator` between, to be freed; "" for none. */
char *join(const json_t *array, const char *separator);

/* Control characters become '?', those beyond ASCII (U+0080 to U+009F), too. */
void make_printable(char *text);

/* Like that, on stdout. */
void say(const char *text);

#endif

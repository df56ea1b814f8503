/* JSON as text for people and files. */
#ifndef JSON_TEXT_H
#define JSON_TEXT_H

#include <jansson.h>

/* The string `name` of an object; "-" when there is none. */
const char *text_of(const json_t *object, const char *name);

/* The strings of an array with `separator` between, to be freed; "" for none. */
char *join(const json_t *array, const char *separator);

#endif

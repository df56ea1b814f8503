#include "values_json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../sources/json_answer.h"
#include "value_body.h"

#define FORMAT 1

static json_t *value_object(const struct value *value)
{
    json_t *text = value->text ? json_loads(value->text, JSON_DECODE_ANY, NULL) : json_null();

    /* Null would say that it was deleted. */
    if (!text)
        return NULL;
    return json_pack("{s:s, s:o, s:I, s:s, s:s, s:I, s:I, s:I}", "key", value->key, "value", text,
                     "counter", (json_int_t)value->counter, "host", value->host, "user",
                     value->user, "at_ms", (json_int_t)value->at_ms, "ttl_ms",
                     (json_int_t)value->ttl_ms, "until_ms", (json_int_t)value->until_ms);
}

json_t *values_json_array(const struct values *values)
{
    json_t *array = json_array();

    for (size_t i = 0; array && i < values->n; i++) {
        if (json_array_append_new(array, value_object(&values->items[i])) < 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static bool take_text(const json_t *object, const char *key, char *to, size_t size)
{
    const json_t *text = json_object_get(object, key);

    if (!json_is_string(text) || json_string_length(text) >= size)
        return false;
    memcpy(to, json_string_value(text), json_string_length(text) + 1);
    return true;
}

static bool take_number(const json_t *object, const char *key, int64_t *ret)
{
    const json_t *number = json_object_get(object, key);

    if (!json_is_integer(number) || json_integer_value(number) < 0)
        return false;
    *ret = json_integer_value(number);
    return true;
}

/* For one line of a log. */
static void plain(char *text)
{
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
}

/* 1: taken; 0: not newer; negative errno: no version. */
static int merge_one(const json_t *object, struct values *values, int64_t wall_ms)
{
    const json_t *text = json_object_get(object, "value");
    struct value value = {0};
    int64_t counter = 0;
    int r;

    if (!text || !take_text(object, "key", value.key, sizeof(value.key)) ||
        !take_text(object, "host", value.host, sizeof(value.host)) ||
        !take_text(object, "user", value.user, sizeof(value.user)) ||
        !take_number(object, "counter", &counter) || !take_number(object, "at_ms", &value.at_ms) ||
        !take_number(object, "ttl_ms", &value.ttl_ms) ||
        !take_number(object, "until_ms", &value.until_ms))
        return -EBADMSG;
    value.counter = (uint64_t)counter;
    plain(value.user);
    if (!json_is_null(text)) {
        if (!value_body_is(value.key, text))
            return -EINVAL;
        value.text = json_dumps(text, JSON_COMPACT | JSON_ENCODE_ANY);
        if (!value.text)
            return -ENOMEM;
    }
    r = values_merge(values, &value, wall_ms);
    free(value.text);
    return r;
}

static void tell_skipped(size_t skipped, const json_t *first, int error, char why[DETAIL_LEN])
{
    const char *key = json_string_value(json_object_get(first, "key"));
    const char *reason = error == -EBADMSG  ? "it has not the form of one"
                         : error == -EINVAL ? "this version knows no such key or value"
                         : error == -ENOSPC ? "there are too many"
                                            : strerror(-error);

    snprintf(why, DETAIL_LEN, "%zu values left out, the first (%.40s): %s", skipped,
             key ? key : "no key", reason);
    plain(why);
}

int values_json_merge(const json_t *array, struct values *values, int64_t wall_ms,
                      size_t *ret_taken, char why[DETAIL_LEN])
{
    const json_t *object, *first = NULL;
    size_t skipped = 0, i;
    int error = 0;

    *ret_taken = 0;
    why[0] = '\0';
    if (!json_is_array(array)) {
        snprintf(why, DETAIL_LEN, "no array of values");
        return -EBADMSG;
    }
    json_array_foreach(array, i, object)
    {
        int r = merge_one(object, values, wall_ms);

        *ret_taken += r > 0;
        if (r < 0 && skipped++ == 0) {
            first = object;
            error = r;
        }
    }
    if (skipped > 0)
        tell_skipped(skipped, first, error, why);
    return 0;
}

char *values_json_document(const struct values *values, const char *cluster)
{
    json_t *root, *array;
    char *text = NULL;

    json_set_alloc_funcs(malloc, free);
    array = values_json_array(values);
    root = array
               ? json_pack("{s:i, s:s, s:o}", "format", FORMAT, "cluster", cluster, "values", array)
               : NULL;
    if (root)
        text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return text;
}

static int parse_root(const json_t *root, const char *cluster, struct values *values,
                      int64_t wall_ms, size_t *ret_taken, char why[DETAIL_LEN])
{
    const json_t *format = json_object_get(root, "format"), *name;

    if (!json_is_integer(format) || json_integer_value(format) != FORMAT) {
        snprintf(why, DETAIL_LEN, "not values of format %d", FORMAT);
        return -EBADMSG;
    }
    name = json_object_get(root, "cluster");
    if (!json_is_string(name) || strcmp(json_string_value(name), cluster) != 0) {
        snprintf(why, DETAIL_LEN, "values of another cluster");
        return -EXDEV;
    }
    return values_json_merge(json_object_get(root, "values"), values, wall_ms, ret_taken, why);
}

int values_json_parse(const char *body, size_t len, const char *cluster, struct values *values,
                      int64_t wall_ms, size_t *ret_taken, char why[DETAIL_LEN])
{
    json_t *root = NULL;
    int r;

    *ret_taken = 0;
    why[0] = '\0';
    json_set_alloc_funcs(malloc, free);
    if (json_answer(body, len, &root, why) != POLL_OK)
        return -EBADMSG;
    r = parse_root(root, cluster, values, wall_ms, ret_taken, why);
    json_decref(root);
    return r;
}

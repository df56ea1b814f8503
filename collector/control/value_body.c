#include "value_body.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLICAS_MAX 100000

/* The one form of a value, owned by the caller. NULL: `line` says what is wrong. */
typedef json_t *(*value_shape)(const json_t *value, char line[VALUE_LINE_LEN]);

__attribute__((format(printf, 2, 3))) static json_t *wrong(char line[VALUE_LINE_LEN],
                                                           const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(line, VALUE_LINE_LEN, format, args);
    va_end(args);
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < 0x20)
            *c = ' ';
    return NULL;
}

static json_t *read_json(const char *body, size_t len, char line[VALUE_LINE_LEN])
{
    json_error_t error;
    json_t *root;

    root = json_loadb(body, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    return root ? root : wrong(line, "the body is no JSON: %s", len ? error.text : "it is empty");
}

static json_t *read_boolean(const char *body, size_t len, char line[VALUE_LINE_LEN])
{
    static const char *const words[2][7] = {{"true", "1", "t", "T", "TRUE", "True", NULL},
                                            {"false", "0", "f", "F", "FALSE", "False", NULL}};
    static const char blank[] = " \t\r\n";

    while (len > 0 && memchr(blank, body[0], sizeof(blank) - 1)) {
        body++;
        len--;
    }
    while (len > 0 && memchr(blank, body[len - 1], sizeof(blank) - 1))
        len--;
    for (int no = 0; no < 2; no++)
        for (size_t i = 0; words[no][i]; i++)
            if (strlen(words[no][i]) == len && memcmp(words[no][i], body, len) == 0)
                return json_boolean(!no);
    return wrong(line, "the body is no boolean: true or false, also 1 0 t f T F TRUE FALSE True "
                       "False");
}

/* An item of an array in its one form. NULL: `line` says what is wrong with the one of that number.
 * *ret_name is what no other may have: a part of it. */
typedef json_t *(*item_shape)(const json_t *item, size_t number, const char **ret_name,
                              char line[VALUE_LINE_LEN]);

/* Each item once, in the given order. */
static json_t *shape_array(const json_t *array, item_shape shape, char line[VALUE_LINE_LEN])
{
    /* An object with a key for each so far: there may be a hundred thousand. */
    json_t *ret = json_array(), *seen = json_object(), *item;
    size_t i;

    json_array_foreach(array, i, item)
    {
        const char *name;
        json_t *shaped = shape(item, i + 1, &name, line);

        if (shaped && json_object_get(seen, name))
            wrong(line, "%s is there twice", name);
        else if (shaped)
            json_object_set_new(seen, name, json_true());
        json_array_append_new(ret, shaped);
        if (line[0])
            break;
    }
    json_decref(seen);
    if (line[0] == '\0')
        return ret;
    json_decref(ret);
    return NULL;
}

static json_t *shape_address(const json_t *item, size_t number, const char **ret_name,
                             char line[VALUE_LINE_LEN])
{
    char text[PROBER_ADDR_STRLEN];
    struct prober_addr address;
    json_t *ret;

    if (!json_is_string(item) ||
        prober_addr_parse(json_string_value(item), json_string_length(item), &address) < 0)
        return wrong(line, "item %zu is no address", number);
    prober_addr_format(&address, text);
    ret = json_string(text);
    *ret_name = json_string_value(ret);
    return ret;
}

static json_t *shape_addresses(const json_t *value, char line[VALUE_LINE_LEN])
{
    if (!json_is_array(value))
        return wrong(line, "the body is no array of addresses: [\"10.0.0.1\", \"10.0.0.2\"]");
    return shape_array(value, shape_address, line);
}

static json_t *shape_seeds(const json_t *value, char line[VALUE_LINE_LEN])
{
    json_t *array = shape_addresses(value, line);

    if (!array || (json_array_size(array) > 0 && json_array_size(array) <= SEEDS_MAX))
        return array;
    if (json_array_size(array) == 0)
        wrong(line, "no seeds at all: a cluster cannot start without; DELETE goes back to "
                    "automatic");
    else
        wrong(line, "more than %d seeds", SEEDS_MAX);
    json_decref(array);
    return NULL;
}

static json_t *shape_dc(const json_t *item, size_t number, const char **ret_name,
                        char line[VALUE_LINE_LEN])
{
    const json_t *name = json_object_get(item, "name"),
                 *replicas = json_object_get(item, "replicas");

    if (json_object_size(item) != 2 || !json_is_string(name) || json_string_length(name) == 0 ||
        json_string_length(name) >= NAME_LEN || !json_is_integer(replicas) ||
        json_integer_value(replicas) < 0 || json_integer_value(replicas) > REPLICAS_MAX)
        return wrong(line, "item %zu is not {\"name\":\"dc1\",\"replicas\":3}", number);
    *ret_name = json_string_value(name);
    return json_pack("{s:s, s:I}", "name", *ret_name, "replicas", json_integer_value(replicas));
}

static json_t *shape_dcs(const json_t *value, char line[VALUE_LINE_LEN])
{
    if (!json_is_array(value))
        return wrong(line, "the body is no array: [{\"name\":\"dc1\",\"replicas\":3}]");
    return shape_array(value, shape_dc, line);
}

static json_t *shape_boolean(const json_t *value, char line[VALUE_LINE_LEN])
{
    return json_is_boolean(value) ? json_boolean(json_is_true(value))
                                  : wrong(line, "it is no boolean");
}

/* By the last part of the key, but for those that have data centers there. NULL = no such key. */
static value_shape shape_of(const char *key)
{
    static const struct {
        const char *name;
        value_shape shape;
    } table[] = {
        {"readylocaldcs", shape_boolean},
        {"localseeds", shape_seeds},
        {"dcs", shape_dcs},
        {"region-ips", shape_addresses},
        {"reaper-ips", shape_addresses},
        {"reaper-ready", shape_boolean},
        {"suspended", shape_boolean},
    };
    const char *last = strrchr(key, '/');

    if (strncmp(key, "seeds/", 6) == 0)
        return shape_seeds;
    for (size_t i = 0; last && i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(table[i].name, last + 1) == 0)
            return table[i].shape;
    return NULL;
}

json_t *value_body_read(const char *key, const char *body, size_t len, char line[VALUE_LINE_LEN])
{
    value_shape shape = shape_of(key);
    json_t *value, *ret;

    if (!shape)
        return wrong(line, "nothing can be set here");
    /* People may say it in other words than JSON has. */
    if (shape == shape_boolean)
        return read_boolean(body, len, line);
    value = read_json(body, len, line);
    ret = value ? shape(value, line) : NULL;
    json_decref(value);
    return ret;
}

bool value_body_is(const char *key, const json_t *value)
{
    value_shape shape = shape_of(key);
    char line[VALUE_LINE_LEN] = "";
    json_t *shaped;
    bool same;

    if (strncmp(key, "drain/", 6) == 0 || strncmp(key, "repaired/", 9) == 0)
        return json_is_true(value);
    shaped = shape ? shape(value, line) : NULL;
    same = shaped && json_equal(shaped, value);
    json_decref(shaped);
    return same;
}

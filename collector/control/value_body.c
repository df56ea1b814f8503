#include "value_body.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLICAS_MAX 100000

/* The reader says in `line` what is wrong, and returns NULL. */
typedef json_t *(*body_reader)(const char *body, size_t len, char line[VALUE_LINE_LEN]);

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

/* `seen` is an object with a key for each text so far: a body may have a hundred thousand. */
static bool is_twice(json_t *seen, const char *text, char line[VALUE_LINE_LEN])
{
    if (json_object_get(seen, text)) {
        wrong(line, "%s is there twice", text);
        return true;
    }
    json_object_set_new(seen, text, json_true());
    return false;
}

/* An array of addresses, each in its one spelling and once, in the given order. */
static json_t *read_addresses(const char *body, size_t len, char line[VALUE_LINE_LEN])
{
    json_t *array = read_json(body, len, line), *item, *ret, *seen;
    size_t i;

    if (!array)
        return NULL;
    ret = json_array();
    seen = json_object();
    if (!json_is_array(array))
        wrong(line, "the body is no array of addresses: [\"10.0.0.1\", \"10.0.0.2\"]");
    json_array_foreach(array, i, item)
    {
        char text[PROBER_ADDR_STRLEN];
        struct prober_addr address;

        if (!json_is_string(item) ||
            prober_addr_parse(json_string_value(item), json_string_length(item), &address) < 0) {
            wrong(line, "item %zu is no address", i + 1);
            break;
        }
        prober_addr_format(&address, text);
        if (is_twice(seen, text, line))
            break;
        json_array_append_new(ret, json_string(text));
    }
    json_decref(seen);
    json_decref(array);
    if (line[0] == '\0')
        return ret;
    json_decref(ret);
    return NULL;
}

static json_t *read_seeds(const char *body, size_t len, char line[VALUE_LINE_LEN])
{
    json_t *array = read_addresses(body, len, line);

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

static json_t *read_dcs(const char *body, size_t len, char line[VALUE_LINE_LEN])
{
    json_t *array = read_json(body, len, line), *item, *ret, *seen;
    size_t i;

    if (!array)
        return NULL;
    ret = json_array();
    seen = json_object();
    if (!json_is_array(array))
        wrong(line, "the body is no array: [{\"name\":\"dc1\",\"replicas\":3}]");
    json_array_foreach(array, i, item)
    {
        const json_t *name = json_object_get(item, "name"),
                     *replicas = json_object_get(item, "replicas");

        if (json_object_size(item) != 2 || !json_is_string(name) || json_string_length(name) == 0 ||
            json_string_length(name) >= NAME_LEN || !json_is_integer(replicas) ||
            json_integer_value(replicas) < 0 || json_integer_value(replicas) > REPLICAS_MAX) {
            wrong(line, "item %zu is not {\"name\":\"dc1\",\"replicas\":3}", i + 1);
            break;
        }
        if (is_twice(seen, json_string_value(name), line))
            break;
        json_array_append_new(ret, json_pack("{s:s, s:I}", "name", json_string_value(name),
                                             "replicas", json_integer_value(replicas)));
    }
    json_decref(seen);
    json_decref(array);
    if (line[0] == '\0')
        return ret;
    json_decref(ret);
    return NULL;
}

/* Of a key all of which, or the last part of which, is that. */
static body_reader reader_of(const char *key)
{
    static const struct {
        const char *name;
        body_reader read;
    } table[] = {
        {"readylocaldcs", read_boolean},
        {"localseeds", read_seeds},
        {"dcs", read_dcs},
        {"region-ips", read_addresses},
        {"reaper-ips", read_addresses},
        {"reaper-ready", read_boolean},
    };
    const char *last = strrchr(key, '/');

    if (strncmp(key, "seeds/", 6) == 0)
        return read_seeds;
    for (size_t i = 0; last && i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(table[i].name, last + 1) == 0)
            return table[i].read;
    return NULL;
}

json_t *value_body_read(const char *key, const char *body, size_t len, char line[VALUE_LINE_LEN])
{
    body_reader read = reader_of(key);

    return read ? read(body, len, line) : wrong(line, "nothing can be set here");
}

bool value_body_is(const char *key, const json_t *value)
{
    body_reader read = reader_of(key);
    char line[VALUE_LINE_LEN] = "", *text;
    json_t *again;
    bool same;

    if (strncmp(key, "drain/", 6) == 0)
        return json_is_true(value);
    if (!read)
        return false;
    text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    again = text ? read(text, strlen(text), line) : NULL;
    same = again && json_equal(again, value);
    json_decref(again);
    free(text);
    return same;
}

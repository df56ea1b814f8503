#include "requests.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../conf.h"

#define REPLICAS_MAX 100000

/* What kind of JSON a path takes. The reader says in `line` what is wrong, and returns NULL. */
typedef json_t *(*body_reader)(const char *body, size_t len, char line[REQUEST_LINE_LEN]);

__attribute__((format(printf, 2, 3))) static json_t *wrong(char line[REQUEST_LINE_LEN],
                                                           const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(line, REQUEST_LINE_LEN, format, args);
    va_end(args);
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < 0x20)
            *c = ' ';
    return NULL;
}

static json_t *read_json(const char *body, size_t len, char line[REQUEST_LINE_LEN])
{
    json_error_t error;
    json_t *root;

    root = json_loadb(body, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    return root ? root : wrong(line, "the body is no JSON: %s", len ? error.text : "it is empty");
}

static json_t *read_boolean(const char *body, size_t len, char line[REQUEST_LINE_LEN])
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
static bool is_twice(json_t *seen, const char *text, char line[REQUEST_LINE_LEN])
{
    if (json_object_get(seen, text)) {
        wrong(line, "%s is there twice", text);
        return true;
    }
    json_object_set_new(seen, text, json_true());
    return false;
}

/* An array of addresses, each in its one spelling and once, in the given order. */
static json_t *read_addresses(const char *body, size_t len, char line[REQUEST_LINE_LEN])
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

static json_t *read_seeds(const char *body, size_t len, char line[REQUEST_LINE_LEN])
{
    json_t *array = read_addresses(body, len, line);

    if (!array || json_array_size(array) > 0)
        return array;
    json_decref(array);
    return wrong(line, "no seeds at all: a cluster cannot start without; DELETE goes back to "
                       "automatic");
}

static json_t *read_dcs(const char *body, size_t len, char line[REQUEST_LINE_LEN])
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

static const struct route {
    const char *path;
    const char *key;
    body_reader read;
} routes[] = {
    {"/readylocaldcs", "readylocaldcs", read_boolean},
    {"/region-ready", "readylocaldcs", read_boolean},
    {"/localseeds", "localseeds", read_seeds},
    {"/seeds", "localseeds", read_seeds},
    {"/dcs", "dcs", read_dcs},
    {"/region-ips", "region-ips", read_addresses},
    {"/reaper-ips", "reaper-ips", read_addresses},
    {"/reaper-ready", "reaper-ready", read_boolean},
};

static unsigned set_text(struct request_change *change, json_t *json)
{
    change->text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(json);
    change->change.text = change->text;
    return change->text ? 0 : 503;
}

static unsigned read_value(const struct route *route, const char *region, bool put,
                           const char *body, size_t len, struct request_change *ret, char *line)
{
    json_t *json;

    snprintf(ret->key, sizeof(ret->key), "region/%s/%s", region, route->key);
    ret->change.key = ret->key;
    if (!put)
        return 0;
    json = route->read(body, len, line);
    return json ? set_text(ret, json) : 400;
}

static unsigned read_drain(const struct cluster *cluster, const char *name, bool put,
                           const char *ttl, struct request_change *ret, char *line)
{
    char text[PROBER_ADDR_STRLEN];
    struct prober_addr address;
    const struct node *node;

    if (prober_addr_parse(name, strlen(name), &address) < 0) {
        wrong(line, "no address");
        return 404;
    }
    prober_addr_format(&address, text);
    node = cluster_find(cluster, &address);
    if (put && (!node || node->gone || node->forgotten)) {
        wrong(line, "%s is no node of this cluster", text);
        return 404;
    }
    if (put && ttl && (conf_parse_duration(ttl, &ret->change.ttl_ms) < 0 || !ret->change.ttl_ms)) {
        wrong(line, "ttl is no duration: 10m, 1h 30min");
        return 400;
    }
    snprintf(ret->key, sizeof(ret->key), "drain/%s", text);
    ret->change.key = ret->key;
    return put ? set_text(ret, json_true()) : 0;
}

unsigned request_read(const struct cluster *cluster, const char *region, const char *method,
                      const char *path, const char *ttl, const char *body, size_t len,
                      struct request_change *ret, char line[REQUEST_LINE_LEN],
                      const char **ret_allow)
{
    bool put = strcmp(method, "PUT") == 0;
    bool drain = strncmp(path, "/drain/", 7) == 0;
    const struct route *route = NULL;

    /* The sources lend jansson an arena. */
    json_set_alloc_funcs(malloc, free);
    *ret = (struct request_change){0};
    *ret_allow = NULL;
    line[0] = '\0';
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        if (strcmp(routes[i].path, path) == 0)
            route = &routes[i];
    if (!put && strcmp(method, "DELETE") != 0) {
        wrong(line, "no such method here");
        *ret_allow = route   ? "GET, HEAD, OPTIONS, PUT, DELETE"
                     : drain ? "PUT, DELETE"
                             : "GET, HEAD, OPTIONS";
        return 405;
    }
    if (drain)
        return read_drain(cluster, path + 7, put, ttl, ret, line);
    if (route)
        return read_value(route, region, put, body, len, ret, line);
    wrong(line, "nothing can be set here");
    *ret_allow = "GET, HEAD, OPTIONS";
    return 405;
}

void request_change_done(struct request_change *change)
{
    free(change->text);
    change->text = NULL;
}

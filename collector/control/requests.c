#include "requests.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../conf.h"
#include "value_body.h"

static const struct route {
    const char *path;
    const char *key;
} routes[] = {
    {"/readylocaldcs", "readylocaldcs"},
    {"/region-ready", "readylocaldcs"},
    {"/localseeds", "localseeds"},
    {"/seeds", "localseeds"},
    {"/dcs", "dcs"},
    {"/region-ips", "region-ips"},
    {"/reaper-ips", "reaper-ips"},
    {"/reaper-ready", "reaper-ready"},
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
    json = value_body_read(ret->key, body, len, line);
    return json ? set_text(ret, json) : 400;
}

/* Something can be undone as long as it is there, and on a node that others may have drained. */
static unsigned read_drain(const struct cluster *cluster, const struct values *values,
                           const char *name, bool put, const char *ttl, struct request_change *ret,
                           char *line)
{
    char text[PROBER_ADDR_STRLEN];
    struct prober_addr address;
    const struct node *node;

    if (prober_addr_parse(name, strlen(name), &address) < 0) {
        snprintf(line, REQUEST_LINE_LEN, "no address");
        return 404;
    }
    prober_addr_format(&address, text);
    node = cluster_find(cluster, &address);
    snprintf(ret->key, sizeof(ret->key), "drain/%s", text);
    if ((!node || node->gone || node->forgotten) && (put || !values_held(values, ret->key))) {
        snprintf(line, REQUEST_LINE_LEN, "%s is no node of this cluster", text);
        return 404;
    }
    if (put && ttl && (conf_parse_duration(ttl, &ret->change.ttl_ms) < 0 || !ret->change.ttl_ms)) {
        snprintf(line, REQUEST_LINE_LEN, "ttl is no duration: 10m, 1h 30min");
        return 400;
    }
    ret->change.key = ret->key;
    return put ? set_text(ret, json_true()) : 0;
}

/* "/nodes/ADDRESS/repaired": the address; NULL = another path. */
static const char *repaired_node(const char *path, char buf[PROBER_ADDR_STRLEN])
{
    static const char prefix[] = "/nodes/", suffix[] = "/repaired";
    const size_t begin = sizeof(prefix) - 1, end = sizeof(suffix) - 1, len = strlen(path);

    if (len <= begin + end || len - begin - end >= PROBER_ADDR_STRLEN ||
        strncmp(path, prefix, begin) != 0 || strcmp(path + len - end, suffix) != 0)
        return NULL;
    memcpy(buf, path + begin, len - begin - end);
    buf[len - begin - end] = '\0';
    return buf;
}

static unsigned read_repaired(const struct cluster *cluster, const char *name,
                              struct request_change *ret, char *line)
{
    char text[PROBER_ADDR_STRLEN];
    struct prober_addr address;
    const struct node *node;

    if (prober_addr_parse(name, strlen(name), &address) < 0) {
        snprintf(line, REQUEST_LINE_LEN, "no address");
        return 404;
    }
    prober_addr_format(&address, text);
    node = cluster_find(cluster, &address);
    if (!node || node->gone || node->forgotten) {
        snprintf(line, REQUEST_LINE_LEN, "%s is no node of this cluster", text);
        return 404;
    }
    if (node->down_since_ms != 0) {
        snprintf(line, REQUEST_LINE_LEN, "%s is down: what it misses grows", text);
        return 409;
    }
    snprintf(ret->key, sizeof(ret->key), "repaired/%s", text);
    ret->change.key = ret->key;
    return set_text(ret, json_true());
}

unsigned request_read_suspend(const char *method, const char *value, struct request_change *ret,
                              char line[REQUEST_LINE_LEN], const char **ret_allow)
{
    json_t *json;

    json_set_alloc_funcs(malloc, free);
    *ret = (struct request_change){0};
    *ret_allow = NULL;
    line[0] = '\0';
    if (strcmp(method, "POST") != 0) {
        snprintf(line, REQUEST_LINE_LEN, "no such method here");
        *ret_allow = "POST";
        return 405;
    }
    snprintf(ret->key, sizeof(ret->key), "observer/suspended");
    ret->change.key = ret->key;
    json = value ? value_body_read(ret->key, value, strlen(value), line) : NULL;
    if (!json) {
        snprintf(line, REQUEST_LINE_LEN, "?value= is to be true or false");
        return 400;
    }
    return set_text(ret, json);
}

unsigned request_read(const struct cluster *cluster, const struct values *values,
                      const char *region, const char *method, const char *path, const char *ttl,
                      const char *body, size_t len, struct request_change *ret,
                      char line[REQUEST_LINE_LEN], const char **ret_allow)
{
    bool put = strcmp(method, "PUT") == 0;
    bool drain = strncmp(path, "/drain/", 7) == 0;
    char buf[PROBER_ADDR_STRLEN];
    const char *repaired = repaired_node(path, buf);
    const struct route *route = NULL;

    /* The sources lend jansson an arena. */
    json_set_alloc_funcs(malloc, free);
    *ret = (struct request_change){0};
    *ret_allow = NULL;
    line[0] = '\0';
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        if (strcmp(routes[i].path, path) == 0)
            route = &routes[i];
    if (!put && (repaired || strcmp(method, "DELETE") != 0)) {
        snprintf(line, REQUEST_LINE_LEN, "no such method here");
        *ret_allow = repaired ? "PUT"
                     : route  ? "GET, HEAD, OPTIONS, PUT, DELETE"
                     : drain  ? "PUT, DELETE"
                              : "GET, HEAD, OPTIONS";
        return 405;
    }
    if (ttl && !(drain && put)) {
        snprintf(line, REQUEST_LINE_LEN, "ttl is for PUT /drain/IP");
        return 400;
    }
    if (drain)
        return read_drain(cluster, values, path + 7, put, ttl, ret, line);
    if (repaired)
        return read_repaired(cluster, repaired, ret, line);
    if (route)
        return read_value(route, region, put, body, len, ret, line);
    snprintf(line, REQUEST_LINE_LEN, "nothing can be set here");
    *ret_allow = "GET, HEAD, OPTIONS";
    return 405;
}

void request_change_done(struct request_change *change)
{
    free(change->text);
    change->text = NULL;
}

#include "state.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../model/repairs.h"
#include "read_file.h"
#include "values_json.h"

#define FORMAT    1
#define MAX_BYTES (16 * 1024 * 1024)

static void set_text(json_t *object, const char *key, const char *text)
{
    if (text[0])
        json_object_set_new(object, key, json_string(text));
}

static void set_address(json_t *object, const char *key, const struct prober_addr *address)
{
    char text[PROBER_ADDR_STRLEN];

    if (prober_addr_is_unset(address))
        return;
    prober_addr_format(address, text);
    set_text(object, key, text);
}

static json_t *local_object(const struct poller_local *local)
{
    json_t *object = json_object();

    set_address(object, "address", &local->address);
    set_text(object, "host_id", local->host_id);
    set_address(object, "native", &local->native);
    json_object_set_new(object, "native_port", json_integer(local->native_port));
    return object;
}

/* A time of day; 0 = none. */
static void set_time(json_t *object, const char *key, int64_t wall_ms)
{
    if (wall_ms != 0)
        json_object_set_new(object, key, json_integer(wall_ms));
}

static json_t *node_object(const struct cluster *cluster, const struct node *node)
{
    int64_t down_ms = node->down_since_ms ? node->down_since_ms + cluster->wall_offset_ms : 0;
    json_t *object = json_object();

    set_address(object, "address", &node->address);
    set_text(object, "host_id", node->gossip.host_id);
    set_text(object, "dc", node->gossip.datacenter);
    set_text(object, "rack", node->gossip.rack);
    set_time(object, "down_since_ms", down_ms);
    set_time(object, "repair_since_ms", node_repair_since(cluster, node));
    return object;
}

/* Takes `item` over. */
static bool put_item(FILE *out, const char *before, json_t *item)
{
    bool ok = item && fputs(before, out) >= 0 &&
              json_dumpf(item, out, JSON_COMPACT | JSON_ENCODE_ANY) == 0;

    json_decref(item);
    return ok;
}

/* One line each, for people, and compact, as what is nested deeply would grow out of bounds. */
static bool put_text(FILE *out, const struct cluster *cluster, const struct poller_local *local,
                     const json_t *said)
{
    const char *before = "";
    bool ok = fprintf(out, "{\"format\":%d", FORMAT) > 0;
    size_t i;
    json_t *value;

    if (cluster->name[0])
        ok = ok && put_item(out, ",\n\"cluster\":", json_string(cluster->name));
    if (!prober_addr_is_unset(&local->address))
        ok = ok && put_item(out, ",\n\"local\":", local_object(local));
    if (cluster->hint_window_ms > 0)
        ok = ok && put_item(out, ",\n\"hint_window_ms\":", json_integer(cluster->hint_window_ms));
    ok = ok && fputs(",\n\"nodes\":[", out) >= 0;
    for (size_t k = 0; ok && k < cluster->n_sorted; k++) {
        if (cluster->sorted[k]->gone || cluster->sorted[k]->forgotten)
            continue;
        ok = put_item(out, before[0] ? before : "\n", node_object(cluster, cluster->sorted[k]));
        before = ",\n";
    }
    ok = ok && fputs("],\n\"values\":[", out) >= 0;
    json_array_foreach(said, i, value)
    {
        ok = ok && put_item(out, i > 0 ? ",\n" : "\n", json_incref(value));
    }
    return ok && fputs("]}\n", out) >= 0;
}

int state_text(const struct cluster *cluster, const struct poller_local *local,
               const struct values *values, char **ret)
{
    char *text = NULL;
    size_t len = 0;
    json_t *said;
    FILE *out = open_memstream(&text, &len);
    bool ok;

    if (!out)
        return -ENOMEM;
    json_set_alloc_funcs(malloc, free);
    said = values_json_array(values);
    /* Never a file without what was acknowledged. */
    ok = said && put_text(out, cluster, local, said);
    json_decref(said);
    ok = fclose(out) == 0 && ok;
    if (!ok || len > MAX_BYTES) {
        free(text);
        return ok ? -EFBIG : -ENOMEM;
    }
    *ret = text;
    return 0;
}

static bool take_address(const json_t *object, const char *key, struct prober_addr *ret)
{
    const json_t *text = json_object_get(object, key);

    return json_is_string(text) &&
           prober_addr_parse(json_string_value(text), json_string_length(text), ret) == 0 &&
           !prober_addr_is_unset(ret);
}

static void take_text(const json_t *object, const char *key, char *to, size_t size)
{
    const json_t *text = json_object_get(object, key);

    if (json_is_string(text) && json_string_length(text) < size)
        memcpy(to, json_string_value(text), json_string_length(text) + 1);
}

static void take_local(const json_t *object, struct poller_local *ret)
{
    const json_t *port = json_object_get(object, "native_port");
    struct poller_local local = {0};

    if (!take_address(object, "address", &local.address))
        return;
    take_text(object, "host_id", local.host_id, sizeof(local.host_id));
    if (take_address(object, "native", &local.native) && json_is_integer(port) &&
        json_integer_value(port) > 0 && json_integer_value(port) <= UINT16_MAX)
        local.native_port = (uint16_t)json_integer_value(port);
    *ret = local;
}

/* A time of day that is over; 0 = none. */
static int64_t take_time(const json_t *object, const char *key, int64_t wall_ms)
{
    int64_t at_ms = json_integer_value(json_object_get(object, key));

    return at_ms > 0 && at_ms <= wall_ms ? at_ms : 0;
}

/* How long a node was down counts on: hints are not kept longer because a collector restarts. */
static void take_down(const json_t *object, struct cluster *cluster,
                      const struct prober_addr *address, int64_t wall_ms)
{
    int64_t down_ms = take_time(object, "down_since_ms", wall_ms);
    int64_t repair_ms = take_time(object, "repair_since_ms", wall_ms);
    struct node *node = cluster_find(cluster, address);

    if (!node)
        return;
    if (down_ms > 0)
        node->down_since_ms = (down_ms - cluster->wall_offset_ms) ?: 1;
    if (repair_ms > 0) {
        node->repair_needed = true;
        node->repair_since_ms = repair_ms - cluster->wall_offset_ms;
    }
}

static void take_nodes(json_t *array, struct cluster *cluster, int64_t wall_ms)
{
    json_t *object;
    size_t i;

    json_array_foreach(array, i, object)
    {
        struct gossip_state state = {0};

        if (!take_address(object, "address", &state.endpoint))
            continue;
        take_text(object, "host_id", state.host_id, sizeof(state.host_id));
        take_text(object, "dc", state.datacenter, sizeof(state.datacenter));
        take_text(object, "rack", state.rack, sizeof(state.rack));
        cluster_recall_state(cluster, &state);
        take_down(object, cluster, &state.endpoint, wall_ms);
    }
}

static int read_root(const char *path, json_t **ret)
{
    json_error_t error;
    json_t *root;
    char *text = NULL;
    size_t len = 0;
    int r = read_file(path, MAX_BYTES, &text, &len);

    if (r < 0)
        return r;
    root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    free(text);
    if (!root && json_error_code(&error) == json_error_out_of_memory)
        return -ENOMEM;
    if (!json_is_object(root) || json_integer_value(json_object_get(root, "format")) != FORMAT) {
        json_decref(root);
        return -EBADMSG;
    }
    *ret = root;
    return 0;
}

static int load(const char *path, struct cluster *cluster, struct poller_local *ret_local,
                struct values *values, int64_t wall_ms, char why[DETAIL_LEN])
{
    const json_t *said;
    json_t *root;
    size_t taken;
    int r = read_root(path, &root);

    why[0] = '\0';
    if (r < 0)
        return r;
    said = json_object_get(root, "values");
    if (said)
        r = values_json_merge(said, values, wall_ms, &taken, why);
    if (r == 0) {
        take_text(root, "cluster", cluster->name, sizeof(cluster->name));
        take_local(json_object_get(root, "local"), ret_local);
        cluster->hint_window_ms = take_time(root, "hint_window_ms", INT64_MAX);
        take_nodes(json_object_get(root, "nodes"), cluster, wall_ms);
    }
    json_decref(root);
    return r;
}

int state_load(const char *path, struct cluster *cluster, struct poller_local *ret_local,
               struct values *values, int64_t wall_ms, int *ret_error, char why[DETAIL_LEN])
{
    char other[PATH_MAX];
    int r;

    json_set_alloc_funcs(malloc, free);
    *ret_error = load(path, cluster, ret_local, values, wall_ms, why);
    if (*ret_error == 0)
        return 0;
    if (*ret_error == -EBADMSG && snprintf(other, sizeof(other), "%s.bad", path) < PATH_MAX)
        rename(path, other); /* for a person to look at */
    if (snprintf(other, sizeof(other), "%s.1", path) >= PATH_MAX)
        return *ret_error;
    r = load(other, cluster, ret_local, values, wall_ms, why);
    return r == 0 ? 1 : *ret_error;
}

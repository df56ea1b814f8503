#include "etcd_message.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char digits64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static char *base64(const char *text)
{
    size_t len = strlen(text), n = 0;
    const unsigned char *in = (const unsigned char *)text;
    char *out = malloc((len + 2) / 3 * 4 + 1);

    if (!out)
        return NULL;
    for (size_t i = 0; i < len; i += 3) {
        uint32_t word = (uint32_t)in[i] << 16 | (i + 1 < len ? (uint32_t)in[i + 1] << 8 : 0) |
                        (i + 2 < len ? in[i + 2] : 0);

        out[n++] = digits64[word >> 18];
        out[n++] = digits64[word >> 12 & 63];
        out[n++] = i + 1 < len ? digits64[word >> 6 & 63] : '=';
        out[n++] = i + 2 < len ? digits64[word & 63] : '=';
    }
    out[n] = '\0';
    return out;
}

/* NULL: it is none, or out of memory. */
static char *unbase64(const char *text, size_t len, size_t *ret_len)
{
    char *out = malloc(len / 4 * 3 + 1);
    uint32_t word = 0;
    size_t n = 0, padding = 0;

    if (!out)
        return NULL;
    for (size_t i = 0; i < len; i++) {
        const char *at = text[i] ? strchr(digits64, text[i]) : NULL;

        padding += text[i] == '=';
        if ((!at && text[i] != '=') || (at && padding > 0) || padding > 2 || len % 4 != 0) {
            free(out);
            return NULL;
        }
        word = word << 6 | (at ? (uint32_t)(at - digits64) : 0);
        if (i % 4 != 3)
            continue;
        out[n++] = (char)(word >> 16);
        out[n++] = (char)(word >> 8);
        out[n++] = (char)word;
        word = 0;
    }
    n -= padding;
    out[n] = '\0';
    *ret_len = n;
    return out;
}

/* Base64 as a JSON string; NULL: out of memory. */
static json_t *bytes(const char *text)
{
    char *coded = base64(text);
    json_t *json = coded ? json_string(coded) : NULL;

    free(coded);
    return json;
}

static json_t *number(int64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, value);
    return json_string(text);
}

static char *dump(json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

    json_decref(json);
    return text;
}

/* The sources lend jansson an arena. */
static void own_memory(void)
{
    json_set_alloc_funcs(malloc, free);
}

char *etcd_range(const char *key)
{
    own_memory();
    return dump(json_pack("{s:o}", "key", bytes(key)));
}

/* `change` is what is to be done, owned by the transaction. */
static char *txn(const char *key, int64_t revision, json_t *change)
{
    if (!change)
        return NULL;
    return dump(json_pack("{s:[{s:o,s:s,s:s,s:o}],s:[o],s:[{s:{s:o}}]}", "compare", "key",
                          bytes(key), "target", "MOD", "result", "EQUAL", "mod_revision",
                          number(revision), "success", change, "failure", "request_range", "key",
                          bytes(key)));
}

char *etcd_put(const char *key, const char *value, int64_t revision, int64_t lease)
{
    own_memory();
    return txn(key, revision,
               json_pack("{s:{s:o,s:o,s:o}}", "request_put", "key", bytes(key), "value",
                         bytes(value), "lease", number(lease)));
}

char *etcd_delete(const char *key, int64_t revision)
{
    own_memory();
    return txn(key, revision, json_pack("{s:{s:o}}", "request_delete_range", "key", bytes(key)));
}

char *etcd_grant(int64_t ttl_s)
{
    own_memory();
    return dump(json_pack("{s:o}", "TTL", number(ttl_s)));
}

char *etcd_lease(int64_t id)
{
    own_memory();
    return dump(json_pack("{s:o}", "ID", number(id)));
}

char *etcd_authenticate(const char *user, const char *password)
{
    own_memory();
    return dump(json_pack("{s:s,s:s}", "name", user, "password", password));
}

/* Bounds what jansson makes of it: an answer of ours has a few dozen values. */
static json_t *read_object(const char *body, size_t len)
{
    size_t openings = 0, commas = 0;
    json_t *root;

    own_memory();
    for (size_t i = 0; i < len; i++) {
        openings += body[i] == '{' || body[i] == '[';
        commas += body[i] == ',';
    }
    if (openings > 1000 || commas > 10000)
        return NULL;
    /* A stream, as of keepalive, has one object a line: the first. */
    root = json_loadb(body, len, JSON_DISABLE_EOF_CHECK, NULL);
    if (json_is_object(root))
        return root;
    json_decref(root);
    return NULL;
}

/* A number, as a string or not; left out: 0. False: it is none. */
static bool read_number(const json_t *object, const char *name, int64_t *ret)
{
    const json_t *json = json_object_get(object, name);
    const char *text = json_string_value(json);
    char *end;

    *ret = json_integer_value(json);
    if (!text)
        return !json || json_is_integer(json);
    errno = 0;
    *ret = strtoll(text, &end, 10);
    return *text && *end == '\0' && errno == 0;
}

/* The one key that was asked for, of a range's answer. */
static int read_kvs(const json_t *range, struct etcd_kv *ret)
{
    const json_t *kvs = json_object_get(range, "kvs"), *kv = json_array_get(kvs, 0), *value;

    if (!json_is_object(range) || (kvs && !json_is_array(kvs)) || json_array_size(kvs) > 1)
        return -EBADMSG;
    if (!kv)
        return 0;
    value = json_object_get(kv, "value");
    if (!read_number(kv, "mod_revision", &ret->revision) || ret->revision <= 0 ||
        (value && !json_is_string(value)))
        return -EBADMSG;
    ret->value =
        unbase64(value ? json_string_value(value) : "", json_string_length(value), &ret->len);
    return ret->value ? 0 : -EBADMSG;
}

int etcd_read_range(const char *body, size_t len, struct etcd_kv *ret)
{
    json_t *root = read_object(body, len);
    int r = -EBADMSG;

    *ret = (struct etcd_kv){0};
    /* Any object would do for "it is not there": one of etcd's has a header. */
    if (root && json_is_object(json_object_get(root, "header")))
        r = read_kvs(root, ret);
    json_decref(root);
    return r;
}

/* What is the key's revision after it was done: that of the store, or none after a delete. */
static int read_done(const json_t *root, const json_t *response, struct etcd_kv *ret)
{
    ret->done = true;
    if (json_is_object(json_object_get(response, "response_delete_range")))
        return 0;
    if (!json_is_object(json_object_get(response, "response_put")) ||
        !read_number(json_object_get(root, "header"), "revision", &ret->revision) ||
        ret->revision <= 0)
        return -EBADMSG;
    return 0;
}

int etcd_read_txn(const char *body, size_t len, struct etcd_kv *ret)
{
    json_t *root = read_object(body, len);
    const json_t *succeeded = json_object_get(root, "succeeded"), *response;
    int r = -EBADMSG;

    *ret = (struct etcd_kv){0};
    response = json_array_get(json_object_get(root, "responses"), 0);
    if (response && json_is_true(succeeded))
        r = read_done(root, response, ret);
    else if (response && (!succeeded || json_is_false(succeeded)))
        r = read_kvs(json_object_get(response, "response_range"), ret);
    json_decref(root);
    return r;
}

void etcd_kv_done(struct etcd_kv *kv)
{
    free(kv->value);
    kv->value = NULL;
}

int etcd_read_lease(const char *body, size_t len, int64_t *ret_id, int64_t *ret_ttl_s)
{
    json_t *root = read_object(body, len);
    const json_t *result = json_object_get(root, "result");
    bool good;

    if (!result)
        result = root;
    good = json_is_object(result) && read_number(result, "ID", ret_id) && *ret_id > 0 &&
           read_number(result, "TTL", ret_ttl_s) && *ret_ttl_s >= 0;
    json_decref(root);
    return good ? 0 : -EBADMSG;
}

int etcd_read_token(const char *body, size_t len, char token[ETCD_TOKEN_LEN])
{
    json_t *root = read_object(body, len);
    const char *text = json_string_value(json_object_get(root, "token"));
    bool good = text && *text && strlen(text) < ETCD_TOKEN_LEN;

    /* It goes into a header. */
    for (const char *at = text; good && *at; at++)
        good = *at > 0x20 && *at < 0x7f;
    if (good)
        strcpy(token, text);
    json_decref(root);
    return good ? 0 : -EBADMSG;
}

static enum etcd_error error_kind(const char *text)
{
    static const struct {
        const char *words;
        enum etcd_error error;
    } known[] = {
        {"invalid auth token", ETCD_LOGIN},
        {"revision of auth store is old", ETCD_LOGIN},
        {"user name is empty", ETCD_LOGIN},
        {"user name not found", ETCD_LOGIN},
        {"authentication is not enabled", ETCD_NO_AUTH},
        {"requested lease not found", ETCD_NO_LEASE},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strstr(text, known[i].words))
            return known[i].error;
    return ETCD_OTHER;
}

enum etcd_error etcd_read_error(const char *body, size_t len, char why[ETCD_WHY_LEN])
{
    json_t *root = read_object(body, len);
    const json_t *error = json_object_get(root, "error");
    const char *text;

    /* A stream's is an object. */
    text = json_string_value(json_is_object(error) ? json_object_get(error, "message") : error);
    if (!text)
        text = json_string_value(json_object_get(root, "message"));
    snprintf(why, ETCD_WHY_LEN, "%s", text ? text : "");
    for (char *at = why; *at; at++)
        if (*at < 0x20 || *at > 0x7e)
            *at = '?';
    json_decref(root);
    return error_kind(why);
}

#include "values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FORGOTTEN_MS (30LL * 24 * 60 * 60 * 1000) /* after its end */
#define NUMBER_MAX   (1LL << 53)                  /* no host lives to count, or to wait, that far */

static const char *const region_keys[] = {
    "readylocaldcs", "localseeds", "dcs", "region-ips", "reaper-ips", "reaper-ready",
};

/* An address in its one spelling. */
static bool is_address(const char *name)
{
    char text[PROBER_ADDR_STRLEN];
    struct prober_addr address;

    if (prober_addr_parse(name, strlen(name), &address) < 0)
        return false;
    prober_addr_format(&address, text);
    return strcmp(name, text) == 0;
}

/* "region/NAME/KEY", "seeds/DC", "observer/suspended"; "drain/ADDRESS", "repaired/ADDRESS",
 * "runstate/ADDRESS". */
static bool is_key(const char *key)
{
    const char *name = strchr(key, '/'), *last = strrchr(key, '/');

    if (!name || name[1] == '\0' || strnlen(key, VALUES_KEY_LEN) == VALUES_KEY_LEN)
        return false;
    for (const char *c = key; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return false;
    if (strncmp(key, "seeds/", 6) == 0)
        return true;
    if (strncmp(key, "drain/", 6) == 0 || strncmp(key, "repaired/", 9) == 0 ||
        strncmp(key, "runstate/", 9) == 0)
        return is_address(name + 1);
    if (strcmp(key, "observer/suspended") == 0)
        return true;
    if (strncmp(key, "region/", 7) != 0 || last <= name + 1)
        return false;
    for (size_t i = 0; i < sizeof(region_keys) / sizeof(region_keys[0]); i++)
        if (strcmp(last + 1, region_keys[i]) == 0)
            return true;
    return false;
}

/* It goes into journals as it is. */
static bool is_host(const char *host)
{
    for (const char *c = host; *c; c++)
        if (*c <= 0x20 || *c > 0x7e)
            return false;
    return host[0];
}

static bool is_value(const struct value *value)
{
    return is_key(value->key) && is_host(value->host) &&
           (!value->text || strlen(value->text) <= VALUES_TEXT_MAX) && value->counter > 0 &&
           value->counter < NUMBER_MAX && value->ttl_ms >= 0 && value->ttl_ms < NUMBER_MAX &&
           value->until_ms >= 0 && value->until_ms < NUMBER_MAX &&
           (value->ttl_ms > 0) == (value->until_ms > 0);
}

int64_t value_ends_in(const struct value *value, int64_t wall_ms)
{
    int64_t left;

    if (value->until_ms == 0)
        return INT64_MAX;
    if (value->until_ms <= wall_ms)
        return 0;
    left = value->until_ms - wall_ms;
    return left < value->ttl_ms ? left : value->ttl_ms;
}

/* Only of drains and repairs there are always more keys. A version that has ended is also what
 * older ones are held off with, as those of a host that was away. */
static bool is_forgotten(const struct value *value, int64_t wall_ms)
{
    if (strncmp(value->key, "repaired/", 9) == 0)
        return wall_ms - value->at_ms > FORGOTTEN_MS;
    if (strncmp(value->key, "drain/", 6) != 0)
        return false;
    if (value->until_ms > 0)
        return wall_ms - value->until_ms > FORGOTTEN_MS;
    return !value->text && wall_ms - value->at_ms > FORGOTTEN_MS;
}

/* Which of two versions wins: > 0 when `a` does. */
static int compare_versions(const struct value *a, const struct value *b)
{
    int order;

    if (a->counter != b->counter)
        return a->counter > b->counter ? 1 : -1;
    order = strcmp(a->host, b->host);
    if (order == 0 && a->until_ms != b->until_ms)
        order = a->until_ms > b->until_ms ? 1 : -1;
    if (order == 0)
        order = strcmp(a->text ? a->text : "", b->text ? b->text : "");
    return order;
}

static size_t lower_bound(const struct values *values, const char *key)
{
    size_t low = 0, high = values->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(values->items[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct value *lookup(const struct values *values, const char *key)
{
    size_t at = lower_bound(values, key);

    if (at < values->n && strcmp(values->items[at].key, key) == 0)
        return &values->items[at];
    return NULL;
}

/* Room for one more. */
static int reserve(struct values *values)
{
    size_t size = values->size ? values->size * 2 : 16;
    struct value *items;

    if (values->n < values->size)
        return 0;
    items = realloc(values->items, size * sizeof(*items));
    if (!items)
        return -ENOMEM;
    values->items = items;
    values->size = size;
    return 0;
}

static size_t length(const struct value *value)
{
    return value && value->text ? strlen(value->text) : 0;
}

/* Puts a copy of the version in the place of its key. */
static int put(struct values *values, const struct value *value)
{
    struct value *held = lookup(values, value->key), copy = *value;
    size_t bytes = values->bytes - length(held) + length(value);
    size_t at;

    if ((!held && values->n >= VALUES_MAX) ||
        (bytes > VALUES_TOTAL_MAX && length(value) > length(held)))
        return -ENOSPC;
    copy.text = value->text ? strdup(value->text) : NULL;
    if (value->text && !copy.text)
        return -ENOMEM;
    if (!held) {
        if (reserve(values) < 0) {
            free(copy.text);
            return -ENOMEM;
        }
        at = lower_bound(values, value->key);
        memmove(values->items + at + 1, values->items + at,
                (values->n - at) * sizeof(*values->items));
        values->n++;
        held = &values->items[at];
        held->text = NULL;
    }
    free(held->text);
    *held = copy;
    values->bytes = bytes;
    if (values->counter < value->counter)
        values->counter = value->counter;
    return 0;
}

void values_free(struct values *values)
{
    for (size_t i = 0; i < values->n; i++)
        free(values->items[i].text);
    free(values->items);
    *values = (struct values){0};
}

int values_copy(const struct values *values, struct values *ret)
{
    struct values copy = {.counter = values->counter};

    for (size_t i = 0; i < values->n; i++) {
        if (put(&copy, &values->items[i]) < 0) {
            values_free(&copy);
            *ret = copy;
            return -ENOMEM;
        }
    }
    *ret = copy;
    return 0;
}

static uint64_t next_counter(const struct values *values, int64_t wall_ms)
{
    uint64_t next = values->counter + 1;

    return wall_ms > 0 && next < (uint64_t)wall_ms ? (uint64_t)wall_ms : next;
}

int values_change(struct values *values, const struct value_change *change, const char *host,
                  int64_t wall_ms)
{
    struct value value = {
        .text = (char *)change->text,
        .counter = change->after ? change->after + 1 : next_counter(values, wall_ms),
        .at_ms = wall_ms,
        .ttl_ms = change->ttl_ms,
        .until_ms = change->ttl_ms > 0 ? wall_ms + change->ttl_ms : 0,
    };

    if (strlen(change->key) >= sizeof(value.key) || strlen(host) >= sizeof(value.host))
        return -EINVAL;
    strcpy(value.key, change->key);
    strcpy(value.host, host);
    if (change->user)
        strncpy(value.user, change->user, sizeof(value.user) - 1);
    if (!is_value(&value))
        return -EINVAL;
    if (change->after) {
        const struct value *held = lookup(values, value.key);

        if (held && compare_versions(&value, held) <= 0)
            return 0;
    }
    return put(values, &value);
}

int values_merge(struct values *values, const struct value *value, int64_t wall_ms)
{
    const struct value *held;
    int r;

    if (!is_value(value))
        return -EINVAL;
    if (is_forgotten(value, wall_ms))
        return 0;
    held = lookup(values, value->key);
    if (held && compare_versions(value, held) <= 0)
        return 0;
    r = put(values, value);
    return r < 0 ? r : 1;
}

const struct value *values_held(const struct values *values, const char *key)
{
    return lookup(values, key);
}

const struct value *values_find(const struct values *values, const char *key)
{
    const struct value *value = values_held(values, key);

    return value && value->text ? value : NULL;
}

bool observer_suspended(const struct values *values)
{
    const struct value *value = values ? values_find(values, "observer/suspended") : NULL;

    return value && strcmp(value->text, "true") == 0;
}

bool values_expire(struct values *values, int64_t wall_ms)
{
    size_t kept = 0, n = values->n;

    for (size_t i = 0; i < n; i++) {
        if (is_forgotten(&values->items[i], wall_ms)) {
            values->bytes -= length(&values->items[i]);
            free(values->items[i].text);
        } else {
            values->items[kept++] = values->items[i];
        }
    }
    values->n = kept;
    return kept < n;
}

/* FNV-1a: no secret is needed, as what counts is the merge and this only says when to ask. */
static uint64_t mix(uint64_t hash, const void *bytes, size_t len)
{
    const uint8_t *byte = bytes;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ byte[i]) * 0x100000001b3;
    return hash;
}

static uint64_t mix_number(uint64_t hash, uint64_t number)
{
    for (size_t i = 0; i < sizeof(number); i++)
        hash = (hash ^ (number >> (8 * i) & 0xff)) * 0x100000001b3;
    return hash;
}

uint64_t values_digest(const struct values *values)
{
    uint64_t hash = 0xcbf29ce484222325;

    for (size_t i = 0; i < values->n; i++) {
        const struct value *value = &values->items[i];
        const char *text = value->text ? value->text : "";

        hash = mix(hash, value->key, strlen(value->key) + 1);
        hash = mix_number(hash, value->counter);
        hash = mix(hash, value->host, strlen(value->host) + 1);
        hash = mix_number(hash, (uint64_t)value->until_ms);
        hash = mix(hash, text, strlen(text) + 1);
    }
    return hash;
}

#include "replication.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cassandra_text.h"

#define MAX_DCS      256
#define MAX_REPLICAS 10000

/* A piece of text. */
struct span {
    const char *at;
    size_t len;
};

void keyspaces_done(struct keyspaces *keyspaces)
{
    for (size_t i = 0; i < keyspaces->n; i++)
        free(keyspaces->items[i].dcs);
    free(keyspaces->items);
    *keyspaces = (struct keyspaces){0};
}

bool keyspace_is_own(const char *name)
{
    static const char *const own[] = {"",        "_schema", "_auth",           "_distributed",
                                      "_traces", "_views",  "_virtual_schema", "_cluster_metadata"};

    if (strncmp(name, "system", 6) != 0)
        return false;
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (strcmp(name + 6, own[i]) == 0)
            return true;
    return false;
}

static bool span_is(struct span span, const char *text)
{
    return span.len == strlen(text) && memcmp(span.at, text, span.len) == 0;
}

/* "org.apache.cassandra.locator.SimpleStrategy {replication_factor=3}": the class without its
 * package, and what is in the braces. */
static bool split(const char *text, size_t len, struct span *ret_class, struct span *ret_options)
{
    const char *brace = memchr(text, '{', len);
    size_t at = brace ? (size_t)(brace - text) : 0, begin;

    if (at < 2 || text[at - 1] != ' ' || text[len - 1] != '}')
        return false;
    for (begin = at - 1; begin > 0 && text[begin - 1] != '.';)
        begin--;
    *ret_class = (struct span){text + begin, at - 1 - begin};
    *ret_options = (struct span){brace + 1, len - at - 2};
    return true;
}

/* Takes "dc1=3" off the options: the name of a data center may have anything in it but ", ". */
static bool next_option(struct span *options, struct span *ret_key, struct span *ret_value)
{
    const char *comma = memmem(options->at, options->len, ", ", 2), *equals;
    size_t len = comma ? (size_t)(comma - options->at) : options->len;

    equals = memrchr(options->at, '=', len);
    if (!equals)
        return false;
    *ret_key = (struct span){options->at, (size_t)(equals - options->at)};
    *ret_value = (struct span){equals + 1, len - ret_key->len - 1};
    len += comma ? 2 : 0;
    *options = (struct span){options->at + len, options->len - len};
    return true;
}

/* "3", or "3/1" of which 1 is transient. */
static bool read_replicas(struct span text, unsigned *ret)
{
    unsigned n = 0;
    size_t i = 0;

    for (; i < text.len && text.at[i] >= '0' && text.at[i] <= '9' && n <= MAX_REPLICAS; i++)
        n = n * 10 + (unsigned)(text.at[i] - '0');
    if (i == 0 || n > MAX_REPLICAS || (i < text.len && text.at[i] != '/'))
        return false;
    *ret = n;
    return true;
}

/* 0, -EINVAL: they are not understood, or -ENOMEM. */
static int read_options(struct span options, bool simple, struct keyspace *keyspace)
{
    struct span key, value;

    while (options.len > 0) {
        struct keyspace_dc *grown, dc = {0};

        if (keyspace->n_dcs == MAX_DCS || !next_option(&options, &key, &value) ||
            !read_replicas(value, &dc.replicas) || span_is(key, "replication_factor") != simple ||
            (simple && keyspace->n_dcs > 0) || key.len == 0)
            return -EINVAL;
        if (!simple)
            cassandra_copy(key.at, key.len, dc.name, sizeof(dc.name));
        if (!simple && dc.name[0] == '\0') /* nothing that could be shown is left of it */
            return -EINVAL;
        grown = reallocarray(keyspace->dcs, keyspace->n_dcs + 1, sizeof(*grown));
        if (!grown)
            return -ENOMEM;
        keyspace->dcs = grown;
        keyspace->dcs[keyspace->n_dcs++] = dc;
    }
    return 0;
}

int keyspaces_add(struct keyspaces *keyspaces, const char *name, const char *text, size_t len)
{
    struct keyspace keyspace = {0}, *grown;
    struct span class, options;
    int r = -EINVAL;

    if (split(text, len, &class, &options)) {
        if (span_is(class, "LocalStrategy"))
            return 0;
        if (span_is(class, "SimpleStrategy") || span_is(class, "NetworkTopologyStrategy"))
            r = read_options(options, class.at[0] == 'S', &keyspace);
    }
    if (r < 0) {
        free(keyspace.dcs);
        keyspace = (struct keyspace){0};
    }
    cassandra_copy(name, strlen(name), keyspace.name, sizeof(keyspace.name));
    grown = r == -ENOMEM
                ? NULL
                : reallocarray(keyspaces->items, keyspaces->n + 1, sizeof(*keyspaces->items));
    if (!grown) {
        free(keyspace.dcs);
        return -ENOMEM;
    }
    keyspaces->items = grown;
    keyspaces->items[keyspaces->n++] = keyspace;
    return 0;
}

/*
 * Values: what all hosts of a cluster are to hold alike. What operators have said, and lists that
 * depend on what was before (seeds). PURE.
 *
 * A key has a value or a tombstone ("back to automatic"), and a version: a counter and the host
 * that made it. Of two versions the one with the higher counter wins, then the higher host, then
 * the later end, then the higher text, on every host alike: who has heard of the same versions, in
 * whatever order, holds the same. A new version's counter is one more than the highest heard of,
 * and never less than the time of day in ms: a host that has lost its state file and says something
 * before it has heard from the others is not overruled by what was said long ago.
 *
 *   region/NAME/readylocaldcs   true or false
 *   region/NAME/localseeds      [ "10.0.0.1", … ]
 *   region/NAME/dcs             [ { "name": "dc1", "replicas": 3 }, … ]
 *   region/NAME/region-ips      [ "10.0.0.1", … ]
 *   region/NAME/reaper-ips      [ "10.0.0.1", … ]
 *   region/NAME/reaper-ready    true or false
 *   drain/ADDRESS               true, until it ends
 *   repaired/ADDRESS            true: by then
 *   observer/suspended          true or false
 *   seeds/DC                    [ "10.0.0.1", … ]    chosen, not said: see seeds.h
 */
#ifndef VALUES_H
#define VALUES_H

#include "../sources/observation.h"

#define VALUES_KEY_LEN  192
#define VALUES_USER_LEN 64
#define VALUES_TEXT_MAX ((size_t)1024 * 1024) /* bytes of one value */
/* What is beyond these is not taken, so that GET /state stays an answer that others can read. */
#define VALUES_MAX       8192                  /* keys */
#define VALUES_TOTAL_MAX ((size_t)1536 * 1024) /* bytes of all values */

/* Texts are owned by whoever owns the value. */
struct value {
    char key[VALUES_KEY_LEN];
    char *text; /* JSON in its one spelling (compact, as values_json writes it); NULL = tombstone */
    uint64_t counter;
    char host[HOST_ID_LEN];     /* that made this version */
    char user[VALUES_USER_LEN]; /* who said so; "" = nobody who has a name; for people */
    int64_t at_ms;              /* time of day; for people */
    int64_t ttl_ms;             /* 0 = has no end */
    int64_t until_ms;           /* time of day at which it ends; 0 = has no end */
};

struct values {
    struct value *items; /* by key */
    size_t n, size;
    size_t bytes;     /* of all texts */
    uint64_t counter; /* the highest heard of */
};

/* What a change makes of a key. */
struct value_change {
    const char *key;
    const char *text; /* NULL = back to automatic */
    const char *user;
    int64_t ttl_ms; /* 0 = has no end */
    uint64_t after; /* what follows by itself from the version with that counter: whatever was said
                       since wins, wherever it was; 0 = it is the newest */
};

void values_free(struct values *values);

/* -ENOMEM leaves *ret empty. */
int values_copy(const struct values *values, struct values *ret);

/* Makes a version of `host`'s. 0; -EINVAL: no such key; -ENOSPC: too many keys or bytes; -ENOMEM.
 */
int values_change(struct values *values, const struct value_change *change, const char *host,
                  int64_t wall_ms);

/*
 * Takes a version from elsewhere when it is the newer one; copies it. 1: taken; 0: what is held
 * wins, or it is a drain that ended more than 30 days ago; -EINVAL: not a value (key, text, end);
 * -ENOSPC: too many keys or bytes; -ENOMEM.
 */
int values_merge(struct values *values, const struct value *value, int64_t wall_ms);

/* The version of a key, a tombstone too. NULL = none. */
const struct value *values_held(const struct values *values, const char *key);

/* NULL = none, or a tombstone. An ended one is found too: see value_ends_in(). */
const struct value *values_find(const struct values *values, const char *key);

/*
 * How long it still holds, in ms: never longer than its TTL whatever the clocks say; 0 = it has
 * ended; INT64_MAX = it has no end.
 */
int64_t value_ends_in(const struct value *value, int64_t wall_ms);

/* Operators have told the observer to watch, and to act on nothing. `values` may be NULL. */
bool observer_suspended(const struct values *values);

/* Drops drains that ended more than 30 days ago, and repairs of then. True when there was any. A
 * host that was away for longer may bring back what it still holds. */
bool values_expire(struct values *values, int64_t wall_ms);

/* The same for the same versions, whatever their order of arrival. */
uint64_t values_digest(const struct values *values);

#endif

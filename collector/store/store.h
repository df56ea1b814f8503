/*
 * The coordination store: the one place in which "at most one" is decided for the whole cluster.
 *
 * Small keys with a value and a revision that grows with each change of the key. Every change names
 * the revision it has seen (0 = the key is not there), and happens only when that is still the
 * one; so whoever has won knows it, and nobody else can have won. A session is this process's
 * life in the store: keys that belong to it go when it ends, that is when it has not been renewed
 * for its TTL. Whoever acts has to hold that its session may end any moment: see
 * store_session_left().
 *
 * Operations run one after the other in the order in which they were begun; each ends in exactly
 * one call of `done`, later, never from the function that began it, and within STORE_DEADLINE_MS.
 */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "../conf.h"

#define STORE_KEY_LEN   128
#define STORE_VALUE_MAX ((size_t)512 * 1024)

#define STORE_DEADLINE_MS                                                                          \
    6000 /* of an operation, from its beginning, waiting for others included */

enum store_result {
    STORE_UNKNOWN = 0, /* no answer before the deadline: it may have been done or not; ask again */
    STORE_OK,
    STORE_CONFLICT,    /* the key has another revision than the one named: answer has that */
    STORE_REFUSED,     /* wrong credentials, or not allowed: nothing was done */
    STORE_UNREACHABLE, /* nobody was reached: nothing was done */
    STORE_NONE,        /* there is no store that could decide this: coordination.store */
};

const char *store_result_word(enum store_result result);

struct store_answer {
    enum store_result result;
    int64_t revision;  /* of the key now; 0 = it is not there */
    const char *value; /* NUL-terminated, borrowed; NULL = it is not there */
    size_t len;
    char detail[160]; /* for a person, when the result is no STORE_OK */
};

typedef void (*store_done)(const struct store_answer *answer, void *userdata);

struct store;

/*
 * `conf` is used during the call only. "local": decides for this process alone; with other hosts
 * about that is no store, which store_set_alone() says.
 * "etcd+http://HOST:PORT[,HOST:PORT…]" and "etcd+https://…": etcd's v3 JSON gateway, by any of its
 * members.
 */
int store_new(sd_event *event, const struct conf *conf, struct store **ret);

/* Ends its session, as far as that is done in a moment. What runs is not called back. Accepts NULL;
 * returns NULL. */
struct store *store_free(struct store *store);

/*
 * The cluster whose keys these are: its name goes where coordination.prefix has {cluster}. "" = not
 * known: operations end with STORE_NONE until it is. Another one ends the session. Without effect
 * on "local".
 */
void store_set_cluster(struct store *store, const char *name);

/* "local" decides only where this collector is the only one that could act. False: operations end
 * with STORE_NONE. Without effect on etcd. */
void store_set_alone(struct store *store, bool alone);

/* Linearizable. STORE_OK with revision 0: it is not there. */
int store_get(struct store *store, const char *key, store_done done, void *userdata);

/* STORE_OK: answer.revision is the new one. `session`: the key goes with this process's session. */
int store_put(struct store *store, const char *key, const char *value, int64_t revision,
              bool session, store_done done, void *userdata);

int store_delete(struct store *store, const char *key, int64_t revision, store_done done,
                 void *userdata);

/*
 * For how many ms more nobody can have what belongs to this session: counted from when the last
 * renewal that succeeded was *begun*. 0 = no session (any more): stop acting at once.
 */
int64_t store_session_left(const struct store *store);

/* Which session it is, counted from 1; 0 = none. What belonged to another one belongs to it no
 * more. */
uint64_t store_session(const struct store *store);

/* What is wrong with the store now, for a person; "" = nothing. Borrowed, until the loop goes on.
 */
const char *store_problem(const struct store *store);

/* The clocks of what is in the store: CLOCK_BOOTTIME, and the time of day. */
int64_t store_now_ms(void);
int64_t store_wall_ms(void);

#endif

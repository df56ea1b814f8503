/*
 * The scheduler of polls: every target once per interval, all in parallel, each with its own
 * deadline, none overlapping its predecessor. It knows when to ask; the sources know how. Every
 * poll ends in one call of `done`.
 */
#ifndef POLLER_H
#define POLLER_H

#include <systemd/sd-event.h>

#include "observation.h"

struct http_answer;
struct poller_local;

/* Whom to ask and how. `url` is a source URL with {address} still in it, or a target's own. */
struct poller_settings {
    int64_t interval_ms;
    int64_t timeout_ms;
    int64_t membership_ms;      /* a detail poll at least this often */
    const char *local_url;      /* "" = no Cassandra on this host */
    const char *local_user;     /* "" = no credentials */
    const char *local_password; /* never logged */
    const char *local_ca_file;  /* who signs certificates, in PEM; NULL or "" = the system's list */
    const char *peer_url;       /* "" = peers are not polled */
    bool mesh;                  /* the peers' probers are asked, not the nodes themselves */
    const char *peer_user;
    const char *peer_password;
    const char *peer_ca_file;
    /* Who the local node was when it was last heard of; NULL = not known. */
    const struct poller_local *local;
};

/* The local node's identity, from its own gossip state. */
struct poller_local {
    struct prober_addr address; /* unset = not known */
    char host_id[HOST_ID_LEN];
    struct prober_addr native;
    uint16_t native_port; /* 0 = not known */
};

/* A node to poll. url "" = peer_url with {address} replaced. */
struct poller_target {
    struct prober_addr address;
    const char *url;
};

/* Upper bounds, in us, of the histogram of how long polls take; what is longer has no bucket. */
#define POLL_DURATIONS                                                                             \
    {                                                                                              \
        500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000,      \
            5000000                                                                                \
    }
#define POLL_DURATION_BUCKETS 13

struct poller_counters {
    uint64_t polls;
    uint64_t results[POLL_RESULTS];
    uint64_t unchanged; /* answers that cost a comparison only */
    uint64_t skipped;   /* turns left out because the predecessor still ran */
    uint64_t bytes;
    uint64_t duration_us_sum;                  /* of ended polls */
    uint64_t durations[POLL_DURATION_BUCKETS]; /* of them, each in the first bucket it fits in */
};

struct poller_handlers {
    /* A poll ended. The observation is borrowed; its view may be taken by setting ->view to NULL.
     */
    void (*done)(struct observation *observation, void *userdata);
    /*
     * A round is complete: every target of this pass has ended, or still runs from an earlier pass.
     * Called once an interval, also when there is nobody to poll.
     */
    void (*round)(void *userdata);
    /*
     * What another host with other values answered to GET /state; borrowed. True: they are known
     * now, and it is asked again when it has others. False: they could not be used and it is asked
     * again after a rest; no function here may have been called. `again`: it ended so the last
     * time, too.
     */
    bool (*state)(const struct prober_addr *host, const struct http_answer *answer, bool again,
                  void *userdata);
    void *userdata;
};

struct poller;

/*
 * Starts polling on `event`. Settings are copied. -EINVAL: a URL that no source takes. From inside
 * a handler every function here may be called but poller_free().
 */
int poller_new(sd_event *event, const struct poller_settings *settings,
               const struct poller_handlers *handlers, struct poller **ret);

/* Cancels what runs, without calling `done`. Accepts NULL; returns NULL. */
struct poller *poller_free(struct poller *poller);

/*
 * Sets whom to poll besides the local node, replacing the earlier set; polls of targets that stay
 * go on. The local node's own address is left out (it is asked through local_url). New targets are
 * asked at once; when they are many, the rest within the next interval.
 */
int poller_set_targets(struct poller *poller, const struct poller_target *targets,
                       size_t n_targets);

/* Every target known now has ended a poll at least once since it became known. */
bool poller_first_pass_done(const struct poller *poller);

/* Asks the detail polls of the next turn (somebody's membership changed). */
void poller_want_detail(struct poller *poller);

/* Has the next polls of other hosts bring whole views, also those that have not changed. */
void poller_want_views(struct poller *poller);

/* The digest of this host's values: hosts that have others are asked for them. 0 = nobody is. */
void poller_set_values(struct poller *poller, uint64_t digest);

/*
 * Runs an operation on the local node, besides its polls. -ENOENT: there is no local node to ask;
 * -EBUSY: another one runs; or another negative errno: nothing began. Not called back any more
 * after poller_free().
 */
int poller_invoke_local(struct poller *poller, const struct source_operation *operation,
                        source_invoked invoked, void *userdata);

const struct poller_local *poller_local(const struct poller *poller);

const struct poller_counters *poller_counters(const struct poller *poller);

/* True when a source takes this URL (scheme and form), with `mesh` that of another prober;
 * otherwise *ret_expected says what is accepted. */
bool poller_accepts_url(const char *url, bool mesh, bool with_address, const char **ret_expected);

#endif

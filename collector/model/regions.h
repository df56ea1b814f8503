/*
 * The regions: parts of one Cassandra cluster, each with its own data centers and its own prober,
 * that begin one after the other. PURE.
 *
 * They begin in the order of their names (by bytes), this host's own among them: the first that is
 * not ready is next, and the others wait for it. Who cannot be reached cannot be passed by:
 * - A region before the next one that cannot be reached, whether it was ever ready or not, blocks:
 *   nobody knows that it is ready, and Cassandra nodes that begin without the others make a cluster
 *   of their own, which nothing joins again. To wait for too long can be mended.
 * - A region after it blocks when it was ready before: then it is part of the cluster that is to be
 *   joined. One that was never heard of does not: it has not begun.
 * A region that was ready once has begun: whatever happens to it or to others, it waits for nobody.
 *
 * What a region said of its seeds and data centers holds until it says otherwise, also while it
 * cannot be reached. It is many hosts behind one address, which may differ for a while (one that
 * has just begun, a split), and what it says goes into nodes' configurations: another list than
 * before is taken when the same one has come REGIONS_SAME times in a row.
 */
#ifndef REGIONS_H
#define REGIONS_H

#include "../sources/region_answer.h"
#include "region.h"

#define REGIONS_WHY_LEN 256
#define REGIONS_SAME    3

enum region_state {
    REGION_UNASKED = 0, /* no poll has ended yet */
    REGION_UNREACHABLE, /* what it said last of its readiness is too old */
    REGION_NOT_READY,
    REGION_READY,
};

/* A list that may be taken in place of the one that is. Owned. */
struct region_offer {
    void *items;
    size_t n;
    unsigned times; /* it came so often in a row */
};

struct region {
    char name[NAME_LEN];
    bool own;
    enum region_state state; /* as of the last judgement */
    bool was_ready;          /* at any time */
    bool ready;              /* as it said last */
    int64_t told_at_ms;      /* CLOCK_BOOTTIME of what it said last; 0 = never */
    /* The last poll. */
    enum poll_result result;
    int http_status;
    const char *path; /* of the document that could not be had; "" or NULL = none */
    char detail[DETAIL_LEN];
    /* As it said last; NULL = never. Owned. */
    struct prober_addr *seeds;
    size_t n_seeds;
    struct region_dc *dcs;
    size_t n_dcs;
    bool seeds_changed; /* they are others now; the caller clears it */
    struct region_offer offered_seeds, offered_dcs;
};

struct regions {
    struct region *items; /* by name; none when there is but one's own */
    size_t n;
    int64_t ttl_ms;               /* how long what a region says of its readiness counts */
    const struct region *next;    /* whose turn it is; NULL = nobody's */
    const struct region *blocker; /* why nobody's: it cannot be reached; NULL = all are ready */
    bool unsaved;                 /* what is to be kept has changed; the caller clears it */
};

/*
 * Sets which there are: this host's own and others (an own one among these is passed over). What is
 * known of those that stay is kept. No others: no regions at all. 0 or -ENOMEM (nothing changed).
 */
int regions_set(struct regions *regions, const char *own, const char *const *others,
                size_t n_others, int64_t ttl_ms);

/* What was kept before this process began. */
void regions_recall(struct regions *regions, const char *name, struct region_answer *kept);

/* Takes an answer in, and its lists when it is time. True when a document other than /regions has
 * to change. */
bool regions_ingest(struct regions *regions, const char *name, struct region_answer *answer);

/* Whose turn is it? `own_ready` is what this host's own region says of itself. True when something
 * changed. */
bool regions_judge(struct regions *regions, bool own_ready, int64_t now_ms);

/* Why this host's region may not begin, as a sentence in `why`; NULL = it may, or has begun. */
const char *regions_waits(const struct regions *regions, char why[REGIONS_WHY_LEN]);

/*
 * The cluster's data centers that have members, and those that other regions say they have and this
 * host's Cassandra does not know of; by name. `without`: but for those of the cluster that this one
 * has; NULL = all. As region_dcs().
 */
int regions_dcs(const struct regions *regions, const struct cluster *cluster,
                const struct region_settings *without, struct region_dc **ret, size_t *ret_n);

/* NULL = there is none. */
struct region *regions_find(const struct regions *regions, const char *name);

void regions_free(struct regions *regions);

#endif

/* permit_store.c: requests; permit_watch.c: the permit as it is seen, and what follows from that.
 */
#ifndef PERMIT_STORE_PRIVATE_H
#define PERMIT_STORE_PRIVATE_H

#include "permit_store.h"

#define ORPHANS 32

struct permits {
    struct permits_settings settings;
    sd_event_source *timer;
    struct deal *deals; /* requests that run */
    char host[HOST_ID_LEN];
    int64_t interval_ms;

    bool asking;
    struct permit seen;
    int64_t seen_ms; /* CLOCK_BOOTTIME; 0 = never */

    /* Those that may have been put although who asked was told that nobody knows: nobody uses them.
     */
    struct permit orphans[ORPHANS];
    size_t orphan_at;
};

/* What the store has; sets permit->seen_since_ms. */
void permits_saw(struct permits *permits, struct permit *permit);
void permits_add_orphan(struct permits *permits, const struct permit *permit);
void permits_forget_orphan(struct permits *permits, const char *token);
void permits_stop_deals(struct permits *permits);

#endif

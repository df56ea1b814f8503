/*
 * What the values in force make besides documents of their own: the document /state that other
 * hosts take them from, and lines in the journal.
 */
#ifndef FOLLOW_VALUES_H
#define FOLLOW_VALUES_H

#include "control.h"
#include "model/cluster.h"
#include "model/values.h"
#include "record.h"

struct http_answer;

/* Zeroed to begin with. */
struct followed_values {
    char *state;     /* the document; NULL = none yet */
    uint64_t digest; /* of what it says; 0 = there is none */
    uint64_t asks;   /* for poller_set_values(): 0 while it is not known whose values are of use */
    char cluster[NAME_LEN * 2]; /* whose values it says they are */
    struct values told;         /* as the journal has them */
};

/* Call it when they may have changed; marks dirty what changes with them; tells the journal and
 * `record`. A document that cannot be
 * made for want of memory is made by the next call. */
void follow_values(struct followed_values *followed, const struct values *values,
                   struct cluster *cluster, struct record *record);

/* Takes over what a host answered to GET /state; the poller's handler. */
bool take_values(struct control *control, const struct prober_addr *host,
                 const struct http_answer *answer, bool again);

void followed_values_free(struct followed_values *followed);

#endif

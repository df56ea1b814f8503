/*
 * What the values in force make besides documents of their own: the document /state that other
 * hosts take them from, and lines in the journal.
 */
#ifndef FOLLOW_VALUES_H
#define FOLLOW_VALUES_H

#include "model/cluster.h"
#include "model/values.h"

/* Zeroed to begin with. */
struct followed_values {
    char *state;                /* the document; NULL = none yet */
    uint64_t digest;            /* of what it says; 0 = there is none */
    char cluster[NAME_LEN * 2]; /* whose values it says they are */
    struct values told;         /* as the journal has them */
};

/* Call it when they may have changed. True when they have; a document that cannot be made for want
 * of memory is made by the next call. */
bool follow_values(struct followed_values *followed, const struct values *values,
                   const struct cluster *cluster);

void followed_values_free(struct followed_values *followed);

#endif

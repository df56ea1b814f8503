/*
 * The judgement of what voters say: which of them keep their vote, and what their opinions make of
 * a node. PURE, and small: it knows rows of opinions and a policy, no nodes, views or time.
 */
#ifndef VERDICT_H
#define VERDICT_H

#include "cluster.h"

/* An eligible observer. */
struct voter {
    const uint8_t *opinions;       /* [place of a node] = enum liveness; borrowed */
    const uint32_t *opinion_since; /* [place of a node] = polls when it began, or ceased, to be UP
                                      here; borrowed */
    uint32_t polls;                /* successful ones so far */
    size_t place;                  /* its own */
    bool lost_vote;
    unsigned given, received; /* confirmed conflicts with voters that have their vote */
};

/* How many of those that have a vote see a node UP and DOWN; the others do not see it. */
struct tally {
    uint32_t up, down;
};

struct voters {
    struct voter *voter; /* by ascending address */
    size_t n;
    size_t n_lost; /* of those, without a vote */
    size_t n_places;
    struct tally *tally; /* [place of a node] */
    bool *young; /* [place of a node]: heard of so lately that not to see it is no opinion yet */
    /* [place of a node]: how many others that will be voters, but still settle, see it UP. */
    uint32_t *witnesses;
    size_t *accused; /* working memory for as many as there are voters */
};

/* Counts all voters' opinions into the tallies; all have their vote. */
void voters_count(struct voters *voters);

/*
 * Takes the vote from those that disagree with the others, until what remains has no confirmed
 * conflict, and their opinions out of the tallies. A conflict is a voter that sees another voter as
 * not UP; it is confirmed when it was reported by two successive successful polls. The one with the
 * most conflicts goes first (given and received together; then more received; then the higher
 * address).
 */
void voters_settle(struct voters *voters);

/* How a node stands among the voters. */
enum standing {
    STANDING_NONE = 0, /* no voter: whoever has a vote is believed at once */
    STANDING_VOTER,
    STANDING_LOST_VOTE,
};

/*
 * What the voters make of the node at `place`: counts and reasons, readiness left
 * READINESS_UNKNOWN. *ret_seen_up: by the policy, those that count see it UP (false when nobody
 * counts).
 */
struct verdict verdict_judge(const struct readiness_settings *settings, size_t n_members,
                             const struct voters *voters, size_t place, enum standing standing,
                             bool *ret_seen_up);

#endif

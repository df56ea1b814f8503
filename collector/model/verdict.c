#include "verdict.h"

#include <string.h>

/* Below this many members a node's own view counts for itself: there may be no other witness. */
#define MEMBERS_FOR_WITNESSES 3

static void tally_row(struct tally *tally, const uint8_t *opinions, size_t n_places,
                      uint32_t weight)
{
    for (size_t i = 0; i < n_places; i++) {
        tally[i].up += opinions[i] == LIVENESS_UP ? weight : 0;
        tally[i].down += opinions[i] == LIVENESS_DOWN ? weight : 0;
    }
}

void voters_count(struct voters *voters)
{
    const uint8_t *row = NULL;
    uint32_t weight = 0;

    voters->n_lost = 0;
    if (voters->n_places == 0)
        return;
    memset(voters->tally, 0, voters->n_places * sizeof(*voters->tally));
    /* In a healthy cluster all rows are the same: runs of equal rows are added at once. */
    for (size_t i = 0; i < voters->n; i++) {
        const uint8_t *opinions = voters->voter[i].opinions;

        voters->voter[i].lost_vote = false;
        if (row && memcmp(row, opinions, voters->n_places) != 0) {
            tally_row(voters->tally, row, voters->n_places, weight);
            weight = 0;
        }
        row = opinions;
        weight++;
    }
    if (row)
        tally_row(voters->tally, row, voters->n_places, weight);
}

static bool conflict(const struct voters *voters, const struct voter *giver,
                     const struct voter *receiver)
{
    uint8_t opinion = giver->opinions[receiver->place];

    if (opinion == LIVENESS_UNKNOWN && voters->young[receiver->place])
        return false;
    return opinion != LIVENESS_UP && giver->polls != giver->opinion_since[receiver->place];
}

/* Sets given and received of every voter; returns how many conflicts there are. */
static size_t count_conflicts(struct voters *voters)
{
    size_t n_accused = 0, n_conflicts = 0;

    for (size_t i = 0; i < voters->n; i++) {
        voters->voter[i].given = voters->voter[i].received = 0;
        if (voters->tally[voters->voter[i].place].up < voters->n)
            voters->accused[n_accused++] = i;
    }
    if (n_accused == 0)
        return 0;
    for (size_t i = 0; i < voters->n; i++) {
        struct voter *giver = &voters->voter[i];

        for (size_t k = 0; k < n_accused; k++) {
            struct voter *receiver = &voters->voter[voters->accused[k]];

            if (receiver == giver || !conflict(voters, giver, receiver))
                continue;
            giver->given++;
            receiver->received++;
            n_conflicts++;
        }
    }
    return n_conflicts;
}

/* The one that loses its vote next. Of equals the last, as the voters stand by ascending address.
 */
static struct voter *most_conflicts(struct voters *voters)
{
    struct voter *worst = NULL;

    for (size_t i = 0; i < voters->n; i++) {
        struct voter *voter = &voters->voter[i];
        unsigned total = voter->given + voter->received;

        if (voter->lost_vote)
            continue;
        if (!worst || total > worst->given + worst->received ||
            (total == worst->given + worst->received && voter->received >= worst->received))
            worst = voter;
    }
    return worst;
}

/* Takes the vote from `loser`; returns how many conflicts end with it. */
static size_t take_vote(struct voters *voters, struct voter *loser)
{
    size_t ended = loser->given + loser->received;

    loser->lost_vote = true;
    voters->n_lost++;
    for (size_t i = 0; i < voters->n; i++) {
        struct voter *other = &voters->voter[i];

        if (other->lost_vote)
            continue;
        if (conflict(voters, loser, other))
            other->received--;
        if (conflict(voters, other, loser))
            other->given--;
    }
    for (size_t i = 0; i < voters->n_places; i++) {
        voters->tally[i].up -= loser->opinions[i] == LIVENESS_UP;
        voters->tally[i].down -= loser->opinions[i] == LIVENESS_DOWN;
    }
    return ended;
}

void voters_settle(struct voters *voters)
{
    size_t n_conflicts = count_conflicts(voters);

    while (n_conflicts > 0)
        n_conflicts -= take_vote(voters, most_conflicts(voters));
}

/* Among voters only disagreement that is not confirmed is left here, and that is no veto yet. */
static bool mutual(const struct verdict *verdict, enum standing standing)
{
    return standing == STANDING_VOTER ? verdict->up > 0 : verdict->up == verdict->counted;
}

static bool seen_up(const struct readiness_settings *settings, const struct verdict *verdict,
                    enum standing standing)
{
    if (verdict->counted == 0)
        return false;
    switch (settings->policy) {
    case POLICY_MUTUAL:
        return mutual(verdict, standing);
    case POLICY_UNANIMOUS:
        return verdict->up == verdict->counted;
    case POLICY_MAJORITY:
        return verdict->up * 2 > verdict->counted;
    case POLICY_COUNT:
        return verdict->up >= settings->count;
    }
    return false;
}

/* How many have to count for a node. A voter that is no witness of its own is still one of the
 * majority. */
static unsigned needed(const struct readiness_settings *settings, size_t n_members, bool apart)
{
    unsigned n = settings->min_observers;

    if (settings->min_majority)
        n = (unsigned)(n_members / 2) + (apart ? 0 : 1);
    if (settings->policy == POLICY_COUNT && settings->count > n)
        n = settings->count;
    return n > 0 ? n : 1;
}

struct verdict verdict_judge(const struct readiness_settings *settings, size_t n_members,
                             const struct voters *voters, size_t place, enum standing standing,
                             bool *ret_seen_up)
{
    bool apart = standing == STANDING_VOTER && settings->policy != POLICY_UNANIMOUS &&
                 n_members >= MEMBERS_FOR_WITNESSES;
    struct verdict verdict = {
        .counted = (unsigned)(voters->n - voters->n_lost) - apart,
        .up = voters->tally[place].up - apart, /* a voter sees itself UP */
        .down = voters->tally[place].down,
        .needed = needed(settings, n_members, apart),
    };

    verdict.unseen = verdict.counted - verdict.up - verdict.down;
    if (voters->young[place]) {
        verdict.counted -= verdict.unseen;
        verdict.unseen = 0;
    }
    /* Who has just come back sees others DOWN at first; whom it sees UP is UP. */
    if (verdict.counted < verdict.needed) {
        verdict.counted += voters->witnesses[place];
        verdict.up += voters->witnesses[place];
    }
    *ret_seen_up = seen_up(settings, &verdict, standing);
    if (standing == STANDING_LOST_VOTE)
        verdict.reasons |= REASON_LOST_VOTE;
    if (verdict.counted < verdict.needed)
        verdict.reasons |= REASON_FEW_OBSERVERS;
    if (!*ret_seen_up && verdict.down > 0)
        verdict.reasons |= REASON_DOWN;
    if (!*ret_seen_up && verdict.unseen > 0)
        verdict.reasons |= REASON_UNSEEN;
    return verdict;
}

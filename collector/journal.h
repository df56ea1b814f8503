/*
 * What people are told as it happens: decisions and observers in the journal and on record, the
 * cluster in one line for systemctl status. Nothing per poll.
 */
#ifndef JOURNAL_H
#define JOURNAL_H

#include "model/cluster.h"
#include "publish/text.h"
#include "record.h"

/* What was told of a node already; its place may be another's by now. */
struct told_node {
    struct prober_addr address;
    bool known, gone, rehab, repair;
};

/* What was told already. Zeroed to begin with. */
struct journal {
    struct record *record; /* borrowed; NULL = nothing is recorded */
    const char **said;     /* [index of a node] = observer_word() as last logged; n_said long */
    size_t n_said;
    struct told_node *told; /* [index of a node]; n_told long */
    size_t n_told;
    bool unchosen;      /* nobody chooses the seeds */
    struct text status; /* the last STATUS= line, NUL-terminated; data NULL = none yet */
};

/* One entry for each, those that are not ready first; of very many at once for the first ones. */
void journal_decisions(struct journal *journal, const struct cluster *cluster,
                       const struct decision *decisions, size_t n);

/* Who is new, has left, needs a repair (no more), or is held back for changing too often: on
 * record. */
void journal_nodes(struct journal *journal, const struct cluster *cluster);

/* Whose opinion counts no more, or again; and when too few vote for somebody to choose the seeds.
 */
void journal_observers(struct journal *journal, const struct cluster *cluster);

/* STATUS= when it changed. suspended: the observer acts on nothing; publish_error: negative errno
 * of the last publish, or 0. */
void journal_status(struct journal *journal, const struct cluster *cluster, bool suspended,
                    int publish_error);

/* That nothing can be published to `path`, or can again. `before` and `error`: how the last publish
 * and this one ended, negative errno or 0. */
void journal_publish(const char *path, int before, int error);

void journal_free(struct journal *journal);

#endif

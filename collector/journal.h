/*
 * What people are told as it happens: decisions and observers in the journal, the cluster in one
 * line for systemctl status. Nothing per poll.
 */
#ifndef JOURNAL_H
#define JOURNAL_H

#include "model/cluster.h"
#include "publish/text.h"

/* What was told already. Zeroed to begin with. */
struct journal {
    const char **said; /* [index of a node] = observer_word() as last logged; n_said long */
    size_t n_said;
    bool unchosen;      /* nobody chooses the seeds */
    struct text status; /* the last STATUS= line, NUL-terminated; data NULL = none yet */
};

/* One entry for each; of very many at once for the first ones. */
void journal_decisions(const struct decision *decisions, size_t n);

/* Whose opinion counts no more, or again; and when too few vote for somebody to choose the seeds.
 */
void journal_observers(struct journal *journal, const struct cluster *cluster);

/* STATUS= when it changed. publish_error: negative errno of the last publish, or 0. */
void journal_status(struct journal *journal, const struct cluster *cluster, int publish_error);

/* That nothing can be published to `path`, or can again. `before` and `error`: how the last publish
 * and this one ended, negative errno or 0. */
void journal_publish(const char *path, int before, int error);

void journal_free(struct journal *journal);

#endif

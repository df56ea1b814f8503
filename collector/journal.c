#include "journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "log.h"
#include "messages.h"
#include "model/seeds.h"
#include "publish/words.h"

/* Of decisions made at once so many are logged one by one. */
#define DECISIONS_TOLD 50

#define OBSERVERS_LEN 96

static void tell_decision(const struct decision *decision)
{
    const struct node *node = decision->node;
    const struct verdict *verdict = &node->verdict;
    const char *word = readiness_word(verdict->readiness);
    struct log_event event = {
        .priority = LOG_NOTICE, .id = MESSAGE_NODE_READY, .node = node->text, .verdict = word};
    char observers[OBSERVERS_LEN];
    struct text reasons = {0};

    words_add_reasons(&reasons, node);
    text_add(&reasons, "", 1);
    if (!reasons.failed) {
        snprintf(observers, sizeof(observers), "UP by %u, DOWN by %u, not seen by %u of %u",
                 verdict->up, verdict->down, verdict->unseen, verdict->counted);
        event.observers = observers;
        event.reason = *reasons.data ? reasons.data : NULL;
        if (verdict->readiness != READY) {
            /* What an operator has asked for is no reason to be warned. */
            event.priority =
                verdict->reasons & (REASON_DRAINED | REASON_RUN_STATE) ? LOG_NOTICE : LOG_WARNING;
            event.id = MESSAGE_NODE_NOT_READY;
        }
        log_event(&event, "%s: %s -> %s%s%s", node->text, readiness_word(decision->before), word,
                  event.reason ? ": " : "", reasons.data);
    }
    text_free(&reasons);
}

void journal_decisions(const struct decision *decisions, size_t n)
{
    if (n > DECISIONS_TOLD)
        log_event(&(struct log_event){.priority = LOG_WARNING, .id = MESSAGE_MANY_DECISIONS},
                  "%zu verdicts changed at once; the first %d:", n, DECISIONS_TOLD);
    for (size_t i = 0; i < n && i < DECISIONS_TOLD; i++)
        tell_decision(&decisions[i]);
}

/* Why the opinion of a node counts no more, or that it counts again, or that it left. Settling is
 * on the way to that, and not told. */
static void log_observer(const struct node *node, const char *word)
{
    struct log_event event = {
        .priority = LOG_INFO, .id = MESSAGE_OPINION_COUNTS_NOT, .node = node->text, .reason = word};

    if (node->gone) {
        event = (struct log_event){.priority = LOG_NOTICE,
                                   .id = MESSAGE_NODE_LEFT,
                                   .node = node->text,
                                   .reason = node->gossip.status};
        log_event(&event, "%s: has left the cluster: status %s", node->text, node->gossip.status);
    } else if (node->voter) {
        event = (struct log_event){
            .priority = LOG_INFO, .id = MESSAGE_OPINION_COUNTS, .node = node->text};
        log_event(&event, "%s: its opinion counts", node->text);
    } else if (node->last_result > POLL_OK) {
        log_event(&event, "%s: its opinion does not count: %s, poll: %s%s%s", node->text, word,
                  poll_result_word(node->last_result), *node->last_detail ? ": " : "",
                  node->last_detail);
    } else {
        log_event(&event, "%s: its opinion does not count: %s", node->text, word);
    }
}

/* That nobody chooses the seeds, once; and that somebody does again. */
static void log_choice(struct journal *journal, const struct cluster *cluster)
{
    size_t voters, members;
    bool unchosen = seeds_unchosen(cluster, &voters, &members);

    if (unchosen != journal->unchosen)
        log_notice("%s: %zu of %zu nodes of the region vote",
                   unchosen ? "nobody chooses the seeds" : "the seeds are chosen again", voters,
                   members);
    journal->unchosen = unchosen;
}

void journal_observers(struct journal *journal, const struct cluster *cluster)
{
    static const char gone[] = "gone";

    log_choice(journal, cluster);

    if (cluster->n_nodes > journal->n_said) {
        const char **said = reallocarray(journal->said, cluster->n_nodes, sizeof(*said));

        if (!said)
            return;
        memset(said + journal->n_said, 0, (cluster->n_nodes - journal->n_said) * sizeof(*said));
        journal->said = said;
        journal->n_said = cluster->n_nodes;
    }
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *node = cluster->sorted[i];
        const char *word = node->forgotten ? NULL : node->gone ? gone : observer_word(node);
        const char **said = &journal->said[node->index];

        if (word == *said || node->ineligible == INELIGIBLE_SETTLING)
            continue;
        /* At the start only what is out of order is news. */
        if (word && (*said || !node->voter))
            log_observer(node, word);
        *said = word;
    }
}

/* STATUS= for systemctl status, when it changed. */
void journal_status(struct journal *journal, const struct cluster *cluster, int publish_error)
{
    struct text status = {0};

    words_add_status(&status, cluster);
    if (publish_error)
        text_printf(&status, "; cannot publish: %s", strerror(-publish_error));
    text_add(&status, "", 1);
    if (status.failed || (journal->status.data && strcmp(status.data, journal->status.data) == 0)) {
        text_free(&status);
        return;
    }
    sd_notifyf(0, "STATUS=%s", status.data);
    text_free(&journal->status);
    journal->status = status;
}

void journal_publish(const char *path, int before, int error)
{
    if (error < 0 && error != before)
        log_event(&(struct log_event){.priority = LOG_ERR,
                                      .id = MESSAGE_CANNOT_PUBLISH,
                                      .reason = strerror(-error)},
                  "cannot publish to %s: %s; what was published ages", path, strerror(-error));
    if (error == 0 && before < 0)
        log_event(&(struct log_event){.priority = LOG_NOTICE, .id = MESSAGE_PUBLISHES_AGAIN},
                  "publishing to %s again", path);
}

void journal_free(struct journal *journal)
{
    free(journal->said);
    text_free(&journal->status);
}

#include "journal.h"

#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "log.h"
#include "publish/words.h"

/* Of decisions made at once so many are logged one by one. */
#define DECISIONS_TOLD 50

void journal_decisions(const struct decision *decisions, size_t n)
{
    if (n > DECISIONS_TOLD)
        log_notice("%zu verdicts changed at once; the first %d:", n, DECISIONS_TOLD);
    for (size_t i = 0; i < n && i < DECISIONS_TOLD; i++) {
        const struct node *node = decisions[i].node;
        struct text text = {0};

        text_printf(&text, "%s: %s -> %s", node->text, readiness_word(decisions[i].before),
                    readiness_word(node->verdict.readiness));
        if (node->verdict.reasons) {
            text_puts(&text, ": ");
            words_add_reasons(&text, node);
        }
        if (!text.failed)
            log_notice("%.*s", (int)text.len, text.data);
        text_free(&text);
    }
}

/* Why the opinion of a node counts no more, or that it counts again, or that it left. Settling is
 * on the way to that, and not told. */
static void log_observer(const struct node *node, const char *word)
{
    if (node->gone)
        log_notice("%s: has left the cluster: status %s", node->text, node->gossip.status);
    else if (node->voter)
        log_info("%s: its opinion counts", node->text);
    else if (node->last_result > POLL_OK)
        log_info("%s: its opinion does not count: %s, poll: %s%s%s", node->text, word,
                 poll_result_word(node->last_result), *node->last_detail ? ": " : "",
                 node->last_detail);
    else
        log_info("%s: its opinion does not count: %s", node->text, word);
}

void journal_observers(struct journal *journal, const struct cluster *cluster)
{
    static const char gone[] = "gone";

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

void journal_free(struct journal *journal)
{
    free(journal->said);
    text_free(&journal->status);
}

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

static void log_decision(const struct decision *decision)
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

/* At the start all that is well is no news, unless it was not when that was recorded last. */
static bool is_news(const struct journal *journal, const struct cluster *cluster,
                    const struct decision *decision)
{
    const struct node *node = decision->node;
    const struct decision_entry *last;

    if (decision->before != READINESS_UNKNOWN || node->verdict.readiness != READY ||
        cluster->rounds > 1)
        return true;
    last = decisions_last(record_decisions(journal->record), "verdict", node->text);
    return last && strcmp(last->what, readiness_word(READY)) != 0;
}

static void record_verdict(struct journal *journal, const struct cluster *cluster,
                           const struct decision *decision)
{
    const struct node *node = decision->node;
    struct text why = {0};

    if (!journal->record || !is_news(journal, cluster, decision))
        return;
    words_add_evidence(&why, cluster, node);
    text_add(&why, "", 1);
    if (!why.failed)
        record_decision(journal->record, "verdict", node->text,
                        readiness_word(node->verdict.readiness), why.data, NULL);
    text_free(&why);
}

static void tell_many(struct journal *journal, const struct cluster *cluster,
                      const struct decision *decisions, size_t n)
{
    char line[96];
    bool news = false;

    snprintf(line, sizeof(line),
             "%zu verdicts changed at once; %d of them, not ready ones first:", n, DECISIONS_TOLD);
    log_event(&(struct log_event){.priority = LOG_WARNING, .id = MESSAGE_MANY_DECISIONS}, "%s",
              line);
    for (size_t i = 0; journal->record && i < n && !news; i++)
        news = is_news(journal, cluster, &decisions[i]);
    if (news)
        record_decision(journal->record, "verdict", NULL, line, NULL, NULL);
}

/* Returns how many may still be told. */
static size_t tell_some(struct journal *journal, const struct cluster *cluster,
                        const struct decision *decisions, size_t n, bool ready, size_t left)
{
    for (size_t i = 0; i < n && left > 0; i++) {
        if ((decisions[i].node->verdict.readiness == READY) != ready)
            continue;
        log_decision(&decisions[i]);
        record_verdict(journal, cluster, &decisions[i]);
        left--;
    }
    return left;
}

void journal_decisions(struct journal *journal, const struct cluster *cluster,
                       const struct decision *decisions, size_t n)
{
    size_t left = DECISIONS_TOLD;

    if (n > DECISIONS_TOLD)
        tell_many(journal, cluster, decisions, n);
    left = tell_some(journal, cluster, decisions, n, false, left);
    tell_some(journal, cluster, decisions, n, true, left);
}

/* Who has lost its vote has contradicted others: whom. */
static void record_observer(struct record *record, const struct cluster *cluster,
                            const struct node *node, const char *word)
{
    struct text why = {0};

    text_puts(&why, word);
    if (node->lost_vote)
        words_add_conflicts(&why, cluster, node);
    text_add(&why, "", 1);
    if (!why.failed)
        record_decision(record, "observer", node->text, "its opinion does not count", why.data,
                        NULL);
    text_free(&why);
}

/* Why the opinion of a node counts no more, or that it counts again, or that it left. Settling is
 * on the way to that, and not told. */
static void log_observer(struct record *record, const struct cluster *cluster,
                         const struct node *node, const char *word)
{
    char why[DETAIL_LEN + NAME_LEN];
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
        record_decision(record, "observer", node->text, "its opinion counts", NULL, NULL);
    } else {
        snprintf(why, sizeof(why), "%s", word);
        if (node->last_result > POLL_OK)
            snprintf(why, sizeof(why), "%s, poll: %s%s%s", word,
                     poll_result_word(node->last_result), *node->last_detail ? ": " : "",
                     node->last_detail);
        log_event(&event, "%s: its opinion does not count: %s", node->text, why);
        record_observer(record, cluster, node, why);
    }
}

/* That nobody chooses the seeds, once; and that somebody does again. */
static void log_choice(struct journal *journal, const struct cluster *cluster)
{
    size_t voters, members;
    bool unchosen = seeds_unchosen(cluster, &voters, &members);

    if (unchosen != journal->unchosen) {
        const char *what = unchosen ? "nobody chooses the seeds" : "the seeds are chosen again";
        char why[96];

        snprintf(why, sizeof(why), "%zu of %zu nodes of the region vote", voters, members);
        log_notice("%s: %s", what, why);
        record_decision(journal->record, "seeds", NULL, what, why, NULL);
    }
    journal->unchosen = unchosen;
}

void journal_observers(struct journal *journal, const struct cluster *cluster)
{
    static const char gone[] = "gone";
    size_t told = 0;

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
            log_observer(told++ < DECISIONS_TOLD ? journal->record : NULL, cluster, node, word);
        *said = word;
    }
}

static bool reserve_told(struct journal *journal, size_t n)
{
    struct told_node *told;

    if (n <= journal->n_told)
        return true;
    told = reallocarray(journal->told, n, sizeof(*told));
    if (!told)
        return false;
    memset(told + journal->n_told, 0, (n - journal->n_told) * sizeof(*told));
    journal->told = told;
    journal->n_told = n;
    return true;
}

static void tell_node(struct record *record, struct told_node *told, const struct node *node)
{
    const bool rehab = node->verdict.reasons & REASON_REHAB;
    char why[DECISION_TEXT_LEN];

    if (node->gone && !told->gone) {
        snprintf(why, sizeof(why), "status %s in gossip", node->gossip.status);
        record_decision(record, "node", node->text, "has left the cluster", why, NULL);
    }
    if (rehab && !told->rehab)
        record_decision(record, "verdict", node->text, "held back",
                        "rehab: its verdict changed three times in ten minutes", NULL);
    if (node->repair_needed && !told->repair) {
        static const char reason[] = "it was down for longer than hints are kept (max_hint_window)";

        log_event(&(struct log_event){.priority = LOG_WARNING,
                                      .id = MESSAGE_REPAIR_NEEDED,
                                      .node = node->text,
                                      .reason = reason},
                  "%s: needs a repair: %s", node->text, reason);
        record_decision(record, "repair", node->text, "repair needed", reason, NULL);
    }
    told->gone = node->gone;
    told->rehab = rehab;
    told->repair = node->repair_needed;
}

void journal_nodes(struct journal *journal, const struct cluster *cluster)
{
    bool start = journal->n_told == 0;
    size_t n_new = 0;

    if (!reserve_told(journal, cluster->n_nodes))
        return;
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *node = cluster->sorted[i];
        struct told_node *told = &journal->told[node->index];

        if (told->known && prober_addr_compare(&told->address, &node->address) != 0)
            *told = (struct told_node){0};
        if (!told->known) {
            *told = (struct told_node){.address = node->address,
                                       .known = true,
                                       .gone = node->gone,
                                       .repair = start && node->repair_needed};
            if (!start && !node->gone && n_new++ < DECISIONS_TOLD)
                record_decision(journal->record, "node", node->text, "is new", NULL, NULL);
        }
        tell_node(journal->record, told, node);
        if (node->forgotten) {
            if (!told->gone)
                record_decision(journal->record, "node", node->text, "is no node any more",
                                "nobody in gossip lists it", NULL);
            told->known = false;
        }
    }
}

/* STATUS= for systemctl status, when it changed. */
void journal_status(struct journal *journal, const struct cluster *cluster, bool suspended,
                    int publish_error)
{
    struct text status = {0};

    words_add_status(&status, cluster);
    if (suspended)
        text_puts(&status, "; suspended");
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
    free(journal->told);
    text_free(&journal->status);
}

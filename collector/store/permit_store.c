#include "permit_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include "permit_store_private.h"
#include "permit_text.h"

/* Others change it, too: who has seen it down, who has removed it. */
#define TRIES 4

/* Who asks does not wait for ever, and a permit that nobody knows of holds everybody up: after that
 * long none is put any more. */
#define PUT_WITHIN_MS 5000

/* A request that runs. */
struct deal {
    struct deal *next;
    struct permits *permits;
    bool back;
    struct permits_ask ask; /* its texts are below */
    char token[PERMIT_TOKEN_LEN], who[PERMIT_WHO_LEN];
    bool own_token; /* it was not chosen by who asks */
    bool held;      /* who asks holds it already */
    unsigned tries;
    int64_t began_ms;
    char *text; /* being put */
    permits_done done;
    void *userdata;
    struct permits_answer answer;
};

static void read_again(struct deal *deal);

static void deal_free(struct deal *deal)
{
    for (struct deal **at = &deal->permits->deals; *at; at = &(*at)->next)
        if (*at == deal) {
            *at = deal->next;
            break;
        }
    free(deal->text);
    free(deal);
}

static void end(struct deal *deal, enum permits_end how)
{
    deal->answer.end = how;
    deal->done(&deal->answer, deal->userdata);
    deal_free(deal);
}

static void end_unknown(struct deal *deal, const char *format, const char *detail)
{
    snprintf(deal->answer.detail, sizeof(deal->answer.detail), format, detail);
    end(deal, PERMITS_UNKNOWN);
}

static void end_no(struct deal *deal, const char *why)
{
    struct gate_answer *gate = &deal->answer.gate;

    gate->verdict = GATE_NO;
    if (gate->n_reasons < GATE_REASONS_MAX)
        snprintf(gate->reasons[gate->n_reasons++], GATE_REASON_LEN, "%s", why);
    end(deal, PERMITS_NO);
}

static bool same_node(const struct permit *permit, const struct deal *deal)
{
    return prober_addr_compare(&permit->node, &deal->ask.node) == 0;
}

static bool same(const struct permit *permit, const struct deal *deal)
{
    return permit->kind != PERMIT_NONE && strcmp(permit->token, deal->token) == 0 &&
           same_node(permit, deal);
}

/* What is there is what this was to put. */
static bool is_done(const struct store_answer *answer, const struct deal *deal)
{
    return answer->value && deal->text && strcmp(answer->value, deal->text) == 0;
}

static void end_taken(struct deal *deal, int64_t revision)
{
    deal->answer.revision = revision;
    permits_forget_orphan(deal->permits, deal->token);
    permits_saw(deal->permits, &deal->answer.permit);
    end(deal, PERMITS_OK);
}

/* Nobody knows whether it was, or will be, done. */
static void on_reread(const struct store_answer *answer, void *userdata)
{
    struct deal *deal = userdata;

    if (answer->result == STORE_OK && is_done(answer, deal)) {
        end_taken(deal, answer->revision);
        return;
    }
    if (!deal->held)
        permits_add_orphan(deal->permits, &deal->answer.permit);
    end(deal, PERMITS_UNKNOWN);
}

static void on_put(const struct store_answer *answer, void *userdata)
{
    struct deal *deal = userdata;

    switch (answer->result) {
    case STORE_OK:
        end_taken(deal, answer->revision);
        break;
    case STORE_CONFLICT:
        if (is_done(answer, deal))
            end_taken(deal, answer->revision);
        else
            read_again(deal);
        break;
    case STORE_UNKNOWN:
        snprintf(deal->answer.detail, sizeof(deal->answer.detail),
                 "the store has not said whether it was done (%.120s)", answer->detail);
        if (store_get(deal->permits->settings.store, PERMIT_KEY, on_reread, deal) < 0)
            on_reread(&(struct store_answer){0}, deal);
        break;
    default:
        end_unknown(deal, "%s", answer->detail);
        break;
    }
}

static void put(struct deal *deal, int64_t revision)
{
    struct permit *permit = &deal->answer.permit;

    if (store_now_ms() - deal->began_ms > PUT_WITHIN_MS) {
        end_unknown(deal, "%s", "it was slow, and nothing was done");
        return;
    }
    *permit = (struct permit){
        .kind = deal->ask.kind,
        .node = deal->ask.node,
        .granted_ms = store_wall_ms(),
        .ttl_ms = deal->ask.ttl_ms,
    };
    strcpy(permit->token, deal->token);
    strcpy(permit->who, deal->who);
    strcpy(permit->host, deal->permits->host);
    free(deal->text);
    deal->text = permit_write(permit);
    if (!deal->text || store_put(deal->permits->settings.store, PERMIT_KEY, deal->text, revision,
                                 false, on_put, deal) < 0)
        end_unknown(deal, "%s", "out of memory");
}

/* The gate has said yes with that permit in view: a start that is a part of what it was taken for,
 * or one beside a stop. It stays whose it is. */
static void end_shared(struct deal *deal, const struct permit *seen, int64_t revision)
{
    struct permit *permit = &deal->answer.permit;

    *permit = *seen;
    if (same_node(seen, deal))
        permits_forget_orphan(deal->permits, seen->token); /* now somebody uses it */
    strcpy(permit->token, deal->token);                    /* which gives nothing back */
    deal->answer.shared = true;
    deal->answer.revision = revision;
    end(deal, PERMITS_OK);
}

static void take(struct deal *deal, const struct permit *seen, int64_t revision)
{
    const struct permits_settings *settings = &deal->permits->settings;
    char why[PERMIT_WHY_LEN];
    enum permit_state state = permit_state(seen, settings->cluster, store_now_ms(), why);
    struct gate_answer *gate = &deal->answer.gate;

    /* As long as nobody has taken it away it can be renewed, late as it is. To start is a part of
     * stopping: who holds that permit keeps it. */
    deal->held = same(seen, deal) && (state == PERMIT_HELD || deal->ask.renew) &&
                 !(seen->kind == PERMIT_STOP && deal->ask.kind == PERMIT_START);
    *gate = (struct gate_answer){.verdict = GATE_YES};
    if (!deal->ask.renew)
        settings->gate(&deal->ask, state == PERMIT_HELD ? seen : NULL, gate, settings->userdata);
    if (gate->verdict != GATE_YES) {
        end(deal, PERMITS_NO);
    } else if (state == PERMIT_FREE || state == PERMIT_OVER || deal->held) {
        put(deal, revision);
    } else if (deal->ask.kind == PERMIT_START &&
               (same_node(seen, deal) || seen->kind == PERMIT_STOP)) {
        end_shared(deal, seen, revision);
    } else {
        end_no(deal, why);
    }
}

static void on_deleted(const struct store_answer *answer, void *userdata)
{
    struct deal *deal = userdata;

    if (answer->result == STORE_OK) {
        permits_saw(deal->permits, &(struct permit){0});
        end(deal, PERMITS_OK);
    } else if (answer->result == STORE_CONFLICT || answer->result == STORE_UNKNOWN) {
        /* The next look says whose it is. */
        read_again(deal);
    } else {
        end_unknown(deal, "%s", answer->detail);
    }
}

static void give_back(struct deal *deal, const struct permit *seen, int64_t revision)
{
    struct permits_answer *answer = &deal->answer;

    /* Once deleted it is no matter what the answer to that was; answer.permit stays what it was. */
    if (revision == 0) {
        end(deal, PERMITS_OK);
        return;
    }
    if (seen->kind != PERMIT_NONE) {
        char text[PROBER_ADDR_STRLEN], line[GATE_REASON_LEN];
        bool his = deal->own_token || strcmp(seen->token, deal->token) == 0;

        prober_addr_format(&seen->node, text);
        snprintf(line, sizeof(line), "the permit is another one: %s is to %s (%s)", text,
                 permit_kind_word(seen->kind), seen->who[0] ? seen->who : "somebody");
        if (!his || prober_addr_compare(&seen->node, &deal->ask.node) != 0 ||
            seen->kind != deal->ask.kind) {
            if (answer->permit.kind != PERMIT_NONE)
                end(deal, PERMITS_OK);
            else
                end_no(deal, line);
            return;
        }
    }
    answer->permit = *seen;
    if (store_delete(deal->permits->settings.store, PERMIT_KEY, revision, on_deleted, deal) < 0)
        end_unknown(deal, "%s", "out of memory");
}

static void on_read(const struct store_answer *answer, void *userdata)
{
    struct deal *deal = userdata;
    struct permit seen = {0};

    if (answer->result != STORE_OK) {
        end_unknown(deal, "%s", answer->detail);
        return;
    }
    /* Who takes it could free a node that somebody else holds; a person may clear it away. */
    if (answer->value && permit_read(answer->value, answer->len, &seen) < 0 &&
        !(deal->back && deal->own_token)) {
        end_unknown(deal, "%s",
                    "what the store has as the permit is none that this version knows; DELETE "
                    "with force=true clears it away");
        return;
    }
    permits_saw(deal->permits, &seen);
    if (deal->back)
        give_back(deal, &seen, answer->revision);
    else
        take(deal, &seen, answer->revision);
}

static void read_again(struct deal *deal)
{
    if (deal->tries++ >= TRIES) {
        if (deal->back)
            end_unknown(deal, "%s", "the permit changes all the time");
        else
            end_no(deal, "somebody else has taken the permit");
        return;
    }
    if (store_get(deal->permits->settings.store, PERMIT_KEY, on_read, deal) < 0)
        end_unknown(deal, "%s", "out of memory");
}

static int begin(struct permits *permits, const struct permits_ask *ask, bool back,
                 permits_done done, void *userdata)
{
    struct deal *deal;
    sd_id128_t token;
    int r;

    if (ask->token && !permit_token_ok(ask->token))
        return -EINVAL;
    r = sd_id128_randomize(&token);
    deal = r >= 0 ? calloc(1, sizeof(*deal)) : NULL;
    if (!deal)
        return r < 0 ? r : -ENOMEM;
    deal->permits = permits;
    deal->began_ms = store_now_ms();
    deal->back = back;
    deal->own_token = !ask->token;
    deal->ask = *ask;
    if (ask->token)
        strcpy(deal->token, ask->token);
    else
        sd_id128_to_string(token, deal->token);
    snprintf(deal->who, sizeof(deal->who), "%s", ask->who);
    deal->ask.token = deal->token;
    deal->ask.who = deal->who;
    deal->done = done;
    deal->userdata = userdata;
    r = store_get(permits->settings.store, PERMIT_KEY, on_read, deal);
    if (r < 0) {
        free(deal);
        return r;
    }
    deal->next = permits->deals;
    permits->deals = deal;
    return 0;
}

int permits_take(struct permits *permits, const struct permits_ask *ask, permits_done done,
                 void *userdata)
{
    return begin(permits, ask, false, done, userdata);
}

int permits_give_back(struct permits *permits, const struct permits_ask *ask, permits_done done,
                      void *userdata)
{
    return begin(permits, ask, true, done, userdata);
}

void permits_stop_deals(struct permits *permits)
{
    while (permits->deals)
        deal_free(permits->deals);
}

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../log.h"
#include "../messages.h"
#include "permit_store_private.h"
#include "permit_text.h"

#define INTERVAL_MS 1000

/* So many looks in vain, and the store was away: whoever holds the permit could not renew it, so
 * that its time does not pass. */
#define AWAY_LOOKS 5

void permits_add_orphan(struct permits *permits, const struct permit *permit)
{
    permits->orphans[permits->orphan_at++ % ORPHANS] = *permit;
}

void permits_forget_orphan(struct permits *permits, const char *token)
{
    for (size_t i = 0; i < ORPHANS; i++)
        if (strcmp(permits->orphans[i].token, token) == 0)
            permits->orphans[i] = (struct permit){0};
}

/* The very one that was put from here: another one with its token may have been taken since, by way
 * of another host. */
static bool is_orphan(const struct permits *permits, const struct permit *permit)
{
    for (size_t i = 0; i < ORPHANS; i++) {
        const struct permit *orphan = &permits->orphans[i];

        if (orphan->kind != PERMIT_NONE && strcmp(orphan->token, permit->token) == 0 &&
            strcmp(orphan->host, permit->host) == 0 && orphan->granted_ms == permit->granted_ms)
            return true;
    }
    return false;
}

static int64_t away_ms(const struct permits *permits)
{
    int64_t gap_ms = store_now_ms() - permits->seen_ms;

    return gap_ms > AWAY_LOOKS * permits->interval_ms ? gap_ms : 0;
}

void permits_saw(struct permits *permits, struct permit *permit)
{
    bool known = permits->seen.kind != PERMIT_NONE &&
                 strcmp(permits->seen.token, permit->token) == 0 &&
                 permits->seen.granted_ms == permit->granted_ms;
    bool other = permits->seen_ms == 0 || permits->seen.kind != permit->kind ||
                 strcmp(permits->seen.token, permit->token) != 0 ||
                 permits->seen.seen_down != permit->seen_down;

    permit->seen_since_ms = known ? permits->seen.seen_since_ms + away_ms(permits) : store_now_ms();
    permit->down_since_ms =
        known && permits->seen.seen_down ? permits->seen.down_since_ms : store_now_ms();
    permits->seen = *permit;
    permits->seen_ms = store_now_ms();
    if (other)
        permits->settings.changed(permits->settings.userdata);
}

static void on_removed(const struct store_answer *answer, void *userdata)
{
    struct permits *permits = userdata;

    if (answer->result == STORE_OK)
        permits_saw(permits, &(struct permit){0});
}

/* Somebody else may have been faster: the next look says how it is. */
static void on_changed(const struct store_answer *answer, void *userdata)
{
    (void)answer;
    (void)userdata;
}

static void follow(struct permits *permits, const struct permit *permit, int64_t revision)
{
    const struct permits_settings *settings = &permits->settings;
    char why[PERMIT_WHY_LEN], *text;
    struct permit down = *permit;

    if (permit->kind == PERMIT_NONE)
        return;
    if (is_orphan(permits, permit)) {
        store_delete(settings->store, PERMIT_KEY, revision, on_removed, permits);
        return;
    }
    if (leader_is_us(settings->leader) &&
        permit_state(permit, settings->cluster, store_now_ms(), why) == PERMIT_OVER) {
        log_event(&(struct log_event){.priority = LOG_NOTICE, .id = MESSAGE_PERMIT_RETURNED},
                  "the permit of %s is over: %s", permit->who, why);
        record_decision(settings->record, "permit", NULL, "the permit is over", why, permit->who);
        store_delete(settings->store, PERMIT_KEY, revision, on_removed, permits);
        return;
    }
    if (permit->seen_down || !permit_sees_down(permit, settings->cluster))
        return;
    down.seen_down = true;
    text = permit_write(&down);
    if (text)
        store_put(settings->store, PERMIT_KEY, text, revision, false, on_changed, permits);
    free(text);
}

static void on_looked(const struct store_answer *answer, void *userdata)
{
    struct permits *permits = userdata;
    struct permit permit = {0};

    permits->asking = false;
    if (answer->result != STORE_OK)
        return;
    if (answer->value && permit_read(answer->value, answer->len, &permit) < 0)
        return;
    permits_saw(permits, &permit);
    follow(permits, &permit, answer->revision);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct permits *permits = userdata;

    (void)usec;
    if (!permits->asking)
        permits->asking = store_get(permits->settings.store, PERMIT_KEY, on_looked, permits) == 0;
    sd_event_source_set_time_relative(source, (uint64_t)permits->interval_ms * 1000);
    return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int permits_new(sd_event *event, const struct permits_settings *settings, struct permits **ret)
{
    struct permits *permits = calloc(1, sizeof(*permits));
    int r;

    if (!permits)
        return -ENOMEM;
    permits->settings = *settings;
    permits->interval_ms = INTERVAL_MS;
    r = sd_event_add_time(event, &permits->timer, CLOCK_MONOTONIC, 0, 1000, on_timer, permits);
    if (r < 0) {
        free(permits);
        return r;
    }
    *ret = permits;
    return 0;
}

struct permits *permits_free(struct permits *permits)
{
    if (!permits)
        return NULL;
    permits_stop_deals(permits);
    sd_event_source_disable_unref(permits->timer);
    free(permits);
    return NULL;
}

void permits_set_host(struct permits *permits, const char *host_id)
{
    strncpy(permits->host, host_id, sizeof(permits->host) - 1);
}

void permits_set_interval(struct permits *permits, int64_t interval_ms)
{
    permits->interval_ms = interval_ms > INTERVAL_MS ? interval_ms : INTERVAL_MS;
}

const struct permit *permits_seen(const struct permits *permits, int64_t *ret_age_ms)
{
    *ret_age_ms = permits->seen_ms ? store_now_ms() - permits->seen_ms : INT64_MAX;
    return &permits->seen;
}

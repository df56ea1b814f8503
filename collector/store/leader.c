#include "leader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>

#define INTERVAL_MS 1000
#define FORGET_MS   10000 /* who led that long ago may be anybody by now */
#define MARGIN_MS   300   /* before the session ends; clocks run at different speeds */

#define CLAIM_LEN (HOST_ID_LEN + SD_ID128_STRING_MAX + 24)

struct leader {
    struct store *store;
    sd_event_source *timer;
    leader_changed changed;
    void *userdata;
    char own[HOST_ID_LEN];
    char process[SD_ID128_STRING_MAX]; /* tells this process from the one before */
    int64_t interval_ms;

    bool asking;
    char claim[CLAIM_LEN];  /* what is being put, or was */
    uint64_t claim_session; /* during which */
    uint64_t session;       /* to which the key belongs; 0 = it is not ours */
    char host[HOST_ID_LEN]; /* who leads */
    int64_t heard_ms;       /* CLOCK_BOOTTIME */

    bool told_us;
    char told[HOST_ID_LEN];
};

bool leader_is_us(const struct leader *leader)
{
    return leader->session > 0 && store_session(leader->store) == leader->session &&
           store_session_left(leader->store) > MARGIN_MS;
}

const char *leader_host(const struct leader *leader)
{
    if (leader_is_us(leader))
        return leader->own;
    /* It was this one: who is next is not heard of yet. */
    if (strcmp(leader->host, leader->own) == 0)
        return "";
    return store_now_ms() - leader->heard_ms < FORGET_MS ? leader->host : "";
}

static void tell(struct leader *leader)
{
    bool us = leader_is_us(leader);
    const char *host = leader_host(leader);

    if (us == leader->told_us && strcmp(host, leader->told) == 0)
        return;
    leader->told_us = us;
    snprintf(leader->told, sizeof(leader->told), "%s", host);
    leader->changed(leader->userdata);
}

static void heard(struct leader *leader, const char *claim)
{
    snprintf(leader->host, sizeof(leader->host), "%.*s", (int)strcspn(claim, " "), claim);
    leader->heard_ms = store_now_ms();
}

static void on_put(const struct store_answer *answer, void *userdata)
{
    struct leader *leader = userdata;

    leader->asking = false;
    /* The same session before and after: the key belongs to it. */
    if (answer->result == STORE_OK && store_session(leader->store) == leader->claim_session) {
        leader->session = leader->claim_session;
        heard(leader, leader->claim);
    }
    tell(leader);
}

static void on_deleted(const struct store_answer *answer, void *userdata)
{
    struct leader *leader = userdata;

    (void)answer;
    leader->asking = false;
}

static void stand(struct leader *leader)
{
    uint64_t session = store_session(leader->store);

    if (!leader->own[0] || session == 0)
        return;
    leader->claim_session = session;
    snprintf(leader->claim, sizeof(leader->claim), "%s %s-%" PRIu64, leader->own, leader->process,
             session);
    leader->asking =
        store_put(leader->store, LEADER_KEY, leader->claim, 0, true, on_put, leader) == 0;
}

/* Whether this process has written it, in whichever session. */
static bool is_own(const struct leader *leader, const char *claim)
{
    const char *process = strchr(claim, ' ');

    return process && strncmp(process + 1, leader->process, strlen(leader->process)) == 0;
}

static void take(struct leader *leader, const struct store_answer *answer)
{
    char wanted[CLAIM_LEN];

    if (!answer->value) {
        leader->session = 0;
        leader->host[0] = '\0';
        stand(leader);
        return;
    }
    snprintf(wanted, sizeof(wanted), "%s %s-%" PRIu64, leader->own, leader->process,
             store_session(leader->store));
    heard(leader, answer->value);
    if (!is_own(leader, answer->value)) {
        leader->session = 0;
    } else if (strcmp(answer->value, wanted) == 0 && store_session(leader->store) > 0 &&
               leader->claim_session == store_session(leader->store)) {
        /* Its put had no answer, or this is how it still is. */
        leader->session = leader->claim_session;
    } else {
        /* Of a session that was, or under another name. */
        leader->session = 0;
        leader->asking =
            store_delete(leader->store, LEADER_KEY, answer->revision, on_deleted, leader) == 0;
    }
}

static void on_got(const struct store_answer *answer, void *userdata)
{
    struct leader *leader = userdata;

    leader->asking = false;
    if (answer->result == STORE_OK)
        take(leader, answer);
    tell(leader);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct leader *leader = userdata;

    (void)usec;
    tell(leader);
    if (!leader->asking)
        leader->asking = store_get(leader->store, LEADER_KEY, on_got, leader) == 0;
    sd_event_source_set_time_relative(source, (uint64_t)leader->interval_ms * 1000);
    return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int leader_new(sd_event *event, struct store *store, leader_changed changed, void *userdata,
               struct leader **ret)
{
    struct leader *leader = calloc(1, sizeof(*leader));
    sd_id128_t process;
    int r;

    if (!leader)
        return -ENOMEM;
    leader->store = store;
    leader->changed = changed;
    leader->userdata = userdata;
    leader->interval_ms = INTERVAL_MS;
    leader->heard_ms = -FORGET_MS;
    r = sd_id128_randomize(&process);
    if (r >= 0) {
        sd_id128_to_string(process, leader->process);
        r = sd_event_add_time(event, &leader->timer, CLOCK_MONOTONIC, 0, 1000, on_timer, leader);
    }
    if (r < 0) {
        free(leader);
        return r;
    }
    *ret = leader;
    return 0;
}

struct leader *leader_free(struct leader *leader)
{
    if (!leader)
        return NULL;
    sd_event_source_disable_unref(leader->timer);
    free(leader);
    return NULL;
}

void leader_set_host(struct leader *leader, const char *host_id)
{
    snprintf(leader->own, sizeof(leader->own), "%s", host_id);
}

void leader_set_interval(struct leader *leader, int64_t interval_ms)
{
    leader->interval_ms = interval_ms > INTERVAL_MS ? interval_ms : INTERVAL_MS;
}

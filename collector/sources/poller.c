#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "poller_private.h"

#define PANEL_SIZE    5    /* targets that are asked detail polls */
#define STEP_US       5000 /* turns closer than this are taken together */
#define NATIVE_PORT   9042
#define RETRY_DETAILS 10 /* intervals to wait after a detail poll that failed */
#define FRESH_PENDING 64 /* new targets are asked at once, but not more at a time */
#define TRIM_US       10000000

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* A peer target that is this host's own node, which is asked as the local one. */
static bool shadowed(const struct poller *poller, const struct target *target)
{
    return !target->local && poller->has_local && !prober_addr_is_unset(&poller->known.address) &&
           prober_addr_compare(&target->address, &poller->known.address) == 0;
}

void poller_choose_panel(struct poller *poller)
{
    bool few = poller->n_targets <= PANEL_SIZE;
    size_t chosen = 0;

    for (size_t i = 0; i < poller->n_targets; i++) {
        struct target *target = poller->targets[i];
        bool good = target->local || (target->last == POLL_OK && !shadowed(poller, target));

        target->panel = few || (good && chosen < PANEL_SIZE);
        chosen += target->panel;
    }
}

static bool detail_due(const struct target *target, int64_t now_ms)
{
    /* After a failure a cheap poll first: a node that cannot bear the detail poll must not lose its
     * view for it. */
    if (!target->panel || (target->ended && target->last != POLL_OK))
        return false;
    return target->detail_wanted || now_ms >= target->detail_due_ms;
}

/* The next regular detail poll: a part of the time is the target's own, so that they do not fall
 * together. */
static int64_t next_detail_ms(const struct target *target, bool good, int64_t now_ms)
{
    const struct poller *poller = target->poller;
    int64_t wait_ms = poller->membership_ms;
    int64_t retry_ms = poller->interval_us / 1000 * RETRY_DETAILS;
    uint64_t draw = fingerprint(&poller->context.key, &target->address, sizeof(target->address));

    wait_ms -= wait_ms / 4 * (int64_t)(draw % 1024) / 1024;
    return now_ms + (good || wait_ms < retry_ms ? wait_ms : retry_ms);
}

static void check_round(struct poller *poller)
{
    if (poller->round_done || poller->pending > 0 || poller->n_fresh > 0 ||
        poller->cursor < poller->n_targets)
        return;
    poller->round_done = true;
    poller->handlers.round(poller->handlers.userdata);
}

/* Finds the local node among the endpoints by its host id, and where its native transport is. */
static void learn_local(struct poller *poller, const struct view *view)
{
    static const struct prober_addr any = {.bytes = {[10] = 0xff, [11] = 0xff}}; /* 0.0.0.0 */
    const struct gossip_state *found = NULL;

    if (view->host_id[0] == '\0')
        return;
    for (size_t i = 0; i < view->n_states; i++) {
        const struct gossip_state *state = &view->states[i];

        /* After a change of its address gossip may have it twice: the later life is it. */
        if (strcasecmp(state->host_id, view->host_id) == 0 &&
            (!found || state->generation > found->generation))
            found = state;
    }
    if (found) {
        bool own =
            prober_addr_is_unset(&found->native) || prober_addr_compare(&found->native, &any) == 0;

        memcpy(poller->known.host_id, view->host_id, HOST_ID_LEN);
        poller->known.address = found->endpoint;
        poller->known.native = own ? found->endpoint : found->native;
        poller->known.native_port = found->native_port ? found->native_port : NATIVE_PORT;
        return;
    }
    /* Another node than before, and not known yet which. */
    if (strcmp(view->host_id, poller->known.host_id) != 0) {
        memcpy(poller->known.host_id, view->host_id, HOST_ID_LEN);
        poller->known.address = (struct prober_addr){0};
        poller->known.native_port = 0;
        poller->targets[0]->detail_wanted = true;
    }
}

static void count(struct poller *poller, const struct observation *observation, int64_t duration_us)
{
    static const int64_t bounds_us[POLL_DURATION_BUCKETS] = POLL_DURATIONS;
    struct poller_counters *counters = &poller->counters;
    size_t bucket = 0;

    while (bucket < POLL_DURATION_BUCKETS && duration_us > bounds_us[bucket])
        bucket++;
    if (bucket < POLL_DURATION_BUCKETS)
        counters->durations[bucket]++;
    counters->polls++;
    counters->results[observation->result]++;
    counters->unchanged += observation->unchanged;
    counters->bytes += observation->bytes;
    counters->duration_us_sum += (uint64_t)duration_us;
}

/* Every end of every poll comes through here. The target may be gone afterwards. */
static void poll_end(struct target *target, struct observation *observation)
{
    struct poller *poller = target->poller;
    int64_t now = now_us();
    bool good = observation->result == POLL_OK;

    if (target->local && observation->view)
        learn_local(poller, observation->view);
    observation->observer = target->local ? poller->known.address : target->address;
    observation->local = target->local;
    observation->told = poller->mesh && !target->local;
    observation->began_ms = target->began_us / 1000;
    observation->ended_ms = now / 1000;
    count(poller, observation, now - target->began_us);

    if (target->detail)
        target->detail_due_ms = next_detail_ms(target, good, now / 1000);
    else if (good && !observation->unchanged)
        target->detail_wanted = true;
    target->running = false;
    target->ended = true;
    target->last = observation->result;
    if (target->pass == poller->pass)
        poller->pending--;

    poller->handlers.done(observation, poller->handlers.userdata);
    view_free(observation->view);
    check_round(poller);
}

static void on_probe(enum poll_result result, void *userdata)
{
    struct target *target = userdata;
    struct observation observation = target->poller->held;

    target->probe = NULL;
    observation.process_gone = result == POLL_REFUSED;
    poll_end(target, &observation);
}

/* The local JMX is refused: is the native transport too? Within the poll's own deadline. */
static bool probe_native(struct target *target, const struct observation *observation)
{
    struct poller *poller = target->poller;
    int64_t left_ms = poller->timeout_ms - (now_us() - target->began_us) / 1000;

    if (!target->local || observation->result != POLL_REFUSED || poller->known.native_port == 0 ||
        left_ms < 1)
        return false;
    poller->held = *observation;
    return probe_start(poller->context.multi, &poller->known.native, poller->known.native_port,
                       left_ms, on_probe, target, &target->probe) >= 0;
}

static void on_answer(struct observation *observation, void *userdata)
{
    struct target *target = userdata;

    if (!probe_native(target, observation))
        poll_end(target, observation);
}

static void poll_begin(struct target *target)
{
    struct poller *poller = target->poller;
    struct source_ask ask = {
        .own = target->local, .whole = target->whole_wanted, .timeout_ms = poller->timeout_ms};
    struct observation observation = {.result = POLL_UNREACHABLE};
    int r;

    target->began_us = now_us();
    target->detail = ask.detail = detail_due(target, target->began_us / 1000);
    if (ask.detail)
        target->detail_wanted = false;
    target->whole_wanted = false;
    target->running = true;
    target->pass = poller->pass;
    poller->pending++;
    r = target->source->source->start(target->source, &ask, on_answer, target);
    if (r < 0) {
        snprintf(observation.detail, sizeof(observation.detail), "%s", strerror(-r));
        poll_end(target, &observation);
    }
}

/* Once in every pass. */
static void turn(struct poller *poller, struct target *target)
{
    if (target->fresh) {
        target->fresh = false;
        poller->n_fresh--;
    }
    if (target->turn == poller->pass || shadowed(poller, target))
        return;
    target->turn = poller->pass;
    if (target->running)
        poller->counters.skipped++;
    else
        poll_begin(target);
}

/* When a target has its turn: spread over the pass but for its end, which is for the answers. */
static int64_t turn_us(const struct poller *poller, size_t i)
{
    int64_t window = poller->interval_us / 4 * 3;

    return poller->pass_began_us + window * (int64_t)i / (int64_t)poller->n_targets;
}

/* The holes that a burst of large answers leaves in the heap go back to the system. */
static void trim(struct poller *poller, int64_t now)
{
    if (now < poller->trim_due_us)
        return;
    malloc_trim(0);
    poller->trim_due_us = now + TRIM_US;
}

static void begin_pass(struct poller *poller, int64_t now)
{
    trim(poller, now);
    if (poller->pass > 0 && !poller->round_done) {
        poller->round_done = true;
        poller->handlers.round(poller->handlers.userdata);
    }
    poller->pass++;
    /* Late by more than an interval (the host slept): begin anew instead of catching up. */
    if (now - poller->next_tick_us > poller->interval_us)
        poller->next_tick_us = now;
    poller->pass_began_us = poller->next_tick_us;
    poller->next_tick_us += poller->interval_us;
    poller->cursor = 0;
    poller->pending = 0;
    poller->round_done = false;
    poller_choose_panel(poller);
}

void poller_arm(struct poller *poller)
{
    int64_t next = poller->next_tick_us;
    int64_t soonest = now_us() + STEP_US;

    if (poller->n_fresh > 0) {
        next = poller->pending < FRESH_PENDING ? 0 : soonest;
    } else if (poller->cursor < poller->n_targets && turn_us(poller, poller->cursor) < next) {
        next = turn_us(poller, poller->cursor);
        if (next < soonest)
            next = soonest;
    }
    sd_event_source_set_time(poller->timer, (uint64_t)next);
    sd_event_source_set_enabled(poller->timer, SD_EVENT_ONESHOT);
}

/* The handlers may change the targets, so nothing of them is kept across a turn. */
static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct poller *poller = userdata;
    int64_t now = now_us();

    (void)source;
    (void)usec;
    if (now >= poller->next_tick_us)
        begin_pass(poller, now);
    for (size_t i = 0; i < poller->n_targets && poller->n_fresh > 0; i++)
        if (poller->targets[i]->fresh && poller->pending < FRESH_PENDING)
            turn(poller, poller->targets[i]);
    while (poller->cursor < poller->n_targets && turn_us(poller, poller->cursor) <= now)
        turn(poller, poller->targets[poller->cursor++]);
    check_round(poller);
    poller_arm(poller);
    return 0;
}

static int poller_setup(struct poller *poller, sd_event *event,
                        const struct poller_settings *settings)
{
    struct source_place local = {.url = settings->local_url,
                                 .user = settings->local_user,
                                 .password = settings->local_password,
                                 .ca_file = settings->local_ca_file};
    int r;

    if (settings->peer_url[0] &&
        !poller_accepts_url(settings->peer_url, settings->mesh, true, NULL))
        return -EINVAL;
    poller->peer_url = strdup(settings->peer_url);
    if (!poller->peer_url || http_login_copy(settings->peer_user, settings->peer_password,
                                             settings->peer_ca_file, &poller->peer_login) < 0)
        return -ENOMEM;
    r = fingerprint_key_draw(&poller->context.key);
    if (r >= 0)
        r = multi_new(event, &poller->context.multi);
    if (r >= 0)
        r = http_new(poller->context.multi, &poller->context.http);
    if (r >= 0 && local.url[0])
        r = poller_set_local(poller, &local);
    if (r >= 0 && local.url[0])
        r = poller_set_operator(poller, &local);
    if (r < 0)
        return r;
    poller->next_tick_us = now_us();
    r = sd_event_add_time(event, &poller->timer, CLOCK_BOOTTIME, 0, 1000, on_timer, poller);
    return r < 0 ? r : 0;
}

int poller_new(sd_event *event, const struct poller_settings *settings,
               const struct poller_handlers *handlers, struct poller **ret)
{
    struct poller *poller = calloc(1, sizeof(*poller));
    int r;

    if (!poller)
        return -ENOMEM;
    poller->handlers = *handlers;
    poller->context.state = handlers->state;
    poller->context.state_userdata = handlers->userdata;
    poller->interval_us = settings->interval_ms * 1000;
    poller->timeout_ms = settings->timeout_ms;
    poller->membership_ms = settings->membership_ms;
    poller->mesh = settings->mesh;
    if (settings->local)
        poller->known = *settings->local;
    r = poller_setup(poller, event, settings);
    if (r < 0) {
        poller_free(poller);
        return r;
    }
    *ret = poller;
    return 0;
}

struct poller *poller_free(struct poller *poller)
{
    if (!poller)
        return NULL;
    poller_drop_targets(poller);
    http_free(poller->context.http);
    multi_free(poller->context.multi);
    sd_event_source_unref(poller->timer);
    free(poller->peer_url);
    http_login_done(&poller->peer_login);
    free(poller);
    return NULL;
}

bool poller_first_pass_done(const struct poller *poller)
{
    for (size_t i = 0; i < poller->n_targets; i++)
        if (!poller->targets[i]->ended && !shadowed(poller, poller->targets[i]))
            return false;
    return true;
}

void poller_want_detail(struct poller *poller)
{
    for (size_t i = 0; i < poller->n_targets; i++)
        poller->targets[i]->detail_wanted = true;
}

void poller_want_views(struct poller *poller)
{
    for (size_t i = 0; i < poller->n_targets; i++)
        poller->targets[i]->whole_wanted = true;
}

void poller_set_values(struct poller *poller, uint64_t digest)
{
    poller->context.values = digest;
}

const struct poller_local *poller_local(const struct poller *poller)
{
    return &poller->known;
}

const struct poller_counters *poller_counters(const struct poller *poller)
{
    return &poller->counters;
}

bool poller_accepts_url(const char *url, bool mesh, bool with_address, const char **ret_expected)
{
    enum source_kind kind = mesh ? SOURCE_PEER : SOURCE_CASSANDRA;
    static const struct prober_addr sample = {
        .bytes = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}};
    bool has_address = strstr(url, "{address}");
    char *expanded = with_address ? source_expand(url, &sample) : strdup(url);
    bool accepted = expanded && has_address == with_address && source_find(expanded, kind);

    free(expanded);
    if (ret_expected && !accepted)
        *ret_expected = source_expected(kind, with_address);
    return accepted;
}

#include "operator_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/state.h"
#include "control/state_file.h"
#include "control/values_json.h"
#include "log.h"

/* How long a change on disk waits for being published before it is answered. */
#define PATIENCE_US 10000000

/* A change that is not answered yet. */
struct waiting {
    struct waiting *next;
    struct value version; /* owns its text */
    bool in_file;         /* of the write that runs */
    int error;            /* on disk, and cannot be taken into force: the next file is without it */
    operator_done done;
    void *userdata;
};

struct operator_state {
    char *path;
    struct operator_state_handlers handlers;
    struct state_file *file;
    sd_event_source *begin;  /* begins a write, once this turn of the loop has queued all it has */
    struct values values;    /* in force */
    struct waiting *waiting; /* for the disk */
    struct waiting *written; /* in force, and for being published */
    sd_event_source *patience;  /* until those of `written` are answered all the same */
    char cluster[NAME_LEN * 2]; /* whose they are; "" = not known yet */
    bool foreign;               /* what is on disk is another cluster's */
    char *text;                 /* as saved last; NULL = not known */
    int error;                  /* of the last write */
    int unread; /* why the file, which may be good, could not be read: it is not replaced */
};

static int64_t wall_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void begin_soon(struct operator_state *state)
{
    sd_event_source_set_enabled(state->begin, SD_EVENT_ONESHOT);
}

/* Those in force and those that wait. */
static int values_to_be(const struct operator_state *state, struct values *ret)
{
    int r = values_copy(&state->values, ret);

    for (struct waiting *w = state->waiting; r >= 0 && w; w = w->next)
        if (w->error == 0)
            r = values_merge(ret, &w->version, wall_ms());
    if (r < 0)
        values_free(ret);
    return r < 0 ? r : 0;
}

/* Ends changes that have been taken out: `done` may queue the next. */
static void end_all(struct waiting *ended, enum change_end end, int error)
{
    while (ended) {
        struct waiting *w = ended;

        ended = w->next;
        if (w->done && w->error < 0 && end != CHANGE_OPEN)
            w->done(CHANGE_UNTAKEN, w->error, w->userdata);
        else if (w->done)
            w->done(end, error, w->userdata);
        free(w->version.text);
        free(w);
    }
}

static struct waiting *take_out(struct waiting **list)
{
    struct waiting *all = *list;

    *list = NULL;
    return all;
}

/* Those that were in the file. */
static struct waiting *take_out_written(struct operator_state *state)
{
    struct waiting *taken = NULL, **last = &taken, **from = &state->waiting;

    while (*from) {
        struct waiting *w = *from;

        if (!w->in_file) {
            from = &w->next;
            continue;
        }
        *from = w->next;
        w->next = NULL;
        *last = w;
        last = &w->next;
    }
    return taken;
}

static void append(struct waiting **list, struct waiting *more)
{
    while (*list)
        list = &(*list)->next;
    *list = more;
}

/* They are in force, and it is not the time to publish. */
static void wait_for_publishing(struct operator_state *state, struct waiting *written)
{
    if (!state->written) {
        sd_event_source_set_time_relative(state->patience, PATIENCE_US);
        sd_event_source_set_enabled(state->patience, SD_EVENT_ONESHOT);
    }
    append(&state->written, written);
}

static int on_patience(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct operator_state *state = userdata;

    (void)source;
    (void)usec;
    end_all(take_out(&state->written), CHANGE_KEPT, 0);
    return 0;
}

void operator_state_published(struct operator_state *state, int error)
{
    sd_event_source_set_enabled(state->patience, SD_EVENT_OFF);
    end_all(take_out(&state->written), error < 0 ? CHANGE_UNPUBLISHED : CHANGE_DONE, error);
}

/* True when anything was taken. What cannot be, as other hosts' values have come meanwhile, has to
 * leave the disk before it is refused. */
static bool take_written(struct operator_state *state)
{
    bool any = false;

    for (struct waiting *w = state->waiting; w; w = w->next) {
        int r;

        if (!w->in_file || w->error < 0)
            continue;
        r = values_merge(&state->values, &w->version, wall_ms());
        any |= r >= 0;
        if (r < 0) {
            w->error = r;
            w->in_file = false;
        }
    }
    return any;
}

static void on_written(int result, void *userdata)
{
    struct operator_state *state = userdata;
    struct waiting *written;
    int published = 0;

    if (result < 0 && result != state->error)
        log_error("cannot write %s: %s; changes are refused, and after a restart the nodes are "
                  "known only once Cassandra or a peer answers",
                  state->path, strerror(-result));
    if (result == 0 && state->error < 0)
        log_notice("writing %s again", state->path);
    state->error = result;
    if (result < 0) {
        free(state->text);
        state->text = NULL;
    }
    if (result == 0 && take_written(state))
        published = state->handlers.changed(state->handlers.userdata);
    written = take_out_written(state);
    if (result < 0)
        end_all(written, CHANGE_UNWRITTEN, result);
    else if (published > 0)
        wait_for_publishing(state, written);
    else
        end_all(written, published < 0 ? CHANGE_UNPUBLISHED : CHANGE_DONE, published);
    if (state->waiting || (state->foreign && result == 0))
        begin_soon(state);
}

static int make_text(const struct operator_state *state, char **ret)
{
    const struct poller_local *local;
    const struct cluster *cluster = state->handlers.hints(&local, state->handlers.userdata);
    struct values values;
    int r = values_to_be(state, &values);

    if (r < 0)
        return r;
    r = state_text(cluster, local, &values, ret);
    values_free(&values);
    return r;
}

/* May what is on disk be replaced? */
static int make_way(struct operator_state *state)
{
    int r = state->unread;

    if (r == 0 && state->foreign)
        r = state_file_set_aside(state->file);
    if (r == 0)
        state->foreign = false;
    return r;
}

static int on_begin(sd_event_source *source, void *userdata)
{
    struct operator_state *state = userdata;
    char *text = NULL, *copy;
    int r;

    (void)source;
    if (state_file_busy(state->file))
        return 0;
    r = make_text(state, &text);
    copy = text ? strdup(text) : NULL;
    if (!copy && r != -EFBIG) {
        free(text);
        end_all(take_out(&state->waiting), CHANGE_UNTAKEN, r < 0 ? r : -ENOMEM);
        return 0;
    }
    if (copy && !state->waiting && state->error == 0 && state->text &&
        strcmp(text, state->text) == 0) {
        free(text);
        free(copy);
        return 0;
    }
    for (struct waiting *w = state->waiting; w; w = w->next)
        w->in_file = true;
    free(state->text);
    state->text = copy;
    if (r == 0)
        r = make_way(state);
    if (r < 0)
        free(text);
    else
        r = state_file_write(state->file, text);
    if (r < 0)
        on_written(r, state);
    return 0;
}

static void load(struct operator_state *state, struct cluster *cluster,
                 struct poller_local *ret_local)
{
    char why[DETAIL_LEN];
    int error = 0;
    int r = state_load(state->path, cluster, ret_local, &state->values, wall_ms(), &error, why);

    if (r == 1)
        log_warning("cannot read %s: %s; starting with the generation before it, %s.1", state->path,
                    strerror(-error), state->path);
    else if (r < 0 && r != -ENOENT)
        log_warning("cannot read %s: %s, nor %s.1; starting without what operators have said",
                    state->path, strerror(-r), state->path);
    if (error != 0 && error != -ENOENT && error != -EBADMSG) {
        log_error("%s may have what operators have said: it is left as it is, and changes are "
                  "refused until a start can read it",
                  state->path);
        state->unread = error;
    }
    if (r >= 0 && why[0])
        log_warning("%s: %s", state->path, why);
}

int operator_state_new(sd_event *event, const char *path,
                       const struct operator_state_handlers *handlers, struct cluster *cluster,
                       struct poller_local *ret_local, struct operator_state **ret)
{
    struct operator_state *state = calloc(1, sizeof(*state));
    int r = -ENOMEM;

    if (state)
        state->path = strdup(path);
    if (state && state->path) {
        state->handlers = *handlers;
        r = state_file_new(event, path, on_written, state, &state->file);
    }
    if (r >= 0)
        r = sd_event_add_defer(event, &state->begin, on_begin, state);
    if (r >= 0)
        r = sd_event_source_set_enabled(state->begin, SD_EVENT_OFF);
    if (r >= 0)
        r = sd_event_add_time(event, &state->patience, CLOCK_MONOTONIC, 0, 1000, on_patience,
                              state);
    if (r >= 0)
        r = sd_event_source_set_enabled(state->patience, SD_EVENT_OFF);
    if (r < 0) {
        operator_state_free(state);
        return r;
    }
    load(state, cluster, ret_local);
    memcpy(state->cluster, cluster->name, sizeof(state->cluster));
    *ret = state;
    return 0;
}

struct operator_state *operator_state_free(struct operator_state *state)
{
    if (!state)
        return NULL;
    state_file_free(state->file);
    sd_event_source_disable_unref(state->begin);
    sd_event_source_disable_unref(state->patience);
    end_all(take_out(&state->written), CHANGE_KEPT, 0);
    end_all(take_out(&state->waiting), CHANGE_OPEN, -ECANCELED);
    values_free(&state->values);
    free(state->text);
    free(state->path);
    free(state);
    return NULL;
}

bool operator_state_follow(struct operator_state *state)
{
    const struct poller_local *local;
    const char *name = state->handlers.hints(&local, state->handlers.userdata)->name;
    bool moved = state->cluster[0] && strcmp(state->cluster, name) != 0;

    if (moved) {
        log_error("%s is of the cluster \"%s\", and this host's node of \"%s\": kept as %s.other; "
                  "going on without what operators have said there",
                  state->path, state->cluster, name, state->path);
        values_free(&state->values);
        append(&state->written, state->waiting);
        state->waiting = take_out(&state->written);
        for (struct waiting *w = state->waiting; w; w = w->next)
            w->in_file = false;
        state->foreign = true;
        begin_soon(state);
    }
    snprintf(state->cluster, sizeof(state->cluster), "%s", name);
    return moved;
}

const struct values *operator_state_values(const struct operator_state *state)
{
    return &state->values;
}

int operator_state_change(struct operator_state *state, const struct value_change *change,
                          const char *host, operator_done done, void *userdata)
{
    struct waiting *waiting = calloc(1, sizeof(*waiting));
    struct values values = {0};
    int r = waiting ? values_to_be(state, &values) : -ENOMEM;

    if (r == 0)
        r = values_change(&values, change, host, wall_ms());
    if (r == 0) {
        const struct value *made = values_held(&values, change->key);

        waiting->version = *made;
        waiting->version.text = made->text ? strdup(made->text) : NULL;
        if (made->text && !waiting->version.text)
            r = -ENOMEM;
    }
    values_free(&values);
    if (r < 0) {
        free(waiting);
        return r;
    }
    waiting->done = done;
    waiting->userdata = userdata;
    append(&state->waiting, waiting);
    begin_soon(state);
    return 0;
}

int operator_state_merge(struct operator_state *state, const char *body, size_t len,
                         char why[DETAIL_LEN])
{
    const struct poller_local *local;
    const struct cluster *cluster = state->handlers.hints(&local, state->handlers.userdata);
    size_t taken;
    int r = values_json_parse(body, len, cluster->name, &state->values, wall_ms(), &taken, why);

    if (taken == 0)
        return r;
    state->handlers.changed(state->handlers.userdata);
    begin_soon(state);
    return 1;
}

void operator_state_save(struct operator_state *state)
{
    values_expire(&state->values, wall_ms());
    begin_soon(state);
}

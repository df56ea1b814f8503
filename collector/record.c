#include "record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "control/decisions_json.h"
#include "control/state_file.h"
#include "log.h"
#include "publish/render_decisions.h"

/* Decisions come in swarms: one write for each. */
#define SOON_MS  1000
#define APART_MS 5000 /* from the end of a write */

struct record {
    char *path;
    struct decisions decisions;
    struct state_file *file;
    sd_event_source *timer; /* of the next write */
    bool armed;
    bool unkept;            /* the state is no file, as /dev/null: nor is there one beside it */
    uint64_t saved, saving; /* decisions.changes as on disk, and as in the write that runs */
    int64_t next_ms;        /* CLOCK_MONOTONIC: no write sooner */
    int error;              /* of the last write */
};

static int64_t clock_ms(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* While a write runs its end sees to the next one. */
static void save_later(struct record *record)
{
    int64_t now = clock_ms(CLOCK_MONOTONIC), wait = record->next_ms - now;

    if (record->unkept || record->armed || record->saved == record->decisions.changes ||
        state_file_busy(record->file))
        return;
    if (wait < SOON_MS)
        wait = SOON_MS;
    record->armed = sd_event_source_set_time_relative(record->timer, (uint64_t)wait * 1000) >= 0 &&
                    sd_event_source_set_enabled(record->timer, SD_EVENT_ONESHOT) >= 0;
}

static void on_written(int result, void *userdata)
{
    struct record *record = userdata;

    if (result < 0 && result != record->error)
        log_error("cannot write %s: %s; a restart would forget the decisions since", record->path,
                  strerror(-result));
    if (result == 0 && record->error < 0)
        log_notice("writing %s again", record->path);
    record->error = result;
    if (result == 0)
        record->saved = record->saving;
    record->next_ms = clock_ms(CLOCK_MONOTONIC) + APART_MS;
    save_later(record);
}

static int save(struct record *record)
{
    struct text text = {0};

    render_kept_decisions(&text, &record->decisions);
    text_add(&text, "", 1);
    if (text.failed) {
        text_free(&text);
        return -ENOMEM;
    }
    record->saving = record->decisions.changes;
    return state_file_write(record->file, text.data);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct record *record = userdata;
    int r;

    (void)source;
    (void)usec;
    record->armed = false;
    r = save(record);
    if (r < 0)
        on_written(r, record);
    return 0;
}

static void load(struct record *record)
{
    int error = 0, r;

    if (record->unkept)
        return;
    r = decisions_load(record->path, &record->decisions, &error);
    record->saved = record->decisions.changes;
    if (error == -ENOENT)
        return;
    if (r == 1 || r < 0)
        log_warning("cannot read %s: %s%s; %s", record->path, strerror(-error),
                    error == -EBADMSG ? ", it is set aside as .bad" : "",
                    r == 1 ? "going on with the decisions of the generation before it"
                           : "the decisions until now are forgotten");
}

int record_new(sd_event *event, const char *state_path, struct record **ret)
{
    struct record *record = calloc(1, sizeof(*record));
    struct stat st;
    int r = -ENOMEM;

    if (record && asprintf(&record->path, "%s.decisions", state_path) < 0)
        record->path = NULL;
    if (record && record->path)
        r = state_file_new(event, record->path, on_written, record, &record->file);
    if (r >= 0)
        r = sd_event_add_time(event, &record->timer, CLOCK_MONOTONIC, 0, 1000, on_timer, record);
    if (r >= 0)
        r = sd_event_source_set_enabled(record->timer, SD_EVENT_OFF);
    if (r < 0) {
        record_free(record);
        return r;
    }
    record->unkept = stat(state_path, &st) == 0 && !S_ISREG(st.st_mode);
    load(record);
    *ret = record;
    return 0;
}

void record_decision(struct record *record, const char *kind, const char *node, const char *what,
                     const char *why, const char *by)
{
    struct decision_entry entry = {.at_ms = clock_ms(CLOCK_REALTIME)};
    int r;

    if (!record)
        return;
    snprintf(entry.kind, sizeof(entry.kind), "%s", kind);
    snprintf(entry.node, sizeof(entry.node), "%s", node ? node : "");
    snprintf(entry.what, sizeof(entry.what), "%s", what);
    snprintf(entry.why, sizeof(entry.why), "%s", why ? why : "");
    snprintf(entry.by, sizeof(entry.by), "%s", by && *by ? by : "automatic");
    r = decisions_add(&record->decisions, &entry);
    if (r < 0)
        log_error("cannot record that %s%s%s: %s", entry.node, *entry.node ? ": " : "", entry.what,
                  strerror(-r));
    save_later(record);
}

const struct decisions *record_decisions(const struct record *record)
{
    return &record->decisions;
}

struct record *record_free(struct record *record)
{
    if (!record)
        return NULL;
    if (record->file && !record->unkept && record->saved != record->decisions.changes) {
        state_file_wait(record->file);
        save(record);
    }
    state_file_free(record->file);
    sd_event_source_disable_unref(record->timer);
    decisions_free(&record->decisions);
    free(record->path);
    free(record);
    return NULL;
}

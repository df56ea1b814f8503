#include "region_watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/regions_file.h"
#include "log.h"
#include "model/seed_lists.h"
#include "publish/render_regions.h"
#include "sources/region_source.h"

/* Regions are asked once in so many intervals of the own nodes, and not more often than so, as they
 * may be far away; what one says of its readiness counts for so many turns, one of which may be
 * lost. */
#define INTERVALS 10
#define TURN_MS   5000
#define TURNS     3

#define SEEDS_TOLD 400 /* characters of a list, to people */

struct watched {
    struct region_watch *watch;
    const char *name; /* the configuration's */
    struct region_source *source;
    int64_t began_ms;
};

struct region_watch {
    sd_event *event;
    const struct conf *conf;
    struct multi *multi;
    struct http *http;
    sd_event_source *timer;
    struct watched *watched;
    size_t n_watched;
    struct regions regions;
    struct text told; /* to people, last */
    int save_error;
    struct record *record;
    region_watch_changed changed;
    void *userdata;
};

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t turn_ms(const struct region_watch *watch)
{
    int64_t turn_ms = watch->conf->interval_ms * INTERVALS;

    return turn_ms > TURN_MS ? turn_ms : TURN_MS;
}

static void tell_seeds(struct record *record, struct region *region)
{
    char what[NAME_LEN + 32];
    char *seeds;

    if (!region || !region->seeds_changed)
        return;
    region->seeds_changed = false;
    seeds = addresses_text(&(struct addresses){region->seeds, region->n_seeds});
    log_notice("seeds of region %s are now %.*s%s", region->name, SEEDS_TOLD, seeds,
               strlen(seeds) > SEEDS_TOLD ? "…" : "");
    snprintf(what, sizeof(what), "seeds of region %.*s changed", NAME_LEN, region->name);
    record_decision(record, "region", NULL, what, seeds, NULL);
    free(seeds);
}

static void on_answer(struct region_answer *answer, void *userdata)
{
    struct watched *watched = userdata;
    struct region_watch *watch = watched->watch;

    answer->began_ms = watched->began_ms;
    if (!regions_ingest(&watch->regions, watched->name, answer))
        return;
    tell_seeds(watch->record, regions_find(&watch->regions, watched->name));
    watch->changed(watch->userdata);
}

static int on_turn(sd_event_source *timer, uint64_t usec, void *userdata)
{
    struct region_watch *watch = userdata;

    (void)usec;
    for (size_t i = 0; i < watch->n_watched; i++) {
        struct watched *watched = &watch->watched[i];
        int64_t began_ms = now_ms();
        int r = region_source_start(watched->source, turn_ms(watch), on_answer, watched);

        if (r == 0)
            watched->began_ms = began_ms;
        else if (r < 0)
            log_error("cannot ask region %s: %s", watched->name, strerror(-r));
    }
    sd_event_source_set_time_relative(timer, (uint64_t)turn_ms(watch) * 1000);
    return sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

static void stop(struct region_watch *watch)
{
    sd_event_source_set_enabled(watch->timer, SD_EVENT_OFF);
    for (size_t i = 0; i < watch->n_watched; i++)
        region_source_close(watch->watched[i].source);
    free(watch->watched);
    watch->watched = NULL;
    watch->n_watched = 0;
}

static int watch_region(struct region_watch *watch, const struct conf_region *region)
{
    const struct source_place place = {
        .url = region->url,
        .user = region->login.user,
        .password = region->login.password,
        .ca_file = region->login.ca_file,
    };
    struct watched *watched = &watch->watched[watch->n_watched];
    int r;

    if (strcmp(region->name, watch->conf->region_name) == 0)
        return 0;
    r = region_source_open(watch->http, &place, &watched->source);
    if (r < 0)
        return r;
    watched->watch = watch;
    watched->name = region->name;
    watch->n_watched++;
    return 0;
}

static int set_regions(struct region_watch *watch)
{
    const struct conf *conf = watch->conf;
    const char **names = calloc(conf->n_regions + 1, sizeof(*names));
    int r;

    if (!names)
        return -ENOMEM;
    for (size_t i = 0; i < conf->n_regions; i++)
        names[i] = conf->regions[i].name;
    r = regions_set(&watch->regions, conf->region_name, names, conf->n_regions,
                    turn_ms(watch) * TURNS);
    free(names);
    return r;
}

/* What was kept, where there is any. */
static void recall(struct region_watch *watch)
{
    int r = watch->regions.n > 0 ? regions_file_load(watch->conf->state_path, &watch->regions) : 0;

    if (r < 0 && r != -ENOENT)
        log_warning("cannot read %s.regions: %s; the other regions' seeds are known once they "
                    "answer",
                    watch->conf->state_path, strerror(-r));
}

int region_watch_configure(struct region_watch *watch, const struct conf *conf)
{
    int r;

    stop(watch);
    watch->conf = conf;
    r = set_regions(watch);
    if (r < 0)
        return r;
    recall(watch);
    if (watch->regions.n == 0)
        return 0;
    if (!conf->region_datacenters || !conf->region_datacenters[0])
        log_warning("regions: region.datacenters names none, so that those of other regions count "
                    "as this one's as soon as Cassandra knows them");
    watch->watched = calloc(conf->n_regions, sizeof(*watch->watched));
    if (!watch->watched)
        return -ENOMEM;
    for (size_t i = 0; r == 0 && i < conf->n_regions; i++)
        r = watch_region(watch, &conf->regions[i]);
    multi_keep(watch->multi, watch->n_watched + 1);
    if (r == 0)
        r = sd_event_source_set_time_relative(watch->timer, 0);
    if (r >= 0)
        r = sd_event_source_set_enabled(watch->timer, SD_EVENT_ONESHOT);
    return r < 0 ? r : 0;
}

void region_watch_set_record(struct region_watch *watch, struct record *record)
{
    watch->record = record;
}

void region_watch_forget(struct region_watch *watch)
{
    int r;

    regions_file_remove(watch->conf->state_path);
    regions_free(&watch->regions);
    r = region_watch_configure(watch, watch->conf);
    if (r < 0)
        log_error("cannot ask the other regions: %s", strerror(-r));
}

int region_watch_new(sd_event *event, const struct conf *conf, region_watch_changed changed,
                     void *userdata, struct region_watch **ret)
{
    struct region_watch *watch = calloc(1, sizeof(*watch));
    int r;

    if (!watch)
        return -ENOMEM;
    watch->changed = changed;
    watch->userdata = userdata;
    r = multi_new(event, &watch->multi);
    if (r == 0)
        r = http_new(watch->multi, &watch->http);
    if (r == 0)
        r = sd_event_add_time(event, &watch->timer, CLOCK_MONOTONIC, 0, 1000, on_turn, watch);
    if (r >= 0)
        r = sd_event_source_set_enabled(watch->timer, SD_EVENT_OFF);
    if (r >= 0)
        r = region_watch_configure(watch, conf);
    if (r < 0) {
        region_watch_free(watch);
        return r;
    }
    *ret = watch;
    return 0;
}

static void save(struct region_watch *watch)
{
    int before = watch->save_error;

    watch->save_error = regions_file_save(watch->conf->state_path, &watch->regions);
    if (watch->save_error == 0)
        watch->regions.unsaved = false;
    else if (watch->save_error != before)
        log_warning("cannot write %s.regions: %s; after a boot the other regions' seeds are known "
                    "only once they answer",
                    watch->conf->state_path, strerror(-watch->save_error));
}

static void record_turn(struct region_watch *watch, const char *line)
{
    char what[DECISION_TEXT_LEN], why[REGIONS_WHY_LEN];

    if (regions_waits(&watch->regions, why))
        snprintf(what, sizeof(what), "this region waits");
    else if (watch->regions.next)
        snprintf(what, sizeof(what), "it is the turn of %s", watch->regions.next->name);
    else
        snprintf(what, sizeof(what), "it is nobody's turn");
    record_decision(watch->record, "region", NULL, what, line, NULL);
}

/* One line for people whenever it is another one than before. */
static void tell(struct region_watch *watch)
{
    const struct regions *regions = &watch->regions;
    char why[REGIONS_WHY_LEN];
    struct text text = {0};

    for (size_t i = 0; i < regions->n; i++)
        text_printf(&text, "%s%s %s", i > 0 ? ", " : "", regions->items[i].name,
                    region_state_word(regions->items[i].state));
    if (regions_waits(regions, why))
        text_printf(&text, "; this region waits: %s", why);
    else if (regions->next)
        text_printf(&text, "; it is the turn of %s", regions->next->name);
    text_add(&text, "", 1);
    if (!text.failed && (!watch->told.data || strcmp(watch->told.data, text.data) != 0)) {
        log_notice("regions: %s", text.data);
        record_turn(watch, text.data);
    }
    text_free(&watch->told);
    watch->told = text;
}

/* As /readylocaldcs says it. */
static bool own_ready(const struct conf *conf, const struct cluster *cluster,
                      const struct values *values)
{
    const struct region_settings own = {conf->region_datacenters, conf->datacenters,
                                        conf->n_datacenters};
    const struct value *said;
    char key[VALUES_KEY_LEN];

    snprintf(key, sizeof(key), "region/%s/readylocaldcs", conf->region_name);
    said = values_find(values, key);
    return said ? strcmp(said->text, "true") == 0 : region_ready(cluster, &own);
}

bool region_watch_judge(struct region_watch *watch, const struct cluster *cluster,
                        const struct values *values, int64_t at_ms)
{
    bool changed;

    if (watch->regions.n == 0)
        return false;
    changed = regions_judge(&watch->regions, own_ready(watch->conf, cluster, values), at_ms);
    if (changed)
        tell(watch);
    if (watch->regions.unsaved)
        save(watch);
    return changed;
}

const struct regions *region_watch_regions(const struct region_watch *watch)
{
    return &watch->regions;
}

struct region_watch *region_watch_free(struct region_watch *watch)
{
    if (!watch)
        return NULL;
    if (watch->timer)
        stop(watch);
    sd_event_source_disable_unref(watch->timer);
    http_free(watch->http);
    multi_free(watch->multi);
    regions_free(&watch->regions);
    text_free(&watch->told);
    free(watch);
    return NULL;
}

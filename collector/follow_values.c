#include "follow_values.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/values_json.h"
#include "log.h"
#include "messages.h"
#include "sources/http.h"

/* Of values that change at once so many are told one by one, and so much of each. */
#define VALUES_TOLD 50
#define TEXT_TOLD   200

/* The node on whose host it was said, or that host's own name. */
static const char *place(const struct cluster *cluster, const char *host)
{
    for (size_t i = 0; i < cluster->n_sorted; i++)
        if (strcasecmp(cluster->sorted[i]->gossip.host_id, host) == 0)
            return cluster->sorted[i]->text;
    return host;
}

/* One value that has changed, and to whom that is told. */
struct told {
    const struct value *value;
    struct record *record;
    const char *host; /* place() of where it was said */
    char where[HOST_ID_LEN + 16];
};

static void tell_region(const struct told *told, const char *by)
{
    const struct value *value = told->value;
    const struct log_event event = {.priority = LOG_NOTICE, .id = MESSAGE_VALUE_SET};
    const char *name = value->key + strlen("region/"), *key = strrchr(name, '/');
    char what[DECISION_TEXT_LEN];
    int len = (int)(key - name);

    if (value->text)
        snprintf(what, sizeof(what), "%s of region %.*s: set to %.*s%s", key + 1, len, name,
                 TEXT_TOLD, value->text, strlen(value->text) > TEXT_TOLD ? "…" : "");
    else
        snprintf(what, sizeof(what), "%s of region %.*s: back to automatic", key + 1, len, name);
    log_event(&event, "%s%s%s on %s", what, by, value->user, told->host);
    record_decision(told->record, "value", NULL, what, told->where, value->user);
}

static void tell_drain(const struct told *told, const char *by)
{
    const struct value *value = told->value;
    const char *node = value->key + strlen("drain/");
    const struct log_event event = {.priority = LOG_NOTICE,
                                    .id =
                                        value->text ? MESSAGE_NODE_DRAINED : MESSAGE_NODE_UNDRAINED,
                                    .node = node};
    char what[64];

    if (value->ttl_ms > 0)
        snprintf(what, sizeof(what), "drained for %lld s", (long long)value->ttl_ms / 1000);
    else
        snprintf(what, sizeof(what), "drained%s", value->text ? "" : " no more");
    log_event(&event, "%s: %s%s%s on %s", node, what, by, value->user, told->host);
    record_decision(told->record, "drain", node, what, told->where, value->user);
}

static void tell_seeds(const struct told *told)
{
    const char *dc = told->value->key + strlen("seeds/");
    char what[DECISION_TEXT_LEN], why[HOST_ID_LEN + 16];

    log_event(&(struct log_event){.priority = LOG_NOTICE, .id = MESSAGE_SEEDS_CHOSEN},
              "seeds of %s: %s, chosen on %s", dc, told->value->text, told->host);
    snprintf(what, sizeof(what), "seeds of %.64s: %.180s", dc, told->value->text);
    snprintf(why, sizeof(why), "chosen on %s", told->host);
    record_decision(told->record, "seeds", NULL, what, why, told->value->user);
}

static void tell_suspended(const struct told *told, const char *by)
{
    const struct value *value = told->value;
    bool suspended = value->text && strcmp(value->text, "true") == 0;
    const char *what = suspended ? "suspended" : "resumed";

    log_event(&(struct log_event){.priority = suspended ? LOG_WARNING : LOG_NOTICE,
                                  .id = suspended ? MESSAGE_SUSPENDED : MESSAGE_RESUMED},
              "the observer is %s%s%s on %s", what, by, value->user, told->host);
    record_decision(told->record, "suspend", NULL, what, told->where, value->user);
}

static void tell_repaired(const struct told *told, const char *by)
{
    const char *node = told->value->key + strlen("repaired/");

    log_event(
        &(struct log_event){.priority = LOG_NOTICE, .id = MESSAGE_NODE_REPAIRED, .node = node},
        "%s: is repaired, as said%s%s on %s", node, by, told->value->user, told->host);
    record_decision(told->record, "repair", node, "repaired", told->where, told->value->user);
}

static void tell(const struct cluster *cluster, const struct value *value, struct record *record)
{
    struct told told = {.value = value, .record = record, .host = place(cluster, value->host)};
    const char *by = value->user[0] ? " by " : "";

    snprintf(told.where, sizeof(told.where), "said on %s", told.host);
    if (strncmp(value->key, "region/", 7) == 0)
        tell_region(&told, by);
    else if (strncmp(value->key, "drain/", 6) == 0)
        tell_drain(&told, by);
    else if (strcmp(value->key, "observer/suspended") == 0)
        tell_suspended(&told, by);
    else if (strncmp(value->key, "repaired/", 9) == 0 && value->text)
        tell_repaired(&told, by);
    else if (strncmp(value->key, "seeds/", 6) == 0 && value->text)
        tell_seeds(&told);
}

static bool same(const struct value *a, const struct value *b)
{
    return a->counter == b->counter && strcmp(a->host, b->host) == 0 && a->until_ms == b->until_ms;
}

/* Both are sorted by their keys. */
static void tell_changes(const struct followed_values *followed, const struct values *values,
                         const struct cluster *cluster, struct record *record)
{
    const struct values *told = &followed->told;
    size_t k = 0, changes = 0;

    for (size_t i = 0; i < values->n; i++) {
        const struct value *value = &values->items[i];

        while (k < told->n && strcmp(told->items[k].key, value->key) < 0)
            k++;
        if (k < told->n && strcmp(told->items[k].key, value->key) == 0 &&
            same(&told->items[k], value))
            continue;
        if (changes++ < VALUES_TOLD)
            tell(cluster, value, record);
    }
    if (changes > VALUES_TOLD)
        log_notice("%zu values changed at once, of which %d were told", changes, VALUES_TOLD);
}

void follow_values(struct followed_values *followed, const struct values *values,
                   struct cluster *cluster, struct record *record)
{
    uint64_t digest = values_digest(values);
    struct values told;
    char *state;

    if (digest == followed->digest && strcmp(followed->cluster, cluster->name) == 0)
        return;
    state = values_json_document(values, cluster->name);
    if (!state || values_copy(values, &told) < 0) {
        free(state);
        return;
    }
    /* At the start nothing is news. */
    if (followed->state && digest != followed->digest)
        tell_changes(followed, values, cluster, record);
    free(followed->state);
    values_free(&followed->told);
    followed->state = state;
    followed->told = told;
    followed->digest = digest;
    followed->asks = cluster->name[0] ? digest : 0;
    memcpy(followed->cluster, cluster->name, sizeof(followed->cluster));
    cluster->dirty = true;
}

bool take_values(struct control *control, const struct prober_addr *host,
                 const struct http_answer *answer, bool again)
{
    char why[DETAIL_LEN] = "", text[PROBER_ADDR_STRLEN];
    int r = 0;

    prober_addr_format(host, text);
    if (answer->result == POLL_OK)
        r = control_merge(control, host, answer->body ? answer->body : "", answer->len, why);
    if (answer->result == POLL_OK && r >= 0) {
        if (why[0])
            log_info("values of %s: %s", text, why);
        return true;
    }
    if (again)
        return false;
    if (answer->result == POLL_OK)
        log_warning("cannot use the values of %s: %s", text, why[0] ? why : strerror(-r));
    else
        log_warning("cannot get the values of %s: %s%s%s", text, poll_result_word(answer->result),
                    answer->detail[0] ? ": " : "", answer->detail);
    return false;
}

void followed_values_free(struct followed_values *followed)
{
    free(followed->state);
    values_free(&followed->told);
}

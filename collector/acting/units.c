#include "units.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit_properties.h"

#define SYSTEMD    "org.freedesktop.systemd1"
#define MANAGER    "/org/freedesktop/systemd1"
#define UNITS      "/org/freedesktop/systemd1/unit"
#define PROPERTIES "org.freedesktop.DBus.Properties"

/* How often it is looked whether a job is still there: the signal that it is not is lost when
 * systemd executes itself anew just then. */
#define CHECK_US 20000000

/* What was asked for, from then until its owner was told how it ended. */
struct operation {
    struct operation *next;
    struct units *units;
    char *path; /* of the unit, on the bus */
    enum unit_verb verb;
    unit_done done;     /* of unit_run() */
    unit_looked looked; /* of unit_look() */
    void *userdata;
    sd_bus_slot *watch; /* what changes about the unit */
    sd_bus_slot *call;  /* what has no answer yet */
    sd_bus_slot *check; /* whether the job is there */
    char *job;          /* its path; NULL = systemd has not taken it yet, or it has ended */
    char job_result[32];
    struct unit_properties properties;
    bool over; /* `result` counts; its owner is told by on_later() */
    struct unit_result result;
};

struct units {
    sd_event *event;
    sd_bus *bus;      /* NULL = not connected */
    bool lost;        /* the connection has ended */
    char systemd[32]; /* its unique name: whose signals count, as anybody may send us some */
    sd_bus_slot *removed, *disconnected, *subscribe;
    sd_event_source *later, *check;
    struct operation *operations; /* oldest first */
};

const char *unit_verb_word(enum unit_verb verb)
{
    static const char *const words[] = {"start", "stop", "restart"};

    return words[verb];
}

const char *unit_end_word(enum unit_end end)
{
    static const char *const words[] = {"unknown", "done", "failed", "denied"};

    return words[end];
}

static void operation_free(struct operation *operation)
{
    sd_bus_slot_unref(operation->watch);
    sd_bus_slot_unref(operation->call);
    sd_bus_slot_unref(operation->check);
    free(operation->path);
    free(operation->job);
    free(operation);
}

static void over(struct operation *operation, const struct unit_result *result)
{
    if (operation->over)
        return;
    operation->over = true;
    operation->result = *result;
    sd_event_source_set_enabled(operation->units->later, SD_EVENT_ONESHOT);
}

static void end(struct operation *operation, enum unit_end how, const char *detail)
{
    struct unit_result result = {.end = how};

    snprintf(result.detail, sizeof(result.detail), "%s", detail);
    over(operation, &result);
}

static void drop_bus(struct units *units)
{
    units->removed = sd_bus_slot_unref(units->removed);
    units->subscribe = sd_bus_slot_unref(units->subscribe);
    units->disconnected = sd_bus_slot_unref(units->disconnected);
    units->bus = sd_bus_close_unref(units->bus);
    units->systemd[0] = '\0';
    units->lost = false;
}

static struct operation *take_ended(struct units *units)
{
    for (struct operation **link = &units->operations; *link; link = &(*link)->next) {
        struct operation *operation = *link;

        if (operation->over) {
            *link = operation->next;
            return operation;
        }
    }
    return NULL;
}

static void tell(const struct operation *operation)
{
    const struct unit_properties *told = &operation->properties;
    struct unit_state state = {
        .known = operation->result.end == UNIT_DONE,
        .invocation_us = told->active_us > told->began_us ? told->active_us : told->began_us,
    };

    if (operation->done) {
        operation->done(&operation->result, operation->userdata);
        return;
    }
    memcpy(state.active, told->active, sizeof(state.active));
    memcpy(state.sub, told->sub, sizeof(state.sub));
    operation->looked(&state, operation->userdata);
}

/* Nobody is told from inside of what they call, nor from a callback of the bus. One at a time, as
 * who is told may do anything. */
static int on_later(sd_event_source *source, void *userdata)
{
    struct units *units = userdata;
    struct operation *operation;

    if (units->lost)
        drop_bus(units);
    operation = take_ended(units);
    if (!operation)
        return 0;
    sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
    tell(operation);
    operation_free(operation);
    return 0;
}

static bool is_refusal(const sd_bus_error *error)
{
    static const char *const refusals[] = {
        SD_BUS_ERROR_ACCESS_DENIED, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
        SD_BUS_ERROR_INVALID_ARGS,  SYSTEMD ".NoSuchUnit",
        SYSTEMD ".LoadFailed",      SYSTEMD ".BadUnitSetting",
        SYSTEMD ".UnitMasked",      SYSTEMD ".OnlyByDependency",
    };

    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        if (sd_bus_error_has_name(error, refusals[i]))
            return true;
    return false;
}

static void end_by_error(struct operation *operation, const sd_bus_error *error)
{
    bool denied = sd_bus_error_has_name(error, SD_BUS_ERROR_ACCESS_DENIED) ||
                  sd_bus_error_has_name(error, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED);

    end(operation, is_refusal(error) ? UNIT_DENIED : UNIT_UNKNOWN,
        denied           ? "access denied (polkit)"
        : error->message ? error->message
                         : error->name);
}

static void judge(struct operation *operation)
{
    struct unit_result result;

    unit_properties_judge(&operation->properties, operation->verb, operation->job_result, &result);
    over(operation, &result);
}

static int on_properties(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
    struct operation *operation = userdata;
    const sd_bus_error *error = sd_bus_message_get_error(message);
    int r = error ? 0 : unit_properties_read(&operation->properties, message);

    (void)ret_error;
    if (error)
        end_by_error(operation, error);
    else if (r < 0)
        end(operation, UNIT_UNKNOWN, strerror(-r));
    else if (operation->done)
        judge(operation);
    else if (strcmp(operation->properties.load, "loaded") != 0)
        /* Of a template whose drop-in is missing it is "bad-setting"; a masked one is none either.
         */
        end(operation, UNIT_DENIED, "there is no such unit");
    else
        end(operation, UNIT_DONE, "");
    return 0;
}

static void ask_properties(struct operation *operation)
{
    int r;

    sd_bus_slot_unref(operation->call);
    operation->call = NULL;
    r = sd_bus_call_method_async(operation->units->bus, &operation->call, SYSTEMD, operation->path,
                                 PROPERTIES, "GetAll", on_properties, operation, "s", "");
    if (r < 0)
        end(operation, UNIT_UNKNOWN, strerror(-r));
}

/* The job is no more. What is known of its unit by signals is newer than what could be asked now: a
 * oneshot that has ended well is forgotten, and with it that it was skipped. */
static void job_ended(struct operation *operation, const char *result)
{
    const struct unit_properties *told = &operation->properties;
    bool settled = told->any && told->active[0] && strcmp(told->active, "activating") != 0 &&
                   strcmp(told->active, "deactivating") != 0;

    free(operation->job);
    operation->job = NULL;
    snprintf(operation->job_result, sizeof(operation->job_result), "%s", result);
    if (settled)
        judge(operation);
    else
        ask_properties(operation);
}

static bool is_from_systemd(const struct units *units, sd_bus_message *message)
{
    const char *sender = sd_bus_message_get_sender(message);

    return sender && strcmp(sender, units->systemd) == 0;
}

static int on_removed(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
    struct units *units = userdata;
    const char *job, *unit, *result;
    uint32_t id;

    (void)ret_error;
    if (!is_from_systemd(units, message) ||
        sd_bus_message_read(message, "uoss", &id, &job, &unit, &result) < 0)
        return 0;
    for (struct operation *each = units->operations; each; each = each->next)
        if (!each->over && each->job && strcmp(each->job, job) == 0)
            job_ended(each, result);
    return 0;
}

static int on_changed(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
    struct operation *operation = userdata;
    const char *interface;

    (void)ret_error;
    if (operation->job && is_from_systemd(operation->units, message) &&
        sd_bus_message_read(message, "s", &interface) > 0)
        unit_properties_read(&operation->properties, message);
    return 0;
}

static int on_checked(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
    struct operation *operation = userdata;
    const sd_bus_error *error = sd_bus_message_get_error(message);

    (void)ret_error;
    if (operation->job && !operation->over && error &&
        sd_bus_error_has_name(error, SD_BUS_ERROR_UNKNOWN_OBJECT))
        job_ended(operation, "done");
    return 0;
}

static int on_check(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct units *units = userdata;
    bool any = false;

    (void)usec;
    for (struct operation *each = units->operations; each && units->bus; each = each->next) {
        if (each->over || !each->job)
            continue;
        any = true;
        each->check = sd_bus_slot_unref(each->check);
        sd_bus_call_method_async(units->bus, &each->check, SYSTEMD, each->job, PROPERTIES, "Get",
                                 on_checked, each, "ss", SYSTEMD ".Job", "State");
    }
    if (any) {
        sd_event_source_set_time_relative(source, CHECK_US);
        sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
    }
    return 0;
}

static int on_taken(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
    struct operation *operation = userdata;
    struct units *units = operation->units;
    const sd_bus_error *error = sd_bus_message_get_error(message);
    const char *job = NULL, *sender = sd_bus_message_get_sender(message);
    int r;

    (void)ret_error;
    if (error) {
        end_by_error(operation, error);
        return 0;
    }
    r = sd_bus_message_read(message, "o", &job);
    operation->job = r < 0 ? NULL : strdup(job);
    if (!operation->job) {
        end(operation, UNIT_UNKNOWN, r < 0 ? strerror(-r) : strerror(ENOMEM));
        return 0;
    }
    snprintf(units->systemd, sizeof(units->systemd), "%s", sender ? sender : "");
    sd_event_source_set_time_relative(units->check, CHECK_US);
    sd_event_source_set_enabled(units->check, SD_EVENT_ONESHOT);
    return 0;
}

static void lose_bus(struct units *units)
{
    for (struct operation *each = units->operations; each; each = each->next)
        end(each, UNIT_UNKNOWN, "the connection to the system bus has ended");
    units->lost = true;
    sd_event_source_set_enabled(units->later, SD_EVENT_ONESHOT);
}

static int on_disconnected(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
    (void)message;
    (void)ret_error;
    lose_bus(userdata);
    return 0;
}

/* Already subscribed, or refused: a job whose end nobody tells is found by on_check(). */
static int on_subscribed(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
    (void)message;
    (void)userdata;
    (void)ret_error;
    return 0;
}

/* Nothing here waits. What is sent now is handled in this order, so the end of a job is told to us
 * however soon it comes. */
static int connect_bus(struct units *units)
{
    int r;

    if (units->bus && sd_bus_is_open(units->bus) <= 0)
        lose_bus(units);
    if (units->lost)
        drop_bus(units);
    if (units->bus)
        return 0;
    r = sd_bus_open_system(&units->bus);
    if (r >= 0)
        r = sd_bus_attach_event(units->bus, units->event, SD_EVENT_PRIORITY_NORMAL);
    if (r >= 0)
        r = sd_bus_match_signal_async(units->bus, &units->disconnected,
                                      "org.freedesktop.DBus.Local", "/org/freedesktop/DBus/Local",
                                      "org.freedesktop.DBus.Local", "Disconnected", on_disconnected,
                                      NULL, units);
    if (r >= 0)
        r = sd_bus_match_signal_async(units->bus, &units->removed, SYSTEMD, MANAGER,
                                      SYSTEMD ".Manager", "JobRemoved", on_removed, NULL, units);
    if (r >= 0)
        r = sd_bus_call_method_async(units->bus, &units->subscribe, SYSTEMD, MANAGER,
                                     SYSTEMD ".Manager", "Subscribe", on_subscribed, units, "");
    if (r < 0)
        drop_bus(units);
    return r;
}

static int ask(struct operation *operation, const char *name)
{
    static const char *const methods[] = {"StartUnit", "StopUnit", "RestartUnit"};
    struct units *units = operation->units;
    int r;

    if (operation->looked) {
        ask_properties(operation);
        return 0;
    }
    r = sd_bus_match_signal_async(units->bus, &operation->watch, SYSTEMD, operation->path,
                                  PROPERTIES, "PropertiesChanged", on_changed, NULL, operation);
    if (r < 0)
        return r;
    return sd_bus_call_method_async(units->bus, &operation->call, SYSTEMD, MANAGER,
                                    SYSTEMD ".Manager", methods[operation->verb], on_taken,
                                    operation, "ss", name, "replace");
}

static int begin(struct units *units, const char *name, const struct operation *what)
{
    struct operation *operation = malloc(sizeof(*operation)), **link = &units->operations;
    char detail[160];
    int r;

    if (!operation)
        return -ENOMEM;
    *operation = *what;
    operation->units = units;
    r = sd_bus_path_encode(UNITS, name, &operation->path);
    if (r < 0) {
        operation_free(operation);
        return r;
    }
    r = connect_bus(units); /* may end those before */
    while (*link)
        link = &(*link)->next;
    *link = operation;
    if (r >= 0)
        r = ask(operation, name);
    if (r < 0) {
        snprintf(detail, sizeof(detail), "the system bus: %s", strerror(-r));
        end(operation, UNIT_UNKNOWN, detail);
    }
    return 0;
}

int unit_run(struct units *units, const char *name, enum unit_verb verb, unit_done done,
             void *userdata)
{
    const struct operation what = {.verb = verb, .done = done, .userdata = userdata};

    return begin(units, name, &what);
}

int unit_look(struct units *units, const char *name, unit_looked looked, void *userdata)
{
    const struct operation what = {.looked = looked, .userdata = userdata};

    return begin(units, name, &what);
}

int units_new(sd_event *event, struct units **ret)
{
    struct units *units = calloc(1, sizeof(*units));
    int r;

    if (!units)
        return -ENOMEM;
    units->event = sd_event_ref(event);
    r = sd_event_add_defer(event, &units->later, on_later, units);
    if (r >= 0)
        r = sd_event_source_set_enabled(units->later, SD_EVENT_OFF);
    if (r >= 0)
        r = sd_event_add_time(event, &units->check, CLOCK_MONOTONIC, 0, 0, on_check, units);
    if (r >= 0)
        r = sd_event_source_set_enabled(units->check, SD_EVENT_OFF);
    if (r < 0) {
        units_free(units);
        return r;
    }
    *ret = units;
    return 0;
}

struct units *units_free(struct units *units)
{
    struct operation *next;

    if (!units)
        return NULL;
    for (struct operation *each = units->operations; each; each = next) {
        next = each->next;
        operation_free(each);
    }
    drop_bus(units);
    sd_event_source_disable_unref(units->later);
    sd_event_source_disable_unref(units->check);
    sd_event_unref(units->event);
    free(units);
    return NULL;
}

#include "unit_properties.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct property {
    const char *name;
    char type; /* as D-Bus has it */
    size_t offset;
    size_t size; /* of a text */
} table[] = {
#define TEXT(name, member)                                                                         \
    {                                                                                              \
        name, 's', offsetof(struct unit_properties, member),                                       \
            sizeof(((struct unit_properties *)0)->member)                                          \
    }
    TEXT("LoadState", load),
    TEXT("ActiveState", active),
    TEXT("SubState", sub),
    TEXT("Result", result),
    {"ExecMainCode", 'i', offsetof(struct unit_properties, code), 0},
    {"ExecMainStatus", 'i', offsetof(struct unit_properties, status), 0},
    {"ConditionResult", 'b', offsetof(struct unit_properties, condition), 0},
    {"ActiveEnterTimestamp", 't', offsetof(struct unit_properties, active_us), 0},
    {"ExecMainStartTimestamp", 't', offsetof(struct unit_properties, began_us), 0},
};

static int read_value(struct unit_properties *properties, const struct property *property,
                      sd_bus_message *message)
{
    void *place = (char *)properties + property->offset;
    const char type[] = {property->type, '\0'};
    const char *text;
    int r = sd_bus_message_enter_container(message, 'v', type), truth;

    if (r < 0)
        return r;
    if (property->type == 's') {
        r = sd_bus_message_read(message, "s", &text);
        if (r > 0)
            snprintf(place, property->size, "%s", text);
    } else if (property->type == 'b') {
        r = sd_bus_message_read(message, "b", &truth);
        if (r > 0)
            properties->condition_told = true, *(bool *)place = truth;
    } else {
        r = sd_bus_message_read_basic(message, property->type, place);
    }
    if (r < 0)
        return r;
    properties->any = true;
    return sd_bus_message_exit_container(message);
}

static int read_entry(struct unit_properties *properties, sd_bus_message *message)
{
    const char *name;
    int r = sd_bus_message_read(message, "s", &name);

    if (r < 0)
        return r;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(table[i].name, name) == 0)
            return read_value(properties, &table[i], message);
    return sd_bus_message_skip(message, "v");
}

int unit_properties_read(struct unit_properties *properties, sd_bus_message *message)
{
    int r = sd_bus_message_enter_container(message, 'a', "{sv}");

    while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
        r = read_entry(properties, message);
        if (r >= 0)
            r = sd_bus_message_exit_container(message);
    }
    return r < 0 ? r : sd_bus_message_exit_container(message);
}

/* In words, what became of its process. */
static void describe(const struct unit_properties *properties, const char *job,
                     char detail[sizeof(((struct unit_result *)0)->detail)])
{
    static const struct {
        const char *job, *words;
    } ends[] = {
        {"canceled", "cancelled by another job of the unit"},
        {"timeout", "its job timed out"},
        {"dependency", "a unit that it needs has failed"},
        {"assert", "an Assert…= said no"},
        {"once", "it starts once in a boot"},
    };
    const size_t size = sizeof(((struct unit_result *)0)->detail);

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (strcmp(ends[i].job, job) == 0) {
            snprintf(detail, size, "%s", ends[i].words);
            return;
        }
    }
    if (strcmp(properties->result, "exit-code") == 0 && properties->code == CLD_EXITED &&
        properties->status != 0)
        snprintf(detail, size, "exit status %d", properties->status);
    else if (strcmp(properties->result, "signal") == 0 ||
             strcmp(properties->result, "core-dump") == 0)
        snprintf(detail, size, "killed by signal %d (%s)", properties->status, properties->result);
    else if (properties->result[0] && strcmp(properties->result, "success") != 0)
        snprintf(detail, size, "%s", properties->result);
    else
        snprintf(detail, size, "its job ended with: %s", job);
}

static bool is(const char *text, const char *word)
{
    return strcmp(text, word) == 0;
}

void unit_properties_judge(const struct unit_properties *properties, enum unit_verb verb,
                           const char *job, struct unit_result *ret)
{
    *ret = (struct unit_result){.end = UNIT_FAILED};
    if (!is(job, "done")) {
        describe(properties, job, ret->detail);
    } else if (verb == UNIT_STOP || is(properties->active, "active") ||
               is(properties->active, "reloading")) {
        ret->end = UNIT_DONE;
    } else if (is(properties->result, "exec-condition")) {
        ret->skipped = true;
        snprintf(ret->detail, sizeof(ret->detail), "skipped: its ExecCondition= said no");
    } else if (properties->condition_told && !properties->condition) {
        ret->skipped = true;
        snprintf(ret->detail, sizeof(ret->detail), "skipped: a Condition…= said no");
    } else if (properties->result[0] == '\0' || is(properties->result, "success")) {
        ret->end = UNIT_DONE;
    } else {
        describe(properties, job, ret->detail);
    }
}

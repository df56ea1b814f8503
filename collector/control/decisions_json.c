#include "decisions_json.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "read_file.h"

#define FORMAT    1
#define MAX_BYTES (4 * 1024 * 1024)
#define TIME_MAX  (1LL << 53)

static bool take_text(const json_t *object, const char *key, char *to, size_t size)
{
    const json_t *text = json_object_get(object, key);

    if (!json_is_string(text) || json_string_length(text) >= size)
        return false;
    memcpy(to, json_string_value(text), json_string_length(text) + 1);
    return true;
}

/* A text that grew as it was kept (what is no UTF-8 does) is cut again. */
static bool take_line(const json_t *object, const char *key, char *to, size_t size)
{
    const json_t *text = json_object_get(object, key);

    if (!json_is_string(text))
        return false;
    snprintf(to, size, "%s", json_string_value(text));
    return true;
}

static bool take_number(const json_t *object, const char *key, int64_t min, int64_t max,
                        int64_t *ret)
{
    const json_t *number = json_object_get(object, key);

    if (!json_is_integer(number) || json_integer_value(number) < min ||
        json_integer_value(number) > max)
        return false;
    *ret = json_integer_value(number);
    return true;
}

static bool take_entry(const json_t *object, struct decision_entry *entry)
{
    int64_t times;

    *entry = (struct decision_entry){0};
    if (!take_text(object, "kind", entry->kind, sizeof(entry->kind)) || !entry->kind[0] ||
        !take_text(object, "node", entry->node, sizeof(entry->node)) ||
        !take_line(object, "what", entry->what, sizeof(entry->what)) ||
        !take_line(object, "why", entry->why, sizeof(entry->why)) ||
        !take_line(object, "by", entry->by, sizeof(entry->by)) ||
        !take_number(object, "at_ms", 0, TIME_MAX, &entry->at_ms) ||
        !take_number(object, "last_ms", 0, TIME_MAX, &entry->last_ms) ||
        !take_number(object, "times", 1, UINT32_MAX, &times))
        return false;
    entry->times = (unsigned)times;
    return true;
}

static int take_all(const json_t *root, struct decisions *decisions)
{
    const json_t *array = json_object_get(root, "decisions"), *object;
    struct decision_entry entry;
    int r = 0;
    size_t i;

    if (json_integer_value(json_object_get(root, "format")) != FORMAT || !json_is_array(array))
        return -EBADMSG;
    json_array_foreach(array, i, object)
    {
        if (r == 0 && take_entry(object, &entry))
            r = decisions_add(decisions, &entry);
    }
    return r;
}

int decisions_json_parse(const char *body, size_t len, struct decisions *decisions)
{
    json_error_t error;
    json_t *root;
    int r;

    /* The sources lend jansson an arena. */
    json_set_alloc_funcs(malloc, free);
    root = json_loadb(body, len, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        return json_error_code(&error) == json_error_out_of_memory ? -ENOMEM : -EBADMSG;
    r = take_all(root, decisions);
    json_decref(root);
    return r;
}

static int load(const char *path, struct decisions *decisions)
{
    char *text = NULL;
    size_t len = 0;
    int r = read_file(path, MAX_BYTES, &text, &len);

    if (r == 0)
        r = decisions_json_parse(text, len, decisions);
    free(text);
    return r;
}

int decisions_load(const char *path, struct decisions *decisions, int *ret_error)
{
    char other[PATH_MAX];
    int r;

    *ret_error = load(path, decisions);
    if (*ret_error == 0)
        return 0;
    if (*ret_error == -EBADMSG && snprintf(other, sizeof(other), "%s.bad", path) < PATH_MAX)
        rename(path, other); /* for a person to look at */
    if (snprintf(other, sizeof(other), "%s.1", path) >= PATH_MAX)
        return *ret_error;
    r = load(other, decisions);
    return r == 0 ? 1 : *ret_error;
}

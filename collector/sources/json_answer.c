#include "json_answer.h"

#include "questions.h"

#define MAX_VALUES                                                                                 \
    250000 /* JSON values in one answer: a million small ones would cost a hundred times their     \
              bytes */
#define MAX_CONTAINERS 65536

/*
 * Counts what the answer would become in memory without building it: a hostile answer of a few MiB
 * of "[{},{},…" would take a hundred times its size.
 */
static bool too_many_values(const char *body, size_t len)
{
    size_t values = 0, containers = 0;
    bool in_string = false;

    for (size_t i = 0; i < len; i++) {
        if (in_string) {
            if (body[i] == '\\')
                i++;
            else if (body[i] == '"')
                in_string = false;
            continue;
        }
        in_string = body[i] == '"';
        containers += body[i] == '[' || body[i] == '{';
        values += body[i] == ',';
    }
    return containers > MAX_CONTAINERS || values + containers > MAX_VALUES;
}

enum poll_result json_answer(const char *body, size_t len, json_t **ret, char detail[DETAIL_LEN])
{
    json_error_t error;
    json_t *root;

    if (too_many_values(body, len))
        return poll_fail(POLL_TOO_LARGE, detail, "too many values");
    root = json_loadb(body, len, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        return poll_fail(POLL_BAD_JSON, detail, "%s", len == 0 ? "empty" : error.text);
    *ret = root;
    return POLL_OK;
}

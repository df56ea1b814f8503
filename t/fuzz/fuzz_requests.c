/* Arbitrary requests on the control socket: METHOD, PATH and TTL each in a line, then the body. */
#include <stdlib.h>
#include <string.h>

#include "control/requests.h"
#include "control/value_body.h"

static void check(bool condition)
{
    if (!condition)
        abort();
}

/* Cuts off a line. */
static char *take_line(char **at)
{
    char *line = *at, *end = strchr(line, '\n');

    if (end)
        *end = '\0';
    *at = end ? end + 1 : line + strlen(line);
    return line;
}

/* What is asked for can be set, and is one line of text otherwise. */
static void check_answer(unsigned status, const struct request_change *change, const char *line)
{
    struct values values = {0};

    check(memchr(line, '\0', REQUEST_LINE_LEN));
    for (const char *c = line; *c; c++)
        check((unsigned char)*c >= 0x20);
    check((status == 0) == (line[0] == '\0'));
    check(status == 0 || status == 400 || status == 404 || status == 405 || status == 409);
    if (status == 0 && change->text) {
        json_t *value = json_loads(change->text, JSON_DECODE_ANY, NULL);

        check(value && value_body_is(change->key, value));
        json_decref(value);
    }
    if (status == 0)
        check(values_change(&values, &change->change, "host", 1700000000000LL) == 0);
    values_free(&values);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct cluster cluster;
    static struct values values;
    struct request_change change;
    char *copy = calloc(len + 1, 1), *at = copy, *method, *path, *ttl, line[REQUEST_LINE_LEN];
    const char *allow;
    unsigned status;

    check(copy);
    memcpy(copy, data, len);
    method = take_line(&at);
    path = take_line(&at);
    ttl = take_line(&at);
    status = request_read(&cluster, &values, "eu", method, path, ttl[0] ? ttl : NULL, at,
                          (size_t)(copy + len - at), &change, line, &allow);
    check_answer(status, &change, line);
    check((status == 405) == (allow != NULL));
    request_change_done(&change);
    free(copy);
    return 0;
}

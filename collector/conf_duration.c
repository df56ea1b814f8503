#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"

#define DURATION_MAX_MS (INT64_C(366) * 86400000) /* longer ones are slips of the pen */

int conf_parse_duration(const char *text, int64_t *ret_ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {
        {"ms", 1},       {"msec", 1},     {"s", 1000},      {"sec", 1000},
        {"", 1000},      {"m", 60000},    {"min", 60000},   {"h", 3600000},
        {"hr", 3600000}, {"d", 86400000}, {"w", 604800000},
    };
    int64_t total = 0;
    bool any = false;

    for (const char *p = text; *p;) {
        char *end;
        size_t i, len;

        if (*p == ' ') {
            p++;
            continue;
        }
        if (!isdigit((unsigned char)*p))
            return -EINVAL;
        errno = 0;
        long long number = strtoll(p, &end, 10);
        while (*end == ' ')
            end++;
        len = strspn(end, "abcdefghijklmnopqrstuvwxyz");
        for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
            if (strlen(units[i].unit) == len && memcmp(units[i].unit, end, len) == 0)
                break;
        if (errno || i == sizeof(units) / sizeof(units[0]) ||
            number > (DURATION_MAX_MS - total) / units[i].ms)
            return -EINVAL;
        total += number * units[i].ms;
        any = true;
        p = end + len;
    }
    if (!any)
        return -EINVAL;
    *ret_ms = total;
    return 0;
}

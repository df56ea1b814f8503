/* Arbitrary bytes as another host's /state: what is taken is taken alike when it is told on. */
#include <stdlib.h>
#include <string.h>

#include "control/values_json.h"

#define NOW 1700000000000LL

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_values(const struct values *values)
{
    size_t bytes = 0;

    check(values->n <= VALUES_MAX);
    for (size_t i = 0; i < values->n; i++) {
        const struct value *value = &values->items[i];

        check(memchr(value->key, '\0', sizeof(value->key)));
        check(memchr(value->host, '\0', sizeof(value->host)));
        check(memchr(value->user, '\0', sizeof(value->user)));
        check(i == 0 || strcmp(values->items[i - 1].key, value->key) < 0);
        check(value->counter <= values->counter);
        bytes += value->text ? strlen(value->text) : 0;
    }
    check(bytes <= VALUES_TOTAL_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct values values = {0}, again = {0};
    char why[DETAIL_LEN] = "", *text;
    size_t taken;

    if (values_json_parse((const char *)data, len, "c", &values, NOW, &taken, why) >= 0) {
        check_values(&values);
        text = values_json_document(&values, "c");
        check(text);
        check(values_json_parse(text, strlen(text), "c", &again, NOW, &taken, why) == 0);
        check(why[0] == '\0' && taken == values.n &&
              values_digest(&again) == values_digest(&values));
        free(text);
    } else {
        check(values.n == 0);
    }
    check(memchr(why, '\0', sizeof(why)));
    values_free(&values);
    values_free(&again);
    return 0;
}

/* Arbitrary bytes as the file of the decisions: what is taken is taken alike when it is kept again.
 */
#include <stdlib.h>
#include <string.h>

#include "control/decisions_json.h"
#include "publish/render_decisions.h"

static void check(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct decisions decisions = {0}, again = {0};
    struct text text = {0};

    if (decisions_json_parse((const char *)data, len, &decisions) < 0)
        check(decisions.n == 0);
    check(decisions.n <= DECISIONS_MAX);
    render_kept_decisions(&text, &decisions);
    check(!text.failed && decisions_json_parse(text.data, text.len, &again) == 0);
    check(again.n == decisions.n);
    for (size_t i = 0; i < again.n; i++)
        check(memcmp(&again.items[i], &decisions.items[i], sizeof(again.items[i])) == 0);
    text_reset(&text);
    render_decisions(&text, &decisions, "host");
    check(!text.failed);
    text_free(&text);
    decisions_free(&decisions);
    decisions_free(&again);
    return 0;
}

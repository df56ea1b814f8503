/* The text buffer and its JSON escapes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "publish/text.h"

static void assert_text(struct text *text, const char *expected)
{
    assert_false(text->failed);
    assert_int_equal(text->len, strlen(expected));
    assert_memory_equal(text->data, expected, text->len);
    text_free(text);
}

static void json_escapes(void **state)
{
    static const struct {
        const char *string, *json;
    } table[] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"a\"b\\c", "\"a\\\"b\\\\c\""},
        {"tab\there\n", "\"tab\\u0009here\\u000a\""},
        {"\x7f", "\"\\u007f\""},
        {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
         "\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\""},
        {"cut \xc3", "\"cut \xef\xbf\xbd\""},
        {"overlong \xc0\xaf", "\"overlong \xef\xbf\xbd\xef\xbf\xbd\""},
        {"surrogate \xed\xa0\x80", "\"surrogate \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xf5\x80\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct text text = {0};

        text_add_json(&text, table[i].string);
        assert_text(&text, table[i].json);
    }
}

static void grows(void **state)
{
    struct text text = {0};

    (void)state;
    for (int i = 0; i < 10000; i++)
        text_printf(&text, "%05d", i);
    assert_false(text.failed);
    assert_int_equal(text.len, 50000);
    assert_memory_equal(text.data + 49995, "09999", 5);
    text_reset(&text);
    text_puts(&text, "x");
    assert_text(&text, "x");
}

/* A print longer than the room that is always kept free. */
static void long_print(void **state)
{
    char line[1000];
    struct text text = {0};

    (void)state;
    memset(line, 'y', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    text_printf(&text, "%s", line);
    assert_text(&text, line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_escapes),
        cmocka_unit_test(grows),
        cmocka_unit_test(long_print),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

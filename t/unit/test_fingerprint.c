/* The keyed hash against values of another implementation (CPython's, whose key is 0 with
 * PYTHONHASHSEED=0). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sources/fingerprint.h"

static void known_values(void **state)
{
    static const struct {
        size_t len;
        uint64_t expected;
    } table[] = {
        {1, 0x68a914128e01e473u},  {7, 0x2f098ab0c751325au},  {8, 0xead411e67ebe2eeau},
        {9, 0x75927f9d95124362u},  {15, 0xf30eb725bb91c9eau}, {16, 0x8972188433a5c5b7u},
        {63, 0x385d3e39e5f37359u},
    };
    const struct fingerprint_key key = {0};
    uint8_t bytes[64];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        assert_int_equal(fingerprint(&key, bytes, table[i].len), table[i].expected);
}

static void the_key_matters(void **state)
{
    const struct fingerprint_key zero = {0};
    struct fingerprint_key a, b;

    (void)state;
    assert_int_equal(fingerprint_key_draw(&a), 0);
    assert_int_equal(fingerprint_key_draw(&b), 0);
    assert_int_not_equal(fingerprint(&a, "node", 4), fingerprint(&b, "node", 4));
    assert_int_not_equal(fingerprint(&a, "node", 4), fingerprint(&zero, "node", 4));
    assert_int_equal(fingerprint(&a, "node", 4), fingerprint(&a, "node", 4));
}

static void every_byte_and_the_length_matter(void **state)
{
    const struct fingerprint_key key = {.k0 = 1, .k1 = 2};
    char text[40];

    (void)state;
    memset(text, 'x', sizeof(text));
    for (size_t len = 1; len <= sizeof(text); len++) {
        uint64_t before = fingerprint(&key, text, len);

        assert_int_not_equal(before, fingerprint(&key, text, len - 1));
        for (size_t i = 0; i < len; i++) {
            text[i] = 'y';
            assert_int_not_equal(before, fingerprint(&key, text, len));
            text[i] = 'x';
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values),
        cmocka_unit_test(the_key_matters),
        cmocka_unit_test(every_byte_and_the_length_matter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

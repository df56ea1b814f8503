#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "prober_addr.h"

static const struct {
    const char *text;
    const char *canonical; /* NULL: not an address */
} spellings[] = {
    {"10.0.0.1", "10.0.0.1"},
    {"0.0.0.0", "0.0.0.0"},
    {"255.255.255.255", "255.255.255.255"},
    {"::ffff:10.0.0.1", "10.0.0.1"},
    {"::FFFF:a00:1", "10.0.0.1"},
    {"0:0:0:0:0:ffff:10.0.0.1", "10.0.0.1"},
    {"[::ffff:10.0.0.1]", "10.0.0.1"},
    {"2001:db8::1", "2001:db8::1"},
    {"[2001:db8::1]", "2001:db8::1"},
    {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
    {"2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"},
    {"2001:db8:0:0::1", "2001:db8::1"},
    {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"}, /* one 0 is no :: */
    {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},          /* the longest run */
    {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},    /* the first of two */
    {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
    {"fe80::ABCD", "fe80::abcd"},
    {"64:ff9b::1.2.3.4", "64:ff9b::102:304"},
    {"::", "::"},
    {"::1", "::1"},
    {"::1:2", "::1:2"}, /* not ::0.1.0.2 */
    {"::1:0", "::1:0"},
    {"::1.2.3.4", "::102:304"},
    {"0000:0000:0000:0000:0000:ffff:192.168.100.228", "192.168.100.228"}, /* the longest text */
    {"", NULL},
    {" 10.0.0.1", NULL},
    {"10.0.0.1 ", NULL},
    {"10.0.0", NULL},
    {"10.0.0.1.2", NULL},
    {"10.0.0.256", NULL},
    {"10.0.0.01", NULL},
    {"010.0.0.1", NULL},
    {"0x0a.0.0.1", NULL},
    {"167772161", NULL},
    {"10.0.0.1:9042", NULL},
    {"[10.0.0.1]", NULL},
    {"[]", NULL},
    {"[", NULL},
    {"]", NULL},
    {"[::1", NULL},
    {"::1]", NULL},
    {"[[::1]]", NULL},
    {"[::1]:80", NULL},
    {"fe80::1%eth0", NULL},
    {"::1::2", NULL},
    {"1:2:3:4:5:6:7", NULL},
    {"1:2:3:4:5:6:7:8:9", NULL},
    {"12345::", NULL},
    {"::g", NULL},
    {"00000000000000000000000000000000000000000000000000000000000000000000000000000001", NULL},
    {"localhost", NULL},
};

static void test_spellings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        const char *text = spellings[i].text, *canonical = spellings[i].canonical;
        struct prober_addr addr, again;
        char buf[PROBER_ADDR_STRLEN];

        memset(&addr, 0xa5, sizeof(addr));
        again = addr;
        int r = prober_addr_parse(text, strlen(text), &addr);
        if (canonical == NULL) {
            if (r != -EINVAL) {
                fail_msg("\"%s\" is taken for an address", text);
            }
            assert_memory_equal(&addr, &again, sizeof(addr));
            continue;
        }
        if (r != 0) {
            fail_msg("\"%s\" is not taken for an address", text);
        }
        assert_int_equal(prober_addr_format(&addr, buf), strlen(canonical));
        assert_string_equal(buf, canonical);
        assert_int_equal(prober_addr_parse(buf, strlen(buf), &again), 0);
        assert_int_equal(prober_addr_compare(&addr, &again), 0);
    }
}

static struct prober_addr parse(const char *text)
{
    struct prober_addr addr;

    assert_int_equal(prober_addr_parse(text, strlen(text), &addr), 0);
    return addr;
}

/* The text has no NUL: what follows it must not be read; a NUL in it is no end. */
static void test_bounds(void **state)
{
    struct prober_addr addr, expected = parse("10.0.0.1");

    (void)state;
    assert_int_equal(prober_addr_parse("10.0.0.123", 8, &addr), 0);
    assert_int_equal(prober_addr_compare(&addr, &expected), 0);
    assert_int_equal(prober_addr_parse("10.0.0.1\0x", 10, &addr), -EINVAL);
    assert_int_equal(prober_addr_parse("10.0.0.1\0", 9, &addr), -EINVAL);
}

static void test_kinds(void **state)
{
    struct prober_addr zero = {{0}}, v4 = parse("::ffff:10.0.0.1"), v6 = parse("::10.0.0.1");

    (void)state;
    assert_true(prober_addr_is_v4(&v4));
    assert_false(prober_addr_is_v4(&v6));
    assert_false(prober_addr_is_v4(&zero));
    assert_true(prober_addr_is_unset(&zero));
    zero.bytes[15] = 1;
    assert_false(prober_addr_is_unset(&zero));
}

static void test_order(void **state)
{
    static const char *const sorted[] = {"::",         "::1",       "9.255.255.255", "10.0.0.1",
                                         "10.0.0.2",   "10.0.1.0",  "127.0.0.1",     "200.0.0.1",
                                         "2001:db8::", "fe80::abcd"};
    (void)state;
    for (size_t i = 0; i < sizeof(sorted) / sizeof(sorted[0]); i++) {
        for (size_t j = 0; j < sizeof(sorted) / sizeof(sorted[0]); j++) {
            struct prober_addr a = parse(sorted[i]), b = parse(sorted[j]);
            int order = prober_addr_compare(&a, &b);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

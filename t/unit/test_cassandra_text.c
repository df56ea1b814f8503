/* Cassandra's text formats, in the spellings of 3.11 to 5.0, and junk. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sources/cassandra_text.h"

static void endpoints(void **state)
{
    static const struct {
        const char *text, *address; /* NULL = refused */
        uint16_t port;
    } table[] = {
        {"/10.0.0.1", "10.0.0.1", 0},
        {"10.0.0.1", "10.0.0.1", 0},
        {"/10.0.0.1:7000", "10.0.0.1", 7000},
        {"localhost/127.0.0.1:7000", "127.0.0.1", 7000},
        {"127.0.0.2/127.0.0.2:7000", "127.0.0.2", 7000},
        {"a/b/10.0.0.1", "10.0.0.1", 0},
        {"/[0:0:0:0:0:0:0:1]:7000", "::1", 7000},
        {"host/[2001:db8::1]:7001", "2001:db8::1", 7001},
        {"/[2001:db8::1]", "2001:db8::1", 0},
        {"/2001:db8:0:0:0:0:0:1", "2001:db8::1", 0},
        {"/::ffff:10.0.0.1", "10.0.0.1", 0},
        {"", NULL, 0},
        {"/", NULL, 0},
        {"/10.0.0.1:", NULL, 0},
        {"/10.0.0.1:x", NULL, 0},
        {"/10.0.0.1:65536", NULL, 0},
        {"/10.0.0.1:99999999999999999999", NULL, 0},
        {"/10.0.0", NULL, 0},
        {"/[2001:db8::1", NULL, 0},
        {"/[2001:db8::1]7000", NULL, 0},
        {"/[]:7000", NULL, 0},
        {"host.example", NULL, 0},
        {"host.example/<unresolved>:7000", NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct prober_addr address;
        char text[PROBER_ADDR_STRLEN];
        uint16_t port = 1;
        int r = cassandra_endpoint(table[i].text, strlen(table[i].text), &address, &port);

        if (!table[i].address) {
            assert_int_equal(r, -EINVAL);
            continue;
        }
        assert_int_equal(r, 0);
        prober_addr_format(&address, text);
        assert_string_equal(text, table[i].address);
        assert_int_equal(port, table[i].port);
    }
}

static void words(void **state)
{
    (void)state;
    assert_int_equal(cassandra_liveness("UP", 2), LIVENESS_UP);
    assert_int_equal(cassandra_liveness("DOWN", 4), LIVENESS_DOWN);
    assert_int_equal(cassandra_liveness("UPPER", 5), LIVENESS_UNKNOWN);
    assert_int_equal(cassandra_liveness("up", 2), LIVENESS_UNKNOWN);
    assert_int_equal(cassandra_liveness("", 0), LIVENESS_UNKNOWN);
}

static void copies_cut_between_characters(void **state)
{
    char buffer[6];

    (void)state;
    cassandra_copy("abcdefgh", 8, buffer, sizeof(buffer));
    assert_memory_equal(buffer, "abcde", 6);
    cassandra_copy("abcd\xc3\xa9", 6, buffer, sizeof(buffer));
    assert_memory_equal(buffer, "abcd\0", 6);
    cassandra_copy("abc\xe2\x82\xac", 6, buffer, sizeof(buffer));
    assert_memory_equal(buffer, "abc\0\0", 6);
    cassandra_copy("a\x1f\x7f\n", 4, buffer, sizeof(buffer));
    assert_memory_equal(buffer, "a???\0", 6);
    cassandra_copy("\x80\x80\x80\x80\x80\x80\x80", 7, buffer, sizeof(buffer));
    assert_memory_equal(buffer, "\0\0\0\0\0", 6);
}

static struct gossip_state *parse(const char *text, size_t expected)
{
    struct gossip_state *states = NULL;
    size_t n = 99;

    assert_int_equal(cassandra_states(text, strlen(text), 1000, &states, &n), 0);
    assert_int_equal(n, expected);
    return states;
}

static void assert_address(const struct prober_addr *address, const char *expected)
{
    char text[PROBER_ADDR_STRLEN];

    prober_addr_format(address, text);
    assert_string_equal(text, expected);
}

/* A node's own entry as 5.0 prints it: STATUS and STATUS_WITH_PORT, in this order. */
static void own_entry(void **state)
{
    struct gossip_state *s = parse("localhost/127.0.51.1:7000\n"
                                   "  generation:1795489444\n"
                                   "  heartbeat:42\n"
                                   "  STATUS:28:LEAVING,-5523255393359088859\n"
                                   "  LOAD:34:117179.0\n"
                                   "  DC:12:dc1\n"
                                   "  RACK:14:r1\n"
                                   "  RELEASE_VERSION:5:5.0.4\n"
                                   "  RPC_ADDRESS:4:127.0.51.9\n"
                                   "  HOST_ID:2:3ce63f51-fe5a-4251-a3c0-bc5f2af4d94e\n"
                                   "  RPC_READY:30:true\n"
                                   "  NATIVE_ADDRESS_AND_PORT:3:127.0.51.1:9043\n"
                                   "  STATUS_WITH_PORT:27:NORMAL,-5523255393359088859\n"
                                   "  TOKENS:26:<hidden>\n",
                                   1);

    (void)state;
    assert_address(&s->endpoint, "127.0.51.1");
    assert_int_equal(s->generation, 1795489444);
    assert_string_equal(s->status, "NORMAL");
    assert_int_equal(s->status_version, 27);
    assert_string_equal(s->datacenter, "dc1");
    assert_string_equal(s->rack, "r1");
    assert_string_equal(s->release, "5.0.4");
    assert_string_equal(s->host_id, "3ce63f51-fe5a-4251-a3c0-bc5f2af4d94e");
    assert_int_equal(s->rpc_ready, TRILEAN_TRUE);
    assert_int_equal(s->rpc_ready_version, 30);
    assert_address(&s->native, "127.0.51.1");
    assert_int_equal(s->native_port, 9043);
    free(s);
}

static void status_with_port_wins_in_any_order(void **state)
{
    struct gossip_state *s;

    (void)state;
    s = parse("/10.0.0.1:7000\n  STATUS_WITH_PORT:3:shutdown,true\n  STATUS:9:NORMAL,1\n"
              "  NATIVE_ADDRESS_AND_PORT:3:10.0.0.7:9999\n  RPC_ADDRESS:4:10.0.0.8\n"
              "/10.0.0.2:7000\n  STATUS:9:NORMAL,1\n",
              2);
    assert_string_equal(s[0].status, "shutdown");
    assert_int_equal(s[0].status_version, 3);
    assert_address(&s[0].native, "10.0.0.7");
    /* The first entry's STATUS_WITH_PORT is no reason against the second one's STATUS. */
    assert_string_equal(s[1].status, "NORMAL");
    free(s);
}

/* 3.11: no ports, no …_WITH_PORT; a state without a version among the others. */
static void of_3_11(void **state)
{
    struct gossip_state *s = parse("/10.0.0.2\n  generation:1600000000\n  heartbeat:7\n"
                                   "  STATUS:14:NORMAL,-92\n  RPC_ADDRESS:3:0.0.0.0\n"
                                   "  RPC_READY:40:false\n  TOKENS: not present\n"
                                   "/10.0.0.1\n  STATUS:14:BOOT,5\n",
                                   2);

    (void)state;
    assert_address(&s[0].endpoint, "10.0.0.1");
    assert_string_equal(s[0].status, "BOOT");
    assert_int_equal(s[0].generation, 0);
    assert_int_equal(s[0].rpc_ready, TRILEAN_UNKNOWN);
    assert_true(prober_addr_is_unset(&s[0].native));
    assert_address(&s[1].endpoint, "10.0.0.2");
    assert_int_equal(s[1].rpc_ready, TRILEAN_FALSE);
    assert_address(&s[1].native, "0.0.0.0");
    assert_int_equal(s[1].native_port, 0);
    free(s);
}

static void ipv6(void **state)
{
    struct gossip_state *s = parse("/[2001:db8:0:0:0:0:0:1]:7000\n"
                                   "  NATIVE_ADDRESS_AND_PORT:3:[2001:db8:0:0:0:0:0:2]:9042\n"
                                   "  RPC_ADDRESS:4:2001:db8:0:0:0:0:0:3\n",
                                   1);

    (void)state;
    assert_address(&s->endpoint, "2001:db8::1");
    assert_address(&s->native, "2001:db8::2");
    assert_int_equal(s->native_port, 9042);
    free(s);
}

static void sorted_without_duplicates(void **state)
{
    struct gossip_state *s = parse("/10.0.0.3:7000\n  generation:1\n"
                                   "/10.0.0.1:7001\n  generation:5\n  DC:1:new\n"
                                   "/10.0.0.2:7000\n"
                                   "/10.0.0.1:7000\n  generation:4\n  DC:1:old\n",
                                   3);

    (void)state;
    assert_address(&s[0].endpoint, "10.0.0.1");
    assert_string_equal(s[0].datacenter, "new");
    assert_address(&s[1].endpoint, "10.0.0.2");
    assert_address(&s[2].endpoint, "10.0.0.3");
    free(s);
}

static void junk(void **state)
{
    struct gossip_state *s;
    struct gossip_state *none = (void *)1;
    size_t n = 1;

    (void)state;
    assert_int_equal(cassandra_states("", 0, 10, &none, &n), 0);
    assert_null(none);
    assert_int_equal(n, 0);
    assert_null(parse("  STATUS:1:NORMAL\n", 0));
    assert_null(parse("\n\n  \nno address\n  STATUS:1:NORMAL,2\n", 0));
    /* Lines below a name that is no address belong to nobody. */
    s = parse("/10.0.0.1:7000\n  DC:1:a\nrubbish\n  DC:2:b\n", 1);
    assert_string_equal(s->datacenter, "a");
    free(s);
    s = parse("/10.0.0.1:7000\n  STATUS\n  :\n  ::\n  STATUS:\n  STATUS:x:NORMAL\n  DC:-1:a\n"
              "  RACK:99999999999999999999:r\n  generation:-5\n  RPC_READY:1:maybe\n"
              "  NATIVE_ADDRESS_AND_PORT:1:nowhere\n  STATUS_WITH_PORT:7:FLYING",
              1);
    assert_string_equal(s->status, "FLYING");
    assert_string_equal(s->datacenter, "");
    assert_string_equal(s->rack, "");
    assert_int_equal(s->generation, 0);
    assert_int_equal(s->rpc_ready, TRILEAN_UNKNOWN);
    assert_true(prober_addr_is_unset(&s->native));
    free(s);
}

static void bounds(void **state)
{
    struct gossip_state *states = NULL;
    char text[64 * 32] = "";
    size_t n, len = 0;

    (void)state;
    for (int i = 0; i < 64; i++)
        len +=
            (size_t)snprintf(text + len, sizeof(text) - len, "/10.0.0.%d:7000\n  DC:1:d\n", i + 1);
    assert_int_equal(cassandra_states(text, len, 63, &states, &n), -E2BIG);
    assert_null(states);
    assert_int_equal(cassandra_states(text, len, 64, &states, &n), 0);
    assert_int_equal(n, 64);
    free(states);
}

static void long_names_are_cut(void **state)
{
    char text[400] = "/10.0.0.1:7000\n  DC:1:";
    struct gossip_state *s;

    (void)state;
    memset(text + strlen(text), 'd', 300);
    s = parse(text, 1);
    assert_int_equal(strlen(s->datacenter), NAME_LEN - 1);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints),
        cmocka_unit_test(words),
        cmocka_unit_test(copies_cut_between_characters),
        cmocka_unit_test(own_entry),
        cmocka_unit_test(status_with_port_wins_in_any_order),
        cmocka_unit_test(of_3_11),
        cmocka_unit_test(ipv6),
        cmocka_unit_test(sorted_without_duplicates),
        cmocka_unit_test(junk),
        cmocka_unit_test(bounds),
        cmocka_unit_test(long_names_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

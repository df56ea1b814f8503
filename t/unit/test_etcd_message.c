/* What etcd's gateway is asked and answers, with bodies as etcd 3.4 has sent them; and the permit's
 * text in the store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/etcd_message.h"
#include "store/permit_text.h"

#define HEADER                                                                                     \
    "\"header\":{\"cluster_id\":\"14841639068965178418\",\"member_id\":\"10276657743932975437\","  \
    "\"revision\":\"7\",\"raft_term\":\"2\"}"

static void asked(char *body, const char *expected)
{
    assert_string_equal(body, expected);
    free(body);
}

static void requests(void **state)
{
    (void)state;
    asked(etcd_range("/p/a"), "{\"key\":\"L3AvYQ==\"}");
    asked(
        etcd_put("a", "hello", 5, 77),
        "{\"compare\":[{\"key\":\"YQ==\",\"target\":\"MOD\",\"result\":\"EQUAL\",\"mod_revision\":"
        "\"5\"}],\"success\":[{\"request_put\":{\"key\":\"YQ==\",\"value\":\"aGVsbG8=\",\"lease\":"
        "\"77\"}}],\"failure\":[{\"request_range\":{\"key\":\"YQ==\"}}]}");
    asked(
        etcd_delete("abc", 0),
        "{\"compare\":[{\"key\":\"YWJj\",\"target\":\"MOD\",\"result\":\"EQUAL\",\"mod_revision\":"
        "\"0\"}],\"success\":[{\"request_delete_range\":{\"key\":\"YWJj\"}}],\"failure\":[{"
        "\"request_range\":{\"key\":\"YWJj\"}}]}");
    asked(etcd_grant(10), "{\"TTL\":\"10\"}");
    asked(etcd_lease(INT64_MAX), "{\"ID\":\"9223372036854775807\"}");
    asked(etcd_authenticate("u", "p\"q"), "{\"name\":\"u\",\"password\":\"p\\\"q\"}");
}

static int read_range(const char *body, struct etcd_kv *ret)
{
    return etcd_read_range(body, strlen(body), ret);
}

static int read_txn(const char *body, struct etcd_kv *ret)
{
    return etcd_read_txn(body, strlen(body), ret);
}

#define KV(value)                                                                                  \
    "\"kvs\":[{\"key\":\"YQ==\",\"create_revision\":\"2\",\"mod_revision\":\"5\",\"version\":"     \
    "\"2\","                                                                                       \
    "\"value\":" value "}],\"count\":\"1\""

static void ranges(void **state)
{
    static const char *const wrong[] = {
        "",
        "{}",
        "[]",
        "null",
        "{\"kvs\":[]}",
        "{\"header\":1}",
        "{" HEADER ",\"kvs\":1}",
        "{" HEADER ",\"kvs\":[{\"key\":\"YQ==\",\"value\":\"eA==\"}]}",
        "{" HEADER ",\"kvs\":[{\"mod_revision\":\"x\",\"value\":\"eA==\"}]}",
        "{" HEADER ",\"kvs\":[{\"mod_revision\":\"-1\",\"value\":\"eA==\"}]}",
        "{" HEADER ",\"kvs\":[{\"mod_revision\":\"99999999999999999999\",\"value\":\"eA==\"}]}",
        "{" HEADER "," KV("\"eA=\"") "}",
        "{" HEADER "," KV("\"=A==\"") "}",
        "{" HEADER "," KV("\"e===\"") "}",
        "{" HEADER "," KV("\"e*==\"") "}",
        "{" HEADER "," KV("7") "}",
        "{" HEADER ",\"kvs\":[{\"mod_revision\":\"1\"},{\"mod_revision\":\"2\"}]}",
    };
    struct etcd_kv kv;

    (void)state;
    assert_int_equal(read_range("{" HEADER "}", &kv), 0);
    assert_int_equal(kv.revision, 0);
    assert_null(kv.value);
    assert_int_equal(read_range("{" HEADER "," KV("\"aGVsbG8=\"") "}", &kv), 0);
    assert_int_equal(kv.revision, 5);
    assert_string_equal(kv.value, "hello");
    assert_int_equal(kv.len, 5);
    etcd_kv_done(&kv);
    /* An empty value is left out. */
    assert_int_equal(read_range("{" HEADER ",\"kvs\":[{\"mod_revision\":\"5\"}]}", &kv), 0);
    assert_string_equal(kv.value, "");
    etcd_kv_done(&kv);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (read_range(wrong[i], &kv) == 0)
            fail_msg("taken: %s", wrong[i]);
}

static void transactions(void **state)
{
    static const char *const wrong[] = {
        "{" HEADER "}",
        "{" HEADER ",\"succeeded\":true}",
        "{" HEADER ",\"succeeded\":true,\"responses\":[]}",
        "{" HEADER ",\"succeeded\":true,\"responses\":[{}]}",
        "{" HEADER ",\"succeeded\":1,\"responses\":[{\"response_put\":{}}]}",
        "{\"succeeded\":true,\"responses\":[{\"response_put\":{}}]}",
        "{" HEADER ",\"responses\":[{\"response_put\":{}}]}",
        "{" HEADER ",\"succeeded\":false,\"responses\":[{\"response_delete_range\":{}}]}",
    };
    struct etcd_kv kv;

    (void)state;
    assert_int_equal(read_txn("{" HEADER ",\"succeeded\":true,\"responses\":[{\"response_put\":{"
                              "\"header\":{\"revision\":\"7\"}}}]}",
                              &kv),
                     0);
    assert_true(kv.done);
    assert_int_equal(kv.revision, 7);
    assert_int_equal(read_txn("{" HEADER ",\"succeeded\":true,\"responses\":[{\"response_delete_"
                              "range\":{\"header\":{\"revision\":\"7\"},\"deleted\":\"1\"}}]}",
                              &kv),
                     0);
    assert_true(kv.done);
    assert_int_equal(kv.revision, 0);
    /* The condition did not hold: what there is. */
    assert_int_equal(read_txn("{" HEADER ",\"responses\":[{\"response_range\":{\"header\":{"
                              "\"revision\":\"7\"}," KV("\"eA==\"") "}}]}",
                              &kv),
                     0);
    assert_false(kv.done);
    assert_int_equal(kv.revision, 5);
    assert_string_equal(kv.value, "x");
    etcd_kv_done(&kv);
    assert_int_equal(
        read_txn("{" HEADER ",\"responses\":[{\"response_range\":{\"header\":{}}}]}", &kv), 0);
    assert_false(kv.done);
    assert_int_equal(kv.revision, 0);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (read_txn(wrong[i], &kv) == 0)
            fail_msg("taken: %s", wrong[i]);
}

static int read_lease(const char *body, int64_t *ret_id, int64_t *ret_ttl_s)
{
    return etcd_read_lease(body, strlen(body), ret_id, ret_ttl_s);
}

static void leases(void **state)
{
    int64_t id = 0, ttl_s = 0;

    (void)state;
    assert_int_equal(
        read_lease("{" HEADER ",\"ID\":\"7587848390310309409\",\"TTL\":\"10\"}", &id, &ttl_s), 0);
    assert_true(id == 7587848390310309409LL);
    assert_int_equal(ttl_s, 10);
    /* Of a stream; the second object, if any, is no matter. */
    assert_int_equal(
        read_lease("{\"result\":{" HEADER ",\"ID\":\"8\",\"TTL\":\"9\"}}\n{}", &id, &ttl_s), 0);
    assert_int_equal(ttl_s, 9);
    /* There is no such lease any more. */
    assert_int_equal(read_lease("{\"result\":{" HEADER ",\"ID\":\"8\"}}", &id, &ttl_s), 0);
    assert_int_equal(ttl_s, 0);
    assert_true(read_lease("{\"result\":{" HEADER "}}", &id, &ttl_s) < 0);
    assert_true(read_lease("{\"ID\":\"0\",\"TTL\":\"1\"}", &id, &ttl_s) < 0);
    assert_true(read_lease("{\"ID\":\"1\",\"TTL\":\"-1\"}", &id, &ttl_s) < 0);
    assert_true(read_lease("{\"error\":{\"message\":\"x\"}}", &id, &ttl_s) < 0);
}

static void tokens(void **state)
{
    char token[ETCD_TOKEN_LEN] = "";

    (void)state;
    assert_int_equal(etcd_read_token("{\"token\":\"abc.12\"}", 18, token), 0);
    assert_string_equal(token, "abc.12");
    assert_true(etcd_read_token("{\"token\":\"\"}", 12, token) < 0);
    assert_true(etcd_read_token("{\"token\":\"a\\r\\nX: y\"}", 22, token) < 0);
    assert_true(etcd_read_token("{}", 2, token) < 0);
}

static void error(const char *body, enum etcd_error expected, const char *why)
{
    char got[ETCD_WHY_LEN];

    assert_int_equal(etcd_read_error(body, strlen(body), got), expected);
    assert_string_equal(got, why);
}

static void errors(void **state)
{
    (void)state;
    error("{\"error\":\"etcdserver: invalid auth token\",\"code\":16,\"message\":\"etcdserver: "
          "invalid auth token\"}",
          ETCD_LOGIN, "etcdserver: invalid auth token");
    error("{\"error\":\"etcdserver: user name is empty\",\"code\":3}", ETCD_LOGIN,
          "etcdserver: user name is empty");
    error("{\"error\":\"etcdserver: authentication is not enabled\",\"code\":9}", ETCD_NO_AUTH,
          "etcdserver: authentication is not enabled");
    error("{\"error\":\"etcdserver: requested lease not found\",\"code\":5}", ETCD_NO_LEASE,
          "etcdserver: requested lease not found");
    error("{\"error\":{\"grpc_code\":5,\"http_code\":404,\"message\":\"etcdserver: requested lease "
          "not found\"}}",
          ETCD_NO_LEASE, "etcdserver: requested lease not found");
    error("{\"message\":\"a\\nb\\u00e4\"}", ETCD_OTHER, "a?b??");
    error("404 page not found", ETCD_OTHER, "");
}

static void permits(void **state)
{
    struct permit permit = {.kind = PERMIT_STOP,
                            .token = "12345678",
                            .who = "job \"7\"",
                            .host = "h",
                            .granted_ms = 1700000000000LL,
                            .ttl_ms = 600000,
                            .seen_down = true},
                  read;
    char *text, *again;

    (void)state;
    prober_addr_parse("2001:db8::1", 11, &permit.node);
    text = permit_write(&permit);
    assert_string_equal(text, "{\"kind\":\"stop\",\"node\":\"2001:db8::1\",\"token\":\"12345678\","
                              "\"who\":\"job \\\"7\\\"\",\"host\":\"h\",\"granted_ms\":"
                              "1700000000000,\"ttl_ms\":600000,\"seen_down\":true}");
    assert_int_equal(permit_read(text, strlen(text), &read), 0);
    again = permit_write(&read);
    assert_string_equal(again, text);
    free(again);
    /* Every part of it is needed. */
    for (size_t len = 0; len < strlen(text); len++) {
        assert_true(permit_read(text, len, &read) < 0);
        assert_int_equal(read.kind, PERMIT_NONE);
    }
    free(text);
    assert_true(permit_token_ok("abc.DEF_0-9"));
    assert_false(permit_token_ok("1234567"));
    assert_false(permit_token_ok("1234567890123456789012345678901234567890"));
    assert_false(permit_token_ok("12345678 "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests), cmocka_unit_test(ranges), cmocka_unit_test(transactions),
        cmocka_unit_test(leases),   cmocka_unit_test(tokens), cmocka_unit_test(errors),
        cmocka_unit_test(permits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

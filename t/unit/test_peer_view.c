/* /view of another host: what is taken of it, and what it is refused for. */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <string.h>

#include "sources/peer_view.h"

static struct prober_addr address(const char *text)
{
    struct prober_addr ret;

    assert_int_equal(prober_addr_parse(text, strlen(text), &ret), 0);
    return ret;
}

static struct observation parse(const char *body)
{
    struct prober_addr of = address("10.0.0.2");
    struct observation ret = {0};

    peer_view_parse(&of, body, strlen(body), &ret);
    assert_true((ret.result == POLL_OK) == (ret.view != NULL));
    return ret;
}

#define HEAD "{\"format\":1,\"address\":\"10.0.0.2\",\"cluster\":\"c\",\"host_id\":\"h2\""

static void whole_view(void **state)
{
    struct observation seen = parse(
        HEAD ",\"process\":\"up\",\"mode\":\"NORMAL\",\"native_transport\":true,"
             "\"gossip\":false,\"release\":\"5.0.4\",\"settled\":true,\"news\":[1,{}],"
             "\"state\":{\"generation\":17,\"status\":\"NORMAL\",\"dc\":\"dc1\",\"rack\":\"r1\","
             "\"rpc_ready\":true,\"native\":\"10.1.0.2\"},"
             "\"view\":{\"/10.0.0.3\":\"DOWN\",\"/10.0.0.2\":\"UP\",\"/2001:db8::1\":\"UP\"}}");
    const struct view *view = seen.view;

    (void)state;
    assert_int_equal(seen.result, POLL_OK);
    assert_false(seen.process_gone);
    assert_string_equal(view->cluster_name, "c");
    assert_string_equal(view->host_id, "h2");
    assert_string_equal(view->mode, "NORMAL");
    assert_string_equal(view->release, "5.0.4");
    assert_int_equal(view->native_transport, TRILEAN_TRUE);
    assert_int_equal(view->gossip, TRILEAN_FALSE);
    assert_true(view->settled);
    assert_int_equal(view->n_states, 1);
    assert_int_equal(view->states[0].generation, 17);
    assert_string_equal(view->states[0].status, "NORMAL");
    assert_string_equal(view->states[0].datacenter, "dc1");
    assert_string_equal(view->states[0].rack, "r1");
    assert_string_equal(view->states[0].host_id, "h2");
    assert_int_equal(view->states[0].rpc_ready, TRILEAN_TRUE);
    assert_int_equal(view->n_opinions, 3);
    assert_int_equal(view->opinions[0].liveness + view->opinions[1].liveness,
                     LIVENESS_UP + LIVENESS_DOWN);
    view_free(seen.view);
}

static void process(void **state)
{
    struct observation seen = parse(HEAD ",\"process\":\"gone\"}");

    (void)state;
    assert_int_equal(seen.result, POLL_REFUSED);
    assert_true(seen.process_gone);
    seen = parse(HEAD ",\"process\":\"starting\"}");
    assert_int_equal(seen.result, POLL_NO_MBEAN);
    assert_false(seen.process_gone);
    seen = parse(HEAD ",\"process\":\"hung\"}");
    assert_int_equal(seen.result, POLL_TIMEOUT);
    assert_true(seen.hung);
}

static void refused(void **state)
{
    static const struct {
        const char *body;
        enum poll_result result;
        const char *detail;
    } table[] = {
        {"", POLL_BAD_JSON, "empty"},
        {"<html>", POLL_BAD_JSON, ""},
        {"[]", POLL_BAD_SHAPE, "not the view of a prober"},
        {"{\"error\":\"no view\"}", POLL_BAD_SHAPE, "not the view of a prober"},
        {"{\"format\":2,\"address\":\"10.0.0.2\"}", POLL_BAD_SHAPE, "format 2, not 1"},
        {"{\"format\":0}", POLL_BAD_SHAPE, "format 0, not 1"},
        {"{\"format\":\"1\"}", POLL_BAD_SHAPE, "not the view of a prober"},
        {"{\"format\":1}", POLL_BAD_SHAPE, "no address"},
        {"{\"format\":1,\"address\":\"10.0.0.3\",\"process\":\"gone\"}", POLL_BAD_SHAPE,
         "it says it is 10.0.0.3"},
        {HEAD "}", POLL_BAD_SHAPE, "view: not an object"},
        {HEAD ",\"view\":{\"/10.0.0.1\":1}}", POLL_BAD_SHAPE, "an opinion is not a text"},
        {HEAD ",\"view\":{\"/10.0.0.1\":\"UP\"},\"view\":{}}", POLL_BAD_JSON, ""},
        {"{\"format\":1,\"address\":\"10.0.0.2\",\"cluster\":\"c\",\"view\":{\"/"
         "10.0.0.1\":\"UP\"}}",
         POLL_BAD_SHAPE, "no cluster or host_id"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct observation seen = parse(table[i].body);

        if (seen.result != table[i].result || !strstr(seen.detail, table[i].detail))
            fail_msg("%s: %s, %s", table[i].body, poll_result_word(seen.result), seen.detail);
        assert_false(seen.process_gone);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_view),
        cmocka_unit_test(process),
        cmocka_unit_test(refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What Cassandra says of how keyspaces are replicated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sources/jolokia.h"
#include "sources/replication.h"

/* "name:dc=3,dc=3", "name:?" what is not known, "" nothing. */
static const char *told(const char *name, const char *text)
{
    static char said[512];
    struct keyspaces keyspaces = {0};
    size_t len = 0;

    assert_int_equal(keyspaces_add(&keyspaces, name, text, strlen(text)), 0);
    said[0] = '\0';
    for (size_t i = 0; i < keyspaces.n; i++) {
        const struct keyspace *keyspace = &keyspaces.items[i];

        len += (size_t)snprintf(said + len, sizeof(said) - len, "%s:%s", keyspace->name,
                                keyspace->n_dcs ? "" : "?");
        for (size_t k = 0; k < keyspace->n_dcs; k++)
            len += (size_t)snprintf(said + len, sizeof(said) - len, "%s%s=%u", k ? "," : "",
                                    keyspace->dcs[k].name, keyspace->dcs[k].replicas);
    }
    keyspaces_done(&keyspaces);
    return said;
}

static void texts(void **state)
{
    static const struct {
        const char *text, *told;
    } table[] = {
        {"NetworkTopologyStrategy {dc1=3, dc2=2}", "a:dc1=3,dc2=2"},
        {"NetworkTopologyStrategy {dc1=1}", "a:dc1=1"},
        {"NetworkTopologyStrategy {dc1=0}", "a:dc1=0"},
        {"NetworkTopologyStrategy {dc1=3/1}", "a:dc1=3"},
        {"NetworkTopologyStrategy {eu west=3, a=b=2}", "a:eu west=3,a=b=2"},
        {"org.apache.cassandra.locator.NetworkTopologyStrategy {dc1=3}", "a:dc1=3"},
        {"SimpleStrategy {replication_factor=2}", "a:=2"},
        {"LocalStrategy {}", ""},
        /* What is not understood is not known. */
        {"EverywhereStrategy {}", "a:?"},
        {"NetworkTopologyStrategy {}", "a:?"},
        {"NetworkTopologyStrategy {replication_factor=3}", "a:?"},
        {"NetworkTopologyStrategy {dc1=3, dc2}", "a:?"},
        {"NetworkTopologyStrategy {dc1=3, =2}", "a:?"},
        {"NetworkTopologyStrategy {dc1=three}", "a:?"},
        {"NetworkTopologyStrategy {dc1=-3}", "a:?"},
        {"NetworkTopologyStrategy {dc1=99999999999999999999}", "a:?"},
        {"NetworkTopologyStrategy {dc1=3", "a:?"},
        {"NetworkTopologyStrategy", "a:?"},
        {"SimpleStrategy {dc1=3}", "a:?"},
        {"SimpleStrategy {replication_factor=2, replication_factor=3}", "a:?"},
        {"SimpleStrategy {}", "a:?"},
        {"{replication_factor=2}", "a:?"},
        {" {replication_factor=2}", "a:?"},
        {"", "a:?"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(told("a", table[i].text), table[i].told) != 0)
            fail_msg("%s: %s", table[i].text, told("a", table[i].text));
}

static void whose_keyspaces(void **state)
{
    (void)state;
    assert_true(keyspace_is_own("system"));
    assert_true(keyspace_is_own("system_auth"));
    assert_true(keyspace_is_own("system_cluster_metadata"));
    assert_false(keyspace_is_own("system_of_ours"));
    assert_false(keyspace_is_own("systems"));
    assert_false(keyspace_is_own("app"));
}

/* What real nodes answered, by Jolokia. */
static size_t recorded(const char *version, const char *name, char *body, size_t size)
{
    char path[128];
    FILE *file;
    size_t len;

    snprintf(path, sizeof(path), "t/fixtures/jolokia/%s/keyspaces/%s.json", version, name);
    file = fopen(path, "r");
    if (!file)
        fail_msg("%s is missing", path);
    len = fread(body, 1, size, file);
    fclose(file);
    return len;
}

static void what_nodes_answered(void **state)
{
    static const char *const versions[] = {"4.0.18", "4.1.9", "5.0.4"};
    static const struct {
        const char *name, *one, *other; /* in either order */
    } table[] = {{"app", "app:dc1=3,dc2=2", "app:dc2=2,dc1=3"},
                 {"old", "old:=2", "old:=2"},
                 {"MiXed", "MiXed:dc1=1", "MiXed:dc1=1"},
                 {"system", "", ""}};
    char body[4096];
    struct reply reply;

    (void)state;
    for (size_t v = 0; v < sizeof(versions) / sizeof(versions[0]); v++) {
        bool found = false;

        jolokia_exec_parse(body, recorded(versions[v], "names", body, sizeof(body)), &reply);
        assert_int_equal(reply.result, POLL_OK);
        for (size_t i = 0; i < reply.n_texts; i++)
            found |= strcmp(reply.texts[i], "MiXed") == 0;
        assert_true(found);
        reply_done(&reply);
        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
            const char *said;

            jolokia_exec_parse(body, recorded(versions[v], table[i].name, body, sizeof(body)),
                               &reply);
            assert_int_equal(reply.result, POLL_OK);
            assert_int_equal(reply.n_texts, 1);
            said = told(table[i].name, reply.texts[0]);
            if (strcmp(said, table[i].one) != 0 && strcmp(said, table[i].other) != 0)
                fail_msg("%s %s: %s", versions[v], table[i].name, said);
            reply_done(&reply);
        }
        jolokia_exec_parse(body, recorded(versions[v], "nonesuch", body, sizeof(body)), &reply);
        assert_int_equal(reply.result, POLL_HTTP);
        assert_non_null(strstr(reply.detail, "IllegalArgumentException"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(whose_keyspaces),
        cmocka_unit_test(what_nodes_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

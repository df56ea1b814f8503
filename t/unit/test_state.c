/* The state file: what is written is read again, and stays in proportion. */
#include <errno.h>
#include <unistd.h>

#include "control/state.h"
#include "model/repairs.h"
#include "model_util.h"

static const struct poller_local nobody;

static struct cluster *new_cluster(void)
{
    const struct readiness_settings settings = fleet_settings(POLICY_MUTUAL);
    struct cluster *cluster = cluster_new(&settings);

    strcpy(cluster->name, "a \"cluster\"\n");
    return cluster;
}

static void add_node(struct cluster *cluster, const char *address)
{
    struct gossip_state state = {.host_id = "h", .datacenter = "dc1", .rack = "r1"};

    assert_int_equal(prober_addr_parse(address, strlen(address), &state.endpoint), 0);
    cluster_recall_state(cluster, &state);
}

static void add_value(struct values *values, const char *key, const char *text)
{
    const struct value_change change = {.key = key, .text = text, .user = "ops", .ttl_ms = 0};

    assert_int_equal(values_change(values, &change, "host", 1), 0);
}

/* As many brackets as may lie within each other, and as often as there is room. */
static char *deep_text(void)
{
    const size_t depth = 1900, times = 33, size = (2 * depth + 1) * times + 3;
    char *text = malloc(size), *to = text;

    *to++ = '[';
    for (size_t i = 0; i < times; i++) {
        if (i > 0)
            *to++ = ',';
        memset(to, '[', depth);
        memset(to + depth, ']', depth);
        to += 2 * depth;
    }
    *to++ = ']';
    *to = '\0';
    return text;
}

static void load_text(const char *text, struct cluster *cluster, struct poller_local *local,
                      struct values *values)
{
    char path[] = "/tmp/state-XXXXXX", why[DETAIL_LEN];
    int fd = mkstemp(path), error;

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    assert_int_equal(state_load(path, cluster, local, values, 2, &error, why), 0);
    assert_string_equal(why, "");
    unlink(path);
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;

    for (const char *at = text; (at = strstr(at, what)); at++)
        n++;
    return n;
}

static void what_is_written_is_read(void **state)
{
    struct poller_local local = {.host_id = "h", .native_port = 9042}, local_again = {0};
    struct cluster *cluster = new_cluster(), *again = new_cluster();
    struct values values = {0}, values_again = {0};
    char *text;

    (void)state;
    again->name[0] = '\0';
    assert_int_equal(prober_addr_parse("10.0.0.1", 8, &local.address), 0);
    local.native = local.address;
    add_node(cluster, "10.0.0.1");
    add_node(cluster, "2001:db8::1");
    add_value(&values, "region/eu/dcs", "[{\"name\":\"dc1\",\"replicas\":3}]");
    add_value(&values, "region/eu/reaper-ready", "true");
    add_value(&values, "drain/10.0.0.1", NULL);
    assert_int_equal(state_text(cluster, &local, &values, &text), 0);
    assert_int_equal(count(text, "\n{"), 5);
    load_text(text, again, &local_again, &values_again);
    assert_string_equal(again->name, cluster->name);
    assert_int_equal(again->n_sorted, 2);
    assert_string_equal(again->sorted[1]->gossip.datacenter, "dc1");
    assert_memory_equal(&local, &local_again, sizeof(local));
    assert_int_equal(values_again.n, 3);
    assert_int_equal(values_digest(&values), values_digest(&values_again));
    free(text);
    values_free(&values);
    values_free(&values_again);
    cluster_free(cluster);
    cluster_free(again);
}

/* How long a node has been down, and that it needs a repair, outlives a restart and a boot. */
static void how_long_a_node_was_down_is_read(void **state)
{
    struct cluster *cluster = new_cluster(), *again = new_cluster();
    struct values values = {0};
    struct poller_local local;
    char *text;

    (void)state;
    add_node(cluster, "10.0.0.1");
    add_node(cluster, "10.0.0.2");
    add_node(cluster, "10.0.0.3");
    /* load_text() is at the second millisecond of all times. */
    cluster->wall_offset_ms = -10000;
    cluster->hint_window_ms = 1234567;
    cluster->sorted[0]->down_since_ms = 10001;
    cluster->sorted[1]->repair_needed = true;
    cluster->sorted[1]->repair_since_ms = 10002;
    cluster->sorted[2]->down_since_ms = 10003; /* that is to come */
    assert_int_equal(state_text(cluster, &nobody, &values, &text), 0);
    again->wall_offset_ms = 500;
    load_text(text, again, &local, &values);
    assert_int_equal(again->hint_window_ms, 1234567);
    assert_int_equal(again->sorted[0]->down_since_ms, -499);
    assert_false(again->sorted[0]->repair_needed);
    assert_int_equal(again->sorted[1]->down_since_ms, 0);
    assert_true(again->sorted[1]->repair_needed);
    assert_int_equal(node_repair_since(again, again->sorted[1]), 2);
    assert_int_equal(again->sorted[2]->down_since_ms, 0);
    free(text);
    cluster_free(cluster);
    cluster_free(again);
}

static void nothing_at_all_is_read(void **state)
{
    struct cluster *cluster = new_cluster(), *again = new_cluster();
    struct values values = {0};
    struct poller_local local;
    char *text;

    (void)state;
    assert_int_equal(state_text(cluster, &nobody, &values, &text), 0);
    load_text(text, again, &local, &values);
    assert_int_equal(again->n_sorted, 0);
    assert_int_equal(values.n, 0);
    free(text);
    cluster_free(cluster);
    cluster_free(again);
}

static void what_is_deep_does_not_grow(void **state)
{
    struct cluster *cluster = new_cluster();
    struct values values = {0};
    char *deep = deep_text(), *text;

    (void)state;
    add_value(&values, "region/eu/dcs", deep);
    assert_int_equal(state_text(cluster, &nobody, &values, &text), 0);
    assert_true(strlen(text) < strlen(deep) + 1000);
    free(deep);
    free(text);
    values_free(&values);
    cluster_free(cluster);
}

/* What would not be read must not take the place of what is. */
static void too_much_is_refused(void **state)
{
    const size_t n = 300000;
    struct cluster *cluster = new_cluster(), many = *cluster;
    struct values values = {0};
    char *text = NULL;

    (void)state;
    add_node(cluster, "2001:db8:1111:2222:3333:4444:5555:6666");
    many.sorted = calloc(n, sizeof(*many.sorted));
    many.n_sorted = n;
    for (size_t i = 0; i < n; i++)
        many.sorted[i] = cluster->sorted[0];
    assert_int_equal(state_text(&many, &nobody, &values, &text), -EFBIG);
    many.n_sorted = n / 10;
    assert_int_equal(state_text(&many, &nobody, &values, &text), 0);
    free(text);
    free(many.sorted);
    cluster_free(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(how_long_a_node_was_down_is_read),
        cmocka_unit_test(nothing_at_all_is_read),
        cmocka_unit_test(what_is_deep_does_not_grow),
        cmocka_unit_test(too_much_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

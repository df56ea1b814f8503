/* Who holds the values: how a change ends while other hosts' values come. */
#include <errno.h>
#include <unistd.h>

#include "model_util.h"
#include "operator_state.h"

#define KEY "region/eu/dcs"

struct host {
    struct cluster *cluster;
    sd_event *event;
    char dir[32], path[64];
    struct operator_state *state;
    int ended, error;
    enum change_end end;
};

static int on_changed(void *userdata)
{
    (void)userdata;
    return 0;
}

static const struct cluster *on_hints(const struct poller_local **ret_local, void *userdata)
{
    static const struct poller_local nobody;
    struct host *host = userdata;

    *ret_local = &nobody;
    return host->cluster;
}

static void on_done(enum change_end end, int error, void *userdata)
{
    struct host *host = userdata;

    host->ended++;
    host->end = end;
    host->error = error;
}

static void start(struct host *host)
{
    const struct readiness_settings settings = fleet_settings(POLICY_MUTUAL);
    const struct operator_state_handlers handlers = {on_changed, on_hints, host};
    struct poller_local local;

    host->cluster = cluster_new(&settings);
    strcpy(host->cluster->name, "c");
    assert_true(sd_event_new(&host->event) >= 0);
    assert_int_equal(
        operator_state_new(host->event, host->path, &handlers, host->cluster, &local, &host->state),
        0);
}

static void stop(struct host *host)
{
    operator_state_free(host->state);
    sd_event_unref(host->event);
    cluster_free(host->cluster);
}

static void ask(struct host *host)
{
    const struct value_change change = {.key = KEY, .text = "[]", .user = "ops"};

    assert_int_equal(operator_state_change(host->state, &change, "h", on_done, host), 0);
}

/* As many values of another host as there may be. */
static void fill(struct host *host)
{
    char *text, why[DETAIL_LEN];
    size_t len;
    FILE *out = open_memstream(&text, &len);

    fprintf(out, "{\"format\":1,\"cluster\":\"c\",\"values\":[");
    for (int i = 0; i < VALUES_MAX; i++)
        fprintf(
            out,
            "%s{\"key\":\"region/r%d/reaper-ready\",\"value\":true,\"counter\":1,\"host\":\"o\","
            "\"user\":\"\",\"at_ms\":1,\"ttl_ms\":0,\"until_ms\":0}",
            i > 0 ? "," : "", i);
    fprintf(out, "]}");
    fclose(out);
    assert_int_equal(operator_state_merge(host->state, text, len, why), 1);
    free(text);
}

static void run_to_end(struct host *host)
{
    for (int i = 0; i < 100 && !host->ended; i++)
        assert_true(sd_event_run(host->event, 100000) >= 0);
    assert_int_equal(host->ended, 1);
}

/* Others' values take the room while the change waits, or when it is on disk already. */
static void the_room_is_taken(bool begun)
{
    struct host host = {.dir = "/tmp/operator-XXXXXX"};
    char old[80];

    assert_non_null(mkdtemp(host.dir));
    snprintf(host.path, sizeof(host.path), "%s/state.json", host.dir);
    start(&host);
    ask(&host);
    if (begun)
        assert_int_equal(sd_event_run(host.event, 0), 1);
    fill(&host);
    run_to_end(&host);
    assert_int_equal(host.end, CHANGE_UNTAKEN);
    assert_int_equal(host.error, -ENOSPC);
    assert_null(values_find(operator_state_values(host.state), KEY));
    stop(&host);

    /* What was refused does not come up with the next start. */
    host.ended = 0;
    start(&host);
    assert_int_equal(operator_state_values(host.state)->n, begun ? VALUES_MAX : 0);
    assert_null(values_find(operator_state_values(host.state), KEY));
    stop(&host);
    unlink(host.path);
    snprintf(old, sizeof(old), "%s.1", host.path);
    unlink(old);
    assert_int_equal(rmdir(host.dir), 0);
}

static void taken_while_it_waits(void **state)
{
    (void)state;
    the_room_is_taken(false);
}

static void taken_while_it_is_written(void **state)
{
    (void)state;
    the_room_is_taken(true);
}

/* The same with room. */
static void there_is_room(void **state)
{
    struct host host = {.dir = "/tmp/operator-XXXXXX"};

    (void)state;
    assert_non_null(mkdtemp(host.dir));
    snprintf(host.path, sizeof(host.path), "%s/state.json", host.dir);
    start(&host);
    ask(&host);
    run_to_end(&host);
    assert_int_equal(host.end, CHANGE_DONE);
    assert_non_null(values_find(operator_state_values(host.state), KEY));
    stop(&host);
    unlink(host.path);
    assert_int_equal(rmdir(host.dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taken_while_it_waits),
        cmocka_unit_test(taken_while_it_is_written),
        cmocka_unit_test(there_is_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

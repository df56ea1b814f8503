/* The store in memory: compare-and-set, the order of operations, that it is none with several
 * hosts, and who leads where there is one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/leader.h"
#include "store/store.h"

struct world {
    sd_event *event;
    struct store *store;
    unsigned answers;
    enum store_result result;
    int64_t revision;
    char value[64]; /* "-" = none */
    char detail[160];
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    struct conf conf = {.store = (char[]){"local"}, .store_ttl_ms = 10000};

    assert_int_equal(sd_event_new(&world->event), 0);
    assert_int_equal(store_new(world->event, &conf, &world->store), 0);
    store_set_alone(world->store, true);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    store_free(world->store);
    sd_event_unref(world->event);
    free(world);
    return 0;
}

static void on_answer(const struct store_answer *answer, void *userdata)
{
    struct world *world = userdata;

    world->answers++;
    world->result = answer->result;
    world->revision = answer->revision;
    snprintf(world->value, sizeof(world->value), "%s", answer->value ? answer->value : "-");
    if (answer->value)
        assert_int_equal(answer->len, strlen(answer->value));
    strcpy(world->detail, answer->detail);
}

/* Runs the loop until that many answers have come. */
static void wait_answers(struct world *world, unsigned n)
{
    assert_int_equal(world->answers, 0);
    while (world->answers < n)
        assert_true(sd_event_run(world->event, 5000000) > 0);
    world->answers = 0;
}

static void check(struct world *world, enum store_result result, int64_t revision,
                  const char *value)
{
    wait_answers(world, 1);
    assert_int_equal(world->result, result);
    assert_int_equal(world->revision, revision);
    assert_string_equal(world->value, value);
}

static void get(struct world *world, const char *key)
{
    assert_int_equal(store_get(world->store, key, on_answer, world), 0);
}

static void put(struct world *world, const char *key, const char *value, int64_t revision)
{
    assert_int_equal(store_put(world->store, key, value, revision, false, on_answer, world), 0);
}

static void compare_and_set(void **state)
{
    struct world *world = *state;

    get(world, "a");
    check(world, STORE_OK, 0, "-");
    put(world, "a", "one", 0);
    check(world, STORE_OK, 1, "one");
    put(world, "a", "two", 0);
    check(world, STORE_CONFLICT, 1, "one");
    put(world, "b", "other", 1);
    check(world, STORE_CONFLICT, 0, "-");
    put(world, "b", "other", 0);
    check(world, STORE_OK, 2, "other");
    put(world, "a", "two", 1);
    check(world, STORE_OK, 3, "two");
    assert_int_equal(store_delete(world->store, "a", 1, on_answer, world), 0);
    check(world, STORE_CONFLICT, 3, "two");
    assert_int_equal(store_delete(world->store, "a", 3, on_answer, world), 0);
    check(world, STORE_OK, 0, "-");
    /* A revision never comes back. */
    put(world, "a", "three", 0);
    check(world, STORE_OK, 4, "three");
    get(world, "b");
    check(world, STORE_OK, 2, "other");
}

static void too_large(void **state)
{
    struct world *world = *state;
    char *large = malloc(STORE_VALUE_MAX + 2), key[STORE_KEY_LEN + 1];

    memset(large, 'x', STORE_VALUE_MAX + 1);
    large[STORE_VALUE_MAX + 1] = '\0';
    assert_true(store_put(world->store, "a", large, 0, false, on_answer, world) < 0);
    large[STORE_VALUE_MAX] = '\0';
    assert_int_equal(store_put(world->store, "a", large, 0, false, on_answer, world), 0);
    wait_answers(world, 1);
    assert_int_equal(world->result, STORE_OK);
    memset(key, 'k', STORE_KEY_LEN);
    key[STORE_KEY_LEN] = '\0';
    assert_true(store_get(world->store, key, on_answer, world) < 0);
    free(large);
}

/* Of those that saw the same, the first wins; each gets its answer, later and once. */
static void in_order(void **state)
{
    struct world *world = *state;

    put(world, "a", "first", 0);
    put(world, "a", "second", 0);
    put(world, "a", "third", 1);
    get(world, "a");
    assert_int_equal(world->answers, 0);
    check(world, STORE_OK, 1, "first");
    check(world, STORE_CONFLICT, 1, "first");
    check(world, STORE_OK, 2, "third");
    check(world, STORE_OK, 2, "third");
    /* What has not been answered is not, once the store is gone. */
    put(world, "a", "fourth", 2);
}

static void begin_next(const struct store_answer *answer, void *userdata)
{
    struct world *world = userdata;

    assert_int_equal(answer->result, STORE_OK);
    /* What is asked from an answer runs, and what the answer says stays as it is meanwhile. */
    assert_int_equal(store_delete(world->store, "a", answer->revision, on_answer, world), 0);
    assert_string_equal(answer->value, "one");
}

static void from_an_answer(void **state)
{
    struct world *world = *state;

    assert_int_equal(store_put(world->store, "a", "one", 0, true, begin_next, world), 0);
    check(world, STORE_OK, 0, "-");
}

static void several_hosts(void **state)
{
    struct world *world = *state;

    assert_string_equal(store_problem(world->store), "");
    assert_int_equal(store_session(world->store), 1);
    assert_true(store_session_left(world->store) > 0);
    put(world, "a", "one", 0);
    check(world, STORE_OK, 1, "one");
    store_set_alone(world->store, false);
    assert_int_equal(store_session(world->store), 0);
    assert_int_equal(store_session_left(world->store), 0);
    get(world, "a");
    check(world, STORE_NONE, 0, "-");
    assert_string_equal(world->detail, store_problem(world->store));
    put(world, "a", "two", 1);
    check(world, STORE_NONE, 0, "-");
    store_set_alone(world->store, true);
    get(world, "a");
    check(world, STORE_OK, 1, "one");
}

static void count(void *userdata)
{
    ++*(unsigned *)userdata;
}

static void leads(void **state)
{
    struct world *world = *state;
    struct leader *leader;
    unsigned changes = 0;

    assert_int_equal(leader_new(world->event, world->store, count, &changes, &leader), 0);
    assert_false(leader_is_us(leader));
    /* Without a name it does not stand for it. */
    for (int i = 0; i < 3; i++)
        sd_event_run(world->event, 10000);
    assert_false(leader_is_us(leader));
    leader_set_host(leader, "host-a");
    for (int i = 0; i < 100 && !leader_is_us(leader); i++)
        sd_event_run(world->event, 100000);
    assert_true(leader_is_us(leader));
    assert_string_equal(leader_host(leader), "host-a");
    assert_int_equal(changes, 1);
    get(world, LEADER_KEY);
    wait_answers(world, 1);
    assert_memory_equal(world->value, "host-a ", 7);

    /* Several hosts: at once not. */
    store_set_alone(world->store, false);
    assert_false(leader_is_us(leader));
    for (int i = 0; i < 100 && changes < 2; i++)
        sd_event_run(world->event, 100000);
    assert_int_equal(changes, 2);
    leader_free(leader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(compare_and_set, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_large, set_up, tear_down),
        cmocka_unit_test_setup_teardown(in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(from_an_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(several_hosts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(leads, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

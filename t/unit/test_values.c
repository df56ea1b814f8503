/* Values: what wins, what converges, what ends. */
#include <errno.h>

#include "model/values.h"
#include "model_util.h"

#define DAY_MS (24LL * 60 * 60 * 1000)
#define NOW    1700000000000LL

static int change(struct values *values, const char *key, const char *text, const char *host,
                  int64_t ttl_ms)
{
    const struct value_change made = {.key = key, .text = text, .user = "ops", .ttl_ms = ttl_ms};

    return values_change(values, &made, host, NOW);
}

static const char *text_of(const struct values *values, const char *key)
{
    const struct value *value = values_find(values, key);

    return value ? value->text : NULL;
}

/* Every version of `from`, in an order drawn at random. */
static void merge_all(struct values *into, const struct values *from, uint64_t *seed)
{
    size_t order[VALUES_MAX];

    for (size_t i = 0; i < from->n; i++)
        order[i] = i;
    for (size_t i = from->n; i > 1; i--) {
        size_t k = random_below(seed, i), swap = order[k];

        order[k] = order[i - 1];
        order[i - 1] = swap;
    }
    for (size_t i = 0; i < from->n; i++)
        assert_true(values_merge(into, &from->items[order[i]], NOW) >= 0);
}

static void assert_same(const struct values *a, const struct values *b)
{
    assert_int_equal(a->n, b->n);
    assert_int_equal(a->bytes, b->bytes);
    assert_int_equal(a->counter, b->counter);
    assert_int_equal(values_digest(a), values_digest(b));
    for (size_t i = 0; i < a->n; i++) {
        const struct value *x = &a->items[i], *y = &b->items[i];

        assert_string_equal(x->key, y->key);
        assert_true(!x->text == !y->text);
        assert_string_equal(x->text ? x->text : "", y->text ? y->text : "");
        assert_int_equal(x->counter, y->counter);
        assert_string_equal(x->host, y->host);
        assert_int_equal(x->until_ms, y->until_ms);
    }
}

static void versions(void **state)
{
    struct values a = {0}, b = {0};

    (void)state;
    assert_int_equal(change(&a, "region/eu/dcs", "[1]", "host-a", 0), 0);
    assert_int_equal(change(&a, "region/eu/reaper-ready", "true", "host-a", 0), 0);
    assert_int_equal(a.items[0].counter + a.items[1].counter, NOW + NOW + 1);
    assert_string_equal(a.items[0].user, "ops");
    assert_int_equal(a.items[0].at_ms, NOW);

    /* The next version made anywhere is later than all heard of. */
    assert_int_equal(values_merge(&b, &a.items[1], NOW), 1);
    assert_int_equal(values_merge(&b, &a.items[1], NOW), 0);
    assert_int_equal(change(&b, "region/eu/dcs", "[2]", "host-b", 0), 0);
    assert_int_equal(values_merge(&a, &b.items[0], NOW), 1);
    assert_string_equal(text_of(&a, "region/eu/dcs"), "[2]");

    /* Who has forgotten everything and says something is not overruled by what is older. */
    values_free(&b);
    assert_int_equal(values_change(&b, &(struct value_change){"region/eu/dcs", "[3]", "ops", 0, 0},
                                   "host-b", NOW + 1000),
                     0);
    assert_int_equal(values_merge(&b, values_find(&a, "region/eu/dcs"), NOW + 1000), 0);
    assert_int_equal(values_merge(&a, &b.items[0], NOW + 1000), 1);
    assert_string_equal(text_of(&a, "region/eu/dcs"), "[3]");

    /* Of equal counters the higher host wins. */
    values_free(&a);
    values_free(&b);
    assert_int_equal(change(&a, "region/eu/dcs", "[1]", "host-a", 0), 0);
    assert_int_equal(change(&b, "region/eu/dcs", "[2]", "host-b", 0), 0);
    assert_int_equal(values_merge(&b, &a.items[0], NOW), 0);
    assert_int_equal(values_merge(&a, &b.items[0], NOW), 1);
    assert_same(&a, &b);

    /* What follows by itself gives way to what was said since, wherever, and in whatever order that
     * is heard of. */
    {
        const struct value_change automatic = {"region/eu/dcs", "[9]", "automatic", 0, NOW};

        values_free(&a);
        values_free(&b);
        assert_int_equal(change(&a, "region/eu/dcs", "[1]", "host-a", 0), 0);
        assert_int_equal(values_find(&a, "region/eu/dcs")->counter, NOW);
        assert_int_equal(change(&b, "region/eu/dcs", "[2]", "host-b", 0), 0);
        b.items[0].counter = NOW + 60000;
        assert_int_equal(values_change(&a, &automatic, "host-a", NOW + 90000), 0);
        assert_string_equal(text_of(&a, "region/eu/dcs"), "[9]");
        assert_int_equal(values_merge(&b, &a.items[0], NOW), 0);
        assert_int_equal(values_merge(&a, &b.items[0], NOW), 1);
        assert_string_equal(text_of(&a, "region/eu/dcs"), "[2]");
        assert_int_equal(values_change(&a, &automatic, "host-a", NOW + 90000), 0);
        assert_string_equal(text_of(&a, "region/eu/dcs"), "[2]");
        values_free(&a);
        values_free(&b);
        assert_int_equal(change(&a, "region/eu/dcs", "[1]", "host-a", 0), 0);
        assert_int_equal(change(&b, "region/eu/dcs", "[2]", "host-b", 0), 0);
        assert_int_equal(values_merge(&a, &b.items[0], NOW), 1);
    }

    /* A tombstone is a version as any other. */
    assert_int_equal(change(&a, "region/eu/dcs", NULL, "host-a", 0), 0);
    assert_null(values_find(&a, "region/eu/dcs"));
    assert_int_equal(values_merge(&b, &a.items[0], NOW), 1);
    assert_null(values_find(&b, "region/eu/dcs"));
    assert_int_equal(b.bytes, 0);
    assert_int_equal(change(&b, "region/eu/dcs", "[3]", "host-b", 0), 0);
    assert_int_equal(values_merge(&a, &b.items[0], NOW), 1);
    assert_string_equal(text_of(&a, "region/eu/dcs"), "[3]");
    values_free(&a);
    values_free(&b);
}

enum { HOSTS = 5 };

static const char *const keys[] = {"region/eu/dcs",  "region/eu/localseeds", "region/us/reaper-ips",
                                   "drain/10.0.0.1", "drain/2001:db8::1",    "seeds/dc1"};

/* Somebody says something somewhere. Clones have one name among them. */
static void random_change(struct values *host, size_t i, uint64_t *seed)
{
    char name[16], text[16];
    bool clone = random_below(seed, 8) == 0;
    int64_t ttl_ms = random_below(seed, 3) == 0 ? 1000 + (int64_t)random_below(seed, 3) : 0;

    snprintf(name, sizeof(name), "host-%zu", clone ? 0 : i);
    snprintf(text, sizeof(text), "[%zu]", random_below(seed, 4));
    assert_int_equal(change(&host[i], keys[random_below(seed, 6)],
                            random_below(seed, 4) == 0 ? NULL : text, name, ttl_ms),
                     0);
}

/* Whatever is said where, and who hears of whom in which order: once all have heard of all, all are
 * the same. */
static void converges(void **state)
{
    (void)state;
    for (uint64_t run = 1; run <= 3000; run++) {
        struct values host[HOSTS] = {0};
        uint64_t seed = run * 0x9e3779b97f4a7c15;
        size_t steps = random_below(&seed, 60);

        for (size_t step = 0; step < steps; step++) {
            size_t i = random_below(&seed, HOSTS), k = random_below(&seed, HOSTS);

            if (random_below(&seed, 2) == 0)
                random_change(host, i, &seed);
            else if (i != k)
                merge_all(&host[i], &host[k], &seed);
        }
        /* Along a ring, in both ways, from a host of its own each: another grouping each time. */
        for (size_t step = 0, from = random_below(&seed, HOSTS); step < 2 * HOSTS; step++, from++)
            merge_all(&host[(from + 1) % HOSTS], &host[from % HOSTS], &seed);
        for (size_t i = 1; i < HOSTS; i++)
            assert_same(&host[0], &host[i]);
        for (size_t i = 0; i < HOSTS; i++)
            values_free(&host[i]);
    }
}

/* (a + b) + c = a + (b + c), and merging again changes nothing. */
static void grouping(void **state)
{
    (void)state;
    for (uint64_t run = 1; run <= 1000; run++) {
        struct values part[3] = {0}, left = {0}, right = {0}, inner = {0};
        uint64_t seed = run * 0x9e3779b97f4a7c15;

        for (size_t step = 0; step < 12; step++)
            random_change(part, random_below(&seed, 3), &seed);
        for (size_t i = 0; i < 3; i++)
            merge_all(&left, &part[i], &seed);
        merge_all(&inner, &part[2], &seed);
        merge_all(&inner, &part[1], &seed);
        merge_all(&right, &inner, &seed);
        merge_all(&right, &part[0], &seed);
        assert_same(&left, &right);
        for (size_t i = 0; i < left.n; i++)
            assert_int_equal(values_merge(&right, &left.items[i], NOW), 0);
        for (size_t i = 0; i < 3; i++)
            values_free(&part[i]);
        values_free(&left);
        values_free(&right);
        values_free(&inner);
    }
}

static void ends(void **state)
{
    struct values a = {0}, b = {0};
    const struct value *value;

    (void)state;
    assert_int_equal(change(&a, "drain/10.0.0.1", "true", "host-a", 1000), 0);
    assert_int_equal(change(&a, "drain/10.0.0.2", "true", "host-a", 0), 0);
    value = values_find(&a, "drain/10.0.0.1");
    assert_int_equal(value_ends_in(value, NOW), 1000);
    assert_int_equal(value_ends_in(value, NOW + 400), 600);
    assert_int_equal(value_ends_in(value, NOW + 1000), 0);
    assert_int_equal(value_ends_in(value, NOW + 400 * DAY_MS), 0);
    /* The clock is set back: never longer than its TTL. */
    assert_int_equal(value_ends_in(value, NOW - 400 * DAY_MS), 1000);
    assert_int_equal(value_ends_in(value, 0), 1000);
    assert_int_equal(value_ends_in(values_find(&a, "drain/10.0.0.2"), NOW), INT64_MAX);

    assert_false(values_expire(&a, NOW + 30 * DAY_MS));
    assert_int_equal(values_merge(&b, value, NOW + 30 * DAY_MS), 1);
    assert_int_equal(values_merge(&b, value, NOW + 32 * DAY_MS), 0);
    assert_true(values_expire(&a, NOW + 31 * DAY_MS));
    assert_null(values_find(&a, "drain/10.0.0.1"));
    assert_non_null(values_find(&a, "drain/10.0.0.2"));
    assert_int_equal(a.n, 1);
    assert_int_equal(a.bytes, 4);
    /* What ended long ago does not come back, and nothing made later has an old counter. */
    assert_int_equal(values_merge(&a, &b.items[0], NOW + 32 * DAY_MS), 0);
    assert_int_equal(change(&a, "drain/10.0.0.1", "true", "host-a", 5), 0);
    assert_int_equal(values_find(&a, "drain/10.0.0.1")->counter, NOW + 2);
    /* Nor does it bring back what it had taken the place of. */
    assert_int_equal(change(&b, "drain/10.0.0.2", "true", "host-b", 5), 0);
    assert_int_equal(values_merge(&b, values_find(&a, "drain/10.0.0.2"), NOW + 26 * DAY_MS), 0);
    assert_int_equal(value_ends_in(values_find(&b, "drain/10.0.0.2"), NOW + 26 * DAY_MS), 0);
    /* A deletion is kept for as long, and other keys for ever. */
    assert_int_equal(change(&a, "drain/10.0.0.2", NULL, "host-a", 0), 0);
    assert_int_equal(change(&a, "region/eu/dcs", NULL, "host-a", 0), 0);
    values_expire(&a, NOW + 30 * DAY_MS);
    assert_non_null(values_held(&a, "drain/10.0.0.2"));
    values_expire(&a, NOW + 31 * DAY_MS);
    assert_null(values_held(&a, "drain/10.0.0.2"));
    assert_non_null(values_held(&a, "region/eu/dcs"));
    values_free(&a);
    values_free(&b);
}

/* Said long ago, a repair is of no need that there can be. */
static void repairs_are_forgotten(void **state)
{
    struct values values = {0};

    (void)state;
    assert_int_equal(change(&values, "repaired/10.0.0.1", "true", "h", 0), 0);
    assert_false(values_expire(&values, NOW + 30 * DAY_MS));
    assert_true(values_expire(&values, NOW + 31 * DAY_MS));
    assert_int_equal(values.n, 0);
    values_free(&values);
}

static void suspended_or_not(void **state)
{
    struct values values = {0};

    (void)state;
    assert_false(observer_suspended(NULL));
    assert_false(observer_suspended(&values));
    assert_int_equal(change(&values, "observer/suspended", "true", "h", 0), 0);
    assert_true(observer_suspended(&values));
    assert_int_equal(change(&values, "observer/suspended", "false", "h", 0), 0);
    assert_false(observer_suspended(&values));
    assert_int_equal(change(&values, "observer/suspended", NULL, "h", 0), 0);
    assert_false(observer_suspended(&values));
    values_free(&values);
}

static void keys_taken(void **state)
{
    static const struct {
        const char *key;
        bool good;
    } table[] = {
        {"region/eu/dcs", true},
        {"region/a name/with/slashes/dcs", true},
        {"region//dcs", false},
        {"region/dcs", false},
        {"region/eu/else", false},
        {"region/eu/dcs/", false},
        {"region/e\nu/dcs", false},
        {"drain/10.0.0.1", true},
        {"drain/2001:db8::1", true},
        {"drain/2001:DB8::1", false},
        {"drain/::ffff:10.0.0.1", false},
        {"drain/host", false},
        {"drain/", false},
        {"repaired/10.0.0.1", true},
        {"repaired/host", false},
        {"repaired/", false},
        {"observer/suspended", true},
        {"observer/else", false},
        {"observer/", false},
        {"seeds/dc1", true},
        {"seeds/", false},
        {"else/x", false},
        {"", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct values values = {0};

        if (change(&values, table[i].key, "true", "h", 0) != (table[i].good ? 0 : -EINVAL))
            fail_msg("%s", table[i].key);
        assert_int_equal(values.n, table[i].good);
        values_free(&values);
    }
}

/* What no collector makes is not taken from elsewhere. */
static void foreign(void **state)
{
    const struct value good = {.key = "drain/10.0.0.1",
                               .text = (char[]){"true"},
                               .counter = 1,
                               .host = "h",
                               .ttl_ms = 5,
                               .until_ms = NOW + 5};
    struct value bad[10];
    struct values values = {0};

    (void)state;
    for (size_t i = 0; i < 10; i++)
        bad[i] = good;
    bad[0].counter = 0;
    bad[1].host[0] = '\0';
    bad[2].ttl_ms = -1;
    bad[3].until_ms = -1;
    bad[4].ttl_ms = 0;
    bad[5].until_ms = 0;
    bad[6].counter = UINT64_MAX;
    bad[7].ttl_ms = INT64_MAX;
    bad[8].until_ms = INT64_MAX;
    strcpy(bad[9].key, "drain/nobody");
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(values_merge(&values, &bad[i], NOW), -EINVAL);
    assert_int_equal(values.n, 0);
    assert_int_equal(values_merge(&values, &good, NOW), 1);
    values_free(&values);
}

static void limits(void **state)
{
    struct values values = {0}, copy;
    char key[VALUES_KEY_LEN + 8], *text = malloc(VALUES_TEXT_MAX + 2);

    (void)state;
    memset(text, '1', VALUES_TEXT_MAX + 1);
    text[VALUES_TEXT_MAX + 1] = '\0';
    assert_int_equal(change(&values, "seeds/big", text, "h", 0), -EINVAL);
    text[VALUES_TEXT_MAX] = '\0';
    assert_int_equal(change(&values, "seeds/big", text, "h", 0), 0);
    assert_int_equal(change(&values, "seeds/other", text, "h", 0), -ENOSPC);
    assert_int_equal(values.bytes, VALUES_TEXT_MAX);
    assert_int_equal(change(&values, "seeds/big", text, "h", 0), 0);
    text[VALUES_TOTAL_MAX - VALUES_TEXT_MAX] = '\0';
    assert_int_equal(change(&values, "seeds/other", text, "h", 0), 0);
    assert_int_equal(change(&values, "seeds/more", "1", "h", 0), -ENOSPC);
    /* There is always room to take something back. */
    assert_int_equal(change(&values, "seeds/big", NULL, "h", 0), 0);
    assert_int_equal(change(&values, "seeds/more", "1", "h", 0), 0);
    free(text);

    memset(key, 'k', sizeof(key));
    memcpy(key, "seeds/", 6);
    key[VALUES_KEY_LEN] = '\0';
    assert_int_equal(change(&values, key, "1", "h", 0), -EINVAL);
    key[VALUES_KEY_LEN - 1] = '\0';
    assert_int_equal(change(&values, key, "1", "h", 0), 0);
    while (values.n < VALUES_MAX) {
        snprintf(key, sizeof(key), "seeds/%zu", values.n);
        assert_int_equal(change(&values, key, "1", "h", 0), 0);
    }
    assert_int_equal(change(&values, "seeds/one too many", "1", "h", 0), -ENOSPC);
    assert_int_equal(change(&values, "seeds/more", "2", "h", 0), 0);
    assert_int_equal(values_copy(&values, &copy), 0);
    assert_same(&values, &copy);
    values_free(&copy);
    values_free(&values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions),         cmocka_unit_test(converges),
        cmocka_unit_test(grouping),         cmocka_unit_test(ends),
        cmocka_unit_test(foreign),          cmocka_unit_test(keys_taken),
        cmocka_unit_test(limits),           cmocka_unit_test(repairs_are_forgotten),
        cmocka_unit_test(suspended_or_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

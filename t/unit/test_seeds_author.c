/* Who writes the lists of seeds, and what is shown of them. */
#include "seeds_util.h"

static void set(struct values *values, const char *key, const char *text)
{
    const struct value_change change = {.key = key, .text = text};

    assert_int_equal(values_change(values, &change, "other", WALL), 0);
}

static void assert_list(const struct values *values, const char *key, const char *text)
{
    const struct value *value = values_find(values, key);

    if (!text)
        assert_null(value);
    else
        assert_string_equal(value ? value->text : "none", text);
}

static void the_author_writes_what_is_missing_once(void **state)
{
    struct values values = {0};
    struct fleet fleet;

    (void)state;
    place(&fleet, "1122 11");
    assert_int_equal(write_for(&fleet, &values, &everywhere, SEEDS_SETTLE_MS), 0);
    assert_string_equal(seeds_text(&fleet), "sss.ss"); /* shown already */
    assert_int_equal(write_lists(&fleet, &values, &everywhere), 2);
    assert_list(&values, "seeds/dc1", "[\"10.0.0.1\",\"10.0.0.2\",\"10.0.0.3\"]");
    assert_list(&values, "seeds/dc2", "[\"10.0.0.5\",\"10.0.0.6\"]");
    assert_int_equal(write_for(&fleet, &values, &everywhere, 10000), 0);
    assert_string_equal(seeds_text(&fleet), "sss.ss");
    fleet_done(&fleet);
    values_free(&values);
}

static void a_decommissioned_seed_is_replaced_at_once(void **state)
{
    struct values values = {0};
    struct fleet fleet;

    (void)state;
    place(&fleet, "1122");
    write_for(&fleet, &values, &everywhere, 10000);
    fleet.node[2].status = "LEAVING";
    fleet.node[2].status_version++;
    assert_int_equal(write_for(&fleet, &values, &everywhere, SEEDS_PATIENCE_MS), 0);
    fleet.node[2].status = "LEFT";
    fleet.node[2].status_version++;
    assert_int_equal(write_lists(&fleet, &values, &everywhere), 1);
    assert_list(&values, "seeds/dc1", "[\"10.0.0.1\",\"10.0.0.2\",\"10.0.0.4\"]");
    assert_string_equal(seeds_text(&fleet), "ss.s");
    fleet_done(&fleet);
    values_free(&values);
}

static void a_drained_seed_is_replaced_after_a_while(void **state)
{
    struct values values = {0};
    struct fleet fleet;

    (void)state;
    place(&fleet, "112233");
    write_for(&fleet, &values, &everywhere, 10000);
    fleet_node(&fleet, 2)->drain.on = true;
    write_lists(&fleet, &values, &everywhere);
    assert_verdicts(&fleet, "rr.rrr");
    assert_int_equal(write_for(&fleet, &values, &everywhere, SEEDS_PATIENCE_MS - FLEET_ROUND), 0);
    assert_int_equal(write_lists(&fleet, &values, &everywhere), 1);
    assert_list(&values, "seeds/dc1", "[\"10.0.0.1\",\"10.0.0.4\",\"10.0.0.5\"]");
    fleet_node(&fleet, 2)->drain.on = false;
    assert_int_equal(write_for(&fleet, &values, &everywhere, 70000), 0);
    fleet_done(&fleet);
    values_free(&values);
}

/* Who is not the first serves what the first has written, whatever the rule is. */
static void others_take_what_the_values_say(void **state)
{
    struct values values = {0};
    struct fleet fleet;

    (void)state;
    place(&fleet, "1111");
    fleet.node[0].native = TRILEAN_FALSE;
    set(&values, "seeds/dc1", "[\"10.0.0.4\",\"192.0.2.9\",\"10.0.0.1\"]");
    assert_int_equal(write_for(&fleet, &values, &everywhere, 20000), 0);
    assert_string_equal(seeds_text(&fleet), "s..s");
    fleet_done(&fleet);
    values_free(&values);
}

static void without_a_local_node_there_is_an_author(void **state)
{
    const struct seeds_settings alone = {.patience_ms = SEEDS_PATIENCE_MS, .alone = true};
    struct values values = {0};
    struct fleet fleet;

    (void)state;
    place(&fleet, "1111");
    fleet.no_local = true;
    for (size_t i = 0; i < fleet.n; i++) {
        const struct prober_addr address = fleet_address(i);

        cluster_add(fleet.cluster, &address);
    }
    assert_int_equal(write_for(&fleet, &values, &everywhere, 20000), 0);
    assert_int_equal(write_for(&fleet, &values, &alone, 20000), 1);
    fleet_done(&fleet);
    values_free(&values);
}

/* As seen where so many others come before: when what is to be written. */
static void who_is_next_writes_what_nobody_does(void **state)
{
    for (size_t before = 0; before < 4; before++) {
        const int64_t wait_ms = SEEDS_SETTLE_MS + (int64_t)before * SEEDS_TURN_MS;
        struct values values = {0};
        struct fleet fleet;

        (void)state;
        place(&fleet, "11111");
        fleet_rounds(&fleet, 2000);
        fleet.no_local = true; /* of the polls, from here on */
        fleet.cluster->local = fleet_node(&fleet, before);
        assert_int_equal(write_for(&fleet, &values, &everywhere, wait_ms), 0);
        assert_int_equal(write_lists(&fleet, &values, &everywhere), 1);
        /* All is as it is to be for long; then the time begins with what is to be done. */
        assert_int_equal(write_for(&fleet, &values, &everywhere, SEEDS_PATIENCE_MS), 0);
        set(&values, "seeds/dc1", "[\"10.0.0.1\",\"10.0.0.2\"]");
        assert_int_equal(
            write_for(&fleet, &values, &everywhere, before == 0 ? 0 : wait_ms - FLEET_ROUND), 0);
        assert_int_equal(write_lists(&fleet, &values, &everywhere), 1);
        /* Another one does it. */
        set(&values, "seeds/dc1", "[\"10.0.0.1\",\"10.0.0.2\"]");
        write_for(&fleet, &values, &everywhere, before == 0 ? 0 : wait_ms - FLEET_ROUND);
        set(&values, "seeds/dc1", "[\"10.0.0.1\",\"10.0.0.2\",\"10.0.0.3\"]");
        assert_int_equal(write_for(&fleet, &values, &everywhere, 2 * wait_ms), 0);
        fleet_done(&fleet);
        values_free(&values);
    }
}

static void who_sees_no_more_than_half_keeps_the_list(void **state)
{
    struct values values = {0};
    struct fleet fleet;

    (void)state;
    place(&fleet, "1111");
    write_for(&fleet, &values, &everywhere, 10000);
    for (size_t i = 2; i < 4; i++) {
        fleet.node[i].result = POLL_REFUSED;
        fleet.node[0].row[i] = fleet.node[1].row[i] = 'D';
    }
    assert_int_equal(write_for(&fleet, &values, &everywhere, 3 * SEEDS_PATIENCE_MS), 0);
    assert_verdicts(&fleet, "rr..");
    assert_list(&values, "seeds/dc1", "[\"10.0.0.1\",\"10.0.0.2\",\"10.0.0.3\"]");
    fleet_done(&fleet);
    values_free(&values);
}

/* A Cassandra that has heard of nobody else yet is no majority. */
static void seeds_nobody_has_heard_of_count_for_a_while(void **state)
{
    struct values values = {0};
    struct fleet fleet;

    (void)state;
    place(&fleet, "1");
    set(&values, "seeds/dc1", "[\"10.0.0.1\",\"192.0.2.9\",\"192.0.2.10\"]");
    assert_int_equal(write_for(&fleet, &values, &everywhere, SEEDS_PATIENCE_MS), 0);
    assert_int_equal(write_for(&fleet, &values, &everywhere, FLEET_ROUND), 1);
    assert_list(&values, "seeds/dc1", "[\"10.0.0.1\"]");
    fleet_done(&fleet);
    values_free(&values);
}

static void a_list_goes_with_the_last_node_of_its_data_center(void **state)
{
    struct values values = {0};
    struct fleet fleet;

    (void)state;
    place(&fleet, "111 1");
    write_for(&fleet, &values, &everywhere, 10000);
    assert_list(&values, "seeds/dc2", "[\"10.0.0.4\"]");
    fleet_crash(&fleet, 3);
    assert_int_equal(write_for(&fleet, &values, &everywhere, 2 * SEEDS_PATIENCE_MS), 0);
    fleet.node[3].status = "LEFT";
    fleet.node[3].status_version++;
    assert_int_equal(write_lists(&fleet, &values, &everywhere), 1);
    assert_list(&values, "seeds/dc2", NULL);
    assert_string_equal(seeds_text(&fleet), "sss.");
    fleet_done(&fleet);
    values_free(&values);
}

static void what_is_no_list_is_none(void **state)
{
    static const char *const wrong[] = {
        "[]",
        "[\"10.0.0.1\"",
        "\"10.0.0.1\"",
        "[\"10.0.0.1\",]",
        "[\"10.0.0.1\"]x",
        "[\"x\"]",
        "[\"10.0.0.1\"\"10.0.0.2\"]",
        "[1]",
        "[",
        "",
        "{}",
        "[\"",
        "[\"10.0.0.1",
    };
    struct addresses parsed;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (addresses_parse(wrong[i], &parsed) == 0)
            fail_msg("%s", wrong[i]);
    assert_int_equal(addresses_parse("[\"10.0.0.1\",\"2001:db8::1\"]", &parsed), 0);
    assert_int_equal(parsed.n, 2);
    addresses_free(&parsed);
}

static void assert_all(const struct fleet *fleet, const struct values *values,
                       const struct seeds_settings *settings, const char *all)
{
    struct addresses seeds;
    char *text;

    seeds_of_all(fleet->cluster, values, settings, &seeds);
    text = addresses_text(&seeds);
    assert_string_equal(text, all);
    free(text);
    addresses_free(&seeds);
}

static void assert_seeds(const struct fleet *fleet, const struct values *values,
                         const struct seeds_settings *settings, const char *region, const char *all)
{
    struct addresses seeds;
    char *text;

    seeds_of_region(fleet->cluster, values, settings, &seeds);
    text = addresses_text(&seeds);
    assert_string_equal(text, region);
    free(text);
    addresses_free(&seeds);
    assert_all(fleet, values, settings, all);
}

static void the_region_shows_its_seeds_and_those_of_all(void **state)
{
    char *const datacenters[] = {(char *)"dc2", NULL};
    const char *const others[] = {"ap", "us"};
    struct regions regions = {0};
    struct seeds_settings settings = {.datacenters = datacenters,
                                      .region_name = "eu",
                                      .regions = &regions,
                                      .patience_ms = SEEDS_PATIENCE_MS};
    struct values values = {0};
    struct fleet fleet;

    (void)state;
    place(&fleet, "111 11");
    assert_int_equal(regions_set(&regions, "eu", others, 2, 10000), 0);
    write_for(&fleet, &values, &settings, 20000);
    /* Node 0, which is local, is none of the region: nobody writes here. */
    assert_seeds(&fleet, &values, &settings, "[\"10.0.0.4\",\"10.0.0.5\"]",
                 "[\"10.0.0.4\",\"10.0.0.5\"]");
    for (size_t i = 0; i < regions.n; i++) {
        struct region *region = &regions.items[i];
        struct prober_addr address = fleet_address(strcmp(region->name, "ap") == 0 ? 1 : 100);

        if (region->own)
            continue;
        region->seeds = calloc(1, sizeof(address));
        region->seeds[0] = address;
        region->n_seeds = 1;
    }
    assert_seeds(&fleet, &values, &settings, "[\"10.0.0.4\",\"10.0.0.5\"]",
                 "[\"10.0.0.2\",\"10.0.0.4\",\"10.0.0.5\",\"10.0.0.101\"]");
    write_lists(&fleet, &values, &settings);
    assert_string_equal(seeds_text(&fleet), ".s.ss");
    /* The value's order, and a list of somebody else's data center. */
    set(&values, "seeds/dc2", "[\"10.0.0.5\",\"10.0.0.4\"]");
    set(&values, "seeds/dc1", "[\"10.0.0.3\",\"10.0.0.2\"]");
    assert_seeds(&fleet, &values, &settings, "[\"10.0.0.5\",\"10.0.0.4\"]",
                 "[\"10.0.0.2\",\"10.0.0.5\",\"10.0.0.4\",\"10.0.0.101\",\"10.0.0.3\"]");
    write_lists(&fleet, &values, &settings);
    assert_string_equal(seeds_text(&fleet), ".ssss");
    /* What operators say stands in its place. */
    set(&values, "region/eu/localseeds", "[\"192.0.2.1\"]");
    assert_seeds(&fleet, &values, &settings, "[\"192.0.2.1\"]",
                 "[\"10.0.0.2\",\"192.0.2.1\",\"10.0.0.101\",\"10.0.0.3\"]");
    regions_free(&regions);
    fleet_done(&fleet);
    values_free(&values);
}

/* A host of one region takes what one of another shows of that. */
static void ask(struct regions *regions, const char *name, const struct fleet *fleet,
                const struct values *values, const struct seeds_settings *other)
{
    for (unsigned i = 0; i < REGIONS_SAME; i++) {
        struct region_answer answer = {.result = POLL_OK, .path = ""};
        struct addresses seeds;

        seeds_of_region(fleet->cluster, values, other, &seeds);
        answer.seeds = seeds.items;
        answer.n_seeds = seeds.n;
        answer.dcs = calloc(1, sizeof(*answer.dcs));
        answer.n_dcs = 1;
        strcpy(answer.dcs[0].name, other->datacenters[0]);
        regions_ingest(regions, name, &answer);
        region_answer_done(&answer);
    }
}

/* Two regions of one cluster, with the same values. */
static void hosts_of_all_regions_show_the_same(void **state)
{
    static const struct {
        const char *eu;            /* what operators say for it */
        const char *asked, *else_; /* where the regions ask each other, and where they do not */
    } table[] = {
        {NULL, "[\"10.0.0.3\",\"10.0.0.4\",\"10.0.0.1\",\"10.0.0.2\"]",
         "[\"10.0.0.1\",\"10.0.0.2\",\"10.0.0.3\",\"10.0.0.4\"]"},
        {"[\"10.0.0.2\"]", "[\"10.0.0.3\",\"10.0.0.4\",\"10.0.0.2\"]",
         "[\"10.0.0.2\",\"10.0.0.3\",\"10.0.0.4\"]"},
        /* Nobody knows where that is. */
        {"[\"192.0.2.1\"]", "[\"10.0.0.3\",\"10.0.0.4\",\"192.0.2.1\"]",
         "[\"192.0.2.1\",\"10.0.0.1\",\"10.0.0.2\",\"10.0.0.3\",\"10.0.0.4\"]"},
    };
    char *const dc1[] = {(char *)"dc1", NULL}, *const dc2[] = {(char *)"dc2", NULL};
    const char *const in_ap[] = {"eu"}, *const in_eu[] = {"ap"};
    struct regions regions_ap = {0}, regions_eu = {0};
    struct seeds_settings ap = {.datacenters = dc2, .region_name = "ap", .regions = &regions_ap};
    struct seeds_settings eu = {.datacenters = dc1, .region_name = "eu", .regions = &regions_eu};
    struct values values = {0};
    struct fleet fleet;

    (void)state;
    place(&fleet, "11 11");
    fleet_rounds(&fleet, 2000);
    set(&values, "seeds/dc1", "[\"10.0.0.1\",\"10.0.0.2\"]");
    set(&values, "seeds/dc2", "[\"10.0.0.3\",\"10.0.0.4\"]");
    assert_int_equal(regions_set(&regions_ap, "ap", in_ap, 1, 10000), 0);
    assert_int_equal(regions_set(&regions_eu, "eu", in_eu, 1, 10000), 0);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        set(&values, "region/eu/localseeds", table[i].eu);
        ap.regions = &regions_ap;
        eu.regions = &regions_eu;
        ask(&regions_ap, "eu", &fleet, &values, &eu);
        ask(&regions_eu, "ap", &fleet, &values, &ap);
        assert_all(&fleet, &values, &ap, table[i].asked);
        assert_all(&fleet, &values, &eu, table[i].asked);
        ap.regions = eu.regions = NULL;
        assert_all(&fleet, &values, &ap, table[i].else_);
        assert_all(&fleet, &values, &eu, table[i].else_);
    }
    /* One region of everything: what operators say stands in place of it all. */
    eu.datacenters = NULL;
    assert_all(&fleet, &values, &eu, "[\"192.0.2.1\"]");
    regions_free(&regions_ap);
    regions_free(&regions_eu);
    fleet_done(&fleet);
    values_free(&values);
}

/* As many as ten regions may say, of which each says the same; sorted or not makes no difference to
 * what is shown. */
static void many_seeds_are_shown_once(void **state)
{
    const char *const others[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
    struct regions regions = {0};
    struct seeds_settings settings = {.region_name = "zz", .regions = &regions};
    struct addresses seeds;
    struct fleet fleet;

    (void)state;
    place(&fleet, "1");
    assert_int_equal(regions_set(&regions, "zz", others, 10, 1000), 0);
    for (size_t i = 0; i < 10; i++) {
        struct region_answer answer = {.result = POLL_OK, .path = ""};

        answer.n_seeds = REGION_SEEDS_MAX;
        answer.seeds = calloc(answer.n_seeds, sizeof(*answer.seeds));
        for (size_t j = 0; j < answer.n_seeds; j++)
            answer.seeds[j] = fleet_address((i * 500 + answer.n_seeds - 1 - j));
        regions_ingest(&regions, others[i], &answer);
        region_answer_done(&answer);
    }
    seeds_of_all(fleet.cluster, NULL, &settings, &seeds);
    assert_int_equal(seeds.n, 5500);
    for (size_t i = 0; i < seeds.n; i++) {
        struct prober_addr expected =
            fleet_address(i < 1000 ? 999 - i : (i - 1000) / 500 * 500 + 1499 - (i - 1000) % 500);

        assert_int_equal(prober_addr_compare(&seeds.items[i], &expected), 0);
    }
    addresses_free(&seeds);
    regions_free(&regions);
    fleet_done(&fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_author_writes_what_is_missing_once),
        cmocka_unit_test(a_decommissioned_seed_is_replaced_at_once),
        cmocka_unit_test(a_drained_seed_is_replaced_after_a_while),
        cmocka_unit_test(others_take_what_the_values_say),
        cmocka_unit_test(without_a_local_node_there_is_an_author),
        cmocka_unit_test(who_is_next_writes_what_nobody_does),
        cmocka_unit_test(who_sees_no_more_than_half_keeps_the_list),
        cmocka_unit_test(seeds_nobody_has_heard_of_count_for_a_while),
        cmocka_unit_test(a_list_goes_with_the_last_node_of_its_data_center),
        cmocka_unit_test(what_is_no_list_is_none),
        cmocka_unit_test(the_region_shows_its_seeds_and_those_of_all),
        cmocka_unit_test(hosts_of_all_regions_show_the_same),
        cmocka_unit_test(many_seeds_are_shown_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

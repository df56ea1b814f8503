/* Regions begin one after the other; what they said holds while they cannot be reached. */
#include "model/regions.h"
#include "model_util.h"
#include "publish/render.h"
#include "publish/render_regions.h"

#define TTL 15000

/* What a region says: '+' ready, '-' not ready, '!' it cannot be reached, ' ' nothing happens. */
static void hear(struct regions *regions, const char *name, char what, int64_t now_ms)
{
    struct region_answer answer = {.result = POLL_OK, .path = "", .began_ms = now_ms};

    if (what == ' ')
        return;
    if (what == '!') {
        answer.result = POLL_TIMEOUT;
        answer.path = "/readylocaldcs";
    } else {
        answer.ready = what == '+' ? TRILEAN_TRUE : TRILEAN_FALSE;
    }
    regions_ingest(regions, name, &answer);
    region_answer_done(&answer);
}

static void setup(struct regions *regions, const char *own)
{
    static const char *const others[] = {"us", "ap", "eu"};

    *regions = (struct regions){0};
    assert_int_equal(regions_set(regions, own, others, 3, TTL), 0);
    assert_int_equal(regions->n, 3);
}

/* Two spells of what ap, eu and us say; eu is this host's own. After the second one: whose turn it
 * is, and why eu may not begin. */
static void whose_turn_it_is(void **state)
{
    static const struct {
        const char *first, *second; /* ap eu us */
        const char *next;           /* "" = nobody's */
        const char *waits;          /* "" = it does not */
    } table[] = {
        {"   ", "---", "ap", "region ap has its turn first"},
        {"   ", "+--", "eu", ""},
        {"   ", "++-", "us", ""},
        {"   ", "+++", "", ""},
        {"   ", "-++", "ap", ""},
        /* Nobody has said anything. */
        {"   ", " - ", "", "region ap has not been asked yet"},
        /* Who comes before cannot be reached: it was never ready, it was, and so was eu. */
        {"   ", "!--", "", "region ap cannot be reached (timeout)"},
        {"+--", "!--", "", "region ap cannot be reached (timeout); it was ready before"},
        {"++-", "!--", "", ""},
        /* Who comes after: it has not begun, or it is the cluster that is to be joined. */
        {"   ", "+-!", "eu", ""},
        {"--+", "+-!", "", "region us cannot be reached (timeout); it was ready before"},
        {"+++", "+-!", "eu", ""},
        {"--+", "--!", "", "region us cannot be reached (timeout); it was ready before"},
        /* It goes on by itself. */
        {"!--", "+--", "eu", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        int64_t now_ms = FLEET_START;
        char why[REGIONS_WHY_LEN];
        struct regions regions;
        const char *waits;

        setup(&regions, "eu");
        for (int spell = 0; spell < 2; spell++) {
            const char *said = spell == 0 ? table[i].first : table[i].second;

            now_ms += TTL + 1;
            hear(&regions, "ap", said[0], now_ms);
            hear(&regions, "us", said[2], now_ms);
            regions_judge(&regions, said[1] == '+', now_ms);
        }
        waits = regions_waits(&regions, why);
        if (strcmp(regions.next ? regions.next->name : "", table[i].next) ||
            strcmp(waits ? waits : "", table[i].waits))
            fail_msg("%zu: \"%s\" \"%s\": next %s, %s", i, table[i].first, table[i].second,
                     regions.next ? regions.next->name : "nobody", waits ? waits : "goes on");
        regions_free(&regions);
    }
}

static struct region *region(const struct regions *regions, const char *name)
{
    for (size_t i = 0; i < regions->n; i++)
        if (strcmp(regions->items[i].name, name) == 0)
            return &regions->items[i];
    fail_msg("no region %s", name);
    return NULL;
}

/* One lost poll is no cut; what is older than it may be is. */
static void what_is_told_counts_for_a_while(void **state)
{
    struct region_answer old = {
        .result = POLL_OK, .path = "", .ready = TRILEAN_TRUE, .age_ms = TTL, .began_ms = 100000};
    char why[REGIONS_WHY_LEN];
    struct regions regions;

    (void)state;
    setup(&regions, "eu");
    hear(&regions, "ap", '+', 100000);
    assert_true(regions_judge(&regions, false, 100000));
    assert_false(regions_judge(&regions, false, 100000));
    hear(&regions, "ap", '!', 105000);
    regions_judge(&regions, false, 100000 + TTL);
    assert_int_equal(region(&regions, "ap")->state, REGION_READY);
    assert_true(regions_judge(&regions, false, 100000 + TTL + 1));
    assert_int_equal(region(&regions, "ap")->state, REGION_UNREACHABLE);
    old.began_ms = 200000;
    regions_ingest(&regions, "ap", &old);
    assert_true(regions_judge(&regions, false, 200000));
    assert_false(regions_judge(&regions, false, 200000));
    assert_true(regions_judge(&regions, false, 200001));
    assert_int_equal(region(&regions, "ap")->state, REGION_UNREACHABLE);
    assert_string_equal(regions_waits(&regions, why), "what region ap says is too old");
    regions_free(&regions);
}

static void lists(struct regions *regions, const char *name, const char *seeds, const char *dcs)
{
    struct region_answer answer = {.result = POLL_OK, .path = "", .ready = TRILEAN_TRUE};

    assert_int_equal(region_read_seeds(seeds, strlen(seeds), &answer), POLL_OK);
    assert_int_equal(region_read_dcs(dcs, strlen(dcs), &answer), POLL_OK);
    regions_ingest(regions, name, &answer);
    region_answer_done(&answer);
}

/* The seeds of all, as text. */
static const char *seeds_text(const struct regions *regions)
{
    static char text[256];

    text[0] = '\0';
    for (size_t i = 0; i < regions->n; i++)
        for (size_t j = 0; j < regions->items[i].n_seeds; j++) {
            strcat(text, *text ? " " : "");
            prober_addr_format(&regions->items[i].seeds[j], text + strlen(text));
        }
    return text;
}

static void seeds_never_vanish(void **state)
{
    static const char *const fewer[] = {"ap"};
    struct regions regions;

    (void)state;
    setup(&regions, "eu");
    assert_string_equal(seeds_text(&regions), "");
    lists(&regions, "us", "[\"10.2.0.1\"]", "[]");
    lists(&regions, "ap", "[\"10.1.0.2\",\"10.1.0.1\"]", "[]");
    assert_true(regions.unsaved);
    assert_string_equal(seeds_text(&regions), "10.1.0.2 10.1.0.1 10.2.0.1");
    hear(&regions, "ap", '!', 1);
    lists(&regions, "ap", "[]", "[]");
    regions_judge(&regions, true, 1000000);
    assert_string_equal(seeds_text(&regions), "10.1.0.2 10.1.0.1 10.2.0.1");
    for (unsigned i = 0; i < REGIONS_SAME; i++)
        lists(&regions, "ap", "[\"10.1.0.3\"]", "[]");
    assert_string_equal(seeds_text(&regions), "10.1.0.3 10.2.0.1");
    /* Another configuration: those that stay are known. */
    assert_int_equal(regions_set(&regions, "eu", fewer, 1, TTL), 0);
    assert_string_equal(seeds_text(&regions), "10.1.0.3");
    assert_int_equal(regions_set(&regions, "eu", NULL, 0, TTL), 0);
    assert_int_equal(regions.n, 0);
    assert_string_equal(seeds_text(&regions), "");
    regions_free(&regions);
}

/* Two halves behind one address, and one that has just begun. */
static void another_list_is_taken_once_it_has_come_for_a_while(void **state)
{
    static const char one[] = "[\"10.1.0.1\"]", two[] = "[\"10.1.0.2\"]";
    static const char dc[] = "[{\"name\":\"dc1\",\"replicas\":1}]";
    static const char more[] = "[{\"name\":\"dc1\",\"replicas\":2}]";
    static const struct {
        const char *seeds, *dcs; /* as they come; "" = it cannot be reached */
        const char *held;
        unsigned replicas;
    } table[] = {
        {one, dc, "10.1.0.1", 1},    {two, dc, "10.1.0.1", 1},   {two, dc, "10.1.0.1", 1},
        {one, more, "10.1.0.1", 1},  {two, dc, "10.1.0.1", 1},   {one, more, "10.1.0.1", 1},
        {two, more, "10.1.0.1", 1},  {two, more, "10.1.0.1", 2}, {"", "", "10.1.0.1", 2},
        {"[]", "[]", "10.1.0.1", 2}, {two, more, "10.1.0.2", 2}, {one, more, "10.1.0.2", 2},
        {two, more, "10.1.0.2", 2},  {one, more, "10.1.0.2", 2},
    };
    struct regions regions;

    (void)state;
    setup(&regions, "eu");
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        bool changed = i == 0 || strcmp(table[i].held, table[i - 1].held) != 0;
        struct region *ap = region(&regions, "ap");

        ap->seeds_changed = regions.unsaved = false;
        if (*table[i].seeds)
            lists(&regions, "ap", table[i].seeds, table[i].dcs);
        else
            hear(&regions, "ap", '!', 1);
        if (strcmp(seeds_text(&regions), table[i].held) != 0 ||
            ap->dcs[0].replicas != table[i].replicas || ap->seeds_changed != changed)
            fail_msg("%zu: %s, %u replicas, %s", i, seeds_text(&regions), ap->dcs[0].replicas,
                     ap->seeds_changed ? "changed" : "the same");
        assert_true(regions.unsaved || !changed);
    }
    regions_free(&regions);
}

static void data_centers_of_all(void **state)
{
    struct region_dc *dcs;
    struct regions regions;
    struct fleet fleet;
    size_t n;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet_round(&fleet);
    setup(&regions, "eu");
    lists(&regions, "ap", "[]",
          "[{\"name\":\"dc1\",\"replicas\":9},{\"name\":\"dc0\",\"replicas\":2}]");
    lists(&regions, "us", "[]", "[{\"name\":\"dc0\",\"replicas\":7}]");
    assert_int_equal(regions_dcs(&regions, fleet.cluster, NULL, &dcs, &n), 0);
    assert_int_equal(n, 2);
    assert_string_equal(dcs[0].name, "dc0");
    assert_int_equal(dcs[0].replicas, 2);
    assert_string_equal(dcs[1].name, "dc1"); /* the own Cassandra knows better */
    assert_int_equal(dcs[1].replicas, 3);
    free(dcs);
    regions_free(&regions);
    fleet_done(&fleet);
}

/* What an operator says of the region stands in place of its own part alone. */
static void said_data_centers_hide_no_others(void **state)
{
    static const struct {
        const char *said, *shown;
    } table[] = {
        {NULL, "[{\"name\":\"dc0\",\"replicas\":2},{\"name\":\"dc1\",\"replicas\":2},"
               "{\"name\":\"dc2\",\"replicas\":1}]\n"},
        {"[{\"name\":\"dc1\",\"replicas\":9}]",
         "[{\"name\":\"dc1\",\"replicas\":9},{\"name\":\"dc0\",\"replicas\":2},"
         "{\"name\":\"dc2\",\"replicas\":1}]\n"},
        {"[{\"name\":\"dc2\",\"replicas\":9},{\"name\":\"dc0\",\"replicas\":8}]",
         "[{\"name\":\"dc2\",\"replicas\":9},{\"name\":\"dc0\",\"replicas\":8}]\n"},
        {"[]", "[{\"name\":\"dc0\",\"replicas\":2},{\"name\":\"dc2\",\"replicas\":1}]\n"},
    };
    char *const own[] = {(char *)"dc1", NULL};
    struct values values = {0};
    struct regions regions;
    struct fleet fleet;
    struct text text = {0};

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet.node[2].datacenter = "dc2";
    fleet_round(&fleet);
    setup(&regions, "eu");
    lists(&regions, "ap", "[]",
          "[{\"name\":\"dc2\",\"replicas\":7},{\"name\":\"dc0\",\"replicas\":2}]");
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const struct value_change change = {.key = "region/eu/dcs", .text = table[i].said};
        const struct render_context context = {.cluster = fleet.cluster,
                                               .region = {.datacenters = own},
                                               .region_name = "eu",
                                               .regions = &regions,
                                               .values = &values};

        assert_int_equal(values_change(&values, &change, "host", 1700000000000), 0);
        text_reset(&text);
        render_dcs(&text, &context);
        text_add(&text, "", 1);
        assert_string_equal(text.data, table[i].shown);
    }
    text_free(&text);
    values_free(&values);
    regions_free(&regions);
    fleet_done(&fleet);
}

static void recall(const char *name, struct region_answer *answer, void *userdata)
{
    regions_recall(userdata, name, answer);
}

static void what_is_kept_comes_back(void **state)
{
    struct regions regions, again;
    struct text text = {0};
    char why[REGIONS_WHY_LEN];

    (void)state;
    setup(&regions, "eu");
    lists(&regions, "ap", "[\"10.1.0.2\",\"::1\"]", "[{\"name\":\"d\\\"c\",\"replicas\":9}]");
    regions_judge(&regions, true, 1);
    render_kept_regions(&text, &regions);
    regions_free(&regions);

    setup(&again, "eu");
    assert_int_equal(region_read_kept(text.data, text.len, recall, &again), POLL_OK);
    assert_string_equal(seeds_text(&again), "10.1.0.2 ::1");
    assert_string_equal(region(&again, "ap")->dcs[0].name, "d\"c");
    assert_true(region(&again, "ap")->was_ready == false);
    regions_judge(&again, false, 2);
    assert_null(regions_waits(&again, why)); /* it was ready before, so it waits for nobody */
    regions_free(&again);
    /* Half a file is none. */
    setup(&again, "eu");
    assert_int_not_equal(region_read_kept(text.data, text.len - 8, recall, &again), POLL_OK);
    assert_int_equal(region_read_kept("[]", 2, recall, &again), POLL_BAD_SHAPE);
    assert_string_equal(seeds_text(&again), "");
    regions_free(&again);
    text_free(&text);
}

static void bodies(void **state)
{
    static const struct {
        const char *body;
        enum trilean ready; /* unknown = refused */
    } table[] = {
        {"true\n", TRILEAN_TRUE}, {" T ", TRILEAN_TRUE},     {"1", TRILEAN_TRUE},
        {"False", TRILEAN_FALSE}, {"0\r\n", TRILEAN_FALSE},  {"", TRILEAN_UNKNOWN},
        {"yes", TRILEAN_UNKNOWN}, {"tRue", TRILEAN_UNKNOWN}, {"  ", TRILEAN_UNKNOWN},
    };
    static const char *const bad_seeds[] = {
        "", "{}", "[1]", "[\"x\"]", "[\"10.0.0.1\",\"\"]", "[\"10.0.0.1\"", "[\"::\"]"};
    static const char *const bad_dcs[] = {"{}",
                                          "[1]",
                                          "[{}]",
                                          "[{\"name\":\"a\"}]",
                                          "[{\"name\":\"\",\"replicas\":1}]",
                                          "[{\"name\":\"a\",\"replicas\":-1}]"};
    struct region_answer answer = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        enum poll_result result;

        answer.ready = TRILEAN_UNKNOWN;
        result = region_read_ready(table[i].body, strlen(table[i].body), &answer);
        assert_int_equal(answer.ready, table[i].ready);
        assert_int_equal(result, answer.ready ? POLL_OK : POLL_BAD_SHAPE);
    }
    assert_int_equal(region_read_ready("true", 5, &answer), POLL_BAD_SHAPE);
    for (size_t i = 0; i < sizeof(bad_seeds) / sizeof(bad_seeds[0]); i++) {
        assert_int_not_equal(region_read_seeds(bad_seeds[i], strlen(bad_seeds[i]), &answer),
                             POLL_OK);
        assert_null(answer.seeds);
    }
    for (size_t i = 0; i < sizeof(bad_dcs) / sizeof(bad_dcs[0]); i++) {
        assert_int_not_equal(region_read_dcs(bad_dcs[i], strlen(bad_dcs[i]), &answer), POLL_OK);
        assert_null(answer.dcs);
    }
}

static void the_document(void **state)
{
    struct text text = {0};
    struct regions regions;

    (void)state;
    setup(&regions, "eu");
    hear(&regions, "us", '!', 1000);
    hear(&regions, "ap", '-', 1000);
    lists(&regions, "ap", "[\"10.1.0.1\"]", "[{\"name\":\"dc1\",\"replicas\":1}]");
    hear(&regions, "ap", '-', 1000);
    regions_judge(&regions, false, 2000);
    render_regions(&text, &regions, "eu", 0);
    text_add(&text, "", 1);
    assert_string_equal(
        text.data,
        "{\"region\":\"eu\",\"next\":\"ap\",\"waits\":\"region ap has its turn "
        "first\",\"regions\":[\n"
        " {\"name\":\"ap\",\"own\":false,\"state\":\"not ready\",\"was_ready\":false,"
        "\"last_seen\":\"1970-01-01T00:00:01Z\",\"poll\":{\"result\":\"ok\"},"
        "\"seeds\":[\"10.1.0.1\"],\"dcs\":[{\"name\":\"dc1\",\"replicas\":1}]},\n"
        " {\"name\":\"eu\",\"own\":true,\"state\":\"not ready\",\"was_ready\":false},\n"
        " {\"name\":\"us\",\"own\":false,\"state\":\"unreachable\",\"was_ready\":false,"
        "\"last_seen\":null,\"poll\":{\"result\":\"timeout\",\"path\":\"/readylocaldcs\"},"
        "\"seeds\":[],\"dcs\":[]}]}\n");
    text_free(&text);
    regions_free(&regions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whose_turn_it_is),
        cmocka_unit_test(what_is_told_counts_for_a_while),
        cmocka_unit_test(seeds_never_vanish),
        cmocka_unit_test(another_list_is_taken_once_it_has_come_for_a_while),
        cmocka_unit_test(data_centers_of_all),
        cmocka_unit_test(said_data_centers_hide_no_others),
        cmocka_unit_test(what_is_kept_comes_back),
        cmocka_unit_test(bodies),
        cmocka_unit_test(the_document),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

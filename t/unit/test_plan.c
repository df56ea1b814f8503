/* What may be added or started next, and what is said of why not. */
#include "model/plan.h"
#include "model_util.h"
#include "publish/render_plan.h"

static char dc1[] = "dc1", dc2[] = "dc2", r1[] = "r1", r2[] = "r2", r3[] = "r3";
static char *racks[] = {r1, r2, r3, NULL};

/* Each node is "DC RACK STATE": '+' ready, 'D' down, 's' starting, 'J' joining, 'L' leaving, 'n'
 * its native transport is off. */
struct case_ {
    const char *nodes; /* "11+ 12+ 1xD": digit of the DC, of the rack, state */
    unsigned size;     /* of dc1 */
    const char *waits;
    const char *add;   /* "r1" "-" (none) of dc1 */
    const char *why;   /* in the reasons of dc1 or its racks */
    const char *start; /* which nodes, by number: "2 4" */
};

static const char *const names[] = {"r?", "r1", "r2", "r3", "r4"};

static void place(struct fleet *fleet, const char *nodes)
{
    size_t n = (strlen(nodes) + 1) / 4;

    fleet_init(fleet, n, POLICY_MUTUAL);
    for (size_t i = 0; i < n; i++, nodes += 4) {
        struct fleet_node *node = &fleet->node[i];

        node->datacenter = nodes[0] == '1' ? "dc1" : "dc2";
        node->rack = names[nodes[1] - '0'];
        if (nodes[2] == 'D')
            fleet_crash(fleet, i);
        else if (nodes[2] == 's')
            node->result = POLL_NO_MBEAN;
        else if (nodes[2] == 'n')
            node->native = node->rpc_ready = TRILEAN_FALSE;
        else if (nodes[2] == 'J') {
            node->status = "BOOT";
            node->mode = "JOINING";
        } else if (nodes[2] == 'L') {
            node->status = node->mode = "LEAVING";
        }
    }
    fleet_rounds(fleet, 6000);
}

/* What may be added in dc1, and every reason there; what may be started anywhere. */
static void tell(const struct plan *plan, struct text *add, struct text *why, struct text *start)
{
    for (size_t i = 0; i < plan->n_dcs; i++) {
        const struct plan_dc *dc = &plan->dcs[i];

        if (strcmp(dc->name, "dc1") == 0)
            text_printf(why, "%s; ", dc->add_why);
        for (size_t j = 0; j < dc->n_racks; j++) {
            const struct plan_rack *rack = &dc->racks[j];

            if (strcmp(dc->name, "dc1") == 0 && rack->may_add)
                text_printf(add, "%s%s", add->len ? " " : "", rack->name);
            text_printf(why, "%s; %s; ", rack->add_why, rack->start_why);
            if (rack->start)
                text_printf(start, "%s%d", start->len ? " " : "",
                            rack->start->address.bytes[15] - 1);
        }
    }
    text_add(add, "", 1);
    text_add(why, "", 1);
    text_add(start, "", 1);
}

static void what_may_be_done(void **state)
{
    static const struct case_ table[] = {
        /* The first node of all, then the emptiest rack. */
        {"21+", 3, NULL, "r1", "r1 has fewer nodes or comes first", ""},
        {"11+", 3, NULL, "r2", "it has the 1 nodes", ""},
        {"11+ 12+", 3, NULL, "r3", "", ""},
        {"11+ 12+ 13+", 3, NULL, "", "it has the 3 nodes", ""},
        {"11+ 12+ 13+", 7, NULL, "r1", "", ""},
        {"11+ 11+ 11+ 12+ 13+ 13+", 7, NULL, "r2", "it has the 3 nodes", ""},
        /* Unbalanced: one more, not one for each rack that has too few. */
        {"11+ 11+ 11+ 12+ 13+", 6, NULL, "r2", "r2 has fewer", ""},
        {"11+ 11+ 11+ 11+ 12+ 13+", 6, NULL, "", "it has the 6 nodes", ""},
        /* One at a time in the cluster. */
        {"11+ 12+ 13J", 6, NULL, "", "10.0.0.3 is joining; one node at a time", ""},
        {"11+ 12+ 13+ 21J", 6, NULL, "", "10.0.0.4 is joining", ""},
        {"11+ 12+ 13+ 21L", 6, NULL, "", "10.0.0.4 is leaving", ""},
        /* Who is DOWN is present, blocks nobody, and may be started: one in a rack at a time. */
        {"11+ 12+ 13D", 6, NULL, "r1", "", "2"},
        {"11+ 12+ 13+ 13+ 11D 11D 12D", 9, NULL, "r3", "10.0.0.7 is down in this rack", "4 6"},
        {"12+ 13+ 11D", 6, NULL, "r2", "10.0.0.3 is down in this rack, and to be started", "2"},
        {"21+ 11D 12D 13D", 6, NULL, "", "none of its racks may have one now", "1 2 3"},
        {"12+ 11s 11D 12+ 12+ 13+ 13+ 13+", 9, NULL, "", "10.0.0.2 is coming up in this rack", ""},
        {"11n 11D 12+ 13+ 13+", 9, NULL, "r2", "10.0.0.1 is coming up in this rack", ""},
        /* What the configuration does not know. */
        {"11+ 12+ 13+ 14+", 5, NULL, "r1", "it is not in the configuration", ""},
        {"11+ 12+ 13+", 0, NULL, "", "does not say how many", ""},
        /* The region's turn. */
        {"21+", 3, "it is the turn of ap", "", "it is the turn of ap", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const struct dc_wanted wanted = {dc1, table[i].size, racks};
        const struct plan_settings settings = {{NULL, &wanted, 1}, table[i].waits};
        struct text add = {0}, why = {0}, start = {0};
        struct fleet fleet;
        struct plan plan;

        place(&fleet, table[i].nodes);
        assert_int_equal(plan_make(fleet.cluster, &settings, &plan), 0);
        tell(&plan, &add, &why, &start);
        if (strcmp(add.data, table[i].add) || !strstr(why.data, table[i].why) ||
            strcmp(start.data, table[i].start))
            fail_msg("%zu: %s of %u, %s: add \"%s\" start \"%s\" why %s", i, table[i].nodes,
                     table[i].size, fleet_text(&fleet), add.data, start.data, why.data);
        plan_done(&plan);
        text_free(&add);
        text_free(&why);
        text_free(&start);
        fleet_done(&fleet);
    }
}

static void wanted_and_present(void **state)
{
    const struct dc_wanted wanted[] = {{dc2, 3, NULL}, {dc1, 7, racks}};
    const struct plan_settings settings = {{NULL, wanted, 2}, NULL};
    struct fleet fleet;
    struct plan plan;

    (void)state;
    place(&fleet, "11+ 12+ 14D 11J");
    assert_int_equal(plan_make(fleet.cluster, &settings, &plan), 0);
    assert_int_equal(plan.n_dcs, 2);
    assert_string_equal(plan.dcs[0].name, "dc1");
    assert_true(plan.dcs[0].scaling_up);
    assert_int_equal(plan.dcs[0].present, 4);
    assert_int_equal(plan.dcs[0].ready, 2);
    assert_int_equal(plan.dcs[0].joining, 1);
    assert_int_equal(plan.dcs[0].down, 1);
    assert_int_equal(plan.dcs[0].seeds_wanted, 3);
    assert_int_equal(plan.dcs[0].n_racks, 4);
    assert_int_equal(plan.dcs[0].racks[0].wanted, 3);
    assert_int_equal(plan.dcs[0].racks[1].wanted, 2);
    assert_int_equal(plan.dcs[0].racks[2].wanted, 2);
    assert_int_equal(plan.dcs[0].racks[2].seeds_wanted, 1);
    assert_false(plan.dcs[0].racks[3].planned);
    /* Nobody there yet, and the racks are not said. */
    assert_string_equal(plan.dcs[1].name, "dc2");
    assert_int_equal(plan.dcs[1].n_racks, 0);
    assert_int_equal(plan.dcs[1].seeds_wanted, 3);
    plan_done(&plan);
    fleet_done(&fleet);
}

/* As they are chosen, whatever order the configuration has. */
static void seeds_by_the_names_of_racks(void **state)
{
    static char *backwards[] = {r3, r1, NULL};
    const struct dc_wanted wanted = {dc1, 5, backwards};
    const struct plan_settings settings = {{NULL, &wanted, 1}, NULL};
    struct fleet fleet;
    struct plan plan;

    (void)state;
    place(&fleet, "11+");
    assert_int_equal(plan_make(fleet.cluster, &settings, &plan), 0);
    assert_string_equal(plan.dcs[0].racks[0].name, "r3");
    assert_int_equal(plan.dcs[0].racks[0].wanted, 3);
    assert_int_equal(plan.dcs[0].racks[0].seeds_wanted, 1);
    assert_int_equal(plan.dcs[0].racks[1].wanted, 2);
    assert_int_equal(plan.dcs[0].racks[1].seeds_wanted, 2);
    plan_done(&plan);
    fleet_done(&fleet);
}

/* A data center that cannot grow now keeps no other one from it. */
static void a_stuck_data_center_has_no_turn(void **state)
{
    const struct dc_wanted wanted[] = {{dc1, 6, racks}, {dc2, 9, NULL}};
    const struct plan_settings settings = {{NULL, wanted, 2}, NULL};
    struct fleet fleet;
    struct plan plan;

    (void)state;
    place(&fleet, "21+ 11D 12D 13D 21+ 22+ 22+");
    assert_int_equal(plan_make(fleet.cluster, &settings, &plan), 0);
    assert_false(plan.dcs[0].may_add);
    assert_true(plan.dcs[1].may_add);
    plan_done(&plan);
    fleet_done(&fleet);
}

/* Two data centers lack nodes: one of them has its turn. */
static void one_data_center_after_the_other(void **state)
{
    const struct dc_wanted wanted[] = {{dc1, 3, racks}, {dc2, 3, NULL}};
    char *const second[] = {dc2, NULL};
    struct plan_settings settings = {{NULL, wanted, 2}, NULL};
    struct fleet fleet;
    struct plan plan;

    (void)state;
    place(&fleet, "11+");
    assert_int_equal(plan_make(fleet.cluster, &settings, &plan), 0);
    assert_true(plan.dcs[0].may_add);
    assert_false(plan.dcs[1].may_add);
    assert_string_equal(plan.dcs[1].add_why, "dc1 has its turn first");
    plan_done(&plan);
    settings.region.datacenters = second;
    assert_int_equal(plan_make(fleet.cluster, &settings, &plan), 0);
    assert_string_equal(plan.dcs[0].add_why, "it is not of this host's region");
    assert_true(plan.dcs[1].may_add);
    plan_done(&plan);
    fleet_done(&fleet);
}

static void the_document(void **state)
{
    const struct dc_wanted wanted[] = {{dc1, 4, racks}};
    const struct plan_settings settings = {{NULL, wanted, 1}, NULL};
    struct text text = {0};
    struct fleet fleet;
    struct plan plan;

    (void)state;
    place(&fleet, "11+ 12D 13+ 21+");
    assert_int_equal(plan_make(fleet.cluster, &settings, &plan), 0);
    render_plan(&text, &plan);
    text_add(&text, "", 1);
    assert_string_equal(
        text.data,
        "{\"next\":[\n"
        " {\"do\":\"add a node\",\"dc\":\"dc1\",\"rack\":\"r1\"},\n"
        " {\"do\":\"start\",\"node\":\"10.0.0.2\",\"dc\":\"dc1\",\"rack\":\"r2\"}],\n"
        "\"dcs\":[\n"
        " {\"name\":\"dc1\",\"planned\":true,\"region\":true,\"scaling_up\":true,\"wanted\":4,"
        "\"present\":3,\"ready\":2,\"down\":1,\"joining\":0,\"seeds_wanted\":3,\"seeds\":0,"
        "\"add\":\"yes\",\"racks\":[\n"
        "  {\"name\":\"r1\",\"wanted\":2,\"present\":1,\"ready\":1,\"down\":0,\"joining\":0,"
        "\"seeds_wanted\":1,\"seeds\":0,\"add\":\"yes\",\"start\":null},\n"
        "  {\"name\":\"r2\",\"wanted\":1,\"present\":1,\"ready\":0,\"down\":1,\"joining\":0,"
        "\"seeds_wanted\":1,\"seeds\":0,\"add\":\"it has the 1 nodes it is to have\","
        "\"start\":\"yes\"},\n"
        "  {\"name\":\"r3\",\"wanted\":1,\"present\":1,\"ready\":1,\"down\":0,\"joining\":0,"
        "\"seeds_wanted\":1,\"seeds\":0,\"add\":\"it has the 1 nodes it is to have\","
        "\"start\":null}]},\n"
        " {\"name\":\"dc2\",\"planned\":false,\"region\":true,\"scaling_up\":false,\"wanted\":null,"
        "\"present\":1,\"ready\":1,\"down\":0,\"joining\":0,\"seeds_wanted\":1,\"seeds\":0,"
        "\"add\":\"it is not in the configuration\",\"racks\":[\n"
        "  {\"name\":\"r1\",\"wanted\":null,\"present\":1,\"ready\":1,\"down\":0,\"joining\":0,"
        "\"seeds_wanted\":1,\"seeds\":0,\"add\":\"it is not in the configuration\","
        "\"start\":null}]}]}\n");
    text_free(&text);
    plan_done(&plan);
    fleet_done(&fleet);
}

/* Whatever the topology: what is wanted adds up, and adding where it says ends at what is wanted.
 */
static void following_it_ends_at_what_is_wanted(void **state)
{
    uint64_t random = 7;

    (void)state;
    for (int run = 0; run < 300; run++) {
        unsigned size = (unsigned)random_below(&random, 9) + 3;
        const struct dc_wanted wanted = {dc1, size, racks};
        const struct plan_settings settings = {{NULL, &wanted, 1}, NULL};
        size_t n = random_below(&random, size) + 1, present[4] = {0};
        char nodes[FLEET_MAX * 4] = "";
        unsigned steps = 0;

        for (size_t i = 0; i < n; i++) {
            size_t rack = random_below(&random, 3) + 1;

            present[rack]++;
            snprintf(nodes + strlen(nodes), 5, "%s1%zu+", i ? " " : "", rack);
        }
        for (;; steps++) {
            const char *added = NULL;
            struct fleet fleet;
            struct plan plan;
            size_t least = 99;

            place(&fleet, nodes);
            assert_int_equal(plan_make(fleet.cluster, &settings, &plan), 0);
            for (size_t i = 0; i < plan.dcs[0].n_racks; i++) {
                if (!plan.dcs[0].racks[i].may_add)
                    continue;
                assert_null(added);
                added = names[i + 1];
                for (size_t j = 1; j <= 3; j++)
                    if (present[j] < plan.dcs[0].racks[j - 1].wanted && present[j] < least)
                        least = present[j];
                assert_int_equal(present[i + 1]++, least);
            }
            plan_done(&plan);
            fleet_done(&fleet);
            if (!added)
                break;
            snprintf(nodes + strlen(nodes), 5, " 1%c+", added[1]);
        }
        assert_int_equal(steps, size - n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_be_done),
        cmocka_unit_test(wanted_and_present),
        cmocka_unit_test(seeds_by_the_names_of_racks),
        cmocka_unit_test(a_stuck_data_center_has_no_turn),
        cmocka_unit_test(one_data_center_after_the_other),
        cmocka_unit_test(the_document),
        cmocka_unit_test(following_it_ends_at_what_is_wanted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

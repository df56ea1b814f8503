/* Data centers, and whether those of the region are ready. */
#include "model/region.h"
#include "model_util.h"

static char one[] = "dc1", two[] = "dc2", absent[] = "dc9";

static bool ready(const struct fleet *fleet, char *const *datacenters)
{
    const struct region_settings region = {.datacenters = datacenters};

    return region_ready(fleet->cluster, &region);
}

/* Three nodes in dc1 and two in dc2. */
static void setup(struct fleet *fleet)
{
    fleet_init(fleet, 5, POLICY_MUTUAL);
    fleet->node[3].datacenter = fleet->node[4].datacenter = "dc2";
}

static void data_centers_by_name_with_their_members(void **state)
{
    struct region_dc *dcs;
    struct fleet fleet;
    size_t n;

    (void)state;
    setup(&fleet);
    fleet.node[0].datacenter = "dc3";
    fleet.node[1].status = fleet.node[1].mode = "LEFT";
    fleet.node[4].status = "BOOT";
    fleet.node[4].mode = "JOINING";
    fleet_round(&fleet);
    assert_int_equal(region_dcs(fleet.cluster, &dcs, &n), 0);
    assert_int_equal(n, 3);
    assert_string_equal(dcs[0].name, "dc1");
    assert_int_equal(dcs[0].replicas, 1);
    assert_string_equal(dcs[1].name, "dc2");
    assert_int_equal(dcs[1].replicas, 1);
    assert_string_equal(dcs[2].name, "dc3");
    assert_int_equal(dcs[2].replicas, 1);
    free(dcs);
    fleet_done(&fleet);
}

static void no_data_centers_of_an_empty_cluster(void **state)
{
    struct region_dc *dcs;
    struct fleet fleet;
    size_t n;

    (void)state;
    fleet_init(&fleet, 1, POLICY_MUTUAL);
    assert_int_equal(region_dcs(fleet.cluster, &dcs, &n), 0);
    assert_int_equal(n, 0);
    free(dcs);
    assert_false(ready(&fleet, NULL));
    fleet_done(&fleet);
}

static void members_whose_data_center_is_unknown_are_in_none(void **state)
{
    struct region_dc *dcs;
    struct fleet fleet;
    size_t n;

    (void)state;
    setup(&fleet);
    fleet.node[1].datacenter = "";
    fleet_round(&fleet);
    assert_int_equal(region_dcs(fleet.cluster, &dcs, &n), 0);
    assert_int_equal(n, 2);
    assert_int_equal(dcs[0].replicas, 2);
    free(dcs);
    fleet_done(&fleet);
}

static void ready_when_every_member_of_it_is(void **state)
{
    char *const all[] = {NULL}, *const first[] = {one, NULL}, *const second[] = {two, NULL};
    char *const both[] = {two, one, NULL}, *const more[] = {one, absent, NULL};
    struct fleet fleet;

    (void)state;
    setup(&fleet);
    assert_false(ready(&fleet, all));
    fleet_round(&fleet);
    assert_true(ready(&fleet, NULL));
    assert_true(ready(&fleet, all));
    assert_true(ready(&fleet, both));
    assert_false(ready(&fleet, more));
    fleet.node[4].native = TRILEAN_FALSE;
    fleet_round(&fleet);
    assert_false(ready(&fleet, NULL));
    assert_true(ready(&fleet, first));
    assert_false(ready(&fleet, second));
    assert_false(ready(&fleet, both));
    /* Who is joining, or has left, is no member. */
    fleet.node[4].status = "BOOT";
    fleet.node[4].mode = "JOINING";
    fleet.node[4].status_version++;
    fleet_round(&fleet);
    assert_true(ready(&fleet, both));
    fleet.node[4].status = "LEFT";
    fleet.node[4].status_version++;
    fleet_round(&fleet);
    assert_true(ready(&fleet, second));
    fleet_done(&fleet);
}

static void a_member_of_no_known_data_center_may_be_of_any(void **state)
{
    char *const first[] = {one, NULL};
    struct fleet fleet;

    (void)state;
    setup(&fleet);
    fleet.node[2].datacenter = "";
    fleet_crash(&fleet, 2);
    fleet_rounds(&fleet, 8000);
    assert_true(fleet_node(&fleet, 2)->member);
    assert_false(ready(&fleet, NULL));
    assert_false(ready(&fleet, first));
    /* It is found to be of the other one. */
    fleet.node[2].datacenter = "dc2";
    fleet.node[2].generation++;
    fleet_round(&fleet);
    assert_true(ready(&fleet, first));
    fleet_done(&fleet);
}

static bool ready_as_wanted(const struct fleet *fleet, char *const *datacenters, char *name,
                            unsigned size)
{
    const struct dc_wanted wanted = {.name = name, .size = size};
    const struct region_settings region = {datacenters, &wanted, 1};

    return region_ready(fleet->cluster, &region);
}

static void nobody_may_be_missing(void **state)
{
    char *const first[] = {one, NULL}, *const second[] = {two, NULL};
    struct fleet fleet;

    (void)state;
    setup(&fleet);
    fleet_round(&fleet);
    assert_true(ready_as_wanted(&fleet, first, one, 3));
    assert_false(ready_as_wanted(&fleet, first, one, 4));
    assert_true(ready_as_wanted(&fleet, first, one, 2));
    assert_true(ready_as_wanted(&fleet, first, two, 9));
    assert_false(ready_as_wanted(&fleet, second, two, 3));
    /* All data centers: those that are wanted, too, also when the configuration has no size. */
    assert_true(ready_as_wanted(&fleet, NULL, two, 2));
    assert_false(ready_as_wanted(&fleet, NULL, two, 3));
    assert_false(ready_as_wanted(&fleet, NULL, absent, 0));
    fleet_done(&fleet);
}

static void a_node_is_in_the_region_by_its_data_center(void **state)
{
    char *const first[] = {one, NULL};
    struct fleet fleet;

    (void)state;
    setup(&fleet);
    fleet_round(&fleet);
    assert_true(region_has(NULL, fleet_node(&fleet, 4)));
    assert_true(region_has(first, fleet_node(&fleet, 0)));
    assert_false(region_has(first, fleet_node(&fleet, 4)));
    fleet_done(&fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_centers_by_name_with_their_members),
        cmocka_unit_test(no_data_centers_of_an_empty_cluster),
        cmocka_unit_test(members_whose_data_center_is_unknown_are_in_none),
        cmocka_unit_test(ready_when_every_member_of_it_is),
        cmocka_unit_test(a_member_of_no_known_data_center_may_be_of_any),
        cmocka_unit_test(nobody_may_be_missing),
        cmocka_unit_test(a_node_is_in_the_region_by_its_data_center),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

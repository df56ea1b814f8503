/* Jobs: which nodes, in which order; what pauses, ends and skips; as JSON and as documents. */
#include <errno.h>

#include "model_util.h"
#include "publish/render_jobs.h"
#include "store/job_json.h"

static const struct job_settings settings = {.settle_ms = 600000, .stable_ms = 10000};

static const struct job_request all = {.type = "restart", .by = "ops", .id = "0123456789abcdef"};

/* Six nodes in two data centers, not in order. */
static void setup(struct fleet *fleet)
{
    fleet_init(fleet, 6, POLICY_MUTUAL);
    for (size_t i = 0; i < 6; i++) {
        fleet->node[i].datacenter = i % 2 ? "dc1" : "dc2";
        fleet->node[i].rack = i < 3 ? "r2" : "r1";
    }
    fleet_round(fleet);
}

static struct job make(const struct fleet *fleet)
{
    char why[JOB_WHY_LEN];
    struct job job;

    assert_int_equal(job_make(fleet->cluster, &all, 1000, &job, why), 0);
    return job;
}

static const char *states(const struct job *job)
{
    static const char letters[] = "?wgrsdf-";
    static char text[64];

    for (size_t i = 0; i < job->n_nodes; i++)
        text[i] = letters[job->nodes[i].state];
    text[job->n_nodes] = '\0';
    return text;
}

static void by_data_center_rack_and_address(void **state)
{
    static const size_t order[] = {3, 5, 1, 4, 0, 2};
    struct fleet fleet;
    struct job job;

    (void)state;
    setup(&fleet);
    job = make(&fleet);
    assert_int_equal(job.n_nodes, 6);
    for (size_t i = 0; i < 6; i++) {
        const struct prober_addr address = fleet_address(order[i]);

        assert_int_equal(prober_addr_compare(&job.nodes[i].address, &address), 0);
        assert_int_equal(job_find(&job, &address), i);
    }
    assert_string_equal(states(&job), "wwwwww");
    assert_int_equal(job_attention(&job), 0);
    assert_int_equal(job_current(&job), JOB_NOBODY);
    job_done(&job);
    fleet_done(&fleet);
}

static void only_those_asked_for(void **state)
{
    const struct prober_addr two[] = {fleet_address(4), fleet_address(1)};
    const struct prober_addr stranger = fleet_address(9);
    struct job_request request = all;
    char why[JOB_WHY_LEN];
    struct fleet fleet;
    struct job job;

    (void)state;
    setup(&fleet);
    request.datacenter = "dc2";
    assert_int_equal(job_make(fleet.cluster, &request, 1, &job, why), 0);
    assert_int_equal(job.n_nodes, 3);
    job_done(&job);
    request.rack = "r1";
    assert_int_equal(job_make(fleet.cluster, &request, 1, &job, why), 0);
    assert_int_equal(job.n_nodes, 1);
    job_done(&job);
    request = all;
    request.nodes = two;
    request.n_nodes = 2;
    assert_int_equal(job_make(fleet.cluster, &request, 1, &job, why), 0);
    assert_int_equal(job.n_nodes, 2);
    job_done(&job);
    request.datacenter = "dc2";
    assert_int_equal(job_make(fleet.cluster, &request, 1, &job, why), -ENOENT);
    assert_string_equal(why, "10.0.0.2 is no member of the cluster, data center and rack");
    request = all;
    request.nodes = &stranger;
    request.n_nodes = 1;
    assert_int_equal(job_make(fleet.cluster, &request, 1, &job, why), -ENOENT);
    request = all;
    request.datacenter = "dc3";
    assert_int_equal(job_make(fleet.cluster, &request, 1, &job, why), -ENOENT);
    request = all;
    request.type = "re/start";
    assert_int_equal(job_make(fleet.cluster, &request, 1, &job, why), -EINVAL);
    fleet_done(&fleet);
}

static void a_live_node(void **state)
{
    const struct prober_addr one = fleet_address(1), stranger = fleet_address(9);
    struct job_sight sight;
    struct fleet fleet;

    (void)state;
    setup(&fleet);
    job_look(fleet.cluster, &one, fleet.now_ms, &sight);
    assert_true(sight.live && !sight.gone);
    /* Ready is not enough: what it says of itself is too old. */
    job_look(fleet.cluster, &one, fleet.now_ms + 4000, &sight);
    assert_false(sight.live);
    assert_string_equal(sight.why, "no recent answer of it (ok)");
    job_look(fleet.cluster, &stranger, fleet.now_ms, &sight);
    assert_false(sight.live || sight.gone);
    fleet_crash(&fleet, 1);
    fleet_rounds(&fleet, 2000);
    job_look(fleet.cluster, &one, fleet.now_ms, &sight);
    assert_false(sight.live || sight.gone);
    assert_string_equal(sight.why, "DOWN by 5 of 5");
    fleet.node[1].status = "LEFT";
    fleet.node[1].status_version = 90;
    fleet_rounds(&fleet, 2000);
    job_look(fleet.cluster, &one, fleet.now_ms, &sight);
    assert_true(sight.gone);
    assert_string_equal(sight.why, "it has left the cluster");
    fleet_done(&fleet);
}

/* A job of three nodes under a leader that sees what a test says. */
struct led {
    struct job job;
    struct job_node nodes[3];
    struct job_watch watch;
    struct job_seen seen;
};

static void lead_init(struct led *led)
{
    *led = (struct led){.job = {.id = "0123456789abcdef",
                                .type = "restart",
                                .by = "ops",
                                .state = JOB_RUNNING,
                                .n_nodes = 3},
                        .seen = {.held = JOB_NOBODY, .now_ms = 1000000, .wall_ms = 1}};
    led->seen.sight.live = true;
    led->job.nodes = led->nodes;
    for (size_t i = 0; i < 3; i++) {
        led->nodes[i].state = JOB_NODE_WAITING;
        led->nodes[i].address = fleet_address(i);
    }
}

static enum job_act lead(struct led *led, int64_t ms)
{
    led->seen.now_ms += ms;
    led->seen.wall_ms += ms;
    return job_lead(&led->job, &led->watch, &settings, &led->seen);
}

static void see(struct led *led, const char *why)
{
    led->seen.sight.live = !why;
    snprintf(led->seen.sight.why, sizeof(led->seen.sight.why), "%s", why ? why : "");
}

/* The current node's unit has been run. */
static void run(struct led *led, bool good)
{
    size_t node = job_attention(&led->job);

    assert_int_equal(lead(led, 1000), JOB_TAKE);
    job_grant(&led->job, node, led->seen.wall_ms);
    led->seen.held = node;
    assert_true(job_may_begin(&led->job, node));
    job_begin(&led->job, node, "1", led->seen.wall_ms);
    assert_false(job_may_begin(&led->job, node));
    assert_int_equal(lead(led, 1000), JOB_REST);
    job_ran(&led->job, node, good, good ? "" : "exit status 1");
}

static void the_next_once_the_last_is_live_again(void **state)
{
    struct led led;

    (void)state;
    lead_init(&led);
    for (size_t i = 0; i < 3; i++) {
        run(&led, true);
        see(&led, "DOWN by 5 of 5");
        assert_int_equal(lead(&led, 1000), JOB_REST);
        see(&led, NULL);
        assert_int_equal(lead(&led, 1000), JOB_REST);
        assert_int_equal(lead(&led, settings.stable_ms - 1), JOB_REST);
        see(&led, "DOWN by 1 of 5"); /* counts from the beginning again */
        assert_int_equal(lead(&led, 1000), JOB_REST);
        see(&led, NULL);
        assert_int_equal(lead(&led, 1000), JOB_REST);
        assert_int_equal(lead(&led, settings.stable_ms), JOB_WRITE);
        assert_int_equal(led.nodes[i].state, JOB_NODE_DONE);
        assert_int_equal(lead(&led, 0), JOB_GIVE);
        led.seen.held = JOB_NOBODY;
    }
    assert_int_equal(lead(&led, 0), JOB_WRITE);
    assert_int_equal(led.job.state, JOB_DONE);
    assert_string_equal(led.job.why, "");
    assert_int_equal(lead(&led, 0), JOB_FILE);
}

static void a_node_that_does_not_come_back_pauses_it(void **state)
{
    struct led led;

    (void)state;
    lead_init(&led);
    run(&led, true);
    see(&led, "DOWN by 5 of 5");
    assert_int_equal(lead(&led, 0), JOB_REST);
    assert_int_equal(lead(&led, settings.settle_ms - 1), JOB_REST);
    assert_int_equal(lead(&led, 1), JOB_WRITE);
    assert_int_equal(led.job.state, JOB_PAUSED);
    assert_string_equal(led.job.why, "10.0.0.1 has not come back: DOWN by 5 of 5");
    assert_int_equal(lead(&led, 3600000), JOB_REST);
    /* The permit stays, and nobody else has a turn. */
    assert_string_equal(states(&led.job), "sww");
    see(&led, NULL);
    assert_int_equal(lead(&led, 1000), JOB_WRITE);
    assert_int_equal(led.job.state, JOB_RUNNING);
    assert_string_equal(led.job.why, "");
    assert_int_equal(lead(&led, settings.stable_ms), JOB_WRITE);
    assert_string_equal(states(&led.job), "dww");
}

static void a_unit_that_fails_ends_it_once_the_node_is_live(void **state)
{
    struct led led;

    (void)state;
    lead_init(&led);
    run(&led, false);
    assert_int_equal(lead(&led, 1000), JOB_REST);
    assert_int_equal(lead(&led, settings.stable_ms), JOB_WRITE);
    assert_string_equal(states(&led.job), "f--");
    assert_int_equal(led.job.state, JOB_FAILED);
    assert_string_equal(led.job.why, "10.0.0.1 failed: exit status 1");
    assert_string_equal(led.nodes[1].why, "10.0.0.1 failed: exit status 1");
    assert_int_equal(lead(&led, 0), JOB_GIVE);
    led.seen.held = JOB_NOBODY;
    assert_int_equal(lead(&led, 0), JOB_FILE);
}

/* Who mends a node over which the job is paused could have ended the job. */
static void or_goes_on_once_it_is_mended(void **state)
{
    struct led led;

    (void)state;
    lead_init(&led);
    run(&led, false);
    see(&led, "its process is gone");
    lead(&led, 0);
    assert_int_equal(lead(&led, settings.settle_ms), JOB_WRITE);
    assert_int_equal(led.job.state, JOB_PAUSED);
    see(&led, NULL);
    assert_int_equal(lead(&led, 1000), JOB_WRITE);
    assert_int_equal(led.job.state, JOB_RUNNING);
    assert_true(led.nodes[0].bad && led.nodes[0].mended);
    assert_int_equal(lead(&led, settings.stable_ms), JOB_WRITE);
    assert_string_equal(states(&led.job), "fww");
    assert_string_equal(led.nodes[0].why, "exit status 1");
    assert_int_equal(led.job.state, JOB_RUNNING);
}

static void unless_it_is_to_continue(void **state)
{
    struct led led;

    (void)state;
    lead_init(&led);
    led.job.go_on = true;
    run(&led, false);
    lead(&led, 1000);
    assert_int_equal(lead(&led, settings.stable_ms), JOB_WRITE);
    led.seen.held = JOB_NOBODY;
    assert_string_equal(states(&led.job), "fww");
    assert_int_equal(led.job.state, JOB_RUNNING);
    job_skip(&led.job, 1, "x", 1);
    job_skip(&led.job, 2, "x", 1);
    assert_int_equal(lead(&led, 1000), JOB_WRITE);
    assert_int_equal(led.job.state, JOB_FAILED);
    assert_string_equal(led.job.why, "1 of 3 failed, 2 skipped");
}

static void a_node_that_is_not_live_at_its_turn_is_waited_for_and_skipped(void **state)
{
    struct led led;

    (void)state;
    lead_init(&led);
    see(&led, "its process is gone");
    assert_int_equal(lead(&led, 0), JOB_WRITE);
    assert_string_equal(led.job.why, "10.0.0.1 waits to be live: its process is gone");
    assert_int_equal(lead(&led, settings.settle_ms - 1), JOB_REST);
    assert_int_equal(lead(&led, 1), JOB_WRITE);
    assert_string_equal(states(&led.job), "-ww");
    assert_string_equal(led.nodes[0].why,
                        "it was not live when it was its turn: its process is gone");
    see(&led, NULL);
    assert_int_equal(lead(&led, 0), JOB_TAKE);
    /* A gate that forbids is waited for without an end, and said. */
    assert_true(job_refuse(&led.job, &led.watch, 1, "10.0.0.1 is down", led.seen.now_ms + 10000));
    assert_string_equal(led.job.why, "10.0.0.2 waits: 10.0.0.1 is down");
    assert_int_equal(lead(&led, 86400000), JOB_TAKE);
}

static void whose_host_does_not_begin_is_skipped(void **state)
{
    struct led led;

    (void)state;
    lead_init(&led);
    assert_int_equal(lead(&led, 0), JOB_TAKE);
    job_grant(&led.job, 0, 1);
    assert_int_equal(lead(&led, 0), JOB_REST);
    assert_int_equal(lead(&led, 59999), JOB_REST);
    assert_int_equal(lead(&led, 1), JOB_WRITE);
    assert_string_equal(states(&led.job), "-ww");
}

static void suspended(void **state)
{
    struct led led;

    (void)state;
    lead_init(&led);
    led.seen.suspended = true;
    assert_int_equal(lead(&led, 0), JOB_WRITE);
    assert_string_equal(led.job.why, "suspended");
    assert_int_equal(lead(&led, 1000), JOB_REST);
    led.seen.suspended = false;
    assert_int_equal(lead(&led, 0), JOB_TAKE);
    job_grant(&led.job, 0, 1);
    led.seen.suspended = true; /* before its host has begun: nothing has happened yet */
    assert_int_equal(lead(&led, 0), JOB_WRITE);
    assert_string_equal(states(&led.job), "www");
    led.seen.suspended = false;
    run(&led, true);
    led.seen.suspended = true; /* what has begun is ended */
    lead(&led, 0);
    assert_int_equal(lead(&led, settings.stable_ms), JOB_WRITE);
    assert_string_equal(states(&led.job), "dww");
}

static void aborted(void **state)
{
    struct led led;

    (void)state;
    lead_init(&led);
    job_abort(&led.job, "ops", false, 5);
    assert_string_equal(states(&led.job), "---");
    assert_int_equal(led.job.state, JOB_ABORTED);

    lead_init(&led);
    run(&led, true);
    see(&led, "DOWN by 5 of 5");
    lead(&led, 0);
    assert_int_equal(lead(&led, settings.settle_ms), JOB_WRITE);
    job_abort(&led.job, "ops", false, 5);
    assert_string_equal(states(&led.job), "sww");
    assert_int_equal(led.job.state, JOB_ABORTING);
    assert_int_equal(lead(&led, 10000), JOB_WRITE);
    assert_string_equal(led.job.why, "10.0.0.1 has not come back: DOWN by 5 of 5");
    see(&led, NULL);
    lead(&led, 0);
    assert_int_equal(lead(&led, settings.stable_ms), JOB_WRITE);
    assert_string_equal(states(&led.job), "dww");
    assert_int_equal(lead(&led, 0), JOB_GIVE);
    led.seen.held = JOB_NOBODY;
    assert_int_equal(lead(&led, 0), JOB_WRITE);
    assert_string_equal(states(&led.job), "d--");
    assert_int_equal(led.job.state, JOB_ABORTED);
    assert_string_equal(led.nodes[2].why, "aborted by ops");
}

/* Granted it is for a moment, so that a node whose turn is taken back holds nobody up for long; it
 * lasts once something runs. */
static void for_how_long_the_permit_is(void **state)
{
    static const struct {
        enum job_node_state state;
        int64_t ttl_ms, held_ms;
        bool renews;
    } table[] = {
        {JOB_NODE_WAITING, JOB_PERMIT_GRANT_MS, JOB_PERMIT_GRANT_MS, false},
        {JOB_NODE_GRANTED, JOB_PERMIT_GRANT_MS, 0, false},
        {JOB_NODE_GRANTED, JOB_PERMIT_GRANT_MS, JOB_PERMIT_GRANT_MS, false},
        {JOB_NODE_RUNNING, JOB_PERMIT_GRANT_MS, 0, true},
        {JOB_NODE_SETTLING, JOB_PERMIT_GRANT_MS, 0, true},
        {JOB_NODE_RUNNING, JOB_PERMIT_RUN_MS, JOB_PERMIT_RUN_MS / 2, false},
        {JOB_NODE_RUNNING, JOB_PERMIT_RUN_MS, JOB_PERMIT_RUN_MS / 2 + 1, true},
        {JOB_NODE_SETTLING, JOB_PERMIT_RUN_MS, JOB_PERMIT_RUN_MS / 2 + 1, true},
        {JOB_NODE_DONE, JOB_PERMIT_RUN_MS, JOB_PERMIT_RUN_MS, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct job_node node = {.state = table[i].state};
        const struct job job = {.nodes = &node, .n_nodes = 1};

        if (job_renews(&job, 0, table[i].ttl_ms, table[i].held_ms) != table[i].renews)
            fail_msg("%zu", i);
    }
}

/* The permit of a node that was given up is nobody's to give back: it may be down. */
static void aborted_by_force(void **state)
{
    struct led led;

    (void)state;
    lead_init(&led);
    run(&led, true);
    job_abort(&led.job, "ops", true, 5);
    assert_string_equal(states(&led.job), "f--");
    assert_string_equal(led.nodes[0].why, "given up by ops while it was settling");
    assert_int_equal(led.job.state, JOB_ABORTED);
    assert_int_equal(lead(&led, 0), JOB_FILE);
}

static struct job_unit unit(bool known, const char *active, int64_t ran_ms)
{
    return (struct job_unit){.known = known, .active = active, .ran_ms = ran_ms};
}

static void who_comes_back_looks_and_does_not_run_it_again(void **state)
{
    static const struct {
        struct job_unit unit;
        enum job_hand_state state;
        bool good;
    } table[] = {
        {{true, "activating", 0}, HAND_FREE, false},   {{true, "inactive", 6000}, HAND_ENDED, true},
        {{true, "active", 6000}, HAND_ENDED, true},    {{true, "failed", 6000}, HAND_ENDED, false},
        {{true, "inactive", 3000}, HAND_FREE, false},  {{true, "inactive", 0}, HAND_FREE, false},
        {{true, "deactivating", 1}, HAND_FREE, false}, {{false, "", 0}, HAND_FREE, false},
    };
    struct led led;

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct job_hand hand = {0};

        lead_init(&led);
        job_grant(&led.job, 0, 4000);
        job_begin(&led.job, 0, "1", 5000);
        assert_int_equal(job_turn(&led.job, 0, &hand, false, 0, 0), TURN_LOOK);
        job_looked(&hand, &led.nodes[0], &table[i].unit);
        assert_int_equal(hand.state, table[i].state);
        assert_int_equal(hand.good, table[i].good);
        assert_int_equal(job_turn(&led.job, 0, &hand, false, 0, 0),
                         hand.state == HAND_ENDED ? TURN_REPORT : TURN_LOOK);
    }
    {
        /* What it was asked to start may begin late; ten times nothing is nothing. */
        struct job_hand hand = {0};
        const struct job_unit idle = unit(true, "inactive", 3000);

        job_turn(&led.job, 0, &hand, false, 0, 0);
        for (int i = 0; i < 10; i++) {
            assert_int_equal(hand.state, HAND_FREE);
            job_looked(&hand, &led.nodes[0], &idle);
        }
        assert_true(hand.state == HAND_ENDED && !hand.good);
        assert_non_null(strstr(hand.why, "cannot tell whether it ran"));
    }
    {
        /* systemd forgets what has ended well, and this process has seen it run. */
        struct job_hand hand = {0};
        const struct job_unit runs = unit(true, "activating", 0), over = unit(true, "inactive", 0);

        job_turn(&led.job, 0, &hand, false, 0, 0);
        job_looked(&hand, &led.nodes[0], &runs);
        job_looked(&hand, &led.nodes[0], &over);
        assert_true(hand.state == HAND_ENDED && hand.good);
    }
    {
        struct job_hand hand = {0};
        const struct job_unit silent = unit(false, "", 0);
        unsigned looks = 0;

        job_turn(&led.job, 0, &hand, false, 0, 0);
        for (; hand.state != HAND_ENDED; looks++)
            job_looked(&hand, &led.nodes[0], &silent);
        assert_int_equal(looks, 60);
        assert_string_equal(hand.why, "cannot tell whether it ran: systemd does not answer");
    }
}

static void an_answer_that_was_long_on_its_way_is_nothing_to_act_on(void **state)
{
    struct job_hand hand = {.id = "0123456789abcdef", .state = HAND_FOUND};
    struct led led;

    (void)state;
    lead_init(&led);
    job_grant(&led.job, 0, 1);
    assert_int_equal(job_turn(&led.job, 0, &hand, false, 1000, 6001), TURN_NONE);
    assert_int_equal(job_turn(&led.job, 0, &hand, true, 1000, 1000), TURN_NONE);
    /* The permit and the gate are asked again, and soon is when that counts. */
    assert_int_equal(job_turn(&led.job, 0, &hand, false, 1000, 6000), TURN_ASK);
    assert_false(job_asked(&hand, true, 6000));
    assert_int_equal(job_turn(&led.job, 0, &hand, false, 11000, 11000), TURN_BEGIN);
    assert_int_equal(job_turn(&led.job, 0, &hand, false, 11001, 11001), TURN_ASK);
    hand.state = HAND_BEGUN;
    hand.begun_ms = 11000;
    strcpy(hand.run, "1");
    job_begin(&led.job, 0, "1", 1);
    assert_int_equal(job_turn(&led.job, 0, &hand, false, 11000, 16001), TURN_NONE);
    assert_int_equal(job_turn(&led.job, 0, &hand, false, 11000, 16000), TURN_RUN);
    hand.state = HAND_ACTS;
    assert_int_equal(job_turn(&led.job, 0, &hand, false, 1000, 1000), TURN_NONE);
    /* Another one's: a copy of this host, or itself before it was started again. */
    hand.state = HAND_BEGUN;
    strcpy(hand.run, "2");
    assert_int_equal(job_turn(&led.job, 0, &hand, false, 1000, 1000), TURN_LOOK);
    assert_int_equal(job_turn(&led.job, JOB_NOBODY, &hand, false, 1000, 1000), TURN_NONE);
}

/* It was granted, and then the gate says no here: not at once, as this host may be a moment late.
 */
static void a_gate_that_goes_on_to_refuse_takes_the_turn_back(void **state)
{
    struct job_hand hand = {.id = "0123456789abcdef", .state = HAND_FOUND};
    struct led led;
    int refusals = 1;

    (void)state;
    lead_init(&led);
    job_grant(&led.job, 0, 1);
    while (!job_asked(&hand, false, 1000))
        refusals++;
    assert_int_equal(refusals, 10);
    job_back(&led.job, 0);
    assert_int_equal(led.nodes[0].state, JOB_NODE_WAITING);
    assert_int_equal(led.nodes[0].began_ms, 0);
    assert_int_equal(job_turn(&led.job, 0, &hand, false, 1000, 1000), TURN_NONE);
    assert_int_equal(hand.state, HAND_FREE);
}

/* It has won `running`, and the answer came late, or somebody has suspended everything since. */
static void what_could_not_start_at_once_goes_back(void **state)
{
    struct job_hand hand = {
        .id = "0123456789abcdef", .run = "1", .state = HAND_BEGUN, .begun_ms = 1000};
    struct led led;

    (void)state;
    lead_init(&led);
    job_grant(&led.job, 0, 1);
    job_begin(&led.job, 0, "1", 1);
    assert_int_equal(job_turn(&led.job, 0, &hand, false, 11000, 11000), TURN_RUN);
    assert_int_equal(job_turn(&led.job, 0, &hand, false, 11001, 11001), TURN_BACK);
    assert_int_equal(job_turn(&led.job, 0, &hand, true, 2000, 2000), TURN_BACK);
    job_back(&led.job, 0);
    /* Nobody is kept from doing by hand what is suspended. */
    led.seen.suspended = true;
    led.seen.held = 0;
    assert_int_equal(lead(&led, 0), JOB_GIVE);
    led.seen.held = JOB_NOBODY;
    assert_int_equal(lead(&led, 0), JOB_WRITE);
    assert_string_equal(led.job.why, "suspended");
}

/* The store was away for longer than the permit holds. */
static void a_permit_that_was_lost_is_taken_again(void **state)
{
    struct job_watch watch = {0};
    struct led led;

    (void)state;
    lead_init(&led);
    job_grant(&led.job, 0, 1);
    job_begin(&led.job, 0, "1", 1);
    led.seen.held = 0;
    assert_int_equal(lead(&led, 0), JOB_REST);
    led.seen.held = JOB_NOBODY;
    assert_int_equal(lead(&led, 1000), JOB_RETAKE);
    assert_true(job_lost(&led.job, &watch, 0, "the permit is held: somebody else", 2000));
    assert_string_equal(led.job.why, "10.0.0.1 runs its unit without the permit: the permit is "
                                     "held: somebody else");
}

/* Its node is well, and nobody hears how the unit ended: its host may not reach the store. */
static void a_unit_that_runs_for_long_is_told(void **state)
{
    struct led led;

    (void)state;
    lead_init(&led);
    job_grant(&led.job, 0, 1);
    job_begin(&led.job, 0, "1", 1);
    led.seen.held = 0;
    led.seen.sight.live = true;
    assert_int_equal(lead(&led, 0), JOB_REST);
    assert_int_equal(lead(&led, settings.settle_ms - 1), JOB_REST);
    assert_int_equal(lead(&led, 1), JOB_WRITE);
    assert_non_null(strstr(led.job.why, "10.0.0.1 still runs its unit"));
    assert_int_equal(lead(&led, 1000), JOB_REST);
}

static void tokens(void **state)
{
    char token[JOB_TOKEN_LEN];
    struct led led;

    (void)state;
    lead_init(&led);
    job_token(&led.job, 2, token);
    assert_int_equal(job_token_node(&led.job, token), 2);
    strcpy(led.job.id, "another");
    assert_int_equal(job_token_node(&led.job, token), JOB_NOBODY);
    assert_int_equal(job_token_node(&led.job, ""), JOB_NOBODY);
}

static void as_json(void **state)
{
    struct jobs_last last = {0}, kept;
    struct job again, other;
    char why[DETAIL_LEN], *text;
    struct fleet fleet;
    struct job job;

    (void)state;
    setup(&fleet);
    job = make(&fleet);
    job.nodes[1].state = JOB_NODE_SETTLING;
    job.nodes[1].bad = true;
    snprintf(job.nodes[1].why, sizeof(job.nodes[1].why), "cut within a character: \xc3");
    text = job_json_write(&job);
    assert_non_null(text);
    assert_int_equal(job_json_read(text, strlen(text), &again, why), 0);
    assert_string_equal(again.nodes[1].why, "cut within a character: ");
    assert_string_equal(states(&again), "wswwww");
    assert_true(again.nodes[1].bad);
    free(text);

    /* One of each type, the latest first. */
    job_abort(&again, "ops", true, 7);
    text = job_json_write_last(&last, &again, 100000);
    assert_int_equal(job_json_read_last(text, strlen(text), &last, why), 0);
    free(text);
    assert_int_equal(job_copy(&again, &other), 0);
    strcpy(other.type, "repair");
    text = job_json_write_last(&last, &other, 100000);
    jobs_last_done(&last);
    assert_int_equal(job_json_read_last(text, strlen(text), &last, why), 0);
    free(text);
    assert_int_equal(last.n, 2);
    assert_string_equal(last.items[0].type, "repair");
    strcpy(again.id, "new");
    text = job_json_write_last(&last, &again, 100000);
    assert_int_equal(job_json_read_last(text, strlen(text), &kept, why), 0);
    free(text);
    assert_int_equal(kept.n, 2);
    assert_string_equal(kept.items[0].id, "new");
    jobs_last_done(&kept);
    text = job_json_write_last(&last, &again, 10); /* what has no room goes */
    assert_int_equal(job_json_read_last(text, strlen(text), &kept, why), 0);
    free(text);
    assert_int_equal(kept.n, 1);
    jobs_last_done(&kept);
    jobs_last_done(&last);
    job_done(&other);
    job_done(&again);
    job_done(&job);
    fleet_done(&fleet);
}

static void what_is_no_job_is_refused(void **state)
{
    static const char good[] =
        "{\"format\":1,\"id\":\"a\",\"type\":\"restart\",\"state\":\"%s\",\"on_failure\":\"stop\","
        "\"why\":\"\",\"by\":\"\",\"aborted_by\":\"\",\"run\":\"\",\"started\":1,\"ended\":0,"
        "\"nodes\":[%s]}";
    static const struct {
        const char *state, *nodes, *why;
    } table[] = {
        {"running", "[\"10.0.0.1\",\"\",\"\",\"waiting\",\"\",0,0]", NULL},
        {"flying", "", "not a job of format 1"},
        {"running", "[]", "a node of a job without its address or state"},
        {"running", "[\"10.0.0.1\",\"\",\"\",\"dancing\",\"\",0,0]",
         "a node of a job without its address or state"},
        {"running",
         "[\"10.0.0.1\",\"\",\"\",\"done\",\"\",0,0],[\"10.0.0.1\",\"\",\"\",\"done\",\"\",0,0]",
         "a job with a node twice, or with states that cannot be together"},
        {"running",
         "[\"10.0.0.1\",\"\",\"\",\"running\",\"\",0,0],[\"10.0.0.2\",\"\",\"\",\"settling\",\"\","
         "0,0]",
         "a job with a node twice, or with states that cannot be together"},
        {"done", "[\"10.0.0.1\",\"\",\"\",\"waiting\",\"\",0,0]",
         "a job with a node twice, or with states that cannot be together"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char text[1024], why[DETAIL_LEN];
        struct job job = {0};
        int len = snprintf(text, sizeof(text), good, table[i].state, table[i].nodes);
        int r = job_json_read(text, (size_t)len, &job, why);

        assert_int_equal(r, table[i].why ? -EBADMSG : 0);
        assert_string_equal(why, table[i].why ? table[i].why : "");
        job_done(&job);
    }
}

static void count(const char *type, void *userdata)
{
    text_printf(userdata, "%s ", type);
}

static void documents(void **state)
{
    static const char *const types[] = {"restart", "cleanup", NULL};
    struct led led;
    struct job last = {
        .id = "l", .type = "custom", .by = "a\"b", .state = JOB_DONE, .ended_ms = 1000};
    struct jobs_shown shown = {.types = types, .store = "", .last = &last, .n_last = 1};
    struct text text = {0};

    (void)state;
    lead_init(&led);
    led.job.n_nodes = 1;
    job_grant(&led.job, 0, 1764364560000);
    led.job.started_ms = 1764364560000;
    shown.active = &led.job;
    render_jobs(&text, &shown);
    text_add(&text, "", 1);
    assert_string_equal(
        text.data,
        "{\"leader\":null,\"store\":\"ok\",\"suspended\":false,\n \"active\":"
        "{\"id\":\"0123456789abcdef\",\"type\":\"restart\",\"state\":\"running\",\"why\":\"\","
        "\"by\":\"ops\",\"started\":\"2025-11-28T21:16:00Z\",\"ended\":null,"
        "\"on_failure\":\"stop\",\"nodes\":[\n  {\"node\":\"10.0.0.1\",\"dc\":\"\",\"rack\":\"\","
        "\"state\":\"granted\",\"why\":\"\",\"began\":\"2025-11-28T21:16:00Z\",\"ended\":null}]},"
        "\n "
        "\"last\":{\n  "
        "\"custom\":{\"id\":\"l\",\"type\":\"custom\",\"state\":\"done\",\"why\":\"\","
        "\"by\":\"a\\\"b\",\"started\":null,\"ended\":\"1970-01-01T00:00:01Z\",\"on_failure\":"
        "\"stop\","
        "\"nodes\":[]}}}\n");
    text_reset(&text);
    render_jobs_of(&text, &shown, "cleanup");
    text_add(&text, "", 1);
    assert_string_equal(text.data, "{\"active\":null,\n \"last\":null}\n");
    text_reset(&text);
    jobs_types(&shown, count, &text);
    text_add(&text, "", 1);
    assert_string_equal(text.data, "restart cleanup custom ");
    text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_data_center_rack_and_address),
        cmocka_unit_test(only_those_asked_for),
        cmocka_unit_test(a_live_node),
        cmocka_unit_test(the_next_once_the_last_is_live_again),
        cmocka_unit_test(a_node_that_does_not_come_back_pauses_it),
        cmocka_unit_test(a_unit_that_fails_ends_it_once_the_node_is_live),
        cmocka_unit_test(or_goes_on_once_it_is_mended),
        cmocka_unit_test(unless_it_is_to_continue),
        cmocka_unit_test(a_node_that_is_not_live_at_its_turn_is_waited_for_and_skipped),
        cmocka_unit_test(whose_host_does_not_begin_is_skipped),
        cmocka_unit_test(suspended),
        cmocka_unit_test(aborted),
        cmocka_unit_test(for_how_long_the_permit_is),
        cmocka_unit_test(aborted_by_force),
        cmocka_unit_test(who_comes_back_looks_and_does_not_run_it_again),
        cmocka_unit_test(an_answer_that_was_long_on_its_way_is_nothing_to_act_on),
        cmocka_unit_test(a_gate_that_goes_on_to_refuse_takes_the_turn_back),
        cmocka_unit_test(what_could_not_start_at_once_goes_back),
        cmocka_unit_test(a_permit_that_was_lost_is_taken_again),
        cmocka_unit_test(a_unit_that_runs_for_long_is_told),
        cmocka_unit_test(tokens),
        cmocka_unit_test(as_json),
        cmocka_unit_test(what_is_no_job_is_refused),
        cmocka_unit_test(documents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

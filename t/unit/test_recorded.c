/*
 * What real nodes answered (t/fixtures/jolokia), from parsing to verdicts: a cluster's life in the
 * order it was recorded. Nodes 1 and 2 are in dc1, 3 in dc2, 4 joins dc2 and leaves. Run from the
 * top directory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/cluster.h"
#include "model/region.h"
#include "model/seeds.h"
#include "sources/jolokia.h"

#define NODES  4
#define FAST   (ASK_LIVENESS_PORT | ASK_STORAGE)
#define DETAIL (FAST | ASK_STATES_PORT | ASK_PHI_PORT | ASK_HINTS)

struct recorded {
    const char *version;
    struct cluster *cluster;
    int64_t now_ms;
    struct prober_addr address[NODES];
    char host_id[NODES][HOST_ID_LEN];
};

/* Nodes of which no answer was recorded then said what node 1 said. */
struct stage {
    const char *label;
    const char *dead;     /* the nodes whose JMX refuses */
    const char *expected; /* r = ready, . = not ready, - = no such node */
    uint32_t reasons[NODES];
};

static const struct stage life[] = {
    {"steady", "4", "rrr-", {0}},
    {"killed", "34", "rrr-", {0}}, /* gossip has not noticed, and this is not the node's own host */
    {"killed-down", "34", "rr.-", {[2] = REASON_DOWN}},
    {"restarted", "4", "rrr-", {0}},
    {"native-off", "4", "r.r-", {[1] = REASON_NATIVE_OFF}},
    {"gossip-off", "4", "r.r-", {[1] = REASON_DOWN | REASON_STATUS | REASON_GOSSIP_OFF}},
    {"joining", "", "rrr.", {0}},
    {"leaving", "", "rrr.", {[3] = REASON_STATUS | REASON_MODE}},
    {"decommissioned", "", "rrr.", {[3] = REASON_GONE}},
    {"decommissioned-gone", "4", "rrr.", {[3] = REASON_GONE}},
    {"drained",
     "4",
     "r.r.",
     {[1] = REASON_DOWN | REASON_STATUS | REASON_MODE | REASON_NATIVE_OFF | REASON_GOSSIP_OFF,
      [3] = REASON_GONE}},
    {"shutdown",
     "24",
     "r.r.",
     {[1] = REASON_DOWN | REASON_STATUS | REASON_NATIVE_OFF, [3] = REASON_GONE}},
};

static char *read_answer(const struct recorded *recorded, const char *label, size_t node,
                         const char *kind, size_t *ret_len)
{
    char path[256], *body;
    FILE *file;

    snprintf(path, sizeof(path), "t/fixtures/jolokia/%s/%s-node%zu-%s.json", recorded->version,
             label, node + 1, kind);
    file = fopen(path, "r");
    if (!file)
        return NULL;
    body = calloc(1, 1 << 20);
    *ret_len = fread(body, 1, (1 << 20) - 1, file);
    fclose(file);
    return body;
}

static struct view *parse(const struct recorded *recorded, const char *label, size_t node,
                          enum poll_result *ret_result)
{
    enum spelling spelling = SPELLING_UNKNOWN;
    struct view *view = NULL;
    char detail[128];
    size_t len;
    char *body = read_answer(recorded, label, node, "detail", &len);

    if (!body)
        return NULL;
    *ret_result = jolokia_parse(DETAIL, body, len, &view, &spelling, detail);
    free(body);
    return view;
}

static bool is_in(const char *numbers, size_t node)
{
    return strchr(numbers, (int)('1' + node)) != NULL;
}

static void poll_node(struct recorded *recorded, const struct stage *stage, size_t node)
{
    struct observation observation = {.observer = recorded->address[node],
                                      .local = node == 0,
                                      .result = POLL_NEVER,
                                      .began_ms = recorded->now_ms};

    if (is_in(stage->dead, node)) {
        observation.result = POLL_REFUSED;
    } else {
        observation.view = parse(recorded, stage->label, node, &observation.result);
        if (observation.result == POLL_NEVER) {
            observation.view = parse(recorded, stage->label, 0, &observation.result);
            assert_int_equal(observation.result, POLL_OK);
            strcpy(observation.view->host_id, recorded->host_id[node]);
        }
    }
    cluster_ingest(recorded->cluster, &observation, recorded->now_ms);
    view_free(observation.view);
}

static void run_round(struct recorded *recorded, const struct stage *stage)
{
    const struct decision *decisions;
    size_t n;

    recorded->now_ms += 500;
    for (size_t i = 0; i < NODES; i++)
        poll_node(recorded, stage, i);
    cluster_evaluate(recorded->cluster, true, recorded->now_ms, &decisions, &n);
    seeds_apply(recorded->cluster, NULL, &(struct seeds_settings){0}, recorded->now_ms);
    cluster_clean(recorded->cluster);
}

static void check_stage(const struct recorded *recorded, const struct stage *stage)
{
    for (size_t i = 0; i < NODES; i++) {
        const struct node *node = cluster_find(recorded->cluster, &recorded->address[i]);
        char word = !node ? '-' : node->verdict.readiness == READY ? 'r' : '.';

        if (word != stage->expected[i] || (node && node->verdict.reasons != stage->reasons[i]))
            fail_msg("%s %s: node %zu is %c, reasons %#x; not %c, reasons %#x", recorded->version,
                     stage->label, i + 1, word, node ? node->verdict.reasons : 0,
                     stage->expected[i], stage->reasons[i]);
    }
}

/* The addresses are those of the recording: node N is the N-th of the steady view. */
static void open_recording(struct recorded *recorded, const char *version)
{
    const struct readiness_settings settings = {.policy = POLICY_MUTUAL,
                                                .min_observers = 1,
                                                .rise = 1,
                                                .fall = 1,
                                                .settle_ms = 5000,
                                                .view_ttl_ms = 3000};
    enum poll_result result = POLL_NEVER;
    struct view *view;

    *recorded = (struct recorded){.version = version, .now_ms = 1000000};
    recorded->cluster = cluster_new(&settings);
    for (size_t i = 0; i < NODES - 1; i++) {
        view = parse(recorded, "steady", i, &result);
        assert_int_equal(result, POLL_OK);
        strcpy(recorded->host_id[i], view->host_id);
        recorded->address[i] = view->opinions[i].endpoint;
        view_free(view);
    }
    recorded->address[3] = recorded->address[2];
    recorded->address[3].bytes[15]++;
}

/* What a joining node has against itself: 5.0 does not tell its mode while it joins. */
static void live(const char *version, uint32_t joining)
{
    struct recorded recorded;

    open_recording(&recorded, version);
    for (size_t i = 0; i < sizeof(life) / sizeof(life[0]); i++) {
        struct stage stage = life[i];

        if (strcmp(stage.label, "joining") == 0)
            stage.reasons[3] = joining;
        for (int round = 0; round < 20; round++)
            run_round(&recorded, &stage);
        check_stage(&recorded, &stage);
    }
    cluster_free(recorded.cluster);
}

static void the_life_of_a_5_0_cluster(void **state)
{
    (void)state;
    live("5.0.4", REASON_STATUS | REASON_STARTING);
}

static void the_life_of_a_4_1_cluster(void **state)
{
    (void)state;
    live("4.1.9", REASON_STATUS | REASON_MODE | REASON_NATIVE_OFF);
}

static void the_life_of_a_4_0_cluster(void **state)
{
    (void)state;
    live("4.0.18", REASON_STATUS | REASON_MODE | REASON_NATIVE_OFF);
}

/* Polls node 3 with a recorded answer; NULL = there is no such answer. */
static const struct node *poll_starting(struct recorded *recorded, const char *label,
                                        bool *ret_serves)
{
    struct observation observation = {.observer = recorded->address[2],
                                      .began_ms = recorded->now_ms};
    enum spelling spelling = SPELLING_UNKNOWN;
    size_t len;
    char *body = read_answer(recorded, label, 2, "fast", &len);

    if (!body)
        return NULL;
    observation.result =
        jolokia_parse(FAST, body, len, &observation.view, &spelling, observation.detail);
    *ret_serves = observation.view && observation.view->native_transport == TRILEAN_TRUE;
    cluster_ingest(recorded->cluster, &observation, recorded->now_ms);
    view_free(observation.view);
    free(body);
    return cluster_find(recorded->cluster, &recorded->address[2]);
}

/* Also where the others never saw it go. */
static void a_node_that_starts_is_never_ready_before_it_serves(void **state)
{
    static const struct stage steady = {"steady", "34", "rr.-", {0}};
    struct recorded recorded;
    bool serves = false;
    char label[32];

    (void)state;
    open_recording(&recorded, "5.0.4");
    run_round(&recorded, &steady);
    for (int i = 1;; i++) {
        const struct decision *decisions;
        const struct node *node;
        size_t n;

        snprintf(label, sizeof(label), "restart-%02d", i);
        recorded.now_ms += 500;
        for (size_t k = 0; k < 2; k++)
            poll_node(&recorded, &steady, k);
        node = poll_starting(&recorded, label, &serves);
        if (!node)
            break;
        cluster_evaluate(recorded.cluster, true, recorded.now_ms, &decisions, &n);
        if (node->last_result == POLL_OK)
            assert_int_equal(node->verdict.readiness, serves ? READY : NOT_READY);
    }
    assert_true(serves);
    cluster_free(recorded.cluster);
}

static void places_and_seeds_are_as_recorded(void **state)
{
    struct recorded recorded;
    struct region_dc *dcs;
    size_t n;

    (void)state;
    open_recording(&recorded, "5.0.4");
    run_round(&recorded, &life[0]);
    assert_int_equal(region_dcs(recorded.cluster, &dcs, &n), 0);
    assert_int_equal(n, 2);
    assert_string_equal(dcs[0].name, "dc1");
    assert_int_equal(dcs[0].replicas, 2);
    assert_string_equal(dcs[1].name, "dc2");
    assert_int_equal(dcs[1].replicas, 1);
    free(dcs);
    assert_true(region_ready(recorded.cluster, &(struct region_settings){0}));
    for (size_t i = 0; i < 3; i++) {
        const struct node *node = cluster_find(recorded.cluster, &recorded.address[i]);

        assert_true(node->seed);
        assert_string_equal(node->gossip.host_id, recorded.host_id[i]);
        assert_string_equal(node->gossip.rack, i == 1 ? "r2" : "r1");
    }
    assert_int_equal(recorded.cluster->hint_window_ms, 10800000);
    cluster_free(recorded.cluster);
}

/* What 3.11 answers: no ports, STATUS alone; here with IPv6, in the spellings it prints. */
static const char answer_3_11[] =
    "[{\"status\":200,\"value\":{\"/2001:db8:0:0:0:0:0:1\":\"UP\",\"/2001:db8::2\":\"%s\","
    "\"/2001:db8:0::3\":\"UP\"}},"
    "{\"status\":200,\"value\":{\"OperationMode\":\"NORMAL\",\"ClusterName\":\"old\","
    "\"NativeTransportRunning\":true,\"GossipRunning\":true,\"ReleaseVersion\":\"3.11.17\"}},"
    "{\"status\":200,\"value\":\"/2001:db8::1\\n  generation:1700000000\\n  heartbeat:9\\n  "
    "STATUS:18:NORMAL,-1\\n  DC:8:dc1\\n  RACK:10:r1\\n  RPC_READY:29:true\\n"
    "/2001:db8::2\\n  generation:1700000001\\n  heartbeat:9\\n  STATUS:18:NORMAL,-2\\n  "
    "DC:8:dc1\\n  RACK:10:r2\\n  RPC_READY:29:true\\n"
    "/2001:db8::3\\n  generation:1700000002\\n  heartbeat:9\\n  STATUS:18:%s\\n  DC:8:dc2\\n"
    "  RACK:10:r1\\n\"}]";

static void poll_3_11(struct recorded *recorded, size_t node, const char *liveness,
                      const char *status)
{
    struct observation observation = {
        .observer = recorded->address[node], .local = node == 0, .began_ms = recorded->now_ms};
    enum spelling spelling = SPELLING_UNKNOWN;
    char body[2048];
    int len = snprintf(body, sizeof(body), answer_3_11, liveness, status);

    observation.result = jolokia_parse(ASK_LIVENESS | ASK_STORAGE | ASK_STATES, body, (size_t)len,
                                       &observation.view, &spelling, observation.detail);
    assert_int_equal(observation.result, POLL_OK);
    cluster_ingest(recorded->cluster, &observation, recorded->now_ms);
    view_free(observation.view);
}

static void a_3_11_cluster_with_ipv6(void **state)
{
    static const struct stage stage = {"3.11", "", "rr.-", {[2] = REASON_STATUS}};
    const struct readiness_settings settings = {
        .min_observers = 1, .rise = 1, .fall = 1, .view_ttl_ms = 3000};
    struct recorded recorded = {.version = "3.11", .now_ms = 1000000};
    const struct decision *decisions;
    const struct node *second;
    size_t n;

    (void)state;
    recorded.cluster = cluster_new(&settings);
    for (size_t i = 0; i < NODES; i++) {
        char text[16];
        int len = snprintf(text, sizeof(text), "2001:db8::%zu", i + 1);

        prober_addr_parse(text, (size_t)len, &recorded.address[i]);
    }
    poll_3_11(&recorded, 0, "UP", "SOMETHING_NEW,1");
    poll_3_11(&recorded, 1, "UP", "SOMETHING_NEW,1");
    cluster_evaluate(recorded.cluster, true, recorded.now_ms, &decisions, &n);
    check_stage(&recorded, &stage);
    /* Node 1 alone is left to see it. */
    recorded.now_ms += 4000;
    poll_3_11(&recorded, 0, "DOWN", "SOMETHING_NEW,1");
    cluster_evaluate(recorded.cluster, true, recorded.now_ms, &decisions, &n);
    second = cluster_find(recorded.cluster, &recorded.address[1]);
    assert_int_equal(second->verdict.reasons, REASON_DOWN);
    assert_string_equal(second->text, "2001:db8::2");
    cluster_free(recorded.cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_life_of_a_5_0_cluster),
        cmocka_unit_test(the_life_of_a_4_1_cluster),
        cmocka_unit_test(the_life_of_a_4_0_cluster),
        cmocka_unit_test(a_node_that_starts_is_never_ready_before_it_serves),
        cmocka_unit_test(places_and_seeds_are_as_recorded),
        cmocka_unit_test(a_3_11_cluster_with_ipv6),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

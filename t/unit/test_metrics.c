/* What /metrics says of a cluster, whatever its names are, and the line for HAProxy's agents. */
#include "model_util.h"
#include "publish/agent_line.h"
#include "publish/metrics.h"
#include "publish/render_jobs.h"

static char *metrics_of(struct fleet *fleet, bool opinions, struct text *text)
{
    struct process_figures figures = {.decisions = 7};
    const struct render_context context = {.cluster = fleet->cluster,
                                           .now_ms = fleet->now_ms,
                                           .wall_offset_ms = 1000000000000,
                                           .region_name = "local",
                                           .metrics_opinions = opinions};

    figures.polls.polls = 5;
    figures.polls.durations[0] = 2;
    figures.polls.durations[3] = 1;
    text_reset(text);
    render_metrics(text, &context, &figures, fleet->now_ms - 1500);
    assert_false(text->failed);
    text_add(text, "", 1);
    return text->data;
}

static void has(const char *text, const char *line)
{
    for (const char *at = strstr(text, line); at; at = strstr(at + 1, line))
        if ((at == text || at[-1] == '\n') && at[strlen(line)] == '\n')
            return;
    fail_msg("no line %s in\n%s", line, text);
}

static void figures_and_times(void **state)
{
    struct text text = {0};
    struct fleet fleet;
    char *said;

    (void)state;
    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet_rounds(&fleet, 2000);
    said = metrics_of(&fleet, false, &text);
    has(said, "cassandra_prober_nodes 3");
    has(said, "cassandra_prober_nodes_ready 3");
    has(said, "cassandra_prober_decisions_total 7");
    has(said, "cassandra_prober_data_age_seconds 1.500000");
    has(said, "cassandra_prober_poll_duration_seconds_bucket{le=\"0.0005\"} 2");
    has(said, "cassandra_prober_poll_duration_seconds_bucket{le=\"0.0025\"} 2");
    has(said, "cassandra_prober_poll_duration_seconds_bucket{le=\"0.005\"} 3");
    has(said, "cassandra_prober_poll_duration_seconds_bucket{le=\"5\"} 3");
    has(said, "cassandra_prober_poll_duration_seconds_bucket{le=\"+Inf\"} 5");
    has(said, "cassandra_prober_suspended 0");
    assert_null(strstr(said, "opinion_up"));
    said = metrics_of(&fleet, true, &text);
    has(said, "cassandra_prober_opinion_up{observer=\"10.0.0.1\",node=\"10.0.0.3\"} 1");
    text_free(&text);
    fleet_done(&fleet);
}

static void names_cannot_break_the_format(void **state)
{
    struct text text = {0};
    struct fleet fleet;

    (void)state;
    fleet_init(&fleet, 2, POLICY_MUTUAL);
    for (size_t i = 0; i < fleet.n; i++) {
        fleet.node[i].datacenter = "a\"\\\x7f\n\x1b\xff";
        fleet.node[i].rack = "r\xc3\xa4";
    }
    fleet_rounds(&fleet, 1000);
    has(metrics_of(&fleet, false, &text), "cassandra_prober_node_ready{node=\"10.0.0.1\","
                                          "dc=\"a\\\"\\\\???\xef\xbf\xbd\",rack=\"r\xc3\xa4\"} 1");
    text_free(&text);
    fleet_done(&fleet);
}

static void what_is_wrong_with_a_node(void **state)
{
    struct text text = {0};
    struct fleet fleet;
    char *said;

    (void)state;
    fleet_init(&fleet, 4, POLICY_MUTUAL);
    fleet_rounds(&fleet, 6000);
    fleet.node[1].native = TRILEAN_FALSE;
    fleet.node[2].row[0] = fleet.node[2].row[1] = fleet.node[2].row[3] = 'D';
    fleet_node(&fleet, 3)->run.state = RUN_STATE_STOP;
    fleet_rounds(&fleet, 3000);
    said = metrics_of(&fleet, false, &text);
    has(said, "cassandra_prober_node_not_ready_reason{node=\"10.0.0.4\",reason=\"run_state\"} 1");
    has(said, "cassandra_prober_node_not_ready_reason{node=\"10.0.0.2\",reason=\"native_off\"} 1");
    has(said, "cassandra_prober_node_not_ready_reason{node=\"10.0.0.3\",reason=\"lost_vote\"} 1");
    has(said, "cassandra_prober_node_lost_vote{node=\"10.0.0.3\"} 1");
    has(said, "cassandra_prober_node_disputed{node=\"10.0.0.3\"} 1");
    has(said, "cassandra_prober_node_disputed{node=\"10.0.0.1\"} 0");
    has(said, "cassandra_prober_observer_counts{node=\"10.0.0.1\"} 1");
    has(said, "cassandra_prober_observer_counts{node=\"10.0.0.3\"} 0");
    text_free(&text);
    fleet_done(&fleet);
}

/* The job that runs, whoever leads; without a store there is nothing to tell. */
static void what_acts(void **state)
{
    struct job_node nodes[] = {{.state = JOB_NODE_DONE},
                               {.state = JOB_NODE_SETTLING},
                               {.state = JOB_NODE_WAITING},
                               {.state = JOB_NODE_WAITING}};
    struct job active = {.type = "restart", .state = JOB_PAUSED, .nodes = nodes, .n_nodes = 4};
    const struct job last[] = {{.type = "cleanup", .state = JOB_FAILED},
                               {.type = "repair", .state = JOB_DONE}};
    struct jobs_shown jobs = {.leader = "host-1", .store = "", .last = last, .n_last = 2};
    struct render_context context = {.host = "host-1", .jobs = &jobs};
    struct text text = {0};

    (void)state;
    metrics_add_jobs(&text, &context);
    text_add(&text, "", 1);
    has(text.data, "cassandra_prober_leader 1");
    has(text.data, "cassandra_prober_coordination_store_up 1");
    has(text.data, "cassandra_prober_job_last_failed{type=\"cleanup\"} 1");
    has(text.data, "cassandra_prober_job_last_failed{type=\"repair\"} 0");
    assert_null(strstr(text.data, "job_state{"));
    assert_null(strstr(text.data, "job_nodes{"));

    jobs.active = &active;
    jobs.store = "etcd: timeout";
    context.host = "host-2";
    text_reset(&text);
    metrics_add_jobs(&text, &context);
    text_add(&text, "", 1);
    has(text.data, "cassandra_prober_leader 0");
    has(text.data, "cassandra_prober_coordination_store_up 0");
    has(text.data, "cassandra_prober_job_state{type=\"restart\",state=\"running\"} 0");
    has(text.data, "cassandra_prober_job_state{type=\"restart\",state=\"paused\"} 1");
    has(text.data, "cassandra_prober_job_nodes{type=\"restart\",state=\"waiting\"} 2");
    has(text.data, "cassandra_prober_job_nodes{type=\"restart\",state=\"running\"} 0");
    has(text.data, "cassandra_prober_job_nodes{type=\"restart\",state=\"settling\"} 1");

    jobs.no_store = true;
    text_reset(&text);
    metrics_add_jobs(&text, &context);
    assert_int_equal(text.len, 0);
    text_free(&text);
}

static void a_line_for_haproxy(void **state)
{
    char line[AGENT_LINE_LEN] = "";
    struct node node = {0};

    (void)state;
    assert_true(agent_line(NULL, line));
    assert_string_equal(line, "down #no node of this cluster\n");
    assert_false(agent_line(&node, line));
    node.verdict.readiness = READY;
    assert_true(agent_line(&node, line));
    assert_string_equal(line, "up ready\n");
    node.verdict = (struct verdict){.readiness = NOT_READY, .reasons = REASON_DRAINED};
    assert_true(agent_line(&node, line));
    assert_string_equal(line, "drain\n");
    node.verdict.reasons |= REASON_DOWN;
    node.verdict.down = node.verdict.counted = 2;
    assert_true(agent_line(&node, line));
    assert_string_equal(line, "down #drained, DOWN by 2 of 2\n");
    snprintf(node.gossip.status, sizeof(node.gossip.status), "a\nup\x1b");
    node.verdict.reasons = REASON_STATUS;
    assert_true(agent_line(&node, line));
    assert_string_equal(line, "down #status a?up?\n");
    node.gone = true;
    assert_true(agent_line(&node, line));
    assert_string_equal(line, "down #no node of this cluster\n");
}

/* However long its reasons are, it is one line that ends. */
static void a_line_has_an_end(void **state)
{
    char line[AGENT_LINE_LEN];
    struct node node = {.verdict = {.readiness = NOT_READY, .reasons = ~0u}};

    (void)state;
    memset(node.gossip.status, 's', sizeof(node.gossip.status) - 1);
    memset(node.drain.user, 'u', sizeof(node.drain.user) - 1);
    assert_true(agent_line(&node, line));
    assert_int_equal(strlen(line), AGENT_LINE_LEN - 1);
    assert_ptr_equal(strchr(line, '\n'), line + AGENT_LINE_LEN - 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_and_times),
        cmocka_unit_test(names_cannot_break_the_format),
        cmocka_unit_test(what_is_wrong_with_a_node),
        cmocka_unit_test(what_acts),
        cmocka_unit_test(a_line_for_haproxy),
        cmocka_unit_test(a_line_has_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Every rule of the gates, on both of its sides. */
#include "gates_util.h"

#define DEFAULTS                                                                                   \
    {                                                                                              \
        .bootstrap_grace_ms = 120000, .stable_ms = 5000                                            \
    }

static struct gate_context context_of(const struct fleet *fleet,
                                      const struct gate_settings *settings)
{
    return (struct gate_context){.cluster = fleet->cluster,
                                 .settings = settings,
                                 .now_ms = fleet->now_ms,
                                 .wall_ms = GATES_WALL_MS};
}

static void start_rules(void **state)
{
    static const struct {
        const char *nodes, *seeds;
        size_t who;          /* number of a node; one more than there are = a new one */
        const char *options; /* 's' strict, '1' who asks is first_node, 'w' the region waits */
        const char *answer;
    } table[] = {
        /* A seed is NORMAL and UP. */
        {"11D 12+ 13+", "2", 1, "", "yes"},
        {"11D 12D 13+ 13+", "2", 1, "", "no: no seed is NORMAL and UP: 10.0.0.2 is down"},
        {"11D 12n 13+ 13+", "2", 1, "", "yes"},
        {"11D 12d 13+ 13+", "2", 1, "",
         "no: no seed is NORMAL and UP: 10.0.0.2 is in mode DRAINING"},
        {"11D 12o 13+ 13+", "2", 1, "", "yes"},
        {"11D 12D 13D 13+ 13+ 13+ 13+", "23", 1, "",
         "no: no seed is NORMAL and UP: 10.0.0.2 is down, 10.0.0.3 is down"},
        /* ... but who is a seed itself, is declared, or where none is known. */
        {"11D 12D 13+ 13+", "12", 1, "", "yes"},
        {"11D 12+ 13+ 13+", "", 1, "", "yes"},
        {"11D 12D 13+ 13+", "2", 1, "1", "yes"},
        /* A full stop. */
        {"11D 12D 13D", "1", 1, "", "yes"},
        {"11D 12D 13D", "1", 2, "", "no: no seed is NORMAL and UP: 10.0.0.1 is seen by nobody"},
        {"11D 12D 13D", "", 2, "", "yes"},
        {"11D 12h 13h", "1", 1, "",
         "unknown: nobody's opinion counts, and of 2 other nodes 0 are known not to run"},
        {"11D 12D 13h", "1", 1, "", "yes"},
        {"11D", "1", 1, "", "yes"},
        {"11+ 12D 13D", "1", 2, "", "yes"}, /* it alone sees itself */
        {"11D 12D 13D", "1", 4, "", "no: no seed is NORMAL and UP"},
        /* Who joins needs all others. */
        {"11+ 12+ 13+", "1", 4, "", "yes"},
        {"11+ 12+ 13D", "1", 4, "",
         "no: it joins, and not all others are NORMAL and UP: 10.0.0.3 is down"},
        {"11+ 12+ 13d", "1", 4, "", "10.0.0.3 is in mode DRAINING"},
        {"11+ 12+ 13n", "1", 4, "", "yes"},
        {"11+ 12+ 13o", "1", 4, "", "yes"},
        {"11+ 12+ 13Q", "1", 4, "", "yes"},
        {"11+ 12+ 13Q", "1", 3, "", "yes"},
        {"11+ 12D 13Q", "1", 3, "", "no: it joins"},
        {"11+ 12+ 13D 11D 12D 13+ 11+ 12+ 13D", "1", 10, "",
         "10.0.0.3 is down, 10.0.0.4 is down, 10.0.0.5 is down, and 1 more"},
        /* Its own region's turn, which who has begun does not wait for. */
        {"11+ 12+ 13+", "1", 4, "w", "no: it is the turn of ap"},
        {"11+ 12+ 13D", "1", 3, "w", "yes"},
        /* A known member is held back by nobody who is down. */
        {"11+ 12D 13D 11D", "1", 2, "", "yes"},
        {"11+ 12+ 13D 11+", "1", 3, "s", "yes"},
        {"11+ 12D 13D 11+ 12+", "1", 2, "s", "no: 10.0.0.3 is down (gates.strict)"},
        /* ... but by who moves or starts, wherever. */
        {"11+ 12D 23J", "1", 2, "", "no: 10.0.0.3 is joining"},
        {"11+ 12D 23L", "1", 2, "", "no: 10.0.0.3 is leaving"},
        {"11+ 12D 23M", "1", 2, "", "no: 10.0.0.3 is moving"},
        {"11+ 12D 23s", "1", 2, "", "no: 10.0.0.3 is starting"},
        {"11+ 12+ 13J", "1", 3, "", "yes"}, /* itself */
        {"11+ 12D 13L 13M", "1", 2, "", "no: 10.0.0.3 is leaving, 10.0.0.4 is moving"},
        {"11+ 12D 13d", "1", 2, "", "yes"},
        /* No other start within the grace. */
        {"11+ 12D 13g", "1", 2, "", "no: began to start less than 120 s ago: 10.0.0.3"},
        {"11+ 12g 13+", "1", 2, "", "yes"},
        /* One in a rack. */
        {"11+ 12D 12n 13+", "1", 2, "", "no: 10.0.0.3 is coming up in the same rack, r2"},
        {"11+ 12D 13n 13+", "1", 2, "", "yes"},
        {"11+ 12D 22n 13+", "1", 2, "", "yes"},
        {"11+ 12n 13+ 13+", "1", 2, "", "yes"},
        {"11+ 12n 12n 12D 13+", "1", 4, "", "10.0.0.2 is coming up"},
        {"11+ 12n 12n 12D 13+", "1", 2, "", "10.0.0.3 is coming up"},
        /* All reasons at once. */
        {"11D 12D 13L 13g", "1", 2, "",
         "no: no seed is NORMAL and UP: 10.0.0.1 is down; 10.0.0.3 is leaving; began to start less "
         "than 120 s ago: 10.0.0.4"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct gate_settings settings = DEFAULTS;
        const struct prober_addr who = gates_address(table[i].who);
        struct gate_context context;
        struct gate_answer answer;
        struct fleet fleet;

        gates_place(&fleet, table[i].nodes);
        gates_seeds(&fleet, table[i].seeds);
        settings.strict = strchr(table[i].options, 's') != NULL;
        if (strchr(table[i].options, '1'))
            settings.first_node = who;
        context = context_of(&fleet, &settings);
        if (strchr(table[i].options, 'w'))
            context.waits = "it is the turn of ap";
        gate_start(&context, &who, NULL, &answer);
        if (strcmp(table[i].answer, "yes") == 0
                ? answer.verdict != GATE_YES || answer.n_reasons != 0
                : !strstr(gates_text(&answer), table[i].answer))
            fail_msg("%s, seeds %s, start %zu %s: %s", table[i].nodes, table[i].seeds, table[i].who,
                     table[i].options, gates_text(&answer));
        fleet_done(&fleet);
    }
}

/* Keyspaces as "name:dc=N,dc=N name:N name:?". */
static void make_keyspaces(struct keyspaces *ret, const char *text)
{
    char copy[256], *save = NULL;

    *ret = (struct keyspaces){.items = calloc(8, sizeof(*ret->items)), .read_at_ms = 1};
    snprintf(copy, sizeof(copy), "%s", text);
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        struct keyspace *keyspace = &ret->items[ret->n++];
        char *colon = strchr(word, ':'), *inner = NULL;

        snprintf(keyspace->name, sizeof(keyspace->name), "%.*s", (int)(colon - word), word);
        keyspace->dcs = calloc(4, sizeof(*keyspace->dcs));
        for (char *dc = strtok_r(colon + 1, ",", &inner); dc && *dc != '?';
             dc = strtok_r(NULL, ",", &inner)) {
            struct keyspace_dc *at = &keyspace->dcs[keyspace->n_dcs++];
            char *equals = strchr(dc, '=');

            if (equals)
                snprintf(at->name, sizeof(at->name), "%.*s", (int)(equals - dc), dc);
            at->replicas = (unsigned)atoi(equals ? equals + 1 : dc);
        }
    }
}

static void stop_rules(void **state)
{
    static const struct {
        const char *nodes;
        const char *keyspaces; /* NULL = not read */
        size_t who;
        bool strict;
        const char *answer;
    } table[] = {
        /* Who it is. */
        {"11+ 12+ 13+", "a:dc1=3", 4, false, "no: it is no node of the cluster"},
        {"11+ 12+ 13+ 13Q", "a:dc1=3", 4, false, "no: it has left the cluster"},
        {"11+ 12+ 13D 11D", "a:dc1=3", 4, false, "yes"}, /* down already */
        {"11D 12D 13D", "a:dc1=3", 1, false, "unknown: nobody's opinion counts"},
        {"11+ 12+ ??+", "a:dc1=3", 3, false, "unknown: its data center is not known"},
        /* LOCAL_QUORUM of three. */
        {"11+ 12+ 13+", "a:dc1=3", 1, false, "yes"},
        {"11+ 12+ 13D", "a:dc1=3", 1, false,
         "no: keyspace a would keep 1 of 3 replicas in dc1: 10.0.0.3 is down"},
        {"11+ 12+ 13n", "a:dc1=3", 1, false,
         "keyspace a would keep 1 of 3 replicas in dc1: 10.0.0.3 is not ready"},
        {"11+ 12+ 13s", "a:dc1=3", 1, false, "10.0.0.3 is starting"},
        {"11+ 12n 13+", "a:dc1=3", 2, false, "yes"}, /* it is lost already */
        {"11+ 12+ 13+ 21D", "a:dc1=3,dc2=3", 1, false, "yes"},
        {"11+ 12+ 13+ 21+ 22+ 23D", "a:dc1=3,dc2=3", 4, false,
         "would keep 1 of 3 replicas in dc2: 10.0.0.6 is down"},
        {"11+ 12+ 13D 21+", "a:dc2=1", 1, false, "yes"}, /* nothing of it is there */
        /* Of five, and more than one keyspace. */
        {"11+ 12+ 13+ 14+ 15D", "a:dc1=5", 1, false, "yes"},
        {"11+ 12+ 13+ 14D 15D", "a:dc1=5", 1, false, "keyspace a would keep 2 of 5 replicas"},
        {"11+ 12+ 13+ 14+ 15D", "b:dc1=5 a:dc1=3 c:dc1=3", 1, false,
         "no: keyspace a and 1 more would keep 1 of 3 replicas in dc1: 10.0.0.5 is down"},
        {"11+ 12+ 13+ 14+", "a:dc1=4", 1, false, "yes"},
        {"11+ 12+ 13+ 14D", "a:dc1=4", 1, false, "keyspace a would keep 2 of 4 replicas"},
        /* Racks: all that is lost of one of three or more is one replica. */
        {"11+ 12+ 13+ 11D 12+ 13+", "a:dc1=3", 1, false, "yes"},
        {"11+ 12+ 13+ 11D 12+ 13+", "a:dc1=3", 2, false, "would keep 1 of 3"},
        {"11+ 12+ 11+ 11D 12+ 12+", "a:dc1=3", 1, false, "would keep 1 of 3"},
        {"11+ 12+ 11+ 11D 12+ 12+", "a:dc1=3", 2, false, "would keep 1 of 3"},
        {"11+ 11+ 11+ 11+ 11+", "a:dc1=3", 2, false, "yes"},
        {"11+ 11D 11+ 11+ 11+ 11+", "a:dc1=3", 1, false, "would keep 1 of 3"},
        {"11+ 12+ 13+ 1?D 12+ 13+", "a:dc1=3", 1, false, "would keep 1 of 3"},
        {"11+ 12+ 13+ ??D 12+ 13+", "a:dc1=3", 1, false,
         "keyspace a would keep 1 of 3 replicas in dc1: 10.0.0.4 is down"},
        /* Fewer nodes than replicas. */
        {"11+ 12+", "a:dc1=3", 1, false,
         "keyspace a would keep 1 of 3 replicas in dc1: it has 2 nodes"},
        {"11+", "a:dc1=3", 1, false, "keyspace a would keep 0 of 3 replicas in dc1: it has 1 node"},
        /* Fewer than three replicas. */
        {"11+ 12+ 13+", "a:dc1=2", 1, false,
         "yes: keyspace a has 2 replicas in dc1: LOCAL_QUORUM is lost for some data"},
        {"11+ 12+ 13D", "a:dc1=1", 1, false,
         "no: keyspace a has 1 replica, so one node of dc1 at a time: 10.0.0.3 is down"},
        {"11+ 12+ 13+ 21D", "a:dc1=1", 1, false, "yes: keyspace a has 1 replica"},
        {"11+ 12+ 13+", "a:dc1=2", 1, true,
         "no: keyspace a has 2 replicas in dc1, fewer than 3 (gates.strict)"},
        {"11+ 12+ 13+", "a:dc1=3", 1, true, "yes"},
        /* SimpleStrategy: anywhere in the cluster. */
        {"11+ 12+ 13+ 21+", "a:3", 1, false, "yes"},
        {"11+ 12+ 13+ 21D", "a:3", 1, false,
         "no: keyspace a would keep 1 of 3 replicas in the cluster: 10.0.0.4 is down"},
        {"11+ 11+ 12+ 12+ 13+ 11D", "a:3", 1, false, "would keep 1 of 3 replicas in the cluster"},
        {"11+ 12+ 21D", "a:1", 1, false,
         "no: keyspace a has 1 replica, so one node of the cluster at a time: 10.0.0.3 is down"},
        {"11+ 12+ 13+", "a:1", 1, false,
         "yes: keyspace a has 1 replica in the cluster: LOCAL_QUORUM is lost for some data"},
        /* Nobody knows. */
        {"11+ 12+ 13+ 21D", NULL, 1, false, "yes"},
        {"11+ 12+ 13D 21+", NULL, 1, false,
         "no: the replication of the keyspaces is not known, so one node of dc1 at a time"},
        {"11+ 12+ 13+ 21D", "a:?", 1, false, "yes"},
        {"11+ 12+ 13D 21+", "a:?", 1, false,
         "no: the replication of keyspace a is not known, so one node of dc1 at a time: 10.0.0.3"},
        {"11+ 12+ 13D", "", 1, false, "yes"},
        /* Others that are at something. */
        {"11+ 12+ 13+ 21J", "a:dc1=3", 1, false, "no: 10.0.0.4 is joining"},
        {"11+ 12+ 13+ 21L", "a:dc1=3", 1, false, "no: 10.0.0.4 is leaving"},
        {"11+ 12+ 13+ 21M", "a:dc1=3", 1, false, "no: 10.0.0.4 is moving"},
        {"11+ 12+ 13+ 21J", "a:dc1=3", 4, false, "yes"}, /* itself */
        {"11+ 12+ 13+ 14+ 15d", "a:dc1=5", 1, false, "no: 10.0.0.5 is draining"},
        {"11+ 12+ 13+ 14+ 15x", "a:dc1=5", 1, false, "no: 10.0.0.5 is drained"},
        {"11+ 12+ 13+ 14+ 15d", "a:dc1=5", 5, false, "yes"},
        {"11+ 12+ 13+ 21d", "a:dc1=3", 1, false, "yes"},
        {"11+ 12+ 13o", "a:dc1=3", 1, false, "no: out of service by an operator: 10.0.0.3"},
        {"11+ 12+ 13o", "a:dc1=3", 3, false, "yes"},
        {"11+ 12+ 13+ 21o", "a:dc1=3", 1, false, "yes"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct gate_settings settings = DEFAULTS;
        const struct prober_addr who = gates_address(table[i].who);
        struct keyspaces keyspaces = {0};
        struct gate_context context;
        struct gate_answer answer;
        struct fleet fleet;

        gates_place(&fleet, table[i].nodes);
        settings.strict = table[i].strict;
        context = context_of(&fleet, &settings);
        if (table[i].keyspaces) {
            make_keyspaces(&keyspaces, table[i].keyspaces);
            context.keyspaces = &keyspaces;
        }
        gate_stop(&context, &who, NULL, &answer);
        if (strcmp(table[i].answer, "yes") == 0
                ? answer.verdict != GATE_YES || answer.n_reasons != 0
                : !strstr(gates_text(&answer), table[i].answer))
            fail_msg("%s, %s, stop %zu%s: %s", table[i].nodes, table[i].keyspaces, table[i].who,
                     table[i].strict ? " strict" : "", gates_text(&answer));
        keyspaces_done(&keyspaces);
        fleet_done(&fleet);
    }
}

static void stop_needs_stable_verdicts(void **state)
{
    const struct gate_settings settings = {.bootstrap_grace_ms = 120000, .stable_ms = 10000};
    const struct prober_addr who = gates_address(1), other = gates_address(3);
    struct gate_context context;
    struct gate_answer answer;
    struct fleet fleet;

    (void)state;
    gates_place(&fleet, "11+ 12+ 13+ 14+ 15+");
    context = context_of(&fleet, &settings);
    gate_stop(&context, &who, NULL, &answer);
    assert_int_equal(answer.verdict, GATE_YES);
    fleet_crash(&fleet, 2);
    fleet_round(&fleet);
    memset(fleet.node[0].row, 'U', 5);
    for (size_t i = 0; i < 5; i++)
        fleet.node[i].row[2] = 'U';
    fleet.node[2].result = POLL_OK;
    fleet_rounds(&fleet, 9000);
    assert_verdicts(&fleet, "rrrrr");
    context.now_ms = fleet.now_ms;
    gate_stop(&context, &who, NULL, &answer);
    assert_string_equal(gates_text(&answer), "no: changed within the last 10 s: 10.0.0.3");
    gate_stop(&context, &other, NULL, &answer); /* its own change is no matter */
    assert_int_equal(answer.verdict, GATE_YES);
    fleet_rounds(&fleet, 9000);
    context.now_ms = fleet.now_ms;
    gate_stop(&context, &who, NULL, &answer);
    assert_int_equal(answer.verdict, GATE_YES);
    fleet_done(&fleet);
}

static void the_permit(void **state)
{
    const struct gate_settings settings = DEFAULTS;
    struct permit permit = {.node = gates_address(3), .token = "t", .who = "ops", .ttl_ms = 60000};
    static const struct {
        enum permit_kind kind;
        size_t who;
        const char *token, *start, *stop;
    } table[] = {
        {PERMIT_NONE, 2, NULL, "yes", "yes"},
        {PERMIT_START, 2, NULL, "no: the permit is held: 10.0.0.3 is to start (ops)",
         "no: the permit is held: 10.0.0.3 is to start (ops)"},
        {PERMIT_START, 2, "other", "no: ", "no: "},
        {PERMIT_START, 4, NULL, "no: the permit is held: 10.0.0.3 is to start (ops)", "no: "},
        /* Beside a stop a member may start, who joins may not, and nobody else stop. */
        {PERMIT_STOP, 2, NULL, "yes", "no: the permit is held: 10.0.0.3 is to stop (ops)"},
        {PERMIT_STOP, 2, "other", "yes", "no: "},
        {PERMIT_STOP, 4, NULL, "no: the permit is held: 10.0.0.3 is to stop (ops)", "no: "},
        {PERMIT_STOP, 2, "t", "yes", "yes"},
        {PERMIT_STOP, 3, "t", "yes", "yes"},
        /* The node it is about may start, whoever says so; to stop it is for the holder alone. */
        {PERMIT_STOP, 3, NULL, "yes", "no: the permit is held"},
        {PERMIT_START, 3, "other", "yes", "no: the permit is held"},
    };
    struct gate_context context;
    struct gate_answer answer;
    struct fleet fleet;

    (void)state;
    gates_place(&fleet, "11+ 12+ 13+");
    gates_seeds(&fleet, "1");
    context = context_of(&fleet, &settings);
    context.permit = &permit;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const struct prober_addr who = gates_address(table[i].who);

        permit.kind = table[i].kind;
        /* Over by READY it would be none: what is asked here is what the gates make of it. */
        permit.seen_since_ms = fleet.now_ms - 1000;
        gate_start(&context, &who, table[i].token, &answer);
        if (!strstr(gates_text(&answer), table[i].start))
            fail_msg("%zu start: %s", i, gates_text(&answer));
        gate_stop(&context, &who, table[i].token, &answer);
        if (!strstr(gates_text(&answer), table[i].stop))
            fail_msg("%zu stop: %s", i, gates_text(&answer));
    }
    fleet_done(&fleet);
}

/* In a rolling restart the one before has started not long ago: who was stopped by the permit comes
 * back. */
static void a_rolling_restart(void **state)
{
    const struct gate_settings settings = DEFAULTS;
    struct permit permit = {.kind = PERMIT_STOP,
                            .node = gates_address(2),
                            .who = "job 1",
                            .seen_since_ms = 1,
                            .ttl_ms = 60000};
    const struct prober_addr stopped = gates_address(2), other = gates_address(4);
    struct gate_context context;
    struct gate_answer answer;
    struct fleet fleet;

    (void)state;
    gates_place(&fleet, "11g 12D 13+ 13D");
    gates_seeds(&fleet, "1");
    context = context_of(&fleet, &settings);
    gate_start(&context, &stopped, NULL, &answer);
    assert_string_equal(gates_text(&answer), "no: began to start less than 120 s ago: 10.0.0.1");
    context.permit = &permit;
    gate_start(&context, &stopped, NULL, &answer);
    assert_string_equal(gates_text(&answer), "yes");
    gate_start(&context, &other, NULL, &answer);
    assert_non_null(strstr(gates_text(&answer), "began to start less than 120 s ago: 10.0.0.1"));
    fleet_done(&fleet);
}

/* Seeds that are said, in place of those that were chosen. */
static void the_seeds_that_are_said(void **state)
{
    const struct gate_settings settings = DEFAULTS;
    const struct prober_addr who = gates_address(3), said[] = {gates_address(2)};
    const struct addresses seeds = {(struct prober_addr *)said, 1}, none = {0};
    struct gate_context context;
    struct gate_answer answer;
    struct fleet fleet;

    (void)state;
    gates_place(&fleet, "11+ 12D 13D 13+ 13+");
    gates_seeds(&fleet, "1");
    context = context_of(&fleet, &settings);
    gate_start(&context, &who, NULL, &answer);
    assert_int_equal(answer.verdict, GATE_YES);
    context.seeds = &seeds;
    gate_start(&context, &who, NULL, &answer);
    assert_string_equal(gates_text(&answer), "no: no seed is NORMAL and UP: 10.0.0.2 is down");
    context.seeds_guessed = true;
    gate_start(&context, &who, NULL, &answer);
    assert_int_equal(answer.verdict, GATE_YES);
    context.seeds_guessed = false;
    context.seeds = &none;
    gate_start(&context, &who, NULL, &answer);
    assert_int_equal(answer.verdict, GATE_YES);
    fleet_done(&fleet);
}

static void before_the_first_round(void **state)
{
    const struct readiness_settings readiness = fleet_settings(POLICY_MUTUAL);
    const struct gate_settings settings = DEFAULTS;
    const struct prober_addr who = gates_address(1);
    struct cluster *cluster = cluster_new(&readiness);
    const struct gate_context context = {.cluster = cluster, .settings = &settings, .now_ms = 1};
    struct gate_answer answer;

    (void)state;
    gate_start(&context, &who, NULL, &answer);
    assert_string_equal(gates_text(&answer), "unknown: the first round of polls has not ended yet");
    gate_stop(&context, &who, NULL, &answer);
    assert_string_equal(gates_text(&answer), "unknown: the first round of polls has not ended yet");
    cluster_free(cluster);
}

/* The very first node of all: nobody is known. */
static void the_first_node(void **state)
{
    const struct readiness_settings readiness = fleet_settings(POLICY_MUTUAL);
    struct gate_settings settings = DEFAULTS;
    const struct prober_addr who = gates_address(1), other = gates_address(2);
    struct cluster *cluster = cluster_new(&readiness);
    const struct gate_context context = {.cluster = cluster, .settings = &settings, .now_ms = 1};
    const struct decision *decisions;
    struct gate_answer answer;
    size_t n;

    (void)state;
    cluster_evaluate(cluster, true, 1, &decisions, &n);
    gate_start(&context, &who, NULL, &answer);
    assert_string_equal(gates_text(&answer), "unknown: no node of the cluster is known here");
    settings.first_node = who;
    gate_start(&context, &who, NULL, &answer);
    assert_string_equal(gates_text(&answer), "yes");
    gate_start(&context, &other, NULL, &answer);
    assert_string_equal(gates_text(&answer), "unknown: no node of the cluster is known here");
    cluster_free(cluster);
}

/* After a power cut all is known from the state file alone. */
static void what_is_recalled_is_a_member(void **state)
{
    const struct readiness_settings readiness = fleet_settings(POLICY_MUTUAL);
    const struct gate_settings settings = DEFAULTS;
    struct cluster *cluster = cluster_new(&readiness);
    const struct gate_context context = {.cluster = cluster, .settings = &settings, .now_ms = 1000};
    const struct decision *decisions;
    struct gate_answer answer;
    size_t n;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct gossip_state recalled = {.endpoint = fleet_address(i),
                                        .host_id = "00000000-0000-0000-0000-000000000001",
                                        .datacenter = "dc1",
                                        .rack = "r1"};
        struct observation observation = {.observer = fleet_address(i),
                                          .local = i == 0,
                                          .result = POLL_REFUSED,
                                          .process_gone = true,
                                          .began_ms = 500};

        cluster_recall_state(cluster, &recalled);
        cluster_ingest(cluster, &observation, 600);
    }
    cluster_evaluate(cluster, true, 1000, &decisions, &n);
    cluster->sorted[0]->seed = true;
    gate_start(&context, &cluster->sorted[0]->address, NULL, &answer);
    assert_string_equal(gates_text(&answer), "yes");
    gate_start(&context, &cluster->sorted[1]->address, NULL, &answer);
    assert_string_equal(gates_text(&answer), "no: no seed is NORMAL and UP: 10.0.0.1 is down");
    cluster_free(cluster);
}

/* A start that hangs, or a joining node that died, holds nobody up for good. */
static void who_does_not_run_does_not_start(void **state)
{
    const struct gate_settings settings = DEFAULTS;
    const struct prober_addr who = gates_address(2);
    struct gate_context context;
    struct gate_answer answer;
    struct fleet fleet;

    (void)state;
    gates_place(&fleet, "11+ 12D 13s 13+");
    gates_seeds(&fleet, "1");
    context = context_of(&fleet, &settings);
    gate_start(&context, &who, NULL, &answer);
    assert_string_equal(gates_text(&answer), "no: 10.0.0.3 is starting");
    fleet.node[2].result = POLL_TIMEOUT;
    fleet_rounds(&fleet, 30000);
    context.now_ms = fleet.now_ms;
    gate_start(&context, &who, NULL, &answer);
    assert_string_equal(gates_text(&answer), "no: 10.0.0.3 is starting");
    fleet_rounds(&fleet, 31000);
    context.now_ms = fleet.now_ms;
    gate_start(&context, &who, NULL, &answer);
    assert_string_equal(gates_text(&answer), "yes");
    fleet_done(&fleet);

    gates_place(&fleet, "11+ 12D 13J 13+");
    gates_seeds(&fleet, "1");
    fleet_crash(&fleet, 2);
    fleet_rounds(&fleet, 6000);
    context = context_of(&fleet, &settings);
    gate_start(&context, &who, NULL, &answer);
    assert_string_equal(gates_text(&answer), "yes");
    fleet_done(&fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start_rules),
        cmocka_unit_test(stop_rules),
        cmocka_unit_test(stop_needs_stable_verdicts),
        cmocka_unit_test(the_permit),
        cmocka_unit_test(a_rolling_restart),
        cmocka_unit_test(the_seeds_that_are_said),
        cmocka_unit_test(before_the_first_round),
        cmocka_unit_test(the_first_node),
        cmocka_unit_test(what_is_recalled_is_a_member),
        cmocka_unit_test(who_does_not_run_does_not_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

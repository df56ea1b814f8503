/*
 * A crash and a restart of one node of three, as measured on 5.0: JMX refuses within 0.4 s, the
 * others say DOWN after 18 s; on the way back the node says NORMAL, and the others UP, seconds
 * before it serves.
 */
#include "model_util.h"

/* What is seen of node `who` from `at_ms` on, and what is published of it by then. */
struct moment {
    int64_t at_ms;
    enum poll_result result;
    bool process_gone;
    char seen; /* by the others */
    const char *mode;
    enum trilean native;
    enum readiness on_own_host, elsewhere;
};

static const struct moment crash[] = {
    {0, POLL_OK, false, 'U', "NORMAL", TRILEAN_TRUE, READY, READY},
    {400, POLL_REFUSED, true, 'U', "", TRILEAN_UNKNOWN, NOT_READY, READY},
    {18500, POLL_REFUSED, true, 'D', "", TRILEAN_UNKNOWN, NOT_READY, NOT_READY},
    /* started again at 60 s */
    {61100, POLL_NO_MBEAN, false, 'D', "", TRILEAN_UNKNOWN, NOT_READY, NOT_READY},
    {64400, POLL_OK, false, 'D', "STARTING", TRILEAN_FALSE, NOT_READY, NOT_READY},
    {70800, POLL_OK, false, 'U', "STARTING", TRILEAN_FALSE, NOT_READY, NOT_READY},
    {71000, POLL_OK, false, 'U', "NORMAL", TRILEAN_FALSE, NOT_READY, NOT_READY},
    {79500, POLL_OK, false, 'U', "NORMAL", TRILEAN_TRUE, READY, READY},
    {90000, POLL_OK, false, 'U', "NORMAL", TRILEAN_TRUE, READY, READY},
};

static void apply(struct fleet *fleet, size_t who, const struct moment *moment)
{
    struct fleet_node *node = &fleet->node[who];

    node->result = moment->result;
    node->process_gone = moment->process_gone && who == 0;
    node->mode = moment->mode;
    node->native = moment->native;
    for (size_t i = 0; i < fleet->n; i++)
        if (i != who)
            fleet->node[i].row[who] = moment->seen;
    if (strcmp(moment->mode, "STARTING") == 0) {
        /* It sees the others as DOWN before it sees them. */
        memset(node->row, moment->seen, fleet->n);
        node->row[who] = 'U';
        node->generation = 1700000060;
        node->rpc_ready = TRILEAN_FALSE;
    }
}

static void follow(size_t who)
{
    size_t n = sizeof(crash) / sizeof(crash[0]);
    struct fleet fleet;

    fleet_init(&fleet, 3, POLICY_MUTUAL);
    fleet_round(&fleet);
    for (size_t i = 0; i + 1 < n; i++) {
        enum readiness expected = who == 0 ? crash[i].on_own_host : crash[i].elsewhere;

        apply(&fleet, who, &crash[i]);
        while (fleet.now_ms + FLEET_ROUND < FLEET_START + crash[i + 1].at_ms) {
            fleet_round(&fleet);
            if (fleet_node(&fleet, who)->verdict.readiness != expected)
                fail_msg("node %zu at %d ms, moment %zu: readiness %d, reasons %#x", who,
                         (int)(fleet.now_ms - FLEET_START), i,
                         fleet_node(&fleet, who)->verdict.readiness, fleet_reasons(&fleet, who));
            for (size_t k = 0; k < 3; k++)
                if (k != who)
                    assert_int_equal(fleet_node(&fleet, k)->verdict.readiness, READY);
        }
    }
    /* One crash is two changes and no more, and no reason for rehab. */
    assert_int_equal(fleet.cluster->changes, 3 + 2);
    fleet_done(&fleet);
}

static void on_its_own_host(void **state)
{
    (void)state;
    follow(0);
}

static void elsewhere(void **state)
{
    (void)state;
    follow(2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_its_own_host),
        cmocka_unit_test(elsewhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * `mutual` by property, over random clusters. Each case has a seed of its own, printed when it
 * fails; SEED=n repeats that case alone.
 */
#define FLEET_MAX 200
#include "cases.h"
#include "model_util.h"

#define CASES       CASES_OF(3000)
#define LARGE_CASES 6
#define LARGE       200

struct random_case {
    uint64_t seed, state;
    struct fleet fleet;
    size_t order[FLEET_MAX]; /* in which the nodes are polled */
};

static size_t pick(struct random_case *random, size_t n)
{
    return random_below(&random->state, n);
}

static void shuffle(struct random_case *random)
{
    size_t n = random->fleet.n;

    for (size_t i = 0; i < n; i++)
        random->order[i] = i;
    for (size_t i = n; i > 1; i--) {
        size_t k = pick(random, i), swap = random->order[i - 1];

        random->order[i - 1] = random->order[k];
        random->order[k] = swap;
    }
}

static void begin(struct random_case *random, uint64_t seed, size_t n, enum policy policy)
{
    random->seed = seed;
    random->state = seed * 0x9E3779B97F4A7C15ULL + 1;
    fleet_init(&random->fleet, n, policy);
    random->fleet.no_local = true;
    shuffle(random);
}

/* The nodes get their places in the cluster in the order they are polled in. */
static void round_in_order(struct random_case *random, bool first)
{
    struct fleet *fleet = &random->fleet;

    for (size_t i = 0; first && i < fleet->n; i++) {
        const struct prober_addr address = fleet_address(random->order[i]);

        cluster_add(fleet->cluster, &address);
    }
    fleet->now_ms += FLEET_ROUND;
    for (size_t i = 0; i < fleet->n; i++)
        if (!fleet->node[random->order[i]].silent)
            fleet_poll(fleet, random->order[i]);
    fleet_evaluate(fleet, true);
    cluster_clean(fleet->cluster);
}

static void two_rounds(struct random_case *random)
{
    round_in_order(random, true);
    round_in_order(random, false);
}

/* Opinions as they come: the `odds` of 100 are not UP. */
static void random_rows(struct random_case *random, size_t odds)
{
    struct fleet *fleet = &random->fleet;

    for (size_t i = 0; i < fleet->n; i++)
        for (size_t j = 0; j < fleet->n; j++)
            fleet->node[i].row[j] = pick(random, 100) >= odds ? 'U' : pick(random, 4) ? 'D' : '-';
    for (size_t i = 0; i < fleet->n; i++)
        if (pick(random, 20))
            fleet->node[i].row[i] = 'U';
}

static void random_states(struct random_case *random, size_t odds)
{
    static const char *const modes[] = {"JOINING", "DRAINED", "STARTING", "HALF_LIFE", "LEAVING"};

    for (size_t i = 0; i < random->fleet.n; i++) {
        struct fleet_node *node = &random->fleet.node[i];

        if (pick(random, 100) >= odds)
            continue;
        switch (pick(random, 5)) {
        case 0:
            node->mode = modes[pick(random, 5)];
            break;
        case 1:
            node->gossip = TRILEAN_FALSE;
            break;
        case 2:
            node->native = TRILEAN_FALSE;
            break;
        case 3:
            node->result = POLL_TIMEOUT;
            break;
        default:
            node->silent = true;
        }
    }
}

static size_t random_size(struct random_case *random, uint64_t seed)
{
    random->state = seed * 0xD1342543DE82EF95ULL + 1;
    return 1 + pick(random, 12);
}

/* The definition, word by word, on rows of text. */
struct oracle {
    size_t n, n_members;
    bool eligible[FLEET_MAX], vote[FLEET_MAX], ready[FLEET_MAX];
};

static bool sound(const struct fleet_node *node)
{
    return strcmp(node->mode, "NORMAL") == 0 && node->native != TRILEAN_FALSE &&
           node->gossip != TRILEAN_FALSE;
}

static unsigned conflicts_of(const struct fleet *fleet, const struct oracle *oracle, size_t i,
                             unsigned *ret_received)
{
    unsigned given = 0;

    *ret_received = 0;
    for (size_t j = 0; j < oracle->n; j++) {
        if (j == i || !oracle->vote[j])
            continue;
        given += fleet->node[i].row[j] != 'U';
        *ret_received += fleet->node[j].row[i] != 'U';
    }
    return given + *ret_received;
}

static bool take_one_vote(const struct fleet *fleet, struct oracle *oracle)
{
    size_t worst = SIZE_MAX;
    unsigned worst_total = 0, worst_received = 0;

    for (size_t i = 0; i < oracle->n; i++) {
        unsigned received, total;

        if (!oracle->vote[i])
            continue;
        total = conflicts_of(fleet, oracle, i, &received);
        if (total == 0 || total < worst_total ||
            (total == worst_total && received < worst_received))
            continue;
        worst = i; /* addresses ascend: of equals the last */
        worst_total = total;
        worst_received = received;
    }
    if (worst == SIZE_MAX)
        return false;
    oracle->vote[worst] = false;
    return true;
}

static bool oracle_ready(const struct fleet *fleet, const struct oracle *oracle, size_t target)
{
    const struct fleet_node *node = &fleet->node[target];
    unsigned witnesses = 0;

    if (oracle->eligible[target] && !oracle->vote[target])
        return false;
    if (node->result == POLL_OK && !node->silent && !sound(node))
        return false;
    for (size_t i = 0; i < oracle->n; i++) {
        if (!oracle->vote[i] || (i == target && oracle->n_members >= 3))
            continue;
        if (fleet->node[i].row[target] != 'U')
            return false;
        witnesses++;
    }
    return witnesses > 0;
}

static void ask_oracle(const struct fleet *fleet, struct oracle *oracle)
{
    bool any_listing = false;

    memset(oracle, 0, sizeof(*oracle));
    oracle->n = fleet->n;
    for (size_t j = 0; j < fleet->n; j++) {
        bool listed = false;

        for (size_t i = 0; i < fleet->n; i++) {
            const struct fleet_node *node = &fleet->node[i];

            if (node->silent || node->result != POLL_OK || strcmp(node->mode, "NORMAL") != 0 ||
                node->gossip == TRILEAN_FALSE)
                continue;
            any_listing = true;
            listed |= node->row[j] != '-';
            oracle->eligible[i] = oracle->vote[i] = sound(node) && node->row[i] == 'U';
        }
        oracle->n_members += listed;
    }
    if (!any_listing)
        oracle->n_members = 0;
    while (take_one_vote(fleet, oracle))
        ;
    for (size_t i = 0; i < fleet->n; i++)
        oracle->ready[i] = oracle_ready(fleet, oracle, i);
}

static void agrees_with_definition(uint64_t seed, size_t n, size_t odds)
{
    static struct random_case random;
    static struct oracle oracle;

    begin(&random, seed, n, POLICY_MUTUAL);
    random_rows(&random, odds);
    random_states(&random, 10);
    two_rounds(&random);
    ask_oracle(&random.fleet, &oracle);
    for (size_t i = 0; i < n; i++) {
        bool ready = fleet_node(&random.fleet, i)->verdict.readiness == READY;

        if (ready != oracle.ready[i] || fleet_node(&random.fleet, i)->voter != oracle.vote[i])
            fail_msg("SEED=%llu: node %zu of %zu: ready %d, by definition %d",
                     (unsigned long long)seed, i, n, ready, oracle.ready[i]);
    }
    fleet_done(&random.fleet);
}

static void order_does_not_matter(uint64_t seed, size_t n, size_t odds)
{
    static struct random_case one, other;
    char expected[FLEET_MAX + 1];

    begin(&one, seed, n, POLICY_MUTUAL);
    random_rows(&one, odds);
    random_states(&one, 10);
    begin(&other, seed + 1000003, n, POLICY_MUTUAL);
    memcpy(other.fleet.node, one.fleet.node, FLEET_MAX * sizeof(*one.fleet.node));
    for (int round = 0; round < 3; round++) {
        round_in_order(&one, round == 0);
        round_in_order(&other, round == 0);
        strcpy(expected, fleet_text(&one.fleet));
        if (strcmp(expected, fleet_text(&other.fleet)) != 0)
            fail_msg("SEED=%llu: round %d: %s in one order, %s in another",
                     (unsigned long long)seed, round, expected, fleet_text(&other.fleet));
        shuffle(&other);
    }
    fleet_done(&one.fleet);
    fleet_done(&other.fleet);
}

static void survivors_agree(uint64_t seed, size_t n, size_t odds)
{
    static struct random_case random;

    begin(&random, seed, n, POLICY_MUTUAL);
    random_rows(&random, odds);
    random_states(&random, 10);
    two_rounds(&random);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            const struct node *a = fleet_node(&random.fleet, i), *b = fleet_node(&random.fleet, j);

            if (a->voter && b->voter && cluster_opinion(random.fleet.cluster, a, b) != LIVENESS_UP)
                fail_msg("SEED=%llu: voters %zu and %zu disagree", (unsigned long long)seed, i, j);
        }
    fleet_done(&random.fleet);
}

static void no_node_is_its_own_only_witness(uint64_t seed, size_t n, size_t odds)
{
    static struct random_case random;

    begin(&random, seed, n, POLICY_MUTUAL);
    random_rows(&random, odds);
    random_states(&random, 30);
    two_rounds(&random);
    for (size_t i = 0; i < n; i++) {
        size_t witnesses = 0;

        for (size_t j = 0; j < n; j++)
            witnesses +=
                j != i && fleet_node(&random.fleet, j)->voter && random.fleet.node[j].row[i] == 'U';
        if (random.fleet.cluster->n_members >= 3 && witnesses == 0 &&
            fleet_node(&random.fleet, i)->verdict.readiness == READY)
            fail_msg("SEED=%llu: node %zu is its own only witness", (unsigned long long)seed, i);
    }
    fleet_done(&random.fleet);
}

static bool observes(const struct fleet_node *node)
{
    return !node->silent && node->result == POLL_OK && sound(node);
}

/* Observers that say the same of everybody, and see each other UP; of the other nodes, whatever. */
static void agreeing_rows(struct random_case *random)
{
    struct fleet *fleet = &random->fleet;

    for (size_t j = 0; j < fleet->n; j++) {
        char word = observes(&fleet->node[j]) || pick(random, 2) ? 'U' : 'D';

        for (size_t i = 0; i < fleet->n; i++)
            fleet->node[i].row[j] = word;
    }
}

static size_t observers(const struct fleet *fleet)
{
    size_t n = 0;

    for (size_t i = 0; i < fleet->n; i++)
        n += observes(&fleet->node[i]);
    return n;
}

static size_t pick_observer(struct random_case *random)
{
    size_t k = pick(random, observers(&random->fleet)), i = 0;

    while (!observes(&random->fleet.node[i]) || k-- > 0)
        i++;
    return i;
}

static void one_liar_changes_its_own_verdict_alone(uint64_t seed, size_t n, size_t odds)
{
    static struct random_case random;
    char before[FLEET_MAX + 1];
    size_t liar;

    (void)odds;
    begin(&random, seed, n, POLICY_MUTUAL);
    random_states(&random, 30);
    agreeing_rows(&random);
    two_rounds(&random);
    strcpy(before, fleet_text(&random.fleet));
    if (observers(&random.fleet) >= 3) {
        liar = pick_observer(&random);
        memset(random.fleet.node[liar].row, 'D', n);
        random.fleet.node[liar].row[liar] = 'U';
        for (int round = 0; round < 2; round++) {
            round_in_order(&random, false);
            for (size_t i = 0; i < n; i++)
                if (i != liar && fleet_text(&random.fleet)[i] != before[i] &&
                    (round > 0 || fleet_node(&random.fleet, i)->voter))
                    fail_msg("SEED=%llu: liar %zu, round %d: %s, before %s",
                             (unsigned long long)seed, liar, round, fleet_text(&random.fleet),
                             before);
        }
        assert_int_equal(fleet_text(&random.fleet)[liar], '.');
    }
    fleet_done(&random.fleet);
}

static void one_accusation_costs_one_node_at_most(uint64_t seed, size_t n, size_t odds)
{
    static struct random_case random;
    char before[FLEET_MAX + 1];
    size_t accuser, accused, lost = 0;

    (void)odds;
    begin(&random, seed, n, POLICY_MUTUAL);
    random_states(&random, 30);
    agreeing_rows(&random);
    two_rounds(&random);
    strcpy(before, fleet_text(&random.fleet));
    if (observers(&random.fleet) >= 3) {
        accuser = pick_observer(&random);
        accused = (accuser + 1 + pick(&random, n - 1)) % n;
        random.fleet.node[accuser].row[accused] = 'D';
        round_in_order(&random, false);
        round_in_order(&random, false);
        for (size_t i = 0; i < n; i++)
            lost += fleet_text(&random.fleet)[i] != before[i];
        if (lost > 1)
            fail_msg("SEED=%llu: %zu accuses %zu: %s, before %s", (unsigned long long)seed, accuser,
                     accused, fleet_text(&random.fleet), before);
    }
    fleet_done(&random.fleet);
}

/* Where the observers see each other as UP, whatever each says of the nodes without a vote. */
static void without_disagreement_it_is_unanimous(uint64_t seed, size_t n, size_t odds)
{
    static struct random_case mutual, unanimous;
    char expected[FLEET_MAX + 1];

    begin(&mutual, seed, n, POLICY_MUTUAL);
    random_states(&mutual, 30);
    random_rows(&mutual, odds);
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < n && observes(&mutual.fleet.node[j]); i++)
            mutual.fleet.node[i].row[j] = 'U';
    begin(&unanimous, seed, n, POLICY_UNANIMOUS);
    memcpy(unanimous.fleet.node, mutual.fleet.node, FLEET_MAX * sizeof(*mutual.fleet.node));
    two_rounds(&mutual);
    two_rounds(&unanimous);
    strcpy(expected, fleet_text(&unanimous.fleet));
    if (observers(&mutual.fleet) >= 2 && strcmp(fleet_text(&mutual.fleet), expected) != 0)
        fail_msg("SEED=%llu: mutual %s, unanimous %s", (unsigned long long)seed,
                 fleet_text(&mutual.fleet), expected);
    fleet_done(&mutual.fleet);
    fleet_done(&unanimous.fleet);
}

typedef void property(uint64_t seed, size_t n, size_t odds);

static void hold(property *holds)
{
    static const size_t odds[] = {0, 2, 10, 30, 60, 95};
    static struct random_case size;
    const char *only = getenv("SEED");

    for (uint64_t seed = 1; seed <= CASES + LARGE_CASES; seed++) {
        size_t n = seed > CASES ? LARGE : random_size(&size, seed);

        if (!only || strtoull(only, NULL, 10) == seed)
            holds(seed, n, odds[seed % (sizeof(odds) / sizeof(odds[0]))]);
    }
}

#define PROPERTY(name)                                                                             \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        hold(name);                                                                                \
    }

PROPERTY(agrees_with_definition)
PROPERTY(order_does_not_matter)
PROPERTY(survivors_agree)
PROPERTY(no_node_is_its_own_only_witness)
PROPERTY(one_liar_changes_its_own_verdict_alone)
PROPERTY(one_accusation_costs_one_node_at_most)
PROPERTY(without_disagreement_it_is_unanimous)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agrees_with_definition),
        cmocka_unit_test(test_order_does_not_matter),
        cmocka_unit_test(test_survivors_agree),
        cmocka_unit_test(test_no_node_is_its_own_only_witness),
        cmocka_unit_test(test_one_liar_changes_its_own_verdict_alone),
        cmocka_unit_test(test_one_accusation_costs_one_node_at_most),
        cmocka_unit_test(test_without_disagreement_it_is_unanimous),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

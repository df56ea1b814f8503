/*
 * Jobs under everything that goes wrong: hosts whose collectors die and come back, several that
 * lead at once, questions and answers of the store that are late or lost, units that fail, nodes
 * that do not come back until somebody mends them, people who suspend and abort. The store alone is
 * linearizable. Whatever happens: never two nodes at once, none twice, none skipped silently, and
 * when the faults are over the job ends.
 */
#include "model/jobs.h"
#include "model_util.h"

#define SCHEDULES 10000
#define HOSTS_MAX 5
#define TICK_MS   500
#define FAULTS_MS 240000 /* then nothing more goes wrong */
#define END_MS    900000 /* then the job has ended */

#define RIVAL                                                                                      \
    (JOB_NOBODY - 1) /* somebody else stops a node: the permit is for no node of the job */

static const struct job_settings settings = {.settle_ms = 30000, .stable_ms = 2000};

enum op_kind { OP_NONE = 0, OP_GET, OP_PUT };

/* A question to the store on its way. */
struct op {
    enum op_kind kind;
    int64_t apply_ms, answer_ms; /* INT64_MAX: it gets lost */
    int64_t asked_ms;
    int revision;     /* that it was made of */
    bool conflict;    /* as applied */
    struct job value; /* to be put, or as got */
    int got;
    bool begins; /* granted -> running */
};

struct host {
    bool alive;
    int64_t back_ms;
    bool leads; /* as it thinks */
    struct op op;
    struct job_hand hand;
    struct job_watch watch;
    struct job seen; /* as it read it last */
    int revision;
    int64_t asked_ms;
    /* Its node, and systemd: they outlive the collector. */
    bool unit_runs;
    int64_t unit_ends_ms, unit_began_ms, down_until_ms;
    bool unit_good, unit_forgotten;
    unsigned ran;
};

struct world {
    uint64_t random;
    int64_t now_ms;
    size_t n;
    struct host host[HOSTS_MAX];
    struct job job; /* in the store */
    int revision;
    size_t permit; /* the node it is for */
    int64_t permit_at_ms, permit_ttl_ms;
    int64_t rival_until_ms;
    bool suspended, gate; /* what it says: all that is not of this job */
    unsigned runs, crashes, lost, conflicts, paused, refused, backs, rivals;
};

static bool faulty(const struct world *world)
{
    return world->now_ms < FAULTS_MS;
}

static bool chance(struct world *world, size_t one_in)
{
    return random_below(&world->random, one_in) == 0;
}

static bool live(const struct host *host, int64_t now_ms)
{
    return host->alive && !host->unit_runs && now_ms >= host->down_until_ms;
}

static void ask(struct world *world, struct host *host, enum op_kind kind)
{
    struct op *op = &host->op;
    bool slow = faulty(world) && chance(world, 12);

    op->kind = kind;
    op->asked_ms = world->now_ms;
    op->apply_ms = world->now_ms + (int64_t)random_below(&world->random, slow ? 20000 : 300);
    op->answer_ms = op->apply_ms + (int64_t)random_below(&world->random, slow ? 20000 : 300);
    if (faulty(world) && chance(world, 15)) {
        bool request = chance(world, 2);

        if (request)
            op->apply_ms = INT64_MAX;
        op->answer_ms = INT64_MAX;
        world->lost++;
    }
}

static void put(struct world *world, struct host *host, struct job *job, bool begins)
{
    host->op.value = *job;
    *job = (struct job){0};
    host->op.revision = host->revision;
    host->op.begins = begins;
    ask(world, host, OP_PUT);
}

static void apply(struct world *world, struct op *op)
{
    op->apply_ms = INT64_MAX;
    if (op->kind == OP_GET) {
        op->got = world->revision;
        assert_int_equal(job_copy(&world->job, &op->value), 0);
        return;
    }
    op->conflict = op->revision != world->revision;
    op->got = world->revision;
    if (op->conflict) {
        world->conflicts++;
        return;
    }
    world->paused += op->value.state == JOB_PAUSED && world->job.state != JOB_PAUSED;
    if (op->value.state == JOB_PAUSED)
        assert_string_not_equal(op->value.why, "");
    job_done(&world->job);
    assert_int_equal(job_copy(&op->value, &world->job), 0);
    op->got = ++world->revision;
}

/* One compare-and-set of a key of the same store. `renew`: the gate is not asked. */
static bool take_permit(struct world *world, size_t node, bool renew)
{
    if ((!renew && !world->gate) || (world->permit != JOB_NOBODY && world->permit != node)) {
        world->refused++;
        return false;
    }
    world->permit = node;
    world->permit_at_ms = world->now_ms;
    world->permit_ttl_ms = renew ? JOB_PERMIT_RUN_MS : JOB_PERMIT_GRANT_MS;
    return true;
}

/* Somebody else asks, too. What is over is his: it was given back, or its time has passed and its
 * node serves. He stops a node, and nothing of the job may begin meanwhile. */
static void tick_rival(struct world *world)
{
    size_t at = world->permit;
    bool over = at == JOB_NOBODY || (at != RIVAL && live(&world->host[at], world->now_ms) &&
                                     world->now_ms - world->permit_at_ms >= world->permit_ttl_ms);

    if (at == RIVAL && (world->now_ms >= world->rival_until_ms || !faulty(world))) {
        world->permit = JOB_NOBODY;
    } else if (faulty(world) && over && chance(world, 60)) {
        world->permit = RIVAL;
        world->rival_until_ms = world->now_ms + (int64_t)random_below(&world->random, 30000);
        world->rivals++;
    }
    if (chance(world, world->gate ? 60 : 20) || !faulty(world))
        world->gate = !faulty(world) || !world->gate;
}

/* The heart of it: when a unit starts, all else is well. What was asked for has been so for some
 * seconds at most. */
static void run_unit(struct world *world, size_t at)
{
    struct host *host = &world->host[at];

    for (size_t i = 0; i < world->n; i++) {
        assert_false(world->host[i].unit_runs);
        assert_true(i == at || world->now_ms >= world->host[i].down_until_ms);
    }
    assert_int_equal(host->ran++, 0);
    assert_true(world->permit == at);
    assert_true(world->now_ms - world->permit_at_ms <= 20000);
    world->runs++;
    host->unit_runs = true;
    host->unit_began_ms = world->now_ms;
    host->unit_ends_ms = world->now_ms + 1 + (int64_t)random_below(&world->random, 20000);
    host->unit_good = !chance(world, 12);
    host->unit_forgotten = chance(world, 3);
    host->down_until_ms = host->unit_ends_ms + (int64_t)random_below(&world->random, 8000);
    if (faulty(world) && chance(world, 10)) /* until it is mended */
        host->down_until_ms += 60000 + (int64_t)random_below(&world->random, 60000);
}

static void look(struct world *world, struct host *host, const struct job_node *node)
{
    bool forgotten = !host->unit_runs && host->unit_good && host->unit_forgotten;
    struct job_unit unit = {.known = !(faulty(world) && chance(world, 8)),
                            .active = host->unit_runs   ? "activating"
                                      : host->unit_good ? "inactive"
                                                        : "failed",
                            .ran_ms = forgotten ? 0 : host->unit_began_ms};

    job_looked(&host->hand, node, &unit);
}

/* True: it has asked the store. */
static bool take_turn(struct world *world, size_t at)
{
    struct host *host = &world->host[at];
    struct prober_addr address = fleet_address(at);
    size_t node = job_find(&host->seen, &address);
    struct job job;

    switch (
        job_turn(&host->seen, node, &host->hand, world->suspended, host->asked_ms, world->now_ms)) {
    case TURN_FIND:
        if (world->random % 50 != 0) {
            host->hand.state = HAND_FOUND;
            return false;
        }
        job_copy(&host->seen, &job);
        job_skip(&job, node, "there is no such unit", world->now_ms);
        put(world, host, &job, false);
        return true;
    case TURN_ASK:
        if (job_asked(&host->hand, take_permit(world, at, false), world->now_ms)) {
            job_copy(&host->seen, &job);
            job_back(&job, node);
            put(world, host, &job, false);
            return true;
        }
        return host->hand.state == HAND_ALLOWED && take_turn(world, at);
    case TURN_BACK:
        job_copy(&host->seen, &job);
        job_back(&job, node);
        put(world, host, &job, false);
        world->backs++;
        return true;
    case TURN_BEGIN:
        job_copy(&host->seen, &job);
        snprintf(host->hand.run, sizeof(host->hand.run), "%llx",
                 (unsigned long long)next_random(&world->random));
        host->hand.state = HAND_BEGUN;
        host->hand.begun_ms = world->now_ms;
        job_begin(&job, node, host->hand.run, world->now_ms);
        put(world, host, &job, true);
        return true;
    case TURN_RUN:
        host->hand.state = HAND_ACTS;
        run_unit(world, at);
        return false;
    case TURN_LOOK:
        look(world, host, &host->seen.nodes[node]);
        return false;
    case TURN_REPORT:
        job_copy(&host->seen, &job);
        job_ran(&job, node, host->hand.good, host->hand.why);
        put(world, host, &job, false);
        return true;
    case TURN_NONE:
        break;
    }
    return false;
}

static bool lead(struct world *world, struct host *host)
{
    size_t node = job_attention(&host->seen);
    struct job_seen seen = {.suspended = world->suspended,
                            .held = world->permit == RIVAL ? JOB_NOBODY : world->permit,
                            .now_ms = world->now_ms,
                            .wall_ms = world->now_ms};
    struct job job;
    bool write = false;

    if (node != JOB_NOBODY) {
        const struct prober_addr *address = &host->seen.nodes[node].address;

        for (size_t i = 0; i < world->n; i++) {
            struct prober_addr other = fleet_address(i);

            if (prober_addr_compare(address, &other) == 0)
                seen.sight.live = live(&world->host[i], world->now_ms);
        }
        snprintf(seen.sight.why, sizeof(seen.sight.why), "%s", seen.sight.live ? "" : "DOWN");
    }
    job_copy(&host->seen, &job);
    switch (job_lead(&job, &host->watch, &settings, &seen)) {
    case JOB_WRITE:
        write = true;
        break;
    case JOB_TAKE:
        if (take_permit(world, node, false)) {
            job_grant(&job, node, world->now_ms);
            write = true;
        } else {
            write = job_refuse(&job, &host->watch, node, "held by another one", world->now_ms);
        }
        break;
    case JOB_RETAKE:
        write = !take_permit(world, node, true) &&
                job_lost(&job, &host->watch, node, "held by another one", world->now_ms);
        break;
    case JOB_GIVE:
        world->permit = JOB_NOBODY;
        break;
    case JOB_REST:
        if (seen.held != JOB_NOBODY && seen.held == job_current(&job) &&
            job_renews(&job, seen.held, world->permit_ttl_ms, world->now_ms - world->permit_at_ms))
            take_permit(world, seen.held, true);
        break;
    case JOB_FILE:
        break;
    }
    if (write)
        put(world, host, &job, false);
    else
        job_done(&job);
    return write;
}

static void on_answer(struct world *world, size_t at)
{
    struct host *host = &world->host[at];
    struct op op = host->op;

    host->op = (struct op){0};
    if (op.kind == OP_PUT && op.conflict) {
        job_done(&op.value); /* and asks anew */
        return;
    }
    job_done(&host->seen);
    host->seen = op.value;
    host->revision = op.got;
    host->asked_ms = op.asked_ms;
    if (!take_turn(world, at) && host->leads)
        lead(world, host);
}

static void crash(struct world *world, struct host *host)
{
    host->alive = false;
    host->back_ms = world->now_ms + 1000 + (int64_t)random_below(&world->random, 20000);
    host->leads = false;
    host->hand = (struct job_hand){0};
    host->watch = (struct job_watch){0};
    /* What it asked may still be done. */
    host->op.answer_ms = INT64_MAX;
    world->crashes++;
}

static void tick_host(struct world *world, size_t at)
{
    struct host *host = &world->host[at];
    struct op *op = &host->op;

    if (host->unit_runs && world->now_ms >= host->unit_ends_ms) {
        host->unit_runs = false;
        if (host->alive && host->hand.state == HAND_ACTS) {
            host->hand.state = HAND_ENDED;
            host->hand.good = host->unit_good;
            snprintf(host->hand.why, sizeof(host->hand.why), "%s",
                     host->unit_good ? "" : "exit status 1");
        }
    }
    if (op->kind && world->now_ms >= op->apply_ms)
        apply(world, op);
    if (!host->alive && world->now_ms >= host->back_ms && op->apply_ms == INT64_MAX) {
        job_done(&op->value);
        *op = (struct op){0};
        host->alive = true;
    }
    if (!host->alive)
        return;
    if (op->kind && world->now_ms >= op->answer_ms)
        on_answer(world, at);
    /* No answer: whether it was done, or will be, is not known. What may still come to pass does so
     * before the next question, as in one connection. */
    if (op->kind && world->now_ms > op->asked_ms + 5000 && op->apply_ms == INT64_MAX) {
        job_done(&op->value);
        *op = (struct op){0};
    }
    if (!op->kind)
        ask(world, host, OP_GET);
    if (faulty(world) && chance(world, 150))
        crash(world, host);
}

/* Who leads: somebody, nobody or several. */
static void tick_leaders(struct world *world)
{
    if (faulty(world) && chance(world, 20)) {
        struct host *host = &world->host[random_below(&world->random, world->n)];

        host->leads = host->alive && !host->leads;
        if (host->leads)
            host->watch = (struct job_watch){0};
    }
    if (!faulty(world))
        for (size_t i = 0; i < world->n; i++)
            world->host[i].leads = i == 0;
}

static void tick_people(struct world *world)
{
    if (faulty(world) && chance(world, 400))
        world->suspended = !world->suspended;
    if (!faulty(world))
        world->suspended = false;
    if (faulty(world) && chance(world, 1500) && !job_ended(&world->job) &&
        world->job.state != JOB_ABORTING) {
        job_abort(&world->job, "ops", false, world->now_ms);
        world->revision++;
    }
}

static void start(struct world *world, uint64_t seed)
{
    *world = (struct world){
        .random = seed * 0x9E3779B97F4A7C15ULL + 1, .permit = JOB_NOBODY, .gate = true};
    world->now_ms = 1000;
    world->n = 2 + random_below(&world->random, HOSTS_MAX - 1);
    world->revision = 1;
    world->job = (struct job){
        .id = "0123456789abcdef", .type = "restart", .state = JOB_RUNNING, .by = "ops"};
    world->job.go_on = chance(world, 2);
    world->job.nodes = calloc(world->n, sizeof(struct job_node));
    world->job.n_nodes = world->n;
    for (size_t i = 0; i < world->n; i++) {
        world->job.nodes[i].address = fleet_address(i);
        world->job.nodes[i].state = JOB_NODE_WAITING;
        world->host[i].alive = true;
        world->host[i].leads = i == 0;
    }
}

static void check_end(const struct world *world)
{
    assert_true(job_ended(&world->job));
    for (size_t i = 0; i < world->n; i++) {
        const struct job_node *node = &world->job.nodes[i];

        switch (node->state) {
        case JOB_NODE_DONE:
            assert_int_equal(world->host[i].ran, 1);
            assert_true(world->host[i].unit_good);
            break;
        case JOB_NODE_SKIPPED:
            assert_int_equal(world->host[i].ran, 0);
            assert_string_not_equal(node->why, "");
            break;
        default:
            assert_int_equal(node->state, JOB_NODE_FAILED);
            assert_string_not_equal(node->why, "");
        }
    }
    if (world->job.state == JOB_DONE)
        for (size_t i = 0; i < world->n; i++)
            assert_int_not_equal(world->job.nodes[i].state, JOB_NODE_FAILED);
}

static void whatever_happens_one_node_at_a_time(void **state)
{
    unsigned ends[JOB_STATES] = {0}, runs = 0, crashes = 0, lost = 0, conflicts = 0, paused = 0;
    unsigned refused = 0, backs = 0, rivals = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= SCHEDULES; seed++) {
        struct world world;

        start(&world, seed);
        while (!job_ended(&world.job) && world.now_ms < END_MS) {
            world.now_ms += TICK_MS / 2 + (int64_t)random_below(&world.random, TICK_MS);
            tick_leaders(&world);
            tick_people(&world);
            tick_rival(&world);
            for (size_t i = 0; i < world.n; i++)
                tick_host(&world, i);
        }
        if (!job_ended(&world.job))
            print_error("schedule %llu\n", (unsigned long long)seed);
        check_end(&world);
        ends[world.job.state]++;
        runs += world.runs;
        crashes += world.crashes;
        lost += world.lost;
        conflicts += world.conflicts;
        paused += world.paused;
        refused += world.refused;
        backs += world.backs;
        rivals += world.rivals;
        for (size_t i = 0; i < world.n; i++) {
            job_done(&world.host[i].seen);
            job_done(&world.host[i].op.value);
        }
        job_done(&world.job);
    }
    print_message(
        "%u units ran; %u crashes, %u lost, %u conflicts, %u pauses, %u refusals, %u turns "
        "given back, %u permits of others; %u done, %u failed, %u aborted\n",
        runs, crashes, lost, conflicts, paused, refused, backs, rivals, ends[JOB_DONE],
        ends[JOB_FAILED], ends[JOB_ABORTED]);
    /* The faults were there. */
    assert_true(runs > SCHEDULES && crashes > 1000 && lost > 1000 && conflicts > 1000 &&
                paused > 100 && refused > 1000 && backs > 100 && rivals > 1000);
    assert_true(ends[JOB_DONE] > 1000 && ends[JOB_FAILED] > 100 && ends[JOB_ABORTED] > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_happens_one_node_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

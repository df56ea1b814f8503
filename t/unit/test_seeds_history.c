/* Random histories of clusters in which every host has a model of its own and hears of the others'
 * values: by whom, when and why a list of seeds changes, and that all have the same in the end. */
#include "cases.h"
#include "seeds_property.h"

#define HISTORIES CASES_OF(3000)
#define NODES_MAX 16
#define TICK      2000 /* ms */
#define MINUTE    (SEEDS_PATIENCE_MS / TICK)
#define QUIET     (2 * MINUTE + 80) /* ticks after which nothing moves any more */

enum phase {
    ABSENT = 0,
    JOINING,
    NORMAL,
    LEAVING,
    LEFT,
};

/* A node, its host, and what that host knows. */
struct host {
    enum phase phase;
    bool up, drained, stopped; /* stopped: its collector */
    bool full;                 /* its disk: it can write nothing */
    size_t group, dc, rack;
    unsigned version; /* of its phase */
    struct cluster *cluster;
    struct values values;
    enum phase known[NODES_MAX];
    unsigned known_version[NODES_MAX];
    bool had_seeds;
};

struct world {
    uint64_t random;
    size_t n;
    int64_t now_ms;
    struct host host[NODES_MAX];
    int64_t written_ms; /* the last list */
    int64_t upset_ms; /* hosts were last cut off, or began anew: they have seen different things */
};

static size_t pick(struct world *world, size_t n)
{
    return random_below(&world->random, n);
}

static struct cluster *host_cluster(const struct world *world, size_t h)
{
    struct cluster *cluster = new_cluster(NODES_MAX);

    (void)world;
    cluster->local = cluster->sorted[h];
    return cluster;
}

static void set_phase(struct world *world, size_t i, enum phase phase, size_t told)
{
    struct host *host = &world->host[i];

    host->phase = phase;
    host->version++;
    world->host[told].known[i] = phase;
    world->host[told].known_version[i] = host->version;
}

static void join(struct world *world, size_t i, enum phase phase)
{
    struct host *host = &world->host[i];

    host->up = true;
    host->rack = pick(world, 4);
    host->dc = pick(world, 4) == 0;
    host->group = 0;
    host->cluster = host_cluster(world, i);
    set_phase(world, i, phase, i);
}

static bool is_there(const struct host *host)
{
    return host->cluster && host->phase != ABSENT;
}

/* What `h` sees of `i` now. */
static void look(const struct world *world, size_t h, size_t i)
{
    static const char *const status[] = {"", "BOOT", "NORMAL", "LEAVING", "LEFT"};
    const struct host *host = &world->host[h], *other = &world->host[i];
    struct node *node = host->cluster->sorted[i];
    enum phase known = host->known[i];
    bool reached = other->up && other->group == host->group && known == other->phase;

    node->forgotten = known == ABSENT;
    node->gone = known == LEFT;
    snprintf(node->gossip.datacenter, NAME_LEN, "dc%zu", other->dc);
    snprintf(node->gossip.rack, NAME_LEN, "r%zu", other->rack);
    strcpy(node->gossip.status, status[known]);
    node->member = known == NORMAL || known == LEAVING;
    judge_node(node, reached && known == NORMAL && !other->drained ? READY : NOT_READY,
               world->now_ms);
    node->voter = reached && known == NORMAL && !other->stopped;
}

/* Within a group everybody hears the newest. */
static void gossip(struct world *world)
{
    for (size_t h = 0; h < world->n; h++)
        for (size_t g = 0; g < world->n; g++)
            for (size_t i = 0; i < world->n && world->host[h].group == world->host[g].group; i++)
                if (world->host[g].known_version[i] > world->host[h].known_version[i]) {
                    world->host[h].known_version[i] = world->host[g].known_version[i];
                    world->host[h].known[i] = world->host[g].known[i];
                }
}

/* Values are asked for one by one, each host at least every third time. */
static void exchange(struct world *world, unsigned tick)
{
    for (size_t h = 0; h < world->n; h++)
        for (size_t g = 0; g < world->n; g++) {
            struct host *host = &world->host[h], *from = &world->host[g];

            if (h == g || !is_there(host) || !is_there(from) || host->stopped || from->stopped ||
                host->group != from->group || (pick(world, 2) && (tick + h + g) % 2))
                continue;
            for (size_t i = 0; i < from->values.n; i++)
                check(values_merge(&host->values, &from->values.items[i], WALL) >= 0);
        }
}

static bool has_majority(const struct cluster *cluster)
{
    size_t voters = 0, members = 0;

    for (size_t i = 0; i < cluster->n_sorted; i++) {
        voters += cluster->sorted[i]->member && cluster->sorted[i]->voter;
        members += cluster->sorted[i]->member;
    }
    return 2 * voters > members;
}

/* There is a reason why the old list is no good. */
static bool has_cause(const struct tally *tally, const struct addresses *old)
{
    return tally->total < old->n || (tally->late > 0 && tally->candidates > 0) ||
           (tally->total < wanted_of(tally) && tally->candidates > 0) ||
           tally->total > wanted_of(tally) || is_uneven(tally);
}

static void check_seeds_kept(const struct cluster *cluster, const struct addresses *old,
                             const struct addresses *list, const struct tally *before,
                             const struct tally *after, int64_t now_ms)
{
    size_t live = 0, live_kept = 0;

    for (size_t i = 0; i < cluster->n_sorted; i++) {
        const struct node *node = cluster->sorted[i];
        bool was = addresses_have(old, &node->address);
        bool is = addresses_have(list, &node->address);
        bool ready = node->verdict.readiness == READY;

        check(!is || node->member);
        check(was || !is || (ready && strcmp(node->gossip.status, "NORMAL") == 0));
        live += was && node->member && ready;
        live_kept += was && is && ready;
        if (!was || is || !node->member)
            continue;
        check(is_late(node, now_ms) || before->total > wanted_of(before) || is_uneven(before));
        check(after->total >= before->total || after->total == wanted_of(after));
    }
    check(live == 0 || live_kept > 0);
}

static void check_change(const struct host *host, const struct seeds_change *change, int64_t now_ms)
{
    const char *datacenter = change->key + strlen("seeds/");
    const struct value *value = values_find(&host->values, change->key);
    struct addresses old = {0}, list = {0};
    struct tally before, after;

    check(has_majority(host->cluster));
    /* Before there is a value: what the host shows. */
    if (value)
        check(addresses_parse(value->text, &old) == 0);
    else
        old = listed_in(host->cluster, datacenter);
    before = tally_of(host->cluster, datacenter, &old, now_ms);
    if (!change->text) {
        check(before.n == 0);
        addresses_free(&old);
        return;
    }
    check(addresses_parse(change->text, &list) == 0);
    after = tally_of(host->cluster, datacenter, &list, now_ms);
    check(list.n == after.total && list.n > 0 && list.n <= wanted_of(&after));
    check(!value || has_cause(&before, &old));
    check(after.candidates == 0 || (after.late == 0 && after.total == wanted_of(&after)));
    check_seeds_kept(host->cluster, &old, &list, &before, &after, now_ms);
    addresses_free(&old);
    addresses_free(&list);
}

static void check_never_empty(struct host *host)
{
    struct addresses all;

    seeds_of_all(host->cluster, &host->values, &everywhere, &all);
    check(all.n > 0 || !host->had_seeds);
    host->had_seeds = all.n > 0;
    addresses_free(&all);
}

/* Nobody but the first one writes, unless those before it cannot. */
static void check_turn(const struct world *world, size_t h)
{
    if (world->now_ms - world->upset_ms <
        SEEDS_PATIENCE_MS + SEEDS_SETTLE_MS + (int64_t)h * SEEDS_TURN_MS)
        return;
    for (size_t i = 0; i < h; i++) {
        const struct node *node = world->host[h].cluster->sorted[i];

        check(!node->member || !node->voter || node->verdict.readiness != READY ||
              world->host[i].full);
    }
}

static void judge_host(struct world *world, size_t h)
{
    struct host *host = &world->host[h];
    struct seeds_change *changes;
    char name[HOST_ID_LEN];
    size_t n;

    for (size_t i = 0; i < NODES_MAX; i++)
        look(world, h, i);
    seeds_apply(host->cluster, &host->values, &everywhere, world->now_ms);
    seeds_changes(host->cluster, &host->values, &everywhere, world->now_ms, &changes, &n);
    snprintf(name, sizeof(name), "host%zu", h);
    for (size_t i = 0; i < n; i++) {
        const struct value_change change = {.key = changes[i].key, .text = changes[i].text};

        check_change(host, &changes[i], world->now_ms);
        check_turn(world, h);
        if (host->full)
            continue;
        check(values_change(&host->values, &change, name, WALL) == 0);
        world->written_ms = world->now_ms;
    }
    seeds_changes_free(changes, n);
    if (n > 0)
        seeds_apply(host->cluster, &host->values, &everywhere, world->now_ms);
    check_never_empty(host);
}

static void run(struct world *world, unsigned ticks)
{
    for (unsigned tick = 0; tick < ticks; tick++) {
        world->now_ms += TICK;
        gossip(world);
        exchange(world, tick);
        for (size_t h = 0; h < world->n; h++)
            if (is_there(&world->host[h]) && !world->host[h].stopped)
                judge_host(world, h);
    }
}

/* The collector begins anew with what it has on disk. */
static void restart(struct world *world, size_t h)
{
    struct host *host = &world->host[h];

    cluster_free(host->cluster);
    host->cluster = host_cluster(world, h);
    host->stopped = host->had_seeds = false;
    world->upset_ms = world->now_ms;
}

static size_t count_normal(const struct world *world)
{
    size_t n = 0;

    for (size_t i = 0; i < world->n; i++)
        n += world->host[i].phase == NORMAL;
    return n;
}

static void change_membership(struct world *world, size_t i)
{
    struct host *host = &world->host[i];

    switch (host->phase) {
    case ABSENT:
        break;
    case JOINING:
        set_phase(world, i, NORMAL, i);
        break;
    case NORMAL:
        if (count_normal(world) > 1)
            set_phase(world, i, LEAVING, i);
        break;
    case LEAVING:
        set_phase(world, i, LEFT, i);
        break;
    case LEFT: /* after days its name is no more */
        set_phase(world, i, ABSENT, i);
        host->up = false;
    }
}

static void happen(struct world *world)
{
    size_t i = pick(world, world->n);
    struct host *host = &world->host[i];
    size_t what = pick(world, 10);

    switch (what) {
    case 0:
        if (world->n < NODES_MAX)
            join(world, world->n++, pick(world, 2) ? JOINING : NORMAL);
        break;
    case 1:
    case 2:
        change_membership(world, i);
        break;
    case 3:
        host->up = !host->up;
        break;
    case 4:
        host->drained = !host->drained;
        break;
    case 5: /* with its host */
        host->up = false;
        host->stopped = true;
        break;
    case 6:
        if (is_there(host))
            restart(world, i);
        break;
    case 7:
    case 8:
        for (size_t k = 0; k < world->n; k++)
            world->host[k].group = what == 7 ? pick(world, 2) : 0;
        world->upset_ms = world->now_ms;
        break;
    case 9:
        host->full = !host->full;
    }
}

/* All but the disks of some, which need not be whole. */
static void heal(struct world *world)
{
    size_t full = 0;

    world->upset_ms = world->now_ms;
    for (size_t i = 0; i < world->n; i++) {
        struct host *host = &world->host[i];

        host->group = 0;
        host->drained = false;
        host->full = host->full && full++ < 2;
        if (is_there(host) && host->stopped)
            restart(world, i);
        host->up = host->phase != ABSENT && host->phase != LEFT;
    }
    for (size_t i = 0; i < world->n; i++)
        while (world->host[i].phase == JOINING || world->host[i].phase == LEAVING)
            change_membership(world, i);
}

static bool same_value(const struct value *a, const struct value *b)
{
    return strcmp(a->key, b->key) == 0 && a->counter == b->counter &&
           strcmp(a->host, b->host) == 0 && (a->text != NULL) == (b->text != NULL) &&
           (!a->text || strcmp(a->text, b->text) == 0);
}

/* All hold the same, of the same version, and show it. */
static void check_alike(const struct world *world)
{
    const struct host *first = NULL;
    struct addresses shown = {0}, all;

    for (size_t h = 0; h < world->n; h++) {
        const struct host *host = &world->host[h];

        if (!is_there(host) || host->phase != NORMAL)
            continue;
        seeds_of_all(host->cluster, &host->values, &everywhere, &all);
        if (!first) {
            first = host;
            shown = all;
            continue;
        }
        check(host->values.n == first->values.n);
        for (size_t i = 0; i < first->values.n; i++)
            check(same_value(&host->values.items[i], &first->values.items[i]));
        check(all.n == shown.n);
        check(memcmp(all.items, shown.items, all.n * sizeof(*all.items)) == 0);
        addresses_free(&all);
    }
    addresses_free(&shown);
}

static void check_lists(const struct world *world)
{
    for (size_t h = 0; h < world->n; h++) {
        const struct host *host = &world->host[h];
        struct seed_lists lists;

        if (!is_there(host) || host->phase != NORMAL)
            continue;
        seed_lists_load(&host->values, &lists);
        check(lists.n > 0);
        for (size_t i = 0; i < 2; i++) {
            const char *datacenter = i == 0 ? "dc0" : "dc1";
            const struct seed_list *list = seed_lists_find(&lists, datacenter);

            check_at_rest(host->cluster, datacenter, list ? &list->seeds : NULL, world->now_ms);
        }
        seed_lists_free(&lists);
    }
}

/* Fewer than half are down, for good. */
static void lose_some(struct world *world)
{
    size_t most = (count_normal(world) - 1) / 2;

    for (size_t i = 0; i < world->n && most > 0; i++)
        if (world->host[i].phase == NORMAL && pick(world, 3) == 0) {
            world->host[i].up = false;
            most--;
        }
}

/* Somebody can write. */
static void free_some(struct world *world)
{
    for (size_t i = 0; i < world->n; i++)
        if (world->host[i].phase == NORMAL && world->host[i].up && !world->host[i].full)
            return;
    for (size_t i = 0; i < world->n; i++)
        world->host[i].full = false;
}

static void history(uint64_t seed)
{
    struct world world = {.random = begin_case(seed), .now_ms = FLEET_START};
    size_t events = pick(&world, 10);
    int64_t written_ms;

    world.n = 1 + pick(&world, 9);
    for (size_t i = 0; i < world.n; i++)
        join(&world, i, NORMAL);
    run(&world, 1 + (unsigned)pick(&world, 10));
    while (events-- > 0) {
        happen(&world);
        run(&world, 1 + (unsigned)pick(&world, pick(&world, 3) ? 8 : MINUTE + 10));
    }
    heal(&world);
    if (seed % 2)
        lose_some(&world);
    free_some(&world);
    run(&world, QUIET);
    check_alike(&world);
    check_lists(&world);
    written_ms = world.written_ms;
    run(&world, 10);
    check(world.written_ms == written_ms);
    for (size_t i = 0; i < world.n; i++) {
        cluster_free(world.host[i].cluster);
        values_free(&world.host[i].values);
    }
}

static void every_history_ends_with_one_good_list(void **state)
{
    (void)state;
    cases(history, HISTORIES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_history_ends_with_one_good_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

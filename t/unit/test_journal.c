/* What is told of decisions: which of very many at once, and what is no news. */
#define FLEET_MAX 120
#include <unistd.h>

#include "journal.h"
#include "model_util.h"

#define NODES 110

struct told {
    struct fleet fleet;
    sd_event *event;
    struct journal journal;
};

static void begin(struct told *told)
{
    *told = (struct told){0};
    fleet_init(&told->fleet, NODES, POLICY_MUTUAL);
    assert_true(sd_event_new(&told->event) >= 0);
    assert_int_equal(record_new(told->event, "/dev/null", &told->journal.record), 0);
}

static void end(struct told *told)
{
    record_free(told->journal.record);
    journal_free(&told->journal);
    fleet_done(&told->fleet);
    sd_event_unref(told->event);
}

/* One round; what stood on stderr, to be freed. */
static char *one_round(struct told *told)
{
    FILE *file = tmpfile();
    int before = dup(STDERR_FILENO);
    char *text;
    long len;

    fleet_round(&told->fleet);
    assert_non_null(file);
    dup2(fileno(file), STDERR_FILENO);
    journal_decisions(&told->journal, told->fleet.cluster, told->fleet.decisions,
                      told->fleet.n_decisions);
    dup2(before, STDERR_FILENO);
    close(before);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    len = ftell(file);
    text = calloc(1, (size_t)len + 1);
    rewind(file);
    assert_int_equal(fread(text, 1, (size_t)len, file), len);
    fclose(file);
    return text;
}

static size_t lines(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

/* Of more than are told the last ones by address are not ready: at the start, where all that is
 * well is no news. */
static void who_is_not_ready_comes_first(void **state)
{
    const struct decisions *decisions;
    struct told told;
    char *text;

    (void)state;
    begin(&told);
    decisions = record_decisions(told.journal.record);
    for (size_t i = NODES - 3; i < NODES; i++)
        told.fleet.node[i].native = TRILEAN_FALSE;
    text = one_round(&told);
    assert_int_equal(told.fleet.n_decisions, NODES);
    assert_int_equal(lines(text), 51);
    assert_non_null(strstr(text, "110 verdicts changed at once"));
    for (size_t i = NODES - 3; i < NODES; i++) {
        char line[96];

        sprintf(line, "10.0.0.%zu: unknown -> not ready: native transport off\n", i + 1);
        assert_non_null(strstr(text, line));
        assert_true(strstr(text, line) < strstr(text, "-> ready"));
    }
    assert_int_equal(decisions->n, 4);
    assert_non_null(strstr(decisions->items[0].what, "110 verdicts changed at once"));
    for (size_t i = 1; i < 4; i++)
        assert_string_equal(decisions->items[i].what, "not ready");
    assert_string_equal(decisions->items[1].node, "10.0.0.108");
    free(text);
    end(&told);
}

static void a_start_where_all_is_well_is_not_on_record(void **state)
{
    struct told told;
    char *text;

    (void)state;
    begin(&told);
    text = one_round(&told);
    assert_int_equal(told.fleet.n_decisions, NODES);
    assert_int_equal(lines(text), 51);
    assert_int_equal(record_decisions(told.journal.record)->n, 0);
    free(text);
    end(&told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_not_ready_comes_first),
        cmocka_unit_test(a_start_where_all_is_well_is_not_on_record),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

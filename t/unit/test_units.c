/* Units, where there is no system bus, or one that ends; t/boot_hosts.t has a real one with
 * systemd. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "acting/unit_properties.h"
#include "acting/units.h"

struct told {
    unsigned done, looked;
    struct unit_result result;
    struct unit_state state;
};

static void on_done(const struct unit_result *result, void *userdata)
{
    struct told *told = userdata;

    told->done++;
    told->result = *result;
}

static void on_looked(const struct unit_state *state, void *userdata)
{
    struct told *told = userdata;

    told->looked++;
    told->state = *state;
}

static void run_until(sd_event *event, const unsigned *what, unsigned number)
{
    while (*what < number)
        assert_true(sd_event_run(event, 10000000) > 0);
}

static void nobody_listens(void **state)
{
    struct told told = {0};
    struct units *units;
    sd_event *event;

    (void)state;
    setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1);
    assert_int_equal(sd_event_new(&event), 0);
    assert_int_equal(units_new(event, &units), 0);
    assert_int_equal(unit_run(units, "cassandra.service", UNIT_START, on_done, &told), 0);
    assert_int_equal(unit_look(units, "cassandra.service", on_looked, &told), 0);
    assert_int_equal(told.done + told.looked, 0); /* later, not from there */
    run_until(event, &told.done, 1);
    run_until(event, &told.looked, 1);
    assert_int_equal(told.result.end, UNIT_UNKNOWN);
    assert_string_equal(told.result.detail, "the system bus: No such file or directory");
    assert_false(told.state.known);
    units_free(units);
    sd_event_unref(event);
}

/* A bus that ends while an answer is waited for, twice: it is connected anew. */
static void the_bus_ends(void **state)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    char dir[] = "/tmp/prober-units-XXXXXX", address[128];
    struct told told = {0};
    struct units *units;
    sd_event *event;
    int listener;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(name.sun_path, sizeof(name.sun_path), "%s/bus", dir);
    snprintf(address, sizeof(address), "unix:path=%s/bus", dir);
    setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&name, sizeof(name)), 0);
    assert_int_equal(listen(listener, 5), 0);
    assert_int_equal(sd_event_new(&event), 0);
    assert_int_equal(units_new(event, &units), 0);
    for (unsigned i = 1; i <= 2; i++) {
        assert_int_equal(unit_run(units, "a.service", UNIT_STOP, on_done, &told), 0);
        close(accept(listener, NULL, NULL));
        run_until(event, &told.done, i);
        assert_int_equal(told.result.end, UNIT_UNKNOWN);
    }
    /* What has no answer is not called back any more. */
    assert_int_equal(unit_run(units, "a.service", UNIT_STOP, on_done, &told), 0);
    units_free(units);
    sd_event_unref(event);
    assert_int_equal(told.done, 2);
    close(listener);
    unlink(name.sun_path);
    rmdir(dir);
}

static void how_a_job_ended(void **state)
{
    static const struct {
        struct unit_properties properties;
        enum unit_verb verb;
        const char *job;
        enum unit_end end;
        bool skipped;
        const char *detail;
    } table[] = {
        {{.active = "active", .result = "success"}, UNIT_START, "done", UNIT_DONE, false, ""},
        {{.active = "inactive", .result = "success"}, UNIT_START, "done", UNIT_DONE, false, ""},
        {{.active = "failed", .result = "exit-code", .code = CLD_EXITED, .status = 3},
         UNIT_START,
         "failed",
         UNIT_FAILED,
         false,
         "exit status 3"},
        {{.active = "failed", .result = "exit-code", .code = CLD_EXITED, .status = 3},
         UNIT_START,
         "done",
         UNIT_FAILED,
         false,
         "exit status 3"},
        {{.active = "failed", .result = "signal", .code = CLD_KILLED, .status = 9},
         UNIT_RESTART,
         "failed",
         UNIT_FAILED,
         false,
         "killed by signal 9 (signal)"},
        {{.active = "failed", .result = "timeout"},
         UNIT_START,
         "failed",
         UNIT_FAILED,
         false,
         "timeout"},
        {{.active = "failed", .result = "timeout"}, UNIT_STOP, "done", UNIT_DONE, false, ""},
        {{.active = "inactive", .result = "exec-condition"},
         UNIT_START,
         "done",
         UNIT_FAILED,
         true,
         "skipped: its ExecCondition= said no"},
        {{.active = "inactive", .condition_told = true},
         UNIT_START,
         "done",
         UNIT_FAILED,
         true,
         "skipped: a Condition…= said no"},
        {{.active = "active", .condition_told = true}, UNIT_START, "done", UNIT_DONE, false, ""},
        {{.active = "inactive"},
         UNIT_RESTART,
         "canceled",
         UNIT_FAILED,
         false,
         "cancelled by another job of the unit"},
        {{.active = "inactive"},
         UNIT_RESTART,
         "dependency",
         UNIT_FAILED,
         false,
         "a unit that it needs has failed"},
        {{.active = "inactive"}, UNIT_STOP, "timeout", UNIT_FAILED, false, "its job timed out"},
        {{.active = "inactive", .result = "success"},
         UNIT_START,
         "sunk",
         UNIT_FAILED,
         false,
         "its job ended with: sunk"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct unit_result result;

        unit_properties_judge(&table[i].properties, table[i].verb, table[i].job, &result);
        if (result.end != table[i].end)
            fail_msg("%zu: %s", i, unit_end_word(result.end));
        assert_int_equal(result.skipped, table[i].skipped);
        assert_string_equal(result.detail, table[i].detail);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(the_bus_ends),
        cmocka_unit_test(how_a_job_ended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

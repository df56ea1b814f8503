/*
 * Asks systemd for a unit as the collector does: unitctl start|stop|restart|look NAME
 *
 * One line: end=done skipped=0 detail, or known=1 active=... sub=... invocation=...; exit status 0
 * for done and known.
 */
#include <stdio.h>
#include <string.h>

#include "acting/units.h"

static int status = 2;
static sd_event *event;

static void on_done(const struct unit_result *result, void *userdata)
{
    (void)userdata;
    printf("end=%s skipped=%d %s\n", unit_end_word(result->end), result->skipped, result->detail);
    status = result->end != UNIT_DONE;
    sd_event_exit(event, 0);
}

static void on_looked(const struct unit_state *state, void *userdata)
{
    (void)userdata;
    printf("known=%d active=%s sub=%s invocation=%llu\n", state->known, state->active, state->sub,
           state->invocation_us);
    status = !state->known;
    sd_event_exit(event, 0);
}

int main(int argc, char **argv)
{
    struct units *units = NULL;
    int r = argc == 3 ? sd_event_default(&event) : -1;

    if (r >= 0)
        r = units_new(event, &units);
    if (r >= 0 && strcmp(argv[1], "look") == 0) {
        r = unit_look(units, argv[2], on_looked, NULL);
    } else if (r >= 0) {
        enum unit_verb verb = UNIT_START;

        while (verb < UNIT_RESTART && strcmp(unit_verb_word(verb), argv[1]) != 0)
            verb++;
        r = unit_run(units, argv[2], verb, on_done, NULL);
    }
    if (r < 0)
        fprintf(stderr, "usage: unitctl start|stop|restart|look NAME\n");
    else
        sd_event_loop(event);
    units_free(units);
    sd_event_unref(event);
    return status;
}

/* job_runner.c follows the job and reads it; job_steps.c takes the steps; job_requests.c answers;
 * job_told.c tells people. */
#ifndef JOB_RUNNER_PRIVATE_H
#define JOB_RUNNER_PRIVATE_H

#include "job_runner.h"
#include "store/job_json.h"

#define UNIT_LEN 256

struct job_runner {
    struct job_runner_settings settings;
    const struct conf *conf;
    sd_event_source *timer;
    bool busy; /* something was asked whose answer takes the next step */

    struct job job; /* as read or written last */
    bool active;    /* there is one */
    int64_t revision;
    int64_t asked_ms; /* CLOCK_BOOTTIME when it began to ask for that version */
    struct job next;  /* being written */
    int64_t put_ms;
    struct job unsaid; /* was being written, and nobody knows whether it is; n_nodes 0 = none */

    struct jobs_last last;
    int64_t last_revision; /* -1 = not read yet */
    unsigned until_last;   /* looks until it is read again */

    struct job_hand hand;
    int64_t permit_asked_ms; /* TURN_ASK; CLOCK_BOOTTIME */
    struct job_watch watch;
    struct job_run *runs; /* units that this process has started */
    struct job_ask *asks; /* requests that wait */

    char problem[192]; /* with the store, or with what it says */
    bool no_store;     /* as its last answer had it */
    int64_t read_at_ms;
    uint64_t changes;
    char leader[HOST_ID_LEN]; /* as shown */
    bool suspended;
    struct jobs_shown shown;
    const char **types; /* owned */
};

int64_t job_clock_ms(clockid_t clock);

/* The unit of a type on this host. */
void job_unit_name(const struct conf *conf, const char *type, char ret[UNIT_LEN]);

/* Asks the store again, now or in so many ms. */
void job_runner_look(struct job_runner *runner);
void job_runner_look_in(struct job_runner *runner, int64_t ms);

/* Something that documents show is another. */
void job_runner_changed(struct job_runner *runner);

/* Takes what there is to do of the version that was read last; looks again in any case. */
void job_runner_step(struct job_runner *runner);
void job_runs_free(struct job_runner *runner);

/* Tells what is other in `after`. `before` NULL: it was begun. */
void job_tell(struct job_runner *runner, const struct job *before, const struct job *after);

/* This host starts the unit now. */
void job_tell_run(struct job_runner *runner, const struct job *job, size_t node, const char *unit);

void job_asks_end(struct job_runner *runner);

#endif

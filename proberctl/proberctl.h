/*
 * What the commands of proberctl have in common. Each returns an exit status and has said on stderr
 * what to do next, unless it is YES.
 */
#ifndef PROBERCTL_H
#define PROBERCTL_H

#include <stdbool.h>
#include <stdint.h>

#define STALE_MS 10000 /* as nginx has it, where prober_stale does not say otherwise */

enum answer {
    YES = 0,
    NO = 1,
    CANNOT_TELL = 2,
};

struct options {
    const char *segment, *socket; /* by options, the configuration or as installed */
    const char *config;           /* NULL = not given */
    bool json;
    const char *ttl, *timeout;
    const char *wait; /* of gate; NULL = not given */
    bool fail_open, fail_closed;
    const char *node;                                 /* of decisions; NULL = of all */
    const char *on_failure, *dc, *rack, *nodes;       /* of job; NULL = not given */
    bool force;                                       /* of job abort */
    bool reload;                                      /* of seeds --apply */
    const char *apply, *first_node, *own, *from_file; /* of seeds, own of
                                                         gate, too; NULL = not given */
};

/* A line on stderr, with the program's name before it. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The one spelling of an address (PROBER_ADDR_STRLEN). False: it said what is wrong. */
bool read_address(const char *text, char ret[]);

/* When --timeout is over, of prober_segment_now_ms(). False: it said what is wrong. */
bool read_timeout(const char *text, int64_t *ret_end_ms);

/* What is read from the segment. `args` are those after the command's name. */
enum answer show_status(const struct options *options, char **args);
enum answer show_nodes(const struct options *options, char **args);
enum answer show_why(const struct options *options, char **args);
enum answer show_seeds(const struct options *options, char **args);
enum answer show_dcs(const struct options *options, char **args);
enum answer show_plan(const struct options *options, char **args);
enum answer show_regions(const struct options *options, char **args);
enum answer show_decisions(const struct options *options, char **args);
enum answer show_history(const struct options *options, char **args);
enum answer watch(const struct options *options, char **args);
enum answer wait_ready(const struct options *options, char **args);

/* What is said on the control socket. */
enum answer drain(const struct options *options, char **args);
enum answer undrain(const struct options *options, char **args);
enum answer run_state(const struct options *options, char **args);
enum answer ask_gate(const struct options *options, char **args);
enum answer suspend(const struct options *options, char **args);
enum answer resume(const struct options *options, char **args);
enum answer repaired(const struct options *options, char **args);
enum answer set_value(const struct options *options, char **args);
enum answer unset_value(const struct options *options, char **args);
/* start TYPE, abort TYPE, status, last [TYPE] */
enum answer job(const struct options *options, char **args);
/* Sends one request, `url` with http://localhost/ before it; prints what a 200 says. */
enum answer request(const struct options *options, const char *method, const char *url,
                    const char *body);
/* Has the local Cassandra read its file again, which is to have given it these: a JSON array. */
enum answer reload_seeds(const struct options *options, const char *seeds);

/* seeds --apply */
enum answer apply_seeds(const struct options *options);

#endif

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
    const char *node;                                 /* of decisions; NULL = of all */
    bool reload;                                      /* of seeds --apply */
    const char *apply, *first_node, *own, *from_file; /* of seeds; NULL = not given */
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
enum answer wait_ready(const struct options *options, char **args);

/* What is said on the control socket. */
enum answer drain(const struct options *options, char **args);
enum answer undrain(const struct options *options, char **args);
enum answer suspend(const struct options *options, char **args);
enum answer resume(const struct options *options, char **args);
enum answer repaired(const struct options *options, char **args);
enum answer set_value(const struct options *options, char **args);
enum answer unset_value(const struct options *options, char **args);
/* Has the local Cassandra read its file again, which is to have given it these: a JSON array. */
enum answer reload_seeds(const struct options *options, const char *seeds);

/* seeds --apply */
enum answer apply_seeds(const struct options *options);

#endif

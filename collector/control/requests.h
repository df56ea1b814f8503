/*
 * What may be asked on the control socket: paths and methods, and what their bodies may be. A
 * request becomes a change of a value, or its answer says in one line why not.
 */
#ifndef CONTROL_REQUESTS_H
#define CONTROL_REQUESTS_H

#include "../model/cluster.h"
#include "../model/values.h"

#define REQUEST_LINE_LEN 256
#define SUSPEND_PATH     "/admin/cluster/observer/suspend"

/* What a request asks for. Texts are owned by it. */
struct request_change {
    struct value_change change;
    char key[VALUES_KEY_LEN];
    char *text;
};

/*
 * Reads a request. `region` is this host's; drains are of nodes of
 * `cluster`, or in `values`. 0: *ret is the change
 * it asks for, to be freed by request_change_done(). Otherwise an HTTP status: `line` says in one
 * line what is wrong, and *ret_allow, when it is not NULL, which methods there are.
 */
unsigned request_read(const struct cluster *cluster, const struct values *values,
                      const char *region, const char *method, const char *path, const char *ttl,
                      const char *body, size_t len, struct request_change *ret,
                      char line[REQUEST_LINE_LEN], const char **ret_allow);

/* The same of SUSPEND_PATH: whether the observer is to act on nothing. `value` is of the query. */
unsigned request_read_suspend(const char *method, const char *value, struct request_change *ret,
                              char line[REQUEST_LINE_LEN], const char **ret_allow);

void request_change_done(struct request_change *change);

#endif

/*
 * What has to outlive this process and a boot, as JSON: what operators said (values), which must
 * not get lost, and as a hint who the nodes are and which one is this host's, so that a host whose
 * Cassandra is down knows whom to ask and can say so. state_file.h puts it on disk.
 */
#ifndef STATE_H
#define STATE_H

#include "../model/cluster.h"
#include "../model/values.h"
#include "../sources/poller.h"

/* The document. Owned by the caller (free()). -ENOMEM; -EFBIG: state_load() would not read it. */
int state_text(const struct cluster *cluster, const struct poller_local *local,
               const struct values *values, char **ret);

/*
 * Reads PATH, or when that cannot be read the generation before it (PATH.1), and recalls the nodes,
 * the cluster's name, *ret_local when it is there, and the values. 0: PATH; 1: PATH.1, and
 * *ret_error says what was wrong with PATH; -ENOENT: there is neither; another negative errno: the
 * same, and PATH.1 is no help. -EBADMSG: what was read is none of ours; it is PATH.bad then. After
 * other errors PATH may be all there is of what operators have said: do not write over it.
 * `why` tells of values that were left out ("" = none was).
 */
int state_load(const char *path, struct cluster *cluster, struct poller_local *ret_local,
               struct values *values, int64_t wall_ms, int *ret_error, char why[DETAIL_LEN]);

#endif

/*
 * The /view document of another host's prober: what its collector knows of the Cassandra there.
 * PURE; jansson only.
 *
 *   { "format": 1, "address": "10.0.0.2", "cluster": "c", "host_id": "UUID",
 *     "process": "up",                        or "starting", "hung", "gone"
 *     "mode": "NORMAL", "native_transport": true, "gossip": true, "release": "5.0.4",
 *     "settled": true,                        its opinion counts on its own host
 *     "state": { "generation": 1, "status": "NORMAL", "dc": "dc1", "rack": "r1",
 *                "rpc_ready": true, "native": "10.0.0.2" },
 *     "view": { "/10.0.0.1": "UP", "/10.0.0.2": "UP" } }
 *
 * What is not known is null or missing. Of the keys that this version does not know none matters; a
 * change that would make old readers wrong is another format.
 */
#ifndef PEER_VIEW_H
#define PEER_VIEW_H

#include "observation.h"

#define PEER_VIEW_FORMAT 1

/*
 * Reads the document that the host of `address` gave. *ret has result, process_gone, hung, detail
 * and (with POLL_OK, POLL_REFUSED and POLL_NO_MBEAN being what that host's own poll came to) the
 * view, which is owned by the caller and there with POLL_OK alone. Nothing else of *ret is touched.
 */
void peer_view_parse(const struct prober_addr *address, const char *body, size_t len,
                     struct observation *ret);

#endif

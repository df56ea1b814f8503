/*
 * Cassandra's text formats, as its MBeans print them. PURE.
 *
 * Versions 3.11 to 5.0 spell the same things differently, and one and the same cluster mixes
 * spellings: what is read here accepts all of them. Junk is skipped or refused, never an abort.
 */
#ifndef CASSANDRA_TEXT_H
#define CASSANDRA_TEXT_H

#include "observation.h"

/*
 * An endpoint as it is named in maps and lists: "host/ip:port", "/ip", "ip", IPv6 as "/[ip]:port"
 * or bare. *ret_port is 0 when there is none; ret_port may be NULL. -EINVAL and nothing written
 * when it is no address.
 */
int cassandra_endpoint(const char *text, size_t len, struct prober_addr *ret, uint16_t *ret_port);

/*
 * Copies a name into a buffer of `size` bytes: cut to it between two characters of UTF-8, control
 * characters replaced, the rest filled with NULs, so that equal names are equal bytes.
 */
void cassandra_copy(const char *text, size_t len, char *buffer, size_t size);

/* "UP" or "DOWN"; every other word is LIVENESS_UNKNOWN. */
enum liveness cassandra_liveness(const char *word, size_t len);

/*
 * The text of AllEndpointStates: an unindented line names the endpoint, indented
 * "KEY:version:value" lines follow. *ret is an array sorted by endpoint without duplicates, to be
 * freed by the caller; NULL when there is none. -E2BIG: more than `max` endpoints. -ENOMEM.
 */
int cassandra_states(const char *text, size_t len, size_t max, struct gossip_state **ret,
                     size_t *ret_n);

#endif

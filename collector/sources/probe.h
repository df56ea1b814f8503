/*
 * Whether a TCP port takes connections: asked of the native address when JMX is refused, to tell
 * that the process is gone.
 */
#ifndef PROBE_H
#define PROBE_H

#include "http_multi.h"

struct probe;

/* Takes exactly one call of `done`, later, never from here; *ret is gone by then. */
int probe_start(struct multi *multi, const struct prober_addr *address, uint16_t port,
                int64_t timeout_ms, void (*done)(enum poll_result result, void *userdata),
                void *userdata, struct probe **ret);

/* Without calling `done`. Accepts NULL; returns NULL. */
struct probe *probe_cancel(struct probe *probe);

#endif

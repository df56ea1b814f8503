/*
 * libcurl's multi handle under sd-event: every connection out of the collector runs here, all at
 * once, in one thread.
 */
#ifndef HTTP_MULTI_H
#define HTTP_MULTI_H

#include <curl/curl.h>
#include <systemd/sd-event.h>

#include "observation.h"

#define HTTP_BUDGET ((size_t)64 * 1024 * 1024) /* bytes of answers on their way, all together */

struct multi;

/* One transfer on its way. The owner embeds it; it must stay until `done` is called or
 * multi_cancel(). */
struct transfer {
    CURL *easy;
    bool connection; /* it only connects, and is kept after `done` until multi_cancel() */
    void (*done)(struct transfer *transfer, CURLcode code);
};

int multi_new(sd_event *event, struct multi **ret);
/* Nothing may be on its way any more. Accepts NULL; returns NULL. */
struct multi *multi_free(struct multi *multi);

sd_event *multi_event(struct multi *multi);

/*
 * Takes memory for an answer that is on its way, or gives it back. False: all answers together
 * would pass HTTP_BUDGET, nothing was taken.
 */
bool multi_reserve(struct multi *multi, size_t bytes);
void multi_release(struct multi *multi, size_t bytes);

/* How many connections are kept open for the next poll. */
void multi_keep(struct multi *multi, size_t n_connections);

/* A new easy handle with what all transfers share: no proxy, no redirects, no signals, nothing from
 * the environment. */
CURL *multi_easy(void);

/* Starts the transfer. `done` is called later, never from here; the handle has left the multi then,
 * but for that of a connection. -ENOMEM. */
int multi_start(struct multi *multi, struct transfer *transfer);

/* Stops it without calling `done`. */
void multi_cancel(struct multi *multi, struct transfer *transfer);

/*
 * The poll result that a transfer's end stands for, and in `detail` what a person wants to know
 * besides ("" = nothing). The same failure always gives the same detail, so that a document that
 * shows it does not change.
 */
enum poll_result multi_result(CURL *easy, CURLcode code, char detail[DETAIL_LEN]);

#endif

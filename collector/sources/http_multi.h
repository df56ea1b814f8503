/*
 * libcurl's multi handle under sd-event: every connection out of the collector runs here, all at
 * once, in one thread.
 */
#ifndef HTTP_MULTI_H
#define HTTP_MULTI_H

#include <curl/curl.h>
#include <systemd/sd-event.h>

#include "observation.h"

struct multi;

/* One transfer on its way. The owner embeds it; it must stay until `done` is called or
 * multi_cancel(). */
struct transfer {
    CURL *easy;
    void (*done)(struct transfer *transfer, CURLcode code);
};

int multi_new(sd_event *event, struct multi **ret);
/* Nothing may be on its way any more. Accepts NULL; returns NULL. */
struct multi *multi_free(struct multi *multi);

/* How many connections are kept open for the next poll. */
void multi_keep(struct multi *multi, size_t n_connections);

/* A new easy handle with what all transfers share: no proxy, no redirects, no signals, nothing from
 * the environment. */
CURL *multi_easy(void);

/* Starts the transfer. `done` is called later, never from here, and after the handle left the
 * multi. -ENOMEM. */
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

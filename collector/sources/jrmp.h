/*
 * One connection to a JMX server: TCP or TLS and the handshake of Java's remote method invocation.
 * libcurl connects; its deadline is its owner's. Answers grow by what arrives and count towards
 * HTTP_BUDGET.
 */
#ifndef JRMP_H
#define JRMP_H

#include "http_multi.h"
#include "jmx_message.h"

struct jrmp;

struct jrmp_place {
    const char *host; /* IPv6 in brackets */
    uint16_t port;
    bool tls;
    const char *ca_file; /* "" = the system's list */
};

struct jrmp_handlers {
    /* There is more than before. May close the connection. */
    void (*input)(void *userdata);
    /* It is over, or never came to be; only jrmp_close() is left to do, here or later. */
    void (*ended)(enum poll_result result, const char *detail, void *userdata);
    void *userdata;
};

/* Connects. Handlers are called later, never from here. -ENOMEM. */
int jrmp_open(struct multi *multi, const struct jrmp_place *place,
              const struct jrmp_handlers *handlers, struct jrmp **ret);

/* Accepts NULL; returns NULL. What was sent and fits the kernel's buffer still goes out. */
struct jrmp *jrmp_close(struct jrmp *jrmp);

/* Sends, at once or when the connection stands. What waits must fit one request: -ENOBUFS. */
int jrmp_send(struct jrmp *jrmp, const struct jmx_request *request);

/* How much may arrive before it is dropped. */
void jrmp_limit(struct jrmp *jrmp, size_t max_bytes);

/* What has arrived after the handshake and was not dropped; valid until a handler is called. */
const uint8_t *jrmp_data(const struct jrmp *jrmp, size_t *ret_len);
void jrmp_drop(struct jrmp *jrmp);

/* Takes it away: to be freed, and *ret_reserved given back with multi_release(). */
uint8_t *jrmp_take(struct jrmp *jrmp, size_t *ret_reserved);

/* Where it is to, and how. */
bool jrmp_is_to(const struct jrmp *jrmp, uint16_t port, bool tls);

/* How far it got, for a person: "connecting", "no answer", "answer incomplete". */
const char *jrmp_stage(const struct jrmp *jrmp);

#endif

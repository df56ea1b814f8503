/*
 * HTTP POST and GET with a deadline and bounds. Whatever happens ends in one `done` with a poll
 * result.
 *
 * Bodies grow by what arrives, never by what is announced, and count towards HTTP_BUDGET.
 */
#ifndef HTTP_H
#define HTTP_H

#include "http_multi.h"

struct http;
struct http_request;

#define ETAG_LEN 80 /* with its NUL; longer ones are not kept */

/* As whom, and who signs the other side's certificate. Texts are owned, none is NULL. */
struct http_login {
    char *user; /* "" = no credentials */
    char *password;
    char *ca_file; /* in PEM; "" = the system's list */
};

/* Copies; NULL counts as "". -ENOMEM, and *ret is as after http_login_done(). */
int http_login_copy(const char *user, const char *password, const char *ca_file,
                    struct http_login *ret);
void http_login_done(struct http_login *login);

struct http_ask {
    const char *url;
    const struct http_login *login;
    const char *body;   /* NULL = GET */
    const char *etag;   /* of a GET: what is known already; NULL or "" = nothing */
    const char *token;  /* the header Authorization as it is; NULL or "" = none */
    bool once;          /* never sent twice: libcurl repeats what a kept connection has swallowed */
    bool keep_errors;   /* answer.body also of another status, of which it says why */
    int64_t timeout_ms; /* from start to the last byte of the answer */
    size_t max_bytes;   /* of the answer's body */
};

struct http_answer {
    enum poll_result result; /* POLL_OK: a whole answer with status 200, or 304 to an ETag */
    bool not_modified;       /* 304 */
    int status;              /* 0 = none */
    char *body; /* borrowed, may be written to; NULL unless POLL_OK (or keep_errors) and
                   len > 0 */
    size_t len;
    size_t bytes;     /* of the body that arrived, also when it was not kept */
    const char *etag; /* borrowed; "" = none */
    int64_t age_ms;   /* X-Prober-Age-Ms; -1 = none */
    char detail[DETAIL_LEN];
};

typedef void (*http_done)(const struct http_answer *answer, void *userdata);

int http_new(struct multi *multi, struct http **ret);
/* No request may be on its way any more. Accepts NULL; returns NULL. */
struct http *http_free(struct http *http);

/* `ask` is copied. `done` is called later, never from here; *ret is gone by then. */
int http_start(struct http *http, const struct http_ask *ask, http_done done, void *userdata,
               struct http_request **ret);

/* Without calling `done`. Accepts NULL; returns NULL. */
struct http_request *http_cancel(struct http_request *request);

#endif

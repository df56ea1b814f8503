/*
 * Requests and answers of etcd's v3 JSON gateway: keys and values in base64, 64-bit numbers as
 * strings, what is zero or empty left out. PURE.
 */
#ifndef ETCD_MESSAGE_H
#define ETCD_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ETCD_ANSWER_MAX ((size_t)2 * 1024 * 1024) /* bytes; a value of the largest size fits */
#define ETCD_TOKEN_LEN  1024
#define ETCD_WHY_LEN    128

/* Each returns a body, owned by the caller, or NULL: out of memory. */
char *etcd_range(const char *key);
/* Puts when the key has that revision (0 = it is not there), else reads it. `lease` 0 = none. */
char *etcd_put(const char *key, const char *value, int64_t revision, int64_t lease);
char *etcd_delete(const char *key, int64_t revision);
char *etcd_grant(int64_t ttl_s);
char *etcd_lease(int64_t id); /* keepalive and revoke */
char *etcd_authenticate(const char *user, const char *password);

/* What a range or a transaction answers. */
struct etcd_kv {
    bool done;        /* the transaction's condition held; false for a range */
    int64_t revision; /* of the key now; 0 = it is not there */
    char *value;      /* owned, NUL-terminated; NULL = it is not there, or a put was done */
    size_t len;
};

/* 0, or -EBADMSG: it is no such answer. *ret is freed by etcd_kv_done() when it was 0. */
int etcd_read_range(const char *body, size_t len, struct etcd_kv *ret);
int etcd_read_txn(const char *body, size_t len, struct etcd_kv *ret);
void etcd_kv_done(struct etcd_kv *kv);

/* Of a grant, or a keepalive (where ttl 0 says that there is no such lease any more). */
int etcd_read_lease(const char *body, size_t len, int64_t *ret_id, int64_t *ret_ttl_s);
int etcd_read_token(const char *body, size_t len, char token[ETCD_TOKEN_LEN]);

enum etcd_error {
    ETCD_OTHER = 0,
    ETCD_LOGIN,   /* a token is missing, or no good (any more): nothing was done */
    ETCD_NO_AUTH, /* a login where etcd has none */
    ETCD_NO_LEASE,
};

/* What the body of an error says, fit for a line of text; "" = nothing. */
enum etcd_error etcd_read_error(const char *body, size_t len, char why[ETCD_WHY_LEN]);

#endif

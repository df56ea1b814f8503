/* Arbitrary bytes as what etcd's gateway answers, and as the permit in the store. */
#include <stdlib.h>
#include <string.h>

#include "store/etcd_message.h"
#include "store/permit_text.h"

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_kv(int r, struct etcd_kv *kv)
{
    if (r < 0)
        return;
    check(kv->revision >= 0);
    if (kv->value) {
        check(kv->revision > 0 && kv->value[kv->len] == '\0');
        etcd_kv_done(kv);
    }
}

static void check_permit(const char *body, size_t len)
{
    struct permit permit, again;
    char *text;

    if (permit_read(body, len, &permit) < 0) {
        check(permit.kind == PERMIT_NONE);
        return;
    }
    check(permit_token_ok(permit.token) && permit.ttl_ms > 0 && permit.granted_ms >= 0);
    text = permit_write(&permit);
    check(text && permit_read(text, strlen(text), &again) == 0);
    check(again.kind == permit.kind && again.seen_down == permit.seen_down &&
          strcmp(again.token, permit.token) == 0 && strcmp(again.who, permit.who) == 0);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *body = (const char *)data;
    char token[ETCD_TOKEN_LEN], why[ETCD_WHY_LEN];
    int64_t id, ttl_s;
    struct etcd_kv kv;

    check_kv(etcd_read_range(body, len, &kv), &kv);
    check_kv(etcd_read_txn(body, len, &kv), &kv);
    if (etcd_read_lease(body, len, &id, &ttl_s) == 0)
        check(id > 0 && ttl_s >= 0);
    if (etcd_read_token(body, len, token) == 0)
        for (const char *at = token; *at; at++)
            check(*at > 0x20 && *at < 0x7f);
    etcd_read_error(body, len, why);
    for (const char *at = why; *at; at++)
        check(*at >= 0x20 && *at <= 0x7e);
    check_permit(body, len);
    return 0;
}

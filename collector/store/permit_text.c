#include "permit_text.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 4096

char *permit_write(const struct permit *permit)
{
    char node[PROBER_ADDR_STRLEN], *text;
    json_t *json;

    json_set_alloc_funcs(malloc, free);
    prober_addr_format(&permit->node, node);
    json = json_pack("{s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:b}", "kind", permit_kind_word(permit->kind),
                     "node", node, "token", permit->token, "who", permit->who, "host", permit->host,
                     "granted_ms", (json_int_t)permit->granted_ms, "ttl_ms",
                     (json_int_t)permit->ttl_ms, "seen_down", permit->seen_down);
    text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return text;
}

bool permit_token_ok(const char *token)
{
    size_t len = strlen(token);

    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)token[i]) && !strchr("._-", token[i]))
            return false;
    return len >= 8 && len < PERMIT_TOKEN_LEN;
}

static bool take(char *to, size_t size, const char *text)
{
    if (strlen(text) >= size)
        return false;
    strcpy(to, text);
    return true;
}

/* What people read, in one line. */
static bool take_shown(char *to, size_t size, const char *text)
{
    for (const char *at = text; *at; at++)
        if (*at < 0x20 || *at > 0x7e)
            return false;
    return take(to, size, text);
}

static bool read_fields(const json_t *json, struct permit *ret)
{
    const char *kind, *node, *token, *who, *host;
    json_int_t granted_ms, ttl_ms;
    int seen_down;

    if (json_unpack((json_t *)json, "{s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:b}", "kind", &kind, "node",
                    &node, "token", &token, "who", &who, "host", &host, "granted_ms", &granted_ms,
                    "ttl_ms", &ttl_ms, "seen_down", &seen_down) < 0)
        return false;
    if (strcmp(kind, "start") == 0)
        ret->kind = PERMIT_START;
    else if (strcmp(kind, "stop") == 0)
        ret->kind = PERMIT_STOP;
    ret->granted_ms = granted_ms;
    ret->ttl_ms = ttl_ms;
    ret->seen_down = seen_down;
    /* Within bounds that no sum of two leaves. */
    return ret->kind != PERMIT_NONE && granted_ms >= 0 && granted_ms < INT64_MAX / 4 &&
           ttl_ms > 0 && ttl_ms < INT64_MAX / 4 && permit_token_ok(token) &&
           take(ret->token, sizeof(ret->token), token) &&
           take_shown(ret->who, sizeof(ret->who), who) &&
           take_shown(ret->host, sizeof(ret->host), host) &&
           prober_addr_parse(node, strlen(node), &ret->node) == 0 &&
           !prober_addr_is_unset(&ret->node);
}

int permit_read(const char *text, size_t len, struct permit *ret)
{
    json_t *json = NULL;
    bool good;

    *ret = (struct permit){0};
    json_set_alloc_funcs(malloc, free);
    if (len <= TEXT_MAX)
        json = json_loadb(text, len, 0, NULL);
    good = json && read_fields(json, ret);
    if (!good)
        *ret = (struct permit){0};
    json_decref(json);
    return good ? 0 : -EBADMSG;
}

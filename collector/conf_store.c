/* The section "coordination": which store decides what may be once in the whole cluster. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "conf_values.h"

#define TTL_LEAST_MS 3000
#define TTL_MOST_MS  300000
#define PREFIX_MAX   40 /* a key has more than that before it and behind */

/* The text; NULL, and an error told, when it is none. */
static const char *text_of(struct conf_loader *loader, const struct conf_key *key,
                           const config_setting_t *setting)
{
    if (config_setting_type(setting) == CONFIG_TYPE_STRING)
        return config_setting_get_string(setting);
    conf_expected(loader, setting, key->expected);
    return NULL;
}

/* HOST:PORT; an IPv6 address in brackets. */
static bool member_ok(const char *text, size_t len)
{
    const char *end = text + len, *at = text;
    unsigned long port = 0;

    if (at < end && *at == '[') {
        struct prober_addr address;
        const char *close = memchr(at, ']', len);

        if (!close || prober_addr_parse(at, (size_t)(close + 1 - at), &address) < 0)
            return false;
        at = close + 1;
    } else {
        while (at < end && (isalnum((unsigned char)*at) || strchr("-._", *at)))
            at++;
    }
    if (at == text || at == end || *at++ != ':' || at == end || end - at > 5)
        return false;
    for (; at < end && isdigit((unsigned char)*at); at++)
        port = port * 10 + (unsigned long)(*at - '0');
    return at == end && port > 0 && port <= 65535;
}

static bool store_ok(const char *value)
{
    static const char *const schemes[] = {"etcd+http://", "etcd+https://"};
    const char *at = NULL;

    if (strcmp(value, "local") == 0)
        return true;
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
        if (strncmp(value, schemes[i], strlen(schemes[i])) == 0)
            at = value + strlen(schemes[i]);
    while (at) {
        const char *comma = strchrnul(at, ',');

        if (!member_ok(at, (size_t)(comma - at)))
            return false;
        at = *comma ? comma + 1 : NULL;
        if (!at)
            return true;
    }
    return false;
}

void conf_read_store(struct conf_loader *loader, const struct conf_key *key,
                     config_setting_t *setting, void *field)
{
    const char *value = text_of(loader, key, setting);

    if (value && store_ok(value))
        conf_read_string(loader, key, setting, field);
    else if (value)
        conf_expected(loader, setting, key->expected);
}

void conf_read_prefix(struct conf_loader *loader, const struct conf_key *key,
                      config_setting_t *setting, void *field)
{
    const char *value = text_of(loader, key, setting), *brace;
    size_t len = value ? strlen(value) : 0;
    bool good = len > 0 && len <= PREFIX_MAX && value[0] == '/' && value[len - 1] == '/';

    for (size_t i = 0; good && i < len; i++)
        good = value[i] > ' ' && value[i] < 0x7f;
    /* "{cluster}" once, or no braces. */
    brace = good ? strpbrk(value, "{}") : NULL;
    if (brace)
        good = strncmp(brace, "{cluster}", 9) == 0 && !strpbrk(brace + 9, "{}");
    if (good)
        conf_read_string(loader, key, setting, field);
    else if (value)
        conf_expected(loader, setting, key->expected);
}

void conf_read_ttl(struct conf_loader *loader, const struct conf_key *key,
                   config_setting_t *setting, void *field)
{
    int64_t ms = -1;

    if (config_setting_type(setting) == CONFIG_TYPE_STRING)
        conf_parse_duration(config_setting_get_string(setting), &ms);
    else if (config_setting_type(setting) == CONFIG_TYPE_INT)
        ms = (int64_t)config_setting_get_int(setting) * 1000;
    if (ms >= TTL_LEAST_MS && ms <= TTL_MOST_MS)
        *(int64_t *)field = ms;
    else
        conf_expected(loader, setting, key->expected);
}

#include "source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACEHOLDER "{address}"

static const struct source *const cassandra_sources[] = {&jmx_source, &jolokia_source, NULL};
static const struct source *const peer_sources[] = {&peer_source, NULL};

const struct source *source_find(const char *url, enum source_kind kind)
{
    const struct source *const *source = kind == SOURCE_PEER ? peer_sources : cassandra_sources;

    while (*source && !(*source)->accepts(url))
        source++;
    return *source;
}

const char *source_expected(enum source_kind kind, bool with_address)
{
    if (kind == SOURCE_PEER)
        return with_address ? "http://{address}:PORT or https://{address}:PORT"
                            : "http://HOST:PORT or https://HOST:PORT";
    return with_address
               ? "jmx://{address}:PORT, jmx+ssl://{address}:PORT, "
                 "jolokia+http://{address}:PORT/PATH or jolokia+https://{address}:PORT/PATH"
               : "jmx://HOST:PORT, jmx+ssl://HOST:PORT, "
                 "jolokia+http://HOST:PORT/PATH or jolokia+https://HOST:PORT/PATH";
}

char *source_expand(const char *url, const struct prober_addr *address)
{
    const char *place = strstr(url, PLACEHOLDER);
    char text[PROBER_ADDR_STRLEN];
    bool v4 = prober_addr_is_v4(address);
    char *ret;

    if (!place)
        return strdup(url);
    prober_addr_format(address, text);
    if (asprintf(&ret, "%.*s%s%s%s%s", (int)(place - url), url, v4 ? "" : "[", text, v4 ? "" : "]",
                 place + sizeof(PLACEHOLDER) - 1) < 0)
        return NULL;
    return ret;
}

static bool port_ok(const char *text, size_t len)
{
    char digits[6] = "";

    if (len == 0 || len > 5 || strspn(text, "0123456789") < len)
        return false;
    memcpy(digits, text, len);
    return atoi(digits) > 0 && atoi(digits) <= 65535;
}

static bool name_ok(const char *text, size_t len)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

    return len > 0 && strspn(text, allowed) >= len;
}

bool source_authority_ok(const char *text)
{
    size_t len = strcspn(text, "/");
    struct prober_addr address;
    size_t host;

    for (const char *at = text; *at; at++)
        if ((unsigned char)*at <= 0x20 || (unsigned char)*at >= 0x7f ||
            strchr("@{}?#\"<>\\^`|", *at))
            return false;
    if (text[0] == '[') {
        const char *end = memchr(text, ']', len);

        if (!end || prober_addr_parse(text, (size_t)(end - text) + 1, &address) < 0)
            return false;
        host = (size_t)(end - text) + 1;
    } else {
        host = strcspn(text, ":/");
        if (!name_ok(text, host))
            return false;
    }
    if (host == len)
        return true;
    return text[host] == ':' && port_ok(text + host + 1, len - host - 1);
}

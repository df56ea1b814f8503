#include "prober_addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

int prober_addr_parse(const char *text, size_t len, struct prober_addr *ret)
{
    char copy[PROBER_ADDR_STRLEN];
    uint8_t bytes[16];
    bool brackets = len >= 2 && text[0] == '[' && text[len - 1] == ']';

    if (brackets) {
        text++;
        len -= 2;
    }
    /* inet_pton() would stop at a NUL inside the text and never see the rest. */
    if (len == 0 || len >= sizeof(copy) || memchr(text, '\0', len) != NULL) {
        return -EINVAL;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (!brackets && inet_pton(AF_INET, copy, bytes + sizeof(v4_prefix)) == 1) {
        memcpy(bytes, v4_prefix, sizeof(v4_prefix));
    } else if (inet_pton(AF_INET6, copy, bytes) != 1) {
        return -EINVAL;
    }
    memcpy(ret->bytes, bytes, sizeof(bytes));
    return 0;
}

size_t prober_addr_format(const struct prober_addr *addr, char buf[PROBER_ADDR_STRLEN])
{
    const uint8_t *b = addr->bytes;
    static const uint8_t zero[12];

    if (prober_addr_is_v4(addr)) {
        inet_ntop(AF_INET, b + sizeof(v4_prefix), buf, PROBER_ADDR_STRLEN);
    } else if (memcmp(b, zero, sizeof(zero)) == 0 && (b[12] != 0 || b[13] != 0)) {
        /* inet_ntop() writes ::1:2 as ::0.1.0.2, RFC 5952 does not. */
        snprintf(buf, PROBER_ADDR_STRLEN, "::%x:%x", b[12] << 8 | b[13], b[14] << 8 | b[15]);
    } else {
        inet_ntop(AF_INET6, b, buf, PROBER_ADDR_STRLEN);
    }
    return strlen(buf);
}

bool prober_addr_is_v4(const struct prober_addr *addr)
{
    return memcmp(addr->bytes, v4_prefix, sizeof(v4_prefix)) == 0;
}

bool prober_addr_is_unset(const struct prober_addr *addr)
{
    static const struct prober_addr unset;

    return memcmp(addr, &unset, sizeof(unset)) == 0;
}

int prober_addr_compare(const struct prober_addr *a, const struct prober_addr *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

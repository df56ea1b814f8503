/* Arbitrary text as AllEndpointStates, endpoint names and words: what comes out is sorted, bounded
 * and terminated. */
#include <stdlib.h>
#include <string.h>

#include "sources/cassandra_text.h"

#define MAX_ENDPOINTS 64

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_text(const char *buffer, size_t size)
{
    check(memchr(buffer, '\0', size));
    for (; *buffer; buffer++)
        check((unsigned char)*buffer >= 0x20 && *buffer != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct gossip_state *states = NULL;
    struct prober_addr address;
    uint16_t port;
    size_t n = 0;

    (void)cassandra_endpoint((const char *)data, len, &address, &port);
    (void)cassandra_liveness((const char *)data, len);
    if (cassandra_states((const char *)data, len, MAX_ENDPOINTS, &states, &n) < 0)
        return 0;
    check(n <= MAX_ENDPOINTS && (n == 0 || states));
    for (size_t i = 0; i < n; i++) {
        check(i == 0 || prober_addr_compare(&states[i - 1].endpoint, &states[i].endpoint) < 0);
        check_text(states[i].status, sizeof(states[i].status));
        check(!strchr(states[i].status, ','));
        check_text(states[i].datacenter, sizeof(states[i].datacenter));
        check_text(states[i].rack, sizeof(states[i].rack));
        check_text(states[i].host_id, sizeof(states[i].host_id));
        check_text(states[i].release, sizeof(states[i].release));
        check(states[i].generation >= 0 && states[i].status_version >= 0);
    }
    free(states);
    return 0;
}

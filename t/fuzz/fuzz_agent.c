/* Arbitrary bytes to the port of agent checks. */
#include <stdlib.h>
#include <string.h>

#include "control/agent.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct prober_addr address = {0};
    int r = agent_read_ask((const char *)data, len, &address);

    if (r > 0 && !memchr(data, '\n', len))
        abort();
    if (r == 0 && (len >= AGENT_ASK_MAX || memchr(data, '\n', len)))
        abort();
    return 0;
}

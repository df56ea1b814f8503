/* Arbitrary bytes as another host's /view. */
#include <stdlib.h>
#include <string.h>

#include "sources/peer_view.h"
#include "sources/questions.h"

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_view(const struct view *view)
{
    check(view->cluster_name[0] && view->host_id[0]);
    check(memchr(view->cluster_name, '\0', sizeof(view->cluster_name)));
    check(memchr(view->mode, '\0', sizeof(view->mode)));
    check(view->n_opinions <= MAX_ENDPOINTS && view->n_states <= 1);
    for (size_t i = 1; i < view->n_opinions; i++)
        check(prober_addr_compare(&view->opinions[i - 1].endpoint, &view->opinions[i].endpoint) <
              0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct prober_addr address = {
        .bytes = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 2}};
    struct observation seen = {0};

    peer_view_parse(&address, (const char *)data, len, &seen);
    check(memchr(seen.detail, '\0', sizeof(seen.detail)));
    check((seen.result == POLL_OK) == (seen.view != NULL));
    check(!seen.process_gone || seen.result == POLL_REFUSED);
    for (const char *at = seen.detail; *at; at++)
        check(*at >= 0x20 && *at <= 0x7e);
    if (seen.view)
        check_view(seen.view);
    view_free(seen.view);
    return 0;
}

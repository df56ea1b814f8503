/*
 * Arbitrary bytes as a Jolokia answer. The first byte chooses the questions; blanking the
 * timestamps must change neither whether the answer is taken nor what it says.
 */
#include <stdlib.h>
#include <string.h>

#include "sources/jolokia.h"

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_view(const struct view *view)
{
    check(memchr(view->cluster_name, '\0', sizeof(view->cluster_name)));
    check(memchr(view->host_id, '\0', sizeof(view->host_id)));
    check(memchr(view->mode, '\0', sizeof(view->mode)));
    check(view->n_opinions <= MAX_ENDPOINTS && view->n_states <= MAX_ENDPOINTS);
    check(view->hint_window_ms >= 0);
    for (size_t i = 1; i < view->n_opinions; i++)
        check(prober_addr_compare(&view->opinions[i - 1].endpoint, &view->opinions[i].endpoint) <
              0);
    for (size_t i = 1; i < view->n_phis; i++)
        check(prober_addr_compare(&view->phis[i - 1].endpoint, &view->phis[i].endpoint) < 0);
}

static enum poll_result parse(unsigned questions, const char *body, size_t len)
{
    enum spelling spelling = SPELLING_UNKNOWN;
    struct view *view = NULL;
    char detail[128];
    enum poll_result result = jolokia_parse(questions, body, len, &view, &spelling, detail);

    check(memchr(detail, '\0', sizeof(detail)));
    check((result == POLL_OK) == (view != NULL));
    check((result == POLL_OK) == (spelling != SPELLING_UNKNOWN));
    for (const char *at = detail; *at; at++)
        check(*at >= 0x20 && *at <= 0x7e);
    if (view)
        check_view(view);
    view_free(view);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    unsigned questions;
    enum poll_result before;
    char *body;

    if (len == 0)
        return 0;
    questions = questions_of_poll(data[0] & 1, data[0] & 2, (data[0] >> 2 & 3) % 3);
    body = malloc(len);
    if (!body)
        return 0;
    memcpy(body, data + 1, len - 1);
    before = parse(questions, body, len - 1);
    jolokia_blank_timestamps(body, len - 1);
    /* Numbers may only have lost a leading zero or their overflow by it. */
    check(before != POLL_OK || parse(questions, body, len - 1) == POLL_OK);
    free(body);
    return 0;
}

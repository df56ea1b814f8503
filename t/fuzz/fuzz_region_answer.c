/* Arbitrary bytes as what another region's prober answers, and as what was kept of such answers. */
#include <stdlib.h>
#include <string.h>

#include "sources/region_answer.h"

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_lists(const struct region_answer *answer)
{
    check((answer->n_seeds > 0) == (answer->seeds != NULL) && answer->n_seeds <= REGION_SEEDS_MAX);
    check((answer->n_dcs > 0) == (answer->dcs != NULL) && answer->n_dcs <= REGION_DCS_MAX);
    for (size_t i = 0; i < answer->n_seeds; i++)
        check(!prober_addr_is_unset(&answer->seeds[i]));
    for (size_t i = 0; i < answer->n_dcs; i++)
        check(answer->dcs[i].name[0] &&
              memchr(answer->dcs[i].name, '\0', sizeof(answer->dcs[i].name)));
}

static void take(const char *name, struct region_answer *answer, void *userdata)
{
    (void)userdata;
    check(strlen(name) < NAME_LEN);
    check_lists(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct region_answer answer = {0};
    const char *body = (const char *)data;

    check((region_read_ready(body, len, &answer) == POLL_OK) == (answer.ready != TRILEAN_UNKNOWN));
    region_read_seeds(body, len, &answer);
    region_read_dcs(body, len, &answer);
    check(memchr(answer.detail, '\0', sizeof(answer.detail)));
    for (const char *at = answer.detail; *at; at++)
        check(*at >= 0x20 && *at <= 0x7e);
    check_lists(&answer);
    region_answer_done(&answer);
    region_read_kept(body, len, take, NULL);
    return 0;
}

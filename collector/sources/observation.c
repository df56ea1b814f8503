#include "observation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const words[POLL_RESULTS] = {
    [POLL_NEVER] = "never",
    [POLL_OK] = "ok",
    [POLL_REFUSED] = "refused",
    [POLL_TIMEOUT] = "timeout",
    [POLL_RESET] = "reset",
    [POLL_UNREACHABLE] = "unreachable",
    [POLL_TLS] = "tls",
    [POLL_AUTH] = "auth",
    [POLL_REDIRECT] = "redirect",
    [POLL_HTTP] = "http",
    [POLL_TOO_LARGE] = "too_large",
    [POLL_BAD_JSON] = "bad_json",
    [POLL_BAD_STREAM] = "bad_stream",
    [POLL_BAD_SHAPE] = "bad_shape",
    [POLL_EXCEPTION] = "exception",
    [POLL_NO_MBEAN] = "no_mbean",
    [POLL_WRONG_CLUSTER] = "wrong_cluster",
    [POLL_WRONG_HOST] = "wrong_host",
};

const char *poll_result_word(enum poll_result result)
{
    if ((unsigned)result >= POLL_RESULTS || !words[result])
        return "unknown";
    return words[result];
}

struct view *view_free(struct view *view)
{
    if (!view)
        return NULL;
    free(view->opinions);
    free(view->states);
    free(view->phis);
    free(view);
    return NULL;
}

void reply_done(struct reply *reply)
{
    for (size_t i = 0; i < reply->n_texts; i++)
        free(reply->texts[i]);
    free(reply->texts);
    reply->texts = NULL;
    reply->n_texts = 0;
}

int reply_add_text(struct reply *reply, const char *text, size_t len)
{
    char **more = reallocarray(reply->texts, reply->n_texts + 1, sizeof(*more));

    if (!more)
        return -ENOMEM;
    reply->texts = more;
    more[reply->n_texts] = strndup(text, len);
    if (!more[reply->n_texts])
        return -ENOMEM;
    reply->n_texts++;
    return 0;
}

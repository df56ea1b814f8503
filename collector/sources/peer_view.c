#include "peer_view.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "cassandra_text.h"
#include "json_answer.h"
#include "questions.h"

static void copy_text(const json_t *object, const char *key, char *to, size_t size)
{
    const json_t *text = json_object_get(object, key);

    if (json_is_string(text))
        cassandra_copy(json_string_value(text), json_string_length(text), to, size);
}

static enum trilean take_bool(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_boolean(value))
        return TRILEAN_UNKNOWN;
    return json_is_true(value) ? TRILEAN_TRUE : TRILEAN_FALSE;
}

static bool take_address(const json_t *object, const char *key, struct prober_addr *ret)
{
    const json_t *text = json_object_get(object, key);

    return json_is_string(text) &&
           prober_addr_parse(json_string_value(text), json_string_length(text), ret) == 0;
}

/* The node's own gossip state. */
static enum poll_result take_state(struct view *view, const struct prober_addr *address,
                                   const json_t *root, char *detail)
{
    const json_t *from = json_object_get(root, "state");
    const json_t *generation = json_object_get(from, "generation");
    struct gossip_state *state;

    if (!json_is_object(from))
        return POLL_OK;
    state = calloc(1, sizeof(*state));
    if (!state)
        return poll_fail(POLL_TOO_LARGE, detail, "out of memory");
    view->states = state;
    view->n_states = 1;
    state->endpoint = *address;
    if (json_is_integer(generation) && json_integer_value(generation) > 0)
        state->generation = json_integer_value(generation);
    copy_text(from, "status", state->status, sizeof(state->status));
    copy_text(from, "dc", state->datacenter, sizeof(state->datacenter));
    copy_text(from, "rack", state->rack, sizeof(state->rack));
    memcpy(state->host_id, view->host_id, sizeof(state->host_id));
    memcpy(state->release, view->release, sizeof(state->release));
    state->rpc_ready = take_bool(from, "rpc_ready");
    take_address(from, "native", &state->native);
    return POLL_OK;
}

static enum poll_result take_opinions(struct view *view, json_t *root, char *detail)
{
    json_t *opinions = json_object_get(root, "view"), *word;
    enum poll_result result;
    const char *name;

    if (!json_is_object(opinions))
        return poll_fail(POLL_BAD_SHAPE, detail, "view: not an object");
    result = view_opinions_begin(view, json_object_size(opinions), detail);
    if (result != POLL_OK)
        return result;
    json_object_foreach(opinions, name, word)
    {
        if (!json_is_string(word))
            return poll_fail(POLL_BAD_SHAPE, detail, "view: an opinion is not a text");
        view_opinions_add(view, name, strlen(name), json_string_value(word),
                          json_string_length(word));
    }
    view_opinions_end(view);
    return POLL_OK;
}

static enum poll_result take_view(const struct prober_addr *address, json_t *root,
                                  struct observation *ret)
{
    struct view *view = calloc(1, sizeof(*view));
    enum poll_result result;

    if (!view)
        return poll_fail(POLL_TOO_LARGE, ret->detail, "out of memory");
    copy_text(root, "cluster", view->cluster_name, sizeof(view->cluster_name));
    copy_text(root, "host_id", view->host_id, sizeof(view->host_id));
    copy_text(root, "mode", view->mode, sizeof(view->mode));
    copy_text(root, "release", view->release, sizeof(view->release));
    view->native_transport = take_bool(root, "native_transport");
    view->gossip = take_bool(root, "gossip");
    view->settled = take_bool(root, "settled") == TRILEAN_TRUE;
    result = take_state(view, address, root, ret->detail);
    if (result == POLL_OK)
        result = take_opinions(view, root, ret->detail);
    /* Without these nobody could tell whose view it is. */
    if (result == POLL_OK && (view->cluster_name[0] == '\0' || view->host_id[0] == '\0'))
        result = poll_fail(POLL_BAD_SHAPE, ret->detail, "no cluster or host_id");
    if (result == POLL_OK)
        ret->view = view;
    else
        view_free(view);
    return result;
}

static enum poll_result take_document(const struct prober_addr *address, json_t *root,
                                      struct observation *ret)
{
    const json_t *format = json_object_get(root, "format");
    char process[NAME_LEN] = "", text[PROBER_ADDR_STRLEN];
    struct prober_addr claimed;

    if (!json_is_object(root) || !json_is_integer(format))
        return poll_fail(POLL_BAD_SHAPE, ret->detail, "not the view of a prober");
    if (json_integer_value(format) != PEER_VIEW_FORMAT)
        return poll_fail(POLL_BAD_SHAPE, ret->detail, "format %" JSON_INTEGER_FORMAT ", not %d",
                         json_integer_value(format), PEER_VIEW_FORMAT);
    if (!take_address(root, "address", &claimed))
        return poll_fail(POLL_BAD_SHAPE, ret->detail, "no address");
    if (prober_addr_compare(&claimed, address) != 0) {
        prober_addr_format(&claimed, text);
        return poll_fail(POLL_BAD_SHAPE, ret->detail, "it says it is %s", text);
    }
    copy_text(root, "process", process, sizeof(process));
    ret->process_gone = strcmp(process, "gone") == 0;
    if (ret->process_gone)
        return poll_fail(POLL_REFUSED, ret->detail, "its host says that the process is gone");
    ret->hung = strcmp(process, "hung") == 0;
    if (ret->hung)
        return poll_fail(POLL_TIMEOUT, ret->detail, "its host says that it does not answer");
    if (strcmp(process, "starting") == 0)
        return poll_fail(POLL_NO_MBEAN, ret->detail, "as its host says");
    return take_view(address, root, ret);
}

void peer_view_parse(const struct prober_addr *address, const char *body, size_t len,
                     struct observation *ret)
{
    json_t *root = NULL;

    ret->detail[0] = '\0';
    json_set_alloc_funcs(arena_alloc, arena_free);
    ret->result = json_answer(body, len, &root, ret->detail);
    if (ret->result == POLL_OK)
        ret->result = take_document(address, root, ret);
    arena_reset();
}

#include "jolokia.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "json_answer.h"

/* Prints at *at, which moves; what does not fit is cut. */
__attribute__((format(printf, 3, 4))) static void print(char **at, const char *end,
                                                        const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(*at, (size_t)(end - *at), format, args);
    va_end(args);
    *at = n < end - *at ? *at + n : (char *)end - 1;
}

void jolokia_request(unsigned asked, char buf[JOLOKIA_REQUEST_LEN])
{
    const char *end = buf + JOLOKIA_REQUEST_LEN;
    char *at = buf;

    for (size_t i = 0; i < N_QUESTIONS; i++) {
        if (!(asked & 1u << i))
            continue;
        print(&at, end,
              "%c{\"type\":\"read\",\"mbean\":\"%s\",\"attribute\":", at == buf ? '[' : ',',
              question_table[i].mbean);
        if (question_table[i].attribute)
            print(&at, end, "\"%s\"}", question_table[i].attribute);
        for (size_t k = 0; !question_table[i].attribute && k < N_STORAGE_ATTRIBUTES; k++)
            print(&at, end, "%c\"%s\"%s", k == 0 ? '[' : ',', storage_attributes[k].name,
                  k == N_STORAGE_ATTRIBUTES - 1 ? "]}" : "");
    }
    print(&at, end, "]");
}

void jolokia_blank_timestamps(char *body, size_t len)
{
    /* Inside a JSON string its quotes would be escaped, so nothing else looks like this. */
    static const char label[] = "\"timestamp\":";
    char *end = body + len;
    char *at = body;

    while (at < end && (at = memmem(at, (size_t)(end - at), label, sizeof(label) - 1))) {
        for (at += sizeof(label) - 1; at < end && *at >= '0' && *at <= '9'; at++)
            *at = '1';
    }
}

/* One attribute; an absent or failing one leaves the view as it is. */
static enum poll_result take_attribute(const struct storage_attribute *attribute, json_t *value,
                                       struct view *view, char *detail)
{
    if (!value || json_is_null(value))
        return POLL_OK;
    /* ignoreErrors puts the exception's text in the place of the value. */
    if (json_is_string(value) && strncmp(json_string_value(value), "ERROR:", 6) == 0)
        return POLL_OK;
    if (attribute->size > 0 && !json_is_string(value))
        return poll_fail(POLL_BAD_SHAPE, detail, "%s is not a string", attribute->name);
    if (attribute->size == 0 && !json_is_boolean(value))
        return poll_fail(POLL_BAD_SHAPE, detail, "%s is not a boolean", attribute->name);
    if (attribute->size > 0)
        view_set_text(view, attribute, json_string_value(value), json_string_length(value));
    else
        view_set_bool(view, attribute, json_is_true(value));
    return POLL_OK;
}

static enum poll_result take_storage(json_t *value, struct view *view, char *detail)
{
    enum poll_result result = POLL_OK;

    if (!json_is_object(value))
        return poll_fail(POLL_BAD_SHAPE, detail, "StorageService is not an object");
    for (size_t i = 0; i < N_STORAGE_ATTRIBUTES && result == POLL_OK; i++)
        result = take_attribute(&storage_attributes[i],
                                json_object_get(value, storage_attributes[i].name), view, detail);
    return result;
}

static enum poll_result take_liveness(json_t *value, struct view *view, char *detail)
{
    enum poll_result result;
    const char *name;
    json_t *word;

    if (!json_is_object(value))
        return poll_fail(POLL_BAD_SHAPE, detail, "SimpleStates is not an object");
    result = view_opinions_begin(view, json_object_size(value), detail);
    if (result != POLL_OK)
        return result;
    json_object_foreach(value, name, word)
    {
        if (!json_is_string(word))
            return poll_fail(POLL_BAD_SHAPE, detail,
                             "SimpleStates holds a value that is not a string");
        view_opinions_add(view, name, strlen(name), json_string_value(word),
                          json_string_length(word));
    }
    view_opinions_end(view);
    return POLL_OK;
}

static enum poll_result take_states(json_t *value, struct view *view, char *detail)
{
    if (!json_is_string(value))
        return poll_fail(POLL_BAD_SHAPE, detail, "AllEndpointStates is not a string");
    return view_set_states(view, json_string_value(value), json_string_length(value), detail);
}

/* A table: its rows by their key, each with the key and the value once more. */
static enum poll_result take_phi(json_t *value, struct view *view, char *detail)
{
    enum poll_result result;
    const char *name;
    json_t *row;

    if (!json_is_object(value))
        return poll_fail(POLL_BAD_SHAPE, detail, "PhiValues is not an object");
    result = view_phis_begin(view, json_object_size(value), detail);
    if (result != POLL_OK)
        return result;
    json_object_foreach(value, name, row)
    {
        json_t *number = json_object_get(row, "PHI");

        if (json_is_number(number))
            view_phis_add(view, name, strlen(name), json_number_value(number));
    }
    view_phis_end(view);
    return POLL_OK;
}

static enum poll_result take_hints(json_t *value, struct view *view, char *detail)
{
    if (!json_is_integer(value))
        return poll_fail(POLL_BAD_SHAPE, detail, "MaxHintWindow is not an integer");
    if (json_integer_value(value) > 0)
        view->hint_window_ms = json_integer_value(value);
    return POLL_OK;
}

/* What an element's own status stands for. `what` was asked. */
static enum poll_result element_result(const char *what, json_t *element, char *detail)
{
    json_t *status = json_object_get(element, "status");
    json_t *type = json_object_get(element, "error_type");
    const char *why = json_is_string(type) ? json_string_value(type) : "";

    if (!json_is_integer(status))
        return poll_fail(POLL_BAD_SHAPE, detail, "an answer of %s has no status", what);
    switch (json_integer_value(status)) {
    case 200:
        return POLL_OK;
    case 401:
    case 403:
        return poll_fail(POLL_AUTH, detail, "%s", why);
    case 404:
        return poll_fail(POLL_NO_MBEAN, detail, "%s", what);
    default:
        return poll_fail(POLL_HTTP, detail, "%s: status %d inside the answer: %.60s", what,
                         (int)json_integer_value(status), why);
    }
}

struct answer {
    unsigned asked;
    json_t *root;
};

static enum poll_result take_element(const struct question *question, unsigned bit,
                                     struct view *view, char *detail, void *userdata)
{
    const struct answer *answer = userdata;
    size_t place = (size_t)__builtin_popcount(answer->asked & (bit - 1));
    json_t *element = json_array_get(answer->root, place);
    json_t *value = json_object_get(element, "value");
    enum poll_result result;

    if (!json_is_object(element))
        return poll_fail(POLL_BAD_SHAPE, detail, "an element of the answer is not an object");
    result = element_result(question_mbean_word(question), element, detail);
    if (result != POLL_OK)
        return result;
    switch (question->kind) {
    case ANSWER_LIVENESS:
        return take_liveness(value, view, detail);
    case ANSWER_STORAGE:
        return take_storage(value, view, detail);
    case ANSWER_STATES:
        return take_states(value, view, detail);
    case ANSWER_PHI:
        return take_phi(value, view, detail);
    default:
        return take_hints(value, view, detail);
    }
}

static enum poll_result check_root(unsigned asked_bits, json_t *root, char *detail)
{
    json_t *status = json_object_get(root, "status");
    size_t asked = (size_t)__builtin_popcount(asked_bits);

    /* A request refused as a whole is answered by one element. */
    if (json_is_integer(status)) {
        json_int_t code = json_integer_value(status);

        if (code == 401 || code == 403)
            return poll_fail(POLL_AUTH, detail, "status %d inside the answer", (int)code);
        return poll_fail(POLL_HTTP, detail, "status %d inside the answer", (int)code);
    }
    if (!json_is_array(root))
        return poll_fail(POLL_BAD_SHAPE, detail, "the answer is not an array");
    if (json_array_size(root) != asked)
        return poll_fail(POLL_BAD_SHAPE, detail, "the answer has %zu elements, not %zu",
                         json_array_size(root), asked);
    return POLL_OK;
}

static enum poll_result parse(unsigned asked, const char *body, size_t len, struct view **ret,
                              enum spelling *ret_spelling, char *detail)
{
    struct answer answer = {.asked = asked};
    enum poll_result result;

    detail[0] = '\0';
    result = json_answer(body, len, &answer.root, detail);
    if (result == POLL_OK)
        result = check_root(asked, answer.root, detail);
    if (result == POLL_OK)
        result = questions_answered(asked, take_element, &answer, ret, ret_spelling, detail);
    json_decref(answer.root);
    return result;
}

enum poll_result jolokia_parse(unsigned asked, const char *body, size_t len, struct view **ret,
                               enum spelling *ret_spelling, char detail[DETAIL_LEN])
{
    enum poll_result result;

    json_set_alloc_funcs(arena_alloc, arena_free);
    result = parse(asked, body, len, ret, ret_spelling, detail);
    arena_reset();
    return result;
}

char *jolokia_exec_request(const char *mbean, const char *name, const char *argument)
{
    char *text = NULL;
    json_t *root;

    json_set_alloc_funcs(arena_alloc, arena_free);
    root = json_pack("{s:s, s:s, s:s+, s:[]}", "type", "exec", "mbean", mbean, "operation", name,
                     argument ? "(java.lang.String)" : "()", "arguments");
    if (root && (!argument || json_array_append_new(json_object_get(root, "arguments"),
                                                    json_string(argument)) == 0))
        text = json_dumps(root, JSON_COMPACT);
    text = text ? strdup(text) : NULL;
    arena_reset();
    return text;
}

char *jolokia_read_request(const char *mbean, const char *attribute)
{
    char *text = NULL;
    json_t *root;

    json_set_alloc_funcs(arena_alloc, arena_free);
    root = json_pack("{s:s, s:s, s:s}", "type", "read", "mbean", mbean, "attribute", attribute);
    if (root)
        text = json_dumps(root, JSON_COMPACT);
    text = text ? strdup(text) : NULL;
    arena_reset();
    return text;
}

static enum poll_result take_reply(json_t *value, struct reply *reply)
{
    json_t *text;
    size_t i;

    if (json_is_integer(value))
        reply->number = json_integer_value(value);
    else if (json_is_string(value) &&
             reply_add_text(reply, json_string_value(value), json_string_length(value)) < 0)
        return poll_fail(POLL_TOO_LARGE, reply->detail, "out of memory");
    else if (!json_is_array(value) && !json_is_string(value) && !json_is_null(value))
        return poll_fail(POLL_BAD_SHAPE, reply->detail, "neither a number nor texts");
    json_array_foreach(value, i, text)
    {
        if (!json_is_string(text))
            return poll_fail(POLL_BAD_SHAPE, reply->detail, "not a list of texts");
        if (reply_add_text(reply, json_string_value(text), json_string_length(text)) < 0)
            return poll_fail(POLL_TOO_LARGE, reply->detail, "out of memory");
    }
    return POLL_OK;
}

static void parse_reply(const char *body, size_t len, struct reply *ret)
{
    json_t *root = NULL;

    ret->result = json_answer(body, len, &root, ret->detail);
    if (ret->result != POLL_OK)
        return;
    if (!json_is_object(root))
        ret->result = poll_fail(POLL_BAD_SHAPE, ret->detail, "the answer is not an object");
    else
        ret->result = element_result("the operation", root, ret->detail);
    if (ret->result == POLL_OK)
        ret->result = take_reply(json_object_get(root, "value"), ret);
}

void jolokia_exec_parse(const char *body, size_t len, struct reply *ret)
{
    *ret = (struct reply){.result = POLL_OK};
    json_set_alloc_funcs(arena_alloc, arena_free);
    parse_reply(body, len, ret);
    arena_reset();
    if (ret->result != POLL_OK)
        reply_done(ret);
}

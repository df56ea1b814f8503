#include "jmx_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * An answer may refer to the same thing any number of times, so that walking all of it could take
 * for ever. Only what is expected is walked, and as far as can be expected.
 */
#define MAX_WRAPPERS   2
#define MAX_COLUMNS    4
#define MAX_ATTRIBUTES 64

#define MAX_TEXT  256 /* of an attribute: longer ones are cut anyway */
#define MAX_TEXTS 1000

#define MAX_LONG_TEXT 8192 /* of a text alone */

/* One MBean's attributes, and the stream they live in. */
struct attributes {
    const struct java_stream *stream;
    const struct java_item *first; /* an Attribute each; NULL = none */
};

void jmx_put_questions(struct jmx_request *request, const struct jmx_id *connection, unsigned asked)
{
    const char *names[N_QUESTIONS + N_STORAGE_ATTRIBUTES];
    const char *mbean = NULL;
    size_t n = 0;

    for (size_t i = 0; i < N_QUESTIONS; i++) {
        const struct question *question = &question_table[i];

        if (!(asked & 1u << i))
            continue;
        mbean = question->mbean;
        if (question->attribute)
            names[n++] = question->attribute;
        for (size_t k = 0; question->kind == ANSWER_STORAGE && k < N_STORAGE_ATTRIBUTES; k++)
            names[n++] = storage_attributes[k].name;
    }
    if (mbean)
        jmx_put_get_attributes(request, connection, mbean, names, n);
}

/* A view that cannot be modified holds the collection itself in a field. */
static const struct java_value *unwrap(const struct java_stream *stream,
                                       const struct java_value *value, const char *wrapper,
                                       const char *field)
{
    for (int i = 0; i < MAX_WRAPPERS && java_is(stream, value, wrapper); i++)
        value = java_field(stream, value, field);
    return value;
}

/* The keys and values of a map, by turns. False: not a map that is known. */
static bool map_of(const struct java_stream *stream, const struct java_value *value,
                   const struct java_item **ret)
{
    const struct java_item *item;

    value = unwrap(stream, value, "java.util.Collections$UnmodifiableMap", "m");
    item = java_written(stream, value, "java.util.HashMap");
    if (!item)
        item = java_written(stream, value, "java.util.TreeMap");
    if (!item)
        return false;
    *ret = item->next; /* after its sizes */
    return true;
}

static size_t pairs_in(const struct java_item *item)
{
    size_t n = 0;

    for (; item && item->next; item = item->next->next)
        n++;
    return n;
}

static bool list_of(const struct java_stream *stream, const struct java_value *value,
                    const struct java_item **ret)
{
    const struct java_item *item;

    value = unwrap(stream, value, "java.util.Collections$UnmodifiableCollection", "c");
    item = java_written(stream, value, "java.util.ArrayList");
    if (!item)
        return false;
    *ret = item->next;
    return true;
}

/* A boxed number; false for every other thing. */
static bool number_of(const struct java_stream *stream, const struct java_value *value,
                      const struct java_value **ret)
{
    *ret = java_is(stream, value, "java.lang.Number") ? java_field(stream, value, "value") : NULL;
    return *ret && ((*ret)->kind == JAVA_INTEGER || (*ret)->kind == JAVA_REAL);
}

/* NULL when the node did not answer it: getAttributes leaves out what it has not or what fails. */
static const struct java_value *attribute_find(const struct attributes *attributes,
                                               const char *name)
{
    const struct java_item *item = attributes->first;

    for (int i = 0; item && i < MAX_ATTRIBUTES; i++, item = item->next)
        if (java_text_is(attributes->stream, java_field(attributes->stream, &item->value, "name"),
                         name))
            return java_field(attributes->stream, &item->value, "value");
    return NULL;
}

static enum poll_result take_storage_attribute(const struct java_stream *stream,
                                               const struct storage_attribute *attribute,
                                               const struct java_value *value, struct view *view,
                                               char *detail)
{
    const struct java_value *boolean;
    char text[MAX_TEXT];
    const char *bytes;
    size_t len;

    if (!value || value->kind == JAVA_NULL)
        return POLL_OK;
    if (attribute->size > 0 && value->kind != JAVA_TEXT)
        return poll_fail(POLL_BAD_SHAPE, detail, "%s is not a string", attribute->name);
    if (attribute->size > 0) {
        bytes = java_bytes(stream, value, &len);
        len = java_utf8(bytes, len < sizeof(text) ? len : sizeof(text), text);
        view_set_text(view, attribute, text, len);
        return POLL_OK;
    }
    boolean =
        java_is(stream, value, "java.lang.Boolean") ? java_field(stream, value, "value") : NULL;
    if (!boolean || boolean->kind != JAVA_INTEGER)
        return poll_fail(POLL_BAD_SHAPE, detail, "%s is not a boolean", attribute->name);
    view_set_bool(view, attribute, boolean->integer != 0);
    return POLL_OK;
}

static enum poll_result take_storage(const struct attributes *attributes, struct view *view,
                                     char *detail)
{
    enum poll_result result = POLL_OK;

    for (size_t i = 0; i < N_STORAGE_ATTRIBUTES && result == POLL_OK; i++)
        result = take_storage_attribute(attributes->stream, &storage_attributes[i],
                                        attribute_find(attributes, storage_attributes[i].name),
                                        view, detail);
    return result;
}

static enum poll_result take_liveness(const struct java_stream *stream,
                                      const struct java_value *value, struct view *view,
                                      char *detail)
{
    const struct java_item *item;
    enum poll_result result;

    if (!map_of(stream, value, &item))
        return poll_fail(POLL_BAD_SHAPE, detail, "SimpleStates is not a map");
    result = view_opinions_begin(view, pairs_in(item), detail);
    if (result != POLL_OK)
        return result;
    for (; item && item->next; item = item->next->next) {
        const struct java_item *word = item->next;
        const char *name_bytes, *word_bytes;
        size_t name_len, word_len;

        name_bytes = java_bytes(stream, &item->value, &name_len);
        word_bytes = java_bytes(stream, &word->value, &word_len);
        if (item->value.kind != JAVA_TEXT || word->value.kind != JAVA_TEXT)
            return poll_fail(POLL_BAD_SHAPE, detail, "SimpleStates is not a map of strings");
        view_opinions_add(view, name_bytes, name_len, word_bytes, word_len);
    }
    view_opinions_end(view);
    return POLL_OK;
}

static enum poll_result take_states(const struct java_stream *stream,
                                    const struct java_value *value, struct view *view, char *detail)
{
    enum poll_result result;
    const char *bytes;
    char *text;
    size_t len;

    if (value->kind != JAVA_TEXT)
        return poll_fail(POLL_BAD_SHAPE, detail, "AllEndpointStates is not a string");
    bytes = java_bytes(stream, value, &len);
    text = malloc(len ? len : 1);
    if (!text)
        return poll_fail(POLL_TOO_LARGE, detail, "out of memory");
    result = view_set_states(view, text, java_utf8(bytes, len, text), detail);
    free(text);
    return result;
}

/* A row of a table: a map from the column's name to the value. */
static void take_phi_row(const struct java_stream *stream, const struct java_value *row,
                         struct view *view)
{
    const struct java_value *endpoint = NULL, *number = NULL;
    const struct java_item *item;
    const char *name;
    size_t len;

    if (!map_of(stream, java_field(stream, row, "contents"), &item))
        return;
    for (int i = 0; item && item->next && i < MAX_COLUMNS; i++) {
        const struct java_item *value = item->next;

        if (java_text_is(stream, &item->value, "Endpoint"))
            endpoint = &value->value;
        else if (java_text_is(stream, &item->value, "PHI"))
            number_of(stream, &value->value, &number);
        item = value->next;
    }
    if (!endpoint || endpoint->kind != JAVA_TEXT || !number)
        return;
    name = java_bytes(stream, endpoint, &len);
    view_phis_add(view, name, len,
                  number->kind == JAVA_REAL ? number->real : (double)number->integer);
}

static enum poll_result take_phi(const struct java_stream *stream, const struct java_value *value,
                                 struct view *view, char *detail)
{
    const struct java_item *item;
    enum poll_result result;

    if (!map_of(stream, java_field(stream, value, "dataMap"), &item))
        return poll_fail(POLL_BAD_SHAPE, detail, "PhiValues is not a table");
    result = view_phis_begin(view, pairs_in(item), detail);
    if (result != POLL_OK)
        return result;
    for (; item && item->next; item = item->next->next)
        take_phi_row(stream, &item->next->value, view);
    view_phis_end(view);
    return POLL_OK;
}

static enum poll_result take_hints(const struct java_stream *stream, const struct java_value *value,
                                   struct view *view, char *detail)
{
    const struct java_value *number;

    if (!number_of(stream, value, &number) || number->kind != JAVA_INTEGER)
        return poll_fail(POLL_BAD_SHAPE, detail, "MaxHintWindow is not an integer");
    if (number->integer > 0)
        view->hint_window_ms = number->integer;
    return POLL_OK;
}

/* The attributes of an answer that is no exception. */
static enum poll_result attributes_of(const struct jmx_answered *answered,
                                      const struct question *question, struct attributes *ret,
                                      char *detail)
{
    enum poll_result result;

    ret->stream = answered->stream;
    if (answered->answer.thrown) {
        result = jmx_exception(answered->stream, &answered->answer.value, detail);
        if (result == POLL_NO_MBEAN)
            return poll_fail(result, detail, "%s", question_mbean_word(question));
        return result;
    }
    if (!list_of(answered->stream, &answered->answer.value, &ret->first))
        return poll_fail(POLL_BAD_SHAPE, detail, "the answer of %s is not a list",
                         question_mbean_word(question));
    return POLL_OK;
}

struct answers {
    const struct jmx_answered *answers;
    size_t n;
};

static enum poll_result take_answer(const struct question *question, unsigned bit,
                                    struct view *view, char *detail, void *userdata)
{
    const struct answers *all = userdata;
    struct attributes attributes = {0};
    const struct java_value *value;
    enum poll_result result;
    size_t i = 0;

    while (i < all->n && !(all->answers[i].asked & bit))
        i++;
    if (i == all->n)
        return poll_fail(POLL_NO_MBEAN, detail, "%s", question_mbean_word(question));
    result = attributes_of(&all->answers[i], question, &attributes, detail);
    if (result != POLL_OK)
        return result;
    if (question->kind == ANSWER_STORAGE)
        return take_storage(&attributes, view, detail);
    value = attribute_find(&attributes, question->attribute);
    if (!value)
        return poll_fail(POLL_NO_MBEAN, detail, "%s", question_mbean_word(question));
    switch (question->kind) {
    case ANSWER_LIVENESS:
        return take_liveness(attributes.stream, value, view, detail);
    case ANSWER_STATES:
        return take_states(attributes.stream, value, view, detail);
    case ANSWER_PHI:
        return take_phi(attributes.stream, value, view, detail);
    default:
        return take_hints(attributes.stream, value, view, detail);
    }
}

enum poll_result jmx_view(const struct jmx_answered *answers, size_t n, struct view **ret,
                          enum spelling *ret_spelling, char detail[DETAIL_LEN])
{
    struct answers all = {.answers = answers, .n = n};
    unsigned asked = 0;

    for (size_t i = 0; i < n; i++)
        asked |= answers[i].asked;
    return questions_answered(asked, take_answer, &all, ret, ret_spelling, detail);
}

static enum poll_result reply_texts(const struct java_stream *stream, const struct java_item *item,
                                    struct reply *reply)
{
    for (; item; item = item->next) {
        size_t len;
        const char *bytes = java_bytes(stream, &item->value, &len);
        char text[MAX_TEXT];

        if (item->value.kind != JAVA_TEXT || len > sizeof(text) || reply->n_texts == MAX_TEXTS)
            return poll_fail(POLL_BAD_SHAPE, reply->detail, "not a list of short texts");
        if (reply_add_text(reply, text, java_utf8(bytes, len, text)) < 0)
            return poll_fail(POLL_TOO_LARGE, reply->detail, "out of memory");
    }
    return POLL_OK;
}

static enum poll_result reply_text(const struct java_stream *stream, const struct java_value *value,
                                   struct reply *reply)
{
    size_t len;
    const char *bytes = java_bytes(stream, value, &len);
    char text[MAX_LONG_TEXT];

    if (len > sizeof(text))
        return poll_fail(POLL_TOO_LARGE, reply->detail, "a text of %zu bytes", len);
    if (reply_add_text(reply, text, java_utf8(bytes, len, text)) < 0)
        return poll_fail(POLL_TOO_LARGE, reply->detail, "out of memory");
    return POLL_OK;
}

static void reply_value(const struct java_stream *stream, const struct java_value *value,
                        struct reply *ret)
{
    const struct java_value *number;
    const struct java_item *item;

    if (list_of(stream, value, &item))
        ret->result = reply_texts(stream, item, ret);
    else if (value->kind == JAVA_TEXT)
        ret->result = reply_text(stream, value, ret);
    else if (number_of(stream, value, &number) && number->kind == JAVA_INTEGER)
        ret->number = number->integer;
    else if (value->kind != JAVA_NULL)
        ret->result = poll_fail(POLL_BAD_SHAPE, ret->detail, "neither a number nor texts");
}

void jmx_reply(const struct java_stream *stream, const struct jmx_answer *answer, struct reply *ret)
{
    *ret = (struct reply){.result = POLL_OK};
    if (answer->thrown)
        ret->result = jmx_exception(stream, &answer->value, ret->detail);
    else
        reply_value(stream, &answer->value, ret);
    if (ret->result != POLL_OK)
        reply_done(ret);
}

void jmx_reply_attribute(const struct java_stream *stream, const struct jmx_answer *answer,
                         const char *name, struct reply *ret)
{
    struct attributes attributes = {.stream = stream};
    const struct java_value *value;

    *ret = (struct reply){.result = POLL_OK};
    if (answer->thrown)
        ret->result = jmx_exception(stream, &answer->value, ret->detail);
    else if (!list_of(stream, &answer->value, &attributes.first))
        ret->result = poll_fail(POLL_BAD_SHAPE, ret->detail, "no list of attributes");
    else if (!(value = attribute_find(&attributes, name)))
        ret->result = poll_fail(POLL_NO_MBEAN, ret->detail, "no attribute %s", name);
    else
        reply_value(stream, value, ret);
    if (ret->result != POLL_OK)
        reply_done(ret);
}

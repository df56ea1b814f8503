#include "jolokia.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "cassandra_text.h"

#define DETAIL_LEN 128
#define MAX_VALUES                                                                                 \
    250000 /* JSON values in one answer: a million small ones would cost a hundred times their     \
              bytes */
#define MAX_CONTAINERS 65536

#define FAILURE_DETECTOR "org.apache.cassandra.net:type=FailureDetector"
#define STORAGE_SERVICE  "org.apache.cassandra.db:type=StorageService"
#define STORAGE_PROXY    "org.apache.cassandra.db:type=StorageProxy"

#define STORAGE_ATTRIBUTES                                                                         \
    "[\"OperationMode\",\"NativeTransportRunning\",\"GossipRunning\",\"LocalHostId\","             \
    "\"ClusterName\",\"ReleaseVersion\"]"

typedef enum poll_result take_fn(json_t *value, struct view *view, char *detail);

static take_fn take_storage, take_liveness, take_states, take_phi, take_hints;

/* In the order of their bits. A question that is not `needed` may go without an answer. */
static const struct question {
    const char *mbean;
    const char *attribute; /* as JSON */
    bool needed;
    take_fn *take;
} questions_table[] = {
    {FAILURE_DETECTOR, "\"SimpleStatesWithPort\"", true, take_liveness},
    {FAILURE_DETECTOR, "\"SimpleStates\"", true, take_liveness},
    {STORAGE_SERVICE, STORAGE_ATTRIBUTES, true, take_storage},
    {FAILURE_DETECTOR, "\"AllEndpointStatesWithPort\"", false, take_states},
    {FAILURE_DETECTOR, "\"AllEndpointStates\"", false, take_states},
    {FAILURE_DETECTOR, "\"PhiValuesWithPort\"", false, take_phi},
    {FAILURE_DETECTOR, "\"PhiValues\"", false, take_phi},
    {STORAGE_PROXY, "\"MaxHintWindow\"", false, take_hints},
};

#define N_QUESTIONS (sizeof(questions_table) / sizeof(questions_table[0]))

unsigned jolokia_questions(bool detail, bool own, enum jolokia_spelling spelling)
{
    unsigned both = JOLOKIA_LIVENESS_PORT | JOLOKIA_LIVENESS;
    unsigned with_port = JOLOKIA_LIVENESS_PORT | JOLOKIA_STATES_PORT | JOLOKIA_PHI_PORT;
    unsigned plain = JOLOKIA_LIVENESS | JOLOKIA_STATES | JOLOKIA_PHI;
    unsigned questions = JOLOKIA_STORAGE | both;

    if (detail)
        questions |= JOLOKIA_STATES_PORT | JOLOKIA_STATES;
    if (detail && own)
        questions |= JOLOKIA_PHI_PORT | JOLOKIA_PHI | JOLOKIA_HINTS;
    if (spelling == JOLOKIA_SPELLING_PORT)
        questions &= ~plain;
    if (spelling == JOLOKIA_SPELLING_PLAIN)
        questions &= ~with_port;
    return questions;
}

void jolokia_request(unsigned questions, char buf[JOLOKIA_REQUEST_LEN])
{
    char *at = buf;
    char *end = buf + JOLOKIA_REQUEST_LEN;

    for (size_t i = 0; i < N_QUESTIONS; i++) {
        if (questions & 1u << i)
            at += snprintf(
                at, (size_t)(end - at), "%c{\"type\":\"read\",\"mbean\":\"%s\",\"attribute\":%s}",
                at == buf ? '[' : ',', questions_table[i].mbean, questions_table[i].attribute);
    }
    snprintf(at, (size_t)(end - at), "]");
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

__attribute__((format(printf, 3, 4))) static enum poll_result
fail(enum poll_result result, char *detail, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(detail, DETAIL_LEN, format, args);
    va_end(args);
    /* Parts of it come from the node. */
    for (; *detail; detail++)
        if ((unsigned char)*detail < 0x20 || (unsigned char)*detail > 0x7e)
            *detail = '?';
    return result;
}

/* Copies a string value, cut to the buffer; an absent or failing attribute leaves it empty. */
static enum poll_result take_text(json_t *object, const char *name, char *buffer, size_t size,
                                  char *detail)
{
    json_t *value = json_object_get(object, name);

    if (!value || json_is_null(value))
        return POLL_OK;
    if (!json_is_string(value))
        return fail(POLL_BAD_SHAPE, detail, "%s is not a string", name);
    /* ignoreErrors puts the exception's text in the place of the value. */
    if (strncmp(json_string_value(value), "ERROR:", 6) == 0)
        return POLL_OK;
    cassandra_copy(json_string_value(value), json_string_length(value), buffer, size);
    return POLL_OK;
}

static enum poll_result take_bool(json_t *object, const char *name, enum trilean *ret, char *detail)
{
    json_t *value = json_object_get(object, name);

    if (!value || json_is_null(value))
        return POLL_OK;
    if (json_is_string(value) && strncmp(json_string_value(value), "ERROR:", 6) == 0)
        return POLL_OK;
    if (!json_is_boolean(value))
        return fail(POLL_BAD_SHAPE, detail, "%s is not a boolean", name);
    *ret = json_is_true(value) ? TRILEAN_TRUE : TRILEAN_FALSE;
    return POLL_OK;
}

static enum poll_result take_storage(json_t *value, struct view *view, char *detail)
{
    enum poll_result result;

    if (!json_is_object(value))
        return fail(POLL_BAD_SHAPE, detail, "StorageService is not an object");
    result = take_text(value, "OperationMode", view->mode, sizeof(view->mode), detail);
    if (result == POLL_OK)
        result = take_text(value, "LocalHostId", view->host_id, sizeof(view->host_id), detail);
    if (result == POLL_OK)
        result =
            take_text(value, "ClusterName", view->cluster_name, sizeof(view->cluster_name), detail);
    if (result == POLL_OK)
        result = take_text(value, "ReleaseVersion", view->release, sizeof(view->release), detail);
    if (result == POLL_OK)
        result = take_bool(value, "NativeTransportRunning", &view->native_transport, detail);
    if (result == POLL_OK)
        result = take_bool(value, "GossipRunning", &view->gossip, detail);
    return result;
}

/* Two processes may share an address and differ by port: DOWN and then unknown come first, and the
 * first one stays. */
static int compare_opinions(const void *a, const void *b)
{
    static const int rank[] = {[LIVENESS_DOWN] = 0, [LIVENESS_UNKNOWN] = 1, [LIVENESS_UP] = 2};
    const struct opinion *left = a;
    const struct opinion *right = b;
    int order = prober_addr_compare(&left->endpoint, &right->endpoint);

    return order != 0 ? order : rank[left->liveness] - rank[right->liveness];
}

static enum poll_result take_liveness(json_t *value, struct view *view, char *detail)
{
    size_t n = json_object_size(value);
    size_t kept = 0;
    const char *name;
    json_t *word;

    if (!json_is_object(value))
        return fail(POLL_BAD_SHAPE, detail, "SimpleStates is not an object");
    if (n > JOLOKIA_MAX_ENDPOINTS)
        return fail(POLL_BAD_SHAPE, detail, "SimpleStates names more than %d endpoints",
                    JOLOKIA_MAX_ENDPOINTS);
    view->opinions = calloc(n ? n : 1, sizeof(*view->opinions));
    if (!view->opinions)
        return fail(POLL_TOO_LARGE, detail, "out of memory");
    json_object_foreach(value, name, word)
    {
        struct opinion *opinion = &view->opinions[view->n_opinions];

        if (!json_is_string(word))
            return fail(POLL_BAD_SHAPE, detail, "SimpleStates holds a value that is not a string");
        if (cassandra_endpoint(name, strlen(name), &opinion->endpoint, NULL) < 0)
            continue;
        opinion->liveness = cassandra_liveness(json_string_value(word), json_string_length(word));
        view->n_opinions++;
    }
    qsort(view->opinions, view->n_opinions, sizeof(*view->opinions), compare_opinions);
    for (size_t i = 0; i < view->n_opinions; i++) {
        if (kept == 0 || prober_addr_compare(&view->opinions[kept - 1].endpoint,
                                             &view->opinions[i].endpoint) != 0)
            view->opinions[kept++] = view->opinions[i];
    }
    view->n_opinions = kept;
    return POLL_OK;
}

static enum poll_result take_states(json_t *value, struct view *view, char *detail)
{
    int r;

    if (!json_is_string(value))
        return fail(POLL_BAD_SHAPE, detail, "AllEndpointStates is not a string");
    r = cassandra_states(json_string_value(value), json_string_length(value), JOLOKIA_MAX_ENDPOINTS,
                         &view->states, &view->n_states);
    if (r == -E2BIG)
        return fail(POLL_BAD_SHAPE, detail, "AllEndpointStates names more than %d endpoints",
                    JOLOKIA_MAX_ENDPOINTS);
    if (r < 0)
        return fail(POLL_TOO_LARGE, detail, "out of memory");
    return POLL_OK;
}

static int compare_phis(const void *a, const void *b)
{
    const struct phi *left = a;
    const struct phi *right = b;
    int order = prober_addr_compare(&left->endpoint, &right->endpoint);

    return order != 0 ? order : (left->value < right->value) - (left->value > right->value);
}

/* A table: its rows by their key, each with the key and the value once more. */
static enum poll_result take_phi(json_t *value, struct view *view, char *detail)
{
    size_t n = json_object_size(value);
    size_t kept = 0;
    const char *name;
    json_t *row;

    if (!json_is_object(value))
        return fail(POLL_BAD_SHAPE, detail, "PhiValues is not an object");
    if (n > JOLOKIA_MAX_ENDPOINTS)
        return fail(POLL_BAD_SHAPE, detail, "PhiValues names more than %d endpoints",
                    JOLOKIA_MAX_ENDPOINTS);
    view->phis = calloc(n ? n : 1, sizeof(*view->phis));
    if (!view->phis)
        return fail(POLL_TOO_LARGE, detail, "out of memory");
    json_object_foreach(value, name, row)
    {
        struct phi *phi = &view->phis[view->n_phis];
        json_t *number = json_object_get(row, "PHI");

        if (!json_is_number(number) ||
            cassandra_endpoint(name, strlen(name), &phi->endpoint, NULL) < 0)
            continue;
        phi->value = json_number_value(number);
        view->n_phis++;
    }
    qsort(view->phis, view->n_phis, sizeof(*view->phis), compare_phis);
    for (size_t i = 0; i < view->n_phis; i++) {
        if (kept == 0 ||
            prober_addr_compare(&view->phis[kept - 1].endpoint, &view->phis[i].endpoint) != 0)
            view->phis[kept++] = view->phis[i];
    }
    view->n_phis = kept;
    return POLL_OK;
}

static enum poll_result take_hints(json_t *value, struct view *view, char *detail)
{
    if (!json_is_integer(value))
        return fail(POLL_BAD_SHAPE, detail, "MaxHintWindow is not an integer");
    if (json_integer_value(value) > 0)
        view->hint_window_ms = json_integer_value(value);
    return POLL_OK;
}

/* What an element's own status stands for. */
static enum poll_result element_result(const struct question *question, json_t *element,
                                       char *detail)
{
    json_t *status = json_object_get(element, "status");
    json_t *type = json_object_get(element, "error_type");
    const char *why = json_is_string(type) ? json_string_value(type) : "";

    if (!json_is_integer(status))
        return fail(POLL_BAD_SHAPE, detail, "%s has no status", question->attribute);
    switch (json_integer_value(status)) {
    case 200:
        return POLL_OK;
    case 401:
    case 403:
        return fail(POLL_AUTH, detail, "%s", why);
    case 404:
        return fail(POLL_NO_MBEAN, detail, "%s", strchr(question->mbean, '=') + 1);
    default:
        return fail(POLL_HTTP, detail, "%s: status %d inside the answer: %.60s",
                    strchr(question->mbean, '=') + 1, (int)json_integer_value(status), why);
    }
}

/*
 * One question's answer into the view. A needed question that both spellings ask is answered when
 * one of them is: the first one that is wins.
 */
static enum poll_result take_element(const struct question *question, json_t *element,
                                     struct view *view, char *detail)
{
    enum poll_result result;

    if (!json_is_object(element))
        return fail(POLL_BAD_SHAPE, detail, "an element of the answer is not an object");
    result = element_result(question, element, detail);
    if (result == POLL_OK)
        return question->take(json_object_get(element, "value"), view, detail);
    if (!question->needed && result != POLL_AUTH) {
        detail[0] = '\0';
        return POLL_OK;
    }
    return result;
}

/* The questions whose answer another spelling has given already. */
static bool answered(take_fn *take, const struct view *view)
{
    return (take == take_liveness && view->opinions) || (take == take_states && view->states) ||
           (take == take_phi && view->phis);
}

static enum poll_result take_answer(unsigned questions, json_t *root, struct view *view,
                                    enum jolokia_spelling *ret_spelling, char *detail)
{
    enum poll_result result = POLL_OK;
    size_t place = 0;

    for (size_t i = 0; i < N_QUESTIONS && result == POLL_OK; i++) {
        const struct question *question = &questions_table[i];
        json_t *element;

        if (!(questions & 1u << i))
            continue;
        element = json_array_get(root, place++);
        if (answered(question->take, view))
            continue;
        result = take_element(question, element, view, detail);
        if (1u << i == JOLOKIA_LIVENESS_PORT && questions & JOLOKIA_LIVENESS &&
            result == POLL_NO_MBEAN)
            result = POLL_OK; /* 3.11: the other spelling decides */
        else if (result == POLL_OK && 1u << i == JOLOKIA_LIVENESS_PORT)
            *ret_spelling = JOLOKIA_SPELLING_PORT;
        else if (result == POLL_OK && 1u << i == JOLOKIA_LIVENESS)
            *ret_spelling = JOLOKIA_SPELLING_PLAIN;
    }
    return result;
}

/*
 * Counts what the answer would become in memory without building it: a hostile answer of a few MiB
 * of "[{},{},…" would take a hundred times its size.
 */
static bool too_many_values(const char *body, size_t len)
{
    size_t values = 0, containers = 0;
    bool in_string = false;

    for (size_t i = 0; i < len; i++) {
        if (in_string) {
            if (body[i] == '\\')
                i++;
            else if (body[i] == '"')
                in_string = false;
            continue;
        }
        in_string = body[i] == '"';
        containers += body[i] == '[' || body[i] == '{';
        values += body[i] == ',';
    }
    return containers > MAX_CONTAINERS || values + containers > MAX_VALUES;
}

static enum poll_result check_root(unsigned questions, json_t *root, char *detail)
{
    json_t *status = json_object_get(root, "status");
    size_t asked = (size_t)__builtin_popcount(questions);

    /* A request refused as a whole is answered by one element. */
    if (json_is_integer(status)) {
        json_int_t code = json_integer_value(status);

        if (code == 401 || code == 403)
            return fail(POLL_AUTH, detail, "status %d inside the answer", (int)code);
        return fail(POLL_HTTP, detail, "status %d inside the answer", (int)code);
    }
    if (!json_is_array(root))
        return fail(POLL_BAD_SHAPE, detail, "the answer is not an array");
    if (json_array_size(root) != asked)
        return fail(POLL_BAD_SHAPE, detail, "the answer has %zu elements, not %zu",
                    json_array_size(root), asked);
    return POLL_OK;
}

static enum poll_result parse(unsigned questions, const char *body, size_t len, struct view **ret,
                              enum jolokia_spelling *ret_spelling, char *detail)
{
    enum jolokia_spelling spelling = JOLOKIA_SPELLING_UNKNOWN;
    enum poll_result result;
    struct view *view;
    json_error_t error;
    json_t *root;

    detail[0] = '\0';
    if (too_many_values(body, len))
        return fail(POLL_TOO_LARGE, detail, "too many values");
    root = json_loadb(body, len, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        return fail(POLL_BAD_JSON, detail, "%s", len == 0 ? "empty" : error.text);
    view = calloc(1, sizeof(*view));
    result =
        view ? check_root(questions, root, detail) : fail(POLL_TOO_LARGE, detail, "out of memory");
    if (result == POLL_OK)
        result = take_answer(questions, root, view, &spelling, detail);
    json_decref(root);
    if (result != POLL_OK) {
        view_free(view);
        return result;
    }
    detail[0] = '\0';
    *ret = view;
    *ret_spelling = spelling;
    return POLL_OK;
}

enum poll_result jolokia_parse(unsigned questions, const char *body, size_t len, struct view **ret,
                               enum jolokia_spelling *ret_spelling, char detail[128])
{
    enum poll_result result;

    json_set_alloc_funcs(arena_alloc, arena_free);
    result = parse(questions, body, len, ret, ret_spelling, detail);
    arena_reset();
    return result;
}

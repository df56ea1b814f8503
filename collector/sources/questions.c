#include "questions.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cassandra_text.h"

#define FAILURE_DETECTOR "org.apache.cassandra.net:type=FailureDetector"
#define STORAGE_SERVICE  "org.apache.cassandra.db:type=StorageService"
#define STORAGE_PROXY    "org.apache.cassandra.db:type=StorageProxy"

const struct question question_table[N_QUESTIONS] = {
    {FAILURE_DETECTOR, "SimpleStatesWithPort", ANSWER_LIVENESS, true},
    {FAILURE_DETECTOR, "SimpleStates", ANSWER_LIVENESS, true},
    {STORAGE_SERVICE, NULL, ANSWER_STORAGE, true},
    {FAILURE_DETECTOR, "AllEndpointStatesWithPort", ANSWER_STATES, false},
    {FAILURE_DETECTOR, "AllEndpointStates", ANSWER_STATES, false},
    {FAILURE_DETECTOR, "PhiValuesWithPort", ANSWER_PHI, false},
    {FAILURE_DETECTOR, "PhiValues", ANSWER_PHI, false},
    {STORAGE_PROXY, "MaxHintWindow", ANSWER_HINTS, false},
};

#define TEXT(field) offsetof(struct view, field), sizeof(((struct view *)NULL)->field)

const struct storage_attribute storage_attributes[N_STORAGE_ATTRIBUTES] = {
    {"OperationMode", TEXT(mode)},
    {"NativeTransportRunning", offsetof(struct view, native_transport), 0},
    {"GossipRunning", offsetof(struct view, gossip), 0},
    {"LocalHostId", TEXT(host_id)},
    {"ClusterName", TEXT(cluster_name)},
    {"ReleaseVersion", TEXT(release)},
};

unsigned questions_of_poll(bool detail, bool own, enum spelling spelling)
{
    unsigned with_port = ASK_LIVENESS_PORT | ASK_STATES_PORT | ASK_PHI_PORT;
    unsigned plain = ASK_LIVENESS | ASK_STATES | ASK_PHI;
    unsigned asked = ASK_STORAGE | ASK_LIVENESS_PORT | ASK_LIVENESS;

    if (detail)
        asked |= ASK_STATES_PORT | ASK_STATES;
    if (detail && own)
        asked |= ASK_PHI_PORT | ASK_PHI | ASK_HINTS;
    if (spelling == SPELLING_PORT)
        asked &= ~plain;
    if (spelling == SPELLING_PLAIN)
        asked &= ~with_port;
    return asked;
}

unsigned questions_of_mbean(unsigned asked)
{
    const struct question *first = &question_table[asked ? __builtin_ctz(asked) : 0];
    unsigned same = 0;

    for (size_t i = 0; i < N_QUESTIONS; i++)
        if (asked & 1u << i && strcmp(question_table[i].mbean, first->mbean) == 0)
            same |= 1u << i;
    return same;
}

const char *question_mbean_word(const struct question *question)
{
    return strchr(question->mbean, '=') + 1;
}

enum poll_result poll_fail(enum poll_result result, char detail[DETAIL_LEN], const char *format,
                           ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(detail, DETAIL_LEN, format, args);
    va_end(args);
    for (; *detail; detail++)
        if ((unsigned char)*detail < 0x20 || (unsigned char)*detail > 0x7e)
            *detail = '?';
    return result;
}

/* Another spelling has given the answer already. */
static bool answered(const struct question *question, const struct view *view)
{
    return (question->kind == ANSWER_LIVENESS && view->opinions) ||
           (question->kind == ANSWER_STATES && view->states) ||
           (question->kind == ANSWER_PHI && view->phis);
}

static bool can_do_without(const struct question *question, enum poll_result result)
{
    return !question->needed &&
           (result == POLL_NO_MBEAN || result == POLL_HTTP || result == POLL_EXCEPTION);
}

static enum poll_result take_all(unsigned asked, take_answer_fn *take, void *userdata,
                                 struct view *view, enum spelling *ret_spelling, char *detail)
{
    enum poll_result result = POLL_OK;

    for (size_t i = 0; i < N_QUESTIONS && result == POLL_OK; i++) {
        unsigned bit = 1u << i;

        if (!(asked & bit) || answered(&question_table[i], view))
            continue;
        result = take(&question_table[i], bit, view, detail, userdata);
        if (result == POLL_OK && bit == ASK_LIVENESS_PORT)
            *ret_spelling = SPELLING_PORT;
        else if (result == POLL_OK && bit == ASK_LIVENESS)
            *ret_spelling = SPELLING_PLAIN;
        else if (bit == ASK_LIVENESS_PORT && asked & ASK_LIVENESS && result == POLL_NO_MBEAN)
            result = POLL_OK; /* 3.11: the other spelling decides */
        else if (can_do_without(&question_table[i], result))
            result = POLL_OK;
    }
    return result;
}

enum poll_result questions_answered(unsigned asked, take_answer_fn *take, void *userdata,
                                    struct view **ret, enum spelling *ret_spelling,
                                    char detail[DETAIL_LEN])
{
    enum spelling spelling = SPELLING_UNKNOWN;
    struct view *view = calloc(1, sizeof(*view));
    enum poll_result result;

    if (!view)
        return poll_fail(POLL_TOO_LARGE, detail, "out of memory");
    result = take_all(asked, take, userdata, view, &spelling, detail);
    if (result != POLL_OK) {
        view_free(view);
        return result;
    }
    detail[0] = '\0';
    *ret = view;
    *ret_spelling = spelling;
    return POLL_OK;
}

void view_set_text(struct view *view, const struct storage_attribute *attribute, const char *text,
                   size_t len)
{
    cassandra_copy(text, len, (char *)view + attribute->at, attribute->size);
}

void view_set_bool(struct view *view, const struct storage_attribute *attribute, bool value)
{
    *(enum trilean *)((char *)view + attribute->at) = value ? TRILEAN_TRUE : TRILEAN_FALSE;
}

static enum poll_result begin_array(const char *attribute, size_t n, size_t size, void *ret,
                                    char *detail)
{
    if (n > MAX_ENDPOINTS)
        return poll_fail(POLL_BAD_SHAPE, detail, "%s names more than %d endpoints", attribute,
                         MAX_ENDPOINTS);
    /* Never NULL when it was answered. */
    *(void **)ret = calloc(n ? n : 1, size);
    return *(void **)ret ? POLL_OK : poll_fail(POLL_TOO_LARGE, detail, "out of memory");
}

enum poll_result view_opinions_begin(struct view *view, size_t n, char *detail)
{
    return begin_array("SimpleStates", n, sizeof(*view->opinions), &view->opinions, detail);
}

void view_opinions_add(struct view *view, const char *name, size_t name_len, const char *word,
                       size_t word_len)
{
    struct opinion *opinion = &view->opinions[view->n_opinions];

    if (cassandra_endpoint(name, name_len, &opinion->endpoint, NULL) < 0)
        return;
    opinion->liveness = cassandra_liveness(word, word_len);
    view->n_opinions++;
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

void view_opinions_end(struct view *view)
{
    struct opinion *opinions = view->opinions;
    size_t kept = 0;

    qsort(opinions, view->n_opinions, sizeof(*opinions), compare_opinions);
    for (size_t i = 0; i < view->n_opinions; i++)
        if (kept == 0 ||
            prober_addr_compare(&opinions[kept - 1].endpoint, &opinions[i].endpoint) != 0)
            opinions[kept++] = opinions[i];
    view->n_opinions = kept;
}

enum poll_result view_phis_begin(struct view *view, size_t n, char *detail)
{
    return begin_array("PhiValues", n, sizeof(*view->phis), &view->phis, detail);
}

void view_phis_add(struct view *view, const char *name, size_t name_len, double value)
{
    struct phi *phi = &view->phis[view->n_phis];

    /* JSON knows no other number, so nobody downstream shall. */
    if (!__builtin_isfinite(value) || cassandra_endpoint(name, name_len, &phi->endpoint, NULL) < 0)
        return;
    phi->value = value;
    view->n_phis++;
}

static int compare_phis(const void *a, const void *b)
{
    const struct phi *left = a;
    const struct phi *right = b;
    int order = prober_addr_compare(&left->endpoint, &right->endpoint);

    return order != 0 ? order : (left->value < right->value) - (left->value > right->value);
}

void view_phis_end(struct view *view)
{
    struct phi *phis = view->phis;
    size_t kept = 0;

    qsort(phis, view->n_phis, sizeof(*phis), compare_phis);
    for (size_t i = 0; i < view->n_phis; i++)
        if (kept == 0 || prober_addr_compare(&phis[kept - 1].endpoint, &phis[i].endpoint) != 0)
            phis[kept++] = phis[i];
    view->n_phis = kept;
}

enum poll_result view_set_states(struct view *view, const char *text, size_t len, char *detail)
{
    int r = cassandra_states(text, len, MAX_ENDPOINTS, &view->states, &view->n_states);

    if (r == -E2BIG)
        return poll_fail(POLL_BAD_SHAPE, detail, "AllEndpointStates names more than %d endpoints",
                         MAX_ENDPOINTS);
    return r < 0 ? poll_fail(POLL_TOO_LARGE, detail, "out of memory") : POLL_OK;
}

_Static_assert(sizeof(struct opinion) == sizeof(struct prober_addr) + sizeof(enum liveness),
               "hashed as bytes");

static uint64_t view_fingerprint(const struct fingerprint_key *key, const struct view *view)
{
    uint64_t parts[] = {
        fingerprint(key, view->cluster_name, sizeof(view->cluster_name)),
        fingerprint(key, view->host_id, sizeof(view->host_id)),
        fingerprint(key, view->mode, sizeof(view->mode)),
        fingerprint(key, view->release, sizeof(view->release)),
        (uint64_t)view->native_transport << 8 | (uint64_t)view->gossip,
        fingerprint(key, view->opinions, view->n_opinions * sizeof(*view->opinions)),
    };

    return fingerprint(key, parts, sizeof(parts));
}

bool last_view_same(struct last_view *last, const struct fingerprint_key *key,
                    const struct view *view)
{
    uint64_t print = view_fingerprint(key, view);
    bool same = last->any && last->print == print;

    last->any = true;
    last->print = print;
    return same;
}

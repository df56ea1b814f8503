/*
 * Arbitrary bytes as what a JMX server answers: first byte 0 = the handshake, 1 = a stub, an
 * exception or an operation's value, 2 and more = a poll's answers, the questions chosen by it.
 */
#include <stdlib.h>
#include <string.h>

#include "sources/jmx_view.h"

static const struct java_limits LIMITS = {.bytes = 16384, .nodes = 4000, .handles = 2000};

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_line(const char *detail)
{
    check(memchr(detail, '\0', DETAIL_LEN));
    for (const char *at = detail; *at; at++)
        check(*at >= 0x20 && *at <= 0x7e);
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
    for (size_t i = 0; i < view->n_phis; i++)
        check(view->phis[i].value - view->phis[i].value == 0);
}

static void one_answer(const uint8_t *data, size_t len)
{
    char detail[DETAIL_LEN] = "";
    struct java_stream *stream;
    struct jmx_answer answer;
    struct jmx_stub stub;
    struct reply reply;

    check(java_stream_new(&LIMITS, &stream) == 0);
    if (jmx_read_answer(stream, data, len, true, &answer) == JAVA_OK) {
        check(answer.len > 21 && answer.len <= len);
        if (jmx_stub(stream, &answer.value, &stub) == 0)
            check(stub.port > 0);
        if (answer.thrown) {
            enum poll_result result = jmx_exception(stream, &answer.value, detail);

            check(result == POLL_AUTH || result == POLL_NO_MBEAN || result == POLL_EXCEPTION);
            check_line(detail);
            (void)jmx_is_no_such_object(stream, &answer.value);
        }
        jmx_reply(stream, &answer, &reply);
        check(reply.result == POLL_OK || reply.n_texts == 0);
        check_line(reply.detail);
        reply_done(&reply);
        jmx_reply_attribute(stream, &answer, "OperationMode", &reply);
        check(reply.result == POLL_OK || reply.n_texts == 0);
        check_line(reply.detail);
        reply_done(&reply);
    }
    java_stream_free(stream);
}

static void poll_answers(unsigned asked, const uint8_t *data, size_t len)
{
    struct jmx_answered answers[JMX_MAX_CALLS];
    struct java_stream *streams[JMX_MAX_CALLS] = {0};
    enum spelling spelling = SPELLING_UNKNOWN;
    struct view *view = NULL;
    char detail[DETAIL_LEN] = "";
    size_t n = 0, at = 0;
    enum poll_result result;
    enum java_status status = JAVA_OK;

    for (unsigned left = asked; left != 0 && status == JAVA_OK; n += status == JAVA_OK) {
        check(java_stream_new(&LIMITS, &streams[n]) == 0);
        answers[n].asked = questions_of_mbean(left);
        answers[n].stream = streams[n];
        left &= ~answers[n].asked;
        status = jmx_read_answer(streams[n], data + at, len - at, true, &answers[n].answer);
        if (status == JAVA_OK)
            at += answers[n].answer.len;
    }
    result = jmx_view(answers, n, &view, &spelling, detail);
    check((result == POLL_OK) == (view != NULL));
    check_line(detail);
    if (view)
        check_view(view);
    view_free(view);
    for (size_t i = 0; i < JMX_MAX_CALLS; i++)
        java_stream_free(streams[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char detail[DETAIL_LEN];
    size_t n;

    if (len < 1)
        return 0;
    if (data[0] == 0) {
        enum java_status status = jmx_read_handshake(data + 1, len - 1, &n, detail);

        check(status == JAVA_OK || status == JAVA_MORE || status == JAVA_BAD);
        if (status == JAVA_OK)
            check(n <= len - 1);
        if (status == JAVA_BAD)
            check_line(detail);
    } else if (data[0] == 1) {
        one_answer(data + 1, len - 1);
    } else {
        poll_answers(questions_of_poll(data[0] & 1, data[0] & 2, (data[0] >> 2 & 3) % 3), data + 1,
                     len - 1);
    }
    return 0;
}

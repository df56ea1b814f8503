/* What JMX answers hold, as a view or as the value of an operation. PURE. */
#ifndef JMX_VIEW_H
#define JMX_VIEW_H

#include "jmx_message.h"
#include "questions.h"

enum { JMX_MAX_CALLS = 3 }; /* of a poll: one to each MBean */

/* The call that asks one MBean `asked`. */
void jmx_put_questions(struct jmx_request *request, const struct jmx_id *connection,
                       unsigned asked);

/* One MBean's answer. */
struct jmx_answered {
    unsigned asked;
    const struct java_stream *stream;
    struct jmx_answer answer;
};

/* POLL_OK: *ret is a view, owned by the caller. As questions_answered(). */
enum poll_result jmx_view(const struct jmx_answered *answers, size_t n, struct view **ret,
                          enum spelling *ret_spelling, char detail[DETAIL_LEN]);

/* An operation's answer: sets everything of *ret. */
void jmx_reply(const struct java_stream *stream, const struct jmx_answer *answer,
               struct reply *ret);

/* What the attribute `name` is, asked for alone: likewise. */
void jmx_reply_attribute(const struct java_stream *stream, const struct jmx_answer *answer,
                         const char *name, struct reply *ret);

#endif

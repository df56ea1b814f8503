/*
 * Jolokia's JSON: what to ask of Cassandra's MBeans, and what the answer says. PURE; jansson only.
 *
 * A request is an array of read requests, one per question, so a poll is one round trip; the answer
 * is an array in the same order. Jolokia answers HTTP 200 whatever happened: each element carries a
 * status of its own.
 */
#ifndef JOLOKIA_H
#define JOLOKIA_H

#include "questions.h"

#define JOLOKIA_REQUEST_LEN 2048
#define JOLOKIA_QUERY       "?ignoreErrors=true&includeStackTrace=false&includeRequest=false"

/* Writes the request's body. */
void jolokia_request(unsigned questions, char buf[JOLOKIA_REQUEST_LEN]);

/* Makes two answers that say the same the same bytes: Jolokia puts the time into each element. */
void jolokia_blank_timestamps(char *body, size_t len);

/*
 * Reads the answer to `questions`. POLL_OK: *ret is a view, owned by the caller, *ret_spelling what
 * the node has. Otherwise *ret is left alone and `detail` says what was wrong.
 */
enum poll_result jolokia_parse(unsigned questions, const char *body, size_t len, struct view **ret,
                               enum spelling *ret_spelling, char detail[DETAIL_LEN]);

/* The body that asks for an operation, or for an attribute: see source.h for its parts. Owned by
 * the caller; NULL when memory is out or a text is not UTF-8. */
char *jolokia_exec_request(const char *mbean, const char *name, const char *argument);
char *jolokia_read_request(const char *mbean, const char *attribute);

/* Reads the answer to either: sets everything of *ret. */
void jolokia_exec_parse(const char *body, size_t len, struct reply *ret);

#endif

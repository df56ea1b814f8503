/*
 * Jolokia's JSON: what to ask of Cassandra's MBeans, and what the answer says. PURE; jansson only.
 *
 * A request is an array of read requests, one per question, so a poll is one round trip; the answer
 * is an array in the same order. Jolokia answers HTTP 200 whatever happened: each element carries a
 * status of its own.
 */
#ifndef JOLOKIA_H
#define JOLOKIA_H

#include "observation.h"

/* Questions, as bits. The …_PORT ones exist from Cassandra 4.0 on; 3.11 has the others alone. */
enum {
    JOLOKIA_LIVENESS_PORT = 1u << 0,
    JOLOKIA_LIVENESS = 1u << 1,
    JOLOKIA_STORAGE = 1u << 2,
    JOLOKIA_STATES_PORT = 1u << 3,
    JOLOKIA_STATES = 1u << 4,
    JOLOKIA_PHI_PORT = 1u << 5,
    JOLOKIA_PHI = 1u << 6,
    JOLOKIA_HINTS = 1u << 7,
};

/* Which spelling a node was seen to have. */
enum jolokia_spelling {
    JOLOKIA_SPELLING_UNKNOWN = 0, /* both are asked */
    JOLOKIA_SPELLING_PORT,
    JOLOKIA_SPELLING_PLAIN,
};

#define JOLOKIA_MAX_ENDPOINTS 20000
#define JOLOKIA_REQUEST_LEN   2048
#define JOLOKIA_QUERY         "?ignoreErrors=true&includeStackTrace=false&includeRequest=false"

/* The questions of a poll. `own` = what only the local node is asked. */
unsigned jolokia_questions(bool detail, bool own, enum jolokia_spelling spelling);

/* Writes the request's body. */
void jolokia_request(unsigned questions, char buf[JOLOKIA_REQUEST_LEN]);

/* Makes two answers that say the same the same bytes: Jolokia puts the time into each element. */
void jolokia_blank_timestamps(char *body, size_t len);

/*
 * Reads the answer to `questions`. POLL_OK: *ret is a view, owned by the caller, *ret_spelling what
 * the node has. Otherwise *ret is left alone and `detail` says what was wrong.
 */
enum poll_result jolokia_parse(unsigned questions, const char *body, size_t len, struct view **ret,
                               enum jolokia_spelling *ret_spelling, char detail[128]);

#endif

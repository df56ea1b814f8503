/*
 * What a poll asks of Cassandra's MBeans, and what the answers make of a view, whoever carries them
 * (Jolokia's JSON, JMX). PURE.
 */
#ifndef QUESTIONS_H
#define QUESTIONS_H

#include "fingerprint.h"
#include "observation.h"

/* Questions, as bits. The …_PORT ones exist from Cassandra 4.0 on; 3.11 has the others alone. */
enum {
    ASK_LIVENESS_PORT = 1u << 0,
    ASK_LIVENESS = 1u << 1,
    ASK_STORAGE = 1u << 2,
    ASK_STATES_PORT = 1u << 3,
    ASK_STATES = 1u << 4,
    ASK_PHI_PORT = 1u << 5,
    ASK_PHI = 1u << 6,
    ASK_HINTS = 1u << 7,
    N_QUESTIONS = 8
};

/* Which spelling a node was seen to have. */
enum spelling {
    SPELLING_UNKNOWN = 0, /* both are asked */
    SPELLING_PORT,
    SPELLING_PLAIN,
};

enum answer_kind {
    ANSWER_LIVENESS, /* a map: endpoint -> UP or DOWN */
    ANSWER_STORAGE,  /* several attributes: storage_attributes */
    ANSWER_STATES,   /* a text */
    ANSWER_PHI,      /* a table, its rows with "Endpoint" and "PHI" */
    ANSWER_HINTS,    /* a number of ms */
};

struct question {
    const char *mbean;
    const char *attribute; /* NULL: the storage attributes */
    enum answer_kind kind;
    bool needed; /* without an answer there is no view */
};

/* In the order of their bits. */
extern const struct question question_table[N_QUESTIONS];

/* An attribute of StorageService and where it goes: a text of `size` bytes, or a trilean. */
struct storage_attribute {
    const char *name;
    size_t at;
    size_t size; /* 0 = a boolean */
};

enum { N_STORAGE_ATTRIBUTES = 6 };
extern const struct storage_attribute storage_attributes[N_STORAGE_ATTRIBUTES];

#define MAX_ENDPOINTS 20000

/* The questions of a poll. `own` = what only the local node is asked. */
unsigned questions_of_poll(bool detail, bool own, enum spelling spelling);

/* Those of `asked` that go to the same MBean as the first of them. */
unsigned questions_of_mbean(unsigned asked);

/* The MBean's name for a person: "FailureDetector". */
const char *question_mbean_word(const struct question *question);

/*
 * Takes one answer into the view. POLL_NO_MBEAN: the MBean or the attribute is not there; see
 * poll_fail() for `detail`.
 */
typedef enum poll_result take_answer_fn(const struct question *question, unsigned bit,
                                        struct view *view, char *detail, void *userdata);

/*
 * Makes a view of the answers to `asked`. Where both spellings were asked, the first one that is
 * answered is taken. POLL_OK: *ret is owned by the caller. Otherwise nothing is written but
 * `detail`.
 */
enum poll_result questions_answered(unsigned asked, take_answer_fn *take, void *userdata,
                                    struct view **ret, enum spelling *ret_spelling,
                                    char detail[DETAIL_LEN]);

/* Returns the result, with `detail` printed: whatever the node put into it, it is one line. */
__attribute__((format(printf, 3, 4))) enum poll_result
poll_fail(enum poll_result result, char detail[DETAIL_LEN], const char *format, ...);

void view_set_text(struct view *view, const struct storage_attribute *attribute, const char *text,
                   size_t len);
void view_set_bool(struct view *view, const struct storage_attribute *attribute, bool value);

/* Opinions: begin, any number of times add (no more than n), end. Names that are no address are
 * left out. */
enum poll_result view_opinions_begin(struct view *view, size_t n, char *detail);
void view_opinions_add(struct view *view, const char *name, size_t name_len, const char *word,
                       size_t word_len);
void view_opinions_end(struct view *view);

enum poll_result view_phis_begin(struct view *view, size_t n, char *detail);
void view_phis_add(struct view *view, const char *name, size_t name_len, double value);
void view_phis_end(struct view *view);

enum poll_result view_set_states(struct view *view, const char *text, size_t len, char *detail);

/* What the last view of a node said. */
struct last_view {
    bool any;
    uint64_t print; /* of what a fast answer can say, which a detail answer says too */
};

/* Remembers the view. True: the last one said the same. */
bool last_view_same(struct last_view *last, const struct fingerprint_key *key,
                    const struct view *view);

#endif

/*
 * Jobs as JSON in the coordination store: the one under JOB_KEY, and under JOB_LAST_KEY an array of
 * the last one of each type.
 *
 *   {"format":1,"id":"…","type":"restart","state":"running","on_failure":"stop","why":"","by":"ops",
 *    "aborted_by":"","run":"","started":1,"ended":0,
 *    "nodes":[["10.0.0.1","dc1","r1","done","",1,2],…]}
 *
 * Others may have written it: what is read holds what jobs.h says of a job, or is refused.
 */
#ifndef JOB_JSON_H
#define JOB_JSON_H

#include "../model/jobs.h"

/* Types of which the last job is kept: the oldest ones make room. */
#define JOB_LAST_MAX 16

struct jobs_last {
    struct job *items; /* owned; the latest first */
    size_t n;
};

void jobs_last_done(struct jobs_last *last);

/* -EBADMSG: no job, `why` says what is wrong; -ENOMEM. */
int job_json_read(const char *text, size_t len, struct job *ret, char why[DETAIL_LEN]);

/* Owned by the caller (free()); NULL when memory is out. */
char *job_json_write(const struct job *job);

/* The same for the last ones. */
int job_json_read_last(const char *text, size_t len, struct jobs_last *ret, char why[DETAIL_LEN]);

/* With `job` as the first one, and in place of another one of its type; as many of the others as
 * are not more than `room` bytes. */
char *job_json_write_last(const struct jobs_last *last, const struct job *job, size_t room);

#endif

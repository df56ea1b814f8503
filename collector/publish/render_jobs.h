/* The documents /jobs and /jobs/TYPE. PURE. */
#ifndef RENDER_JOBS_H
#define RENDER_JOBS_H

#include "../model/jobs.h"
#include "text.h"

/* What there is to show of jobs. All borrowed. */
struct jobs_shown {
    const char *leader; /* host id; NULL or "" = nobody is known to lead */
    const char *store;  /* what is wrong with it; "" = nothing */
    bool no_store;      /* there is none that could decide anything; `store` says why */
    bool suspended;
    const struct job *active; /* NULL = none */
    const struct job *last;   /* the last one of each type */
    size_t n_last;
    const char *const *types; /* of which there are documents without a job, too; NULL-terminated */
    int64_t read_at_ms;       /* CLOCK_BOOTTIME of when the store said so; 0 = never */
    uint64_t changes;         /* another number when anything above but read_at_ms is another */
};

/*
 * {"leader":"…","store":"ok","suspended":false,"active":null,"last":{"restart":{…}}}, a job as
 * {"id":"…","type":"restart","state":"running","why":"","by":"ops","started":"…Z","ended":null,
 *  "on_failure":"stop","nodes":[{"node":"10.0.0.1","dc":"dc1","rack":"r1","state":"done","why":"",
 *  "began":"…Z","ended":"…Z"},…]}
 */
void render_jobs(struct text *text, const struct jobs_shown *shown);

/* {"active":…,"last":…} of one type. */
void render_jobs_of(struct text *text, const struct jobs_shown *shown, const char *type);

/* Calls `each` with every type that has a document, once. */
void jobs_types(const struct jobs_shown *shown, void (*each)(const char *type, void *userdata),
                void *userdata);

#endif

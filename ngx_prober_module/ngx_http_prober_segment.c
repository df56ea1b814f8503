/*
 * One mapping of the segment per worker and path. nginx's configuration owns it, so a reload ends
 * it with the old configuration; nothing here runs while a configuration is read but _create.
 */
#include "ngx_http_prober_module.h"

static void ngx_http_prober_segment_cleanup(void *data);
static void ngx_http_prober_segment_note(ngx_http_prober_segment_t *segment,
                                         enum prober_segment_problem problem, ngx_log_t *log);

ngx_http_prober_segment_t *ngx_http_prober_segment_create(ngx_pool_t *pool, ngx_str_t *path)
{
    ngx_pool_cleanup_t *cln;
    ngx_http_prober_segment_t *segment;

    cln = ngx_pool_cleanup_add(pool, sizeof(ngx_http_prober_segment_t));
    if (cln == NULL) {
        return NULL;
    }

    segment = cln->data;
    ngx_memzero(segment, sizeof(ngx_http_prober_segment_t));
    segment->path = *path;

    cln->handler = ngx_http_prober_segment_cleanup;

    return segment;
}

static void ngx_http_prober_segment_cleanup(void *data)
{
    ngx_http_prober_segment_t *segment = data;

    prober_segment_close(&segment->reader);
}

void ngx_http_prober_segment_refresh(ngx_http_prober_segment_t *segment, ngx_log_t *log)
{
    time_t now;
    ngx_uint_t mapped, retired;
    enum prober_segment_problem problem;
    struct prober_segment_reader fresh;

    now = ngx_time();
    mapped = (segment->reader.base != NULL);
    retired = mapped && prober_segment_retired(&segment->reader);

    if (segment->checked == now && (segment->wait || !retired)) {
        return;
    }

    segment->checked = now;

    if (mapped && !retired &&
        !prober_segment_replaced(&segment->reader, (char *)segment->path.data)) {
        segment->wait = 0;
        ngx_http_prober_segment_note(segment, PROBER_SEGMENT_OK, log);
        return;
    }

    problem = prober_segment_open((char *)segment->path.data, &fresh);

    if (problem == PROBER_SEGMENT_OK) {
        prober_segment_close(&segment->reader);
        segment->reader = fresh;
        segment->corrupt = 0;
    }

    /* a path with nothing better, or with a file that is retired itself, is not worth a look at
     * every request */
    segment->wait =
        (problem != PROBER_SEGMENT_OK || prober_segment_retired(&segment->reader)) ? 1 : 0;

    ngx_http_prober_segment_note(segment, problem, log);
}

static void ngx_http_prober_segment_note(ngx_http_prober_segment_t *segment,
                                         enum prober_segment_problem problem, ngx_log_t *log)
{
    ngx_err_t err = (problem == PROBER_SEGMENT_IO) ? ngx_errno : 0;

    if (problem == segment->problem) {
        return;
    }

    segment->problem = problem;

    if (problem == PROBER_SEGMENT_OK) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0, "prober segment \"%V\" can be read again",
                      &segment->path);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, log, err, "prober segment \"%V\" cannot be read: %s%s",
                  &segment->path, prober_segment_problem_text(problem),
                  segment->reader.base ? ", the previous one is kept until it is stale" : "");
}

void ngx_http_prober_segment_corrupt(ngx_http_prober_segment_t *segment, ngx_log_t *log)
{
    if (segment->corrupt) {
        return;
    }

    segment->corrupt = 1;

    ngx_log_error(NGX_LOG_ERR, log, 0, "prober segment \"%V\" is corrupt", &segment->path);
}

void ngx_http_prober_segment_stale(ngx_http_prober_segment_t *segment, int64_t heartbeat_ms,
                                   int64_t age_ms, ngx_log_t *log)
{
    if (segment->stale_heartbeat_ms == heartbeat_ms) {
        return;
    }

    segment->stale_heartbeat_ms = heartbeat_ms;

    ngx_log_error(NGX_LOG_ERR, log, 0, "prober segment \"%V\" is stale: last heartbeat %L ms ago",
                  &segment->path, age_ms);
}

/*
 * One mapping of the segment per worker and path. nginx's configuration owns it, so a reload ends
 * it with the old configuration; nothing here runs while a configuration is read but _create.
 */
#include "ngx_http_prober_module.h"

#define NGX_HTTP_PROBER_KEEP_MISSING 2000  /* ms: a living collector puts the file back sooner */
#define NGX_HTTP_PROBER_STALE_PAUSE  10000 /* ms between two log lines that it is stale */

static void ngx_http_prober_segment_cleanup(void *data);
static ngx_uint_t ngx_http_prober_segment_kept(enum prober_segment_problem problem,
                                               ngx_uint_t missed);
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
    ngx_uint_t mapped, retired, missed;
    enum prober_segment_problem problem;
    struct prober_segment_reader fresh;

    now = ngx_time();
    mapped = (segment->reader.base != NULL);
    retired = mapped && prober_segment_retired(&segment->reader);
    missed = mapped && segment->problem == PROBER_SEGMENT_MISSING &&
             ngx_current_msec - segment->problem_since >= NGX_HTTP_PROBER_KEEP_MISSING;

    if (segment->checked == now && !missed && (segment->wait || !retired)) {
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

    if (!ngx_http_prober_segment_kept(problem, missed)) {
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

/* Whether the old mapping is better than what the path has now. */
static ngx_uint_t ngx_http_prober_segment_kept(enum prober_segment_problem problem,
                                               ngx_uint_t missed)
{
    switch (problem) {

    case PROBER_SEGMENT_NEW_ABI: /* an upgrade: this nginx is executed anew soon */
    case PROBER_SEGMENT_DENIED:
    case PROBER_SEGMENT_IO:
        return 1;

    case PROBER_SEGMENT_MISSING:
        return !missed;

    default:
        return 0;
    }
}

static void ngx_http_prober_segment_note(ngx_http_prober_segment_t *segment,
                                         enum prober_segment_problem problem, ngx_log_t *log)
{
    ngx_err_t err = (problem == PROBER_SEGMENT_IO) ? ngx_errno : 0;

    if (problem == segment->problem) {
        return;
    }

    segment->problem = problem;
    segment->problem_since = ngx_current_msec;

    if (problem == PROBER_SEGMENT_OK) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0, "prober segment \"%V\" can be read again",
                      &segment->path);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, log, err, "prober segment \"%V\" cannot be read: %s%s",
                  &segment->path, prober_segment_problem_text(problem),
                  segment->reader.base ? ", the previous one is kept for the time being" : "");
}

void ngx_http_prober_segment_corrupt(ngx_http_prober_segment_t *segment, ngx_log_t *log)
{
    if (segment->corrupt) {
        return;
    }

    segment->corrupt = 1;

    ngx_log_error(NGX_LOG_ERR, log, 0, "prober segment \"%V\" is corrupt", &segment->path);
}

ngx_uint_t ngx_http_prober_segment_stale(ngx_http_prober_segment_t *segment, int64_t age_ms,
                                         ngx_msec_t limit, ngx_log_t *log)
{
    if (age_ms >= 0 && age_ms <= (int64_t)limit) {
        /* locations have limits of their own: it is fresh again by the one that was logged */
        if (age_ms < (int64_t)segment->stale_limit) {
            segment->stale_limit = 0;
            ngx_log_error(NGX_LOG_NOTICE, log, 0, "prober segment \"%V\" is fresh again",
                          &segment->path);
        }

        return 0;
    }

    /* of a path with a problem that was logged; a collector that is late at every round gets a
     * line now and then */
    if (segment->stale_limit || segment->problem != PROBER_SEGMENT_OK ||
        ngx_current_msec - segment->stale_logged < NGX_HTTP_PROBER_STALE_PAUSE) {
        return 1;
    }

    segment->stale_limit = limit;
    segment->stale_logged = ngx_current_msec;

    if (age_ms < 0) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "prober segment \"%V\" is stale: its heartbeat is in the future",
                      &segment->path);
    } else {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "prober segment \"%V\" is stale: last heartbeat %L ms ago", &segment->path,
                      age_ms);
    }

    return 1;
}

int64_t ngx_http_prober_age_ms(int64_t then_ms, int64_t now_ms)
{
    int64_t age_ms = prober_segment_age_ms(then_ms, now_ms);

    return age_ms == INT64_MAX ? -1 : age_ms;
}

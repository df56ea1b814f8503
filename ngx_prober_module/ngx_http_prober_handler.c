/*
 * A request -> a document -> an HTTP answer.
 *
 * Look-ups are for the path as it is, then with the address at its end in canonical spelling, then
 * with a star for the address: what is answered about addresses that nobody knows. Each is first
 * for KEY?ARGUMENT, then for KEY.
 */
#include "ngx_http_prober_module.h"

#include <endian.h>

#define NGX_HTTP_PROBER_TRIES 16

static ngx_int_t ngx_http_prober_pass(ngx_http_request_t *r, ngx_http_prober_loc_conf_t *plcf);
static ngx_int_t ngx_http_prober_answer(ngx_http_request_t *r, ngx_http_prober_loc_conf_t *plcf,
                                        ngx_http_prober_ctx_t *ctx);
static ngx_int_t ngx_http_prober_document(ngx_http_request_t *r, ngx_http_prober_loc_conf_t *plcf,
                                          ngx_http_prober_ctx_t *ctx, int64_t now_ms);
static ngx_int_t ngx_http_prober_refuse_stale(ngx_http_request_t *r,
                                              ngx_http_prober_loc_conf_t *plcf,
                                              ngx_http_prober_ctx_t *ctx);
static ngx_int_t ngx_http_prober_refuse(ngx_http_request_t *r, ngx_http_prober_ctx_t *ctx,
                                        const char *reason);
static int ngx_http_prober_find(ngx_http_request_t *r, ngx_http_prober_loc_conf_t *plcf,
                                ngx_http_prober_ctx_t *ctx);
static ngx_uint_t ngx_http_prober_has_error_page(ngx_http_request_t *r, ngx_array_t *pages,
                                                 ngx_uint_t status);
static ngx_int_t ngx_http_prober_headers(ngx_http_request_t *r, ngx_http_prober_ctx_t *ctx);
static ngx_int_t ngx_http_prober_send(ngx_http_request_t *r, ngx_http_prober_loc_conf_t *plcf,
                                      ngx_http_prober_ctx_t *ctx);
static ngx_int_t ngx_http_prober_allow(ngx_http_request_t *r, ngx_http_prober_loc_conf_t *plcf);

ngx_int_t ngx_http_prober_handler(ngx_http_request_t *r)
{
    ngx_int_t rc;
    ngx_http_prober_ctx_t *ctx;
    ngx_http_prober_loc_conf_t *plcf;

    plcf = ngx_http_get_module_loc_conf(r, ngx_http_prober_module);

    if (!(r->method & (NGX_HTTP_GET | NGX_HTTP_HEAD | NGX_HTTP_OPTIONS))) {
        return ngx_http_prober_pass(r, plcf);
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_prober_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->age_ms = -1;
    ctx->bodiless = (r->method != NGX_HTTP_GET || r->header_only);

    ngx_http_set_ctx(r, ctx, ngx_http_prober_module);

    rc = ngx_http_prober_answer(r, plcf, ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    /* an error_page of this very location replaces our answer, as it replaces one of nginx's own;
     * an inherited one does not, as it does not replace what proxy_pass brings */
    if (r->method == NGX_HTTP_OPTIONS ||
        !(ctx->unknown || ngx_http_prober_has_error_page(r, plcf->error_pages, ctx->status))) {
        return ngx_http_prober_send(r, plcf, ctx);
    }

    /* nginx's own page goes with our headers, an error_page with its own */
    if (!ngx_http_prober_has_error_page(r, plcf->all_error_pages, ctx->status) &&
        ngx_http_prober_headers(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ctx->status;
}

/* What does not read goes on in the named location, its request body unread. */
static ngx_int_t ngx_http_prober_pass(ngx_http_request_t *r, ngx_http_prober_loc_conf_t *plcf)
{
    u_char *p;
    ngx_str_t path;

    if (plcf->control.len == 0) {
        return ngx_http_prober_allow(r, plcf) == NGX_OK ? NGX_HTTP_NOT_ALLOWED
                                                        : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_prober_path(r, plcf, &path);

    p = ngx_pnalloc(r->pool, path.len + 1);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    *p = '/';
    ngx_memcpy(p + 1, path.data, path.len);

    r->uri.data = p;
    r->uri.len = path.len + 1;
    ngx_http_set_exten(r);

    /* or proxy_pass would send the URI as the client wrote it */
    r->valid_unparsed_uri = 0;

    return ngx_http_named_location(r, &plcf->control);
}

/* NGX_OK: what to answer is in ctx. Else an HTTP status, or NGX_ERROR. */
static ngx_int_t ngx_http_prober_answer(ngx_http_request_t *r, ngx_http_prober_loc_conf_t *plcf,
                                        ngx_http_prober_ctx_t *ctx)
{
    int64_t heartbeat_ms, age_ms, now_ms;
    ngx_log_t *log = r->connection->log;
    ngx_http_prober_segment_t *segment = plcf->segment;

    ngx_http_prober_segment_refresh(segment, log);

    if (segment->reader.base == NULL) {
        return ngx_http_prober_refuse(r, ctx, prober_segment_problem_text(segment->problem));
    }

    heartbeat_ms = prober_segment_heartbeat_ms(&segment->reader);
    now_ms = prober_segment_now_ms();

    if (heartbeat_ms == 0) {
        ctx->status = NGX_HTTP_SERVICE_UNAVAILABLE;
        ngx_str_set(&ctx->type, "text/plain");
        ngx_str_set(&ctx->body, "starting");
        return NGX_OK;
    }

    age_ms = ngx_http_prober_age_ms(heartbeat_ms, now_ms);

    if (ngx_http_prober_segment_stale(segment, age_ms, plcf->stale, log)) {
        ctx->stale = 1;
        ctx->age_ms = age_ms;
    }

    return ngx_http_prober_document(r, plcf, ctx, now_ms);
}

/* What is wrong with the path says more than that the collector is gone. */
static ngx_int_t ngx_http_prober_refuse_stale(ngx_http_request_t *r,
                                              ngx_http_prober_loc_conf_t *plcf,
                                              ngx_http_prober_ctx_t *ctx)
{
    enum prober_segment_problem problem = plcf->segment->problem;

    return ngx_http_prober_refuse(
        r, ctx, problem == PROBER_SEGMENT_OK ? NULL : prober_segment_problem_text(problem));
}

/* 503 for what no document says: the reason why the segment is of no use; NULL: it is stale. */
static ngx_int_t ngx_http_prober_refuse(ngx_http_request_t *r, ngx_http_prober_ctx_t *ctx,
                                        const char *reason)
{
    size_t room;
    u_char *last;

    room = sizeof("{\"error\":\"segment\",\"reason\":\"\"}") + NGX_INT64_LEN +
           (reason ? ngx_strlen(reason) : 0);

    ctx->body.data = ngx_pnalloc(r->pool, room);
    if (ctx->body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (reason) {
        last = ngx_sprintf(ctx->body.data, "{\"error\":\"segment\",\"reason\":\"%s\"}", reason);

    } else if (ctx->age_ms < 0) {
        last = ngx_sprintf(ctx->body.data, "{\"error\":\"stale\",\"age_ms\":null}");

    } else {
        last = ngx_sprintf(ctx->body.data, "{\"error\":\"stale\",\"age_ms\":%L}", ctx->age_ms);
    }

    ctx->body.len = last - ctx->body.data;
    ctx->status = NGX_HTTP_SERVICE_UNAVAILABLE;
    ngx_str_set(&ctx->type, "application/json");

    return NGX_OK;
}

static ngx_int_t ngx_http_prober_document(ngx_http_request_t *r, ngx_http_prober_loc_conf_t *plcf,
                                          ngx_http_prober_ctx_t *ctx, int64_t now_ms)
{
    int rc;
    struct prober_reading *reading = &ctx->reading;

    rc = ngx_http_prober_find(r, plcf, ctx);

    if (ctx->stale && plcf->on_stale == NGX_HTTP_PROBER_ON_STALE_ERROR &&
        !(rc == 0 && (reading->flags & PROBER_DOCUMENT_AGELESS))) {
        return ngx_http_prober_refuse_stale(r, plcf, ctx);
    }

    if (rc == 0 && reading->status < NGX_HTTP_OK) {
        rc = -EBADMSG; /* no answer ends with 1xx */
    }

    switch (rc) {

    case 0:
        break;

    case -ENOENT:
        ctx->unknown = 1;
        ctx->status = NGX_HTTP_NOT_FOUND;
        return NGX_OK;

    case -EBADMSG:
        ngx_http_prober_segment_corrupt(plcf->segment, r->connection->log);
        return ngx_http_prober_refuse(r, ctx, prober_segment_problem_text(PROBER_SEGMENT_CORRUPT));

    case -EAGAIN:
        return ngx_http_prober_refuse(r, ctx, "busy");

    default:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->stale && (reading->flags & PROBER_DOCUMENT_FRESH_ONLY)) {
        return ngx_http_prober_refuse_stale(r, plcf, ctx);
    }

    ctx->document = 1;
    ctx->type.data = (u_char *)reading->content_type;
    ctx->type.len = reading->content_type_len;
    ctx->status = reading->status;

    if (reading->flags & PROBER_DOCUMENT_NOT_READY) {
        ctx->status = plcf->not_ready;

    } else if (reading->status >= NGX_HTTP_OK && reading->status < NGX_HTTP_SPECIAL_RESPONSE) {
        ctx->ready = 1;
    }

    ctx->age_ms =
        reading->observed_at_ms ? ngx_http_prober_age_ms(reading->observed_at_ms, now_ms) : -1;

    return NGX_OK;
}

/* 0: the document under the key is in ctx->reading and, unless it is not wanted, in ctx->body.
 * -ENOMEM, or as prober_segment_find() says. */
static int ngx_http_prober_read(ngx_http_request_t *r, ngx_http_prober_loc_conf_t *plcf,
                                ngx_http_prober_ctx_t *ctx, ngx_http_prober_key_t *key, size_t len)
{
    int rc;
    ngx_uint_t i;
    const struct prober_segment_reader *reader = &plcf->segment->reader;

    for (i = 0; i < NGX_HTTP_PROBER_TRIES; i++) {
        rc = prober_segment_find(reader, (char *)key->data, len, &ctx->reading);
        if (rc != 0) {
            return rc;
        }

        ctx->body.len = ctx->reading.body_len;

        if (ctx->bodiless || ctx->body.len == 0) {
            return 0;
        }

        if (ctx->body.len > ctx->room) {
            ctx->room = ctx->body.len;
            ctx->body.data = ngx_pnalloc(r->pool, ctx->room);
            if (ctx->body.data == NULL) {
                return -ENOMEM;
            }
        }

        rc = prober_segment_copy(reader, &ctx->reading, ctx->body.data);
        if (rc != -EAGAIN) {
            return rc;
        }
    }

    return -EAGAIN;
}

/* KEY?ARGUMENT, then KEY. */
static int ngx_http_prober_read_special(ngx_http_request_t *r, ngx_http_prober_loc_conf_t *plcf,
                                        ngx_http_prober_ctx_t *ctx, ngx_http_prober_key_t *key)
{
    int rc;
    size_t len;

    for (len = 0; len < r->args.len; len++) {
        if (r->args.data[len] == '=' || r->args.data[len] == '&') {
            break;
        }
    }

    if (len != 0 && key->len + 1 + len <= PROBER_KEY_MAX) {
        key->data[key->len] = '?';
        ngx_memcpy(key->data + key->len + 1, r->args.data, len);

        rc = ngx_http_prober_read(r, plcf, ctx, key, key->len + 1 + len);
        if (rc != -ENOENT) {
            return rc;
        }
    }

    return ngx_http_prober_read(r, plcf, ctx, key, key->len);
}

static int ngx_http_prober_find(ngx_http_request_t *r, ngx_http_prober_loc_conf_t *plcf,
                                ngx_http_prober_ctx_t *ctx)
{
    int rc;
    ngx_str_t path;
    ngx_http_prober_key_t key;

    ngx_http_prober_path(r, plcf, &path);

    rc = (ngx_http_prober_key(&path, &key) == NGX_OK)
             ? ngx_http_prober_read_special(r, plcf, ctx, &key)
             : -ENOENT;

    if (rc != -ENOENT || ngx_http_prober_address_key(&path, &key) != NGX_OK) {
        return rc;
    }

    rc = ngx_http_prober_read_special(r, plcf, ctx, &key);

    if (rc == -ENOENT) {
        key.len = key.dir_len;
        key.data[key.len++] = '*';

        rc = ngx_http_prober_read_special(r, plcf, ctx, &key);
    }

    return rc;
}

/* Whether nginx would take one of these for an answer of that status. */
static ngx_uint_t ngx_http_prober_has_error_page(ngx_http_request_t *r, ngx_array_t *pages,
                                                 ngx_uint_t status)
{
    ngx_uint_t i;
    ngx_http_err_page_t *page;

    if (pages == NULL || r->error_page) {
        return 0;
    }

    page = pages->elts;

    for (i = 0; i < pages->nelts; i++) {
        if (page[i].status == (ngx_int_t)status) {
            return 1;
        }
    }

    return 0;
}

static ngx_table_elt_t *ngx_http_prober_header(ngx_http_request_t *r, const char *name,
                                               const char *value, size_t len)
{
    ngx_table_elt_t *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

    h->hash = 1;
    h->key.data = (u_char *)name;
    h->key.len = ngx_strlen(name);
    h->value.data = (u_char *)value;
    h->value.len = len;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    return h;
}

static ngx_int_t ngx_http_prober_allow(ngx_http_request_t *r, ngx_http_prober_loc_conf_t *plcf)
{
    static const char allow[] = "GET, HEAD, OPTIONS, PUT, POST, DELETE";
    size_t len = plcf->control.len ? sizeof(allow) - 1 : sizeof("GET, HEAD, OPTIONS") - 1;

    return ngx_http_prober_header(r, "Allow", allow, len) ? NGX_OK : NGX_ERROR;
}

static ngx_int_t ngx_http_prober_headers(ngx_http_request_t *r, ngx_http_prober_ctx_t *ctx)
{
    u_char *last;
    uint64_t etag;
    const char *cache;
    ngx_table_elt_t *h;

    cache = "no-store";

    if (ctx->document) {
        etag = htobe64(ctx->reading.etag);

        ctx->etag[0] = '"';
        last = ngx_hex_dump(ctx->etag + 1, (u_char *)&etag, sizeof(etag));
        *last++ = '"';

        h = ngx_http_prober_header(r, "ETag", (char *)ctx->etag, last - ctx->etag);
        if (h == NULL) {
            return NGX_ERROR;
        }

        r->headers_out.etag = h;

        if (ctx->reading.flags & PROBER_DOCUMENT_NO_CACHE) {
            cache = "no-cache";
        }

        if (ctx->age_ms >= 0) {
            last = ngx_sprintf(ctx->age, "%L", ctx->age_ms);

            h = ngx_http_prober_header(r, "X-Prober-Age-Ms", (char *)ctx->age, last - ctx->age);
            if (h == NULL) {
                return NGX_ERROR;
            }
        }
    }

    h = ngx_http_prober_header(r, "Cache-Control", cache, ngx_strlen(cache));

    return h ? NGX_OK : NGX_ERROR;
}

static void ngx_http_prober_content_type(ngx_http_request_t *r, ngx_http_prober_ctx_t *ctx)
{
    u_char *end;

    r->headers_out.content_type = ctx->type;
    r->headers_out.content_type_lowcase = NULL;

    /* the type alone, for filters that go by it */
    end = ngx_strlchr(ctx->type.data, ctx->type.data + ctx->type.len, ';');
    r->headers_out.content_type_len = end ? (size_t)(end - ctx->type.data) : ctx->type.len;
}

static ngx_int_t ngx_http_prober_send(ngx_http_request_t *r, ngx_http_prober_loc_conf_t *plcf,
                                      ngx_http_prober_ctx_t *ctx)
{
    ngx_int_t rc;
    ngx_buf_t *b;
    ngx_chain_t out;

    if (r->method == NGX_HTTP_OPTIONS) {
        if (ngx_http_prober_allow(r, plcf) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ctx->document = 0;
        ctx->body.len = 0;

    } else {
        ngx_http_prober_content_type(r, ctx);
    }

    if (ngx_http_prober_headers(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = ctx->status;
    r->headers_out.content_length_n = ctx->body.len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    if (r != r->main && ctx->body.len == 0) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = ctx->body.data;
    b->last = ctx->body.data + ctx->body.len;
    b->memory = ctx->body.len ? 1 : 0;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}

/*
 * Directives, variables and configuration. See ngx_http_prober_module.h for the other files.
 */
#include "ngx_http_prober_module.h"

#define NGX_HTTP_PROBER_SEGMENT "/run/cassandra-prober/segment"

static ngx_int_t ngx_http_prober_add_variables(ngx_conf_t *cf);
static void *ngx_http_prober_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_prober_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_prober_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);
static char *ngx_http_prober(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_prober_segment(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_prober_control(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_prober_enum(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_http_prober_not_zero(ngx_conf_t *cf, void *post, void *data);
static ngx_http_prober_segment_t *ngx_http_prober_shared_segment(ngx_conf_t *cf, ngx_str_t *path);
static ngx_int_t ngx_http_prober_ready_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
                                                uintptr_t data);
static ngx_int_t ngx_http_prober_age_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
                                              uintptr_t data);
static ngx_int_t ngx_http_prober_generation_variable(ngx_http_request_t *r,
                                                     ngx_http_variable_value_t *v, uintptr_t data);

/* clang-format off */

static ngx_conf_enum_t ngx_http_prober_on_stale[] = {
    { ngx_string("error"), NGX_HTTP_PROBER_ON_STALE_ERROR },
    { ngx_string("last"), NGX_HTTP_PROBER_ON_STALE_LAST },
    { ngx_null_string, 0 }
};

static ngx_conf_enum_t ngx_http_prober_not_ready[] = {
    { ngx_string("404"), NGX_HTTP_NOT_FOUND },
    { ngx_string("503"), NGX_HTTP_SERVICE_UNAVAILABLE },
    { ngx_null_string, 0 }
};

static ngx_conf_post_t ngx_http_prober_stale_post = { ngx_http_prober_not_zero };

static ngx_command_t ngx_http_prober_commands[] = {

    { ngx_string("prober"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_prober,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("prober_segment"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_prober_segment,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("prober_stale"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_prober_loc_conf_t, stale),
      &ngx_http_prober_stale_post },

    { ngx_string("prober_on_stale"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_prober_enum,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_prober_loc_conf_t, on_stale),
      &ngx_http_prober_on_stale },

    { ngx_string("prober_not_ready"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_prober_enum,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_prober_loc_conf_t, not_ready),
      &ngx_http_prober_not_ready },

    { ngx_string("prober_control"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_prober_control,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};

static ngx_http_module_t ngx_http_prober_module_ctx = {
    ngx_http_prober_add_variables,         /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_prober_create_main_conf,      /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_prober_create_loc_conf,       /* create location configuration */
    ngx_http_prober_merge_loc_conf         /* merge location configuration */
};

ngx_module_t ngx_http_prober_module = {
    NGX_MODULE_V1,
    &ngx_http_prober_module_ctx,           /* module context */
    ngx_http_prober_commands,              /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};

static ngx_http_variable_t ngx_http_prober_variables[] = {

    { ngx_string("prober_ready"), NULL, ngx_http_prober_ready_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("prober_age_ms"), NULL, ngx_http_prober_age_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("prober_generation"), NULL, ngx_http_prober_generation_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};

/* clang-format on */

static ngx_int_t ngx_http_prober_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t *var, *v;

    for (v = ngx_http_prober_variables; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}

static ngx_int_t ngx_http_prober_number(ngx_http_request_t *r, ngx_http_variable_value_t *v,
                                        const char *fmt, uint64_t number)
{
    u_char *p;

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    v->len = ngx_sprintf(p, fmt, number) - p;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->data = p;

    return NGX_OK;
}

/* 1: the answer is a good one; 0: not ready, stale, no segment...; nothing: no answer of ours. */
static ngx_int_t ngx_http_prober_ready_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
                                                uintptr_t data)
{
    ngx_http_prober_ctx_t *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_prober_module);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    *v = ctx->ready ? ngx_http_variable_true_value : ngx_http_variable_null_value;

    if (!ctx->ready) {
        v->len = 1;
        v->data = (u_char *)"0";
    }

    return NGX_OK;
}

/* Age of the data answered with; where none was, of the heartbeat. */
static ngx_int_t ngx_http_prober_age_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
                                              uintptr_t data)
{
    int64_t age_ms, heartbeat_ms;
    ngx_http_prober_ctx_t *ctx;
    ngx_http_prober_loc_conf_t *plcf;
    const struct prober_segment_reader *reader;

    ctx = ngx_http_get_module_ctx(r, ngx_http_prober_module);
    age_ms = -1;

    if (ctx) {
        age_ms = ctx->age_ms;

    } else {
        plcf = ngx_http_get_module_loc_conf(r, ngx_http_prober_module);
        ngx_http_prober_segment_refresh(plcf->segment, r->connection->log);
        reader = &plcf->segment->reader;

        heartbeat_ms = reader->base ? prober_segment_heartbeat_ms(reader) : 0;
        if (heartbeat_ms != 0) {
            age_ms = ngx_http_prober_age_ms(heartbeat_ms, prober_segment_now_ms());
        }
    }

    if (age_ms < 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_prober_number(r, v, "%uL", (uint64_t)age_ms);
}

static ngx_int_t ngx_http_prober_generation_variable(ngx_http_request_t *r,
                                                     ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_prober_loc_conf_t *plcf;

    plcf = ngx_http_get_module_loc_conf(r, ngx_http_prober_module);
    ngx_http_prober_segment_refresh(plcf->segment, r->connection->log);

    if (plcf->segment->reader.base == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_prober_number(r, v, "%uL", prober_segment_generation(&plcf->segment->reader));
}

static void *ngx_http_prober_create_main_conf(ngx_conf_t *cf)
{
    /* of ngx_http_prober_segment_t * */
    return ngx_array_create(cf->pool, 1, sizeof(ngx_http_prober_segment_t *));
}

static void *ngx_http_prober_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_prober_loc_conf_t *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_prober_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->stale = NGX_CONF_UNSET_MSEC;
    conf->on_stale = NGX_CONF_UNSET_UINT;
    conf->not_ready = NGX_CONF_UNSET_UINT;

    return conf;
}

static char *ngx_http_prober_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_prober_loc_conf_t *prev = parent;
    ngx_http_prober_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t *clcf;

    ngx_conf_merge_str_value(conf->path, prev->path, NGX_HTTP_PROBER_SEGMENT);
    ngx_conf_merge_str_value(conf->control, prev->control, "");
    ngx_conf_merge_msec_value(conf->stale, prev->stale, 10000);
    ngx_conf_merge_uint_value(conf->on_stale, prev->on_stale, NGX_HTTP_PROBER_ON_STALE_ERROR);
    ngx_conf_merge_uint_value(conf->not_ready, prev->not_ready, NGX_HTTP_NOT_FOUND);

    conf->segment = ngx_http_prober_shared_segment(cf, &conf->path);
    if (conf->segment == NULL) {
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* "if" and "limit_except" blocks are locations that do not inherit the content handler */
    if (clcf->noname && prev->on && clcf->handler == NULL) {
        clcf->handler = ngx_http_prober_handler;
        conf->prefix = prev->prefix;
        conf->on = 1;
    }

    conf->all_error_pages = clcf->error_pages;

    if (clcf->error_pages != prev->all_error_pages) {
        conf->error_pages = clcf->error_pages;

    } else if (clcf->noname) {
        conf->error_pages = prev->error_pages;
    }

    return NGX_CONF_OK;
}

static ngx_http_prober_segment_t *ngx_http_prober_shared_segment(ngx_conf_t *cf, ngx_str_t *path)
{
    ngx_uint_t i;
    ngx_array_t *segments;
    ngx_http_prober_segment_t **segment;

    segments = ngx_http_conf_get_module_main_conf(cf, ngx_http_prober_module);
    segment = segments->elts;

    for (i = 0; i < segments->nelts; i++) {
        if (segment[i]->path.len == path->len &&
            ngx_memcmp(segment[i]->path.data, path->data, path->len) == 0) {
            return segment[i];
        }
    }

    segment = ngx_array_push(segments);
    if (segment == NULL) {
        return NULL;
    }

    *segment = ngx_http_prober_segment_create(cf->pool, path);

    return *segment;
}

static char *ngx_http_prober(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_prober_loc_conf_t *plcf = conf;

    ngx_uint_t is_prefix;
    ngx_http_core_loc_conf_t *clcf;

    if (plcf->on) {
        return "is duplicate";
    }

    plcf->on = 1;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_prober_handler;

    is_prefix = !clcf->exact_match && !clcf->named;
#if (NGX_PCRE)
    is_prefix = is_prefix && clcf->regex == NULL;
#endif

    if (is_prefix && clcf->name.len) {
        plcf->prefix = clcf->name;
        clcf->auto_redirect = (clcf->name.data[clcf->name.len - 1] == '/');
    }

    return NGX_CONF_OK;
}

static char *ngx_http_prober_segment(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_prober_loc_conf_t *plcf = conf;

    ngx_str_t *value;

    if (plcf->path.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        return "needs the path of a file";
    }

    plcf->path = value[1];

    if (ngx_conf_full_name(cf->cycle, &plcf->path, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}

static char *ngx_http_prober_control(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_prober_loc_conf_t *plcf = conf;

    ngx_str_t *value;

    if (plcf->control.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        ngx_str_set(&plcf->control, "");
        return NGX_CONF_OK;
    }

    if (value[1].len < 2 || value[1].data[0] != '@') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"prober_control\" directive, "
                           "it must be a named location like \"@control\", or \"off\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    plcf->control = value[1];

    return NGX_CONF_OK;
}

/* As ngx_conf_set_enum_slot(), but says what the values are; there are two of them. */
static char *ngx_http_prober_enum(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t *value;
    ngx_uint_t i, *field;
    ngx_conf_enum_t *e = cmd->post;

    field = (ngx_uint_t *)((char *)conf + cmd->offset);

    if (*field != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 0; e[i].name.len; i++) {
        if (e[i].name.len == value[1].len && ngx_strcmp(e[i].name.data, value[1].data) == 0) {
            *field = e[i].value;
            return NGX_CONF_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" in \"%V\" directive, it must be \"%V\" or \"%V\"",
                       &value[1], &cmd->name, &e[0].name, &e[1].name);

    return NGX_CONF_ERROR;
}

static char *ngx_http_prober_not_zero(ngx_conf_t *cf, void *post, void *data)
{
    ngx_msec_t *value = data;

    return *value ? NGX_CONF_OK : "must be a time longer than 0, like \"10s\" or \"500ms\"";
}

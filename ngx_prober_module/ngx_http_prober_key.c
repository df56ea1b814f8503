/*
 * The URI of a request -> the key of a document.
 */
#include "ngx_http_prober_module.h"

#include "prober_addr.h"

void ngx_http_prober_path(ngx_http_request_t *r, ngx_http_prober_loc_conf_t *plcf, ngx_str_t *path)
{
    *path = r->uri;

    if (r->valid_location && plcf->prefix.len && path->len >= plcf->prefix.len &&
        ngx_memcmp(path->data, plcf->prefix.data, plcf->prefix.len) == 0) {
        path->data += plcf->prefix.len;
        path->len -= plcf->prefix.len;
    }

    while (path->len && path->data[0] == '/') {
        path->data++;
        path->len--;
    }

    while (path->len && path->data[path->len - 1] == '/') {
        path->len--;
    }
}

ngx_int_t ngx_http_prober_key(ngx_str_t *path, ngx_http_prober_key_t *key)
{
    char text[PROBER_ADDR_STRLEN];
    ngx_str_t last;
    struct prober_addr addr;

    last = *path;

    while (last.len && path->data[last.len - 1] != '/') {
        last.len--;
    }

    key->dir_len = 1 + last.len;

    last.data = path->data + last.len;
    last.len = path->len - last.len;

    if (prober_addr_parse((char *)last.data, last.len, &addr) == 0) {
        last.data = (u_char *)text;
        last.len = prober_addr_format(&addr, text);
    }

    key->len = key->dir_len + last.len;
    if (key->len > PROBER_KEY_MAX) {
        return NGX_DECLINED;
    }

    key->data[0] = '/';
    ngx_memcpy(key->data + 1, path->data, key->dir_len - 1);
    ngx_memcpy(key->data + key->dir_len, last.data, last.len);

    if (last.data != (u_char *)text) {
        key->dir_len = 0;
    }

    return NGX_OK;
}

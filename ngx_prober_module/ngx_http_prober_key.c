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
    key->len = path->len + 1;
    if (key->len > PROBER_KEY_MAX) {
        return NGX_DECLINED;
    }

    key->data[0] = '/';
    ngx_memcpy(key->data + 1, path->data, path->len);

    return NGX_OK;
}

ngx_int_t ngx_http_prober_address_key(ngx_str_t *path, ngx_http_prober_key_t *key)
{
    size_t dir, len;
    char text[PROBER_ADDR_STRLEN];
    struct prober_addr addr;

    dir = path->len;

    while (dir && path->data[dir - 1] != '/') {
        dir--;
    }

    if (prober_addr_parse((char *)path->data + dir, path->len - dir, &addr) != 0) {
        return NGX_DECLINED;
    }

    len = prober_addr_format(&addr, text);

    key->dir_len = 1 + dir;
    key->len = key->dir_len + len;
    if (key->len > PROBER_KEY_MAX) {
        return NGX_DECLINED;
    }

    key->data[0] = '/';
    ngx_memcpy(key->data + 1, path->data, dir);
    ngx_memcpy(key->data + key->dir_len, text, len);

    return NGX_OK;
}

#include "seed_lists.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster_internal.h"

#define PREFIX     "seeds/"
#define PREFIX_LEN (sizeof(PREFIX) - 1)

void addresses_free(struct addresses *addresses)
{
    free(addresses->items);
    *addresses = (struct addresses){0};
}

bool addresses_have(const struct addresses *addresses, const struct prober_addr *address)
{
    for (size_t i = 0; i < addresses->n; i++)
        if (prober_addr_compare(&addresses->items[i], address) == 0)
            return true;
    return false;
}

/* A quoted address: how long it is; 0 = it is none. */
static size_t parse_one(const char *text, struct prober_addr *ret)
{
    const char *end = *text == '"' ? strchr(text + 1, '"') : NULL;

    if (!end || prober_addr_parse(text + 1, (size_t)(end - text - 1), ret) < 0)
        return 0;
    return (size_t)(end + 1 - text);
}

int addresses_parse(const char *text, struct addresses *ret)
{
    struct addresses parsed = {.items = model_alloc(strlen(text) / 4 + 1, sizeof(*parsed.items))};
    char next = ',';

    *ret = (struct addresses){0};
    if (*text++ != '[')
        next = '\0';
    while (next == ',') {
        size_t len = parse_one(text, &parsed.items[parsed.n]);

        next = len > 0 ? text[len] : '\0';
        parsed.n += len > 0;
        text += len + (next != '\0');
    }
    if (next != ']' || *text != '\0') {
        addresses_free(&parsed);
        return -EINVAL;
    }
    *ret = parsed;
    return 0;
}

char *addresses_text(const struct addresses *addresses)
{
    char *text = model_alloc(addresses->n * (PROBER_ADDR_STRLEN + 3) + 3, 1), *end = text;

    *end++ = '[';
    for (size_t i = 0; i < addresses->n; i++) {
        end = stpcpy(end, i > 0 ? ",\"" : "\"");
        prober_addr_format(&addresses->items[i], end);
        end = stpcpy(end + strlen(end), "\"");
    }
    strcpy(end, "]");
    return text;
}

void seed_lists_load(const struct values *values, struct seed_lists *ret)
{
    size_t n = values ? values->n : 0;

    *ret = (struct seed_lists){.items = model_alloc(n + 1, sizeof(*ret->items))};
    for (size_t i = 0; i < n; i++) {
        const struct value *value = &values->items[i];
        struct seed_list *list = &ret->items[ret->n];

        if (strncmp(value->key, PREFIX, PREFIX_LEN) != 0 || !value->text ||
            addresses_parse(value->text, &list->seeds) < 0)
            continue;
        list->datacenter = value->key + PREFIX_LEN;
        ret->n++;
    }
}

void seed_lists_free(struct seed_lists *lists)
{
    for (size_t i = 0; i < lists->n; i++)
        addresses_free(&lists->items[i].seeds);
    free(lists->items);
    *lists = (struct seed_lists){0};
}

const struct seed_list *seed_lists_find(const struct seed_lists *lists, const char *datacenter)
{
    for (size_t i = 0; i < lists->n; i++)
        if (strcmp(lists->items[i].datacenter, datacenter) == 0)
            return &lists->items[i];
    return NULL;
}

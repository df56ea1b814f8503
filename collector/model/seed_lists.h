/*
 * The lists of seeds that the values have under "seeds/DC": JSON arrays of addresses. PURE.
 */
#ifndef SEED_LISTS_H
#define SEED_LISTS_H

#include "values.h"

struct addresses {
    struct prober_addr *items;
    size_t n;
};

struct seed_list {
    const char *datacenter; /* of the value's key */
    struct addresses seeds; /* in its order; at least one */
};

struct seed_lists {
    struct seed_list *items; /* by data center */
    size_t n;
};

/* The lists in force, until the values change. What is no list of addresses is passed over, as are
 * `values` that are NULL. */
void seed_lists_load(const struct values *values, struct seed_lists *ret);
void seed_lists_free(struct seed_lists *lists);

/* NULL = none. */
const struct seed_list *seed_lists_find(const struct seed_lists *lists, const char *datacenter);

/* ["10.0.0.1","10.0.0.2"], in the one spelling that values have. 0, or -EINVAL and *ret is empty.
 */
int addresses_parse(const char *text, struct addresses *ret);
char *addresses_text(const struct addresses *addresses); /* owned by the caller */

bool addresses_have(const struct addresses *addresses, const struct prober_addr *address);
void addresses_free(struct addresses *addresses);

#endif

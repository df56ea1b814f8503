/*
 * The topology plan: what is there of what the configuration wants, and what may be added or
 * started next. PURE.
 *
 * - A node is added while its data center has fewer than are wanted, to the rack that has the
 *   fewest of those that lack one (the first of several as the configuration has them).
 * - One node at a time in the whole cluster joins, leaves or moves: Cassandra asks for that.
 * - In a rack one node at a time starts, be it new or known. A node that is DOWN counts as present
 *   and may be started; its rack gets no other one before. In other racks it keeps nobody from
 *   being added.
 * - A region's data centers get their first nodes when it is the region's turn (regions.h).
 */
#ifndef PLAN_H
#define PLAN_H

#include "region.h"

#define PLAN_WHY_LEN 256

struct plan_rack {
    char name[NAME_LEN];
    bool planned;     /* the configuration names it, or names none */
    unsigned wanted;  /* nodes; 0 = not said */
    unsigned present; /* members and who is joining */
    unsigned ready, down, joining;
    unsigned seeds_wanted, seeds; /* wanted: shared out by the racks' names, as seeds are chosen */
    bool may_add;
    char add_why[PLAN_WHY_LEN];   /* why not; "" = may */
    const struct node *start;     /* may be started next; NULL = none may, or none needs to */
    char start_why[PLAN_WHY_LEN]; /* why not; "" = may, or none needs to */
};

struct plan_dc {
    char name[NAME_LEN];
    bool planned; /* it is in the configuration */
    bool own;     /* of this host's region */
    bool scaling_up;
    unsigned wanted; /* 0 = not said */
    unsigned present, ready, down, joining;
    unsigned seeds_wanted, seeds;
    bool may_add;
    char add_why[PLAN_WHY_LEN];
    struct plan_rack *racks; /* the configuration's, then others by name */
    size_t n_racks;
};

struct plan {
    struct plan_dc *dcs; /* by name */
    size_t n_dcs;
};

struct plan_settings {
    struct region_settings region;
    const char *waits; /* why this host's region may not begin; NULL = it may */
};

/* Freed by plan_done(). 0 or -ENOMEM. */
int plan_make(const struct cluster *cluster, const struct plan_settings *settings,
              struct plan *ret);

void plan_done(struct plan *plan);

#endif

/*
 * What the files of the gates share: the cluster as the rules see it. Nobody else includes it.
 */
#ifndef GATES_INTERNAL_H
#define GATES_INTERNAL_H

#include "cluster_internal.h"
#include "gates.h"

/* A node that a rule has something against, and what, in words that follow its address. */
struct finding {
    const struct node *node;
    char word[FLAW_LEN];
};

struct findings {
    struct finding *items;
    size_t n, room;
};

struct gate_rack {
    const char *name;
    unsigned n_lost;              /* members that are not ready */
    const struct node *coming[2]; /* coming up; two, so that one is another one than who asks */
};

/* Keyspaces with the same number of replicas. */
struct need {
    unsigned replicas;    /* 0 = not known */
    const char *keyspace; /* the first of them; NULL = none was read */
    unsigned n_keyspaces;
};

struct needs {
    struct need *items;
    size_t n;
};

/* A data center; or all of the cluster, as one without racks. */
struct gate_dc {
    const char *name; /* "" = all of the cluster */
    unsigned n;       /* members */
    struct gate_rack *racks;
    size_t n_racks;
    struct findings lost;     /* members that are not ready */
    unsigned n_lost_rackless; /* of those: whose rack is not known */
    struct findings draining; /* by Cassandra: about to stop */
    struct findings drained;  /* by an operator: out of service */
    struct needs needs;
};

struct place {
    struct gate_dc *dc; /* NULL = not known */
    struct gate_rack *rack;
    bool lost;
};

struct gates {
    struct gate_context context;
    size_t n_nodes; /* but those that left */
    size_t n_voters;
    size_t n_stopped; /* known not to run */
    struct gate_dc *dcs;
    size_t n_dcs;
    struct gate_dc all;
    struct findings nowhere; /* members that are not ready, of no known data center */
    struct place *places;    /* [node->index] */
    bool any_seed;           /* there is one, known or not */
    struct findings seeds_up, seeds_flawed;
    struct findings flawed; /* not NORMAL and UP */
    struct findings down;
    struct findings busy;    /* who runs and joins, leaves, moves or starts */
    struct findings moving;  /* who joins, leaves or moves, be it down meanwhile */
    struct findings began;   /* a start within bootstrap_grace */
    struct findings changed; /* a verdict within stable_ms */
};

/* Where `node` stands; NULL: nowhere. */
const struct place *gates_place(const struct gates *gates, const struct node *node);

bool gates_is_seed(const struct gates *gates, const struct node *node);

/* How many of them are others than `self`, which may be NULL. */
size_t findings_others(const struct findings *findings, const struct node *self);

/* "10.0.0.3 is down, 10.0.0.4 is leaving, and 5 more": those that are others than `self`. */
#define FINDINGS_LEN 176
void findings_text(const struct findings *findings, const struct node *self,
                   char text[FINDINGS_LEN]);

/* Adds a reason, as long as there is room. */
__attribute__((format(printf, 2, 3))) void answer_add(struct gate_answer *answer,
                                                      const char *format, ...);

/* The reason that some other node is in `findings`: `before`, they, `after`. False: none is. */
bool answer_add_findings(struct gate_answer *answer, const struct findings *findings,
                         const struct node *self, const char *before, const char *after);

/* The reason that the permit is held against who asks. */
void answer_add_permit(const struct gates *gates, struct gate_answer *answer);

#endif

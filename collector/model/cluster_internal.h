/*
 * What the files of model/ share among themselves. Nobody else includes it.
 */
#ifndef CLUSTER_INTERNAL_H
#define CLUSTER_INTERNAL_H

#include "cluster.h"
#include "verdict.h"

/* Working memory, sized with the table: every array has room for `capacity` entries. */
struct cluster_private {
    size_t capacity; /* places that cluster.nodes and every observer's row have room for */
    struct voters voters;
    struct decision *decisions;
    size_t n_eligible;       /* as of the last evaluation */
    int64_t detail_ms;       /* began_ms of the last view with gossip states that were believed */
    int64_t author_since_ms; /* since when so many come before this host in the choice of seeds,
                                and it waits for them; 0 = it may not choose */
    size_t authors_before;
    /* The region, as of the last choice of seeds. */
    size_t region_members, region_voters;
    int64_t minority_since_ms; /* 0 = more than half of them vote */
    bool unchosen;             /* that has lasted */
};

/* Never NULL. The memory is zeroed. */
void *model_alloc(size_t n, size_t size);

void mark_opinions(struct cluster *cluster, struct node *node);
void mark_verdict(struct cluster *cluster, struct node *node);
void mark_all_opinions(struct cluster *cluster);

/* As cluster_find(), and finds forgotten nodes too. */
struct node *cluster_lookup(const struct cluster *cluster, const struct prober_addr *address);

/* Finds or makes the node of an address. */
struct node *cluster_learn(struct cluster *cluster, const struct prober_addr *address);

/* gossip.c */

/* Brings `held` to the newer of the two by generation and version. True when anything but a version
 * changed. */
bool gossip_merge(struct gossip_state *held, const struct gossip_state *other);
bool status_is_gone(const char *status);
bool status_is_joining(const char *status);

/* eligibility.c */

/* POLL_OK, or how the view of `node` contradicts the cluster's name or the host id gossip has for
 * the address. */
enum poll_result view_identity(const struct cluster *cluster, const struct node *node);

/* A view of a node that takes part in gossip: what it says about others can be believed to be
 * current. */
bool view_takes_part(const struct view *view);

/* The node's view is fresh and takes part: membership and gossip states are learned from it. */
bool observer_usable(const struct cluster *cluster, const struct node *node, int64_t now_ms);

/* What the node's own known state has against it (REASON_STATUS, REASON_MODE, …); 0 = nothing. */
uint32_t node_state_reasons(const struct cluster *cluster, const struct node *node, int64_t now_ms);

/* The STATUS that holds for the node now: "" = not known. */
const char *node_status(const struct cluster *cluster, const struct node *node, int64_t now_ms);

/* In gossip, but no member of the ring yet. */
bool node_joining(const struct cluster *cluster, const struct node *node, int64_t now_ms);

/* Brings node->ineligible and what belongs to it up to now. True when it changed. */
bool node_update_eligibility(const struct cluster *cluster, struct node *node, int64_t now_ms);

/* activity.c: what nodes do, as gates and permits see it */

/* Its process is there and does not take part yet: no MBeans, or mode STARTING or JOINING. A start
 * of which nothing was heard for a minute is none. */
bool node_starting(const struct cluster *cluster, const struct node *node, int64_t now_ms);

/* It is up, and does not serve yet: starting, or its native transport is off. */
bool node_coming_up(const struct cluster *cluster, const struct node *node, int64_t now_ms);

/* "joining", "leaving", "moving": what no two nodes of a cluster should do at once; NULL =
 * nothing. */
const char *node_movement(const struct node *node);

/* It runs, as far as is known: its own view is fresh, somebody that counts sees it UP, or its
 * process answered within a minute. */
bool node_running(const struct cluster *cluster, const struct node *node, int64_t now_ms);

/*
 * NULL = NORMAL, and UP as those that count see it; where nobody is there to see it, as it sees
 * itself. Else what it is, in words that follow its address ("is down"), in `word` where they are
 * not literal.
 */
#define FLAW_LEN 48
const char *node_flaw(const struct node *node, char word[FLAW_LEN]);

/* damping.c */

/*
 * Brings the published verdict up to node->raw as far as rise, fall and rehab let it. True when
 * anything of it changed.
 */
bool node_damp(const struct readiness_settings *settings, struct node *node, bool round,
               int64_t now_ms);

#endif

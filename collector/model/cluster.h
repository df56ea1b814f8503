/*
 * The cluster as all observers see it: nodes, their views, gossip states and verdicts.
 *
 * PURE: no clock, file, socket, log or global. Every function that needs the time takes now_ms
 * (CLOCK_BOOTTIME). Data goes in by cluster_ingest(), is judged by cluster_evaluate(), and is read
 * through `struct cluster` itself; cluster_clean() says that everything dirty has been published.
 */
#ifndef CLUSTER_H
#define CLUSTER_H

#include "../sources/observation.h"

enum policy {
    POLICY_MUTUAL = 0,
    POLICY_UNANIMOUS,
    POLICY_MAJORITY,
    POLICY_COUNT,
};

struct readiness_settings {
    enum policy policy;
    unsigned count;         /* count:K */
    unsigned min_observers; /* ignored when min_majority */
    bool min_majority;      /* "majority" of all members */
    unsigned rise, fall;    /* rounds */
    int64_t settle_ms;
    int64_t rehab_ms; /* 0 = no rehab */
    int64_t view_ttl_ms;
};

enum readiness {
    READINESS_UNKNOWN = 0,
    NOT_READY,
    READY,
};

/* Why a node is not ready (or would not be, while rise/fall damp). Bits of verdict.reasons; texts
 * in publish/. */
enum verdict_reason {
    REASON_DOWN = 1u << 0,   /* seen DOWN by those that count: verdict.down of verdict.counted */
    REASON_UNSEEN = 1u << 1, /* some that count have no opinion of it: verdict.unseen */
    REASON_FEW_OBSERVERS =
        1u << 2, /* fewer count for it than min_observers: verdict.counted of verdict.needed */
    REASON_LOST_VOTE = 1u << 3,    /* it disagrees with the others: a suspect */
    REASON_STATUS = 1u << 4,       /* gossip STATUS is not NORMAL, or (empty) not announced yet */
    REASON_MODE = 1u << 5,         /* operation mode is not NORMAL */
    REASON_NATIVE_OFF = 1u << 6,   /* native transport not running */
    REASON_GOSSIP_OFF = 1u << 7,   /* gossip not running */
    REASON_PROCESS_GONE = 1u << 8, /* its own host found JMX and the native address refused */
    REASON_RISING = 1u << 9,       /* ready, but not for `rise` rounds yet */
    REASON_REHAB = 1u << 10,       /* changed too often */
    REASON_GONE = 1u << 11,        /* left the cluster */
    REASON_STARTING = 1u << 12,    /* Cassandra's MBeans are not there: starting or stopping */
    REASON_HUNG = 1u << 13,        /* its own host has got no answer of it for view_ttl */
    REASON_DRAINED = 1u << 14,     /* an operator has taken it out of service */
    REASON_RUN_STATE = 1u << 15,   /* its run state is not RUN, or it is being restarted */
};

struct verdict {
    enum readiness readiness;
    uint32_t reasons;
    unsigned counted;          /* observers that count for it */
    unsigned up, down, unseen; /* of those */
    unsigned needed; /* how many have to count: min_observers as a number, less the node itself
                        where it is part of a majority but no witness of its own; K under count:K */
};

/* Why an observer's opinion does not count. 0 = it does. */
enum ineligible {
    ELIGIBLE = 0,
    INELIGIBLE_NO_VIEW,   /* never had one, or its last poll failed and the last view is too old */
    INELIGIBLE_STALE,     /* older than view_ttl */
    INELIGIBLE_STATE,     /* its own state contradicts (mode, status, native transport, gossip) */
    INELIGIBLE_SELF_DOWN, /* does not see itself UP */
    INELIGIBLE_SETTLING,  /* eligible, but not for `settle` yet */
    INELIGIBLE_IMPOSTOR,  /* wrong cluster name or host id */
    INELIGIBLE_REASONS
};

/* That an operator has taken a node out of service. Times of day in ms; 0 = none. */
struct drain {
    bool on;
    char user[64];          /* "" = nobody who has a name */
    char host[HOST_ID_LEN]; /* where it was said */
    int64_t at_ms, until_ms;
    /* for model/ alone */
    uint64_t counter;
    int64_t heard_ms; /* CLOCK_BOOTTIME */
};

/* What an operator wants its process to do. */
enum run_state {
    RUN_STATE_RUN = 0,
    RUN_STATE_STOP,
    RUN_STATE_RESTART,   /* once; then it is RUN again */
    RUN_STATE_TERMINATE, /* final, until the node is replaced */
};

/* See run_states.h. */
struct node_run {
    enum run_state state;
    bool said;       /* there is such a value: `counter`, `host` and `user` are its */
    bool restarting; /* by this host, now */
    uint64_t counter;
    char host[HOST_ID_LEN];
    char user[64];
    char waits[256]; /* why it is not done, as far as this host knows; "" = nothing */
};

/* A fall soon after a rise: see damping.c. */
enum bounce {
    BOUNCE_NONE = 0,
    BOUNCE_BEGUN,
    BOUNCE_OVER, /* since the last rise that was no part of one */
};

/* What model/ remembers of a node besides; nobody else looks at it. */
struct node_private {
    bool fixed;              /* added by cluster_add(): never forgotten */
    bool impostor;           /* its view is of another cluster or another host */
    bool settled;            /* eligible for `settle`, or from the first round on */
    bool listed;             /* in a usable view, as of the last evaluation */
    int64_t first_seen_ms;   /* of the first evaluation that met it; 0 = none yet */
    bool came_later;         /* not with the first round */
    int64_t state_since_ms;  /* observed_at_ms of the view that changed mode, native transport or
                                gossip last */
    int64_t own_detail_ms;   /* observed_at_ms of its last view with its own gossip state in it */
    int64_t gone_generation; /* generation known when its process was found gone */
    bool hung;               /* as its host said last */
    bool starting;           /* a poll found no MBeans, and none has found any since */
    int64_t alive_ms;        /* when its process was last known to answer, with or without MBeans */
    int64_t old_generation;  /* generation known by then */
    bool was_ready;          /* in a published verdict that changed */
    bool was_drained;        /* when the published verdict became "not ready", and nothing else */
    enum bounce bounce;
    int64_t rose_ms;      /* last became ready; 0 = not yet */
    int64_t change_ms[3]; /* last changes of the published readiness, oldest first; 0 = none */
    /* What the bodies show of it as an observer. */
    bool shown_known, shown_fresh;
    enum poll_result shown_result;
    int shown_http_status;
};

/* An endpoint of the cluster, as a node and as an observer. */
struct node {
    struct prober_addr address;
    char text[PROBER_ADDR_STRLEN];
    size_t index;   /* its place in cluster.nodes and in every opinions array */
    bool forgotten; /* in nobody's view any more: its documents go, cluster_clean() frees it */
    bool local;
    bool gone;   /* LEFT or removed in gossip */
    bool member; /* counts for "majority of all members": in gossip, not gone, not joining */

    /* Its own view. */
    enum poll_result last_result; /* of the last poll */
    int last_http_status;
    char last_detail[128];
    bool process_gone;
    int64_t observed_at_ms; /* began_ms of the last successful poll; 0 = never */
    int64_t told_at_ms; /* of the last answer without a view that tells of the process: gone, hung,
                           or there without its MBeans; 0 = never */
    int64_t reported_at_ms; /* began_ms of the last poll, good or bad */
    uint64_t polls_ok, polls_failed;
    uint32_t failures[POLL_RESULTS]; /* of those by their reason */
    uint32_t took_ms;                /* the last one */
    size_t bytes;                    /* of the last answer that had any */
    struct view *view; /* the last good one without opinions/states; NULL = never had one */
    uint8_t *opinions; /* [index of a node] = enum liveness; n_opinions long */
    uint32_t
        *opinion_since; /* [index of a node] = polls_ok when it began, or ceased, to be UP there */
    size_t n_opinions;  /* cluster.n_nodes or more; 0 = never had a view */

    /* Eligibility as of the last evaluation. */
    enum ineligible ineligible;
    int64_t eligible_since_ms; /* settling or eligible since; 0 = neither */
    bool voter;                /* eligible and kept its vote */
    bool lost_vote;            /* suspect */

    /* Gossip state: the newest any usable observer has. */
    struct gossip_state gossip;
    bool has_gossip;

    /* Judgement. */
    struct verdict verdict;  /* published */
    struct verdict raw;      /* before rise/fall and rehab */
    unsigned streak;         /* rounds the raw readiness has differed from the published one */
    int64_t changed_at_ms;   /* of the published readiness */
    int64_t down_since_ms;   /* not UP in the eyes of those that count since; 0 = not */
    bool repair_needed;      /* was down longer than the hint window; see repairs.h */
    int64_t repair_since_ms; /* when that was over; may be before the boot */
    bool seed;
    struct drain drain; /* see drains.h */
    struct node_run run;
    double phi; /* as the local observer has it; <0 = unknown */

    /* What must be rendered anew. */
    bool dirty_opinions; /* somebody's opinion of it, or the word that stands for a missing view */
    bool dirty_verdict;  /* anything else a document about it shows */

    struct node_private private; /* for model/ alone */
};

struct cluster {
    struct readiness_settings readiness;
    char name[NAME_LEN * 2]; /* "" = not known yet */
    struct node **nodes;  /* owned; NULL = a free place; a node keeps its place and its pointer */
    size_t n_nodes;       /* places, in use or free */
    struct node **sorted; /* the nodes by address, gone ones too; n_sorted long */
    size_t n_sorted;
    size_t n_known; /* nodes in use and not gone */
    size_t n_members;
    struct node *local;            /* NULL = no local node, or its address is not known yet */
    struct observation last_local; /* head of the local source's last observation (view NULL), for
                                      when local is NULL */
    int64_t hint_window_ms;        /* 0 = nobody has told it yet */
    int64_t wall_offset_ms; /* of CLOCK_BOOTTIME to the time of day, for what outlives a boot; set
                               by the caller */
    uint64_t rounds;        /* complete ones */
    bool dirty;             /* anything changed that a cluster-wide document shows */
    uint64_t changes;       /* verdict changes so far */
    bool wants_detail;      /* ask for gossip states: something changed, or a node is judged by them
                               alone; set by ingest and evaluate, cleared by the caller */
    bool wants_views; /* ask for whole views: there is a new node, of which views that have not
                         changed since may speak; set and cleared likewise */
    /* for model/ alone */
    struct cluster_private *private;
};

/* A change of a published verdict, for the journal. */
struct decision {
    const struct node *node; /* borrowed, valid until the next call that changes the cluster */
    enum readiness before;
};

/* Running out of memory ends the process: the service manager starts it anew and the documents age
 * meanwhile. */
struct cluster *cluster_new(const struct readiness_settings *settings);
struct cluster *cluster_free(struct cluster *cluster); /* accepts NULL; returns NULL */

/* New settings from a reload: judged at the next evaluation. */
void cluster_set_readiness(struct cluster *cluster, const struct readiness_settings *settings);

/*
 * Takes one observation in and copies what it keeps; the caller still frees observation->view. An
 * observation of an address that is no node is dropped, unless it is this host's own. True when it
 * changed anything that can change a verdict or a document (evaluate soon).
 */
bool cluster_ingest(struct cluster *cluster, struct observation *observation, int64_t now_ms);

/*
 * Judges every node. `round` = a complete round (counts for rise/fall; nodes are forgotten); false
 * between rounds. Nothing is published before the first round: verdicts stay READINESS_UNKNOWN, and
 * observers eligible by then need not settle. Decisions (changed verdicts) are in *ret_decisions
 * (owned by the cluster, valid until the next call).
 */
void cluster_evaluate(struct cluster *cluster, bool round, int64_t now_ms,
                      const struct decision **ret_decisions, size_t *ret_n);

/* Everything dirty has been published. Forgotten nodes' places become free here, after their
 * documents went. */
void cluster_clean(struct cluster *cluster);

/*
 * Adds an address that was a node when it was last heard of, before this process. It is polled, and
 * forgotten when nobody in gossip has it any more.
 */
void cluster_recall(struct cluster *cluster, const struct prober_addr *address);

/* The same with what was known of it: host id, DC and rack; a newer state says otherwise. */
void cluster_recall_state(struct cluster *cluster, const struct gossip_state *state);

/* Adds an address that is to be polled before gossip knows it (peers.static), or finds it; it is
 * never forgotten. */
struct node *cluster_add(struct cluster *cluster, const struct prober_addr *address);

/*
 * The configuration changed: addresses that were added by cluster_add() are kept no longer than
 * gossip has them (add those again that are still configured). `local`: the local source is another
 * one, and who it is is not known.
 */
void cluster_unfix(struct cluster *cluster, bool local);

/* NULL = unknown. */
struct node *cluster_find(const struct cluster *cluster, const struct prober_addr *address);

/* Who answers for a node is of another cluster, or another host than gossip has there. */
bool cluster_mistrusts(const struct cluster *cluster, const struct prober_addr *address);

/* What `observer` says of `node`. */
enum liveness cluster_opinion(const struct cluster *cluster, const struct node *observer,
                              const struct node *node);

/*
 * The observer's view is fresh enough to be shown: not older than view_ttl, from the cluster and
 * host it claims to be, and its process has not been found gone.
 */
bool node_view_fresh(const struct cluster *cluster, const struct node *observer, int64_t now_ms);

#endif

/*
 * A cluster job: one systemd unit run on one node after the other, in the order of data center,
 * rack and address. PURE.
 *
 * There is at most one in the cluster: a value of the coordination store, JOB_KEY, and every
 * function here that changes one makes the next version of it, which counts only if it is written
 * over the version it was made of (compare-and-set). So the changes of a job are one line, whoever
 * makes them:
 *
 *     waiting -> granted            the leader, which has taken the permit to stop the node
 *     granted -> running            the node's own host, which has asked for the permit again, and
 *                                   so the gate, right before it starts the unit
 *     running -> settling           the node's own host: how the unit ended
 *     settling -> done | failed     the leader, when the node is live again; then the permit goes
 *                                   back
 *     granted -> waiting | skipped  before anything ran
 *     running -> waiting            the node's own host, if it has won `running` and could not
 *                                   start the unit at once: it alone knows that nothing ran
 *
 * At most one node is granted, running or settling. Which is what makes it safe: who is to run the
 * unit has won `running`, which nobody else takes from him, and nobody else can win one before that
 * node is live again. A leader that is none any more, and a host that comes back late, lose by the
 * version.
 *
 * A node that does not come back pauses the job: it goes on by itself once the node is live, as
 * somebody has mended it, or ends by a person's abort. A unit that fails ends the job once its node
 * is live, unless that took a pause, or it is to continue.
 */
#ifndef JOBS_H
#define JOBS_H

#include "cluster.h"

#define JOB_KEY       "job/active"
#define JOB_LAST_KEY  "job/last"
#define JOB_ID_LEN    20 /* 16 hex digits */
#define JOB_TYPE_LEN  32
#define JOB_USER_LEN  64
#define JOB_WHY_LEN   192
#define JOB_TOKEN_LEN 40
#define JOB_NODES_MAX 1000
#define JOB_NOBODY    SIZE_MAX /* no node of the job */

enum job_state {
    JOB_NONE = 0,
    JOB_RUNNING,
    JOB_PAUSED,   /* a node does not come back: `why` */
    JOB_ABORTING, /* ends after the current node */
    JOB_DONE,
    JOB_FAILED,
    JOB_ABORTED,
    JOB_STATES
};

enum job_node_state {
    JOB_NODE_NONE = 0,
    JOB_NODE_WAITING,
    JOB_NODE_GRANTED,  /* its host may begin */
    JOB_NODE_RUNNING,  /* the unit is being run, or its host died over it */
    JOB_NODE_SETTLING, /* the unit has ended; the node is not known to be live again */
    JOB_NODE_DONE,
    JOB_NODE_FAILED,
    JOB_NODE_SKIPPED, /* nothing ran, `why` */
    JOB_NODE_STATES
};

/* Times are of day, in ms, for people; 0 = not yet. */
struct job_node {
    struct prober_addr address;
    char datacenter[NAME_LEN], rack[NAME_LEN];
    enum job_node_state state;
    bool bad;    /* settling: the unit failed */
    bool mended; /* settling: and the node came back while the job was paused for it */
    char why[JOB_WHY_LEN];
    int64_t began_ms, ended_ms;
};

struct job {
    char id[JOB_ID_LEN];
    char type[JOB_TYPE_LEN];
    enum job_state state;
    bool go_on; /* on_failure=continue */
    char why[JOB_WHY_LEN];
    char by[JOB_USER_LEN];
    char aborted_by[JOB_USER_LEN];
    char run[JOB_ID_LEN]; /* made by the host that went from granted to running, so that it knows
                             its own change again when the answer was lost */
    int64_t started_ms, ended_ms;
    struct job_node *nodes; /* owned */
    size_t n_nodes;
};

const char *job_state_word(enum job_state state);
const char *job_node_state_word(enum job_node_state state);
bool job_type_ok(const char *type); /* letters, digits and "-": it is part of a unit's name */
bool job_ended(const struct job *job);

void job_done(struct job *job);                       /* frees what it owns; accepts a zeroed one */
int job_copy(const struct job *job, struct job *ret); /* -ENOMEM */
bool job_same(const struct job *a, const struct job *b); /* in everything */

struct job_request {
    const char *type, *by, *id;
    bool go_on;
    const char *datacenter, *rack;   /* NULL = all */
    const struct prober_addr *nodes; /* NULL = all; they have to be members */
    size_t n_nodes;
};

/* A job of the members that were asked for. -ENOENT: none is, or one is no member; -E2BIG: too
 * many; -EINVAL: no type; `why`. */
int job_make(const struct cluster *cluster, const struct job_request *request, int64_t wall_ms,
             struct job *ret, char why[JOB_WHY_LEN]);

/* The node that is granted, running or settling. JOB_NOBODY: none is. */
size_t job_current(const struct job *job);

/* The node that the leader's next step is about: the current one, or the next that waits. */
size_t job_attention(const struct job *job);

size_t job_find(const struct job *job, const struct prober_addr *address);

/* What holds the permit for one node of one job: the same for every leader, so that the next one
 * can go on with what the last one has begun. */
void job_token(const struct job *job, size_t node, char ret[JOB_TOKEN_LEN]);

/* Which node of the job a permit's token is for. JOB_NOBODY: none. */
size_t job_token_node(const struct job *job, const char *token);

/* What is to be known of a node. */
struct job_sight {
    bool gone; /* it has left the cluster; one that is not known here is only not live */
    bool live; /* ready, and a recent answer of its own says: process running, mode NORMAL, native
                  transport running */
    char why[JOB_WHY_LEN]; /* when it is not */
};

void job_look(const struct cluster *cluster, const struct prober_addr *address, int64_t now_ms,
              struct job_sight *ret);

/*
 * For how long a node's permit is taken, in ms: until its host has begun, or the leader has heard
 * that it will not; and, once the unit runs, so that it ends soon after nobody cares any more.
 */
#define JOB_PERMIT_GRANT_MS 120000
#define JOB_PERMIT_RUN_MS   1200000

/* Whether it is to be renewed for JOB_PERMIT_RUN_MS: the node's unit runs, or the node settles, and
 * it is still as it was taken, or half of `ttl_ms` has passed. `held_ms`: it was seen for so long.
 */
bool job_renews(const struct job *job, size_t node, int64_t ttl_ms, int64_t held_ms);

struct job_settings {
    int64_t settle_ms; /* a node that is not live for so long pauses the job, or is skipped when it
                          is its turn */
    int64_t stable_ms; /* it has to be live for so long after the unit ended */
};

/* What the leading host remembers itself. Zeroed to begin with, and when it was not leading. */
struct job_watch {
    char id[JOB_ID_LEN];
    size_t node;
    enum job_node_state state;
    int64_t since_ms;      /* the node is in that state; CLOCK_BOOTTIME */
    int64_t live_since_ms; /* 0 = it is not */
    int64_t dead_since_ms; /* 0 = it is live */
    int64_t told_ms;       /* job.why was changed last */
};

struct job_seen {
    struct job_sight sight; /* of job_attention() */
    bool suspended;
    size_t held; /* the node of this job whose permit the store has; JOB_NOBODY = none */
    int64_t now_ms, wall_ms;
};

enum job_act {
    JOB_REST = 0,
    JOB_WRITE,  /* the job is changed: to be written over the version it was made of */
    JOB_TAKE,   /* the permit of job_attention(); then job_grant() or job_refuse() */
    JOB_RETAKE, /* the permit of job_current(), whose unit runs or has run, and which is lost: the
                   store was away for longer than it holds; job_lost() when it is not to be had */
    JOB_GIVE,   /* back the permit of seen->held */
    JOB_FILE,   /* it has ended: to be kept as the last one of its type, and taken away */
};

/* The leader's next step. */
enum job_act job_lead(struct job *job, struct job_watch *watch, const struct job_settings *settings,
                      const struct job_seen *seen);

/* The permit was taken. */
void job_grant(struct job *job, size_t node, int64_t wall_ms);

/* It was not. True: that is worth writing. */
bool job_refuse(struct job *job, struct job_watch *watch, size_t node, const char *why,
                int64_t now_ms);

/* The permit is another one's although the unit runs. True: that is worth writing. */
bool job_lost(struct job *job, struct job_watch *watch, size_t node, const char *why,
              int64_t now_ms);

/* The node's own host may begin: job_begin() and write it. */
bool job_may_begin(const struct job *job, size_t node);
void job_begin(struct job *job, size_t node, const char *run, int64_t wall_ms);

/* Nothing of it has run: it waits for its turn again. */
void job_back(struct job *job, size_t node);

/* How the unit ended. */
void job_ran(struct job *job, size_t node, bool good, const char *why);

/*
 * What a host remembers of its own node's turn. Zeroed at the start of the process: who finds his
 * node running then looks what became of its unit, and does not run it again.
 */
enum job_hand_state {
    HAND_FREE = 0,
    HAND_FOUND,   /* there is such a unit */
    HAND_ALLOWED, /* the permit is the job's still, and the gate says yes still */
    HAND_BEGUN,   /* has asked for `running`, and started nothing yet */
    HAND_ACTS,    /* runs the unit */
    HAND_ENDED,   /* how that ended is to be written */
};

struct job_hand {
    char id[JOB_ID_LEN];  /* the job that this is about */
    char run[JOB_ID_LEN]; /* HAND_BEGUN: what job.run says when that was done */
    enum job_hand_state state;
    int64_t allowed_ms; /* HAND_ALLOWED: when that was asked for; CLOCK_BOOTTIME */
    int64_t begun_ms;   /* HAND_BEGUN: when; CLOCK_BOOTTIME */
    unsigned refusals;  /* of the gate, one after the other */
    unsigned looks;     /* in vain */
    bool seen;          /* it was found running by a process that has not started it */
    bool good;
    char why[JOB_WHY_LEN];
};

enum job_turn {
    TURN_NONE = 0,
    TURN_FIND,   /* whether there is such a unit: HAND_FOUND, or job_skip() and write it */
    TURN_ASK,    /* for the permit again, with the job's token: job_asked() */
    TURN_BEGIN,  /* job_begin() with hand->run made anew, write it, HAND_BEGUN */
    TURN_BACK,   /* job_back() and write it */
    TURN_RUN,    /* start the unit now, HAND_ACTS */
    TURN_LOOK,   /* what became of the unit: job_looked() */
    TURN_REPORT, /* job_ran() and write it */
};

/* The next step of the node's own host. `asked_ms`: when it began to ask the store for this
 * version. An answer that was on its way for too long is nothing to act on. */
enum job_turn job_turn(const struct job *job, size_t node, struct job_hand *hand, bool suspended,
                       int64_t asked_ms, int64_t now_ms);

/* What came of TURN_ASK, which was begun at `asked_ms`. True: the gate has refused for so long that
 * the turn goes back: job_back() and job_refuse(), and write it. */
bool job_asked(struct job_hand *hand, bool yes, int64_t asked_ms);

/* What systemd says of the unit of a node that is running, and not by this process. `ran_ms`: time
 * of day at which it ran last; 0 = it does not know. */
struct job_unit {
    bool known;
    const char *active; /* ActiveState */
    int64_t ran_ms;
};

void job_looked(struct job_hand *hand, const struct job_node *node, const struct job_unit *unit);

/* Nothing ran, nor will. */
void job_skip(struct job *job, size_t node, const char *why, int64_t wall_ms);

/* Ends after the current node; `force`: now, whatever becomes of that. */
void job_abort(struct job *job, const char *by, bool force, int64_t wall_ms);

#endif

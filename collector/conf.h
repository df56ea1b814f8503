/*
 * The configuration file (libconfig syntax) -> struct. Every key has a default; unknown sections,
 * keys and values are errors that name file, line and what is accepted.
 */
#ifndef CONF_H
#define CONF_H

#include "model/cluster.h"
#include "model/gates.h"
#include "model/region.h"

#define CONF_PATH "/etc/cassandra-prober/collector.conf"

/* Where the configuration does not say otherwise. */
#define SEGMENT_PATH   "/run/cassandra-prober/segment"
#define CONTROL_SOCKET "/run/cassandra-prober/control.sock"

enum peers_mode {
    PEERS_MESH = 0, /* the other hosts' probers are polled, each for its own node */
    PEERS_DIRECT,   /* this collector polls every node itself */
    PEERS_OFF,      /* only the local node is polled */
};

struct conf_static {
    struct prober_addr address;
    char *url; /* "" = peers.url */
};

/* As whom a source is asked, and by whom its certificate is signed. */
struct conf_login {
    char *user; /* "" = no credentials */
    char *password_file;
    char *password; /* read at load, from the file or the systemd credential; never logged */
    char *ca_file;  /* in PEM; "" = the system's list */
};

/* Another region's prober. */
struct conf_region {
    char *name;
    char *url; /* what its /readylocaldcs is below */
    struct conf_login login;
};

/* The unit of a type of jobs. */
struct conf_job {
    char *type, *unit;
};

struct conf {
    char *local_source; /* source URL; "" = no Cassandra on this host */
    struct conf_login local;
    char *unit; /* Cassandra's, of this host's systemd */

    enum peers_mode peers_mode;
    char *peers_url; /* with {address} in it */
    struct conf_login peers;
    struct conf_static *peers_static;
    size_t n_peers_static;

    int64_t interval_ms, timeout_ms, view_ttl_ms, membership_ms;

    struct readiness_settings readiness;

    char *region_name;
    char **region_datacenters; /* NULL-terminated; NULL or none = all DCs of the cluster */
    /* The node that may have itself as its seed, which makes a new cluster; "" = none. proberctl
     * and the gates go by it. */
    char *first_node;
    struct gate_settings gates;

    int64_t seeds_patience_ms;

    struct dc_wanted *datacenters;
    size_t n_datacenters;
    struct conf_region *regions; /* this host's own may be among them */
    size_t n_regions;

    /* Where "at most one" is decided: "local", or etcd's members as a URL each. */
    char *store;
    struct conf_login coordination;
    char *store_prefix;    /* of keys, with {cluster} in it where the cluster's name goes */
    int64_t store_ttl_ms;  /* how long what belongs to a session outlives its process */
    bool metrics_opinions; /* /metrics has who sees whom */
    bool agent_asked;      /* agent checks name their node */
    struct conf_listen {
        struct prober_addr address;
        uint16_t port; /* 0 = nobody listens */
    } agent;           /* HAProxy's agent checks */

    /* Cluster jobs. */
    int64_t jobs_settle_ms, jobs_stable_ms;
    struct conf_job *jobs; /* whose units are not called as shipped */
    size_t n_jobs;

    char *segment_path;
    char *control_socket;
    char *state_path;
};

/* Called for each thing that is wrong: "FILE:LINE: what, and what is accepted". */
typedef void (*conf_error)(const char *message, void *userdata);

/*
 * Reads `path`. 0, or -EINVAL after every error has been told (*ret is then untouched), or -ENOMEM.
 * Freed by conf_free.
 */
int conf_load(const char *path, conf_error error, void *userdata, struct conf **ret);

/* The same for those who cannot read the collector's secrets: passwords are "", and neither they
 * nor the files of certificates are looked at. */
int conf_load_without_secrets(const char *path, conf_error error, void *userdata,
                              struct conf **ret);

struct conf *conf_free(struct conf *conf); /* accepts NULL; returns NULL */

/* "500ms", "3s", "1h 30min", "2" (seconds) -> ms. 0 or -EINVAL. */
int conf_parse_duration(const char *text, int64_t *ret_ms);

#endif

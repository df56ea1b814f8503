#include "conf.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf_values.h"

struct section {
    const char *name;
    const struct conf_key *keys; /* ends with a NULL name; NULL: it is a list of groups */
    void (*read_list)(struct conf_loader *loader, config_setting_t *list);
};

#define AT(field) offsetof(struct conf, field)

static const struct conf_key local_keys[] = {
    {"source", conf_read_source, AT(local_source), 0, "a source URL in quotes, or \"\""},
    {"user", conf_read_string, AT(local.user), 0, "a user name in quotes"},
    {"password_file", conf_read_password_file, AT(local.password_file), 0, "a path in quotes"},
    {"ca_file", conf_read_path, AT(local.ca_file), 0, "an absolute path in quotes"},
    {"unit", conf_read_unit, AT(unit), 0, "the name of a service, such as \"cassandra.service\""},
    {NULL, NULL, 0, 0, NULL},
};
static const struct conf_key peers_keys[] = {
    {"mode", conf_read_peers_mode, AT(peers_mode), 0, "\"mesh\", \"direct\" or \"off\""},
    {"url", conf_read_peers_url, AT(peers_url), 0, "a source URL with {address} in it, in quotes"},
    {"static", conf_read_static, AT(peers_static), 0,
     "a list of addresses: [ \"10.0.0.1\", \"10.0.0.2=URL\" ]"},
    {"user", conf_read_string, AT(peers.user), 0, "a user name in quotes"},
    {"password_file", conf_read_password_file, AT(peers.password_file), 0, "a path in quotes"},
    {"ca_file", conf_read_path, AT(peers.ca_file), 0, "an absolute path in quotes"},
    {NULL, NULL, 0, 0, NULL},
};
static const struct conf_key poll_keys[] = {
    {"interval", conf_read_duration, AT(interval_ms), 50, NULL},
    {"timeout", conf_read_duration, AT(timeout_ms), 10, NULL},
    {"view_ttl", conf_read_duration, AT(view_ttl_ms), 100, NULL},
    {"membership", conf_read_duration, AT(membership_ms), 1000, NULL},
    {NULL, NULL, 0, 0, NULL},
};
static const struct conf_key readiness_keys[] = {
    {"policy", conf_read_policy, AT(readiness), 0,
     "\"mutual\", \"unanimous\", \"majority\" or \"count:K\""},
    {"min_observers", conf_read_min_observers, AT(readiness), 0,
     "a number of observers, 1 or more, or \"majority\""},
    {"rise", conf_read_rounds, AT(readiness.rise), 0, NULL},
    {"fall", conf_read_rounds, AT(readiness.fall), 0, NULL},
    {"settle", conf_read_duration, AT(readiness.settle_ms), 0, NULL},
    {"rehab", conf_read_duration, AT(readiness.rehab_ms), 0, NULL},
    {NULL, NULL, 0, 0, NULL},
};
static const struct conf_key seeds_keys[] = {
    {"count", conf_read_seed_count, 0, 0, "\"auto\""},
    {"patience", conf_read_duration, AT(seeds_patience_ms), 1000, NULL},
    {NULL, NULL, 0, 0, NULL},
};
static const struct conf_key region_keys[] = {
    {"name", conf_read_region_name, AT(region_name), 0, NULL},
    {"datacenters", conf_read_names, AT(region_datacenters), 0,
     "a list of data center names: [ \"dc1\", \"dc2\" ]"},
    {"first_node", conf_read_address, AT(first_node), 0, "an IP address in quotes, or \"\""},
    {NULL, NULL, 0, 0, NULL},
};
static const struct conf_key coordination_keys[] = {
    {"store", conf_read_store, AT(store), 0,
     "\"local\", \"etcd+http://HOST:PORT[,HOST:PORT…]\" or \"etcd+https://…\""},
    {"ttl", conf_read_ttl, AT(store_ttl_ms), 0, "a duration of 3s to 5min"},
    {"prefix", conf_read_prefix, AT(store_prefix), 0,
     "a prefix of keys that begins and ends with \"/\", such as \"/cassandra-prober/{cluster}/\""},
    {"user", conf_read_string, AT(coordination.user), 0, "a user name in quotes"},
    {"password_file", conf_read_password_file, AT(coordination.password_file), 0,
     "a path in quotes"},
    {"ca_file", conf_read_path, AT(coordination.ca_file), 0, "an absolute path in quotes"},
    {NULL, NULL, 0, 0, NULL},
};
static const struct conf_key jobs_keys[] = {
    {"settle", conf_read_duration, AT(jobs_settle_ms), 1000, NULL},
    {"stable", conf_read_duration, AT(jobs_stable_ms), 1000, NULL},
    {"units", conf_read_job_units, 0, 0,
     "a list of \"TYPE=UNIT\": [ \"compact=my-compact.service\" ]"},
    {NULL, NULL, 0, 0, NULL},
};
static const struct conf_key gates_keys[] = {
    {"bootstrap_grace", conf_read_duration, AT(gates.bootstrap_grace_ms), 0, NULL},
    {"stable", conf_read_duration, AT(gates.stable_ms), 0, NULL},
    {"strict", conf_read_bool, AT(gates.strict), 0, "true or false, without quotes"},
    {NULL, NULL, 0, 0, NULL},
};
static const struct conf_key segment_keys[] = {
    {"path", conf_read_path, AT(segment_path), 0, "an absolute path in quotes"},
    {NULL, NULL, 0, 0, NULL},
};
static const struct conf_key control_keys[] = {
    {"socket", conf_read_path, AT(control_socket), 0, "an absolute path in quotes"},
    {NULL, NULL, 0, 0, NULL},
};
static const struct conf_key state_keys[] = {
    {"path", conf_read_path, AT(state_path), 0, "an absolute path in quotes"},
    {NULL, NULL, 0, 0, NULL},
};
static const struct conf_key metrics_keys[] = {
    {"opinions", conf_read_boolean, AT(metrics_opinions), 0, "true or false"},
    {NULL, NULL, 0, 0, NULL},
};
static const struct conf_key agent_keys[] = {
    {"listen", conf_read_listen, AT(agent), 0,
     "an address and a port in quotes: \"127.0.0.1:8889\", or \"\""},
    {"node", conf_read_agent_node, AT(agent_asked), 0, "\"local\" or \"asked\""},
    {NULL, NULL, 0, 0, NULL},
};

static const struct section sections[] = {
    {"local", local_keys, NULL},
    {"peers", peers_keys, NULL},
    {"poll", poll_keys, NULL},
    {"readiness", readiness_keys, NULL},
    {"seeds", seeds_keys, NULL},
    {"region", region_keys, NULL},
    {"coordination", coordination_keys, NULL},
    {"jobs", jobs_keys, NULL},
    {"gates", gates_keys, NULL},
    {"segment", segment_keys, NULL},
    {"state", state_keys, NULL},
    {"control", control_keys, NULL},
    {"metrics", metrics_keys, NULL},
    {"agent", agent_keys, NULL},
    {"datacenters", NULL, conf_read_datacenters},
    {"regions", NULL, conf_read_regions},
    {NULL, NULL, NULL},
};

static void read_root(struct conf_loader *loader, config_setting_t *root)
{
    for (int i = 0; i < config_setting_length(root); i++) {
        config_setting_t *group = config_setting_get_elem(root, (unsigned)i);
        const struct section *section;
        char accepted[256] = "";

        for (section = sections; section->name; section++) {
            if (strcmp(section->name, config_setting_name(group)) == 0)
                break;
            snprintf(accepted + strlen(accepted), sizeof(accepted) - strlen(accepted), "%s%s",
                     *accepted ? ", " : "", section->name);
        }
        if (!section->name)
            conf_wrong(loader, (int)config_setting_source_line(group),
                       "unknown section \"%s\"; accepted: %s", config_setting_name(group),
                       accepted);
        else if (section->read_list)
            section->read_list(loader, group);
        else if (!config_setting_is_group(group))
            conf_expected(loader, group, "a group: { key = value; … }");
        else
            conf_read_group(loader, section->keys, section->name, group, loader->conf);
    }
}

/* `credential` is what systemd's is called, without "-password". */
static void check_login(struct conf_loader *loader, struct conf_login *login, const char *section,
                        const char *credential)
{
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");

    if (loader->without_secrets)
        return;
    if (*login->user && *login->password_file == '\0' && credentials) {
        char path[PATH_MAX];

        snprintf(path, sizeof(path), "%s/%s-password", credentials, credential);
        conf_read_password(loader, 0, section, login, path);
    }
    if (*login->user && *login->password == '\0' && loader->errors == 0)
        conf_wrong(loader, 0,
                   "%s.user needs %s.password_file or the systemd credential %s-password", section,
                   section, credential);
    if (*login->ca_file && access(login->ca_file, R_OK) < 0)
        conf_wrong(loader, 0, "%s.ca_file: cannot read %s: %s", section, login->ca_file,
                   strerror(errno));
}

/* Two of the same name would wait for each other for ever. */
static void check_region_name(struct conf_loader *loader, config_setting_t *root)
{
    const config_setting_t *regions = config_setting_get_member(root, "regions");

    if (loader->conf->n_regions > 0 && !config_setting_lookup(root, "region.name"))
        conf_wrong(loader, (int)config_setting_source_line(regions),
                   "regions: needs region.name; expected region: { name = \"…\"; }, another one in "
                   "each region");
}

static void check_regions(struct conf_loader *loader)
{
    char credential[NAME_LEN + 8];

    for (size_t i = 0; i < loader->conf->n_regions && loader->errors == 0; i++) {
        struct conf_region *region = &loader->conf->regions[i];

        snprintf(credential, sizeof(credential), "region-%s", region->name);
        check_login(loader, &region->login, "regions", credential);
    }
}

/* Rules that two settings make together. */
static void check_together(struct conf_loader *loader)
{
    struct conf *conf = loader->conf;

    if (conf->view_ttl_ms < conf->interval_ms)
        conf_wrong(loader, 0,
                   "poll.view_ttl is shorter than poll.interval: no view would ever count");
    if (*conf->local_source == '\0' && (conf->n_peers_static == 0 || conf->peers_mode == PEERS_OFF))
        conf_wrong(loader, 0,
                   "nobody to poll: local.source is \"\" and peers.static is empty or peers.mode "
                   "\"off\"");
    if (!conf->peers_url)
        conf->peers_url = strdup(conf->peers_mode == PEERS_MESH ? "http://{address}:8888"
                                                                : "jmx://{address}:7199");
    check_login(loader, &conf->local, "local", "local");
    check_login(loader, &conf->peers, "peers", "peers");
    check_login(loader, &conf->coordination, "coordination", "coordination");
    check_regions(loader);
    conf->readiness.view_ttl_ms = conf->view_ttl_ms;
    if (*conf->first_node)
        prober_addr_parse(conf->first_node, strlen(conf->first_node), &conf->gates.first_node);
}

bool conf_login_default(struct conf_login *login)
{
    login->user = strdup("");
    login->password_file = strdup("");
    login->password = strdup("");
    login->ca_file = strdup("");
    return login->user && login->password_file && login->password && login->ca_file;
}

void conf_login_free(struct conf_login *login)
{
    free(login->user);
    free(login->password_file);
    if (login->password)
        explicit_bzero(login->password, strlen(login->password));
    free(login->password);
    free(login->ca_file);
}

static struct conf *conf_default(void)
{
    struct conf *conf = calloc(1, sizeof(*conf));

    if (!conf)
        return NULL;
    conf->local_source = strdup("jmx://127.0.0.1:7199");
    conf->unit = strdup("cassandra.service");
    conf->region_name = strdup("local");
    conf->first_node = strdup("");
    conf->store = strdup("local");
    conf->store_prefix = strdup("/cassandra-prober/{cluster}/");
    conf->store_ttl_ms = 10000;
    conf->segment_path = strdup(SEGMENT_PATH);
    conf->control_socket = strdup(CONTROL_SOCKET);
    conf->state_path = strdup("/var/lib/cassandra-prober/state.json");
    conf->seeds_patience_ms = 300000;
    conf->jobs_settle_ms = 600000;
    conf->jobs_stable_ms = 10000;
    conf->gates.bootstrap_grace_ms = 120000;
    conf->gates.stable_ms = 10000;
    conf->interval_ms = 500;
    conf->timeout_ms = 1000;
    conf->view_ttl_ms = 3000;
    conf->membership_ms = 30000;
    conf->readiness.policy = POLICY_MUTUAL;
    conf->readiness.min_observers = 1;
    conf->readiness.rise = conf->readiness.fall = 1;
    conf->readiness.settle_ms = 5000;
    conf->readiness.rehab_ms = 60000;
    if (!conf_login_default(&conf->local) || !conf_login_default(&conf->peers) ||
        !conf_login_default(&conf->coordination) || !conf->store || !conf->store_prefix ||
        !conf->unit || !conf->local_source || !conf->region_name || !conf->first_node ||
        !conf->segment_path || !conf->control_socket || !conf->state_path)
        return conf_free(conf);
    return conf;
}

/* The parser ends the process at a read error, and a FIFO would hold it up: regular files only. */
static FILE *open_regular(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return fdopen(fd, "r");
    close(fd);
    errno = EINVAL;
    return NULL;
}

static int load(const char *path, bool without_secrets, conf_error error, void *userdata,
                struct conf **ret)
{
    struct conf_loader loader = {
        .path = path, .error = error, .userdata = userdata, .without_secrets = without_secrets};
    FILE *file = open_regular(path);
    config_t config;

    if (!file) {
        conf_wrong(&loader, 0, "cannot read the configuration: %s", strerror(errno));
        return -EINVAL;
    }
    loader.conf = conf_default();
    if (!loader.conf) {
        fclose(file);
        return -ENOMEM;
    }
    config_init(&config);
    if (config_read(&config, file) == CONFIG_TRUE) {
        read_root(&loader, config_root_setting(&config));
        check_region_name(&loader, config_root_setting(&config));
        check_together(&loader);
    } else {
        conf_wrong(&loader, config_error_line(&config), "%s; expected: section: { key = value; };",
                   config_error_text(&config));
    }
    config_destroy(&config);
    fclose(file);

    if (loader.errors) {
        conf_free(loader.conf);
        return -EINVAL;
    }
    *ret = loader.conf;
    return 0;
}

int conf_load(const char *path, conf_error error, void *userdata, struct conf **ret)
{
    return load(path, false, error, userdata, ret);
}

int conf_load_without_secrets(const char *path, conf_error error, void *userdata, struct conf **ret)
{
    return load(path, true, error, userdata, ret);
}

struct conf *conf_free(struct conf *conf)
{
    if (!conf)
        return NULL;
    free(conf->local_source);
    free(conf->unit);
    conf_login_free(&conf->local);
    conf_login_free(&conf->peers);
    free(conf->peers_url);
    for (size_t i = 0; i < conf->n_peers_static; i++)
        free(conf->peers_static[i].url);
    free(conf->peers_static);
    free(conf->region_name);
    for (char **name = conf->region_datacenters; name && *name; name++)
        free(*name);
    free(conf->region_datacenters);
    free(conf->first_node);
    conf_lists_free(conf);
    conf_jobs_free(conf);
    conf_login_free(&conf->coordination);
    free(conf->store);
    free(conf->store_prefix);
    free(conf->segment_path);
    free(conf->control_socket);
    free(conf->state_path);
    free(conf);
    return NULL;
}

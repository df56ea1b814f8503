#include "conf.h"

#include <ctype.h>
#include <errno.h>
#include <libconfig.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sources/poller.h"

#define PASSWORD_MAX 4096 /* bytes of a password file that are read */

/* One load: the file's name for messages, and whether anything was wrong. */
struct loader {
    const char *path;
    conf_error error;
    void *userdata;
    unsigned errors;
    struct conf *conf;
};

/* Reads one setting into the configuration; wrong() has been called when it could not. */
typedef void (*read_setting)(struct loader *loader, config_setting_t *setting);

struct key {
    const char *name;
    read_setting read;
};

struct section {
    const char *name;
    const struct key *keys; /* ends with a NULL name */
};

__attribute__((format(printf, 3, 4))) static void wrong(struct loader *loader, int line,
                                                        const char *format, ...)
{
    char what[512], message[1024];
    va_list ap;

    va_start(ap, format);
    vsnprintf(what, sizeof(what), format, ap);
    va_end(ap);

    if (line > 0)
        snprintf(message, sizeof(message), "%s:%d: %s", loader->path, line, what);
    else
        snprintf(message, sizeof(message), "%s: %s", loader->path, what);
    loader->errors++;
    loader->error(message, loader->userdata);
}

/* "section.key" of a setting, for messages. */
static const char *name_of(const config_setting_t *setting, char buf[128])
{
    const config_setting_t *parent = config_setting_parent(setting);
    const char *name = config_setting_name(setting);
    const char *section = parent ? config_setting_name(parent) : NULL;

    snprintf(buf, 128, "%s%s%s", section ? section : "", section ? "." : "", name ? name : "?");
    return buf;
}

/* What the file says, as the file says it, for "got …". */
static const char *value_of(const config_setting_t *setting, char buf[128])
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_STRING:
        snprintf(buf, 128, "\"%.100s\"", config_setting_get_string(setting));
        break;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        snprintf(buf, 128, "%lld", config_setting_get_int64(setting));
        break;
    case CONFIG_TYPE_FLOAT:
        snprintf(buf, 128, "%g", config_setting_get_float(setting));
        break;
    case CONFIG_TYPE_BOOL:
        snprintf(buf, 128, "%s", config_setting_get_bool(setting) ? "true" : "false");
        break;
    default:
        snprintf(buf, 128, "%s", config_setting_is_group(setting) ? "a group" : "a list");
        break;
    }
    return buf;
}

static void expected(struct loader *loader, const config_setting_t *setting, const char *accepted)
{
    char name[128], value[128];

    wrong(loader, (int)config_setting_source_line(setting), "%s: expected %s, got %s",
          name_of(setting, name), accepted, value_of(setting, value));
}

static const char *string_or_wrong(struct loader *loader, const config_setting_t *setting,
                                   const char *accepted)
{
    if (config_setting_type(setting) == CONFIG_TYPE_STRING)
        return config_setting_get_string(setting);
    expected(loader, setting, accepted);
    return NULL;
}

static void set_string(struct loader *loader, char **field, const char *value)
{
    char *copy = strdup(value);

    if (!copy) {
        wrong(loader, 0, "out of memory");
        return;
    }
    free(*field);
    *field = copy;
}

int conf_parse_duration(const char *text, int64_t *ret_ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {
        {"ms", 1},       {"msec", 1},     {"s", 1000},      {"sec", 1000},
        {"", 1000},      {"m", 60000},    {"min", 60000},   {"h", 3600000},
        {"hr", 3600000}, {"d", 86400000}, {"w", 604800000},
    };
    int64_t total = 0;
    bool any = false;

    for (const char *p = text; *p;) {
        char *end;
        size_t i, len;

        if (*p == ' ') {
            p++;
            continue;
        }
        if (!isdigit((unsigned char)*p))
            return -EINVAL;
        errno = 0;
        long long number = strtoll(p, &end, 10);
        while (*end == ' ')
            end++;
        len = strspn(end, "abcdefghijklmnopqrstuvwxyz");
        for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
            if (strlen(units[i].unit) == len && memcmp(units[i].unit, end, len) == 0)
                break;
        if (errno || i == sizeof(units) / sizeof(units[0]) || number > INT32_MAX)
            return -EINVAL;
        total += number * units[i].ms;
        any = true;
        p = end + len;
    }
    if (!any)
        return -EINVAL;
    *ret_ms = total;
    return 0;
}

static void read_duration(struct loader *loader, config_setting_t *setting, int64_t *field,
                          int64_t least_ms)
{
    char accepted[64];
    int64_t ms = -1;

    if (least_ms > 0)
        snprintf(accepted, sizeof(accepted), "a duration of at least %lldms, such as \"3s\"",
                 (long long)least_ms);
    else
        snprintf(accepted, sizeof(accepted), "a duration such as \"500ms\", \"3s\" or \"3h\"");

    if (config_setting_type(setting) == CONFIG_TYPE_STRING)
        conf_parse_duration(config_setting_get_string(setting), &ms);
    else if (config_setting_type(setting) == CONFIG_TYPE_INT)
        ms = (int64_t)config_setting_get_int(setting) * 1000;
    if (ms < least_ms) {
        expected(loader, setting, accepted);
        return;
    }
    *field = ms;
}

static void read_count(struct loader *loader, config_setting_t *setting, unsigned *field)
{
    if (config_setting_type(setting) != CONFIG_TYPE_INT || config_setting_get_int(setting) < 1) {
        expected(loader, setting, "a number of rounds, 1 or more");
        return;
    }
    *field = (unsigned)config_setting_get_int(setting);
}

/* Digits only, 1..65535. */
static bool parse_count(const char *text, unsigned *ret)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (!isdigit((unsigned char)text[0]) || *end != '\0' || value < 1 || value > 65535)
        return false;
    *ret = (unsigned)value;
    return true;
}

static void read_url(struct loader *loader, config_setting_t *setting, char **field,
                     bool with_address)
{
    const char *accepted = NULL;
    const char *value = string_or_wrong(loader, setting, "a source URL in quotes");

    if (!value)
        return;
    if (*value == '\0' && !with_address) {
        set_string(loader, field, value);
        return;
    }
    if (!poller_accepts_url(value, with_address, &accepted))
        expected(loader, setting, accepted);
    else
        set_string(loader, field, value);
}

static void local_source(struct loader *loader, config_setting_t *setting)
{
    read_url(loader, setting, &loader->conf->local_source, false);
}

static void local_user(struct loader *loader, config_setting_t *setting)
{
    const char *value = string_or_wrong(loader, setting, "a user name in quotes");

    if (value)
        set_string(loader, &loader->conf->local_user, value);
}

/* Reads the first line of a password file. */
static void read_password(struct loader *loader, int line, const char *path)
{
    char buf[PASSWORD_MAX];
    FILE *file = fopen(path, "re");

    if (!file) {
        wrong(loader, line, "local.password_file: cannot read %s: %s", path, strerror(errno));
        return;
    }
    if (!fgets(buf, sizeof(buf), file))
        buf[0] = '\0';
    fclose(file);
    buf[strcspn(buf, "\r\n")] = '\0';
    if (buf[0] == '\0')
        wrong(loader, line, "local.password_file: %s has no password in its first line", path);
    else
        set_string(loader, &loader->conf->local_password, buf);
    explicit_bzero(buf, sizeof(buf));
}

static void local_password_file(struct loader *loader, config_setting_t *setting)
{
    const char *value = string_or_wrong(loader, setting, "a path in quotes");

    if (!value)
        return;
    set_string(loader, &loader->conf->local_password_file, value);
    if (*value)
        read_password(loader, (int)config_setting_source_line(setting), value);
}

static void peers_mode(struct loader *loader, config_setting_t *setting)
{
    static const char accepted[] = "\"direct\" or \"off\"";
    const char *value = string_or_wrong(loader, setting, accepted);

    if (!value)
        return;
    if (strcmp(value, "direct") == 0)
        loader->conf->peers_mode = PEERS_DIRECT;
    else if (strcmp(value, "off") == 0)
        loader->conf->peers_mode = PEERS_OFF;
    else
        expected(loader, setting, accepted);
}

static void peers_url(struct loader *loader, config_setting_t *setting)
{
    read_url(loader, setting, &loader->conf->peers_url, true);
}

/* "10.0.0.1" or "10.0.0.1=URL". */
static void peers_static_one(struct loader *loader, const config_setting_t *setting)
{
    static const char accepted[] = "an IP address, or ADDRESS=URL";
    struct conf *conf = loader->conf;
    struct conf_static entry = {0}, *grown;
    const char *value = string_or_wrong(loader, setting, accepted), *equals, *why;

    if (!value)
        return;
    equals = strchrnul(value, '=');
    if (prober_addr_parse(value, (size_t)(equals - value), &entry.address) < 0) {
        expected(loader, setting, accepted);
        return;
    }
    if (*equals && !poller_accepts_url(equals + 1, false, &why)) {
        expected(loader, setting, why);
        return;
    }
    grown = reallocarray(conf->peers_static, conf->n_peers_static + 1, sizeof(*grown));
    if (!grown) {
        wrong(loader, 0, "out of memory");
        return;
    }
    conf->peers_static = grown;
    set_string(loader, &entry.url, *equals ? equals + 1 : "");
    conf->peers_static[conf->n_peers_static++] = entry;
}

static void peers_static(struct loader *loader, config_setting_t *setting)
{
    if (!config_setting_is_array(setting) && !config_setting_is_list(setting)) {
        expected(loader, setting, "a list of addresses: [ \"10.0.0.1\", \"10.0.0.2=URL\" ]");
        return;
    }
    for (int i = 0; i < config_setting_length(setting); i++)
        peers_static_one(loader, config_setting_get_elem(setting, (unsigned)i));
}

static void poll_interval(struct loader *loader, config_setting_t *setting)
{
    read_duration(loader, setting, &loader->conf->interval_ms, 50);
}

static void poll_timeout(struct loader *loader, config_setting_t *setting)
{
    read_duration(loader, setting, &loader->conf->timeout_ms, 10);
}

static void poll_view_ttl(struct loader *loader, config_setting_t *setting)
{
    read_duration(loader, setting, &loader->conf->view_ttl_ms, 100);
}

static void poll_membership(struct loader *loader, config_setting_t *setting)
{
    read_duration(loader, setting, &loader->conf->membership_ms, 1000);
}

static void readiness_policy(struct loader *loader, config_setting_t *setting)
{
    static const char accepted[] = "\"mutual\", \"unanimous\", \"majority\" or \"count:K\"";
    struct readiness_settings *readiness = &loader->conf->readiness;
    const char *value = string_or_wrong(loader, setting, accepted);

    if (!value)
        return;
    if (strcmp(value, "mutual") == 0)
        readiness->policy = POLICY_MUTUAL;
    else if (strcmp(value, "unanimous") == 0)
        readiness->policy = POLICY_UNANIMOUS;
    else if (strcmp(value, "majority") == 0)
        readiness->policy = POLICY_MAJORITY;
    else if (strncmp(value, "count:", 6) == 0 && parse_count(value + 6, &readiness->count))
        readiness->policy = POLICY_COUNT;
    else
        expected(loader, setting, accepted);
}

static void readiness_min_observers(struct loader *loader, config_setting_t *setting)
{
    struct readiness_settings *readiness = &loader->conf->readiness;
    int type = config_setting_type(setting);
    char number[32] = "";
    const char *value = number;

    if (type == CONFIG_TYPE_STRING)
        value = config_setting_get_string(setting);
    else if (type == CONFIG_TYPE_INT)
        snprintf(number, sizeof(number), "%d", config_setting_get_int(setting));

    readiness->min_majority = strcmp(value, "majority") == 0;
    if (!readiness->min_majority && !parse_count(value, &readiness->min_observers))
        expected(loader, setting, "a number of observers, 1 or more, or \"majority\"");
}

static void readiness_rise(struct loader *loader, config_setting_t *setting)
{
    read_count(loader, setting, &loader->conf->readiness.rise);
}

static void readiness_fall(struct loader *loader, config_setting_t *setting)
{
    read_count(loader, setting, &loader->conf->readiness.fall);
}

static void readiness_settle(struct loader *loader, config_setting_t *setting)
{
    read_duration(loader, setting, &loader->conf->readiness.settle_ms, 0);
}

static void readiness_rehab(struct loader *loader, config_setting_t *setting)
{
    read_duration(loader, setting, &loader->conf->readiness.rehab_ms, 0);
}

static void seeds_count(struct loader *loader, config_setting_t *setting)
{
    const char *value = string_or_wrong(loader, setting, "\"auto\"");

    if (value && strcmp(value, "auto") != 0)
        expected(loader, setting, "\"auto\"");
}

static void region_name(struct loader *loader, config_setting_t *setting)
{
    const char *value = string_or_wrong(loader, setting, "a name in quotes");

    if (value)
        set_string(loader, &loader->conf->region_name, value);
}

static void region_datacenters(struct loader *loader, config_setting_t *setting)
{
    struct conf *conf = loader->conf;
    int n = config_setting_length(setting);

    if (!config_setting_is_array(setting) && !config_setting_is_list(setting)) {
        expected(loader, setting, "a list of data center names: [ \"dc1\", \"dc2\" ]");
        return;
    }
    conf->region_datacenters = calloc((size_t)n + 1, sizeof(char *));
    if (!conf->region_datacenters) {
        wrong(loader, 0, "out of memory");
        return;
    }
    for (int i = 0, filled = 0; i < n; i++) {
        const config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);
        const char *value = string_or_wrong(loader, element, "a data center name in quotes");

        if (value)
            set_string(loader, &conf->region_datacenters[filled++], value);
    }
}

static void segment_path(struct loader *loader, config_setting_t *setting)
{
    const char *value = string_or_wrong(loader, setting, "an absolute path in quotes");

    if (!value)
        return;
    if (value[0] != '/')
        expected(loader, setting, "an absolute path");
    else
        set_string(loader, &loader->conf->segment_path, value);
}

static const struct key local_keys[] = {{"source", local_source},
                                        {"user", local_user},
                                        {"password_file", local_password_file},
                                        {NULL, NULL}};
static const struct key peers_keys[] = {
    {"mode", peers_mode}, {"url", peers_url}, {"static", peers_static}, {NULL, NULL}};
static const struct key poll_keys[] = {{"interval", poll_interval},
                                       {"timeout", poll_timeout},
                                       {"view_ttl", poll_view_ttl},
                                       {"membership", poll_membership},
                                       {NULL, NULL}};
static const struct key readiness_keys[] = {{"policy", readiness_policy},
                                            {"min_observers", readiness_min_observers},
                                            {"rise", readiness_rise},
                                            {"fall", readiness_fall},
                                            {"settle", readiness_settle},
                                            {"rehab", readiness_rehab},
                                            {NULL, NULL}};
static const struct key seeds_keys[] = {{"count", seeds_count}, {NULL, NULL}};
static const struct key region_keys[] = {
    {"name", region_name}, {"datacenters", region_datacenters}, {NULL, NULL}};
static const struct key segment_keys[] = {{"path", segment_path}, {NULL, NULL}};

static const struct section sections[] = {
    {"local", local_keys},         {"peers", peers_keys}, {"poll", poll_keys},
    {"readiness", readiness_keys}, {"seeds", seeds_keys}, {"region", region_keys},
    {"segment", segment_keys},     {NULL, NULL},
};

static void read_section(struct loader *loader, const struct section *section,
                         config_setting_t *group)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        const struct key *key;
        char accepted[256] = "";

        for (key = section->keys; key->name; key++)
            if (strcmp(key->name, config_setting_name(setting)) == 0)
                break;
        if (key->name) {
            key->read(loader, setting);
            continue;
        }
        for (key = section->keys; key->name; key++)
            snprintf(accepted + strlen(accepted), sizeof(accepted) - strlen(accepted), "%s%s",
                     *accepted ? ", " : "", key->name);
        wrong(loader, (int)config_setting_source_line(setting),
              "unknown key \"%s\" in section \"%s\"; accepted: %s", config_setting_name(setting),
              section->name, accepted);
    }
}

static void read_root(struct loader *loader, config_setting_t *root)
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
            wrong(loader, (int)config_setting_source_line(group),
                  "unknown section \"%s\"; accepted: %s", config_setting_name(group), accepted);
        else if (!config_setting_is_group(group))
            expected(loader, group, "a group: { key = value; … }");
        else
            read_section(loader, section, group);
    }
}

/* Rules that two settings make together. */
static void check_together(struct loader *loader)
{
    struct conf *conf = loader->conf;
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");

    if (conf->view_ttl_ms < conf->interval_ms)
        wrong(loader, 0, "poll.view_ttl is shorter than poll.interval: no view would ever count");
    if (*conf->local_source == '\0' && conf->n_peers_static == 0)
        wrong(loader, 0, "nobody to poll: local.source is \"\" and peers.static is empty");
    if (*conf->local_user && *conf->local_password_file == '\0' && credentials) {
        char path[PATH_MAX];

        snprintf(path, sizeof(path), "%s/local-password", credentials);
        read_password(loader, 0, path);
    }
    if (*conf->local_user && *conf->local_password == '\0' && loader->errors == 0)
        wrong(loader, 0,
              "local.user needs local.password_file or the systemd credential local-password");
    conf->readiness.view_ttl_ms = conf->view_ttl_ms;
}

static struct conf *conf_default(void)
{
    struct conf *conf = calloc(1, sizeof(*conf));

    if (!conf)
        return NULL;
    conf->local_source = strdup("jolokia+http://127.0.0.1:8778/jolokia");
    conf->local_user = strdup("");
    conf->local_password_file = strdup("");
    conf->local_password = strdup("");
    conf->peers_url = strdup("jolokia+http://{address}:8778/jolokia");
    conf->region_name = strdup("local");
    conf->segment_path = strdup("/run/cassandra-prober/segment");
    conf->interval_ms = 500;
    conf->timeout_ms = 1000;
    conf->view_ttl_ms = 3000;
    conf->membership_ms = 30000;
    conf->readiness.policy = POLICY_MUTUAL;
    conf->readiness.min_observers = 1;
    conf->readiness.rise = conf->readiness.fall = 1;
    conf->readiness.settle_ms = 5000;
    conf->readiness.rehab_ms = 60000;
    if (!conf->local_source || !conf->local_user || !conf->local_password_file ||
        !conf->local_password || !conf->peers_url || !conf->region_name || !conf->segment_path)
        return conf_free(conf);
    return conf;
}

int conf_load(const char *path, conf_error error, void *userdata, struct conf **ret)
{
    struct loader loader = {.path = path, .error = error, .userdata = userdata};
    FILE *file = fopen(path, "re");
    config_t config;

    if (!file) {
        wrong(&loader, 0, "cannot read the configuration: %s", strerror(errno));
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
        check_together(&loader);
    } else {
        wrong(&loader, config_error_line(&config), "%s; expected: section: { key = value; };",
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

struct conf *conf_free(struct conf *conf)
{
    if (!conf)
        return NULL;
    free(conf->local_source);
    free(conf->local_user);
    free(conf->local_password_file);
    if (conf->local_password)
        explicit_bzero(conf->local_password, strlen(conf->local_password));
    free(conf->local_password);
    free(conf->peers_url);
    for (size_t i = 0; i < conf->n_peers_static; i++)
        free(conf->peers_static[i].url);
    free(conf->peers_static);
    free(conf->region_name);
    for (char **name = conf->region_datacenters; name && *name; name++)
        free(*name);
    free(conf->region_datacenters);
    free(conf->segment_path);
    free(conf);
    return NULL;
}

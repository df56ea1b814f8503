#include "conf_values.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sources/poller.h"

#define PASSWORD_MAX 4096 /* bytes of a password file that are read */

void conf_wrong(struct conf_loader *loader, int line, const char *format, ...)
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

/* The section that a setting is in; in a list of groups the list. "" = in none. */
static const char *section_of(const config_setting_t *setting)
{
    while ((setting = config_setting_parent(setting)))
        if (config_setting_name(setting))
            return config_setting_name(setting);
    return "";
}

/* "section.key" of a setting, for messages. */
static const char *name_of(const config_setting_t *setting, char buf[128])
{
    const char *name = config_setting_name(setting), *section = section_of(setting);

    snprintf(buf, 128, "%s%s%s", section, *section && name ? "." : "", name ? name : "");
    return buf;
}

/* What the file says, as the file says it, for "got …". */
static const char *value_of(const config_setting_t *setting, char buf[128])
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_STRING:
        /* A URL with a password in it is not for the journal. */
        if (strchr(config_setting_get_string(setting), '@'))
            snprintf(buf, 128, "a string with \"@\" in it");
        else
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

void conf_expected(struct conf_loader *loader, const config_setting_t *setting,
                   const char *accepted)
{
    char name[128], value[128];

    conf_wrong(loader, (int)config_setting_source_line(setting), "%s: expected %s, got %s",
               name_of(setting, name), accepted, value_of(setting, value));
}

static const char *string_or_wrong(struct conf_loader *loader, const config_setting_t *setting,
                                   const char *accepted)
{
    if (config_setting_type(setting) == CONFIG_TYPE_STRING)
        return config_setting_get_string(setting);
    conf_expected(loader, setting, accepted);
    return NULL;
}

static void set_string(struct conf_loader *loader, char **field, const char *value)
{
    char *copy = strdup(value);

    if (!copy) {
        conf_wrong(loader, 0, "out of memory");
        return;
    }
    free(*field);
    *field = copy;
}

void conf_read_group(struct conf_loader *loader, const struct conf_key *keys, const char *name,
                     config_setting_t *group, void *into)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        const struct conf_key *key;
        char accepted[256] = "";

        for (key = keys; key->name; key++)
            if (strcmp(key->name, config_setting_name(setting)) == 0)
                break;
        if (key->name) {
            key->read(loader, key, setting, (char *)into + key->offset);
            continue;
        }
        for (key = keys; key->name; key++)
            snprintf(accepted + strlen(accepted), sizeof(accepted) - strlen(accepted), "%s%s",
                     *accepted ? ", " : "", key->name);
        conf_wrong(loader, (int)config_setting_source_line(setting),
                   "unknown key \"%s\" in section \"%s\"; accepted: %s",
                   config_setting_name(setting), name, accepted);
    }
}

void conf_read_duration(struct conf_loader *loader, const struct conf_key *key,
                        config_setting_t *setting, void *field)
{
    char accepted[64];
    int64_t ms = -1;

    if (config_setting_type(setting) == CONFIG_TYPE_STRING)
        conf_parse_duration(config_setting_get_string(setting), &ms);
    else if (config_setting_type(setting) == CONFIG_TYPE_INT)
        ms = (int64_t)config_setting_get_int(setting) * 1000;
    if (ms >= key->least_ms) {
        *(int64_t *)field = ms;
        return;
    }
    snprintf(accepted, sizeof(accepted), "a duration of at least %lldms, such as \"3s\"",
             (long long)key->least_ms);
    conf_expected(loader, setting, accepted);
}

void conf_read_rounds(struct conf_loader *loader, const struct conf_key *key,
                      config_setting_t *setting, void *field)
{
    (void)key;
    if (config_setting_type(setting) != CONFIG_TYPE_INT || config_setting_get_int(setting) < 1)
        conf_expected(loader, setting, "a number of rounds, 1 or more");
    else
        *(unsigned *)field = (unsigned)config_setting_get_int(setting);
}

void conf_read_agent_node(struct conf_loader *loader, const struct conf_key *key,
                          config_setting_t *setting, void *field)
{
    const char *value = string_or_wrong(loader, setting, key->expected);

    if (value && strcmp(value, "local") != 0 && strcmp(value, "asked") != 0)
        conf_expected(loader, setting, key->expected);
    else if (value)
        *(bool *)field = strcmp(value, "asked") == 0;
}

void conf_read_string(struct conf_loader *loader, const struct conf_key *key,
                      config_setting_t *setting, void *field)
{
    const char *value = string_or_wrong(loader, setting, key->expected);

    if (value)
        set_string(loader, field, value);
}

void conf_read_boolean(struct conf_loader *loader, const struct conf_key *key,
                       config_setting_t *setting, void *field)
{
    if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
        conf_expected(loader, setting, key->expected);
    else
        *(bool *)field = config_setting_get_bool(setting) == CONFIG_TRUE;
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

/* "10.0.0.1:8889" or "[2001:db8::1]:8889"; no names, no "all addresses" by leaving one out. */
void conf_read_listen(struct conf_loader *loader, const struct conf_key *key,
                      config_setting_t *setting, void *field)
{
    const char *value = string_or_wrong(loader, setting, key->expected);
    const char *colon = value ? strrchr(value, ':') : NULL;
    struct conf_listen listen = {0};
    unsigned port = 0;

    if (!value)
        return;
    if (*value != '\0') {
        if (!colon || !parse_count(colon + 1, &port) ||
            prober_addr_parse(value, (size_t)(colon - value), &listen.address) < 0 ||
            (strchr(value, ':') != colon && *value != '[')) {
            conf_expected(loader, setting, key->expected);
            return;
        }
        listen.port = (uint16_t)port;
    }
    *(struct conf_listen *)field = listen;
}

/* A source URL; "" where there may be none. */
void conf_read_source(struct conf_loader *loader, const struct conf_key *key,
                      config_setting_t *setting, void *field)
{
    const char *accepted = key->expected;
    const char *value = string_or_wrong(loader, setting, accepted);

    if (!value)
        return;
    if (*value && !poller_accepts_url(value, false, false, &accepted))
        conf_expected(loader, setting, accepted);
    else
        set_string(loader, field, value);
}

/* Whom the URLs of the section "peers" are to reach depends on its mode, wherever in it that
 * stands.
 */
static bool in_mesh(const config_setting_t *setting)
{
    const char *mode;

    while (setting &&
           strcmp(config_setting_name(setting) ? config_setting_name(setting) : "", "peers") != 0)
        setting = config_setting_parent(setting);
    return !setting || config_setting_lookup_string(setting, "mode", &mode) == CONFIG_FALSE ||
           strcmp(mode, "mesh") == 0;
}

void conf_read_peers_url(struct conf_loader *loader, const struct conf_key *key,
                         config_setting_t *setting, void *field)
{
    const char *accepted = key->expected;
    const char *value = string_or_wrong(loader, setting, accepted);

    if (!value)
        return;
    if (!poller_accepts_url(value, in_mesh(setting), true, &accepted))
        conf_expected(loader, setting, accepted);
    else
        set_string(loader, field, value);
}

/* Reads the first line of a password file. */
void conf_read_password(struct conf_loader *loader, int line, const char *section,
                        struct conf_login *login, const char *path)
{
    char buf[PASSWORD_MAX];
    FILE *file = loader->without_secrets ? NULL : fopen(path, "re");

    if (loader->without_secrets)
        return;
    if (!file) {
        conf_wrong(loader, line, "%s.password_file: cannot read %s: %s", section, path,
                   strerror(errno));
        return;
    }
    if (!fgets(buf, sizeof(buf), file))
        buf[0] = '\0';
    fclose(file);
    buf[strcspn(buf, "\r\n")] = '\0';
    if (buf[0] == '\0')
        conf_wrong(loader, line, "%s.password_file: %s has no password in its first line", section,
                   path);
    else
        set_string(loader, &login->password, buf);
    explicit_bzero(buf, sizeof(buf));
}

void conf_read_password_file(struct conf_loader *loader, const struct conf_key *key,
                             config_setting_t *setting, void *field)
{
    const char *value = string_or_wrong(loader, setting, key->expected);
    size_t at = offsetof(struct conf_login, password_file);

    if (!value)
        return;
    set_string(loader, field, value);
    if (*value)
        conf_read_password(loader, (int)config_setting_source_line(setting), section_of(setting),
                           (struct conf_login *)((char *)field - at), value);
}

void conf_read_peers_mode(struct conf_loader *loader, const struct conf_key *key,
                          config_setting_t *setting, void *field)
{
    const char *value = string_or_wrong(loader, setting, key->expected);

    if (!value)
        return;
    if (strcmp(value, "mesh") == 0)
        *(enum peers_mode *)field = PEERS_MESH;
    else if (strcmp(value, "direct") == 0)
        *(enum peers_mode *)field = PEERS_DIRECT;
    else if (strcmp(value, "off") == 0)
        *(enum peers_mode *)field = PEERS_OFF;
    else
        conf_expected(loader, setting, key->expected);
}

/* "10.0.0.1" or "10.0.0.1=URL". */
static void peers_static_one(struct conf_loader *loader, const config_setting_t *setting)
{
    static const char accepted[] = "an IP address, or ADDRESS=URL";
    struct conf *conf = loader->conf;
    struct conf_static entry = {0}, *grown;
    const char *value = string_or_wrong(loader, setting, accepted), *equals, *why;

    if (!value)
        return;
    equals = strchrnul(value, '=');
    if (prober_addr_parse(value, (size_t)(equals - value), &entry.address) < 0 ||
        prober_addr_is_unset(&entry.address)) {
        conf_expected(loader, setting, accepted);
        return;
    }
    if (*equals && !poller_accepts_url(equals + 1, in_mesh(setting), false, &why)) {
        conf_expected(loader, setting, why);
        return;
    }
    grown = reallocarray(conf->peers_static, conf->n_peers_static + 1, sizeof(*grown));
    if (!grown) {
        conf_wrong(loader, 0, "out of memory");
        return;
    }
    conf->peers_static = grown;
    set_string(loader, &entry.url, *equals ? equals + 1 : "");
    conf->peers_static[conf->n_peers_static++] = entry;
}

void conf_read_static(struct conf_loader *loader, const struct conf_key *key,
                      config_setting_t *setting, void *field)
{
    (void)field;
    if (!config_setting_is_array(setting) && !config_setting_is_list(setting)) {
        conf_expected(loader, setting, key->expected);
        return;
    }
    for (int i = 0; i < config_setting_length(setting); i++)
        peers_static_one(loader, config_setting_get_elem(setting, (unsigned)i));
}

void conf_read_policy(struct conf_loader *loader, const struct conf_key *key,
                      config_setting_t *setting, void *field)
{
    struct readiness_settings *readiness = field;
    const char *value = string_or_wrong(loader, setting, key->expected);

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
        conf_expected(loader, setting, key->expected);
}

void conf_read_min_observers(struct conf_loader *loader, const struct conf_key *key,
                             config_setting_t *setting, void *field)
{
    struct readiness_settings *readiness = field;
    int type = config_setting_type(setting);
    char number[32] = "";
    const char *value = number;

    if (type == CONFIG_TYPE_STRING)
        value = config_setting_get_string(setting);
    else if (type == CONFIG_TYPE_INT)
        snprintf(number, sizeof(number), "%d", config_setting_get_int(setting));

    readiness->min_majority = strcmp(value, "majority") == 0;
    if (!readiness->min_majority && !parse_count(value, &readiness->min_observers))
        conf_expected(loader, setting, key->expected);
}

void conf_read_seed_count(struct conf_loader *loader, const struct conf_key *key,
                          config_setting_t *setting, void *field)
{
    const char *value = string_or_wrong(loader, setting, key->expected);

    (void)field;
    if (value && strcmp(value, "auto") != 0)
        conf_expected(loader, setting, key->expected);
}

void conf_read_names(struct conf_loader *loader, const struct conf_key *key,
                     config_setting_t *setting, void *field)
{
    int n = config_setting_length(setting), filled = 0;
    char **names;

    if (!config_setting_is_array(setting) && !config_setting_is_list(setting)) {
        conf_expected(loader, setting, key->expected);
        return;
    }
    names = calloc((size_t)n + 1, sizeof(*names));
    *(char ***)field = names;
    if (!names) {
        conf_wrong(loader, 0, "out of memory");
        return;
    }
    for (int i = 0; i < n; i++) {
        const config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);
        const char *value = string_or_wrong(loader, element, "a name in quotes");

        if (value)
            set_string(loader, &names[filled++], value);
    }
}

void conf_read_path(struct conf_loader *loader, const struct conf_key *key,
                    config_setting_t *setting, void *field)
{
    const char *value = string_or_wrong(loader, setting, key->expected);

    if (value && value[0] != '/')
        conf_expected(loader, setting, key->expected);
    else if (value)
        set_string(loader, field, value);
}

void conf_read_unit(struct conf_loader *loader, const struct conf_key *key,
                    config_setting_t *setting, void *field)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  ":-_.\\@",
                      suffix[] = ".service";
    const char *value = string_or_wrong(loader, setting, key->expected);
    size_t len = value ? strlen(value) : 0;

    if (!value)
        return;
    if (len < sizeof(suffix) || len >= 128 || strspn(value, allowed) < len ||
        strcmp(value + len - strlen(suffix), suffix) != 0)
        conf_expected(loader, setting, key->expected);
    else
        set_string(loader, field, value);
}

void conf_read_bool(struct conf_loader *loader, const struct conf_key *key,
                    config_setting_t *setting, void *field)
{
    if (config_setting_type(setting) == CONFIG_TYPE_BOOL)
        *(bool *)field = config_setting_get_bool(setting) != 0;
    else
        conf_expected(loader, setting, key->expected);
}

void conf_read_address(struct conf_loader *loader, const struct conf_key *key,
                       config_setting_t *setting, void *field)
{
    const char *value = string_or_wrong(loader, setting, key->expected);
    char text[PROBER_ADDR_STRLEN] = "";
    struct prober_addr address;

    if (!value)
        return;
    if (*value && prober_addr_parse(value, strlen(value), &address) < 0) {
        conf_expected(loader, setting, key->expected);
        return;
    }
    if (*value)
        prober_addr_format(&address, text);
    set_string(loader, field, text);
}

/* The sections that are lists of groups: data centers and regions. */
#include <stdlib.h>
#include <string.h>

#include "conf_values.h"
#include "sources/poller.h"

#define SIZE_MAX_NODES 100000 /* more nodes in a data center are slips of the pen */

static void read_size(struct conf_loader *loader, const struct conf_key *key,
                      config_setting_t *setting, void *field)
{
    int size =
        config_setting_type(setting) == CONFIG_TYPE_INT ? config_setting_get_int(setting) : 0;

    if (size < 1 || size > SIZE_MAX_NODES)
        conf_expected(loader, setting, key->expected);
    else
        *(unsigned *)field = (unsigned)size;
}

/* A name of what Cassandra names: not empty, no longer than is kept of one. */
static bool name_ok(struct conf_loader *loader, const config_setting_t *setting, const char *name)
{
    if (*name && strlen(name) < NAME_LEN)
        return true;
    conf_expected(loader, setting, "a name in quotes, of 1 to 63 bytes");
    return false;
}

static void read_name(struct conf_loader *loader, const struct conf_key *key,
                      config_setting_t *setting, void *field)
{
    conf_read_string(loader, key, setting, field);
    if (config_setting_type(setting) == CONFIG_TYPE_STRING)
        name_ok(loader, setting, config_setting_get_string(setting));
}

static void read_racks(struct conf_loader *loader, const struct conf_key *key,
                       config_setting_t *setting, void *field)
{
    unsigned before = loader->errors;
    char **racks;

    conf_read_names(loader, key, setting, field);
    racks = *(char ***)field;
    for (int i = 0; loader->errors == before && racks && racks[i]; i++) {
        const config_setting_t *at = config_setting_get_elem(setting, (unsigned)i);

        name_ok(loader, at, racks[i]);
        for (int j = 0; j < i; j++)
            if (strcmp(racks[i], racks[j]) == 0)
                conf_wrong(loader, (int)config_setting_source_line(at),
                           "datacenters.racks: \"%s\" is there twice", racks[i]);
    }
}

static const struct conf_key datacenter_keys[] = {
    {"name", read_name, offsetof(struct dc_wanted, name), 0, "a name in quotes"},
    {"size", read_size, offsetof(struct dc_wanted, size), 0, "a number of nodes, 1 to 100000"},
    {"racks", read_racks, offsetof(struct dc_wanted, racks), 0,
     "a list of rack names: [ \"r1\", \"r2\" ]"},
    {NULL, NULL, 0, 0, NULL},
};

/* The next place of a list of groups; NULL when that is not one, or memory is out. */
static void *next_place(struct conf_loader *loader, const config_setting_t *group, void **list,
                        size_t *n, size_t size)
{
    char *grown;

    if (!config_setting_is_group(group)) {
        conf_expected(loader, group, "a group: { name = \"…\"; … }");
        return NULL;
    }
    grown = reallocarray(*list, *n + 1, size);
    if (!grown) {
        conf_wrong(loader, 0, "out of memory");
        return NULL;
    }
    *list = grown;
    memset(grown + *n * size, 0, size);
    return grown + (*n)++ * size;
}

static bool is_list(struct conf_loader *loader, const config_setting_t *list)
{
    if (config_setting_is_list(list))
        return true;
    conf_expected(loader, list, "a list of groups: ( { name = \"…\"; … } )");
    return false;
}

/* What is wrong with one whose settings are good each for itself. */
static void check_datacenter(struct conf_loader *loader, const config_setting_t *group, size_t at)
{
    const struct dc_wanted *all = loader->conf->datacenters, *wanted = &all[at];
    const config_setting_t *size = config_setting_get_member(group, "size");
    int line = (int)config_setting_source_line(group);
    size_t n_racks = dc_wanted_racks(wanted);

    if (!wanted->name) {
        conf_wrong(loader, line, "datacenters: a data center needs a name");
        return;
    }
    for (size_t i = 0; i < at; i++)
        if (all[i].name && strcmp(all[i].name, wanted->name) == 0)
            conf_wrong(loader, line, "datacenters: \"%s\" is there twice", wanted->name);
    if (size && wanted->size > 0 && wanted->size < n_racks)
        conf_wrong(loader, (int)config_setting_source_line(size),
                   "datacenters.size: \"%s\" has %zu racks, %u nodes are fewer", wanted->name,
                   n_racks, wanted->size);
}

void conf_read_datacenters(struct conf_loader *loader, config_setting_t *list)
{
    struct conf *conf = loader->conf;

    if (!is_list(loader, list))
        return;
    for (int i = 0; i < config_setting_length(list); i++) {
        config_setting_t *group = config_setting_get_elem(list, (unsigned)i);
        void *at = next_place(loader, group, (void **)&conf->datacenters, &conf->n_datacenters,
                              sizeof(*conf->datacenters));

        if (!at)
            continue;
        conf_read_group(loader, datacenter_keys, "datacenters", group, at);
        check_datacenter(loader, group, conf->n_datacenters - 1);
    }
}

void conf_read_region_name(struct conf_loader *loader, const struct conf_key *key,
                           config_setting_t *setting, void *field)
{
    static const char accepted[] =
        "a name in quotes, of up to 63 letters, digits, \".\", \"_\" and \"-\"";
    const struct conf_key name = {.name = key->name, .expected = accepted};
    const char *value = config_setting_get_string(setting);
    size_t len = value ? strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789._-")
                       : 0;

    /* It is part of paths and of the credential's name. */
    if (value && (len == 0 || len >= NAME_LEN || value[len] != '\0' || value[0] == '.'))
        conf_expected(loader, setting, accepted);
    else
        conf_read_string(loader, &name, setting, field);
}

static void read_url(struct conf_loader *loader, const struct conf_key *key,
                     config_setting_t *setting, void *field)
{
    const char *value = config_setting_get_string(setting), *accepted = key->expected;

    if (value && !poller_accepts_url(value, true, false, &accepted))
        conf_expected(loader, setting, accepted);
    else
        conf_read_string(loader, key, setting, field);
}

#define AT(field) offsetof(struct conf_region, field)

static const struct conf_key region_entry_keys[] = {
    {"name", conf_read_region_name, AT(name), 0, NULL},
    {"url", read_url, AT(url), 0, "the URL of the region's prober in quotes"},
    {"user", conf_read_string, AT(login.user), 0, "a user name in quotes"},
    {"password_file", conf_read_password_file, AT(login.password_file), 0, "a path in quotes"},
    {"ca_file", conf_read_path, AT(login.ca_file), 0, "an absolute path in quotes"},
    {NULL, NULL, 0, 0, NULL},
};

static void check_region(struct conf_loader *loader, const config_setting_t *group, size_t at)
{
    const struct conf_region *all = loader->conf->regions, *region = &all[at];
    int line = (int)config_setting_source_line(group);

    if (!config_setting_get_member(group, "name") || !config_setting_get_member(group, "url"))
        conf_wrong(loader, line, "regions: a region needs a name and a url");
    for (size_t i = 0; region->name && i < at; i++)
        if (all[i].name && strcmp(all[i].name, region->name) == 0)
            conf_wrong(loader, line, "regions: \"%s\" is there twice", region->name);
}

void conf_read_regions(struct conf_loader *loader, config_setting_t *list)
{
    struct conf *conf = loader->conf;

    if (!is_list(loader, list))
        return;
    for (int i = 0; i < config_setting_length(list); i++) {
        config_setting_t *group = config_setting_get_elem(list, (unsigned)i);
        struct conf_region *region = next_place(loader, group, (void **)&conf->regions,
                                                &conf->n_regions, sizeof(*conf->regions));

        if (!region)
            continue;
        if (!conf_login_default(&region->login)) {
            conf_wrong(loader, 0, "out of memory");
            continue;
        }
        conf_read_group(loader, region_entry_keys, "regions", group, region);
        check_region(loader, group, conf->n_regions - 1);
    }
}

void conf_lists_free(struct conf *conf)
{
    for (size_t i = 0; i < conf->n_datacenters; i++) {
        for (char **rack = conf->datacenters[i].racks; rack && *rack; rack++)
            free(*rack);
        free(conf->datacenters[i].racks);
        free(conf->datacenters[i].name);
    }
    free(conf->datacenters);
    for (size_t i = 0; i < conf->n_regions; i++) {
        free(conf->regions[i].name);
        free(conf->regions[i].url);
        conf_login_free(&conf->regions[i].login);
    }
    free(conf->regions);
}

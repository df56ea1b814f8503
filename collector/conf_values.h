/* How conf.c reads the values of settings, and how it says what is wrong with one. Private to
 * conf*.c. */
#ifndef CONF_VALUES_H
#define CONF_VALUES_H

#include <libconfig.h>

#include "conf.h"

/* One load: the file's name for messages, and whether anything was wrong. */
struct conf_loader {
    const char *path;
    conf_error error;
    void *userdata;
    bool without_secrets;
    unsigned errors;
    struct conf *conf;
};

struct conf_key;

/* Reads one setting into `field` of the configuration; wrong() has been called when it could not.
 */
typedef void (*conf_reader)(struct conf_loader *loader, const struct conf_key *key,
                            config_setting_t *setting, void *field);

struct conf_key {
    const char *name;
    conf_reader read;
    size_t offset;        /* of the field in struct conf */
    int64_t least_ms;     /* read_duration: the smallest that makes sense */
    const char *expected; /* read_string: what is accepted */
};

/* Tells one error; line 0 = of the whole file. */
void conf_wrong(struct conf_loader *loader, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "section.key: expected ACCEPTED, got …", with the setting's line. */
void conf_expected(struct conf_loader *loader, const config_setting_t *setting,
                   const char *accepted);

/* Reads the settings of a group into what `keys` say of `into`. `name` is the section's, for
 * messages. */
void conf_read_group(struct conf_loader *loader, const struct conf_key *keys, const char *name,
                     config_setting_t *group, void *into);

/* Reads the login's password in the first line of `path`. `section` is for messages. */
void conf_read_password(struct conf_loader *loader, int line, const char *section,
                        struct conf_login *login, const char *path);

void conf_read_duration(struct conf_loader *loader, const struct conf_key *key,
                        config_setting_t *setting, void *field);
void conf_read_rounds(struct conf_loader *loader, const struct conf_key *key,
                      config_setting_t *setting, void *field);
void conf_read_string(struct conf_loader *loader, const struct conf_key *key,
                      config_setting_t *setting, void *field);
void conf_read_source(struct conf_loader *loader, const struct conf_key *key,
                      config_setting_t *setting, void *field);
void conf_read_peers_url(struct conf_loader *loader, const struct conf_key *key,
                         config_setting_t *setting, void *field);
void conf_read_password_file(struct conf_loader *loader, const struct conf_key *key,
                             config_setting_t *setting, void *field);
void conf_read_peers_mode(struct conf_loader *loader, const struct conf_key *key,
                          config_setting_t *setting, void *field);
void conf_read_static(struct conf_loader *loader, const struct conf_key *key,
                      config_setting_t *setting, void *field);
void conf_read_policy(struct conf_loader *loader, const struct conf_key *key,
                      config_setting_t *setting, void *field);
void conf_read_min_observers(struct conf_loader *loader, const struct conf_key *key,
                             config_setting_t *setting, void *field);
void conf_read_seed_count(struct conf_loader *loader, const struct conf_key *key,
                          config_setting_t *setting, void *field);
void conf_read_bool(struct conf_loader *loader, const struct conf_key *key,
                    config_setting_t *setting, void *field);
void conf_read_names(struct conf_loader *loader, const struct conf_key *key,
                     config_setting_t *setting, void *field);
void conf_read_address(struct conf_loader *loader, const struct conf_key *key,
                       config_setting_t *setting, void *field);
void conf_read_boolean(struct conf_loader *loader, const struct conf_key *key,
                       config_setting_t *setting, void *field);
void conf_read_listen(struct conf_loader *loader, const struct conf_key *key,
                      config_setting_t *setting, void *field);
void conf_read_agent_node(struct conf_loader *loader, const struct conf_key *key,
                          config_setting_t *setting, void *field);
/* In conf_lists.c: what is a list of groups, and what names a region. */
void conf_read_datacenters(struct conf_loader *loader, config_setting_t *list);
void conf_read_regions(struct conf_loader *loader, config_setting_t *list);
void conf_read_region_name(struct conf_loader *loader, const struct conf_key *key,
                           config_setting_t *setting, void *field);
/* In conf_jobs.c. */
void conf_read_job_units(struct conf_loader *loader, const struct conf_key *key,
                         config_setting_t *setting, void *field);
void conf_jobs_free(struct conf *conf);
void conf_lists_free(struct conf *conf);

/* In conf_store.c: the section "coordination". */
void conf_read_store(struct conf_loader *loader, const struct conf_key *key,
                     config_setting_t *setting, void *field);
void conf_read_prefix(struct conf_loader *loader, const struct conf_key *key,
                      config_setting_t *setting, void *field);
void conf_read_ttl(struct conf_loader *loader, const struct conf_key *key,
                   config_setting_t *setting, void *field);

/* In conf.c: the texts of a login. */
bool conf_login_default(struct conf_login *login);
void conf_login_free(struct conf_login *login);

void conf_read_unit(struct conf_loader *loader, const struct conf_key *key,
                    config_setting_t *setting, void *field);
void conf_read_path(struct conf_loader *loader, const struct conf_key *key,
                    config_setting_t *setting, void *field);

#endif

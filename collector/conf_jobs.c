/* Section "jobs": the units of types that are not called as shipped. */
#include <stdlib.h>
#include <string.h>

#include "conf_values.h"
#include "model/jobs.h"

#define UNIT_LEN 256 /* as systemd has it, with its NUL */

/* A service, and the collector may start it only when the polkit rule names it. */
static bool unit_ok(const char *unit)
{
    static const char suffix[] = ".service";
    size_t len = strlen(unit);

    return len > strlen(suffix) && len < UNIT_LEN &&
           strcmp(unit + len - strlen(suffix), suffix) == 0 &&
           strspn(unit, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                        "@:._-\\") == len;
}

static bool known(const struct conf *conf, const char *type)
{
    for (size_t i = 0; i < conf->n_jobs; i++)
        if (strcmp(conf->jobs[i].type, type) == 0)
            return true;
    return false;
}

static void add(struct conf_loader *loader, const char *type, const char *unit)
{
    struct conf *conf = loader->conf;
    struct conf_job *grown = reallocarray(conf->jobs, conf->n_jobs + 1, sizeof(*grown)), *job;

    if (!grown) {
        conf_wrong(loader, 0, "out of memory");
        return;
    }
    conf->jobs = grown;
    job = &grown[conf->n_jobs++];
    job->type = strdup(type);
    job->unit = strdup(unit);
    if (!job->type || !job->unit)
        conf_wrong(loader, 0, "out of memory");
}

static void read_one(struct conf_loader *loader, const struct conf_key *key,
                     config_setting_t *setting)
{
    const char *value = config_setting_get_string(setting);
    char type[JOB_TYPE_LEN] = "";
    const char *unit = value ? strchr(value, '=') : NULL;

    if (unit && (size_t)(unit - value) < sizeof(type))
        memcpy(type, value, (size_t)(unit - value));
    if (!unit || !job_type_ok(type) || !unit_ok(unit + 1))
        conf_expected(loader, setting, key->expected);
    else if (known(loader->conf, type))
        conf_wrong(loader, (int)config_setting_source_line(setting),
                   "jobs.units: \"%s\" is there twice", type);
    else
        add(loader, type, unit + 1);
}

void conf_read_job_units(struct conf_loader *loader, const struct conf_key *key,
                         config_setting_t *setting, void *field)
{
    (void)field;
    if (!config_setting_is_array(setting) && !config_setting_is_list(setting)) {
        conf_expected(loader, setting, key->expected);
        return;
    }
    for (int i = 0; i < config_setting_length(setting); i++)
        read_one(loader, key, config_setting_get_elem(setting, (unsigned)i));
}

void conf_jobs_free(struct conf *conf)
{
    for (size_t i = 0; i < conf->n_jobs; i++) {
        free(conf->jobs[i].type);
        free(conf->jobs[i].unit);
    }
    free(conf->jobs);
}

/* What systemd tells of a unit, as far as it says how a job of it has ended. */
#ifndef UNIT_PROPERTIES_H
#define UNIT_PROPERTIES_H

#include <systemd/sd-bus.h>

#include "units.h"

struct unit_properties {
    bool any; /* anything was told */
    char load[24], active[24], sub[24];
    char result[32]; /* of a service: "success", "exit-code", … */
    int code;        /* of its main process: CLD_EXITED, … */
    int status;      /* exit status, or signal */
    bool condition_told, condition;
    uint64_t active_us, began_us; /* time of day; 0 = never */
};

/* Reads an a{sv}; what is not in it stays as it was. A negative errno. */
int unit_properties_read(struct unit_properties *properties, sd_bus_message *message);

/* `job`: how the job ended, in systemd's word. */
void unit_properties_judge(const struct unit_properties *properties, enum unit_verb verb,
                           const char *job, struct unit_result *ret);

#endif

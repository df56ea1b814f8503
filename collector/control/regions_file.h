/*
 * What the other regions have said, on disk: their seeds and data centers hold while they cannot be
 * reached, also after a boot. A cache: nothing in it is this cluster's own, so it is not synced,
 * and it lies beside the state file, as PATH.regions.
 */
#ifndef REGIONS_FILE_H
#define REGIONS_FILE_H

#include "../model/regions.h"

/* -ENOENT: there is none; -EBADMSG: it cannot be read as what it should be. */
int regions_file_load(const char *state_path, struct regions *regions);

int regions_file_save(const char *state_path, const struct regions *regions);

void regions_file_remove(const char *state_path);

#endif

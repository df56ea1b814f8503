/*
 * /allseeds as a file of its own, SEGMENT.seeds, and with each change of it SEGMENT.seeds.changed,
 * empty, for a path unit (prober-seeds.path), which cannot see a segment change. Its service
 * removes that before it reads the list.
 */
#ifndef SEEDS_FILE_H
#define SEEDS_FILE_H

#include "../publish/render.h"

/* Zeroed to begin with. */
struct seeds_file {
    char *text; /* as it is known to be; NULL = not known */
    int error;  /* of the last write */
};

/* Writes the list when it is another one, and not empty; what goes wrong is logged, and tried again
 * with the next call. */
void seeds_file_follow(struct seeds_file *file, const char *segment_path,
                       const struct render_context *context);

void seeds_file_free(struct seeds_file *file);

#endif

/*
 * The lock beside a segment: one writer per path. For prober_segment_writer.c only.
 */
#ifndef PROBER_SEGMENT_LOCK_H
#define PROBER_SEGMENT_LOCK_H

#include <stdbool.h>

/*
 * Locks the file at `path`, made when it is missing; closes *fd first when that is not negative. 0
 * and *fd, or -EBUSY (somebody else has it), or another negative errno; *fd is to be closed in any
 * case when it is not negative.
 */
int prober_segment_lock_take(const char *path, int *fd);

/* The locked file is still the one that the next writer would lock. */
bool prober_segment_lock_holds(const char *path, int fd);

#endif

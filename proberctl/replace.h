/*
 * Replaces a small file's bytes at once: a reader, and whoever looks after a power cut, sees the
 * old ones or the new ones. Owner, mode and extended attributes stay; the file before is kept as
 * PATH.prober-backup, and the one before the first change ever as PATH.prober-original.
 */
#ifndef REPLACE_H
#define REPLACE_H

#include <stddef.h>
#include <sys/stat.h>

#define REPLACE_MAX ((size_t)1024 * 1024)

struct original {
    const char *path;
    int fd;
    struct stat st;
    char *bytes;
    size_t len;
};

/* Reads the file and keeps others that use this from it until original_close(). NULL, or what is
 * wrong in one line. `path` is borrowed. */
const char *original_open(const char *path, struct original *ret);

/* The same for its new bytes. The file is as before when it is not NULL. */
const char *original_replace(const struct original *original, const char *bytes, size_t len);

void original_close(struct original *original);

#endif

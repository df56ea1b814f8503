/* Reads a whole file that this program wrote once. */
#ifndef READ_FILE_H
#define READ_FILE_H

#include <stddef.h>

/* *ret is owned by the caller (free()), and not NUL-terminated. -EBADMSG: more than `max` bytes;
 * -EINVAL: no file, such as /dev/null; or what opening or reading it said. */
int read_file(const char *path, size_t max, char **ret, size_t *ret_len);

#endif

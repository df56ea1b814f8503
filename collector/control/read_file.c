#include "read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int read_file(const char *path, size_t max, char **ret, size_t *ret_len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), r = 0;
    char *text = NULL;
    struct stat st;
    size_t len = 0;
    ssize_t n = 1;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0)
        r = -errno;
    else if (!S_ISREG(st.st_mode))
        r = -EINVAL; /* a device, such as /dev/null, is not to be moved away */
    else if ((uint64_t)st.st_size > max)
        r = -EBADMSG;
    else if (!(text = malloc((size_t)st.st_size + 1)))
        r = -ENOMEM;
    while (r == 0 && n > 0 && len < (size_t)st.st_size) {
        n = read(fd, text + len, (size_t)st.st_size - len);
        if (n < 0)
            r = -errno;
        else
            len += (size_t)n;
    }
    close(fd);
    if (r < 0) {
        free(text);
        return r;
    }
    *ret = text;
    *ret_len = len;
    return 0;
}

#include "prober_segment_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

bool prober_segment_lock_holds(const char *path, int fd)
{
    struct stat held, named;

    return fstat(fd, &held) == 0 && lstat(path, &named) == 0 && held.st_dev == named.st_dev &&
           held.st_ino == named.st_ino;
}

int prober_segment_lock_take(const char *path, int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
    /* Mode 0600: who can open it can lock it. */
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*fd < 0) {
        return -errno;
    }
    if (flock(*fd, LOCK_EX | LOCK_NB) < 0) {
        return errno == EWOULDBLOCK ? -EBUSY : -errno;
    }
    /* Deleted between open and flock: somebody else is at it. */
    return prober_segment_lock_holds(path, *fd) ? 0 : -EBUSY;
}

#include "replace.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/xattr.h>
#include <unistd.h>

/* What is wrong, from errno; valid until the next call. */
static const char *because(const char *what)
{
    static char line[256];

    snprintf(line, sizeof(line), "%s: %s", what, strerror(errno));
    return line;
}

static const char *check(const struct original *file)
{
    if (!S_ISREG(file->st.st_mode))
        return "it is no regular file; give the path of cassandra.yaml itself";
    if (file->st.st_nlink > 1)
        return "it has another name (a hard link), which would keep the old seeds; take one of "
               "them "
               "away";
    if (file->st.st_size > (off_t)REPLACE_MAX)
        return "it is larger than 1 MiB; is that a cassandra.yaml?";
    if (!(file->st.st_mode & 0222) || access(file->path, W_OK) < 0)
        return "it is read-only; chmod u+w, or run this as its owner";
    if (flock(file->fd, LOCK_EX | LOCK_NB) < 0)
        return "another proberctl writes it just now; run this again";
    return NULL;
}

static const char *read_all(struct original *file)
{
    /* One more, to see that it does not grow. */
    file->bytes = malloc(REPLACE_MAX + 2);
    if (!file->bytes)
        return because("cannot read it");
    while (file->len <= REPLACE_MAX) {
        ssize_t n = read(file->fd, file->bytes + file->len, REPLACE_MAX + 1 - file->len);

        if (n < 0)
            return because("cannot read it");
        if (n == 0)
            break;
        file->len += (size_t)n;
    }
    return file->len == (size_t)file->st.st_size ? NULL
                                                 : "it changes while it is read; run this again";
}

const char *original_open(const char *path, struct original *ret)
{
    const char *wrong;

    *ret = (struct original){.path = path};
    ret->fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (ret->fd < 0 && errno == ELOOP)
        wrong = "it is a symbolic link; give the file it leads to (readlink -f)";
    else if (ret->fd < 0 || fstat(ret->fd, &ret->st) < 0)
        wrong = because("cannot open it; which cassandra.yaml does this host use?");
    else if (!(wrong = check(ret)))
        wrong = read_all(ret);
    if (wrong)
        original_close(ret);
    return wrong;
}

void original_close(struct original *original)
{
    if (original->fd >= 0)
        close(original->fd);
    free(original->bytes);
    original->bytes = NULL;
    original->fd = -1;
}

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);

        if (n < 0)
            return -1;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Signed for these bytes and this inode; the kernel makes them anew. */
static bool is_signature(const char *name)
{
    return strcmp(name, "security.ima") == 0 || strcmp(name, "security.evm") == 0;
}

/* ACLs and labels. A file system without any has nothing to copy. */
static int copy_attributes(int from, int to)
{
    char names[4096], value[65536];
    ssize_t len = flistxattr(from, names, sizeof(names));

    if (len < 0)
        return errno == ENOTSUP ? 0 : -1;
    for (char *name = names; name < names + len; name += strlen(name) + 1) {
        ssize_t n;

        if (is_signature(name))
            continue;
        n = fgetxattr(from, name, value, sizeof(value));
        if (n < 0 || fsetxattr(to, name, value, (size_t)n, 0) < 0)
            return -1;
    }
    return 0;
}

static const char *write_new(const struct original *original, const char *path, const char *bytes,
                             size_t len)
{
    const char *wrong = NULL;
    int fd;

    unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return because("cannot write next to it");
    if (write_all(fd, bytes, len) < 0)
        wrong = because("cannot write next to it");
    else if (fchown(fd, original->st.st_uid, original->st.st_gid) < 0 ||
             fchmod(fd, original->st.st_mode & 07777) < 0 || copy_attributes(original->fd, fd) < 0)
        wrong = because("cannot give the new file its owner and mode; run this as its owner");
    else if (fsync(fd) < 0)
        wrong = because("cannot write next to it");
    if (close(fd) < 0 && !wrong)
        wrong = because("cannot write next to it");
    return wrong;
}

static const char *sync_directory(const char *path)
{
    char *copy = strdup(path);
    int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int r = fd < 0 ? -1 : fsync(fd);

    free(copy);
    if (fd >= 0)
        close(fd);
    return r < 0 ? because("it is written, but its directory cannot be synced") : NULL;
}

static bool is_changed(const struct original *original)
{
    struct stat now;

    return lstat(original->path, &now) < 0 || now.st_ino != original->st.st_ino ||
           now.st_dev != original->st.st_dev || now.st_size != original->st.st_size ||
           now.st_mtim.tv_sec != original->st.st_mtim.tv_sec ||
           now.st_mtim.tv_nsec != original->st.st_mtim.tv_nsec;
}

/* The files next to it, by what is behind their names. */
struct names {
    char *next;                 /* -new: the new bytes */
    char *backup, *next_backup; /* -backup: those before */
    char *first;                /* -original: those before the first change ever */
};

static const char *swap(const struct original *original, const struct names *names)
{
    if (is_changed(original))
        return "it has been changed by somebody else meanwhile; run this again";
    if ((link(names->next_backup, names->first) < 0 && errno != EEXIST) ||
        rename(names->next_backup, names->backup) < 0)
        return because("cannot keep a backup next to it");
    if (rename(names->next, original->path) < 0)
        return because("cannot replace it");
    return sync_directory(original->path);
}

const char *original_replace(const struct original *original, const char *bytes, size_t len)
{
    struct names names;
    const char *wrong;

    if (asprintf(&names.next, "%s.prober-new", original->path) < 0 ||
        asprintf(&names.backup, "%s.prober-backup", original->path) < 0 ||
        asprintf(&names.next_backup, "%s.new", names.backup) < 0 ||
        asprintf(&names.first, "%s.prober-original", original->path) < 0)
        abort();
    wrong = write_new(original, names.next, bytes, len);
    /* A copy: another name for the file would be a hard link to it after a crash. */
    if (!wrong)
        wrong = write_new(original, names.next_backup, original->bytes, original->len);
    if (!wrong)
        wrong = swap(original, &names);
    if (wrong) {
        unlink(names.next);
        unlink(names.next_backup);
    }
    free(names.next);
    free(names.backup);
    free(names.next_backup);
    free(names.first);
    return wrong;
}

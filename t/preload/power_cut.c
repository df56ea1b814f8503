/*
 * LD_PRELOAD: keeps beside what a directory has what it would have after a power cut, in
 * $POWER_CUT/now: the names as of the last fsync() of the directory $POWER_CUT_OF, each with the
 * bytes as of the last fsync() of its file; none where there was no such fsync(). With
 * POWER_CUT_LAZY=files no fsync() of a file counts, as if the program had not called it; with
 * POWER_CUT_LAZY=names none of a directory. Each fsync() takes POWER_CUT_SLOW more milliseconds.
 * While there is a file POWER_CUT_FAILS, that of a directory fails.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void copy(const char *from, const char *to)
{
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0640);
    char buffer[65536];
    ssize_t n;

    while (in >= 0 && (n = read(in, buffer, sizeof(buffer))) > 0)
        if (write(out, buffer, (size_t)n) != n)
            abort();
    if (in >= 0)
        close(in);
    close(out);
}

/* The bytes of a file are on disk, whatever it is called. */
static void keep_file(const char *root, int fd, const struct stat *st)
{
    char from[64], new_path[PATH_MAX], path[PATH_MAX];

    snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
    snprintf(path, sizeof(path), "%s/inode.%lu", root, (unsigned long)st->st_ino);
    snprintf(new_path, sizeof(new_path), "%s/new", root);
    copy(from, new_path);
    rename(new_path, path);
}

/* So are the names. */
static void keep_names(const char *root, const char *of)
{
    static unsigned count;
    char next[PATH_MAX / 2], from[PATH_MAX], to[PATH_MAX], link[PATH_MAX];
    struct dirent *entry;
    struct stat st;
    DIR *dir = opendir(of);

    snprintf(next, sizeof(next), "%s/names.%d.%u", root, (int)getpid(), count++);
    mkdir(next, 0755);
    while (dir && (entry = readdir(dir))) {
        if (entry->d_type != DT_REG)
            continue;
        snprintf(from, sizeof(from), "%s/%s", of, entry->d_name);
        if (stat(from, &st) < 0)
            continue;
        snprintf(from, sizeof(from), "%s/inode.%lu", root, (unsigned long)st.st_ino);
        snprintf(to, sizeof(to), "%s/%s", next, entry->d_name);
        copy(from, to);
    }
    closedir(dir);
    snprintf(link, sizeof(link), "%s/link", root);
    snprintf(to, sizeof(to), "%s/now", root);
    unlink(link);
    if (symlink(next, link) == 0)
        rename(link, to);
}

int fsync(int fd)
{
    static int (*real)(int);
    const char *root = getenv("POWER_CUT"), *of = getenv("POWER_CUT_OF"),
               *lazy = getenv("POWER_CUT_LAZY"), *slow = getenv("POWER_CUT_SLOW"),
               *fails = getenv("POWER_CUT_FAILS");
    struct stat st, directory;
    int r;

    if (!real)
        real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    if (fails && access(fails, F_OK) == 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        errno = EIO;
        return -1;
    }
    r = real(fd);
    if (slow)
        usleep((useconds_t)atoi(slow) * 1000);
    if (r < 0 || !root || !of || fstat(fd, &st) < 0)
        return r;
    if (lazy && strcmp(lazy, S_ISREG(st.st_mode) ? "files" : "names") == 0)
        return r;
    pthread_mutex_lock(&lock);
    if (S_ISREG(st.st_mode))
        keep_file(root, fd, &st);
    else if (stat(of, &directory) == 0 && directory.st_ino == st.st_ino &&
             directory.st_dev == st.st_dev)
        keep_names(root, of);
    pthread_mutex_unlock(&lock);
    return r;
}

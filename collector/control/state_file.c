#include "state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct state_file {
    char *path, *new_path, *link_path, *previous_path, *other_path, *directory;
    state_file_written written;
    void *userdata;
    sd_event_source *ended; /* its fd is written to by the thread */
    int fd;

    /* The write that runs. The thread has `text` and `result` until it says that it has ended. */
    bool busy;
    pthread_t thread;
    char *text;
    int result;
};

static int write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        text += n;
        len -= (size_t)n;
    }
    return 0;
}

static int write_new(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640), r;

    if (fd < 0)
        return -errno;
    r = write_all(fd, text, strlen(text));
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    if (close(fd) < 0 && r == 0)
        r = -errno;
    return r;
}

/*
 * The old file becomes PATH.1, and stays PATH until the new one takes its place. Where it cannot
 * have two names (a file of another owner, a file system without links) there is for a moment
 * PATH.1 alone, which a start takes as well. 1: done; 0: there is none, and PATH.1 is what it was.
 */
static int keep_previous(const struct state_file *file)
{
    if (unlink(file->link_path) < 0 && errno != ENOENT)
        return -errno;
    if (link(file->path, file->link_path) == 0)
        return rename(file->link_path, file->previous_path) < 0 ? -errno : 1;
    if (rename(file->path, file->previous_path) == 0)
        return 1;
    return errno == ENOENT ? 0 : -errno;
}

/* The new file takes the old one's place: at no time would a start find neither. */
static int rename_over(const struct state_file *file, int directory)
{
    int kept = keep_previous(file), r;

    if (kept < 0)
        return kept;
    if (rename(file->new_path, file->path) == 0 && fsync(directory) == 0)
        return 0;
    r = -errno;
    /* What is going to be refused must not come up with the next start. */
    if (kept)
        rename(file->previous_path, file->path);
    else
        unlink(file->path);
    return r;
}

static int replace(const struct state_file *file)
{
    int directory = open(file->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

    if (directory < 0)
        return -errno;
    r = write_new(file->new_path, file->text);
    if (r == 0)
        r = rename_over(file, directory);
    if (r < 0)
        unlink(file->new_path);
    close(directory);
    return r;
}

static void *run(void *userdata)
{
    struct state_file *file = userdata;
    const uint64_t one = 1;

    file->result = replace(file);
    while (write(file->fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
    return NULL;
}

/* The thread has ended, or is about to. */
static void join(struct state_file *file)
{
    pthread_join(file->thread, NULL);
    free(file->text);
    file->text = NULL;
    file->busy = false;
}

static int on_ended(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct state_file *file = userdata;
    uint64_t count;

    (void)source;
    (void)events;
    if (read(fd, &count, sizeof(count)) < 0 || !file->busy)
        return 0;
    join(file);
    file->written(file->result, file->userdata);
    return 0;
}

static int set_paths(struct state_file *file, const char *path)
{
    const char *slash = strrchr(path, '/');

    file->path = strdup(path);
    file->directory = slash == path ? strdup("/")
                      : slash       ? strndup(path, (size_t)(slash - path))
                                    : strdup(".");
    if (asprintf(&file->new_path, "%s.new", path) < 0)
        file->new_path = NULL;
    if (asprintf(&file->link_path, "%s.link", path) < 0)
        file->link_path = NULL;
    if (asprintf(&file->previous_path, "%s.1", path) < 0)
        file->previous_path = NULL;
    if (asprintf(&file->other_path, "%s.other", path) < 0)
        file->other_path = NULL;
    return file->path && file->directory && file->new_path && file->link_path &&
                   file->previous_path && file->other_path
               ? 0
               : -ENOMEM;
}

int state_file_new(sd_event *event, const char *path, state_file_written written, void *userdata,
                   struct state_file **ret)
{
    struct state_file *file = calloc(1, sizeof(*file));
    int r;

    if (!file)
        return -ENOMEM;
    file->written = written;
    file->userdata = userdata;
    file->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = file->fd < 0 ? -errno : set_paths(file, path);
    if (r >= 0)
        r = sd_event_add_io(event, &file->ended, file->fd, EPOLLIN, on_ended, file);
    if (r < 0) {
        state_file_free(file);
        return r;
    }
    *ret = file;
    return 0;
}

struct state_file *state_file_free(struct state_file *file)
{
    if (!file)
        return NULL;
    if (file->busy)
        join(file);
    sd_event_source_disable_unref(file->ended);
    if (file->fd >= 0)
        close(file->fd);
    free(file->path);
    free(file->new_path);
    free(file->link_path);
    free(file->previous_path);
    free(file->other_path);
    free(file->directory);
    free(file);
    return NULL;
}

int state_file_write(struct state_file *file, char *text)
{
    int r;

    if (file->busy) {
        free(text);
        return -EBUSY;
    }
    file->text = text;
    r = pthread_create(&file->thread, NULL, run, file);
    if (r != 0) {
        free(text);
        file->text = NULL;
        return -r;
    }
    file->busy = true;
    return 0;
}

int state_file_set_aside(const struct state_file *file)
{
    bool there = access(file->path, F_OK) == 0;

    /* The older one first: it must not be what the next start finds. */
    if (there && unlink(file->previous_path) < 0 && errno != ENOENT)
        return -errno;
    if (rename(there ? file->path : file->previous_path, file->other_path) < 0 && errno != ENOENT)
        return -errno;
    return 0;
}

bool state_file_busy(const struct state_file *file)
{
    return file->busy;
}

void state_file_wait(struct state_file *file)
{
    if (file->busy)
        join(file);
}

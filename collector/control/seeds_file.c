#include "seeds_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../log.h"

/* The directory is in memory, and the file is made anew at every start: it is not synced. */
static int write_whole(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    size_t len = strlen(text);
    ssize_t n;
    int r;

    if (fd < 0)
        return -errno;
    n = write(fd, text, len);
    r = n < 0 ? -errno : (size_t)n < len ? -ENOSPC : 0;
    close(fd);
    return r;
}

static int replace(const char *path, const char *text)
{
    char temporary[PATH_MAX];
    int r;

    if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary))
        return -ENAMETOOLONG;
    r = write_whole(temporary, text);
    if (r == 0 && rename(temporary, path) < 0)
        r = -errno;
    if (r < 0)
        unlink(temporary);
    return r;
}

/* A path unit misses what changes while its service ends, but not what is there afterwards: so
 * there is a second file, which stays until the service takes it away. */
static int publish_list(const char *path, const char *text)
{
    char changed[PATH_MAX];
    int r = replace(path, text);

    if (r == 0 && snprintf(changed, sizeof(changed), "%s.changed", path) >= (int)sizeof(changed))
        r = -ENAMETOOLONG;
    return r == 0 ? write_whole(changed, "") : r;
}

/* Whether the file says that already, as after a restart: then nobody is to be told. */
static bool says(const char *path, const char *text)
{
    size_t len = strlen(text);
    char *held = malloc(len + 1);
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool same =
        held && fd >= 0 && read(fd, held, len + 1) == (ssize_t)len && memcmp(held, text, len) == 0;

    if (fd >= 0)
        close(fd);
    free(held);
    return same;
}

/* NULL = none are known, or there is no memory for them. */
static char *seeds_text(const struct render_context *context)
{
    struct text list = {0};
    char *text = NULL;

    render_all_seeds(&list, context);
    if (!list.failed && list.len > strlen("[]\n"))
        text = strndup(list.data, list.len);
    text_free(&list);
    return text;
}

void seeds_file_follow(struct seeds_file *file, const char *segment_path,
                       const struct render_context *context)
{
    char path[PATH_MAX], *text = seeds_text(context);
    int r = -ENAMETOOLONG;

    if (!text || (file->text && strcmp(file->text, text) == 0)) {
        free(text);
        return;
    }
    if (snprintf(path, sizeof(path), "%s.seeds", segment_path) < (int)sizeof(path))
        r = !file->text && says(path, text) ? 0 : publish_list(path, text);
    if (r < 0 && r != file->error)
        log_warning("cannot write %s: %s; prober-seeds.path does not see that the seeds changed",
                    path, strerror(-r));
    if (r == 0 && file->error < 0)
        log_notice("writing %s again", path);
    file->error = r;
    free(r == 0 ? file->text : text);
    if (r == 0)
        file->text = text;
}

void seeds_file_free(struct seeds_file *file)
{
    free(file->text);
}

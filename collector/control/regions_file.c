#include "regions_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../publish/render_regions.h"

#define MAX_BYTES (16 * 1024 * 1024)

static void recall(const char *name, struct region_answer *answer, void *userdata)
{
    regions_recall(userdata, name, answer);
}

/* The whole file; 0 or a negative errno. */
static int read_whole(const char *path, struct text *text)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char buf[16384];
    struct stat st;
    ssize_t n = -1;

    if (fd < 0)
        return -errno;
    errno = EBADMSG;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= MAX_BYTES)
        while ((n = read(fd, buf, sizeof(buf))) > 0)
            text_add(text, buf, (size_t)n);
    if (n < 0)
        n = -errno;
    close(fd);
    return text->failed ? -ENOMEM : (int)n;
}

int regions_file_load(const char *state_path, struct regions *regions)
{
    struct text text = {0};
    char path[PATH_MAX];
    int r;

    if (snprintf(path, sizeof(path), "%s.regions", state_path) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    r = read_whole(path, &text);
    if (r == 0 &&
        region_read_kept(text.data ? text.data : "", text.len, recall, regions) != POLL_OK)
        r = -EBADMSG;
    text_free(&text);
    return r;
}

static int write_whole(const char *path, const struct text *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
    size_t done = 0;
    int r = 0;

    if (fd < 0)
        return -errno;
    while (r == 0 && done < text->len) {
        ssize_t n = write(fd, text->data + done, text->len - done);

        if (n < 0)
            r = -errno;
        else
            done += (size_t)n;
    }
    close(fd);
    return r;
}

void regions_file_remove(const char *state_path)
{
    char path[PATH_MAX];

    if (snprintf(path, sizeof(path), "%s.regions", state_path) < (int)sizeof(path))
        unlink(path);
}

int regions_file_save(const char *state_path, const struct regions *regions)
{
    char path[PATH_MAX], temporary[PATH_MAX];
    struct text text = {0};
    int r;

    if (snprintf(path, sizeof(path), "%s.regions", state_path) >= (int)sizeof(path) ||
        snprintf(temporary, sizeof(temporary), "%s.regions.new", state_path) >=
            (int)sizeof(temporary))
        return -ENAMETOOLONG;
    render_kept_regions(&text, regions);
    r = text.failed ? -ENOMEM : write_whole(temporary, &text);
    text_free(&text);
    if (r == 0 && rename(temporary, path) < 0)
        r = -errno;
    if (r < 0)
        unlink(temporary);
    return r;
}

/*
 * A segment's writer and reader for tests.
 *
 *   segmentctl PATH put KEY STATUS FLAGS TYPE BODY   BODY "@file" is read from the file
 *   segmentctl PATH remove KEY
 *   segmentctl PATH touch KEY AGE_MS                 the data is so old (negative: future)
 *   segmentctl PATH heartbeat AGE_MS                 the same for the heartbeat
 *   segmentctl PATH get KEY                          a line about the document, then its body
 *   segmentctl PATH list | info
 *   segmentctl PATH hold
 *
 * hold stays the writer: it says "ok" when it has the segment, moves the heartbeat every 100 ms,
 * and takes the other commands as lines on stdin (fields separated by tabs if the line has one,
 * else by spaces; the last field is the rest of the line), answering "ok" or "error ..." to each,
 * after what the command prints. There "heartbeat AGE_MS" also stops the heartbeat and "heartbeat
 * auto" starts it again. It ends on SIGTERM, or when stdin is a pipe and closes.
 *
 * Exit status: 0 done, 1 error, 2 usage.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "prober_segment_reader.h"
#include "prober_segment_writer.h"

#define FIELDS_MAX   6
#define HEARTBEAT_MS 100

struct tool {
    const char *path;
    struct prober_segment_writer *writer; /* opened at the first command that writes */
    bool heartbeat_off;
};

struct command {
    const char *name;
    int fields; /* with its name */
    int (*run)(struct tool *tool, char **fields);
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static int need_writer(struct tool *tool)
{
    return tool->writer != NULL ? 0 : prober_segment_writer_open(tool->path, &tool->writer);
}

static char *read_file(const char *path, size_t *ret_len)
{
    char *bytes = NULL;
    FILE *from = fopen(path, "re");
    FILE *to = open_memstream(&bytes, ret_len);
    int c;

    while (from != NULL && (c = getc(from)) != EOF) {
        putc(c, to);
    }
    fclose(to);
    if (from == NULL) {
        free(bytes);
        return NULL;
    }
    fclose(from);
    return bytes;
}

static int run_put(struct tool *tool, char **fields)
{
    const char *key = fields[1], *body = fields[5];
    size_t body_len = strlen(body);
    char *file = NULL;
    int r = need_writer(tool);

    if (r == 0 && body[0] == '@') {
        body = file = read_file(body + 1, &body_len);
        r = file == NULL ? -ENOENT : 0;
    }
    if (r == 0) {
        struct prober_document document = {.status = (uint16_t)atoi(fields[2]),
                                           .flags = (uint16_t)atoi(fields[3]),
                                           .content_type = fields[4],
                                           .body = body,
                                           .body_len = body_len};
        r = prober_segment_writer_put(tool->writer, key, strlen(key), &document);
    }
    free(file);
    if (r < 0) {
        return r;
    }
    prober_segment_writer_touch(tool->writer, key, strlen(key), prober_segment_now_ms());
    return prober_segment_writer_commit(tool->writer);
}

static int run_remove(struct tool *tool, char **fields)
{
    int r = need_writer(tool);

    if (r == 0) {
        r = prober_segment_writer_remove(tool->writer, fields[1], strlen(fields[1]));
    }
    if (r < 0) {
        return r;
    }
    return r == 0 ? -ENOENT : prober_segment_writer_commit(tool->writer);
}

static int run_touch(struct tool *tool, char **fields)
{
    int r = need_writer(tool);

    return r < 0 ? r
                 : prober_segment_writer_touch(tool->writer, fields[1], strlen(fields[1]),
                                               prober_segment_now_ms() - atoll(fields[2]));
}

static int run_heartbeat(struct tool *tool, char **fields)
{
    int r = need_writer(tool);

    if (r < 0) {
        return r;
    }
    tool->heartbeat_off = strcmp(fields[1], "auto") != 0;
    int64_t age = tool->heartbeat_off ? atoll(fields[1]) : 0;
    prober_segment_writer_heartbeat(tool->writer, prober_segment_now_ms() - age);
    return 0;
}

static int open_reader(struct tool *tool, struct prober_segment_reader *ret)
{
    enum prober_segment_problem problem = prober_segment_open(tool->path, ret);

    if (problem != PROBER_SEGMENT_OK) {
        fprintf(stderr, "segmentctl: %s: %s\n", tool->path, prober_segment_problem_text(problem));
        return problem == PROBER_SEGMENT_MISSING ? -ENOENT : -EBADMSG;
    }
    return 0;
}

static void print_reading(const char *key, int key_len, const struct prober_reading *reading)
{
    printf("%.*s status=%u flags=%u etag=%016" PRIx64 " len=%" PRIu32 " age_ms=%" PRId64
           " version=%" PRIu64 " type=%.*s\n",
           key_len, key, reading->status, reading->flags, reading->etag, reading->body_len,
           prober_segment_now_ms() - reading->observed_at_ms, reading->version,
           (int)reading->content_type_len, reading->content_type);
}

static int run_get(struct tool *tool, char **fields)
{
    struct prober_segment_reader reader;
    struct prober_reading reading;
    int r = open_reader(tool, &reader);

    if (r < 0) {
        return r;
    }
    do {
        r = prober_segment_find(&reader, fields[1], strlen(fields[1]), &reading);
        if (r == 0) {
            char *body = malloc(reading.body_len + 1u);
            r = prober_segment_copy(&reader, &reading, body);
            if (r == 0) {
                print_reading(fields[1], (int)strlen(fields[1]), &reading);
                fwrite(body, 1, reading.body_len, stdout);
                putchar('\n');
            }
            free(body);
        }
    } while (r == -EAGAIN);
    prober_segment_close(&reader);
    return r;
}

static int run_list(struct tool *tool, char **fields)
{
    struct prober_segment_reader reader;
    struct prober_reading reading;
    int r = open_reader(tool, &reader);

    (void)fields;
    if (r < 0) {
        return r;
    }
    const struct prober_segment_header *header = reader.base;
    const struct prober_segment_entry *entries =
        (const void *)((const char *)reader.base +
                       prober_segment_entries_offset(header->index_cells));
    for (uint64_t i = 0; i < header->entries_used && i < header->entry_capacity; i++) {
        if (prober_segment_find(&reader, entries[i].key, entries[i].key_len, &reading) == 0) {
            print_reading(entries[i].key, entries[i].key_len, &reading);
        }
    }
    prober_segment_close(&reader);
    return 0;
}

static int run_info(struct tool *tool, char **fields)
{
    struct prober_segment_reader reader;
    int r = open_reader(tool, &reader);

    (void)fields;
    if (r < 0) {
        return r;
    }
    const struct prober_segment_header *header = reader.base;
    printf("abi=%" PRIu64 " size=%zu generation=%" PRIu64 " heartbeat_ms=%" PRId64
           " heartbeat_age_ms=%" PRId64 " entries=%" PRIu64 "/%" PRIu64 " cells=%" PRIu64 "\n",
           header->abi, reader.size, prober_segment_generation(&reader),
           prober_segment_heartbeat_ms(&reader),
           prober_segment_now_ms() - prober_segment_heartbeat_ms(&reader), header->entries_used,
           header->entry_capacity, header->index_cells);
    prober_segment_close(&reader);
    return 0;
}

static const struct command commands[] = {
    {"put", 6, run_put},
    {"remove", 2, run_remove},
    {"touch", 3, run_touch},
    {"get", 2, run_get},
    {"list", 1, run_list},
    {"info", 1, run_info},
    {"heartbeat", 2, run_heartbeat},
};

static int run_command(struct tool *tool, char **fields, int count)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (count > 0 && strcmp(commands[i].name, fields[0]) == 0) {
            return commands[i].fields == count ? commands[i].run(tool, fields) : -EINVAL;
        }
    }
    return -EINVAL;
}

static void run_line(struct tool *tool, char *line)
{
    const char *separator = strchr(line, '\t') != NULL ? "\t" : " ";
    char *fields[FIELDS_MAX] = {NULL};
    int count = 0;

    while (count < FIELDS_MAX - 1 && line != NULL) {
        fields[count++] = strsep(&line, separator);
    }
    if (line != NULL) {
        fields[count++] = line;
    }
    int r = run_command(tool, fields, count);
    if (r < 0) {
        printf("error %s\n", strerror(-r));
    } else {
        puts("ok");
    }
    fflush(stdout);
}

static bool is_pipe(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

/* Reads what there is and runs the whole lines of it. False at the end of input. */
static bool take_input(struct tool *tool, char **buffer, size_t *used)
{
    char chunk[65536];
    ssize_t n = read(STDIN_FILENO, chunk, sizeof(chunk));
    char *end;

    if (n <= 0) {
        return n < 0 && errno == EINTR;
    }
    *buffer = realloc(*buffer, *used + (size_t)n);
    memcpy(*buffer + *used, chunk, (size_t)n);
    *used += (size_t)n;
    while ((end = memchr(*buffer, '\n', *used)) != NULL) {
        size_t len = (size_t)(end - *buffer);
        *end = '\0';
        run_line(tool, *buffer);
        *used -= len + 1;
        memmove(*buffer, end + 1, *used);
    }
    return true;
}

static int hold(struct tool *tool)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char *buffer = NULL;
    size_t used = 0;
    int r = need_writer(tool);

    if (r < 0) {
        return r;
    }
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    prober_segment_writer_heartbeat(tool->writer, prober_segment_now_ms());
    puts("ok");
    fflush(stdout);
    while (!stop) {
        if (poll(&input, 1, HEARTBEAT_MS) > 0 && !take_input(tool, &buffer, &used)) {
            if (is_pipe(STDIN_FILENO)) {
                break;
            }
            input.fd = -1;
        }
        if (!tool->heartbeat_off) {
            prober_segment_writer_heartbeat(tool->writer, prober_segment_now_ms());
        }
    }
    free(buffer);
    return 0;
}

int main(int argc, char **argv)
{
    struct tool tool = {.path = argc > 2 ? argv[1] : NULL};
    int r;

    if (argc < 3) {
        fprintf(stderr,
                "usage: segmentctl PATH put|remove|touch|heartbeat|get|list|info|hold ...\n");
        return 2;
    }
    if (argc == 3 && strcmp(argv[2], "hold") == 0) {
        r = hold(&tool);
    } else {
        r = run_command(&tool, argv + 2, argc - 2);
    }
    prober_segment_writer_close(tool.writer);
    if (r < 0) {
        fprintf(stderr, "segmentctl: %s: %s\n", argv[2], strerror(-r));
        return 1;
    }
    return 0;
}

/*
 * Arbitrary bytes as a segment. The reader may find nothing, never crash, and never reach beyond
 * the bytes; the writer takes such a file over or makes a new one, and goes on publishing in it.
 *
 * Seeds are segments with a small index, in t/fuzz/corpus/segment.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "prober_segment_reader.h"
#include "prober_segment_writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void read_key(const struct prober_segment_reader *reader, const char *key, size_t key_len)
{
    struct prober_reading reading;

    if (prober_segment_find(reader, key, key_len, &reading) == 0) {
        require(reading.body_len <= reader->size && reading.status >= 100 &&
                reading.status <= 599 && reading.content_type_len < PROBER_CONTENT_TYPE_MAX);
        char *body = malloc(reading.body_len);
        require(prober_segment_copy(reader, &reading, body) == 0);
        free(body);
    }
}

/* Well-known keys, and whatever stands where entries have theirs. */
static void read_all(const struct prober_segment_reader *reader)
{
    static const char *const keys[] = {"/ping", "/nodes", "/healthz/10.0.0.1", "/gone", ""};
    const struct prober_segment_header *header = reader->base;
    size_t offset = prober_segment_entries_offset(header->index_cells);

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        read_key(reader, keys[i], strlen(keys[i]));
    }
    for (int i = 0; i < 8; i++, offset += sizeof(struct prober_segment_entry)) {
        if (offset > reader->size || reader->size - offset < sizeof(struct prober_segment_entry)) {
            break;
        }
        char key[PROBER_KEY_MAX + 1];
        const char *entry = (const char *)reader->base + offset;
        memcpy(key, entry + offsetof(struct prober_segment_entry, key), PROBER_KEY_MAX);
        read_key(reader, key, (uint8_t)entry[offsetof(struct prober_segment_entry, key_len)]);
    }
    prober_segment_retired(reader);
    prober_segment_age_ms(prober_segment_heartbeat_ms(reader), prober_segment_now_ms());
}

static const char *scratch_path(void)
{
    static char path[64];

    if (path[0] == '\0') {
        snprintf(path, sizeof(path), "%s/prober-fuzz-%d",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int)getpid());
    }
    return path;
}

static void write_over(const char *path, const void *bytes, size_t size)
{
    struct prober_document document = {
        .status = 200, .content_type = "text/plain", .body = "pong!", .body_len = 5};
    struct prober_segment_writer *writer;
    struct prober_segment_reader reader;
    struct prober_reading reading;
    char lock[80];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    require(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    close(fd);
    require(prober_segment_writer_open(path, &writer) == 0);
    require(prober_segment_writer_put(writer, "/ping", 5, &document) >= 0);
    require(prober_segment_writer_put(writer, "/other", 6, &document) >= 0);
    require(prober_segment_writer_remove(writer, "/nodes", 6) >= 0);
    require(prober_segment_writer_commit(writer) == 0);
    require(prober_segment_open(path, &reader) == PROBER_SEGMENT_OK);
    require(prober_segment_find(&reader, "/ping", 5, &reading) == 0 && reading.body_len == 5);
    require(prober_segment_find(&reader, "/nodes", 6, &reading) < 0);
    read_all(&reader);
    prober_segment_close(&reader);
    prober_segment_writer_close(writer);
    snprintf(lock, sizeof(lock), "%s.lock", path);
    unlink(lock);
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct prober_segment_reader reader = {.base = malloc(size), .size = size};

    memcpy((void *)reader.base, data, size);
    if (prober_segment_validate(reader.base, size) == PROBER_SEGMENT_OK) {
        write_over(scratch_path(), data, size);
    }
    if (size >= sizeof(struct prober_segment_header)) {
        /* Also behind a header that open refuses: nothing of it is trusted later. */
        read_all(&reader);
        struct prober_segment_header *header = (struct prober_segment_header *)reader.base;
        header->magic = PROBER_SEGMENT_MAGIC;
        header->abi = PROBER_SEGMENT_ABI;
        header->size = size;
        if (prober_segment_validate(reader.base, size) == PROBER_SEGMENT_OK) {
            read_all(&reader);
        }
    }
    free((void *)reader.base);
    return 0;
}

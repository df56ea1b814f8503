/*
 * One segment file as its writer maps it: build, take over, add and change documents. For
 * prober_segment_writer.c only; the protocol is in prober_segment.h.
 */
#ifndef PROBER_SEGMENT_FILE_H
#define PROBER_SEGMENT_FILE_H

#include "prober_segment_reader.h"
#include "prober_segment_writer.h"

struct prober_segment_file {
    struct prober_segment_reader map; /* writable here; base NULL: no file */
    uint64_t slots_end;               /* offset of the room that is left */
    size_t documents;                 /* without removed ones */
    bool half_made;                   /* found on takeover: build a new file */
};

/* A document with all that the file keeps of it. */
struct prober_segment_record {
    const char *key;
    size_t key_len;
    size_t capacity; /* bytes of body, a multiple of 8 */
    int64_t observed_at_ms;
    struct prober_document document;
};

/* Bytes of file that a document with this capacity takes. */
size_t prober_segment_file_room(size_t capacity);

/*
 * Makes an empty file at `path`, which must not exist, with space for `entries` documents that take
 * `room` bytes together. On an error there is no file.
 */
int prober_segment_file_create(const char *path, size_t entries, size_t room,
                               struct prober_segment_file *ret);

/* Maps the file at `path` if it is ours and every entry is sound; a negative errno if not. */
int prober_segment_file_take_over(const char *path, struct prober_segment_file *ret);

/* Unmaps; accepts a zeroed file; zeroes it. */
void prober_segment_file_close(struct prober_segment_file *file);

struct prober_segment_header *prober_segment_file_header(const struct prober_segment_file *file);

/* Entry `number`, below the header's entries_used. */
struct prober_segment_entry *prober_segment_file_entry(const struct prober_segment_file *file,
                                                       uint64_t number);

/* The entry of a key, or NULL. */
struct prober_segment_entry *prober_segment_file_lookup(const struct prober_segment_file *file,
                                                        const char *key, size_t key_len);

/* The published document of an entry, in place; false when it is removed. */
bool prober_segment_file_document(const struct prober_segment_file *file,
                                  const struct prober_segment_entry *entry,
                                  struct prober_document *ret);

/* Publishes a document under a key that has no entry. -ENOSPC: no room in this file. */
int prober_segment_file_add(struct prober_segment_file *file,
                            const struct prober_segment_record *record);

/* Publishes other bytes under an entry; they fit its capacity. NULL removes the document. */
void prober_segment_file_change(struct prober_segment_file *file,
                                struct prober_segment_entry *entry,
                                const struct prober_document *document);

#endif

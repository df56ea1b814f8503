/*
 * Writes a segment: create or take over, update a document, publish, retire. The protocol is in
 * prober_segment.h.
 *
 * One writer per path, held by flock on PATH.lock. libc only; no logging; every function returns 0
 * or a negative errno unless it says otherwise. A writer killed at any instruction leaves every
 * published document whole.
 */
#ifndef PROBER_SEGMENT_WRITER_H
#define PROBER_SEGMENT_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "prober_segment_reader.h"

struct prober_segment_writer;

/* A document to publish. Nothing is kept: the writer copies. */
struct prober_document {
    uint16_t status;          /* HTTP status, 100-599 */
    uint16_t flags;           /* PROBER_DOCUMENT_… */
    const char *content_type; /* NUL-terminated, shorter than PROBER_CONTENT_TYPE_MAX */
    const void *body;
    size_t body_len;
};

/*
 * Opens `path` for writing: locks PATH.lock (-EBUSY: another collector has it), then takes the file
 * over when magic, ABI version, size, owner and every entry are sound, else makes a new empty one.
 * `*ret` is freed by _close.
 */
int prober_segment_writer_open(const char *path, struct prober_segment_writer **ret);

/* Unmaps and unlocks; the file stays for its readers, ageing. Accepts NULL. Returns NULL. */
struct prober_segment_writer *prober_segment_writer_close(struct prober_segment_writer *writer);

/* True when the file was taken over with documents in it (a restart), false when it was made new.
 */
bool prober_segment_writer_took_over(const struct prober_segment_writer *writer);

/*
 * Publishes a document under `key` (1..PROBER_KEY_MAX bytes). 1 = its bytes changed and readers see
 * it now, or will at _commit when it had no room; 0 = the same bytes were there already and nothing
 * was written; or a negative errno.
 */
int prober_segment_writer_put(struct prober_segment_writer *writer, const char *key, size_t key_len,
                              const struct prober_document *document);

/* Makes `key` unknown to readers (-ENOENT there). 1 = it was there, 0 = it was not. Its room is
 * reclaimed by a rebuild. */
int prober_segment_writer_remove(struct prober_segment_writer *writer, const char *key,
                                 size_t key_len);

/* Sets the time of the data behind `key` without a version change; also for a key put since the
 * last _commit. */
int prober_segment_writer_touch(struct prober_segment_writer *writer, const char *key,
                                size_t key_len, int64_t observed_at_ms);

/*
 * Ends a publish: builds a new file when documents outgrew the old one, and counts a generation
 * when anything changed. On an error (a full disk) the documents that found no room are dropped and
 * the old file stays as it is.
 */
int prober_segment_writer_commit(struct prober_segment_writer *writer);

/*
 * Looks after the path, once a round: a file that somebody deleted or replaced is put back, with
 * all documents. -EBUSY: another collector has the lock now, because PATH.lock was deleted too;
 * this one must end.
 */
int prober_segment_writer_check(struct prober_segment_writer *writer);

/* A document that was taken over stays as it is, ageing. False: there is none under `key`. */
bool prober_segment_writer_keep(struct prober_segment_writer *writer, const char *key,
                                size_t key_len);

/* Removes the documents that were taken over and neither put nor touched since. */
void prober_segment_writer_remove_inherited(struct prober_segment_writer *writer);

/* Calls `each` with the key of every document; it must not change the segment. */
void prober_segment_writer_each(const struct prober_segment_writer *writer,
                                void (*each)(const char *key, size_t key_len, void *userdata),
                                void *userdata);

/* The collector lives and a round is complete: moves the heartbeat (CLOCK_BOOTTIME ms). */
void prober_segment_writer_heartbeat(struct prober_segment_writer *writer, int64_t now_ms);

/* Size of the file in bytes, and how many documents it holds. */
size_t prober_segment_writer_size(const struct prober_segment_writer *writer);
size_t prober_segment_writer_documents(const struct prober_segment_writer *writer);

/* A reader over the writer's own mapping; valid until the next _commit or _close, never closed. */
struct prober_segment_reader prober_segment_writer_view(const struct prober_segment_writer *writer);

#endif

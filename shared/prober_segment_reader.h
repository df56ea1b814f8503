/*
 * Reads a segment: validate, bounded lock-free look-up, private copy. The protocol is in
 * prober_segment.h.
 *
 * A reader maps the file PROT_READ and trusts nothing in it: arbitrary bytes give an error, never a
 * crash or an endless loop. libc only; no allocation but the mapping, no logging. A reader may be
 * used by one thread at a time; any number of readers may map one segment.
 */
#ifndef PROBER_SEGMENT_READER_H
#define PROBER_SEGMENT_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "prober_segment.h"

/* Why a segment cannot be read. 0 is success, so a zeroed reader claims nothing it has not got
 * (base is NULL). */
enum prober_segment_problem {
    PROBER_SEGMENT_OK = 0,
    PROBER_SEGMENT_MISSING,   /* no file at the path */
    PROBER_SEGMENT_DENIED,    /* no permission */
    PROBER_SEGMENT_IO,        /* another error of open, fstat or mmap; errno is kept */
    PROBER_SEGMENT_NOT_FILE,  /* not a regular file */
    PROBER_SEGMENT_BAD_SIZE,  /* too small, too large, or not the size its header gives */
    PROBER_SEGMENT_BAD_MAGIC, /* not a segment */
    PROBER_SEGMENT_OLD_ABI,   /* written by an older collector */
    PROBER_SEGMENT_NEW_ABI,   /* written by a newer collector */
    PROBER_SEGMENT_CORRUPT,   /* offsets or sizes that do not fit the file */
};

struct prober_segment_reader {
    const void *base; /* NULL: nothing mapped */
    size_t size;
    dev_t dev;
    ino_t ino;
};

/* What a look-up found: the document's head, copied out, and where its body stands. */
struct prober_reading {
    uint16_t status;        /* HTTP status */
    uint16_t flags;         /* PROBER_DOCUMENT_… */
    uint32_t body_len;      /* bytes */
    uint64_t etag;          /* hash of status, content type and body */
    int64_t observed_at_ms; /* CLOCK_BOOTTIME ms of the data behind the document */
    uint8_t content_type_len;
    char content_type[PROBER_CONTENT_TYPE_MAX]; /* no NUL */
    /* for prober_segment_copy() only */
    uint64_t entry_offset;
    uint64_t body_offset;
    uint64_t version;
};

/* A word for a person: "no such file", "newer segment ABI", … */
const char *prober_segment_problem_text(enum prober_segment_problem problem);

/* Maps and validates the file at `path` into *ret (overwritten). On a problem *ret is zeroed. */
enum prober_segment_problem prober_segment_open(const char *path,
                                                struct prober_segment_reader *ret);

/* Unmaps; accepts a zeroed reader; zeroes it. */
void prober_segment_close(struct prober_segment_reader *reader);

/* True when the writer has replaced this file: open the path again. */
bool prober_segment_retired(const struct prober_segment_reader *reader);

/* True when the path names another file than the mapped one, or none. One stat(). */
bool prober_segment_replaced(const struct prober_segment_reader *reader, const char *path);

/* CLOCK_BOOTTIME ms of the last heartbeat; 0 = no complete round was ever published (answer
 * "starting"). */
int64_t prober_segment_heartbeat_ms(const struct prober_segment_reader *reader);

/* Grows by one with every publish that changed a document; survives a rebuild. */
uint64_t prober_segment_generation(const struct prober_segment_reader *reader);

/* CLOCK_BOOTTIME now, in ms. Take it after reading the time it is compared with. */
int64_t prober_segment_now_ms(void);

/*
 * Age in ms of something that happened at then_ms: never negative. Up to 1 s in the future is age 0
 * (clocks are read one after the other); more is a broken or foreign clock and gives INT64_MAX.
 */
int64_t prober_segment_age_ms(int64_t then_ms, int64_t now_ms);

/*
 * Looks `key` up. 0 and *ret, or -ENOENT (no such document), -EAGAIN (changed too often while
 * reading: answer 503), -EBADMSG (the segment is corrupt here).
 */
int prober_segment_find(const struct prober_segment_reader *reader, const char *key, size_t key_len,
                        struct prober_reading *ret);

/* Copies the body of `reading` (reading->body_len bytes) into buf. 0, or -EAGAIN: it changed since,
 * look up again. */
int prober_segment_copy(const struct prober_segment_reader *reader,
                        const struct prober_reading *reading, void *buf);

/*
 * For the writer, tools and tests.
 */

/* What prober_segment_open() checks after mapping. */
enum prober_segment_problem prober_segment_validate(const void *base, size_t size);

/* 64-bit hash of keys (seed 0) and bodies; not for adversaries. */
uint64_t prober_segment_hash(const void *bytes, size_t len, uint64_t seed);

/* Where the entry of `key` stands, removed document or not. 0, -ENOENT or -EBADMSG. */
int prober_segment_lookup(const struct prober_segment_reader *reader, const char *key,
                          size_t key_len, uint64_t *ret_entry_offset);

#endif

/*
 * The segment: a set of documents (path -> HTTP status, content type, ETag, body) published by
 * one writer, the collector, to any number of readers, the nginx workers, in one mapped file.
 *
 * THE FILE lives on tmpfs and is replaced by rename, never truncated, never shrunk or grown in
 * place. It holds no pointers, only offsets and counts, in the byte order of the machine:
 *
 *     header | index: index_cells x 8 bytes | entries: entry_capacity x entry | slots ...
 *
 *   index   Open addressing, fixed for the life of the file, a power of two, at most half full.
 *           A cell is 0 or the upper 32 bits of the key's hash and, below, 1 + the entry's
 *           number. A look-up starts at hash & (index_cells - 1) and walks on until the key, an
 *           empty cell or PROBER_SEGMENT_PROBES cells.
 *   entry   One key for the life of the file: nothing is deleted in place. It has two slots of
 *           equal fixed capacity, a version, and the time of the data behind the document.
 *   slot    The document: head, then body. Status 0 is a removed document, unknown to readers.
 *
 * PUBLISHING a document whose bytes changed:
 *
 *     writer                                      reader
 *     v = version                                 v = version, acquire            (1)
 *     release fence                          (A)  copy out of slot v & 1, and the time, relaxed
 *     write slot (v + 1) & 1, relaxed words       acquire fence                   (2)
 *     version = v + 1, release               (B)  version, relaxed: still v? else start again
 *     time, release                          (C)
 *
 *   (B) with (1): who sees v + 1 sees its slot whole. (A) with (2): who read a word of a later
 *   write into its slot sees that the version moved on. (C) with (2): who read the new time sees
 *   that the version moved on, so old bytes never go with a new time. Slots are only ever read
 *   and written as relaxed 8-byte atomic words. Retries are bounded; then the reader answers 503.
 *   There is one writer, so the version needs no read-modify-write.
 *
 *   A document with the same bytes as before is not written; only its time moves, which is no
 *   change of version. Publishing costs as much as what changed.
 *
 *   A new document takes the next entry: entries_used is counted up, entry and slot 0 are filled,
 *   and the index cell, release, publishes the key last.
 *
 * A WRITER KILLED at any instruction leaves every published document whole: the version still
 * names the slot that was not being written. The next writer takes the file over if magic, ABI
 * version, size and owner match and every entry is sound; documents and heartbeat stay as they
 * are and age. A half-made entry (counted, but in no cell) makes it build a new file.
 *
 * A NEW FILE is built when a body outgrows its slot, or entries or room run out: a temporary file
 * in the same directory (O_EXCL, O_NOFOLLOW, mode 0644), its space allocated (a hole on a full
 * tmpfs would be SIGBUS in a reader), filled, renamed over the path, and only then the old one is
 * marked retired. Readers open the path again at the next request after that; they also stat it
 * about once a second, for a writer that died between the two, or began anew.
 *
 * A READER maps PROT_READ and trusts nothing: the size is checked before mapping; magic, then ABI
 * version, then size, then geometry after; every offset and length again before every use. One
 * that finds a newer ABI version at the path keeps its old mapping until that is stale (during an
 * upgrade).
 *
 * TIMES are CLOCK_BOOTTIME in ms. The heartbeat is the last complete round of a living collector;
 * 0 = there was none yet. A reader takes its own time after it read the heartbeat: up to 1 s in
 * the future is age 0, more is stale.
 *
 * ONE WRITER: flock on PATH.lock, which is never removed.
 */
#ifndef PROBER_SEGMENT_H
#define PROBER_SEGMENT_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define PROBER_SEGMENT_MAGIC  UINT64_C(0x31474553424f5250) /* "PROBSEG1" */
#define PROBER_SEGMENT_ABI    1u
#define PROBER_SEGMENT_MAX    ((size_t)1 << 30) /* bytes of file */
#define PROBER_SEGMENT_PROBES 128u              /* cells looked at for one key */
#define PROBER_SEGMENT_ALIGN  64u               /* of entries and slots: a cache line */

#define PROBER_KEY_MAX          127u /* bytes of a key */
#define PROBER_CONTENT_TYPE_MAX 64u  /* bytes of a content type with its NUL */

/* Document flags: NOT_READY: the status says "not ready" and a location may answer another one;
 * NO_CACHE: Cache-Control: no-cache instead of no-store. */
#define PROBER_DOCUMENT_NOT_READY 1u
#define PROBER_DOCUMENT_NO_CACHE  2u
/* Says that the data is fresh: never answered when the heartbeat is stale, whatever is configured.
 */
#define PROBER_DOCUMENT_FRESH_ONLY 4u
/* Is no data, and is answered as it is when the heartbeat is stale. */
#define PROBER_DOCUMENT_AGELESS 8u

/* The words before the blank line are fixed before the file has its name; the others move. */
struct prober_segment_header {
    uint64_t magic;
    uint64_t abi;
    uint64_t size;           /* bytes of the file */
    uint64_t index_cells;    /* a power of two */
    uint64_t entry_capacity; /* at most index_cells / 2 */
    uint64_t reserved[3];

    _Atomic uint64_t entries_used; /* for the writer; readers go by the index */
    _Atomic int64_t heartbeat_ms;
    _Atomic uint64_t generation;
    _Atomic uint64_t retired; /* not 0: the path names another file */
    uint64_t reserved_too[4];
};

/* Fixed once its cell is published, but for version and observed_at_ms. */
struct prober_segment_entry {
    _Atomic uint64_t version; /* the document is in slot version & 1 */
    _Atomic int64_t observed_at_ms;
    uint64_t hash;           /* prober_segment_hash() of the key */
    uint64_t slot_offset[2]; /* from the start of the file, aligned */
    uint64_t slot_capacity;  /* bytes of body, a multiple of 8 */
    uint8_t key_len;
    char key[PROBER_KEY_MAX];
    uint64_t reserved[2];
};

struct prober_segment_slot {
    _Atomic uint64_t meta; /* status, flags << 16, length of the content type << 32 */
    _Atomic uint64_t body_len;
    _Atomic uint64_t etag; /* hash of status, content type and body */
    _Atomic uint64_t content_type[PROBER_CONTENT_TYPE_MAX / 8];
    _Atomic uint64_t body[]; /* the last word is padded with 0 */
};

_Static_assert(sizeof(void *) == 8 && sizeof(size_t) == 8, "64-bit machines only");
_Static_assert(ATOMIC_LONG_LOCK_FREE == 2 && sizeof(long) == 8, "plain loads on a read-only map");
_Static_assert(sizeof(_Atomic uint64_t) == 8, "a word of the file");
_Static_assert(sizeof(struct prober_segment_header) == 128, "layout");
_Static_assert(offsetof(struct prober_segment_header, entries_used) == 64, "layout");
_Static_assert(sizeof(struct prober_segment_entry) == 192, "layout");
_Static_assert(offsetof(struct prober_segment_entry, key_len) == 48, "layout");
_Static_assert(sizeof(struct prober_segment_slot) == 88, "layout");
_Static_assert(sizeof(struct prober_segment_entry) % PROBER_SEGMENT_ALIGN == 0, "layout");
_Static_assert(PROBER_CONTENT_TYPE_MAX % 8 == 0 && PROBER_KEY_MAX <= UINT8_MAX, "layout");

static inline uint64_t prober_segment_entries_offset(uint64_t index_cells)
{
    return sizeof(struct prober_segment_header) + index_cells * sizeof(uint64_t);
}

/* ThreadSanitizer knows no fences and gcc says so; every word they order is atomic all the same. */
static inline void prober_segment_fence(memory_order order)
{
#if defined(__SANITIZE_THREAD__) && __GNUC__ >= 11
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"
#endif
    atomic_thread_fence(order);
#if defined(__SANITIZE_THREAD__) && __GNUC__ >= 11
#pragma GCC diagnostic pop
#endif
}

#endif

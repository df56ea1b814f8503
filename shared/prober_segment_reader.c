#include "prober_segment_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FIND_TRIES         64
#define FUTURE_ALLOWED_MS  1000
#define LOW_WORD(cell)     ((cell)&UINT32_MAX)
#define ROUND_UP(n, align) (((n) + (align)-1) / (align) * (align))

/* Bytes of the map, or NULL when they are not all in it. This is what makes any offset safe to use.
 */
static const void *at(const struct prober_segment_reader *reader, uint64_t offset, uint64_t len)
{
    if (offset % sizeof(uint64_t) != 0 || offset > reader->size || len > reader->size - offset) {
        return NULL;
    }
    return (const char *)reader->base + offset;
}

static const struct prober_segment_header *header(const struct prober_segment_reader *reader)
{
    return at(reader, 0, sizeof(struct prober_segment_header));
}

static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t prober_segment_hash(const void *bytes, size_t len, uint64_t seed)
{
    const char *p = bytes;
    uint64_t hash = seed ^ (len * UINT64_C(0x9e3779b97f4a7c15));
    uint64_t word;

    for (; len >= sizeof(word); p += sizeof(word), len -= sizeof(word)) {
        memcpy(&word, p, sizeof(word));
        hash = fold(hash ^ word, UINT64_C(0xa0761d6478bd642f));
    }
    if (len > 0) {
        word = 0;
        memcpy(&word, p, len);
        hash = fold(hash ^ word, UINT64_C(0xe7037ed1a0b428db));
    }
    return fold(hash ^ UINT64_C(0x8ebc6af09c88c6e3), UINT64_C(0x589965cc75374cc3));
}

const char *prober_segment_problem_text(enum prober_segment_problem problem)
{
    switch (problem) {
    case PROBER_SEGMENT_OK:
        return "no problem";
    case PROBER_SEGMENT_MISSING:
        return "no such file";
    case PROBER_SEGMENT_DENIED:
        return "permission denied";
    case PROBER_SEGMENT_IO:
        return "cannot be opened or mapped";
    case PROBER_SEGMENT_NOT_FILE:
        return "not a regular file";
    case PROBER_SEGMENT_BAD_SIZE:
        return "wrong size";
    case PROBER_SEGMENT_BAD_MAGIC:
        return "not a segment";
    case PROBER_SEGMENT_OLD_ABI:
        return "older segment ABI";
    case PROBER_SEGMENT_NEW_ABI:
        return "newer segment ABI";
    case PROBER_SEGMENT_CORRUPT:
        return "corrupt segment";
    }
    return "unknown problem";
}

static enum prober_segment_problem problem_of_errno(void)
{
    switch (errno) {
    case ENOENT:
    case ENOTDIR:
        return PROBER_SEGMENT_MISSING;
    case EACCES:
    case EPERM:
        return PROBER_SEGMENT_DENIED;
    case ELOOP: /* a symbolic link */
    case ENXIO: /* a socket */
        return PROBER_SEGMENT_NOT_FILE;
    default:
        return PROBER_SEGMENT_IO;
    }
}

enum prober_segment_problem prober_segment_validate(const void *base, size_t size)
{
    const struct prober_segment_header *h = base;

    if (size < sizeof(*h) || size > PROBER_SEGMENT_MAX) {
        return PROBER_SEGMENT_BAD_SIZE;
    }
    if (h->magic != PROBER_SEGMENT_MAGIC) {
        return PROBER_SEGMENT_BAD_MAGIC;
    }
    if (h->abi != PROBER_SEGMENT_ABI) {
        return h->abi < PROBER_SEGMENT_ABI ? PROBER_SEGMENT_OLD_ABI : PROBER_SEGMENT_NEW_ABI;
    }
    if (h->size != size) {
        return PROBER_SEGMENT_BAD_SIZE;
    }
    /* Both counts are below the size of the file before they are multiplied: nothing overflows. */
    uint64_t cells = h->index_cells, entries = h->entry_capacity;
    if (cells < 8 || (cells & (cells - 1)) != 0 || cells > size || entries > cells / 2 ||
        prober_segment_entries_offset(cells) + entries * sizeof(struct prober_segment_entry) >
            size) {
        return PROBER_SEGMENT_CORRUPT;
    }
    return PROBER_SEGMENT_OK;
}

static enum prober_segment_problem map_file(int fd, struct prober_segment_reader *ret)
{
    struct stat st;
    enum prober_segment_problem problem;

    if (fstat(fd, &st) < 0) {
        return PROBER_SEGMENT_IO;
    }
    if (!S_ISREG(st.st_mode)) {
        return PROBER_SEGMENT_NOT_FILE;
    }
    if (st.st_size < (off_t)sizeof(struct prober_segment_header) ||
        st.st_size > (off_t)PROBER_SEGMENT_MAX) {
        return PROBER_SEGMENT_BAD_SIZE;
    }
    void *base = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        return PROBER_SEGMENT_IO;
    }
    problem = prober_segment_validate(base, (size_t)st.st_size);
    if (problem != PROBER_SEGMENT_OK) {
        munmap(base, (size_t)st.st_size);
        return problem;
    }
    *ret = (struct prober_segment_reader){
        .base = base, .size = (size_t)st.st_size, .dev = st.st_dev, .ino = st.st_ino};
    return PROBER_SEGMENT_OK;
}

enum prober_segment_problem prober_segment_open(const char *path, struct prober_segment_reader *ret)
{
    enum prober_segment_problem problem;

    memset(ret, 0, sizeof(*ret));
    /* O_NONBLOCK: a fifo at the path must not hang the reader. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return problem_of_errno();
    }
    problem = map_file(fd, ret);
    int saved = errno;
    close(fd);
    errno = saved;
    return problem;
}

void prober_segment_close(struct prober_segment_reader *reader)
{
    if (reader->base != NULL) {
        munmap((void *)reader->base, reader->size);
    }
    memset(reader, 0, sizeof(*reader));
}

bool prober_segment_retired(const struct prober_segment_reader *reader)
{
    const struct prober_segment_header *h = header(reader);

    return h == NULL || atomic_load_explicit(&h->retired, memory_order_acquire) != 0;
}

bool prober_segment_replaced(const struct prober_segment_reader *reader, const char *path)
{
    struct stat st;

    return reader->base == NULL || lstat(path, &st) < 0 || st.st_dev != reader->dev ||
           st.st_ino != reader->ino;
}

int64_t prober_segment_heartbeat_ms(const struct prober_segment_reader *reader)
{
    const struct prober_segment_header *h = header(reader);

    return h == NULL ? 0 : atomic_load_explicit(&h->heartbeat_ms, memory_order_acquire);
}

uint64_t prober_segment_generation(const struct prober_segment_reader *reader)
{
    const struct prober_segment_header *h = header(reader);

    return h == NULL ? 0 : atomic_load_explicit(&h->generation, memory_order_acquire);
}

int64_t prober_segment_now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t prober_segment_age_ms(int64_t then_ms, int64_t now_ms)
{
    int64_t age;

    if (__builtin_sub_overflow(now_ms, then_ms, &age) || age < -FUTURE_ALLOWED_MS) {
        return INT64_MAX;
    }
    return age < 0 ? 0 : age;
}

static bool entry_has_key(const struct prober_segment_entry *entry, uint64_t hash, const char *key,
                          size_t key_len)
{
    return entry->hash == hash && entry->key_len == key_len &&
           memcmp(entry->key, key, key_len) == 0;
}

int prober_segment_lookup(const struct prober_segment_reader *reader, const char *key,
                          size_t key_len, uint64_t *ret_entry_offset)
{
    const struct prober_segment_header *h = header(reader);

    if (key_len == 0 || key_len > PROBER_KEY_MAX) {
        return -ENOENT;
    }
    if (h == NULL) {
        return -EBADMSG;
    }
    uint64_t hash = prober_segment_hash(key, key_len, 0);
    uint64_t cells = h->index_cells, entries = h->entry_capacity;
    for (uint64_t step = 0; step < PROBER_SEGMENT_PROBES && step < cells; step++) {
        uint64_t place = (hash + step) & (cells - 1);
        const _Atomic uint64_t *cell_at =
            at(reader, sizeof(*h) + place * sizeof(uint64_t), sizeof(uint64_t));
        if (cell_at == NULL) {
            return -EBADMSG;
        }
        uint64_t cell = atomic_load_explicit(cell_at, memory_order_acquire);
        if (cell == 0) {
            return -ENOENT;
        }
        if (cell >> 32 != hash >> 32) {
            continue;
        }
        uint64_t number = LOW_WORD(cell) - 1;
        uint64_t offset =
            prober_segment_entries_offset(cells) + number * sizeof(struct prober_segment_entry);
        const struct prober_segment_entry *entry = at(reader, offset, sizeof(*entry));
        if (number >= entries || entry == NULL) {
            return -EBADMSG;
        }
        if (entry_has_key(entry, hash, key, key_len)) {
            *ret_entry_offset = offset;
            return 0;
        }
    }
    return -ENOENT;
}

/* Copies the head of the slot of `version`. What it returns counts only if the version stays. */
static int read_head(const struct prober_segment_reader *reader,
                     const struct prober_segment_entry *entry, uint64_t version,
                     struct prober_reading *ret)
{
    uint64_t offset = entry->slot_offset[version & 1];
    const struct prober_segment_slot *slot = at(reader, offset, sizeof(*slot));

    if (slot == NULL) {
        return -EBADMSG;
    }
    uint64_t meta = atomic_load_explicit(&slot->meta, memory_order_relaxed);
    uint64_t body_len = atomic_load_explicit(&slot->body_len, memory_order_relaxed);
    ret->etag = atomic_load_explicit(&slot->etag, memory_order_relaxed);
    for (size_t i = 0; i < PROBER_CONTENT_TYPE_MAX / sizeof(uint64_t); i++) {
        uint64_t word = atomic_load_explicit(&slot->content_type[i], memory_order_relaxed);
        memcpy(ret->content_type + i * sizeof(word), &word, sizeof(word));
    }
    ret->status = (uint16_t)meta;
    ret->flags = (uint16_t)(meta >> 16);
    ret->content_type_len = (uint8_t)(meta >> 32);
    ret->body_len = (uint32_t)body_len;
    ret->body_offset = offset + sizeof(*slot);
    ret->version = version;
    ret->observed_at_ms = atomic_load_explicit(&entry->observed_at_ms, memory_order_relaxed);
    if (meta == 0) {
        return -ENOENT;
    }
    if (ret->status < 100 || ret->status > 599 || meta >> 32 >= PROBER_CONTENT_TYPE_MAX ||
        body_len > entry->slot_capacity || body_len > PROBER_SEGMENT_MAX ||
        at(reader, ret->body_offset, ROUND_UP(body_len, sizeof(uint64_t))) == NULL) {
        return -EBADMSG;
    }
    return 0;
}

int prober_segment_find(const struct prober_segment_reader *reader, const char *key, size_t key_len,
                        struct prober_reading *ret)
{
    uint64_t offset;
    int r = prober_segment_lookup(reader, key, key_len, &offset);

    if (r < 0) {
        return r;
    }
    const struct prober_segment_entry *entry = at(reader, offset, sizeof(*entry));
    for (int tries = 0; tries < FIND_TRIES; tries++) {
        uint64_t version = atomic_load_explicit(&entry->version, memory_order_acquire);

        r = read_head(reader, entry, version, ret);
        ret->entry_offset = offset;
        prober_segment_fence(memory_order_acquire);
        if (atomic_load_explicit(&entry->version, memory_order_relaxed) == version) {
            return r;
        }
    }
    return -EAGAIN;
}

int prober_segment_copy(const struct prober_segment_reader *reader,
                        const struct prober_reading *reading, void *buf)
{
    size_t len = reading->body_len, full = len / sizeof(uint64_t);
    const struct prober_segment_entry *entry = at(reader, reading->entry_offset, sizeof(*entry));
    const _Atomic uint64_t *words =
        at(reader, reading->body_offset, ROUND_UP(len, sizeof(uint64_t)));
    char *to = buf;

    if (entry == NULL || words == NULL) {
        return -EAGAIN; /* read from a segment that has been closed since */
    }
    for (size_t i = 0; i < full; i++) {
        uint64_t word = atomic_load_explicit(&words[i], memory_order_relaxed);
        memcpy(to + i * sizeof(word), &word, sizeof(word));
    }
    if (len % sizeof(uint64_t) != 0) {
        uint64_t word = atomic_load_explicit(&words[full], memory_order_relaxed);
        memcpy(to + full * sizeof(word), &word, len % sizeof(word));
    }
    prober_segment_fence(memory_order_acquire);
    return atomic_load_explicit(&entry->version, memory_order_relaxed) == reading->version
               ? 0
               : -EAGAIN;
}

#include "prober_segment_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIN_ENTRIES        64
#define MIN_SPARE          ((size_t)64 << 10)
#define ROUND_UP(n, align) (((n) + (align)-1) / (align) * (align))

size_t prober_segment_file_room(size_t capacity)
{
    return 2 * ROUND_UP(sizeof(struct prober_segment_slot) + capacity, PROBER_SEGMENT_ALIGN);
}

static void *at(const struct prober_segment_file *file, uint64_t offset)
{
    return (char *)file->map.base + offset;
}

struct prober_segment_header *prober_segment_file_header(const struct prober_segment_file *file)
{
    return at(file, 0);
}

struct prober_segment_entry *prober_segment_file_entry(const struct prober_segment_file *file,
                                                       uint64_t number)
{
    uint64_t cells = prober_segment_file_header(file)->index_cells;

    return at(file,
              prober_segment_entries_offset(cells) + number * sizeof(struct prober_segment_entry));
}

static _Atomic uint64_t *index_cell(const struct prober_segment_file *file, uint64_t place)
{
    return at(file, sizeof(struct prober_segment_header) + place * sizeof(uint64_t));
}

static uint64_t slots_start(const struct prober_segment_file *file)
{
    const struct prober_segment_header *header = prober_segment_file_header(file);

    return prober_segment_entries_offset(header->index_cells) +
           header->entry_capacity * sizeof(struct prober_segment_entry);
}

struct prober_segment_entry *prober_segment_file_lookup(const struct prober_segment_file *file,
                                                        const char *key, size_t key_len)
{
    uint64_t offset;

    return prober_segment_lookup(&file->map, key, key_len, &offset) < 0 ? NULL : at(file, offset);
}

static struct prober_segment_slot *slot_of(const struct prober_segment_file *file,
                                           const struct prober_segment_entry *entry,
                                           uint64_t version)
{
    return at(file, entry->slot_offset[version & 1]);
}

bool prober_segment_file_document(const struct prober_segment_file *file,
                                  const struct prober_segment_entry *entry,
                                  struct prober_document *ret)
{
    uint64_t version = atomic_load_explicit(&entry->version, memory_order_relaxed);
    const struct prober_segment_slot *slot = slot_of(file, entry, version);
    uint64_t meta = atomic_load_explicit(&slot->meta, memory_order_relaxed);

    *ret = (struct prober_document){
        .status = (uint16_t)meta,
        .flags = (uint16_t)(meta >> 16),
        .content_type = (const char *)slot->content_type,
        .body = (const char *)slot->body,
        .body_len = atomic_load_explicit(&slot->body_len, memory_order_relaxed),
    };
    return meta != 0;
}

static void write_words(_Atomic uint64_t *words, const void *bytes, size_t len)
{
    const char *p = bytes;
    uint64_t word;

    for (; len >= sizeof(word); p += sizeof(word), len -= sizeof(word)) {
        memcpy(&word, p, sizeof(word));
        atomic_store_explicit(words++, word, memory_order_relaxed);
    }
    if (len > 0) {
        word = 0;
        memcpy(&word, p, len);
        atomic_store_explicit(words, word, memory_order_relaxed);
    }
}

static uint64_t etag_of(uint16_t status, const char *content_type, size_t content_type_len,
                        const void *body, size_t body_len)
{
    return prober_segment_hash(body, body_len,
                               prober_segment_hash(content_type, content_type_len, status));
}

static void write_slot(struct prober_segment_slot *slot, const struct prober_document *document)
{
    char content_type[PROBER_CONTENT_TYPE_MAX] = {0};
    size_t type_len = strlen(document->content_type);
    uint64_t meta = document->status | (uint64_t)document->flags << 16 | (uint64_t)type_len << 32;
    uint64_t etag = etag_of(document->status, document->content_type, type_len, document->body,
                            document->body_len);

    memcpy(content_type, document->content_type, type_len);
    atomic_store_explicit(&slot->meta, meta, memory_order_relaxed);
    atomic_store_explicit(&slot->body_len, document->body_len, memory_order_relaxed);
    atomic_store_explicit(&slot->etag, etag, memory_order_relaxed);
    write_words(slot->content_type, content_type, sizeof(content_type));
    write_words(slot->body, document->body, document->body_len);
}

void prober_segment_file_change(struct prober_segment_file *file,
                                struct prober_segment_entry *entry,
                                const struct prober_document *document)
{
    uint64_t version = atomic_load_explicit(&entry->version, memory_order_relaxed);
    struct prober_segment_slot *slot = slot_of(file, entry, version + 1);
    struct prober_document old;
    bool was_there = prober_segment_file_document(file, entry, &old);

    prober_segment_fence(memory_order_release);
    if (document != NULL) {
        write_slot(slot, document);
    } else {
        atomic_store_explicit(&slot->meta, 0, memory_order_relaxed);
    }
    atomic_store_explicit(&entry->version, version + 1, memory_order_release);
    file->documents = file->documents - was_there + (document != NULL);
}

static _Atomic uint64_t *find_empty_cell(const struct prober_segment_file *file, uint64_t hash)
{
    uint64_t cells = prober_segment_file_header(file)->index_cells;

    for (uint64_t step = 0; step < PROBER_SEGMENT_PROBES && step < cells; step++) {
        _Atomic uint64_t *cell = index_cell(file, (hash + step) & (cells - 1));
        if (atomic_load_explicit(cell, memory_order_relaxed) == 0) {
            return cell;
        }
    }
    return NULL;
}

int prober_segment_file_add(struct prober_segment_file *file,
                            const struct prober_segment_record *record)
{
    struct prober_segment_header *header = prober_segment_file_header(file);
    uint64_t number = atomic_load_explicit(&header->entries_used, memory_order_relaxed);
    uint64_t hash = prober_segment_hash(record->key, record->key_len, 0);
    size_t room = prober_segment_file_room(record->capacity);
    _Atomic uint64_t *cell = find_empty_cell(file, hash);

    if (cell == NULL || number >= header->entry_capacity ||
        room > file->map.size - file->slots_end) {
        return -ENOSPC;
    }
    struct prober_segment_entry *entry = prober_segment_file_entry(file, number);
    atomic_store_explicit(&header->entries_used, number + 1, memory_order_relaxed);
    atomic_store_explicit(&entry->version, 0, memory_order_relaxed);
    atomic_store_explicit(&entry->observed_at_ms, record->observed_at_ms, memory_order_relaxed);
    entry->hash = hash;
    entry->slot_offset[0] = file->slots_end;
    entry->slot_offset[1] = file->slots_end + room / 2;
    entry->slot_capacity = record->capacity;
    entry->key_len = (uint8_t)record->key_len;
    memcpy(entry->key, record->key, record->key_len);
    write_slot(slot_of(file, entry, 0), &record->document);
    atomic_store_explicit(cell, (hash >> 32 << 32) | (number + 1), memory_order_release);
    file->slots_end += room;
    file->documents++;
    return 0;
}

static int allocate(int fd, size_t size)
{
    int error;

    do {
        error = posix_fallocate(fd, 0, (off_t)size);
    } while (error == EINTR);
    return -error;
}

static int map_writable(int fd, size_t size, struct prober_segment_file *ret)
{
    struct stat st;

    if (fstat(fd, &st) < 0) {
        return -errno;
    }
    void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        return -errno;
    }
    *ret = (struct prober_segment_file){
        .map = {.base = base, .size = size, .dev = st.st_dev, .ino = st.st_ino}};
    return 0;
}

int prober_segment_file_create(const char *path, size_t entries, size_t room,
                               struct prober_segment_file *ret)
{
    uint64_t capacity = entries < MIN_ENTRIES / 2 ? MIN_ENTRIES : 2 * entries;
    uint64_t cells = 2 * MIN_ENTRIES;
    size_t spare = room / 16 < MIN_SPARE ? MIN_SPARE : room / 16;

    while (cells < 2 * capacity) {
        cells *= 2;
    }
    size_t size = prober_segment_entries_offset(cells) +
                  capacity * sizeof(struct prober_segment_entry) + room + spare;
    if (size > PROBER_SEGMENT_MAX) {
        return -EFBIG;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0) {
        return -errno;
    }
    int r = fchmod(fd, 0644) < 0 ? -errno : allocate(fd, size); /* whatever the umask */
    if (r == 0) {
        r = map_writable(fd, size, ret);
    }
    close(fd);
    if (r < 0) {
        unlink(path);
        return r;
    }
    struct prober_segment_header *header = prober_segment_file_header(ret);
    header->magic = PROBER_SEGMENT_MAGIC;
    header->abi = PROBER_SEGMENT_ABI;
    header->size = size;
    header->index_cells = cells;
    header->entry_capacity = capacity;
    ret->slots_end = slots_start(ret);
    return 0;
}

/* An entry is sound when its key leads to it, its slots follow the last entry's and its document is
 * whole. Moves slots_end and counts the document. */
static bool entry_is_sound(struct prober_segment_file *file,
                           const struct prober_segment_entry *entry)
{
    size_t capacity = entry->slot_capacity, key_len = entry->key_len;
    struct prober_reading reading;
    struct prober_document document;

    if (capacity > PROBER_SEGMENT_MAX || capacity % sizeof(uint64_t) != 0 ||
        prober_segment_file_room(capacity) > file->map.size - file->slots_end ||
        prober_segment_file_lookup(file, entry->key, key_len) != entry ||
        entry->slot_offset[0] != file->slots_end ||
        entry->slot_offset[1] != file->slots_end + prober_segment_file_room(capacity) / 2) {
        return false;
    }
    int r = prober_segment_find(&file->map, entry->key, key_len, &reading);
    if (r == 0) {
        prober_segment_file_document(file, entry, &document);
        if (document.content_type[reading.content_type_len] != '\0' ||
            reading.etag != etag_of(reading.status, reading.content_type, reading.content_type_len,
                                    document.body, document.body_len)) {
            return false;
        }
        file->documents++;
    }
    file->slots_end += prober_segment_file_room(capacity);
    return r == 0 || r == -ENOENT;
}

static int check_entries(struct prober_segment_file *file)
{
    struct prober_segment_header *header = prober_segment_file_header(file);
    uint64_t used = atomic_load_explicit(&header->entries_used, memory_order_relaxed);
    uint64_t published = 0;

    for (uint64_t i = 0; i < header->index_cells; i++) {
        published += atomic_load_explicit(index_cell(file, i), memory_order_relaxed) != 0;
    }
    if (used > header->entry_capacity || (used != published && used != published + 1) ||
        atomic_load_explicit(&header->retired, memory_order_relaxed) != 0) {
        return -EBADMSG;
    }
    file->half_made = used != published;
    file->slots_end = slots_start(file);
    for (uint64_t i = 0; i < published; i++) {
        if (!entry_is_sound(file, prober_segment_file_entry(file, i))) {
            return -EBADMSG;
        }
    }
    return 0;
}

static int map_existing(int fd, struct prober_segment_file *ret)
{
    struct stat st;

    if (fstat(fd, &st) < 0) {
        return -errno;
    }
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
        st.st_size < (off_t)sizeof(struct prober_segment_header) ||
        st.st_size > (off_t)PROBER_SEGMENT_MAX) {
        return -EBADMSG;
    }
    /* Only what says that it is a segment of this size may be given all its space. */
    struct prober_segment_header header;
    if (pread(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
        header.magic != PROBER_SEGMENT_MAGIC || header.size != (uint64_t)st.st_size) {
        return -EBADMSG;
    }
    int r = allocate(fd, (size_t)st.st_size); /* nothing to do unless it has holes */
    if (r < 0) {
        return r;
    }
    r = map_writable(fd, (size_t)st.st_size, ret);
    if (r < 0) {
        return r;
    }
    if (prober_segment_validate(ret->map.base, ret->map.size) != PROBER_SEGMENT_OK) {
        return -EBADMSG;
    }
    return check_entries(ret);
}

int prober_segment_file_take_over(const char *path, struct prober_segment_file *ret)
{
    *ret = (struct prober_segment_file){0};
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return -errno;
    }
    int r = map_existing(fd, ret);
    close(fd);
    if (r < 0) {
        prober_segment_file_close(ret);
    }
    return r;
}

void prober_segment_file_close(struct prober_segment_file *file)
{
    prober_segment_close(&file->map);
    *file = (struct prober_segment_file){0};
}

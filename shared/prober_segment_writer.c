#include "prober_segment_writer.h"

#include <errno.h>
#include <malloc.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "prober_segment_file.h"
#include "prober_segment_lock.h"

#define BODY_MAX (PROBER_SEGMENT_MAX / 8)

/* A document that has no room in the file: kept until _commit builds the next one. */
struct pending {
    struct pending *next;
    struct prober_segment_record record; /* points to what follows; its body is malloc'ed */
    bool is_new;                         /* no such document in the file */
    char key[PROBER_KEY_MAX];
    char content_type[PROBER_CONTENT_TYPE_MAX];
};

struct prober_segment_writer {
    char *path;
    char *temporary;
    char *lock;
    int lock_fd;
    bool took_over;
    bool changed; /* since the last _commit */
    struct prober_segment_file file;
    struct pending *pending;
    void *pending_tree; /* the same by key, for tsearch() */
    size_t pending_new;
    bool *own; /* [number of an entry that was taken over] = put or touched since; NULL: none was */
    size_t inherited;
};

static int compare_pending(const void *left, const void *right)
{
    const struct prober_segment_record *a = &((const struct pending *)left)->record;
    const struct prober_segment_record *b = &((const struct pending *)right)->record;

    if (a->key_len != b->key_len) {
        return a->key_len < b->key_len ? -1 : 1;
    }
    return memcmp(a->key, b->key, a->key_len);
}

static struct pending *find_pending(const struct prober_segment_writer *writer, const char *key,
                                    size_t key_len)
{
    struct pending wanted = {.record = {.key = key, .key_len = key_len}};
    void *node = tfind(&wanted, &writer->pending_tree, compare_pending);

    return node == NULL ? NULL : *(struct pending **)node;
}

static void free_pending(void *item)
{
    struct pending *pending = item;

    free((void *)pending->record.document.body);
    free(pending);
}

static void drop_all_pending(struct prober_segment_writer *writer)
{
    tdestroy(writer->pending_tree, free_pending);
    writer->pending_tree = NULL;
    writer->pending = NULL;
    writer->pending_new = 0;
}

static void drop_pending(struct prober_segment_writer *writer, struct pending *pending)
{
    struct pending **link = &writer->pending;

    while (*link != pending) {
        link = &(*link)->next;
    }
    *link = pending->next;
    writer->pending_new -= pending->is_new;
    tdelete(pending, &writer->pending_tree, compare_pending);
    free_pending(pending);
}

static bool same_document(const struct prober_document *a, const struct prober_document *b)
{
    return a->status == b->status && a->flags == b->flags && a->body_len == b->body_len &&
           strcmp(a->content_type, b->content_type) == 0 &&
           (a->body_len == 0 || memcmp(a->body, b->body, a->body_len) == 0);
}

/* Room to grow, so that a new file is rare; more for a body that was seen to grow. */
static size_t capacity_for(size_t body_len, bool outgrew)
{
    return (body_len + body_len / (outgrew ? 2 : 4) + 64 + 7) / 8 * 8;
}

static int set_pending(struct pending *pending, const struct prober_document *document,
                       bool outgrew)
{
    void *body = malloc(document->body_len + 1);

    if (body == NULL) {
        return -ENOMEM;
    }
    if (document->body_len > 0) {
        memcpy(body, document->body, document->body_len);
    }
    free((void *)pending->record.document.body);
    strcpy(pending->content_type, document->content_type);
    pending->record.document = *document;
    pending->record.document.content_type = pending->content_type;
    pending->record.document.body = body;
    pending->record.capacity = capacity_for(document->body_len, outgrew);
    return 0;
}

static int add_pending(struct prober_segment_writer *writer,
                       const struct prober_segment_record *record, bool outgrew, bool is_new)
{
    struct pending *pending = calloc(1, sizeof(*pending));

    if (pending == NULL) {
        return -ENOMEM;
    }
    memcpy(pending->key, record->key, record->key_len);
    pending->record.key = pending->key;
    pending->record.key_len = record->key_len;
    pending->record.observed_at_ms = record->observed_at_ms;
    pending->is_new = is_new;
    if (set_pending(pending, &record->document, outgrew) < 0 ||
        tsearch(pending, &writer->pending_tree, compare_pending) == NULL) {
        free_pending(pending);
        return -ENOMEM;
    }
    pending->next = writer->pending;
    writer->pending = pending;
    writer->pending_new += is_new;
    return 1;
}

static bool document_is_valid(const struct prober_document *document)
{
    return document->status >= 100 && document->status <= 599 && document->content_type != NULL &&
           strlen(document->content_type) < PROBER_CONTENT_TYPE_MAX &&
           document->body_len <= BODY_MAX && (document->body != NULL || document->body_len == 0);
}

/* The entry of a key, which is this process's from here on. */
static struct prober_segment_entry *own_entry(struct prober_segment_writer *writer, const char *key,
                                              size_t key_len)
{
    struct prober_segment_entry *entry = prober_segment_file_lookup(&writer->file, key, key_len);
    size_t number = entry ? (size_t)(entry - prober_segment_file_entry(&writer->file, 0)) : 0;

    if (entry != NULL && number < writer->inherited) {
        writer->own[number] = true;
    }
    return entry;
}

int prober_segment_writer_put(struct prober_segment_writer *writer, const char *key, size_t key_len,
                              const struct prober_document *document)
{
    struct prober_segment_record record = {.key = key,
                                           .key_len = key_len,
                                           .capacity = capacity_for(document->body_len, false),
                                           .document = *document};
    struct prober_document old;

    if (key_len == 0 || key_len > PROBER_KEY_MAX || !document_is_valid(document)) {
        return -EINVAL;
    }
    struct pending *pending = find_pending(writer, key, key_len);
    if (pending != NULL) {
        if (same_document(&pending->record.document, document)) {
            return 0;
        }
        int r = set_pending(pending, document, !pending->is_new);
        return r < 0 ? r : 1;
    }
    struct prober_segment_entry *entry = own_entry(writer, key, key_len);
    if (entry == NULL) {
        if (prober_segment_file_add(&writer->file, &record) < 0) {
            return add_pending(writer, &record, false, true);
        }
        writer->changed = true;
        return 1;
    }
    bool there = prober_segment_file_document(&writer->file, entry, &old);
    if (there && same_document(&old, document)) {
        return 0;
    }
    if (document->body_len > entry->slot_capacity) {
        record.observed_at_ms = atomic_load_explicit(&entry->observed_at_ms, memory_order_relaxed);
        return add_pending(writer, &record, true, !there);
    }
    prober_segment_file_change(&writer->file, entry, document);
    writer->changed = true;
    return 1;
}

int prober_segment_writer_remove(struct prober_segment_writer *writer, const char *key,
                                 size_t key_len)
{
    struct pending *pending = find_pending(writer, key, key_len);
    struct prober_segment_entry *entry = prober_segment_file_lookup(&writer->file, key, key_len);
    struct prober_document old;
    int removed = 0;

    if (pending != NULL) {
        drop_pending(writer, pending);
        removed = 1;
    }
    if (entry != NULL && prober_segment_file_document(&writer->file, entry, &old)) {
        prober_segment_file_change(&writer->file, entry, NULL);
        writer->changed = true;
        removed = 1;
    }
    return removed;
}

int prober_segment_writer_touch(struct prober_segment_writer *writer, const char *key,
                                size_t key_len, int64_t observed_at_ms)
{
    struct pending *pending = find_pending(writer, key, key_len);
    struct prober_segment_entry *entry = own_entry(writer, key, key_len);
    struct prober_document document;

    if (pending != NULL) { /* the old document in the file must not look as new as this one */
        pending->record.observed_at_ms = observed_at_ms;
        return 0;
    }
    if (entry == NULL || !prober_segment_file_document(&writer->file, entry, &document)) {
        return -ENOENT;
    }
    atomic_store_explicit(&entry->observed_at_ms, observed_at_ms, memory_order_release);
    return 0;
}

/* All documents of the file that are not removed and have no newer bytes pending. */
static size_t collect_kept(const struct prober_segment_writer *writer,
                           struct prober_segment_record *records)
{
    struct prober_segment_header *header = prober_segment_file_header(&writer->file);
    uint64_t used = atomic_load_explicit(&header->entries_used, memory_order_relaxed);
    size_t count = 0;

    for (uint64_t i = 0; i < used - writer->file.half_made; i++) {
        struct prober_segment_entry *entry = prober_segment_file_entry(&writer->file, i);
        struct prober_segment_record *record = &records[count];

        if (!prober_segment_file_document(&writer->file, entry, &record->document) ||
            find_pending(writer, entry->key, entry->key_len) != NULL) {
            continue;
        }
        record->key = entry->key;
        record->key_len = entry->key_len;
        record->observed_at_ms = atomic_load_explicit(&entry->observed_at_ms, memory_order_relaxed);
        /* Keep what it once needed, or bodies that shrink and grow in turn mean a file each time.
         */
        record->capacity = capacity_for(record->document.body_len, false);
        if (entry->slot_capacity > record->capacity &&
            entry->slot_capacity <= 4 * record->capacity) {
            record->capacity = entry->slot_capacity;
        }
        count++;
    }
    return count;
}

static int make_file(struct prober_segment_writer *writer,
                     const struct prober_segment_record *records, size_t count,
                     struct prober_segment_file *ret)
{
    size_t room = 0;

    for (size_t i = 0; i < count; i++) {
        room += prober_segment_file_room(records[i].capacity);
    }
    unlink(writer->temporary); /* left by a writer that was killed */
    int r = prober_segment_file_create(writer->temporary, count, room, ret);
    for (size_t i = 0; r == 0 && i < count; i++) {
        r = prober_segment_file_add(ret, &records[i]);
        /* Leave the old file's pages behind, or both count in full as this process's memory. */
        if (i % 64 == 0 && writer->file.map.base != NULL) {
            madvise((void *)writer->file.map.base, writer->file.map.size, MADV_DONTNEED);
        }
    }
    return r;
}

/* Gives the file its name and goes over to it. Readers of the old one open the path again. */
static int replace_file(struct prober_segment_writer *writer, struct prober_segment_file *file)
{
    if (writer->file.map.base != NULL) {
        const struct prober_segment_header *old = prober_segment_file_header(&writer->file);
        struct prober_segment_header *new = prober_segment_file_header(file);
        atomic_store_explicit(&new->generation, old->generation, memory_order_relaxed);
        atomic_store_explicit(&new->heartbeat_ms, old->heartbeat_ms, memory_order_relaxed);
    }
    if (rename(writer->temporary, writer->path) < 0) {
        return -errno;
    }
    if (writer->file.map.base != NULL) {
        atomic_store_explicit(&prober_segment_file_header(&writer->file)->retired, 1,
                              memory_order_release);
        prober_segment_file_close(&writer->file);
    }
    writer->file = *file;
    return 0;
}

/* Numbers of entries mean nothing in another file. */
static void forget_inheritance(struct prober_segment_writer *writer)
{
    free(writer->own);
    writer->own = NULL;
    writer->inherited = 0;
}

static int build_file(struct prober_segment_writer *writer)
{
    size_t count = 0, most = writer->file.documents + writer->pending_new;
    struct prober_segment_record *records = calloc(most + 1, sizeof(*records));
    struct prober_segment_file file = {0};

    if (records == NULL) {
        return -ENOMEM;
    }
    if (writer->file.map.base != NULL) {
        count = collect_kept(writer, records);
    }
    for (const struct pending *p = writer->pending; p != NULL; p = p->next) {
        records[count++] = p->record;
    }
    int r = make_file(writer, records, count, &file);
    if (r == 0) {
        r = replace_file(writer, &file);
    }
    if (r < 0) {
        prober_segment_file_close(&file);
        unlink(writer->temporary);
    }
    free(records);
    return r;
}

int prober_segment_writer_commit(struct prober_segment_writer *writer)
{
    int r = 0;

    if (writer->pending != NULL) {
        forget_inheritance(writer);
        r = build_file(writer);
        writer->changed |= r == 0;
        drop_all_pending(writer);
        malloc_trim(0); /* the bodies of a first publish would stay in the heap for good */
    }
    if (writer->changed) {
        atomic_fetch_add_explicit(&prober_segment_file_header(&writer->file)->generation, 1,
                                  memory_order_release);
        writer->changed = false;
    }
    return r;
}

void prober_segment_writer_heartbeat(struct prober_segment_writer *writer, int64_t now_ms)
{
    atomic_store_explicit(&prober_segment_file_header(&writer->file)->heartbeat_ms, now_ms,
                          memory_order_release);
}

int prober_segment_writer_check(struct prober_segment_writer *writer)
{
    if (!prober_segment_lock_holds(writer->lock, writer->lock_fd)) {
        int r = prober_segment_lock_take(writer->lock, &writer->lock_fd);
        if (r < 0) {
            return r;
        }
    }
    if (!prober_segment_replaced(&writer->file.map, writer->path)) {
        return 0;
    }
    forget_inheritance(writer);
    return build_file(writer);
}

bool prober_segment_writer_keep(struct prober_segment_writer *writer, const char *key,
                                size_t key_len)
{
    struct prober_segment_entry *entry = own_entry(writer, key, key_len);
    struct prober_document document;

    return entry != NULL && prober_segment_file_document(&writer->file, entry, &document);
}

void prober_segment_writer_remove_inherited(struct prober_segment_writer *writer)
{
    for (size_t i = 0; i < writer->inherited; i++) {
        struct prober_segment_entry *entry = prober_segment_file_entry(&writer->file, i);
        struct prober_document document;

        if (writer->own[i] || !prober_segment_file_document(&writer->file, entry, &document)) {
            continue;
        }
        prober_segment_file_change(&writer->file, entry, NULL);
        writer->changed = true;
    }
    forget_inheritance(writer);
}

void prober_segment_writer_each(const struct prober_segment_writer *writer,
                                void (*each)(const char *key, size_t key_len, void *userdata),
                                void *userdata)
{
    struct prober_segment_header *header = prober_segment_file_header(&writer->file);
    uint64_t used = atomic_load_explicit(&header->entries_used, memory_order_relaxed);
    struct prober_document document;

    for (uint64_t i = 0; i < used; i++) {
        struct prober_segment_entry *entry = prober_segment_file_entry(&writer->file, i);

        if (prober_segment_file_document(&writer->file, entry, &document)) {
            each(entry->key, entry->key_len, userdata);
        }
    }
}

/* What stood in the file when it was taken over is somebody else's until it is put or touched. */
static int note_inheritance(struct prober_segment_writer *writer)
{
    struct prober_segment_header *header = prober_segment_file_header(&writer->file);
    uint64_t used = atomic_load_explicit(&header->entries_used, memory_order_relaxed);

    writer->own = calloc(used + 1, sizeof(*writer->own));
    if (writer->own == NULL) {
        return -ENOMEM;
    }
    writer->inherited = used;
    return 0;
}

int prober_segment_writer_open(const char *path, struct prober_segment_writer **ret)
{
    struct prober_segment_writer *writer = calloc(1, sizeof(*writer));

    if (writer == NULL) {
        return -ENOMEM;
    }
    writer->lock_fd = -1;
    writer->path = strdup(path);
    int r = -ENOMEM;
    if (writer->path != NULL && asprintf(&writer->temporary, "%s.new", path) > 0 &&
        asprintf(&writer->lock, "%s.lock", path) > 0) {
        r = prober_segment_lock_take(writer->lock, &writer->lock_fd);
    }
    if (r == 0) {
        unlink(writer->temporary); /* left by a writer that was killed */
        prober_segment_file_take_over(path, &writer->file);
        writer->took_over = writer->file.documents > 0;
        r = writer->file.map.base == NULL || writer->file.half_made ? build_file(writer) : 0;
    }
    if (r == 0) {
        r = note_inheritance(writer);
    }
    if (r < 0) {
        prober_segment_writer_close(writer);
        return r;
    }
    *ret = writer;
    return 0;
}

struct prober_segment_writer *prober_segment_writer_close(struct prober_segment_writer *writer)
{
    if (writer == NULL) {
        return NULL;
    }
    drop_all_pending(writer);
    prober_segment_file_close(&writer->file);
    if (writer->lock_fd >= 0) {
        close(writer->lock_fd);
    }
    free(writer->own);
    free(writer->lock);
    free(writer->temporary);
    free(writer->path);
    free(writer);
    return NULL;
}

bool prober_segment_writer_took_over(const struct prober_segment_writer *writer)
{
    return writer->took_over;
}

size_t prober_segment_writer_size(const struct prober_segment_writer *writer)
{
    return writer->file.map.size;
}

size_t prober_segment_writer_documents(const struct prober_segment_writer *writer)
{
    return writer->file.documents + writer->pending_new;
}

struct prober_segment_reader prober_segment_writer_view(const struct prober_segment_writer *writer)
{
    return writer->file.map;
}

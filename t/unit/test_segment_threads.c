/*
 * One writer and two readers at once, over one mapping so that ThreadSanitizer sees them meet, and
 * over the path with new files all the time. Every document tells by itself what it must be.
 */
#include "segment_util.h"

#include <pthread.h>

#define DOCUMENTS 4
#define WORDS     512
#define WRITES    60000 /* numbers must fit the flags */
#define FILES     300

typedef size_t words_fn(uint64_t sequence);

struct race {
    const char *path;
    words_fn *words;
    struct prober_segment_reader view;
    atomic_bool done;
    atomic_int faults;
    atomic_long reads;
};

static void key_of(size_t n, char key[16])
{
    snprintf(key, 16, "/healthz/%zu", n);
}

static const char *content_type(uint64_t sequence)
{
    return sequence % 2 ? "odd" : "even/even/even/even";
}

static size_t body_length(uint64_t sequence, size_t words)
{
    return 8 * (1 + sequence * 37 % words);
}

/* Document number `sequence`: the number over and over; its length, status and type go with it. */
static void publish(const struct race *race, struct prober_segment_writer *writer, size_t n,
                    uint64_t sequence)
{
    static uint64_t body[64 * WORDS];
    struct prober_document document = {.status = (uint16_t)(200 + sequence % 300),
                                       .flags = (uint16_t)sequence,
                                       .content_type = content_type(sequence),
                                       .body = body,
                                       .body_len = body_length(sequence, race->words(sequence))};
    char key[16];

    key_of(n, key);
    for (size_t i = 0; i < document.body_len / 8; i++) {
        body[i] = sequence;
    }
    prober_segment_writer_put(writer, key, strlen(key), &document);
    prober_segment_writer_touch(writer, key, strlen(key), (int64_t)sequence);
}

/* The flags are the number's low half: all of the head follows from them. The time may lag behind
 * the bytes by one, but is never that of newer ones. */
static bool head_is_whole(const struct race *race, const struct prober_reading *reading)
{
    uint64_t sequence = reading->flags;
    const char *type = content_type(sequence);

    return reading->body_len == body_length(sequence, race->words(sequence)) &&
           reading->status == 200 + sequence % 300 && reading->content_type_len == strlen(type) &&
           memcmp(reading->content_type, type, strlen(type)) == 0 &&
           reading->observed_at_ms <= (int64_t)sequence;
}

static bool body_is_whole(const struct prober_reading *reading, const uint64_t *body)
{
    for (size_t i = 0; i < reading->body_len / 8; i++) {
        if (body[i] != reading->flags) {
            return false;
        }
    }
    return true;
}

/* Reads one document, checks it, and that it is no older than the last. */
static void read_one(struct race *race, const struct prober_segment_reader *reader, size_t n,
                     uint64_t *last)
{
    static _Thread_local uint64_t body[64 * WORDS];
    struct prober_reading reading;
    char key[16];

    key_of(n, key);
    int r = find(reader, key, &reading);
    bool whole = r == 0 && head_is_whole(race, &reading);
    if (whole) {
        r = prober_segment_copy(reader, &reading, body);
    }
    if (r == -EAGAIN || (r == -ENOENT && *last == 0)) {
        return; /* the writer was faster; or it has not come to this one yet */
    }
    if (r != 0 || !whole || !body_is_whole(&reading, body) || reading.flags < *last) {
        atomic_fetch_add(&race->faults, 1);
        return;
    }
    *last = reading.flags;
    atomic_fetch_add(&race->reads, 1);
}

static void *read_view(void *argument)
{
    struct race *race = argument;
    uint64_t last[DOCUMENTS] = {0};

    while (!atomic_load(&race->done)) {
        for (size_t n = 0; n < DOCUMENTS; n++) {
            read_one(race, &race->view, n, &last[n]);
        }
    }
    return NULL;
}

static void *read_path(void *argument)
{
    struct race *race = argument;
    struct prober_segment_reader reader = {0};
    uint64_t last[DOCUMENTS] = {0}, generation = 0;

    while (!atomic_load(&race->done)) {
        if (prober_segment_retired(&reader)) {
            prober_segment_close(&reader);
            if (prober_segment_open(race->path, &reader) != PROBER_SEGMENT_OK) {
                atomic_fetch_add(&race->faults, 1);
            }
        }
        for (size_t n = 0; n < DOCUMENTS; n++) {
            read_one(race, &reader, n, &last[n]);
        }
        uint64_t now = prober_segment_generation(&reader);
        if (now < generation) {
            atomic_fetch_add(&race->faults, 1);
        }
        generation = now;
    }
    prober_segment_close(&reader);
    return NULL;
}

static void start_readers(struct race *race, pthread_t *threads, void *(*run)(void *))
{
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, run, race), 0);
    }
}

static void stop_readers(struct race *race, pthread_t *threads)
{
    while (atomic_load(&race->reads) < 100 && atomic_load(&race->faults) == 0) {
        usleep(100); /* readers that were not scheduled have proven nothing yet */
    }
    atomic_store(&race->done, true);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(atomic_load(&race->faults), 0);
}

static size_t small_words(uint64_t sequence)
{
    (void)sequence;
    return 3;
}

static size_t large_words(uint64_t sequence)
{
    (void)sequence;
    return WORDS;
}

/* Bodies grow in bursts: slots are outgrown again and again. */
static size_t bursting_words(uint64_t sequence)
{
    return sequence % 8 == 0 ? 64 * WORDS : 1 + sequence % WORDS;
}

static void race_on_one_mapping(const char *path, words_fn *words)
{
    struct prober_segment_writer *writer = open_writer(path);
    struct race race = {.path = path, .words = words};
    pthread_t threads[2];

    for (size_t n = 0; n < DOCUMENTS - 1; n++) { /* room for the largest from the start */
        static const char zeros[8 * WORDS];
        char key[16];
        key_of(n, key);
        put_bytes(writer, key, zeros, sizeof(zeros));
        publish(&race, writer, n, 1);
    }
    assert_int_equal(prober_segment_writer_commit(writer), 0);
    size_t size = prober_segment_writer_size(writer);
    race.view = prober_segment_writer_view(writer);
    start_readers(&race, threads, read_view);
    for (uint64_t sequence = 2; sequence < WRITES; sequence++) {
        publish(&race, writer, sequence / 100 % (DOCUMENTS - 1), sequence);
        if (sequence == WRITES / 2) { /* a new entry while they look it up */
            publish(&race, writer, DOCUMENTS - 1, sequence);
        }
        prober_segment_writer_heartbeat(writer, (int64_t)sequence);
    }
    stop_readers(&race, threads);
    assert_int_equal(prober_segment_writer_size(writer), size);
    prober_segment_writer_close(writer);
}

static void test_small_documents(void **state)
{
    race_on_one_mapping(((struct place *)*state)->path, small_words);
}

static void test_large_documents(void **state)
{
    race_on_one_mapping(((struct place *)*state)->path, large_words);
}

static void test_new_files(void **state)
{
    struct place *place = *state;
    struct prober_segment_writer *writer = open_writer(place->path);
    struct race race = {.path = place->path, .words = bursting_words};
    pthread_t threads[2];
    int files = 0;

    start_readers(&race, threads, read_path);
    for (uint64_t sequence = 1; sequence < FILES; sequence++) {
        size_t size = prober_segment_writer_size(writer);
        for (size_t n = 0; n < DOCUMENTS; n++) {
            publish(&race, writer, n, sequence);
        }
        assert_int_equal(prober_segment_writer_commit(writer), 0);
        files += prober_segment_writer_size(writer) != size;
    }
    stop_readers(&race, threads);
    assert_true(files > 3);
    prober_segment_writer_close(writer);
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(test_small_documents),
        IN_PLACE(test_large_documents),
        IN_PLACE(test_new_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The segment's writer, seen through its reader: publish, rebuild, take over. */
#include "segment_util.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

static void test_documents_come_back(void **state)
{
    struct place *place = *state;
    struct prober_segment_writer *writer = open_writer(place->path);
    static char body[20000];
    struct prober_segment_reader reader;
    struct prober_reading reading;
    char key[PROBER_KEY_MAX + 1];

    for (size_t i = 0; i < sizeof(body); i++) {
        body[i] = (char)(i * 7);
    }
    for (int len = 0; len < 40; len++) {
        snprintf(key, sizeof(key), "/%d", len);
        assert_int_equal(put_bytes(writer, key, body, (size_t)len), 1);
    }
    assert_int_equal(put_bytes(writer, "/large", body, sizeof(body)), 1);
    memset(key, 'k', PROBER_KEY_MAX);
    key[PROBER_KEY_MAX] = '\0';
    assert_int_equal(put_text(writer, key, "longest key"), 1);
    assert_int_equal(prober_segment_writer_commit(writer), 0);
    assert_int_equal(prober_segment_writer_documents(writer), 42);

    assert_int_equal(prober_segment_open(place->path, &reader), PROBER_SEGMENT_OK);
    assert_int_equal(reader.size, prober_segment_writer_size(writer));
    assert_text(&reader, key, "longest key");
    for (int len = 0; len < 40; len++) {
        snprintf(key, sizeof(key), "/%d", len);
        assert_body(&reader, key, body, (size_t)len);
    }
    assert_body(&reader, "/large", body, sizeof(body));
    assert_absent(&reader, "/larg");
    assert_absent(&reader, "/large2");
    assert_absent(&reader, "");
    memset(key, 'k', PROBER_KEY_MAX + 1); /* one too long for any document */
    assert_int_equal(prober_segment_find(&reader, key, PROBER_KEY_MAX + 1, &reading), -ENOENT);
    prober_segment_close(&reader);
    prober_segment_close(&reader); /* zeroed: nothing to do */
    assert_true(prober_segment_retired(&reader));
    assert_int_equal(prober_segment_heartbeat_ms(&reader), 0);
    assert_int_equal(prober_segment_generation(&reader), 0);
    assert_int_equal(find(&reader, "/1", &reading), -EBADMSG);
    assert_null(prober_segment_writer_close(writer));
    assert_null(prober_segment_writer_close(NULL));
}

static void test_head(void **state)
{
    struct place *place = *state;
    struct prober_segment_writer *writer = open_writer(place->path);
    struct prober_segment_reader reader = prober_segment_writer_view(writer);
    char type[PROBER_CONTENT_TYPE_MAX + 1] = {0};
    struct prober_document document = {.status = 404,
                                       .flags = PROBER_DOCUMENT_NOT_READY,
                                       .content_type = type,
                                       .body = "{}",
                                       .body_len = 2};
    struct prober_reading reading;
    uint64_t etag;

    memset(type, 't', PROBER_CONTENT_TYPE_MAX - 1);
    assert_int_equal(prober_segment_writer_put(writer, "/a", 2, &document), 1);
    assert_int_equal(prober_segment_writer_put(writer, "/b", 2, &document), 1);
    assert_int_equal(find(&reader, "/a", &reading), 0);
    assert_int_equal(reading.status, 404);
    assert_int_equal(reading.flags, PROBER_DOCUMENT_NOT_READY);
    assert_int_equal(reading.body_len, 2);
    assert_int_equal(reading.content_type_len, PROBER_CONTENT_TYPE_MAX - 1);
    assert_memory_equal(reading.content_type, type, PROBER_CONTENT_TYPE_MAX - 1);
    etag = reading.etag;
    assert_int_equal(find(&reader, "/b", &reading), 0);
    assert_true(reading.etag == etag); /* of the document, not of its key */

    /* Each part of a document is a change, and of the ETag unless only a flag changed. */
    document.flags = PROBER_DOCUMENT_NO_CACHE;
    assert_int_equal(prober_segment_writer_put(writer, "/a", 2, &document), 1);
    assert_int_equal(find(&reader, "/a", &reading), 0);
    assert_int_equal(reading.flags, PROBER_DOCUMENT_NO_CACHE);
    assert_true(reading.etag == etag);
    document.status = 200;
    assert_int_equal(prober_segment_writer_put(writer, "/a", 2, &document), 1);
    assert_int_equal(find(&reader, "/a", &reading), 0);
    assert_int_equal(reading.status, 200);
    assert_true(reading.etag != etag);
    document.status = 404;
    document.content_type = "t";
    assert_int_equal(prober_segment_writer_put(writer, "/a", 2, &document), 1);
    assert_int_equal(find(&reader, "/a", &reading), 0);
    assert_int_equal(reading.content_type_len, 1);
    assert_true(reading.etag != etag);
    document.content_type = type;
    document.body = "[]";
    assert_int_equal(prober_segment_writer_put(writer, "/a", 2, &document), 1);
    assert_int_equal(find(&reader, "/a", &reading), 0);
    assert_true(reading.etag != etag);
    prober_segment_writer_close(writer);
}

static void test_what_is_no_document(void **state)
{
    struct place *place = *state;
    struct prober_segment_writer *writer = open_writer(place->path);
    char type[PROBER_CONTENT_TYPE_MAX + 1], key[PROBER_KEY_MAX + 1];
    struct prober_document good = {.status = 200, .content_type = "t", .body = "x", .body_len = 1};
    struct prober_document bad[6] = {good, good, good, good, good, good};

    memset(type, 't', sizeof(type) - 1);
    type[sizeof(type) - 1] = '\0';
    memset(key, 'k', sizeof(key));
    bad[0].status = 99;
    bad[1].status = 600;
    bad[2].content_type = NULL;
    bad[3].content_type = type;
    bad[4].body = NULL;
    bad[5].body_len = PROBER_SEGMENT_MAX;
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(prober_segment_writer_put(writer, "/x", 2, &bad[i]), -EINVAL);
    }
    assert_int_equal(prober_segment_writer_put(writer, key, sizeof(key), &good), -EINVAL);
    assert_int_equal(prober_segment_writer_put(writer, "", 0, &good), -EINVAL);
    assert_int_equal(prober_segment_writer_documents(writer), 0);
    prober_segment_writer_close(writer);
}

static void test_only_changes_are_written(void **state)
{
    struct place *place = *state;
    struct prober_segment_writer *writer = open_writer(place->path);
    struct prober_segment_reader reader = prober_segment_writer_view(writer);
    struct prober_reading before, after;

    assert_int_equal(put_text(writer, "/a", "one"), 1);
    assert_int_equal(prober_segment_writer_commit(writer), 0);
    assert_int_equal(prober_segment_generation(&reader), 1);
    assert_int_equal(find(&reader, "/a", &before), 0);

    assert_int_equal(put_text(writer, "/a", "one"), 0);
    assert_int_equal(prober_segment_writer_touch(writer, "/a", 2, 12345), 0);
    assert_int_equal(prober_segment_writer_commit(writer), 0);
    assert_int_equal(prober_segment_generation(&reader), 1);
    assert_int_equal(find(&reader, "/a", &after), 0);
    assert_int_equal(after.version, before.version);
    assert_int_equal(after.observed_at_ms, 12345);

    assert_int_equal(put_text(writer, "/a", "two"), 1);
    assert_int_equal(prober_segment_copy(&reader, &after, (char[8]){0}), -EAGAIN);
    assert_int_equal(find(&reader, "/a", &after), 0);
    assert_int_equal(after.version, before.version + 1);
    assert_int_equal(after.observed_at_ms, 12345); /* until touched: never fresher than it is */
    assert_text(&reader, "/a", "two");
    assert_int_equal(prober_segment_writer_commit(writer), 0);
    assert_int_equal(prober_segment_generation(&reader), 2);
    assert_int_equal(prober_segment_writer_touch(writer, "/b", 2, 1), -ENOENT);
    prober_segment_writer_close(writer);
}

static void test_remove(void **state)
{
    struct place *place = *state;
    struct prober_segment_writer *writer = open_writer(place->path);
    struct prober_segment_reader reader = prober_segment_writer_view(writer);
    size_t size = prober_segment_writer_size(writer);

    put_text(writer, "/a", "one");
    put_text(writer, "/b", "two");
    assert_int_equal(prober_segment_writer_remove(writer, "/a", 2), 1);
    assert_int_equal(prober_segment_writer_remove(writer, "/a", 2), 0);
    assert_int_equal(prober_segment_writer_remove(writer, "/c", 2), 0);
    assert_int_equal(prober_segment_writer_touch(writer, "/a", 2, 1), -ENOENT);
    assert_int_equal(prober_segment_writer_documents(writer), 1);
    assert_absent(&reader, "/a");
    assert_text(&reader, "/b", "two");
    assert_int_equal(put_text(writer, "/a", "three"), 1);
    assert_int_equal(prober_segment_writer_documents(writer), 2);
    assert_text(&reader, "/a", "three");
    assert_int_equal(prober_segment_writer_commit(writer), 0);
    assert_int_equal(prober_segment_writer_size(writer), size);
    prober_segment_writer_close(writer);
}

/* A body that outgrows its slot is published by a new file, with all that the old one had. */
static void test_outgrown(void **state)
{
    struct place *place = *state;
    struct prober_segment_writer *writer = open_writer(place->path);
    static const char large[100000] = "large", larger[150000] = "larger";
    struct prober_segment_reader old, new;
    struct prober_reading reading;

    put_text(writer, "/a", "small");
    put_text(writer, "/b", "other");
    put_text(writer, "/gone", "gone");
    prober_segment_writer_remove(writer, "/gone", 5);
    prober_segment_writer_touch(writer, "/a", 2, 111);
    prober_segment_writer_touch(writer, "/b", 2, 222);
    prober_segment_writer_heartbeat(writer, 333);
    assert_int_equal(prober_segment_writer_commit(writer), 0);
    assert_int_equal(prober_segment_open(place->path, &old), PROBER_SEGMENT_OK);

    assert_int_equal(put_bytes(writer, "/a", large, sizeof(large)), 1);
    assert_int_equal(put_bytes(writer, "/a", large, sizeof(large)), 0);
    assert_int_equal(put_bytes(writer, "/a", larger, sizeof(larger)), 1);
    assert_int_equal(put_bytes(writer, "/new", larger, sizeof(larger)), 1);
    assert_int_equal(put_bytes(writer, "/new2", larger, sizeof(larger)), 1);
    assert_int_equal(prober_segment_writer_remove(writer, "/new2", 5), 1);
    assert_int_equal(prober_segment_writer_documents(writer), 3);
    assert_int_equal(prober_segment_writer_touch(writer, "/a", 2, 444), 0);
    assert_int_equal(find(&old, "/a", &reading), 0);
    assert_int_equal(reading.observed_at_ms, 111); /* these bytes are not as new as the others */
    assert_text(&old, "/a", "small");
    assert_false(prober_segment_retired(&old));
    assert_false(prober_segment_replaced(&old, place->path));

    assert_int_equal(prober_segment_writer_commit(writer), 0);
    assert_true(prober_segment_retired(&old));
    assert_true(prober_segment_replaced(&old, place->path));
    assert_text(&old, "/a", "small"); /* whoever still reads it reads whole documents */
    assert_int_equal(prober_segment_open(place->path, &new), PROBER_SEGMENT_OK);
    assert_body(&new, "/a", larger, sizeof(larger));
    assert_body(&new, "/new", larger, sizeof(larger));
    assert_text(&new, "/b", "other");
    assert_absent(&new, "/gone");
    assert_absent(&new, "/new2");
    assert_int_equal(find(&new, "/a", &reading), 0);
    assert_int_equal(reading.observed_at_ms, 444);
    assert_int_equal(find(&new, "/b", &reading), 0);
    assert_int_equal(reading.observed_at_ms, 222);
    assert_int_equal(prober_segment_heartbeat_ms(&new), 333);
    assert_int_equal(prober_segment_generation(&new), 2);
    assert_false(prober_segment_retired(&new));
    assert_int_equal(prober_segment_writer_documents(writer), 3);
    prober_segment_close(&old);
    prober_segment_close(&new);
    prober_segment_writer_close(writer);
}

/* Both slots hold one and a half times a body that was seen to grow, 1.25 times another. */
static void test_headroom(void **state)
{
    struct place *place = *state;
    struct prober_segment_writer *writer = open_writer(place->path);
    static char body[100000];

    assert_int_equal(put_bytes(writer, "/a", body, 40000), 1);
    assert_int_equal(prober_segment_writer_commit(writer), 0);
    size_t size = prober_segment_writer_size(writer);
    for (size_t len = 40000; len <= 50000; len += 1000) {
        body[0]++;
        assert_int_equal(put_bytes(writer, "/a", body, len), 1);
        assert_int_equal(prober_segment_writer_commit(writer), 0);
        assert_int_equal(prober_segment_writer_size(writer), size);
    }
    assert_int_equal(put_bytes(writer, "/a", body, 60000), 1);
    assert_int_equal(prober_segment_writer_commit(writer), 0);
    size = prober_segment_writer_size(writer);
    assert_int_equal(put_bytes(writer, "/a", body, 90000), 1);
    assert_int_equal(prober_segment_writer_commit(writer), 0);
    assert_int_equal(prober_segment_writer_size(writer), size);
    prober_segment_writer_close(writer);
}

static void fill(char *body, size_t len, int seed)
{
    for (size_t i = 0; i < len; i++) {
        body[i] = (char)((int)(i / 8) * 31 + seed);
    }
}

/* More documents than any file has room for at first, published in one go. */
static void test_many(void **state)
{
    struct place *place = *state;
    struct prober_segment_writer *writer = open_writer(place->path);
    struct prober_segment_reader reader;
    static char body[20000];
    char key[32];
    struct stat st;

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 1000; i++) {
            snprintf(key, sizeof(key), "/healthz/10.0.%d.%d", i / 250, i % 250);
            fill(body, sizeof(body), i + round);
            assert_int_equal(put_bytes(writer, key, body, sizeof(body)), 1);
        }
        assert_int_equal(prober_segment_writer_commit(writer), 0);
        assert_int_equal(prober_segment_open(place->path, &reader), PROBER_SEGMENT_OK);
        for (int i = 0; i < 1000; i++) {
            snprintf(key, sizeof(key), "/healthz/10.0.%d.%d", i / 250, i % 250);
            fill(body, sizeof(body), i + round);
            assert_body(&reader, key, body, sizeof(body));
        }
        assert_absent(&reader, "/healthz/10.0.4.0");
        prober_segment_close(&reader);
    }
    assert_int_equal(prober_segment_writer_documents(writer), 1000);
    assert_true(prober_segment_writer_size(writer) < 60u << 20);
    assert_int_equal(stat(place->path, &st), 0);
    assert_true(st.st_blocks * 512 >= st.st_size); /* no holes */
    prober_segment_writer_close(writer);
}

/* On a full disk the file that is there stays, with what had room in it. */
static void publish_without_space(const char *path, int expected)
{
    struct prober_segment_writer *writer = open_writer(path);
    static const char large[4 << 20];
    char temporary[128];
    struct prober_segment_reader reader;

    put_text(writer, "/a", "one");
    put_text(writer, "/b", "one");
    assert_int_equal(prober_segment_writer_commit(writer), 0);
    assert_int_equal(prober_segment_open(path, &reader), PROBER_SEGMENT_OK);
    assert_int_equal(put_text(writer, "/a", "two"), 1);
    assert_int_equal(put_bytes(writer, "/b", large, sizeof(large)), 1);
    assert_int_equal(put_bytes(writer, "/c", large, sizeof(large)), 1);
    assert_int_equal(prober_segment_writer_commit(writer), expected);
    assert_int_equal(prober_segment_writer_documents(writer), 2);
    assert_false(prober_segment_retired(&reader));
    assert_false(prober_segment_replaced(&reader, path));
    assert_int_equal(prober_segment_generation(&reader), 2);
    assert_text(&reader, "/a", "two");
    assert_text(&reader, "/b", "one");
    assert_absent(&reader, "/c");
    snprintf(temporary, sizeof(temporary), "%s.new", path);
    assert_int_equal(access(temporary, F_OK), -1);

    assert_int_equal(put_text(writer, "/b", "two"), 1); /* and life goes on */
    assert_int_equal(prober_segment_writer_commit(writer), 0);
    assert_text(&reader, "/b", "two");
    prober_segment_close(&reader);
    prober_segment_writer_close(writer);
}

static void test_file_size_limit(void **state)
{
    struct place *place = *state;
    struct rlimit old, small;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){.rlim_cur = 1 << 20, .rlim_max = old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    publish_without_space(place->path, -EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
}

static void test_full_tmpfs(void **state)
{
    struct place *place = *state;

    if (mount("none", place->dir, "tmpfs", 0, "size=1m") < 0) {
        print_message("no mount here: %s\n", strerror(errno));
        skip();
    }
    publish_without_space(place->path, -ENOSPC);
}

static int remove_mounted_place(void **state)
{
    umount2(((struct place *)*state)->dir, MNT_DETACH); /* if there is one: no matter */
    return remove_place(state);
}

static void test_age(void **state)
{
    static const struct {
        int64_t then_ms, now_ms, age_ms;
    } ages[] = {
        {1000, 1000, 0},
        {1000, 1500, 500},
        {2000, 1000, 0},
        {2001, 1000, INT64_MAX},
        {0, 5000, 5000},
        {INT64_MAX, 0, INT64_MAX},
        {INT64_MIN, 0, INT64_MAX},
        {INT64_MIN, INT64_MAX, INT64_MAX},
        {INT64_MAX, INT64_MIN, INT64_MAX},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
        assert_true(prober_segment_age_ms(ages[i].then_ms, ages[i].now_ms) == ages[i].age_ms);
    }
    int64_t now = prober_segment_now_ms();
    assert_true(now > 0 && prober_segment_now_ms() >= now);
}

static void test_hash(void **state)
{
    char bytes[64] = {0};
    uint64_t seen[65];

    (void)state;
    for (size_t len = 0; len <= sizeof(bytes); len++) { /* zeros count by their number */
        seen[len] = prober_segment_hash(bytes, len, 0);
        for (size_t i = 0; i < len; i++) {
            assert_true(seen[i] != seen[len]);
        }
    }
    for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) { /* one bit moves about half of them */
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        int moved = __builtin_popcountll(prober_segment_hash(bytes, sizeof(bytes), 0) ^ seen[64]);
        assert_in_range(moved, 10, 54);
        bytes[bit / 8] ^= (char)(1 << bit % 8);
    }
    assert_true(prober_segment_hash("a", 1, 0) != prober_segment_hash("a", 1, 1));
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(test_documents_come_back),
        IN_PLACE(test_head),
        IN_PLACE(test_what_is_no_document),
        IN_PLACE(test_only_changes_are_written),
        IN_PLACE(test_remove),
        IN_PLACE(test_outgrown),
        IN_PLACE(test_headroom),
        IN_PLACE(test_many),
        IN_PLACE(test_file_size_limit),
        cmocka_unit_test_setup_teardown(test_full_tmpfs, make_place, remove_mounted_place),
        cmocka_unit_test(test_age),
        cmocka_unit_test(test_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Whatever may stand at the path: what the reader says of it, and what the writer takes over. */
#include "segment_util.h"

#include <sys/socket.h>
#include <sys/un.h>

#define ENTRIES   (sizeof(struct prober_segment_header) + 128 * sizeof(uint64_t)) /* 128 cells */
#define HEADER(f) offsetof(struct prober_segment_header, f)
#define ENTRY(n, f)                                                                                \
    (ENTRIES + (n) * sizeof(struct prober_segment_entry) + offsetof(struct prober_segment_entry, f))

static void assert_problem(const char *path, enum prober_segment_problem expected)
{
    struct prober_segment_reader reader;
    enum prober_segment_problem problem = prober_segment_open(path, &reader);

    if (problem != expected) {
        fail_msg("\"%s\" instead of \"%s\"", prober_segment_problem_text(problem),
                 prober_segment_problem_text(expected));
    }
    assert_null(reader.base);
    assert_int_equal(reader.size, 0);
}

static void poke(const char *path, size_t offset, uint64_t word)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, &word, sizeof(word), (off_t)offset), sizeof(word));
    close(fd);
}

static uint64_t peek(const char *path, size_t offset)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint64_t word;

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &word, sizeof(word), (off_t)offset), sizeof(word));
    close(fd);
    return word;
}

/* Documents /a, /b and /c at heartbeat 777, by a writer that has gone. */
static void leave_segment(const char *path)
{
    struct prober_segment_writer *writer = open_writer(path);

    put_text(writer, "/a", "document a");
    put_text(writer, "/b", "document b");
    put_text(writer, "/c", "document c");
    prober_segment_writer_touch(writer, "/a", 2, 555);
    prober_segment_writer_heartbeat(writer, 777);
    assert_int_equal(prober_segment_writer_commit(writer), 0);
    prober_segment_writer_close(writer);
    assert_int_equal(peek(path, HEADER(index_cells)), 128); /* what ENTRIES counts on */
}

static void test_not_there(void **state)
{
    struct place *place = *state;
    char below[128];

    assert_problem(place->path, PROBER_SEGMENT_MISSING);
    leave_segment(place->path);
    snprintf(below, sizeof(below), "%s/below", place->path);
    assert_problem(below, PROBER_SEGMENT_MISSING);
    assert_int_equal(chmod(place->path, 0), 0);
    if (geteuid() == 0) {
        assert_int_equal(seteuid(65534), 0);
        assert_problem(place->path, PROBER_SEGMENT_DENIED);
        assert_int_equal(seteuid(0), 0);
    } else {
        assert_problem(place->path, PROBER_SEGMENT_DENIED);
    }
}

static void test_not_a_file(void **state)
{
    struct place *place = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char target[128];

    assert_problem(place->dir, PROBER_SEGMENT_NOT_FILE);
    assert_int_equal(mkfifo(place->path, 0644), 0); /* must not wait for a writer */
    assert_problem(place->path, PROBER_SEGMENT_NOT_FILE);
    assert_int_equal(unlink(place->path), 0);

    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    strcpy(address.sun_path, place->path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_problem(place->path, PROBER_SEGMENT_NOT_FILE);
    close(fd);
    assert_int_equal(unlink(place->path), 0);

    snprintf(target, sizeof(target), "%s/target", place->dir);
    leave_segment(target);
    assert_int_equal(symlink(target, place->path), 0);
    assert_problem(place->path, PROBER_SEGMENT_NOT_FILE);
    prober_segment_writer_close(open_writer(place->path)); /* replaces the link, not its target */
    struct prober_segment_reader reader;
    assert_int_equal(prober_segment_open(place->path, &reader), PROBER_SEGMENT_OK);
    assert_absent(&reader, "/a");
    prober_segment_close(&reader);
    assert_int_equal(prober_segment_open(target, &reader), PROBER_SEGMENT_OK);
    assert_text(&reader, "/a", "document a");
    prober_segment_close(&reader);
}

static void test_sizes(void **state)
{
    struct place *place = *state;
    static const off_t small[] = {0, 1, 8, 64, sizeof(struct prober_segment_header) - 1};
    struct stat st;

    leave_segment(place->path);
    assert_int_equal(stat(place->path, &st), 0);
    assert_int_equal(truncate(place->path, st.st_size + 8), 0);
    assert_problem(place->path, PROBER_SEGMENT_BAD_SIZE);
    assert_int_equal(truncate(place->path, st.st_size - 8), 0);
    assert_problem(place->path, PROBER_SEGMENT_BAD_SIZE);
    assert_int_equal(truncate(place->path, (off_t)PROBER_SEGMENT_MAX + 8), 0);
    assert_problem(place->path, PROBER_SEGMENT_BAD_SIZE);
    for (size_t i = 0; i < sizeof(small) / sizeof(small[0]); i++) {
        assert_int_equal(truncate(place->path, small[i]), 0);
        assert_problem(place->path, PROBER_SEGMENT_BAD_SIZE);
    }
    assert_int_equal(truncate(place->path, 4096), 0); /* zeros */
    assert_problem(place->path, PROBER_SEGMENT_BAD_MAGIC);
}

static void test_headers(void **state)
{
    struct place *place = *state;
    static const struct {
        size_t offset;
        uint64_t word;
        enum prober_segment_problem problem;
    } faults[] = {
        {HEADER(magic), PROBER_SEGMENT_MAGIC + 1, PROBER_SEGMENT_BAD_MAGIC},
        {HEADER(abi), PROBER_SEGMENT_ABI - 1, PROBER_SEGMENT_OLD_ABI},
        {HEADER(abi), PROBER_SEGMENT_ABI + 1, PROBER_SEGMENT_NEW_ABI},
        {HEADER(abi), UINT64_MAX, PROBER_SEGMENT_NEW_ABI},
        {HEADER(size), 0, PROBER_SEGMENT_BAD_SIZE},
        {HEADER(index_cells), 0, PROBER_SEGMENT_CORRUPT},
        {HEADER(index_cells), 4, PROBER_SEGMENT_CORRUPT},
        {HEADER(index_cells), 129, PROBER_SEGMENT_CORRUPT},
        {HEADER(index_cells), UINT64_C(1) << 30, PROBER_SEGMENT_CORRUPT},
        {HEADER(index_cells), UINT64_C(1) << 61, PROBER_SEGMENT_CORRUPT}, /* x 8 overflows to 0 */
        {HEADER(index_cells), UINT64_C(1) << 63, PROBER_SEGMENT_CORRUPT},
        {HEADER(index_cells), 65536, PROBER_SEGMENT_CORRUPT},
        {HEADER(entry_capacity), 65, PROBER_SEGMENT_CORRUPT},
        {HEADER(entry_capacity), UINT64_MAX, PROBER_SEGMENT_CORRUPT},
        {HEADER(entry_capacity), UINT64_MAX / sizeof(struct prober_segment_entry) + 1,
         PROBER_SEGMENT_CORRUPT},
    };
    struct prober_segment_reader reader;

    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        leave_segment(place->path);
        poke(place->path, faults[i].offset, faults[i].word);
        assert_problem(place->path, faults[i].problem);
        /* A writer makes a new file of it. */
        struct prober_segment_writer *writer = open_writer(place->path);
        assert_false(prober_segment_writer_took_over(writer));
        assert_int_equal(prober_segment_open(place->path, &reader), PROBER_SEGMENT_OK);
        assert_absent(&reader, "/a");
        prober_segment_close(&reader);
        prober_segment_writer_close(writer);
    }
}

/* The cell that leads to /a, which is entry 0. */
static size_t cell_of_a(const char *path)
{
    for (size_t offset = sizeof(struct prober_segment_header); offset < ENTRIES; offset += 8) {
        if ((peek(path, offset) & UINT32_MAX) == 1) {
            return offset;
        }
    }
    fail_msg("no cell leads to the first entry");
    return 0;
}

/* Faults that are only found at the look-up of the document. */
static void test_corrupt_documents(void **state)
{
    struct place *place = *state;
    leave_segment(place->path);
    size_t slot = peek(place->path, ENTRY(0, slot_offset)), cell = cell_of_a(place->path);
    uint64_t upper = peek(place->path, cell) >> 32 << 32, size = peek(place->path, HEADER(size));
    uint64_t type = UINT64_C(10) << 32;
    const struct {
        size_t offset;
        uint64_t word;
        int error;
    } faults[] = {
        {cell, 0, -ENOENT},
        {cell, upper, -EBADMSG},
        {cell, upper | 65, -EBADMSG},
        {cell, upper | UINT32_MAX, -EBADMSG},
        {cell, upper | 2, -ENOENT}, /* another key's entry */
        {ENTRY(0, hash), 1, -ENOENT},
        {ENTRY(0, key_len), 3, -ENOENT},
        {ENTRY(0, slot_offset), size, -EBADMSG},
        {ENTRY(0, slot_offset), size - 8, -EBADMSG},
        {ENTRY(0, slot_offset), slot + 1, -EBADMSG},
        {ENTRY(0, slot_offset), UINT64_MAX - 7, -EBADMSG},
        {ENTRY(0, slot_offset), UINT64_C(1) << 63, -EBADMSG},
        {ENTRY(0, slot_capacity), 0, -EBADMSG},
        {slot, 0, -ENOENT},
        {slot, type | 99, -EBADMSG},
        {slot, type | 600, -EBADMSG},
        {slot, type, -EBADMSG},
        {slot, (uint64_t)PROBER_CONTENT_TYPE_MAX << 32 | 200, -EBADMSG},
        {slot, UINT64_MAX, -EBADMSG},
        {slot + 8, 1000, -EBADMSG},
        {slot + 8, UINT64_MAX, -EBADMSG},
        {slot + 8, UINT64_C(1) << 32, -EBADMSG},
    };

    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        struct prober_segment_reader reader;
        struct prober_reading reading;
        uint64_t before = peek(place->path, faults[i].offset);

        poke(place->path, faults[i].offset, faults[i].word);
        assert_int_equal(prober_segment_open(place->path, &reader), PROBER_SEGMENT_OK);
        int r = find(&reader, "/a", &reading);
        if (r != faults[i].error) {
            fail_msg("fault %zu: %d instead of %d", i, r, faults[i].error);
        }
        assert_text(&reader, "/b", "document b"); /* the others are as good as before */
        prober_segment_close(&reader);
        poke(place->path, faults[i].offset, before);
    }
    /* A capacity that lies lets a body reach to the end of the file, and not beyond. */
    poke(place->path, ENTRY(0, slot_capacity), UINT64_MAX);
    poke(place->path, slot + 8, size);
    struct prober_segment_reader reader;
    struct prober_reading reading;
    assert_int_equal(prober_segment_open(place->path, &reader), PROBER_SEGMENT_OK);
    assert_int_equal(find(&reader, "/a", &reading), -EBADMSG);
    prober_segment_close(&reader);
}

/* An index without an empty cell ends every look-up all the same. */
static void test_full_index(void **state)
{
    struct place *place = *state;
    struct prober_segment_reader reader;

    leave_segment(place->path);
    for (size_t offset = sizeof(struct prober_segment_header); offset < ENTRIES; offset += 8) {
        poke(place->path, offset, UINT64_C(0x123456780000000a));
    }
    assert_int_equal(prober_segment_open(place->path, &reader), PROBER_SEGMENT_OK);
    assert_absent(&reader, "/a");
    assert_absent(&reader, "/nowhere");
    prober_segment_close(&reader);
}

/* Opens as the next writer: same file, documents and heartbeat as they were? */
static void assert_taken_over(const char *path, bool expected)
{
    struct stat before, after;
    struct prober_reading reading;

    assert_int_equal(stat(path, &before), 0);
    struct prober_segment_writer *writer = open_writer(path);
    struct prober_segment_reader reader = prober_segment_writer_view(writer);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino == after.st_ino, expected);
    assert_int_equal(prober_segment_writer_took_over(writer), expected);
    assert_int_equal(prober_segment_writer_documents(writer), expected ? 3 : 0);
    assert_int_equal(prober_segment_heartbeat_ms(&reader), expected ? 777 : 0);
    if (expected) {
        assert_int_equal(find(&reader, "/a", &reading), 0);
        assert_int_equal(reading.observed_at_ms, 555);
        assert_text(&reader, "/a", "document a");
        assert_int_equal(put_text(writer, "/c", "document c"), 0);
    }
    assert_int_equal(put_text(writer, "/d", "document d"), 1);
    assert_text(&reader, "/d", "document d");
    prober_segment_writer_close(writer);
}

static void test_takeover(void **state)
{
    struct place *place = *state;
    char temporary[128];

    leave_segment(place->path);
    snprintf(temporary, sizeof(temporary), "%s.new", place->path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_CLOEXEC, 0600); /* killed while it built one */
    close(fd);
    assert_taken_over(place->path, true);
    assert_int_equal(access(temporary, F_OK), -1);
}

/* Killed in the middle of a change: the slot that is not published holds anything. */
static void test_takeover_of_half_a_change(void **state)
{
    struct place *place = *state;

    leave_segment(place->path);
    size_t inactive = peek(place->path, ENTRY(0, slot_offset) + 8);
    for (size_t i = 0; i < 12; i++) {
        poke(place->path, inactive + 8 * i, UINT64_C(0xdeadbeefdeadbeef));
    }
    assert_taken_over(place->path, true);
}

/* Killed in the middle of a new document: a new file, with all that was published. */
static void test_takeover_of_half_an_entry(void **state)
{
    struct place *place = *state;
    struct prober_segment_reader old, new;
    struct prober_reading reading;

    leave_segment(place->path);
    poke(place->path, HEADER(entries_used), 4);
    poke(place->path, ENTRY(3, hash), UINT64_C(0xdeadbeef));
    assert_int_equal(prober_segment_open(place->path, &old), PROBER_SEGMENT_OK);
    struct prober_segment_writer *writer = open_writer(place->path);
    assert_true(prober_segment_writer_took_over(writer));
    assert_true(prober_segment_retired(&old));
    assert_int_equal(prober_segment_open(place->path, &new), PROBER_SEGMENT_OK);
    assert_text(&new, "/a", "document a");
    assert_text(&new, "/c", "document c");
    assert_int_equal(find(&new, "/a", &reading), 0);
    assert_int_equal(reading.observed_at_ms, 555);
    assert_int_equal(prober_segment_heartbeat_ms(&new), 777);
    assert_int_equal(prober_segment_generation(&new), prober_segment_generation(&old));
    assert_int_equal(put_text(writer, "/d", "document d"), 1);
    assert_text(&new, "/d", "document d");
    prober_segment_close(&old);
    prober_segment_close(&new);
    prober_segment_writer_close(writer);
}

static void test_no_takeover(void **state)
{
    struct place *place = *state;
    leave_segment(place->path);
    size_t slot = peek(place->path, ENTRY(1, slot_offset)), cell = cell_of_a(place->path);
    const struct {
        size_t offset;
        uint64_t word;
    } faults[] = {
        {HEADER(entries_used), 2},
        {HEADER(entries_used), 5},
        {HEADER(entries_used), 1000},
        {HEADER(entries_used), UINT64_MAX},
        {HEADER(retired), 1},
        {cell, 0},
        {cell, 1},
        {ENTRY(1, hash), 1},
        {ENTRY(1, key_len), 0},
        {ENTRY(1, key_len), 255},
        {ENTRY(1, slot_offset), slot + 64},
        {ENTRY(1, slot_offset) + 8, slot},
        {ENTRY(1, slot_capacity), UINT64_MAX - 7},
        {ENTRY(1, slot_capacity), 8},
        {ENTRY(1, slot_capacity), 77},
        {slot, 99},
        {slot, UINT64_C(4) << 32 | 200},
        {slot + 8, 9},
        {slot + 8, UINT64_MAX},
        {slot + 16, 1},
        {slot + sizeof(struct prober_segment_slot), 1},
    };

    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        assert_int_equal(unlink(place->path), 0);
        leave_segment(place->path);
        poke(place->path, faults[i].offset, faults[i].word);
        assert_taken_over(place->path, false);
    }
    if (geteuid() == 0) {
        assert_int_equal(unlink(place->path), 0);
        leave_segment(place->path);
        assert_int_equal(chown(place->path, 1, 1), 0);
        assert_taken_over(place->path, false);
    }
}

static void test_one_writer(void **state)
{
    struct place *place = *state;
    struct prober_segment_writer *writer = open_writer(place->path), *other = NULL;
    mode_t mask = umask(077);
    char lock[128];
    struct stat st;

    assert_int_equal(prober_segment_writer_open(place->path, &other), -EBUSY);
    assert_null(other);
    prober_segment_writer_close(writer);
    assert_int_equal(unlink(place->path), 0);
    writer = open_writer(place->path);
    assert_int_equal(stat(place->path, &st), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0644); /* whatever the umask */
    snprintf(lock, sizeof(lock), "%s.lock", place->path);
    assert_int_equal(stat(lock, &st), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0600); /* no reader can lock the collector out */
    umask(mask);
    prober_segment_writer_close(writer);
    assert_int_equal(prober_segment_writer_open(place->dir, &other), -EISDIR);
    assert_int_equal(prober_segment_writer_open("/nowhere/segment", &other), -ENOENT);
    snprintf(lock, sizeof(lock), "%s.lock", place->dir);
    unlink(lock);
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(test_not_there),
        IN_PLACE(test_not_a_file),
        IN_PLACE(test_sizes),
        IN_PLACE(test_headers),
        IN_PLACE(test_corrupt_documents),
        IN_PLACE(test_full_index),
        IN_PLACE(test_takeover),
        IN_PLACE(test_takeover_of_half_a_change),
        IN_PLACE(test_takeover_of_half_an_entry),
        IN_PLACE(test_no_takeover),
        IN_PLACE(test_one_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Kills a segment's writer at random moments while others read.
 *
 *   segment_stress PATH KILLS [READERS]
 *
 * A child publishes rounds of documents as fast as it can, with bodies that outgrow their slots and
 * documents that come and go, and is killed by SIGKILL; the next child takes over. READERS
 * processes (2) read all the time and check every document. The times in the segment are numbers of
 * rounds here, not ms, so that what a document must say at a time is known exactly:
 *
 *   - head and body belong to one and the same state of the document, whole;
 *   - a document's state and version only move forward; a document that stays is never unknown;
 *   - no state is older than the observed time beside it, none older than the heartbeat says;
 *   - the path always names a sound segment.
 *
 * Prints one line of figures; exit status 0 if nothing was wrong and enough was seen to tell.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "prober_segment_reader.h"
#include "prober_segment_writer.h"

#define STAYING        48 /* documents that are never removed */
#define DOCUMENTS      64
#define WORDS_MAX      8192
#define READERS_MAX    8
#define LIFE_MAX_US    8000
#define REPLACED_EVERY 256 /* reads between two stat() of the path */

struct board {
    atomic_ulong round, reads, retries, takeovers, rebuilds, faults;
    atomic_bool done;
};

struct seen {
    uint64_t state;
    uint64_t version;
    ino_t ino;
};

static struct board *board;
static const char *path;

__attribute__((format(printf, 1, 2))) static void fault(const char *format, ...)
{
    va_list arguments;

    if (atomic_fetch_add(&board->faults, 1) < 20) {
        va_start(arguments, format);
        fputs("fault: ", stderr);
        vfprintf(stderr, format, arguments);
        fputc('\n', stderr);
        va_end(arguments);
    }
}

/* The state of a document in a round: each stays the same for three rounds. */
static uint64_t state_at(int number, uint64_t round)
{
    return (round + (uint64_t)number) / 3;
}

static bool is_there(int number, uint64_t round)
{
    return number < STAYING || (round / 5 + (uint64_t)number) % 2 == 0;
}

/* What follows from number and state: all of the head, and the word that fills the body. */
static void head_at(int number, uint64_t state, struct prober_document *ret)
{
    uint64_t noise = state * 2654435761u + (uint64_t)number * 40503u;
    size_t words = 1 + noise / 64 % (noise % 151 == 0 ? WORDS_MAX : 96);

    *ret = (struct prober_document){.status = (uint16_t)(200 + noise % 300),
                                    .flags = (uint16_t)(noise >> 7),
                                    .content_type = noise % 2 ? "text/plain" : "a/b",
                                    .body_len = 8 * words};
}

static uint64_t word_at(int number, uint64_t state)
{
    return (uint64_t)number << 48 | state;
}

static int key_of(int number, char key[32])
{
    return snprintf(key, 32, "/healthz/10.0.0.%d%s", number, number % 2 ? "?brief" : "");
}

static int publish(struct prober_segment_writer *writer, int number, uint64_t round)
{
    static uint64_t body[WORDS_MAX];
    struct prober_document document;
    uint64_t state = state_at(number, round);
    char key[32];
    size_t key_len = (size_t)key_of(number, key);

    if (!is_there(number, round)) {
        return prober_segment_writer_remove(writer, key, key_len);
    }
    head_at(number, state, &document);
    for (size_t i = 0; i < document.body_len / 8; i++) {
        body[i] = word_at(number, state);
    }
    document.body = body;
    int r = prober_segment_writer_put(writer, key, key_len, &document);
    return r < 0 ? r : prober_segment_writer_touch(writer, key, key_len, (int64_t)round);
}

static void run_writer(void)
{
    struct prober_segment_writer *writer;
    int r = prober_segment_writer_open(path, &writer);

    if (r < 0) {
        fault("the writer cannot open the segment: %s", strerror(-r));
        _exit(1);
    }
    atomic_fetch_add(&board->takeovers, prober_segment_writer_took_over(writer));
    for (;;) {
        uint64_t round = atomic_fetch_add(&board->round, 1) + 1;
        ino_t ino = prober_segment_writer_view(writer).ino;
        for (int number = 0; number < DOCUMENTS && r >= 0; number++) {
            r = publish(writer, number, round);
        }
        if (r < 0 || (r = prober_segment_writer_commit(writer)) < 0) {
            fault("the writer cannot publish: %s", strerror(-r));
            _exit(1);
        }
        prober_segment_writer_heartbeat(writer, (int64_t)round);
        atomic_fetch_add(&board->rebuilds, prober_segment_writer_view(writer).ino != ino);
    }
}

static void check(int number, const struct prober_reading *reading, const uint64_t *body,
                  int64_t heartbeat, const struct prober_segment_reader *reader, struct seen *seen)
{
    uint64_t state = body[0] & ((UINT64_C(1) << 48) - 1);
    struct prober_document expected;

    head_at(number, state, &expected);
    for (size_t i = 0; i < reading->body_len / 8; i++) {
        if (body[i] != word_at(number, state)) {
            fault("document %d is torn at word %zu", number, i);
            return;
        }
    }
    if (reading->status != expected.status || reading->flags != expected.flags ||
        reading->body_len != expected.body_len ||
        reading->content_type_len != strlen(expected.content_type) ||
        memcmp(reading->content_type, expected.content_type, reading->content_type_len) != 0) {
        fault("document %d has the head of another state", number);
    }
    if (state < seen->state || (seen->ino == reader->ino && reading->version < seen->version)) {
        fault("document %d went back", number);
    }
    if (state < state_at(number, (uint64_t)reading->observed_at_ms)) {
        fault("document %d is older than its time", number);
    }
    if (state < state_at(number, (uint64_t)heartbeat) ||
        (number < STAYING && reading->observed_at_ms < heartbeat)) {
        fault("document %d is older than the heartbeat", number);
    }
    *seen = (struct seen){.state = state, .version = reading->version, .ino = reader->ino};
}

static void read_document(const struct prober_segment_reader *reader, int number, struct seen *seen)
{
    static uint64_t body[WORDS_MAX];
    struct prober_reading reading;
    char key[32];
    int64_t heartbeat = prober_segment_heartbeat_ms(reader);
    int r = prober_segment_find(reader, key, (size_t)key_of(number, key), &reading);

    if (r == 0 && (reading.body_len < 8 || reading.body_len > sizeof(body))) {
        fault("document %d has %u bytes", number, reading.body_len);
        return;
    }
    if (r == 0) {
        r = prober_segment_copy(reader, &reading, body);
    }
    if (r == -EAGAIN) {
        atomic_fetch_add(&board->retries, 1);
    } else if (r == -ENOENT && (number >= STAYING || heartbeat == 0)) {
        return;
    } else if (r < 0) {
        fault("document %d: %s", number, strerror(-r));
    } else {
        check(number, &reading, body, heartbeat, reader, seen);
        atomic_fetch_add(&board->reads, 1);
    }
}

static void run_reader(unsigned seed)
{
    struct prober_segment_reader reader = {0};
    struct seen seen[DOCUMENTS] = {{0}};

    for (unsigned turn = 0; !atomic_load(&board->done); turn++) {
        bool first = reader.base == NULL;
        if (prober_segment_retired(&reader) ||
            (turn % REPLACED_EVERY == 0 && prober_segment_replaced(&reader, path))) {
            prober_segment_close(&reader);
            enum prober_segment_problem problem = prober_segment_open(path, &reader);
            if (problem != PROBER_SEGMENT_OK && !(first && problem == PROBER_SEGMENT_MISSING)) {
                fault("at the path: %s", prober_segment_problem_text(problem));
            }
        }
        if (reader.base != NULL) {
            int number = rand_r(&seed) % DOCUMENTS;
            read_document(&reader, number, &seen[number]);
        }
    }
    prober_segment_close(&reader);
    _exit(0);
}

static pid_t spawn(void (*run)(unsigned), unsigned argument)
{
    pid_t pid = fork();

    if (pid < 0) {
        perror("fork");
        exit(1);
    }
    if (pid == 0) {
        run(argument);
    }
    return pid;
}

static void writer_process(unsigned unused)
{
    (void)unused;
    run_writer();
}

static void kill_one_writer(unsigned *seed)
{
    pid_t pid = spawn(writer_process, 0);
    struct timespec life = {.tv_nsec = 1000L * (rand_r(seed) % LIFE_MAX_US)};
    int status;

    nanosleep(&life, NULL);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        fault("a writer ended by itself: status %#x", status);
    }
}

static void remove_files(void)
{
    static const char *const suffixes[] = {"", ".new", ".lock"};
    char name[4096];

    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
        unlink(name);
    }
}

int main(int argc, char **argv)
{
    int kills = argc > 2 ? atoi(argv[2]) : 0, readers = argc > 3 ? atoi(argv[3]) : 2, status;
    unsigned seed = (unsigned)time(NULL);
    pid_t pids[READERS_MAX];

    if (kills < 1 || readers < 1 || readers > READERS_MAX) {
        fprintf(stderr, "usage: segment_stress PATH KILLS [READERS]\n");
        return 2;
    }
    path = argv[1];
    remove_files();
    board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < readers; i++) {
        pids[i] = spawn(run_reader, seed + (unsigned)i);
    }
    for (int i = 0; i < kills; i++) {
        kill_one_writer(&seed);
    }
    atomic_store(&board->done, true);
    for (int i = 0; i < readers; i++) {
        if (waitpid(pids[i], &status, 0) != pids[i] || status != 0) {
            fault("a reader died: status %#x", status);
        }
    }
    remove_files();
    printf("%d kills, %lu reads, %lu takeovers, %lu rebuilds, %lu torn (seed %u, %lu rounds, %lu "
           "reads tried again)\n",
           kills, board->reads, board->takeovers, board->rebuilds, board->faults, seed,
           board->round, board->retries);
    if (board->reads < (unsigned long)kills || board->takeovers < (unsigned long)kills / 2 ||
        board->rebuilds == 0) {
        fprintf(stderr, "too little was seen to tell\n");
        return 1;
    }
    return board->faults != 0;
}

/*
 * Drives store/store.h, for tests: reads commands from standard input, one a line, and prints one
 * line per answer.
 *
 *   storectl CONF [CLUSTER]            the section "coordination" of that configuration
 *   get KEY
 *   put KEY REVISION VALUE             session-put: the key goes with the session
 *   delete KEY REVISION
 *   session | problem                  "session N LEFT_MS", "problem …"
 *
 * Answers: "WORD KEY RESULT REVISION VALUE|- DETAIL". Ends with standard input.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "store/store.h"

static struct store *store;

struct asked {
    char word[16], key[STORE_KEY_LEN];
};

static void on_answer(const struct store_answer *answer, void *userdata)
{
    struct asked *asked = userdata;

    printf("%s %s %s %" PRId64 " %s %s\n", asked->word, asked->key,
           store_result_word(answer->result), answer->revision, answer->value ? answer->value : "-",
           answer->detail);
    free(asked);
}

static void command(char *line)
{
    struct asked *asked = calloc(1, sizeof(*asked));
    char value[1024] = "";
    long long revision = 0;
    int n = sscanf(line, "%15s %127s %lld %1023[^\n]", asked->word, asked->key, &revision, value);
    int r = -EINVAL;

    if (n >= 2 && strcmp(asked->word, "get") == 0)
        r = store_get(store, asked->key, on_answer, asked);
    else if (n == 4 && strstr(asked->word, "put"))
        r = store_put(store, asked->key, value, revision, asked->word[0] == 's', on_answer, asked);
    else if (n >= 3 && strcmp(asked->word, "delete") == 0)
        r = store_delete(store, asked->key, revision, on_answer, asked);
    if (r == 0)
        return;
    if (strcmp(asked->word, "session") == 0)
        printf("session %" PRIu64 " %" PRId64 "\n", store_session(store),
               store_session_left(store));
    else if (strcmp(asked->word, "problem") == 0)
        printf("problem %s\n", store_problem(store));
    else
        printf("error %d: %s\n", r, line);
    free(asked);
}

static int on_input(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    static char buf[4096];
    static size_t len;
    ssize_t n = read(fd, buf + len, sizeof(buf) - 1 - len);
    char *end;

    (void)events;
    (void)userdata;
    if (n <= 0)
        return sd_event_exit(sd_event_source_get_event(source), 0);
    len += (size_t)n;
    buf[len] = '\0';
    while ((end = strchr(buf, '\n'))) {
        *end++ = '\0';
        command(buf);
        len -= (size_t)(end - buf);
        memmove(buf, end, len + 1);
    }
    return 0;
}

static void on_wrong(const char *message, void *userdata)
{
    (void)userdata;
    fprintf(stderr, "%s\n", message);
}

int main(int argc, char **argv)
{
    sd_event *event = NULL;
    struct conf *conf;
    int r;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 2 || conf_load(argv[1], on_wrong, NULL, &conf) < 0)
        return 2;
    r = sd_event_default(&event);
    if (r >= 0)
        r = store_new(event, conf, &store);
    if (r >= 0) {
        store_set_cluster(store, argc > 2 ? argv[2] : "");
        store_set_alone(store, true);
        r = sd_event_add_io(event, NULL, STDIN_FILENO, EPOLLIN, on_input, NULL);
    }
    if (r >= 0)
        r = sd_event_loop(event);
    store_free(store);
    conf_free(conf);
    sd_event_unref(event);
    return r < 0 ? 1 : 0;
}

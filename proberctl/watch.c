/* The cluster as it changes, on a terminal: what there is to be seen to first, then the others. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "colour.h"
#include "document.h"
#include "json_text.h"
#include "nodes_table.h"

#define INTERVAL_MS 1000

static volatile sig_atomic_t ended;

/* A new size of the terminal only has it drawn at once. */
static void on_signal(int number)
{
    ended |= number != SIGWINCH;
}

/* What the terminal was, to be put back. */
struct screen {
    struct termios before;
    bool raw;  /* keys come one by one */
    bool full; /* it is drawn anew each time; otherwise one picture below the other */
};

static void screen_begin(struct screen *screen)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct termios keys;

    *screen = (struct screen){.full = colour_terminal()};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    sigaction(SIGQUIT, &action, NULL);
    sigaction(SIGWINCH, &action, NULL);
    if (tcgetattr(STDIN_FILENO, &screen->before) == 0) {
        keys = screen->before;
        keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        keys.c_cc[VSUSP] = _POSIX_VDISABLE; /* stopped, it would leave the terminal like that */
        keys.c_cc[VQUIT] = _POSIX_VDISABLE;
        screen->raw = tcsetattr(STDIN_FILENO, TCSANOW, &keys) == 0;
    }
    if (screen->full)
        fputs("\033[?1049h\033[?25l", stdout); /* a screen of its own, no cursor */
}

static void screen_end(const struct screen *screen)
{
    if (screen->full)
        fputs("\033[?25h\033[?1049l", stdout);
    fflush(stdout);
    if (screen->raw)
        tcsetattr(STDIN_FILENO, TCSANOW, &screen->before);
}

static bool is_ready(const json_t *node)
{
    return strcmp(text_of(node, "verdict"), "ready") == 0;
}

static void write_head(FILE *out, const json_t *json, const struct document *document)
{
    size_t nodes = 0, ready = 0, i;
    const json_t *node;
    char now[16] = "", cluster[128];
    time_t t = time(NULL);
    struct tm tm;

    json_array_foreach(json_object_get(json, "nodes"), i, node)
    {
        nodes++;
        ready += is_ready(node);
    }
    snprintf(cluster, sizeof(cluster), "%s", text_of(json, "cluster"));
    if (localtime_r(&t, &tm))
        strftime(now, sizeof(now), "%H:%M:%S", &tm);
    make_printable(cluster);
    fprintf(out, "%s: %zu nodes, %zu ready, ", cluster, nodes, ready);
    if (document->stale)
        fprintf(out, "%sSTALE: the collector does not live; systemctl status prober-collector%s",
                colour_of("DOWN"), colour_of("end"));
    else
        fprintf(out, "data %.1f s old", (double)document->age_ms / 1000);
    fprintf(out, "   %s   q ends\n\n", now);
}

static void write_nodes(FILE *out, const json_t *json)
{
    struct table table = nodes_table();
    const json_t *node;
    size_t i;

    json_array_foreach(json_object_get(json, "nodes"), i, node) if (!is_ready(node))
        nodes_table_add(&table, node);
    json_array_foreach(json_object_get(json, "nodes"), i, node) if (is_ready(node))
        nodes_table_add(&table, node);
    table_end_in_columns(&table, out);
}

/* Why there is no picture is on stderr, where it belongs to the picture. */
static char *picture(const struct options *options)
{
    struct document document;
    json_t *json = document_json(options, "/nodes", &document);
    char *text = NULL;
    size_t len;
    FILE *out;

    if (!json)
        return NULL;
    out = open_memstream(&text, &len);
    if (!out)
        abort();
    write_head(out, json, &document);
    write_nodes(out, json);
    fclose(out);
    json_decref(json);
    document_free(&document);
    return text;
}

/* One line, cut at the terminal's width; escape sequences and the rest of a character take no room.
 * Returns where the next one begins. */
static const char *put_line(const char *line, size_t columns)
{
    size_t column = 0;
    const char *c = line;

    for (; *c && *c != '\n'; c++) {
        if (*c == '\033') {
            const char *end = strchr(c, 'm');

            if (!end)
                break;
            fwrite(c, 1, (size_t)(end - c + 1), stdout);
            c = end;
            continue;
        }
        column += ((unsigned char)*c & 0xc0) != 0x80;
        if (column <= columns)
            putchar(*c);
    }
    return *c == '\n' ? c + 1 : c + strlen(c);
}

static void draw(const char *text, bool full)
{
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    size_t line = 1;

    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    if (size.ws_row == 0 || size.ws_col == 0)
        size = (struct winsize){.ws_row = 24, .ws_col = 80};
    if (!full) {
        printf("%s\n", text);
        fflush(stdout);
        return;
    }
    fputs("\033[H", stdout);
    for (; *text && line < size.ws_row; line++) {
        text = put_line(text, size.ws_col);
        fputs("\033[K\r\n", stdout);
    }
    fputs("\033[J", stdout);
    if (*text)
        fputs("… proberctl nodes has the rest", stdout);
    fflush(stdout);
}

/* Until the next picture is due. True: somebody has said q, or nobody is there any more. */
static bool wait_key(void)
{
    struct pollfd keys = {.fd = STDIN_FILENO, .events = POLLIN};
    char key = 0;

    if (poll(&keys, 1, INTERVAL_MS) <= 0)
        return ended;
    return read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q' || ended;
}

enum answer watch(const struct options *options, char **args)
{
    struct screen screen;
    char *text;

    (void)args;
    if (options->json || !isatty(STDOUT_FILENO)) {
        complain("watch is for a terminal; proberctl nodes --json for programs");
        return CANNOT_TELL;
    }
    text = picture(options);
    if (!text)
        return CANNOT_TELL;
    screen_begin(&screen);
    do {
        if (text)
            draw(text, screen.full);
        free(text);
        if (wait_key())
            break;
        text = picture(options);
        if (!text && screen.full)
            fputs("\r\n", stderr); /* it has said why, below the last picture */
    } while (true);
    screen_end(&screen);
    return YES;
}

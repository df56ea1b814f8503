#include "log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* The place in the source is nobody's business. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#define LINE_LEN  2048
#define FIELD_LEN 512 /* longer ones are cut; the message has all */

/* The variable is inherited, also by who has sent stderr elsewhere: it names device and inode. */
static bool stderr_is_journal(void)
{
    static int cached = -1;
    const char *stream;
    struct stat st;
    char own[64];

    if (cached < 0) {
        stream = getenv("JOURNAL_STREAM");
        if (stream && fstat(STDERR_FILENO, &st) == 0)
            snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
        else
            stream = NULL;
        cached = stream && strcmp(stream, own) == 0;
    }
    return cached;
}

/* One write per line, so that lines of two programs on one terminal do not mix. */
static void write_line(int priority, const char *line)
{
    if (stderr_is_journal())
        dprintf(STDERR_FILENO, "<%d>%s\n", priority, line);
    else
        dprintf(STDERR_FILENO, "prober-collector: %s\n", line);
}

void log_message(int priority, const char *format, ...)
{
    char line[LINE_LEN];
    va_list ap;

    va_start(ap, format);
    vsnprintf(line, sizeof(line), format, ap);
    va_end(ap);
    write_line(priority, line);
}

/* False: it could not be sent. */
static bool send_entry(const struct log_event *event, const char *line)
{
    const struct {
        const char *name, *value;
    } fields[] = {
        {"MESSAGE_ID", event->id},     {"NODE", event->node},           {"VERDICT", event->verdict},
        {"REASON", event->reason},     {"OBSERVERS", event->observers}, {"JOB", event->job},
        {"JOB_TYPE", event->job_type}, {"JOB_STATE", event->job_state},
    };
    enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };
    char message[LINE_LEN + 8], priority[16], text[FIELDS][FIELD_LEN];
    struct iovec entry[FIELDS + 2];
    int n = 0;

    snprintf(message, sizeof(message), "MESSAGE=%s", line);
    snprintf(priority, sizeof(priority), "PRIORITY=%d", event->priority);
    entry[n++] = (struct iovec){message, strlen(message)};
    entry[n++] = (struct iovec){priority, strlen(priority)};
    for (size_t i = 0; i < FIELDS; i++) {
        if (!fields[i].value)
            continue;
        snprintf(text[i], sizeof(text[i]), "%s=%s", fields[i].name, fields[i].value);
        entry[n++] = (struct iovec){text[i], strlen(text[i])};
    }
    return sd_journal_sendv(entry, n) == 0;
}

static unsigned long long events;

unsigned long long log_events(void)
{
    return events;
}

void log_event(const struct log_event *event, const char *format, ...)
{
    char line[LINE_LEN];
    va_list ap;

    va_start(ap, format);
    vsnprintf(line, sizeof(line), format, ap);
    va_end(ap);
    events++;
    if (!stderr_is_journal() || !send_entry(event, line))
        write_line(event->priority, line);
}

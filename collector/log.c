#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void log_message(int priority, const char *format, ...)
{
    static int journal = -1;
    char line[2048];
    va_list ap;

    if (journal < 0)
        journal = getenv("JOURNAL_STREAM") != NULL;

    va_start(ap, format);
    vsnprintf(line, sizeof(line), format, ap);
    va_end(ap);

    /* One write per line, so that lines of two programs on one terminal do not mix. */
    if (journal)
        dprintf(STDERR_FILENO, "<%d>%s\n", priority, line);
    else
        dprintf(STDERR_FILENO, "prober-collector: %s\n", line);
}

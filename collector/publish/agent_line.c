#include "agent_line.h"

#include <stdio.h>

#include "words.h"

/* One line, in ASCII: HAProxy shows it in its statistics and logs it. */
static void down(const char *why, size_t len, char line[AGENT_LINE_LEN])
{
    int n = snprintf(line, AGENT_LINE_LEN - 1, "down #%.*s", (int)len, why);

    if (n > AGENT_LINE_LEN - 2)
        n = AGENT_LINE_LEN - 2;
    for (int i = 0; i < n; i++)
        if (line[i] < 0x20 || line[i] > 0x7e)
            line[i] = '?';
    line[n] = '\n';
    line[n + 1] = '\0';
}

bool agent_line(const struct node *node, char line[AGENT_LINE_LEN])
{
    static const char unknown[] = "no node of this cluster";
    struct text text = {0};

    if (!node || node->gone || node->forgotten) {
        down(unknown, sizeof(unknown) - 1, line);
        return true;
    }
    switch (node->verdict.readiness) {
    case READINESS_UNKNOWN:
        return false;
    case READY:
        snprintf(line, AGENT_LINE_LEN, "up ready\n");
        return true;
    case NOT_READY:
        break;
    }
    if (node->verdict.reasons == REASON_DRAINED) {
        snprintf(line, AGENT_LINE_LEN, "drain\n");
        return true;
    }
    words_add_reasons(&text, node);
    down(text.data ? text.data : "", text.len, line);
    text_free(&text);
    return true;
}

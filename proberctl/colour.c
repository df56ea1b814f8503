#include "colour.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool colour_terminal(void)
{
    const char *term = getenv("TERM");

    return isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

static bool wanted(void)
{
    static int answer = -1;
    const char *no_color = getenv("NO_COLOR");

    if (answer < 0)
        answer = colour_terminal() && !(no_color && *no_color);
    return answer;
}

const char *colour_of(const char *word)
{
    static const struct {
        const char *word, *sequence;
    } table[] = {
        {"end", "\033[0m"},          {"head", "\033[1m"},
        {"ready", "\033[32m"},       {"voter", "\033[32m"},
        {"UP", "\033[32m"},          {"not ready", "\033[31m"},
        {"lost vote", "\033[31m"},   {"DOWN", "\033[31m"},
        {"unreachable", "\033[31m"}, {"impostor", "\033[31m"},
        {"unknown", "\033[33m"},     {"stale", "\033[33m"},
        {"settling", "\033[33m"},    {"no view", "\033[33m"},
        {"own state", "\033[33m"},   {"sees itself down", "\033[33m"},
    };

    if (!wanted())
        return "";
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(table[i].word, word) == 0)
            return table[i].sequence;
    return "";
}

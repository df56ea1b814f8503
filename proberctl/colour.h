/* Colours, for words that tell of good or bad, where stdout is a terminal that has them and nobody
 * has said NO_COLOR (no-color.org). */
#ifndef COLOUR_H
#define COLOUR_H

#include <stdbool.h>

/* stdout understands escape sequences. */
bool colour_terminal(void);

/*
 * The sequence that a word is to be shown in: "ready", "voter", "UP" and the like green, their
 * opposites red, doubt yellow; "head" bold; "end" ends it. "" for other words, and where there are
 * no colours.
 */
const char *colour_of(const char *word);

#endif

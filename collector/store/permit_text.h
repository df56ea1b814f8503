/* The permit as it stands in the store: JSON. PURE. */
#ifndef PERMIT_TEXT_H
#define PERMIT_TEXT_H

#include "../model/permit.h"

/* Owned by the caller; NULL: out of memory. */
char *permit_write(const struct permit *permit);

/* 0, or -EBADMSG: it is no permit that this version knows; *ret is then kind PERMIT_NONE. */
int permit_read(const char *text, size_t len, struct permit *ret);

/* A token that somebody may choose: 8 to 39 letters, digits, dots, underscores and minuses. */
bool permit_token_ok(const char *token);

#endif

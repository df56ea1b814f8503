/*
 * Rows of text: with a head and in columns on a terminal, otherwise one line each with tabs
 * between. What is not printable becomes '?', so that no name can command the terminal.
 */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 12

struct table {
    size_t columns;
    char ***rows; /* the first one is the head */
    size_t n;
};

/* `head`: NULL-terminated names of the columns. */
struct table table_new(const char *const *head);

/* As many strings as there are columns; copied. NULL and "" are shown as "-". */
void table_add(struct table *table, const char *const *cells);

/* Prints it on stdout and frees it. */
void table_end(struct table *table);

/* The same in columns, elsewhere. */
void table_end_in_columns(struct table *table, FILE *out);

#endif

#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Out of memory there is nothing else that a command for people could do. */
static void *need(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

void table_add(struct table *table, const char *const *cells)
{
    char **row = need(calloc(table->columns, sizeof(*row)));

    for (size_t i = 0; i < table->columns; i++) {
        row[i] = need(strdup(cells[i] && *cells[i] ? cells[i] : "-"));
        for (char *c = row[i]; *c; c++)
            if ((unsigned char)*c < 0x20 || *c == 0x7f)
                *c = '?';
    }
    table->rows = need(reallocarray(table->rows, table->n + 1, sizeof(*table->rows)));
    table->rows[table->n++] = row;
}

struct table table_new(const char *const *head)
{
    struct table table = {0};

    while (head[table.columns])
        table.columns++;
    table_add(&table, head);
    return table;
}

static void print_row(const struct table *table, char **row, const size_t *widths)
{
    for (size_t i = 0; i < table->columns; i++) {
        if (i == table->columns - 1)
            printf("%s\n", row[i]);
        else if (widths)
            printf("%-*s  ", (int)widths[i], row[i]);
        else
            printf("%s\t", row[i]);
    }
}

void table_end(struct table *table)
{
    size_t widths[TABLE_COLUMNS_MAX] = {0};
    int terminal = isatty(STDOUT_FILENO);

    for (size_t n = 0; n < table->n; n++)
        for (size_t i = 0; i < table->columns; i++)
            if (strlen(table->rows[n][i]) > widths[i])
                widths[i] = strlen(table->rows[n][i]);
    for (size_t n = 0; n < table->n; n++) {
        if (n > 0 || terminal)
            print_row(table, table->rows[n], terminal ? widths : NULL);
        for (size_t i = 0; i < table->columns; i++)
            free(table->rows[n][i]);
        free(table->rows[n]);
    }
    free(table->rows);
    *table = (struct table){0};
}

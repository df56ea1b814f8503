#include "table.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "colour.h"
#include "json_text.h"

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
        make_printable(row[i]);
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

/* On the terminal, of UTF-8. */
static size_t width_of(const char *text)
{
    size_t width = 0;

    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void print_cell(const char *text, bool head, FILE *out)
{
    const char *colour = head ? colour_of("head") : colour_of(text);

    if (*colour)
        fprintf(out, "%s%s%s", colour, text, colour_of("end"));
    else
        fputs(text, out);
}

static void print_row(const struct table *table, size_t n, const size_t *widths, FILE *out)
{
    char **row = table->rows[n];

    for (size_t i = 0; i < table->columns; i++) {
        print_cell(row[i], n == 0, out);
        if (i == table->columns - 1)
            putc('\n', out);
        else if (widths)
            fprintf(out, "%*s", (int)(widths[i] - width_of(row[i]) + 2), "");
        else
            putc('\t', out);
    }
}

static void end(struct table *table, bool in_columns, FILE *out)
{
    size_t widths[TABLE_COLUMNS_MAX] = {0};

    for (size_t n = 0; n < table->n; n++)
        for (size_t i = 0; i < table->columns; i++)
            if (width_of(table->rows[n][i]) > widths[i])
                widths[i] = width_of(table->rows[n][i]);
    for (size_t n = 0; n < table->n; n++) {
        if (n > 0 || in_columns)
            print_row(table, n, in_columns ? widths : NULL, out);
        for (size_t i = 0; i < table->columns; i++)
            free(table->rows[n][i]);
        free(table->rows[n]);
    }
    free(table->rows);
    *table = (struct table){0};
}

void table_end(struct table *table)
{
    end(table, isatty(STDOUT_FILENO), stdout);
}

void table_end_in_columns(struct table *table, FILE *out)
{
    end(table, true, out);
}

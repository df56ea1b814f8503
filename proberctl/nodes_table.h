/* The table of nodes, as `nodes` and `watch` show it. */
#ifndef NODES_TABLE_H
#define NODES_TABLE_H

#include <jansson.h>

#include "table.h"

struct table nodes_table(void);

/* `node` is one of /nodes. */
void nodes_table_add(struct table *table, const json_t *node);

#endif

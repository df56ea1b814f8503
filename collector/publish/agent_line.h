/* A verdict as a line that HAProxy's agent checks understand. PURE. */
#ifndef AGENT_LINE_H
#define AGENT_LINE_H

#include "../model/cluster.h"

#define AGENT_LINE_LEN 256 /* with its end and NUL; reasons are cut */

/*
 * "up ready\n" ("ready" undoes a drain that was said before), "drain\n" or "down #reasons\n".
 * `node` NULL = no node of the cluster. False: nothing has been judged yet.
 */
bool agent_line(const struct node *node, char line[AGENT_LINE_LEN]);

#endif

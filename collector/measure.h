/* Figures of this process, for /metrics. */
#ifndef MEASURE_H
#define MEASURE_H

#include "publish/publish.h"

struct poller;

/* Brings those up to date that are not counted as they happen. */
void measure(struct process_figures *figures, const struct publisher *publisher,
             const struct poller *poller);

#endif

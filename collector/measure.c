#include "measure.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "log.h"
#include "sources/poller.h"

void measure(struct process_figures *figures, const struct publisher *publisher,
             const struct poller *poller)
{
    struct rusage usage;
    unsigned long size, resident;
    FILE *statm = fopen("/proc/self/statm", "re");

    if (getrusage(RUSAGE_SELF, &usage) == 0)
        figures->cpu_seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    if (statm) {
        if (fscanf(statm, "%lu %lu", &size, &resident) == 2)
            figures->resident_bytes = (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
        fclose(statm);
    }
    figures->segment_bytes = prober_segment_writer_size(publisher->writer);
    figures->segment_documents = prober_segment_writer_documents(publisher->writer);
    figures->publish_failures = publisher->failures;
    figures->decisions = log_events();
    figures->polls = *poller_counters(poller);
}

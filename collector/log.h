/*
 * Messages for the journal or a terminal: one line each on stderr. Where stderr is the journal
 * ($JOURNAL_STREAM) a line begins with its priority as sd-daemon(3) has it, and an event becomes an
 * entry with fields. Only the edges log; PURE files do not include this.
 */
#ifndef LOG_H
#define LOG_H

#include <syslog.h>

/* An entry with fields that can be searched for: journalctl NODE=10.0.0.3. Those that are NULL are
 * left out. */
struct log_event {
    int priority;
    const char *id; /* of messages.h */
    const char *node, *verdict, *reason;
    const char *observers;                  /* how many see it how */
    const char *job, *job_type, *job_state; /* of a cluster job, or of a node in it */
};

void log_message(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The message has everything that the fields have: on a terminal it is all there is. */
void log_event(const struct log_event *event, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* How many there were since the start. */
unsigned long long log_events(void);

#define log_error(...)   log_message(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)  log_message(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)    log_message(LOG_INFO, __VA_ARGS__)

#endif

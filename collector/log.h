/*
 * Messages for the journal or a terminal: one line each on stderr. Under systemd ($JOURNAL_STREAM)
 * a line begins with its priority as sd-daemon(3) has it. Only the edges log; PURE files do not
 * include this.
 */
#ifndef LOG_H
#define LOG_H

#include <syslog.h>

void log_message(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_message(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)  log_message(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)    log_message(LOG_INFO, __VA_ARGS__)

#endif

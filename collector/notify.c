#include "notify.h"

#include <systemd/sd-daemon.h>
#include <time.h>

/* Rounds without which the watchdog bites, and which the first one may take. */
#define ROUNDS 4

static uint64_t rounds_us(const struct conf *conf)
{
    return (uint64_t)(conf->interval_ms + conf->timeout_ms) * 1000 * ROUNDS;
}

void notify_init(struct notify *notify)
{
    *notify = (struct notify){0};
    if (sd_watchdog_enabled(0, &notify->asked_us) <= 0)
        notify->asked_us = 0;
    notify->watchdog_us = notify->asked_us;
}

void notify_configure(struct notify *notify, const struct conf *conf)
{
    uint64_t watchdog_us = notify->asked_us;

    if (watchdog_us == 0)
        return;
    if (watchdog_us < rounds_us(conf))
        watchdog_us = rounds_us(conf);
    if (watchdog_us != notify->watchdog_us)
        sd_notifyf(0, "WATCHDOG_USEC=%llu", (unsigned long long)watchdog_us);
    notify->watchdog_us = watchdog_us;
}

void notify_starting(const struct conf *conf)
{
    sd_notifyf(0, "EXTEND_TIMEOUT_USEC=%llu\nSTATUS=waiting for the first answers",
               (unsigned long long)rounds_us(conf));
}

void notify_round(struct notify *notify)
{
    struct timespec ts;
    int64_t now_us;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    now_us = (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
    if (notify->watchdog_us == 0 || now_us - notify->fed_us < (int64_t)notify->watchdog_us / 4)
        return;
    notify->fed_us = now_us;
    sd_notify(0, "WATCHDOG=1");
}

/* prober-collector: options, signals and the event loop. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <time.h>

#include "collector.h"
#include "log.h"

struct options {
    const char *config;
    bool check;
};

/* What the signal handlers need. */
struct program {
    const struct options *options;
    struct collector *collector;
};

static const char usage[] =
    "Usage: prober-collector [--config FILE] [--check-config] [--version]\n"
    "\n"
    "Gathers how each Cassandra node is seen by all the others and publishes it in shared memory\n"
    "for nginx. Runs in the foreground.\n"
    "\n"
    "  --config FILE   configuration (default " CONF_PATH ")\n"
    "  --check-config  say what is wrong with the configuration, or nothing, and exit\n"
    "  --version       print the version and exit\n"
    "\n"
    "SIGHUP reads the configuration again, SIGTERM ends.\n";

/* 0: go on; 1: done; negative: wrong usage. */
static int parse_options(int argc, char **argv, struct options *ret)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check-config", no_argument, NULL, 't'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) >= 0) {
        switch (option) {
        case 'c':
            ret->config = optarg;
            break;
        case 't':
            ret->check = true;
            break;
        case 'V':
            printf("prober-collector %s\n", PROBER_VERSION);
            return 1;
        case 'h':
            fputs(usage, stdout);
            return 1;
        default:
            fputs(usage, stderr);
            return -EINVAL;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "prober-collector: unexpected argument %s\n%s", argv[optind], usage);
        return -EINVAL;
    }
    return 0;
}

static void config_error_line(const char *message, void *userdata)
{
    (void)userdata;
    log_error("%s", message);
}

static int on_terminate(sd_event_source *source, const struct signalfd_siginfo *info,
                        void *userdata)
{
    (void)userdata;
    sd_notify(0, "STOPPING=1");
    log_info("ending on signal %u", info->ssi_signo);
    return sd_event_exit(sd_event_source_get_event(source), 0);
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
    struct program *program = userdata;
    struct timespec ts;
    struct conf *conf;

    (void)source;
    (void)info;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
               (long long)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
    if (conf_load(program->options->config, config_error_line, NULL, &conf) < 0) {
        log_error("reload refused; keeping the old configuration");
        collector_reload_refused(program->collector);
    } else if (collector_reload(program->collector, conf) == 0) {
        log_notice("configuration read again from %s", program->options->config);
    }
    /* During the start READY=1 comes with the first round. */
    if (collector_is_ready(program->collector))
        sd_notify(0, "READY=1");
    return 0;
}

/* One connection per node: take what the administrator allows. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int add_signals(sd_event *event, struct program *program)
{
    sigset_t mask;
    int r;

    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
        return -errno;
    signal(SIGPIPE, SIG_IGN);
    r = sd_event_add_signal(event, NULL, SIGTERM, on_terminate, program);
    if (r >= 0)
        r = sd_event_add_signal(event, NULL, SIGINT, on_terminate, program);
    if (r >= 0)
        r = sd_event_add_signal(event, NULL, SIGHUP, on_reload, program);
    return r;
}

static int run(const struct options *options, struct conf *conf)
{
    struct program program = {.options = options};
    sd_event *event = NULL;
    int r;

    r = sd_event_default(&event);
    if (r >= 0)
        r = add_signals(event, &program);
    if (r < 0) {
        log_error("cannot start the event loop: %s", strerror(-r));
        conf_free(conf);
        return r;
    }
    raise_descriptor_limit();
    r = collector_new(event, conf, &program.collector);
    if (r == 0) {
        r = sd_event_loop(event);
        if (r < 0)
            log_error("the event loop ended: %s", strerror(-r));
    }
    collector_free(program.collector);
    sd_event_unref(event);
    return r;
}

int main(int argc, char **argv)
{
    struct options options = {.config = CONF_PATH};
    struct conf *conf;
    int r = parse_options(argc, argv, &options);

    if (r != 0)
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    if (conf_load(options.config, config_error_line, NULL, &conf) < 0)
        return EXIT_FAILURE;
    if (options.check) {
        conf_free(conf);
        return EXIT_SUCCESS;
    }
    return run(&options, conf) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

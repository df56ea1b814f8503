/*
 * Polls nodes and prints one line per observation, for people and tests.
 *
 *   pollctl [OPTION]... [ADDRESS[=URL]]...
 *     --local URL        this host's own node
 *     --peer URL         of the ADDRESSes, with {address} in it
 *     --user U --password P --ca-file FILE
 *     --discover         poll every endpoint of the local view too
 *     --interval MS --timeout MS --membership MS     (500, 1000, 30000)
 *     --rounds N         end after N rounds (default: at SIGTERM, SIGINT or end of standard input
 * with --stdin)
 *     --quiet            print no observations, only the end
 *
 * Lines are words of the form name=value; values with blanks are in double quotes:
 *   observation ms=SINCE_START observer=IP local=0|1 result=WORD status=N took=MS bytes=N
 * unchanged=0|1 gone=0|1 detail="…" [cluster=… host_id=… mode=… native=… gossip=… opinions=IP:UP,…
 * states=IP:STATUS:DC:RACK,… phis=N hints=MS] round ms=SINCE_START n=N end polls=N unchanged=N
 * skipped=N bytes=N rss_kb=N peak_kb=N fds=N WORD=N…
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sources/poller.h"

struct pollctl {
    sd_event *event;
    struct poller *poller;
    struct poller_target *targets;
    size_t n_targets;
    bool discover, quiet;
    uint64_t rounds, max_rounds;
    int64_t started_ms;
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void print_view(const struct view *view)
{
    static const char *const trilean[] = {"unknown", "false", "true"};
    static const char *const liveness[] = {"?", "UP", "DOWN"};
    char text[PROBER_ADDR_STRLEN];

    printf(" cluster=\"%s\" host_id=%s mode=%s release=%s native=%s gossip=%s opinions=",
           view->cluster_name, view->host_id, view->mode, view->release,
           trilean[view->native_transport], trilean[view->gossip]);
    for (size_t i = 0; i < view->n_opinions; i++) {
        prober_addr_format(&view->opinions[i].endpoint, text);
        printf("%s%s:%s", i ? "," : "", text, liveness[view->opinions[i].liveness]);
    }
    printf(" states=");
    for (size_t i = 0; i < view->n_states; i++) {
        const struct gossip_state *state = &view->states[i];

        prober_addr_format(&state->endpoint, text);
        printf("%s%s:%s:%s:%s", i ? "," : "", text, state->status, state->datacenter, state->rack);
    }
    printf(" phis=%zu hints=%" PRId64, view->n_phis, view->hint_window_ms);
}

static void discover(struct pollctl *ctl, const struct view *view)
{
    if (view->n_opinions == ctl->n_targets)
        return;
    free(ctl->targets);
    ctl->targets = calloc(view->n_opinions + 1, sizeof(*ctl->targets));
    ctl->n_targets = view->n_opinions;
    for (size_t i = 0; i < view->n_opinions; i++)
        ctl->targets[i].address = view->opinions[i].endpoint;
    poller_set_targets(ctl->poller, ctl->targets, ctl->n_targets);
}

static void on_observation(struct observation *observation, void *userdata)
{
    struct pollctl *ctl = userdata;
    char text[PROBER_ADDR_STRLEN] = "-";

    if (!prober_addr_is_unset(&observation->observer))
        prober_addr_format(&observation->observer, text);
    if (!ctl->quiet) {
        printf("observation ms=%" PRId64 " observer=%s local=%d result=%s status=%d took=%" PRId64
               " bytes=%zu unchanged=%d gone=%d detail=\"%s\"",
               observation->ended_ms - ctl->started_ms, text, observation->local,
               poll_result_word(observation->result), observation->http_status,
               observation->ended_ms - observation->began_ms, observation->bytes,
               observation->unchanged, observation->process_gone, observation->detail);
        if (observation->view)
            print_view(observation->view);
        putchar('\n');
    }
    if (ctl->discover && observation->local && observation->view)
        discover(ctl, observation->view);
}

static void on_round(void *userdata)
{
    struct pollctl *ctl = userdata;

    ctl->rounds++;
    if (!ctl->quiet)
        printf("round ms=%" PRId64 " n=%" PRIu64 "\n", now_ms() - ctl->started_ms, ctl->rounds);
    fflush(stdout);
    if (ctl->rounds == ctl->max_rounds)
        sd_event_exit(ctl->event, 0);
}

static long status_kb(const char *name)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    long kb = -1;

    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, name, strlen(name)) == 0)
            kb = strtol(line + strlen(name), NULL, 10);
    if (file)
        fclose(file);
    return kb;
}

static int open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = -3; /* ".", ".." and the directory itself */

    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n;
}

static void print_end(const struct pollctl *ctl)
{
    const struct poller_counters *counters = poller_counters(ctl->poller);

    printf("end polls=%" PRIu64 " unchanged=%" PRIu64 " skipped=%" PRIu64 " bytes=%" PRIu64
           " mean_us=%" PRIu64 " rss_kb=%ld peak_kb=%ld fds=%d first_pass=%d",
           counters->polls, counters->unchanged, counters->skipped, counters->bytes,
           counters->duration_us_sum / (counters->polls ? counters->polls : 1), status_kb("VmRSS:"),
           status_kb("VmHWM:"), open_files(), poller_first_pass_done(ctl->poller));
    for (int i = 0; i < POLL_RESULTS; i++)
        if (counters->results[i] > 0)
            printf(" %s=%" PRIu64, poll_result_word(i), counters->results[i]);
    putchar('\n');
}

static int take_targets(struct pollctl *ctl, char **words, int n)
{
    ctl->targets = calloc((size_t)n + 1, sizeof(*ctl->targets));
    for (int i = 0; i < n; i++) {
        size_t len = strcspn(words[i], "=");

        if (prober_addr_parse(words[i], len, &ctl->targets[i].address) < 0) {
            fprintf(stderr, "pollctl: not an address: %s\n", words[i]);
            return -EINVAL;
        }
        ctl->targets[i].url = words[i][len] ? words[i] + len + 1 : "";
    }
    ctl->n_targets = (size_t)n;
    return 0;
}

static int parse_options(int argc, char **argv, struct pollctl *ctl,
                         struct poller_settings *settings)
{
    static const struct option options[] = {
        {"local", required_argument, NULL, 'l'},
        {"peer", required_argument, NULL, 'p'},
        {"user", required_argument, NULL, 'u'},
        {"password", required_argument, NULL, 'w'},
        {"ca-file", required_argument, NULL, 'c'},
        {"discover", no_argument, NULL, 'd'},
        {"interval", required_argument, NULL, 'i'},
        {"timeout", required_argument, NULL, 't'},
        {"membership", required_argument, NULL, 'm'},
        {"rounds", required_argument, NULL, 'r'},
        {"quiet", no_argument, NULL, 'q'},
        {0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'l':
            settings->local_url = optarg;
            break;
        case 'p':
            settings->peer_url = optarg;
            break;
        case 'u':
            settings->local_user = settings->peer_user = optarg;
            break;
        case 'w':
            settings->local_password = settings->peer_password = optarg;
            break;
        case 'c':
            settings->local_ca_file = settings->peer_ca_file = optarg;
            break;
        case 'd':
            ctl->discover = true;
            break;
        case 'i':
            settings->interval_ms = atoi(optarg);
            break;
        case 't':
            settings->timeout_ms = atoi(optarg);
            break;
        case 'm':
            settings->membership_ms = atoi(optarg);
            break;
        case 'r':
            ctl->max_rounds = (uint64_t)atoi(optarg);
            break;
        case 'q':
            ctl->quiet = true;
            break;
        default:
            return -EINVAL;
        }
    }
    return take_targets(ctl, argv + optind, argc - optind);
}

static int run(struct pollctl *ctl, const struct poller_settings *settings)
{
    struct poller_handlers handlers = {.done = on_observation, .round = on_round, .userdata = ctl};
    sigset_t signals;
    int r;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    r = sd_event_default(&ctl->event);
    if (r >= 0)
        r = sd_event_add_signal(ctl->event, NULL, SIGTERM, NULL, NULL);
    if (r >= 0)
        r = sd_event_add_signal(ctl->event, NULL, SIGINT, NULL, NULL);
    if (r >= 0)
        r = poller_new(ctl->event, settings, &handlers, &ctl->poller);
    if (r >= 0)
        r = poller_set_targets(ctl->poller, ctl->targets, ctl->n_targets);
    if (r >= 0)
        r = sd_event_loop(ctl->event);
    if (r >= 0)
        print_end(ctl);
    else
        fprintf(stderr, "pollctl: %s\n", strerror(-r));
    poller_free(ctl->poller);
    sd_event_unref(ctl->event);
    return r;
}

int main(int argc, char **argv)
{
    struct pollctl ctl = {.started_ms = now_ms()};
    struct poller_settings settings = {
        .interval_ms = 500,
        .timeout_ms = 1000,
        .membership_ms = 30000,
        .local_url = "",
        .local_user = "",
        .local_password = "",
        .peer_url = "",
        .peer_user = "",
        .peer_password = "",
    };
    int r = parse_options(argc, argv, &ctl, &settings);

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (r >= 0)
        r = run(&ctl, &settings);
    free(ctl.targets);
    return r < 0 ? 2 : 0;
}

/* proberctl: options and commands. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "prober_addr.h"
#include "prober_segment_reader.h"
#include "proberctl.h"

static const char usage[] =
    "Usage: proberctl [--config FILE] [--segment PATH] [--socket PATH] [--json] COMMAND\n"
    "\n"
    "  status                    the cluster in a few lines; 0 when every node is ready\n"
    "  nodes                     every node\n"
    "  why IP                    why a node is ready or not, and who sees it how\n"
    "  wait ready IP             waits until it is; --timeout T (default 5m)\n"
    "  seeds, dcs                as they are in force, of all regions\n"
    "  plan, regions             what may be added or started next; whose turn it is\n"
    "  decisions                 what changed, why, when and by whom; --node IP of that one\n"
    "  history IP                how a node was found, newest first\n"
    "  drain IP, undrain IP      not ready although it serves; --ttl T ends it by itself\n"
    "  set KEY VALUE, unset KEY  what operators say; unset = automatic again. Keys:\n"
    "                            readylocaldcs localseeds dcs region-ips reaper-ips reaper-ready\n"
    "  suspend, resume           the observers of the cluster watch and act on nothing; act again\n"
    "  repaired IP               it has been repaired: repair_needed is over\n"
    "  seeds --apply FILE        writes the seeds into a cassandra.yaml\n"
    "    --own IP                without this host's own node: its broadcast_address, or\n"
    "                            listen_address where there is none (default: as the prober\n"
    "                            knows it); what the file says of it is left out, too\n"
    "    --first-node IP         who keeps itself (default: region.first_node)\n"
    "    --timeout T             how long it waits for a list (default 0)\n"
    "    --from-file FILE        another list, a JSON array\n"
    "    --reload                has Cassandra take it over at once (4.0 and later)\n"
    "\n"
    "On a terminal tables with a head, otherwise fields between tabs; --json the document itself.\n"
    "Paths and the first node are as in the collector's configuration (--config).\n"
    "Exit status: 0 yes, done; 1 no, refused; 2 cannot tell, wrong usage.\n";

static const struct {
    const char *name;
    int args;
    enum answer (*run)(const struct options *options, char **args);
} commands[] = {
    {"status", 0, show_status},
    {"nodes", 0, show_nodes},
    {"why", 1, show_why},
    {"seeds", 0, show_seeds},
    {"dcs", 0, show_dcs},
    {"plan", 0, show_plan},
    {"regions", 0, show_regions},
    {"wait", 2, wait_ready},
    {"drain", 1, drain},
    {"undrain", 1, undrain},
    {"set", 2, set_value},
    {"unset", 1, unset_value},
    {"decisions", 0, show_decisions},
    {"history", 1, show_history},
    {"suspend", 0, suspend},
    {"resume", 0, resume},
    {"repaired", 1, repaired},
};

static const struct option long_options[] = {
    {"segment", required_argument, NULL, 'g'},
    {"socket", required_argument, NULL, 's'},
    {"json", no_argument, NULL, 'j'},
    {"reload", no_argument, NULL, 'r'},
    {"ttl", required_argument, NULL, 't'},
    {"timeout", required_argument, NULL, 'w'},
    {"apply", required_argument, NULL, 'a'},
    {"first-node", required_argument, NULL, 'f'},
    {"own", required_argument, NULL, 'o'},
    {"from-file", required_argument, NULL, 'F'},
    {"node", required_argument, NULL, 'n'},
    {"config", required_argument, NULL, 'c'},
    {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

void complain(const char *format, ...)
{
    va_list args;

    fputs("proberctl: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    putc('\n', stderr);
}

bool read_address(const char *text, char ret[])
{
    struct prober_addr address;

    if (prober_addr_parse(text, strlen(text), &address) < 0) {
        complain("%s is no IP address; proberctl nodes lists those of the cluster", text);
        return false;
    }
    prober_addr_format(&address, ret);
    return true;
}

bool read_timeout(const char *text, int64_t *ret_end_ms)
{
    int64_t timeout_ms;

    if (conf_parse_duration(text, &timeout_ms) < 0) {
        complain("--timeout %s is no duration; such as 30s, 5m", text);
        return false;
    }
    *ret_end_ms = prober_segment_now_ms() + timeout_ms;
    return true;
}

static enum answer wrong_usage(void)
{
    complain("proberctl --help says what there is");
    return CANNOT_TELL;
}

/* Where an option's argument belongs; NULL for the others. */
static const char **field_of(struct options *options, int option)
{
    switch (option) {
    case 'g':
        return &options->segment;
    case 's':
        return &options->socket;
    case 't':
        return &options->ttl;
    case 'w':
        return &options->timeout;
    case 'n':
        return &options->node;
    case 'a':
        return &options->apply;
    case 'f':
        return &options->first_node;
    case 'o':
        return &options->own;
    case 'F':
        return &options->from_file;
    case 'c':
        return &options->config;
    }
    return NULL;
}

/* An option that the command does not know is a mistake, not a wish to be passed over. */
static const char *misplaced(const struct options *options, const char *command)
{
    if (options->ttl && strcmp(command, "drain") != 0)
        return "--ttl is for drain";
    if (options->timeout && strcmp(command, "wait") != 0 && !options->apply)
        return "--timeout is for wait and for seeds --apply";
    if (options->node && strcmp(command, "decisions") != 0)
        return "--node is for decisions";
    if (options->apply && strcmp(command, "seeds") != 0)
        return "--apply is for seeds";
    if ((options->first_node || options->own || options->from_file || options->reload) &&
        !options->apply)
        return "--first-node, --own, --from-file and --reload are for seeds --apply";
    return NULL;
}

static void conf_is_wrong(const char *message, void *userdata)
{
    const struct options *options = userdata;

    if (options->config || options->apply)
        complain("%s", message);
}

/*
 * What is not given is as the collector's configuration has it. False: that is there and cannot be
 * read, and what is going to be written depends on it; it said why. Who only asks gets the defaults
 * then, unless he named the file. Options point into *ret_conf afterwards.
 */
static bool complete(struct options *options, struct conf **ret_conf)
{
    const char *path = options->config ? options->config : CONF_PATH;
    struct conf *conf = NULL;

    if ((options->config || access(path, F_OK) == 0 || errno != ENOENT) &&
        conf_load_without_secrets(path, conf_is_wrong, options, &conf) < 0 &&
        (options->config || options->apply))
        return false;
    if (!options->segment)
        options->segment = conf ? conf->segment_path : SEGMENT_PATH;
    if (!options->socket)
        options->socket = conf ? conf->control_socket : CONTROL_SOCKET;
    if (!options->first_node && conf && *conf->first_node)
        options->first_node = conf->first_node;
    *ret_conf = conf;
    return true;
}

static enum answer run_with(struct options *options, size_t command, char **args)
{
    struct conf *conf = NULL;
    enum answer answer = CANNOT_TELL;

    if (complete(options, &conf))
        answer = commands[command].run(options, args);
    conf_free(conf);
    return answer;
}

static enum answer run(struct options *options, int count, char **args)
{
    const char *problem;

    if (count == 0) {
        fputs(usage, stderr);
        return CANNOT_TELL;
    }
    problem = misplaced(options, args[0]);
    if (problem) {
        complain("%s", problem);
        return wrong_usage();
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].name, args[0]) != 0)
            continue;
        if (commands[i].args == count - 1)
            return run_with(options, i, args + 1);
        complain("%s takes %d argument%s, not %d", args[0], commands[i].args,
                 commands[i].args == 1 ? "" : "s", count - 1);
        return wrong_usage();
    }
    complain("there is no command %s", args[0]);
    return wrong_usage();
}

int main(int argc, char **argv)
{
    struct options options = {0};
    enum answer answer;
    int option;

    while ((option = getopt_long(argc, argv, "h", long_options, NULL)) >= 0) {
        const char **field = field_of(&options, option);

        if (field) {
            *field = optarg;
        } else if (option == 'j') {
            options.json = true;
        } else if (option == 'r') {
            options.reload = true;
        } else if (option == 'V') {
            printf("proberctl %s\n", PROBER_VERSION);
            return YES;
        } else if (option == 'h') {
            fputs(usage, stdout);
            return YES;
        } else {
            return wrong_usage();
        }
    }
    answer = run(&options, argc - optind, argv + optind);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        complain("cannot write the answer: %m");
        return CANNOT_TELL;
    }
    return answer;
}

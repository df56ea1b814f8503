/*
 * Runs one operation of an MBean through a source, for people and tests.
 *
 *   invokectl [OPTION]... URL MBEAN OPERATION [ARGUMENT]
 *     --user U --password P --ca-file FILE --timeout MS --attribute
 *
 * MBEAN is an object name, or one of the short ones: Gossiper, FailureDetector, StorageService.
 * With --attribute OPERATION is an attribute, and is read. Prints result=WORD took=MS detail="…"
 * number=N texts=TEXT,… Exit status 0 when it is ok, else 1.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sources/source.h"

struct invokectl {
    sd_event *event;
    int64_t began_ms;
    bool ok;
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void on_invoked(struct reply *reply, void *userdata)
{
    struct invokectl *ctl = userdata;

    printf("result=%s took=%" PRId64 " detail=\"%s\" number=%" PRId64 " texts=",
           poll_result_word(reply->result), now_ms() - ctl->began_ms, reply->detail, reply->number);
    for (size_t i = 0; i < reply->n_texts; i++)
        printf("%s%s", i ? "," : "", reply->texts[i]);
    putchar('\n');
    ctl->ok = reply->result == POLL_OK;
    sd_event_exit(ctl->event, 0);
}

static const char *object_name(const char *word)
{
    static const char *const names[] = {"org.apache.cassandra.net:type=Gossiper",
                                        "org.apache.cassandra.net:type=FailureDetector",
                                        "org.apache.cassandra.db:type=StorageService"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(strchr(names[i], '=') + 1, word) == 0)
            return names[i];
    return word;
}

static int run(struct invokectl *ctl, const struct source_place *place,
               const struct source_operation *operation)
{
    const struct source *source = source_find(place->url, SOURCE_CASSANDRA);
    struct source_context context = {0};
    struct source_target *target = NULL;
    int r = source ? sd_event_default(&ctl->event) : -EINVAL;

    if (r >= 0)
        r = multi_new(ctl->event, &context.multi);
    if (r >= 0)
        r = http_new(context.multi, &context.http);
    if (r >= 0)
        r = source->open(&context, place, &target);
    ctl->began_ms = now_ms();
    if (r >= 0)
        r = source->invoke(target, operation, on_invoked, ctl);
    if (r >= 0)
        r = sd_event_loop(ctl->event);
    if (target)
        source->close(target);
    http_free(context.http);
    multi_free(context.multi);
    sd_event_unref(ctl->event);
    return r;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"user", required_argument, NULL, 'u'},    {"password", required_argument, NULL, 'w'},
        {"ca-file", required_argument, NULL, 'c'}, {"timeout", required_argument, NULL, 't'},
        {"attribute", no_argument, NULL, 'a'},     {0},
    };
    struct source_place place = {.user = "", .password = "", .ca_file = ""};
    struct source_operation operation = {.timeout_ms = 2000};
    struct invokectl ctl = {0};
    int option, r;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'u':
            place.user = optarg;
            break;
        case 'w':
            place.password = optarg;
            break;
        case 'c':
            place.ca_file = optarg;
            break;
        case 't':
            operation.timeout_ms = atoi(optarg);
            break;
        case 'a':
            operation.attribute = true;
            break;
        default:
            return 2;
        }
    }
    if (argc - optind < 3 || argc - optind > 4) {
        fprintf(stderr, "usage: invokectl [OPTION]... URL MBEAN OPERATION [ARGUMENT]\n");
        return 2;
    }
    place.url = argv[optind];
    operation.mbean = object_name(argv[optind + 1]);
    operation.name = argv[optind + 2];
    operation.argument = argv[optind + 3];
    r = run(&ctl, &place, &operation);
    if (r < 0)
        fprintf(stderr, "invokectl: %s\n", strerror(-r));
    return r < 0 ? 2 : ctl.ok ? 0 : 1;
}

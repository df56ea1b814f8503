/* Is it ready, and why not: the cluster, a node, and waiting for one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "colour.h"
#include "document.h"
#include "explain.h"
#include "json_text.h"
#include "prober_addr.h"
#include "prober_segment_reader.h"

#define KEY_LEN (PROBER_ADDR_STRLEN + 16)

static enum answer answer_of(const json_t *node)
{
    const char *verdict = text_of(node, "verdict");

    return strcmp(verdict, "ready") == 0       ? YES
           : strcmp(verdict, "not ready") == 0 ? NO
                                               : CANNOT_TELL;
}

struct summary {
    size_t nodes, ready;
    const char *cluster, *region;
    json_t *not_ready;   /* address -> reasons */
    const json_t *local; /* NULL = no node of this host */
};

static struct summary summarize(const json_t *json, const json_t *region)
{
    struct summary ret = {.cluster = text_of(json, "cluster"),
                          .region = json_is_true(region) ? "ready" : "not ready",
                          .not_ready = json_object()};
    json_t *node;
    size_t i;

    json_array_foreach(json_object_get(json, "nodes"), i, node)
    {
        if (json_is_true(json_object_get(node, "local")))
            ret.local = node;
        /* One that left is missed by nobody. */
        if (!json_is_true(json_object_get(node, "member")))
            continue;
        ret.nodes++;
        if (answer_of(node) == YES)
            ret.ready++;
        else
            json_object_set(ret.not_ready, text_of(node, "address"),
                            json_object_get(node, "reasons"));
    }
    return ret;
}

static void print_detail(const char *name, const char *text)
{
    printf("%s\t", name);
    say(text);
    putchar('\n');
}

static void print_summary(const struct summary *summary, const struct document *document)
{
    const char *address;
    json_t *reasons;

    print_detail("cluster\t", summary->cluster);
    printf("nodes\t\t%zu, %zu ready\nregion\t\t%s%s%s\n", summary->nodes, summary->ready,
           colour_of(summary->region), summary->region, colour_of("end"));
    if (summary->local)
        printf("this host\t%s %s%s%s\n", text_of(summary->local, "address"),
               colour_of(text_of(summary->local, "verdict")), text_of(summary->local, "verdict"),
               colour_of("end"));
    printf("data\t\t%.1f s old\n", (double)document->age_ms / 1000);
    json_object_foreach(summary->not_ready, address, reasons)
    {
        char *why = join(reasons, "; ");

        printf("%snot ready%s\t%s: ", colour_of("not ready"), colour_of("end"), address);
        say(why);
        putchar('\n');
        free(why);
    }
}

static void print_summary_json(const struct summary *summary, const struct document *document)
{
    json_t *json =
        json_pack("{s:s, s:I, s:I, s:s, s:b, s:I, s:O}", "cluster", summary->cluster, "nodes",
                  (json_int_t)summary->nodes, "ready", (json_int_t)summary->ready, "region",
                  summary->region, "stale", document->stale, "age_ms", (json_int_t)document->age_ms,
                  "not_ready", summary->not_ready);

    json_dumpf(json, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(json);
}

static enum answer answer_all(const struct summary *summary)
{
    if (summary->nodes > 0)
        return summary->ready == summary->nodes ? YES : NO;
    complain("no node is known yet; does local.source name this host's Cassandra? "
             "journalctl -u prober-collector");
    return CANNOT_TELL;
}

enum answer show_status(const struct options *options, char **args)
{
    struct document document, region_document = {0};
    json_t *region, *json = document_json(options, "/nodes", &document);
    struct summary summary;
    enum answer answer;

    (void)args;
    if (!json)
        return CANNOT_TELL;
    region = document_json(options, "/readylocaldcs", &region_document);
    summary = summarize(json, region);
    if (options->json)
        print_summary_json(&summary, &document);
    else
        print_summary(&summary, &document);
    answer = answer_all(&summary);
    json_decref(summary.not_ready);
    json_decref(region);
    json_decref(json);
    document_free(&region_document);
    document_free(&document);
    return document_verdict(&document, answer);
}

/* Who sees it how; NULL = not known. */
static json_t *opinions_of(const struct options *options, const char *address)
{
    struct document document;
    char key[KEY_LEN];
    json_t *json;

    snprintf(key, sizeof(key), "/healthz/%s", address);
    json = document_json(options, key, &document);
    document_free(&document);
    return json;
}

/* "IP" of a remedy is the node's. */
static void print_remedy(const char *next, const char *address)
{
    const char *at = strstr(next, " IP");

    if (at)
        printf("next\t%.*s %s%s\n", (int)(at - next), next, address, at + 3);
    else
        printf("next\t%s\n", next);
}

static void print_opinions(const json_t *opinions)
{
    const char *observer;
    const json_t *opinion;

    json_object_foreach((json_t *)opinions, observer, opinion)
    {
        const char *word = json_string_value(opinion) ?: "?";
        const char *colour = colour_of(word);

        printf("seen by\t");
        say(observer + (*observer == '/'));
        printf(": %s", colour);
        say(word);
        puts(*colour ? colour_of("end") : "");
    }
}

static void print_details(const json_t *node, const json_t *opinions)
{
    static const char *const names[] = {"dc",   "rack",       "host_id", "status",
                                        "mode", "down_since", "observer"};
    const json_t *poll = json_object_get(node, "poll"), *reason;
    size_t i;

    json_array_foreach(json_object_get(node, "reasons"), i, reason)
        print_detail("reason", json_string_value(reason) ?: "?");
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        print_detail(names[i], text_of(node, names[i]));
    if (json_is_true(json_object_get(node, "repair_needed")))
        printf(
            "repair\tneeded: it was down for longer than hints are kept; once it is up, nodetool "
            "repair -full there, then proberctl repaired %s\n",
            text_of(node, "address"));
    if (strcmp(text_of(node, "run_state_waits"), "-") != 0) {
        printf("run state\t%s waits: ", text_of(node, "run_state"));
        say(text_of(node, "run_state_waits"));
        putchar('\n');
    }
    printf("poll\t%s ", text_of(poll, "result"));
    say(text_of(poll, "detail"));
    putchar('\n');
    print_opinions(opinions);
}

static void print_node(const struct options *options, const json_t *node, const char *address,
                       const struct document *document)
{
    json_t *opinions = opinions_of(options, address);
    const char *next = remedy(node);

    explain(node, opinions, document->stale ? document->heartbeat_ms : 0);
    if (next && answer_of(node) != YES)
        print_remedy(next, address);
    print_details(node, opinions);
    json_decref(opinions);
}

enum answer show_why(const struct options *options, char **args)
{
    char address[PROBER_ADDR_STRLEN], key[KEY_LEN];
    struct document document;
    enum answer answer;
    json_t *json;
    int r;

    if (!read_address(args[0], address))
        return CANNOT_TELL;
    snprintf(key, sizeof(key), "/nodes/%s", address);
    r = document_read(options, key, true, &document);
    document_free(&document);
    if (r == -ENOENT) {
        complain("%s is no node of this cluster; proberctl nodes lists those", address);
        return CANNOT_TELL;
    }
    json = document_json(options, key, &document);
    if (!json)
        return CANNOT_TELL;
    if (options->json)
        fputs(document.body, stdout);
    else
        print_node(options, json, address, &document);
    answer = answer_of(json);
    if (answer == CANNOT_TELL)
        complain("nothing is known of its readiness yet; try again in a few seconds");
    json_decref(json);
    document_free(&document);
    return document_verdict(&document, answer);
}

/* Ready now? CANNOT_TELL while the data is stale or missing, or it is no node (yet). */
static enum answer look(const struct options *options, const char *key)
{
    struct document document;
    enum answer answer = CANNOT_TELL;

    if (document_read(options, key, true, &document) < 0)
        return CANNOT_TELL;
    if (!document.stale)
        answer = document.status == 200 ? YES : NO;
    document_free(&document);
    return answer;
}

enum answer wait_ready(const struct options *options, char **args)
{
    const struct timespec pause = {.tv_nsec = 100000000};
    char address[PROBER_ADDR_STRLEN], key[KEY_LEN];
    const char *timeout = options->timeout ? options->timeout : "5m";
    int64_t end_ms;
    enum answer answer;

    if (strcmp(args[0], "ready") != 0) {
        complain("it waits for one thing: proberctl wait ready IP");
        return CANNOT_TELL;
    }
    if (!read_address(args[1], address) || !read_timeout(timeout, &end_ms))
        return CANNOT_TELL;
    snprintf(key, sizeof(key), "/healthz/%s?brief", address);
    while ((answer = look(options, key)) != YES && prober_segment_now_ms() < end_ms)
        nanosleep(&pause, NULL);
    if (answer == NO)
        complain("%s is not ready after %s; proberctl why %s", address, timeout, address);
    else if (answer == CANNOT_TELL)
        complain("whether %s is ready is not known after %s; proberctl why %s", address, timeout,
                 address);
    return answer;
}

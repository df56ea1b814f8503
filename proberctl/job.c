/* Jobs: asked for on the control socket, shown from the segment. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "document.h"
#include "json_text.h"
#include "table.h"

#define URL_LEN 4096

/* False: it is too long. */
static bool add_argument(char url[URL_LEN], const char *name, const char *value)
{
    size_t len = strlen(url);
    char *escaped;
    int more;

    if (!value)
        return true;
    escaped = curl_easy_escape(NULL, value, 0);
    more = snprintf(url + len, URL_LEN - len, "%c%s=%s", strchr(url, '?') ? '&' : '?', name,
                    escaped ? escaped : "");
    curl_free(escaped);
    return more > 0 && (size_t)more < URL_LEN - len;
}

static enum answer ask(const struct options *options, const char *method, const char *type)
{
    char url[URL_LEN];
    char *escaped = curl_easy_escape(NULL, type, 0);
    bool fits;

    snprintf(url, sizeof(url), "http://localhost/jobs/%.200s", escaped ? escaped : "");
    curl_free(escaped);
    fits = add_argument(url, "on_failure", options->on_failure) &&
           add_argument(url, "dc", options->dc) && add_argument(url, "rack", options->rack) &&
           add_argument(url, "nodes", options->nodes) &&
           add_argument(url, "force", options->force ? "true" : NULL);
    if (!fits) {
        complain("these are too many nodes to name; --dc or --rack");
        return CANNOT_TELL;
    }
    return request(options, method, url, NULL);
}

static size_t count(const json_t *job, const char *state)
{
    const json_t *node;
    size_t i, n = 0;

    json_array_foreach(json_object_get(job, "nodes"), i, node) n +=
        strcmp(text_of(node, "state"), state) == 0;
    return n;
}

static void print_head(const json_t *job)
{
    const char *why = text_of(job, "why");

    printf("%s %s by ", text_of(job, "type"), text_of(job, "id"));
    say(text_of(job, "by"));
    printf(": %s, %zu of %zu done, %zu skipped, %zu failed", text_of(job, "state"),
           count(job, "done"), json_array_size(json_object_get(job, "nodes")),
           count(job, "skipped"), count(job, "failed"));
    if (strcmp(why, "-") != 0) {
        fputs(": ", stdout);
        say(why);
    }
    putchar('\n');
}

static void print_job(const json_t *job)
{
    struct table table = table_new(
        (const char *const[]){"NODE", "DC", "RACK", "STATE", "BEGAN", "ENDED", "WHY", NULL});
    const json_t *node;
    size_t i;

    print_head(job);
    json_array_foreach(json_object_get(job, "nodes"), i, node)
        table_add(&table, (const char *const[]){text_of(node, "node"), text_of(node, "dc"),
                                                text_of(node, "rack"), text_of(node, "state"),
                                                text_of(node, "began"), text_of(node, "ended"),
                                                text_of(node, "why")});
    table_end(&table);
}

static enum answer show_active(const struct options *options)
{
    struct document document;
    json_t *json = document_json(options, "/jobs", &document);
    const json_t *active;
    enum answer answer;

    if (!json)
        return CANNOT_TELL;
    active = json_object_get(json, "active");
    answer = json_is_object(active) ? NO : YES;
    if (options->json)
        fputs(document.body, stdout);
    else if (answer == NO)
        print_job(active);
    else
        puts("no job is active");
    if (strcmp(text_of(json, "store"), "ok") != 0) {
        complain("the coordination store: %s", text_of(json, "store"));
        answer = CANNOT_TELL;
    } else if (json_is_true(json_object_get(json, "suspended"))) {
        complain("suspended: nothing begins until proberctl resume");
    }
    json_decref(json);
    document_free(&document);
    return document_verdict(&document, answer);
}

static enum answer show_last_ones(const struct options *options)
{
    struct document document;
    json_t *json = document_json(options, "/jobs", &document);
    const char *type;
    json_t *job;

    if (!json)
        return CANNOT_TELL;
    if (options->json)
        fputs(document.body, stdout);
    else
        json_object_foreach(json_object_get(json, "last"), type, job) print_head(job);
    json_decref(json);
    document_free(&document);
    return document_verdict(&document, YES);
}

static enum answer show_last(const struct options *options, const char *type)
{
    struct document document;
    char key[256];
    const json_t *last;
    enum answer answer = CANNOT_TELL;
    json_t *json;

    if (!type)
        return show_last_ones(options);
    snprintf(key, sizeof(key), "/jobs/%.200s", type);
    json = document_json(options, key, &document);
    if (!json)
        return CANNOT_TELL;
    last = json_object_get(json, "last");
    if (options->json)
        fputs(document.body, stdout);
    else if (json_is_object(last))
        print_job(last);
    if (json_is_object(last))
        answer =
            strcmp(text_of(last, "state"), "done") == 0 && count(last, "skipped") == 0 ? YES : NO;
    else
        complain("no job of type %s has ended yet", type);
    json_decref(json);
    document_free(&document);
    return document_verdict(&document, answer);
}

static const char *misplaced(const struct options *options, const char *command)
{
    bool start = strcmp(command, "start") == 0;

    if (!start && (options->on_failure || options->dc || options->rack || options->nodes))
        return "--on-failure, --dc, --rack and --nodes are for job start";
    if (options->force && strcmp(command, "abort") != 0)
        return "--force is for job abort";
    return NULL;
}

enum answer job(const struct options *options, char **args)
{
    const char *command = args[0], *type = args[1], *wrong = misplaced(options, command);
    bool start = strcmp(command, "start") == 0, end = strcmp(command, "abort") == 0;

    if (wrong)
        complain("%s", wrong);
    else if ((start || end) && type && !args[2])
        return ask(options, start ? "POST" : "DELETE", type);
    else if (strcmp(command, "status") == 0 && !type)
        return show_active(options);
    else if (strcmp(command, "last") == 0 && (!type || !args[2]))
        return show_last(options, type);
    else
        complain("job takes start TYPE, abort TYPE, status or last [TYPE]");
    return CANNOT_TELL;
}

/* What is known, in tables. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "document.h"
#include "json_text.h"
#include "nodes_table.h"

/* Shows a document: as it is with --json, else by `print`. `none` is what an empty list means, NULL
 * where that is an answer. */
static enum answer show(const struct options *options, const char *key,
                        void (*print)(const json_t *json), const char *none)
{
    struct document document;
    enum answer answer = YES;
    json_t *json = document_json(options, key, &document);

    if (!json)
        return CANNOT_TELL;
    if (options->json)
        fputs(document.body, stdout);
    else
        print(json);
    if (none && json_array_size(json) == 0) {
        complain("%s", none);
        answer = CANNOT_TELL;
    }
    json_decref(json);
    document_free(&document);
    return document_verdict(&document, answer);
}

struct table nodes_table(void)
{
    return table_new((const char *const[]){"ADDRESS", "VERDICT", "DC", "RACK", "STATUS", "MODE",
                                           "SEED", "OBSERVER", "SINCE", "REASONS", NULL});
}

void nodes_table_add(struct table *table, const json_t *node)
{
    const char *seed = json_is_true(json_object_get(node, "seed")) ? "seed" : "-";
    char *reasons = join(json_object_get(node, "reasons"), "; ");

    table_add(table, (const char *const[]){
                         text_of(node, "address"), text_of(node, "verdict"), text_of(node, "dc"),
                         text_of(node, "rack"), text_of(node, "status"), text_of(node, "mode"),
                         seed, text_of(node, "observer"), text_of(node, "since"), reasons});
    free(reasons);
}

static void print_nodes(const json_t *json)
{
    struct table table = nodes_table();
    const json_t *node;
    size_t i;

    json_array_foreach(json_object_get(json, "nodes"), i, node) nodes_table_add(&table, node);
    table_end(&table);
}

static void print_seeds(const json_t *json)
{
    const json_t *seed;
    size_t i;

    json_array_foreach(json, i, seed) puts(json_string_value(seed) ?: "?");
}

static void print_dcs(const json_t *json)
{
    struct table table = table_new((const char *const[]){"DC", "REPLICAS", NULL});
    const json_t *dc;
    size_t i;

    json_array_foreach(json, i, dc)
    {
        char replicas[32];

        snprintf(replicas, sizeof(replicas), "%" JSON_INTEGER_FORMAT,
                 json_integer_value(json_object_get(dc, "replicas")));
        table_add(&table, (const char *const[]){text_of(dc, "name"), replicas});
    }
    table_end(&table);
}

/* Why this region has to wait; of another one, why it cannot be asked. */
static const char *why_of(const json_t *json, const json_t *region)
{
    const json_t *poll = json_object_get(region, "poll");
    const char *result = text_of(poll, "result"), *detail = text_of(poll, "detail");

    if (json_is_true(json_object_get(region, "own")))
        return text_of(json, "waits");
    return strcmp(result, "ok") == 0 || strcmp(detail, "-") != 0 ? detail : result;
}

static void print_regions(const json_t *json)
{
    struct table table = table_new(
        (const char *const[]){"REGION", "STATE", "TURN", "LAST SEEN", "SEEDS", "WHY", NULL});
    const char *next = text_of(json, "next");
    const json_t *region;
    size_t i;

    json_array_foreach(json_object_get(json, "regions"), i, region)
    {
        const char *name = text_of(region, "name");
        int own = json_is_true(json_object_get(region, "own"));
        char *seeds = join(json_object_get(region, "seeds"), ",");

        table_add(&table, (const char *const[]){name, text_of(region, "state"),
                                                strcmp(name, next) == 0 ? "next" : "-",
                                                own ? "this one" : text_of(region, "last_seen"),
                                                seeds, why_of(json, region)});
        free(seeds);
    }
    table_end(&table);
}

enum answer show_nodes(const struct options *options, char **args)
{
    (void)args;
    return show(options, "/nodes", print_nodes, NULL);
}

enum answer show_dcs(const struct options *options, char **args)
{
    (void)args;
    return show(options, "/dcs", print_dcs, NULL);
}

enum answer show_regions(const struct options *options, char **args)
{
    (void)args;
    return show(options, "/regions", print_regions, NULL);
}

enum answer show_seeds(const struct options *options, char **args)
{
    (void)args;
    if (options->apply)
        return apply_seeds(options);
    return show(options, seeds_key(options), print_seeds,
                "no seeds are known; is a node of the cluster ready? proberctl nodes");
}

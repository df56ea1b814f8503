/* What was decided, and how nodes were found. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "document.h"
#include "json_text.h"
#include "prober_addr.h"
#include "table.h"

#define DECISIONS "/admin/cluster/observer/decisions"

static const char *number_of(const json_t *object, const char *name, char buf[24])
{
    snprintf(buf, 24, "%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(object, name)));
    return buf;
}

static void print_decisions(const json_t *json)
{
    struct table table = table_new(
        (const char *const[]){"AT", "LAST", "TIMES", "KIND", "NODE", "WHAT", "BY", "WHY", NULL});
    const json_t *entry;
    size_t i;

    json_array_foreach(json_object_get(json, "decisions"), i, entry)
    {
        char times[24];

        table_add(&table,
                  (const char *const[]){text_of(entry, "at"), text_of(entry, "last"),
                                        number_of(entry, "times", times), text_of(entry, "kind"),
                                        text_of(entry, "node"), text_of(entry, "what"),
                                        text_of(entry, "by"), text_of(entry, "why")});
    }
    table_end(&table);
}

/* Leaves only those about the node. */
static void keep_node(json_t *json, const char *node)
{
    json_t *decisions = json_object_get(json, "decisions");

    for (size_t i = json_array_size(decisions); i-- > 0;)
        if (strcmp(text_of(json_array_get(decisions, i), "node"), node) != 0)
            json_array_remove(decisions, i);
}

enum answer show_decisions(const struct options *options, char **args)
{
    char node[PROBER_ADDR_STRLEN];
    struct document document;
    json_t *json;

    (void)args;
    if (options->node && !read_address(options->node, node))
        return CANNOT_TELL;
    json = document_json(options, DECISIONS, &document);
    if (!json)
        return CANNOT_TELL;
    if (options->node)
        keep_node(json, node);
    if (!options->json) {
        print_decisions(json);
    } else if (options->node) {
        json_dumpf(json, stdout, JSON_COMPACT);
        putchar('\n');
    } else {
        fputs(document.body, stdout);
    }
    json_decref(json);
    document_free(&document);
    return document_verdict(&document, YES);
}

static void print_history(const json_t *json)
{
    struct table table =
        table_new((const char *const[]){"FROM", "TO", "CHECKS", "VERDICT", "UP", "COUNTED", "MODE",
                                        "STATUS", "NATIVE", "REASONS", NULL});
    const json_t *entry;
    size_t i;

    json_array_foreach(json_object_get(json, "history"), i, entry)
    {
        char checks[24], up[24], counted[24];
        const json_t *native = json_object_get(entry, "native");
        char *reasons = join(json_object_get(entry, "reasons"), "; ");

        table_add(&table, (const char *const[]){
                              text_of(entry, "from"), text_of(entry, "to"),
                              number_of(entry, "checks", checks), text_of(entry, "verdict"),
                              number_of(entry, "up", up), number_of(entry, "counted", counted),
                              text_of(entry, "mode"), text_of(entry, "status"),
                              json_is_true(native)    ? "on"
                              : json_is_false(native) ? "off"
                                                      : "-",
                              reasons});
        free(reasons);
    }
    table_end(&table);
}

enum answer show_history(const struct options *options, char **args)
{
    char node[PROBER_ADDR_STRLEN], key[PROBER_ADDR_STRLEN + 16];
    struct document document;
    json_t *json;

    if (!read_address(args[0], node))
        return CANNOT_TELL;
    snprintf(key, sizeof(key), "/nodes/%s", node);
    if (document_read(options, key, true, &document) == -ENOENT) {
        complain("%s is no node of this cluster; proberctl nodes lists them", node);
        return CANNOT_TELL;
    }
    document_free(&document);
    snprintf(key, sizeof(key), "/history/%s", node);
    json = document_json(options, key, &document);
    if (!json)
        return CANNOT_TELL;
    if (options->json)
        fputs(document.body, stdout);
    else
        print_history(json);
    json_decref(json);
    document_free(&document);
    return document_verdict(&document, YES);
}

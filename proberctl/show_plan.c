/* The topology plan. */
#include <stdio.h>
#include <string.h>

#include "document.h"
#include "json_text.h"
#include "table.h"

#define COUNT_LEN 48

/* "3/6": what is there of what is wanted; "3" when nobody said how many. */
static void of_wanted(const json_t *object, const char *name, const char *wanted,
                      char buf[COUNT_LEN])
{
    const json_t *number = json_object_get(object, wanted);
    int n = snprintf(buf, COUNT_LEN, "%" JSON_INTEGER_FORMAT,
                     json_integer_value(json_object_get(object, name)));

    if (json_is_integer(number))
        snprintf(buf + n, COUNT_LEN - (size_t)n, "/%" JSON_INTEGER_FORMAT,
                 json_integer_value(number));
}

static void add_row(struct table *table, const char *dc, const char *rack, const json_t *object)
{
    char nodes[COUNT_LEN], ready[COUNT_LEN], seeds[COUNT_LEN];

    of_wanted(object, "present", "wanted", nodes);
    of_wanted(object, "ready", "present", ready);
    of_wanted(object, "seeds", "seeds_wanted", seeds);
    table_add(table, (const char *const[]){
                         dc, rack, nodes, ready, seeds,
                         json_is_true(json_object_get(object, "scaling_up")) ? "scaling up" : "-",
                         text_of(object, "add"), text_of(object, "start")});
}

static void print_racks(const json_t *json)
{
    struct table table = table_new((const char *const[]){"DC", "RACK", "NODES", "READY", "SEEDS",
                                                         "STATE", "ADD", "START", NULL});
    const json_t *dc, *rack;
    size_t i, k;

    json_array_foreach(json_object_get(json, "dcs"), i, dc)
    {
        add_row(&table, text_of(dc, "name"), NULL, dc);
        json_array_foreach(json_object_get(dc, "racks"), k, rack)
            add_row(&table, text_of(dc, "name"), text_of(rack, "name"), rack);
    }
    table_end(&table);
}

static void print_steps(const json_t *json)
{
    struct table table = table_new((const char *const[]){"NEXT", "NODE", "DC", "RACK", NULL});
    const json_t *step;
    size_t i;

    json_array_foreach(json_object_get(json, "next"), i, step)
        table_add(&table, (const char *const[]){text_of(step, "do"), text_of(step, "node"),
                                                text_of(step, "dc"), text_of(step, "rack")});
    table_end(&table);
}

enum answer show_plan(const struct options *options, char **args)
{
    struct document document;
    json_t *json = document_json(options, "/plan", &document);

    (void)args;
    if (!json)
        return CANNOT_TELL;
    if (options->json) {
        fputs(document.body, stdout);
    } else {
        print_racks(json);
        putchar('\n');
        print_steps(json);
    }
    json_decref(json);
    document_free(&document);
    return document_verdict(&document, YES);
}

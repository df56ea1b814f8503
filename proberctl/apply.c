/* seeds --apply: the seeds into a cassandra.yaml. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "document.h"
#include "json_text.h"
#include "prober_addr.h"
#include "prober_segment_reader.h"
#include "replace.h"
#include "seeds_line.h"

/* The list from --from-file, or as it is in force. NULL: it said why. */
static json_t *load_seeds(const struct options *options)
{
    struct document document;
    json_error_t error;
    json_t *json;

    if (options->from_file) {
        json = json_load_file(options->from_file, 0, &error);
        if (!json)
            complain("%s: %s; it is to be a JSON array: [\"10.0.0.1\", \"10.0.0.2\"]",
                     options->from_file, error.text);
        return json;
    }
    json = document_json(options, seeds_key(options), &document);
    if (json) {
        /* An old list still leads into the cluster. */
        document_verdict(&document, YES);
        document_free(&document);
    }
    return json;
}

/* What this host's own node is called; "" = not known there. */
struct own {
    char told[PROBER_ADDR_STRLEN];  /* by --own, or by the collector */
    const char *broadcast, *listen; /* by the file */
};

static bool is_own(const struct own *own, const char *address)
{
    return *address && (strcmp(own->told, address) == 0 || strcmp(own->broadcast, address) == 0 ||
                        strcmp(own->listen, address) == 0);
}

/* The local node, as the collector knows it. */
static void read_local(const struct options *options, char ret[PROBER_ADDR_STRLEN])
{
    struct document document;
    json_t *json, *node;
    size_t i;

    if (document_read(options, "/nodes", true, &document) < 0)
        return;
    json = json_loads(document.body, 0, NULL);
    json_array_foreach(json_object_get(json, "nodes"), i, node)
    {
        if (json_is_true(json_object_get(node, "local")) &&
            !read_address(text_of(node, "address"), ret))
            ret[0] = '\0';
    }
    json_decref(json);
    document_free(&document);
}

static bool find_own(const struct options *options, const struct seeds_line *line, struct own *ret)
{
    *ret = (struct own){.broadcast = line->broadcast, .listen = line->listen};
    if (options->own)
        return read_address(options->own, ret->told);
    read_local(options, ret->told);
    if (*ret->told || *ret->broadcast || *ret->listen)
        return true;
    complain("this host's own address is not known; give it: --own ADDRESS, the "
             "broadcast_address of its Cassandra, or listen_address where there is none");
    return false;
}

/* The addresses in their one spelling, each once, without those of `leave_out` (NULL = none). */
static json_t *choose(const json_t *seeds, const struct own *leave_out)
{
    json_t *ret = json_array(), *seed, *other;
    size_t i, k;

    json_array_foreach(seeds, i, seed)
    {
        const char *text = json_string_value(seed);
        char address[PROBER_ADDR_STRLEN];
        bool there = false;

        if (!text || !read_address(text, address)) {
            if (!text)
                complain("item %zu of the seeds is no string; they are to be a JSON array of "
                         "addresses",
                         i + 1);
            json_decref(ret);
            return NULL;
        }
        json_array_foreach(ret, k, other) there |= strcmp(json_string_value(other), address) == 0;
        if (!there && !(leave_out && is_own(leave_out, address)))
            json_array_append_new(ret, json_string(address));
    }
    return ret;
}

/* It is its own only seed. */
static void explain_alone(const struct options *options, const json_t *seeds)
{
    const char *own = json_string_value(json_array_get(seeds, 0));

    if (options->reload)
        printf("%s, this host's own address, is the only seed: nothing to do\n", own);
    else
        complain("%s, this host's own address, is the only seed, and a node that is its own seed "
                 "joins nobody; if it is to begin the cluster: --first-node %s",
                 own, own);
}

/* What is to be in the file. NULL: it said why. Empty: nothing is to be done, and it said so. */
static json_t *wanted(const struct options *options, const struct seeds_line *line)
{
    char first[PROBER_ADDR_STRLEN] = "";
    json_t *all, *chosen = NULL;
    struct own own;

    if (!find_own(options, line, &own) ||
        (options->first_node && !read_address(options->first_node, first)))
        return NULL;
    all = load_seeds(options);
    if (all && !json_is_array(all))
        complain("the seeds are no array; they are to be like [\"10.0.0.1\", \"10.0.0.2\"]");
    else if (all && json_array_size(all) == 0)
        complain("no seeds are known, nothing is changed; is a node of the cluster ready? "
                 "proberctl nodes");
    else if (all)
        chosen = choose(all, is_own(&own, first) ? NULL : &own);
    if (chosen && json_array_size(chosen) == 0) {
        explain_alone(options, all);
        /* One that runs has joined already. */
        if (!options->reload) {
            json_decref(chosen);
            chosen = NULL;
        }
    }
    json_decref(all);
    return chosen;
}

static const char *edit(const struct original *file, const struct seeds_line *line,
                        const struct options *options, const json_t *seeds)
{
    json_t *entries = seeds_line_entries(line, seeds);
    const char *wrong = NULL;

    if (json_equal(entries, line->entries)) {
        printf("%s: the seeds are these already: ", options->apply);
    } else {
        size_t len;
        char *bytes = seeds_line_replace(line, file->bytes, file->len, entries, &len);

        wrong = original_replace(file, bytes, len);
        if (!wrong)
            printf("%s: line %zu: the seeds are now: ", options->apply, line->line);
        free(bytes);
    }
    if (!wrong) {
        char *list = join(entries, ",");

        puts(list);
        free(list);
    }
    json_decref(entries);
    return wrong;
}

/* Brings the file up to date. *ret_seeds are those that are to be in it, NULL where that is not
 * known; nothing is done for `done`, what was so before. */
static enum answer apply(const struct options *options, const json_t *done, json_t **ret_seeds)
{
    struct original file;
    struct seeds_line line = {0};
    const char *wrong = original_open(options->apply, &file);

    *ret_seeds = NULL;
    if (!wrong) {
        wrong = seeds_line_find(file.bytes, file.len, &line);
        if (!wrong)
            *ret_seeds = wanted(options, &line);
        if (*ret_seeds && json_array_size(*ret_seeds) > 0 && !json_equal(*ret_seeds, done))
            wrong = edit(&file, &line, options, *ret_seeds);
        json_decref(line.entries);
        original_close(&file);
    }
    if (wrong)
        complain("%s: %s", options->apply, wrong);
    return wrong || !*ret_seeds ? CANNOT_TELL : YES;
}

static enum answer reload(const struct options *options, const json_t *seeds)
{
    char *body = json_dumps(seeds, JSON_COMPACT);
    enum answer answer;

    if (!body)
        abort();
    /* Said before what may take a while. */
    fflush(stdout);
    answer = reload_seeds(options, body);
    free(body);
    return answer;
}

static bool is_known(const struct options *options)
{
    struct document document;
    json_t *json;
    bool known;

    if (document_read(options, "/allseeds", true, &document) < 0)
        return false;
    json = json_loads(document.body, 0, NULL);
    known = json_array_size(json) > 0;
    json_decref(json);
    document_free(&document);
    return known;
}

/* Until there is a list, as after a boot. Who waited in vain hears why from what comes next. False:
 * --timeout is wrong, and it said so. */
static bool wait_for_list(const struct options *options)
{
    const struct timespec pause = {.tv_nsec = 100000000};
    int64_t end_ms;

    if (!read_timeout(options->timeout ? options->timeout : "0", &end_ms))
        return false;
    while (!options->from_file && !is_known(options) && prober_segment_now_ms() < end_ms)
        nanosleep(&pause, NULL);
    return true;
}

enum answer apply_seeds(const struct options *options)
{
    json_t *done = NULL, *seeds = NULL;
    enum answer answer = CANNOT_TELL;

    if (wait_for_list(options))
        answer = apply(options, NULL, &seeds);
    /* What changes while Cassandra is asked would not start the service again that runs this. */
    while (answer == YES && options->reload && json_array_size(seeds) > 0 &&
           !json_equal(seeds, done)) {
        json_decref(done);
        done = seeds;
        seeds = NULL;
        answer = reload(options, done);
        if (answer == YES)
            answer = apply(options, done, &seeds);
    }
    json_decref(done);
    json_decref(seeds);
    return answer;
}

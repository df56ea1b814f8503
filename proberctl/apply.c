/* seeds --apply: the seeds into a cassandra.yaml. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "document.h"
#include "json_text.h"
#include "prober_addr.h"
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

/* This host's own node: --own, or as the collector knows it. */
static bool find_own(const struct options *options, char own[PROBER_ADDR_STRLEN])
{
    struct document document;
    json_t *json, *node;
    bool found = false;
    size_t i;

    if (options->own)
        return read_address(options->own, own);
    if (document_read(options, "/nodes", true, &document) == 0) {
        json = json_loads(document.body, 0, NULL);
        json_array_foreach(json_object_get(json, "nodes"), i, node)
        {
            if (json_is_true(json_object_get(node, "local")))
                found = read_address(text_of(node, "address"), own);
        }
        json_decref(json);
        document_free(&document);
    }
    if (!found)
        complain("this host's own address is not known; give it: --own ADDRESS, the "
                 "broadcast_address or listen_address of its Cassandra");
    return found;
}

/* The addresses in their one spelling, each once, without `leave_out` (NULL = none). */
static json_t *choose(const json_t *seeds, const char *leave_out)
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
        if (!there && !(leave_out && strcmp(leave_out, address) == 0))
            json_array_append_new(ret, json_string(address));
    }
    return ret;
}

static void conf_is_wrong(const char *message, void *userdata)
{
    (void)userdata;
    complain("%s", message);
}

/* Who may be its own seed: --first-node, or as the collector's configuration has it. "" = nobody,
 * also when that cannot be read: to leave an address out is the safe side. */
static bool find_first(const struct options *options, char first[PROBER_ADDR_STRLEN])
{
    const char *path = options->config ? options->config : CONF_PATH;
    struct conf *conf = NULL;
    bool fine = true;

    first[0] = '\0';
    if (options->first_node)
        return read_address(options->first_node, first);
    if (!options->config && access(path, F_OK) < 0)
        return true;
    if (conf_load(path, conf_is_wrong, NULL, &conf) < 0)
        complain("so region.first_node is not known and this host not it; --first-node says it");
    else if (*conf->first_node)
        fine = read_address(conf->first_node, first);
    conf_free(conf);
    return fine;
}

/* It is its own only seed. */
static void explain_alone(const struct options *options, const char *own)
{
    if (options->reload)
        printf("%s, this host's own address, is the only seed: nothing to do\n", own);
    else
        complain("%s, this host's own address, is the only seed, and a node that is its own seed "
                 "joins nobody; if it is to begin the cluster: --first-node %s",
                 own, own);
}

/* What is to be in the file. NULL: it said why. Empty: nothing is to be done, and it said so. */
static json_t *wanted(const struct options *options)
{
    char own[PROBER_ADDR_STRLEN], first[PROBER_ADDR_STRLEN];
    json_t *all, *chosen = NULL;

    if (!find_own(options, own) || !find_first(options, first))
        return NULL;
    all = load_seeds(options);
    if (all && !json_is_array(all))
        complain("the seeds are no array; they are to be like [\"10.0.0.1\", \"10.0.0.2\"]");
    else if (all && json_array_size(all) == 0)
        complain("no seeds are known, nothing is changed; is a node of the cluster ready? "
                 "proberctl nodes");
    else if (all)
        chosen = choose(all, strcmp(own, first) == 0 ? NULL : own);
    json_decref(all);
    if (chosen && json_array_size(chosen) == 0) {
        explain_alone(options, own);
        /* One that runs has joined already. */
        if (!options->reload) {
            json_decref(chosen);
            chosen = NULL;
        }
    }
    return chosen;
}

static const char *edit(const struct original *file, const struct options *options,
                        const json_t *seeds)
{
    struct seeds_line line;
    const char *wrong = seeds_line_find(file->bytes, file->len, &line);
    json_t *entries;

    if (wrong)
        return wrong;
    entries = seeds_line_entries(&line, seeds);
    if (json_equal(entries, line.entries)) {
        printf("%s: the seeds are these already: ", options->apply);
    } else {
        size_t len;
        char *bytes = seeds_line_replace(&line, file->bytes, file->len, entries, &len);

        wrong = original_replace(file, bytes, len);
        if (!wrong)
            printf("%s: line %zu: the seeds are now: ", options->apply, line.line);
        free(bytes);
    }
    if (!wrong) {
        char *list = join(entries, ",");

        puts(list);
        free(list);
    }
    json_decref(entries);
    json_decref(line.entries);
    return wrong;
}

static enum answer apply(const struct options *options, const json_t *seeds)
{
    struct original file;
    const char *wrong = original_open(options->apply, &file);

    if (!wrong) {
        wrong = edit(&file, options, seeds);
        original_close(&file);
    }
    if (wrong)
        complain("%s: %s", options->apply, wrong);
    return wrong ? CANNOT_TELL : YES;
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

/* What changes while Cassandra is asked would not start the service again that runs this. */
enum answer apply_seeds(const struct options *options)
{
    json_t *done = NULL, *seeds = wanted(options);
    enum answer answer = seeds ? YES : CANNOT_TELL;

    while (answer == YES && !json_equal(seeds, done) && json_array_size(seeds) > 0) {
        answer = apply(options, seeds);
        if (answer == YES && options->reload)
            answer = reload(options, seeds);
        json_decref(done);
        done = seeds;
        seeds = answer == YES && options->reload ? wanted(options) : json_incref(done);
        if (!seeds)
            answer = CANNOT_TELL;
    }
    json_decref(done);
    json_decref(seeds);
    return answer;
}

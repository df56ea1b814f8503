#include "job_json.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../sources/json_answer.h"

#define FORMAT 1

static bool take_text(const json_t *text, char *to, size_t size)
{
    if (!json_is_string(text) || json_string_length(text) >= size ||
        strlen(json_string_value(text)) != json_string_length(text))
        return false;
    memcpy(to, json_string_value(text), json_string_length(text) + 1);
    /* It goes into lines of the journal. */
    for (char *c = to; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    return true;
}

static bool take_time(const json_t *number, int64_t *ret)
{
    if (!json_is_integer(number) || json_integer_value(number) < 0)
        return false;
    *ret = json_integer_value(number);
    return true;
}

/* "settling, failed": how its unit ended is known, and that the node is live is not. */
static const char settling_bad[] = "settling, failed";
static const char settling_mended[] = "settling, failed, mended";

static bool take_node_state(const char *word, struct job_node *node)
{
    if (!word)
        return false;
    node->mended = strcmp(word, settling_mended) == 0;
    node->bad = node->mended || strcmp(word, settling_bad) == 0;
    if (node->bad)
        node->state = JOB_NODE_SETTLING;
    for (unsigned state = JOB_NODE_WAITING; state < JOB_NODE_STATES; state++)
        if (strcmp(word, job_node_state_word(state)) == 0)
            node->state = state;
    return node->state != JOB_NODE_NONE;
}

static bool read_node(const json_t *array, struct job_node *node)
{
    const char *address = json_string_value(json_array_get(array, 0));

    return json_array_size(array) == 7 && address &&
           prober_addr_parse(address, strlen(address), &node->address) == 0 &&
           take_text(json_array_get(array, 1), node->datacenter, sizeof(node->datacenter)) &&
           take_text(json_array_get(array, 2), node->rack, sizeof(node->rack)) &&
           take_node_state(json_string_value(json_array_get(array, 3)), node) &&
           take_text(json_array_get(array, 4), node->why, sizeof(node->why)) &&
           take_time(json_array_get(array, 5), &node->began_ms) &&
           take_time(json_array_get(array, 6), &node->ended_ms);
}

static int compare(const void *left, const void *right)
{
    return prober_addr_compare(left, right);
}

/* No node twice. */
static bool all_different(const struct job *job)
{
    struct prober_addr *addresses = calloc(job->n_nodes + 1, sizeof(*addresses));
    bool different = addresses;

    if (!addresses)
        return false;
    for (size_t i = 0; i < job->n_nodes; i++)
        addresses[i] = job->nodes[i].address;
    qsort(addresses, job->n_nodes, sizeof(*addresses), compare);
    for (size_t i = 1; i < job->n_nodes; i++)
        different = different && prober_addr_compare(&addresses[i - 1], &addresses[i]) != 0;
    free(addresses);
    return different;
}

/* Nobody waits, and nothing runs, in a job that has ended; in one that has not, one node at most.
 */
static bool consistent(const struct job *job)
{
    size_t acting = 0, waiting = 0;

    for (size_t i = 0; i < job->n_nodes; i++) {
        enum job_node_state state = job->nodes[i].state;

        acting += state >= JOB_NODE_GRANTED && state <= JOB_NODE_SETTLING;
        waiting += state == JOB_NODE_WAITING;
    }
    return job_ended(job) ? acting + waiting == 0 : acting <= 1;
}

static bool take_state(const char *word, enum job_state *ret)
{
    for (unsigned state = JOB_RUNNING; word && state < JOB_STATES; state++)
        if (strcmp(word, job_state_word(state)) == 0)
            *ret = state;
    return *ret != JOB_NONE;
}

static bool take_failure(const char *word, bool *ret)
{
    *ret = word && strcmp(word, "continue") == 0;
    return *ret || (word && strcmp(word, "stop") == 0);
}

#define TAKE(root, key, job) take_text(json_object_get(root, #key), (job)->key, sizeof((job)->key))

static bool read_head(const json_t *root, struct job *job)
{
    const json_t *format = json_object_get(root, "format");

    return json_is_integer(format) && json_integer_value(format) == FORMAT && TAKE(root, id, job) &&
           TAKE(root, type, job) && TAKE(root, why, job) && TAKE(root, by, job) &&
           TAKE(root, aborted_by, job) && TAKE(root, run, job) && job->id[0] &&
           job_type_ok(job->type) &&
           take_state(json_string_value(json_object_get(root, "state")), &job->state) &&
           take_failure(json_string_value(json_object_get(root, "on_failure")), &job->go_on) &&
           take_time(json_object_get(root, "started"), &job->started_ms) &&
           take_time(json_object_get(root, "ended"), &job->ended_ms);
}

static int wrong(struct job *job, char why[DETAIL_LEN], const char *what)
{
    snprintf(why, DETAIL_LEN, "%s", what);
    job_done(job);
    return -EBADMSG;
}

static int read_job(const json_t *root, struct job *ret, char why[DETAIL_LEN])
{
    const json_t *nodes = json_object_get(root, "nodes");
    struct job job = {0};

    if (!read_head(root, &job))
        return wrong(&job, why, "not a job of format 1");
    if (!json_is_array(nodes) || json_array_size(nodes) > JOB_NODES_MAX)
        return wrong(&job, why, "a job without a list of nodes, or of too many");
    job.nodes = calloc(json_array_size(nodes) + 1, sizeof(*job.nodes));
    if (!job.nodes)
        return -ENOMEM;
    for (; job.n_nodes < json_array_size(nodes); job.n_nodes++)
        if (!read_node(json_array_get(nodes, job.n_nodes), &job.nodes[job.n_nodes]))
            return wrong(&job, why, "a node of a job without its address or state");
    if (!all_different(&job) || !consistent(&job))
        return wrong(&job, why, "a job with a node twice, or with states that cannot be together");
    *ret = job;
    return 0;
}

static int parse(const char *text, size_t len, json_t **ret, char why[DETAIL_LEN])
{
    /* The sources lend jansson an arena. */
    json_set_alloc_funcs(malloc, free);
    why[0] = '\0';
    return json_answer(text, len, ret, why) == POLL_OK ? 0 : -EBADMSG;
}

int job_json_read(const char *text, size_t len, struct job *ret, char why[DETAIL_LEN])
{
    json_t *root = NULL;
    int r = parse(text, len, &root, why);

    if (r == 0)
        r = read_job(root, ret, why);
    json_decref(root);
    return r;
}

/* A text as it is valid in JSON: one that was cut may end within a character. */
static json_t *text_json(const char *text)
{
    size_t len = strlen(text);
    json_t *json = json_stringn(text, len);

    while (!json && len > 0)
        json = json_stringn(text, --len);
    return json;
}

static json_t *node_array(const struct job_node *node)
{
    char address[PROBER_ADDR_STRLEN];

    prober_addr_format(&node->address, address);
    return json_pack("[s, o, o, s, o, I, I]", address, text_json(node->datacenter),
                     text_json(node->rack),
                     node->mended ? settling_mended
                     : node->bad  ? settling_bad
                                  : job_node_state_word(node->state),
                     text_json(node->why), (json_int_t)node->began_ms, (json_int_t)node->ended_ms);
}

static json_t *job_object(const struct job *job)
{
    json_t *nodes = json_array();

    for (size_t i = 0; nodes && i < job->n_nodes; i++) {
        if (json_array_append_new(nodes, node_array(&job->nodes[i])) < 0) {
            json_decref(nodes);
            return NULL;
        }
    }
    return nodes ? json_pack("{s:i, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:s, s:I, s:I, s:o}",
                             "format", FORMAT, "id", job->id, "type", job->type, "state",
                             job_state_word(job->state), "on_failure",
                             job->go_on ? "continue" : "stop", "why", text_json(job->why), "by",
                             text_json(job->by), "aborted_by", text_json(job->aborted_by), "run",
                             job->run, "started", (json_int_t)job->started_ms, "ended",
                             (json_int_t)job->ended_ms, "nodes", nodes)
                 : NULL;
}

static char *dump(json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

    json_decref(json);
    return text;
}

char *job_json_write(const struct job *job)
{
    json_set_alloc_funcs(malloc, free);
    return dump(job_object(job));
}

void jobs_last_done(struct jobs_last *last)
{
    for (size_t i = 0; i < last->n; i++)
        job_done(&last->items[i]);
    free(last->items);
    *last = (struct jobs_last){0};
}

static int read_last(const json_t *root, struct jobs_last *ret, char why[DETAIL_LEN])
{
    struct jobs_last last = {0};
    int r = 0;

    if (!json_is_array(root) || json_array_size(root) > JOB_LAST_MAX) {
        snprintf(why, DETAIL_LEN, "not a list of jobs");
        return -EBADMSG;
    }
    last.items = calloc(json_array_size(root) + 1, sizeof(*last.items));
    if (!last.items)
        return -ENOMEM;
    for (; r == 0 && last.n < json_array_size(root); last.n += r == 0)
        r = read_job(json_array_get(root, last.n), &last.items[last.n], why);
    if (r < 0)
        jobs_last_done(&last);
    else
        *ret = last;
    return r;
}

int job_json_read_last(const char *text, size_t len, struct jobs_last *ret, char why[DETAIL_LEN])
{
    json_t *root = NULL;
    int r = parse(text, len, &root, why);

    if (r == 0)
        r = read_last(root, ret, why);
    json_decref(root);
    return r;
}

char *job_json_write_last(const struct jobs_last *last, const struct job *job, size_t room)
{
    json_t *array;
    size_t used = 0;

    json_set_alloc_funcs(malloc, free);
    array = json_array();
    for (size_t i = 0; array && i <= last->n && json_array_size(array) < JOB_LAST_MAX; i++) {
        const struct job *one = i == 0 ? job : &last->items[i - 1];
        json_t *object = i > 0 && strcmp(one->type, job->type) == 0 ? NULL : job_object(one);

        if (!object)
            continue;
        used += json_dumpb(object, NULL, 0, JSON_COMPACT) + 1;
        if (i > 0 && used > room)
            json_decref(object);
        else
            json_array_append_new(array, object);
    }
    return dump(array);
}

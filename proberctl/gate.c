/* proberctl gate: whether Cassandra may start or stop now, made for ExecCondition= and
 * ExecStartPre= of its unit. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"
#include "document.h"
#include "prober_addr.h"
#include "prober_segment_reader.h"
#include "proberctl.h"

/* A prober that cannot tell may be one that has just been started: it gets that long. */
#define PATIENCE_MS 10000
#define AGAIN_MS    1000
#define ANSWER_MS   5000 /* for one answer */
#define ANSWER_MAX  (64 * 1024)
#define WHY_LEN     1024

enum gate_said {
    SAID_NOTHING,
    SAID_NO,
    SAID_YES,
};

struct gate {
    const struct options *options;
    const char *verb; /* "start", "stop" */
    char node[PROBER_ADDR_STRLEN];
    char url[256];
    char why[WHY_LEN]; /* of what is no yes: one line */
};

struct body {
    char text[ANSWER_MAX];
    size_t len;
};

static size_t take(char *bytes, size_t size, size_t n, void *userdata)
{
    struct body *body = userdata;
    size_t room = sizeof(body->text) - 1 - body->len, len = size * n < room ? size * n : room;

    memcpy(body->text + body->len, bytes, len);
    body->len += len;
    body->text[body->len] = '\0';
    return size * n;
}

static void join_reasons(struct gate *gate, const json_t *reasons)
{
    size_t len = 0, i;
    json_t *reason;

    gate->why[0] = '\0';
    json_array_foreach((json_t *)reasons, i, reason)
    {
        if (json_is_string(reason) && len < sizeof(gate->why))
            len += (size_t)snprintf(gate->why + len, sizeof(gate->why) - len, "%s%s",
                                    len ? "; " : "", json_string_value(reason));
    }
    for (char *c = gate->why; *c; c++)
        if ((unsigned char)*c < 0x20)
            *c = ' ';
    if (gate->why[0] == '\0')
        snprintf(gate->why, sizeof(gate->why), "without a reason");
}

/* What the collector answered. Whatever is no clear yes or no is none. */
static enum gate_said judge(struct gate *gate, long status, const char *text)
{
    json_t *answer = json_loads(text, 0, NULL);
    const char *may = json_string_value(json_object_get(answer, "may"));
    enum gate_said said = SAID_NOTHING;

    if (status == 200 && json_is_string(json_object_get(answer, "token")))
        said = SAID_YES;
    else if (status == 409 && may && strcmp(may, "no") == 0)
        said = SAID_NO;
    if (may)
        join_reasons(gate, json_object_get(answer, "reasons"));
    else
        snprintf(gate->why, sizeof(gate->why), "%s answers %ld: %.*s", gate->options->socket,
                 status, (int)strcspn(text, "\r\n"), text);
    json_decref(answer);
    return said;
}

static enum gate_said ask(struct gate *gate)
{
    static struct body body;
    CURL *curl = curl_easy_init();
    char host[65] = "", user[128];
    struct curl_slist *headers = NULL;
    long status = 0, error = 0;
    CURLcode code;

    if (!curl)
        abort();
    body.len = 0;
    body.text[0] = '\0';
    gethostname(host, sizeof(host) - 1);
    snprintf(user, sizeof(user), "X-Prober-User: gate on %s", host);
    headers = curl_slist_append(headers, user);
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, gate->options->socket);
    curl_easy_setopt(curl, CURLOPT_URL, gate->url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "POST");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)ANSWER_MS);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &error);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (code == CURLE_OK)
        return judge(gate, status, body.text);
    snprintf(gate->why, sizeof(gate->why), "%s: %s", gate->options->socket,
             error ? strerror((int)error) : curl_easy_strerror(code));
    return SAID_NOTHING;
}

/* This host's own node, as the collector knows it. */
static bool find_own(struct gate *gate)
{
    struct document document;
    json_t *root = NULL, *node;
    size_t i;

    gate->node[0] = '\0';
    if (document_read(gate->options, "/nodes", true, &document) == 0)
        root = json_loads(document.body, 0, NULL);
    document_free(&document);
    json_array_foreach(json_object_get(root, "nodes"), i, node)
    {
        const char *address = json_string_value(json_object_get(node, "address"));

        if (address && json_is_true(json_object_get(node, "local")))
            snprintf(gate->node, sizeof(gate->node), "%s", address);
    }
    json_decref(root);
    if (gate->node[0])
        return true;
    snprintf(gate->why, sizeof(gate->why),
             "which node is this host's is not known in %s; name it: proberctl gate %s IP",
             gate->options->segment, gate->verb);
    return false;
}

/* Without a token of its own: what holds the permit for this very node already, such as a restart
 * of which this start is a part, or a start before this one, lets it through. */
static void make_url(struct gate *gate)
{
    char *ttl = gate->options->ttl ? curl_easy_escape(NULL, gate->options->ttl, 0) : NULL;

    snprintf(gate->url, sizeof(gate->url), "http://localhost/may-%s/%s%s%.64s", gate->verb,
             gate->node, ttl ? "?ttl=" : "", ttl ? ttl : "");
    curl_free(ttl);
}

static enum gate_said try_once(struct gate *gate)
{
    if (gate->node[0] == '\0' && !find_own(gate))
        return SAID_NOTHING;
    make_url(gate);
    return ask(gate);
}

/* One line for the journal each: that it waits, and how that ended. */
static enum gate_said wait_for(struct gate *gate, int64_t wait_ms)
{
    const struct timespec again = {.tv_sec = AGAIN_MS / 1000};
    bool told = false;
    int64_t began_ms = prober_segment_now_ms(), doubt_ms = -1;

    while (true) {
        int64_t asked_ms = prober_segment_now_ms(), now_ms;
        enum gate_said said = try_once(gate);

        now_ms = prober_segment_now_ms();
        if (said != SAID_NOTHING)
            doubt_ms = -1;
        else if (doubt_ms < 0)
            doubt_ms = asked_ms;
        if (said == SAID_YES || now_ms - began_ms >= wait_ms ||
            (said == SAID_NOTHING && !gate->options->fail_closed &&
             now_ms - doubt_ms >= PATIENCE_MS))
            return said;
        if (!told && said == SAID_NO)
            printf("%s waits for permission to %s: %s\n", gate->node, gate->verb, gate->why);
        told |= said == SAID_NO;
        fflush(stdout);
        nanosleep(&again, NULL);
    }
}

static enum answer give_answer(const struct gate *gate, enum gate_said said)
{
    const struct options *options = gate->options;
    const char *node = gate->node[0] ? gate->node : "this node";

    switch (said) {
    case SAID_YES:
        printf("%s may %s\n", node, gate->verb);
        return YES;
    case SAID_NO:
        complain("%s may not %s: %s", node, gate->verb, gate->why);
        return NO;
    case SAID_NOTHING:
        break;
    }
    if (options->fail_open) {
        complain("cannot tell whether %s may %s, which is taken for yes (--fail-open): %s", node,
                 gate->verb, gate->why);
        return YES;
    }
    if (options->fail_closed) {
        complain("cannot tell whether %s may %s, which is taken for no (--fail-closed): %s", node,
                 gate->verb, gate->why);
        return NO;
    }
    complain("cannot tell whether %s may %s: %s; say what that is to mean: --fail-open or "
             "--fail-closed",
             node, gate->verb, gate->why);
    return CANNOT_TELL;
}

enum answer ask_gate(const struct options *options, char **args)
{
    struct gate gate = {.options = options, .verb = args[0]};
    const char *name = args[1] ? args[1] : options->own;
    int64_t wait_ms = 0;

    if ((args[1] && args[2]) || (strcmp(args[0], "start") != 0 && strcmp(args[0], "stop") != 0)) {
        complain("gate takes start or stop, and a node's address");
        return CANNOT_TELL;
    }
    if (options->fail_open && options->fail_closed) {
        complain("--fail-open or --fail-closed, one of them");
        return CANNOT_TELL;
    }
    if (options->wait && conf_parse_duration(options->wait, &wait_ms) < 0) {
        complain("--wait %s is no duration; such as 30s, 5m", options->wait);
        return CANNOT_TELL;
    }
    if (name && !read_address(name, gate.node))
        return CANNOT_TELL;
    return give_answer(&gate, wait_for(&gate, wait_ms));
}

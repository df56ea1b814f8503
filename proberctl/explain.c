#include "explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "colour.h"
#include "json_text.h"

#define NAMED_MAX 6 /* addresses in a sentence; of more it says how many */

static void say_duration(long long s)
{
    if (s < 120)
        printf("%lld s", s);
    else if (s < 7200)
        printf("%lld min", s / 60);
    else if (s < 172800)
        printf("%lld h", s / 3600);
    else
        printf("%lld d", s / 86400);
}

/* " since 2026-11-28T21:00:00Z (4 min)" */
static void say_since(const char *since)
{
    struct tm tm = {0};
    const char *end = strptime(since, "%Y-%m-%dT%H:%M:%SZ", &tm);
    long long s = end ? (long long)(time(NULL) - timegm(&tm)) : -1;

    if (!end)
        return;
    printf(" since %s", since);
    if (s >= 0) {
        printf(" (");
        say_duration(s);
        putchar(')');
    }
}

static size_t count(const json_t *opinions, const char *wanted)
{
    const char *observer;
    const json_t *opinion;
    size_t n = 0;

    json_object_foreach((json_t *)opinions, observer, opinion) n +=
        strcmp(json_string_value(opinion) ?: "?", wanted) == 0;
    return n;
}

/* "10.0.0.1, 10.0.0.2 and 10.0.0.4": who says so. */
static void say_who(const json_t *opinions, const char *wanted, size_t n)
{
    const char *observer;
    const json_t *opinion;
    size_t said = 0, named = n > NAMED_MAX ? NAMED_MAX - 1 : n;

    json_object_foreach((json_t *)opinions, observer, opinion)
    {
        if (strcmp(json_string_value(opinion) ?: "?", wanted) != 0 || said == named)
            continue;
        if (said > 0)
            fputs(said + 1 == n ? " and " : ", ", stdout);
        say(observer + (*observer == '/'));
        said++;
    }
    if (n > named)
        printf(" and %zu more", n - named);
}

static void say_opinion(const json_t *opinions, const char *opinion, bool *first)
{
    size_t n = count(opinions, opinion);

    if (n == 0)
        return;
    fputs(*first ? " " : "; ", stdout);
    *first = false;
    say_who(opinions, opinion, n);
    if (strcmp(opinion, "UP") == 0 || strcmp(opinion, "DOWN") == 0)
        printf(" %s it %s%s%s", n == 1 ? "sees" : "see", colour_of(opinion), opinion,
               colour_of("end"));
    else if (strcmp(opinion, "?") == 0)
        printf(" %s no opinion of it", n == 1 ? "has" : "have");
    else {
        printf(": no view to be had (");
        say(opinion);
        putchar(')');
    }
}

/* Those that see it first, then each other word once. */
static void say_opinions(const json_t *opinions)
{
    json_t *said = json_object();
    const char *observer;
    json_t *opinion;
    bool first = true;

    say_opinion(opinions, "DOWN", &first);
    say_opinion(opinions, "UP", &first);
    json_object_set_new(said, "DOWN", json_true());
    json_object_set_new(said, "UP", json_true());
    json_object_foreach((json_t *)opinions, observer, opinion)
    {
        const char *word = json_string_value(opinion) ?: "?";

        if (json_object_get(said, word))
            continue;
        json_object_set_new(said, word, json_true());
        say_opinion(opinions, word, &first);
    }
    json_decref(said);
    if (!first)
        putchar('.');
}

void explain(const json_t *node, const json_t *opinions, int64_t stale_ms)
{
    const char *verdict = text_of(node, "verdict");
    char *reasons = join(json_object_get(node, "reasons"), ", ");

    if (stale_ms == INT64_MAX) {
        fputs("When the collector was last heard of, ", stdout);
    } else if (stale_ms > 0) {
        say_duration(stale_ms / 1000);
        fputs(" ago, when the collector was last heard of, ", stdout);
    }
    say(text_of(node, "address"));
    printf(" %s %s%s%s", stale_ms > 0 ? "was" : "is", colour_of(verdict), verdict,
           colour_of("end"));
    say_since(text_of(node, "since"));
    if (*reasons) {
        fputs(": ", stdout);
        say(reasons);
    }
    putchar('.');
    if (opinions)
        say_opinions(opinions);
    putchar('\n');
    free(reasons);
}

const char *remedy(const json_t *node)
{
    static const struct {
        const char *reason, *next;
    } table[] = {
        {"gone", "it has left the cluster; nothing is to be done"},
        {"run state TERMINATE", "it is stopped for good; another node may take its place"},
        {"run state", "proberctl run-state IP RUN, once it may run again"},
        {"is being restarted", "wait for it: proberctl wait ready IP"},
        {"process gone", "on its host: systemctl status cassandra, then systemctl start cassandra"},
        {"drained", "proberctl undrain IP, once it may serve again"},
        {"DOWN by", "on its host: systemctl status cassandra; else the network between the nodes"},
        {"lost its vote",
         "a split, or an isolated node: compare nodetool status there and elsewhere"},
        {"hung", "on its host: kill -3 tells what its threads do; memory, disks, swapping"},
        {"starting", "wait for it: proberctl wait ready IP"},
        {"native transport off", "on its host: nodetool enablebinary"},
        {"gossip off", "on its host: nodetool enablegossip"},
        {"status", "on its host: nodetool netstats; it joins, leaves, moves or is stopped"},
        {"mode", "on its host: nodetool netstats; a DRAINED one needs a restart"},
        {"no status", "wait for it: it has just been heard of"},
        {"not seen by", "wait for gossip; then compare nodetool gossipinfo there and elsewhere"},
        {"rehab",
         "it changed too often; it is ready again after readiness.rehab: proberctl wait ready IP"},
        {"rising", "wait for it: proberctl wait ready IP"},
    };
    const json_t *reason;
    size_t i;

    json_array_foreach(json_object_get(node, "reasons"), i, reason)
    {
        const char *text = json_string_value(reason) ?: "";

        for (size_t t = 0; t < sizeof(table) / sizeof(table[0]); t++)
            if (strncmp(text, table[t].reason, strlen(table[t].reason)) == 0)
                return table[t].next;
        if (strstr(text, "needed observers"))
            return "proberctl nodes: OBSERVER says why whose opinion does not count";
    }
    return NULL;
}

#include "document.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "prober_segment_reader.h"

#define TRIES 100 /* while the collector writes this very document */

static int copy(const struct prober_segment_reader *reader, const char *key,
                struct prober_reading *reading, char **ret)
{
    int r = prober_segment_find(reader, key, strlen(key), reading);
    char *body;

    if (r < 0)
        return r;
    body = malloc(reading->body_len + (size_t)1);
    if (!body)
        return -ENOMEM;
    r = prober_segment_copy(reader, reading, body);
    if (r < 0) {
        free(body);
        return r;
    }
    body[reading->body_len] = '\0';
    *ret = body;
    return 0;
}

static int copy_whole(const struct prober_segment_reader *reader, const char *key,
                      struct prober_reading *reading, char **ret)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    int r = -EAGAIN;

    for (int i = 0; i < TRIES && r == -EAGAIN; i++) {
        if (i > 0)
            nanosleep(&moment, NULL);
        r = copy(reader, key, reading, ret);
    }
    return r;
}

/* Why there is no segment to read, and what to do. */
static int no_segment(const struct options *options, enum prober_segment_problem problem,
                      bool quiet)
{
    const char *next = "is prober-collector running, and is this its segment.path? "
                       "systemctl status prober-collector";

    if (problem == PROBER_SEGMENT_DENIED)
        next = "run it as root";
    else if (problem == PROBER_SEGMENT_OLD_ABI)
        next = "systemctl restart prober-collector, so that it is the installed one";
    else if (problem == PROBER_SEGMENT_NEW_ABI)
        next = "upgrade proberctl";
    if (!quiet)
        complain("%s: %s; %s", options->segment, prober_segment_problem_text(problem), next);
    return -EIO;
}

int document_read(const struct options *options, const char *key, bool quiet, struct document *ret)
{
    struct prober_segment_reader reader;
    struct prober_reading reading;
    enum prober_segment_problem problem = prober_segment_open(options->segment, &reader);
    int64_t heartbeat_ms, now_ms;
    int r;

    *ret = (struct document){0};
    if (problem != PROBER_SEGMENT_OK)
        return no_segment(options, problem, quiet);
    heartbeat_ms = prober_segment_heartbeat_ms(&reader);
    r = copy_whole(&reader, key, &reading, &ret->body);
    now_ms = prober_segment_now_ms();
    prober_segment_close(&reader);
    if (r == 0) {
        ret->status = reading.status;
        ret->age_ms = prober_segment_age_ms(reading.observed_at_ms, now_ms);
        ret->heartbeat_ms = heartbeat_ms ? prober_segment_age_ms(heartbeat_ms, now_ms) : INT64_MAX;
        ret->stale = ret->heartbeat_ms > STALE_MS;
    } else if (r == -ENOENT && heartbeat_ms == 0) {
        r = -EBUSY;
        if (!quiet)
            complain("the collector has not finished its first round; try again in a few seconds");
    } else if (r != -ENOENT && !quiet) {
        complain("%s: %s: %s; systemctl restart prober-collector", options->segment, key,
                 strerror(-r));
    }
    return r;
}

json_t *document_json(const struct options *options, const char *key, struct document *ret)
{
    int r = document_read(options, key, false, ret);
    json_t *json;

    if (r == -ENOENT)
        complain("%s has no %s; is the collector another version? systemctl restart "
                 "prober-collector",
                 options->segment, key);
    if (r < 0)
        return NULL;
    json = json_loads(ret->body, JSON_DECODE_ANY, NULL);
    if (!json) {
        complain("%s is no JSON; is proberctl of the collector's version?", key);
        document_free(ret);
    }
    return json;
}

enum answer document_verdict(const struct document *document, enum answer answer)
{
    if (!document->stale)
        return answer;
    if (document->heartbeat_ms == INT64_MAX)
        complain("stale: the collector has not finished a round; systemctl status "
                 "prober-collector");
    else
        complain("stale: the collector's last sign of life is %.1f s old; systemctl status "
                 "prober-collector",
                 (double)document->heartbeat_ms / 1000);
    return CANNOT_TELL;
}

void document_free(struct document *document)
{
    free(document->body);
    document->body = NULL;
}

const char *seeds_key(const struct options *options)
{
    struct document document;
    int r = document_read(options, "/allseeds", true, &document);

    document_free(&document);
    if (r != -ENOENT)
        return "/allseeds";
    complain("there is no /allseeds: these are this region's seeds alone; upgrade the collector, "
             "or wait for it to know seeds");
    return "/localseeds";
}

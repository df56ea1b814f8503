#include "reload_seeds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "model/seed_lists.h"
#include "sources/cassandra_text.h"

#define TRIES      5
#define AGAIN_US   1000000
#define TIMEOUT_MS 5000 /* Cassandra resolves names in its file meanwhile */

struct reload_seeds {
    sd_event_source *timer; /* the next step */
    struct poller *poller;  /* borrowed */
    struct addresses seeds;
    unsigned tries;
    struct control_request *request; /* NULL = nothing runs */
    char what[DETAIL_LEN + 256];
};

static void end(struct reload_seeds *reload, unsigned status)
{
    struct control_request *request = reload->request;

    if (status == 200)
        log_info("%s", reload->what);
    else
        log_warning("seeds asked for by %s: %s", request->user, reload->what);
    addresses_free(&reload->seeds);
    reload->request = NULL;
    control_reply(request, status, reload->what, NULL);
}

static void tell(struct reload_seeds *reload, const char *what, const struct prober_addr *address)
{
    char text[PROBER_ADDR_STRLEN];

    prober_addr_format(address, text);
    snprintf(reload->what, sizeof(reload->what), "Cassandra %s %s", what, text);
}

/* The first of `list` that is not among `others`; its own address a node leaves out of what it
 * says.
 */
static const struct prober_addr *first_without(const struct addresses *list,
                                               const struct addresses *others,
                                               const struct prober_addr *own)
{
    for (size_t i = 0; i < list->n; i++)
        if (prober_addr_compare(&list->items[i], own) != 0 &&
            !addresses_have(others, &list->items[i]))
            return &list->items[i];
    return NULL;
}

/* Whether it has what it is to have. */
static bool same(struct reload_seeds *reload, const struct reply *reply)
{
    const struct prober_addr *own = &poller_local(reload->poller)->address, *other;
    struct addresses held = {.items = calloc(reply->n_texts + 1, sizeof(*held.items))};

    if (!held.items)
        abort();
    for (size_t i = 0; i < reply->n_texts; i++)
        held.n += cassandra_endpoint(reply->texts[i], strlen(reply->texts[i]), &held.items[held.n],
                                     NULL) == 0;
    if ((other = first_without(&held, &reload->seeds, own)))
        tell(reload, "still has the seed", other);
    else if ((other = first_without(&reload->seeds, &held, own)))
        tell(reload, "does not have the seed", other);
    else
        snprintf(reload->what, sizeof(reload->what), "Cassandra has these %zu seeds",
                 reload->seeds.n);
    addresses_free(&held);
    return !other;
}

static void again(struct reload_seeds *reload)
{
    if (++reload->tries >= TRIES) {
        end(reload, 503);
        return;
    }
    sd_event_source_set_time_relative(reload->timer, AGAIN_US);
    sd_event_source_set_enabled(reload->timer, SD_EVENT_ONESHOT);
}

static void on_invoked(struct reply *reply, void *userdata)
{
    struct reload_seeds *reload = userdata;
    /* By JMX; by Jolokia it is inside an answer. */
    bool exception = reply->result == POLL_EXCEPTION || strstr(reply->detail, "Exception");

    if (reply->result == POLL_OK) {
        end(reload, same(reload, reply) ? 200 : 409);
        return;
    }
    if (reply->result == POLL_REFUSED) {
        snprintf(reload->what, sizeof(reload->what),
                 "Cassandra does not run; it reads its file when it starts");
        end(reload, 200);
        return;
    }
    snprintf(reload->what, sizeof(reload->what), "Cassandra cannot be asked: %s%s%s%s",
             poll_result_word(reply->result), reply->detail[0] ? ": " : "", reply->detail,
             exception ? "; reloadSeeds is there from 4.0 on" : "");
    if (exception)
        end(reload, 501);
    else
        again(reload);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    static const struct source_operation operation = {
        .mbean = "org.apache.cassandra.net:type=Gossiper",
        .name = "reloadSeeds",
        .timeout_ms = TIMEOUT_MS,
    };
    struct reload_seeds *reload = userdata;
    int r = poller_invoke_local(reload->poller, &operation, on_invoked, reload);

    (void)source;
    (void)usec;
    if (r == -ENOENT) {
        snprintf(reload->what, sizeof(reload->what), "local.source names no Cassandra");
        end(reload, 501);
    } else if (r < 0) {
        snprintf(reload->what, sizeof(reload->what), "Cassandra cannot be asked: %s", strerror(-r));
        again(reload);
    }
    return 0;
}

int reload_seeds_new(sd_event *event, struct reload_seeds **ret)
{
    struct reload_seeds *reload = calloc(1, sizeof(*reload));
    int r;

    if (!reload)
        return -ENOMEM;
    r = sd_event_add_time(event, &reload->timer, CLOCK_MONOTONIC, 0, 1000, on_timer, reload);
    if (r < 0) {
        free(reload);
        return r;
    }
    sd_event_source_set_enabled(reload->timer, SD_EVENT_OFF);
    *ret = reload;
    return 0;
}

struct reload_seeds *reload_seeds_free(struct reload_seeds *reload)
{
    if (!reload)
        return NULL;
    if (reload->request) {
        snprintf(reload->what, sizeof(reload->what), "the collector ends");
        end(reload, 503);
    }
    sd_event_source_disable_unref(reload->timer);
    free(reload);
    return NULL;
}

void reload_seeds_request(struct reload_seeds *reload, struct control_request *request)
{
    struct addresses seeds;

    if (strcmp(request->method, "POST") != 0) {
        control_reply(request, 405, "no such method here", "POST");
    } else if (reload->request) {
        control_reply(request, 503, "Cassandra is being asked already", NULL);
    } else if (addresses_parse(request->body, &seeds) < 0 || seeds.n == 0) {
        control_reply(request, 400, "the body is no array of addresses", NULL);
    } else {
        reload->request = request;
        reload->seeds = seeds;
        reload->tries = 0;
        sd_event_source_set_time_relative(reload->timer, 0);
        sd_event_source_set_enabled(reload->timer, SD_EVENT_ONESHOT);
    }
}

void reload_seeds_set_poller(struct reload_seeds *reload, struct poller *poller)
{
    reload->poller = poller;
    /* The answer of what the old one ran will not come. */
    if (reload->request) {
        snprintf(reload->what, sizeof(reload->what), "the configuration was read again meanwhile");
        again(reload);
    }
}

#include "reload_seeds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sources/cassandra_text.h"

#define TRIES      5
#define AGAIN_US   1000000
#define TIMEOUT_MS 5000 /* Cassandra resolves names in its file meanwhile */

struct reload_seeds {
    sd_event_source *timer; /* the next step */
    struct poller *poller;  /* borrowed */
    struct prober_addr *seeds;
    size_t n_seeds;
    unsigned tries;
    reload_seeds_done done; /* NULL = nothing runs */
    void *userdata;
    char what[DETAIL_LEN + 256];
};

static void end(struct reload_seeds *reload, int result)
{
    reload_seeds_done done = reload->done;

    free(reload->seeds);
    reload->seeds = NULL;
    reload->done = NULL;
    done(result, reload->what, reload->userdata);
}

static bool has(const struct prober_addr *list, size_t n, const struct prober_addr *address)
{
    for (size_t i = 0; i < n; i++)
        if (prober_addr_compare(&list[i], address) == 0)
            return true;
    return false;
}

static void tell(struct reload_seeds *reload, const char *what, const struct prober_addr *address)
{
    char text[PROBER_ADDR_STRLEN];

    prober_addr_format(address, text);
    snprintf(reload->what, sizeof(reload->what), "Cassandra %s %s", what, text);
}

/* The first difference between what it has and what it is to have. */
static bool same(struct reload_seeds *reload, const struct reply *reply)
{
    const struct prober_addr *own = &poller_local(reload->poller)->address;
    struct prober_addr *held = calloc(reply->n_texts + 1, sizeof(*held));
    size_t n = 0, i;

    if (!held)
        return false;
    for (i = 0; i < reply->n_texts; i++)
        if (cassandra_endpoint(reply->texts[i], strlen(reply->texts[i]), &held[n], NULL) == 0)
            n++;
    for (i = 0; i < n; i++)
        if (prober_addr_compare(&held[i], own) != 0 &&
            !has(reload->seeds, reload->n_seeds, &held[i]))
            break;
    if (i < n) {
        tell(reload, "still has the seed", &held[i]);
        free(held);
        return false;
    }
    for (i = 0; i < reload->n_seeds; i++)
        if (prober_addr_compare(&reload->seeds[i], own) != 0 && !has(held, n, &reload->seeds[i]))
            break;
    free(held);
    if (i < reload->n_seeds) {
        tell(reload, "does not have the seed", &reload->seeds[i]);
        return false;
    }
    snprintf(reload->what, sizeof(reload->what), "Cassandra has the %zu seeds", reload->n_seeds);
    return true;
}

static void again(struct reload_seeds *reload)
{
    if (++reload->tries >= TRIES) {
        end(reload, -EIO);
        return;
    }
    sd_event_source_set_time_relative(reload->timer, AGAIN_US);
    sd_event_source_set_enabled(reload->timer, SD_EVENT_ONESHOT);
}

static void on_invoked(struct reply *reply, void *userdata)
{
    struct reload_seeds *reload = userdata;

    if (reply->result != POLL_OK) {
        snprintf(reload->what, sizeof(reload->what), "Cassandra cannot be asked: %s%s%s",
                 poll_result_word(reply->result), reply->detail[0] ? ": " : "", reply->detail);
        again(reload);
        return;
    }
    end(reload, same(reload, reply) ? 0 : -ESTALE);
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
        snprintf(reload->what, sizeof(reload->what), "there is no local node");
        end(reload, r);
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
    sd_event_source_disable_unref(reload->timer);
    free(reload->seeds);
    free(reload);
    return NULL;
}

int reload_seeds_start(struct reload_seeds *reload, struct poller *poller,
                       const struct prober_addr *seeds, size_t n_seeds, reload_seeds_done done,
                       void *userdata)
{
    if (reload->done)
        return -EBUSY;
    reload->seeds = calloc(n_seeds + 1, sizeof(*reload->seeds));
    if (!reload->seeds)
        return -ENOMEM;
    memcpy(reload->seeds, seeds, n_seeds * sizeof(*seeds));
    reload->n_seeds = n_seeds;
    reload->poller = poller;
    reload->done = done;
    reload->userdata = userdata;
    reload->tries = 0;
    sd_event_source_set_time_relative(reload->timer, 0);
    sd_event_source_set_enabled(reload->timer, SD_EVENT_ONESHOT);
    return 0;
}

void reload_seeds_set_poller(struct reload_seeds *reload, struct poller *poller)
{
    reload->poller = poller;
    /* The answer of what the old one ran will not come. */
    if (reload->done && poller) {
        snprintf(reload->what, sizeof(reload->what), "the configuration was read again meanwhile");
        again(reload);
    }
}

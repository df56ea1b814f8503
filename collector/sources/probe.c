#include "probe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct probe {
    struct transfer transfer;
    struct multi *multi;
    void (*done)(enum poll_result result, void *userdata);
    void *userdata;
};

static struct probe *probe_free(struct probe *probe)
{
    curl_easy_cleanup(probe->transfer.easy);
    free(probe);
    return NULL;
}

static void on_done(struct transfer *transfer, CURLcode code)
{
    struct probe *probe = (struct probe *)transfer;
    char detail[DETAIL_LEN];

    probe->done(multi_result(transfer->easy, code, detail), probe->userdata);
    probe_free(probe);
}

int probe_start(struct multi *multi, const struct prober_addr *address, uint16_t port,
                int64_t timeout_ms, void (*done)(enum poll_result result, void *userdata),
                void *userdata, struct probe **ret)
{
    struct probe *probe = calloc(1, sizeof(*probe));
    bool v4 = prober_addr_is_v4(address);
    char text[PROBER_ADDR_STRLEN];
    char url[sizeof("http://[]:65535") + PROBER_ADDR_STRLEN];
    int r = -ENOMEM;

    if (!probe)
        return -ENOMEM;
    probe->multi = multi;
    probe->done = done;
    probe->userdata = userdata;
    probe->transfer.done = on_done;
    probe->transfer.easy = multi_easy();
    prober_addr_format(address, text);
    snprintf(url, sizeof(url), v4 ? "http://%s:%u" : "http://[%s]:%u", text, port);
    if (probe->transfer.easy &&
        curl_easy_setopt(probe->transfer.easy, CURLOPT_URL, url) == CURLE_OK) {
        curl_easy_setopt(probe->transfer.easy, CURLOPT_CONNECT_ONLY, 1L);
        curl_easy_setopt(probe->transfer.easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
        curl_easy_setopt(probe->transfer.easy, CURLOPT_CONNECTTIMEOUT_MS, (long)timeout_ms);
        r = multi_start(multi, &probe->transfer);
    }
    if (r < 0) {
        probe_free(probe);
        return r;
    }
    *ret = probe;
    return 0;
}

struct probe *probe_cancel(struct probe *probe)
{
    if (!probe)
        return NULL;
    multi_cancel(probe->multi, &probe->transfer);
    return probe_free(probe);
}

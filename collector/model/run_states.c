#include "run_states.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cluster_internal.h"

static const char *const words[] = {"RUN", "STOP", "RESTART", "TERMINATE"};

const char *run_state_word(enum run_state state)
{
    return words[state];
}

bool run_state_parse(const char *text, size_t len, enum run_state *ret)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strlen(words[i]) == len && memcmp(words[i], text, len) == 0) {
            *ret = (enum run_state)i;
            return true;
        }
    }
    return false;
}

void run_state_text(enum run_state state, const char *host_id, char text[RUN_STATE_TEXT_LEN])
{
    bool of_one = state == RUN_STATE_TERMINATE && host_id[0];

    snprintf(text, RUN_STATE_TEXT_LEN, "\"%s%s%s\"", words[state], of_one ? " " : "",
             of_one ? host_id : "");
}

/* Host ids are UUIDs, or what the like may be made of. */
static bool is_host_id(const char *text, size_t len)
{
    static const char allowed[] = "0123456789abcdefABCDEF-";

    return len > 0 && len < HOST_ID_LEN && strspn(text, allowed) >= len;
}

bool run_state_read(const char *text, enum run_state *ret, char ret_host_id[HOST_ID_LEN])
{
    size_t len = strlen(text), word;
    const char *space;

    ret_host_id[0] = '\0';
    if (len < 2 || text[0] != '"' || text[len - 1] != '"')
        return false;
    text++;
    len -= 2;
    space = memchr(text, ' ', len);
    word = space ? (size_t)(space - text) : len;
    if (!run_state_parse(text, word, ret))
        return false;
    if (!space)
        return true;
    if (*ret != RUN_STATE_TERMINATE || !is_host_id(space + 1, len - word - 1))
        return false;
    snprintf(ret_host_id, HOST_ID_LEN, "%.*s", (int)(len - word - 1), space + 1);
    return true;
}

static struct node_run wanted(const struct values *values, const struct node *node)
{
    struct node_run run = {.state = RUN_STATE_RUN};
    char key[VALUES_KEY_LEN], host_id[HOST_ID_LEN];
    const struct value *value;

    snprintf(key, sizeof(key), RUN_STATE_KEY "%s", node->text);
    value = values_find(values, key);
    if (!value || !run_state_read(value->text, &run.state, host_id))
        return (struct node_run){.state = RUN_STATE_RUN};
    /* Another one has its place. */
    if (host_id[0] && node->gossip.host_id[0] && strcasecmp(host_id, node->gossip.host_id) != 0)
        return (struct node_run){.state = RUN_STATE_RUN};
    run.counter = value->counter;
    run.said = true;
    memcpy(run.host, value->host, sizeof(run.host));
    memcpy(run.user, value->user, sizeof(run.user));
    return run;
}

void run_states_apply(struct cluster *cluster, const struct values *values)
{
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        struct node *node = cluster->sorted[i];
        struct node_run run = values->n > 0 && !node->gone && !node->forgotten
                                  ? wanted(values, node)
                                  : (struct node_run){0};

        if (run.counter == node->run.counter && run.state == node->run.state &&
            strcmp(run.host, node->run.host) == 0)
            continue;
        run.restarting = node->run.restarting;
        /* Why it failed is not over with it. */
        if (node->run.state == RUN_STATE_RESTART && run.state == RUN_STATE_RUN &&
            strcmp(run.user, "automatic") == 0)
            memcpy(run.waits, node->run.waits, sizeof(run.waits));
        node->run = run;
        mark_verdict(cluster, node);
    }
}

void run_states_restarting(struct cluster *cluster, const struct prober_addr *at)
{
    for (size_t i = 0; i < cluster->n_sorted; i++) {
        struct node *node = cluster->sorted[i];
        bool restarting = memcmp(&node->address, at, sizeof(*at)) == 0;

        if (node->run.restarting == restarting)
            continue;
        node->run.restarting = restarting;
        mark_verdict(cluster, node);
    }
}

void run_states_wait(struct cluster *cluster, struct node *node, const char *why)
{
    char waits[sizeof(node->run.waits)];

    snprintf(waits, sizeof(waits), "%s", why);
    if (strcmp(waits, node->run.waits) == 0)
        return;
    memcpy(node->run.waits, waits, sizeof(waits));
    mark_verdict(cluster, node);
}

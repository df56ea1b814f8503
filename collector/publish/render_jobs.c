#include "render_jobs.h"

#include "words.h"

static void add_time(struct text *text, const char *name, int64_t wall_ms)
{
    char buf[WORDS_TIME_LEN];

    words_time(wall_ms, buf);
    if (wall_ms > 0 && buf[0])
        text_printf(text, ",\"%s\":\"%s\"", name, buf);
    else
        text_printf(text, ",\"%s\":null", name);
}

static void add_text(struct text *text, const char *name, const char *value)
{
    text_printf(text, ",\"%s\":", name);
    text_add_json(text, value);
}

static void add_node(struct text *text, const struct job_node *node)
{
    char address[PROBER_ADDR_STRLEN];

    prober_addr_format(&node->address, address);
    text_printf(text, "{\"node\":\"%s\"", address);
    add_text(text, "dc", node->datacenter);
    add_text(text, "rack", node->rack);
    add_text(text, "state", job_node_state_word(node->state));
    add_text(text, "why", node->why);
    add_time(text, "began", node->began_ms);
    add_time(text, "ended", node->ended_ms);
    text_puts(text, "}");
}

static void add_job(struct text *text, const struct job *job)
{
    if (!job) {
        text_puts(text, "null");
        return;
    }
    text_puts(text, "{\"id\":");
    text_add_json(text, job->id);
    add_text(text, "type", job->type);
    add_text(text, "state", job_state_word(job->state));
    add_text(text, "why", job->why);
    add_text(text, "by", job->by);
    add_time(text, "started", job->started_ms);
    add_time(text, "ended", job->ended_ms);
    text_printf(text, ",\"on_failure\":\"%s\",\"nodes\":[", job->go_on ? "continue" : "stop");
    for (size_t i = 0; i < job->n_nodes; i++) {
        text_puts(text, i > 0 ? ",\n  " : "\n  ");
        add_node(text, &job->nodes[i]);
    }
    text_puts(text, "]}");
}

void render_jobs(struct text *text, const struct jobs_shown *shown)
{
    text_puts(text, "{\"leader\":");
    if (shown->leader && *shown->leader)
        text_add_json(text, shown->leader);
    else
        text_puts(text, "null");
    add_text(text, "store", shown->store && *shown->store ? shown->store : "ok");
    text_printf(text, ",\"suspended\":%s,\n \"active\":", shown->suspended ? "true" : "false");
    add_job(text, shown->active);
    text_puts(text, ",\n \"last\":{");
    for (size_t i = 0; i < shown->n_last; i++) {
        text_puts(text, i > 0 ? ",\n  " : "\n  ");
        text_add_json(text, shown->last[i].type);
        text_puts(text, ":");
        add_job(text, &shown->last[i]);
    }
    text_puts(text, "}}\n");
}

static const struct job *last_of(const struct jobs_shown *shown, const char *type)
{
    for (size_t i = 0; i < shown->n_last; i++)
        if (strcmp(shown->last[i].type, type) == 0)
            return &shown->last[i];
    return NULL;
}

void render_jobs_of(struct text *text, const struct jobs_shown *shown, const char *type)
{
    const struct job *active = shown->active;

    text_puts(text, "{\"active\":");
    add_job(text, active && strcmp(active->type, type) == 0 ? active : NULL);
    text_puts(text, ",\n \"last\":");
    add_job(text, last_of(shown, type));
    text_puts(text, "}\n");
}

static bool configured(const struct jobs_shown *shown, const char *type)
{
    for (const char *const *name = shown->types; name && *name; name++)
        if (strcmp(*name, type) == 0)
            return true;
    return false;
}

void jobs_types(const struct jobs_shown *shown, void (*each)(const char *type, void *userdata),
                void *userdata)
{
    const struct job *active = shown->active;

    for (const char *const *name = shown->types; name && *name; name++)
        each(*name, userdata);
    for (size_t i = 0; i < shown->n_last; i++)
        if (!configured(shown, shown->last[i].type))
            each(shown->last[i].type, userdata);
    if (active && !configured(shown, active->type) && !last_of(shown, active->type))
        each(active->type, userdata);
}

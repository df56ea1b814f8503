#include "render_regions.h"

#include <time.h>

void render_dc_list(struct text *text, const struct region_dc *dcs, size_t n)
{
    text_add(text, "[", 1);
    for (size_t i = 0; i < n; i++) {
        text_puts(text, i > 0 ? ",{\"name\":" : "{\"name\":");
        text_add_json(text, dcs[i].name);
        text_printf(text, ",\"replicas\":%u}", dcs[i].replicas);
    }
    text_add(text, "]", 1);
}

static void add_lists(struct text *text, const struct region *region)
{
    char address[PROBER_ADDR_STRLEN];

    text_puts(text, ",\"seeds\":[");
    for (size_t i = 0; i < region->n_seeds; i++) {
        prober_addr_format(&region->seeds[i], address);
        text_printf(text, "%s\"%s\"", i > 0 ? "," : "", address);
    }
    text_puts(text, "],\"dcs\":");
    render_dc_list(text, region->dcs, region->n_dcs);
}

const char *region_state_word(enum region_state state)
{
    switch (state) {
    case REGION_UNASKED:
        break;
    case REGION_UNREACHABLE:
        return "unreachable";
    case REGION_NOT_READY:
        return "not ready";
    case REGION_READY:
        return "ready";
    }
    return "not asked yet";
}

static void add_last_seen(struct text *text, const struct region *region, int64_t wall_offset_ms)
{
    time_t seconds = (time_t)((region->told_at_ms + wall_offset_ms) / 1000);
    char buf[32];
    struct tm tm;

    text_puts(text, ",\"last_seen\":");
    if (region->told_at_ms > 0 && gmtime_r(&seconds, &tm) &&
        strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0)
        text_add_json(text, buf);
    else
        text_puts(text, "null");
}

/* How the last poll went: what could not be had, and why. */
static void add_poll(struct text *text, const struct region *region)
{
    text_printf(text, ",\"poll\":{\"result\":\"%s\"", poll_result_word(region->result));
    if (region->result != POLL_OK && region->path && *region->path)
        text_printf(text, ",\"path\":\"%s\"", region->path);
    if (region->result != POLL_OK && region->http_status > 0)
        text_printf(text, ",\"http_status\":%d", region->http_status);
    if (*region->detail) {
        text_puts(text, ",\"detail\":");
        text_add_json(text, region->detail);
    }
    text_puts(text, "}");
}

static void add_region(struct text *text, const struct region *region, int64_t wall_offset_ms)
{
    text_puts(text, "{\"name\":");
    text_add_json(text, region->name);
    text_printf(text, ",\"own\":%s,\"state\":\"%s\",\"was_ready\":%s",
                region->own ? "true" : "false", region_state_word(region->state),
                region->was_ready ? "true" : "false");
    if (!region->own) {
        add_last_seen(text, region, wall_offset_ms);
        add_poll(text, region);
        add_lists(text, region);
    }
    text_puts(text, "}");
}

void render_regions(struct text *text, const struct regions *regions, const char *own,
                    int64_t wall_offset_ms)
{
    char buf[REGIONS_WHY_LEN];
    const char *why = regions_waits(regions, buf);

    text_puts(text, "{\"region\":");
    text_add_json(text, own);
    text_puts(text, ",\"next\":");
    if (regions->next)
        text_add_json(text, regions->next->name);
    else
        text_puts(text, "null");
    text_puts(text, ",\"waits\":");
    if (why)
        text_add_json(text, why);
    else
        text_puts(text, "null");
    text_puts(text, ",\"regions\":[");
    for (size_t i = 0; i < regions->n; i++) {
        text_puts(text, i > 0 ? ",\n " : "\n ");
        add_region(text, &regions->items[i], wall_offset_ms);
    }
    text_puts(text, "]}\n");
}

void render_kept_regions(struct text *text, const struct regions *regions)
{
    text_puts(text, "{\"format\":1,\"regions\":[");
    for (size_t i = 0; i < regions->n; i++) {
        const struct region *region = &regions->items[i];

        text_puts(text, i > 0 ? ",\n{\"name\":" : "\n{\"name\":");
        text_add_json(text, region->name);
        text_printf(text, ",\"was_ready\":%s", region->was_ready ? "true" : "false");
        add_lists(text, region);
        text_puts(text, "}");
    }
    text_puts(text, "]}\n");
}

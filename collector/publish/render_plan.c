#include "render_plan.h"

static void add_number(struct text *text, const char *name, unsigned value, bool known)
{
    if (known)
        text_printf(text, ",\"%s\":%u", name, value);
    else
        text_printf(text, ",\"%s\":null", name);
}

/* What a data center and a rack have in common. */
static void add_counts(struct text *text, const unsigned counts[7], bool planned)
{
    static const char *const names[] = {"wanted",  "present",      "ready", "down",
                                        "joining", "seeds_wanted", "seeds"};

    for (size_t i = 0; i < 7; i++)
        add_number(text, names[i], counts[i], i != 0 || planned);
}

/* "yes", or why not. */
static void add_answer(struct text *text, const char *name, bool yes, const char *why)
{
    text_printf(text, ",\"%s\":", name);
    text_add_json(text, yes ? "yes" : why);
}

static void add_rack(struct text *text, const struct plan_dc *dc, const struct plan_rack *rack)
{
    const unsigned counts[7] = {rack->wanted,  rack->present,      rack->ready, rack->down,
                                rack->joining, rack->seeds_wanted, rack->seeds};

    text_puts(text, "{\"name\":");
    text_add_json(text, rack->name);
    add_counts(text, counts, rack->planned && dc->wanted > 0);
    add_answer(text, "add", rack->may_add, rack->add_why);
    if (rack->start || rack->start_why[0])
        add_answer(text, "start", rack->start, rack->start_why);
    else
        text_puts(text, ",\"start\":null");
    text_puts(text, "}");
}

static void add_dc(struct text *text, const struct plan_dc *dc)
{
    const unsigned counts[7] = {dc->wanted,  dc->present,      dc->ready, dc->down,
                                dc->joining, dc->seeds_wanted, dc->seeds};

    text_puts(text, "{\"name\":");
    text_add_json(text, dc->name);
    text_printf(text, ",\"planned\":%s,\"region\":%s,\"scaling_up\":%s",
                dc->planned ? "true" : "false", dc->own ? "true" : "false",
                dc->scaling_up ? "true" : "false");
    add_counts(text, counts, dc->wanted > 0);
    add_answer(text, "add", dc->may_add, dc->add_why);
    text_puts(text, ",\"racks\":[");
    for (size_t i = 0; i < dc->n_racks; i++) {
        text_puts(text, i > 0 ? ",\n  " : "\n  ");
        add_rack(text, dc, &dc->racks[i]);
    }
    text_puts(text, "]}");
}

static void add_step(struct text *text, bool *any, const struct plan_dc *dc,
                     const struct plan_rack *rack, const struct node *start)
{
    text_puts(text, *any ? ",\n " : "\n ");
    *any = true;
    if (start)
        text_printf(text, "{\"do\":\"start\",\"node\":\"%s\",\"dc\":", start->text);
    else
        text_puts(text, "{\"do\":\"add a node\",\"dc\":");
    text_add_json(text, dc->name);
    text_puts(text, ",\"rack\":");
    if (rack)
        text_add_json(text, rack->name);
    else
        text_puts(text, "null");
    text_puts(text, "}");
}

static void add_steps(struct text *text, const struct plan *plan)
{
    bool any = false;

    for (size_t i = 0; i < plan->n_dcs; i++) {
        const struct plan_dc *dc = &plan->dcs[i];

        if (dc->may_add && dc->n_racks == 0)
            add_step(text, &any, dc, NULL, NULL);
        for (size_t j = 0; j < dc->n_racks; j++) {
            if (dc->racks[j].may_add)
                add_step(text, &any, dc, &dc->racks[j], NULL);
            if (dc->racks[j].start)
                add_step(text, &any, dc, &dc->racks[j], dc->racks[j].start);
        }
    }
}

void render_plan(struct text *text, const struct plan *plan)
{
    text_puts(text, "{\"next\":[");
    add_steps(text, plan);
    text_puts(text, "],\n\"dcs\":[");
    for (size_t i = 0; i < plan->n_dcs; i++) {
        text_puts(text, i > 0 ? ",\n " : "\n ");
        add_dc(text, &plan->dcs[i]);
    }
    text_puts(text, "]}\n");
}

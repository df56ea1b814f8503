#include "seeds_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_text.h"
#include "prober_addr.h"

#define NO_SEEDS                                                                                   \
    "there is no seeds line under seed_provider; a SimpleSeedProvider has "                        \
    "- seeds: \"10.0.0.1,10.0.0.2\" there"

/* A walk through the file, line by line. */
struct walk {
    const char *text, *end;   /* all of it */
    const char *line, *after; /* the current one, without its end */
    size_t number;
};

static bool next_line(struct walk *walk)
{
    const char *from = walk->number == 0 ? walk->text : walk->after + 1;

    if (from >= walk->end)
        return false;
    walk->line = from;
    walk->after = memchr(from, '\n', (size_t)(walk->end - from));
    if (!walk->after)
        walk->after = walk->end;
    walk->number++;
    return true;
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    return at;
}

static bool starts_with(const char *at, const char *end, const char *word)
{
    size_t len = strlen(word);

    return (size_t)(end - at) >= len && memcmp(at, word, len) == 0;
}

/* Nothing, or a comment. */
static bool is_blank(const char *at, const char *end)
{
    at = skip_blanks(at, end);
    return at == end || *at == '#';
}

/* Where the quoted string that begins here ends (its closing quote); NULL = not on this line. */
static const char *closing_quote(const char *at, const char *end)
{
    char quote = *at;

    for (at++; at < end; at++) {
        if (*at == '\\' && quote == '"')
            at++;
        else if (*at == quote)
            return at;
    }
    return NULL;
}

/*
 * The next key `seeds` of the line from `at` on: behind its colon, or NULL. *flow is whether a { or
 * [ is open there. Quoted strings and comments are passed over.
 */
static const char *find_key(const char *line, const char *at, const char *end, bool *flow)
{
    bool first = true; /* a key may begin here */

    for (; at < end; at++) {
        if (*at == ' ' || *at == '\t')
            continue;
        if (*at == '#' && (at == line || at[-1] == ' ' || at[-1] == '\t'))
            return NULL;
        if ((*at == '"' || *at == '\'') && (first || at[-1] == ' ' || at[-1] == ':')) {
            at = closing_quote(at, end);
            if (!at)
                return NULL;
            first = false;
            continue;
        }
        if (first && starts_with(at, end, "seeds")) {
            const char *colon = skip_blanks(at + 5, end);

            if (colon < end && *colon == ':' &&
                (colon + 1 == end || colon[1] == ' ' || colon[1] == '\t'))
                return colon + 1;
        }
        if (*at == '{' || *at == '[')
            *flow = true;
        first = *at == '{' || *at == '[' || *at == ',' || (*at == '-' && first);
    }
    return NULL;
}

/* The line begins another key of the top level. */
static bool is_other_section(const struct walk *walk)
{
    char c = walk->line < walk->after ? *walk->line : '#';

    return c != ' ' && c != '\t' && c != '#' && c != '-' && c != ']' && c != '}';
}

/* An entry's address and its port with the colon ("" = none). False: a name. */
static bool read_entry(const char *entry, struct prober_addr *ret, const char **ret_port)
{
    size_t len = strlen(entry);
    const char *colon = strrchr(entry, ':');
    bool ported = colon && (colon > entry && (colon[-1] == ']' || strchr(entry, ':') == colon));

    *ret_port = ported ? colon : "";
    return prober_addr_parse(entry, ported ? (size_t)(colon - entry) : len, ret) == 0;
}

/* An address or a name, maybe with a port: what is anything else might mean something in YAML. */
static bool is_entry(const char *entry)
{
    static const char name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    struct prober_addr address;
    const char *port;
    bool known = read_entry(entry, &address, &port);
    size_t len = strlen(entry) - strlen(port);

    if (*port && (!port[1] || strspn(port + 1, "0123456789") != strlen(port + 1)))
        return false;
    return known || (strspn(entry, name) == len && len > 0 && !strchr(".-_", entry[0]));
}

static const char *split(const char *at, const char *end, json_t *entries)
{
    while (at <= end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *to = comma ? comma : end, *last = to;

        at = skip_blanks(at, to);
        while (last > at && (last[-1] == ' ' || last[-1] == '\t'))
            last--;
        if (last > at) {
            json_t *entry = json_stringn(at, (size_t)(last - at));

            json_array_append_new(entries, entry);
            if (!entry || !is_entry(json_string_value(entry)))
                return "one of its seeds is neither an address nor a name; correct it by hand";
        }
        at = to + 1;
    }
    return json_array_size(entries) > 0
               ? NULL
               : "its list of seeds is empty; write the first seed there by hand";
}

/* What may follow the value on its line. */
static bool ends_well(const char *at, const char *end)
{
    while (at < end && (*at == '}' || *at == ']' || *at == ' ' || *at == '\t')) {
        if ((*at == ' ' || *at == '\t') && is_blank(at, end))
            return true;
        at++;
    }
    return at == end;
}

static const char *read_quoted(const struct walk *walk, const char *at, struct seeds_line *ret)
{
    const char *close = closing_quote(at, walk->after);

    if (!close || !ends_well(close + 1, walk->after))
        return "its seeds are not one quoted string on one line; write them so";
    if (memchr(at, '\\', (size_t)(close - at)))
        return "its seeds have a backslash in them; write them without";
    ret->quote = *at;
    ret->start = (size_t)(at - walk->text);
    ret->end = (size_t)(close + 1 - walk->text);
    return split(at + 1, close, ret->entries);
}

static const char *read_plain(const struct walk *walk, const char *at, struct seeds_line *ret)
{
    const char *to = at, *end = walk->after;
    struct walk next = *walk;

    while (to < end && !(*to == '#' && (to[-1] == ' ' || to[-1] == '\t')) &&
           !(ret->flow && strchr("{}[],", *to)))
        to++;
    while (to > at && (to[-1] == ' ' || to[-1] == '\t'))
        to--;
    if (to == at || strchr("|>&*!%@`[{", *at) || (ret->flow && !ends_well(to, end)))
        return "its seeds are not one string on one line; write seeds: \"10.0.0.1,10.0.0.2\"";
    /* A plain value goes on where the next line is deeper than its key. */
    while (next_line(&next)) {
        if (is_blank(next.line, next.after))
            continue;
        if (!ret->flow && skip_blanks(next.line, next.after) - next.line >
                              skip_blanks(walk->line, end) - walk->line +
                                  2 * (*skip_blanks(walk->line, end) == '-'))
            return "its seeds go on in the next line; write them on one";
        break;
    }
    ret->start = (size_t)(at - walk->text);
    ret->end = (size_t)(to - walk->text);
    return split(at, to, ret->entries);
}

static const char *read_value(const struct walk *walk, const char *at, struct seeds_line *ret)
{
    at = skip_blanks(at, walk->after);
    ret->line = walk->number;
    if (at < walk->after && (*at == '"' || *at == '\''))
        return read_quoted(walk, at, ret);
    return read_plain(walk, at, ret);
}

static const char *check_bytes(const char *text, size_t len)
{
    if (memchr(text, '\0', len))
        return "it is no text: there is a NUL byte in it";
    if (memchr(text, '\r', len))
        return "it has carriage returns (CRLF), as of Windows; dos2unix takes them out";
    return NULL;
}

static const char *find(const char *text, size_t len, struct seeds_line *ret)
{
    struct walk walk = {.text = text, .end = text + len}, found = {0};
    const char *value = NULL, *at;
    bool inside = false, seen = false, flow = false;

    while (next_line(&walk)) {
        at = walk.line;
        if (is_other_section(&walk)) {
            inside = starts_with(at, walk.after, "seed_provider:");
            if (inside && seen)
                return "seed_provider is there twice; take one of them out";
            seen |= inside;
            flow = false;
            at += inside ? strlen("seed_provider:") : 0;
        }
        while (inside && (at = find_key(walk.line, at, walk.after, &flow))) {
            if (value)
                return "there are two seeds lines under seed_provider; take one of them out";
            value = at;
            found = walk;
            ret->flow = flow;
        }
    }
    return value ? read_value(&found, value, ret) : NO_SEEDS;
}

const char *seeds_line_find(const char *text, size_t len, struct seeds_line *ret)
{
    const char *wrong = check_bytes(text, len);

    *ret = (struct seeds_line){.entries = json_array()};
    if (!wrong)
        wrong = find(text, len, ret);
    if (wrong) {
        json_decref(ret->entries);
        ret->entries = NULL;
    }
    return wrong;
}

json_t *seeds_line_entries(const struct seeds_line *line, const json_t *seeds)
{
    json_t *ret = json_array(), *seed, *entry;
    const char *port = "", *its_port;
    size_t i, k;

    json_array_foreach(line->entries, i, entry)
    {
        struct prober_addr there;

        read_entry(json_string_value(entry), &there, &its_port);
        port = *port ? port : its_port;
    }
    json_array_foreach(seeds, i, seed)
    {
        const char *text = json_string_value(seed);
        bool bracket = *port && strchr(text, ':');
        json_t *written =
            json_sprintf("%s%s%s%s", bracket ? "[" : "", text, bracket ? "]" : "", port);
        struct prober_addr wanted, there;

        prober_addr_parse(text, strlen(text), &wanted);
        json_array_foreach(line->entries, k, entry)
        {
            if (read_entry(json_string_value(entry), &there, &its_port) &&
                prober_addr_compare(&there, &wanted) == 0)
                json_string_set(written, json_string_value(entry));
        }
        json_array_append_new(ret, written);
    }
    return ret;
}

char *seeds_line_replace(const struct seeds_line *line, const char *text, size_t len,
                         const json_t *entries, size_t *ret_len)
{
    char *list = join(entries, ","), *ret = NULL;
    /* Without quotes a colon might be read as something else, and a comma in { } is one of it. */
    bool bare = !line->quote && !line->flow && !strchr(list, ':');
    char quote[2] = {bare ? '\0' : line->quote ? line->quote : '"', '\0'};
    FILE *out = open_memstream(&ret, ret_len);

    if (!out)
        abort();
    fwrite(text, 1, line->start, out);
    fprintf(out, "%s%s%s", quote, list, quote);
    fwrite(text + line->end, 1, len - line->end, out);
    fclose(out);
    free(list);
    return ret;
}

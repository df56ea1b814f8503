#include "seeds_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_text.h"
#include "prober_addr.h"

#define NO_SEEDS                                                                                   \
    "there is no seeds line under seed_provider and its parameters; a SimpleSeedProvider has "     \
    "- seeds: \"10.0.0.1,10.0.0.2\" there"

/* What keys there are, as far as it matters. */
enum name { NO_NAME = 0, OTHER, SEED_PROVIDER, PARAMETERS, SEEDS, BROADCAST, LISTEN };

#define FLOW       (-1)
#define LEVELS_MAX 32

/* A key whose value we are in. */
struct level {
    ptrdiff_t column; /* where it begins; FLOW = within { } or [ ], where that does not count */
    enum name name;   /* NO_NAME: of [ ] */
};

/* A walk through the file, line by line, and where in its tree that is. */
struct walk {
    const char *text, *end;   /* all of it */
    const char *line, *after; /* the current one, without its end */
    size_t number;
    struct level levels[LEVELS_MAX];
    size_t depth, flows; /* open { and [ */
    bool has_provider, has_seeds;
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

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && is_space(*at))
        at++;
    return at;
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

/* The colon behind a key. */
static bool is_colon(const struct walk *walk, const char *at, bool quoted)
{
    return at < walk->after && *at == ':' &&
           (at + 1 == walk->after || is_space(at[1]) ||
            (walk->flows > 0 && (quoted || strchr(",[]{}", at[1]))));
}

/* Where the plain (not quoted) key or value that begins here ends, as far as it is on this line. */
static const char *plain_end(const struct walk *walk, const char *from)
{
    const char *to = from + 1;

    while (to < walk->after && !(*to == '#' && is_space(to[-1])) && !is_colon(walk, to, false) &&
           !(walk->flows > 0 && strchr(",[]{}", *to)))
        to++;
    while (to > from + 1 && is_space(to[-1]))
        to--;
    return to;
}

static enum name name_of(const char *at, const char *end)
{
    static const char *const names[] = {[SEED_PROVIDER] = "seed_provider",
                                        [PARAMETERS] = "parameters",
                                        [SEEDS] = "seeds",
                                        [BROADCAST] = "broadcast_address",
                                        [LISTEN] = "listen_address"};

    for (enum name name = SEED_PROVIDER; name <= LISTEN; name++)
        if (strlen(names[name]) == (size_t)(end - at) &&
            memcmp(at, names[name], (size_t)(end - at)) == 0)
            return name;
    return OTHER;
}

/* Whether the named levels begin with these; how many there are besides. */
static bool is_below(const struct walk *walk, const enum name *path, size_t n, size_t *ret_more)
{
    size_t found = 0;

    for (size_t i = 0; i < walk->depth; i++) {
        if (walk->levels[i].name == NO_NAME)
            continue;
        if (found < n && walk->levels[i].name != path[found])
            return false;
        found++;
    }
    *ret_more = found < n ? 0 : found - n;
    return found >= n;
}

static bool is_at(const struct walk *walk, const enum name *path, size_t n)
{
    size_t more;

    return is_below(walk, path, n, &more) && more == 0;
}

static bool in_provider(const struct walk *walk)
{
    size_t more;

    return is_below(walk, (const enum name[]){SEED_PROVIDER}, 1, &more);
}

static const char *enter(struct walk *walk, ptrdiff_t column, enum name name)
{
    if (walk->depth == LEVELS_MAX)
        return "its braces and lists are nested too deep";
    walk->levels[walk->depth++] = (struct level){.column = column, .name = name};
    walk->flows += column == FLOW;
    return NULL;
}

/* Leaves what began at that column or to the right of it. */
static void leave(struct walk *walk, ptrdiff_t column)
{
    while (walk->depth > 0 && walk->levels[walk->depth - 1].column >= column)
        walk->depth--;
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
        while (last > at && is_space(last[-1]))
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
static bool ends_well(const struct walk *walk, const char *at)
{
    const char *next = skip_blanks(at, walk->after);

    return next == walk->after || (*next == '#' && next > at) ||
           (walk->flows > 0 && strchr(",]}", *next));
}

static const char *read_quoted(const struct walk *walk, const char *at, struct seeds_line *ret)
{
    const char *close = closing_quote(at, walk->after);

    if (!close || !ends_well(walk, close + 1))
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
    const char *to = at < walk->after ? plain_end(walk, at) : at;
    struct walk next = *walk;

    if (is_blank(at, walk->after) || strchr("|>&*!%@`[]{},", *at) || !ends_well(walk, to) ||
        (ret->flow && (is_blank(to, walk->after) || *skip_blanks(to, walk->after) == ',')))
        return "its seeds are not one string on one line; write seeds: \"10.0.0.1,10.0.0.2\"";
    /* A plain value goes on where the next line is deeper than its key. */
    while (!ret->flow && next_line(&next)) {
        if (is_blank(next.line, next.after))
            continue;
        if (skip_blanks(next.line, next.after) - next.line > walk->levels[walk->depth - 1].column)
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
    ret->flow = walk->flows > 0;
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

/* broadcast_address and listen_address. Left alone where it is a name, empty or 0.0.0.0. */
static void read_own(const struct walk *walk, const char *at, char own[PROBER_ADDR_STRLEN])
{
    struct prober_addr address;
    const char *to;
    bool quoted;

    at = skip_blanks(at, walk->after);
    if (at == walk->after)
        return;
    quoted = *at == '"' || *at == '\'';
    to = quoted ? closing_quote(at, walk->after) : plain_end(walk, at);
    at += quoted;
    if (to && prober_addr_parse(at, (size_t)(to - at), &address) == 0 &&
        !prober_addr_is_unset(&address))
        prober_addr_format(&address, own);
}

/* Behind the colon of a key, which the walk has entered. */
static const char *take_key(struct walk *walk, const char *at, struct seeds_line *ret)
{
    static const enum name provider[] = {SEED_PROVIDER}, broadcast[] = {BROADCAST},
                           listen[] = {LISTEN}, seeds[] = {SEED_PROVIDER, PARAMETERS, SEEDS};

    if (is_at(walk, provider, 1)) {
        if (walk->has_provider)
            return "seed_provider is there twice; take one of them out";
        walk->has_provider = true;
    }
    if (is_at(walk, broadcast, 1))
        read_own(walk, at, ret->broadcast);
    if (is_at(walk, listen, 1))
        read_own(walk, at, ret->listen);
    if (!is_at(walk, seeds, 3))
        return NULL;
    if (walk->has_seeds)
        return "there are two seeds lines under seed_provider; take one of them out";
    walk->has_seeds = true;
    return read_value(walk, at, ret);
}

/* A value that ends in | or >, as in `note: |2-`: the text is what follows. */
static bool is_block_text(const char *from, const char *to)
{
    while (to > from + 1 && strchr("+-0123456789", to[-1]))
        to--;
    return (to[-1] == '|' || to[-1] == '>') && (to - 1 == from || is_space(to[-2]));
}

/* The key or value at *at, which is moved behind it. `key` is whether it may be a key. */
static const char *scan_scalar(struct walk *walk, bool key, const char **at, struct seeds_line *ret)
{
    const char *from = *at, *to, *colon, *wrong = NULL;
    bool quoted = *from == '"' || *from == '\'';
    enum name name;

    to = quoted ? closing_quote(from, walk->after) : plain_end(walk, from);
    if (!to || (!quoted && is_block_text(from, to))) {
        *at = walk->after;
        return walk->flows > 0 || in_provider(walk)
                   ? "text of several lines (a quote that its line does not close, | or >) is in "
                     "its way; write that on one"
                   : NULL;
    }
    name = name_of(from + quoted, to);
    to += quoted;
    colon = skip_blanks(to, walk->after);
    *at = to;
    if (!key || !is_colon(walk, colon, quoted))
        return NULL;
    *at = colon + 1;
    if (walk->flows > 0) {
        walk->levels[walk->depth - 1].name = name;
    } else {
        leave(walk, from - walk->line);
        wrong = enter(walk, from - walk->line, name);
    }
    return wrong ? wrong : take_key(walk, *at, ret);
}

static const char *scan_line(struct walk *walk, struct seeds_line *ret)
{
    const char *at = walk->line, *wrong = NULL;
    bool key = true; /* one may begin here */

    while (!wrong && (at = skip_blanks(at, walk->after)) < walk->after && *at != '#') {
        if (*at == '{' || *at == '[') {
            wrong = enter(walk, FLOW, NO_NAME);
            key = true;
        } else if (walk->flows > 0 && (*at == '}' || *at == ']')) {
            walk->depth--;
            walk->flows--;
            key = false;
        } else if (walk->flows > 0 && *at == ',') {
            walk->levels[walk->depth - 1].name = NO_NAME;
            key = true;
        } else if (walk->flows == 0 && key && *at == '-' &&
                   (at + 1 == walk->after || is_space(at[1]))) {
            leave(walk, at - walk->line + 1);
        } else {
            wrong = scan_scalar(walk, key, &at, ret);
            key = false;
            continue;
        }
        at++;
    }
    return wrong;
}

static const char *find(const char *text, size_t len, struct seeds_line *ret)
{
    struct walk walk = {.text = text, .end = text + len};
    const char *wrong = NULL;

    while (!wrong && next_line(&walk)) {
        /* Of other sections only where they begin matters, and where their braces end. */
        bool indented = walk.line < walk.after && is_space(*walk.line);

        if (!indented || walk.flows > 0 || in_provider(&walk))
            wrong = scan_line(&walk, ret);
    }
    if (!wrong && walk.flows > 0)
        wrong = "a { or [ in it is not closed";
    return wrong ? wrong : walk.has_seeds ? NULL : NO_SEEDS;
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

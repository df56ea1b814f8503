#include "region_answer.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "cassandra_text.h"
#include "json_answer.h"
#include "questions.h"

#define FORMAT 1

void region_answer_done(struct region_answer *answer)
{
    free(answer->seeds);
    free(answer->dcs);
    answer->seeds = NULL;
    answer->dcs = NULL;
    answer->n_seeds = answer->n_dcs = 0;
}

enum poll_result region_read_ready(const char *body, size_t len, struct region_answer *ret)
{
    static const char *const words[] = {"true",  "t", "T", "1", "TRUE",  "True",
                                        "false", "f", "F", "0", "FALSE", "False"};
    static const char blanks[] = {' ', '\t', '\r', '\n'};

    while (len > 0 && memchr(blanks, body[len - 1], sizeof(blanks)))
        len--;
    while (len > 0 && memchr(blanks, *body, sizeof(blanks))) {
        body++;
        len--;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strlen(words[i]) == len && memcmp(words[i], body, len) == 0) {
            ret->ready = i < 6 ? TRILEAN_TRUE : TRILEAN_FALSE;
            return POLL_OK;
        }
    return poll_fail(POLL_BAD_SHAPE, ret->detail, "neither true nor false");
}

static enum poll_result take_seeds(json_t *array, struct region_answer *ret)
{
    size_t n = json_array_size(array);

    if (!json_is_array(array))
        return poll_fail(POLL_BAD_SHAPE, ret->detail, "seeds: not a list");
    if (n > REGION_SEEDS_MAX)
        return poll_fail(POLL_TOO_LARGE, ret->detail, "seeds: too many");
    if (n == 0)
        return POLL_OK;
    ret->seeds = calloc(n, sizeof(*ret->seeds));
    if (!ret->seeds)
        return poll_fail(POLL_TOO_LARGE, ret->detail, "out of memory");
    for (; ret->n_seeds < n; ret->n_seeds++) {
        const json_t *text = json_array_get(array, ret->n_seeds);
        struct prober_addr *seed = &ret->seeds[ret->n_seeds];

        if (!json_is_string(text) ||
            prober_addr_parse(json_string_value(text), json_string_length(text), seed) < 0 ||
            prober_addr_is_unset(seed))
            return poll_fail(POLL_BAD_SHAPE, ret->detail, "seeds: not an IP address");
    }
    return POLL_OK;
}

static bool take_dc(const json_t *object, struct region_dc *ret)
{
    const json_t *name = json_object_get(object, "name");
    const json_t *replicas = json_object_get(object, "replicas");

    if (!json_is_string(name) || json_string_length(name) == 0 || !json_is_integer(replicas) ||
        json_integer_value(replicas) < 0 || json_integer_value(replicas) > MAX_ENDPOINTS)
        return false;
    cassandra_copy(json_string_value(name), json_string_length(name), ret->name, sizeof(ret->name));
    ret->replicas = (unsigned)json_integer_value(replicas);
    return ret->name[0] != '\0';
}

static enum poll_result take_dcs(json_t *array, struct region_answer *ret)
{
    size_t n = json_array_size(array);

    if (!json_is_array(array))
        return poll_fail(POLL_BAD_SHAPE, ret->detail, "dcs: not a list");
    if (n > REGION_DCS_MAX)
        return poll_fail(POLL_TOO_LARGE, ret->detail, "dcs: too many");
    if (n == 0)
        return POLL_OK;
    ret->dcs = calloc(n, sizeof(*ret->dcs));
    if (!ret->dcs)
        return poll_fail(POLL_TOO_LARGE, ret->detail, "out of memory");
    for (; ret->n_dcs < n; ret->n_dcs++)
        if (!take_dc(json_array_get(array, ret->n_dcs), &ret->dcs[ret->n_dcs]))
            return poll_fail(POLL_BAD_SHAPE, ret->detail,
                             "dcs: not {\"name\":\"…\",\"replicas\":N}");
    return POLL_OK;
}

/* Parses into the arena, has `take` read it, and gives nothing of half a list. */
static enum poll_result read_list(const char *body, size_t len, struct region_answer *ret,
                                  enum poll_result (*take)(json_t *, struct region_answer *))
{
    enum poll_result result;
    json_t *root = NULL;

    json_set_alloc_funcs(arena_alloc, arena_free);
    result = json_answer(body, len, &root, ret->detail);
    if (result == POLL_OK)
        result = take(root, ret);
    arena_reset();
    return result;
}

enum poll_result region_read_seeds(const char *body, size_t len, struct region_answer *ret)
{
    enum poll_result result = read_list(body, len, ret, take_seeds);

    if (result != POLL_OK) {
        free(ret->seeds);
        ret->seeds = NULL;
        ret->n_seeds = 0;
    }
    return result;
}

enum poll_result region_read_dcs(const char *body, size_t len, struct region_answer *ret)
{
    enum poll_result result = read_list(body, len, ret, take_dcs);

    if (result != POLL_OK) {
        free(ret->dcs);
        ret->dcs = NULL;
        ret->n_dcs = 0;
    }
    return result;
}

static void take_kept(const json_t *object, region_take take, void *userdata)
{
    struct region_answer answer = {0};
    char name[NAME_LEN] = "";
    const json_t *text = json_object_get(object, "name");

    if (!json_is_string(text))
        return;
    cassandra_copy(json_string_value(text), json_string_length(text), name, sizeof(name));
    if (json_is_true(json_object_get(object, "was_ready")))
        answer.ready = TRILEAN_TRUE;
    if (take_seeds(json_object_get(object, "seeds"), &answer) == POLL_OK &&
        take_dcs(json_object_get(object, "dcs"), &answer) == POLL_OK)
        take(name, &answer, userdata);
    region_answer_done(&answer);
}

enum poll_result region_read_kept(const char *body, size_t len, region_take take, void *userdata)
{
    char detail[DETAIL_LEN];
    enum poll_result result;
    json_t *root = NULL, *regions, *region;
    size_t i;

    json_set_alloc_funcs(arena_alloc, arena_free);
    result = json_answer(body, len, &root, detail);
    regions = json_object_get(root, "regions");
    if (result == POLL_OK &&
        (json_integer_value(json_object_get(root, "format")) != FORMAT || !json_is_array(regions)))
        result = POLL_BAD_SHAPE;
    if (result == POLL_OK)
        json_array_foreach(regions, i, region) take_kept(region, take, userdata);
    arena_reset();
    return result;
}

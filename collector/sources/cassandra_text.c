#include "cassandra_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A piece of the text, without a NUL. */
struct piece {
    const char *at;
    size_t len;
};

static struct piece piece_of(const char *at, size_t len)
{
    return (struct piece){.at = at, .len = len};
}

static bool piece_is(struct piece piece, const char *word)
{
    return piece.len == strlen(word) && memcmp(piece.at, word, piece.len) == 0;
}

/* Takes what stands before `delimiter` off the front of *rest, and the delimiter; false when there
 * is no delimiter. */
static bool piece_split(struct piece *rest, char delimiter, struct piece *ret)
{
    const char *found = rest->len > 0 ? memchr(rest->at, delimiter, rest->len) : NULL;
    size_t before;

    if (!found)
        return false;
    before = (size_t)(found - rest->at);
    *ret = piece_of(rest->at, before);
    *rest = piece_of(found + 1, rest->len - before - 1);
    return true;
}

static bool piece_number(struct piece piece, int64_t *ret)
{
    int64_t number = 0;

    if (piece.len == 0 || piece.len > 18)
        return false;
    for (size_t i = 0; i < piece.len; i++) {
        if (piece.at[i] < '0' || piece.at[i] > '9')
            return false;
        number = number * 10 + (piece.at[i] - '0');
    }
    *ret = number;
    return true;
}

void cassandra_copy(const char *text, size_t len, char *buffer, size_t size)
{
    size_t kept = len < size ? len : size - 1;

    /* No half of a UTF-8 sequence at the cut. */
    while (kept > 0 && kept < len && ((unsigned char)text[kept] & 0xc0) == 0x80)
        kept--;
    memset(buffer, 0, size);
    for (size_t i = 0; i < kept; i++)
        buffer[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i];
}

static void piece_copy(struct piece piece, char *buffer, size_t size)
{
    cassandra_copy(piece.at, piece.len, buffer, size);
}

int cassandra_endpoint(const char *text, size_t len, struct prober_addr *ret, uint16_t *ret_port)
{
    const char *slash = len > 0 ? memrchr(text, '/', len) : NULL;
    struct piece rest, address;
    int64_t port = 0;

    rest = slash ? piece_of(slash + 1, len - (size_t)(slash - text) - 1) : piece_of(text, len);
    address = rest;
    if (rest.len > 0 && rest.at[0] == '[') {
        if (!piece_split(&rest, ']', &address))
            return -EINVAL;
        address = piece_of(address.at + 1, address.len - 1);
        if (rest.len > 0 &&
            (rest.at[0] != ':' || !piece_number(piece_of(rest.at + 1, rest.len - 1), &port)))
            return -EINVAL;
    } else if (piece_split(&rest, ':', &address)) {
        if (rest.len > 0 && memchr(rest.at, ':', rest.len))
            /* Several colons: an IPv6 address without a port. */
            address = piece_of(address.at, address.len + 1 + rest.len);
        else if (!piece_number(rest, &port))
            return -EINVAL;
    }
    if (port > UINT16_MAX || prober_addr_parse(address.at, address.len, ret) < 0)
        return -EINVAL;
    if (ret_port)
        *ret_port = (uint16_t)port;
    return 0;
}

enum liveness cassandra_liveness(const char *word, size_t len)
{
    if (piece_is(piece_of(word, len), "UP"))
        return LIVENESS_UP;
    if (piece_is(piece_of(word, len), "DOWN"))
        return LIVENESS_DOWN;
    return LIVENESS_UNKNOWN;
}

/* STATUS is printed for a node's own entry only, STATUS_WITH_PORT for all: the latter wins
 * whichever comes first. */
static void take_status(struct gossip_state *state, struct piece value, int64_t version,
                        bool with_port, bool *has_with_port)
{
    struct piece word = value;
    struct piece rest = value;

    if (*has_with_port && !with_port)
        return;
    *has_with_port = with_port;
    (void)piece_split(&rest, ',', &word);
    piece_copy(word, state->status, sizeof(state->status));
    state->status_version = version;
}

static void take_native(struct gossip_state *state, struct piece value, bool with_port)
{
    struct prober_addr address;
    uint16_t port;

    if (cassandra_endpoint(value.at, value.len, &address, &port) < 0)
        return;
    if (!with_port && state->native_port != 0)
        return;
    state->native = address;
    state->native_port = port;
}

static void take_state(struct gossip_state *state, struct piece key, struct piece value,
                       int64_t version, bool *has_with_port)
{
    if (piece_is(key, "STATUS_WITH_PORT"))
        take_status(state, value, version, true, has_with_port);
    else if (piece_is(key, "STATUS"))
        take_status(state, value, version, false, has_with_port);
    else if (piece_is(key, "DC"))
        piece_copy(value, state->datacenter, sizeof(state->datacenter));
    else if (piece_is(key, "RACK"))
        piece_copy(value, state->rack, sizeof(state->rack));
    else if (piece_is(key, "HOST_ID"))
        piece_copy(value, state->host_id, sizeof(state->host_id));
    else if (piece_is(key, "RELEASE_VERSION"))
        piece_copy(value, state->release, sizeof(state->release));
    else if (piece_is(key, "NATIVE_ADDRESS_AND_PORT"))
        take_native(state, value, true);
    else if (piece_is(key, "RPC_ADDRESS"))
        take_native(state, value, false);
    else if (piece_is(key, "RPC_READY")) {
        state->rpc_ready = piece_is(value, "true")    ? TRILEAN_TRUE
                           : piece_is(value, "false") ? TRILEAN_FALSE
                                                      : TRILEAN_UNKNOWN;
        state->rpc_ready_version = version;
    }
}

/* "  KEY:version:value" or "  generation:N"; lines of another form say nothing to us. */
static void take_line(struct gossip_state *state, struct piece line, bool *has_with_port)
{
    struct piece rest = line;
    struct piece key, number;
    int64_t version;

    while (rest.len > 0 && rest.at[0] == ' ')
        rest = piece_of(rest.at + 1, rest.len - 1);
    if (!piece_split(&rest, ':', &key))
        return;
    if (piece_is(key, "generation")) {
        (void)piece_number(rest, &state->generation);
        return;
    }
    if (piece_split(&rest, ':', &number) && piece_number(number, &version))
        take_state(state, key, rest, version, has_with_port);
}

static int compare_states(const void *a, const void *b)
{
    const struct gossip_state *left = a;
    const struct gossip_state *right = b;
    int order = prober_addr_compare(&left->endpoint, &right->endpoint);

    /* The newest of several entries with one address comes first and is the one that stays. */
    return order != 0
               ? order
               : (left->generation < right->generation) - (left->generation > right->generation);
}

static size_t sort_unique(struct gossip_state *states, size_t n)
{
    size_t kept = 0;

    if (n > 1)
        qsort(states, n, sizeof(*states), compare_states);
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && prober_addr_compare(&states[kept - 1].endpoint, &states[i].endpoint) == 0)
            continue;
        if (kept != i)
            states[kept] = states[i];
        kept++;
    }
    return kept;
}

/* Room for one more; NULL when memory is out. */
static struct gossip_state *states_grow(struct gossip_state **states, size_t n, size_t *room)
{
    struct gossip_state *bigger;

    if (n == *room) {
        *room = *room ? *room * 2 : 8;
        bigger = reallocarray(*states, *room, sizeof(**states));
        if (!bigger)
            return NULL;
        *states = bigger;
    }
    memset(&(*states)[n], 0, sizeof(**states));
    return &(*states)[n];
}

int cassandra_states(const char *text, size_t len, size_t max, struct gossip_state **ret,
                     size_t *ret_n)
{
    struct gossip_state *states = NULL;
    struct gossip_state *current = NULL;
    struct piece rest = piece_of(text, len);
    struct piece line;
    size_t n = 0, room = 0;
    bool has_with_port = false;

    while (rest.len > 0) {
        struct prober_addr endpoint;

        if (!piece_split(&rest, '\n', &line)) {
            line = rest;
            rest.len = 0;
        }
        if (line.len > 0 && line.at[0] == ' ') {
            if (current)
                take_line(current, line, &has_with_port);
            continue;
        }
        current = NULL;
        has_with_port = false;
        if (cassandra_endpoint(line.at, line.len, &endpoint, NULL) < 0)
            continue;
        current = n < max ? states_grow(&states, n, &room) : NULL;
        if (!current) {
            free(states);
            return n < max ? -ENOMEM : -E2BIG;
        }
        current->endpoint = endpoint;
        n++;
    }
    *ret = states;
    *ret_n = sort_unique(states, n);
    return 0;
}

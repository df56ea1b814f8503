#include "arena.h"

#include <stdint.h>
#include <stdlib.h>

#define CHUNK_SIZE (256 * 1024)
#define ALIGNMENT  16

struct chunk {
    struct chunk *next;
    size_t size, used;
    _Alignas(ALIGNMENT) char bytes[];
};

static struct chunk *chunks; /* the newest first; the oldest, of CHUNK_SIZE, is kept */

static struct chunk *add_chunk(size_t size)
{
    struct chunk *chunk;

    if (size < CHUNK_SIZE)
        size = CHUNK_SIZE;
    chunk = malloc(sizeof(*chunk) + size);
    if (!chunk)
        return NULL;
    chunk->size = size;
    chunk->used = 0;
    chunk->next = chunks;
    chunks = chunk;
    return chunk;
}

void *arena_alloc(size_t size)
{
    struct chunk *chunk = chunks;
    void *memory;

    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (!chunk || size > chunk->size - chunk->used)
        chunk = add_chunk(size);
    if (!chunk)
        return NULL;
    memory = chunk->bytes + chunk->used;
    chunk->used += size;
    return memory;
}

void arena_free(void *memory)
{
    (void)memory;
}

void arena_reset(void)
{
    while (chunks && (chunks->next || chunks->size > CHUNK_SIZE)) {
        struct chunk *next = chunks->next;

        free(chunks);
        chunks = next;
    }
    if (chunks)
        chunks->used = 0;
}

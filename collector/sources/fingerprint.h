/*
 * Keyed 64-bit hash (SipHash-1-3): tells whether an answer says what the last one said without
 * keeping the last one. The key is secret and drawn once per process, so that no node can craft a
 * different answer of the same fingerprint. PURE but for drawing the key.
 */
#ifndef FINGERPRINT_H
#define FINGERPRINT_H

#include <stddef.h>
#include <stdint.h>

struct fingerprint_key {
    uint64_t k0, k1;
};

/* Fills the key with random bytes. Negative errno when the kernel gives none. */
int fingerprint_key_draw(struct fingerprint_key *ret);

uint64_t fingerprint(const struct fingerprint_key *key, const void *data, size_t len);

#endif

/*
 * IP addresses as text and as a canonical 16-byte key.
 *
 * The key is the IPv6 form in network order; an IPv4 address is its v4-mapped form
 * (::ffff:a.b.c.d), so that every spelling of one address gives the same key and keys compare with
 * memcmp. libc only; no allocation, no logging.
 */
#ifndef PROBER_ADDR_H
#define PROBER_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest canonical text with its NUL, as INET6_ADDRSTRLEN. */
#define PROBER_ADDR_STRLEN 46

struct prober_addr {
    uint8_t bytes[16];
};

/*
 * Reads `text` (`len` bytes, no NUL needed): dotted IPv4, IPv6 in any spelling, IPv6 in brackets,
 * v4-mapped IPv6. No zone, no port, no leading zeros in IPv4 octets. Returns 0, or -EINVAL and
 * leaves *ret alone.
 */
int prober_addr_parse(const char *text, size_t len, struct prober_addr *ret);

/* Writes the canonical text (dotted IPv4, or RFC 5952) and its NUL into buf; returns its length
 * without the NUL. */
size_t prober_addr_format(const struct prober_addr *addr, char buf[PROBER_ADDR_STRLEN]);

bool prober_addr_is_v4(const struct prober_addr *addr);

/* True for the zeroed struct (::), which names no node. */
bool prober_addr_is_unset(const struct prober_addr *addr);

/* <0, 0, >0 in key order. IPv4 addresses are together and sort as numbers. */
int prober_addr_compare(const struct prober_addr *a, const struct prober_addr *b);

#endif

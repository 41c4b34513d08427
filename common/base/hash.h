#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdint.h>

#include "base/span.h"

/*
 * SipHash-2-4 with 128 bits (Aumasson, Bernstein, 2012): a short stand-in for a
 * string.  With a random key nobody can find two strings with the same one.
 * The first 64 bits are hash_r[0], little-endian.
 */
void hash_span(const uint64_t key[2], struct span, uint64_t hash_r[2]);

#endif

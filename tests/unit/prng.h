/*
 * Numbers that look random and are the same in every run (xorshift64*), so
 * that a failure found by chance can be found again.
 */
#ifndef TESTS_UNIT_PRNG_H
#define TESTS_UNIT_PRNG_H

#include <stddef.h>
#include <stdint.h>

static uint64_t prng_state = 0x9e3779b97f4a7c15u;

/* 0 .. below-1 */
static inline uint32_t
prng(uint32_t below)
{
	prng_state ^= prng_state >> 12;
	prng_state ^= prng_state << 25;
	prng_state ^= prng_state >> 27;
	return (uint32_t)((prng_state * 0x2545f4914f6cdd1du) >> 33) % below;
}

/* n bytes, each one of those in the C string. */
static inline void
prng_text(char *out, size_t n, const char *from, uint32_t count)
{
	size_t i;

	for (i = 0; i < n; i++)
		out[i] = from[prng(count)];
}

#endif

/*
 * A keyed hash of short strings.
 */

#include "base/hash.h"

struct lanes {
	uint64_t a, b, c, d;
};

static uint64_t
turn(uint64_t v, unsigned int bits)
{
	return v << bits | v >> (64 - bits);
}

static void
stir(struct lanes *s, int rounds)
{
	while (rounds-- > 0) {
		s->a += s->b;
		s->c += s->d;
		s->b = turn(s->b, 13) ^ s->a;
		s->d = turn(s->d, 16) ^ s->c;
		s->a = turn(s->a, 32);
		s->c += s->b;
		s->a += s->d;
		s->b = turn(s->b, 17) ^ s->c;
		s->d = turn(s->d, 21) ^ s->a;
		s->c = turn(s->c, 32);
	}
}

static uint64_t
word(const char *p, size_t n)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < n; i++)
		v |= (uint64_t)(unsigned char)p[i] << (8 * i);
	return v;
}

static void
take(struct lanes *s, uint64_t v)
{
	s->d ^= v;
	stir(s, 2);
	s->a ^= v;
}

static uint64_t
give(struct lanes *s)
{
	stir(s, 4);
	return s->a ^ s->b ^ s->c ^ s->d;
}

void
hash_span(const uint64_t key[2], struct span in, uint64_t hash_r[2])
{
	/* "somepseudorandomlygeneratedbytes"; 0xee, 0xdd: of 128 bits */
	struct lanes s = {key[0] ^ 0x736f6d6570736575,
	    key[1] ^ 0x646f72616e646f6d ^ 0xee, key[0] ^ 0x6c7967656e657261,
	    key[1] ^ 0x7465646279746573};
	uint64_t length = (uint64_t)in.n << 56;

	for (; in.n >= 8; in = span_skip(in, 8))
		take(&s, word(in.p, 8));
	take(&s, length | word(in.p, in.n));
	s.c ^= 0xee;
	hash_r[0] = give(&s);
	s.b ^= 0xdd;
	hash_r[1] = give(&s);
}

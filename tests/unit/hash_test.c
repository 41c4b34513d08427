/*
 * The first of the vectors that the authors of SipHash give for 128 bits.
 */

#include "base/hash.h"
#include "tap.h"

static const uint64_t key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

static bool
gives(size_t n, uint64_t first, uint64_t second)
{
	char text[64];
	uint64_t h[2];
	size_t i;

	for (i = 0; i < n; i++)
		text[i] = (char)i;
	hash_span(key, span_bytes(text, n), h);
	return h[0] == first && h[1] == second;
}

int
main(void)
{
	uint64_t other[2] = {key[0] + 1, key[1]}, h[2], k[2];

	/* a3 81 7f 04 ba 25 a8 e6 6d f6 72 14 c7 55 02 93 */
	ok(gives(0, 0xe6a825ba047f81a3, 0x930255c71472f66d), "of nothing");
	/* da 87 c1 d8 6b 99 af 44 34 76 59 11 9b 22 fc 45 */
	ok(gives(1, 0x44af996bd8c187da, 0x45fc229b11597634), "of one byte");
	/* 81 77 22 8d a4 a4 5d c7 fc a3 8b de f6 0a ff e4 */
	ok(gives(2, 0xc75da4a48d227781, 0xe4ff0af6de8ba3fc), "of two");
	hash_span(key, span_of("1700000000.M1P2Q3Rx.host"), h);
	hash_span(other, span_of("1700000000.M1P2Q3Rx.host"), k);
	ok(h[0] != k[0] && h[1] != k[1], "another key, another hash");
	return done();
}

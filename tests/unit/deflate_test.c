/*
 * Deflate: what goes in comes out, in any pieces and within any limit.
 */

#include <stdlib.h>

#include "os/deflate.h"
#include "prng.h"
#include "tap.h"

#define SIZE 300000

static char text[SIZE];

/* Through both directions, `piece` bytes at a time, into a buffer of `max`. */
static void
round_trip(size_t piece, size_t max)
{
	struct deflate *a = deflate_new(), *b = deflate_new();
	struct buf packed, in, out;
	struct err e = {0};
	size_t i, n, got = 0;
	bool same = true;

	buf_init(&packed, 2 * SIZE);
	buf_init(&in, SIZE);
	buf_init(&out, max);
	for (i = 0; i < SIZE; i += SIZE / 3)
		quiet(deflate_out(
			  a, span_bytes(text + i, SIZE / 3), &packed, &e) == 0,
		    "deflate: %s", e.text);
	ok(packed.len < SIZE, "%zu/%zu: smaller", piece, max);
	while (packed.len > 0 || in.len > 0) {
		n = packed.len < piece ? packed.len : piece;
		buf_append(&in, buf_span(&packed).p, n);
		buf_consume(&packed, n);
		do {
			if (deflate_in(b, &in, &out, &e) == -1)
				break;
			n = out.len;
			same &= n == 0 || (got + n <= SIZE &&
					      memcmp(text + got,
						  buf_span(&out).p, n) == 0);
			got += n;
			buf_reset(&out);
		} while (n == max);
		if (in.len > 0 && e.kind != ERR_NONE)
			break;
	}
	is_str(e.text, "", "%zu/%zu: no error", piece, max);
	is_int(got, SIZE, "%zu/%zu: all of it", piece, max);
	ok(same, "%zu/%zu: the same", piece, max);
	buf_clear(&packed);
	buf_clear(&in);
	buf_clear(&out);
	deflate_free(a);
	deflate_free(b);
}

static void
test_limits(void)
{
	struct deflate *d = deflate_new();
	struct err e = {0};
	struct buf b;

	buf_init(&b, 50);
	is_int(deflate_out(d, span_bytes(text, SIZE), &b, &e), -1,
	    "output over the buffer's limit");
	is_int(e.kind, ERR_LOCAL, "is an error");
	buf_clear(&b);
	deflate_free(d);
	deflate_free(NULL);
}

static void
refuses(const char *bytes, size_t n, const char *name)
{
	struct deflate *d = deflate_new();
	struct err e = {0};
	struct buf in, out;

	buf_init(&in, 100);
	buf_init(&out, 100);
	buf_append(&in, bytes, n);
	ok(deflate_in(d, &in, &out, &e) == -1 && e.kind == ERR_PROTO, "%s: %s",
	    name, e.text);
	buf_clear(&in);
	buf_clear(&out);
	deflate_free(d);
}

/* A megabyte of one letter is a kilobyte: it comes out in portions. */
static void
test_bomb(void)
{
	struct deflate *a = deflate_new(), *b = deflate_new();
	char *big = malloc(1 << 20);
	struct buf in, out;
	struct err e = {0};
	size_t n = 0, turns;

	memset(big, 'x', 1 << 20);
	buf_init(&in, 10000);
	buf_init(&out, 4096);
	is_int(deflate_out(a, span_bytes(big, 1 << 20), &in, &e), 0, "bomb");
	for (turns = 0; turns < 1000; turns++) {
		quiet(deflate_in(b, &in, &out, &e) == 0, "inflates");
		if (out.len == 0)
			break;
		quiet(out.len <= 4096 && out.cap <= 8192, "stays small");
		n += out.len;
		buf_reset(&out);
	}
	is_int(n, 1 << 20, "all of it in portions");
	buf_clear(&in);
	buf_clear(&out);
	free(big);
	deflate_free(a);
	deflate_free(b);
}

int
main(void)
{
	static const char letters[] = "etaoin shrdlu\r\n";

	prng_text(text, SIZE, letters, sizeof(letters) - 1);
	round_trip(SIZE, SIZE);
	round_trip(1, 65536);
	round_trip(1000, 65536);
	round_trip(SIZE, 1);
	round_trip(7, 3);
	round_trip(65536, 1000);
	test_limits();
	test_bomb();
	refuses("\xff\xff\xff\xff", 4, "nonsense");
	refuses("\x03\x00more", 6, "bytes behind the end");
	return done();
}

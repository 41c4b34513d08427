/*
 * Compressed bytes from a peer.  The first two bytes of a case are the room
 * that is left and the size of the pieces; neither changes what comes out.
 */

#include <stdlib.h>
#include <string.h>

#include "os/deflate.h"

#define ALL (1024 * 1024)

#define MUST(cond)               \
	do {                     \
		if (!(cond))     \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Takes what is in *out over to *all; false when there is enough. */
static bool
take(struct buf *out, struct buf *all)
{
	size_t n = out->len < buf_room(all) ? out->len : buf_room(all);

	buf_append(all, buf_span(out).p, n);
	buf_reset(out);
	return buf_room(all) > 0;
}

static int
inflate_all(struct span s, size_t room, size_t piece, struct buf *all)
{
	struct deflate *d = deflate_new();
	struct buf in, out;
	struct err e;
	size_t k;
	int rv = 0;
	bool more = true;

	buf_init(&in, s.n);
	buf_init(&out, room);
	while (rv == 0 && more && s.n > 0) {
		k = piece < s.n ? piece : s.n;
		buf_append(&in, s.p, k);
		s = span_skip(s, k);
		do {
			rv = deflate_in(d, &in, &out, &e);
			MUST(out.len <= room);
			MUST(rv != 0 || in.len == 0 || out.len == room);
			k = out.len;
			more = take(&out, all);
		} while (rv == 0 && more && k == room);
	}
	buf_clear(&in);
	buf_clear(&out);
	deflate_free(d);
	return rv;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf one, two;
	int a, b;

	if (n < 2)
		return 0;
	buf_init(&one, ALL);
	buf_init(&two, ALL);
	a = inflate_all(span_bytes(data + 2, n - 2), ALL, n, &one);
	b = inflate_all(span_bytes(data + 2, n - 2), (size_t)(data[0] + 1) * 16,
	    (size_t)data[1] + 1, &two);
	MUST(one.len == two.len);
	MUST(one.len == 0 ||
	     memcmp(one.data + one.head, two.data + two.head, one.len) == 0);
	MUST(a == b || one.len == ALL);
	buf_clear(&one);
	buf_clear(&two);
	return 0;
}

/*
 * Message headers.  The first byte of a case tells where to cut the rest in
 * pieces; whatever the cut, the outcome is the same.
 */

#include <stdlib.h>
#include <string.h>

#include "base/header.h"

#define MUST(cond)               \
	do {                     \
		if (!(cond))     \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static bool
inside(struct span part, struct span whole)
{
	return part.n == 0 ||
	       (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

/* Length of the header and its digest, fed in pieces of `piece` bytes. */
static size_t
feed(struct span s, size_t piece, bool *done_r, char hex_r[HEADER_DIGEST_HEX])
{
	struct header_scan scan;
	struct header_digest digest;
	size_t i, k, got, sum = 0;

	header_scan_init(&scan);
	header_digest_init(&digest);
	for (i = 0; i < s.n; i += k) {
		k = piece < s.n - i ? piece : s.n - i;
		got = header_scan_feed(&scan, s.p + i, k);
		MUST(got <= k && (got == k || scan.done));
		header_digest_feed(&digest, s.p + i, got);
		sum += got;
	}
	*done_r = scan.done;
	header_digest_hex(&digest, hex_r);
	MUST(strlen(hex_r) == HEADER_DIGEST_HEX - 1);
	return sum;
}

static void
check_body(struct span body)
{
	struct span addr = {NULL, 0};
	struct buf once, twice;
	size_t i;

	if (header_address(body, &addr)) {
		MUST(inside(addr, body));
		for (i = 0; i < addr.n; i++)
			MUST((unsigned char)addr.p[i] >= ' ');
	}
	buf_init(&once, body.n);
	buf_init(&twice, body.n);
	MUST(header_unfold(&once, body) == 0);
	MUST(span_find(buf_span(&once), '\r') == -1);
	MUST(span_find(buf_span(&once), '\n') == -1);
	MUST(header_unfold(&twice, buf_span(&once)) == 0);
	MUST(span_same(buf_span(&once), buf_span(&twice)));
	buf_clear(&once);
	buf_clear(&twice);
}

/* All fields; returns what is left where the walk stops. */
static struct span
walk(struct span s)
{
	struct span rest = s, name, body, first;
	size_t before;
	char *cname;

	while (before = rest.n, header_next(&rest, &name, &body)) {
		MUST(rest.n < before && inside(rest, s));
		MUST(inside(name, s) && inside(body, s));
		MUST(body.n == 0 || body.p[body.n - 1] != '\n');
		MUST(span_find(name, ':') == -1 && span_find(name, ' ') == -1);
		check_body(body);
		if (name.n == 0)
			continue;
		cname = span_dup(name);
		MUST(header_find(s, cname, &first));
		MUST(first.n == 0 || first.p <= body.p || body.n == 0);
		free(cname);
	}
	return rest;
}

/* Neither CRs nor blanks at line ends make another header of it. */
static void
check_spelling(struct span s, const char *hex)
{
	char other[HEADER_DIGEST_HEX];
	struct header_digest digest;
	size_t i;

	header_digest_init(&digest);
	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '\n')
			header_digest_feed(&digest, "\r", 1);
		header_digest_feed(&digest, s.p + i, 1);
	}
	header_digest_feed(&digest, "\r\n \t\r\n\r\n", 8);
	header_digest_hex(&digest, other);
	MUST(strcmp(hex, other) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char hex[HEADER_DIGEST_HEX], hex2[HEADER_DIGEST_HEX];
	bool done, done2;
	struct span s, rest;
	size_t len;

	if (size == 0)
		return 0;
	s = span_bytes(data + 1, size - 1);
	check_body(s);
	len = feed(s, s.n > 0 ? s.n : 1, &done, hex);
	MUST(feed(s, (size_t)data[0] % 32 + 1, &done2, hex2) == len);
	MUST(done == done2 && strcmp(hex, hex2) == 0);
	rest = walk(s);
	/* The walk stops at the empty line, which is the last of the header. */
	if (done) {
		MUST(rest.n >= s.n - len);
		MUST(walk(span_bytes(s.p, len)).n == rest.n - (s.n - len));
		MUST(memchr(rest.p, '\n', rest.n) == s.p + len - 1);
	}
	if (s.n < 1024)
		check_spelling(span_bytes(s.p, len), hex);
	return 0;
}

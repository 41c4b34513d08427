/*
 * A message through both passes of letter, whole or in pieces, and what came
 * out in a form that is easily compared: CRLF as "\n", and a CR or LF that is
 * alone as "#".
 */
#ifndef TESTS_UNIT_LETTER_RUN_H
#define TESTS_UNIT_LETTER_RUN_H

#include <stdlib.h>
#include <sysexits.h>

#include "base/mem.h"
#include "letter.h"
#include "prng.h"
#include "tap.h"

#define WHOLE SIZE_MAX
#define RANDOM 0

struct run {
	struct letter_scan scan;
	struct buf body;
	struct letter letter;
	struct err e;
	int rc; /* -1: refused, by the first pass or the second */
};

static inline void
run_clear(struct run *r)
{
	letter_scan_clear(&r->scan);
	letter_clear(&r->letter);
	buf_clear(&r->body);
}

/* The first pass, in pieces of that size. */
static inline void
run_scan(struct run *r, struct span in, size_t piece, bool dot)
{
	size_t n;

	*r = (struct run){.rc = 0};
	letter_scan_init(&r->scan, dot);
	buf_init(&r->body, 2 * in.n + LETTER_ROOM(0));
	while (r->rc == 0 && in.n > 0) {
		n = piece == RANDOM ? 1 + prng(9) : piece;
		n = n < in.n ? n : in.n;
		r->rc = letter_scan_feed(&r->scan, in.p, n, &r->body, &r->e);
		in = span_skip(in, n);
	}
	if (r->rc == 0)
		r->rc = letter_scan_end(&r->scan, &r->body, &r->e);
}

/* And the second. */
static inline void
run_letter(
    struct run *r, struct span in, size_t piece, const struct letter_options *o)
{
	run_scan(r, in, piece, false);
	if (r->rc == 0)
		r->rc = letter_header(&r->scan, o, &r->letter, &r->e);
}

/* Appends the octets as they are compared. */
static inline void
run_show(struct buf *out, struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '\r' && i + 1 < s.n && s.p[i + 1] == '\n')
			buf_putc(out, s.p[++i]);
		else
			buf_putc(out,
			    s.p[i] == '\r' || s.p[i] == '\n' ? '#' : s.p[i]);
	}
}

#endif

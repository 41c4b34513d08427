/*
 * Messages as callers give them.  The first byte of a case tells in which
 * pieces the rest comes, whether a dot ends it (-i was not said), and whether
 * the recipients are read from it (-t).  What comes out is legal, nobody's
 * Bcc is in it, and to submit it again changes nothing.
 */

#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/enc.h"
#include "base/header.h"
#include "letter.h"

#define MUST(cond)               \
	do {                     \
		if (!(cond))     \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct outcome {
	int scanned, made;
	struct letter_scan scan;
	struct buf body;
	struct letter letter;
	struct err e;
};

static void
submit(struct outcome *o, struct span in, size_t piece, bool dot,
    const struct words *recipients)
{
	struct letter_options opt = {.recipients = recipients,
	    .read_recipients = recipients == NULL,
	    .now = 1795510800,
	    .zone = -210,
	    .unique = "1.u",
	    .id_domain = "id.example",
	    .domain = "host.example",
	    .from = "ada",
	    .from_name = "\xc3\x89mile, Z."};
	size_t n;

	*o = (struct outcome){.scanned = 0};
	letter_scan_init(&o->scan, dot);
	buf_init(&o->body, 2 * in.n + LETTER_ROOM(0));
	for (; in.n > 0 && o->scanned == 0; in = span_skip(in, n)) {
		n = piece < in.n ? piece : in.n;
		o->scanned =
		    letter_scan_feed(&o->scan, in.p, n, &o->body, &o->e);
	}
	if (o->scanned == 0)
		o->scanned = letter_scan_end(&o->scan, &o->body, &o->e);
	o->made = o->scanned;
	if (o->scanned == 0)
		o->made = letter_header(&o->scan, &opt, &o->letter, &o->e);
	MUST(o->made == 0 || (o->e.kind == ERR_MESSAGE && *o->e.text != '\0'));
}

static void
forget(struct outcome *o)
{
	letter_scan_clear(&o->scan);
	letter_clear(&o->letter);
	buf_clear(&o->body);
}

/* Only whole lines; returns how long the longest is. */
static size_t
check_lines(struct span s)
{
	size_t i, start = 0, longest = 0;

	for (i = 0; i < s.n; i++) {
		MUST(s.p[i] != '\0');
		MUST(s.p[i] != '\r' || (i + 1 < s.n && s.p[i + 1] == '\n'));
		if (s.p[i] != '\n')
			continue;
		MUST(i > 0 && s.p[i - 1] == '\r');
		if (i - 1 - start > longest)
			longest = i - 1 - start;
		start = i + 1;
	}
	MUST(start == s.n);
	return longest;
}

static void
check_scan(const struct letter_scan *s, struct span body)
{
	struct span rest = buf_span(&s->header), name, field;
	bool wide = false;
	size_t i;

	check_lines(rest);
	while (header_next(&rest, &name, &field))
		MUST(name.n > 0);
	MUST(rest.n == 0);
	for (i = 0; i < body.n; i++)
		wide |= (unsigned char)body.p[i] > 127;
	MUST(s->longest == check_lines(body) && s->size == body.n);
	MUST(s->eight_bit == wide && s->utf8 == enc_utf8_valid(body));
	MUST((s->long_line > 0) == (s->longest > LETTER_LINE_MAX));
}

static void
check_letter(const struct letter *l)
{
	static const char *const gone[] = {"Bcc", "Resent-Bcc", "Return-Path"};
	static const char *const there[] = {"From", "Date", "Message-ID"};
	struct span h = buf_span(&l->header), rest = h, name, body;
	unsigned int n[3] = {0};
	struct address_walk w;
	struct address a;
	struct err e;
	size_t i;

	MUST(check_lines(h) <= LETTER_LINE_MAX);
	while (header_next(&rest, &name, &body)) {
		MUST(name.n > 0);
		for (i = 0; i < 3; i++) {
			MUST(!span_caseeq(name, gone[i]));
			n[i] += span_caseeq(name, there[i]);
		}
	}
	MUST(span_eq(rest, "\r\n"));
	MUST(n[0] == 1 && n[1] == 1 && n[2] == 1);
	MUST(l->recipients.n > 0);
	for (i = 0; i < l->recipients.n; i++) {
		MUST(address_check(span_of(l->recipients.v[i]), &e) == 0);
		MUST(address_one(span_of(l->recipients.v[i]), &w, &a, &e) == 0);
		MUST(span_eq(a.text, l->recipients.v[i]));
	}
}

static void
same(const struct outcome *a, const struct outcome *b)
{
	MUST(a->scanned == b->scanned && a->made == b->made);
	MUST(span_same(buf_span(&a->body), buf_span(&b->body)) ||
	     a->scanned == -1);
	MUST(span_same(
	    buf_span(&a->letter.header), buf_span(&b->letter.header)));
	MUST(a->made == 0 || strcmp(a->e.text, b->e.text) == 0);
}

/* What was made is given once more. */
static void
check_again(const struct outcome *o)
{
	struct outcome again;
	struct buf whole;

	buf_init(&whole, o->letter.header.len + o->body.len);
	buf_add(&whole, buf_span(&o->letter.header));
	buf_add(&whole, buf_span(&o->body));
	submit(
	    &again, buf_span(&whole), whole.len, false, &o->letter.recipients);
	same(o, &again);
	MUST(again.letter.bcc == NULL);
	MUST(again.letter.recipients.n == o->letter.recipients.n);
	forget(&again);
	buf_clear(&whole);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char bob[] = "b@x.org";
	struct words given = {(char *[]){bob, NULL}, 1};
	struct outcome o, pieces;
	const struct words *rcpts;
	struct span in;
	bool dot;

	if (size == 0)
		return 0;
	in = span_bytes(data + 1, size - 1);
	dot = data[0] & 64;
	rcpts = data[0] & 128 ? &given : NULL;
	submit(&o, in, in.n > 0 ? in.n : 1, dot, rcpts);
	submit(&pieces, in, (data[0] & 63) + 1, dot, rcpts);
	same(&o, &pieces);
	forget(&pieces);
	if (o.scanned == 0)
		check_scan(&o.scan, buf_span(&o.body));
	if (o.made == 0) {
		check_letter(&o.letter);
		check_again(&o);
	}
	forget(&o);
	return 0;
}

/*
 * What holds for every message that sendq/mime has rewritten, for the unit
 * test and the fuzz harness.  check_mime() gives the name of the property that
 * is broken, or NULL.
 */
#ifndef TESTS_UNIT_MIME_CHECK_H
#define TESTS_UNIT_MIME_CHECK_H

#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "base/header.h"
#include "base/mem.h"
#include "mime.h"
#include "mime_code.h"
#include "mime_walk.h"
#include "prng.h"

/* In pieces of: everything, one octet, or a random number of them. */
enum split { WHOLE, BYTES, RANDOM };

static inline struct span
cut_piece(struct span *rest, enum split how)
{
	size_t n = how == WHOLE ? rest->n : how == BYTES ? 1 : 1 + prng(40);
	struct span piece = span_bytes(rest->p, n < rest->n ? n : rest->n);

	*rest = span_skip(*rest, piece.n);
	return piece;
}

static inline struct mime *
scan(struct span in, enum split how)
{
	struct mime *m = mime_new();

	while (in.n > 0)
		mime_scan_feed(m, cut_piece(&in, how));
	mime_scan_end(m);
	return m;
}

static inline int
encode_all(struct mime *m, struct span in, unsigned int purposes,
    enum split how, struct buf *out)
{
	size_t before;
	struct span piece;

	mime_encode_begin(m, purposes);
	while (in.n > 0) {
		before = out->len;
		piece = cut_piece(&in, how);
		if (mime_encode_feed(m, piece, out) == -1 ||
		    out->len - before > MIME_ROOM(piece.n))
			return -1;
	}
	return mime_encode_end(m, out);
}

/* --- leaves ------------------------------------------------------------- */

struct leaf {
	enum mime_kind kind;
	enum mime_label label;
	bool message, frozen;
	struct buf text; /* owned; not for gaps, headers and boundaries */
};

struct leaves {
	struct leaf *v; /* owned */
	size_t n;
	struct buf all; /* owned; the events' texts, one behind the other */
	bool odd;       /* see is_odd() */
};

/*
 * Another module sees to it that each CR has its LF.  In a body that is not
 * missed; but of a header, not all would see the same lines.  And a label that
 * is not ASCII counts as a header that is not, until it is replaced.
 */
static inline bool
is_odd(struct span header)
{
	struct span name, body;
	size_t i;

	for (i = 0; i < header.n; i++) {
		if (header.p[i] == '\r' && i + 1 < header.n &&
		    header.p[i + 1] == '\n')
			i++;
		else if (header.p[i] == '\r' || header.p[i] == '\n')
			return true;
	}
	while (header_next(&header, &name, &body))
		if (span_caseeq(name, "Content-Transfer-Encoding"))
			for (i = 0; i < body.n; i++)
				if ((unsigned char)body.p[i] > 127)
					return true;
	return false;
}

static inline void
leaves_clear(struct leaves *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		buf_clear(&l->v[i].text);
	free(l->v);
	buf_clear(&l->all);
}

static inline void
leaves_add(struct leaves *l, const struct mime_ev *ev)
{
	buf_add(&l->all, ev->text);
	if (ev->kind == MIME_EV_HEADER)
		l->odd |= is_odd(ev->text);
	if (ev->kind == MIME_EV_HEADER && ev->part >= l->n) {
		l->v = mem_resize(l->v, l->n + 1, sizeof(*l->v));
		l->v[l->n] = (struct leaf){ev->field->kind, ev->field->label,
		    ev->message, ev->frozen, {0}};
		buf_init(&l->v[l->n++].text, SIZE_MAX / 2);
	} else if ((ev->kind == MIME_EV_TEXT || ev->kind == MIME_EV_EOL) &&
		   ev->place == MIME_IN_BODY)
		buf_add(&l->v[ev->part].text, ev->text);
}

static inline void
leaves_of(struct span in, enum split how, struct leaves *l)
{
	struct mime_walk *w = mem_alloc(sizeof(*w));
	struct mime_ev ev;
	bool more = true;

	*l = (struct leaves){0};
	buf_init(&l->all, SIZE_MAX / 2);
	mime_walk_init(w);
	while (more) {
		more = in.n > 0;
		if (more)
			mime_walk_feed(w, cut_piece(&in, how));
		else
			mime_walk_end(w);
		while (mime_walk_next(w, &ev))
			leaves_add(l, &ev);
	}
	mime_walk_clear(w);
	free(w);
}

/* --- decoders ----------------------------------------------------------- */

static inline int
hex_value(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	                              : -1;
}

/* Length of a soft line break: '=', up to a line of blanks, a line's end. */
static inline size_t
soft_break(struct span s)
{
	size_t i = 1;

	while (i < s.n && i <= MIME_CODE_LINE + 1 &&
	       (s.p[i] == ' ' || s.p[i] == '\t'))
		i++;
	if (i > MIME_CODE_LINE + 1)
		return 0;
	if (i == s.n)
		return i;
	return i + 1 < s.n && s.p[i] == '\r' && s.p[i + 1] == '\n' ? i + 2 : 0;
}

static inline void
decode_qp(struct span s, struct buf *out)
{
	size_t n;

	while (s.n > 0) {
		n = *s.p == '=' ? soft_break(s) : 0;
		if (n > 0) {
			s = span_skip(s, n);
		} else if (*s.p == '=' && s.n > 2 && hex_value(s.p[1]) >= 0 &&
			   hex_value(s.p[2]) >= 0) {
			buf_putc(out,
			    (char)(hex_value(s.p[1]) * 16 + hex_value(s.p[2])));
			s = span_skip(s, 3);
		} else {
			buf_putc(out, *s.p);
			s = span_skip(s, 1);
		}
	}
}

/* Without blanks at the ends of lines, which do not arrive. */
static inline void
trim_lines(struct buf *b)
{
	size_t i, n = 0, end;
	char *p = b->data;

	for (i = 0; i < b->len; i++) {
		for (end = i; end < b->len && (p[end] == ' ' || p[end] == '\t');
		     end++)
			;
		if (end == b->len ||
		    (p[end] == '\r' && end + 1 < b->len && p[end + 1] == '\n'))
			i = end;
		if (i < b->len)
			p[n++] = p[i];
	}
	b->len = n;
}

static inline void
base64_only(struct span s, struct buf *out)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789+/=";

	for (; s.n > 0; s = span_skip(s, 1))
		if (memchr(alphabet, *s.p, 65) != NULL)
			buf_putc(out, *s.p);
}

/* Whether the leaf says afterwards what it said before. */
static inline bool
same_leaf(const struct leaf *was, const struct leaf *is)
{
	struct buf a, b, c;
	bool same;

	buf_init(&a, SIZE_MAX / 2);
	buf_init(&b, SIZE_MAX / 2);
	buf_init(&c, SIZE_MAX / 2);
	if (was->label == is->label && is->label == MIME_QP) {
		decode_qp(buf_span(&was->text), &a);
		decode_qp(buf_span(&is->text), &b);
		trim_lines(&a);
		trim_lines(&b);
	} else if (was->label == is->label && is->label == MIME_BASE64) {
		base64_only(buf_span(&was->text), &a);
		base64_only(buf_span(&is->text), &b);
	} else {
		buf_add(&a, buf_span(&was->text));
		base64_only(buf_span(&is->text), &c);
		if (is->label == MIME_QP)
			decode_qp(buf_span(&is->text), &b);
		else if (is->label != MIME_BASE64)
			buf_add(&b, buf_span(&is->text));
		else if (dec_base64(&b, buf_span(&c)) == -1)
			buf_puts(&b, "not base64");
	}
	same = span_same(buf_span(&a), buf_span(&b));
	buf_clear(&a);
	buf_clear(&b);
	buf_clear(&c);
	return same;
}

static inline const char *
check_leaves(struct span in, struct span out)
{
	const char *bad = NULL;
	struct leaves a, b;
	size_t i;

	leaves_of(in, RANDOM, &a);
	leaves_of(out, WHOLE, &b);
	if (!span_same(buf_span(&b.all), out))
		bad = "the events are the result";
	else if (a.n != b.n)
		bad = "as many parts";
	for (i = 0; i < a.n && bad == NULL; i++)
		if (a.v[i].kind != b.v[i].kind ||
		    a.v[i].frozen != b.v[i].frozen ||
		    a.v[i].message != b.v[i].message)
			bad = "parts of the same kind";
		else if (!same_leaf(&a.v[i], &b.v[i]))
			bad = "leaves of the same content";
	leaves_clear(&a);
	leaves_clear(&b);
	return bad;
}

/* --- all of it ---------------------------------------------------------- */

static inline const char *
check_result(struct mime *m, struct span in, struct span out,
    unsigned int purposes, const struct mime_plan *plan)
{
	struct mime *n = scan(out, WHOLE);
	const struct mime_facts *f = mime_facts(n);
	struct mime_plan again;
	const char *bad = NULL;

	mime_plan(n, purposes, &again);
	if (!plan->changes && !span_same(in, out))
		bad = "no change, no difference";
	else if (plan->changes && span_same(in, out))
		bad = "a change makes a difference";
	else if (again.changes)
		bad = "nothing is left to do";
	else if (again.eight_bit != plan->eight_bit ||
		 again.long_line != plan->long_line)
		bad = "what was foretold is left";
	else if ((purposes & MIME_SEVEN) && f->eight_bit &&
		 !f->sealed_eight_bit && !f->opaque_eight_bit)
		bad = "no octet over 127";
	else if ((purposes & MIME_LINES) && f->long_line &&
		 !f->sealed_long_line && !f->opaque_long_line)
		bad = "no line over 998";
	else if (f->parts != mime_facts(m)->parts)
		bad = "the parts are counted";
	mime_free(n);
	return bad != NULL ? bad : check_leaves(in, out);
}

/* Rewrites in *out_r (owned by the caller). */
static inline const char *
check_mime(
    struct span in, unsigned int purposes, enum split how, struct buf *out_r)
{
	struct mime *m = scan(in, how), *whole = scan(in, WHOLE);
	const char *bad = NULL;
	struct mime_plan plan;
	struct leaves leaves;
	struct buf other;

	buf_init(out_r, SIZE_MAX / 2);
	buf_init(&other, SIZE_MAX / 2);
	mime_plan(m, purposes, &plan);
	if (memcmp(mime_facts(m), mime_facts(whole),
		sizeof(struct mime_facts)) != 0)
		bad = "the same facts, however it comes";
	else if (encode_all(m, in, purposes, how, out_r) == -1 ||
		 encode_all(m, in, purposes, WHOLE, &other) == -1)
		bad = "it is encoded, twice";
	else if (!span_same(buf_span(out_r), buf_span(&other)))
		bad = "the same result, however it comes";
	else {
		leaves_of(in, how, &leaves);
		if (!span_same(buf_span(&leaves.all), in))
			bad = "the events are the message";
		else if (!leaves.odd)
			bad = check_result(
			    m, in, buf_span(out_r), purposes, &plan);
		leaves_clear(&leaves);
	}
	buf_clear(&other);
	mime_free(whole);
	mime_free(m);
	return bad;
}

#endif

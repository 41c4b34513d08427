/*
 * The first pass over a message: line ends, where the header ends, and what
 * is in the body.  The header is kept; the body goes through.
 */

#include "letter_parts.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/header.h"

static const char bom[] = "\xef\xbb\xbf";

void
letter_scan_init(struct letter_scan *s, bool dot)
{
	*s = (struct letter_scan){.header_line = 1, .utf8 = true, .dot = dot};
	buf_init(&s->header, LETTER_HEADER_MAX);
}

void
letter_scan_clear(struct letter_scan *s)
{
	buf_clear(&s->header);
}

/* --- errors -------------------------------------------------------------- */

/* At the line that is being read. */
static int
refuse(const struct letter_scan *s, const char *what, struct err *e)
{
	return err_code(e, ERR_MESSAGE, EX_DATAERR, "line %llu: %s",
	    (unsigned long long)s->lines + 1, what);
}

static int
refuse_line(const struct letter_scan *s, struct span line, struct err *e)
{
	char *shown = span_show(line, 60);

	err_code(e, ERR_MESSAGE, EX_DATAERR,
	    "line %llu: this is no header field: '%s'; an empty line has to "
	    "stand between the header and the text",
	    (unsigned long long)s->lines + 1, shown);
	free(shown);
	return -1;
}

static int
no_room(struct err *e)
{
	return err_code(
	    e, ERR_LOCAL, EX_SOFTWARE, "no room for the body of a message");
}

/* --- the body ------------------------------------------------------------ */

/* Takes one octet of UTF-8; false: it is none. */
static bool
step_utf8(struct letter_scan *s, unsigned char c)
{
	if (s->more > 0) {
		if (c < s->low || c > s->high)
			return false;
		s->more--;
		s->low = 0x80;
		s->high = 0xbf;
		return true;
	}
	s->low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	s->high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	s->more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
	return c < 0x80 || (c >= 0xc2 && c <= 0xf4);
}

static int
body_text(struct letter_scan *s, struct span t, struct buf *out, struct err *e)
{
	bool wide = write_wide(t);
	size_t i;

	s->eight_bit |= wide;
	for (i = 0; i < t.n && s->utf8 && (wide || s->more > 0); i++)
		s->utf8 = step_utf8(s, (unsigned char)t.p[i]);
	s->size += t.n;
	return buf_add(out, t) == -1 ? no_room(e) : 0;
}

/* Its line of that number, n octets long, is at its end. */
static int
body_line(struct letter_scan *s, uint64_t number, uint64_t n, struct buf *out,
    struct err *e)
{
	if (n > s->longest)
		s->longest = n;
	if (n > LETTER_LINE_MAX && s->long_line == 0)
		s->long_line = number;
	if (s->more > 0)
		s->utf8 = false;
	s->size += 2;
	return buf_append(out, "\r\n", 2) == -1 ? no_room(e) : 0;
}

/* --- the header ---------------------------------------------------------- */

/* What was taken for a header is the begin of the text. */
static int
to_text(struct letter_scan *s, struct buf *out, struct err *e)
{
	struct span rest = buf_span(&s->header), line;
	uint64_t number = 1;
	ptrdiff_t lf;
	int rc = 0;

	s->in_body = true;
	while (rc == 0 && (lf = span_find(rest, '\n')) != -1) {
		line = span_bytes(rest.p, (size_t)lf - 1);
		rest = span_skip(rest, (size_t)lf + 1);
		if ((rc = body_text(s, line, out, e)) == 0)
			rc = body_line(s, number++, line.n, out, e);
	}
	if (rc == 0)
		rc = body_text(s, rest, out, e);
	buf_clear(&s->header);
	return rc;
}

static void
to_body(struct letter_scan *s)
{
	s->in_body = true;
	if (s->mbox > 0) {
		buf_consume(&s->header, s->mbox);
		s->header_line = 2;
	}
	if (span_prefix(buf_span(&s->header), bom))
		buf_consume(&s->header, strlen(bom));
}

/* There is nothing more to tell by. */
static int
close_header(struct letter_scan *s, struct buf *out, struct err *e)
{
	if (s->header.len > 0 && !s->known)
		return to_text(s, out, e);
	to_body(s);
	return 0;
}

/* Whether the line begins a field; notes which. */
static bool
is_field(struct letter_scan *s, struct span line)
{
	struct span name, body;

	if (!s->some && span_prefix(line, bom))
		line = span_skip(line, strlen(bom));
	if (!header_next(&line, &name, &body) || name.n == 0)
		return false;
	s->some = true;
	s->known |= field_kind(name) != FIELD_OTHER;
	return true;
}

/* A header that is too large may turn out to be none. */
static int
overflow(struct letter_scan *s, struct buf *out, struct err *e)
{
	is_field(s, span_skip(buf_span(&s->header), s->line_from));
	if (s->known)
		return refuse(s, "the header is larger than 1 MiB", e);
	return to_text(s, out, e);
}

static int
header_text(
    struct letter_scan *s, struct span t, struct buf *out, struct err *e)
{
	if (buf_add(&s->header, t) == 0)
		return 0;
	return overflow(s, out, e) == -1 ? -1 : body_text(s, t, out, e);
}

/* A line is at its end: 0; 1 when it is one of the body after all; or -1. */
static int
header_line(struct letter_scan *s, struct buf *out, struct err *e)
{
	struct span line = span_skip(buf_span(&s->header), s->line_from);
	bool blank = line.n > 0 && (*line.p == ' ' || *line.p == '\t');

	if (line.n == 0 && (s->some || s->mbox == 0)) {
		to_body(s);
		return 0;
	}
	if ((!s->some || !blank) && !is_field(s, line)) {
		if (s->known)
			return refuse_line(s, line, e);
		if (s->line_from > 0 || line.n < 5 ||
		    memcmp(line.p, "From ", 5) != 0)
			return to_text(s, out, e) == -1 ? -1 : 1;
		s->mbox = line.n + 2;
	}
	if (buf_append(&s->header, "\r\n", 2) == -1)
		return overflow(s, out, e) == -1 ? -1 : 1;
	s->line_from = s->header.len;
	return 0;
}

/* --- the input ----------------------------------------------------------- */

static int
put_text(struct letter_scan *s, struct span t, struct buf *out, struct err *e)
{
	return s->in_body ? body_text(s, t, out, e) : header_text(s, t, out, e);
}

static int
take_text(struct letter_scan *s, struct span t, struct buf *out, struct err *e)
{
	bool was_held = s->held;

	s->held = s->dot && s->line_n == 0 && t.n == 1 && *t.p == '.';
	s->line_n += t.n;
	if (s->held)
		return 0;
	if (was_held && put_text(s, span_bytes(".", 1), out, e) == -1)
		return -1;
	return put_text(s, t, out, e);
}

static int
take_line_end(struct letter_scan *s, struct buf *out, struct err *e)
{
	int rc;

	if (s->held) {
		s->done = true;
		return 0;
	}
	rc = s->in_body ? 1 : header_line(s, out, e);
	if (rc == 1)
		rc = body_line(s, s->lines + 1, s->line_n, out, e);
	s->lines++;
	s->line_n = 0;
	return rc;
}

/* So many of the CRs that were held back are line ends. */
static int
take_crs(struct letter_scan *s, unsigned int n, struct buf *out, struct err *e)
{
	for (; n > 0 && !s->done; n--) {
		s->crs--;
		if (take_line_end(s, out, e) == -1)
			return -1;
	}
	return 0;
}

/* Length of what is neither a line end nor a NUL. */
static size_t
run_length(struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0')
			break;
	return i;
}

/* The next octets; returns how many, or -1. */
static ssize_t
take_some(struct letter_scan *s, struct span in, struct buf *out, struct err *e)
{
	size_t n;

	if (*in.p == '\n') {
		s->crs = 0;
		return take_line_end(s, out, e) == -1 ? -1 : 1;
	}
	if (*in.p == '\r') {
		s->crs++;
		return take_crs(s, s->crs > 2 ? 1 : 0, out, e) == -1 ? -1 : 1;
	}
	if (take_crs(s, s->crs, out, e) == -1)
		return -1;
	if (s->done)
		return (ssize_t)in.n;
	if (*in.p == '\0')
		return refuse(s,
		    "there is a NUL in it, and mail cannot carry "
		    "that; send it as an attachment",
		    e);
	n = run_length(in);
	if (take_text(s, span_bytes(in.p, n), out, e) == -1)
		return -1;
	return (ssize_t)n;
}

int
letter_scan_feed(struct letter_scan *s, const char *p, size_t n,
    struct buf *out, struct err *e)
{
	struct span in = span_bytes(p, n);
	ssize_t k;

	while (in.n > 0 && !s->done) {
		if ((k = take_some(s, in, out, e)) == -1)
			return -1;
		in = span_skip(in, (size_t)k);
	}
	return 0;
}

int
letter_scan_end(struct letter_scan *s, struct buf *out, struct err *e)
{
	if (take_crs(s, s->crs, out, e) == -1)
		return -1;
	s->done |= s->held;
	if (!s->done && s->line_n > 0 && take_line_end(s, out, e) == -1)
		return -1;
	return s->in_body ? 0 : close_header(s, out, e);
}

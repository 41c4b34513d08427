/*
 * Quoted-printable and base64 (RFC 2045 sections 6.7, 6.8) as streams: an
 * octet in, what is certain out.  Only blanks and half-read escapes wait for
 * what follows them.
 */

#include "mime_code.h"

#include <string.h>

#include "base/enc.h"

void
mime_code_begin(struct mime_code *c, enum mime_code_kind kind)
{
	*c = (struct mime_code){.kind = kind};
}

/* --- quoted-printable --------------------------------------------------- */

static int
put(struct mime_code *c, const char *p, size_t n, struct buf *out)
{
	size_t i;

	for (i = 0; i < n && c->col + i < sizeof(c->first); i++)
		c->first[c->col + i] = p[i];
	c->col += n;
	return buf_append(out, p, n);
}

/* Makes room for n octets and the "=" of a line that goes on. */
static int
make_room(struct mime_code *c, size_t n, struct buf *out)
{
	if (c->col + n < MIME_CODE_LINE)
		return 0;
	c->col = 0;
	return buf_puts(out, "=\r\n");
}

static int
put_escaped(struct mime_code *c, char octet, struct buf *out)
{
	static const char hex[] = "0123456789ABCDEF";
	unsigned char o = (unsigned char)octet;
	char three[3] = {'=', hex[o >> 4], hex[o & 15]};

	return make_room(c, 3, out) == -1 ? -1 : put(c, three, 3, out);
}

/*
 * A printable octet, escaped where it would begin a line that means something
 * to someone: a boundary, the end of a message, a message in an mbox.
 */
static int
put_plain(struct mime_code *c, char octet, struct buf *out)
{
	if (make_room(c, 1, out) == -1)
		return -1;
	if ((c->col == 0 && (octet == '-' || octet == '.')) ||
	    (c->col == 4 && octet == ' ' && memcmp(c->first, "From", 4) == 0))
		return put_escaped(c, octet, out);
	return put(c, &octet, 1, out);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_plain(char c)
{
	return c >= ' ' && c <= '~' && c != '=';
}

/* What was kept is followed by something: it is what it seems. */
static int
put_kept(struct mime_code *c, struct buf *out)
{
	size_t i;

	if (c->equals && put_escaped(c, '=', out) == -1)
		return -1;
	for (i = 0; i < c->n; i++)
		if (put_plain(c, c->keep[i], out) == -1)
			return -1;
	c->n = 0;
	c->equals = false;
	return 0;
}

static int
qp_octet(struct mime_code *c, char octet, struct buf *out)
{
	if (is_blank(octet)) {
		if (put_kept(c, out) == -1)
			return -1;
		c->keep[c->n++] = octet;
		return 0;
	}
	if (put_kept(c, out) == -1)
		return -1;
	return is_plain(octet) ? put_plain(c, octet, out)
	                       : put_escaped(c, octet, out);
}

/* Blanks at the end of a line would not arrive (RFC 2045 section 6.7). */
static int
qp_line_over(struct mime_code *c, struct buf *out)
{
	int rc = c->n > 0 ? put_escaped(c, c->keep[0], out) : 0;

	c->n = 0;
	return rc;
}

/* --- quoted-printable, repaired ----------------------------------------- */

static bool
is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') ||
	       (c >= 'a' && c <= 'f');
}

/* Takes the octet as a digit of the escape that has begun, if it is one. */
static bool
take_digit(struct mime_code *c, char octet, struct buf *out, int *rc_r)
{
	char three[3] = {'=', 0, octet};

	if (!c->equals || !is_hex(octet) || (c->n > 0 && is_blank(c->keep[0])))
		return false;
	if (c->n == 0) {
		c->keep[c->n++] = octet;
		return true;
	}
	three[1] = c->keep[0];
	c->n = 0;
	c->equals = false;
	*rc_r = make_room(c, 3, out) == -1 ? -1 : put(c, three, 3, out);
	return true;
}

/*
 * A '=' that escapes nothing stands for itself, as all readers have it.  Of
 * blanks, only a line's end tells whether they count; more than a line of them
 * does.
 */
static int
reqp_octet(struct mime_code *c, char octet, struct buf *out)
{
	int rc = 0;

	if (take_digit(c, octet, out, &rc))
		return rc;
	if (is_blank(octet)) {
		if ((c->n == sizeof(c->keep) ||
			(c->n > 0 && !is_blank(c->keep[0]))) &&
		    put_kept(c, out) == -1)
			return -1;
		c->keep[c->n++] = octet;
		return 0;
	}
	if (put_kept(c, out) == -1)
		return -1;
	if (octet == '=') {
		c->equals = true;
		return 0;
	}
	return is_plain(octet) ? put_plain(c, octet, out)
	                       : put_escaped(c, octet, out);
}

/* The line's end deletes blanks before it, and joins lines behind a '='. */
static int
reqp_line_over(struct mime_code *c, struct buf *out)
{
	bool digit = c->n > 0 && !is_blank(c->keep[0]);
	int rc = 0;

	if (digit)
		rc = put_kept(c, out);
	else if (c->equals)
		rc = put(c, "=", 1, out);
	c->n = 0;
	c->equals = false;
	return rc;
}

/* --- base64 ------------------------------------------------------------- */

static int
wrap(struct mime_code *c, struct buf *out)
{
	if (c->col < MIME_CODE_LINE)
		return 0;
	c->col = 0;
	return buf_puts(out, "\r\n");
}

static int
base64_group(struct mime_code *c, struct buf *out)
{
	struct span three = span_bytes(c->keep, c->n);

	if (c->n == 0)
		return 0;
	if (wrap(c, out) == -1)
		return -1;
	c->n = 0;
	c->col += 4;
	return enc_base64(out, three);
}

static int
base64_octet(struct mime_code *c, char octet, struct buf *out)
{
	c->keep[c->n++] = octet;
	return c->n == 3 ? base64_group(c, out) : 0;
}

static bool
is_base64(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= '0' && c <= '9') || c == '+' || c == '/' || c == '=';
}

static int
rebase64_octet(struct mime_code *c, char octet, struct buf *out)
{
	if (!is_base64(octet))
		return 0;
	return wrap(c, out) == -1 ? -1 : put(c, &octet, 1, out);
}

/* --- text that nobody reads --------------------------------------------- */

/* A blank in front keeps a line from being a boundary. */
static int
scrub_octet(struct mime_code *c, char octet, struct buf *out)
{
	if (c->col == MIME_LINE_MAX) {
		c->col = 0;
		if (buf_puts(out, "\r\n") == -1)
			return -1;
	}
	if (c->col == 0 && octet == '-' && put(c, " ", 1, out) == -1)
		return -1;
	if ((unsigned char)octet > 127 || octet == '\0' || octet == '\r' ||
	    octet == '\n')
		octet = '?';
	return put(c, &octet, 1, out);
}

/* ------------------------------------------------------------------------ */

static int
code_octet(struct mime_code *c, char octet, struct buf *out)
{
	switch (c->kind) {
	case MIME_CODE_QP:
		return qp_octet(c, octet, out);
	case MIME_CODE_BASE64:
		return base64_octet(c, octet, out);
	case MIME_CODE_REQP:
		return reqp_octet(c, octet, out);
	case MIME_CODE_REBASE64:
		return rebase64_octet(c, octet, out);
	case MIME_CODE_SCRUB:
		return scrub_octet(c, octet, out);
	case MIME_CODE_NONE:
		break;
	}
	return buf_putc(out, octet);
}

int
mime_code_text(struct mime_code *c, struct span text, struct buf *out)
{
	size_t i;

	if (c->kind == MIME_CODE_NONE)
		return buf_add(out, text);
	for (i = 0; i < text.n; i++)
		if (code_octet(c, text.p[i], out) == -1)
			return -1;
	return 0;
}

static int
line_over(struct mime_code *c, struct buf *out)
{
	switch (c->kind) {
	case MIME_CODE_QP:
		return qp_line_over(c, out);
	case MIME_CODE_REQP:
		return reqp_line_over(c, out);
	case MIME_CODE_NONE:
	case MIME_CODE_BASE64:
	case MIME_CODE_REBASE64:
	case MIME_CODE_SCRUB:
		break;
	}
	return 0;
}

int
mime_code_eol(struct mime_code *c, struct buf *out)
{
	if (c->kind == MIME_CODE_BASE64)
		return mime_code_text(c, span_of("\r\n"), out);
	if (c->kind == MIME_CODE_REBASE64)
		return 0;
	if (line_over(c, out) == -1)
		return -1;
	c->col = 0;
	return buf_puts(out, "\r\n");
}

int
mime_code_end(struct mime_code *c, bool last, struct buf *out)
{
	bool is_base64_kind =
	    c->kind == MIME_CODE_BASE64 || c->kind == MIME_CODE_REBASE64;

	if (line_over(c, out) == -1 ||
	    (c->kind == MIME_CODE_BASE64 && base64_group(c, out) == -1))
		return -1;
	if (last && is_base64_kind && c->col > 0 && buf_puts(out, "\r\n") == -1)
		return -1;
	mime_code_begin(c, MIME_CODE_NONE);
	return 0;
}

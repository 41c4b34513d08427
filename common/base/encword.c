/*
 * Encoded words.  Each is whole: it decodes by itself, into whole characters.
 */

#include "base/encword.h"

#include <string.h>

#include "base/enc.h"

/* What stands for itself in Q, also within a phrase (RFC 2047 section 5). */
static bool
is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || memchr("!*+-/", c, 5) != NULL;
}

static size_t
q_length(struct span s)
{
	size_t i, n = 0;

	for (i = 0; i < s.n; i++)
		n += is_plain(s.p[i]) || s.p[i] == ' ' ? 1 : 3;
	return n;
}

static size_t
b_length(size_t n)
{
	return (n + 2) / 3 * 4;
}

static int
put_q(struct buf *out, struct span s)
{
	static const char hex[] = "0123456789ABCDEF";
	unsigned char c;
	size_t i;
	int rc;

	for (i = 0; i < s.n; i++) {
		c = (unsigned char)s.p[i];
		if (is_plain(s.p[i]) || c == ' ')
			rc = buf_putc(out, c == ' ' ? '_' : s.p[i]);
		else
			rc = buf_append(
			    out, (char[]){'=', hex[c >> 4], hex[c & 15]}, 3);
		if (rc == -1)
			return -1;
	}
	return 0;
}

/* How many octets, in whole characters, fit into so many encoded ones. */
static size_t
fitting(struct span s, bool utf8, bool base64, size_t room)
{
	struct span rest = s;
	size_t n = 0, next, length = 0;
	uint32_t c;

	while (rest.n > 0) {
		if (!utf8 || !enc_utf8_next(&rest, &c))
			rest = span_skip(rest, 1);
		next = s.n - rest.n;
		length += q_length(span_bytes(s.p + n, next - n));
		if ((base64 ? b_length(next) : length) > room)
			break;
		n = next;
	}
	return n;
}

int
encword(struct buf *out, struct span text, size_t column)
{
	bool utf8 = enc_utf8_valid(text);
	bool base64 = b_length(text.n) < q_length(text);
	const char *charset = utf8 ? "utf-8" : "unknown-8bit";
	size_t frame = strlen("=?"
			      "?Q?"
			      "?=") +
	               strlen(charset),
	       n;
	struct span part;

	if (column > ENCWORD_LINE - ENCWORD_LEAST)
		column = ENCWORD_LINE - ENCWORD_LEAST;
	while (text.n > 0) {
		/* A word has up to 75 octets, also where there is room for 76. */
		n = ENCWORD_LINE - (column > 0 ? column : 1) - frame;
		n = fitting(text, utf8, base64, n);
		part = span_bytes(text.p, n);
		text = span_skip(text, n);
		if (buf_printf(out, "=?%s?%c?", charset, base64 ? 'B' : 'Q') ==
			-1 ||
		    (base64 ? enc_base64(out, part) : put_q(out, part)) == -1 ||
		    buf_puts(out, text.n > 0 ? "?=\r\n " : "?=") == -1)
			return -1;
		column = 1;
	}
	return 0;
}

bool
encword_is(struct span s)
{
	struct span charset, coding;
	size_t i;

	for (i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ')
			return false;
	if (s.n < 6 || !span_prefix(s, "=?") ||
	    memcmp(s.p + s.n - 2, "?=", 2) != 0)
		return false;
	s = span_bytes(s.p + 2, s.n - 4);
	return span_cut(&s, '?', &charset) && charset.n > 0 &&
	       span_cut(&s, '?', &coding) && coding.n == 1 &&
	       span_find(s, '?') == -1;
}

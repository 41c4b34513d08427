/*
 * Modified UTF-7, in which IMAP writes folder names (RFC 3501 section 5.1.3).
 * Only the one right spelling of a name is taken, so that names and their
 * encodings correspond one to one.
 */

#include <string.h>

#include "base/enc.h"

static const char base64[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/* Bits on their way between 16-bit units and 6-bit characters. */
struct shift {
	uint32_t bits;
	unsigned n;
};

static bool
is_direct(uint32_t cp)
{
	return cp >= 0x20 && cp <= 0x7e;
}

static int
put_unit(struct buf *out, struct shift *s, uint32_t unit)
{
	s->bits = s->bits << 16 | unit;
	for (s->n += 16; s->n >= 6; s->n -= 6)
		if (buf_putc(out, base64[s->bits >> (s->n - 6) & 63]) == -1)
			return -1;
	return 0;
}

static int
put_shifted(struct buf *out, struct shift *s, uint32_t cp)
{
	if (cp < 0x10000)
		return put_unit(out, s, cp);
	cp -= 0x10000;
	if (put_unit(out, s, 0xd800 | cp >> 10) == -1)
		return -1;
	return put_unit(out, s, 0xdc00 | (cp & 0x3ff));
}

static int
put_end(struct buf *out, struct shift *s)
{
	if (s->n > 0 && buf_putc(out, base64[s->bits << (6 - s->n) & 63]) == -1)
		return -1;
	*s = (struct shift){0, 0};
	return buf_putc(out, '-');
}

int
enc_utf7(struct buf *out, struct span utf8)
{
	struct shift s = {0, 0};
	bool shifted = false;
	uint32_t cp;
	int bad;

	while (utf8.n > 0) {
		if (!enc_utf8_next(&utf8, &cp) || cp == 0)
			return -1;
		if (shifted == is_direct(cp)) {
			bad = shifted ? put_end(out, &s) : buf_putc(out, '&');
			if (bad)
				return -1;
			shifted = !shifted;
		}
		if (shifted)
			bad = put_shifted(out, &s, cp);
		else
			bad = buf_puts(out,
			    cp == '&' ? "&-" : (const char[]){(char)cp, '\0'});
		if (bad)
			return -1;
	}
	return shifted ? put_end(out, &s) : 0;
}

static int
put_utf8(struct buf *out, uint32_t cp)
{
	char c[4];
	size_t i, n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;

	for (i = n; i-- > 1; cp >>= 6)
		c[i] = (char)(0x80 | (cp & 0x3f));
	c[0] = (char)(n == 1 ? cp : (0xf00u >> n & 0xf0) | cp);
	return buf_append(out, c, n);
}

/* A unit completes a character, or is the first half of one. */
static int
take_unit(struct buf *out, uint32_t *high, uint32_t unit)
{
	uint32_t cp = unit;

	if (*high != 0) {
		if (unit < 0xdc00 || unit > 0xdfff)
			return -1;
		cp = 0x10000 + ((*high & 0x3ff) << 10) + (unit & 0x3ff);
		*high = 0;
	} else if (unit >= 0xd800 && unit <= 0xdbff) {
		*high = unit;
		return 0;
	} else if ((unit >= 0xdc00 && unit <= 0xdfff) || unit == 0 ||
		   is_direct(unit))
		return -1;
	return put_utf8(out, cp);
}

/* What stands between '&' and '-'. */
static int
take_shifted(struct buf *out, struct span in)
{
	struct shift s = {0, 0};
	uint32_t high = 0;
	const char *q;
	size_t i;

	for (i = 0; i < in.n; i++) {
		if ((q = memchr(base64, in.p[i], 64)) == NULL)
			return -1;
		s.bits = s.bits << 6 | (uint32_t)(q - base64);
		s.n += 6;
		if (s.n < 16)
			continue;
		s.n -= 16;
		if (take_unit(out, &high, s.bits >> s.n & 0xffff) == -1)
			return -1;
	}
	if (s.n >= 6 || (s.bits & ((1u << s.n) - 1)) != 0 || high != 0)
		return -1;
	return 0;
}

int
dec_utf7(struct buf *out, struct span in)
{
	bool was_shifted = false;
	ptrdiff_t end;
	int bad;

	while (in.n > 0) {
		if (*in.p != '&') {
			if (!is_direct((unsigned char)*in.p) ||
			    buf_putc(out, *in.p) == -1)
				return -1;
			was_shifted = false;
			in = span_skip(in, 1);
			continue;
		}
		in = span_skip(in, 1);
		/* Two shifts in a row would be a second spelling of one. */
		if ((end = span_find(in, '-')) == -1 ||
		    (end > 0 && was_shifted))
			return -1;
		bad = end == 0
		          ? buf_putc(out, '&')
		          : take_shifted(out, span_bytes(in.p, (size_t)end));
		if (bad)
			return -1;
		was_shifted = end > 0;
		in = span_skip(in, (size_t)end + 1);
	}
	return 0;
}

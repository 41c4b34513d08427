/*
 * Encodings of bytes as text: base64, hexadecimal, percent, UTF-8.
 */

#include "base/enc.h"

#include <string.h>

static const char base64[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char hex[] = "0123456789abcdef";

int
enc_base64(struct buf *out, struct span in)
{
	const unsigned char *p = (const unsigned char *)in.p;
	char four[4];
	uint32_t v;

	for (; in.n > 0; in.n -= in.n < 3 ? in.n : 3, p += 3) {
		v = (uint32_t)p[0] << 16;
		v |= in.n > 1 ? (uint32_t)p[1] << 8 : 0;
		v |= in.n > 2 ? (uint32_t)p[2] : 0;
		four[0] = base64[v >> 18];
		four[1] = base64[v >> 12 & 63];
		four[2] = in.n > 1 ? base64[v >> 6 & 63] : '=';
		four[3] = in.n > 2 ? base64[v & 63] : '=';
		if (buf_append(out, four, 4) == -1)
			return -1;
	}
	return 0;
}

/* Four characters to 1..3 bytes; 0 when they are not a group. */
static size_t
base64_group(const char *p, bool last, char three_r[3])
{
	size_t i, n = 4;
	const char *q;
	uint32_t v = 0;

	if (last && p[3] == '=')
		n = p[2] == '=' ? 2 : 3;
	for (i = 0; i < 4; i++) {
		q = i < n ? memchr(base64, p[i], 64) : base64;
		if (q == NULL)
			return 0;
		v = v << 6 | (uint32_t)(q - base64);
	}
	/* Bits that stand for no byte must be zero: one text per value. */
	if (v & (0xffffffu >> (8 * (n - 1)) & 0xffffff))
		return 0;
	three_r[0] = (char)(v >> 16 & 0xff);
	three_r[1] = (char)(v >> 8 & 0xff);
	three_r[2] = (char)(v & 0xff);
	return n - 1;
}

int
dec_base64(struct buf *out, struct span in)
{
	char three[3];
	size_t i, n;

	if (in.n % 4 != 0)
		return -1;
	for (i = 0; i < in.n; i += 4) {
		n = base64_group(in.p + i, i + 4 == in.n, three);
		if (n == 0 || buf_append(out, three, n) == -1)
			return -1;
	}
	return 0;
}

int
enc_hex(struct buf *out, struct span in)
{
	unsigned char c;
	size_t i;

	for (i = 0; i < in.n; i++) {
		c = (unsigned char)in.p[i];
		if (buf_putc(out, hex[c >> 4]) == -1 ||
		    buf_putc(out, hex[c & 15]) == -1)
			return -1;
	}
	return 0;
}

/* The byte two hexadecimal digits stand for, or -1. */
static int
hex_pair(const char *p)
{
	int i, d, v = 0;

	for (i = 0; i < 2; i++) {
		d = p[i] >= '0' && p[i] <= '9'   ? p[i] - '0'
		    : p[i] >= 'a' && p[i] <= 'f' ? p[i] - 'a' + 10
		    : p[i] >= 'A' && p[i] <= 'F' ? p[i] - 'A' + 10
		                                 : -1;
		if (d == -1)
			return -1;
		v = v * 16 + d;
	}
	return v;
}

int
dec_hex(struct buf *out, struct span in)
{
	size_t i;
	int v;

	if (in.n % 2 != 0)
		return -1;
	for (i = 0; i < in.n; i += 2)
		if ((v = hex_pair(in.p + i)) == -1 ||
		    buf_putc(out, (char)v) == -1)
			return -1;
	return 0;
}

int
dec_percent(struct buf *out, struct span in)
{
	size_t i;
	int v;

	for (i = 0; i < in.n; i++) {
		v = (unsigned char)in.p[i];
		if (v == '%') {
			if (in.n - i < 3 || (v = hex_pair(in.p + i + 1)) <= 0)
				return -1;
			i += 2;
		}
		if (buf_putc(out, (char)v) == -1)
			return -1;
	}
	return 0;
}

static bool
is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
	       c == '~';
}

int
enc_percent(struct buf *out, struct span in)
{
	size_t i;
	int bad;

	for (i = 0; i < in.n; i++) {
		if (is_unreserved(in.p[i]))
			bad = buf_putc(out, in.p[i]);
		else
			bad = buf_printf(
			    out, "%%%02X", (unsigned)(unsigned char)in.p[i]);
		if (bad)
			return -1;
	}
	return 0;
}

int
enc_line(struct buf *out, struct span in, const char *also)
{
	struct span plus = span_of(also);
	size_t i;
	int bad;

	for (i = 0; i < in.n; i++) {
		unsigned char c = (unsigned char)in.p[i];

		if (c == '\0')
			bad = buf_putc(out, '?');
		else if (c < ' ' || c == 127 || c == '%' ||
			 span_find(plus, (char)c) != -1)
			bad = buf_printf(out, "%%%02X", (unsigned)c);
		else
			bad = buf_putc(out, (char)c);
		if (bad)
			return -1;
	}
	return 0;
}

bool
enc_utf8_next(struct span *s, uint32_t *cp_r)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *p = (const unsigned char *)s->p;
	uint32_t cp;
	size_t i, n;

	if (s->n == 0)
		return false;
	n = p[0] < 0x80   ? 1
	    : p[0] < 0xc0 ? 0
	    : p[0] < 0xe0 ? 2
	    : p[0] < 0xf0 ? 3
	    : p[0] < 0xf8 ? 4
	                  : 0;
	if (n == 0 || n > s->n)
		return false;
	cp = n == 1 ? p[0] : p[0] & (0x7fu >> n);
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return false;
		cp = cp << 6 | (p[i] & 0x3f);
	}
	if (cp < least[n] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		return false;
	*cp_r = cp;
	*s = span_skip(*s, n);
	return true;
}

int
enc_utf8_valid(struct span s)
{
	uint32_t cp;

	while (s.n > 0)
		if (!enc_utf8_next(&s, &cp))
			return 0;
	return 1;
}

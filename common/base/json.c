/*
 * JSON for those who read lists with programs.
 */

#include "base/json.h"

#include <string.h>

#include "base/enc.h"

static int
put_char(struct buf *out, char c)
{
	static const char plain[] = "\"\\\b\f\n\r\t";
	static const char letters[] = "\"\\bfnrt";
	ptrdiff_t i = span_find(span_of(plain), c);

	if (i != -1)
		return buf_printf(out, "\\%c", letters[i]);
	if ((unsigned char)c < ' ')
		return buf_printf(out, "\\u%04x", (unsigned)(unsigned char)c);
	return buf_putc(out, c);
}

static int
put_string(struct buf *out, struct span s)
{
	struct span rest = s;
	uint32_t cp;
	int bad = buf_putc(out, '"');

	while (bad == 0 && s.n > 0) {
		if (!enc_utf8_next(&rest, &cp)) {
			bad = buf_puts(out, "\xef\xbf\xbd");
			rest = span_skip(s, 1);
		} else if (cp < 128)
			bad = put_char(out, s.p[0]);
		else
			bad = buf_append(out, s.p, s.n - rest.n);
		s = rest;
	}
	return bad == 0 ? buf_putc(out, '"') : -1;
}

/* What stands in front of a value: a comma, unless it is the first, and its
 * key. */
static int
begin(struct buf *out, const char *key)
{
	struct span s = buf_span(out);
	char last = s.n > 0 ? s.p[s.n - 1] : '\n';

	if (last != '\n' && last != '{' && last != '[' &&
	    buf_putc(out, ',') == -1)
		return -1;
	if (key == NULL)
		return 0;
	return put_string(out, span_of(key)) == 0 ? buf_putc(out, ':') : -1;
}

int
json_open(struct buf *out, const char *key, char bracket)
{
	return begin(out, key) == 0 ? buf_putc(out, bracket) : -1;
}

int
json_close(struct buf *out, char bracket)
{
	return buf_putc(out, bracket);
}

int
json_text(struct buf *out, const char *key, struct span s)
{
	return begin(out, key) == 0 ? put_string(out, s) : -1;
}

int
json_number(struct buf *out, const char *key, int64_t n)
{
	return begin(out, key) == 0 ? buf_printf(out, "%lld", (long long)n)
	                            : -1;
}

int
json_bool(struct buf *out, const char *key, bool yes)
{
	return begin(out, key) == 0 ? buf_puts(out, yes ? "true" : "false")
	                            : -1;
}

int
json_null(struct buf *out, const char *key)
{
	return begin(out, key) == 0 ? buf_puts(out, "null") : -1;
}

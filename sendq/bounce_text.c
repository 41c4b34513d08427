/*
 * Text of servers made harmless, and lines of a sane length out of it.
 */

#include "bounce_text.h"

#include <stdint.h>
#include <string.h>

#include "base/enc.h"

bool
text_is_ascii(struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > 127)
			return false;
	return true;
}

/* C1 controls, marks of direction, separators of lines. */
static bool
is_harmful(uint32_t c)
{
	return (c >= 0x80 && c <= 0x9f) || c == 0x061c || c == 0x200e ||
	       c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

int
text_clean(struct buf *out, struct span s, bool utf8, size_t max)
{
	struct span rest, c;
	uint32_t code;
	int rc = 0;

	for (; rc == 0 && s.n > 0 && max > 0; s = rest) {
		rest = s;
		if (!enc_utf8_next(&rest, &code)) {
			rest = span_skip(s, 1);
			code = 0x80;
		}
		c = span_bytes(s.p, s.n - rest.n);
		if (c.n > max)
			break;
		max -= c.n;
		if (code < ' ' || code == 127)
			rc = buf_putc(out, ' ');
		else if (is_harmful(code) || (code > 127 && !utf8))
			rc = buf_putc(out, '?');
		else
			rc = buf_add(out, c);
	}
	return rc;
}

size_t
text_column(const struct buf *out)
{
	struct span s = buf_span(out);
	size_t n = 0;

	while (n < s.n && s.p[s.n - 1 - n] != '\n')
		n++;
	return n;
}

/* As much of a word as goes on a line: whole, but for one that is too long. */
static struct span
take_piece(struct span *word)
{
	struct span piece = *word;

	if (piece.n > TEXT_WORD_MAX)
		piece.n = TEXT_WORD_MAX;
	while (piece.n > 1 && piece.n < word->n &&
	       ((unsigned char)word->p[piece.n] & 0xc0) == 0x80)
		piece.n--;
	*word = span_skip(*word, piece.n);
	return piece;
}

static int
put_piece(struct buf *out, struct span piece, const char *next)
{
	struct span s = buf_span(out);
	size_t col = text_column(out);

	if (col > 0 && s.p[s.n - 1] != ' ') {
		if (col + 1 + piece.n > TEXT_WIDTH) {
			if (buf_puts(out, "\r\n") == -1 ||
			    buf_puts(out, next) == -1)
				return -1;
		} else if (buf_putc(out, ' ') == -1)
			return -1;
	}
	return buf_add(out, piece);
}

int
text_flow(struct buf *out, struct span s, const char *next)
{
	struct span word;

	while (span_word(&s, &word)) {
		while (word.n > 0)
			if (put_piece(out, take_piece(&word), next) == -1)
				return -1;
	}
	return 0;
}

/*
 * Addresses in normal form: whether one can be sent to, how two compare; and
 * the names that stand by them.
 */

#include "base/address.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "base/enc.h"
#include "base/glob.h"

/* --- names --------------------------------------------------------------- */

static bool
is_blank(char c)
{
	return (unsigned char)c <= ' ' || c == 0x7f;
}

/* What stands in quotes or parentheses. */
static int
put_inside(struct buf *out, struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		else if (s.p[i] == '\r' || s.p[i] == '\n')
			continue;
		if (buf_putc(out, is_blank(s.p[i]) ? ' ' : s.p[i]) == -1)
			return -1;
	}
	return 0;
}

/* Blanks and comments between words are one blank. */
static int
put_words(struct buf *out, struct span s)
{
	bool blank = false, some = false;
	size_t i, shut;

	for (i = 0; i<s.n; i = shut> 0 ? shut : i + 1) {
		shut = s.p[i] == '"'   ? span_closed(s, i, '"')
		       : s.p[i] == '(' ? span_closed(s, i, ')')
		                       : 0;
		if (is_blank(s.p[i]) || (s.p[i] == '(' && shut > 0)) {
			blank = some;
			continue;
		}
		if (blank && buf_putc(out, ' ') == -1)
			return -1;
		blank = false;
		some = true;
		if (shut > 0 ? put_inside(out,
				   span_bytes(s.p + i + 1, shut - i - 2)) == -1
			     : buf_putc(out, s.p[i]) == -1)
			return -1;
	}
	return 0;
}

int
address_name(struct buf *out, struct span name)
{
	struct span s = span_trim(name);

	if (s.n > 0 && *s.p == '(' && span_closed(s, 0, ')') == s.n)
		return put_inside(out, span_trim(span_bytes(s.p + 1, s.n - 2)));
	return put_words(out, s);
}

/* --- addresses ----------------------------------------------------------- */

/* Index of the '@' in front of the domain, else the length. */
static size_t
at_index(struct span text)
{
	size_t i = text.n;

	/* No domain has an '@' in it, and what ends with a quote has none. */
	if (i > 0 && text.p[i - 1] == '"')
		return i;
	while (i > 0 && text.p[i - 1] != '@')
		i--;
	return i > 0 ? i - 1 : text.n;
}

struct span
address_domain(struct span text)
{
	return span_skip(text, at_index(text) + 1);
}

static const char *
fault(struct span text)
{
	struct span rest = text;
	uint32_t c;

	if (text.n == 0)
		return "is empty";
	if (text.n > ADDRESS_MAX)
		return "is longer than the 254 octets that mail allows";
	if (at_index(text) > ADDRESS_LOCAL_MAX)
		return "has more than 64 octets in front of its '@'";
	while (rest.n > 0) {
		if (!enc_utf8_next(&rest, &c))
			return "is not UTF-8";
		if (c < ' ' || (c >= 0x7f && c < 0xa0))
			return "has a control character in it";
	}
	return NULL;
}

int
address_check(struct span text, struct err *e)
{
	const char *why = fault(text);
	char *shown;

	if (why == NULL)
		return 0;
	shown = span_show(text, 100);
	err_code(e, ERR_MESSAGE, EX_DATAERR, "address '%s' %s", shown, why);
	free(shown);
	return -1;
}

static int
compare_lengths(size_t a, size_t b)
{
	return a < b ? -1 : a > b;
}

static int
compare(struct span a, struct span b, bool fold)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = 0;

	if (n > 0)
		c = fold ? strncasecmp(a.p, b.p, n) : memcmp(a.p, b.p, n);
	return c != 0 ? c : compare_lengths(a.n, b.n);
}

int
address_compare(struct span a, struct span b)
{
	size_t at_a = at_index(a), at_b = at_index(b);
	int c = compare(span_skip(a, at_a), span_skip(b, at_b), true);

	return c != 0 ? c
	              : compare(span_bytes(a.p, at_a), span_bytes(b.p, at_b),
			    false);
}

static char *
lower(struct span s)
{
	char *t = span_dup(s), *p;

	for (p = t; *p != '\0'; p++) {
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p + ('a' - 'A'));
	}
	return t;
}

bool
address_match(const char *pattern, struct span text)
{
	char *p = lower(span_of(pattern)), *t = lower(text);
	bool matched = glob_match(p, t, '\0');

	free(p);
	free(t);
	return matched;
}

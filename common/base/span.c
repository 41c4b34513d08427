/*
 * Borrowed bytes with a length: how everything a peer sent is looked at.
 */

#include "base/span.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

struct span
span_of(const char *s)
{
	return (struct span){s, s != NULL ? strlen(s) : 0};
}

struct span
span_bytes(const void *p, size_t n)
{
	return (struct span){p, n};
}

bool
span_eq(struct span s, const char *t)
{
	return s.n == strlen(t) && (s.n == 0 || memcmp(s.p, t, s.n) == 0);
}

bool
span_caseeq(struct span s, const char *t)
{
	return s.n == strlen(t) && (s.n == 0 || strncasecmp(s.p, t, s.n) == 0);
}

bool
span_same(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool
span_prefix(struct span s, const char *t)
{
	size_t n = strlen(t);

	return s.n >= n && (n == 0 || strncasecmp(s.p, t, n) == 0);
}

bool
span_says(struct span s, const char *const *texts)
{
	size_t i;

	for (; s.n > 0; s = span_skip(s, 1))
		for (i = 0; texts[i] != NULL; i++)
			if (span_prefix(s, texts[i]))
				return true;
	return false;
}

ptrdiff_t
span_find(struct span s, char c)
{
	const char *q = s.n > 0 ? memchr(s.p, c, s.n) : NULL;

	return q != NULL ? q - s.p : -1;
}

size_t
span_closed(struct span s, size_t i, char shut)
{
	char open = i < s.n ? s.p[i] : shut;
	size_t depth = 1;

	for (i++; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == shut && --depth == 0)
			return i + 1;
		else if (s.p[i] == open)
			depth++;
	}
	return 0;
}

struct span
span_skip(struct span s, size_t k)
{
	if (k >= s.n)
		return (struct span){NULL, 0};
	return (struct span){s.p + k, s.n - k};
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span
span_trim(struct span s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s.p++, s.n--;
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

bool
span_word(struct span *s, struct span *word_r)
{
	size_t i = 0, k;

	while (i < s->n && (s->p[i] == ' ' || s->p[i] == '\t'))
		i++;
	if (i == s->n)
		return false;
	for (k = i; k < s->n && s->p[k] != ' ' && s->p[k] != '\t'; k++)
		;
	*word_r = (struct span){s->p + i, k - i};
	*s = span_skip(*s, k);
	return true;
}

bool
span_cut(struct span *s, char sep, struct span *part_r)
{
	ptrdiff_t k;

	if (s->n == 0)
		return false;
	k = span_find(*s, sep);
	if (k == -1) {
		*part_r = *s;
		*s = (struct span){NULL, 0};
	} else {
		*part_r = (struct span){s->p, (size_t)k};
		*s = span_skip(*s, (size_t)k + 1);
	}
	return true;
}

bool
span_number(struct span s, uint64_t max, uint64_t *n_r)
{
	uint64_t v = 0, d;
	size_t i;

	if (s.n == 0)
		return false;
	for (i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		d = (uint64_t)(s.p[i] - '0');
		if (d > max || v > max / 10 || v * 10 > max - d)
			return false;
		v = v * 10 + d;
	}
	*n_r = v;
	return true;
}

char *
span_dup(struct span s)
{
	char *d = mem_alloc(s.n + 1);
	size_t i;

	for (i = 0; i < s.n; i++)
		d[i] = s.p[i] != '\0' ? s.p[i] : '?';
	return d;
}

char *
span_show(struct span s, size_t max)
{
	size_t i, k = 0, n = s.n < max ? s.n : max;
	char *d = mem_alloc(n * 4 + 4);

	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '\r' || c == '\n' || c == '\t') {
			d[k++] = '\\';
			d[k++] = c == '\r' ? 'r' : c == '\n' ? 'n' : 't';
		} else if (c < 0x20 || c == 0x7f) {
			snprintf(d + k, 5, "\\x%02x", c);
			k += 4;
		} else
			d[k++] = (char)c;
	}
	if (n < s.n)
		memcpy(d + k, "...", 4);
	return d;
}

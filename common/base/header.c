/*
 * The header of a message, read as leniently as mail is written: only LF ends
 * a line, CRs around it do not matter, and a line that is no field is skipped
 * over, never refused.
 */

#include "base/header.h"

#include <stdio.h>
#include <string.h>

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_space(char c)
{
	return is_blank(c) || c == '\r' || c == '\n';
}

/* Length of the line at the front, its LF included. */
static size_t
line_len(struct span s)
{
	ptrdiff_t lf = span_find(s, '\n');

	return lf == -1 ? s.n : (size_t)lf + 1;
}

static struct span
without_end(struct span line)
{
	if (line.n > 0 && line.p[line.n - 1] == '\n')
		line.n--;
	while (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

/* Length of the field name before a colon, 0 when this is no field. */
static size_t
name_len(struct span line, size_t *colon_r)
{
	ptrdiff_t colon = span_find(line, ':');
	size_t i, n;

	if (colon <= 0)
		return 0;
	n = *colon_r = (size_t)colon;
	while (n > 0 && is_blank(line.p[n - 1]))
		n--;
	for (i = 0; i < n; i++)
		if (line.p[i] <= ' ' || line.p[i] > '~')
			return 0;
	return n;
}

bool
header_next(struct span *rest, struct span *name_r, struct span *body_r)
{
	size_t len = line_len(*rest), colon, n;
	struct span line = span_bytes(rest->p, len);

	if (without_end(line).n == 0)
		return false;
	n = name_len(without_end(line), &colon);
	while (len < rest->n && is_blank(rest->p[len]))
		len += line_len(span_skip(*rest, len));
	line = without_end(span_bytes(rest->p, len));
	*name_r = span_bytes(line.p, n);
	*body_r = n > 0 ? span_skip(line, colon + 1) : line;
	*rest = span_skip(*rest, len);
	return true;
}

bool
header_find(struct span header, const char *name, struct span *body_r)
{
	struct span field, body;

	while (header_next(&header, &field, &body)) {
		if (span_caseeq(field, name)) {
			*body_r = body;
			return true;
		}
	}
	return false;
}

int
header_unfold(struct buf *out, struct span body)
{
	struct span s = span_trim(body);
	size_t i = 0, end;
	bool folded;

	while (i < s.n) {
		folded = false;
		for (end = i; end < s.n && is_space(s.p[end]); end++)
			if (s.p[end] == '\r' || s.p[end] == '\n')
				folded = true;
		if (folded && buf_putc(out, ' ') == -1)
			return -1;
		if (folded)
			i = end;
		while (end < s.n && !is_space(s.p[end]))
			end++;
		if (buf_append(out, s.p + i, end - i) == -1)
			return -1;
		i = end;
	}
	return 0;
}

/*
 * How an address field is read.  A quote or parenthesis that is never closed
 * is an ordinary character; having found that once, it is not sought again.
 */
struct cursor {
	struct span s;
	size_t i;
	bool no_quotes, no_comments, no_literals;
};

/* Steps over a quoted or bracketed unit if one starts here. */
static bool
skip_unit(struct cursor *c, char open, char shut, bool *none)
{
	size_t end;

	if (*none || c->s.p[c->i] != open)
		return false;
	end = span_closed(c->s, c->i, shut);
	*none = end == 0;
	if (end > 0)
		c->i = end;
	return end > 0;
}

/* A word: what stands between blanks and the punctuation of lists. */
static struct span
take_word(struct cursor *c, bool *has_at_r)
{
	const char *p = c->s.p;
	size_t start = c->i;

	*has_at_r = false;
	while (c->i < c->s.n) {
		if (skip_unit(c, '"', '"', &c->no_quotes))
			continue;
		if (c->i > start && p[c->i - 1] == '@' &&
		    skip_unit(c, '[', ']', &c->no_literals))
			continue;
		if (is_space(p[c->i]) || memchr(",;:<>", p[c->i], 5) != NULL ||
		    (p[c->i] == '(' && !c->no_comments))
			break;
		if (p[c->i] == '@')
			*has_at_r = true;
		c->i += p[c->i] == '\\' && c->i + 1 < c->s.n ? 2 : 1;
	}
	return span_bytes(p + start, c->i - start);
}

static bool
looks_like_address(struct span s)
{
	bool quoted = span_find(s, '"') != -1;
	size_t i;

	for (i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f ||
		    (s.p[i] == ' ' && !quoted))
			return false;
	return s.n > 0 && *s.p != '@' && s.p[s.n - 1] != '@';
}

/*
 * What is in "<...>", a source route (RFC 5321 appendix C) left out.  If it is
 * no address, the cursor is just behind the '<'; since it looks no further
 * than the next '<', nothing is looked at more than twice.
 */
static bool
take_angle(struct cursor *c, struct span *addr_r)
{
	size_t start = ++c->i, end;
	struct span s;
	ptrdiff_t colon;

	while (c->i < c->s.n && c->s.p[c->i] != '>' && c->s.p[c->i] != '<')
		if (!skip_unit(c, '"', '"', &c->no_quotes))
			c->i += c->s.p[c->i] == '\\' ? 2 : 1;
	end = c->i;
	c->i = start;
	if (end >= c->s.n || c->s.p[end] == '<')
		return false;
	s = span_trim(span_bytes(c->s.p + start, end - start));
	if (s.n > 0 && *s.p == '@' && (colon = span_find(s, ':')) != -1)
		s = span_trim(span_skip(s, (size_t)colon + 1));
	if (s.n > 0 && !looks_like_address(s))
		return false;
	*addr_r = s;
	return true;
}

bool
header_address(struct span body, struct span *addr_r)
{
	struct cursor c = {.s = body};
	struct span word, found = {NULL, 0};
	bool has_at;

	while (c.i < body.n) {
		if (skip_unit(&c, '(', ')', &c.no_comments))
			continue;
		if (body.p[c.i] == '<') {
			if (take_angle(&c, addr_r))
				return true;
			continue;
		}
		if (body.p[c.i] == ',' && found.n > 0)
			break;
		word = take_word(&c, &has_at);
		if (word.n == 0)
			c.i++;
		else if (has_at && found.n == 0 && looks_like_address(word))
			found = word;
	}
	if (found.n > 0)
		*addr_r = found;
	return found.n > 0;
}

void
header_scan_init(struct header_scan *s)
{
	*s = (struct header_scan){.line_empty = true};
}

size_t
header_scan_feed(struct header_scan *s, const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n && !s->done; i++) {
		if (p[i] == '\n') {
			s->done = s->line_empty;
			s->line_empty = true;
		} else if (p[i] != '\r')
			s->line_empty = false;
	}
	return i;
}

void
header_digest_init(struct header_digest *d)
{
	SHA256Init(&d->sha);
	d->n_blanks = 0;
	d->held_newline = false;
}

static void
hash(struct header_digest *d, const void *p, size_t n)
{
	SHA256Update(&d->sha, p, n);
}

/* Something follows, so what was held back counts. */
static void
hash_held(struct header_digest *d)
{
	if (d->held_newline)
		hash(d, "\n", 1);
	hash(d, d->blanks, d->n_blanks);
	d->held_newline = false;
	d->n_blanks = 0;
}

void
header_digest_feed(struct header_digest *d, const char *p, size_t n)
{
	size_t i, start;

	for (i = 0; i < n;) {
		if (is_blank(p[i])) {
			if (d->n_blanks == sizeof(d->blanks))
				hash_held(d);
			d->blanks[d->n_blanks++] = p[i++];
		} else if (p[i] == '\n') {
			d->n_blanks = 0;
			d->held_newline = true;
			i++;
		} else if (p[i] == '\r')
			i++;
		else {
			for (start = i; i < n && !is_space(p[i]); i++)
				;
			hash_held(d);
			hash(d, p + start, i - start);
		}
	}
}

void
header_digest_hex(struct header_digest *d, char out_r[HEADER_DIGEST_HEX])
{
	unsigned char sum[SHA256_DIGEST_LENGTH];
	size_t i;

	SHA256Final(sum, &d->sha);
	for (i = 0; i < (HEADER_DIGEST_HEX - 1) / 2; i++)
		snprintf(out_r + 2 * i, 3, "%02x", sum[i]);
}

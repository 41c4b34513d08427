/*
 * The fields of a header, written so that they can be sent: in lines that are
 * not too long, in ASCII where that can be, with whole addresses.
 */

#include "letter_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/encword.h"
#include "os/idn.h"

#define NICE_LINE 78 /* RFC 5322 section 2.1.1 */

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

bool
write_wide(struct span s)
{
	unsigned char all = 0;
	size_t i;

	for (i = 0; i < s.n; i++)
		all |= (unsigned char)s.p[i];
	return all > 127;
}

/* Cuts a line off the front, without its CRLF; false at the end. */
static bool
next_line(struct span *rest, struct span *line_r)
{
	ptrdiff_t lf = span_find(*rest, '\n');

	if (rest->n == 0)
		return false;
	*line_r = span_bytes(rest->p, lf == -1 ? rest->n : (size_t)lf);
	*rest = span_skip(*rest, line_r->n + 1);
	if (line_r->n > 0 && line_r->p[line_r->n - 1] == '\r')
		line_r->n--;
	return true;
}

int
write_clean(struct buf *out, struct span body)
{
	struct span line;
	bool first;

	for (first = true; next_line(&body, &line); first = false) {
		if (!first && span_trim(line).n == 0)
			continue;
		if (!first && buf_puts(out, "\r\n") == -1)
			return -1;
		if (buf_add(out, line) == -1)
			return -1;
	}
	return 0;
}

/* --- encoded words ------------------------------------------------------- */

/* Octets on the last line. */
static size_t
column(const struct buf *b)
{
	struct span s = buf_span(b);
	size_t n = 0;

	while (n < s.n && s.p[s.n - 1 - n] != '\n')
		n++;
	return n;
}

static char
last_char(const struct buf *b)
{
	struct span s = buf_span(b);

	return s.n > 0 ? s.p[s.n - 1] : '\n';
}

/*
 * Appends what stands in front of an encoded word, as it is, but with a fold
 * before the blanks at its end if the word would come to stand far right.
 * (Never two folds in a row: that would be the header's end.)
 */
static int
put_before(struct buf *out, struct span part)
{
	size_t n = part.n;

	while (n > 0 && is_blank(part.p[n - 1]))
		n--;
	if (buf_append(out, part.p, n) == -1)
		return -1;
	if (n < part.n && last_char(out) != '\n' &&
	    column(out) + part.n - n > ENCWORD_LINE - ENCWORD_LEAST &&
	    buf_puts(out, "\r\n") == -1)
		return -1;
	return buf_append(out, part.p + n, part.n - n);
}

/* Cuts a word between blanks off the front; false when there is none. */
static bool
next_word(struct span *rest, struct span *word_r)
{
	size_t i = 0, k;

	while (i < rest->n && is_space(rest->p[i]))
		i++;
	for (k = i; k < rest->n && !is_space(rest->p[k]); k++)
		;
	*word_r = span_bytes(span_skip(*rest, i).p, k - i);
	*rest = span_skip(*rest, k);
	return word_r->n > 0;
}

/* Of words beyond ASCII in a row, their text; folds in it are resolved. */
static int
put_encoded(struct buf *out, struct span run, bool before, bool behind)
{
	struct span line;
	struct buf text;
	int rc = 0;

	buf_init(&text, run.n + 2);
	/* Blanks between encoded words do not count for readers. */
	if (before)
		buf_putc(&text, ' ');
	while (next_line(&run, &line))
		buf_add(&text, line);
	if (behind)
		buf_putc(&text, ' ');
	rc = encword(out, buf_span(&text), column(out));
	buf_clear(&text);
	return rc;
}

int
write_text(struct buf *out, struct span body)
{
	struct span rest = body, word, after, next, run;
	const char *done = body.p;
	bool before = false, some;

	while (next_word(&rest, &word)) {
		if (!write_wide(word)) {
			before = encword_is(word);
			continue;
		}
		run = word;
		for (after = rest;
		     (some = next_word(&after, &next)) && write_wide(next);
		     rest = after)
			run.n = (size_t)(next.p + next.n - run.p);
		if (put_before(out, span_bytes(done, (size_t)(run.p - done))) ==
			-1 ||
		    put_encoded(out, run, before, some && encword_is(next)) ==
			-1)
			return -1;
		done = run.p + run.n;
		before = false;
	}
	return buf_append(out, done, (size_t)(body.p + body.n - done));
}

/* --- addresses ----------------------------------------------------------- */

/*
 * A domain beyond ASCII has a name in it, which all servers take; a local part
 * has none, and with it the whole header needs SMTPUTF8.  Owned by the caller;
 * NULL: the address, in normal form, stays as it is.
 */
static char *
ascii_address(struct span address)
{
	char *text, *ascii = NULL;
	struct err e;

	if (!write_wide(address))
		return NULL;
	text = span_dup(address);
	if (idn_local_part(text) || idn_address(text, &ascii, &e) == -1)
		ascii = NULL;
	free(text);
	return ascii;
}

/* Whether there is a line that must not be as long as it is. */
static bool
is_long(struct span s)
{
	struct span line;

	while (next_line(&s, &line))
		if (line.n > LETTER_LINE_MAX)
			return true;
	return false;
}

/* Whether the list can be read, and there is something to do. */
static bool
wants_edit(struct span list, const char *domain)
{
	struct address_walk w;
	struct address a;
	struct err e;
	bool wants = is_long(list);
	int rc;

	address_walk_init(&w, list);
	while ((rc = address_next(&w, &a, &e)) == 1)
		wants |= (a.local && domain != NULL) || write_wide(a.name) ||
		         write_wide(a.text);
	return rc == 0 && wants;
}

/* Where a list is being edited. */
struct edit {
	struct buf *out;
	const char *done; /* of the list, all up to here was appended */
};

/* What stands up to here, and the name, by itself or in parentheses. */
static int
edit_name(struct edit *ed, struct span name)
{
	struct span before = span_bytes(ed->done, (size_t)(name.p - ed->done));
	bool comment = *name.p == '(';
	struct buf text;
	int rc;

	buf_init(&text, name.n);
	rc = address_name(&text, name);
	if (rc == 0)
		rc = put_before(ed->out, before);
	if (rc == 0 && !is_blank(last_char(ed->out)))
		rc = buf_puts(ed->out,
		    column(ed->out) > ENCWORD_LINE - ENCWORD_LEAST ? "\r\n "
								   : " ");
	if (rc == 0 && comment)
		rc = buf_putc(ed->out, '(');
	if (rc == 0)
		rc = encword(ed->out, buf_span(&text), column(ed->out));
	if (rc == 0 && comment)
		rc = buf_putc(ed->out, ')');
	buf_clear(&text);
	ed->done = name.p + name.n;
	return rc;
}

/* What stands up to here, and a domain. */
static int
edit_domain(struct edit *ed, const char *at, const char *domain)
{
	const char *from = ed->done;

	ed->done = at;
	if (buf_append(ed->out, from, (size_t)(at - from)) == -1)
		return -1;
	return buf_printf(ed->out, "@%s", domain);
}

static int
edit_spec(struct edit *ed, const struct address *a)
{
	struct span before =
	    span_bytes(ed->done, (size_t)(a->spec.p - ed->done));
	char *ascii = ascii_address(a->text);
	int rc = 0;

	if (ascii != NULL) {
		ed->done = a->spec.p + a->spec.n;
		rc = buf_add(ed->out, before);
		if (rc == 0)
			rc = buf_puts(ed->out, ascii);
		free(ascii);
	}
	return rc;
}

static int
edit_address(struct edit *ed, const struct address *a, const char *domain)
{
	const char *end = a->spec.n > 0 ? a->spec.p + a->spec.n : NULL;
	bool wide = write_wide(a->name);

	if (wide && (end == NULL || a->name.p < end)) {
		if (edit_name(ed, a->name) == -1)
			return -1;
		wide = false;
	}
	if (edit_spec(ed, a) == -1 ||
	    (a->local && domain != NULL && edit_domain(ed, end, domain) == -1))
		return -1;
	return wide ? edit_name(ed, a->name) : 0;
}

/* Behind a comma there can be a blank, and a fold. */
static int
edit_comma(struct edit *ed, struct span list, size_t i)
{
	const char *from = ed->done, *to = list.p + i + 1;

	if (i + 1 >= list.n || list.p[i] != ',' || is_space(*to) ||
	    column(ed->out) + (size_t)(to - from) < NICE_LINE / 2)
		return 0;
	ed->done = to;
	if (buf_append(ed->out, from, (size_t)(to - from)) == -1)
		return -1;
	return buf_puts(ed->out, "\r\n ");
}

int
write_list(struct buf *out, struct span list, const char *domain)
{
	struct edit ed = {out, list.p};
	bool fold = is_long(list);
	struct address_walk w;
	struct address a;
	struct err e;

	if (!wants_edit(list, domain))
		return buf_add(out, list);
	address_walk_init(&w, list);
	while (address_next(&w, &a, &e) == 1) {
		if (edit_address(&ed, &a, domain) == -1 ||
		    (fold && edit_comma(&ed, list, w.i) == -1))
			return -1;
	}
	return buf_append(out, ed.done, (size_t)(list.p + list.n - ed.done));
}

/* Whether these are words that can stand as they are in front of "<...>". */
static bool
is_phrase(struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (memchr("()<>[]:;@\\,.\"", s.p[i], 13) != NULL)
			return false;
	return true;
}

static int
put_quoted(struct buf *out, struct span s)
{
	int rc = buf_putc(out, '"');
	size_t i;

	for (i = 0; i < s.n && rc == 0; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			rc = buf_putc(out, '\\');
		if (rc == 0)
			rc = buf_putc(out, s.p[i]);
	}
	return rc == 0 ? buf_putc(out, '"') : -1;
}

int
write_mailbox(
    struct buf *out, const char *name, const char *address, const char *domain)
{
	bool bare = domain == NULL || address_domain(span_of(address)).n > 0;
	char *ascii = ascii_address(span_of(address));
	char *words = span_dup(span_of(name)), *c;
	struct span s;
	int rc;

	for (c = words; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	s = span_trim(span_of(words));
	rc = write_wide(s)  ? encword(out, s, column(out))
	     : is_phrase(s) ? buf_add(out, s)
	                    : put_quoted(out, s);
	if (rc == 0)
		rc = buf_printf(out, "%s%s%s%s%s", s.n > 0 ? " <" : "",
		    ascii != NULL ? ascii : address, bare ? "" : "@",
		    bare ? "" : domain, s.n > 0 ? ">" : "");
	free(words);
	free(ascii);
	return rc;
}

/* --- folds --------------------------------------------------------------- */

/*
 * Where a long line can be folded: at the last blank of the first 78 octets,
 * else at the next; with something on either side.  0: nowhere.
 */
static size_t
fold_at(struct span line)
{
	bool some = false;
	size_t k, best = 0;

	for (k = 0; k + 1 < line.n && k <= LETTER_LINE_MAX; k++) {
		if (k > NICE_LINE && best > 0)
			break;
		if (!is_blank(line.p[k]))
			some = true;
		else if (some && !is_blank(line.p[k + 1]))
			best = k;
	}
	return best;
}

/* A line that is too long, in several; what is left of it is put last. */
static int
put_parts(struct buf *out, struct span *line)
{
	size_t k;

	while (line->n > 0 && is_blank(line->p[line->n - 1]))
		line->n--;
	while (line->n > NICE_LINE && (k = fold_at(*line)) > 0) {
		if (buf_append(out, line->p, k) == -1 ||
		    buf_puts(out, "\r\n") == -1)
			return -1;
		*line = span_skip(*line, k);
	}
	return 0;
}

int
write_folded(struct buf *out, struct span field)
{
	struct span line;

	while (next_line(&field, &line)) {
		if (line.n > LETTER_LINE_MAX && put_parts(out, &line) == -1)
			return -1;
		if (line.n > LETTER_LINE_MAX)
			return 0;
		if (buf_add(out, line) == -1 || buf_puts(out, "\r\n") == -1)
			return -1;
	}
	return 1;
}

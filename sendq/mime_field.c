/*
 * The two header fields that tell how a body is to be read, taken as lenient
 * as mail is written: comments, folds and quotes anywhere, punctuation missing.
 */

#include "mime_field.h"

#include <string.h>

#include "base/header.h"

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Blanks, folds and comments (RFC 5322 section 3.2.2), however nested. */
static void
skip_cfws(struct span *s)
{
	size_t i, depth = 0;

	for (i = 0; i < s->n; i++) {
		if (s->p[i] == '(')
			depth++;
		else if (depth == 0 && !is_space(s->p[i]))
			break;
		else if (depth > 0 && s->p[i] == '\\')
			i++;
		else if (depth > 0 && s->p[i] == ')')
			depth--;
	}
	*s = span_skip(*s, i);
}

static bool
skip_char(struct span *s, char c)
{
	skip_cfws(s);
	if (s->n == 0 || *s->p != c)
		return false;
	*s = span_skip(*s, 1);
	return true;
}

/* What stands there up to a blank or one of these characters; may be empty. */
static struct span
take_until(struct span *s, const char *stop)
{
	struct span word = *s;
	size_t n = strlen(stop);

	skip_cfws(s);
	word.p = s->p;
	for (word.n = 0; word.n < s->n; word.n++)
		if (is_space(s->p[word.n]) ||
		    memchr(stop, s->p[word.n], n) != NULL)
			break;
	*s = span_skip(*s, word.n);
	return word;
}

static struct span
take_token(struct span *s)
{
	return take_until(s, "()<>@,;:\\\"/[]?=");
}

/* --- Content-Type ------------------------------------------------------- */

static void
put_boundary(struct mime_field *f, char c)
{
	if (f->boundary_n < sizeof(f->boundary))
		f->boundary[f->boundary_n] = c;
	f->boundary_n++;
}

/* A folded string is one without its folds. */
static void
take_quoted(struct mime_field *f, struct span *s)
{
	size_t i;

	for (i = 1; i < s->n && s->p[i] != '"'; i++) {
		if (s->p[i] == '\\' && i + 1 < s->n)
			i++;
		if (s->p[i] != '\r' && s->p[i] != '\n')
			put_boundary(f, s->p[i]);
	}
	*s = span_skip(*s, i + 1);
}

static void
take_value(struct mime_field *f, struct span *s)
{
	struct span word;

	f->boundary_n = 0;
	skip_cfws(s);
	if (s->n > 0 && *s->p == '"') {
		take_quoted(f, s);
		return;
	}
	/* More than RFC 2045 allows without quotes, as in "=_next/1". */
	for (word = take_until(s, ";("); word.n > 0; word = span_skip(word, 1))
		put_boundary(f, *word.p);
}

/*
 * Blanks at a boundary's end are none of it, as they are none of a line that
 * has it (RFC 2046 section 5.1.1).  False when there is none to go by.
 */
static bool
take_boundary(struct mime_field *f, struct span s)
{
	struct span name;

	while (s.n > 0) {
		name = take_token(&s);
		if (!skip_char(&s, '=')) {
			if (name.n == 0)
				s = span_skip(s, 1);
			continue;
		}
		take_value(f, &s);
		if (span_caseeq(name, "boundary"))
			break;
		f->boundary_n = 0;
	}
	if (f->boundary_n > sizeof(f->boundary))
		f->boundary_n = 0;
	while (f->boundary_n > 0 && is_space(f->boundary[f->boundary_n - 1]))
		f->boundary_n--;
	return f->boundary_n > 0;
}

static void
read_multipart(struct mime_field *f, struct span sub, struct span rest)
{
	f->kind = take_boundary(f, rest) ? MIME_MULTIPART : MIME_OPAQUE;
	f->sealed = span_caseeq(sub, "signed") || span_caseeq(sub, "encrypted");
	f->digest = span_caseeq(sub, "digest");
}

static enum mime_kind
message_kind(struct span sub)
{
	if (span_caseeq(sub, "partial") || span_caseeq(sub, "external-body"))
		return MIME_OPAQUE;
	return span_caseeq(sub, "rfc822") ? MIME_MESSAGE : MIME_TEXT;
}

static void
read_type(struct mime_field *f, struct span body)
{
	struct span type, sub;

	type = take_token(&body);
	if (type.n == 0 || !skip_char(&body, '/'))
		return;
	sub = take_token(&body);
	if (sub.n == 0)
		return;
	f->kind = MIME_DATA;
	if (span_caseeq(type, "text"))
		f->kind = MIME_TEXT;
	else if (span_caseeq(type, "multipart"))
		read_multipart(f, sub, body);
	else if (span_caseeq(type, "message"))
		f->kind = message_kind(sub);
	else if (span_caseeq(type, "application"))
		f->sealed = span_caseeq(sub, "pkcs7-mime") ||
		            span_caseeq(sub, "x-pkcs7-mime");
}

/* --- Content-Transfer-Encoding ------------------------------------------ */

static const char *const labels[] = {
    [MIME_7BIT] = "7bit",
    [MIME_8BIT] = "8bit",
    [MIME_BINARY] = "binary",
    [MIME_QP] = "quoted-printable",
    [MIME_BASE64] = "base64",
};

const char *
mime_label_name(enum mime_label label)
{
	return label < sizeof(labels) / sizeof(labels[0]) ? labels[label]
	                                                  : NULL;
}

static enum mime_label
read_label(struct span body)
{
	struct span word = take_until(&body, ";(");
	size_t i;

	for (i = MIME_7BIT; i < sizeof(labels) / sizeof(labels[0]); i++)
		if (span_caseeq(word, labels[i]))
			return (enum mime_label)i;
	if (span_prefix(word, "x-") || span_caseeq(word, "uuencode"))
		return MIME_PRIVATE;
	return MIME_UNKNOWN;
}

/*
 * A message under a label that encodes is not looked into: whoever reads it
 * decodes it first.  Of multiparts, everyone ignores such a label.
 */
void
mime_field_read(struct span header, bool in_digest, struct mime_field *f)
{
	struct span body;

	*f = (struct mime_field){.kind = in_digest ? MIME_MESSAGE : MIME_TEXT};
	if (header_find(header, "Content-Transfer-Encoding", &body))
		f->label = read_label(body);
	if (header_find(header, "Content-Type", &body))
		read_type(f, body);
	f->mime = header_find(header, "MIME-Version", &body);
	if (f->kind == MIME_MULTIPART)
		return;
	f->boundary_n = 0;
	if (f->kind == MIME_MESSAGE &&
	    (f->label == MIME_QP || f->label == MIME_BASE64))
		f->kind = MIME_TEXT;
	if (f->label == MIME_PRIVATE)
		f->kind = MIME_OPAQUE;
}

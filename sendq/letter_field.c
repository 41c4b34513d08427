/*
 * The fields of a header: which there are, what holds for each, and what a
 * header has of them.
 */

#include "letter_parts.h"

#include <string.h>
#include <sysexits.h>

#include "base/header.h"

static const struct {
	const char *name; /* one that ends with '-' begins a family */
	enum field_kind kind;
	unsigned int rules;
} table[] = {
    {"From", FIELD_FROM, FIELD_IS_LIST | FIELD_FILLED},
    {"Sender", FIELD_SENDER, FIELD_IS_LIST | FIELD_ONCE | FIELD_FILLED},
    {"Reply-To", FIELD_REPLY_TO, FIELD_IS_LIST | FIELD_MERGE | FIELD_FILLED},
    {"To", FIELD_TO, FIELD_IS_LIST | FIELD_MERGE | FIELD_FILLED},
    {"Cc", FIELD_CC, FIELD_IS_LIST | FIELD_MERGE | FIELD_FILLED},
    {"Bcc", FIELD_BCC, FIELD_IS_LIST | FIELD_FILLED | FIELD_HIDDEN},
    {"Date", FIELD_DATE, FIELD_FILLED},
    {"Subject", FIELD_SUBJECT, FIELD_IS_TEXT | FIELD_ONCE},
    {"Message-ID", FIELD_MESSAGE_ID, FIELD_ONCE | FIELD_FILLED},
    {"In-Reply-To", FIELD_IN_REPLY_TO, FIELD_ONCE | FIELD_FILLED},
    {"References", FIELD_REFERENCES, FIELD_ONCE | FIELD_FILLED},
    {"Resent-From", FIELD_RESENT_FROM,
	FIELD_IS_LIST | FIELD_FILLED | FIELD_RESENT},
    {"Resent-Sender", FIELD_RESENT_SENDER,
	FIELD_IS_LIST | FIELD_FILLED | FIELD_RESENT},
    {"Resent-To", FIELD_RESENT_TO, FIELD_IS_LIST | FIELD_FILLED | FIELD_RESENT},
    {"Resent-Cc", FIELD_RESENT_CC, FIELD_IS_LIST | FIELD_FILLED | FIELD_RESENT},
    {"Resent-Bcc", FIELD_RESENT_BCC,
	FIELD_IS_LIST | FIELD_FILLED | FIELD_HIDDEN | FIELD_RESENT},
    {"Resent-Date", FIELD_RESENT_DATE, FIELD_FILLED | FIELD_RESENT},
    {"Resent-Message-ID", FIELD_RESENT_MESSAGE_ID, FIELD_FILLED | FIELD_RESENT},
    {"MIME-Version", FIELD_MIME_VERSION, FIELD_ONCE | FIELD_FILLED},
    {"Content-Type", FIELD_CONTENT_TYPE, FIELD_ONCE | FIELD_FILLED},
    {"Content-Transfer-Encoding", FIELD_ENCODING, FIELD_ONCE | FIELD_FILLED},
    {"Content-Length", FIELD_CONTENT_LENGTH, FIELD_DROPPED},
    {"Return-Path", FIELD_RETURN_PATH, FIELD_DROPPED | FIELD_TRACE},
    {"Received", FIELD_RECEIVED, FIELD_TRACE},
    {"DKIM-Signature", FIELD_DKIM, 0},
    {"X-", FIELD_TEXT, FIELD_IS_TEXT},
    {"ARC-", FIELD_STRUCTURED, 0},
    {"Authentication-", FIELD_STRUCTURED, 0},
    {"Content-", FIELD_STRUCTURED, 0},
    {"List-", FIELD_STRUCTURED, 0},
    {"Resent-", FIELD_STRUCTURED, 0},
};
#define TABLE_N (sizeof(table) / sizeof(table[0]))

enum field_kind
field_kind(struct span name)
{
	size_t i;

	for (i = 0; i < TABLE_N; i++) {
		size_t n = strlen(table[i].name);

		if (table[i].name[n - 1] == '-'
			? span_prefix(name, table[i].name)
			: span_caseeq(name, table[i].name))
			return table[i].kind;
	}
	return FIELD_OTHER;
}

unsigned int
field_rules(enum field_kind kind)
{
	size_t i;

	for (i = 0; i < TABLE_N; i++) {
		if (table[i].kind == kind)
			return table[i].rules;
	}
	return FIELD_IS_TEXT;
}

uint64_t
field_lines(struct span s)
{
	uint64_t n = 0;
	ptrdiff_t k;

	for (; (k = span_find(s, '\n')) != -1; n++)
		s = span_skip(s, (size_t)k + 1);
	return n;
}

bool
field_next(struct field_walk *w, struct field *f_r)
{
	struct span rest = w->rest;

	*f_r = (struct field){.at = rest.p, .line = w->line};
	if (!header_next(&rest, &f_r->name, &f_r->body))
		return false;
	f_r->kind = field_kind(f_r->name);
	f_r->rules = field_rules(f_r->kind);
	f_r->blank = span_trim(f_r->body).n == 0;
	w->line += field_lines(span_bytes(w->rest.p, w->rest.n - rest.n));
	w->rest = rest;
	return true;
}

/* --- a survey ------------------------------------------------------------ */

/*
 * A block ends where one of its fields would stand in it twice: that is an
 * older one's.  Also at what a server put between them on the way.
 */
static void
find_block(struct survey *s, const struct field *f)
{
	if (s->resent_end != NULL)
		return;
	if (s->resent == NULL && (f->rules & FIELD_RESENT))
		s->resent = f->at;
	else if (s->resent != NULL &&
		 ((f->rules & FIELD_TRACE) ||
		     ((f->rules & FIELD_RESENT) && s->of[f->kind].n > 0)))
		s->resent_end = f->at;
}

static int
refuse_second(const struct survey *s, const struct field *f, struct err *e)
{
	return err_code(e, ERR_MESSAGE, EX_DATAERR,
	    "line %llu: a second %.*s field; the first is in line %llu",
	    (unsigned long long)f->line, SPAN(f->name),
	    (unsigned long long)s->of[f->kind].line);
}

int
survey_take(struct survey *s, struct span header, uint64_t line, struct err *e)
{
	struct field_walk w = {header, line};
	struct survey_of *of;
	struct field f;

	*s = (struct survey){.header = header, .line = line};
	while (field_next(&w, &f)) {
		if (f.blank && (f.rules & FIELD_FILLED))
			continue;
		find_block(s, &f);
		if ((f.rules & FIELD_RESENT) && s->resent_end != NULL)
			continue;
		of = &s->of[f.kind];
		if (of->n > 0 && (f.kind == FIELD_FROM || f.kind == FIELD_DATE))
			return refuse_second(s, &f, e);
		if (of->n++ > 0)
			continue;
		of->body = f.body;
		of->line = f.line;
	}
	if (s->resent != NULL && s->resent_end == NULL)
		s->resent_end = header.p + header.n;
	return 0;
}

bool
survey_in_block(const struct survey *s, const struct field *f)
{
	return s->resent != NULL && (f->rules & FIELD_RESENT) &&
	       f->at >= s->resent && f->at < s->resent_end;
}

/*
 * Who gets a message: those named to sendq, and those named in the header.
 */

#include "letter_parts.h"

#include <stdlib.h>
#include <sysexits.h>

#include "base/address.h"
#include "base/header.h"
#include "base/mem.h"

static int
add(struct words *to, const struct address *a, struct err *e)
{
	char *text;

	/* The null address names nobody. */
	if (a->text.n == 0)
		return 0;
	if (address_check(a->text, e) == -1)
		return -1;
	text = span_dup(a->text);
	words_add(to, text);
	free(text);
	return 0;
}

/* All of a list; *at_r is where something is wrong. */
static int
add_list(struct words *to, struct span list, size_t *at_r, struct err *e)
{
	struct address_walk w;
	struct address a;
	int rc;

	address_walk_init(&w, list);
	while ((rc = address_next(&w, &a, e)) == 1) {
		if (add(to, &a, e) == -1) {
			*at_r = (size_t)(a.spec.p - list.p);
			return -1;
		}
	}
	*at_r = w.at;
	return rc;
}

static int
add_given(struct words *to, const char *given, struct err *e)
{
	char *shown;
	size_t i, at;

	/* A line end in a header is a fold; here it is somebody's trick. */
	for (i = 0; given[i] != '\0'; i++) {
		if ((unsigned char)given[i] >= ' ' && given[i] != 0x7f)
			continue;
		shown = span_show(span_of(given), 100);
		err_code(e, ERR_MESSAGE, EX_DATAERR,
		    "recipient '%s' has a control character in it", shown);
		free(shown);
		return -1;
	}
	if (add_list(to, span_of(given), &at, e) == -1)
		return err_prefix(e, "recipient");
	return 0;
}

static bool
names_recipients(const struct survey *s, const struct field *f)
{
	if (s->resent == NULL)
		return f->kind == FIELD_TO || f->kind == FIELD_CC ||
		       f->kind == FIELD_BCC;
	return survey_in_block(s, f) &&
	       (f->kind == FIELD_RESENT_TO || f->kind == FIELD_RESENT_CC ||
		   f->kind == FIELD_RESENT_BCC);
}

static int
add_fields(struct words *to, const struct survey *s, struct err *e)
{
	struct field_walk w = {s->header, s->line};
	struct field f;
	size_t at;

	while (field_next(&w, &f)) {
		if (!names_recipients(s, &f))
			continue;
		if (add_list(to, f.body, &at, e) == -1) {
			f.line += field_lines(span_bytes(f.body.p, at));
			return err_prefix(e, "line %llu: %.*s",
			    (unsigned long long)f.line, SPAN(f.name));
		}
	}
	return 0;
}

/* --- each once ----------------------------------------------------------- */

struct place {
	char *address; /* borrowed */
	size_t at;
};

static int
by_address(const void *va, const void *vb)
{
	const struct place *a = va, *b = vb;
	int c = address_compare(span_of(a->address), span_of(b->address));

	return c != 0 ? c : a->at < b->at ? -1 : 1;
}

/* The first of those that are the same stays. */
static void
drop_doubles(struct words *to)
{
	struct place *p = mem_array(to->n + 1, sizeof(*p));
	size_t i, n = 0, kept = 0;

	for (i = 0; i < to->n; i++)
		p[i] = (struct place){to->v[i], i};
	qsort(p, to->n, sizeof(*p), by_address);
	for (i = 1; i < to->n; i++) {
		if (address_compare(
			span_of(p[kept].address), span_of(p[i].address)) != 0) {
			kept = i;
			continue;
		}
		free(p[i].address);
		to->v[p[i].at] = NULL;
	}
	for (i = 0; i < to->n; i++) {
		if (to->v[i] != NULL)
			to->v[n++] = to->v[i];
	}
	if (to->n > 0)
		to->v[n] = NULL;
	to->n = n;
	free(p);
}

int
rcpt_gather(const struct survey *s, const struct letter_options *o,
    struct words *to, struct err *e)
{
	size_t i;

	for (i = 0; o->recipients != NULL && i < o->recipients->n; i++) {
		if (add_given(to, o->recipients->v[i], e) == -1)
			return -1;
	}
	if (o->read_recipients && add_fields(to, s, e) == -1)
		return -1;
	drop_doubles(to);
	if (to->n > 0)
		return 0;
	return err_code(e, ERR_MESSAGE, EX_DATAERR, "no recipient: %s",
	    o->read_recipients ? "none is in To, Cc or Bcc"
			       : "name one as an argument, or have them read "
				 "from the header with -t");
}

char *
rcpt_first(struct span body, const char *domain)
{
	struct address_walk w;
	struct address a;
	struct span found;
	struct err e;

	address_walk_init(&w, body);
	if (address_next(&w, &a, &e) != 1 &&
	    (!header_address(body, &found) ||
		address_one(found, &w, &a, &e) == -1))
		return NULL;
	if (a.text.n == 0 || address_check(a.text, &e) == -1)
		return NULL;
	if (!a.local || domain == NULL)
		return span_dup(a.text);
	return mem_printf("%.*s@%s", SPAN(a.text), domain);
}

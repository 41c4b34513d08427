/*
 * Addresses, from what is written in a header or on a command line to what
 * stands in an envelope.  A member of a list is looked at twice: once to find
 * where it ends and what it is, once to take it apart.
 */

#include "base/address.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* RFC 5322 section 3.2.3, all that is not ASCII, and what address_check()
 * has to see. */
static bool
is_atom(char c)
{
	static const char specials[] = "()<>[]:;@\\,.\"";

	return !is_space(c) &&
	       memchr(specials, c, sizeof(specials) - 1) == NULL;
}

/* --- errors -------------------------------------------------------------- */

static int
wrong(struct address_walk *w, size_t at, const char *what, struct err *e)
{
	char *shown = span_show(span_skip(w->list, at), 40);

	if (*shown != '\0')
		err_code(e, ERR_MESSAGE, EX_DATAERR, "%s: '%s'", what, shown);
	else
		err_code(e, ERR_MESSAGE, EX_DATAERR, "%s", what);
	free(shown);
	w->at = at;
	w->i = w->list.n;
	return -1;
}

static int
wrong_char(struct address_walk *w, size_t at, struct err *e)
{
	char what[] = "'?' has no place in an address", c = w->list.p[at];

	if (c <= ' ' || c > '~')
		return wrong(w, at, "this has no place in an address", e);
	what[1] = c;
	return wrong(w, at, what, e);
}

/* --- finding the end ----------------------------------------------------- */

/*
 * Steps over what is quoted or bracketed, if that starts at *i: 1; 0: not;
 * -1: it is never closed.  A bracket counts only behind an '@'.
 */
static int
skip_unit(struct address_walk *w, size_t *i, bool behind_at, struct err *e)
{
	char c = w->list.p[*i], what[] = "'?' is never closed";
	size_t end;

	if (c != '"' && c != '(' && (c != '[' || !behind_at))
		return 0;
	end = span_closed(w->list, *i, c == '(' ? ')' : c == '[' ? ']' : '"');
	what[1] = c;
	if (end == 0)
		return wrong(w, *i, what, e);
	*i = end;
	return 1;
}

/* Moves *i to the first of these characters that is in the open, or to the
 * end. */
static int
find_open(struct address_walk *w, size_t *i, const char *any, struct err *e)
{
	bool behind_at = false;
	int rc;
	char c;

	while (*i < w->list.n) {
		c = w->list.p[*i];
		if (memchr(any, c, strlen(any)) != NULL)
			break;
		if ((rc = skip_unit(w, i, behind_at, e)) == -1)
			return -1;
		if (rc == 0)
			++*i;
		if (!is_space(c) && c != '(')
			behind_at = c == '@';
	}
	return 0;
}

/* --- taking an address apart --------------------------------------------- */

/* A part of the list that is to be one address. */
struct part {
	size_t i, end;
	size_t first, last;  /* of what is no blank and no comment */
	struct span comment; /* the last that was passed */
};

static void
skip_cfws(const struct address_walk *w, struct part *p)
{
	size_t shut;

	for (; p->i < p->end; p->i++) {
		if (is_space(w->list.p[p->i]))
			continue;
		if (w->list.p[p->i] != '(')
			break;
		shut = span_closed(w->list, p->i, ')');
		if (shut == 0 || shut > p->end)
			break;
		p->comment = span_bytes(w->list.p + p->i, shut - p->i);
		p->i = shut - 1;
	}
}

/* Text that is made; what does not fit is counted all the same. */
struct text {
	char *p;
	size_t n, room;
};

static void
put(struct text *t, char c)
{
	if (t->n < t->room)
		t->p[t->n] = c;
	t->n++;
}

static int
too_long(struct address_walk *w, size_t at, struct err *e)
{
	return wrong(w, at, "an address is far too long", e);
}

/* What is between the quote here and the one in front of shut.  Line ends
 * are folds. */
static void
take_quoted(struct address_walk *w, struct part *p, struct text *t, size_t shut)
{
	for (p->i++; p->i < shut - 1; p->i++) {
		if (w->list.p[p->i] == '\\')
			put(t, w->list.p[++p->i]);
		else if (w->list.p[p->i] != '\r' && w->list.p[p->i] != '\n')
			put(t, w->list.p[p->i]);
	}
	p->i = shut;
}

static void
take_run(struct address_walk *w, struct part *p, struct text *t, bool dots)
{
	for (; p->i < p->end; p->i++) {
		if (!is_atom(w->list.p[p->i]) &&
		    !(dots && w->list.p[p->i] == '.'))
			break;
		put(t, w->list.p[p->i]);
	}
}

/*
 * Words with dots between them, up to an '@' or the end.  Dots in other
 * places are taken too: such addresses exist, and quotes can express them.
 */
static int
take_local(
    struct address_walk *w, struct part *p, struct text *t, struct err *e)
{
	bool joined = true;
	size_t shut;
	char c;

	skip_cfws(w, p);
	p->first = p->last = p->i;
	while (p->i < p->end && (c = w->list.p[p->i]) != '@') {
		if (!joined && c != '.' && (is_atom(c) || c == '"'))
			return wrong(
			    w, p->i, "there is no comma in front of this", e);
		shut = c == '"' ? span_closed(w->list, p->i, '"') : 0;
		if (shut > 0 && shut <= p->end)
			take_quoted(w, p, t, shut);
		else if (c == '.' || is_atom(c))
			take_run(w, p, t, true);
		else
			return wrong_char(w, p->i, e);
		joined = w->list.p[p->i - 1] == '.';
		p->last = p->i;
		skip_cfws(w, p);
	}
	if (p->last == p->first)
		return wrong(w, p->i, "there is nothing in front of this", e);
	return t->n > t->room ? too_long(w, p->first, e) : 0;
}

/* Whether it needs no quotes: atoms with single dots between them. */
static bool
is_dot_atom(struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '.' ? i == 0 || s.p[i - 1] == '.'
				  : !is_atom(s.p[i]))
			return false;
	}
	return s.n > 0 && s.p[s.n - 1] != '.';
}

static void
put_local(struct text *t, struct span local)
{
	bool plain = is_dot_atom(local);
	size_t i;

	if (!plain)
		put(t, '"');
	for (i = 0; i < local.n; i++) {
		if (local.p[i] == '"' || local.p[i] == '\\')
			put(t, '\\');
		put(t, local.p[i]);
	}
	if (!plain)
		put(t, '"');
}

/* "[127.0.0.1]"; blanks in it mean nothing. */
static int
take_literal(
    struct address_walk *w, struct part *p, struct text *t, struct err *e)
{
	put(t, '[');
	for (p->i++; p->i < p->end && w->list.p[p->i] != ']'; p->i++) {
		if (memchr("[@\\", w->list.p[p->i], 3) != NULL)
			return wrong_char(w, p->i, e);
		if (!is_space(w->list.p[p->i]))
			put(t, w->list.p[p->i]);
	}
	put(t, ']');
	p->last = ++p->i;
	skip_cfws(w, p);
	return p->i < p->end ? wrong_char(w, p->i, e) : 0;
}

static int
take_domain(
    struct address_walk *w, struct part *p, struct text *t, struct err *e)
{
	size_t start = p->i;
	bool want = true; /* a label */

	skip_cfws(w, p);
	if (p->i < p->end && w->list.p[p->i] == '[')
		return take_literal(w, p, t, e);
	for (; p->i < p->end; skip_cfws(w, p)) {
		if (w->list.p[p->i] == '.' ? want : !is_atom(w->list.p[p->i]))
			return wrong_char(w, p->i, e);
		if (w->list.p[p->i] != '.' && !want)
			return wrong(
			    w, p->i, "there is no comma in front of this", e);
		want = w->list.p[p->i] == '.';
		if (want)
			put(t, w->list.p[p->i++]);
		else
			take_run(w, p, t, false);
		p->last = p->i;
	}
	if (p->last == start)
		return wrong(w, p->i, "there is nothing behind the '@'", e);
	t->n -= want;
	return 0;
}

static int
take_spec(
    struct address_walk *w, struct part *p, struct address *a, struct err *e)
{
	char content[ADDRESS_ROOM / 2];
	struct text local = {content, 0, sizeof(content)};
	struct text text = {w->text, 0, sizeof(w->text)};

	if (take_local(w, p, &local, e) == -1)
		return -1;
	put_local(&text, span_bytes(content, local.n));
	a->local = p->i == p->end;
	if (!a->local) {
		put(&text, '@');
		p->last = ++p->i;
		if (take_domain(w, p, &text, e) == -1)
			return -1;
	}
	if (text.n > text.room)
		return too_long(w, p->first, e);
	a->text = span_bytes(w->text, text.n);
	a->spec = span_bytes(w->list.p + p->first, p->last - p->first);
	return 1;
}

/* --- members of a list --------------------------------------------------- */

/* "@a,@b:" in front of an address says how to get there; nobody asks. */
static int
skip_route(struct address_walk *w, struct part *p, struct err *e)
{
	size_t colon = p->i;

	if (find_open(w, &colon, ":>", e) == -1)
		return -1;
	if (colon >= p->end)
		return wrong(w, p->i, "there is nothing in front of this", e);
	p->i = colon + 1;
	return 0;
}

/* What is between '<' and '>'; nothing is the null address. */
static int
take_bracketed(
    struct address_walk *w, struct part *p, struct address *a, struct err *e)
{
	skip_cfws(w, p);
	if (p->i == p->end)
		return 0;
	if (w->list.p[p->i] == '@' && skip_route(w, p, e) == -1)
		return -1;
	return take_spec(w, p, a, e);
}

/* "<...>", with what may stand behind it. */
static int
take_angle(
    struct address_walk *w, size_t open, struct address *a, struct err *e)
{
	struct part p = {.i = open + 1, .end = open + 1}, behind;

	if (find_open(w, &p.end, "<>", e) == -1)
		return -1;
	if (p.end == w->list.n || w->list.p[p.end] == '<')
		return wrong(w, open, "'<' is never closed", e);
	behind = (struct part){.i = p.end + 1, .end = w->list.n};
	skip_cfws(w, &behind);
	if (behind.i < behind.end &&
	    memchr(",;", w->list.p[behind.i], 2) == NULL)
		return wrong(
		    w, behind.i, "there is no comma in front of this", e);
	if (take_bracketed(w, &p, a, e) == -1)
		return -1;
	if (a->name.n == 0)
		a->name = behind.comment;
	w->i = behind.i;
	return 1;
}

/* A group's name ends here. */
static int
enter_group(struct address_walk *w, size_t start, size_t colon, struct err *e)
{
	size_t at = start;

	if (w->in_group)
		return wrong(w, colon, "a group begins within a group", e);
	if (find_open(w, &at, "@:", e) == -1)
		return -1;
	if (at < colon ||
	    span_trim(span_bytes(w->list.p + start, colon - start)).n == 0)
		return wrong_char(w, colon, e);
	w->in_group = true;
	w->i = colon + 1;
	return 0;
}

/*
 * One member: 1 with its address; 0 when there is none in it, and then the
 * walk has moved on.
 */
static int
take_member(struct address_walk *w, struct address *a, struct err *e)
{
	struct part p = {.i = w->i, .end = w->i};
	char c;

	if (find_open(w, &p.end, ",;:<", e) == -1)
		return -1;
	c = p.end < w->list.n ? w->list.p[p.end] : '\0';
	if (c == ':')
		return enter_group(w, w->i, p.end, e);
	if (c == '<') {
		a->name = span_trim(span_bytes(w->list.p + p.i, p.end - p.i));
		return take_angle(w, p.end, a, e);
	}
	skip_cfws(w, &p);
	if (p.i < p.end) {
		if (take_spec(w, &p, a, e) == -1)
			return -1;
		a->name = p.comment;
		w->i = p.end;
		return 1;
	}
	if (c == ';')
		w->in_group = false;
	w->i = p.end + (p.end < w->list.n ? 1 : 0);
	return 0;
}

void
address_walk_init(struct address_walk *w, struct span list)
{
	w->list = list;
	w->i = w->at = 0;
	w->in_group = false;
}

int
address_next(struct address_walk *w, struct address *a_r, struct err *e)
{
	int rc = 0;

	while (rc == 0 && w->i < w->list.n) {
		*a_r = (struct address){.local = false};
		rc = take_member(w, a_r, e);
	}
	return rc;
}

int
address_one(struct span list, struct address_walk *room, struct address *a_r,
    struct err *e)
{
	struct address_walk ahead;
	struct address next;
	char *shown;
	int rc;

	address_walk_init(room, list);
	if ((rc = address_next(room, a_r, e)) == -1)
		return -1;
	ahead = *room;
	if (rc == 1 && (rc = address_next(&ahead, &next, e)) == 0)
		return 0;
	if (rc == -1)
		return -1;
	shown = span_show(list, 80);
	err_code(e, ERR_MESSAGE, EX_DATAERR, "there is %s address in '%s'",
	    rc == 1 ? "more than one" : "no", shown);
	free(shown);
	return -1;
}

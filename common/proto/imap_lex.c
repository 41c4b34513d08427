/*
 * Assembles the logical lines of IMAP responses, whatever the pieces they
 * come in, and cuts them into tokens.  Every byte is looked at once on its
 * way in, so that a long line costs no more for arriving slowly.
 */

#include "proto/imap_lex.h"

#define NUMBER_MAX 24 /* characters in "n+}" */
#define DEPTH_MAX 32

void
imap_lex_init(struct imap_lex *x)
{
	*x = (struct imap_lex){0};
	buf_init(&x->line, IMAP_LINE_MAX);
}

void
imap_lex_clear(struct imap_lex *x)
{
	buf_clear(&x->line);
}

/* Moves n bytes from `in` to the line. */
static int
take(struct imap_lex *x, struct buf *in, size_t n, struct err *e)
{
	if (buf_append(&x->line, buf_span(in).p, n) == -1)
		return err_set(e, ERR_PROTO,
		    "the server sent a response line of over %d bytes",
		    IMAP_LINE_MAX);
	buf_consume(in, n);
	return 0;
}

/* Cuts "{n}", "{n+}" or "~{n}" off the front. */
static bool
cut_literal(struct span *s, uint64_t *n_r)
{
	size_t skip = s->n > 0 && s->p[0] == '~' ? 2 : 1;
	struct span digits = span_skip(*s, skip);
	ptrdiff_t end;

	if (digits.n == 0 || s->p[skip - 1] != '{')
		return false;
	digits.n = digits.n < NUMBER_MAX ? digits.n : NUMBER_MAX;
	if ((end = span_find(digits, '}')) == -1)
		return false;
	digits.n = (size_t)end;
	if (end > 0 && digits.p[end - 1] == '+')
		digits.n--;
	if (!span_number(digits, INT64_MAX, n_r))
		return false;
	*s = span_skip(*s, skip + (size_t)end + 1);
	return true;
}

/* Does the physical line that has just ended announce a literal? */
static bool
announces(struct imap_lex *x)
{
	struct span s = span_skip(buf_span(&x->line), x->start);
	size_t i = s.n;

	if (i == 0 || s.p[i - 1] != '}')
		return false;
	while (i > 0 && s.n - i < NUMBER_MAX && s.p[i - 1] != '{')
		i--;
	if (i == 0 || s.p[i - 1] != '{')
		return false;
	i--;
	if (i > 0 && s.p[i - 1] == '~')
		i--;
	if (i == 0 || (s.p[i - 1] != ' ' && s.p[i - 1] != '('))
		return false;
	s = span_skip(s, i);
	return cut_literal(&s, &x->literal) && s.n == 0;
}

int
imap_lex_line(struct imap_lex *x, struct buf *in, struct err *e)
{
	ptrdiff_t lf;
	size_t n;

	if (x->complete) {
		buf_reset(&x->line);
		x->start = x->pos = 0;
		x->complete = false;
	}
	if (x->fold > 0) {
		n = in->len < x->fold ? in->len : x->fold;
		if (take(x, in, n, e) == -1)
			return -1;
		x->fold -= n;
		x->start = x->line.len;
		if (x->fold > 0)
			return 0;
	}
	lf = span_find(buf_span(in), '\n');
	if (take(x, in, lf == -1 ? in->len : (size_t)lf + 1, e) == -1)
		return -1;
	if (lf == -1)
		return 0;
	x->line.len--;
	if (x->line.len > x->start &&
	    x->line.data[x->line.head + x->line.len - 1] == '\r')
		x->line.len--;
	x->announced = announces(x);
	x->complete = !x->announced;
	return 1;
}

int
imap_lex_fold(struct imap_lex *x, struct err *e)
{
	if (x->literal > IMAP_LITERAL_MAX || buf_puts(&x->line, "\r\n") == -1)
		return err_set(e, ERR_PROTO,
		    "the server sent a string of over %d bytes where none that "
		    "long belongs",
		    IMAP_LITERAL_MAX);
	x->fold = (size_t)x->literal;
	x->start = x->line.len;
	x->announced = false;
	return 0;
}

void
imap_lex_skip(struct imap_lex *x)
{
	x->start = x->pos = x->line.len;
	x->announced = false;
}

void
imap_lex_text(struct imap_lex *x)
{
	x->announced = false;
	x->complete = true;
}

/* Behind the opening quote: up to the closing one. */
static void
quoted(struct span s, size_t *used_r, struct imap_token *t)
{
	size_t i;

	for (i = 0; i < s.n && s.p[i] != '"'; i++)
		if (s.p[i] == '\\') {
			t->escaped = true;
			i++;
		}
	t->kind = i < s.n ? IMAP_TOK_STRING : IMAP_TOK_JUNK;
	t->text = span_bytes(s.p, i < s.n ? i : s.n);
	*used_r = t->text.n + (i < s.n);
}

static void
atom(struct span s, bool item, size_t *used_r, struct imap_token *t)
{
	bool open = false;
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (item && (s.p[i] == '[' || s.p[i] == ']'))
			open = s.p[i] == '[';
		else if (!open &&
			 (s.p[i] == ' ' || s.p[i] == '(' || s.p[i] == ')'))
			break;
	}
	t->kind = open ? IMAP_TOK_JUNK : IMAP_TOK_ATOM;
	t->text = span_bytes(s.p, i);
	*used_r = i;
}

/* Only a CRLF behind {n} makes it a literal; at the end of what there is, it
 * is the announced one. */
static bool
literal(struct imap_lex *x, struct span s, size_t *used_r, struct imap_token *t)
{
	struct span rest = s;
	uint64_t n;

	if (!cut_literal(&rest, &n))
		return false;
	if (rest.n == 0 && x->announced) {
		t->kind = IMAP_TOK_LITERAL;
		*used_r = 0;
		return true;
	}
	if (rest.n < 2 || rest.p[0] != '\r' || rest.p[1] != '\n' ||
	    rest.n - 2 < n)
		return false;
	t->kind = IMAP_TOK_STRING;
	t->text = span_bytes(rest.p + 2, (size_t)n);
	*used_r = s.n - rest.n + 2 + (size_t)n;
	return true;
}

void
imap_lex_token(struct imap_lex *x, bool item, struct imap_token *t)
{
	struct span s = span_skip(buf_span(&x->line), x->pos);
	size_t used;

	*t = (struct imap_token){IMAP_TOK_END, {NULL, 0}, false};
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s.p++, s.n--;
	x->pos = x->line.len - s.n;
	if (s.n == 0)
		return;
	used = 1;
	if (s.p[0] == '(')
		t->kind = IMAP_TOK_OPEN;
	else if (s.p[0] == ')')
		t->kind = IMAP_TOK_CLOSE;
	else if (s.p[0] == '"') {
		quoted(span_skip(s, 1), &used, t);
		used++;
	} else if (!literal(x, s, &used, t))
		atom(s, item, &used, t);
	x->pos += used;
}

int
imap_lex_unquote(const struct imap_token *t, struct buf *out)
{
	struct span s = t->text;
	size_t i;

	if (!t->escaped)
		return buf_add(out, s);
	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n &&
		    (s.p[i + 1] == '"' || s.p[i + 1] == '\\'))
			i++;
		if (buf_putc(out, s.p[i]) == -1)
			return -1;
	}
	return 0;
}

bool
imap_lex_skip_list(struct imap_lex *x)
{
	struct imap_token t;
	unsigned int depth = 1;

	while (depth > 0) {
		imap_lex_token(x, false, &t);
		if (t.kind == IMAP_TOK_CLOSE)
			depth--;
		else if (t.kind == IMAP_TOK_OPEN && depth < DEPTH_MAX)
			depth++;
		else if (t.kind != IMAP_TOK_ATOM && t.kind != IMAP_TOK_STRING)
			return false;
	}
	return true;
}

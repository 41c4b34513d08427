/*
 * Reads FETCH responses.  The body is handed on as it lies in wire.in; of the
 * rest only what the tools use is kept.
 */

#include "proto/imap_item.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32

enum state { NONE, BEFORE, NAME, VALUE, BEHIND };
enum item { OTHER, UID, FLAGS, SIZE, DATE, MODSEQ, ID, BODY };
enum body { NO_BODY, ON_WIRE, IN_TEXT, RESUME };

void
imap_item_begin(struct imap *im, uint32_t seq)
{
	struct imap_item *it = &im->item;

	it->f = (struct imap_fetch){.seq = seq};
	it->state = BEFORE;
	it->body = NO_BODY;
	it->internaldate[0] = it->emailid[0] = '\0';
	buf_reset(&it->keywords);
}

bool
imap_item_active(const struct imap *im)
{
	return im->item.state != NONE;
}

bool
imap_item_in_body(const struct imap *im)
{
	return im->item.body != NO_BODY;
}

int
imap_item_junk(const struct imap *im, struct err *e)
{
	char *shown = span_show(buf_span(&im->lex.line), 200);

	err_set(e, ERR_PROTO, "the server's response makes no sense: \"%s\"",
	    shown);
	free(shown);
	return -1;
}

static enum item
item_by_name(struct span s)
{
	static const char *const names[] = {[UID] = "UID",
	    [FLAGS] = "FLAGS",
	    [SIZE] = "RFC822.SIZE",
	    [DATE] = "INTERNALDATE",
	    [MODSEQ] = "MODSEQ",
	    [ID] = "EMAILID",
	    [BODY] = "RFC822"};
	int i;

	for (i = UID; i <= BODY; i++)
		if (span_caseeq(s, names[i]))
			return (enum item)i;
	if (span_prefix(s, "BODY[") || span_prefix(s, "BINARY[") ||
	    span_caseeq(s, "RFC822.HEADER") || span_caseeq(s, "RFC822.TEXT"))
		return BODY;
	return span_caseeq(s, "X-GM-MSGID") ? ID : OTHER;
}

static void
take_flag(struct imap_item *it, struct span s)
{
	unsigned int flag = imap_flag(s);

	it->f.flags |= flag;
	if (flag != 0 || s.n == 0 || s.p[0] == '\\')
		return;
	if (it->keywords.len > 0)
		(void)buf_putc(&it->keywords, ' ');
	(void)buf_add(&it->keywords, s); /* fits: the line does */
}

static void
keep(char *to, size_t size, struct span s)
{
	if (s.n < size && s.n > 0 && memchr(s.p, '\0', s.n) == NULL) {
		memcpy(to, s.p, s.n);
		to[s.n] = '\0';
	}
}

static bool
take_uid(struct imap_item *it, struct span s)
{
	uint64_t n;

	if (!span_number(s, UINT32_MAX, &n))
		return false;
	it->f.uid = (uint32_t)n;
	return true;
}

/* A word of the present item's value. */
static bool
take_word(struct imap_item *it, struct span s)
{
	switch ((enum item)it->item) {
	case UID:
		return take_uid(it, s);
	case FLAGS:
		take_flag(it, s);
		return true;
	case SIZE: /* some say -1, but the message is there */
		it->f.has_size = true;
		if (!span_number(s, INT64_MAX, &it->f.size))
			it->f.size = 0;
		return true;
	case MODSEQ:
		return span_number(s, UINT64_MAX, &it->f.modseq);
	case DATE:
		keep(it->internaldate, sizeof(it->internaldate), s);
		return true;
	case ID:
		keep(it->emailid, sizeof(it->emailid), s);
		return true;
	case BODY:
	case OTHER:
		return true;
	}
	return false;
}

static int
give(struct imap *im, enum imap_ev_kind kind, struct imap_ev *ev)
{
	struct imap_item *it = &im->item;

	*ev = (struct imap_ev){.kind = kind, .fetch = it->f};
	ev->fetch.keywords = buf_span(&it->keywords);
	ev->fetch.internaldate = span_of(it->internaldate);
	ev->fetch.emailid = span_of(it->emailid);
	return 1;
}

static int
begin_body(struct imap *im, enum body where, uint64_t size, struct imap_ev *ev)
{
	im->item.body = where;
	im->item.body_left = size;
	im->item.f.body = IMAP_BODY_SENT;
	im->item.f.body_size = size;
	im->item.state = NAME;
	return give(im, IMAP_EV_BODY_BEGIN, ev);
}

static int
next_of_body(struct imap *im, struct imap_ev *ev)
{
	struct imap_item *it = &im->item;
	struct span s =
	    buf_span(it->body == ON_WIRE ? &im->wire->in : &im->text);

	if (it->body_left == 0) {
		it->body = RESUME;
		return give(im, IMAP_EV_BODY_END, ev);
	}
	if (s.n == 0)
		return 0;
	s.n = s.n < it->body_left ? s.n : (size_t)it->body_left;
	it->body_left -= s.n;
	if (it->body == ON_WIRE)
		im->eaten = s.n;
	give(im, IMAP_EV_BODY_DATA, ev);
	ev->text = s;
	return 1;
}

/* A body that is no literal: "quoted" or NIL. */
static int
short_body(struct imap *im, const struct imap_token *t, struct imap_ev *ev,
    struct err *e)
{
	im->item.state = NAME;
	if (t->kind == IMAP_TOK_STRING) {
		buf_reset(&im->text);
		if (imap_lex_unquote(t, &im->text) == -1)
			return imap_item_junk(im, e);
		return begin_body(im, IN_TEXT, im->text.len, ev);
	}
	if (!span_caseeq(t->text, "NIL"))
		return imap_item_junk(im, e);
	im->item.f.body = IMAP_BODY_NIL;
	return 0;
}

static int
literal(struct imap *im, struct imap_ev *ev, struct err *e)
{
	struct imap_item *it = &im->item;

	if (it->state != VALUE)
		return imap_item_junk(im, e);
	if (it->item != BODY || it->depth > 0)
		return imap_lex_fold(&im->lex, e);
	imap_lex_skip(&im->lex);
	return begin_body(im, ON_WIRE, im->lex.literal, ev);
}

static int
value(struct imap *im, const struct imap_token *t, struct imap_ev *ev,
    struct err *e)
{
	struct imap_item *it = &im->item;

	if (t->kind == IMAP_TOK_OPEN) {
		if (it->item == BODY || ++it->depth > DEPTH_MAX)
			return imap_item_junk(im, e);
		return 0;
	}
	if (t->kind == IMAP_TOK_CLOSE) {
		if (it->depth-- == 0)
			return imap_item_junk(im, e);
	} else if (it->item == BODY)
		return short_body(im, t, ev, e);
	else if (!take_word(it, t->text))
		return imap_item_junk(im, e);
	if (it->depth == 0)
		it->state = NAME;
	return 0;
}

static int
name(struct imap *im, const struct imap_token *t, struct err *e)
{
	struct imap_item *it = &im->item;

	if (t->kind == IMAP_TOK_CLOSE) {
		it->state = BEHIND;
		return 0;
	}
	if (t->kind != IMAP_TOK_ATOM)
		return imap_item_junk(im, e);
	it->item = item_by_name(t->text);
	it->state = VALUE;
	it->depth = 0;
	if (it->item == FLAGS) {
		it->f.has_flags = true;
		it->f.flags = 0;
		buf_reset(&it->keywords);
	}
	return 0;
}

static int
token(struct imap *im, const struct imap_token *t, struct imap_ev *ev,
    struct err *e)
{
	if (im->item.state == NAME)
		return name(im, t, e);
	if (im->item.state == VALUE)
		return value(im, t, ev, e);
	if (im->item.state != BEFORE || t->kind != IMAP_TOK_OPEN)
		return imap_item_junk(im, e);
	im->item.state = NAME;
	return 0;
}

static int
line_end(struct imap *im, struct imap_ev *ev, struct err *e)
{
	if (im->item.state != BEHIND)
		return imap_item_junk(im, e);
	im->item.state = NONE;
	return give(im, IMAP_EV_FETCH, ev);
}

int
imap_item_next(struct imap *im, struct imap_ev *ev, struct err *e)
{
	struct imap_token t;
	int r;

	if (im->item.body == ON_WIRE || im->item.body == IN_TEXT)
		return next_of_body(im, ev);
	im->item.body = NO_BODY;
	if (!im->lex.complete && !im->lex.announced)
		return 0;
	for (;;) {
		imap_lex_token(&im->lex, im->item.state == NAME, &t);
		if (t.kind == IMAP_TOK_END)
			return line_end(im, ev, e);
		if (t.kind == IMAP_TOK_JUNK)
			return imap_item_junk(im, e);
		if (t.kind == IMAP_TOK_LITERAL)
			return literal(im, ev, e);
		if ((r = token(im, &t, ev, e)) != 0)
			return r;
	}
}

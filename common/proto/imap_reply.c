/*
 * Turns what the server says into events.  A response is looked at when its
 * line is complete, but for FETCH, which imap_item.c reads as it comes.
 * Responses of which the tools make nothing are skipped.
 */

#include "proto/imap.h"

#include <stdlib.h>

#include "proto/imap_code.h"
#include "proto/imap_folder.h"
#include "proto/imap_item.h"

#define SET_PIECE 1024 /* numbers sorted in before they join the rest */

static struct span
line_rest(const struct imap *im)
{
	return span_trim(span_skip(buf_span(&im->lex.line), im->lex.pos));
}

static enum imap_tok
next(struct imap *im, struct imap_token *t)
{
	imap_lex_token(&im->lex, false, t);
	return t->kind;
}

/* --- sets of messages -------------------------------------------------- */

/* SEARCH n n n (MODSEQ n): numbers in any order, so in pieces. */
static bool
read_search(struct imap *im, struct imap_ev *ev)
{
	struct uidset piece;
	struct imap_token t;
	bool good = true;
	uint64_t n;

	ev->kind = IMAP_EV_SEARCH;
	uidset_init(&piece);
	while (good && next(im, &t) == IMAP_TOK_ATOM) {
		if ((good = span_number(t.text, UINT32_MAX, &n)) && n > 0)
			uidset_add(&piece, (uint32_t)n, (uint32_t)n);
		if (piece.n >= SET_PIECE) {
			uidset_union(&im->uids, &piece);
			uidset_clear(&piece);
		}
	}
	uidset_union(&im->uids, &piece);
	uidset_clear(&piece);
	ev->number = (uint32_t)uidset_count(&im->uids);
	if (t.kind == IMAP_TOK_OPEN)
		good = good && imap_lex_skip_list(&im->lex) &&
		       next(im, &t) == IMAP_TOK_END;
	return good && t.kind == IMAP_TOK_END;
}

/* ESEARCH (TAG "x") UID ALL set COUNT n ... (RFC 4731) */
static bool
read_esearch(struct imap *im, struct imap_ev *ev)
{
	struct imap_token item, t;
	uint64_t count = UINT64_MAX;

	ev->kind = IMAP_EV_SEARCH;
	if (next(im, &item) == IMAP_TOK_OPEN) {
		if (!imap_lex_skip_list(&im->lex))
			return false;
		next(im, &item);
	}
	for (; item.kind == IMAP_TOK_ATOM; next(im, &item)) {
		if (span_caseeq(item.text, "UID"))
			continue;
		if (next(im, &t) == IMAP_TOK_OPEN) {
			if (!imap_lex_skip_list(&im->lex))
				return false;
		} else if (t.kind != IMAP_TOK_ATOM)
			return false;
		else if (span_caseeq(item.text, "ALL") &&
			 uidset_parse(&im->uids, t.text) == -1)
			return false;
		else if (span_caseeq(item.text, "COUNT") &&
			 !span_number(t.text, UINT32_MAX, &count))
			return false;
	}
	if (count == UINT64_MAX)
		count = uidset_count(&im->uids);
	ev->number = (uint32_t)count;
	return item.kind == IMAP_TOK_END;
}

/* VANISHED (EARLIER) set (RFC 7162 section 3.2.10) */
static bool
read_vanished(struct imap *im, struct imap_ev *ev)
{
	struct imap_token t;

	ev->kind = IMAP_EV_VANISHED;
	if (next(im, &t) == IMAP_TOK_OPEN) {
		ev->earlier = next(im, &t) == IMAP_TOK_ATOM &&
		              span_caseeq(t.text, "EARLIER");
		if (!ev->earlier || next(im, &t) != IMAP_TOK_CLOSE)
			return false;
		next(im, &t);
	}
	return t.kind == IMAP_TOK_ATOM &&
	       uidset_parse(&im->uids, t.text) == 0 &&
	       next(im, &t) == IMAP_TOK_END;
}

/* --- responses --------------------------------------------------------- */

/* By name: 1 an event, 0 skipped, -1 not as it should be. */
static int
named(struct imap *im, struct span name, struct imap_ev *ev)
{
	bool good;

	uidset_clear(&im->uids);
	ev->uids = &im->uids;
	if (span_caseeq(name, "SEARCH"))
		good = read_search(im, ev);
	else if (span_caseeq(name, "ESEARCH"))
		good = read_esearch(im, ev);
	else if (span_caseeq(name, "VANISHED"))
		good = read_vanished(im, ev);
	else if (span_caseeq(name, "LIST"))
		good = imap_folder_list(im, ev);
	else if (span_caseeq(name, "LSUB")) {
		good = imap_folder_list(im, ev);
		ev->folder.attrs |= IMAP_ATTR_SUBSCRIBED;
	} else if (span_caseeq(name, "STATUS"))
		good = imap_folder_status(im, ev);
	else
		return span_caseeq(name, "NAMESPACE") &&
		       imap_folder_namespace(im, ev);
	return good ? 1 : -1;
}

static int
listed(struct imap *im, struct span name, struct imap_ev *ev)
{
	if (span_caseeq(name, "CAPABILITY")) {
		imap_set_caps(im, line_rest(im));
		ev->kind = IMAP_EV_CAPABILITY;
		return 1;
	}
	if (span_caseeq(name, "ENABLED")) {
		ev->kind = IMAP_EV_ENABLED;
		ev->text = line_rest(im);
		return 1;
	}
	return named(im, name, ev);
}

static bool
logs_out(const struct imap *im)
{
	size_t i;

	for (i = 0; i < im->queue.n; i++)
		if (im->queue.v[i].verb == IMAP_V_LOGOUT)
			return true;
	return false;
}

/* Untagged OK, NO, BAD, BYE; PREAUTH only greets. */
static int
status(struct imap *im, enum imap_cond cond, struct imap_ev *ev, struct err *e)
{
	if (cond == IMAP_PREAUTH)
		return imap_item_junk(im, e);
	ev->kind = IMAP_EV_STATUS;
	ev->cond = cond;
	imap_code_parse(im, line_rest(im), ev);
	if (cond != IMAP_BYE)
		return 1;
	im->bye = true;
	return logs_out(im) ? 1 : imap_refused(ev, "the session was ended", e);
}

/* "* number NAME" */
static int
numbered(struct imap *im, uint32_t n, struct imap_ev *ev, struct err *e)
{
	struct imap_token t;

	ev->number = n;
	if (next(im, &t) != IMAP_TOK_ATOM)
		return imap_item_junk(im, e);
	if (span_caseeq(t.text, "FETCH")) {
		imap_item_begin(im, n);
		return 0;
	}
	if (im->lex.announced)
		return imap_lex_fold(&im->lex, e);
	if (span_caseeq(t.text, "EXISTS"))
		ev->kind = IMAP_EV_EXISTS;
	else if (span_caseeq(t.text, "EXPUNGE"))
		ev->kind = IMAP_EV_EXPUNGE;
	else
		return 0;
	return 1;
}

static int
untagged(struct imap *im, struct imap_ev *ev, struct err *e)
{
	struct imap_token t;
	enum imap_cond cond;
	uint64_t n;
	int r;

	if (next(im, &t) != IMAP_TOK_ATOM)
		return imap_item_junk(im, e);
	if (imap_code_cond(t.text, &cond)) {
		imap_lex_text(&im->lex);
		return status(im, cond, ev, e);
	}
	if (span_number(t.text, UINT32_MAX, &n))
		return numbered(im, (uint32_t)n, ev, e);
	if (im->lex.announced)
		return imap_lex_fold(&im->lex, e);
	r = listed(im, t.text, ev);
	return r == -1 ? imap_item_junk(im, e) : r;
}

static int
greeting(struct imap *im, bool star, struct imap_ev *ev, struct err *e)
{
	struct imap_token t;
	char *shown;

	if (!star || next(im, &t) != IMAP_TOK_ATOM ||
	    !imap_code_cond(t.text, &ev->cond) || ev->cond == IMAP_NO ||
	    ev->cond == IMAP_BAD) {
		shown = span_show(buf_span(&im->lex.line), 200);
		err_set(e, ERR_PROTO,
		    "no IMAP server answers there: it greets with \"%s\"; check "
		    "host and port",
		    shown);
		free(shown);
		return -1;
	}
	im->greeted = true;
	im->bye = ev->cond == IMAP_BYE;
	imap_code_parse(im, line_rest(im), ev);
	return 1;
}

/* "+ text", "+text", "+": for the oldest command that can be meant. */
static int
go_on(struct imap *im, struct imap_ev *ev)
{
	const struct imap_queue *q = &im->queue;

	if ((q->n == 0 || (q->v[0].verb != IMAP_V_AUTHENTICATE &&
			      q->v[0].verb != IMAP_V_IDLE)) &&
	    imap_queue_go(&im->queue))
		return 0;
	ev->kind = IMAP_EV_CONTINUE;
	ev->text = span_trim(span_skip(buf_span(&im->lex.line), 1));
	return 1;
}

static int
tagged(struct imap *im, struct span tag, struct imap_ev *ev, struct err *e)
{
	struct imap_token t;
	struct imap_cmd cmd;
	uint64_t n;

	if (tag.n < 2 || tag.p[0] != 'A' ||
	    !span_number(span_skip(tag, 1), UINT32_MAX, &n) ||
	    next(im, &t) != IMAP_TOK_ATOM ||
	    !imap_code_cond(t.text, &ev->cond) || ev->cond > IMAP_BAD ||
	    imap_queue_answered(&im->queue, (uint32_t)n, &cmd) == -1)
		return imap_item_junk(im, e);
	ev->kind = IMAP_EV_DONE;
	ev->verb = (enum imap_verb)cmd.verb;
	ev->cookie = cmd.cookie;
	imap_code_parse(im, line_rest(im), ev);
	return 1;
}

/* A physical line is there.  1: an event; 0: none (yet); -1. */
static int
respond(struct imap *im, struct imap_ev *ev, struct err *e)
{
	struct span s = buf_span(&im->lex.line);
	struct imap_token t;
	bool star;

	*ev = (struct imap_ev){0};
	if (span_trim(s).n == 0 && im->lex.complete)
		return 0;
	im->lex.pos = 0;
	if (s.p[0] == '+' && im->greeted) {
		imap_lex_text(&im->lex);
		return go_on(im, ev);
	}
	star = next(im, &t) == IMAP_TOK_ATOM && span_eq(t.text, "*");
	if (!star || !im->greeted)
		imap_lex_text(&im->lex);
	if (!im->greeted)
		return greeting(im, star, ev, e);
	return star ? untagged(im, ev, e) : tagged(im, t.text, ev, e);
}

static int
cut_short(const struct imap *im, struct err *e)
{
	return err_set(e, ERR_TEMP, "the server closed the connection %s",
	    !im->greeted      ? "without a greeting"
	    : im->queue.n > 0 ? "before it had answered"
			      : "unasked");
}

int
imap_next(struct imap *im, struct imap_ev *ev, struct err *e)
{
	int r;

	buf_consume(&im->wire->in, im->eaten);
	im->eaten = 0;
	for (;;) {
		if (im->queue.full)
			return err_set(e, ERR_LOCAL,
			    "too much waits to be sent to the server");
		if (imap_item_active(im)) {
			if ((r = imap_item_next(im, ev, e)) != 0)
				return r;
			if (imap_item_in_body(im))
				break;
		}
		if ((r = imap_lex_line(&im->lex, &im->wire->in, e)) == -1)
			return -1;
		if (r == 0)
			break;
		if (!imap_item_active(im) && (r = respond(im, ev, e)) != 0)
			return r;
	}
	return im->wire->eof ? cut_short(im, e) : 0;
}

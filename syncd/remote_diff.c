/*
 * What has changed in folders since they were remembered, for all of them in
 * one flight, by the best means that the server has; and, where what it told
 * cannot be right, a second look that must agree with itself.
 */

#include "remote_ask.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/time.h"

#define PIECE 10000u /* UIDs that one listing command covers, at least */
#define PIECES 64u   /* commands of one listing, at most */

/* Commands' cookies: the question's number times KINDS, and this. */
enum { K_SELECT, K_FLAGS, K_NEW, K_SEARCH, KINDS };

struct diffs {
	struct ask *v; /* owned */
	size_t n, next;
};

/* --- questions ------------------------------------------------------------- */

/* Whether the survey told that messages came or went. */
static bool
counts_differ(const struct ask *a)
{
	const struct folders_remote *now = a->q->now;

	return now == NULL || !now->has_status ||
	       now->uidnext != a->base.uidnext ||
	       now->messages != a->base.messages;
}

static void
choose_mode(const struct remote *r, struct ask *a)
{
	const struct folders_remote *now = a->q->now;

	a->all_new = a->base.uidvalidity == 0 ||
	             (now != NULL && now->has_status &&
			 now->uidvalidity != a->base.uidvalidity);
	a->mode = BY_LIST;
	if (a->all_new || a->q->full || a->base.modseq == 0)
		return;
	if (r->qresync)
		a->mode = BY_QRESYNC;
	else if (imap_has(&r->client.imap, IMAP_CAP_CONDSTORE))
		a->mode = BY_MODSEQ;
}

static void
put_details(const struct remote *r, const struct ask *a, char more_r[80])
{
	snprintf(more_r, 80, "%s%s%s", a->q->sizes ? " RFC822.SIZE" : "",
	    a->q->dates ? " INTERNALDATE" : "",
	    a->q->emailids ? remote_emailid_item(r) : "");
}

/*
 * A command for each piece of the UIDs from lo to hi (0: all above lo), so that
 * no answer is endless and no limit of the server is met.
 */
static void
put_pieces(struct remote *r, const struct ask *a, uint32_t cookie,
    const char *more, uint64_t lo, uint64_t hi)
{
	struct imap *im = &r->client.imap;
	const struct folders_remote *now = a->q->now;
	const char *esearch =
	    imap_has(im, IMAP_CAP_ESEARCH) ? "RETURN (ALL COUNT) " : "";
	uint64_t end = hi != 0 ? hi : now != NULL ? now->uidnext : 0, step;
	char to[24];

	step = end > lo ? (end - lo) / PIECES + 1 : 1;
	step = step > PIECE ? step : PIECE;
	for (;; lo += step) {
		snprintf(to, sizeof(to), "%" PRIu64, lo + step - 1);
		if (lo + step > end && hi == 0)
			snprintf(to, sizeof(to), "*");
		else if (lo + step > end)
			snprintf(to, sizeof(to), "%" PRIu64, hi);
		if (cookie % KINDS == K_SEARCH)
			imap_command(im, IMAP_V_SEARCH, cookie,
			    "UID SEARCH %sUID %" PRIu64 ":%s", esearch, lo, to);
		else
			imap_command(im, IMAP_V_FETCH, cookie,
			    "UID FETCH %" PRIu64 ":%s (UID FLAGS%s)", lo, to,
			    more);
		if (lo + step > end)
			return;
	}
}

static void
put_changes(struct remote *r, struct ask *a, uint32_t cookie)
{
	char more[80];

	put_details(r, a, more);
	a->detailed = true;
	imap_command(&r->client.imap, IMAP_V_FETCH, cookie + K_FLAGS,
	    "UID FETCH 1:* (UID FLAGS%s) (CHANGEDSINCE %" PRIu64 ")", more,
	    a->base.modseq);
	a->searched = counts_differ(a);
}

static void
put_new(struct remote *r, struct ask *a, uint32_t cookie)
{
	char more[80];

	put_details(r, a, more);
	a->detailed = true;
	put_pieces(r, a, cookie + K_NEW, more, remote_first_new(a), 0);
}

static void
put_questions(struct remote *r, struct ask *a, uint32_t cookie)
{
	bool condstore = imap_has(&r->client.imap, IMAP_CAP_CONDSTORE);
	uint32_t from = remote_first_new(a);
	char more[80] = "";

	if (a->mode == BY_QRESYNC)
		snprintf(more, sizeof(more), " (QRESYNC (%u %" PRIu64 "))",
		    a->base.uidvalidity, a->base.modseq);
	else if (condstore && !r->qresync)
		snprintf(more, sizeof(more), " (CONDSTORE)");
	a->ground = r->selected == NULL && r->selects == 0;
	remote_select(r, a->q->folder, cookie + K_SELECT, more);
	switch (a->mode) {
	case BY_QRESYNC:
		if ((a->q->sizes || a->q->emailids) && counts_differ(a))
			put_new(r, a, cookie);
		break;
	case BY_MODSEQ:
		put_changes(r, a, cookie);
		break;
	case BY_LIST:
		if (from > 1)
			put_pieces(r, a, cookie + K_FLAGS, "", 1, from - 1);
		put_new(r, a, cookie);
		a->searched = a->judge;
		break;
	case ONLY_DETAILS:
		put_new(r, a, cookie);
		break;
	}
	if (a->searched)
		put_pieces(r, a, cookie + K_SEARCH, "", 1, 0);
}

static int
put(struct remote *r, void *arg, struct err *e)
{
	struct diffs *f = arg;

	(void)e;
	while (f->next < f->n && !f->v[f->next].wanted)
		f->next++;
	if (f->next == f->n)
		return 0;
	put_questions(r, &f->v[f->next], (uint32_t)f->next * KINDS);
	f->next++;
	return 1;
}

/* --- answers --------------------------------------------------------------- */

static void
take_permanent(struct ask *a, struct span list)
{
	const plan_flags keywords = PLAN_KEYWORD(26) - PLAN_KEYWORD(0);
	struct remote_diff *d = a->d;
	struct span word;

	if (list.n >= 2 && list.p[0] == '(')
		list = span_bytes(list.p + 1, list.n - 2);
	d->permanent = 0;
	while (span_word(&list, &word))
		if (span_eq(word, "\\*")) {
			d->any_keyword = true;
			d->permanent |= keywords | PLAN_PASSED;
		} else
			d->permanent |=
			    remote_flag(word, a->q->keywords, false);
}

/* What SELECT tells in response codes. */
static void
take_code(struct ask *a, const struct imap_ev *ev)
{
	if (ev->code == IMAP_CODE_CLOSED)
		a->doubt = false;
	if (ev->code == IMAP_CODE_CLOSED || ev->code == IMAP_CODE_UIDVALIDITY)
		a->ground = true;
	if (a->mode == ONLY_DETAILS)
		return;
	if (ev->code == IMAP_CODE_UIDNEXT)
		a->d->uidnext = (uint32_t)ev->code_number;
	if (ev->code == IMAP_CODE_HIGHESTMODSEQ)
		a->d->modseq = ev->code_number;
	if (ev->code == IMAP_CODE_PERMANENTFLAGS)
		take_permanent(a, ev->code_args);
}

static void
take_fetch(struct ask *a, const struct imap_fetch *f)
{
	struct remote_diff *d = a->d;
	struct remote_change *c;
	int64_t date = time_imap(f->internaldate.p, f->internaldate.n);

	if (f->uid == 0 || !f->has_flags)
		return;
	if (d->n == a->cap) {
		a->cap = a->cap > 0 ? a->cap * 2 : 16;
		d->v = mem_resize(d->v, a->cap, sizeof(*d->v));
	}
	c = &d->v[d->n++];
	*c = (struct remote_change){.uid = f->uid,
	    .flags = remote_flags(f, a->q->keywords),
	    .size = f->size,
	    .date = date == -1 ? 0 : date};
	remote_emailid(f, c->emailid);
	if (d->n > 1 && c[-1].uid >= c->uid)
		a->unsorted = true;
}

static void
take_vanished(struct ask *a, const struct imap_ev *ev)
{
	uint64_t n = uidset_count(ev->uids);

	if (a->mode == BY_QRESYNC && ev->earlier)
		uidset_union(&a->d->vanished, ev->uids);
	else if (a->ground && !ev->earlier) {
		uidset_union(&a->later, ev->uids);
		a->exists -= n < a->exists ? (uint32_t)n : a->exists;
	}
}

static void
take_select(struct remote *r, struct ask *a, const struct imap_ev *ev)
{
	if (ev->cond != IMAP_OK) {
		a->d->error = remote_refusal(ev, a->q->folder, "SELECT");
		return;
	}
	a->ground = true;
	if (a->mode == ONLY_DETAILS)
		return;
	a->d->uidvalidity = remote_noted(r);
	a->d->read_only = ev->code == IMAP_CODE_READ_ONLY;
	if (a->d->read_only)
		a->d->permanent = 0;
}

static void
take_done(struct remote *r, struct ask *a, const struct imap_ev *ev)
{
	struct remote_diff *d = a->d;
	uint32_t kind = ev->cookie % KINDS;

	if (d->error != NULL)
		return;
	if (ev->code == IMAP_CODE_MESSAGELIMIT)
		a->cut = true;
	if (kind == K_SELECT)
		take_select(r, a, ev);
	else if (ev->cond == IMAP_OK)
		return;
	else if (kind == K_SEARCH)
		a->unfound = true;
	else if (a->exists > 0) /* else it may well be: nothing is there */
		d->error = remote_refusal(ev, a->q->folder, "UID FETCH");
}

static void
take_news(struct ask *a, uint32_t kind, const struct imap_ev *ev)
{
	if (ev->kind == IMAP_EV_STATUS && kind == K_SELECT)
		take_code(a, ev);
	if (ev->kind == IMAP_EV_EXISTS)
		a->exists = ev->number;
	if (ev->kind == IMAP_EV_EXISTS && kind == K_SELECT &&
	    a->mode != ONLY_DETAILS)
		a->d->exists = ev->number;
	if (ev->kind == IMAP_EV_EXPUNGE && a->ground) {
		a->shaken = true;
		a->exists -= a->exists > 0;
	}
	if (ev->kind == IMAP_EV_VANISHED)
		take_vanished(a, ev);
	/* Dovecot may answer it before it says that a FETCH is done. */
	if (ev->kind == IMAP_EV_SEARCH && kind != K_SELECT) {
		uidset_union(&a->found, ev->uids);
		a->counted += ev->number;
	}
	if (ev->kind == IMAP_EV_FETCH && a->ground)
		take_fetch(a, &ev->fetch);
	else if (ev->kind == IMAP_EV_FETCH)
		a->doubt = true;
}

static int
take(struct remote *r, void *arg, const struct imap_ev *ev, struct err *e)
{
	struct diffs *f = arg;
	uint32_t cookie = ev->cookie;
	enum imap_verb verb;
	struct ask *a;

	(void)e;
	if (ev->kind != IMAP_EV_DONE &&
	    !imap_oldest(&r->client.imap, &verb, &cookie))
		return 0;
	a = &f->v[cookie / KINDS];
	if (ev->kind == IMAP_EV_DONE)
		take_done(r, a, ev);
	else if (a->d->error == NULL)
		take_news(a, cookie % KINDS, ev);
	return 0;
}

/* --- flights ---------------------------------------------------------------- */

/* A flight, and further ones for those that must be looked at again: UIDVALIDITY
 * changed unawares, then the judge, at most. */
static int
fly_all(struct remote *r, struct diffs *f, struct err *e)
{
	struct remote_flight flight = {.arg = f, .put = put, .take = take};
	bool again = true;
	size_t i;

	while (again) {
		f->next = 0;
		if (remote_fly(r, &flight, e) == -1)
			return -1;
		again = false;
		for (i = 0; i < f->n; i++) {
			if (!f->v[i].wanted)
				continue;
			f->v[i].wanted = !remote_judge(&f->v[i]);
			again = again || f->v[i].wanted;
		}
	}
	return 0;
}

int
remote_diffs(struct remote *r, const struct remote_question *q, size_t n,
    struct remote_diff *diffs_r, struct err *e)
{
	const plan_flags system = PLAN_SEEN | PLAN_ANSWERED | PLAN_FLAGGED |
	                          PLAN_DELETED | PLAN_DRAFT;
	struct diffs f = {.v = mem_array(n + 1, sizeof(*f.v)), .n = n};
	size_t i;
	int rv;

	for (i = 0; i < n; i++) {
		/* A server that says nothing of it stores them all. */
		diffs_r[i] = (struct remote_diff){.permanent = system};
		f.v[i] =
		    (struct ask){.q = &q[i], .d = &diffs_r[i], .wanted = true};
		if (q[i].base != NULL)
			f.v[i].base = *q[i].base;
		choose_mode(r, &f.v[i]);
	}
	rv = fly_all(r, &f, e);
	for (i = 0; i < n; i++) {
		uidset_clear(&f.v[i].found);
		uidset_clear(&f.v[i].later);
		if (rv == -1)
			remote_diff_clear(&diffs_r[i]);
	}
	free(f.v);
	return rv;
}

void
remote_diff_clear(struct remote_diff *d)
{
	free(d->error);
	free(d->v);
	uidset_clear(&d->vanished);
	*d = (struct remote_diff){0};
}

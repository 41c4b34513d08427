/*
 * Messages that leave a folder: moved to another, or deleted; never one that
 * another client has marked for itself.
 */

#include "remote_change.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/log.h"

enum { MOVE, COPY, MARK, EXPUNGE, LOOK, EXPUNGE_ALL };

/* A move, or a deletion. */
struct leave {
	struct remote_move *move;     /* borrowed; NULL */
	struct remote_delete *delete; /* borrowed; NULL */
	const char *to;               /* MOVE, COPY; borrowed */
	uint32_t asked;               /* COPY: from this member on */
	struct err *error;            /* COPY: why not all were copied */
};

static void
set_marked(struct leave *l)
{
	if (l->move != NULL)
		l->move->marked = true;
	else
		l->delete->marked = true;
}

/* Who has UIDPLUS may still refuse this part of it, as Proton's bridge does. */
static bool
can_expunge(const struct remote *r)
{
	return imap_has(&r->client.imap, IMAP_CAP_UIDPLUS) &&
	       !r->no_uid_expunge;
}

static void
put_to(struct remote *r, struct change *c, uint32_t cookie)
{
	struct leave *l = c->job;
	struct imap *im = &r->client.imap;
	bool move = c->step == MOVE;

	l->asked = c->from;
	remote_begin_set(r, move ? IMAP_V_MOVE : IMAP_V_COPY, cookie,
	    move ? "MOVE" : "COPY", c->uids, &c->from);
	imap_put(im, " ");
	remote_put_folder(r, l->to);
	imap_end(im);
	if (move)
		remote_change_step(c, CHANGE_DONE);
	else
		c->waits = true; /* only what is there may go here */
}

static void
put_look(struct remote *r, struct change *c, uint32_t cookie)
{
	uidset_clear(&c->found);
	imap_command(
	    &r->client.imap, IMAP_V_SEARCH, cookie, "UID SEARCH DELETED");
	c->waits = true;
	c->step = EXPUNGE_ALL;
}

/* EXPUNGE takes all that is marked: only if that is ours. */
static void
put_expunge_all(struct remote *r, struct change *c, uint32_t cookie)
{
	c->step = CHANGE_DONE;
	uidset_minus(&c->found, c->uids);
	if (uidset_empty(&c->found)) {
		imap_command(
		    &r->client.imap, IMAP_V_EXPUNGE, cookie + 1, "EXPUNGE");
		return;
	}
	set_marked(c->job);
	log_warn("folder %s: the server cannot expunge single messages, and "
		 "another client has marked some \\Deleted: ours are marked "
		 "too, but not expunged",
	    c->folder);
}

static void
put_leave(struct remote *r, struct change *c, uint32_t cookie)
{
	struct imap *im = &r->client.imap;

	switch (c->step) {
	case MOVE:
	case COPY:
		put_to(r, c, cookie);
		break;
	case MARK:
		remote_begin_set(
		    r, IMAP_V_STORE, cookie, "STORE", c->uids, &c->from);
		imap_put(im, " +FLAGS.SILENT (\\Deleted)");
		imap_end(im);
		remote_change_step(c, can_expunge(r) ? EXPUNGE : LOOK);
		break;
	case EXPUNGE:
		remote_begin_set(
		    r, IMAP_V_EXPUNGE, cookie, "EXPUNGE", c->uids, &c->from);
		imap_end(im);
		remote_change_step(c, CHANGE_DONE);
		break;
	case LOOK:
		put_look(r, c, cookie);
		break;
	case EXPUNGE_ALL:
		put_expunge_all(r, c, cookie);
		break;
	}
}

/* COPYUID pairs the UIDs by their places in both sets. */
static void
take_copyuid(struct remote_move *m, const struct imap_ev *ev)
{
	struct span rest = ev->code_args, word;
	struct uidwalk from = {0}, to = {0};
	struct remote_pair pair;
	size_t most = m->n_pairs + (size_t)uidset_count(m->uids);

	if (uidset_count(ev->code_from) != uidset_count(ev->uids) ||
	    !span_word(&rest, &word) || !span_word(&rest, &from.rest))
		return;
	to.rest = span_trim(rest);
	m->to_uidvalidity = (uint32_t)ev->code_number;
	while (m->n_pairs < most && uidwalk_next(&from, &pair.from) &&
	       uidwalk_next(&to, &pair.to)) {
		if (!uidset_has(m->uids, pair.from))
			continue;
		m->pairs = mem_more(m->pairs, m->n_pairs, sizeof(*m->pairs));
		m->pairs[m->n_pairs++] = pair;
	}
}

/* ev answers a COPY of the members from l->asked on. */
static bool
take_copy(struct change *c, struct leave *l, const struct imap_ev *ev)
{
	struct uidset piece;

	if (ev->cond != IMAP_OK && uidset_empty(&c->set))
		return false;
	if (ev->cond == IMAP_OK) {
		uidset_init(&piece);
		uidset_add(
		    &piece, l->asked, c->from == 0 ? UINT32_MAX : c->from - 1);
		uidset_meet(&piece, c->uids);
		uidset_union(&c->set, &piece);
		uidset_clear(&piece);
		if (c->from != 0)
			return true;
	} else
		l->error = remote_refusal(ev, c->folder, "UID COPY");
	c->uids = &c->set;
	c->step = MARK;
	c->from = 1;
	return true;
}

static bool
take_done(struct remote *r, struct change *c, const struct imap_ev *ev)
{
	struct leave *l = c->job;
	bool good = ev->cond == IMAP_OK;

	if (!good && l->move != NULL)
		l->move->code = ev->code;
	if (ev->verb == IMAP_V_COPY)
		return take_copy(c, l, ev);
	if (ev->verb == IMAP_V_SEARCH && !good) {
		set_marked(l); /* who knows what is marked there? */
		c->step = CHANGE_DONE;
		return true;
	}
	if (ev->verb == IMAP_V_EXPUNGE && !good &&
	    ev->cookie % CHANGE_COOKIES == 0) {
		r->no_uid_expunge = true;
		c->step = LOOK;
		c->from = 1;
		c->again = true;
		return true;
	}
	return false;
}

static bool
take_leave(struct remote *r, struct change *c, const struct imap_ev *ev)
{
	struct leave *l = c->job;

	if (l->move != NULL && ev->code == IMAP_CODE_COPYUID)
		take_copyuid(l->move, ev);
	if (ev->kind == IMAP_EV_SEARCH)
		uidset_union(&c->found, ev->uids);
	if (l->move == NULL && ev->kind == IMAP_EV_VANISHED && !ev->earlier)
		uidset_union(&l->delete->vanished, ev->uids);
	return ev->kind == IMAP_EV_DONE && take_done(r, c, ev);
}

static struct change
change_of(const struct remote *r, struct leave *l)
{
	const struct remote_move *m = l->move;
	const struct remote_delete *d = l->delete;
	struct change c = {.guarded = true, .job = l, .from = 1};

	c.folder = m != NULL ? m->from : d->folder;
	c.uidvalidity = m != NULL ? m->uidvalidity : d->uidvalidity;
	c.uids = m != NULL ? m->uids : d->uids;
	c.step = MARK;
	if (l->to != NULL)
		c.step = imap_has(&r->client.imap, IMAP_CAP_MOVE) ? MOVE : COPY;
	if (uidset_empty(c.uids))
		c.step = CHANGE_DONE;
	return c;
}

/* Leaves in each what became of it. */
static int
run(struct remote *r, struct leave *leaves, size_t n, struct err *e)
{
	struct changes all = {.v = mem_array(n + 1, sizeof(*all.v)),
	    .n = n,
	    .put = put_leave,
	    .take = take_leave};
	size_t i;
	int rv;

	for (i = 0; i < n; i++)
		all.v[i] = change_of(r, &leaves[i]);
	rv = remote_change(r, &all, e);
	for (i = 0; i < n; i++) {
		if (leaves[i].error == NULL)
			leaves[i].error = all.v[i].error;
		else
			free(all.v[i].error);
	}
	remote_changes_clear(&all);
	return rv;
}

static int
by_from(const void *a, const void *b)
{
	const struct remote_pair *x = a, *y = b;

	return x->from < y->from ? -1 : x->from > y->from;
}

int
remote_move(struct remote *r, struct remote_move *v, size_t n, struct err *e)
{
	struct leave *leaves = mem_array(n + 1, sizeof(*leaves));
	size_t i;
	int rv;

	for (i = 0; i < n; i++) {
		v[i].copied = v[i].marked = false;
		v[i].pairs = NULL;
		v[i].n_pairs = 0;
		v[i].to_uidvalidity = 0;
		v[i].code = IMAP_CODE_NONE;
		leaves[i] = (struct leave){.move = &v[i], .to = v[i].to};
	}
	rv = run(r, leaves, n, e);
	for (i = 0; i < n; i++) {
		v[i].error = leaves[i].error;
		v[i].copied = rv == 0 && v[i].error == NULL;
		if (v[i].n_pairs > 0)
			qsort(v[i].pairs, v[i].n_pairs, sizeof(*v[i].pairs),
			    by_from);
	}
	free(leaves);
	return rv;
}

void
remote_move_clear(struct remote_move *m)
{
	free(m->pairs);
	free(m->error);
	m->pairs = NULL;
	m->n_pairs = 0;
	m->error = NULL;
}

/* Where a deletion would only take away a label. */
static bool
keeps_all(const struct remote *r, const char *folder)
{
	return imap_has(&r->client.imap, IMAP_CAP_GMAIL) && r->trash != NULL &&
	       strcmp(folder, r->trash) != 0;
}

int
remote_delete(
    struct remote *r, struct remote_delete *v, size_t n, struct err *e)
{
	struct leave *leaves = mem_array(n + 1, sizeof(*leaves));
	size_t i;
	int rv;

	for (i = 0; i < n; i++) {
		v[i].marked = false;
		uidset_init(&v[i].vanished);
		leaves[i] = (struct leave){.delete = &v[i],
		    .to = keeps_all(r, v[i].folder) ? r->trash : NULL};
	}
	rv = run(r, leaves, n, e);
	for (i = 0; i < n; i++)
		v[i].error = leaves[i].error;
	for (i = 0; i < n; i++)
		v[i].told = rv == 0 && r->qresync && leaves[i].to == NULL &&
		            !v[i].marked && v[i].error == NULL;
	free(leaves);
	return rv;
}

void
remote_delete_clear(struct remote_delete *d)
{
	uidset_clear(&d->vanished);
	free(d->error);
	d->error = NULL;
}

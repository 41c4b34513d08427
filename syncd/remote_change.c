/*
 * Changes to what is on the server: how they go from folder to folder; and
 * flags, the simplest of them.
 */

#include "remote_change.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"

/* --- from folder to folder -------------------------------------------------- */

static bool
is_over(const struct change *c)
{
	return c->step == CHANGE_DONE || c->error != NULL;
}

static bool
needs_select(const struct remote *r, const struct change *c)
{
	return r->selects > 0 ||
	       !remote_is_selected(r, c->folder, c->uidvalidity);
}

static int
put(struct remote *r, void *arg, struct err *e)
{
	struct changes *all = arg;
	uint32_t i;
	struct change *c;

	(void)e;
	for (; all->next < all->n; all->next++, all->selected = false)
		if (!is_over(&all->v[all->next]))
			break;
	if (all->next == all->n)
		return 0;
	c = &all->v[all->next];
	i = (uint32_t)all->next * CHANGE_COOKIES;
	if (!all->selected) {
		all->selected = true;
		if (needs_select(r, c)) {
			remote_select(r, c->folder, i, "");
			c->waits = c->guarded;
			return 1;
		}
	}
	if (c->waits && imap_unanswered(&r->client.imap) > 0)
		return 0;
	c->waits = false;
	if (!is_over(c))
		all->put(r, c, i);
	return 1;
}

static void
take_select(struct remote *r, struct change *c, const struct imap_ev *ev)
{
	if (ev->cond != IMAP_OK)
		c->error = remote_refusal(ev, c->folder, "SELECT");
	else if (c->uidvalidity != remote_noted(r))
		c->error = remote_moved_ground(
		    c->folder, c->uidvalidity, remote_noted(r));
}

static const char *
name_of(enum imap_verb verb)
{
	if (verb == IMAP_V_STORE)
		return "UID STORE";
	if (verb == IMAP_V_EXPUNGE)
		return "EXPUNGE";
	return verb == IMAP_V_MOVE ? "UID MOVE" : "UID COPY";
}

static int
take(struct remote *r, void *arg, const struct imap_ev *ev, struct err *e)
{
	struct changes *all = arg;
	uint32_t cookie = ev->cookie;
	enum imap_verb verb;
	struct change *c;

	(void)e;
	if (ev->kind != IMAP_EV_DONE &&
	    !imap_oldest(&r->client.imap, &verb, &cookie))
		return 0;
	c = &all->v[cookie / CHANGE_COOKIES];
	if (c->error != NULL)
		return 0;
	if (ev->kind == IMAP_EV_DONE && ev->verb == IMAP_V_SELECT)
		take_select(r, c, ev);
	else if (!all->take(r, c, ev) && ev->kind == IMAP_EV_DONE &&
		 ev->cond != IMAP_OK)
		c->error = remote_refusal(ev, c->folder, name_of(ev->verb));
	return 0;
}

void
remote_change_step(struct change *c, int step)
{
	if (c->from != 0)
		return;
	c->step = step;
	c->from = 1;
}

int
remote_change(struct remote *r, struct changes *all, struct err *e)
{
	struct remote_flight f = {
	    .arg = all, .put = put, .take = take, .finish = true};
	bool again;
	size_t i;

	do {
		all->next = 0;
		all->selected = false;
		if (remote_fly(r, &f, e) == -1)
			return -1;
		again = false;
		for (i = 0; i < all->n; i++) {
			again = again || all->v[i].again;
			all->v[i].again = false;
		}
	} while (again);
	return 0;
}

void
remote_changes_clear(struct changes *all)
{
	size_t i;

	for (i = 0; i < all->n; i++) {
		uidset_clear(&all->v[i].set);
		uidset_clear(&all->v[i].found);
	}
	free(all->v);
}

/* --- flags ------------------------------------------------------------------- */

enum { SET, CLEAR };

/*
 * A message that is changed twice must not be guarded by its MODSEQ twice: the
 * first change raises that.
 */
static void
put_store(struct remote *r, struct change *c, uint32_t cookie)
{
	const struct remote_store *s = c->job;
	struct imap *im = &r->client.imap;
	plan_flags set = remote_named(s->set, s->keywords);
	plan_flags clear = remote_named(s->clear, s->keywords);
	bool clears = c->step == CLEAR;

	if ((clears ? clear : set) == 0) {
		c->step = clears ? CHANGE_DONE : CLEAR;
		return;
	}
	remote_begin_set(r, IMAP_V_STORE, cookie, "STORE", c->uids, &c->from);
	if (s->unchanged_since != 0 && (!clears || set == 0))
		imap_put(
		    im, " (UNCHANGEDSINCE %" PRIu64 ")", s->unchanged_since);
	imap_put(im, " %cFLAGS.SILENT ", clears ? '-' : '+');
	remote_put_flags(r, clears ? clear : set, s->keywords);
	imap_end(im);
	remote_change_step(c, clears ? CHANGE_DONE : CLEAR);
}

static bool
take_store(struct remote *r, struct change *c, const struct imap_ev *ev)
{
	struct remote_store *s = c->job;

	(void)r;
	if (ev->kind != IMAP_EV_DONE || ev->code != IMAP_CODE_MODIFIED)
		return false;
	uidset_union(&s->modified, ev->uids);
	return true;
}

int
remote_store(struct remote *r, struct remote_store *v, size_t n, struct err *e)
{
	struct changes all = {.v = mem_array(n + 1, sizeof(*all.v)),
	    .n = n,
	    .put = put_store,
	    .take = take_store};
	size_t i;
	int rv;

	for (i = 0; i < n; i++) {
		uidset_init(&v[i].modified);
		all.v[i] = (struct change){.folder = v[i].folder,
		    .uidvalidity = v[i].uidvalidity,
		    .uids = v[i].uids,
		    .guarded = (v[i].set & PLAN_DELETED) != 0,
		    .job = &v[i],
		    .step = uidset_empty(v[i].uids) ? CHANGE_DONE : SET,
		    .from = 1};
	}
	rv = remote_change(r, &all, e);
	for (i = 0; i < n; i++)
		v[i].error = all.v[i].error;
	remote_changes_clear(&all);
	return rv;
}

void
remote_store_clear(struct remote_store *s)
{
	uidset_clear(&s->modified);
	free(s->error);
	s->error = NULL;
}

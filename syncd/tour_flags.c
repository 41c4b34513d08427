/*
 * Flags, both ways; and the rows of all that has been done by then.
 */

#include <stdlib.h>

#include "base/mem.h"
#include "os/log.h"
#include "tour.h"

/* 1; 0 when the file is gone meanwhile: the next pass will see where to. */
static int
set_local(struct tour *t, struct work *w, struct item *it, struct err *e)
{
	struct local_at at;
	int rv;

	if (!it->p.set_local || it->file == NO_FILE)
		return 1;
	local_at(&w->list, &w->list.v[it->file], &at);
	rv =
	    local_set_flags(&w->md, &at, it->p.local_flags & ~it->m.local.flags,
		it->m.local.flags & ~it->p.local_flags, e);
	if (rv == 1) {
		t->pass->flagged++;
		tour_say_file(t, "flags", w, &at);
	}
	return rv;
}

/* Those of a file that a reader has moved are set where it is by now. */
static int
set_item(struct tour *t, struct work *w, struct item *it, struct err *e)
{
	if (it->to == NULL || !it->p.delete_remote)
		return set_local(t, w, it, e);
	return it->to->left ? 0
	                    : set_local(t, it->to, &it->to->v[it->to_item], e);
}

/* What changes in the same way is changed by one command. */
struct change {
	plan_flags set, clear;
	struct uidset uids;
	size_t work;
};

struct changes {
	struct change *v; /* owned */
	size_t n;
};

static void
add_change(struct changes *c, size_t work, const struct item *it)
{
	plan_flags set = it->p.remote_flags & ~it->m.remote.flags;
	plan_flags clear = it->m.remote.flags & ~it->p.remote_flags;
	size_t i;

	for (i = 0; i < c->n; i++)
		if (c->v[i].work == work && c->v[i].set == set &&
		    c->v[i].clear == clear)
			break;
	if (i == c->n) {
		c->v = mem_resize(c->v, c->n + 1, sizeof(*c->v));
		c->v[c->n++] =
		    (struct change){.set = set, .clear = clear, .work = work};
		uidset_init(&c->v[i].uids);
	}
	uidset_add(&c->v[i].uids, it->uid, it->uid);
}

/* Those that another client changed meanwhile are judged anew, in a further
 * pass. */
static void
take_back(struct tour *t, struct work *w, const struct uidset *uids)
{
	size_t i;

	if (!uidset_empty(uids))
		t->pass->again = true;
	for (i = 0; i < w->n; i++)
		if (w->v[i].p.set_remote && uidset_has(uids, w->v[i].uid))
			w->v[i].settled = w->again = true;
}

static int
store(struct tour *t, struct changes *c, struct err *e)
{
	struct remote_store *s = mem_array(c->n + 1, sizeof(*s));
	struct work *w;
	size_t i;
	int rv;

	for (i = 0; i < c->n; i++) {
		w = &t->works[c->v[i].work];
		s[i] = (struct remote_store){.folder = w->f.remote,
		    .uidvalidity = tour_validity(w),
		    .uids = &c->v[i].uids,
		    .set = c->v[i].set,
		    .clear = c->v[i].clear,
		    .keywords = tour_keywords(t, w),
		    .unchanged_since = w->asked ? w->diff.modseq : w->f.modseq};
		uidset_init(&s[i].modified);
	}
	rv = c->n > 0 ? remote_store(t->pass->remote, s, c->n, e) : 0;
	for (i = 0; i < c->n; i++) {
		w = &t->works[c->v[i].work];
		if (rv == 0 && s[i].error != NULL && !w->left)
			tour_leave(t, w, s[i].error);
		if (rv == 0) {
			t->pass->flagged += uidset_count(&c->v[i].uids);
			take_back(t, w, &s[i].modified);
		}
		remote_store_clear(&s[i]);
	}
	free(s);
	return rv;
}

static bool
is_deletion(const struct item *it)
{
	return it->p.delete_local || it->p.delete_remote || it->to != NULL;
}

/* A reader may mark what it deletes at once: so it is to lie in the trash. */
static bool
is_for_trash(const struct tour *t, const struct work *w, const struct item *it)
{
	return it->p.delete_remote && it->to == NULL && !it->copied &&
	       it->p.remote_flags != it->m.remote.flags &&
	       tour_to_trash(t, w, TRASH_REMOTE);
}

/* What is not pulled is told of once, when it is seen first. */
static void
tell_skipped(struct tour *t, const struct work *w, const struct item *it)
{
	const struct plan_options *o = &t->pass->sync->plan;

	if (!it->m.base.paired && it->p.after.left_out && o->max_size > 0 &&
	    it->m.remote.size > o->max_size && !o->placeholders)
		log_info("%s: message %u has %ju bytes: skipped", w->f.remote,
		    it->uid, (uintmax_t)it->m.remote.size);
}

/* Whether something is done yet that must not come before these rows. */
static bool
goes_on(const struct tour *t)
{
	size_t i, k;

	for (i = 0; i < t->n; i++)
		for (k = 0; k < t->works[i].n; k++)
			if (is_deletion(&t->works[i].v[k]) ||
			    t->works[i].v[k].p.expire)
				return true;
	return false;
}

static int
remember_one(struct tour *t, struct work *w, struct item *it,
    const struct tour_hidden *h, struct err *e)
{
	if (it->settled || is_deletion(it) || it->uid == 0 || it->p.pull ||
	    !it->p.remember)
		return 0;
	tell_skipped(t, w, it);
	if (tour_remember(t, w, it, e) == -1 ||
	    tour_note_origins(t, w, it, h, e) == -1)
		return -1;
	if (it->p.again)
		t->pass->again = w->again = true;
	return 0;
}

int
tour_remember_all(struct tour *t, struct err *e)
{
	struct tour_hidden h = tour_hidden(t);
	size_t i, k;
	int rv = 0;

	for (i = 0; i < t->n; i++) {
		struct work *w = &t->works[i];

		for (k = 0; rv == 0 && !w->left && k < w->n; k++)
			rv = remember_one(t, w, &w->v[k], &h, e);
	}
	free(h.v);
	return rv;
}

/* Where nothing else is to be done, they go with the folders' numbers. */
static int
remember_or_owe(struct tour *t, struct err *e)
{
	t->owes_rows = !goes_on(t);
	if (t->owes_rows)
		return 0;
	if (state_begin(t->pass->state, e) == -1 ||
	    tour_remember_all(t, e) == -1)
		return -1;
	return state_commit(t->pass->state, e);
}

int
tour_flags(struct tour *t, struct err *e)
{
	struct changes c = {0};
	size_t i, k;
	int rv = 0;

	for (i = 0; rv != -1 && i < t->n; i++)
		if (!t->works[i].left)
			rv = local_keywords_write(
			    &t->works[i].md, &t->works[i].kw, t->tag, e);
	for (i = 0; rv != -1 && i < t->n; i++) {
		struct work *w = &t->works[i];

		for (k = 0; rv != -1 && !w->left && k < w->n; k++) {
			struct item *it = &w->v[k];

			if (it->settled)
				continue;
			rv = set_item(t, w, it, e);
			if (rv == 0)
				tour_put_off(w, it);
			if (rv == 1 && it->uid != 0 &&
			    (it->p.set_remote || is_for_trash(t, w, it)))
				add_change(&c, i, it);
		}
	}
	rv = rv == -1 ? -1 : 0;
	for (i = 0; rv == 0 && i < t->n; i++) {
		struct work *w = &t->works[i];

		if (!w->left)
			rv = maildir_sync_places(&w->md, e);
	}
	if (rv == 0)
		rv = store(t, &c, e);
	for (i = 0; i < c.n; i++)
		uidset_clear(&c.v[i].uids);
	free(c.v);
	return rv == 0 ? remember_or_owe(t, e) : -1;
}

/*
 * Deletions, at the very end, for good or to the trash; and what expires.
 */

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tour.h"

static bool
to_delete(const struct work *w, const struct item *it)
{
	return !w->left && !it->settled && it->to == NULL &&
	       (it->p.delete_local || it->p.delete_remote);
}

bool
tour_to_trash(const struct tour *t, const struct work *w, enum sync_trash side)
{
	const struct sync *y = t->pass->sync;

	return y->trash != NULL &&
	       (y->trash_on == side || y->trash_on == TRASH_BOTH) &&
	       strcmp(y->trash, w->f.remote) != 0;
}

enum way { COPIED, TO_TRASH, FOR_GOOD };

static bool
any_to_delete(const struct tour *t, const struct work *w, enum way way,
    struct uidset *uids)
{
	bool to_trash = tour_to_trash(t, w, TRASH_REMOTE);
	const struct item *it;
	size_t k;

	for (k = 0; k < w->n; k++) {
		it = &w->v[k];
		if (to_delete(w, it) && it->p.delete_remote &&
		    way == (it->copied    ? COPIED
			       : to_trash ? TO_TRASH
					  : FOR_GOOD))
			uidset_add(uids, it->uid, it->uid);
	}
	return !uidset_empty(uids);
}

static void
count_deleted(struct tour *t, struct work *w, const struct uidset *uids,
    const struct err *error)
{
	if (error != NULL) {
		tour_leave(t, w, error);
		return;
	}
	t->pass->deleted += uidset_count(uids);
}

/* What is deleted on the server, of folders whose mail goes to the trash or
 * of the others. */
static int
trash_on_server(struct tour *t, struct work **works, const struct uidset *sets,
    size_t n, struct err *e)
{
	struct remote_move *m = mem_array(n + 1, sizeof(*m));
	size_t i;
	int rv = 0;

	for (i = 0; i < n; i++)
		m[i] = (struct remote_move){.from = works[i]->f.remote,
		    .to = t->pass->sync->trash,
		    .uidvalidity = tour_validity(works[i]),
		    .uids = &sets[i]};
	if (n > 0) {
		rv = remote_move(t->pass->remote, m, n, e);
		t->pass->again = true; /* to pull them there */
	}
	for (i = 0; i < n; i++) {
		if (rv == 0)
			count_deleted(t, works[i], &sets[i], m[i].error);
		remote_move_clear(&m[i]);
	}
	free(m);
	return rv;
}

/*
 * What the server says to have expunged, and does not say to be gone, may be
 * there still (seen of Dovecot, with others at work in the folder), or was gone
 * before: so it keeps its row, for the next look at the whole folder to tell.
 */
static void
keep_rows(struct tour *t, struct work *w, const struct uidset *uids,
    const struct uidset *vanished)
{
	size_t i;

	for (i = 0; i < w->n; i++) {
		struct item *it = &w->v[i];

		if (!to_delete(w, it) || !uidset_has(uids, it->uid) ||
		    uidset_has(vanished, it->uid))
			continue;
		tour_put_off(w, it);
		t->pass->deleted--;
		t->pass->again = t->pass->again || t->pass->round == 0;
	}
}

static int
expunge_on_server(struct tour *t, struct work **works,
    const struct uidset *sets, size_t n, struct err *e)
{
	struct remote_delete *d = mem_array(n + 1, sizeof(*d));
	size_t i;
	int rv = 0;

	for (i = 0; i < n; i++)
		d[i] = (struct remote_delete){.folder = works[i]->f.remote,
		    .uidvalidity = tour_validity(works[i]),
		    .uids = &sets[i]};
	if (n > 0)
		rv = remote_delete(t->pass->remote, d, n, e);
	for (i = 0; i < n; i++) {
		if (rv == 0)
			count_deleted(t, works[i], &sets[i], d[i].error);
		if (rv == 0 && d[i].told)
			keep_rows(t, works[i], &sets[i], &d[i].vanished);
		remote_delete_clear(&d[i]);
	}
	free(d);
	return rv;
}

static int
delete_on_server(struct tour *t, enum way way, struct err *e)
{
	struct uidset *sets = mem_array(t->n + 1, sizeof(*sets));
	struct work **works = mem_array(t->n + 1, sizeof(*works));
	size_t i, n = 0;
	int rv;

	for (i = 0; i < t->n; i++) {
		struct work *w = &t->works[i];

		uidset_init(&sets[n]);
		if (any_to_delete(t, w, way, &sets[n]))
			works[n++] = w;
	}
	rv = way == TO_TRASH ? trash_on_server(t, works, sets, n, e)
	                     : expunge_on_server(t, works, sets, n, e);
	for (i = 0; i < n; i++)
		uidset_clear(&sets[i]);
	free(works);
	free(sets);
	return rv;
}

/* The trash's Maildir, made when it is missing: the next pass pushes what was
 * put there. */
static int
trash_here(struct tour *t, struct work *w, struct local_at *at, struct err *e)
{
	const struct sync *y = t->pass->sync;
	struct maildir trash;
	char *path = local_path_of(y, span_of(y->trash),
	    w->pair->remote != NULL ? w->pair->remote->sep : '/', e);
	int rv;

	if (path == NULL)
		return -1;
	rv = local_maildir(y, path, true, &trash, e);
	free(path);
	if (rv == -1)
		return -1;
	rv = local_move(&w->md, &trash, at, e);
	if (rv == 1 && maildir_sync_places(&trash, e) == -1)
		rv = -1;
	t->pass->again = true; /* to push it there */
	maildir_close(&trash);
	return rv;
}

static int
delete_here(struct tour *t, struct work *w, struct item *it, struct err *e)
{
	struct local_at at;
	int rv;

	if (it->file == NO_FILE)
		return 0;
	local_at(&w->list, &w->list.v[it->file], &at);
	/* One that went to the trash on the server is there already. */
	if (tour_to_trash(t, w, TRASH_LOCAL) && !it->p.delete_remote)
		rv = trash_here(t, w, &at, e);
	else
		rv = local_unlink(&w->md, &at, e);
	if (rv == 1) {
		tour_say_file(t, "gone", w, &at);
		t->pass->deleted++;
	}
	return rv == -1 ? -1 : 0;
}

/* Only what is as it was when that was decided: a reader may have flagged it
 * since. */
static int
expire_here(struct tour *t, struct work *w, struct item *it, struct err *e)
{
	struct local_at at;
	int rv;

	if (!it->p.expire || it->settled || it->file == NO_FILE)
		return 0;
	local_at(&w->list, &w->list.v[it->file], &at);
	rv = local_expire(&w->md, &at, e);
	if (rv == 1) {
		tour_say_file(t, "gone", w, &at);
		t->pass->expired++;
	} else
		t->pass->again = w->again = true;
	return rv == -1 ? -1 : 0;
}

static int
expire_all(struct tour *t, struct err *e)
{
	size_t i, k;

	for (i = 0; i < t->n; i++) {
		struct work *w = &t->works[i];

		for (k = 0; !w->left && k < w->n; k++)
			if (expire_here(t, w, &w->v[k], e) == -1)
				return -1;
	}
	return 0;
}

static bool
is_deletion_there(const struct work *w, const struct item *it)
{
	return to_delete(w, it) && it->p.delete_remote && it->m.base.paired &&
	       it->m.base.local;
}

/*
 * About to be marked on the server: from there on the row of what is gone says
 * so, and that of what a reader has marked that it is gone.  After a crash the
 * mark is not taken for one of another client, which would be shown.  A file that
 * a reader has put back by then is a new one: the server's may be gone for good.
 */
static void
note_mark(const struct item *it, struct state_msg *m)
{
	m->base = it->m.base;
	if (it->file == NO_FILE) {
		m->base.flags |= PLAN_DELETED;
		m->name = span_of("");
	} else
		m->base.local = false;
}

static int
note_marks(struct tour *t, bool copied, struct err *e)
{
	struct state *s = t->pass->state;
	struct state_msg m;
	bool begun = false;
	size_t i, k;

	for (i = 0; i < t->n; i++) {
		struct work *w = &t->works[i];

		for (k = 0; k < w->n; k++) {
			if (!is_deletion_there(w, &w->v[k]) ||
			    w->v[k].copied != copied)
				continue;
			if (!begun && state_begin(s, e) == -1)
				return -1;
			begun = true;
			if (tour_row_of(t, w, &w->v[k], &m, e) == -1)
				return -1;
			note_mark(&w->v[k], &m);
			if (state_put(s, &m, e) == -1)
				return -1;
		}
	}
	return begun ? state_commit(s, e) : 0;
}

/* They may be marked \Deleted: so they go before others are, which could not be
 * expunged beside them where there is no UIDPLUS. */
int
tour_copies(struct tour *t, struct err *e)
{
	if (note_marks(t, true, e) == -1)
		return -1;
	return delete_on_server(t, COPIED, e);
}

int
tour_deletions(struct tour *t, struct err *e)
{
	struct state *s = t->pass->state;
	size_t i, k;
	int rv = note_marks(t, false, e);

	if (rv == 0)
		rv = delete_on_server(t, TO_TRASH, e);
	if (rv == 0)
		rv = delete_on_server(t, FOR_GOOD, e);
	if (rv == 0)
		rv = expire_all(t, e);
	if (rv == 0)
		rv = state_begin(s, e);
	for (i = 0; rv == 0 && i < t->n; i++) {
		struct work *w = &t->works[i];

		for (k = 0; rv == 0 && k < w->n; k++) {
			struct item *it = &w->v[k];

			if (!to_delete(w, it))
				continue;
			if (it->p.delete_local)
				rv = delete_here(t, w, it, e);
			if (rv == 0)
				rv = tour_remember(t, w, it, e);
		}
		if (rv == 0 && !w->left)
			rv = maildir_sync_places(&w->md, e);
	}
	return rv == 0 ? state_commit(s, e) : -1;
}

/*
 * Changes to what both sides have: flags, moves, and at the very end
 * deletions.
 */

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/log.h"
#include "tour.h"

/* --- rows ---------------------------------------------------------------------------- */

/* The row of an item that has a file, or had one: its unique name. */
static int
row_of(struct tour *t, const struct work *w, const struct item *it,
    struct state_msg *m, struct err *e)
{
	struct state_msg old;
	int rv;

	if (it->file != NO_FILE) {
		*m = tour_row(w, it, local_file_unique(&w->list, it->file));
		return 0;
	}
	rv = state_by_uid(t->pass->state, w->f.id, it->uid, &old, e);
	if (rv == -1)
		return -1;
	*m = tour_row(w, it, rv == 1 ? old.name : span_of(""));
	return 0;
}

static int
remember(struct tour *t, struct work *w, const struct item *it, struct err *e)
{
	struct state_msg m;

	if (it->p.forget)
		return state_forget(t->pass->state, w->f.id, it->uid, e);
	if (tour_note_validity(t, w, e) == -1 || row_of(t, w, it, &m, e) == -1)
		return -1;
	return state_put(t->pass->state, &m, e);
}

/* --- flags ------------------------------------------------------------------------------ */

/* Nothing more is done about it in this pass, so the next one is to see it. */
static void
put_off(struct work *w, struct item *it)
{
	it->settled = true;
	w->again = true;
}

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
			put_off(w, &w->v[i]);
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

/* Rows of all that is done with, but for what is to be deleted yet.  What
 * expires is left out from now on, and its file goes after that. */
static int
remember_all(struct tour *t, struct err *e)
{
	struct state *s = t->pass->state;
	size_t i, k;

	if (state_begin(s, e) == -1)
		return -1;
	for (i = 0; i < t->n; i++) {
		struct work *w = &t->works[i];

		for (k = 0; !w->left && k < w->n; k++) {
			struct item *it = &w->v[k];

			if (it->settled || is_deletion(it) || it->uid == 0 ||
			    it->p.pull || !it->p.remember)
				continue;
			tell_skipped(t, w, it);
			if (remember(t, w, it, e) == -1)
				return -1;
			if (it->p.again)
				t->pass->again = w->again = true;
		}
	}
	return state_commit(s, e);
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
				put_off(w, it);
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
	return rv == 0 ? remember_all(t, e) : -1;
}

/* --- moves ---------------------------------------------------------------------------------- */

static bool
moved_here(const struct item *it)
{
	return it->to != NULL && it->p.delete_remote && !it->settled;
}

static bool
moved_there(const struct item *it)
{
	return it->to != NULL && it->p.delete_local && !it->settled;
}

/* A placeholder that was flagged as it was moved is upgraded where it is now. */
static void
note_flagged(struct tour *t, const struct item *to)
{
	if (to->p.after.placeholder && (to->p.after.flags & PLAN_FLAGGED) != 0)
		t->pass->again = true;
}

/* The row goes to the new folder, with the UID that the message has there. */
static int
rekey(struct tour *t, struct work *w, struct item *from, uint32_t uid,
    struct err *e)
{
	struct item *to = &from->to->v[from->to_item];
	struct state *s = t->pass->state;
	struct state_msg m;

	if (state_forget(s, w->f.id, from->uid, e) == -1)
		return -1;
	if (uid == 0) { /* it is recognised in the next pass */
		t->pass->again = from->to->again = true;
		return 0;
	}
	if (tour_note_validity(t, from->to, e) == -1 ||
	    state_push_done(s, from->to->f.id,
		local_file_unique(&from->to->list, to->file), e) == -1)
		return -1;
	to->uid = uid;
	to->p.after = (struct plan_base){.paired = true,
	    .local = true,
	    .remote = true,
	    .placeholder = from->m.base.placeholder,
	    .flags = to->p.after.flags};
	note_flagged(t, to);
	m = tour_row(
	    from->to, to, local_file_unique(&from->to->list, to->file));
	return state_put(s, &m, e);
}

static int
by_from(const void *key, const void *member)
{
	uint32_t a = *(const uint32_t *)key;
	uint32_t b = ((const struct remote_pair *)member)->from;

	return a < b ? -1 : a > b;
}

static uint32_t
new_uid(const struct remote_move *m, uint32_t uid)
{
	const struct remote_pair *p = NULL;

	if (m->n_pairs > 0)
		p = bsearch(
		    &uid, m->pairs, m->n_pairs, sizeof(*m->pairs), by_from);
	return p != NULL ? p->to : 0;
}

/* What the server has moved from one folder to another. */
static int
take_move(struct tour *t, struct work *w, struct work *to,
    const struct remote_move *m, struct err *e)
{
	bool known = to->f.uidvalidity == 0 ||
	             m->to_uidvalidity == to->f.uidvalidity ||
	             (to->asked && m->to_uidvalidity == to->diff.uidvalidity);
	struct local_at at;
	size_t i;

	if (m->error != NULL)
		tour_leave(t, w, m->error);
	if (!m->copied)
		return 0;
	for (i = 0; i < w->n; i++) {
		struct item *it = &w->v[i];

		if (!moved_here(it) || it->to != to)
			continue;
		if (rekey(t, w, it, known ? new_uid(m, it->uid) : 0, e) == -1)
			return -1;
		it->settled = true;
		it->to = NULL;
		t->pass->moved++;
		local_at(&to->list, &to->list.v[to->v[it->to_item].file], &at);
		tour_say_file(t, "moved", to, &at);
	}
	return 0;
}

/* Of a folder, to each that something of it went to. */
struct route {
	size_t from, to;
	struct uidset uids;
};

static void
add_route(struct route **v, size_t *n, size_t from, size_t to, uint32_t uid)
{
	size_t i;

	for (i = 0; i < *n; i++)
		if ((*v)[i].from == from && (*v)[i].to == to)
			break;
	if (i == *n) {
		*v = mem_resize(*v, *n + 1, sizeof(**v));
		(*v)[(*n)++] = (struct route){.from = from, .to = to};
		uidset_init(&(*v)[i].uids);
	}
	uidset_add(&(*v)[i].uids, uid, uid);
}

/* A placeholder is known by itself, whatever becomes of its row. */
static int
announce_move(struct tour *t, struct work *w, struct item *it, struct err *e)
{
	struct item *to = &it->to->v[it->to_item];
	struct state_push p = {.folder = it->to->f.id,
	    .origin = w->f.id,
	    .uid = it->uid,
	    .flags = to->p.after.flags,
	    .size = it->size};
	int rv = it->m.base.placeholder ? 0 : tour_identify(it->to, to, e);

	if (rv != 1)
		return rv;
	p.name = local_file_unique(&it->to->list, to->file);
	memcpy(p.digest, to->digest, sizeof(p.digest));
	return state_push_put(t->pass->state, &p, e);
}

/* After a crash it would look as if another client had moved them, and where a
 * reader has moved or deleted them since as if both had. */
static int
announce_moves(struct tour *t, struct err *e)
{
	bool begun = false;
	size_t i, k;

	for (i = 0; i < t->n; i++)
		for (k = 0; !t->works[i].left && k < t->works[i].n; k++) {
			struct item *it = &t->works[i].v[k];

			if (!moved_here(it) || it->to->left)
				continue;
			if (!begun && state_begin(t->pass->state, e) == -1)
				return -1;
			begun = true;
			if (announce_move(t, &t->works[i], it, e) == -1)
				return -1;
		}
	return begun ? state_commit(t->pass->state, e) : 0;
}

static int
moves_on_server(struct tour *t, struct err *e)
{
	struct route *r = NULL;
	struct remote_move *m;
	size_t i, k, n = 0;
	int rv = 0;

	for (i = 0; i < t->n; i++)
		for (k = 0; !t->works[i].left && k < t->works[i].n; k++) {
			struct item *it = &t->works[i].v[k];

			if (moved_here(it) && !it->to->left)
				add_route(&r, &n, i,
				    (size_t)(it->to - t->works), it->uid);
		}
	m = mem_array(n + 1, sizeof(*m));
	for (i = 0; i < n; i++)
		m[i] =
		    (struct remote_move){.from = t->works[r[i].from].f.remote,
			.to = t->works[r[i].to].f.remote,
			.uidvalidity = tour_validity(&t->works[r[i].from]),
			.uids = &r[i].uids};
	if (n > 0)
		rv = remote_move(t->pass->remote, m, n, e);
	if (n > 0 && rv == 0)
		rv = state_begin(t->pass->state, e);
	for (i = 0; i < n; i++) {
		if (rv == 0)
			rv = take_move(t, &t->works[r[i].from],
			    &t->works[r[i].to], &m[i], e);
		remote_move_clear(&m[i]);
		uidset_clear(&r[i].uids);
	}
	if (n > 0 && rv == 0)
		rv = state_commit(t->pass->state, e);
	free(m);
	free(r);
	return rv;
}

/* The file follows its message; then the row. */
static int
follow(struct tour *t, struct work *w, struct item *it, struct err *e)
{
	struct item *to = &it->to->v[it->to_item];
	struct state_msg m;
	struct local_at at;
	plan_flags late;
	int rv;

	local_at(&w->list, &w->list.v[it->file], &at);
	rv = local_move(&w->md, &it->to->md, &at, e);
	if (rv == 1 && to->p.set_local)
		rv = local_set_flags(&it->to->md, &at,
		    to->p.local_flags & ~to->m.local.flags,
		    to->m.local.flags & ~to->p.local_flags, e);
	if (rv == -1 || state_forget(t->pass->state, w->f.id, it->uid, e) == -1)
		return -1;
	to->p.after.local = to->p.after.remote = to->p.after.paired = true;
	to->p.after.left_out = false;
	to->p.after.placeholder = it->m.base.placeholder;
	/* What the server is to have of it, the next pass gives it.  That also
	 * sees what became of a file that has gone meanwhile: as one that was
	 * gone, or moved on, from where it belongs by now. */
	late = to->p.set_remote ? to->p.remote_flags ^ to->m.remote.flags : 0;
	t->pass->again = t->pass->again || late != 0;
	to->p.after.flags =
	    rv == 0 ? to->m.base.flags
		    : (to->p.after.flags & ~late) | (to->m.remote.flags & late);
	note_flagged(t, to);
	m = tour_row(it->to, to, local_unique(span_of(at.name)));
	if (state_put(t->pass->state, &m, e) == -1)
		return -1;
	if (rv == 0 || late != 0)
		t->pass->again = it->to->again = true;
	it->settled = true;
	t->pass->moved++;
	if (rv == 1)
		tour_say_file(t, "moved", it->to, &at);
	it->to = NULL;
	return 0;
}

static int
moves_here(struct tour *t, struct err *e)
{
	size_t i, k;
	int rv = state_begin(t->pass->state, e);

	for (i = 0; rv == 0 && i < t->n; i++) {
		struct work *w = &t->works[i];

		for (k = 0; rv == 0 && !w->left && k < w->n; k++)
			if (moved_there(&w->v[k]) && !w->v[k].to->left)
				rv = follow(t, w, &w->v[k], e);
	}
	for (i = 0; rv == 0 && i < t->n; i++)
		if (!t->works[i].left)
			rv = maildir_sync_places(&t->works[i].md, e);
	return rv == 0 ? state_commit(t->pass->state, e) : -1;
}

int
tour_moves(struct tour *t, struct err *e)
{
	if (announce_moves(t, e) == -1 || moves_on_server(t, e) == -1)
		return -1;
	return moves_here(t, e);
}

/* --- deletions ------------------------------------------------------------------------------- */

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

/* They may be marked \Deleted: so they go before others are, which could not be
 * expunged beside them where there is no UIDPLUS. */
int
tour_copies(struct tour *t, struct err *e)
{
	return delete_on_server(t, COPIED, e);
}

static bool
is_marked(const struct work *w, const struct item *it)
{
	return to_delete(w, it) && it->p.delete_remote && it->m.base.paired &&
	       it->m.base.local && it->file != NO_FILE;
}

/*
 * What a reader has marked is about to be marked on the server, too: from there
 * on its row says that it is gone here, so that it is not taken for a mark of
 * another client, which is only shown, after a crash.
 */
static int
note_marked(struct tour *t, struct err *e)
{
	struct state *s = t->pass->state;
	struct state_msg m;
	bool begun = false;
	size_t i, k;

	for (i = 0; i < t->n; i++) {
		struct work *w = &t->works[i];

		for (k = 0; k < w->n; k++) {
			if (!is_marked(w, &w->v[k]))
				continue;
			if (!begun && state_begin(s, e) == -1)
				return -1;
			begun = true;
			if (row_of(t, w, &w->v[k], &m, e) == -1)
				return -1;
			m.base = w->v[k].m.base;
			m.base.local = false;
			if (state_put(s, &m, e) == -1)
				return -1;
		}
	}
	return begun ? state_commit(s, e) : 0;
}

int
tour_deletions(struct tour *t, struct err *e)
{
	struct state *s = t->pass->state;
	size_t i, k;
	int rv = note_marked(t, e);

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
				rv = remember(t, w, it, e);
		}
		if (rv == 0 && !w->left)
			rv = maildir_sync_places(&w->md, e);
	}
	return rv == 0 ? state_commit(s, e) : -1;
}

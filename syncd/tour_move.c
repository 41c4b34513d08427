/*
 * Moves: what a reader has moved is moved on the server, and what another client
 * has moved there is moved here.
 */

#include <stdlib.h>

#include "base/mem.h"
#include "tour.h"

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
	struct state_push p = {.origin = w->f.id,
	    .uid = it->uid,
	    .flags = to->p.after.flags,
	    .size = it->size};
	int rv;

	if (it->m.base.placeholder)
		return 0;
	rv = tour_announce(t, it->to, to, &p, e);
	/* Gone on meanwhile: the next pass sees where to. */
	if (rv == 0) {
		tour_put_off(w, it);
		it->to->again = t->pass->again = true;
	}
	return rv == -1 ? -1 : 0;
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

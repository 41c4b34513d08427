/*
 * Judging: of each folder, which messages are not as they were agreed, and what
 * follows for each; and whether so much may be deleted.
 */

#include <sys/stat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/log.h"
#include "tour.h"

/* --- which are to be looked at --------------------------------------------------- */

/* A placeholder is known by itself, whatever became of its row. */
static int
is_placeholder(struct work *w, struct item *it, struct err *e)
{
	struct local_at at;
	int fd, rv;

	local_at(&w->list, &w->list.v[it->file], &at);
	rv = local_open(&w->md, &at, &fd, e);
	if (rv == 0)
		it->settled = true;
	if (rv != 1)
		return rv;
	rv = local_is_placeholder(fd, &it->m.placeholder, e);
	close(fd);
	return rv;
}

static int
new_file(struct work *w, size_t i, struct err *e)
{
	struct item *it = tour_add(w);

	it->file = i;
	it->m.local = (struct plan_view){true, w->list.v[i].flags, 0};
	return is_placeholder(w, it, e);
}

/* What the file shows is not what was agreed; or it is to be made whole. */
static bool
differs(const struct state_msg *m, plan_flags f)
{
	return !m->base.local || f != m->base.flags ||
	       (m->base.placeholder && (m->base.flags & PLAN_FLAGGED) != 0);
}

/* Files and rows, side by side: which have been changed here; or were being
 * deleted, and have no name any more. */
static int
compare_files(struct tour *t, struct work *w, const struct local_census *c,
    struct uidset *touched, struct err *e)
{
	struct state *s = t->pass->state;
	struct local_mark *k;
	struct state_msg m;
	int rv;

	state_walk(s, w->f.id);
	while ((rv = state_walk_next(s, &m, e)) == 1) {
		if (m.name.n == 0) {
			if (m.base.local)
				uidset_add(touched, m.uid, m.uid);
			continue;
		}
		k = local_census_find(c, m.name);
		if (k != NULL)
			k->known = true;
		if (k == NULL ? m.base.local : differs(&m, local_mark_flags(k)))
			uidset_add(touched, m.uid, m.uid);
	}
	return rv;
}

static void
new_message(struct work *w, const struct remote_change *c)
{
	struct item *it = tour_add(w);

	it->uid = c->uid;
	it->m.remote = (struct plan_view){true, c->flags, c->size};
	it->m.date = c->date;
	it->size = c->size;
	memcpy(it->emailid, c->emailid, sizeof(it->emailid));
}

/* Which have been changed there, and which are new. */
static int
compare_remote(struct tour *t, struct work *w, struct uidset *touched,
    struct uidset *new, struct err *e)
{
	const struct remote_change *c;
	struct state_msg m;
	size_t i;
	int rv;

	for (i = 0; i < w->diff.n; i++) {
		c = &w->diff.v[i];
		rv = w->diff.moved_ground
		         ? 0
		         : state_by_uid(t->pass->state, w->f.id, c->uid, &m, e);
		if (rv == -1)
			return -1;
		if (rv == 0)
			uidset_add(new, c->uid, c->uid);
		else if (c->flags != m.base.flags || !m.base.remote)
			uidset_add(touched, c->uid, c->uid);
	}
	uidset_union(touched, &w->diff.vanished);
	return 0;
}

static void
add_new(struct work *w, const struct uidset *new)
{
	size_t i;

	w->new_from = w->n;
	for (i = 0; i < w->diff.n; i++)
		if (uidset_has(new, w->diff.v[i].uid))
			new_message(w, &w->diff.v[i]);
	w->new_to = w->n;
}

/* The names of files that nobody remembers, and of those that are touched. */
static int
want_names(struct tour *t, struct work *w, struct local_census *c,
    const struct uidset *touched, struct err *e)
{
	struct local_mark *k;
	struct state_msg m;
	uint64_t at = 0;
	uint32_t uid;
	size_t i;
	int rv;

	for (i = 0; i < c->n; i++)
		c->v[i].wanted = !c->v[i].known;
	while (uidset_next(touched, &at, &uid)) {
		rv = state_by_uid(t->pass->state, w->f.id, uid, &m, e);
		if (rv == -1)
			return -1;
		if (rv == 1 && m.name.n > 0 &&
		    (k = local_census_find(c, m.name)) != NULL)
			k->wanted = true;
	}
	return 0;
}

/*
 * One look at the files, and of those that matter the names: 1; 0 when another is
 * needed; -1.  What is wrong with a Maildir is the matter of its folder: *ours_r
 * is false.
 */
static int
look_here(struct tour *t, struct work *w, const struct uidset *there,
    struct uidset *touched, bool *ours_r, struct err *e)
{
	struct local_census c;
	int rv;

	*ours_r = false;
	if (local_census(&w->md, &c, e) == -1)
		return -1;
	uidset_clear(touched);
	uidset_union(touched, there);
	*ours_r = true;
	rv = compare_files(t, w, &c, touched, e);
	if (rv == 0)
		rv = want_names(t, w, &c, touched, e);
	if (rv == 0) {
		*ours_r = false;
		rv = local_names(&w->md, &c, &w->list, e);
	}
	local_census_clear(&c);
	return rv;
}

/* Adds to what is touched on the server what is touched here. */
static int
judge_here(
    struct tour *t, struct work *w, struct uidset *touched, struct err *e)
{
	struct uidset there = *touched;
	bool ours = false;
	int look, rv = 0;
	size_t i;

	uidset_init(touched);
	for (look = 0; rv == 0; look++) {
		rv = local_look(&w->md, look, e);
		if (rv == 0)
			rv = look_here(t, w, &there, touched, &ours, e);
	}
	uidset_clear(&there);
	if (rv == -1 && !ours) {
		tour_leave(t, w, e);
		return 0;
	}
	for (i = 0; rv == 1 && i < w->list.n; i++)
		if (!w->list.v[i].known && new_file(w, i, e) == -1)
			rv = -1;
	return rv == 1 ? 0 : -1;
}

/* --- all that is known of one ---------------------------------------------------------- */

static int
by_uid(const void *key, const void *member)
{
	uint32_t a = *(const uint32_t *)key;
	uint32_t b = ((const struct remote_change *)member)->uid;

	return a < b ? -1 : a > b;
}

static struct plan_view
remote_view(const struct work *w, const struct state_msg *m)
{
	const struct remote_change *c = NULL;

	if (uidset_has(&w->diff.vanished, m->uid))
		return (struct plan_view){0};
	if (w->diff.n > 0)
		c = bsearch(&m->uid, w->diff.v, w->diff.n, sizeof(*c), by_uid);
	if (c != NULL)
		return (struct plan_view){true, c->flags, m->size};
	return (struct plan_view){m->base.remote, m->base.flags, m->size};
}

/* --- limits ---------------------------------------------------------------------------- */

static int
by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static struct plan_message
message_of(const struct work *w, const struct state_msg *m)
{
	return (struct plan_message){.base = m->base,
	    .local = {.there = m->base.local, .flags = m->base.flags},
	    .remote = remote_view(w, m),
	    .uid = m->uid,
	    .date = m->date};
}

/* Where the window of the newest begins, by all that would be in it. */
static int
find_first(
    struct tour *t, struct work *w, const struct uidset *new, struct err *e)
{
	struct plan_options o = t->pass->sync->plan;
	const struct remote_change *c;
	struct plan_message p;
	struct uidset counted;
	struct state_msg m;
	size_t i;
	int rv;

	o.anew = w->anew;
	uidset_init(&counted);
	state_walk(t->pass->state, w->f.id);
	while ((rv = state_walk_next(t->pass->state, &m, e)) == 1) {
		p = message_of(w, &m);
		if (plan_counts(&p, &o))
			uidset_add(&counted, m.uid, m.uid);
	}
	for (i = 0; i < w->diff.n; i++) {
		c = &w->diff.v[i];
		p = (struct plan_message){.remote = {true, c->flags, c->size}};
		if (uidset_has(new, c->uid) && plan_counts(&p, &o))
			uidset_add(&counted, c->uid, c->uid);
	}
	w->first = plan_first(&counted, t->pass->sync->max_messages);
	uidset_clear(&counted);
	return rv;
}

/* Messages that did not change, but that the limits concern. */
static int
find_limited(struct tour *t, struct work *w, struct uidset *touched,
    const struct uidset *new, struct err *e)
{
	const struct sync *y = t->pass->sync;
	struct item it = {0};
	struct state_msg m;
	int rv = 0;

	if (y->max_messages > 0)
		rv = find_first(t, w, new, e);
	if (rv == -1 || (!w->anew && !y->limited))
		return rv;
	state_walk(t->pass->state, w->f.id);
	while ((rv = state_walk_next(t->pass->state, &m, e)) == 1) {
		it.uid = m.uid;
		it.m = message_of(w, &m);
		tour_plan(t, w, &it);
		if (w->anew || it.p.expire ||
		    (y->max_age > 0 && m.base.local && m.date == 0))
			uidset_add(touched, m.uid, m.uid);
	}
	return rv;
}

static int
size_of(struct work *w, const struct item *it, uint64_t *size_r, struct err *e)
{
	unsigned char unused[LOCAL_DIGEST];
	struct local_at at;
	bool has_id;
	int fd, rv;

	*size_r = 0;
	local_at(&w->list, &w->list.v[it->file], &at);
	rv = local_open(&w->md, &at, &fd, e);
	if (rv != 1)
		return rv;
	rv = local_identity(fd, size_r, unused, &has_id, e);
	close(fd);
	return rv;
}

/* What was left out may have come back, under a name that is not known: those
 * that have the size of a new file are looked at. */
static int
find_returned(
    struct tour *t, struct work *w, struct uidset *touched, struct err *e)
{
	uint64_t n, out, *sizes;
	struct state_msg m;
	size_t i, k = w->n;
	int rv;

	rv = state_count(t->pass->state, w->f.id, &n, &out, e);
	if (rv == -1 || out == 0 || k == 0)
		return rv;
	sizes = mem_array(k, sizeof(*sizes));
	for (i = 0; rv == 0 && i < k; i++)
		rv = size_of(w, &w->v[i], &sizes[i], e);
	qsort(sizes, k, sizeof(*sizes), by_size);
	state_walk(t->pass->state, w->f.id);
	while (rv != -1 && (rv = state_walk_next(t->pass->state, &m, e)) == 1)
		if (m.base.left_out &&
		    bsearch(&m.size, sizes, k, sizeof(*sizes), by_size) != NULL)
			uidset_add(touched, m.uid, m.uid);
	state_walk_end(t->pass->state);
	free(sizes);
	return rv;
}

/* Its row is older than dates in rows: its file has it too. */
static void
find_date(struct work *w, struct item *it)
{
	struct local_at at;
	struct stat st;

	local_at(&w->list, &w->list.v[it->file], &at);
	if (fstatat(at.in_new ? w->md.new : w->md.cur, at.name, &st, 0) == 0)
		it->m.date = (int64_t)st.st_mtime;
	it->dated = it->m.date != 0;
}

/* --- and so what follows ------------------------------------------------------------- */

static int
add_touched(struct tour *t, struct work *w, uint32_t uid, struct err *e)
{
	const struct local_file *f = NULL;
	struct state_msg m;
	struct item *it;
	int rv = state_by_uid(t->pass->state, w->f.id, uid, &m, e);

	if (rv != 1)
		return rv;
	it = tour_add(w);
	it->uid = uid;
	it->m.base = m.base;
	it->copied = uidset_has(&w->copied, uid);
	it->m.date = m.date;
	it->size = m.size;
	if (m.emailid.n == sizeof(it->emailid))
		memcpy(it->emailid, m.emailid.p, sizeof(it->emailid));
	if (m.name.n > 0)
		f = local_list_find(&w->list, m.name);
	if (f != NULL) {
		it->file = (size_t)(f - w->list.v);
		it->m.local = (struct plan_view){true, f->flags, m.size};
		if (m.date == 0 && t->pass->sync->max_age > 0)
			find_date(w, it);
	}
	it->m.remote = remote_view(w, &m);
	it->begun = m.base.local && m.name.n == 0;
	if (it->begun && (it->m.remote.flags & PLAN_DELETED) == 0)
		it->m.base.flags &= ~PLAN_DELETED;
	return 0;
}

/* The items: files that are new, messages that are new by rising UID, and then
 * what is touched, by rising UID. */
static int
judge(struct tour *t, struct work *w, struct err *e)
{
	struct uidset touched, new;
	uint64_t at = 0;
	uint32_t uid;
	size_t i;
	int rv = 0;

	uidset_init(&touched);
	uidset_init(&new);
	if (w->asked)
		rv = compare_remote(t, w, &touched, &new, e);
	if (rv == 0)
		rv = find_limited(t, w, &touched, &new, e);
	/* -n: it may not have been made. */
	if (rv == 0 && w->md.path != NULL)
		rv = judge_here(t, w, &touched, e);
	if (rv == 0 && w->n > 0)
		rv = find_returned(t, w, &touched, e);
	add_new(w, &new);
	w->old_from = w->n;
	while (rv == 0 && !w->left && uidset_next(&touched, &at, &uid))
		rv = add_touched(t, w, uid, e);
	uidset_clear(&touched);
	uidset_clear(&new);
	for (i = 0; rv == 0 && i < w->n; i++)
		tour_plan(t, w, &w->v[i]);
	for (i = w->old_from; rv == 0 && i < w->n; i++)
		w->v[i].p.remember = w->v[i].p.remember || w->v[i].dated;
	return rv;
}

int
tour_judge(struct tour *t, struct err *e)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (!t->works[i].left && judge(t, &t->works[i], e) == -1)
			return -1;
	return 0;
}

/* --- the brake ------------------------------------------------------------------------- */

/* How many messages it had: what was left out is not among them, for nothing
 * here can delete that. */
static int
count_here(struct tour *t, const struct work *w, uint64_t *n_r, struct err *e)
{
	uint64_t n, out;

	*n_r = uidset_count(&w->known);
	if (state_count(t->pass->state, w->f.id, &n, &out, e) == -1)
		return -1;
	*n_r -= out < *n_r ? out : *n_r;
	return 0;
}

static int
brake(struct tour *t, struct work *w, struct err *error)
{
	uint64_t here = 0, there = 0, all;
	struct err e;
	char *command;
	size_t i;

	for (i = 0; i < w->n; i++) {
		if (w->v[i].settled || w->v[i].to != NULL || w->v[i].copied)
			continue;
		here += w->v[i].p.delete_local;
		there += w->v[i].p.delete_remote;
	}
	if (here <= PLAN_BRAKE_MIN && there <= PLAN_BRAKE_MIN)
		return 0;
	if (count_here(t, w, &all, error) == -1)
		return -1;
	if ((!plan_brake(all, here, t->pass->sync->brake) &&
		!plan_brake(all, there, t->pass->sync->brake)) ||
	    tour_allowed(t, w->f.remote))
		return 0;
	command = tour_let_through(t, w->f.remote);
	(void)err_code(&e, ERR_LOCAL, EX_DATAERR,
	    "of %ju messages %ju would be deleted %s: nothing is done with "
	    "this folder.  If it is meant so: %s",
	    (uintmax_t)all, (uintmax_t)(here > there ? here : there),
	    here > there ? "here" : "on the server", command);
	free(command);
	tour_leave(t, w, &e);
	return 0;
}

int
tour_brake(struct tour *t, struct err *e)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (!t->works[i].left && brake(t, &t->works[i], e) == -1)
			return -1;
	return 0;
}

/* --- -n -------------------------------------------------------------------------------- */

static void
list_item(struct tour *t, struct work *w, const struct item *it)
{
	const struct plan *p = &it->p;
	char id[300];

	if (it->file != NO_FILE)
		snprintf(id, sizeof(id), "%.*s",
		    SPAN(local_file_name(&w->list, it->file)));
	else
		snprintf(id, sizeof(id), "%u", it->uid);
	if (it->settled)
		return;
	if (it->to != NULL)
		tour_say(t, "move", w, id);
	if (p->pull)
		tour_say(t, "pull", w, id);
	if (p->upgrade)
		tour_say(t, "upgrade", w, id);
	if (p->expire)
		tour_say(t, "expire", w, id);
	if (p->push && it->to == NULL)
		tour_say(t, "push", w, id);
	if (p->set_local)
		tour_say(t, "flags-local", w, id);
	if (p->set_remote)
		tour_say(t, "flags-remote", w, id);
	if (p->delete_local && it->to == NULL)
		tour_say(t, "delete-local", w, id);
	if (p->delete_remote && it->to == NULL)
		tour_say(t, "delete-remote", w, id);
}

void
tour_list(struct tour *t)
{
	size_t i, k;

	for (i = 0; i < t->n; i++)
		for (k = 0; !t->works[i].left && k < t->works[i].n; k++)
			list_item(t, &t->works[i], &t->works[i].v[k]);
}

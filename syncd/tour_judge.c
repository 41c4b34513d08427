/*
 * Judging: of each folder, which messages are not as they were agreed, and what
 * follows for each; and whether so much may be deleted.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/mem.h"
#include "os/log.h"
#include "tour.h"

/* --- which are to be looked at --------------------------------------------------- */

static void
new_file(struct work *w, size_t i)
{
	struct item *it = tour_add(w);

	it->file = i;
	it->m.local = (struct plan_view){true, w->list.v[i].flags, 0};
}

/* Files and rows, side by side: which have been changed here. */
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
		if (m.name.n == 0)
			continue;
		k = local_census_find(c, m.name);
		if (k != NULL)
			k->known = true;
		if (k == NULL
			? m.base.local
			: !m.base.local || local_mark_flags(k) != m.base.flags)
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
		if (!w->list.v[i].known)
			new_file(w, i);
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
	it->size = m.size;
	if (m.emailid.n == sizeof(it->emailid))
		memcpy(it->emailid, m.emailid.p, sizeof(it->emailid));
	if (m.name.n > 0)
		f = local_list_find(&w->list, m.name);
	if (f != NULL) {
		it->file = (size_t)(f - w->list.v);
		it->m.local = (struct plan_view){true, f->flags, m.size};
	}
	it->m.remote = remote_view(w, &m);
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
	/* -n: it may not have been made. */
	if (rv == 0 && w->md.path != NULL)
		rv = judge_here(t, w, &touched, e);
	add_new(w, &new);
	while (rv == 0 && !w->left && uidset_next(&touched, &at, &uid))
		rv = add_touched(t, w, uid, e);
	uidset_clear(&touched);
	uidset_clear(&new);
	for (i = 0; rv == 0 && i < w->n; i++)
		tour_plan(t, w, &w->v[i]);
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

static void
brake(struct tour *t, struct work *w)
{
	uint64_t here = 0, there = 0, all = uidset_count(&w->known);
	struct err e;
	char *command;
	size_t i;

	for (i = 0; i < w->n; i++) {
		if (w->v[i].settled || w->v[i].to != NULL)
			continue;
		here += w->v[i].p.delete_local;
		there += w->v[i].p.delete_remote;
	}
	if ((!plan_brake(all, here, t->pass->sync->brake) &&
		!plan_brake(all, there, t->pass->sync->brake)) ||
	    tour_allowed(t, w->f.remote))
		return;
	command = tour_let_through(t, w->f.remote);
	(void)err_code(&e, ERR_LOCAL, EX_DATAERR,
	    "of %ju messages %ju would be deleted %s: nothing is done with "
	    "this folder.  If it is meant so: %s",
	    (uintmax_t)all, (uintmax_t)(here > there ? here : there),
	    here > there ? "here" : "on the server", command);
	free(command);
	tour_leave(t, w, &e);
}

void
tour_brake(struct tour *t)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (!t->works[i].left)
			brake(t, &t->works[i]);
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

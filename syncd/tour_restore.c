/*
 * A Maildir tree that came back from a backup is older than what was agreed. A
 * file that is missing in it is no deletion, and a flag that it lacks was not
 * taken away: what was agreed is taken back as far as the tree cannot vouch for
 * it, before anything is compared. Then what is missing is new on the server,
 * flags are joined, and what is only in the tree is new there.
 */

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/log.h"
#include "tour.h"

struct restoring {
	struct tour *t;
	struct state_folder *bases; /* owned */
	struct local_list *lists;   /* owned; one for each base */
	bool *there;                /* owned: it has a Maildir */
	size_t n, found;
};

static int
read_tree(struct restoring *r, struct err *e)
{
	const struct sync *y = r->t->pass->sync;
	struct local_folder *v;
	struct maildir md;
	size_t n, i, k;
	bool root;
	int rv = 0;

	if (local_survey(y, &v, &n, &root, e) == -1)
		return -1;
	for (i = 0; rv == 0 && i < r->n; i++) {
		for (k = 0; k < n; k++)
			r->there[i] = r->there[i] ||
			              strcmp(v[k].path, r->bases[i].local) == 0;
		if (!r->there[i])
			continue;
		rv = local_maildir(y, r->bases[i].local, false, &md, e);
		if (rv == 0)
			rv = local_list(&md, &r->lists[i], e);
		maildir_close(&md);
		r->found += rv == 0;
	}
	local_survey_free(v, n);
	return rv;
}

static const struct local_file *
anywhere(const struct restoring *r, struct span name)
{
	const struct local_file *f = NULL;
	size_t i;

	for (i = 0; f == NULL && i < r->n; i++)
		if (r->there[i])
			f = local_list_find(&r->lists[i], name);
	return f;
}

/* Flags that only one of the two has are changes that set them; but for the mark
 * \Deleted, which would be a wish. */
static plan_flags
vouched(plan_flags base, plan_flags local)
{
	return (base & local) | (local & PLAN_DELETED);
}

/*
 * A message that is missing is new from the folder's point of view; one that is
 * in another folder was moved by a reader, before the backup or since: that is
 * for tour_know to see.
 */
static int
restore_message(struct restoring *r, size_t i, uint32_t uid, struct err *e)
{
	struct state *s = r->t->pass->state;
	const struct local_file *f;
	struct state_folder *b = &r->bases[i];
	struct state_msg m;
	int rv = state_by_uid(s, b->id, uid, &m, e);

	if (rv != 1 || !m.base.local)
		return rv == -1 ? -1 : 0;
	f = local_list_find(&r->lists[i], m.name);
	if (f != NULL) {
		if (vouched(m.base.flags, f->flags) == m.base.flags)
			return 0;
		m.base.flags = vouched(m.base.flags, f->flags);
		b->modseq = 0; /* they are not those of the server: all are
		                * to be told */
		return state_put(s, &m, e);
	}
	if (anywhere(r, m.name) != NULL)
		return 0;
	if (b->uidnext == 0 || uid < b->uidnext)
		b->uidnext = uid;
	return state_forget(s, b->id, uid, e);
}

static int
restore_folder(struct restoring *r, size_t i, struct err *e)
{
	struct state *s = r->t->pass->state;
	struct state_folder *b = &r->bases[i];
	struct uidset uids;
	uint64_t at = 0;
	uint32_t uid;
	int rv;

	if (!r->there[i])
		return state_folder_drop(s, b->id, e);
	uidset_init(&uids);
	rv = state_uids(s, b->id, &uids, e);
	while (rv == 0 && uidset_next(&uids, &at, &uid))
		rv = restore_message(r, i, uid, e);
	uidset_clear(&uids);
	b->cur_mtime = b->new_mtime = 0;
	return rv == 0 ? state_folder_put(s, b, e) : -1;
}

static int
restore_all(struct restoring *r, uint64_t turn, struct err *e)
{
	struct state *s = r->t->pass->state;
	size_t i;

	log_info("the Maildir is not the one that was synced last, but an "
		 "older one: nothing counts as deleted in it");
	if (state_begin(s, e) == -1)
		return -1;
	for (i = 0; i < r->n; i++)
		if (restore_folder(r, i, e) == -1)
			return -1;
	/* What was being sent may be lacking as well. */
	if (state_push_drop_lost(s, e) == -1)
		return -1;
	return state_set_turn(s, turn, 0, e);
}

static int
restore(struct restoring *r, uint64_t turn, struct err *e)
{
	const struct pass *p = r->t->pass;

	if (restore_all(r, turn, e) == -1) {
		state_rollback(p->state);
		return -1;
	}
	/* In this order: else an older tree could pass for this one. */
	if (state_commit(p->state, e) == -1)
		return -1;
	return local_turn_set(p->sync, r->t->tag, turn, e);
}

int
tour_restore(struct tour *t, struct err *e)
{
	const struct pass *p = t->pass;
	struct restoring r = {.t = t};
	uint64_t turn;
	size_t i;
	int rv;

	if (state_turn(p->state, &turn, e) == -1)
		return -1;
	if (turn == 0 || p->options->dry_run ||
	    local_turn_is(p->sync, t->tag, turn))
		return 0;
	if (state_folders(p->state, &r.bases, &r.n, e) == -1)
		return -1;
	r.lists = mem_array(r.n + 1, sizeof(*r.lists));
	r.there = mem_array(r.n + 1, sizeof(*r.there));
	rv = read_tree(&r, e);
	/* A tree without any folder is a matter for the brake. */
	if (rv == 0 && r.found > 0)
		rv = restore(&r, turn + 2, e);
	for (i = 0; i < r.n; i++)
		local_list_clear(&r.lists[i]);
	free(r.lists);
	free(r.there);
	state_folders_free(r.bases, r.n);
	return rv;
}

/* Whether all that was agreed of a folder still is: of what a run did that was
 * killed nothing may be left to do, but its numbers are those of before. */
static bool
all_stays(const struct work *w)
{
	return w->n == 0 && !w->direct && w->pair->base != NULL &&
	       w->f.uidnext == w->pair->base->uidnext;
}

int
tour_turn(struct tour *t, struct err *e)
{
	struct pass *p = t->pass;
	uint64_t turn;
	bool any = false;
	int64_t in = 0;
	size_t i;

	for (i = 0; i < t->n; i++) {
		any = any || !all_stays(&t->works[i]);
		if (!t->works[i].left)
			in = t->works[i].f.id;
	}
	if (state_turn(p->state, &turn, e) == -1)
		return -1;
	if (!any && turn != 0)
		return 0;
	/* In this order: a tree that is one ahead is known, too. */
	if (local_turn_set(p->sync, t->tag, turn + 1, e) == -1)
		return -1;
	return state_set_turn(p->state, turn + 1, in, e);
}

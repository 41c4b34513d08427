/*
 * Folders that were removed on one side go on the other, where `remove` says
 * so: only when all the mail in them is known, and the brake agrees.
 */

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/mem.h"
#include "os/log.h"
#include "tour.h"

static void
stays(struct tour *t, const struct folders_pair *p, const struct err *e)
{
	char *name = tour_name(t, p->name);
	struct err shown = *e;

	(void)err_prefix(&shown, "%s: the folder stays", name);
	tour_complain(t, LOG_L_QUIET, &shown);
	free(name);
}

/* The folder is gone there: so many messages would go with it here. */
static int
brake(const struct tour *t, const struct folders_pair *p, uint64_t n,
    struct err *e)
{
	char *command;

	if (!plan_brake(n, n, t->pass->sync->brake) || tour_allowed(t, p->name))
		return 0;
	command = tour_let_through(t, p->name);
	(void)err_code(e, ERR_LOCAL, EX_DATAERR,
	    "%ju messages would go with it.  If it is meant so: %s",
	    (uintmax_t)n, command);
	free(command);
	return -1;
}

/* --- here --------------------------------------------------------------------- */

static int
all_known(struct tour *t, const struct folders_pair *p,
    const struct local_list *l, struct err *e)
{
	struct state_msg m;
	size_t i;
	int rv;

	for (i = 0; i < l->n; i++) {
		rv = state_by_name(t->pass->state, p->base->id,
		    local_file_unique(l, i), &m, e);
		if (rv == -1)
			return -1;
		if (rv == 0)
			return err_code(e, ERR_LOCAL, EX_DATAERR,
			    "it has mail that was never on the server: %.*s",
			    SPAN(local_file_name(l, i)));
	}
	return l->twice == 0 ? 0
	                     : err_code(e, ERR_LOCAL, EX_DATAERR,
				   "it has several files of the same message");
}

static int
unlink_all(struct maildir *m, const struct local_list *l, struct err *e)
{
	struct local_at at;
	size_t i;

	for (i = 0; i < l->n; i++) {
		local_at(l, &l->v[i], &at);
		if (local_unlink(m, &at, e) == -1)
			return -1;
	}
	return maildir_sync_places(m, e);
}

static int
remove_here(struct tour *t, const struct folders_pair *p, struct err *e)
{
	struct maildir m;
	struct local_list l;
	int rv;

	if (local_maildir(t->pass->sync, p->local->path, false, &m, e) == -1)
		return -1;
	rv = local_list(&m, &l, e);
	if (rv == 0) {
		rv = all_known(t, p, &l, e);
		if (rv == 0)
			rv = brake(t, p, l.n, e);
		if (rv == 0)
			rv = unlink_all(&m, &l, e);
		local_list_clear(&l);
	}
	maildir_close(&m);
	if (rv == 0)
		rv = local_remove(t->pass->sync, p->local->path, e);
	return rv;
}

/* --- there --------------------------------------------------------------------- */

static int
empty_there(struct tour *t, const struct folders_pair *p,
    const struct uidset *uids, struct err *e)
{
	struct remote_delete d = {.folder = p->name,
	    .uidvalidity = p->base->uidvalidity,
	    .uids = uids};
	int rv;

	if (uidset_empty(uids))
		return 0;
	rv = remote_delete(t->pass->remote, &d, 1, e);
	if (rv == 0 && d.error != NULL) {
		*e = *d.error;
		rv = 1;
	}
	remote_delete_clear(&d);
	return rv;
}

/* Whether all that is there was here: what a client has put there since the
 * folder was removed here is not to go with it. */
static int
all_were_here(struct tour *t, const struct folders_pair *p,
    const struct uidset *uids, struct err *e)
{
	struct remote_question q = {.folder = p->name,
	    .base = p->base,
	    .now = p->remote,
	    .known = uids,
	    .full = true};
	struct remote_diff d;
	size_t i;
	int rv = remote_diffs(t->pass->remote, &q, 1, &d, e);

	if (rv == 0 && d.error != NULL) {
		*e = *d.error;
		rv = 1;
	}
	if (rv == 0)
		rv = d.moved_ground;
	for (i = 0; rv == 0 && i < d.n; i++)
		rv = !uidset_has(uids, d.v[i].uid);
	if (rv == 1 && d.error == NULL)
		(void)err_code(e, ERR_LOCAL, EX_DATAERR,
		    "it has mail on the server that was never here");
	remote_diff_clear(&d);
	return rv;
}

/* The limits keep only a part of it here: to remove that is not to remove the
 * whole.  1: err tells. */
static int
all_here(struct tour *t, const struct folders_pair *p, struct err *e)
{
	uint64_t n, out;
	char *command;

	if (state_count(t->pass->state, p->base->id, &n, &out, e) == -1)
		return -1;
	if (out == 0 || tour_allowed(t, p->name))
		return 0;
	command = tour_let_through(t, p->name);
	(void)err_code(e, ERR_LOCAL, EX_DATAERR,
	    "%ju of its messages are on the server only, by max-size, max-age "
	    "or max-messages.  If it is meant so: %s",
	    (uintmax_t)out, command);
	free(command);
	return 1;
}

/* 1: err is about this folder alone. */
static int
remove_there(struct tour *t, const struct folders_pair *p, struct err *e)
{
	struct err *error = NULL;
	struct uidset uids;
	int rv;

	if (brake(t, p, p->remote->messages, e) == -1)
		return 1;
	rv = all_here(t, p, e);
	if (rv != 0)
		return rv;
	uidset_init(&uids);
	rv = state_uids(t->pass->state, p->base->id, &uids, e);
	if (rv == 0 && p->remote_changed)
		rv = all_were_here(t, p, &uids, e);
	if (rv == 0)
		rv = empty_there(t, p, &uids, e);
	if (rv == 0)
		rv = remote_remove(t->pass->remote, p->name, &error, e);
	if (rv == 0 && error != NULL) {
		*e = *error;
		rv = 1;
	}
	free(error);
	uidset_clear(&uids);
	return rv;
}

/* --- all ------------------------------------------------------------------------ */

static int
forget(struct tour *t, const struct folders_pair *p, struct err *e)
{
	struct state *s = t->pass->state;
	struct err unused;

	/* Of what we began to remove something may be left. */
	if (p->op == FOLDERS_FORGET && t->pass->sync->remove_local)
		(void)local_remove(t->pass->sync, p->path, &unused);
	if (state_begin(s, e) == -1 ||
	    state_folder_drop(s, p->base->id, e) == -1)
		return -1;
	return state_commit(s, e);
}

/* 0: done with it; 1: it stays, err says why; -1. */
static int
remove_one(struct tour *t, const struct folders_pair *p, struct err *e)
{
	switch (p->op) {
	case FOLDERS_FORGET:
		return 0;
	case FOLDERS_REMOVE_LOCAL:
		return remove_here(t, p, e) == -1 ? 1 : 0;
	case FOLDERS_REMOVE_REMOTE:
		return remove_there(t, p, e);
	case FOLDERS_SYNC:
	case FOLDERS_CREATE_LOCAL:
	case FOLDERS_CREATE_REMOTE:
	case FOLDERS_RENAME_LOCAL:
	case FOLDERS_LEAVE:
		break;
	}
	return 1;
}

static bool
goes(const struct folders_pair *p)
{
	return p->op == FOLDERS_FORGET || p->op == FOLDERS_REMOVE_LOCAL ||
	       p->op == FOLDERS_REMOVE_REMOTE;
}

int
tour_remove_folders(struct tour *t, struct err *e)
{
	const struct folders_pair *p;
	struct err why;
	size_t i;
	int rv;

	for (i = 0; i < t->n_pairs; i++) {
		p = &t->pairs[i];
		if (!goes(p) || !tour_chosen(t, p))
			continue;
		if (t->pass->options->dry_run) {
			tour_line(t, "remove-folder", p->name, p->path);
			continue;
		}
		rv = remove_one(t, p, &why);
		if (rv == 1)
			stays(t, p, &why);
		if (rv == -1) {
			*e = why;
			return -1;
		}
		if (rv == 0 && forget(t, p, e) == -1)
			return -1;
	}
	return 0;
}

int
tour_create_folders(struct tour *t, struct err *e)
{
	const char **names = mem_array(t->n + 1, sizeof(*names));
	struct work **works = mem_array(t->n + 1, sizeof(*works));
	struct err **errors = mem_array(t->n + 1, sizeof(*errors));
	size_t i, n = 0;
	int rv = 0;

	for (i = 0; i < t->n; i++) {
		if (t->works[i].pair->op != FOLDERS_CREATE_REMOTE ||
		    t->works[i].left)
			continue;
		works[n] = &t->works[i];
		names[n++] = t->works[i].f.remote;
		if (t->pass->options->dry_run)
			tour_line(t, "create-folder", t->works[i].f.remote,
			    t->works[i].f.local);
	}
	if (n > 0 && !t->pass->options->dry_run)
		rv = remote_create(t->pass->remote, names, n, errors, e);
	for (i = 0; i < n; i++) {
		/* One that we began to make is there: not all servers say that it
		 * is why they refuse (Courier). */
		if (errors[i] != NULL && works[i]->pair->remote == NULL)
			tour_leave(t, works[i], errors[i]);
		free(errors[i]);
	}
	free(errors);
	free(works);
	free((void *)names);
	return rv;
}

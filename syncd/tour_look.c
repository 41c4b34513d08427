/*
 * Looking at both sides: which folders there are and which of them have
 * changed, and of these, what their files are and what the server tells.
 */

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/mem.h"
#include "os/log.h"
#include "tour.h"

/* --- folders ----------------------------------------------------------------- */

/* `syncd work/INBOX`: only that folder. */
bool
tour_chosen(const struct tour *t, const struct folders_pair *p)
{
	const struct words *only = &t->pass->options->only;
	size_t n = strlen(t->pass->sync->name), i;
	bool any = false, found = false;
	char *name = tour_name(t, p->name);

	for (i = 0; i < only->n; i++)
		any =
		    any || (strncmp(only->v[i], t->pass->sync->name, n) == 0 &&
			       only->v[i][n] == '/');
	found = words_have(only, name);
	free(name);
	return !any || found;
}

struct work *
tour_work_of(const struct tour *t, int64_t folder)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->works[i].f.id == folder)
			return &t->works[i];
	return NULL;
}

bool
tour_is_hidden(const struct tour *t, int64_t folder)
{
	const struct work *w = tour_work_of(t, folder);
	size_t i;

	if (w != NULL)
		return w->left;
	for (i = 0; i < t->n_pairs; i++)
		if (t->pairs[i].base != NULL && t->pairs[i].base->id == folder)
			return !tour_chosen(t, &t->pairs[i]);
	return false;
}

struct tour_hidden
tour_hidden(const struct tour *t)
{
	struct tour_hidden h = {mem_array(t->n_bases + 1, sizeof(*h.v)), 0};
	size_t i;

	for (i = 0; i < t->n_bases; i++)
		if (tour_is_hidden(t, t->bases[i].id))
			h.v[h.n++] = t->bases[i].id;
	return h;
}

static int
root_lost(const struct tour *t, struct err *e)
{
	const struct sync *y = t->pass->sync;
	char *command;

	if (words_have(&t->pass->options->allow_deletes, y->name))
		return 0;
	command = tour_let_through(t, "");
	(void)err_code(e, ERR_LOCAL, EX_DATAERR,
	    "%s is missing or empty, and had mail: is the disk mounted?  If it "
	    "is meant so: %s",
	    y->maildir, command);
	free(command);
	return -1;
}

static int
survey(struct tour *t, struct err *e)
{
	const struct sync *y = t->pass->sync;
	struct words errors;
	struct err shown;
	bool root;
	size_t i;

	if (remote_survey(t->pass->remote, y, &t->remotes, &t->n_remotes, e) ==
		-1 ||
	    local_survey(y, &t->locals, &t->n_locals, &root, e) == -1 ||
	    state_folders(t->pass->state, &t->bases, &t->n_bases, e) == -1)
		return -1;
	if (folders_root_lost(root, t->n_locals, t->bases, t->n_bases) &&
	    root_lost(t, e) == -1)
		return -1;
	words_init(&errors);
	folders_plan(y, t->remotes, t->n_remotes, t->locals, t->n_locals,
	    t->bases, t->n_bases, &t->pairs, &t->n_pairs, &errors);
	for (i = 0; i < errors.n; i++) {
		(void)err_code(
		    &shown, ERR_LOCAL, EX_DATAERR, "%s", errors.v[i]);
		tour_complain(t, LOG_L_NORMAL, &shown);
	}
	words_clear(&errors);
	return 0;
}

/* --- a work for each that has changed ------------------------------------------ */

/* Other terms than those that it was judged by. */
static bool
other_terms(const struct tour *t, const struct folders_pair *p)
{
	const char *now = t->pass->sync->terms;
	const char *then = p->base != NULL ? p->base->terms : NULL;

	return strcmp(now != NULL ? now : "", then != NULL ? then : "") != 0;
}

static bool
is_due(const struct tour *t, const struct folders_pair *p)
{
	return p->base != NULL && p->base->due != 0 && p->base->due <= t->now;
}

static bool
is_work(const struct tour *t, const struct folders_pair *p)
{
	switch (p->op) {
	case FOLDERS_SYNC:
		return p->remote_changed || p->local_changed ||
		       other_terms(t, p) || is_due(t, p);
	case FOLDERS_CREATE_LOCAL:
	case FOLDERS_CREATE_REMOTE:
	case FOLDERS_RENAME_LOCAL:
		return true;
	case FOLDERS_REMOVE_LOCAL:
	case FOLDERS_REMOVE_REMOTE:
	case FOLDERS_FORGET:
	case FOLDERS_LEAVE:
		break;
	}
	return false;
}

static char *
copy_or_null(const char *s)
{
	return s != NULL ? mem_strdup(s) : NULL;
}

static void
fill_folder(struct work *w, const struct folders_pair *p)
{
	if (p->base != NULL)
		w->f = *p->base;
	if (p->base != NULL && p->stale) {
		w->f.uidvalidity = 0;
		w->f.modseq = w->f.messages = 0;
	}
	/* Until it was seen there, this tells who is to make it. */
	if (w->f.uidvalidity == 0)
		w->f.uidnext = p->op != FOLDERS_CREATE_REMOTE;
	w->f.remote = mem_strdup(p->name);
	w->f.local = mem_strdup(p->path);
	w->f.terms = copy_or_null(w->f.terms);
	w->f.mailboxid = copy_or_null(p->remote != NULL ? p->remote->mailboxid
				      : p->base != NULL ? p->base->mailboxid
							: NULL);
}

static int
make_local(struct tour *t, const struct folders_pair *p, struct err *e)
{
	if (t->pass->options->dry_run)
		return 0;
	if (p->op == FOLDERS_CREATE_LOCAL)
		return local_create(t->pass->sync, p->path, e);
	if (p->op == FOLDERS_RENAME_LOCAL)
		return local_rename(t->pass->sync, p->local->path, p->path, e);
	return 0;
}

static int
prepare(struct tour *t, struct work *w, struct err *e)
{
	struct state *s = t->pass->state;
	const struct folders_pair *p = w->pair;

	if (p->stale && (state_forget_all(s, p->base->id, e) == -1 ||
			    state_push_drop(s, p->base->id, e) == -1))
		return -1;
	/* One to be renamed is known by its old names until that is done. */
	if (p->op != FOLDERS_RENAME_LOCAL &&
	    state_folder_put(s, &w->f, e) == -1)
		return -1;
	return state_uids(s, w->f.id, &w->known, e);
}

static int
open_local(struct tour *t, struct work *w, struct err *e)
{
	/* -n: what would be made is empty yet. */
	if (t->pass->options->dry_run && w->pair->op == FOLDERS_CREATE_LOCAL) {
		tour_line(t, "create-folder", w->f.remote, w->f.local);
		return 0;
	}
	if (make_local(t, w->pair, e) == -1 ||
	    local_maildir(t->pass->sync, w->f.local, false, &w->md, e) == -1 ||
	    local_is_empty(&w->md, &w->empty, e) == -1)
		return -1;
	maildir_sweep(&w->md, t->tag);
	return local_keywords_read(&w->md, &w->kw, e);
}

static int
end_preparing(struct tour *t, struct err *e)
{
	if (!t->pass->options->dry_run)
		return state_commit(t->pass->state, e);
	state_rollback(t->pass->state);
	return 0;
}

/*
 * Of a folder that is to be made again, what was agreed is forgotten for good
 * before: else it could be taken for one that was emptied.
 */
static int
make_works(struct tour *t, struct err *e)
{
	struct work *w;
	size_t i;

	t->works = mem_array(t->n_pairs + 1, sizeof(*t->works));
	if (state_begin(t->pass->state, e) == -1)
		return -1;
	for (i = 0; i < t->n_pairs; i++) {
		if (!is_work(t, &t->pairs[i]) || !tour_chosen(t, &t->pairs[i]))
			continue;
		w = &t->works[t->n++];
		*w = (struct work){
		    .pair = &t->pairs[i], .anew = other_terms(t, &t->pairs[i])};
		uidset_init(&w->known);
		w->md.tmp = w->md.new = w->md.cur = -1;
		fill_folder(w, &t->pairs[i]);
		if (prepare(t, w, e) == -1)
			return -1;
	}
	return end_preparing(t, e);
}

static int
open_works(struct tour *t, struct err *e)
{
	struct work *w;
	struct err local;

	for (w = t->works; w < t->works + t->n; w++) {
		if (open_local(t, w, &local) == -1)
			tour_leave(t, w, &local);
		else if (w->pair->op == FOLDERS_RENAME_LOCAL &&
			 !t->pass->options->dry_run &&
			 state_folder_put(t->pass->state, &w->f, e) == -1)
			return -1;
	}
	return 0;
}

/* --- what the server tells --------------------------------------------------------- */

/*
 * A folder that was never synced and is empty here need not be looked at before
 * its mail is pulled: unless messages were moved there from a known one, or some
 * are not to be pulled.
 */
static bool
is_direct(const struct tour *t, const struct work *w)
{
	const struct sync *y = t->pass->sync;

	return w->f.uidvalidity == 0 && w->empty && w->pair->remote != NULL &&
	       w->pair->remote->has_status &&
	       w->pair->remote->uidvalidity != 0 && !y->limited &&
	       y->plan.to_local.new && !t->pass->options->dry_run;
}

/* Whether something may have gone to another folder. */
static bool
any_vanished(const struct tour *t)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->works[i].left ||
		    (t->works[i].asked &&
			!uidset_empty(&t->works[i].diff.vanished)))
			return true;
	return false;
}

static struct remote_question
question(struct tour *t, struct work *w)
{
	bool fresh = w->f.uidvalidity == 0;

	return (struct remote_question){.folder = w->f.remote,
	    .base = fresh ? NULL : &w->f,
	    .now = w->pair->remote,
	    .known = &w->known,
	    .keywords = tour_keywords(t, w),
	    .sizes = true,
	    .emailids = true,
	    .dates = t->pass->sync->limited,
	    .full = fresh || w->anew};
}

static void
take_diff(struct tour *t, struct work *w)
{
	if (w->diff.error != NULL) {
		tour_leave(t, w, w->diff.error);
		return;
	}
	w->asked = true;
	if (w->diff.moved_ground && w->f.uidvalidity != 0)
		log_info("%s: UIDVALIDITY changed: its messages are recognised",
		    w->f.remote);
}

static uint32_t
validity_now(const struct work *w)
{
	if (w->left)
		return w->f.uidvalidity;
	if (w->asked)
		return w->diff.uidvalidity;
	return w->direct ? w->pair->remote->uidvalidity : w->f.uidvalidity;
}

/*
 * Which UIDs the rows of a folder are about to have stands there before the
 * first of them does: else they could, after a crash, be taken for others.
 */
static int
settle_ground(struct tour *t, struct work *w, struct err *e)
{
	uidset_clear(&w->known);
	uidset_init(&w->known);
	if (t->pass->options->dry_run)
		return 0;
	w->f.uidvalidity = validity_now(w);
	w->f.uidnext = 1;
	w->f.modseq = w->f.messages = 0;
	if (state_forget_all(t->pass->state, w->f.id, e) == -1)
		return -1;
	return state_folder_put(t->pass->state, &w->f, e);
}

static int
settle_grounds(struct tour *t, struct err *e)
{
	struct work *w;
	bool any = false;

	for (w = t->works; w < t->works + t->n; w++) {
		if (validity_now(w) == w->f.uidvalidity)
			continue;
		if (!any && state_begin(t->pass->state, e) == -1)
			return -1;
		any = true;
		if (settle_ground(t, w, e) == -1)
			return -1;
	}
	return any ? state_commit(t->pass->state, e) : 0;
}

static bool
is_to_be_asked(const struct tour *t, const struct work *w)
{
	if (w->left || w->asked || w->direct ||
	    (t->pass->options->dry_run && w->pair->op == FOLDERS_CREATE_REMOTE))
		return false;
	return w->pair->remote_changed || w->anew || w->f.uidvalidity == 0;
}

static int
ask_some(struct tour *t, struct err *e)
{
	struct remote_question *q = mem_array(t->n + 1, sizeof(*q));
	struct remote_diff *d = mem_array(t->n + 1, sizeof(*d));
	struct work **works = mem_array(t->n + 1, sizeof(*works));
	size_t i, n = 0;
	int rv = 0;

	for (i = 0; i < t->n; i++) {
		struct work *w = &t->works[i];

		if (!is_to_be_asked(t, w))
			continue;
		works[n] = w;
		q[n++] = question(t, w);
	}
	if (n > 0)
		rv = remote_diffs(t->pass->remote, q, n, d, e);
	for (i = 0; i < n; i++) {
		works[i]->diff = d[i];
		if (rv == 0)
			take_diff(t, works[i]);
	}
	free(works);
	free(d);
	free(q);
	return rv;
}

static int
ask(struct tour *t, struct err *e)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		t->works[i].direct =
		    !t->works[i].left && is_direct(t, &t->works[i]);
	if (ask_some(t, e) == -1)
		return -1;
	if (any_vanished(t)) {
		for (i = 0; i < t->n; i++)
			t->works[i].direct = false;
		if (ask_some(t, e) == -1)
			return -1;
	}
	return settle_grounds(t, e);
}

int
tour_look(struct tour *t, struct err *e)
{
	if (survey(t, e) == -1 || tour_remove_folders(t, e) == -1 ||
	    make_works(t, e) == -1 || open_works(t, e) == -1 ||
	    tour_create_folders(t, e) == -1)
		return -1;
	return ask(t, e);
}

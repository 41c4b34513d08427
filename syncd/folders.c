/*
 * Folders: three lists of names, and what follows from them.
 */

#include "folders.h"

#include <stdlib.h>
#include <string.h>

#include "base/glob.h"
#include "base/mem.h"
#include "proto/imap.h"

struct planning {
	const struct sync *sync;
	const struct folders_remote *remote;
	const struct local_folder *local;
	const struct state_folder *base;
	size_t n_remote, n_local, n_base;
	bool *remote_used, *local_used; /* owned: they have their pair */
	struct folders_pair *v;         /* owned by the result */
	size_t n;
	char sep; /* of the server's names */
	struct words *errors;
};

bool
folders_wanted(const struct sync *y, const struct folders_remote *r)
{
	size_t i;

	if ((r->attrs & (IMAP_ATTR_NOSELECT | IMAP_ATTR_NONEXISTENT)) != 0)
		return false;
	if (y->subscribed && (r->attrs & IMAP_ATTR_SUBSCRIBED) == 0 &&
	    strcmp(r->name, "INBOX") != 0)
		return false;
	/* Gmail's All Mail has every message a second time: only by name. */
	if ((r->attrs & IMAP_ATTR_ALL) != 0) {
		for (i = 0; i < y->folders.n; i++)
			if (strcmp(y->folders.v[i], r->name) == 0)
				return true;
		return false;
	}
	return y->folders.n == 0 || glob_list(&y->folders, r->name, r->sep);
}

bool
folders_root_lost(
    bool there, size_t n_local, const struct state_folder *base, size_t n_base)
{
	size_t i;

	if (there && n_local > 0)
		return false;
	for (i = 0; i < n_base; i++)
		if (base[i].messages > 0)
			return true;
	return false;
}

/* --- finding ---------------------------------------------------------------- */

/* A level above others need not be a folder itself; it can become one. */
static bool
is_folder(const struct folders_remote *r)
{
	return (r->attrs & (IMAP_ATTR_NOSELECT | IMAP_ATTR_NONEXISTENT)) == 0;
}

static const struct folders_remote *
remote_named(const struct planning *p, const char *name)
{
	size_t i;

	for (i = 0; i < p->n_remote; i++)
		if (!p->remote_used[i] && is_folder(&p->remote[i]) &&
		    strcmp(p->remote[i].name, name) == 0)
			return &p->remote[i];
	return NULL;
}

static const struct folders_remote *
remote_with_id(const struct planning *p, const char *id)
{
	size_t i;

	for (i = 0; id != NULL && i < p->n_remote; i++)
		if (!p->remote_used[i] && p->remote[i].mailboxid != NULL &&
		    strcmp(p->remote[i].mailboxid, id) == 0)
			return &p->remote[i];
	return NULL;
}

static const struct local_folder *
local_at_path(const struct planning *p, const char *path)
{
	size_t i;

	for (i = 0; i < p->n_local; i++)
		if (!p->local_used[i] && strcmp(p->local[i].path, path) == 0)
			return &p->local[i];
	return NULL;
}

/* --- what has changed --------------------------------------------------------- */

/* Without a modseq, flags change without a trace: so always look. */
static bool
remote_changed(const struct folders_remote *r, const struct state_folder *base)
{
	return r == NULL || base == NULL || !r->has_status || r->modseq == 0 ||
	       r->messages != base->messages || r->uidnext != base->uidnext ||
	       r->uidvalidity != base->uidvalidity || r->modseq != base->modseq;
}

static bool
local_changed(const struct local_folder *l, const struct state_folder *base)
{
	return l == NULL || base == NULL || l->cur_mtime == 0 ||
	       l->new_mtime == 0 || l->cur_mtime != base->cur_mtime ||
	       l->new_mtime != base->new_mtime;
}

static void
add_pair(struct planning *p, enum folders_op op, const struct folders_remote *r,
    const struct local_folder *l, const struct state_folder *base, char *path,
    char *name)
{
	p->v[p->n++] = (struct folders_pair){.op = op,
	    .remote = r,
	    .local = l,
	    .base = base,
	    .remote_changed = remote_changed(r, base),
	    .local_changed = local_changed(l, base),
	    .path = path,
	    .name = name};
	if (r != NULL)
		p->remote_used[r - p->remote] = true;
	if (l != NULL)
		p->local_used[l - p->local] = true;
}

/* --- pairs that were -------------------------------------------------------------- */

static void
complain(struct planning *p, const struct err *e)
{
	words_add(p->errors, e->text);
}

/* One half is gone: its twin goes too, or it is made again, from the twin.  The
 * inbox is never removed: no server lets it go (RFC 9051, 6.3.5). */
static void
plan_half(struct planning *p, const struct state_folder *b,
    const struct folders_remote *r, const struct local_folder *l,
    const char *path)
{
	const struct sync *y = p->sync;
	bool inbox = strcmp(b->remote, "INBOX") == 0;
	bool both = b->uidvalidity != 0; /* had it: else it was never made */
	enum folders_op op;

	if (r != NULL)
		op = both && y->remove_remote && !inbox ? FOLDERS_REMOVE_REMOTE
		     : y->create_local                  ? FOLDERS_CREATE_LOCAL
		                                        : FOLDERS_LEAVE;
	else
		op = both && y->remove_local ? FOLDERS_REMOVE_LOCAL
		     : y->create_remote      ? FOLDERS_CREATE_REMOTE
		                             : FOLDERS_LEAVE;
	add_pair(p, op, r, l, b, mem_strdup(path),
	    mem_strdup(r != NULL ? r->name : b->remote));
	p->v[p->n - 1].stale =
	    op == FOLDERS_CREATE_LOCAL || op == FOLDERS_CREATE_REMOTE;
}

/* It has another name on the server now: so it gets another here. */
static void
plan_renamed(struct planning *p, const struct state_folder *b,
    const struct folders_remote *r, const struct local_folder *l)
{
	const struct local_folder *at;
	struct err e = {0};
	char *path = local_path_of(p->sync, span_of(r->name), r->sep, &e);

	if (path == NULL) {
		complain(p, &e);
		add_pair(p, FOLDERS_LEAVE, r, l, b, mem_strdup(b->local),
		    mem_strdup(r->name));
		return;
	}
	at = local_at_path(p, path);
	if (l != NULL && at == NULL)
		add_pair(p, FOLDERS_RENAME_LOCAL, r, l, b, mem_strdup(path),
		    mem_strdup(r->name));
	else if (l != NULL) /* its new place is taken */
		add_pair(p, FOLDERS_SYNC, r, l, b, mem_strdup(b->local),
		    mem_strdup(r->name));
	else if (at != NULL) /* it was renamed here already */
		add_pair(p, FOLDERS_SYNC, r, at, b, mem_strdup(path),
		    mem_strdup(r->name));
	else
		plan_half(p, b, r, NULL, path);
	free(path);
}

/* We were about to make it there, and do not know how far that went. */
static bool
is_begun(const struct state_folder *b)
{
	return b->uidvalidity == 0 && b->uidnext == 0;
}

static void
plan_base(struct planning *p, const struct state_folder *b)
{
	const struct folders_remote *r = remote_named(p, b->remote);
	const struct folders_remote *same = remote_with_id(p, b->mailboxid);
	const struct local_folder *l = local_at_path(p, b->local);

	if (r == NULL && same != NULL) {
		plan_renamed(p, b, same, l);
		return;
	}
	/* What is not wanted any more is left as it is, and remembered. */
	if (r != NULL && !folders_wanted(p->sync, r))
		add_pair(p, FOLDERS_LEAVE, r, l, b, mem_strdup(b->local),
		    mem_strdup(b->remote));
	else if (r != NULL && l != NULL)
		add_pair(p, is_begun(b) ? FOLDERS_CREATE_REMOTE : FOLDERS_SYNC,
		    r, l, b, mem_strdup(b->local), mem_strdup(b->remote));
	else if (r == NULL && l == NULL)
		add_pair(p, FOLDERS_FORGET, NULL, NULL, b, mem_strdup(b->local),
		    mem_strdup(b->remote));
	else
		plan_half(p, b, r, l, b->local);
}

/* --- new ones ---------------------------------------------------------------------- */

static void
plan_new_remote(struct planning *p, const struct folders_remote *r)
{
	const struct local_folder *l;
	struct err e = {0};
	char *path;

	if (!folders_wanted(p->sync, r))
		return;
	path = local_path_of(p->sync, span_of(r->name), r->sep, &e);
	if (path == NULL) {
		complain(p, &e);
		return;
	}
	l = local_at_path(p, path);
	add_pair(p,
	    l != NULL               ? FOLDERS_SYNC
	    : p->sync->create_local ? FOLDERS_CREATE_LOCAL
				    : FOLDERS_LEAVE,
	    r, l, NULL, path, mem_strdup(r->name));
}

static bool
is_taken(const struct planning *p, const char *name)
{
	size_t i;

	for (i = 0; i < p->n_remote; i++)
		if (is_folder(&p->remote[i]) &&
		    strcmp(p->remote[i].name, name) == 0)
			return true;
	return false;
}

static void
plan_new_local(struct planning *p, const struct local_folder *l)
{
	struct folders_remote as = {.sep = p->sep};
	struct err e = {0};

	as.name = local_remote_of(p->sync, span_of(l->path), p->sep, &e);
	if (as.name == NULL) {
		complain(p, &e);
		return;
	}
	/* One that is there and not wanted is none of ours. */
	if (is_taken(p, as.name) || !folders_wanted(p->sync, &as)) {
		free(as.name);
		return;
	}
	add_pair(p,
	    p->sync->create_remote ? FOLDERS_CREATE_REMOTE : FOLDERS_LEAVE,
	    NULL, l, NULL, mem_strdup(l->path), as.name);
}

/* --- all ------------------------------------------------------------------------------ */

static char
separator(const struct folders_remote *v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (v[i].sep != '\0')
			return v[i].sep;
	return n > 0 ? '\0' : '/';
}

void
folders_plan(const struct sync *y, const struct folders_remote *remote,
    size_t n_remote, const struct local_folder *local, size_t n_local,
    const struct state_folder *base, size_t n_base,
    struct folders_pair **list_r, size_t *n_r, struct words *errors)
{
	struct planning p = {.sync = y,
	    .remote = remote,
	    .local = local,
	    .base = base,
	    .n_remote = n_remote,
	    .n_local = n_local,
	    .n_base = n_base,
	    .sep = separator(remote, n_remote),
	    .errors = errors};
	size_t i;

	p.remote_used = mem_array(n_remote + 1, sizeof(*p.remote_used));
	p.local_used = mem_array(n_local + 1, sizeof(*p.local_used));
	p.v = mem_array(n_remote + n_local + n_base + 1, sizeof(*p.v));
	for (i = 0; i < n_base; i++)
		plan_base(&p, &base[i]);
	for (i = 0; i < n_remote; i++)
		if (!p.remote_used[i])
			plan_new_remote(&p, &remote[i]);
	for (i = 0; i < n_local; i++)
		if (!p.local_used[i])
			plan_new_local(&p, &local[i]);
	free(p.remote_used);
	free(p.local_used);
	*list_r = p.v;
	*n_r = p.n;
}

void
folders_free(struct folders_pair *v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		free(v[i].path);
		free(v[i].name);
	}
	free(v);
}

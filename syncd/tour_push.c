/*
 * Pushing: files become messages on the server.  What is to be sent is written
 * down beforehand, so that what the server has accepted, and we did not hear of,
 * is recognised by the next pass (tour_pushed).
 */

#include <sys/stat.h>

#include <stdlib.h>

#include "base/mem.h"
#include "os/log.h"
#include "tour.h"

#define COMMIT_EVERY 100

struct pushing {
	struct tour *t;
	struct work **works; /* owned; by cookie */
	size_t *items;       /* owned; likewise */
	size_t n, announced; /* those below are written down as under way */
	size_t uncommitted;
	bool begun;
};

static struct item *
item_of(struct pushing *p, const struct remote_append *a)
{
	return &p->works[a->cookie]->v[p->items[a->cookie]];
}

static int
begin(struct pushing *p, struct err *e)
{
	if (p->begun)
		return 0;
	p->begun = true;
	return state_begin(p->t->pass->state, e);
}

static int
commit(struct pushing *p, struct err *e)
{
	if (!p->begun)
		return 0;
	p->begun = false;
	p->uncommitted = 0;
	return state_commit(p->t->pass->state, e);
}

static int
announce_one(struct pushing *p, struct work *w, struct item *it, struct err *e)
{
	struct state_push s = {.flags = it->p.remote_flags};

	/* One that is gone will not be sent either. */
	return tour_announce(p->t, w, it, &s, e) == -1 ? -1 : 0;
}

/* What is to be sent next is written down before. */
static int
announce(struct pushing *p, struct err *e)
{
	size_t end = p->n - p->announced < COMMIT_EVERY
	                 ? p->n
	                 : p->announced + COMMIT_EVERY;

	if (begin(p, e) == -1)
		return -1;
	for (; p->announced < end; p->announced++)
		if (announce_one(p, p->works[p->announced],
			&p->works[p->announced]->v[p->items[p->announced]],
			e) == -1)
			return -1;
	return commit(p, e);
}

static int
on_open(void *arg, const struct remote_append *a, int *fd_r, struct err *e)
{
	struct pushing *p = arg;
	struct work *w = p->works[a->cookie];
	struct local_at at;

	while (p->announced <= a->cookie)
		if (announce(p, e) == -1)
			return -1;
	local_at(&w->list, &w->list.v[item_of(p, a)->file], &at);
	return local_open(&w->md, &at, fd_r, e);
}

static int
remember(struct pushing *p, struct work *w, struct item *it, struct err *e)
{
	struct state *s = p->t->pass->state;
	struct state_msg m =
	    tour_row(w, it, local_file_unique(&w->list, it->file));

	if (begin(p, e) == -1 || tour_note_validity(p->t, w, e) == -1 ||
	    state_put(s, &m, e) == -1 ||
	    state_push_done(s, m.folder, m.name, e) == -1)
		return -1;
	return ++p->uncommitted >= COMMIT_EVERY ? commit(p, e) : 0;
}

static void
refused(struct pushing *p, struct work *w, const struct item *it,
    const struct err *why)
{
	char *name = tour_name(p->t, w->f.remote);
	struct err shown = *why;

	(void)err_prefix(&shown, "%s: %.*s", name,
	    SPAN(local_file_name(&w->list, it->file)));
	tour_complain(p->t, LOG_L_NORMAL, &shown);
	free(name);
}

static int
on_done(void *arg, const struct remote_append *a, const struct err *why,
    struct err *e)
{
	struct pushing *p = arg;
	struct work *w = p->works[a->cookie];
	struct item *it = item_of(p, a);

	it->settled = true;
	if (!a->done) {
		w->again = true;
		if (why != NULL && why->kind != ERR_NONE)
			refused(p, w, it, why);
		return 0;
	}
	p->t->pass->pushed++;
	/* Without its UID it is recognised in the next pass; so it is when the
	 * folder is another by now. */
	if (a->uid == 0 ||
	    (w->f.uidvalidity != 0 && a->uidvalidity != w->f.uidvalidity)) {
		p->t->pass->again = w->again = true;
		return 0;
	}
	it->uid = a->uid;
	it->m.date = a->date;
	/* It may be outside of the window, and has to go then. */
	if (p->t->pass->sync->limited)
		p->t->pass->again = true;
	if (w->f.uidvalidity == 0)
		w->f.uidvalidity = a->uidvalidity;
	return remember(p, w, it, e);
}

static int64_t
date_of(struct work *w, const struct item *it)
{
	struct local_at at;
	struct stat st;

	local_at(&w->list, &w->list.v[it->file], &at);
	if (fstatat(at.in_new ? w->md.new : w->md.cur, at.name, &st, 0) == -1)
		return 0;
	return (int64_t)st.st_mtime;
}

static bool
is_wanted(const struct work *w, const struct item *it)
{
	return !w->left && it->p.push && !it->settled && it->file != NO_FILE;
}

static size_t
count(const struct tour *t)
{
	size_t i, k, n = 0;

	for (i = 0; i < t->n; i++)
		for (k = 0; k < t->works[i].n; k++)
			n += is_wanted(&t->works[i], &t->works[i].v[k]);
	return n;
}

static size_t
list_all(struct pushing *p, struct remote_append *a)
{
	struct tour *t = p->t;
	size_t i, k, n = 0;

	for (i = 0; i < t->n; i++) {
		struct work *w = &t->works[i];

		for (k = 0; k < w->n; k++) {
			if (!is_wanted(w, &w->v[k]))
				continue;
			p->works[n] = w;
			p->items[n] = k;
			a[n] = (struct remote_append){.folder = w->f.remote,
			    .flags = w->v[k].p.remote_flags,
			    .keywords = tour_keywords(t, w),
			    .date = date_of(w, &w->v[k]),
			    .cookie = n};
			n++;
		}
	}
	return n;
}

int
tour_push(struct tour *t, struct err *e)
{
	size_t n = count(t);
	struct pushing p = {.t = t};
	struct remote_append *a;
	const struct remote_source source = {&p, on_open, on_done};
	struct err later;
	int rv;

	if (n == 0)
		return 0;
	p.works = mem_array(n, sizeof(*p.works));
	p.items = mem_array(n, sizeof(*p.items));
	a = mem_array(n, sizeof(*a));
	p.n = n = list_all(&p, a);
	rv = remote_append(t->pass->remote, a, n, &source, e);
	if (commit(&p, rv == 0 ? e : &later) == -1)
		rv = -1;
	free(a);
	free(p.items);
	free(p.works);
	return rv;
}

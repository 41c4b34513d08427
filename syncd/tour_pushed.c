/*
 * What was under way to the server when a run was killed, or was taken without
 * its UID: which of the new messages there these are.  It is known before
 * anything else is judged, for what a reader, or another client, has done with
 * such a message since is to be seen as that: a file that was moved or deleted
 * would have its message come back, and one whose flags were changed get the
 * old ones.
 */

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tour.h"

struct push {
	struct state_push p; /* its name is `name` */
	char *name;          /* owned */
	struct work *work;   /* borrowed; NULL: nothing came to that folder */
	bool settled;
};

/* A message on the server that may be one of them. */
struct newcomer {
	struct work *work;              /* borrowed */
	const struct remote_change *at; /* borrowed */
	unsigned char digest[LOCAL_DIGEST];
	bool known, used;
};

struct settling {
	struct tour *t;
	struct push *v; /* owned */
	size_t n;
	struct newcomer *came; /* owned */
	size_t n_came;
};

/* --- what was under way ------------------------------------------------------- */

static int
read_pushes(struct settling *s, struct err *e)
{
	struct state_push p;
	size_t i;
	int rv;

	while ((rv = state_push_next(s->t->pass->state, &p, e)) == 1) {
		s->v = mem_more(s->v, s->n, sizeof(*s->v));
		s->v[s->n] = (struct push){.p = p, .name = span_dup(p.name)};
		s->v[s->n].p.name = span_of(s->v[s->n].name);
		for (i = 0; i < s->t->n; i++)
			if (s->t->works[i].f.id == p.folder &&
			    s->t->works[i].asked && !s->t->works[i].left)
				s->v[s->n].work = &s->t->works[i];
		s->n++;
	}
	return rv;
}

/* --- what has come there -------------------------------------------------------- */

static bool
has_size(const struct settling *s, uint64_t size)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->v[i].work != NULL && s->v[i].p.size == size)
			return true;
	return false;
}

static int
list_work(struct settling *s, struct work *w, struct err *e)
{
	struct state_msg m;
	size_t i;
	int rv;

	for (i = 0; i < w->diff.n; i++) {
		const struct remote_change *c = &w->diff.v[i];

		if (!has_size(s, c->size))
			continue;
		rv = state_by_uid(s->t->pass->state, w->f.id, c->uid, &m, e);
		if (rv == -1)
			return -1;
		if (rv == 1)
			continue;
		s->came = mem_more(s->came, s->n_came, sizeof(*s->came));
		s->came[s->n_came++] = (struct newcomer){.work = w, .at = c};
	}
	return 0;
}

static int
list_all(struct settling *s, struct err *e)
{
	size_t i;

	for (i = 0; i < s->t->n; i++)
		if (s->t->works[i].asked && !s->t->works[i].left &&
		    list_work(s, &s->t->works[i], e) == -1)
			return -1;
	return 0;
}

/* --- their headers ----------------------------------------------------------------- */

static void
known(void *arg, struct work *w, uint32_t uid,
    const unsigned char digest[LOCAL_DIGEST])
{
	struct settling *s = arg;
	size_t i;

	for (i = 0; i < s->n_came; i++) {
		struct newcomer *c = &s->came[i];

		if (c->work != w || c->at->uid != uid)
			continue;
		memcpy(c->digest, digest, sizeof(c->digest));
		c->known = true;
	}
}

static int
ask_all(struct settling *s, struct err *e)
{
	struct tour_wish *v = mem_array(s->t->n + 1, sizeof(*v));
	size_t i, n = 0;
	int rv;

	/* They are in the order of the folders. */
	for (i = 0; i < s->n_came; i++) {
		const struct newcomer *c = &s->came[i];

		if (n == 0 || v[n - 1].work != c->work) {
			v[n].work = c->work;
			uidset_init(&v[n++].uids);
		}
		uidset_add(&v[n - 1].uids, c->at->uid, c->at->uid);
	}
	rv = tour_ask(s->t, v, n, REMOTE_HEADER, known, s, e);
	for (i = 0; i < n; i++)
		uidset_clear(&v[i].uids);
	free(v);
	return rv;
}

/* --- which is which ------------------------------------------------------------------- */

/* The row that it would have, had we heard of its UID. */
static int
put_row(struct settling *s, const struct push *p, uint32_t uid,
    const struct remote_change *c, struct err *e)
{
	struct item it = {.uid = uid, .size = p->p.size};
	struct state_msg m;

	it.m.date = c->date;
	memcpy(it.emailid, c->emailid, sizeof(it.emailid));
	it.p.after = (struct plan_base){
	    .paired = true, .local = true, .remote = true, .flags = p->p.flags};
	m = tour_row(p->work, &it, span_of(p->name));
	if (tour_note_validity(s->t, p->work, e) == -1)
		return -1;
	return state_put(s->t->pass->state, &m, e);
}

/* A UID that was given since, and is no more: what another client has moved on
 * had such a one.  0: there is none. */
static int
gone_uid(struct tour *t, const struct work *w, uint32_t *uid_r, struct err *e)
{
	uint32_t uid = w->f.uidnext > 0 ? w->f.uidnext : 1;
	struct state_msg m;
	size_t i = 0;
	int rv;

	*uid_r = 0;
	for (; !w->diff.moved_ground && uid < w->diff.uidnext; uid++) {
		while (i < w->diff.n && w->diff.v[i].uid < uid)
			i++;
		if (i < w->diff.n && w->diff.v[i].uid == uid)
			continue;
		rv = state_by_uid(t->pass->state, w->f.id, uid, &m, e);
		if (rv == -1)
			return -1;
		if (rv == 0) {
			*uid_r = uid;
			return 0;
		}
	}
	return 0;
}

/* The mark that it has is ours: should a reader have put the file back, it was
 * he who took it away. */
static int
own_mark(struct tour *t, const struct work *w, uint32_t uid, struct err *e)
{
	struct state_msg m;
	size_t i;
	int rv = 0;

	for (i = 0; i < w->diff.n && w->diff.v[i].uid != uid; i++)
		;
	if (i < w->diff.n && (w->diff.v[i].flags & PLAN_DELETED) != 0)
		rv = state_by_uid(t->pass->state, w->f.id, uid, &m, e);
	if (rv != 1)
		return rv;
	m.base.flags |= PLAN_DELETED;
	return state_put(t->pass->state, &m, e);
}

/* 1: whether it was moved, and where to, is not to be seen in this pass; 0; -1. */
static int
waits(const struct tour *t, const struct push *p, struct err *e)
{
	struct state_msg m;

	if (tour_is_hidden(t, p->p.folder))
		return 1;
	if (p->p.uid == 0 || !tour_is_hidden(t, p->p.origin))
		return 0;
	return state_by_uid(t->pass->state, p->p.origin, p->p.uid, &m, e);
}

/* 1: what was moved is no more where it was; 0; -1. */
static int
has_left(const struct tour *t, const struct push *p, struct err *e)
{
	const struct work *w = tour_work_of(t, p->p.origin);
	struct state_msg m;
	int rv;

	if (w != NULL && w->asked && uidset_has(&w->diff.vanished, p->p.uid))
		return 1;
	rv = state_by_uid(t->pass->state, p->p.origin, p->p.uid, &m, e);
	return rv == -1 ? -1 : rv == 0;
}

/* What was moved is no more where it was; or it was copied, and is to go. */
static int
leave_origin(struct tour *t, const struct push *p, bool left, struct err *e)
{
	struct work *w = tour_work_of(t, p->p.origin);

	if (left)
		return state_forget(t->pass->state, p->p.origin, p->p.uid, e);
	if (w == NULL)
		return 0;
	uidset_add(&w->copied, p->p.uid, p->p.uid);
	return own_mark(t, w, p->p.uid, e);
}

static int
take(struct settling *s, struct push *p, struct newcomer *c, bool left,
    struct err *e)
{
	uint32_t uid = c->at->uid;

	if (c->work != p->work) {
		if (gone_uid(s->t, p->work, &uid, e) == -1)
			return -1;
		if (uid == 0)
			return 0;
		uidset_add(&p->work->diff.vanished, uid, uid);
	} else
		c->used = true;
	p->settled = true;
	if (p->p.uid != 0 && leave_origin(s->t, p, left, e) == -1)
		return -1;
	return put_row(s, p, uid, c->at, e);
}

/* A move that the server makes in one step was not made when the message is
 * still where it was; nor can it have gone on from where it was to go. */
static bool
may_be(const struct tour *t, const struct push *p, bool anywhere, bool left)
{
	return p->p.uid == 0 || left ||
	       (!anywhere &&
		   !imap_has(&t->pass->remote->client.imap, IMAP_CAP_MOVE));
}

/* 1: it has its row where it went to, and only what became of the place it came
 * from was to be seen; 0; -1. */
static int
has_arrived(const struct tour *t, const struct push *p, struct err *e)
{
	struct state_msg m;

	return state_by_name(
	    t->pass->state, p->p.folder, span_of(p->name), &m, e);
}

/* In the folder it was sent to; then in any. */
static int
match(struct settling *s, struct push *p, bool anywhere, struct err *e)
{
	int rv, left = 0;
	size_t i;

	if (p->work == NULL || p->settled)
		return 0;
	rv = waits(s->t, p, e);
	if (rv == 0)
		rv = has_arrived(s->t, p, e);
	if (rv != 0)
		return rv == 1 ? 0 : -1;
	if (p->p.uid != 0)
		left = has_left(s->t, p, e);
	if (left == -1)
		return -1;
	if (!may_be(s->t, p, anywhere, left == 1))
		return 0;
	for (i = 0; i < s->n_came && !p->settled; i++) {
		struct newcomer *c = &s->came[i];

		if (c->work->left || c->used || !c->known ||
		    c->at->size != p->p.size ||
		    (c->work != p->work && !anywhere) ||
		    memcmp(c->digest, p->p.digest, sizeof(c->digest)) != 0)
			continue;
		if (take(s, p, c, left == 1, e) == -1)
			return -1;
	}
	return 0;
}

/* Where it was is seen: if it went, what is there under its name now is something
 * new. */
static int
end_origin(struct tour *t, struct push *p, struct err *e)
{
	struct work *w = tour_work_of(t, p->p.origin);
	int left = has_left(t, p, e);

	if (left == 0 && w != NULL &&
	    !imap_has(&t->pass->remote->client.imap, IMAP_CAP_MOVE))
		return own_mark(t, w, p->p.uid, e);
	if (left != 1)
		return left;
	if (leave_origin(t, p, true, e) == -1)
		return -1;
	p->p.origin = 0;
	p->p.uid = 0;
	return state_push_put(t->pass->state, &p->p, e);
}

/* One of a folder that could not be looked at stays until that can be. */
static int
end(struct settling *s, struct push *p, struct err *e)
{
	int rv = waits(s->t, p, e);

	if (rv == 1)
		return p->p.uid == 0 || tour_is_hidden(s->t, p->p.origin)
		           ? 0
		           : end_origin(s->t, p, e);
	if (rv == 0 && p->p.uid != 0 && !p->settled)
		rv = has_arrived(s->t, p, e);
	if (rv == 1)
		rv = end_origin(s->t, p, e);
	if (rv == -1)
		return -1;
	return state_push_done(
	    s->t->pass->state, p->p.folder, span_of(p->name), e);
}

/* What is gone by the time it is asked for may be one of them, moved on by
 * another client: the next pass sees where to. */
static void
look_again(struct settling *s)
{
	size_t i;

	if (s->t->pass->round > 0)
		return;
	for (i = 0; i < s->n_came; i++)
		if (!s->came[i].known)
			s->came[i].work->left = s->t->pass->again = true;
}

static int
settle(struct settling *s, struct err *e)
{
	size_t i;

	if (state_begin(s->t->pass->state, e) == -1)
		return -1;
	for (i = 0; i < s->n; i++)
		if (match(s, &s->v[i], false, e) == -1)
			return -1;
	for (i = 0; i < s->n; i++)
		if (match(s, &s->v[i], true, e) == -1 ||
		    end(s, &s->v[i], e) == -1)
			return -1;
	return state_commit(s->t->pass->state, e);
}

int
tour_pushed(struct tour *t, struct err *e)
{
	struct settling s = {.t = t};
	size_t i;
	int rv = read_pushes(&s, e);

	if (rv == 0 && s.n > 0 && !t->pass->options->dry_run) {
		rv = list_all(&s, e);
		if (rv == 0)
			rv = ask_all(&s, e);
		look_again(&s);
		if (rv == 0)
			rv = settle(&s, e);
	}
	for (i = 0; i < s.n; i++)
		free(s.v[i].name);
	free(s.v);
	free(s.came);
	return rv;
}

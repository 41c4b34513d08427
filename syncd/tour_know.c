/*
 * Recognising: what is new on one side may be the same message as one that is
 * new, or gone, on the other. A message that a reader moved to another folder
 * keeps its file's unique name; one that was moved on the server is known by
 * EMAILID, or by size and Message-ID (by the whole header where it has none);
 * so is one whose row was lost, or whose file a reader gave another name.
 */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/log.h"
#include "tour.h"

/* --- traces of all folders ------------------------------------------------------- */

/* An item, by its work's and its own number. */
struct place {
	size_t work, item;
};

struct traces {
	struct plan_trace *v; /* owned; cookie: index into places */
	struct place *places; /* owned */
	size_t n, cap;
};

static void
add_trace(struct traces *s, size_t work, size_t item,
    const unsigned char key[16], uint64_t size, uint32_t folder)
{
	struct plan_trace *v;

	if (s->n == s->cap) {
		s->cap = s->cap == 0 ? 16 : s->cap * 2;
		s->v = mem_resize(s->v, s->cap, sizeof(*s->v));
		s->places = mem_resize(s->places, s->cap, sizeof(*s->places));
	}
	v = &s->v[s->n];
	*v =
	    (struct plan_trace){.size = size, .folder = folder, .cookie = s->n};
	memcpy(v->key, key, sizeof(v->key));
	s->places[s->n++] = (struct place){work, item};
}

static void
traces_clear(struct traces *s)
{
	free(s->v);
	free(s->places);
	*s = (struct traces){0};
}

/* Calls back for each pair of items found to be the same message. */
static void
match(struct tour *t, struct traces *gone, struct traces *came,
    void (*found)(struct tour *, struct place, struct place))
{
	size_t i, n, least = gone->n < came->n ? gone->n : came->n;
	struct plan_move *moves;

	if (least == 0)
		return;
	moves = mem_array(least, sizeof(*moves));
	n = plan_moves(gone->v, gone->n, came->v, came->n, moves);
	for (i = 0; i < n; i++)
		found(t, gone->places[moves[i].gone],
		    came->places[moves[i].came]);
	free(moves);
}

static struct item *
item_at(struct tour *t, struct place p)
{
	return &t->works[p.work].v[p.item];
}

/* --- moved by a reader ----------------------------------------------------------- */

static bool
may_have_moved_here(const struct item *it)
{
	/* One that is marked as deleted is not pushed, but may be known. */
	return item_is_new_here(it) &&
	       (it->p.push || it->m.placeholder ||
		   (it->m.local.flags & PLAN_DELETED) != 0);
}

static int
name_key(struct tour *t, const struct work *w, const struct item *it,
    unsigned char key_r[16], struct err *e)
{
	struct state_msg m;
	bool unused;
	int rv = 1;

	if (it->file != NO_FILE) {
		local_digest(
		    local_file_unique(&w->list, it->file), key_r, &unused);
		return 1;
	}
	rv = state_by_uid(t->pass->state, w->f.id, it->uid, &m, e);
	if (rv == 1)
		local_digest(m.name, key_r, &unused);
	return rv;
}

/* A marked placeholder is there besides its copy, and has no row any more: it
 * goes in the next pass. */
static void
note_marked(struct tour *t, struct work *w, const struct item *it)
{
	if (it->m.local.there)
		t->pass->again = w->again = true;
}

/* Where its deletion was begun, the mark is ours; what a reader says of its file
 * is not said of that mark. */
static void
forget_own_mark(struct plan_message *m, const struct item *it)
{
	if (!it->begun || (m->local.flags & PLAN_DELETED) == 0)
		return;
	m->base.flags &= ~PLAN_DELETED;
	m->remote.flags &= ~PLAN_DELETED;
}

/*
 * The old place's item becomes a move to the new one's, and what either side
 * changed of its flags goes to the other first.  One that was marked as deleted
 * when it was moved is deleted.
 */
static void
found_move_here(struct tour *t, struct place gone, struct place came)
{
	struct item *from = item_at(t, gone), *to = item_at(t, came);
	struct item both = *from;

	both.m.local = to->m.local;
	forget_own_mark(&both.m, from);
	tour_plan(t, &t->works[gone.work], &both);
	if (both.p.delete_remote) {
		to->p = (struct plan){
		    .delete_local = both.p.delete_local, .forget = true};
		return;
	}
	from->to = &t->works[came.work];
	from->to_item = came.item;
	from->p.remote_flags = both.p.remote_flags;
	from->p.set_remote = both.p.set_remote;
	to->p = both.p;
	note_marked(t, &t->works[gone.work], from);
	from->m.base.placeholder = to->m.placeholder;
	to->settled = true;
	to->size = from->size;
	to->m.date = from->m.date;
	memcpy(to->emailid, from->emailid, sizeof(to->emailid));
}

/* Such as are gone, and such as are new, by the unique names of their files. */
static int
match_names(struct tour *t, bool (*is_gone)(const struct item *),
    bool (*is_new)(const struct item *),
    void (*found)(struct tour *, struct place, struct place), struct err *e)
{
	struct traces gone = {0}, came = {0};
	unsigned char key[16];
	size_t i, k;
	int rv = 0;

	for (i = 0; rv != -1 && i < t->n; i++) {
		struct work *w = &t->works[i];

		for (k = 0; rv != -1 && !w->left && k < w->n; k++) {
			bool new = is_new(&w->v[k]);

			if (!new && !is_gone(&w->v[k]))
				continue;
			rv = name_key(t, w, &w->v[k], key, e);
			if (rv == 1)
				add_trace(new ? &came : &gone, i, k, key, 0,
				    (uint32_t)i);
		}
	}
	if (rv != -1)
		match(t, &gone, &came, found);
	traces_clear(&gone);
	traces_clear(&came);
	return rv == -1 ? -1 : 0;
}

/* --- sizes that two have in common ------------------------------------------------- */

static bool
may_have_moved_there(const struct item *it)
{
	return item_is_new_there(it) &&
	       (it->p.pull || it->p.after.left_out ||
		   (it->m.remote.flags & PLAN_DELETED) != 0);
}

/* Gone from the server, and its file is still here. */
static bool
is_gone_there(const struct item *it)
{
	return it->m.base.paired && it->m.base.remote && !it->m.remote.there &&
	       it->m.local.there && it->p.delete_local;
}

static int
by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

struct sizes {
	uint64_t *v; /* owned, sorted */
	size_t n;
};

static bool
has_size(const struct sizes *s, uint64_t size)
{
	return s->n > 0 &&
	       bsearch(&size, s->v, s->n, sizeof(*s->v), by_size) != NULL;
}

/* Sizes of such items, in all folders. */
static struct sizes
sizes_of(const struct tour *t, bool (*is)(const struct item *))
{
	struct sizes s = {0};
	size_t i, k;

	for (i = 0; i < t->n; i++)
		for (k = 0; !t->works[i].left && k < t->works[i].n; k++) {
			if (!is(&t->works[i].v[k]))
				continue;
			s.v = mem_more(s.v, s.n, sizeof(*s.v));
			s.v[s.n++] = t->works[i].v[k].size;
		}
	if (s.n > 0)
		qsort(s.v, s.n, sizeof(*s.v), by_size);
	return s;
}

/*
 * Where nothing is remembered of a folder yet, the same Message-ID will do with
 * a size that is not far off: some servers tell one that is not that of the
 * message (Exchange), and other programs leave a line of their own in it
 * (mbsync's X-TUID).
 */
static bool
is_fresh(const struct work *w)
{
	return w->asked && (w->diff.moved_ground ||
			       (w->f.uidnext <= 1 && w->f.messages == 0));
}

static uint64_t
slack(uint64_t size)
{
	return 1024 + size / 16;
}

static bool
has_near(const struct sizes *s, uint64_t size)
{
	uint64_t least = size > slack(size) ? size - slack(size) : 0;
	size_t lo = 0, hi = s->n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (s->v[mid] < least)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->n && s->v[lo] <= size + slack(size);
}

/* --- digests -------------------------------------------------------------------------- */

int
tour_identify(struct work *w, struct item *it, struct err *e)
{
	struct local_at at;
	bool has_id = false;
	uint64_t size;
	int fd, rv;

	if (it->has_digest)
		return 1;
	local_at(&w->list, &w->list.v[it->file], &at);
	rv = local_open(&w->md, &at, &fd, e);
	if (rv != 1)
		return rv;
	rv = local_identity(fd, &size, it->digest, &has_id, e);
	close(fd);
	/* What the server once told of it may be something else. */
	if (rv == 0 && it->size == 0)
		it->size = size;
	it->has_digest = rv == 0;
	it->bare = !has_id;
	return rv == 0 ? 1 : -1;
}

/* Files whose size is that of something new on the server. */
static int
know_files(
    struct tour *t, const struct sizes *there, bool *any_bare_r, struct err *e)
{
	size_t i, k;
	int rv;

	for (i = 0; i < t->n; i++) {
		struct work *w = &t->works[i];

		for (k = 0; !w->left && k < w->n; k++) {
			struct item *it = &w->v[k];

			if (it->has_digest ||
			    (!item_is_new_here(it) &&
				!(is_gone_there(it) &&
				    has_size(there, it->size))))
				continue;
			rv = tour_identify(w, it, e);
			if (rv == -1)
				return -1;
			if (rv == 0)
				tour_put_off(w, it);
			*any_bare_r = *any_bare_r || it->bare;
		}
	}
	return 0;
}

static bool
has_digest(const struct item *it)
{
	return it->has_digest;
}

/* --- and of what is on the server --------------------------------------------------- */

static void
known_there(void *arg, struct work *w, uint32_t uid,
    const unsigned char digest[LOCAL_DIGEST])
{
	struct item *it = tour_item(w, uid);

	(void)arg;
	if (it == NULL)
		return;
	memcpy(it->digest, digest, sizeof(it->digest));
	it->has_digest = true;
}

/* Those of a folder that may be one of ours. */
static void
wish_for(struct tour_wish *wish, bool (*is)(const struct item *),
    const struct sizes *here)
{
	struct work *w = wish->work;
	size_t i;

	uidset_init(&wish->uids);
	for (i = 0; !w->left && i < w->n; i++)
		if (is(&w->v[i]) &&
		    (here == NULL || has_size(here, w->v[i].size) ||
			(is_fresh(w) && has_near(here, w->v[i].size))))
			uidset_add(&wish->uids, w->v[i].uid, w->v[i].uid);
}

/* Message-IDs of such that may be one of ours (here: their sizes, or NULL); or
 * whole headers, if one of ours has no Message-ID. */
static int
know_there(struct tour *t, bool (*is)(const struct item *),
    const struct sizes *here, bool headers, struct err *e)
{
	struct tour_wish *v = mem_array(t->n + 1, sizeof(*v));
	size_t i, n = 0;
	int rv;

	for (i = 0; i < t->n; i++) {
		v[n].work = &t->works[i];
		wish_for(&v[n], is, here);
		n += !uidset_empty(&v[n].uids);
	}
	rv = tour_ask(t, v, n, headers ? REMOTE_HEADER : REMOTE_MESSAGE_ID,
	    known_there, NULL, e);
	for (i = 0; i < n; i++)
		uidset_clear(&v[i].uids);
	free(v);
	return rv;
}

/* --- the same message on both sides ---------------------------------------------------- */

/* A file and a message of the same folder: neither is known, or the message has
 * another UID by now, for it was moved away and back. */
void
tour_pair(struct tour *t, struct work *w, struct item *here, struct item *there)
{
	here->uid = there->uid;
	here->size = there->size;
	here->m.remote = there->m.remote;
	here->m.date = there->m.date;
	memcpy(here->emailid, there->emailid, sizeof(here->emailid));
	here->settled = false;
	there->settled = true;
	if (here->was.paired)
		here->m.base = here->was;
	tour_plan(t, w, here);
	here->p.remember = true;
}

static void
found_pair(struct tour *t, struct place file, struct place message)
{
	tour_pair(
	    t, &t->works[file.work], item_at(t, file), item_at(t, message));
}

/* --- moved on both sides ---------------------------------------------------------------- */

static bool
is_gone_everywhere(const struct item *it)
{
	return it->m.base.paired && it->m.base.local && it->m.base.remote &&
	       !it->m.local.there && !it->m.remote.there && !it->settled;
}

/*
 * What was moved to the same folder on both sides, or on the server and then
 * here by a run that was killed, is paired as two that are new; what was agreed
 * of its flags still holds.
 */
static void
found_base(struct tour *t, struct place gone, struct place came)
{
	item_at(t, came)->was = item_at(t, gone)->m.base;
}

/* The digest, within that folder. */
static void
key_within(const struct item *it, size_t work, unsigned char key_r[16])
{
	memcpy(key_r, it->digest, sizeof(it->digest));
	key_r[0] ^= (unsigned char)work;
	key_r[1] ^= (unsigned char)(work >> 8);
	key_r[2] ^= (unsigned char)(work >> 16);
}

static void
found_near(struct tour *t, struct place file, struct place message)
{
	uint64_t a = item_at(t, file)->size, b = item_at(t, message)->size;

	if (a <= b + slack(b) && b <= a + slack(b))
		found_pair(t, file, message);
}

/* By size, too; or, of fresh folders, what is left thereafter. */
static void
pair_up(struct tour *t, bool near)
{
	struct traces here = {0}, there = {0};
	unsigned char key[16];
	size_t i, k;

	for (i = 0; i < t->n; i++) {
		struct work *w = &t->works[i];

		for (k = 0; !w->left && k < w->n; k++) {
			struct item *it = &w->v[k];
			uint64_t size = near ? 0 : it->size;

			if (!it->has_digest || it->settled ||
			    (near && !is_fresh(w)))
				continue;
			key_within(it, i, key);
			if (item_is_new_here(it) ||
			    (is_gone_there(it) && it->to == NULL))
				add_trace(&here, i, k, key, size, 0);
			else if (item_is_new_there(it))
				add_trace(&there, i, k, key, size, 1);
		}
	}
	match(t, &here, &there, near ? found_near : found_pair);
	traces_clear(&here);
	traces_clear(&there);
}

/* --- moved or kept by a reader, under another name --------------------------------------- */

/* The file is here still. */
static void
found_file(struct tour *t, struct place gone, struct place came)
{
	struct item *it = item_at(t, gone), *new = item_at(t, came);

	note_marked(t, &t->works[gone.work], it);
	it->file = new->file;
	it->m.local = new->m.local;
	forget_own_mark(&it->m, it);
	it->m.base.placeholder = new->m.placeholder;
	new->settled = true;
	tour_plan(t, &t->works[gone.work], it);
	it->p.remember = true;
}

/* It was left out, and may have come back out of a backup. */
static bool
is_left_out(const struct item *it)
{
	return it->m.base.left_out && !it->m.local.there &&
	       it->m.remote.there && !it->settled;
}

static bool
is_missing_here(const struct item *it)
{
	return item_is_lost_here(it) || is_left_out(it);
}

/* What is left out goes again: so it must be the same beyond doubt. */
static bool
is_new_with_id(const struct item *it)
{
	return item_is_new_here(it) && !it->bare;
}

/* Such as are gone, and such as are new, within their folders or beyond. */
static void
match_files(struct tour *t, bool (*is_gone)(const struct item *),
    bool (*is_new)(const struct item *), bool within)
{
	struct traces gone = {0}, came = {0};
	unsigned char key[16];
	size_t i, k;

	for (i = 0; i < t->n; i++)
		for (k = 0; !t->works[i].left && k < t->works[i].n; k++) {
			struct item *it = &t->works[i].v[k];
			bool new = is_new(it);

			if (!it->has_digest || (!new && !is_gone(it)))
				continue;
			memcpy(key, it->digest, sizeof(key));
			if (within)
				key_within(it, i, key);
			add_trace(new ? &came : &gone, i, k, key, it->size,
			    within ? new : (uint32_t)i);
		}
	match(t, &gone, &came, within ? found_file : found_move_here);
	traces_clear(&gone);
	traces_clear(&came);
}

/*
 * Files that are gone, and new ones with other names: some readers move a
 * message by a copy, and a backup may come back renamed.  The server is asked
 * what is gone.
 */
static int
renamed_here(struct tour *t, bool *any_bare_r, struct err *e)
{
	struct sizes gone = sizes_of(t, is_missing_here), here = {0};
	int rv = 0;

	if (gone.n > 0)
		rv = know_files(t, &gone, any_bare_r, e);
	if (rv == 0 && gone.n > 0)
		here = sizes_of(t, has_digest);
	if (here.n > 0)
		rv = know_there(t, is_missing_here, &here, *any_bare_r, e);
	if (rv == 0 && here.n > 0) {
		match_files(t, item_is_lost_here, item_is_new_here, true);
		match_files(t, is_left_out, is_new_with_id, true);
		match_files(t, item_is_lost_here, may_have_moved_here, false);
	}
	free(gone.v);
	free(here.v);
	return rv;
}

/* --- moved by another client -------------------------------------------------------------- */

static void
found_move_there(struct tour *t, struct place gone, struct place came)
{
	struct item *from = item_at(t, gone), *to = item_at(t, came);

	from->to = &t->works[came.work];
	from->to_item = came.item;
	to->settled = true;
	/* Its row goes with it, and what its flags became; but a mark that it is
	 * to be deleted was for the old place. */
	to->m.base = from->m.base;
	to->m.local = from->m.local;
	to->m.local.flags &= ~PLAN_DELETED | to->m.base.flags;
	tour_plan(t, from->to, to);
	to->m.local.flags = from->m.local.flags;
	to->p.set_local = to->p.local_flags != from->m.local.flags;
}

static void
moves_there(struct tour *t, bool by_emailid)
{
	static const unsigned char none[16];
	struct traces gone = {0}, came = {0};
	const unsigned char *key;
	size_t i, k;

	for (i = 0; i < t->n; i++)
		for (k = 0; !t->works[i].left && k < t->works[i].n; k++) {
			struct item *it = &t->works[i].v[k];
			bool new = may_have_moved_there(it);

			if ((!new && !is_gone_there(it)) || it->to != NULL ||
			    (by_emailid ? memcmp(it->emailid, none, 16) == 0
					: !it->has_digest))
				continue;
			key = by_emailid ? it->emailid : it->digest;
			add_trace(new ? &came : &gone, i, k, key,
			    by_emailid ? 0 : it->size, (uint32_t)i);
		}
	match(t, &gone, &came, found_move_there);
	traces_clear(&gone);
	traces_clear(&came);
}

/* --- all ---------------------------------------------------------------------------------- */

static bool
is_asked(const struct item *it)
{
	return it->ask;
}

int
tour_know(struct tour *t, struct err *e)
{
	struct sizes there, here = {0};
	bool headers = false;
	int rv = 0;

	if (match_names(t, item_is_gone_here, may_have_moved_here,
		found_move_here, e) == -1 ||
	    renamed_here(t, &headers, e) == -1)
		return -1;
	moves_there(t, true);
	there = sizes_of(t, item_is_new_there);
	if (there.n > 0)
		rv = know_files(t, &there, &headers, e);
	if (rv == 0 && there.n > 0)
		rv = tour_left_ask(t, &headers, e);
	if (rv == 0 && there.n > 0) {
		here = sizes_of(t, has_digest);
		rv = know_there(t, item_is_new_there, &here, headers, e);
	}
	if (rv == 0 && there.n > 0 && tour_copied_ask(t))
		rv = know_there(t, is_asked, NULL, true, e);
	if (rv == 0 && there.n > 0) {
		tour_copied(t);
		tour_left(t);
		rv = match_names(
		    t, is_gone_everywhere, item_is_new_here, found_base, e);
	}
	if (rv == 0 && there.n > 0) {
		pair_up(t, false);
		pair_up(t, true);
		moves_there(t, false);
	}
	if (rv == 0) {
		tour_hold_placeholders(t);
	}
	free(there.v);
	free(here.v);
	return rv;
}

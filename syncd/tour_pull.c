/*
 * Pulling: messages from the server become files, exactly once (section 4): a
 * batch is durable in tmp/, then its rows say where each will be, then they are
 * put there.  While a batch is made durable, and the places of the one before
 * it, the next one comes in.
 */

#include <sys/stat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/durable.h"
#include "os/log.h"
#include "tour.h"

#define BATCH_MESSAGES 512
#define BATCH_BYTES (16u << 20)

/* A message that has come whole, and is on its way to its place. */
struct arrival {
	struct work *work;
	struct spool spool;
	char name[MAILDIR_NAME];
	struct item item; /* a copy: uid, plan, size */
};

struct batch {
	struct arrival *v; /* owned, BATCH_MESSAGES */
	size_t n;
	uint64_t bytes;
};

struct pulling {
	struct tour *t;
	struct work **works; /* owned; by cookie */
	size_t n;
	struct batch filling, going;
	struct durable durable;
	struct durable_item *items; /* owned: of `going` */
	struct spool spool;         /* of the message in hand */
	struct work *work;
	bool receiving;
};

/* --- putting it in its place --------------------------------------------------------- */

/* ":2,FS", or NULL for a message without flags, which is new. */
static const char *
info_of(plan_flags f, char out[MAILDIR_NAME])
{
	if (f == 0)
		return NULL;
	(void)local_with_flags(span_of(""), f, out);
	return out;
}

static int
place(struct tour *t, struct work *w, const char *name, plan_flags f,
    struct err *e)
{
	char info[MAILDIR_NAME], path[2 * MAILDIR_NAME];
	const char *at = info_of(f, info);

	if (maildir_place(&w->md, name, at, e) == -1)
		return -1;
	snprintf(path, sizeof(path), "%s/%s%s", at != NULL ? "cur" : "new",
	    name, at != NULL ? at : "");
	tour_say(t, "new", w, path);
	return 0;
}

static int
write_rows(struct pulling *p, struct err *e)
{
	struct state *s = p->t->pass->state;
	struct state_msg m;
	size_t i;

	/* What was placed before is in its place for good. */
	if (state_begin(s, e) == -1 || state_placed(s, e) == -1)
		return -1;
	for (i = 0; i < p->going.n; i++) {
		struct arrival *a = &p->going.v[i];

		m = tour_row(a->work, &a->item, local_unique(span_of(a->name)));
		m.placing = true;
		if (state_put(s, &m, e) == -1)
			return -1;
	}
	return state_commit(s, e);
}

static int
place_all(struct pulling *p, struct err *e)
{
	struct arrival *a;
	size_t i;

	for (i = 0; i < p->going.n; i++) {
		a = &p->going.v[i];
		if (place(p->t, a->work, a->name, a->item.p.local_flags, e) ==
		    -1)
			return -1;
		p->t->pass->pulled++;
	}
	return 0;
}

static int
sync_places(struct pulling *p, struct err *e)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (maildir_sync_places(&p->works[i]->md, e) == -1)
			return -1;
	return 0;
}

static void
close_batch(struct batch *b)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		spool_close(&b->v[i].spool);
	b->n = 0;
	b->bytes = 0;
}

/* What is being made durable is, once this returns; and in its place. */
static int
settle(struct pulling *p, struct err *e)
{
	int rv = durable_wait(&p->durable, e);

	if (p->going.n == 0)
		return rv;
	if (rv == 0)
		rv = write_rows(p, e);
	if (rv == 0)
		rv = place_all(p, e);
	close_batch(&p->going);
	return rv;
}

/* The places of the batch before, too: its rows are `placing` until then. */
static size_t
list_places(struct pulling *p, size_t n)
{
	struct maildir *m;
	size_t i;

	for (i = 0; i < p->n; i++) {
		m = &p->works[i]->md;
		if (!m->placed_new && !m->placed_cur)
			continue;
		if (m->placed_new)
			p->items[n++] =
			    (struct durable_item){m->new, false, m->path};
		if (m->placed_cur)
			p->items[n++] =
			    (struct durable_item){m->cur, false, m->path};
		p->items[n++] = (struct durable_item){m->tmp, false, m->path};
		m->placed_new = m->placed_cur = false;
	}
	return n;
}

static size_t
list_items(struct pulling *p)
{
	struct batch *b = &p->going;
	size_t i, n = 0;

	for (i = 0; i < b->n; i++)
		p->items[n++] = (struct durable_item){
		    b->v[i].spool.fd, true, b->v[i].spool.what};
	for (i = 0; i < b->n; i++)
		if (i == 0 || b->v[i].work != b->v[i - 1].work)
			p->items[n++] = (struct durable_item){
			    b->v[i].work->md.tmp, false, b->v[i].work->md.path};
	return list_places(p, n);
}

static int
send_off(struct pulling *p, bool here, struct err *e)
{
	struct batch spare;

	if (settle(p, e) == -1)
		return -1;
	spare = p->going;
	p->going = p->filling;
	p->filling = spare;
	if (p->going.n > 0)
		durable_start(&p->durable, p->items, list_items(p), here);
	return 0;
}

/* --- as they come ------------------------------------------------------------------------- */

static int
on_begin(void *arg, const struct remote_message *m, struct err *e)
{
	struct pulling *p = arg;

	p->work = p->works[m->cookie];
	if (spool_open(&p->spool, p->work->md.tmp, p->t->tag, p->work->md.path,
		e) == -1)
		return -1;
	p->receiving = true;
	return 0;
}

static int
on_data(void *arg, struct span s, struct err *e)
{
	return spool_write(&((struct pulling *)arg)->spool, s.p, s.n, e);
}

static void
on_drop(void *arg)
{
	struct pulling *p = arg;

	if (p->receiving)
		spool_abandon(&p->spool, p->work->md.tmp);
	p->receiving = false;
}

/* The item that it is; of a folder that was not looked at, one is made. */
static struct item
item_of(struct pulling *p, const struct remote_message *m)
{
	struct item *known = tour_new(p->work, m->uid), it = {0};

	if (known != NULL)
		it = *known;
	else {
		it.uid = m->uid;
		it.file = NO_FILE;
		it.m.remote = (struct plan_view){true, m->flags, m->size};
		memcpy(it.emailid, m->emailid, sizeof(it.emailid));
		tour_plan(p->t, p->work, &it);
	}
	it.size = m->size;
	return it;
}

/* The date that the server gives a message is its file's. */
static void
set_date(const struct spool *s, int64_t date)
{
	struct timespec times[2];

	if (date <= 0)
		return;
	times[0].tv_sec = times[1].tv_sec = (time_t)date;
	times[0].tv_nsec = times[1].tv_nsec = 0;
	(void)futimens(s->fd, times);
}

static int
on_end(void *arg, const struct remote_message *m, struct err *e)
{
	struct pulling *p = arg;
	struct item it = item_of(p, m);
	struct arrival *a;

	if (!it.p.pull || it.settled) {
		on_drop(p);
		return 0;
	}
	if (spool_flush(&p->spool, e) == -1) {
		on_drop(p);
		return -1;
	}
	set_date(&p->spool, m->date);
	a = &p->filling.v[p->filling.n++];
	*a = (struct arrival){.work = p->work, .spool = p->spool, .item = it};
	spool_final_name(&p->spool, a->name);
	p->receiving = false;
	p->filling.bytes += p->spool.bytes;
	if (p->filling.n == BATCH_MESSAGES || p->filling.bytes >= BATCH_BYTES)
		return send_off(p, false, e);
	return 0;
}

static int
on_missing(void *arg, const struct remote_message *m, const struct err *why,
    struct err *e)
{
	struct pulling *p = arg;
	struct work *w = p->works[m->cookie];
	struct err shown = *why;
	char *name;

	(void)e;
	if (why->kind == ERR_NONE)
		return 0;
	name = tour_name(p->t, w->f.remote);
	(void)err_prefix(&shown, "%s: message %u", name, m->uid);
	tour_complain(p->t, LOG_L_NORMAL, &shown);
	free(name);
	return 0;
}

/* --- all folders ------------------------------------------------------------------------------- */

static void
add_wanted(struct work *w, struct uidset *set)
{
	const struct folders_remote *r = w->pair->remote;
	size_t i;

	if (w->direct) {
		if (r->messages > 0 && r->uidnext > 1)
			uidset_add(set, 1, r->uidnext - 1);
		return;
	}
	for (i = w->new_from; i < w->new_to; i++)
		if (w->v[i].p.pull && !w->v[i].settled)
			uidset_add(set, w->v[i].uid, w->v[i].uid);
}

static struct remote_fetch
fetch_of(struct tour *t, struct work *w, const struct uidset *set, size_t i)
{
	return (struct remote_fetch){.folder = w->f.remote,
	    .uidvalidity =
		w->direct ? w->pair->remote->uidvalidity : w->diff.uidvalidity,
	    .uids = set,
	    .sizes = w->direct ? NULL : &w->diff,
	    .keywords = tour_keywords(t, w),
	    .part = REMOTE_WHOLE,
	    .cookie = (uint32_t)i};
}

static int
finish(struct pulling *p, int rv, struct err *e)
{
	struct err later;

	on_drop(p);
	/* What came whole is kept, also when the connection broke. */
	if (send_off(p, true, rv == 0 ? e : &later) == -1 ||
	    settle(p, rv == 0 ? e : &later) == -1 ||
	    sync_places(p, rv == 0 ? e : &later) == -1)
		rv = -1;
	return rv;
}

static void
clear(struct pulling *p)
{
	struct batch *b[] = {&p->filling, &p->going};
	size_t i, k;

	for (i = 0; i < 2; i++) {
		for (k = 0; k < b[i]->n; k++)
			spool_abandon(
			    &b[i]->v[k].spool, b[i]->v[k].work->md.tmp);
		free(b[i]->v);
	}
	free(p->items);
	free(p->works);
}

int
tour_pull(struct tour *t, struct err *e)
{
	struct remote_fetch *f = mem_array(t->n + 1, sizeof(*f));
	struct uidset *sets = mem_array(t->n + 1, sizeof(*sets));
	struct pulling p = {.t = t};
	const struct remote_sink sink = {
	    &p, on_begin, on_data, on_end, on_drop, on_missing};
	size_t i, n = 0;
	int rv = 0;

	p.works = mem_array(t->n + 1, sizeof(*p.works));
	p.items = mem_array(2 * BATCH_MESSAGES + 3 * t->n, sizeof(*p.items));
	p.filling.v = mem_array(BATCH_MESSAGES, sizeof(*p.filling.v));
	p.going.v = mem_array(BATCH_MESSAGES, sizeof(*p.going.v));
	for (i = 0; i < t->n; i++) {
		struct work *w = &t->works[i];

		uidset_init(&sets[n]);
		if (w->left || (!w->asked && !w->direct))
			continue;
		add_wanted(w, &sets[n]);
		if (uidset_empty(&sets[n]))
			continue;
		p.works[n] = w;
		f[n] = fetch_of(t, w, &sets[n], n);
		n++;
	}
	p.n = n;
	if (n > 0)
		rv = remote_fetch(t->pass->remote, f, n, &sink, e);
	rv = finish(&p, rv, e);
	for (i = 0; i < n; i++) {
		if (f[i].error != NULL)
			tour_leave(t, p.works[i], f[i].error);
		free(f[i].error);
		uidset_clear(&sets[i]);
	}
	clear(&p);
	free(sets);
	free(f);
	return rv;
}

/* --- after a crash -------------------------------------------------------------------------------- */

static const struct state_folder *
folder_with(const struct state_folder *v, size_t n, int64_t id)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (v[i].id == id)
			return &v[i];
	return NULL;
}

/*
 * The name in the row is the unique part; the file in tmp/ has just that.  If
 * it is not there it was placed.
 */
static int
recover_one(struct tour *t, struct work *w, struct state_msg *m, struct err *e)
{
	char name[MAILDIR_NAME], info[MAILDIR_NAME];

	if (m->name.n >= sizeof(name))
		return 0;
	snprintf(name, sizeof(name), "%.*s", SPAN(m->name));
	(void)t;
	return maildir_place(&w->md, name, info_of(m->base.flags, info), e);
}

int
tour_recover(struct tour *t, struct err *e)
{
	struct state *s = t->pass->state;
	struct state_folder *bases;
	const struct state_folder *f;
	struct work w = {0};
	struct state_msg m;
	int64_t folder = 0, open = 0;
	uint32_t uid = 0;
	size_t n;
	int rv;

	if (t->pass->options->dry_run)
		return 0;
	if (state_folders(s, &bases, &n, e) == -1)
		return -1;
	w.md.tmp = w.md.new = w.md.cur = -1;
	while ((rv = state_placing_next(s, &folder, &uid, &m, e)) == 1) {
		f = folder_with(bases, n, folder);
		if (f == NULL)
			continue;
		if (open != folder) {
			rv = maildir_sync_places(&w.md, e);
			maildir_close(&w.md);
			w.md.tmp = w.md.new = w.md.cur = -1;
			if (rv == 0)
				rv = local_maildir(
				    t->pass->sync, f->local, false, &w.md, e);
			if (rv == -1)
				break;
			open = folder;
		}
		rv = recover_one(t, &w, &m, e);
		if (rv == -1)
			break;
	}
	if (rv == 0)
		rv = maildir_sync_places(&w.md, e);
	maildir_close(&w.md);
	state_folders_free(bases, n);
	return rv == -1 ? -1 : state_placed(s, e);
}

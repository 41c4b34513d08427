/*
 * Pulling: messages from the server become files, exactly once (section 4): a
 * batch is durable in tmp/, then its rows say where each will be, then they are
 * put there.  While a batch is made durable, and the places of the one before
 * it, the next one comes in.  What is too large comes as a header, of which a
 * placeholder is made; that is upgraded by the whole message's taking its
 * place, and then its row.
 */

#include <sys/stat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/durable.h"
#include "os/log.h"
#include "placeholder.h"
#include "tour.h"

#define BATCH_MESSAGES 512
#define BATCH_BYTES (16u << 20)
#define HEADER_MAX (256 * 1024) /* of a placeholder */

/* A message that has come whole, and is on its way to its place. */
struct arrival {
	struct work *work;
	struct spool spool;
	char name[MAILDIR_NAME];
	struct item item; /* a copy: uid, plan, size */
	bool replaced;    /* it was put in its placeholder's place */
};

struct batch {
	struct arrival *v; /* owned, BATCH_MESSAGES */
	size_t n;
	uint64_t bytes;
};

struct pulling {
	struct tour *t;
	struct remote_fetch *jobs; /* owned; by cookie */
	struct work **works;       /* owned; likewise */
	struct uidset *sets;       /* owned; likewise */
	size_t n;
	struct batch filling, going;
	struct durable durable;
	struct durable_item *items; /* owned: of `going` */
	struct spool spool;         /* of the message in hand */
	struct work *work;
	struct buf header; /* of what is to be a placeholder */
	bool receiving, is_header;
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
	char info[MAILDIR_NAME];
	const char *flags = info_of(f, info);
	struct local_at at = {.in_new = flags == NULL};

	if (maildir_place(&w->md, name, flags, e) == -1)
		return -1;
	snprintf(
	    at.name, sizeof(at.name), "%s%s", name, flags != NULL ? flags : "");
	tour_say_file(t, "new", w, &at);
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

		if (a->item.p.upgrade)
			continue;
		m = tour_row(a->work, &a->item, local_unique(span_of(a->name)));
		m.placing = true;
		if (tour_note_validity(p->t, a->work, e) == -1 ||
		    state_put(s, &m, e) == -1)
			return -1;
	}
	return state_commit(s, e);
}

/* In the place of its placeholder, if that is there still. */
static int
replace(struct pulling *p, struct arrival *a, struct err *e)
{
	struct work *w = a->work;
	struct local_at at;
	int rv;

	local_at(&w->list, &w->list.v[a->item.file], &at);
	rv = local_replace(&w->md, a->spool.name, &at, e);
	if (rv == 0)
		spool_abandon(&a->spool, w->md.tmp);
	if (rv != 1)
		return rv;
	a->replaced = true;
	tour_say_file(p->t, "new", w, &at);
	p->t->pass->pulled++;
	return 0;
}

static int
place_all(struct pulling *p, struct err *e)
{
	struct arrival *a;
	size_t i;

	for (i = 0; i < p->going.n; i++) {
		a = &p->going.v[i];
		if (a->item.p.upgrade) {
			if (replace(p, a, e) == -1)
				return -1;
			continue;
		}
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

/* The rows of what was upgraded: only once a file that is whole would be there
 * after a power cut. */
static int
write_upgraded(struct pulling *p, struct err *e)
{
	struct state *s = p->t->pass->state;
	struct arrival *a;
	struct item *it;
	struct state_msg m;
	size_t i;

	if (sync_places(p, e) == -1 || state_begin(s, e) == -1)
		return -1;
	for (i = 0; i < p->going.n; i++) {
		a = &p->going.v[i];
		if (!a->replaced)
			continue;
		it = tour_item(a->work, a->item.uid);
		a->item.p.after.placeholder = it->p.after.placeholder = false;
		it->size = a->item.size;
		m = tour_row(a->work, &a->item,
		    local_file_unique(&a->work->list, it->file));
		/* Its flags are agreed on when they are set. */
		m.base.flags = it->m.base.flags;
		if (state_put(s, &m, e) == -1)
			return -1;
	}
	return state_commit(s, e);
}

static bool
any_replaced(const struct batch *b)
{
	size_t i;

	for (i = 0; i < b->n; i++)
		if (b->v[i].replaced)
			return true;
	return false;
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
	size_t i;

	if (p->going.n == 0)
		return rv;
	for (i = 0; rv == 0 && i < p->going.n; i++)
		rv = local_keywords_write(&p->going.v[i].work->md,
		    &p->going.v[i].work->kw, p->t->tag, e);
	if (rv == 0)
		rv = write_rows(p, e);
	if (rv == 0)
		rv = place_all(p, e);
	if (rv == 0 && any_replaced(&p->going))
		rv = write_upgraded(p, e);
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
	p->is_header = p->jobs[m->cookie].part == REMOTE_HEADER;
	buf_reset(&p->header);
	if (spool_open(&p->spool, p->work->md.tmp, p->t->tag, p->work->md.path,
		e) == -1)
		return -1;
	p->receiving = true;
	return 0;
}

static int
on_data(void *arg, struct span s, struct err *e)
{
	struct pulling *p = arg;

	if (!p->is_header)
		return spool_write(&p->spool, s.p, s.n, e);
	if (s.n > buf_room(&p->header))
		s.n = buf_room(&p->header);
	return buf_add(&p->header, s);
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
	struct item *known = tour_item(p->work, m->uid), it = {0};

	if (known != NULL)
		it = *known;
	else {
		it.uid = m->uid;
		it.file = NO_FILE;
		it.m.remote = (struct plan_view){true, m->flags, m->size};
		memcpy(it.emailid, m->emailid, sizeof(it.emailid));
		tour_plan(p->t, p->work, &it);
	}
	if (m->date != 0)
		it.m.date = m->date;
	it.size = !p->is_header   ? m->size
	          : m->whole != 0 ? m->whole
	                          : it.m.remote.size;
	return it;
}

/* The header that came becomes a placeholder, without the sizes in its name
 * which would be others once it is upgraded. */
static int
finish_placeholder(
    struct pulling *p, const struct item *it, struct arrival *a, struct err *e)
{
	struct span header = buf_span(&p->header);
	struct buf text;
	int rv;

	/* One that was too long ends with a line. */
	while (buf_room(&p->header) == 0 && header.n > 0 &&
	       header.p[header.n - 1] != '\n')
		header.n--;
	buf_init(&text, 4 * HEADER_MAX + 2000);
	(void)placeholder_write(header, it->size, &text);
	header = buf_span(&text);
	rv = spool_write(&p->spool, header.p, header.n, e);
	if (rv == 0)
		rv = spool_flush(&p->spool, e);
	strlcpy(a->name, p->spool.name, sizeof(a->name));
	buf_clear(&text);
	return rv;
}

static int
finish_whole(struct pulling *p, struct arrival *a, struct err *e)
{
	if (spool_flush(&p->spool, e) == -1)
		return -1;
	spool_final_name(&p->spool, a->name);
	return 0;
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

static bool
is_wanted(const struct item *it)
{
	return (it->p.pull || it->p.upgrade) && !it->settled;
}

static int
on_end(void *arg, const struct remote_message *m, struct err *e)
{
	struct pulling *p = arg;
	struct item it = item_of(p, m);
	struct arrival a = {.work = p->work, .item = it};

	if (!is_wanted(&it) || it.p.placeholder != p->is_header) {
		on_drop(p);
		return 0;
	}
	if ((p->is_header ? finish_placeholder(p, &it, &a, e)
			  : finish_whole(p, &a, e)) == -1) {
		on_drop(p);
		return -1;
	}
	set_date(&p->spool, m->date);
	a.spool = p->spool;
	p->filling.v[p->filling.n++] = a;
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
	w->failed = true;
	name = tour_name(p->t, w->f.remote);
	(void)err_prefix(&shown, "%s: message %u", name, m->uid);
	tour_complain(p->t, LOG_L_NORMAL, &shown);
	free(name);
	return 0;
}

/* --- all folders ------------------------------------------------------------------------------- */

/* All that is to come whole, or as a header. */
static void
add_wanted(struct work *w, bool header, struct uidset *set)
{
	const struct folders_remote *r = w->pair->remote;
	size_t i;

	if (w->direct && !header && r->messages > 0 && r->uidnext > 1)
		uidset_add(set, 1, r->uidnext - 1);
	for (i = 0; i < w->n; i++)
		if (is_wanted(&w->v[i]) && w->v[i].p.placeholder == header)
			uidset_add(set, w->v[i].uid, w->v[i].uid);
}

static void
add_job(struct pulling *p, struct work *w, bool header)
{
	struct uidset *set = &p->sets[p->n];

	uidset_init(set);
	add_wanted(w, header, set);
	if (uidset_empty(set))
		return;
	p->works[p->n] = w;
	p->jobs[p->n] = (struct remote_fetch){.folder = w->f.remote,
	    .uidvalidity = tour_validity(w),
	    .uids = set,
	    .sizes = w->direct ? NULL : &w->diff,
	    .keywords = tour_keywords(p->t, w),
	    .part = header ? REMOTE_HEADER : REMOTE_WHOLE,
	    .cookie = (uint32_t)p->n};
	p->n++;
}

/*
 * One whose file was replaced, but whose row was not written then, needs only
 * the row.  The others are placeholders until they are upgraded.
 */
static int
check_upgrade(struct work *w, struct item *it, struct err *e)
{
	struct local_at at;
	bool still;
	int fd, rv;

	local_at(&w->list, &w->list.v[it->file], &at);
	rv = local_open(&w->md, &at, &fd, e);
	if (rv != 1) {
		tour_put_off(w, it);
		return rv;
	}
	rv = local_is_placeholder(fd, &still, e);
	close(fd);
	it->p.upgrade = it->p.after.placeholder = still;
	it->p.remember = true;
	return rv;
}

static int
check_upgrades(struct tour *t, struct err *e)
{
	size_t i, k;

	for (i = 0; i < t->n; i++)
		for (k = 0; !t->works[i].left && k < t->works[i].n; k++) {
			struct item *it = &t->works[i].v[k];

			if (it->p.upgrade && !it->settled &&
			    check_upgrade(&t->works[i], it, e) == -1)
				return -1;
		}
	return 0;
}

/* Those that were not upgraded are to be looked at again, whatever happens to
 * their folder. */
static void
note_pending(struct tour *t)
{
	size_t i, k;

	for (i = 0; i < t->n; i++)
		for (k = 0; k < t->works[i].n; k++)
			if (t->works[i].v[k].p.upgrade &&
			    t->works[i].v[k].p.after.placeholder)
				t->works[i].again = true;
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
	for (i = 0; i < p->n; i++)
		uidset_clear(&p->sets[i]);
	buf_clear(&p->header);
	free(p->items);
	free(p->works);
	free(p->sets);
	free(p->jobs);
}

static void
start(struct pulling *p, struct tour *t)
{
	size_t i, n = 2 * t->n + 1;

	*p = (struct pulling){.t = t};
	p->works = mem_array(n, sizeof(*p->works));
	p->jobs = mem_array(n, sizeof(*p->jobs));
	p->sets = mem_array(n, sizeof(*p->sets));
	p->items = mem_array(2 * BATCH_MESSAGES + 3 * t->n, sizeof(*p->items));
	p->filling.v = mem_array(BATCH_MESSAGES, sizeof(*p->filling.v));
	p->going.v = mem_array(BATCH_MESSAGES, sizeof(*p->going.v));
	buf_init(&p->header, HEADER_MAX);
	for (i = 0; i < t->n; i++) {
		if (t->works[i].left)
			continue;
		add_job(p, &t->works[i], false);
		add_job(p, &t->works[i], true);
	}
}

int
tour_pull(struct tour *t, struct err *e)
{
	struct pulling p;
	const struct remote_sink sink = {
	    &p, on_begin, on_data, on_end, on_drop, on_missing};
	size_t i;
	int rv = 0;

	if (check_upgrades(t, e) == -1)
		return -1;
	start(&p, t);
	if (p.n > 0)
		rv = remote_fetch(t->pass->remote, p.jobs, p.n, &sink, e);
	rv = finish(&p, rv, e);
	for (i = 0; i < p.n; i++) {
		if (p.jobs[i].error != NULL && !p.works[i]->left)
			tour_leave(t, p.works[i], p.jobs[i].error);
		free(p.jobs[i].error);
	}
	clear(&p);
	note_pending(t);
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
recover_one(struct maildir *md, const struct state_msg *m, struct err *e)
{
	char name[MAILDIR_NAME], info[MAILDIR_NAME];
	struct stat st;

	if (m->name.n >= sizeof(name))
		return 0;
	snprintf(name, sizeof(name), "%.*s", SPAN(m->name));
	/* It was placed, and a power cut has brought its old name back. */
	if (fstatat(md->tmp, name, &st, 0) == 0 && st.st_nlink > 1 &&
	    maildir_has(md, name)) {
		if (unlinkat(md->tmp, name, 0) == -1)
			return err_sys(
			    e, ERR_LOCAL, "%s/tmp/%s", md->path, name);
		return 0;
	}
	return maildir_place(md, name, info_of(m->base.flags, info), e);
}

/* Closes what is open, and opens that folder; nothing, when there is none or
 * somebody has removed it since. */
static int
recover_next(struct tour *t, struct maildir *md, const struct state_folder *f,
    struct err *e)
{
	const struct sync *y = t->pass->sync;
	int rv = md->path != NULL ? maildir_sync_places(md, e) : 0;

	maildir_close(md);
	if (rv == 0 && f != NULL && local_is_there(y, f->local))
		rv = local_maildir(y, f->local, false, md, e);
	return rv;
}

static int
recover_all(struct tour *t, const struct state_folder *bases, size_t n,
    struct maildir *md, struct err *e)
{
	struct state_msg m;
	int64_t folder = 0, open = 0;
	uint32_t uid = 0;
	int rv;

	while ((rv = state_placing_next(
		    t->pass->state, &folder, &uid, &m, e)) == 1) {
		if (open != folder &&
		    recover_next(t, md, folder_with(bases, n, folder), e) == -1)
			return -1;
		open = folder;
		if (md->path != NULL && recover_one(md, &m, e) == -1)
			return -1;
	}
	return rv == 0 ? recover_next(t, md, NULL, e) : -1;
}

int
tour_recover(struct tour *t, struct err *e)
{
	struct state *s = t->pass->state;
	struct state_folder *bases;
	struct maildir md = {.tmp = -1, .new = -1, .cur = -1};
	size_t n;
	int rv;

	if (t->pass->options->dry_run)
		return 0;
	if (state_folders(s, &bases, &n, e) == -1)
		return -1;
	rv = recover_all(t, bases, n, &md, e);
	maildir_close(&md);
	state_folders_free(bases, n);
	return rv == 0 ? state_placed(s, e) : -1;
}

/*
 * Messages from the server, in a stream over folders: a few UID FETCH commands
 * are always under way, and one message that the server cannot give holds up no
 * other.
 */

#include "remote_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/time.h"

#define CHUNK_MESSAGES 100u
#define CHUNK_BYTES (UINT64_C(1) << 20)
#define WINDOW_MESSAGES 2000u
#define WINDOW_BYTES (UINT64_C(16) << 20)
#define HEADER_BYTES 2048 /* what a header is taken for */

/* A UID FETCH under way. */
struct chunk {
	size_t job;
	uint32_t cookie;
	struct uidset left; /* not yet come */
	size_t n;           /* messages that it asked for */
	uint64_t bytes;
	size_t selects; /* SELECTs sent before it */
};

/* One that failed in a set: to be asked for by itself. */
struct single {
	size_t job;
	uint32_t uid;
};

/* Of the FETCH response that is coming in. */
enum body { NO_BODY, TAKEN, WHOLE, PASSED_OVER };

struct get {
	struct remote_fetch *jobs; /* borrowed */
	size_t n_jobs;
	const struct remote_sink *sink; /* borrowed */
	struct remote_flight flight;
	size_t job;        /* whose messages are asked for now */
	uint64_t last;     /* the UID asked for last in it */
	size_t selected;   /* the job for which SELECT was sent last */
	size_t selects;    /* SELECTs sent */
	uint32_t cookie;   /* of the latest chunk */
	struct chunk *fly; /* owned: oldest first */
	size_t n_fly, cap_fly;
	size_t messages; /* in all of them */
	uint64_t bytes;
	struct single *singles; /* owned */
	size_t n_singles, cap_singles, next_single;
	enum body body;
};

/* --- questions ------------------------------------------------------------- */

static uint64_t
size_of(const struct remote_fetch *job, uint32_t uid)
{
	const struct remote_diff *d = job->sizes;
	size_t lo = 0, hi = d != NULL ? d->n : 0, mid;

	if (job->part != REMOTE_WHOLE)
		return HEADER_BYTES;
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (d->v[mid].uid == uid)
			return d->v[mid].size;
		if (d->v[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return 0;
}

static struct chunk *
new_chunk(struct get *g, size_t job)
{
	struct chunk *c;

	if (g->n_fly == g->cap_fly) {
		g->cap_fly = g->cap_fly * 2 + 16;
		g->fly = mem_resize(g->fly, g->cap_fly, sizeof(*g->fly));
	}
	c = &g->fly[g->n_fly++];
	*c = (struct chunk){.job = job, .cookie = ++g->cookie};
	return c;
}

static void
put_in(struct get *g, struct chunk *c, uint32_t uid)
{
	uidset_add(&c->left, uid, uid);
	c->bytes += size_of(&g->jobs[c->job], uid);
	c->n++;
}

/* What comes next of the job at hand; NULL: it has nothing more. */
static struct chunk *
next_of_job(struct get *g)
{
	const struct remote_fetch *job = &g->jobs[g->job];
	struct chunk *c;
	uint32_t uid;

	if (job->error != NULL || !uidset_next(job->uids, &g->last, &uid))
		return NULL;
	c = new_chunk(g, g->job);
	do
		put_in(g, c, uid);
	while (c->n < CHUNK_MESSAGES && c->bytes < CHUNK_BYTES &&
	       uidset_next(job->uids, &g->last, &uid));
	return c;
}

/* What is asked for next; NULL: nothing is left. */
static struct chunk *
next_chunk(struct get *g)
{
	const struct single *s;
	struct chunk *c;

	for (; g->job < g->n_jobs; g->job++, g->last = 0)
		if ((c = next_of_job(g)) != NULL)
			return c;
	while (g->next_single < g->n_singles) {
		s = &g->singles[g->next_single++];
		if (g->jobs[s->job].error != NULL)
			continue;
		c = new_chunk(g, s->job);
		put_in(g, c, s->uid);
		return c;
	}
	return NULL;
}

static void
put_fetch(struct remote *r, const struct remote_fetch *job, struct chunk *c)
{
	const char *part = job->part == REMOTE_HEADER ? "HEADER" : "";
	uint32_t from = 1;

	remote_begin_set(r, IMAP_V_FETCH, c->cookie, "FETCH", &c->left, &from);
	if (job->part == REMOTE_MESSAGE_ID)
		imap_put(&r->client.imap,
		    " (UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])");
	else
		imap_put(&r->client.imap,
		    " (UID FLAGS INTERNALDATE RFC822.SIZE%s BODY.PEEK[%s])",
		    remote_emailid_item(r), part);
	imap_end(&r->client.imap);
}

static int
put(struct remote *r, void *arg, struct err *e)
{
	struct get *g = arg;
	const struct remote_fetch *job;
	struct chunk *c;

	(void)e;
	if (r->client.stopping || g->messages >= WINDOW_MESSAGES ||
	    g->bytes >= WINDOW_BYTES || (c = next_chunk(g)) == NULL)
		return 0;
	job = &g->jobs[c->job];
	if (g->selected != c->job &&
	    (r->selects > 0 ||
		!remote_is_selected(r, job->folder, job->uidvalidity))) {
		remote_select(r, job->folder, (uint32_t)c->job, "");
		g->selects++;
	}
	g->selected = c->job;
	c->selects = g->selects;
	g->messages += c->n;
	g->bytes += c->bytes;
	put_fetch(r, job, c);
	return 1;
}

/* --- answers --------------------------------------------------------------- */

static struct chunk *
find(struct get *g, uint32_t cookie)
{
	size_t i;

	for (i = 0; i < g->n_fly; i++)
		if (g->fly[i].cookie == cookie)
			return &g->fly[i];
	return NULL;
}

/*
 * The chunk that a message belongs to (0: one that it may belong to); NULL:
 * nobody asked for it.  The server is at the oldest, but may send what belongs
 * to the next ones before it says that this one is done, as Dovecot does; only
 * a SELECT lies between them for sure.
 */
static struct chunk *
chunk_of(struct remote *r, struct get *g, uint32_t uid)
{
	enum imap_verb verb;
	uint32_t cookie;
	struct chunk *c, *end = g->fly + g->n_fly;
	size_t selects;

	if (!imap_oldest(&r->client.imap, &verb, &cookie) ||
	    verb != IMAP_V_FETCH || (c = find(g, cookie)) == NULL ||
	    g->jobs[c->job].error != NULL)
		return NULL;
	if (uid == 0)
		return c;
	for (selects = c->selects; c < end && c->selects == selects; c++)
		if (uidset_has(&c->left, uid))
			return c;
	return NULL;
}

static struct remote_message
message(const struct get *g, const struct chunk *c, const struct imap_fetch *f)
{
	const struct remote_fetch *job = &g->jobs[c->job];
	int64_t date = time_imap(f->internaldate.p, f->internaldate.n);
	struct remote_message m = {.cookie = job->cookie,
	    .uid = f->uid,
	    .flags = remote_flags(f, job->keywords),
	    .has_flags = f->has_flags,
	    .date = date == -1 ? 0 : date,
	    .size = f->body_size,
	    .whole = f->size};

	remote_emailid(f, m.emailid);
	return m;
}

static int
miss(struct get *g, const struct chunk *c, uint32_t uid, const struct err *why,
    struct err *e)
{
	const struct err none = {0};
	struct remote_message m = {
	    .cookie = g->jobs[c->job].cookie, .uid = uid};

	return g->sink->missing(g->sink->arg, &m, why != NULL ? why : &none, e);
}

static int
take_begin(
    struct remote *r, struct get *g, const struct imap_fetch *f, struct err *e)
{
	struct chunk *c = chunk_of(r, g, f->uid);
	struct remote_message m;

	if (g->body != NO_BODY) /* a second one in the same response */
		return 0;
	g->body = PASSED_OVER;
	if (c == NULL)
		return 0;
	m = message(g, c, f);
	if (g->sink->begin(g->sink->arg, &m, e) == -1)
		return -1;
	g->body = TAKEN;
	g->flight.finish = true;
	return 0;
}

static void
drop(struct get *g)
{
	if (g->body == TAKEN || g->body == WHOLE)
		g->sink->drop(g->sink->arg);
	g->body = NO_BODY;
	g->flight.finish = false;
}

/* One that has content cannot be of zero bytes: Exchange's calendar items. */
static bool
is_void(const struct remote_fetch *job, const struct imap_fetch *f)
{
	return f->body != IMAP_BODY_SENT ||
	       (job->part == REMOTE_WHOLE && f->body_size == 0 && f->size > 0);
}

static int
take_fetch(
    struct remote *r, struct get *g, const struct imap_fetch *f, struct err *e)
{
	struct chunk *c = f->uid != 0 ? chunk_of(r, g, f->uid) : NULL;
	struct remote_message m;
	struct err why;

	if (f->body == IMAP_BODY_ABSENT || c == NULL) {
		drop(g);
		return 0;
	}
	if (is_void(&g->jobs[c->job], f)) {
		drop(g);
		err_set(&why, ERR_MESSAGE,
		    "folder %s, message %u: the server has no content for it",
		    g->jobs[c->job].folder, f->uid);
		uidset_del(&c->left, f->uid, f->uid);
		return miss(g, c, f->uid, &why, e);
	}
	if (g->body != WHOLE) { /* it was not known to be this one */
		drop(g);
		return 0;
	}
	uidset_del(&c->left, f->uid, f->uid);
	m = message(g, c, f);
	g->body = NO_BODY;
	g->flight.finish = false;
	return g->sink->end(g->sink->arg, &m, e);
}

static void
ask_alone(struct get *g, size_t job, uint32_t uid)
{
	if (g->n_singles == g->cap_singles) {
		g->cap_singles = g->cap_singles * 2 + 16;
		g->singles =
		    mem_resize(g->singles, g->cap_singles, sizeof(*g->singles));
	}
	g->singles[g->n_singles++] = (struct single){job, uid};
}

/* What a chunk was to bring and did not. */
static int
take_rest(
    struct get *g, struct chunk *c, const struct imap_ev *ev, struct err *e)
{
	const char *folder = g->jobs[c->job].folder;
	struct err *why = NULL;
	uint64_t it = 0;
	uint32_t uid;
	int rv = 0;

	if (g->jobs[c->job].error != NULL)
		return 0;
	if (ev->cond != IMAP_OK && c->n == 1)
		why = remote_refusal(ev, folder, "UID FETCH");
	while (rv == 0 && uidset_next(&c->left, &it, &uid))
		if (ev->cond != IMAP_OK && c->n > 1)
			ask_alone(g, c->job, uid);
		else
			rv = miss(g, c, uid, why, e);
	free(why);
	return rv;
}

static int
take_chunk(struct get *g, const struct imap_ev *ev, struct err *e)
{
	struct chunk *c = find(g, ev->cookie);
	int rv;

	if (c == NULL)
		return 0;
	rv = take_rest(g, c, ev, e);
	g->messages -= c->n;
	g->bytes -= c->bytes;
	uidset_clear(&c->left);
	g->n_fly--;
	memmove(c, c + 1, (g->n_fly - (size_t)(c - g->fly)) * sizeof(*c));
	return rv;
}

static void
take_select(struct remote *r, struct get *g, const struct imap_ev *ev)
{
	struct remote_fetch *job = &g->jobs[ev->cookie];

	if (ev->cond != IMAP_OK)
		job->error = remote_refusal(ev, job->folder, "SELECT");
	else if (job->uidvalidity != 0 && job->uidvalidity != remote_noted(r))
		job->error = remote_moved_ground(
		    job->folder, job->uidvalidity, remote_noted(r));
}

static int
take(struct remote *r, void *arg, const struct imap_ev *ev, struct err *e)
{
	struct get *g = arg;

	if (ev->kind == IMAP_EV_BODY_BEGIN)
		return take_begin(r, g, &ev->fetch, e);
	if (ev->kind == IMAP_EV_BODY_DATA && g->body == TAKEN)
		return g->sink->data(g->sink->arg, ev->text, e);
	if (ev->kind == IMAP_EV_BODY_END && g->body == TAKEN)
		g->body = WHOLE;
	if (ev->kind == IMAP_EV_FETCH)
		return take_fetch(r, g, &ev->fetch, e);
	if (ev->kind == IMAP_EV_DONE && ev->verb == IMAP_V_SELECT)
		take_select(r, g, ev);
	if (ev->kind == IMAP_EV_DONE && ev->verb == IMAP_V_FETCH)
		return take_chunk(g, ev, e);
	return 0;
}

int
remote_fetch(struct remote *r, struct remote_fetch *jobs, size_t n,
    const struct remote_sink *sink, struct err *e)
{
	struct get g = {
	    .jobs = jobs, .n_jobs = n, .sink = sink, .selected = SIZE_MAX};
	size_t i;
	int rv;

	for (i = 0; i < n; i++)
		jobs[i].error = NULL;
	g.flight = (struct remote_flight){.arg = &g, .put = put, .take = take};
	rv = remote_fly(r, &g.flight, e);
	drop(&g);
	for (i = 0; i < g.n_fly; i++)
		uidset_clear(&g.fly[i].left);
	free(g.fly);
	free(g.singles);
	return rv;
}

/*
 * Staying: a connection per folder that idles, or one for all that is
 * notified, or a look now and then; and coming back when a connection is
 * lost, with a pause that grows.
 */

#include "watch.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "client/imap_idle.h"
#include "client/stay.h"
#include "imap_fetch.h"
#include "os/clock.h"
#include "os/stop.h"
#include "pop3_fetch.h"

#define CONNECTIONS_MAX 10        /* servers allow 10 to 15 to a user */
#define IDLE_LOOK_MS (15 * 60000) /* a full look, in any case */
#define C_IDLE 1000000u
#define C_NOTIFY 1000001u

/* One watched connection. */
struct post {
	struct imap_conn conn;
	struct link link;
	const char *folder; /* borrowed; NULL: NOTIFY over all of them */
	struct imap_idle idle;
};

struct watch {
	struct run *run; /* borrowed */
	struct stay stay;
	struct words folders;
	struct post posts[CONNECTIONS_MAX];
	size_t n; /* posts in use */
	bool notify;
	bool *dirty;    /* owned: folders in which something is new */
	int64_t looked; /* when all folders were last looked at */
};

/* Counts and limits are for one pass. */
static void
start_afresh(struct run *r)
{
	r->fetched = r->skipped = r->deleted = 0;
	r->taken = r->taken_bytes = 0;
	r->code = 0;
}

/* --- idling ---------------------------------------------------------------------- */

static bool
can_idle(const struct post *p)
{
	return imap_idle_can(&p->idle, &p->conn.client);
}

/* A dead link shows here. */
static int
finish_soon(struct post *p, const char *what, struct err *e)
{
	int64_t timeout = link_hurry(&p->link);
	int rv = imap_conn_finish(&p->conn, C_IDLE, what, e);

	link_ease(&p->link, timeout);
	return rv;
}

static int
end_idle(struct post *p, struct err *e)
{
	if (!p->idle.on)
		return 0;
	imap_idle_end(&p->idle, &p->conn.client);
	return finish_soon(p, "IDLE", e);
}

/* Which folder an untagged STATUS is about. */
static void
note_status(struct watch *w, const struct imap_ev *ev)
{
	size_t i;

	for (i = 0; i < w->folders.n; i++)
		if (span_eq(ev->folder.name, w->folders.v[i]))
			w->dirty[i] = true;
}

static void
mark_post(struct watch *w, const struct post *p)
{
	size_t i;

	for (i = 0; i < w->folders.n; i++)
		if (p->conn.name != NULL &&
		    strcmp(w->folders.v[i], p->conn.name) == 0)
			w->dirty[i] = true;
}

/* Takes what has come on a connection; never waits. */
static int
hear(struct watch *w, struct post *p, struct err *e)
{
	struct imap_ev ev;
	int rv;

	while ((rv = imap_conn_event(&p->conn, 1, &ev, e)) == 1) {
		if (ev.kind == IMAP_EV_FOLDER)
			note_status(w, &ev);
		else if (ev.kind == IMAP_EV_STATUS &&
			 ev.code == IMAP_CODE_NOTIFICATIONOVERFLOW)
			return err_set(e, ERR_TEMP,
			    "%s has stopped telling of new mail", p->link.peer);
		else if (ev.kind == IMAP_EV_DONE && ev.verb == IMAP_V_IDLE)
			imap_idle_ended(&p->idle, &ev);
	}
	if (p->conn.changed)
		mark_post(w, p);
	p->conn.changed = p->conn.news = false;
	return rv;
}

/* --- NOTIFY ------------------------------------------------------------------------ */

/* 1: the server will tell of new messages in all folders; 0: it will not. */
static int
ask_for_news(struct watch *w, struct post *p, struct err *e)
{
	struct imap *im = &p->conn.client.imap;
	struct imap_ev ev;
	size_t i;
	int rv;

	imap_begin(im, IMAP_V_NOTIFY, C_NOTIFY);
	/* SELECTED too: the folder that is open tells by EXISTS. */
	imap_put(im, "NOTIFY SET (SELECTED (MessageNew MessageExpunge)) "
		     "(MAILBOXES (");
	for (i = 0; i < w->folders.n; i++) {
		imap_put(im, i > 0 ? " " : "");
		imap_put_folder(im, span_of(w->folders.v[i]));
	}
	imap_put(im, ") (MessageNew MessageExpunge))");
	imap_end(im);
	while ((rv = imap_conn_event(&p->conn, 0, &ev, e)) != -1) {
		if (rv == 1 && ev.kind == IMAP_EV_FOLDER)
			note_status(w, &ev);
		if (rv == 1 && ev.kind == IMAP_EV_DONE && ev.cookie == C_NOTIFY)
			return ev.cond == IMAP_OK;
		if (p->conn.client.stopping)
			return 0;
	}
	return -1;
}

/* --- connections --------------------------------------------------------------------- */

static void
close_posts(struct watch *w)
{
	size_t i;

	for (i = 0; i < w->n; i++) {
		imap_idle_end(&w->posts[i].idle, &w->posts[i].conn.client);
		imap_conn_close(&w->posts[i].conn);
		link_clear(&w->posts[i].link);
	}
	w->n = 0;
}

static int
open_post(struct watch *w, const char *folder, struct err *e)
{
	struct run *r = w->run;
	struct post *p = &w->posts[w->n];

	*p = (struct post){.folder = folder};
	link_init(&p->link, r->link.account, r->link.url, r->link.tls_config,
	    r->ask_fd);
	w->n++;
	/* A person at the terminal is asked once. */
	if (r->link.password != NULL)
		p->link.password = mem_strdup(r->link.password);
	if (imap_conn_open(&p->conn, r, &p->link, e) == -1)
		return -1;
	if (r->link.password == NULL && p->link.password != NULL)
		r->link.password = mem_strdup(p->link.password);
	return 0;
}

/* The first connection, the folders' names, and as many more as it takes. */
static int
open_posts(struct watch *w, struct err *e)
{
	struct post *first = &w->posts[0];
	size_t i;
	int rv;

	if (open_post(w, NULL, e) == -1)
		return -1;
	words_clear(&w->folders);
	if (imap_conn_folders(&first->conn, &w->folders, e) == -1)
		return -1;
	free(w->dirty);
	w->dirty = mem_array(w->folders.n, sizeof(*w->dirty));
	w->notify = false;
	if (w->folders.n > 1 &&
	    imap_has(&first->conn.client.imap, IMAP_CAP_NOTIFY) &&
	    imap_has(&first->conn.client.imap, IMAP_CAP_UNSELECT)) {
		rv = ask_for_news(w, first, e);
		if (rv == -1)
			return -1;
		w->notify = rv == 1;
		first->conn.news = false;
	}
	if (w->notify)
		return 0;
	first->folder = w->folders.v[0];
	for (i = 1; can_idle(first) && i < w->folders.n && i < CONNECTIONS_MAX;
	     i++)
		if (open_post(w, w->folders.v[i], e) == -1)
			return -1;
	return 0;
}

/* The connection that looks after a folder. */
static struct post *
post_for(struct watch *w, size_t folder)
{
	return &w->posts[folder < w->n && !w->notify ? folder : 0];
}

static int
fetch_dirty(struct watch *w, struct err *e)
{
	size_t i;

	for (i = 0; i < w->folders.n; i++) {
		struct post *p = post_for(w, i);

		if (!w->dirty[i] || p->conn.client.stopping)
			continue;
		if (end_idle(p, e) == -1)
			return -1;
		w->dirty[i] = false;
		if (imap_fetch_folder(&p->conn, w->folders.v[i], e) == -1)
			return -1;
	}
	return 0;
}

/*
 * Under NOTIFY no folder stays selected: of the one that is, Dovecot does not
 * tell what came just after it was selected, or before another was.
 */
static int
unselect(struct watch *w, struct err *e)
{
	struct post *p = &w->posts[0];

	if (!w->notify || p->conn.name == NULL || p->conn.client.stopping)
		return 0;
	imap_command(&p->conn.client.imap, IMAP_V_UNSELECT, C_IDLE, "UNSELECT");
	if (finish_soon(p, "UNSELECT", e) == -1)
		return -1;
	if (p->conn.changed)
		mark_post(w, p);
	p->conn.changed = false;
	p->conn.name = NULL;
	return 0;
}

/* A connection that serves several folders must idle in its own. */
static int
back_to_post(struct watch *w, struct post *p, struct err *e)
{
	if (p->folder == NULL || p->conn.name == NULL ||
	    strcmp(p->folder, p->conn.name) == 0)
		return 0;
	(void)w;
	return imap_fetch_folder(&p->conn, p->folder, e);
}

static int
idle_all(struct watch *w, struct err *e)
{
	size_t i;

	for (i = 0; i < w->n; i++) {
		struct post *p = &w->posts[i];

		if (p->idle.on || w->notify || !can_idle(p))
			continue;
		if (back_to_post(w, p, e) == -1 ||
		    imap_idle_begin(&p->idle, &p->conn.client, C_IDLE, e) == -1)
			return -1;
	}
	return 0;
}

/* IDLE is ended, to be begun anew, before servers and NAT routers forget the
 * connection; NOTIFY likewise gets a NOOP. */
static int
renew(struct watch *w, struct err *e)
{
	int64_t now = clock_ms();
	size_t i;

	for (i = 0; i < w->n; i++) {
		struct post *p = &w->posts[i];

		if (now - p->idle.since < w->run->fetch->idle)
			continue;
		if (end_idle(p, e) == -1)
			return -1;
		if (!w->notify)
			continue;
		p->idle.since = now;
		imap_command(&p->conn.client.imap, IMAP_V_NOOP, C_IDLE, "NOOP");
		if (finish_soon(p, "NOOP", e) == -1)
			return -1;
	}
	return 0;
}

/*
 * Whether every folder has a connection that will tell at once.  NOTIFY does
 * not: of what is put into its files by other programs a server may know
 * nothing until it looks.
 */
static bool
all_watched(const struct watch *w)
{
	return !w->notify && can_idle(&w->posts[0]) && w->folders.n <= w->n;
}

/* Waits until any connection has something to say, or `until`. */
static void
wait_for_news(struct watch *w, int64_t until)
{
	struct pollfd p[CONNECTIONS_MAX + 1];
	int64_t ms = until - clock_ms();
	size_t i;

	for (i = 0; i < w->n; i++)
		p[i] = (struct pollfd){
		    .fd = w->posts[i].link.pump.fd, .events = POLLIN};
	p[w->n] = (struct pollfd){.fd = stop_fd(), .events = POLLIN};
	poll(p, (nfds_t)w->n + 1, ms < 0 ? 0 : (int)ms);
	/* Nobody knows what became of connections during a sleep. */
	if (stay_slept(until))
		for (i = 0; i < w->n; i++)
			w->posts[i].idle.since = 0;
}

/* Takes what all connections have to say, news that came while something
 * else was done included. */
static int
hear_all(struct watch *w, struct err *e)
{
	size_t i;

	for (i = 0; i < w->n; i++) {
		if (w->posts[i].conn.news)
			w->looked = 0;
		if (hear(w, &w->posts[i], e) == -1)
			return -1;
	}
	return 0;
}

static bool
is_dirty(const struct watch *w)
{
	size_t i;

	for (i = 0; i < w->folders.n; i++)
		if (w->dirty[i])
			return true;
	return false;
}

/* A look at everything: at the start, and now and then. */
static void
look_at_all(struct watch *w)
{
	w->looked = clock_ms();
	memset(w->dirty, true, w->folders.n * sizeof(*w->dirty));
}

/* Idles until something is new, or a look at everything is due. */
static int
await_news(struct watch *w, struct err *e)
{
	const struct fetch *f = w->run->fetch;
	int64_t next, now;

	while (!stop_requested()) {
		if (idle_all(w, e) == -1 || hear_all(w, e) == -1)
			return -1;
		now = clock_ms();
		next = w->looked + (all_watched(w) ? IDLE_LOOK_MS : f->poll);
		if (now >= next || w->looked == 0)
			look_at_all(w);
		if (is_dirty(w))
			break;
		ask_alive(w->run->ask_fd);
		wait_for_news(
		    w, stay_until(now + f->idle < next ? now + f->idle : next));
		if (hear_all(w, e) == -1 || renew(w, e) == -1)
			return -1;
	}
	return 0;
}

/* From connecting to losing the connection, or a stop. */
static int
imap_session(struct watch *w, struct err *e)
{
	if (open_posts(w, e) == -1)
		return -1;
	look_at_all(w);
	while (!stop_requested()) {
		start_afresh(w->run);
		if (fetch_dirty(w, e) == -1)
			return -1;
		if (stop_requested())
			break;
		if (unselect(w, e) == -1 || run_begun(w->run, e) == -1 ||
		    inbox_rest(w->run->inbox, e) == -1)
			return -1;
		stay_well(&w->stay);
		stay_tell(&w->stay, "STATUS=watching %s", w->run->link.peer);
		if (await_news(w, e) == -1)
			return -1;
	}
	return 0;
}

static int
pop3_session(struct watch *w, struct err *e)
{
	int rv;

	while (!stop_requested()) {
		start_afresh(w->run);
		rv = pop3_fetch(w->run, e);
		link_close(&w->run->link);
		if (rv == -1 || inbox_rest(w->run->inbox, e) == -1)
			return -1;
		stay_well(&w->stay);
		stay_tell(&w->stay, "STATUS=looking at %s now and then",
		    w->run->link.peer);
		stay_sleep(&w->stay, clock_ms() + w->run->fetch->poll);
	}
	return 0;
}

int
watch_run(struct run *r, struct err *e)
{
	struct watch w = {.run = r};
	int rv = 0;

	words_init(&w.folders);
	stay_init(&w.stay, r->ask_fd);
	/* Ready to try: the network may come up later than the service. */
	stay_tell(&w.stay, "READY=1\nSTATUS=connecting to %s", r->link.peer);
	while (!stop_requested()) {
		rv = r->fetch->imap ? imap_session(&w, e) : pop3_session(&w, e);
		close_posts(&w);
		inbox_discard(r->inbox);
		if (rv == 0 || seen_is_damaged(r->seen) ||
		    !stay_again(&w.stay, e))
			break;
	}
	words_clear(&w.folders);
	free(w.dirty);
	return stop_requested() ? 0 : rv;
}

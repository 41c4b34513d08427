/*
 * Messages are streamed by a few large UID FETCH commands with a window in
 * bytes, so that the link never runs dry, and one message that the server
 * cannot give holds up no other.
 */

#include "imap_fetch.h"
#include "imap_visit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/log.h"

/* --- fetching ------------------------------------------------------------------------- */

/* Where the next run may begin: behind all that is dealt with. */
static void
note_watermark(struct visit *v)
{
	struct seen_folder *f = &v->c->folder;
	uint32_t next;

	if (v->run->fetch->select != SELECT_NEW)
		return;
	while (v->low < v->n && (v->items[v->low].plan == PLAN_LEAVE ||
				    v->items[v->low].plan == PLAN_QUEUED ||
				    v->items[v->low].plan == PLAN_DONE))
		v->low++;
	if (v->low == 0)
		return;
	next = v->items[v->low - 1].uid + 1;
	if (next > f->next)
		f->next = next;
	inbox_watermark(v->run->inbox, f);
}

static int
settle(struct visit *v, bool now, struct err *e)
{
	const size_t *done;
	size_t i, n;

	note_watermark(v);
	if (inbox_settle(v->run->inbox, now, &done, &n, e) == -1)
		return -1;
	v->run->fetched += n;
	for (i = 0; i < n; i++) {
		struct item *it = &v->items[done[i]];

		it->plan = PLAN_DONE;
		uidset_add(&v->fetched, it->uid, it->uid);
	}
	return 0;
}

/* A message that cannot be had now: the others go on, it is tried again. */
static int
fail_item(struct visit *v, struct item *it, struct err *why, struct err *e)
{
	struct seen_key key = imap_plan_key(v, it->uid);

	it->plan = PLAN_LEAVE;
	run_message(v->run, v->c->name, imap_plan_show(v, it->uid), why);
	return seen_put(v->run->seen, &key, SEEN_FAILED, e);
}

static struct inbox_item
inbox_item(struct visit *v, const struct item *it)
{
	return (struct inbox_item){.key = imap_plan_key(v, it->uid),
	    .cookie = (size_t)(it - v->items),
	    .folder = v->c->name,
	    .uid = imap_plan_show(v, it->uid),
	    .headers_only = it->headers};
}

static int
end_message(struct visit *v, struct item *it, struct err *e)
{
	struct inbox_item in = inbox_item(v, it);
	enum inbox_result result;
	struct err why = {0};

	inbox_identify(v->run->inbox, &in);
	if (inbox_end(v->run->inbox, false, &result, &why) == -1) {
		*e = why;
		return -1;
	}
	if (result == INBOX_REFUSED)
		return fail_item(v, it, &why, e);
	it->plan = PLAN_QUEUED;
	return settle(v, false, e);
}

static void
land(struct visit *v, const struct item *it)
{
	v->flying--;
	v->flying_bytes -= it->size;
}

/* A FETCH response is complete. */
static int
take_fetch(struct visit *v, const struct imap_fetch *f, struct err *e)
{
	struct item *it = imap_plan_find(v, f->uid);
	struct err why;

	if (it == NULL || it->plan != PLAN_ASKED ||
	    f->body == IMAP_BODY_ABSENT) {
		inbox_abort(v->run->inbox);
		v->receiving = false;
		return 0;
	}
	land(v, it);
	run_came(v->run, 1, it->size);
	if (f->body == IMAP_BODY_SENT && v->receiving) {
		v->receiving = false;
		return end_message(v, it, e);
	}
	err_set(&why, ERR_MESSAGE, "the server has no content for it (NIL)");
	return fail_item(v, it, &why, e);
}

/* An item that its command was to bring did not come. */
static int
miss_item(
    struct visit *v, struct item *it, const struct imap_ev *ev, struct err *e)
{
	struct err why;

	land(v, it);
	if (ev->cond == IMAP_OK) { /* expunged meanwhile, or kept back */
		struct seen_key key = imap_plan_key(v, it->uid);

		it->plan = PLAN_LEAVE;
		return seen_put(v->run->seen, &key, SEEN_FAILED, e);
	}
	if (!it->alone) {
		it->alone = true;
		it->plan = PLAN_ALONE;
	} else {
		imap_refused(ev, "FETCH", &why);
		return fail_item(v, it, &why, e);
	}
	return 0;
}

/* The tagged answer of a flight. */
static int
take_done(struct visit *v, const struct imap_ev *ev, struct err *e)
{
	struct flight f;
	size_t i, k;

	for (k = 0; k < v->n_flights; k++)
		if (v->flights[k].cookie == ev->cookie)
			break;
	if (k == v->n_flights)
		return 0;
	f = v->flights[k];
	v->n_flights--;
	memmove(
	    &v->flights[k], &v->flights[k + 1], (v->n_flights - k) * sizeof(f));
	for (i = f.first; i < f.end; i++)
		if (v->items[i].plan == PLAN_ASKED &&
		    miss_item(v, &v->items[i], ev, e) == -1)
			return -1;
	return 0;
}

static int
take_body_event(struct visit *v, const struct imap_ev *ev, struct err *e)
{
	struct inbox_item none = {.folder = v->c->name, .uid = ""};

	switch (ev->kind) {
	case IMAP_EV_BODY_BEGIN:
		v->receiving = true;
		return inbox_begin(v->run->inbox, &none, e);
	case IMAP_EV_BODY_DATA:
		return inbox_data(v->run->inbox, ev->text.p, ev->text.n, e);
	case IMAP_EV_FETCH:
		return take_fetch(v, &ev->fetch, e);
	case IMAP_EV_DONE:
		return take_done(v, ev, e);
	case IMAP_EV_GREETING:
	case IMAP_EV_STATUS:
	case IMAP_EV_CONTINUE:
	case IMAP_EV_CAPABILITY:
	case IMAP_EV_LIST:
	case IMAP_EV_FOLDER:
	case IMAP_EV_SEARCH:
	case IMAP_EV_EXISTS:
	case IMAP_EV_EXPUNGE:
	case IMAP_EV_VANISHED:
	case IMAP_EV_BODY_END:
	case IMAP_EV_ENABLED:
	case IMAP_EV_NAMESPACE:
		break;
	}
	return 0;
}

/* Sends one UID FETCH for what comes next; false when nothing is left. */
static bool
send_flight(struct visit *v, enum plan wanted)
{
	struct flight *f = &v->flights[v->n_flights];
	size_t most = wanted == PLAN_ALONE ? 1 : RUN_STEP_MESSAGES, n = 0;
	struct uidset set;
	struct buf text;
	uint64_t bytes = 0;
	bool headers;

	while (v->next < v->n && v->items[v->next].plan != wanted)
		v->next++;
	if (v->next == v->n)
		return false;
	*f = (struct flight){.first = v->next, .cookie = ++v->cookie};
	headers = v->items[v->next].headers;
	uidset_init(&set);
	for (; v->next < v->n && n < most && bytes < RUN_STEP_BYTES;
	     v->next++) {
		struct item *it = &v->items[v->next];

		if (it->plan != wanted)
			continue;
		if (it->headers != headers)
			break;
		it->plan = PLAN_ASKED;
		uidset_add(&set, it->uid, it->uid);
		bytes += it->size;
		n++;
	}
	f->end = v->next;
	v->n_flights++;
	v->flying += n;
	v->flying_bytes += bytes;
	buf_init(&text, RUN_STEP_MESSAGES * 24);
	uidset_format(&set, 1, RUN_STEP_MESSAGES * 22, &text);
	imap_command(&v->c->client.imap, IMAP_V_FETCH, f->cookie,
	    "UID FETCH %s (UID %s)", buf_cstr(&text),
	    headers ? "BODY.PEEK[HEADER]" : "BODY.PEEK[]");
	buf_clear(&text);
	uidset_clear(&set);
	return true;
}

/*
 * The connection is lost: what came whole is kept, and the message that broke
 * it, if one did, shall not keep the others from coming.  Answers mostly come
 * in the order of the commands.
 */
static int
lose(struct visit *v, struct err *e)
{
	struct item *it =
	    v->n_flights > 0 ? &v->items[v->flights[0].first] : &v->items[v->n];
	struct seen_key key;
	struct err local;
	int rv = 0;

	if (e->kind == ERR_LOCAL)
		return -1;
	while (it < &v->items[v->n] && it->plan != PLAN_ASKED)
		it++;
	if (it < &v->items[v->n]) {
		key = imap_plan_key(v, it->uid);
		rv = seen_put(v->run->seen, &key, SEEN_FAILED, &local);
	}
	if (rv == -1 || settle(v, true, &local) == -1)
		*e = local;
	return -1;
}

/* All items with this plan, with a window that never runs dry. */
static int
fetch_items(struct visit *v, enum plan wanted, struct err *e)
{
	struct imap_ev ev;
	int rv;

	v->next = 0;
	for (;;) {
		while (!v->c->client.stopping && v->n_flights < FLIGHTS &&
		       v->flying < RUN_WINDOW_MESSAGES &&
		       v->flying_bytes < RUN_WINDOW_BYTES &&
		       send_flight(v, wanted))
			;
		/* A stop lets the message in hand finish, not what was asked
		 * for behind it. */
		if (v->n_flights == 0 ||
		    (v->c->client.stopping && !v->receiving))
			return settle(v, true, e);
		rv = imap_conn_event(v->c, inbox_due(v->run->inbox), &ev, e);
		if (rv == -1)
			return lose(v, e);
		if (rv == 0) {
			if (settle(v, true, e) == -1)
				return -1;
		} else if (take_body_event(v, &ev, e) == -1)
			return -1;
	}
}

/* --- folders ------------------------------------------------------------------ */

static void
print_plan(struct visit *v)
{
	size_t i;

	for (i = 0; i < v->n; i++)
		if (v->items[i].plan == PLAN_FETCH ||
		    v->items[i].plan == PLAN_ALONE)
			run_list(v->run, v->c->name,
			    imap_plan_show(v, v->items[i].uid),
			    v->items[i].size);
}

static int
work(struct visit *v, const char *name, struct err *e)
{
	struct run *r = v->run;
	bool first;

	if (seen_folder(r->seen, name, &v->c->folder, e) == -1 ||
	    imap_plan_open(v, name, e) == -1)
		return -1;
	first = v->c->folder.uidvalidity != v->c->uidvalidity;
	if (imap_plan_make(v, e) == -1)
		return -1;
	if (r->options->dry_run) {
		print_plan(v);
		return 0;
	}
	if (fetch_items(v, PLAN_FETCH, e) == -1 ||
	    fetch_items(v, PLAN_ALONE, e) == -1)
		return -1;
	if ((first && seen_folder_set(r->seen, &v->c->folder, e) == -1) ||
	    seen_drop_aside(r->seen, v->c->folder.id, e) == -1)
		return -1;
	if (r->fetch->mark_seen && imap_mark_seen(v, e) == -1)
		return -1;
	return v->c->client.stopping ? 0 : imap_remove_due(v, e);
}

int
imap_fetch_folder(struct imap_conn *c, const char *name, struct err *e)
{
	struct visit v = {.c = c, .run = c->run, .cookie = C_FETCH};
	int rv;

	uidset_init(&v.fetched);
	rv = work(&v, name, e);
	if (rv == -1 && c->run->inbox != NULL)
		inbox_abort(c->run->inbox);
	uidset_clear(&v.fetched);
	free(v.items);
	return rv;
}

/* What is wrong with one folder is told, and holds up no other. */
static int
one_folder(struct imap_conn *c, const char *name, bool *all_well, struct err *e)
{
	if (imap_fetch_folder(c, name, e) == 0)
		return 0;
	*all_well = false;
	if (e->kind != ERR_CONFIG)
		return -1;
	log_err(e);
	c->run->code = err_worse(c->run->code, err_exit(e));
	return 0;
}

int
imap_fetch(struct run *r, struct err *e)
{
	struct imap_conn c;
	struct words names;
	bool all_well = true;
	size_t i;
	int rv;

	words_init(&names);
	rv = imap_conn_open(&c, r, &r->link, e);
	if (rv == 0)
		rv = imap_conn_folders(&c, &names, e);
	for (i = 0; rv == 0 && i < names.n && !c.client.stopping; i++)
		rv = one_folder(&c, names.v[i], &all_well, e);
	imap_conn_close(&c);
	words_clear(&names);
	if (rv == 0 && all_well && !c.client.stopping)
		rv = run_begun(r, e);
	if (rv == 0)
		log_info("%" PRIu64 " fetched, %" PRIu64 " skipped, %" PRIu64
			 " deleted",
		    r->fetched, r->skipped, r->deleted);
	return rv;
}

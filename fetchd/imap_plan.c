/*
 * What there is to do in a folder: it is listed from where the last run ended,
 * in the same flight as its SELECT, and each message is looked up in the
 * state.  When the ground has moved (UIDVALIDITY changed, the state was
 * lost), headers tell what is known.
 */

#include "imap_visit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/header.h"
#include "base/mem.h"
#include "os/log.h"

#define ITEMS_MAX 4000000u
#define BRAKE_LEAST 20u
#define PRUNE_LEAST 1000u

/* --- the listing -------------------------------------------------------------- */

struct item *
imap_plan_find(struct visit *v, uint32_t uid)
{
	size_t lo = 0, hi = v->n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (v->items[mid].uid == uid)
			return &v->items[mid];
		if (v->items[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static int
by_uid(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

static void
add_item(struct visit *v, uint32_t uid, uint64_t size)
{
	if (v->n == v->cap) {
		v->cap = v->cap > 0 ? v->cap * 2 : 64;
		v->items = mem_resize(v->items, v->cap, sizeof(*v->items));
	}
	v->items[v->n++] = (struct item){.uid = uid, .size = size};
}

/* Unsolicited FETCHes may name a message twice. */
static void
sort_items(struct visit *v)
{
	size_t i, k = 0;

	if (v->n > 1)
		qsort(v->items, v->n, sizeof(*v->items), by_uid);
	for (i = 0; i < v->n; i++)
		if (k == 0 || v->items[k - 1].uid != v->items[i].uid)
			v->items[k++] = v->items[i];
	v->n = k;
}

static void
forget_items(struct visit *v)
{
	v->n = v->next = v->low = 0;
}

struct seen_key
imap_plan_key(const struct visit *v, uint32_t uid)
{
	return (struct seen_key){.folder = v->c->folder.id, .number = uid};
}

/* Takes a listing's answers up to the tagged one. */
static int
take_listing(struct visit *v, uint32_t cookie, uint32_t from, const char *what,
    struct err *e)
{
	struct imap_ev ev;
	int rv;

	for (;;) {
		rv = imap_conn_event(v->c, 0, &ev, e);
		if (rv == -1)
			return -1;
		if (rv == 0)
			continue;
		if (ev.kind == IMAP_EV_DONE && ev.cookie == cookie)
			break;
		if (ev.kind != IMAP_EV_FETCH || !ev.fetch.has_size ||
		    ev.fetch.uid < from)
			continue;
		if (v->n >= ITEMS_MAX)
			return err_set(e, ERR_PROTO,
			    "%s: lists over %u "
			    "messages",
			    v->c->name, ITEMS_MAX);
		add_item(v, ev.fetch.uid, ev.fetch.size);
	}
	return ev.cond == IMAP_OK ? 0 : imap_refused(&ev, what, e);
}

static void
ask_listing(struct visit *v, uint32_t from)
{
	imap_command(&v->c->client.imap, IMAP_V_FETCH, C_LIST,
	    "UID FETCH %" PRIu32 ":* (UID RFC822.SIZE)", from);
}

static int
take_select(struct visit *v, struct err *e)
{
	struct imap_conn *c = v->c;
	struct imap_ev ev;
	int rv;

	for (;;) {
		rv = imap_conn_event(c, 0, &ev, e);
		if (rv == -1)
			return -1;
		if (rv == 0)
			continue;
		if (ev.kind == IMAP_EV_DONE && ev.cookie == C_SELECT)
			break;
		if (ev.kind != IMAP_EV_STATUS)
			continue;
		if (ev.code == IMAP_CODE_UIDVALIDITY)
			c->uidvalidity = (uint32_t)ev.code_number;
		else if (ev.code == IMAP_CODE_UIDNEXT)
			c->uidnext = (uint32_t)ev.code_number;
	}
	c->changed = false; /* what comes from here on is news */
	if (ev.cond == IMAP_OK && c->uidvalidity != 0)
		return 0;
	if (ev.cond == IMAP_OK)
		return err_set(e, ERR_PROTO,
		    "folder %s: the server states no UIDVALIDITY, so nobody "
		    "can tell its messages apart",
		    c->name);
	imap_refused(&ev, "SELECT", e);
	return err_prefix(e, "folder %s", c->name);
}

int
imap_plan_search(
    struct visit *v, const char *what, struct uidset *found, struct err *e)
{
	struct imap_ev ev;
	int rv;

	imap_command(
	    &v->c->client.imap, IMAP_V_SEARCH, C_SEARCH, "UID SEARCH %s", what);
	while ((rv = imap_conn_event(v->c, 0, &ev, e)) != -1) {
		if (rv == 1 && ev.kind == IMAP_EV_SEARCH)
			uidset_union(found, ev.uids);
		if (found->n > ITEMS_MAX)
			return err_set(e, ERR_PROTO,
			    "%s: finds over %u "
			    "messages",
			    v->c->name, ITEMS_MAX);
		if (rv == 1 && ev.kind == IMAP_EV_DONE)
			return ev.cond == IMAP_OK
			           ? 0
			           : imap_refused(&ev, "SEARCH", e);
	}
	return -1;
}

/* Searches, and lists what was found with its sizes. */
static int
list_unseen(struct visit *v, struct err *e)
{
	struct uidset found;
	uint32_t from = 1;
	struct buf set;
	int rv;

	uidset_init(&found);
	rv = imap_plan_search(v, "UNSEEN UNDELETED", &found, e);
	buf_init(&set, SET_BYTES + 64);
	while (rv == 0 && from != 0 && !uidset_empty(&found)) {
		buf_reset(&set);
		from = uidset_format(&found, from, SET_BYTES, &set);
		imap_command(&v->c->client.imap, IMAP_V_FETCH, C_LIST,
		    "UID FETCH %s (UID RFC822.SIZE)", buf_cstr(&set));
		rv = take_listing(v, C_LIST, 1, "FETCH", e);
	}
	buf_clear(&set);
	uidset_clear(&found);
	return rv;
}

/* What failed or was skipped earlier lies below the watermark.  What of it is
 * not there any more is forgotten. */
static int
list_again(struct visit *v, enum seen_status status, struct err *e)
{
	struct seen_folder *f = &v->c->folder;
	struct uidset again;
	struct buf set;
	uint32_t uid = 0, from = 1;
	uint64_t it = 0;
	size_t i = v->n;
	int rv;

	uidset_init(&again);
	buf_init(&set, SET_BYTES + 64);
	while ((rv = seen_next(
		    v->run->seen, f->id, status, INT64_MAX, &uid, e)) == 1)
		if (uid < f->next)
			uidset_add(&again, uid, uid);
	while (rv == 0 && from != 0 && !uidset_empty(&again)) {
		buf_reset(&set);
		from = uidset_format(&again, from, SET_BYTES, &set);
		imap_command(&v->c->client.imap, IMAP_V_FETCH, C_LIST,
		    "UID FETCH %s (UID RFC822.SIZE)", buf_cstr(&set));
		rv = take_listing(v, C_LIST, 1, "FETCH", e);
	}
	for (; i < v->n; i++)
		uidset_del(&again, v->items[i].uid, v->items[i].uid);
	while (rv == 0 && v->run->inbox != NULL &&
	       uidset_next(&again, &it, &uid)) {
		struct seen_key gone = imap_plan_key(v, uid);

		rv = seen_forget(v->run->seen, &gone, e);
	}
	buf_clear(&set);
	uidset_clear(&again);
	return rv;
}

/* SELECT and, in the same flight, the listing that it most likely needs. */
int
imap_plan_open(struct visit *v, const char *name, struct err *e)
{
	const struct fetch *f = v->run->fetch;
	struct imap_conn *c = v->c;
	/* Only to look: after EXAMINE, Courier does not remember which UID it
	 * gave to a new message, and may give it to another one later. */
	bool examine = v->run->options->dry_run;
	uint32_t from = f->select == SELECT_ALL ? 1 : c->folder.next;
	bool listed = f->select != SELECT_UNSEEN;

	c->name = name;
	c->exists = c->uidnext = c->uidvalidity = 0;
	c->changed = false;
	imap_begin(&c->client.imap, examine ? IMAP_V_EXAMINE : IMAP_V_SELECT,
	    C_SELECT);
	imap_put(&c->client.imap, examine ? "EXAMINE " : "SELECT ");
	imap_put_folder(&c->client.imap, span_of(name));
	imap_end(&c->client.imap);
	if (listed)
		ask_listing(v, from);
	if (take_select(v, e) == -1)
		return -1;
	if (!listed)
		return 0;
	/* An empty folder may answer BAD to n:*; it has nothing to list. */
	if (take_listing(v, C_LIST, from, "FETCH", e) == -1 &&
	    (c->exists > 0 || e->kind == ERR_TEMP))
		return -1;
	return 0;
}

/* --- the plan ------------------------------------------------------------------ */

const char *
imap_plan_show(struct visit *v, uint32_t uid)
{
	snprintf(v->uid, sizeof(v->uid), "%" PRIu32, uid);
	return v->uid;
}

static bool
too_large(const struct visit *v, uint64_t size)
{
	const struct fetch *f = v->run->fetch;

	return f->max_size != 0 && size > f->max_size;
}

static int
plan_item(struct visit *v, struct item *it, struct err *e)
{
	struct seen_key key = imap_plan_key(v, it->uid);
	enum seen_status status;
	int64_t since;

	if (seen_get(v->run->seen, &key, &status, &since, e) == -1)
		return -1;
	it->plan = PLAN_LEAVE;
	switch (status) {
	case SEEN_UNKNOWN:
		/* `start now' passed it, and `select' does not list by age. */
		if (it->uid < v->c->folder.next)
			break;
		it->plan = v->recognising ? PLAN_CHECK : PLAN_FETCH;
		break;
	case SEEN_FAILED: /* last, so that it holds up no other */
		it->plan = PLAN_ALONE;
		it->alone = true;
		break;
	case SEEN_SKIPPED:
		if (!too_large(v, it->size))
			it->plan = PLAN_FETCH;
		break;
	case SEEN_FETCHED:
		if (v->run->fetch->select == SELECT_ALL &&
		    !run_is_due(v->run, status, since))
			it->plan = PLAN_FETCH;
		break;
	case SEEN_PASSED:
	case SEEN_HEADERS:
	case SEEN_LOCAL:
		break;
	}
	return 0;
}

/* What skips a message by its size: reported once, when it is first met. */
static int
skip_large(struct visit *v, struct item *it, struct err *e)
{
	struct seen_key key = imap_plan_key(v, it->uid);

	it->plan = PLAN_LEAVE;
	log_warn("%s, message %" PRIu32 ": %" PRIu64 " bytes is over max-size: "
		 "skipped",
	    v->c->name, it->uid, it->size);
	v->run->skipped++;
	if (v->run->inbox == NULL)
		return 0;
	return seen_put(v->run->seen, &key, SEEN_SKIPPED, e);
}

/* Whether a message is fetched in this run: 1; 0: the limit is reached; -1. */
static int
limit_item(struct visit *v, struct item *it, struct err *e)
{
	const struct fetch *f = v->run->fetch;

	it->headers = f->headers_only;
	if (too_large(v, it->size) && !it->headers) {
		if (f->oversize == OVERSIZE_SKIP)
			return skip_large(v, it, e) == -1 ? -1 : 1;
		it->headers = true;
	}
	if (!run_take(v->run, it->size))
		return 0;
	run_expect(v->run, 1, it->size);
	return 1;
}

static int
limit_plan(struct visit *v, struct err *e)
{
	size_t i;
	int rv = 1;

	for (i = 0; i < v->n; i++) {
		if (v->items[i].plan == PLAN_FETCH)
			rv = limit_item(v, &v->items[i], e);
		if (rv == -1)
			return -1;
		/* The rest is for the next run: the watermark must not pass. */
		if (rv == 0)
			v->n = i;
	}
	/* What failed before is remembered wherever the watermark is. */
	for (i = 0; i < v->n; i++) {
		if (v->items[i].plan != PLAN_ALONE)
			continue;
		if (rv == 1)
			rv = limit_item(v, &v->items[i], e);
		if (rv == -1)
			return -1;
		if (rv == 0)
			v->items[i].plan = PLAN_LEAVE;
	}
	return 0;
}

/* --- known by its header ------------------------------------------------------------ */

struct checking {
	struct header_scan scan;
	struct header_digest digest;
	bool sent;
	size_t known;
};

static int
take_header(struct visit *v, struct checking *ck, const struct imap_fetch *f,
    struct err *e)
{
	struct item *it = imap_plan_find(v, f->uid);
	struct seen_key key = imap_plan_key(v, f->uid);
	int rv;

	if (it == NULL || it->plan != PLAN_CHECK || !ck->sent)
		return 0;
	ck->sent = false;
	header_digest_hex(&ck->digest, key.digest);
	rv = seen_find_digest(v->run->seen, v->c->folder.id, key.digest, e);
	if (rv != 1) {
		it->plan = PLAN_FETCH;
		return rv;
	}
	ck->known++;
	it->plan = PLAN_LEAVE;
	return seen_rekey(v->run->seen, &key, e);
}

static int
take_headers(struct visit *v, struct checking *ck, struct err *e)
{
	struct imap_ev ev;
	int rv;

	while ((rv = imap_conn_event(v->c, 0, &ev, e)) != -1) {
		if (rv == 0)
			continue;
		if (ev.kind == IMAP_EV_DONE)
			return ev.cond == IMAP_OK
			           ? 0
			           : imap_refused(&ev, "FETCH", e);
		if (ev.kind == IMAP_EV_BODY_BEGIN) {
			header_scan_init(&ck->scan);
			header_digest_init(&ck->digest);
			ck->sent = true;
		} else if (ev.kind == IMAP_EV_BODY_DATA && ck->sent)
			header_digest_feed(&ck->digest, ev.text.p,
			    header_scan_feed(&ck->scan, ev.text.p, ev.text.n));
		else if (ev.kind == IMAP_EV_FETCH &&
			 take_header(v, ck, &ev.fetch, e) == -1)
			return -1;
	}
	return -1;
}

/* Asks for the headers of all that is to be checked. */
static int
check_headers(struct visit *v, size_t *known_r, struct err *e)
{
	struct checking ck = {.known = 0};
	struct uidset set;
	struct buf text;
	uint32_t from = 1;
	size_t i;
	int rv = 0;

	uidset_init(&set);
	for (i = 0; i < v->n; i++)
		if (v->items[i].plan == PLAN_CHECK)
			uidset_add(&set, v->items[i].uid, v->items[i].uid);
	buf_init(&text, SET_BYTES + 64);
	while (rv == 0 && from != 0 && !uidset_empty(&set)) {
		buf_reset(&text);
		from = uidset_format(&set, from, SET_BYTES, &text);
		imap_command(&v->c->client.imap, IMAP_V_FETCH, C_LIST,
		    "UID FETCH %s (UID BODY.PEEK[HEADER])", buf_cstr(&text));
		rv = take_headers(v, &ck, e);
	}
	for (i = 0; i < v->n; i++)
		if (v->items[i].plan == PLAN_CHECK)
			v->items[i].plan = PLAN_FETCH;
	*known_r = ck.known;
	buf_clear(&text);
	uidset_clear(&set);
	return rv;
}

static int
recognise(struct visit *v, bool brake, uint64_t rows, struct err *e)
{
	size_t known;
	char *name;
	int rv;

	if (v->n == 0)
		return 0;
	log_info("%s: comparing the headers of %zu messages with what was "
		 "fetched before",
	    v->c->name, v->n);
	if (seen_begin(v->run->seen, e) == -1)
		return -1;
	rv = check_headers(v, &known, e);
	if (rv == 0)
		rv = seen_commit(v->run->seen, e);
	else
		seen_rollback(v->run->seen);
	if (rv != 0 || !brake || known > 0)
		return rv;
	name = mem_printf("folder %s", v->c->name);
	rv = run_refuse(v->run, name, rows, v->n, e);
	free(name);
	return rv;
}

/* UIDVALIDITY is not what it was: every UID means something else now. */
static int
ground_moved(struct visit *v, struct err *e)
{
	struct seen_folder *f = &v->c->folder;

	log_warn("folder %s: UIDVALIDITY changed from %" PRIu32 " to %" PRIu32
		 "; recognising messages by their headers",
	    v->c->name, f->uidvalidity, v->c->uidvalidity);
	if (seen_set_aside(v->run->seen, f->id, e) == -1)
		return -1;
	f->next = 1;
	forget_items(v);
	ask_listing(v, 1);
	return take_listing(v, C_LIST, 1, "FETCH", e);
}

/* Everything there on the first run is left alone for good. */
static int
pass_all(struct visit *v, struct err *e)
{
	struct seen_folder *f = &v->c->folder;

	f->uidvalidity = v->c->uidvalidity;
	f->next = v->n > 0 ? v->items[v->n - 1].uid + 1 : 1;
	if (v->c->uidnext > f->next)
		f->next = v->c->uidnext;
	forget_items(v);
	if (v->run->inbox == NULL)
		return 0;
	return seen_folder_set(v->run->seen, f, e);
}

/*
 * Rows of messages that others have removed are of no more use.  Looking for
 * them costs a round trip, so it is done only when they are many.
 */
static int
prune(struct visit *v, uint64_t rows, struct err *e)
{
	struct uidset there, gone;
	uint32_t uid = 0;
	uint64_t it = 0;
	int rv;

	/* An empty folder may only be a folder that is lost for now; and where
	 * there is no watermark, a row too few is a copy too many. */
	if (rows < 2 * (uint64_t)v->c->exists + PRUNE_LEAST ||
	    v->c->exists == 0 || v->run->fetch->select != SELECT_NEW)
		return 0;
	uidset_init(&there);
	uidset_init(&gone);
	rv = imap_plan_search(v, "ALL", &there, e);
	while (rv == 0 && (rv = seen_next(v->run->seen, v->c->folder.id,
			       SEEN_FETCHED, INT64_MAX, &uid, e)) == 1) {
		if (!uidset_has(&there, uid))
			uidset_add(&gone, uid, uid);
		rv = 0;
	}
	if (rv == 0)
		rv = seen_begin(v->run->seen, e);
	while (rv == 0 && uidset_next(&gone, &it, &uid)) {
		struct seen_key key = imap_plan_key(v, uid);

		rv = seen_forget(v->run->seen, &key, e);
	}
	if (rv == 0)
		rv = seen_commit(v->run->seen, e);
	else
		seen_rollback(v->run->seen);
	uidset_clear(&there);
	uidset_clear(&gone);
	return rv;
}

int
imap_plan_make(struct visit *v, struct err *e)
{
	struct run *r = v->run;
	struct seen_folder *f = &v->c->folder;
	bool moved, brake;
	uint64_t rows, aside;
	size_t i;

	/* Those set aside before, in a run that then was stopped, count too. */
	if (seen_count(r->seen, f->id, SEEN_UNKNOWN, &rows, e) == -1 ||
	    seen_count(r->seen, -f->id, SEEN_UNKNOWN, &aside, e) == -1)
		return -1;
	rows += aside;
	moved = f->uidvalidity != 0 && v->c->uidvalidity != f->uidvalidity;
	if (moved && ground_moved(v, e) == -1)
		return -1;
	if (f->uidvalidity == 0 && r->fetch->start == 1) {
		sort_items(v);
		return pass_all(v, e);
	}
	if (r->fetch->select == SELECT_UNSEEN && list_unseen(v, e) == -1)
		return -1;
	if (!moved && r->fetch->select == SELECT_NEW &&
	    (list_again(v, SEEN_FAILED, e) == -1 ||
		list_again(v, SEEN_SKIPPED, e) == -1))
		return -1;
	sort_items(v);
	brake = ((moved && rows >= BRAKE_LEAST && v->n >= BRAKE_LEAST) ||
		    (r->origin == SEEN_DAMAGED && !r->learned &&
			f->uidvalidity == 0)) &&
	        !r->options->allow_refetch;
	v->recognising = moved || brake || (r->learned && f->uidvalidity == 0);
	for (i = 0; i < v->n; i++)
		if (plan_item(v, &v->items[i], e) == -1)
			return -1;
	if (v->recognising && recognise(v, brake, rows, e) == -1)
		return -1;
	f->uidvalidity = v->c->uidvalidity;
	if (!moved && r->inbox != NULL && prune(v, rows, e) == -1)
		return -1;
	return limit_plan(v, e);
}

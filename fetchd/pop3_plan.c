/*
 * What there is to do in a maildrop: it is listed, and each message is looked
 * up in the state by its UIDL; where that tells nothing (it is absent, double,
 * or all are new), by its header.
 */

#include "pop3_drop.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/log.h"

#define ITEMS_MAX 4000000u
#define UID_MAX 512u
#define WHOLESALE_LEAST 20u

/* --- the listing ----------------------------------------------------------------- */

/* The item with that number: servers list in rising order (RFC 1939 section
 * 5), so a new one is the highest.  NULL for a number out of order. */
struct item *
pop3_plan_item(struct drop *s, uint32_t number)
{
	size_t lo = 0, hi = s->n, mid;
	struct item *it;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (s->items[mid].number == number)
			return &s->items[mid];
		if (s->items[mid].number < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < s->n)
		return NULL;
	if (s->n == s->cap) {
		s->cap = s->cap > 0 ? s->cap * 2 : 64;
		s->items = mem_resize(s->items, s->cap, sizeof(*s->items));
	}
	it = &s->items[s->n++];
	*it = (struct item){.number = number};
	return it;
}

static int
take_line(struct drop *s, const struct pop3_ev *ev, struct err *e)
{
	struct span uid;
	uint32_t number;
	uint64_t size;
	struct item *it;

	if (s->n >= ITEMS_MAX)
		return err_set(e, ERR_PROTO, "%s: lists over %u messages",
		    s->link->peer, ITEMS_MAX);
	if (ev->cmd == POP3_CAPA)
		pop3_session_capa(&s->logon, ev->text);
	else if (ev->cmd == POP3_LIST) {
		if (pop3_parse_list(ev->text, &number, &size) &&
		    (it = pop3_plan_item(s, number)) != NULL)
			it->size = size;
	} else if (pop3_parse_uidl(ev->text, &number, &uid) &&
		   uid.n <= UID_MAX &&
		   (it = pop3_plan_item(s, number)) != NULL) {
		free(it->uid);
		it->uid = span_dup(uid);
	}
	return 0;
}

static int
take_list_reply(struct drop *s, const struct pop3_ev *ev, struct err *e)
{
	if (ev->ok)
		return 0;
	if (ev->cmd != POP3_UIDL && ev->cmd != POP3_LIST)
		return 0;
	pop3_refused(ev, pop3_cmd_name(ev->cmd), e);
	if (ev->cmd == POP3_LIST || e->kind == ERR_TEMP)
		return -1;
	s->has_uidl = false;
	return 0;
}

/* Takes replies until none is outstanding. */
static int
drain_lists(struct drop *s, struct err *e)
{
	struct pop3_ev ev;

	while (pop3_unanswered(&s->pop3) > 0) {
		if (pop3_conn_wait(s, &ev, e) == -1)
			return -1;
		if (ev.kind == POP3_EV_LINE && take_line(s, &ev, e) == -1)
			return -1;
		if (ev.kind == POP3_EV_REPLY &&
		    take_list_reply(s, &ev, e) == -1)
			return -1;
	}
	return 0;
}

static int
by_uid(const void *a, const void *b)
{
	const struct item *const *x = a, *const *y = b;

	return strcmp((*x)->uid, (*y)->uid);
}

/* A uid that stands twice identifies nothing. */
static void
drop_double_uids(struct drop *s)
{
	struct item **order = mem_array(s->n, sizeof(struct item *));
	size_t i, k;

	for (i = 0; i < s->n; i++) {
		if (s->items[i].uid == NULL || !s->has_uidl) {
			free(s->items[i].uid);
			s->items[i].uid = mem_strdup("");
		}
		order[i] = &s->items[i];
	}
	if (s->n > 1)
		qsort(order, s->n, sizeof(struct item *), by_uid);
	for (i = 0; i < s->n; i = k) {
		for (k = i + 1;
		     k < s->n && strcmp(order[k]->uid, order[i]->uid) == 0; k++)
			;
		for (size_t j = i + 1; k - i > 1 && j < k; j++)
			order[j]->uid[0] = '\0';
		if (k - i > 1)
			order[i]->uid[0] = '\0';
	}
	free(order);
}

int
pop3_plan_list(struct drop *s, struct err *e)
{
	static const enum pop3_cmd cmds[] = {POP3_CAPA, POP3_UIDL, POP3_LIST};
	size_t i;

	s->has_uidl = true;
	for (i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++) {
		if (cmds[i] == POP3_CAPA && !s->logon.has_capa)
			continue;
		pop3_send(&s->pop3, cmds[i], 0);
		if (!s->logon.has_pipelining && drain_lists(s, e) == -1)
			return -1;
	}
	if (drain_lists(s, e) == -1)
		return -1;
	drop_double_uids(s);
	return 0;
}

/* --- the plan --------------------------------------------------------------------- */

struct seen_key
pop3_plan_key(const struct drop *s, const struct item *it)
{
	struct seen_key k = {
	    .folder = s->folder.id, .uid = span_of(it->uid), .size = it->size};

	memcpy(k.digest, it->digest, sizeof(k.digest));
	return k;
}

struct item *
pop3_plan_turn(const struct drop *s, size_t turn)
{
	struct item *it = &s->items[turn % s->n];

	return it->failed == (turn >= s->n) ? it : NULL;
}

int
pop3_plan_failed(struct drop *s, struct item *it, struct err *e)
{
	struct seen_key key = pop3_plan_key(s, it);

	it->plan = PLAN_FAILED;
	/* With `select all', an older row tells that it was fetched once. */
	if (it->uid[0] == '\0' || (it->known && !it->failed))
		return 0;
	return seen_put(s->run->seen, &key, SEEN_FAILED, e);
}

/* What a person can find the message by. */
const char *
pop3_plan_show(struct drop *s, const struct item *it)
{
	if (it->uid[0] != '\0')
		return it->uid;
	snprintf(s->ids, sizeof(s->ids), "number %" PRIu32, it->number);
	return s->ids;
}

static bool
too_large(const struct drop *s, const struct item *it)
{
	const struct fetch *f = s->run->fetch;

	return f->max_size != 0 && it->size > f->max_size;
}

static enum plan
plan_by_status(
    struct drop *s, struct item *it, enum seen_status status, int64_t since)
{
	it->known = status != SEEN_UNKNOWN;
	it->failed = status == SEEN_FAILED;
	switch (status) {
	case SEEN_UNKNOWN:
	case SEEN_FAILED:
		return PLAN_FETCH;
	case SEEN_FETCHED:
	case SEEN_LOCAL:
		if (run_is_due(s->run, status, since))
			return PLAN_DELETE;
		return s->run->fetch->select == SELECT_ALL ? PLAN_FETCH
		                                           : PLAN_LEAVE;
	case SEEN_SKIPPED:
		return too_large(s, it) ? PLAN_LEAVE : PLAN_FETCH;
	case SEEN_PASSED:
	case SEEN_HEADERS:
		break;
	}
	return PLAN_LEAVE;
}

static int
plan_by_row(struct drop *s, struct item *it, struct err *e)
{
	struct seen_key key = pop3_plan_key(s, it);
	enum seen_status status;
	int64_t since;

	int doubt;

	if (seen_get(s->run->seen, &key, &status, &since, e) == -1)
		return -1;
	it->plan = plan_by_status(s, it, status, since);
	if (it->plan != PLAN_DELETE || it->digest[0] != '\0')
		return 0;
	/* Some servers give a uid again: what is to be deleted must be what
	 * was fetched. */
	doubt = seen_doubtful(s->run->seen, &key, e);
	if (doubt == 1)
		it->plan = PLAN_CHECK;
	return doubt == -1 ? -1 : 0;
}

/*
 * The headers of what is to be checked: TOP n 0, pipelined, digested here.  A
 * known one gets its row's new key.  *known_r: how many were.
 */
static int
check_headers(struct drop *s, size_t *known_r, struct err *e)
{
	struct header_digest digest;
	struct header_scan scan;
	size_t i, next = 0, in_flight = 0, answered = 0, todo = 0;
	struct pop3_ev ev;
	struct item *it;

	*known_r = 0;
	for (i = 0; i < s->n; i++)
		todo += s->items[i].plan == PLAN_CHECK;
	while (answered < todo) {
		for (; next < s->n &&
		       in_flight <
			   (s->logon.has_pipelining ? RUN_WINDOW_MESSAGES : 1);
		     next++) {
			if (s->items[next].plan != PLAN_CHECK)
				continue;
			pop3_send_top(&s->pop3, s->items[next].number, 0);
			in_flight++;
		}
		if (pop3_conn_wait(s, &ev, e) == -1)
			return -1;
		it = pop3_plan_item(s, ev.arg);
		if (ev.kind == POP3_EV_REPLY) {
			header_scan_init(&scan);
			header_digest_init(&digest);
			if (!ev.ok)
				in_flight--, answered++;
		} else if (ev.kind == POP3_EV_DATA)
			header_digest_feed(&digest, ev.text.p,
			    header_scan_feed(&scan, ev.text.p, ev.text.n));
		else if (ev.kind == POP3_EV_END) {
			header_digest_hex(&digest, it->digest);
			in_flight--, answered++;
		}
	}
	for (i = 0; i < s->n; i++) {
		struct seen_key key = pop3_plan_key(s, &s->items[i]);
		int rv;

		it = &s->items[i];
		if (it->plan != PLAN_CHECK || it->digest[0] == '\0')
			continue;
		/* One that is known by its uid is only to be confirmed. */
		rv = it->known ? seen_same(s->run->seen, &key, e)
		               : seen_find_digest(
				     s->run->seen, s->folder.id, it->digest, e);
		if (rv == -1)
			return -1;
		if (rv == 0) {
			it->plan = PLAN_FETCH;
			continue;
		}
		(*known_r)++;
		if (plan_by_row(s, it, e) == -1)
			return -1;
		if (!it->known && (seen_rekey(s->run->seen, &key, e) == -1 ||
				      plan_by_row(s, it, e) == -1))
			return -1;
	}
	return 0;
}

/* No message that has a uid of its own is to be taken for another. */
static int
list_uids(struct drop *s, struct err *e)
{
	int rv = seen_list_begin(s->run->seen, e);
	size_t i;

	for (i = 0; rv == 0 && i < s->n; i++) {
		struct seen_key key = pop3_plan_key(s, &s->items[i]);

		if (key.uid.n > 0)
			rv = seen_listed(s->run->seen, &key, e);
	}
	return rv;
}

/* Some uids say nothing, or none is known: ask the headers. */
static int
recognise(struct drop *s, bool brake, uint64_t rows, struct err *e)
{
	size_t i, known, checks = 0;
	int rv;

	for (i = 0; i < s->n; i++)
		checks += s->items[i].plan == PLAN_CHECK;
	if (checks == 0)
		return 0;
	log_info("comparing the headers of %zu messages with what was fetched "
		 "before",
	    checks);
	if (seen_begin(s->run->seen, e) == -1)
		return -1;
	rv = list_uids(s, e);
	if (rv == 0)
		rv = check_headers(s, &known, e);
	if (rv == 0)
		rv = seen_commit(s->run->seen, e);
	else
		seen_rollback(s->run->seen);
	if (rv == 0 && brake && known == 0)
		return run_refuse(s->run, s->link->peer, rows, s->n, e);
	return rv;
}

static int
pass_items(struct drop *s, struct err *e)
{
	size_t i;

	for (i = 0; i < s->n; i++) {
		struct seen_key key = pop3_plan_key(s, &s->items[i]);

		if (s->items[i].plan == PLAN_FETCH &&
		    seen_put(s->run->seen, &key, SEEN_PASSED, e) == -1)
			return -1;
		s->items[i].plan = PLAN_LEAVE;
	}
	return run_begun(s->run, e);
}

/* Everything there on the first run is left alone for good.  With that the
 * first run is complete, whatever comes of it: what comes later is ours. */
static int
pass_all(struct drop *s, struct err *e)
{
	/* What has no uid is known by its header. */
	if (recognise(s, false, 0, e) == -1 ||
	    seen_begin(s->run->seen, e) == -1)
		return -1;
	if (pass_items(s, e) == 0)
		return seen_commit(s->run->seen, e);
	seen_rollback(s->run->seen);
	return -1;
}

static int
note_listing(struct drop *s, uint64_t present, size_t known, struct err *e)
{
	size_t i;
	int rv = 0;

	if (present == known || s->run->inbox == NULL)
		return 0;
	if (seen_begin(s->run->seen, e) == -1)
		return -1;
	rv = seen_list_begin(s->run->seen, e);
	for (i = 0; rv == 0 && i < s->n; i++) {
		struct seen_key key = pop3_plan_key(s, &s->items[i]);

		if (s->items[i].known)
			rv = seen_listed(s->run->seen, &key, e);
	}
	if (rv == 0)
		rv = seen_list_end(s->run->seen, s->folder.id, e);
	if (rv == 0)
		return seen_commit(s->run->seen, e);
	seen_rollback(s->run->seen);
	return -1;
}

static void
skip_large(struct drop *s, struct item *it)
{
	struct seen_key key = pop3_plan_key(s, it);
	struct err e;

	log_warn("INBOX, message %s: %" PRIu64 " bytes is over max-size: "
		 "skipped",
	    pop3_plan_show(s, it), it->size);
	s->run->skipped++;
	it->plan = PLAN_LEAVE;
	if (it->uid[0] != '\0' && s->run->inbox != NULL &&
	    seen_put(s->run->seen, &key, SEEN_SKIPPED, &e) == -1)
		log_err(&e);
}

/* Drops from the plan what the limits do not allow now. */
static void
limit_plan(struct drop *s)
{
	struct run *r = s->run;
	bool full = false;
	size_t i;

	for (i = 0; i < 2 * s->n; i++) {
		struct item *it = pop3_plan_turn(s, i);

		if (it == NULL ||
		    (it->plan != PLAN_FETCH && it->plan != PLAN_CHECK))
			continue;
		it->headers = r->fetch->headers_only;
		if (too_large(s, it) && !it->headers) {
			if (r->fetch->oversize == OVERSIZE_SKIP) {
				skip_large(s, it);
				continue;
			}
			it->headers = true;
		}
		full = full || !run_take(r, it->size);
		if (full)
			it->plan = PLAN_LEAVE;
		else
			run_expect(r, 1, it->size);
	}
}

/* What the state knows of each; *known_r: of how many. */
static int
look_up(struct drop *s, size_t *known_r, struct err *e)
{
	size_t i;
	int rv;

	*known_r = 0;
	/* Together: each by itself would lock the state anew. */
	rv = seen_begin(s->run->seen, e);
	for (i = 0; rv == 0 && i < s->n; i++) {
		struct item *it = &s->items[i];

		if (it->uid[0] == '\0')
			it->plan = PLAN_CHECK;
		else
			rv = plan_by_row(s, it, e);
		*known_r += it->known;
	}
	if (rv == 0)
		return seen_commit(s->run->seen, e);
	seen_rollback(s->run->seen);
	return -1;
}

int
pop3_plan_make(struct drop *s, struct err *e)
{
	struct run *r = s->run;
	uint64_t present, expected;
	size_t i, known;
	bool wholesale, brake;

	if (seen_present(r->seen, s->folder.id, run_due(r), &present, &expected,
		e) == -1 ||
	    look_up(s, &known, e) == -1)
		return -1;
	if (r->origin != SEEN_KEPT && r->fetch->start == 1)
		return pass_all(s, e);
	/* All that should still be there is gone, and as much is new. */
	wholesale = known == 0 && expected >= WHOLESALE_LEAST &&
	            s->n >= WHOLESALE_LEAST && s->n >= expected / 2;
	brake = (wholesale || (r->origin == SEEN_DAMAGED && !r->learned)) &&
	        s->n > 0 && !r->options->allow_refetch;
	for (i = 0; i < s->n && (wholesale || r->learned || brake); i++)
		if (s->items[i].plan == PLAN_FETCH && !s->items[i].known)
			s->items[i].plan = PLAN_CHECK;
	if (recognise(s, brake, expected, e) == -1)
		return -1;
	if (note_listing(s, present, known, e) == -1)
		return -1;
	for (i = 0; s->delete_only && i < s->n; i++)
		if (s->items[i].plan != PLAN_DELETE)
			s->items[i].plan = PLAN_LEAVE;
	limit_plan(s);
	return 0;
}

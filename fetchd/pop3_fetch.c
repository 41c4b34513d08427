/*
 * POP3: from a listing of the maildrop to a plan (what to fetch, to check, to
 * delete), and from the plan to pipelined RETR, TOP and DELE.  Deletions
 * happen at QUIT only, and a session in which something was retrieved that
 * could not be stored is dropped without one: some servers hide what was
 * retrieved.
 */

#include "pop3_fetch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/header.h"
#include "base/mem.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/stop.h"
#include "proto/pop3_session.h"

#define ITEMS_MAX	 4000000u
#define UID_MAX		 512u
#define WHOLESALE_LEAST	 20u
#define STOP_DRAIN_MS	 2000

enum plan {
	PLAN_LEAVE,
	PLAN_FETCH,   /* RETR, or TOP for headers */
	PLAN_CHECK,   /* its header decides whether it is known */
	PLAN_DELETE,
	PLAN_DONE,    /* settled in this session */
	PLAN_FAILED,
};

/* A message of the listing. */
struct item {
	char *uid; /* owned; "" when there is none that can be relied on */
	uint32_t number;
	uint64_t size;
	enum plan plan;
	bool headers; /* TOP instead of RETR: it is too large */
	bool known;   /* the state has a row for it */
	char digest[HEADER_DIGEST_HEX];
};

struct session {
	struct run *run; /* borrowed */
	struct link *link;
	struct pop3 pop3;
	struct pop3_session logon;
	struct seen_folder folder;
	struct item *items; /* owned */
	size_t n, cap;
	bool has_uidl;
	bool gmail;     /* lists only part of the maildrop at a time */
	bool spoiled;   /* retrieved something that could not be stored */
	bool stopping;
	bool receiving; /* a message is coming in */
	uint64_t fetched;
	char ids[32];   /* for messages that have no uid */
};

/* --- events ------------------------------------------------------------------- */

/* The next event, waiting for it; 1, or 0 when `deadline` came, or -1. */
static int
next_event(struct session *s, int64_t deadline, struct pop3_ev *ev,
    struct err *e)
{
	enum pump_result moved;
	int rv;

	while ((rv = pop3_next(&s->pop3, ev, e)) == 0) {
		if (link_wait(s->link, deadline, &moved, e) == -1)
			return -1;
		if (moved == PUMP_IDLE)
			return 0;
		if (moved == PUMP_STOP) {
			s->stopping = true;
			s->link->pump.stop_fd = -1;
			s->link->pump.timeout = STOP_DRAIN_MS;
			return 0;
		}
	}
	return rv;
}

static int
wait_event(struct session *s, struct pop3_ev *ev, struct err *e)
{
	int rv;

	while ((rv = next_event(s, 0, ev, e)) == 0)
		;
	return rv == 1 ? 0 : -1;
}

/* --- logging in ---------------------------------------------------------------- */

/* Steps until logged in; 1: this server hangs up on CAPA, connect again. */
static int
step_logon(struct session *s, struct err *e)
{
	enum pop3_session_ev what;
	enum pump_result moved;

	for (;;) {
		if (pop3_session_step(&s->logon, &what, e) == -1)
			return -1;
		switch (what) {
		case POP3_SESSION_WAIT:
			if (link_wait(s->link, 0, &moved, e) == -1)
				return -1;
			if (moved == PUMP_STOP)
				return err_set(e, ERR_TEMP, "stopped");
			break;
		case POP3_SESSION_STARTTLS:
			if (link_tls(s->link, e) == -1)
				return -1;
			pop3_session_tls(&s->logon);
			break;
		case POP3_SESSION_SECRET:
			if (link_secret(s->link, s->logon.mech, e) == -1)
				return -1;
			break;
		case POP3_SESSION_NO_CAPA:
			return 1;
		case POP3_SESSION_READY:
			s->link->pump.secret = false;
			s->link->token_renewed = false;
			return 0;
		}
	}
}

static int
try_logon(struct session *s, bool no_capa, struct err *e)
{
	if (link_connect(s->link, e) == -1)
		return -1;
	pop3_clear(&s->pop3);
	pop3_session_clear(&s->logon);
	pop3_init(&s->pop3, &s->link->wire);
	pop3_session_init(&s->logon, &s->pop3, &s->link->login);
	s->logon.starttls = s->link->url->tls == URL_TLS_STARTTLS &&
	    s->link->account->tunnel == NULL;
	s->logon.no_capa = no_capa;
	return step_logon(s, e);
}

static int
log_in(struct session *s, struct err *e)
{
	int rv = try_logon(s, false, e);

	if (rv == -1 && e->kind == ERR_AUTH &&
	    link_renew(s->link, s->logon.mech))
		rv = try_logon(s, false, e);
	if (rv == 1)
		rv = try_logon(s, true, e);
	if (rv == 0)
		log_info("logged in to %s as %s (%s)", s->link->peer,
		    s->link->login.user, sasl_name(s->logon.mech));
	return rv == 0 ? 0 : -1;
}

/* --- the listing ----------------------------------------------------------------- */

/* The item with that number: servers list in rising order (RFC 1939 section
 * 5), so a new one is the highest.  NULL for a number out of order. */
static struct item *
item_at(struct session *s, uint32_t number)
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
take_line(struct session *s, const struct pop3_ev *ev, struct err *e)
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
		    (it = item_at(s, number)) != NULL)
			it->size = size;
	} else if (pop3_parse_uidl(ev->text, &number, &uid) &&
	    uid.n <= UID_MAX && (it = item_at(s, number)) != NULL) {
		free(it->uid);
		it->uid = span_dup(uid);
	}
	return 0;
}

static int
take_list_reply(struct session *s, const struct pop3_ev *ev, struct err *e)
{
	if (ev->ok)
		return 0;
	if (ev->cmd == POP3_UIDL)
		s->has_uidl = false;
	else if (ev->cmd == POP3_LIST)
		return pop3_refused(ev, "LIST", e);
	return 0;
}

/* Takes replies until none is outstanding. */
static int
drain_lists(struct session *s, struct err *e)
{
	struct pop3_ev ev;

	while (pop3_unanswered(&s->pop3) > 0) {
		if (wait_event(s, &ev, e) == -1)
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
drop_double_uids(struct session *s)
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
		for (k = i + 1; k < s->n &&
		    strcmp(order[k]->uid, order[i]->uid) == 0; k++)
			;
		for (size_t j = i + 1; k - i > 1 && j < k; j++)
			order[j]->uid[0] = '\0';
		if (k - i > 1)
			order[i]->uid[0] = '\0';
	}
	free(order);
}

static int
list(struct session *s, struct err *e)
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

static struct seen_key
key_of(const struct session *s, const struct item *it)
{
	struct seen_key k = {.folder = s->folder.id, .uid = span_of(it->uid)};

	memcpy(k.digest, it->digest, sizeof(k.digest));
	return k;
}

/* What a person can find the message by. */
static const char *
id_of(struct session *s, const struct item *it)
{
	if (it->uid[0] != '\0')
		return it->uid;
	snprintf(s->ids, sizeof(s->ids), "number %" PRIu32, it->number);
	return s->ids;
}

static bool
too_large(const struct session *s, const struct item *it)
{
	const struct fetch *f = s->run->fetch;

	return f->max_size != 0 && it->size > f->max_size;
}

static enum plan
plan_by_status(struct session *s, struct item *it, enum seen_status status,
    int64_t since)
{
	it->known = status != SEEN_UNKNOWN;
	switch (status) {
	case SEEN_UNKNOWN:
	case SEEN_FAILED:
		return PLAN_FETCH;
	case SEEN_FETCHED:
	case SEEN_LOCAL:
		if (run_is_due(s->run, status, since))
			return PLAN_DELETE;
		return s->run->fetch->select == SELECT_ALL ? PLAN_FETCH :
		    PLAN_LEAVE;
	case SEEN_SKIPPED:
		return too_large(s, it) ? PLAN_LEAVE : PLAN_FETCH;
	case SEEN_PASSED:
	case SEEN_HEADERS:
		break;
	}
	return PLAN_LEAVE;
}

static int
plan_by_row(struct session *s, struct item *it, struct err *e)
{
	struct seen_key key = key_of(s, it);
	enum seen_status status;
	int64_t since;

	if (seen_get(s->run->seen, &key, &status, &since, e) == -1)
		return -1;
	it->plan = plan_by_status(s, it, status, since);
	return 0;
}

/* Everything there on the first run is left alone for good. */
static int
pass_all(struct session *s, struct err *e)
{
	size_t i;

	if (s->run->inbox != NULL && seen_begin(s->run->seen, e) == -1)
		return -1;
	for (i = 0; i < s->n; i++) {
		struct seen_key key = key_of(s, &s->items[i]);

		if (s->run->inbox == NULL) {
			s->items[i].plan = PLAN_LEAVE;
			continue;
		}
		if (s->items[i].uid[0] == '\0' ||
		    s->items[i].plan != PLAN_FETCH)
			continue;
		if (seen_put(s->run->seen, &key, SEEN_PASSED, e) == -1) {
			seen_rollback(s->run->seen);
			return -1;
		}
		s->items[i].plan = PLAN_LEAVE;
	}
	return s->run->inbox != NULL ? seen_commit(s->run->seen, e) : 0;
}

static int
refuse_refetch(struct session *s, uint64_t rows, struct err *e)
{
	return err_code(e, ERR_CONFIG, EX_DATAERR, "%s: none of the %" PRIu64
	    " messages fetched before is recognised among the %zu now on the "
	    "server; not fetching them all again.  If they are new, run: "
	    "fetchd --allow-refetch %s", s->link->peer, rows, s->n,
	    s->run->fetch->name);
}

/*
 * The headers of what is to be checked: TOP n 0, pipelined, digested here.  A
 * known one gets its row's new key.  *known_r: how many were.
 */
static int
check_headers(struct session *s, size_t *known_r, struct err *e)
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
		for (; next < s->n && in_flight < (s->logon.has_pipelining ?
		    RUN_WINDOW_MESSAGES : 1); next++) {
			if (s->items[next].plan != PLAN_CHECK)
				continue;
			pop3_send_top(&s->pop3, s->items[next].number, 0);
			in_flight++;
		}
		if (wait_event(s, &ev, e) == -1)
			return -1;
		it = item_at(s, ev.arg);
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
		struct seen_key key = key_of(s, &s->items[i]);
		int rv;

		it = &s->items[i];
		if (it->plan != PLAN_CHECK || it->digest[0] == '\0')
			continue;
		rv = seen_find_digest(s->run->seen, s->folder.id, it->digest,
		    e);
		if (rv == -1)
			return -1;
		if (rv == 0) {
			it->plan = PLAN_FETCH;
			continue;
		}
		if ((it->uid[0] != '\0' || key.uid.n > 0) &&
		    seen_rekey(s->run->seen, &key, e) == -1)
			return -1;
		(*known_r)++;
		if (plan_by_row(s, it, e) == -1)
			return -1;
	}
	return 0;
}

/* Some uids say nothing, or none is known: ask the headers. */
static int
recognise(struct session *s, bool brake, uint64_t rows, struct err *e)
{
	size_t i, known, checks = 0;
	int rv;

	for (i = 0; i < s->n; i++)
		checks += s->items[i].plan == PLAN_CHECK;
	if (checks == 0)
		return 0;
	log_info("comparing the headers of %zu messages with what was fetched "
	    "before", checks);
	if (seen_begin(s->run->seen, e) == -1)
		return -1;
	rv = check_headers(s, &known, e);
	if (rv == 0)
		rv = seen_commit(s->run->seen, e);
	else
		seen_rollback(s->run->seen);
	if (rv == 0 && brake && known == 0)
		return refuse_refetch(s, rows, e);
	return rv;
}

static int
note_listing(struct session *s, uint64_t rows, size_t known, struct err *e)
{
	size_t i;
	int rv = 0;

	if (rows == known || s->run->inbox == NULL)
		return 0;
	if (seen_begin(s->run->seen, e) == -1)
		return -1;
	rv = seen_list_begin(s->run->seen, e);
	for (i = 0; rv == 0 && i < s->n; i++) {
		struct seen_key key = key_of(s, &s->items[i]);

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

static int
make_plan(struct session *s, struct err *e)
{
	struct run *r = s->run;
	uint64_t rows;
	size_t i, known = 0;
	bool wholesale, brake;

	if (seen_count(r->seen, s->folder.id, SEEN_UNKNOWN, &rows, e) == -1)
		return -1;
	for (i = 0; i < s->n; i++) {
		struct item *it = &s->items[i];

		if (it->uid[0] == '\0')
			it->plan = PLAN_CHECK;
		else if (plan_by_row(s, it, e) == -1)
			return -1;
		known += it->known;
	}
	if (r->origin != SEEN_KEPT && r->fetch->start == 1)
		return pass_all(s, e);
	wholesale = rows >= WHOLESALE_LEAST && known == 0 &&
	    s->n >= WHOLESALE_LEAST;
	brake = (wholesale || (r->origin == SEEN_DAMAGED && !r->learned)) &&
	    s->n > 0 && !r->options->allow_refetch;
	for (i = 0; i < s->n && (wholesale || r->learned || brake); i++)
		if (s->items[i].plan == PLAN_FETCH && !s->items[i].known)
			s->items[i].plan = PLAN_CHECK;
	if (recognise(s, brake, rows, e) == -1)
		return -1;
	return note_listing(s, rows, known, e);
}

/* --- fetching ------------------------------------------------------------------------ */

static void
skip_large(struct session *s, struct item *it)
{
	struct seen_key key = key_of(s, it);
	struct err e;

	log_warn("INBOX, message %s: %" PRIu64 " bytes is over max-size: "
	    "skipped", id_of(s, it), it->size);
	s->run->skipped++;
	it->plan = PLAN_LEAVE;
	if (it->uid[0] != '\0' && s->run->inbox != NULL &&
	    seen_put(s->run->seen, &key, SEEN_SKIPPED, &e) == -1)
		log_err(&e);
}

/* Drops from the plan what the limits do not allow now. */
static void
limit_plan(struct session *s)
{
	struct run *r = s->run;
	bool full = false;
	size_t i;

	for (i = 0; i < s->n; i++) {
		struct item *it = &s->items[i];

		if (it->plan != PLAN_FETCH && it->plan != PLAN_CHECK)
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

static int
begin_message(struct session *s, struct item *it, struct err *e)
{
	struct inbox_item in = {.key = key_of(s, it),
	    .cookie = (size_t)(it - s->items), .folder = "INBOX",
	    .uid = id_of(s, it), .headers_only = it->headers};

	return inbox_begin(s->run->inbox, &in, e);
}

static int
end_message(struct session *s, struct item *it, struct err *e)
{
	enum inbox_result result;

	if (inbox_end(s->run->inbox, it->plan == PLAN_CHECK, &result, e) == -1)
		return -1;
	run_came(s->run, 1, it->size);
	switch (result) {
	case INBOX_QUEUED:
		s->fetched++;
		break;
	case INBOX_KNOWN:
		it->plan = PLAN_LEAVE;
		s->run->taken--;
		break;
	case INBOX_REFUSED:
		it->plan = PLAN_FAILED;
		s->spoiled = true;
		run_message(s->run, "INBOX", id_of(s, it), e);
		break;
	}
	return 0;
}

static int
settle(struct session *s, bool now, struct err *e)
{
	const size_t *done;
	size_t i, n;

	if (inbox_settle(s->run->inbox, now, &done, &n, e) == -1)
		return -1;
	s->run->fetched += n;
	for (i = 0; i < n; i++) {
		struct item *it = &s->items[done[i]];

		it->plan = s->run->fetch->keep == 0 && !it->headers ?
		    PLAN_DELETE : PLAN_DONE;
	}
	return 0;
}

static int
take_message_event(struct session *s, const struct pop3_ev *ev, struct err *e)
{
	struct item *it = item_at(s, ev->arg);

	switch (ev->kind) {
	case POP3_EV_REPLY:
		s->receiving = ev->ok;
		if (ev->ok)
			return begin_message(s, it, e);
		pop3_refused(ev, pop3_cmd_name(ev->cmd), e);
		it->plan = PLAN_FAILED;
		run_message(s->run, "INBOX", id_of(s, it), e);
		return 0;
	case POP3_EV_DATA:
		return inbox_data(s->run->inbox, ev->text.p, ev->text.n, e);
	case POP3_EV_END:
		s->receiving = false;
		if (end_message(s, it, e) == -1)
			return -1;
		return settle(s, false, e);
	case POP3_EV_LINE:
	case POP3_EV_CONTINUE:
		break;
	}
	return err_set(e, ERR_PROTO, "%s: an answer to nothing that was asked",
	    s->link->peer);
}

/* Keeps the window full: bytes bound it, so that it never runs dry. */
static void
send_more(struct session *s, size_t *next, size_t *flying, uint64_t *bytes)
{
	size_t most = s->logon.has_pipelining ? RUN_WINDOW_MESSAGES : 1;

	while (!s->stopping && *next < s->n && *flying < most &&
	    (*flying == 0 || *bytes < RUN_WINDOW_BYTES)) {
		struct item *it = &s->items[(*next)++];

		if (it->plan != PLAN_FETCH && it->plan != PLAN_CHECK)
			continue;
		if (it->headers)
			pop3_send_top(&s->pop3, it->number, 0);
		else
			pop3_send(&s->pop3, POP3_RETR, it->number);
		(*flying)++;
		*bytes += it->size;
	}
}

static int
retrieve(struct session *s, struct err *e)
{
	size_t next = 0, flying = 0;
	uint64_t bytes = 0, size;
	struct pop3_ev ev;
	int rv;

	for (;;) {
		send_more(s, &next, &flying, &bytes);
		if (flying == 0)
			return settle(s, true, e);
		/* A stop lets the message in hand finish, not what was asked
		 * for behind it; QUIT must not follow then. */
		if (s->stopping && !s->receiving) {
			s->spoiled = true;
			return settle(s, true, e);
		}
		rv = next_event(s, inbox_due(s->run->inbox), &ev, e);
		if (rv == -1)
			return -1;
		if (rv == 0) {
			if (settle(s, true, e) == -1)
				return -1;
			continue;
		}
		size = item_at(s, ev.arg)->size;
		if (take_message_event(s, &ev, e) == -1) {
			s->spoiled = true;
			return -1;
		}
		if (ev.kind == POP3_EV_END ||
		    (ev.kind == POP3_EV_REPLY && !ev.ok)) {
			flying--;
			bytes -= size;
		}
	}
}

/* --- deleting, and the end -------------------------------------------------------------- */

static bool
may_delete(const struct session *s)
{
	/* Gmail's "recent:" shows the last 30 days again, sent mail too. */
	return strncmp(s->link->account->user, "recent:", 7) != 0;
}

/* The answer to DELE or QUIT. */
static int
take_end(struct session *s, const struct pop3_ev *ev, struct err *e)
{
	if (ev->kind != POP3_EV_REPLY)
		return err_set(e, ERR_PROTO, "%s: an answer to nothing that "
		    "was asked", s->link->peer);
	if (ev->ok) {
		s->run->deleted += ev->cmd == POP3_DELE;
		return 0;
	}
	pop3_refused(ev, pop3_cmd_name(ev->cmd), e);
	if (ev->cmd == POP3_QUIT)
		return -1;
	run_message(s->run, "INBOX", id_of(s, item_at(s, ev->arg)), e);
	return 0;
}

/*
 * DELE for what is due, and QUIT in the same flight.  Deletions happen at
 * QUIT, so its answer counts (RFC 1939 section 6).
 */
static int
finish(struct session *s, struct err *e)
{
	size_t next = may_delete(s) && !s->run->options->dry_run ? 0 : s->n;
	size_t most = s->logon.has_pipelining ? 1000 : 1;
	bool quit = false;
	struct pop3_ev ev;

	for (;;) {
		for (; next < s->n && pop3_unanswered(&s->pop3) < most; next++)
			if (s->items[next].plan == PLAN_DELETE)
				pop3_send(&s->pop3, POP3_DELE,
				    s->items[next].number);
		if (next == s->n && !quit && pop3_unanswered(&s->pop3) < most) {
			pop3_send(&s->pop3, POP3_QUIT, 0);
			quit = true;
		}
		if (pop3_unanswered(&s->pop3) == 0)
			return 0;
		if (wait_event(s, &ev, e) == -1)
			return err_prefix(e, "before the answer to QUIT (what "
			    "was to be deleted will be in the next run)");
		if (take_end(s, &ev, e) == -1)
			return -1;
	}
}

static bool
has_plan(const struct session *s, enum plan plan)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->items[i].plan == plan)
			return true;
	return false;
}

static void
print_plan(struct session *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->items[i].plan == PLAN_FETCH ||
		    s->items[i].plan == PLAN_CHECK)
			run_list(s->run, "INBOX", id_of(s, &s->items[i]),
			    s->items[i].size);
}

static void
session_clear(struct session *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		free(s->items[i].uid);
	free(s->items);
	s->items = NULL;
	s->n = s->cap = 0;
	pop3_session_clear(&s->logon);
	pop3_clear(&s->pop3);
	link_close(s->link);
}

/* One session, deletions included where that is allowed. */
static int
run_session(struct session *s, bool delete_only, struct err *e)
{
	struct run *r = s->run;
	size_t i;

	if (log_in(s, e) == -1 || list(s, e) == -1 || make_plan(s, e) == -1)
		return -1;
	for (i = 0; delete_only && i < s->n; i++)
		if (s->items[i].plan != PLAN_DELETE)
			s->items[i].plan = PLAN_LEAVE;
	limit_plan(s);
	if (r->options->dry_run) {
		print_plan(s);
		return finish(s, e);
	}
	if (retrieve(s, e) == -1)
		return -1;
	return s->spoiled ? 0 : finish(s, e);
}

int
pop3_fetch(struct run *r, struct err *e)
{
	struct session s = {.run = r, .link = &r->link};
	bool delete_only = false, again = true;
	int rv = 0;

	if (seen_folder(r->seen, "INBOX", &s.folder, e) == -1)
		return -1;
	while (rv == 0 && again) {
		s.spoiled = false;
		s.fetched = 0;
		rv = run_session(&s, delete_only, e);
		/* What is due goes in a session of its own when this one must
		 * not end with QUIT. */
		again = s.spoiled && !delete_only && !s.stopping &&
		    has_plan(&s, PLAN_DELETE);
		delete_only = again;
		if (s.gmail && s.fetched > 0 && !s.stopping)
			again = true;
		session_clear(&s);
	}
	if (rv == 0 && r->origin != SEEN_KEPT && !r->options->dry_run)
		rv = seen_begun(r->seen, e);
	if (rv == 0)
		log_info("%" PRIu64 " fetched, %" PRIu64 " skipped, %" PRIu64
		    " deleted", r->fetched, r->skipped, r->deleted);
	return rv;
}

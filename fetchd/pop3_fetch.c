/*
 * A maildrop's plan carried out: RETR, TOP and DELE, pipelined.  Deletions
 * happen at QUIT only, and a session in which something was retrieved that
 * could not be stored is dropped without one: some servers hide what was
 * retrieved.
 */

#include "pop3_drop.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/log.h"

/* --- fetching ------------------------------------------------------------------------ */

static int
begin_message(struct drop *s, struct item *it, struct err *e)
{
	struct inbox_item in = {.key = pop3_plan_key(s, it),
	    .cookie = (size_t)(it - s->items),
	    .folder = "INBOX",
	    .uid = pop3_plan_show(s, it),
	    .headers_only = it->headers};

	return inbox_begin(s->run->inbox, &in, e);
}

static int
end_message(struct drop *s, struct item *it, struct err *e)
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
		s->spoiled = true;
		run_message(s->run, "INBOX", pop3_plan_show(s, it), e);
		return pop3_plan_failed(s, it, e);
	}
	return 0;
}

static int
settle(struct drop *s, bool now, struct err *e)
{
	const size_t *done;
	size_t i, n;

	if (inbox_settle(s->run->inbox, now, &done, &n, e) == -1)
		return -1;
	s->run->fetched += n;
	for (i = 0; i < n; i++) {
		struct item *it = &s->items[done[i]];

		it->plan = s->run->fetch->keep == 0 && !it->headers
		               ? PLAN_DELETE
		               : PLAN_DONE;
	}
	return 0;
}

static int
take_message_event(struct drop *s, const struct pop3_ev *ev, struct err *e)
{
	struct item *it = pop3_plan_item(s, ev->arg);

	switch (ev->kind) {
	case POP3_EV_REPLY:
		s->receiving = ev->ok;
		if (ev->ok)
			return begin_message(s, it, e);
		pop3_refused(ev, pop3_cmd_name(ev->cmd), e);
		run_message(s->run, "INBOX", pop3_plan_show(s, it), e);
		return pop3_plan_failed(s, it, e);
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

/* Keeps the window full: bytes bound it, so that it never runs dry.  Commands
 * go out many at a time: to send one for each message that came wakes up the
 * other side as often. */
static void
send_more(struct drop *s, size_t *next, size_t *flying, uint64_t *bytes)
{
	size_t most = s->logon.has_pipelining ? RUN_WINDOW_MESSAGES : 1;

	if (*flying > 0 && (*flying + RUN_STEP_MESSAGES > most ||
			       *bytes + RUN_STEP_BYTES > RUN_WINDOW_BYTES))
		return;
	while (!s->stopping && *next < 2 * s->n && *flying < most &&
	       (*flying == 0 || *bytes < RUN_WINDOW_BYTES)) {
		struct item *it = pop3_plan_turn(s, (*next)++);

		if (it == NULL ||
		    (it->plan != PLAN_FETCH && it->plan != PLAN_CHECK))
			continue;
		if (it->headers)
			pop3_send_top(&s->pop3, it->number, 0);
		else
			pop3_send(&s->pop3, POP3_RETR, it->number);
		(*flying)++;
		*bytes += it->size;
	}
}

/*
 * The connection is lost: what came whole is kept, and the message that broke
 * it, if one did, shall not keep the others from coming.
 */
static int
lose(struct drop *s, struct err *e)
{
	struct item *it = pop3_plan_item(s, pop3_awaited(&s->pop3));
	struct err local;

	if (e->kind != ERR_LOCAL &&
	    ((it != NULL && pop3_plan_failed(s, it, &local) == -1) ||
		settle(s, true, &local) == -1))
		*e = local;
	return -1;
}

static int
retrieve(struct drop *s, struct err *e)
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
		rv = pop3_conn_event(s, inbox_due(s->run->inbox), &ev, e);
		if (rv == -1)
			return lose(s, e);
		if (rv == 0) {
			if (settle(s, true, e) == -1)
				return -1;
			continue;
		}
		size = pop3_plan_item(s, ev.arg)->size;
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
may_delete(const struct drop *s)
{
	/* Gmail's "recent:" shows the last 30 days again, sent mail too. */
	return strncmp(s->link->account->user, "recent:", 7) != 0;
}

/* Deletions have happened: what is listed under these uids from now on may be
 * other mail. */
static int
note_deleted(struct drop *s, struct err *e)
{
	size_t i;
	int rv;

	if (s->run->deleted == 0)
		return 0;
	rv = seen_begin(s->run->seen, e);
	for (i = 0; rv == 0 && i < s->n; i++) {
		struct seen_key key = pop3_plan_key(s, &s->items[i]);

		if (s->items[i].deleted)
			rv = seen_gone(s->run->seen, &key, e);
	}
	if (rv == 0)
		return seen_commit(s->run->seen, e);
	seen_rollback(s->run->seen);
	return -1;
}

/* The answer to DELE or QUIT. */
static int
take_end(struct drop *s, const struct pop3_ev *ev, struct err *e)
{
	struct item *it;

	if (ev->kind != POP3_EV_REPLY)
		return err_set(e, ERR_PROTO,
		    "%s: an answer to nothing that was asked", s->link->peer);
	if (!ev->ok)
		pop3_refused(ev, pop3_cmd_name(ev->cmd), e);
	if (ev->cmd == POP3_QUIT)
		return ev->ok ? note_deleted(s, e) : -1;
	it = pop3_plan_item(s, ev->arg);
	it->deleted = ev->ok;
	if (ev->ok)
		s->run->deleted++;
	else
		run_message(s->run, "INBOX", pop3_plan_show(s, it), e);
	return 0;
}

/* The connection ended before the answer to QUIT, which matters only when
 * something was to be deleted. */
static int
lost_end(struct drop *s, struct err *e)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->items[i].plan == PLAN_DELETE && may_delete(s))
			return err_prefix(e,
			    "before the answer to QUIT (what was to be "
			    "deleted will be in the next run)");
	log_info("%s", e->text);
	return 0;
}

/*
 * DELE for what is due, and QUIT in the same flight.  Deletions happen at
 * QUIT, so its answer counts (RFC 1939 section 6).
 */
static int
finish(struct drop *s, struct err *e)
{
	size_t next = may_delete(s) && !s->run->options->dry_run ? 0 : s->n;
	size_t most = s->logon.has_pipelining ? 1000 : 1;
	bool quit = false;
	struct pop3_ev ev;

	for (;;) {
		for (; next < s->n && pop3_unanswered(&s->pop3) < most; next++)
			if (s->items[next].plan == PLAN_DELETE)
				pop3_send(
				    &s->pop3, POP3_DELE, s->items[next].number);
		if (next == s->n && !quit && pop3_unanswered(&s->pop3) < most) {
			pop3_send(&s->pop3, POP3_QUIT, 0);
			quit = true;
		}
		if (pop3_unanswered(&s->pop3) == 0)
			return 0;
		if (pop3_conn_wait(s, &ev, e) == -1)
			return lost_end(s, e);
		if (take_end(s, &ev, e) == -1)
			return -1;
	}
}

static bool
has_plan(const struct drop *s, enum plan plan)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->items[i].plan == plan)
			return true;
	return false;
}

static void
print_plan(struct drop *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->items[i].plan == PLAN_FETCH ||
		    s->items[i].plan == PLAN_CHECK)
			run_list(s->run, "INBOX",
			    pop3_plan_show(s, &s->items[i]), s->items[i].size);
}

/* One session, deletions included where that is allowed. */
static int
run_session(struct drop *s, struct err *e)
{
	if (pop3_conn_open(s, e) == -1 || pop3_plan_list(s, e) == -1 ||
	    pop3_plan_make(s, e) == -1)
		return -1;
	if (s->run->options->dry_run) {
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
	struct drop s = {.run = r, .link = &r->link};
	bool again = true;
	int rv = 0;

	if (seen_folder(r->seen, "INBOX", &s.folder, e) == -1)
		return -1;
	while (rv == 0 && again) {
		s.spoiled = false;
		s.fetched = 0;
		rv = run_session(&s, e);
		/* What is due goes in a session of its own when this one must
		 * not end with QUIT. */
		s.delete_only = s.spoiled && !s.delete_only && !s.stopping &&
		                has_plan(&s, PLAN_DELETE);
		again = s.delete_only ||
		        (s.logon.gmail && s.fetched > 0 && !s.stopping);
		pop3_conn_close(&s);
	}
	if (rv == 0)
		rv = run_begun(r, e);
	if (rv == 0)
		log_info("%" PRIu64 " fetched, %" PRIu64 " skipped, %" PRIu64
			 " deleted",
		    r->fetched, r->skipped, r->deleted);
	return rv;
}

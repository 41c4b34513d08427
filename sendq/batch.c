/*
 * What becomes of the messages a worker has taken up.
 */

#include "batch.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/mem.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/stop.h"
#include "tend.h"

#define LOSSES_MAX 2

static int64_t
now_s(void)
{
	return clock_wall_us() / 1000000;
}

/* --- taking messages up ---------------------------------------------------------- */

static bool
is_stuck(const struct batch *b, const char *id)
{
	size_t i;

	for (i = 0; i < b->stuck.n; i++)
		if (strcmp(b->stuck.v[i], id) == 0)
			return true;
	return false;
}

static void
stick(struct batch *b, const char *id, const struct err *e)
{
	log_error("%s: %s", id, e->text);
	batch_worsen(b, err_exit(e));
	if (!is_stuck(b, id))
		words_add(&b->stuck, id);
}

static bool
is_due(const struct envelope *env, int64_t now)
{
	struct uidset due;
	bool any;

	uidset_init(&due);
	envelope_due(env, now, &due);
	any = !uidset_empty(&due);
	uidset_clear(&due);
	return any;
}

static bool
concerns(const struct batch *b, const struct envelope *env, int64_t now)
{
	return strcmp(env->account, b->send->name) == 0 &&
	       (tend_needed(b->send, env, now) ||
		   (!b->waits && is_due(env, now)));
}

/* A look, without its lock. */
static bool
is_wanted(struct batch *b, const char *id, int64_t now)
{
	struct err e = {0};
	struct message m;
	int rv;
	bool wanted;

	rv = message_open(b->queue, id, false, QUEUE_LOOK, &m, NULL, &e);
	if (rv == -1)
		stick(b, id, &e);
	if (rv != 1)
		return false;
	wanted = concerns(b, &m.env, now);
	message_close(&m);
	return wanted;
}

/* As an exit code. */
static void
tell(struct batch *b, bool failed, bool late)
{
	if (failed)
		batch_worsen(b, EX_UNAVAILABLE);
	if (late)
		batch_worsen(b, EX_TEMPFAIL);
}

/* With the lock: what is to be mended, and what is to be sent. */
static void
take_up(struct batch *b, struct message *m, int64_t now)
{
	struct parcel *p = &b->parcels[b->n];
	struct err e = {0};
	bool doubt = false;

	if (tend_mend(b->send, &b->copies, m, now, &doubt, &e) == -1)
		stick(b, m->id, &e);
	tell(b, false, doubt);
	*p = (struct parcel){.message = m};
	uidset_init(&p->rcpts);
	uidset_init(&b->tried[b->n]);
	if (b->waits || is_stuck(b, m->id))
		return;
	envelope_due(&m->env, now, &p->rcpts);
	if (uidset_empty(&p->rcpts) || message_body(m, &e) == 0)
		return;
	stick(b, m->id, &e);
	uidset_clear(&p->rcpts);
}

bool
batch_wants(struct batch *b, const char *id)
{
	struct err e = {0};
	struct message m;
	bool wanted;

	if (is_stuck(b, id) || !is_wanted(b, id, now_s()) ||
	    message_open(b->queue, id, false, QUEUE_TAKE, &m, NULL, &e) != 1)
		return false;
	wanted = concerns(b, &m.env, now_s());
	message_close(&m);
	return wanted;
}

int
batch_take(struct batch *b, const char *id)
{
	struct message *m = &b->held[b->n];
	int64_t now = now_s();
	struct err e = {0};
	int rv;

	if (is_stuck(b, id) || !is_wanted(b, id, now))
		return 0;
	/* Alone here, nobody else has it for long. */
	rv = message_open(b->queue, id, false,
	    b->send->connections > 1 ? QUEUE_TAKE : QUEUE_WAIT, m, NULL, &e);
	if (rv == -1)
		stick(b, id, &e);
	if (rv != 1)
		return 0;
	if (!concerns(b, &m->env, now)) {
		message_close(m);
		return 0;
	}
	take_up(b, m, now);
	b->n++;
	return 1;
}

/* --- sending ------------------------------------------------------------------- */

/* Whether it counts for the limits: sent, or perhaps. What is still "sending"
 * could not be recorded. */
static bool
is_used(const struct rcpt *r)
{
	return r->state == RCPT_SENT || r->state == RCPT_SENDING ||
	       r->uncertain;
}

/* What is settled leaves the parcels. Returns how many of it count. */
static uint64_t
sort_out(struct batch *b, struct parcel *p, int64_t now)
{
	struct uidset *tried = &b->tried[p - b->parcels];
	const struct envelope *env = &p->message->env;
	const struct rcpt *r;
	uint64_t it = 0, used = 0;
	struct uidset due;
	uint32_t number;

	uidset_init(&due);
	envelope_due(env, now, &due);
	while (uidset_next(&p->rcpts, &it, &number)) {
		if (uidset_has(&due, number))
			continue;
		r = &env->rcpts[number - 1];
		uidset_del(&p->rcpts, number, number);
		uidset_add(tried, number, number);
		used += is_used(r);
		/* What waits for the time it was given is not late. */
		tell(b, r->state == RCPT_FAILED,
		    r->state == RCPT_WAITING && r->next != env->hold_until);
	}
	uidset_clear(&due);
	return used;
}

static bool
open_session(struct batch *b)
{
	struct err e;

	if (b->submit.open)
		return true;
	submit_close(&b->submit);
	if (submit_open(&b->submit, &e) == 0) {
		batch_note_size(b);
		return true;
	}
	batch_suspend(b, b->submit.last, &e);
	return false;
}

/* The session is over before its time: whether another one makes sense. */
static bool
try_again(struct batch *b, bool progress, const struct err *e)
{
	submit_close(&b->submit);
	b->losses = progress ? 0 : b->losses + 1;
	if (b->submit.last.scope == OUTCOME_ACCOUNT ||
	    b->losses >= LOSSES_MAX) {
		batch_suspend(b, b->submit.last, e);
		return false;
	}
	log_info("%s; connecting again", e->text);
	return true;
}

/* One session after the other broke off at a message of which nothing was
 * recorded: it may well be the reason, and so was tried. */
static void
blame(struct batch *b)
{
	struct uidset *set;
	uint64_t it = 0;
	uint32_t number;
	size_t i;

	for (i = 0; i < b->n && uidset_empty(&b->parcels[i].rcpts); i++)
		;
	if (i == b->n || b->losses < LOSSES_MAX || stop_requested() ||
	    b->submit.last.scope == OUTCOME_ACCOUNT ||
	    b->submit.last.pace == PACE_NEXT)
		return;
	set = &b->parcels[i].rcpts;
	while (uidset_next(set, &it, &number))
		uidset_add(&b->tried[i], number, number);
}

/* One session after the other, until all is settled or has to wait. */
static uint64_t
submit(struct batch *b, int64_t now)
{
	uint64_t used = 0, before;
	struct err e;
	size_t i;
	int rv;

	while ((before = batch_count(b)) > 0 && !stop_requested() &&
	       open_session(b)) {
		rv = submit_batch(&b->submit, b->parcels, b->n, &e);
		for (i = 0; i < b->n; i++)
			used += sort_out(b, &b->parcels[i], now);
		if (batch_count(b) < before)
			batch_resume(b);
		if (rv == -1 && !try_again(b, batch_count(b) < before, &e)) {
			blame(b);
			break;
		}
	}
	return used;
}

static void
send_all(struct batch *b)
{
	struct err e = {0};
	uint64_t got, used;

	if (batch_reserve(b, &got, &e) == -1) {
		log_err(&e);
		batch_worsen(b, err_exit(&e));
		b->waits = true;
		return;
	}
	used = submit(b, now_s());
	if (batch_give_back(b, got, used, &e) == -1)
		log_err(&e);
}

/* --- afterwards ------------------------------------------------------------------ */

static void
copy_all(struct batch *b)
{
	struct message *list[BATCH_MAX];
	struct err e = {0};
	size_t i;

	for (i = 0; i < b->n; i++)
		list[i] = &b->held[i];
	if (copies_sent(&b->copies, list, b->n, &e) == 0)
		return;
	/* None of them is over as long as its copy lacks. */
	for (i = 0; i < b->n; i++)
		if (copies_lacking(&b->copies, list[i]))
			stick(b, list[i]->id, &e);
}

/* When all was tried, and not when a stop came between. */
static void
age_all(struct batch *b, int64_t now)
{
	struct err e = {0};
	bool failed;
	size_t i;

	for (i = 0; i < b->n && !stop_requested(); i++) {
		failed = false;
		if (is_stuck(b, b->held[i].id))
			continue;
		if (tend_age(b->send, &b->copies, &b->held[i], now,
			&b->tried[i], &failed, &e) == -1)
			stick(b, b->held[i].id, &e);
		tell(b, failed, false);
	}
}

static void
report_all(struct batch *b)
{
	struct err e = {0};
	size_t i;

	for (i = 0; i < b->n; i++)
		if (copies_report(&b->copies, &b->held[i], false, &e) == -1)
			stick(b, b->held[i].id, &e);
}

static void
sync_all(struct batch *b)
{
	struct err e = {0};
	size_t i;

	for (i = 0; i < b->n; i++)
		if (b->held[i].dirty)
			message_start_sync(&b->held[i]);
	for (i = 0; i < b->n; i++)
		if (b->held[i].dirty && message_sync(&b->held[i], &e) == -1)
			stick(b, b->held[i].id, &e);
}

static void
finish_all(struct batch *b)
{
	struct message *list[BATCH_MAX];
	struct err e = {0};
	size_t i, n = 0;

	for (i = 0; i < b->n; i++)
		if (envelope_finished(&b->held[i].env) &&
		    !copies_lacking(&b->copies, &b->held[i]) &&
		    !is_stuck(b, b->held[i].id))
			list[n++] = &b->held[i];
	if (n == 0 || message_finish(list, n, &e) == 0)
		return;
	for (i = 0; i < n; i++)
		stick(b, list[i]->id, &e);
}

/* What came to nothing does so a second time: not again in this run. */
static void
put_down(struct batch *b)
{
	struct message *m;
	size_t i;

	for (i = 0; i < b->n; i++) {
		m = &b->held[i];
		if (!m->changed && !is_stuck(b, m->id))
			words_add(&b->stuck, m->id);
		uidset_clear(&b->parcels[i].rcpts);
		uidset_clear(&b->tried[i]);
		message_close(m);
	}
	b->n = 0;
}

void
batch_flush(struct batch *b)
{
	if (b->n == 0)
		return;
	send_all(b);
	age_all(b, now_s());
	copy_all(b);
	report_all(b);
	sync_all(b);
	finish_all(b);
	put_down(b);
}

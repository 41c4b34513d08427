/*
 * A batch's fate: replies, in the order of what was written, become outcomes.
 */

#include <stdlib.h>
#include <string.h>

#include "flight.h"
#include "os/clock.h"
#include "os/log.h"

static bool
is_pipelined(const struct flight *f)
{
	return smtp_has(&f->s->smtp.caps, SMTP_EXT_PIPELINING) ||
	       smtp_has(&f->s->smtp.caps, SMTP_EXT_CHUNKING);
}

/* An outcome that is for more than this message ends the session. */
static void
judge(struct flight *f, const struct smtp_ev *ev, struct outcome o)
{
	struct err e;

	if (o.verdict == OUTCOME_GOOD ||
	    (o.scope != OUTCOME_SESSION && o.scope != OUTCOME_ACCOUNT))
		return;
	smtp_refused(ev, f->s->link.peer, &e);
	flight_end(f, o, &e);
}

/* What the reply means for these recipients. */
static void
settle(struct flight *f, struct txn *t, const struct uidset *set,
    const struct smtp_ev *ev, struct outcome o)
{
	char *text = smtp_show(ev);

	judge(f, ev, o);
	flight_settle(f, t, set, o, text);
	free(text);
}

static void
settle_seats(struct flight *f, struct txn *t, unsigned int seats,
    const struct smtp_ev *ev, struct outcome o)
{
	struct uidset set;

	uidset_init(&set);
	flight_seats(t, seats, &set);
	settle(f, t, &set, ev, o);
	uidset_clear(&set);
}

static void
settle_one(struct flight *f, struct txn *t, size_t i, const struct smtp_ev *ev,
    struct outcome o)
{
	struct uidset one;

	uidset_init(&one);
	uidset_add(&one, t->rcpts[i], t->rcpts[i]);
	settle(f, t, &one, ev, o);
	uidset_clear(&one);
}

/* --- getting out of step ----------------------------------------------------- */

static bool
has_taken(const struct txn *t)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->seats[i] == SEAT_TAKEN)
			return true;
	return false;
}

/* Exim's 554 for what came sooner than it likes, behind which it hangs up. */
static bool
is_too_soon(const struct flight *f, const struct smtp_ev *ev)
{
	static const char *const words[] = {"synchroni", NULL};

	return ev->code == 554 && is_pipelined(f) && span_says(ev->text, words);
}

/*
 * Whether the refusal is not of the mail but of a command that was lost on its
 * way or is not known: a middlebox that swallows commands, or one that lets
 * the reply to EHLO pass and knows no BDAT.
 */
static bool
is_out_of_step(
    const struct flight *f, const struct txn *t, const struct smtp_ev *ev)
{
	bool body = ev->cmd == SMTP_BDAT || ev->cmd == SMTP_DATA;

	/* What follows a refusal is refused for that reason. */
	if (!is_pipelined(f) || t->refused || (body && !has_taken(t)))
		return false;
	return ev->code == 503 ||
	       (ev->cmd == SMTP_BDAT && (ev->code == 500 || ev->code == 502));
}

/* The session cannot go on: -1. */
static int
out_of_step(struct flight *f, const struct smtp_ev *ev, struct err *e)
{
	char *reply = smtp_show(ev);

	f->s->cautious = true;
	/* Who does not know BDAT has taken nothing that came by it. */
	f->farewell = ev->code != 503;
	err_set(e, ERR_TEMP,
	    "%s: out of step at %s (%s); on without pipelining",
	    f->s->link.peer, smtp_cmd_name(ev->cmd), reply);
	free(reply);
	return -1;
}

static void
too_soon(struct flight *f, struct txn *t, const struct smtp_ev *ev)
{
	struct outcome o = {.verdict = OUTCOME_RETRY, .scope = OUTCOME_SESSION};
	struct uidset set;

	f->s->cautious = f->farewell = true;
	judge(f, ev, o);
	uidset_init(&set);
	flight_seats(t,
	    SEAT_BIT(SEAT_ASKED) | SEAT_BIT(SEAT_TAKEN) | SEAT_BIT(SEAT_NEXT),
	    &set);
	flight_unsent(f, t, &set);
	uidset_clear(&set);
}

/* --- replies ------------------------------------------------------------------ */

static void
on_mail(struct flight *f, struct txn *t, const struct smtp_ev *ev)
{
	if (ev->code / 100 == 2)
		return;
	t->refused = true;
	settle_seats(f, t, SEAT_BIT(SEAT_ASKED), ev, outcome_of_reply(ev));
}

static void
on_rcpt(struct flight *f, struct txn *t, const struct smtp_ev *ev)
{
	size_t i = ev->cookie;
	struct outcome o;

	t->unanswered--;
	if (t->refused || t->seats[i] != SEAT_ASKED)
		return;
	o = outcome_of_reply(ev);
	if (o.verdict == OUTCOME_GOOD)
		t->seats[i] = SEAT_TAKEN;
	else if (o.pace == PACE_NEXT && o.verdict == OUTCOME_RETRY &&
		 has_taken(t))
		t->seats[i] = SEAT_NEXT;
	else {
		/* With none in its place, another would fare no better. */
		if (o.pace == PACE_NEXT && o.scope == OUTCOME_RECIPIENT)
			o.pace = PACE_NORMAL;
		settle_one(f, t, i, ev, o);
	}
}

static void
on_data(struct flight *f, struct txn *t, const struct smtp_ev *ev)
{
	t->go = ev->code == 354;
	t->no_go = !t->go;
	if (t->no_go)
		settle_seats(f, t, SEAT_BIT(SEAT_TAKEN) | SEAT_BIT(SEAT_NEXT),
		    ev, outcome_of_reply(ev));
}

/* Those that found no place go with another transaction, unless the message
 * itself was refused. */
static void
on_body_end(
    struct flight *f, struct txn *t, const struct smtp_ev *ev, struct outcome o)
{
	if (o.verdict != OUTCOME_GOOD && o.scope == OUTCOME_MESSAGE &&
	    !f->s->smtp.lmtp)
		settle_seats(f, t, SEAT_BIT(SEAT_NEXT), ev, o);
	/* Postfix forgets no transaction whose content it has refused. */
	f->s->clean = ev->code / 100 == 2 && smtp_unanswered(&f->s->smtp) == 0;
	flight_over(f, t);
	flight_again(f, t);
}

static void
on_body(struct flight *f, struct txn *t, const struct smtp_ev *ev)
{
	struct outcome o = {.verdict = OUTCOME_GOOD};

	if (!t->refused && has_taken(t)) {
		o = outcome_of_reply(ev);
		if (f->s->smtp.lmtp)
			settle_one(f, t, ev->cookie, ev, o);
		else
			settle_seats(f, t, SEAT_BIT(SEAT_TAKEN), ev, o);
	}
	if (ev->last)
		on_body_end(f, t, ev, o);
}

/* What comes in the middle of a body that DATA began is the answer to it, and
 * as a rule the last word. */
static int
on_unasked(struct flight *f, const struct smtp_ev *ev, struct err *e)
{
	struct outcome again = {.verdict = OUTCOME_RETRY,
	    .scope = OUTCOME_SESSION,
	    .pace = PACE_NORMAL};
	struct txn *t = &f->txns[f->reading];
	struct smtp_ev dot = *ev;

	judge(f, ev, again);
	if (ev->code == 421 && !t->go)
		return 0;
	if (t->go && !t->over && ev->code / 100 > 3) {
		dot.cmd = SMTP_DOT;
		f->broken = true;
		settle_seats(f, t, SEAT_BIT(SEAT_TAKEN) | SEAT_BIT(SEAT_NEXT),
		    &dot, outcome_of_reply(&dot));
		flight_over(f, t);
		return 0;
	}
	f->s->cautious = true;
	*e = f->why;
	return -1;
}

static void
on_answer(struct flight *f, struct txn *t, const struct smtp_ev *ev)
{
	switch (ev->cmd) {
	case SMTP_MAIL:
		on_mail(f, t, ev);
		break;
	case SMTP_RCPT:
		on_rcpt(f, t, ev);
		break;
	case SMTP_DATA:
		on_data(f, t, ev);
		break;
	case SMTP_DOT:
	case SMTP_BDAT:
		on_body(f, t, ev);
		break;
	case SMTP_RSET:
		if (ev->code == 421)
			judge(f, ev, outcome_of_reply(ev));
		break;
	case SMTP_GREETING:
	case SMTP_EHLO:
	case SMTP_LHLO:
	case SMTP_HELO:
	case SMTP_STARTTLS:
	case SMTP_AUTH:
	case SMTP_NOOP:
	case SMTP_QUIT:
		break;
	}
}

static int
on_reply(struct flight *f, const struct smtp_ev *ev, struct err *e)
{
	struct txn *t;

	f->since = clock_ms();
	f->farewell = ev->code == 421;
	if (ev->kind == SMTP_EV_UNASKED)
		return on_unasked(f, ev, e);
	if (ev->cmd == SMTP_MAIL)
		f->reading = ev->cookie;
	t = &f->txns[f->reading];
	if (is_out_of_step(f, t, ev))
		return out_of_step(f, ev, e);
	if (is_too_soon(f, ev))
		too_soon(f, t, ev);
	on_answer(f, t, ev);
	return 0;
}

/* --- waiting ------------------------------------------------------------------ */

/* The connection is broken, but what came before that may still be there. */
static void
read_rest(struct flight *f)
{
	struct link *l = &f->s->link;
	enum pump_result moved = PUMP_MOVED;
	struct err ignored;

	buf_reset(&l->wire.out);
	l->pump.stop_fd = -1;
	while (moved == PUMP_MOVED && !l->wire.eof && buf_room(&l->wire.in) > 0)
		if (pump_poll(&l->pump, &moved, &ignored) == -1)
			break;
}

static int
no_reply(const struct flight *f, enum smtp_cmd cmd, struct err *e)
{
	return err_set(e, ERR_TEMP, "no reply to %s from %s for %lld s",
	    smtp_cmd_name(cmd), f->s->link.peer,
	    (long long)(submit_patience(f->s, cmd) / 1000));
}

/* A stop lets what was begun come to its end. */
static int
await(struct flight *f, struct err *e)
{
	struct link *l = &f->s->link;
	uint64_t out = l->pump.bytes_out;
	enum pump_result moved;
	enum smtp_cmd cmd = SMTP_DOT;
	int64_t deadline = 0;

	if (l->wire.out.len == 0 && smtp_awaits(&f->s->smtp, &cmd))
		deadline = f->since + submit_patience(f->s, cmd);
	if (link_wait(l, deadline, &moved, e) == -1) {
		read_rest(f);
		return -1;
	}
	if (l->pump.bytes_out > out)
		f->since = clock_ms();
	if (moved == PUMP_IDLE)
		return no_reply(f, cmd, e);
	if (moved == PUMP_STOP) {
		l->pump.stop_fd = -1;
		f->ending = true;
		f->s->open = false;
	}
	return 0;
}

static int
take(struct flight *f, struct err *e)
{
	struct smtp *p = &f->s->smtp;
	struct smtp_ev ev;
	int rv;

	while ((rv = smtp_next(p, &ev, e)) == 1)
		if (on_reply(f, &ev, e) == -1)
			return -1;
	return rv;
}

#define TELL_MS 100

static void
tell(struct flight *f, uint64_t octets)
{
	struct submit *s = f->s;
	int64_t now = clock_ms();

	s->progress.bytes += octets;
	if (now - s->told < TELL_MS)
		return;
	s->told = now;
	ask_progress(s->link.ask_fd, &s->progress);
}

int
flight_hear(struct flight *f, struct err *e)
{
	uint64_t out = f->s->link.pump.bytes_out;
	struct err lost;
	int rv = await(f, &lost);

	tell(f, f->s->link.pump.bytes_out - out);

	if (take(f, e) == 0) {
		if (rv == -1)
			*e = lost;
	} else
		rv = -1;
	if (rv == 0)
		flight_mark_next(f);
	flight_sync(f);
	/* Whatever it was, the next session takes no risk. */
	if (rv == -1 && is_pipelined(f) && !f->farewell)
		f->s->cautious = true;
	return rv;
}

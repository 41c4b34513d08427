/*
 * A batch's way out: commands and bodies are put on the wire as far as the
 * core allows, the window of doubt has room, and the buffer is not full.
 */

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "flight.h"
#include "os/clock.h"
#include "os/log.h"

#define COMMAND_ROOM 4096 /* the longest, with all its parameters, is shorter */
#define PIECE 32768
#define FULL (256 * 1024) /* of wire.out: a body waits until there is less */

static struct txn *
current(struct flight *f)
{
	return &f->txns[f->writing];
}

static struct cargo *
cargo(struct flight *f)
{
	return &f->cargos[current(f)->parcel];
}

static int
next_txn(struct flight *f)
{
	f->writing++;
	f->leg = LEG_RSET;
	return 1;
}

/* What is left of the transaction is not worth writing. */
static int
skip(struct flight *f)
{
	flight_over(f, current(f));
	return next_txn(f);
}

static int
go_on(struct flight *f, enum leg leg)
{
	f->leg = leg;
	return 1;
}

/* Whether a command may be written, and has room. */
static bool
may(const struct flight *f, enum smtp_cmd cmd)
{
	return buf_room(&f->s->link.wire.out) >= COMMAND_ROOM &&
	       smtp_may_send(&f->s->smtp, cmd);
}

/* All recipients that were not settled are, by this error. */
static void
refuse(struct flight *f, struct txn *t, const struct err *e)
{
	struct uidset set;

	uidset_init(&set);
	flight_seats(t,
	    SEAT_BIT(SEAT_ASKED) | SEAT_BIT(SEAT_TAKEN) | SEAT_BIT(SEAT_NEXT),
	    &set);
	flight_settle_err(f, t, &set, e);
	uidset_clear(&set);
}

/* Whether there is anyone to send it to. */
static bool
is_wanted(const struct txn *t)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->seats[i] == SEAT_ASKED || t->seats[i] == SEAT_TAKEN)
			return true;
	return false;
}

/* --- a transaction's legs: 1: on to the next; 0: it has to wait; -1 --------- */

/*
 * One that ended with the reply to its body needs none, but of what is in
 * flight nobody knows whether it did (RFC 3030 section 2).
 */
static int
put_rset(struct flight *f, struct err *e)
{
	struct submit *s = f->s;

	if (s->messages >= s->limit) {
		s->open = false;
		f->ending = true;
	}
	if (f->ending)
		return 0;
	if (s->clean)
		return go_on(f, LEG_MAIL);
	if (!may(f, SMTP_RSET))
		return 0;
	/* Without pipelining all is answered here, and it may be clean. */
	s->clean = true;
	return smtp_send(&s->smtp, SMTP_RSET, NULL, e) == -1
	           ? -1
	           : go_on(f, LEG_MAIL);
}

static int
load(struct flight *f, struct txn *t, struct err *e)
{
	struct message *m = flight_message(f, t);
	struct cargo *c = &f->cargos[t->parcel];

	if (f->loaded[t->parcel])
		return 0;
	if (cargo_open(c, m, &f->s->smtp.caps, e) == -1) {
		cargo_close(c);
		return -1;
	}
	f->loaded[t->parcel] = true;
	return 0;
}

/* The server's promise, given in the clear, is anybody's (RFC 8689 4.2.1). */
static int
check_tls(const struct flight *f, const struct envelope *env, struct err *e)
{
	const struct link *l = &f->s->link;

	if (!env->require_tls || l->pump.tls != NULL)
		return 0;
	return err_code(e, ERR_MESSAGE, EX_UNAVAILABLE,
	    "the message is to go by TLS alone (require-tls), and the "
	    "connection to %s has no TLS: use submissions://",
	    l->peer);
}

/* What asks the server to keep it for a while, and how long still. */
static uint64_t
hold_for(const struct envelope *env)
{
	int64_t left = env->hold_until - clock_wall_us() / 1000000;

	return left > 0 ? (uint64_t)left : 0;
}

/* A server that cannot keep it gets it when its time has come. */
static bool
keep_here(struct flight *f, struct txn *t, uint64_t hold)
{
	const struct smtp_caps *c = &f->s->smtp.caps;
	struct uidset set;

	if (hold == 0 ||
	    (smtp_has(c, SMTP_EXT_FUTURE) && (c->hold == 0 || hold <= c->hold)))
		return false;
	uidset_init(&set);
	flight_seats(t, SEAT_BIT(SEAT_ASKED), &set);
	flight_keep(f, t, &set, flight_message(f, t)->env.hold_until,
	    "kept here until its time: the server offers no FUTURERELEASE");
	uidset_clear(&set);
	return true;
}

static int
put_mail(struct flight *f)
{
	struct txn *t = current(f);
	const struct envelope *env = &flight_message(f, t)->env;
	struct smtp_mail m = {.require_tls = env->require_tls,
	    .hold = hold_for(env),
	    .ret = (enum smtp_ret)env->ret,
	    .envid = env->envid};
	struct err e;

	if (f->ending || !may(f, SMTP_MAIL))
		return 0;
	if (check_tls(f, env, &e) == -1 || load(f, t, &e) == -1) {
		refuse(f, t, &e);
		return skip(f);
	}
	if (keep_here(f, t, m.hold))
		return skip(f);
	m.sender = cargo(f)->sender;
	m.size = cargo(f)->size;
	m.eight_bit = cargo(f)->eight_bit;
	m.utf8 = cargo(f)->utf8;
	if (smtp_mail(&f->s->smtp, &m, (uint32_t)f->writing, &e) == -1) {
		refuse(f, t, &e);
		return skip(f);
	}
	t->begun = true;
	f->s->clean = false;
	f->s->messages++;
	return go_on(f, LEG_RCPT);
}

/* We refuse this one ourselves. */
static void
leave_out(struct flight *f, struct txn *t, size_t i, const struct err *e)
{
	struct uidset one;

	uidset_init(&one);
	uidset_add(&one, t->rcpts[i], t->rcpts[i]);
	flight_settle_err(f, t, &one, e);
	uidset_clear(&one);
}

static void
put_rcpt(struct flight *f, struct txn *t, size_t i)
{
	const struct envelope *env = &flight_message(f, t)->env;
	const struct rcpt *to = &env->rcpts[t->rcpts[i] - 1];
	struct smtp_rcpt r = {.notify = env->notify, .orcpt = to->original};
	char *address = NULL;
	struct err e;

	if (r.orcpt == NULL && env->notify != 0)
		r.orcpt = to->address;
	if (cargo_address(cargo(f), to->address, &address, &e) == -1 ||
	    (r.address = address,
		smtp_rcpt(&f->s->smtp, &r, (uint32_t)i, &e) == -1))
		leave_out(f, t, i, &e);
	else
		t->unanswered++;
	free(address);
}

static int
put_rcpts(struct flight *f)
{
	struct txn *t = current(f);

	for (; t->said < t->n && !t->refused; t->said++) {
		if (!may(f, SMTP_RCPT))
			return 0;
		put_rcpt(f, t, t->said);
	}
	return go_on(f, LEG_START);
}

/*
 * DATA or BDAT.  What is larger than the window is announced only when someone
 * wants it: it cannot be taken back.
 */
static int
put_start(struct flight *f, struct err *e)
{
	struct txn *t = current(f);
	bool chunk = smtp_has(&f->s->smtp.caps, SMTP_EXT_CHUNKING);
	uint64_t size = cargo(f)->size;
	int rv;

	if (!is_wanted(t))
		return skip(f);
	if (!may(f, chunk ? SMTP_BDAT : SMTP_DATA) ||
	    (chunk && size > FLIGHT_WINDOW && t->unanswered > 0))
		return 0;
	if (!chunk) {
		smtp_data(&f->s->smtp, (uint32_t)f->writing);
		return go_on(f, LEG_GO);
	}
	if (size <= PIECE && (rv = flight_mark(f, e)) != 1)
		return rv;
	smtp_bdat(&f->s->smtp, size, (uint32_t)f->writing);
	return go_on(f, LEG_BODY);
}

/* Behind a 354 that should not have come, there has to be a dot nevertheless
 * (RFC 2920 section 3.1). */
static int
put_go(struct flight *f, struct err *e)
{
	struct txn *t = current(f);

	if (t->no_go)
		return skip(f);
	if (!t->go)
		return 0;
	if (is_wanted(t))
		return go_on(f, LEG_BODY);
	return smtp_dot(&f->s->smtp, (uint32_t)f->writing, e) == -1
	           ? -1
	           : next_txn(f);
}

/* All of it is in the buffer: where it ends. */
static int
ended(struct flight *f, struct txn *t)
{
	t->end = f->s->link.pump.bytes_out + f->s->link.wire.out.len;
	return next_txn(f);
}

static int
put_body(struct flight *f, struct err *e)
{
	struct txn *t = current(f);
	struct smtp *p = &f->s->smtp;
	uint64_t left = cargo(f)->size - t->put;
	char piece[PIECE];
	ssize_t n;
	int rv;

	if (t->over && left > FLIGHT_WINDOW)
		return err_set(e, ERR_TEMP, "refused before it was all sent");
	if (left <= PIECE && (rv = flight_mark(f, e)) != 1)
		return rv;
	if (left > 0) {
		if (f->s->link.wire.out.len >= FULL)
			return 0;
		n = cargo_read(cargo(f), t->put, piece,
		    left < PIECE ? (size_t)left : PIECE, e);
		if (n == -1 ||
		    smtp_body(p, span_bytes(piece, (size_t)n), e) == -1)
			return -1;
		t->put += (uint64_t)n;
		if ((uint64_t)n < left)
			return 1;
	}
	return smtp_has(&p->caps, SMTP_EXT_CHUNKING) ? ended(f, t)
	                                             : go_on(f, LEG_DOT);
}

static int
put_dot(struct flight *f, struct err *e)
{
	if (smtp_dot(&f->s->smtp, (uint32_t)f->writing, e) == -1)
		return -1;
	return ended(f, current(f));
}

static int
put_leg(struct flight *f, struct err *e)
{
	switch (f->leg) {
	case LEG_RSET:
		return put_rset(f, e);
	case LEG_MAIL:
		return put_mail(f);
	case LEG_RCPT:
		return put_rcpts(f);
	case LEG_START:
		return put_start(f, e);
	case LEG_GO:
		return put_go(f, e);
	case LEG_BODY:
		return put_body(f, e);
	case LEG_DOT:
		return put_dot(f, e);
	}
	return 0;
}

/*
 * The body cannot be written to its end: SMTP has no way to say so but to hang
 * up, which is done when those before it are answered.
 */
static void
break_off(struct flight *f, struct err *e)
{
	struct outcome again = {.verdict = OUTCOME_RETRY,
	    .scope = OUTCOME_SESSION,
	    .pace = PACE_NORMAL};

	f->broken = true;
	if (!f->unrecorded)
		refuse(f, current(f), e);
	err_prefix(e, "the connection is given up");
	flight_end(f, again, e);
}

void
flight_write(struct flight *f)
{
	struct err e = {0};
	int rv = 1;

	while (rv == 1 && f->writing < f->n && !f->broken)
		rv = put_leg(f, &e);
	if (rv == -1)
		break_off(f, &e);
}

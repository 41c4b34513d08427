/*
 * What a batch's fate leaves in the messages' histories, and when it is
 * durable.
 */

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/time.h"
#include "flight.h"
#include "os/clock.h"
#include "os/log.h"
#include "retry.h"

#define PATIENCE_MS 1000 /* the last wait is no longer */
/* Of history, for the outcome of so many recipients. */
#define ROOM(n) ((size_t)(n)*64 + 2048)

static int64_t
now_s(void)
{
	return clock_wall_us() / 1000000;
}

/* --- histories ------------------------------------------------------------- */

/*
 * What the server said it will not say again, and without it the message would
 * be sent once more: there has to be room for it before anything is sent, and
 * a disk that is full all the same is waited for, a moment.
 */
static int
insist(struct flight *f, struct message *m, enum event event,
    const struct uidset *rcpts, int64_t at, const char *text, struct err *e)
{
	int64_t ms = 50;
	int rv;

	if (event == EVENT_SENDING &&
	    message_reserve(m, ROOM(uidset_count(rcpts)), e) == -1)
		return -1;
	while ((rv = message_note(m, event, rcpts, at, text, e)) == -1) {
		if (event == EVENT_SENDING || f->unrecorded || ms > PATIENCE_MS)
			break;
		clock_sleep(ms, -1);
		ms *= 2;
	}
	return rv;
}

static void
note(struct flight *f, struct txn *t, enum event event,
    const struct uidset *rcpts, int64_t at, const char *text)
{
	struct message *m = flight_message(f, t);
	struct err e = {0};

	if (insist(f, m, event, rcpts, at, text, &e) == 0)
		return;
	log_error(
	    "%s: cannot record \"%s\": %s", m->id, event_name(event), e.text);
	f->unrecorded = true;
	flight_end(f,
	    (struct outcome){
		.verdict = OUTCOME_RETRY, .scope = OUTCOME_ACCOUNT},
	    &e);
}

void
flight_sync(struct flight *f)
{
	struct err e = {0};
	struct message *m;
	size_t i;

	for (i = 0; i < f->n_parcels; i++)
		if (f->parcels[i].message->dirty)
			message_start_sync(f->parcels[i].message);
	for (i = 0; i < f->n_parcels; i++) {
		m = f->parcels[i].message;
		if (!m->dirty || message_sync(m, &e) == 0)
			continue;
		log_error("%s: %s", m->id, e.text);
		f->unrecorded = true;
		flight_end(f,
		    (struct outcome){
			.verdict = OUTCOME_RETRY, .scope = OUTCOME_ACCOUNT},
		    &e);
	}
}

static void
take_seats(struct txn *t, const struct uidset *set)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (uidset_has(set, t->rcpts[i]))
			t->seats[i] = SEAT_SETTLED;
}

/* "bob@example.net", "bob@example.net and 3 others" */
static char *
who(const struct flight *f, const struct txn *t, const struct uidset *set)
{
	uint64_t it = 0, n = uidset_count(set);
	uint32_t number = 1;
	const char *first;

	uidset_next(set, &it, &number);
	first = flight_message(f, t)->env.rcpts[number - 1].address;
	return n > 1 ? mem_printf("<%s> and %" PRIu64 " more", first, n - 1)
	             : mem_printf("<%s>", first);
}

/* After how many attempts, this one included. */
static unsigned int
attempts(const struct flight *f, const struct txn *t, const struct uidset *set)
{
	const struct envelope *env = &flight_message(f, t)->env;
	uint64_t it = 0;
	uint32_t number;
	unsigned int most = 0;

	while (uidset_next(set, &it, &number))
		if (env->rcpts[number - 1].attempts > most)
			most = env->rcpts[number - 1].attempts;
	return most + 1;
}

void
flight_unsent(struct flight *f, struct txn *t, const struct uidset *set)
{
	if (!uidset_empty(set) && t->marked)
		note(f, t, EVENT_UNSENT, set, 0, NULL);
	take_seats(t, set);
}

/* How long until it is too old: the last attempt is then, and no later. */
static int64_t
life(const struct flight *f, const struct txn *t)
{
	int64_t expire = f->s->send->expire / 1000;

	return expire <= 0 ? INT64_MAX
	                   : envelope_born(&flight_message(f, t)->env) +
	                         expire - now_s();
}

static void
defer(struct flight *f, struct txn *t, const struct uidset *set,
    enum outcome_pace pace, const char *text)
{
	char *names = who(f, t, set), ago[32];
	int64_t delay = retry_delay(pace, attempts(f, t, set), arc4random());
	int64_t left = life(f, t);

	if (left > 0 && delay > left)
		delay = left;
	time_show_duration(delay * 1000, ago);
	note(f, t, EVENT_DEFERRED, set, now_s() + delay, text);
	log_warn("%s: %s: again in %s: %s", flight_message(f, t)->id, names,
	    ago, text);
	free(names);
}

static void
doubt(
    struct flight *f, struct txn *t, const struct uidset *set, const char *text)
{
	struct message *m = flight_message(f, t);
	char *names = who(f, t, set), in[32];
	int64_t delay =
	    retry_delay(PACE_DOUBT, attempts(f, t, set), arc4random());
	bool hold = f->s->send->uncertain == UNCERTAIN_HOLD;

	note(f, t, EVENT_UNCERTAIN, set, now_s() + delay, text);
	if (hold)
		note(f, t, EVENT_HOLD, NULL, 0, NULL);
	time_show_duration(delay * 1000, in);
	log_warn("%s: %s: nobody knows whether it was sent (%s%s): %s", m->id,
	    names, hold ? "held" : "again in ", hold ? "" : in, text);
	free(names);
}

static void
fail(struct flight *f, struct txn *t, const struct uidset *set,
    const struct outcome *o, const char *text)
{
	char *names = who(f, t, set);

	note(f, t, EVENT_FAILED, set, 0, text);
	log_warn("%s: %s: failed for good: %s%s%s", flight_message(f, t)->id,
	    names, text, o->advice != NULL ? ": " : "",
	    o->advice != NULL ? o->advice : "");
	free(names);
}

/* Neither a message's fault nor its attempt. */
static bool
is_none_of_ours(const struct outcome *o)
{
	return o->verdict != OUTCOME_GOOD &&
	       (o->scope == OUTCOME_ACCOUNT ||
		   (o->scope == OUTCOME_SESSION && o->pace == PACE_NEXT));
}

void
flight_settle(struct flight *f, struct txn *t, const struct uidset *set,
    struct outcome o, const char *text)
{
	if (uidset_empty(set))
		return;
	if (is_none_of_ours(&o)) {
		flight_unsent(f, t, set);
		return;
	}
	switch (o.verdict) {
	case OUTCOME_GOOD:
		note(f, t, EVENT_SENT, set, 0, text);
		log_info("%s: sent to %" PRIu64 " recipient(s): %s",
		    flight_message(f, t)->id, uidset_count(set), text);
		break;
	case OUTCOME_RETRY:
		if (o.pace == PACE_DOUBT)
			doubt(f, t, set, text);
		else
			defer(f, t, set, o.pace, text);
		break;
	case OUTCOME_FAIL:
		fail(f, t, set, &o, text);
		break;
	}
	take_seats(t, set);
}

void
flight_keep(struct flight *f, struct txn *t, const struct uidset *set,
    int64_t until, const char *text)
{
	note(f, t, EVENT_DEFERRED, set, until, text);
	log_info("%s: %s", flight_message(f, t)->id, text);
	take_seats(t, set);
}

void
flight_settle_err(struct flight *f, struct txn *t, const struct uidset *set,
    const struct err *e)
{
	struct outcome o = {
	    .verdict = e->kind == ERR_MESSAGE ? OUTCOME_FAIL : OUTCOME_RETRY,
	    .scope = OUTCOME_MESSAGE,
	    .pace = PACE_NORMAL};

	flight_settle(f, t, set, o, e->text);
}

/* --- the window of doubt ---------------------------------------------------- */

static uint64_t
size_of(const struct flight *f, const struct txn *t)
{
	return f->loaded[t->parcel] ? f->cargos[t->parcel].size
	                            : flight_message(f, t)->env.size;
}

/* One flight for all: what is behind will be written without an answer. */
static bool
goes_on(const struct flight *f)
{
	const struct smtp_caps *c = &f->s->smtp.caps;

	return smtp_has(c, SMTP_EXT_PIPELINING) &&
	       smtp_has(c, SMTP_EXT_CHUNKING) && !f->ending;
}

static void
mark_one(struct flight *f, struct txn *t)
{
	struct uidset set;

	uidset_init(&set);
	flight_seats(t, SEAT_BIT(SEAT_ASKED) | SEAT_BIT(SEAT_TAKEN), &set);
	if (!uidset_empty(&set))
		note(f, t, EVENT_SENDING, &set, 0, NULL);
	uidset_clear(&set);
	t->marked = true;
	t->weight = size_of(f, t);
	f->doubt += t->weight;
}

void
flight_over(struct flight *f, struct txn *t)
{
	t->over = true;
	f->doubt -= t->weight;
	t->weight = 0;
	flight_count(f, t->parcel);
}

void
flight_mark_next(struct flight *f)
{
	struct txn *t;

	if (f->writing == f->n || f->leg != LEG_GO)
		return;
	t = &f->txns[f->writing];
	if (t->go && !t->marked && f->doubt == 0)
		mark_one(f, t);
}

int
flight_mark(struct flight *f, struct err *e)
{
	struct txn *t = &f->txns[f->writing];
	size_t i;

	if (t->over || (t->marked && !f->unrecorded))
		return 1;
	if (f->unrecorded) {
		*e = f->why;
		return -1;
	}
	/* In groups, so that their syncs are one. */
	if (f->doubt > FLIGHT_WINDOW / 2 ||
	    (f->doubt > 0 && f->doubt + size_of(f, t) > FLIGHT_WINDOW))
		return 0;
	mark_one(f, t);
	for (i = f->writing + 1; i < f->n && goes_on(f); i++) {
		if (f->doubt + size_of(f, &f->txns[i]) > FLIGHT_WINDOW)
			break;
		mark_one(f, &f->txns[i]);
	}
	flight_sync(f);
	if (!f->unrecorded)
		return 1;
	*e = f->why;
	return -1;
}

void
flight_end(struct flight *f, struct outcome o, const struct err *e)
{
	f->ending = true;
	if (f->why.kind != ERR_NONE)
		return;
	f->why = *e;
	f->s->last = o;
}

/* Whether its last octet has left this process. */
static bool
is_gone(const struct flight *f, const struct txn *t)
{
	return t->end != 0 && f->s->link.pump.bytes_out >= t->end;
}

void
flight_lose(struct flight *f, const struct err *e)
{
	struct uidset set;
	struct txn *t;
	size_t i;

	for (i = 0; i < f->n; i++) {
		t = &f->txns[i];
		uidset_init(&set);
		flight_seats(
		    t, SEAT_BIT(SEAT_ASKED) | SEAT_BIT(SEAT_TAKEN), &set);
		if (!uidset_empty(&set) && is_gone(f, t) && !f->farewell) {
			doubt(f, t, &set, e->text);
			take_seats(t, &set);
			uidset_clear(&set);
			uidset_init(&set);
		}
		flight_seats(t, SEAT_BIT(SEAT_NEXT), &set);
		flight_unsent(f, t, &set);
		uidset_clear(&set);
	}
	flight_sync(f);
}

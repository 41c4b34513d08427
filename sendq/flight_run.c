/*
 * A batch from its first command to its last reply.
 */

#include "flight.h"
#include "os/log.h"

/* Nothing more is to be written, and all that was is answered. */
static bool
has_landed(const struct flight *f)
{
	size_t i;

	if (!f->broken)
		return smtp_unanswered(&f->s->smtp) == 0 &&
		       (f->writing == f->n ||
			   (f->ending && f->leg <= LEG_MAIL));
	for (i = 0; i < f->writing; i++)
		if (f->txns[i].begun && !f->txns[i].over)
			return false;
	return true;
}

/* -1: the connection is lost, or good for nothing any more. */
static int
fly(struct flight *f, struct err *e)
{
	for (;;) {
		flight_write(f);
		if (has_landed(f))
			break;
		if (flight_hear(f, e) == -1)
			return -1;
	}
	*e = f->why;
	return f->broken ? -1 : 0;
}

int
submit_batch(struct submit *s, struct parcel *p, size_t n, struct err *e)
{
	struct outcome again = {.verdict = OUTCOME_RETRY,
	    .scope = OUTCOME_SESSION,
	    .pace = PACE_NORMAL};
	struct flight f;
	int rv;

	s->last = (struct outcome){.verdict = OUTCOME_GOOD};
	flight_init(&f, s, p, n);
	rv = fly(&f, e);
	flight_lose(&f, e);
	if (rv == -1) {
		link_close(&s->link);
		if (f.why.kind == ERR_NONE)
			flight_end(&f, again, e);
	}
	/* What was said explains more than that the line is dead. */
	if (f.why.kind != ERR_NONE) {
		*e = f.why;
		s->open = false;
		rv = -1;
	}
	flight_clear(&f);
	return rv;
}

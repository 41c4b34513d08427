/*
 * A message's age, and what a crash left of it.
 */

#include "tend.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/time.h"
#include "os/log.h"
#include "report.h"
#include "retry.h"

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Whether any recipient is in that state. */
static bool
has(const struct envelope *env, enum rcpt_state state)
{
	size_t i;

	for (i = 0; i < env->n_rcpts; i++)
		if (env->rcpts[i].state == state)
			return true;
	return false;
}

/* When its sender is told that it is late; INT64_MAX: never. That it is too
 * old is seen when it was tried. */
static int64_t
late_from(const struct send *s, const struct envelope *env)
{
	if (env->held || !has(env, RCPT_WAITING) || s->warn <= 0 || env->warned)
		return INT64_MAX;
	return envelope_born(env) + s->warn / 1000;
}

/* Whether something was begun and not ended, or not begun when it should. */
static bool
is_unfinished(const struct send *s, const struct envelope *env)
{
	size_t i;

	for (i = 0; i < env->n_rcpts; i++)
		if (env->rcpts[i].state == RCPT_FAILED &&
		    !env->rcpts[i].reported)
			return true;
	return has(env, RCPT_SENDING) || envelope_finished(env) ||
	       env->reporting != NULL ||
	       (s->sent != NULL && has(env, RCPT_SENT) && !env->copied);
}

int64_t
tend_next(const struct send *s, const struct envelope *env, int64_t waits)
{
	int64_t next = envelope_next(env);

	if (is_unfinished(s, env))
		return 0;
	return earlier(next < waits ? waits : next, late_from(s, env));
}

bool
tend_needed(const struct send *s, const struct envelope *env, int64_t now)
{
	return is_unfinished(s, env) || late_from(s, env) <= now;
}

/* --- doing it --------------------------------------------------------------- */

/* After how many attempts, the one that a crash has ended included. */
static unsigned int
attempts(const struct envelope *env)
{
	unsigned int most = 0;
	size_t i;

	for (i = 0; i < env->n_rcpts; i++)
		if (env->rcpts[i].state == RCPT_SENDING &&
		    env->rcpts[i].attempts > most)
			most = env->rcpts[i].attempts;
	return most + 1;
}

/* We have its lock: whoever was sending it is dead. */
static int
mend(const struct send *s, struct message *m, int64_t now, bool *doubt_r,
    struct err *e)
{
	struct uidset set;
	int64_t at =
	    now + retry_delay(PACE_DOUBT, attempts(&m->env), arc4random());
	int rv = 0;

	uidset_init(&set);
	envelope_rcpts(&m->env, RCPT_SENDING, &set);
	if (!uidset_empty(&set)) {
		*doubt_r = true;
		log_warn("%s: sendq was ended before the reply came: nobody "
			 "knows whether it was sent",
		    m->id);
		rv = message_note(m, EVENT_UNCERTAIN, &set, at,
		    "sendq was ended before the reply came", e);
		if (rv == 0 && s->uncertain == UNCERTAIN_HOLD)
			rv = message_note(m, EVENT_HOLD, NULL, 0, NULL, e);
	}
	uidset_clear(&set);
	return rv;
}

static int
expire_one(struct message *m, uint32_t number, const char *age, struct err *e)
{
	const struct rcpt *r = &m->env.rcpts[number - 1];
	struct uidset one;
	char *text;
	int rv;

	text =
	    r->reply != NULL
		? mem_printf("expired after %s; last reply: %s", age, r->reply)
		: mem_printf("expired after %s, never answered", age);
	log_warn("%s: <%s>: %s", m->id, r->address, text);
	uidset_init(&one);
	uidset_add(&one, number, number);
	rv = message_note(m, EVENT_FAILED, &one, 0, text, e);
	uidset_clear(&one);
	free(text);
	return rv;
}

static int
expire(const struct send *s, struct message *m, int64_t now,
    const struct uidset *tried, bool *failed_r, struct err *e)
{
	uint64_t it = 0;
	uint32_t number;
	char age[32];
	int rv = 0;

	if (s->expire <= 0 || m->env.held ||
	    now < envelope_born(&m->env) + s->expire / 1000)
		return 0;
	time_show_duration(s->expire, age);
	while (rv == 0 && uidset_next(tried, &it, &number)) {
		if (m->env.rcpts[number - 1].state != RCPT_WAITING)
			continue;
		*failed_r = true;
		rv = expire_one(m, number, age, e);
	}
	return rv;
}

static int
tell_late(const struct send *s, struct copies *c, struct message *m,
    int64_t now, struct err *e)
{
	if (s->warn <= 0 || m->env.held || m->env.warned ||
	    !has(&m->env, RCPT_WAITING) ||
	    now < envelope_born(&m->env) + s->warn / 1000)
		return 0;
	return copies_report(c, m, true, e);
}

int
tend_mend(const struct send *s, struct copies *c, struct message *m,
    int64_t now, bool *doubt_r, struct err *e)
{
	if (mend(s, m, now, doubt_r, e) == -1)
		return -1;
	return copies_recover(c, m, e);
}

int
tend_age(const struct send *s, struct copies *c, struct message *m, int64_t now,
    const struct uidset *tried, bool *failed_r, struct err *e)
{
	if (expire(s, m, now, tried, failed_r, e) == -1)
		return -1;
	return tell_late(s, c, m, now, e);
}

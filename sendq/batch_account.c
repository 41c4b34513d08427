/*
 * How an account stands, as its worker sees it: whether it has to wait, and how
 * much it may send.
 */

#include <sys/stat.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/mem.h"
#include "base/time.h"
#include "batch.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/stop.h"
#include "retry.h"

/* Nothing is known of a server that does not answer: it costs little to ask. */
#define PAUSES_MOST 3

static int64_t
now_s(void)
{
	return clock_wall_us() / 1000000;
}

void
batch_worsen(struct batch *b, int code)
{
	b->code = err_worse(b->code, code);
}

/* --- the account's standing ---------------------------------------------------- */

static uint64_t
mix(uint64_t h, const void *data, size_t n)
{
	const unsigned char *p = data;
	size_t i;

	for (i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT64_C(1099511628211); /* FNV-1a */
	return h;
}

static uint64_t
mix_text(uint64_t h, const char *s)
{
	return s == NULL ? mix(h, "", 1) : mix(h, s, strlen(s) + 1);
}

static uint64_t
mix_file(uint64_t h, const char *path)
{
	struct stat st;

	if (path == NULL || stat(path, &st) == -1)
		return mix(h, "", 1);
	h = mix(h, &st.st_mtim, sizeof(st.st_mtim));
	return mix(h, &st.st_ino, sizeof(st.st_ino));
}

int64_t
batch_stamp(const struct send *s)
{
	const struct account *a = &s->account;
	const char *home = getenv("HOME");
	char *netrc = mem_printf("%s/.netrc", home != NULL ? home : "");
	uint64_t h = UINT64_C(14695981039346656037);

	h = mix_text(h, a->user);
	h = mix_text(h, a->password_command);
	h = mix_text(h, a->token_command);
	h = mix_text(h, a->credential);
	h = mix_text(h, a->smtp.host);
	h = mix(h, &a->auth, sizeof(a->auth));
	h = mix_file(h, a->password_file);
	h = mix_file(h, netrc);
	free(netrc);
	return (int64_t)(h >> 1);
}

void
batch_begin(struct batch *b)
{
	int64_t until, now = now_s();
	struct err e = {0};
	char *why = NULL, in[32];
	int rv;

	rv = standing_paused(&b->standing, now, b->stamp, &until, &why, &e);
	if (rv == -1) {
		log_err(&e);
		batch_worsen(b, err_exit(&e));
	}
	b->waits = rv != 0;
	if (rv == 1) {
		time_show_duration((until - now) * 1000, in);
		log_info("waits for another %s: %s", in,
		    why != NULL ? why : "no reason given");
	}
	free(why);
}

static void
put_off(struct batch *b, int64_t until, bool login, const char *why)
{
	struct err e = {0};

	b->waits = true;
	if (standing_pause(
		&b->standing, now_s(), until, login, b->stamp, why, &e) == -1) {
		log_err(&e);
		batch_worsen(b, err_exit(&e));
	}
}

/* The account is to wait, for what went wrong with it. */
void
batch_suspend(struct batch *b, struct outcome o, const struct err *e)
{
	unsigned int pauses = standing_pauses(&b->standing);
	int64_t delay;
	char in[32];

	/* Sessions that end before they bring anything: no sooner than that. */
	if (o.pace == PACE_NEXT)
		o.pace = PACE_NORMAL;
	if (o.pace == PACE_NORMAL && pauses > PAUSES_MOST)
		pauses = PAUSES_MOST;
	delay = retry_delay(o.pace, pauses + 1, arc4random());
	if (stop_requested()) {
		b->waits = true;
		return;
	}
	time_show_duration(delay * 1000, in);
	log_error("%s%s%s; again in %s", e->text, o.advice != NULL ? ": " : "",
	    o.advice != NULL ? o.advice : "", in);
	/* A quota is no refusal, whatever its code. */
	batch_worsen(b, e->kind == ERR_MESSAGE ? EX_TEMPFAIL : err_exit(e));
	put_off(b, now_s() + delay, o.pace == PACE_LOGIN, e->text);
}

void
batch_resume(struct batch *b)
{
	struct err e = {0};

	if (standing_resume(&b->standing, &e) == -1)
		log_err(&e);
}

void
batch_note_size(struct batch *b)
{
	struct err e = {0};

	if (standing_set_size(&b->standing, b->submit.smtp.caps.size, &e) == -1)
		log_err(&e);
}

/* --- limits --------------------------------------------------------------------- */

uint64_t
batch_count(const struct batch *b)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < b->n; i++)
		n += uidset_count(&b->parcels[i].rcpts);
	return n;
}

/* Leaves the first n recipients of all. */
static void
cut(struct batch *b, uint64_t n)
{
	struct uidset *set;
	uint64_t it;
	uint32_t number;
	size_t i;

	for (i = 0; i < b->n; i++) {
		set = &b->parcels[i].rcpts;
		for (it = 0; uidset_next(set, &it, &number);) {
			if (n > 0)
				n--;
			else
				uidset_del(set, number, number);
		}
	}
}

/* As many as the account's limits allow; what is over waits. */
int
batch_reserve(struct batch *b, uint64_t *got_r, struct err *e)
{
	uint64_t want = batch_count(b);
	int64_t next = 0, now = now_s();
	char in[32];

	*got_r = want;
	if (b->send->n_limits == 0 || want == 0)
		return 0;
	if (standing_reserve(&b->standing, now, want, got_r, &next, e) == -1)
		return -1;
	if (*got_r == want)
		return 0;
	time_show_duration((next - now) * 1000, in);
	log_info("the limit is reached: %" PRIu64 " recipients wait for %s",
	    want - *got_r, in);
	/* No pause: another limit in the configuration ends it. */
	b->waits = true;
	cut(b, *got_r);
	return 0;
}

int
batch_give_back(struct batch *b, uint64_t got, uint64_t used, struct err *e)
{
	if (b->send->n_limits == 0 || used >= got)
		return 0;
	return standing_give_back(&b->standing, now_s(), got - used, e);
}

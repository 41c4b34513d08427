/*
 * Staying: when to speak, how long to wait, and when to try again.
 */

#include "client/stay.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sysexits.h>

#include "os/ask.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/notify.h"
#include "os/stop.h"

#define POLL_MOST 60000 /* poll(2) does not count suspended time */
#define SLEPT_MS 10000  /* that late: the machine was asleep */
#define PAUSE_FIRST 1000
#define PAUSE_MOST (5 * 60000)

void
stay_init(struct stay *s, int ask_fd)
{
	*s = (struct stay){.ask_fd = ask_fd, .pause = PAUSE_FIRST};
}

void
stay_tell(const struct stay *s, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ask_notify(s->ask_fd, text);
}

int64_t
stay_until(int64_t until)
{
	int64_t every = notify_watchdog_ms(), now = clock_ms();

	if (until > now + POLL_MOST)
		until = now + POLL_MOST;
	if (every != 0 && until > now + every / 2)
		until = now + every / 2;
	return until;
}

bool
stay_slept(int64_t until)
{
	return clock_ms() > until + SLEPT_MS;
}

void
stay_sleep(const struct stay *s, int64_t until)
{
	while (!stop_requested() && clock_ms() < until) {
		ask_alive(s->ask_fd);
		clock_sleep(stay_until(until) - clock_ms(), stop_fd());
	}
}

static bool
may_pass(const struct err *e)
{
	switch (e->kind) {
	case ERR_TEMP:
	case ERR_PROTO:
	case ERR_MESSAGE:
		return true;
	case ERR_LOCAL: /* a full disk may be emptied */
		return err_exit(e) == EX_TEMPFAIL;
	case ERR_NONE:
	case ERR_AUTH:
	case ERR_TLS:
	case ERR_CONFIG:
		break;
	}
	return false;
}

bool
stay_again(struct stay *s, const struct err *e)
{
	if (stop_requested() || !may_pass(e))
		return false;
	log_warn("%s; again in %" PRId64 " s", e->text, s->pause / 1000);
	stay_tell(s, "STATUS=%.200s", e->text);
	stay_sleep(s, clock_ms() + s->pause);
	s->pause = s->pause * 2 < PAUSE_MOST ? s->pause * 2 : PAUSE_MOST;
	return !stop_requested();
}

void
stay_well(struct stay *s)
{
	s->pause = PAUSE_FIRST;
}

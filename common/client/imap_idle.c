/*
 * Idling: the one command that is answered when we want it to be.
 */

#include "client/imap_idle.h"

#include "os/clock.h"

#define IDLE_LEAST 1000 /* ms: shorter, and the server knows none */

bool
imap_idle_can(const struct imap_idle *i, const struct imap_client *c)
{
	return !i->refused && imap_has(&c->imap, IMAP_CAP_IDLE);
}

int
imap_idle_begin(
    struct imap_idle *i, struct imap_client *c, uint32_t cookie, struct err *e)
{
	enum pump_result moved;

	imap_command(&c->imap, IMAP_V_IDLE, cookie, "IDLE");
	i->on = true;
	i->since = clock_ms();
	return pump_poll(&c->link->pump, &moved, e);
}

void
imap_idle_end(struct imap_idle *i, struct imap_client *c)
{
	if (i->on)
		imap_send_line(&c->imap, span_of("DONE"));
	i->on = false;
}

void
imap_idle_ended(struct imap_idle *i, const struct imap_ev *ev)
{
	i->on = false;
	i->refused = ev->cond != IMAP_OK || clock_ms() - i->since < IDLE_LEAST;
}

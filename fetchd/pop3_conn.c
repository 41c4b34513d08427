/*
 * From a socket to the TRANSACTION state of POP3, and its events.
 */

#include "pop3_drop.h"

#include <stdlib.h>

#include "os/log.h"

#define STOP_DRAIN_MS 2000

/* --- events ------------------------------------------------------------------- */

/* The next event, waiting for it; 1, or 0 when `deadline` came, or -1. */
int
pop3_conn_event(
    struct drop *s, int64_t deadline, struct pop3_ev *ev, struct err *e)
{
	enum pump_result moved;
	int rv;

	while ((rv = pop3_next(&s->pop3, ev, e)) == 0) {
		if (link_wait(s->link, deadline, &moved, e) == -1)
			return -1;
		if (moved == PUMP_IDLE)
			return 0;
		if (moved == PUMP_STOP) {
			s->stopping = true;
			s->link->pump.stop_fd = -1;
			s->link->pump.timeout = STOP_DRAIN_MS;
			return 0;
		}
	}
	return rv;
}

int
pop3_conn_wait(struct drop *s, struct pop3_ev *ev, struct err *e)
{
	int rv;

	while ((rv = pop3_conn_event(s, 0, ev, e)) == 0)
		;
	return rv == 1 ? 0 : -1;
}

/* --- logging in ---------------------------------------------------------------- */

/* Steps until logged in; 1: this server hangs up on CAPA, connect again. */
static int
step_logon(struct drop *s, struct err *e)
{
	enum pop3_session_ev what;
	enum pump_result moved;

	for (;;) {
		if (pop3_session_step(&s->logon, &what, e) == -1)
			return -1;
		switch (what) {
		case POP3_SESSION_WAIT:
			if (link_wait(s->link, 0, &moved, e) == -1)
				return -1;
			if (moved == PUMP_STOP)
				return err_set(e, ERR_TEMP, "stopped");
			break;
		case POP3_SESSION_STARTTLS:
			if (link_tls(s->link, e) == -1)
				return -1;
			pop3_session_tls(&s->logon);
			break;
		case POP3_SESSION_SECRET:
			if (link_secret(s->link, s->logon.mech, e) == -1)
				return -1;
			break;
		case POP3_SESSION_NO_CAPA:
			return 1;
		case POP3_SESSION_READY:
			s->link->pump.secret = false;
			s->link->token_renewed = false;
			return 0;
		}
	}
}

static int
try_logon(struct drop *s, bool no_capa, struct err *e)
{
	enum pump_result moved;
	struct err ignored;
	int rv;

	if (link_connect(s->link, e) == -1)
		return -1;
	pop3_clear(&s->pop3);
	pop3_session_clear(&s->logon);
	pop3_init(&s->pop3, &s->link->wire);
	pop3_session_init(&s->logon, &s->pop3, &s->link->login);
	s->logon.starttls = s->link->url->tls == URL_TLS_STARTTLS &&
	                    s->link->account->tunnel == NULL;
	s->logon.no_capa = no_capa;
	rv = step_logon(s, e);
	/* A login that is given up is cancelled first (RFC 5034). */
	if (rv == -1)
		(void)pump_poll(&s->link->pump, &moved, &ignored);
	return rv;
}

int
pop3_conn_open(struct drop *s, struct err *e)
{
	int rv = try_logon(s, false, e);

	if (rv == -1 && e->kind == ERR_AUTH &&
	    link_renew(s->link, s->logon.mech))
		rv = try_logon(s, false, e);
	if (rv == 1)
		rv = try_logon(s, true, e);
	if (rv == 0)
		log_info("logged in to %s as %s (%s)", s->link->peer,
		    s->link->login.user, sasl_name(s->logon.mech));
	return rv == 0 ? 0 : -1;
}

void
pop3_conn_close(struct drop *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		free(s->items[i].uid);
	free(s->items);
	s->items = NULL;
	s->n = s->cap = 0;
	pop3_session_clear(&s->logon);
	pop3_clear(&s->pop3);
	link_close(s->link);
}

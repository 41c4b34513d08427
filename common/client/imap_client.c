/*
 * From a connection to an IMAP session in the authenticated state.
 */

#include "client/imap_client.h"

#include "os/log.h"
#include "os/net.h"

/* As imap_client_step(); *moved_r: what it waited for, when it returns 0. */
static int
step(struct imap_client *c, int64_t deadline, struct imap_ev *ev,
    enum pump_result *moved_r, struct err *e)
{
	bool held = imap_room(&c->imap) == 0;
	int rv = imap_next(&c->imap, ev, e);

	*moved_r = PUMP_MOVED;
	/* Who waited for a "+" has something to send now. */
	if (rv != 0 || (held && imap_room(&c->imap) > 0))
		return rv;
	if (link_wait(c->link, deadline, moved_r, e) == -1)
		return -1;
	if (*moved_r == PUMP_STOP) {
		c->stopping = true;
		c->link->pump.stop_fd = -1;
	}
	return 0;
}

int
imap_client_event(
    struct imap_client *c, int64_t deadline, struct imap_ev *ev, struct err *e)
{
	enum pump_result moved;
	int rv;

	do
		rv = step(c, deadline, ev, &moved, e);
	while (rv == 0 && moved == PUMP_MOVED);
	return rv;
}

int
imap_client_step(
    struct imap_client *c, int64_t deadline, struct imap_ev *ev, struct err *e)
{
	enum pump_result moved;

	return step(c, deadline, ev, &moved, e);
}

static int
step_logon(struct imap_client *c, struct err *e)
{
	enum imap_session_ev what;
	enum pump_result moved;

	for (;;) {
		if (imap_session_step(&c->logon, &what, e) == -1)
			return -1;
		switch (what) {
		case IMAP_SESSION_WAIT:
			if (link_wait(c->link, 0, &moved, e) == -1)
				return -1;
			if (moved == PUMP_STOP)
				return err_set(e, ERR_TEMP, "stopped");
			break;
		case IMAP_SESSION_STARTTLS:
			if (link_tls(c->link, e) == -1)
				return -1;
			imap_session_tls(&c->logon);
			break;
		case IMAP_SESSION_SECRET:
			if (link_secret(c->link, c->logon.mech, e) == -1)
				return -1;
			break;
		case IMAP_SESSION_COMPRESS:
			if (pump_deflate(&c->link->pump, e) == -1)
				return -1;
			break;
		case IMAP_SESSION_READY:
			c->logged_in = true;
			c->link->pump.secret = false;
			c->link->token_renewed = false;
			return 0;
		}
	}
}

static bool
wants_compress(const struct link *l)
{
	enum { AUTO, YES, NO };

	if (l->account->compress == AUTO)
		return l->account->tunnel == NULL &&
		       !net_is_loopback(l->pump.fd);
	return l->account->compress == YES;
}

static int
try_logon(struct imap_client *c, struct err *e)
{
	enum pump_result moved;
	struct err ignored;
	int rv;

	if (link_connect(c->link, e) == -1)
		return -1;
	imap_session_clear(&c->logon);
	imap_clear(&c->imap);
	imap_init(&c->imap, &c->link->wire);
	imap_session_init(&c->logon, &c->imap, &c->link->login);
	c->logon.preauth_ok = c->link->account->tunnel != NULL;
	c->logon.starttls = c->link->url->tls == URL_TLS_STARTTLS &&
	                    c->link->account->tunnel == NULL;
	c->logon.compress = wants_compress(c->link);
	rv = step_logon(c, e);
	/* A login that is given up is cancelled (RFC 9051 section 6.2.2). */
	if (rv == -1)
		(void)pump_poll(&c->link->pump, &moved, &ignored);
	return rv;
}

int
imap_client_open(struct imap_client *c, struct link *l, struct err *e)
{
	int rv;

	*c = (struct imap_client){.link = l};
	rv = try_logon(c, e);
	if (rv == -1 && e->kind == ERR_AUTH && link_renew(l, c->logon.mech))
		rv = try_logon(c, e);
	if (rv == 0)
		log_info("logged in to %s as %s (%s)", l->peer, l->login.user,
		    sasl_name(c->logon.mech));
	return rv;
}

void
imap_client_close(struct imap_client *c)
{
	enum pump_result moved;
	struct err ignored;

	if (c->link == NULL)
		return;
	if (c->link->open && c->logged_in && !c->imap.bye) {
		imap_command(&c->imap, IMAP_V_LOGOUT, 0, "LOGOUT");
		(void)pump_poll(&c->link->pump, &moved, &ignored);
	}
	imap_session_clear(&c->logon);
	imap_clear(&c->imap);
	link_close(c->link);
}

/*
 * A session from its connection to where mail may be sent, and its end. What
 * is between is the flight's.
 */

#include "submit.h"

#include <string.h>

#include "os/clock.h"
#include "os/log.h"

/* Without the keyword, the protocol's own time limits count. */
#define TIMEOUT_DEFAULT 60000

void
submit_init(struct submit *s, const struct send *send, const struct url *url,
    struct tls_config *tls, int ask_fd)
{
	*s = (struct submit){.send = send};
	link_init(&s->link, &send->account, url, tls, ask_fd);
}

static void
forget(struct submit *s)
{
	smtp_session_clear(&s->logon);
	smtp_clear(&s->smtp);
	s->open = false;
}

void
submit_clear(struct submit *s)
{
	forget(s);
	link_clear(&s->link);
}

static int64_t
patience(const struct submit *s, unsigned int seconds)
{
	int64_t ms = s->send->account.timeout;

	return ms != TIMEOUT_DEFAULT ? ms : (int64_t)seconds * 1000;
}

int64_t
submit_patience(const struct submit *s, enum smtp_cmd cmd)
{
	return patience(s, smtp_seconds(cmd));
}

/* --- logging in ------------------------------------------------------------ */

/* Waits for more of the reply; *since is when its command became the next. */
static int
await(struct submit *s, enum smtp_cmd *cmd, int64_t *since, struct err *e)
{
	enum pump_result moved;
	enum smtp_cmd now = *cmd;

	smtp_awaits(&s->smtp, &now);
	if (now != *cmd || *since == 0)
		*since = clock_ms();
	*cmd = now;
	if (link_wait(&s->link, *since + submit_patience(s, now), &moved, e) ==
	    -1)
		return -1;
	if (moved == PUMP_STOP)
		return err_set(e, ERR_TEMP, "stopped");
	if (moved == PUMP_IDLE)
		return err_set(e, ERR_TEMP, "no reply to %s from %s for %lld s",
		    smtp_cmd_name(now), s->link.peer,
		    (long long)(submit_patience(s, now) / 1000));
	return 0;
}

static int
log_in(struct submit *s, struct err *e)
{
	enum smtp_session_ev what;
	enum smtp_cmd cmd = SMTP_GREETING;
	int64_t since = 0;

	for (;;) {
		if (smtp_session_step(&s->logon, &what, e) == -1)
			return -1;
		switch (what) {
		case SMTP_SESSION_WAIT:
			if (await(s, &cmd, &since, e) == -1)
				return -1;
			break;
		case SMTP_SESSION_STARTTLS:
			if (link_tls(&s->link, e) == -1)
				return -1;
			smtp_session_tls(&s->logon);
			break;
		case SMTP_SESSION_SECRET:
			if (link_secret(&s->link, s->logon.mech, e) == -1)
				return -1;
			break;
		case SMTP_SESSION_READY:
			return 0;
		}
	}
}

static void
prepare(struct submit *s)
{
	const struct url *url = s->link.url;
	const char *name = s->send->hello;

	forget(s);
	smtp_init(&s->smtp, &s->link.wire);
	s->smtp.disabled = s->send->disable;
	if (s->cautious)
		s->smtp.disabled |= SMTP_EXT_BIT(SMTP_EXT_PIPELINING) |
		                    SMTP_EXT_BIT(SMTP_EXT_CHUNKING);
	if (name != NULL)
		strlcpy(s->hello, name, sizeof(s->hello));
	else
		net_own_name(s->link.pump.fd, s->hello);
	smtp_session_init(&s->logon, &s->smtp, &s->link.login, s->hello);
	s->logon.lmtp = url->proto == URL_LMTP;
	s->logon.starttls =
	    url->tls == URL_TLS_STARTTLS && s->link.account->tunnel == NULL;
}

static int
try_login(struct submit *s, struct err *e)
{
	enum pump_result moved;
	struct err ignored;
	int rv;

	if (link_connect(&s->link, e) == -1)
		return -1;
	prepare(s);
	rv = log_in(s, e);
	/* A login that is given up is cancelled first (RFC 4954). */
	if (rv == -1)
		(void)pump_poll(&s->link.pump, &moved, &ignored);
	return rv;
}

static void
begin(struct submit *s)
{
	const struct smtp_caps *caps = &s->smtp.caps;

	s->link.pump.secret = false;
	s->link.pump.timeout = patience(s, SMTP_BLOCK_SECONDS);
	s->link.token_renewed = false;
	s->limit = s->send->session_messages;
	if (caps->mail_max > 0 && caps->mail_max < s->limit)
		s->limit = caps->mail_max;
	s->messages = 0;
	s->open = s->clean = true;
	if (s->logon.mech == SASL_NOTHING)
		log_info("session with %s, no login", s->link.peer);
	else
		log_info("logged in to %s as %s (%s)", s->link.peer,
		    s->link.login.user, sasl_name(s->logon.mech));
}

int
submit_open(struct submit *s, struct err *e)
{
	int rv = try_login(s, e);

	if (rv == -1 && e->kind == ERR_AUTH &&
	    link_renew(&s->link, s->logon.mech))
		rv = try_login(s, e);
	if (rv == -1) {
		s->last = outcome_of_error(e);
		forget(s);
		link_close(&s->link);
		return -1;
	}
	begin(s);
	return 0;
}

void
submit_close(struct submit *s)
{
	enum pump_result moved;
	struct err ignored;

	if (s->link.open && smtp_unanswered(&s->smtp) == 0 &&
	    smtp_may_send(&s->smtp, SMTP_QUIT) &&
	    smtp_send(&s->smtp, SMTP_QUIT, NULL, &ignored) == 0)
		(void)pump_poll(&s->link.pump, &moved, &ignored);
	forget(s);
	link_close(&s->link);
}

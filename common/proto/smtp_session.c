/*
 * The SMTP login: greeting, EHLO, STARTTLS, AUTH.  It knows the servers that
 * do these in ways of their own, so that submitting need not.
 */

#include "proto/smtp_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"

#define COMMAND_MAX 512 /* octets, CRLF included (RFC 5321 4.5.3.1.4) */
#define RESPONSE_MAX ((size_t)64 * 1024)

enum state {
	GREETING,
	HELLO,
	STARTTLS,
	HANDSHAKE,
	CHOOSE,
	SECRET,
	AUTH,
	READY,
};

void
smtp_session_init(struct smtp_session *s, struct smtp *p,
    struct sasl_login *login, const char *hello)
{
	*s = (struct smtp_session){.smtp = p,
	    .login = login,
	    .hello = hello,
	    .state = GREETING,
	    .mech = SASL_ANYTHING};
	buf_init(&s->answer, 2 * RESPONSE_MAX);
}

void
smtp_session_clear(struct smtp_session *s)
{
	sasl_free(s->sasl);
	s->sasl = NULL;
	buf_wipe(&s->answer);
}

/* --- before the login -------------------------------------------------- */

static int
say_hello(struct smtp_session *s, enum smtp_cmd cmd, struct err *e)
{
	s->state = HELLO;
	return smtp_send(s->smtp, cmd, s->hello, e);
}

static int
say_ehlo(struct smtp_session *s, struct err *e)
{
	return say_hello(s, s->lmtp ? SMTP_LHLO : SMTP_EHLO, e);
}

static int
no_starttls(const char *why, struct err *e)
{
	return err_set(e, ERR_TLS,
	    "TLS is required, but %s: use submissions:// (port 465), or "
	    "submission+plain:// to go without",
	    why);
}

/* The server may know HELO alone; not so when it refuses us altogether. */
static bool
knows_no_ehlo(const struct smtp_ev *ev)
{
	return ev->cmd == SMTP_EHLO && ev->code / 100 == 5 && ev->code != 521 &&
	       ev->code != 530 && ev->code != 554;
}

/* HELO has no extensions: whoever is on the way could take TLS away so. */
static int
on_no_ehlo(struct smtp_session *s, const struct smtp_ev *ev, struct err *e)
{
	char why[400], *said;

	if (s->tls || !s->starttls)
		return say_hello(s, SMTP_HELO, e);
	said = smtp_show(ev);
	snprintf(why, sizeof(why), "server does not know EHLO (%s)", said);
	free(said);
	return no_starttls(why, e);
}

static int
on_hello(struct smtp_session *s, const struct smtp_ev *ev, struct err *e)
{
	if (knows_no_ehlo(ev))
		return on_no_ehlo(s, ev, e);
	if (ev->code / 100 != 2)
		return smtp_refused(ev, smtp_cmd_name(ev->cmd), e);
	if (s->tls || !s->starttls) {
		s->state = CHOOSE;
		return 0;
	}
	if (!smtp_has(&s->smtp->caps, SMTP_EXT_STARTTLS))
		return no_starttls("server does not offer STARTTLS", e);
	s->state = STARTTLS;
	return smtp_send(s->smtp, SMTP_STARTTLS, NULL, e);
}

/*
 * Only a 220 with nothing behind it: what comes early was put there by someone
 * on the way, and would be taken for replies that came through TLS.
 */
static int
on_starttls(struct smtp_session *s, const struct smtp_ev *ev, struct err *e)
{
	char why[400];

	if (ev->code != 220) {
		smtp_refused(ev, "STARTTLS", e);
		strlcpy(why, e->text, sizeof(why));
		return ev->code / 100 == 4 ? -1 : no_starttls(why, e);
	}
	if (s->smtp->wire->in.len > 0)
		return err_set(e, ERR_TLS,
		    "server, or someone on the way to it, sent more behind the "
		    "reply to STARTTLS: not trusted");
	s->state = HANDSHAKE;
	return 0;
}

void
smtp_session_tls(struct smtp_session *s)
{
	struct err e;

	buf_reset(&s->smtp->wire->in);
	s->tls = true;
	say_ehlo(s, &e); /* the name was good before */
}

/* --- the login --------------------------------------------------------- */

static int
choose(struct smtp_session *s, struct err *e)
{
	if (!smtp_has(&s->smtp->caps, SMTP_EXT_AUTH) &&
	    s->login->pinned != SASL_NOTHING)
		return err_set(e, ERR_AUTH,
		    "server offers no login%s: set \"auth none\" if it needs "
		    "none",
		    s->login->tls ? "" : " without TLS");
	if (sasl_choose(s->smtp->caps.mechs, s->login, &s->mech, e) == -1)
		return -1;
	s->state = s->mech == SASL_NOTHING ? READY : SECRET;
	return 0;
}

/* The answer to a challenge, base64, into s->answer. */
static int
respond(struct smtp_session *s, struct span challenge, struct err *e)
{
	struct buf raw;
	int rc;

	buf_wipe(&s->answer);
	buf_init(&raw, RESPONSE_MAX);
	buf_reserve(&raw, 4096); /* a secret that is moved leaves a copy */
	buf_reserve(&s->answer, 8192);
	rc = sasl_step(s->sasl, challenge, &raw, e);
	if (rc == 0 && enc_base64(&s->answer, buf_span(&raw)) == -1)
		rc = err_set(
		    e, ERR_PROTO, "%s: answer is too long", sasl_name(s->mech));
	buf_wipe(&raw);
	return rc;
}

/* AUTH, with the initial response if the line may be that long. */
static int
start_login(struct smtp_session *s, struct err *e)
{
	const char *name = sasl_name(s->mech);
	char line[COMMAND_MAX + 1];
	int rc;

	s->state = AUTH;
	s->sasl = sasl_new(s->mech, s->smtp->caps.mechs, s->login);
	if (!sasl_client_first(s->sasl))
		return smtp_send(s->smtp, SMTP_AUTH, name, e);
	if (respond(s, span_of(""), e) == -1)
		return -1;
	s->initial = true;
	s->initial_sent =
	    strlen("AUTH  \r\n") + strlen(name) + s->answer.len <= COMMAND_MAX;
	if (!s->initial_sent)
		return smtp_send(s->smtp, SMTP_AUTH, name, e);
	snprintf(line, sizeof(line), "%s %s", name,
	    s->answer.len > 0 ? buf_cstr(&s->answer) : "=");
	rc = smtp_send(s->smtp, SMTP_AUTH, line, e);
	explicit_bzero(line, sizeof(line));
	return rc;
}

static int
answer(struct smtp_session *s, struct span text, struct err *e)
{
	struct buf challenge;
	int rc;

	buf_init(&challenge, RESPONSE_MAX);
	/* LOGIN's prompts are worded, and coded, as each server likes */
	if (s->mech != SASL_LOGIN && dec_base64(&challenge, text) == -1)
		rc = err_set(e, ERR_PROTO, "%s: challenge is not base64",
		    sasl_name(s->mech));
	else
		rc = respond(s, buf_span(&challenge), e);
	buf_clear(&challenge);
	return rc;
}

static int
on_challenge(struct smtp_session *s, struct span text, struct err *e)
{
	int rc = 0;

	/* An empty one behind an initial response: it was not listened to. */
	if (!s->initial || (s->initial_sent && text.n > 0))
		rc = answer(s, text, e);
	s->initial = false;
	smtp_send_line(s->smtp, rc == 0 ? buf_span(&s->answer) : span_of("*"));
	return rc;
}

/* The server refused: its reason, and with a token, what it said of that. */
static int
refused(struct smtp_session *s, struct smtp_ev ev, struct err *e)
{
	char what[200];

	if (sasl_repeats(ev.text, s->login, buf_span(&s->answer)))
		ev.text = span_of(SASL_NOT_SHOWN);
	snprintf(what, sizeof(what), "login as %s (%s)", s->login->user,
	    sasl_name(s->mech));
	smtp_refused(&ev, what, e);
	if (*sasl_server_error(s->sasl) != '\0')
		err_prefix(e, "token refused (%s)", sasl_server_error(s->sasl));
	return -1;
}

static int
on_auth(struct smtp_session *s, const struct smtp_ev *ev, struct err *e)
{
	if (ev->kind == SMTP_EV_CONTINUE)
		return on_challenge(s, ev->text, e);
	if (ev->code / 100 != 2)
		return refused(s, *ev, e);
	if (sasl_finish(s->sasl, e) == -1)
		return -1;
	buf_wipe(&s->answer);
	s->state = READY;
	return 0;
}

static int
on_event(struct smtp_session *s, const struct smtp_ev *ev, struct err *e)
{
	switch ((enum state)s->state) {
	case GREETING:
		if (ev->code != 220)
			return smtp_refused(ev, "greeting", e);
		return say_ehlo(s, e);
	case HELLO:
		return on_hello(s, ev, e);
	case STARTTLS:
		return on_starttls(s, ev, e);
	case AUTH:
		return on_auth(s, ev, e);
	case HANDSHAKE:
	case CHOOSE:
	case SECRET:
	case READY:
		break;
	}
	return 0;
}

static int
next_event(struct smtp_session *s, enum smtp_session_ev *ev_r, struct err *e)
{
	struct smtp_ev ev;
	int rc = smtp_next(s->smtp, &ev, e);

	if (rc == 1)
		return on_event(s, &ev, e) == -1 ? -1 : 1;
	*ev_r = SMTP_SESSION_WAIT;
	return rc;
}

static int
need_secret(struct smtp_session *s, enum smtp_session_ev *ev_r, struct err *e)
{
	if (!sasl_lacks_secret(s->mech, s->login))
		return start_login(s, e) == -1 ? -1 : 1;
	if (s->secret_asked)
		return err_set(e, ERR_AUTH, "%s: no password or token came",
		    sasl_name(s->mech));
	s->secret_asked = true;
	*ev_r = SMTP_SESSION_SECRET;
	return 0;
}

int
smtp_session_step(
    struct smtp_session *s, enum smtp_session_ev *ev_r, struct err *e)
{
	int rc = 1;

	while (rc == 1) {
		switch ((enum state)s->state) {
		case HANDSHAKE:
			*ev_r = SMTP_SESSION_STARTTLS;
			return 0;
		case READY:
			*ev_r = SMTP_SESSION_READY;
			return 0;
		case CHOOSE:
			rc = choose(s, e) == -1 ? -1 : 1;
			break;
		case SECRET:
			rc = need_secret(s, ev_r, e);
			break;
		case GREETING:
		case HELLO:
		case STARTTLS:
		case AUTH:
			rc = next_event(s, ev_r, e);
			break;
		}
	}
	return rc;
}

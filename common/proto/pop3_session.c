/*
 * The POP3 login: greeting, CAPA, STLS, AUTH or USER and PASS.  It knows the
 * servers that do these in ways of their own, so that fetching need not.
 */

#include "proto/pop3_session.h"

#include <stdio.h>
#include <string.h>

#define COMMAND_MAX 255 /* octets, CRLF included (RFC 2449 section 4) */
#define RESPONSE_MAX ((size_t)128 * 1024)

static const char *const microsoft[] = {"Microsoft", NULL};
static const char *const exchange[] = {"Microsoft Exchange", NULL};

enum state {
	GREETING,
	CAPA,
	STLS,
	HANDSHAKE,
	CHOOSE,
	SECRET,
	AUTH,
	USER,
	PASS,
	READY,
};

static void
forget_capa(struct pop3_session *s)
{
	s->has_capa = s->has_pipelining = s->has_uidl = s->has_top = false;
	s->has_stls = s->has_user = false;
	s->mechs = 0;
}

void
pop3_session_init(
    struct pop3_session *s, struct pop3 *p, struct sasl_login *login)
{
	*s = (struct pop3_session){.pop3 = p,
	    .login = login,
	    .state = GREETING,
	    .mech = SASL_ANYTHING};
	buf_init(&s->initial, RESPONSE_MAX);
}

void
pop3_session_clear(struct pop3_session *s)
{
	sasl_free(s->sasl);
	s->sasl = NULL;
	buf_wipe(&s->initial);
}

/* --- before the login -------------------------------------------------- */

void
pop3_session_capa(struct pop3_session *s, struct span line)
{
	struct span tag, word;
	enum sasl_mech m;

	if (!span_word(&line, &tag))
		return;
	if (span_caseeq(tag, "SASL")) {
		while (span_word(&line, &word)) {
			if ((m = sasl_by_name(word)) != SASL_N)
				s->mechs |= SASL_BIT(m);
		}
	} else if (span_caseeq(tag, "IMPLEMENTATION"))
		s->exchange |= span_says(line, microsoft);
	s->has_pipelining |= span_caseeq(tag, "PIPELINING");
	s->has_uidl |= span_caseeq(tag, "UIDL");
	s->has_top |= span_caseeq(tag, "TOP");
	s->has_stls |= span_caseeq(tag, "STLS");
	s->has_user |= span_caseeq(tag, "USER");
}

static int
no_stls(const char *why, struct err *e)
{
	return err_set(e, ERR_TLS,
	    "TLS is required, but %s: use pop3s:// "
	    "(port 995), or pop3+plain:// to go without",
	    why);
}

/* What CAPA could tell is known now. */
static int
capa_done(struct pop3_session *s, struct err *e)
{
	if (!s->starttls || s->tls) {
		s->state = CHOOSE;
		return 0;
	}
	/* without CAPA, asking is the only way to find out */
	if (s->has_capa && !s->has_stls)
		return no_stls("server does not offer STLS", e);
	pop3_send(s->pop3, POP3_STLS, 0);
	s->state = STLS;
	return 0;
}

static int
on_greeting(struct pop3_session *s, const struct pop3_ev *ev, struct err *e)
{
	if (!ev->ok)
		return pop3_refused(ev, "greeting", e);
	s->exchange = span_says(ev->text, exchange);
	s->gmail = span_prefix(ev->text, "Gpop ");
	if (s->no_capa)
		return capa_done(s, e);
	pop3_send(s->pop3, POP3_CAPA, 0);
	s->state = CAPA;
	return 0;
}

static int
on_capa(struct pop3_session *s, const struct pop3_ev *ev, struct err *e)
{
	if (ev->kind == POP3_EV_LINE)
		pop3_session_capa(s, ev->text);
	else if (ev->kind == POP3_EV_REPLY && ev->ok)
		s->has_capa = true;
	else
		return capa_done(s, e);
	return 0;
}

static int
on_stls(struct pop3_session *s, const struct pop3_ev *ev, struct err *e)
{
	char why[400];

	if (!ev->ok) {
		pop3_refused(ev, "STLS", e);
		strlcpy(why, e->text, sizeof(why));
		return e->kind == ERR_TEMP ? -1 : no_stls(why, e);
	}
	if (s->pop3->wire->in.len > 0)
		return err_set(e, ERR_TLS,
		    "server, or someone on the way to "
		    "it, sent more behind the reply to STLS: not trusted");
	s->state = HANDSHAKE;
	return 0;
}

void
pop3_session_tls(struct pop3_session *s)
{
	buf_reset(&s->pop3->wire->in);
	forget_capa(s);
	s->tls = true;
	s->state = s->no_capa ? CHOOSE : CAPA;
	if (!s->no_capa)
		pop3_send(s->pop3, POP3_CAPA, 0);
}

/* --- the login --------------------------------------------------------- */

static int
choose(struct pop3_session *s, struct err *e)
{
	sasl_set offered = s->mechs;
	enum sasl_mech pinned = s->login->pinned;

	/* many servers take USER without saying so */
	if (s->has_user || s->mechs == 0 || pinned == SASL_NATIVE)
		offered |= SASL_BIT(SASL_NATIVE);
	if (!s->has_capa && pinned < SASL_N)
		offered |= SASL_BIT(pinned);
	if (sasl_choose(offered, s->login, &s->mech, e) == -1)
		return -1;
	s->state = s->mech == SASL_NOTHING ? READY : SECRET;
	return 0;
}

/*
 * AUTH with the initial response when the line may be that long.  Exchange
 * wants XOAUTH2 in two steps whatever its length.
 */
static int
start_sasl(struct pop3_session *s, struct err *e)
{
	const char *name = sasl_name(s->mech);
	char line[COMMAND_MAX + 1];
	int rc;

	s->state = AUTH;
	s->sasl = sasl_new(s->mech, s->mechs, s->login);
	if (!sasl_client_first(s->sasl))
		return pop3_send_text(s->pop3, POP3_AUTH, name, e);
	if (sasl_answer(s->sasl, span_of(""), &s->initial, e) == -1)
		return -1;
	s->initial_sent =
	    strlen("AUTH  \r\n") + strlen(name) + s->initial.len <=
		COMMAND_MAX &&
	    !(s->exchange && s->mech == SASL_XOAUTH2);
	if (!s->initial_sent)
		return pop3_send_text(s->pop3, POP3_AUTH, name, e);
	snprintf(line, sizeof(line), "%s %s", name,
	    s->initial.len > 0 ? buf_cstr(&s->initial) : "=");
	rc = pop3_send_text(s->pop3, POP3_AUTH, line, e);
	explicit_bzero(line, sizeof(line));
	return rc;
}

static int
start_login(struct pop3_session *s, struct err *e)
{
	if (s->mech != SASL_NATIVE)
		return start_sasl(s, e);
	s->state = USER;
	if (pop3_send_text(s->pop3, POP3_USER, s->login->user, e) == -1)
		return -1;
	if (!s->has_pipelining)
		return 0;
	return pop3_send_text(s->pop3, POP3_PASS, s->login->password, e);
}

/* The server refused: its reason, and with a token, what it said of that. */
static int
refused(struct pop3_session *s, struct pop3_ev ev, struct err *e)
{
	char what[200];

	if (sasl_repeats(ev.text, s->login, buf_span(&s->initial)))
		ev.text = span_of(SASL_NOT_SHOWN);
	snprintf(what, sizeof(what), "login as %s (%s)", s->login->user,
	    sasl_name(s->mech));
	pop3_refused(&ev, what, e);
	if (s->sasl != NULL && *sasl_server_error(s->sasl) != '\0')
		err_prefix(e, "token refused (%s)", sasl_server_error(s->sasl));
	return -1;
}

static int
ready(struct pop3_session *s)
{
	buf_wipe(&s->initial);
	s->state = READY;
	return 0;
}

static int
on_challenge(struct pop3_session *s, struct span text, struct err *e)
{
	struct buf answer;
	int rc;

	/* An empty one behind an initial response: it was not listened to. */
	if (s->initial.len > 0 && (!s->initial_sent || text.n == 0)) {
		pop3_send_line(s->pop3, buf_span(&s->initial));
		buf_wipe(&s->initial);
		return 0;
	}
	buf_wipe(&s->initial);
	buf_init(&answer, RESPONSE_MAX);
	rc = sasl_answer(s->sasl, text, &answer, e);
	/* "*" cancels */
	pop3_send_line(s->pop3, rc == 0 ? buf_span(&answer) : span_of("*"));
	buf_wipe(&answer);
	return rc;
}

static int
on_auth(struct pop3_session *s, const struct pop3_ev *ev, struct err *e)
{
	if (ev->kind == POP3_EV_CONTINUE)
		return on_challenge(s, ev->text, e);
	if (!ev->ok)
		return refused(s, *ev, e);
	if (sasl_finish(s->sasl, e) == -1)
		return -1;
	return ready(s);
}

static int
on_user(struct pop3_session *s, const struct pop3_ev *ev, struct err *e)
{
	if (!ev->ok)
		return refused(s, *ev, e);
	s->state = PASS;
	if (s->has_pipelining)
		return 0;
	return pop3_send_text(s->pop3, POP3_PASS, s->login->password, e);
}

static int
on_event(struct pop3_session *s, const struct pop3_ev *ev, struct err *e)
{
	switch ((enum state)s->state) {
	case GREETING:
		return on_greeting(s, ev, e);
	case CAPA:
		return on_capa(s, ev, e);
	case STLS:
		return on_stls(s, ev, e);
	case AUTH:
		return on_auth(s, ev, e);
	case USER:
		return on_user(s, ev, e);
	case PASS:
		return ev->ok ? ready(s) : refused(s, *ev, e);
	case HANDSHAKE:
	case CHOOSE:
	case SECRET:
	case READY:
		break;
	}
	return 0;
}

/* One event of the server's: 1; 0 when *ev_r tells the caller to wait. */
static int
next_event(struct pop3_session *s, enum pop3_session_ev *ev_r, struct err *e)
{
	struct pop3_ev ev;
	int rc = pop3_next(s->pop3, &ev, e);

	if (rc == -1 && e->kind == ERR_TEMP && s->state == CAPA &&
	    s->pop3->wire->eof && !s->has_capa) {
		err_clear(e);
		*ev_r = POP3_SESSION_NO_CAPA;
		return 0;
	}
	if (rc == 1)
		return on_event(s, &ev, e) == -1 ? -1 : 1;
	*ev_r = POP3_SESSION_WAIT;
	return rc;
}

static int
need_secret(struct pop3_session *s, enum pop3_session_ev *ev_r, struct err *e)
{
	if (!sasl_lacks_secret(s->mech, s->login))
		return start_login(s, e) == -1 ? -1 : 1;
	if (s->secret_asked)
		return err_set(e, ERR_AUTH, "%s: no password or token came",
		    sasl_name(s->mech));
	s->secret_asked = true;
	*ev_r = POP3_SESSION_SECRET;
	return 0;
}

int
pop3_session_step(
    struct pop3_session *s, enum pop3_session_ev *ev_r, struct err *e)
{
	int rc = 1;

	while (rc == 1) {
		if (s->state == HANDSHAKE || s->state == READY) {
			*ev_r = s->state == READY ? POP3_SESSION_READY
			                          : POP3_SESSION_STARTTLS;
			return 0;
		}
		if (s->state == CHOOSE)
			rc = choose(s, e) == -1 ? -1 : 1;
		else if (s->state == SECRET)
			rc = need_secret(s, ev_r, e);
		else
			rc = next_event(s, ev_r, e);
	}
	return rc;
}

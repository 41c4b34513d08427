/*
 * Logs on to an IMAP server: one place that decides what is asked, in which
 * order, and what is refused before a secret goes out.
 */

#include "proto/imap_session.h"

#include <stdio.h>
#include <string.h>

/* Longer command lines are refused by servers; such a response waits for the
 * challenge, where lines may be longer. */
#define COMMAND_MAX 8000
#define ANSWER_MAX (128 * 1024)

enum state {
	GREETING,
	CAPA,
	STARTTLS,
	HANDSHAKE,
	CHOOSE,
	AUTH,
	CAPA_AFTER,
	IDENTIFY,
	COMPRESS,
	DEFLATE,
	READY
};

void
imap_session_init(
    struct imap_session *s, struct imap *im, struct sasl_login *login)
{
	*s = (struct imap_session){.imap = im,
	    .login = login,
	    .state = GREETING,
	    .mech = SASL_NOTHING};
}

void
imap_session_clear(struct imap_session *s)
{
	sasl_free(s->sasl);
	s->sasl = NULL;
	explicit_bzero(s->sent, sizeof(s->sent));
}

static void
ask_caps(struct imap_session *s, enum state next)
{
	s->asked = true;
	imap_command(s->imap, IMAP_V_CAPABILITY, 0, "CAPABILITY");
	s->state = (int)next;
}

void
imap_session_tls(struct imap_session *s)
{
	s->secured = true;
	s->imap->caps = 0;
	s->imap->mechs = 0;
	s->imap->caps_known = false;
	ask_caps(s, CAPA);
}

/* --- before the login -------------------------------------------------- */

/* What may be known by now is enough for the next step, or is asked for. */
static int
next_step(struct imap_session *s, struct err *e)
{
	bool must = s->starttls && !s->secured;

	if (must && imap_has(s->imap, IMAP_CAP_STARTTLS)) {
		imap_command(s->imap, IMAP_V_STARTTLS, 0, "STARTTLS");
		s->state = STARTTLS;
	} else if (!s->asked && (must || !s->imap->caps_known))
		ask_caps(s, CAPA);
	else if (must)
		return err_set(e, ERR_TLS,
		    "the server does not offer STARTTLS, and without it nothing "
		    "is sent; use imaps:// if it speaks TLS from the start");
	else
		s->state = CHOOSE;
	return 0;
}

static int
logged_in(struct imap_session *s)
{
	/* iCloud spoils literals until it is asked once more. */
	if (!s->fresh || imap_has(s->imap, IMAP_CAP_XAPPLEPUSHSERVICE))
		ask_caps(s, CAPA_AFTER);
	else if (imap_has(s->imap, IMAP_CAP_XCM) &&
		 imap_has(s->imap, IMAP_CAP_ID)) {
		/* NetEase lets nobody select a folder who did not tell. */
		imap_command(
		    s->imap, IMAP_V_ID, 0, "ID (\"name\" \"mailroom\")");
		s->state = IDENTIFY;
	} else if (s->compress && imap_has(s->imap, IMAP_CAP_COMPRESS)) {
		imap_command(s->imap, IMAP_V_COMPRESS, 0, "COMPRESS DEFLATE");
		s->state = COMPRESS;
	} else
		s->state = READY;
	return 0;
}

static int
greeted(struct imap_session *s, const struct imap_ev *ev, struct err *e)
{
	if (ev->cond == IMAP_BYE)
		return imap_refused(ev, "connecting", e);
	if (ev->cond == IMAP_OK)
		return next_step(s, e);
	if (s->starttls || (!s->preauth_ok && !s->login->private_path))
		return err_set(e, ERR_TLS,
		    "the server says PREAUTH before TLS was set up; somebody on "
		    "the way may be playing its part (CVE-2021-39272); use "
		    "imaps://, or a tunnel if this is meant");
	s->fresh = s->imap->caps_known;
	return logged_in(s);
}

static int
starttls_done(struct imap_session *s, const struct imap_ev *ev, struct err *e)
{
	if (ev->cond != IMAP_OK) {
		imap_refused(ev, "STARTTLS", e);
		if (e->kind != ERR_TEMP) {
			e->kind = ERR_TLS;
			e->code = 0;
		}
		return -1;
	}
	if (s->imap->wire->in.len > 0)
		return err_set(e, ERR_TLS,
		    "bytes came behind the reply to STARTTLS: somebody on the "
		    "way may have put them there; use imaps://");
	s->state = HANDSHAKE;
	return 0;
}

/* --- the login --------------------------------------------------------- */

/* By which it is known again, should the server repeat it. */
static void
note_sent(struct imap_session *s, struct span response)
{
	size_t n =
	    response.n < sizeof(s->sent) ? response.n : sizeof(s->sent) - 1;

	memset(s->sent, 0, sizeof(s->sent));
	if (n > 0)
		memcpy(s->sent, response.p, n);
}

/* The first response, when it may go with the command: " text"; else the
 * exchange is begun anew when the server asks. */
static int
initial(
    struct imap_session *s, sasl_set offered, struct buf *out, struct err *e)
{
	if (!imap_has(s->imap, IMAP_CAP_SASL_IR) || !sasl_client_first(s->sasl))
		return 0;
	(void)buf_putc(out, ' ');
	if (sasl_answer(s->sasl, span_of(NULL), out, e) == -1)
		return -1;
	note_sent(s, span_bytes(buf_span(out).p + 1, out->len - 1));
	if (out->len == 1)
		(void)buf_putc(out, '=');
	s->spoken = out->len + 64 <= COMMAND_MAX;
	if (!s->spoken) {
		buf_reset(out);
		sasl_free(s->sasl);
		s->sasl = sasl_new(s->mech, offered, s->login);
	}
	return 0;
}

static int
authenticate(struct imap_session *s, sasl_set offered, struct err *e)
{
	struct buf first;
	int r;

	sasl_free(s->sasl);
	s->sasl = sasl_new(s->mech, offered, s->login);
	s->spoken = !sasl_client_first(s->sasl);
	buf_init(&first, ANSWER_MAX);
	if ((r = initial(s, offered, &first, e)) == 0) {
		imap_begin(s->imap, IMAP_V_AUTHENTICATE, 0);
		imap_put(s->imap, "AUTHENTICATE %s", sasl_name(s->mech));
		imap_queue_put(&s->imap->queue, buf_span(&first));
		imap_end(s->imap);
	}
	buf_wipe(&first);
	return r;
}

static int
no_login(struct imap_session *s, struct err *e)
{
	if (!s->asked) { /* the greeting may not have told all */
		ask_caps(s, CAPA);
		return 0;
	}
	return err_prefix(e, "cannot log in");
}

/* Sets *ev_r when a secret is wanted first. */
static int
choose(struct imap_session *s, enum imap_session_ev *ev_r, struct err *e)
{
	sasl_set offered = s->imap->mechs;

	if (!imap_has(s->imap, IMAP_CAP_LOGINDISABLED))
		offered |= SASL_BIT(SASL_NATIVE);
	if (sasl_choose(offered, s->login, &s->mech, e) == -1)
		return no_login(s, e);
	if (s->mech == SASL_NOTHING)
		return err_set(e, ERR_CONFIG,
		    "the server wants a login, but auth is set to none");
	if (sasl_lacks_secret(s->mech, s->login)) {
		*ev_r = IMAP_SESSION_SECRET;
		return 1;
	}
	s->fresh = false;
	s->state = AUTH;
	if (s->mech != SASL_NATIVE)
		return authenticate(s, offered, e);
	imap_begin(s->imap, IMAP_V_LOGIN, 0);
	imap_put(s->imap, "LOGIN ");
	imap_put_astring(s->imap, span_of(s->login->user));
	imap_put(s->imap, " ");
	imap_put_astring(s->imap, span_of(s->login->password));
	imap_end(s->imap);
	return 0;
}

/* "+": a challenge, or the word for what the client says first. */
static int
challenged(struct imap_session *s, struct span text, struct err *e)
{
	struct buf out;
	int r;

	if (s->mech == SASL_NATIVE)
		return err_set(e, ERR_PROTO,
		    "the server asks for more in the middle of LOGIN");
	if (!s->spoken)
		text = span_of(NULL);
	s->spoken = true;
	buf_init(&out, ANSWER_MAX);
	if ((r = sasl_answer(s->sasl, text, &out, e)) == 0) {
		note_sent(s, buf_span(&out));
		imap_send_line(s->imap, buf_span(&out));
	} else {
		imap_send_line(s->imap, span_of("*"));
		err_prefix(e, "logging in as %s with %s", s->login->user,
		    sasl_name(s->mech));
	}
	buf_wipe(&out);
	return r;
}

static int
refused(
    struct imap_session *s, struct imap_ev ev, const char *what, struct err *e)
{
	if (sasl_repeats(ev.text, s->login, span_of(s->sent)))
		ev.text = span_of(SASL_NOT_SHOWN);
	return imap_refused(&ev, what, e);
}

static int
login_done(struct imap_session *s, const struct imap_ev *ev, struct err *e)
{
	const char *more = s->sasl != NULL ? sasl_server_error(s->sasl) : "";
	char what[320];
	int r = 0;

	snprintf(what, sizeof(what), "logging in as %.200s with %s%s%.64s%s",
	    s->login->user, sasl_name(s->mech), *more != '\0' ? " (" : "", more,
	    *more != '\0' ? ")" : "");
	if (ev->cond != IMAP_OK)
		return refused(s, *ev, what, e);
	if (s->sasl != NULL && (r = sasl_finish(s->sasl, e)) == -1)
		err_prefix(e, "%s", what);
	sasl_free(s->sasl);
	s->sasl = NULL;
	return r == 0 ? logged_in(s) : r;
}

/* --- events ------------------------------------------------------------ */

static int
answered(struct imap_session *s, const struct imap_ev *ev, struct err *e)
{
	s->fresh = s->fresh || ev->code == IMAP_CODE_CAPABILITY;
	switch ((enum state)s->state) {
	case CAPA:
		if (ev->cond != IMAP_OK)
			return imap_refused(ev, "CAPABILITY", e);
		return next_step(s, e);
	case STARTTLS:
		return starttls_done(s, ev, e);
	case AUTH:
		return login_done(s, ev, e);
	case CAPA_AFTER:
		if (ev->cond != IMAP_OK)
			return imap_refused(ev, "CAPABILITY", e);
		s->fresh = true;
		s->imap->caps &= ~(UINT64_C(1) << IMAP_CAP_XAPPLEPUSHSERVICE);
		return logged_in(s);
	case IDENTIFY:
		s->imap->caps &= ~(UINT64_C(1) << IMAP_CAP_XCM);
		return logged_in(s);
	case COMPRESS: /* refused: then not */
		s->state = ev->cond == IMAP_OK ? DEFLATE : READY;
		return 0;
	case GREETING:
	case HANDSHAKE:
	case CHOOSE:
	case DEFLATE:
	case READY:
		break;
	}
	return 0;
}

static int
heard(struct imap_session *s, const struct imap_ev *ev, struct err *e)
{
	if (ev->kind == IMAP_EV_GREETING)
		return greeted(s, ev, e);
	if (ev->kind == IMAP_EV_DONE)
		return answered(s, ev, e);
	if (ev->kind == IMAP_EV_CONTINUE && s->state == AUTH)
		return challenged(s, ev->text, e);
	if (ev->kind == IMAP_EV_CAPABILITY)
		s->fresh = true;
	return 0; /* whatever else a server says meanwhile */
}

/* States that need no input: 1 with *ev_r set, or 0 to go on. */
static int
act(struct imap_session *s, enum imap_session_ev *ev_r, struct err *e)
{
	if (s->state == CHOOSE)
		return choose(s, ev_r, e);
	if (s->state == HANDSHAKE)
		*ev_r = IMAP_SESSION_STARTTLS;
	else if (s->state == READY)
		*ev_r = IMAP_SESSION_READY;
	else if (s->state == DEFLATE) {
		s->state = READY;
		*ev_r = IMAP_SESSION_COMPRESS;
	} else
		return 0;
	return 1;
}

int
imap_session_step(
    struct imap_session *s, enum imap_session_ev *ev_r, struct err *e)
{
	struct imap_ev ev;
	int r;

	for (;;) {
		if ((r = act(s, ev_r, e)) != 0)
			return r == 1 ? 0 : -1;
		if ((r = imap_next(s->imap, &ev, e)) == -1)
			return -1;
		if (r == 0) {
			*ev_r = IMAP_SESSION_WAIT;
			return 0;
		}
		if (heard(s, &ev, e) == -1)
			return -1;
	}
}

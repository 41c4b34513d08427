#ifndef PROTO_SMTP_SESSION_H
#define PROTO_SMTP_SESSION_H

#include "proto/smtp.h"

/*
 * From the greeting to where mail may be sent: EHLO (else HELO) or LHLO,
 * STARTTLS and EHLO again, AUTH.  What the server offers is then in
 * smtp->caps.
 */
enum smtp_session_ev {
	SMTP_SESSION_WAIT,     /* needs more input */
	SMTP_SESSION_STARTTLS, /* do the handshake, then smtp_session_tls() */
	SMTP_SESSION_SECRET,   /* fill login->password/token, call again */
	SMTP_SESSION_READY,    /* logged in, or login->pinned is NOTHING */
};

struct smtp_session {
	struct smtp *smtp;        /* borrowed */
	struct sasl_login *login; /* borrowed */
	const char *hello;        /* borrowed: our name for EHLO */
	bool starttls;            /* required before anything else */
	bool lmtp;                /* LHLO, and no HELO instead */
	enum sasl_mech mech;      /* used or chosen */
	/* private */
	int state;
	bool tls, secret_asked;
	bool initial, initial_sent; /* answer is the initial response */
	struct sasl *sasl;          /* owned */
	struct buf answer; /* the last, base64; until the login is over */
};

void smtp_session_init(struct smtp_session *, struct smtp *,
    struct sasl_login *, const char *hello);
void smtp_session_clear(struct smtp_session *);

/*
 * Goes as far as the input allows.  Returns 0 and sets *ev_r, or -1: ERR_AUTH
 * when refused, ERR_TLS when STARTTLS is required and not to be had or bytes
 * came behind its reply, and as smtp_refused() and smtp_next().
 */
int smtp_session_step(
    struct smtp_session *, enum smtp_session_ev *ev_r, struct err *);

/* The handshake is done: what was known from before is forgotten. */
void smtp_session_tls(struct smtp_session *);

#endif

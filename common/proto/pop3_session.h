#ifndef PROTO_POP3_SESSION_H
#define PROTO_POP3_SESSION_H

#include "proto/pop3.h"

/*
 * From the greeting to the TRANSACTION state: CAPA, STLS, AUTH or USER/PASS.
 * CAPA is asked again behind the login, in the same flight as UIDL and LIST.
 */
enum pop3_session_ev {
	POP3_SESSION_WAIT,     /* needs more input */
	POP3_SESSION_STARTTLS, /* do the handshake, then pop3_session_tls() */
	POP3_SESSION_SECRET,   /* fill login->password/token, call again */
	POP3_SESSION_NO_CAPA,  /* the server hung up on CAPA: connect again and
				* start over with no_capa set */
	POP3_SESSION_READY,    /* logged in */
};

struct pop3_session {
	struct pop3 *pop3;        /* borrowed */
	struct sasl_login *login; /* borrowed */
	bool starttls;            /* required before anything else */
	bool no_capa;             /* do not ask: this server hangs up on it */
	enum sasl_mech mech;      /* used or chosen */
	/* private */
	int state;
	bool tls, secret_asked, initial_sent;
	bool exchange;      /* Microsoft's: XOAUTH2 in two steps */
	struct sasl *sasl;  /* owned */
	struct buf initial; /* base64; until the server has taken it */
	/* what CAPA said */
	bool has_capa, has_pipelining, has_uidl, has_top, has_stls, has_user;
	bool gmail; /* it lists only part of the maildrop in a session */
	sasl_set mechs;
};

void pop3_session_init(
    struct pop3_session *, struct pop3 *, struct sasl_login *);
void pop3_session_clear(struct pop3_session *);

/*
 * Goes as far as the input allows.  Returns 0 and sets *ev_r, or -1: ERR_AUTH
 * when refused, ERR_TLS when STLS is required and not to be had or bytes came
 * behind its reply, ERR_TEMP by response code, ERR_PROTO.
 */
int pop3_session_step(
    struct pop3_session *, enum pop3_session_ev *ev_r, struct err *);

/* The handshake is done: what was known from before is forgotten. */
void pop3_session_tls(struct pop3_session *);

/* Feeds a line of a CAPA reply (also after READY, for the second CAPA). */
void pop3_session_capa(struct pop3_session *, struct span line);

#endif

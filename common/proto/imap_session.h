#ifndef PROTO_IMAP_SESSION_H
#define PROTO_IMAP_SESSION_H

#include "proto/imap.h"

/*
 * From the greeting to the authenticated state: CAPABILITY, STARTTLS,
 * AUTHENTICATE or LOGIN, COMPRESS.  Costs no round trip that the server's
 * answers do not call for: capabilities in the greeting or in the login's
 * reply are used, not asked again.
 */
enum imap_session_ev {
	IMAP_SESSION_WAIT,     /* needs more input */
	IMAP_SESSION_STARTTLS, /* do the handshake, then imap_session_tls() */
	IMAP_SESSION_SECRET,   /* fill login->password/token, call again */
	IMAP_SESSION_COMPRESS, /* deflate both ways from here (RFC 4978), then
				* call again */
	IMAP_SESSION_READY,    /* authenticated */
};

struct imap_session {
	struct imap *imap;        /* borrowed */
	struct sasl_login *login; /* borrowed */
	bool starttls;            /* required before anything else */
	bool preauth_ok;          /* a tunnel: PREAUTH is what we expect */
	bool compress;            /* ask for COMPRESS when offered */
	int state;                /* private, as is all that follows */
	bool secured;             /* STARTTLS is done */
	bool asked;               /* CAPABILITY, since the path is as it is */
	bool spoken;              /* the client's first SASL message is out */
	bool fresh;               /* capabilities came with the login */
	enum sasl_mech mech;
	struct sasl *sasl; /* owned */
	char sent[32];     /* how the last response began, in base64 */
};

void imap_session_init(
    struct imap_session *, struct imap *, struct sasl_login *);
void imap_session_clear(struct imap_session *);

/*
 * Goes as far as the input allows.  Returns 0 and sets *ev_r, or -1: ERR_AUTH
 * when refused; ERR_TLS when STARTTLS is required and not to be had, when
 * bytes came behind its reply, or on PREAUTH before it (CVE-2021-39272);
 * ERR_TEMP for BYE, UNAVAILABLE, INUSE; ERR_PROTO.  LOGINDISABLED is heeded
 * before the login only.
 */
int imap_session_step(
    struct imap_session *, enum imap_session_ev *ev_r, struct err *);

/* The handshake is done: capabilities from before are forgotten. */
void imap_session_tls(struct imap_session *);

#endif

#ifndef CLIENT_LINK_H
#define CLIENT_LINK_H

#include <stdbool.h>

#include "base/url.h"
#include "base/wire.h"
#include "os/account.h"
#include "os/pump.h"
#include "os/tls.h"
#include "proto/sasl.h"

/*
 * A connection to an account's server with all that logging in needs: the
 * joint between the protocol cores, which know no sockets, and the machine.
 */
struct link {
	const struct account *account; /* borrowed */
	const struct url *url;         /* borrowed; host NULL: a tunnel's */
	struct tls_config *tls_config; /* borrowed */
	int ask_fd;
	char peer[300]; /* "host:port" or the tunnel's command */
	struct wire wire;
	struct pump pump;
	struct sasl_login login; /* its strings are owned here */
	char *password, *token;  /* owned: wiped */
	char nonce[40];
	bool token_renewed; /* a second token was asked for already */
	bool open;
};

/*
 * Borrows the account, its server and what TLS needs (see client/server.h); a
 * server without a host is for an account with a tunnel.  ask_fd leads to the
 * parent (os/ask), who has the secrets.  Over LMTP (RFC 2033) nobody logs in
 * unless `auth` names a mechanism.
 */
void link_init(struct link *, const struct account *, const struct url *,
    struct tls_config *, int ask_fd);
void link_clear(struct link *); /* closes and wipes */

/*
 * Connects (TCP, proxy or tunnel), and does the TLS handshake when the URL's
 * scheme begins with it (RFC 8314).  An open connection is closed first; the
 * password is kept, a token is not.  login is then filled in, but for the
 * secret.  -1: as net_connect() and ask_tunnel(); ERR_TLS, with the remedy,
 * when a login would go over the network in the clear: without TLS only
 * loopback and tunnels are private.
 */
int link_connect(struct link *, struct err *);

/* Closes at once; a tunnel's command is given 500 ms to end in good order. */
void link_close(struct link *);

/* STARTTLS was accepted: the handshake.  As pump_tls(). */
int link_tls(struct link *, struct err *);

/*
 * Gets the secret that the mechanism wants from the parent, into login
 * (login->can_* say which there are).  Without a host it is the secret for the
 * account's name.  As ask_secret().
 */
int link_secret(struct link *, enum sasl_mech, struct err *);

/*
 * After ERR_AUTH: whether a new try makes sense: true once when the login used
 * a token (which is then forgotten and will be asked for anew).
 */
bool link_renew(struct link *, enum sasl_mech);

/*
 * As pump_wait(), with the deadline in clock_ms() terms (0: none); tells the
 * service manager that the worker is alive.
 */
int link_wait(
    struct link *, int64_t deadline, enum pump_result *, struct err *);

/* A short answer must come soon, or the link is dead: shortens the time-out to
 * 30 s, until link_ease() is given what this returns. */
int64_t link_hurry(struct link *);
void link_ease(struct link *, int64_t timeout);

#endif

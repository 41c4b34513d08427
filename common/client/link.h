#ifndef FETCHD_LINK_H
#define FETCHD_LINK_H

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
	const struct url *url;         /* borrowed */
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

void link_init(struct link *, const struct account *, const struct url *,
    struct tls_config *, int ask_fd);
void link_clear(struct link *); /* closes and wipes */

/*
 * Connects (TCP, proxy or tunnel), and does the TLS handshake when the URL's
 * scheme begins with it.  Refuses credentials' paths in the clear: without TLS
 * only loopback and tunnels are private.  An open connection is closed first;
 * secrets are kept.
 */
int link_connect(struct link *, struct err *);
void link_close(struct link *);

/* STARTTLS was accepted: the handshake. */
int link_tls(struct link *, struct err *);

/* Gets the secret that the login wants (login->can_* say which there are). */
int link_secret(struct link *, enum sasl_mech, struct err *);

/*
 * After ERR_AUTH: whether a new try makes sense: true once when the login used
 * a token (which is then forgotten and will be asked for anew).
 */
bool link_renew(struct link *, enum sasl_mech);

/* Deadline for one wait, by inbox_due() and the like; as pump_wait(). */
int link_wait(
    struct link *, int64_t deadline, enum pump_result *, struct err *);

#endif

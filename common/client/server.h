#ifndef CLIENT_SERVER_H
#define CLIENT_SERVER_H

#include "base/url.h"
#include "os/account.h"
#include "os/sandbox.h"
#include "os/tls.h"

/*
 * The server of an account that a link is made to, and what TLS with it needs:
 * to be had before the sandbox closes, and kept for all connections.  Not to
 * be copied.
 */
struct server {
	const struct url *url;  /* borrowed: the account's, or `found` */
	struct tls_config *tls; /* owned */

	/* private */
	const struct account *account; /* borrowed */
	struct url found;              /* owned */
};

/*
 * The account's server for URL_IMAP, URL_POP3 or URL_SMTP; the last may turn
 * out to be one for LMTP.  If the account names none it is looked up in the
 * DNS, in the domain of the user (`discover`; SRV records, RFC 6186 and 8314
 * section 5.1), TLS from the first byte before STARTTLS; an account with a
 * tunnel needs none, url->host is then NULL.  Reads the files for TLS.  The
 * account must stay as it is until server_close().
 *
 * -1: ERR_CONFIG, with EX_NOHOST when the domain publishes no such record and
 * EX_UNAVAILABLE when it says that there is no such service; as
 * tls_config_new().  It may be closed then, too.
 */
int server_open(
    struct server *, const struct account *, enum url_proto, struct err *);
void server_close(struct server *);

/*
 * Puts the ports that a connection needs into the sandbox's list, which is to
 * be empty: of the server or, if there is one, the proxy, and of the DNS.
 */
void server_ports(const struct server *, struct sandbox *);

#endif

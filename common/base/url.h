#ifndef BASE_URL_H
#define BASE_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum url_proto { URL_IMAP, URL_POP3, URL_SMTP, URL_LMTP };
enum url_tls {
	URL_TLS_IMPLICIT, /* imaps pop3s submissions (RFC 8314) */
	URL_TLS_STARTTLS, /* imap pop3 submission: required, no fallback */
	URL_TLS_NONE,     /* imap+plain ... lmtp: none */
};

/*
 * scheme://[user@]host[:port][/path]; user, host and path are percent-decoded.
 * IPv6 hosts in brackets.  The default port is the scheme's.
 */
struct url {
	enum url_proto proto;
	enum url_tls tls;
	char *user; /* owned; NULL when not given */
	char *host; /* owned */
	uint16_t port;
	char *path; /* owned; NULL when not given or empty; no leading '/' */
};

/*
 * ERR_CONFIG with the reason and the remedy: unknown scheme (with the nearest
 * known), a password (argv is public: password-command), no host, bad port,
 * control characters, ';AUTH=' and query or fragment parts.  The text never
 * repeats more than the scheme.  *url_r is then cleared.
 */
int url_parse(const char *, struct url *url_r, struct err *);
void url_clear(struct url *);

/* "imaps://ada@host:993/INBOX", port only when not the default; owned. */
char *url_show(const struct url *);

/* Whether the text starts as a URL would ("word://"). */
bool url_looks_like(const char *);

const char *url_scheme(const struct url *); /* static */

#endif

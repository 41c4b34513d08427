#ifndef OS_ACCOUNT_H
#define OS_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/url.h"
#include "os/conf.h"

enum account_compress { COMPRESS_AUTO, COMPRESS_YES, COMPRESS_NO };
enum account_tls_min { ACCOUNT_TLS_1_2, ACCOUNT_TLS_1_3 };

/*
 * What the keywords of an `account` section say (and the same keywords when
 * they stand in a fetch, sync or send section, or after -o): who, where, and
 * how to get there.  See mailroom.conf(5).  All strings are owned; NULL: not
 * given.
 */
struct account {
	char *name;
	char *address;               /* "Ada <ada@example.org>" */
	char *user;                  /* else by account_check() */
	struct url imap, pop3, smtp; /* host NULL: not given */
	bool discover;
	/* secrets, section 3.2 */
	char *password_command, *token_command; /* as written */
	char *password_file;
	char *credential;
	/* login */
	int auth; /* index into account_auth_names; 0: automatic */
	/* TLS, section 3.4 */
	char *tls_ca;
	struct words tls_fingerprints;
	char *tls_certificate, *tls_key;
	int tls_min; /* enum account_tls_min */
	/* network, section 3.5 */
	int64_t timeout;      /* ms without progress; default 60,000 */
	char *proxy;          /* socks5://[user[:password]@]host[:port] */
	char *source_address; /* numeric, IPv4 or IPv6 */
	char *tunnel;         /* a command, as written */
	int compress;         /* enum account_compress */
};

extern const struct conf_key account_keys[];

/*
 * "auto"; then the mechanisms in enum sasl_mech's order, so that index - 1 is
 * the mechanism ("native" is SASL_NATIVE); then "none".
 */
extern const char *const account_auth_names[];

void account_init(struct account *);
void account_clear(struct account *);

/* The URL of the server that speaks the protocol, SMTP or LMTP being one; its
 * host is NULL when the account names none.  Borrowed. */
const struct url *account_url(const struct account *, enum url_proto);

/*
 * Applies what the configuration says to the account and to the tool's own
 * struct: the lines of the account section that a fetch, sync or send section
 * uses, then its own, then the overrides.  Each replaces what came before, or
 * what was in the structs already; these must be initialised.  `own` has the
 * tool's keywords and its kind of section.  A section made by conf_section()
 * is no user's, and uses no account.
 */
void account_apply(struct account *, struct conf *, const struct conf_section *,
    const struct conf_table *own);

/*
 * A URL on the command line stands in for an account, which must be
 * initialised: it has this server, and the host for a name.
 * *proto_r tells which of the servers it is; a folder is still in that one's
 * path.  As url_parse().
 */
int account_from_url(
    struct account *, const char *url, enum url_proto *proto_r, struct err *);

/*
 * After all was applied, for the tool that will use the server of this
 * protocol: takes the name from the section and the user from that server's
 * URL, else from another's (imap, pop3, smtp), else from the address, if they
 * were not given; checks the forms of address, pins, proxy and source address,
 * and what must go together.  Errors go to conf, at the place of the account
 * section that this one uses, else of this one.
 */
void account_check(struct account *, enum url_proto, struct conf *,
    const struct conf_section *);

#endif

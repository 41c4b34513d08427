#ifndef OS_ACCOUNT_H
#define OS_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/url.h"
#include "os/conf.h"

/*
 * What the keywords of an `account` section say (and the same keywords when
 * they stand in a fetch, sync or send section, or after -o): who, where, and
 * how to get there.  See mailroom.conf(5).
 */
struct account {
	char *name;
	char *address; /* "Ada <ada@example.org>" */
	char *user;    /* default: the address within `address` */
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
	int tls_min; /* index into account_tls_names: 1.2 or 1.3 */
	/* network, section 3.5 */
	int64_t timeout; /* ms without progress; default 60,000 */
	char *proxy;     /* socks5://[user@]host[:port] */
	char *source_address;
	char *tunnel;  /* a command, as written */
	int compress;  /* auto, yes, no */
};

extern const struct conf_key account_keys[];
extern const char *const account_auth_names[]; /* "auto" first, then SASL's in
                                                * lower case, "login", "none" */

void account_init(struct account *);
void account_clear(struct account *);

/*
 * After all was applied: derives user from the address, checks what must go
 * together (tls-key and tls-certificate, fingerprint formats, proxy URL,
 * password-file and so on); errors go to conf with the section's place.
 */
void account_check(struct account *, struct conf *,
    const struct conf_section *);

#endif

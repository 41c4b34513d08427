/*
 * The keywords that say who the user is, where the servers are and how to get
 * there: the same for all three tools.
 */

#include "os/account.h"

#include <arpa/inet.h>

#include <stdlib.h>
#include <string.h>

#include "base/header.h"
#include "base/mem.h"
#include "base/span.h"
#include "os/socks.h"
#include "os/tls.h"

const char *const account_auth_names[] = {"auto", "scram-sha-256-plus",
    "scram-sha-1-plus", "scram-sha-256", "scram-sha-1", "oauthbearer",
    "xoauth2", "external", "cram-md5", "plain", "login", "native", "none",
    NULL};
#define AUTH_OAUTHBEARER 5
#define AUTH_XOAUTH2 6

static const char *const tls_min_names[] = {"1.2", "1.3", NULL};
static const char *const compress_names[] = {"auto", "yes", "no", NULL};

/* LMTP is as good as SMTP: it takes mail too. */
static int
parse_url(struct url *to, enum url_proto proto, const char *scheme,
    const struct conf_line *l, struct err *e)
{
	struct url u;

	if (l->args.n != 1)
		return err_set(
		    e, ERR_CONFIG, "needs one URL (%s://HOST)", scheme);
	if (!url_looks_like(l->args.v[0]))
		return err_set(e, ERR_CONFIG,
		    "'%s' is not a URL; write %s://HOST", l->args.v[0], scheme);
	if (url_parse(l->args.v[0], &u, e) == -1)
		return -1;
	if (u.proto != proto && (proto != URL_SMTP || u.proto != URL_LMTP)) {
		err_set(e, ERR_CONFIG,
		    "%s:// is another protocol; write %s://HOST",
		    url_scheme(&u), scheme);
		url_clear(&u);
		return -1;
	}
	url_clear(to);
	*to = u;
	return 0;
}

static int
parse_server(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	struct account *a = target;

	(void)c;
	if (strcmp(l->keyword, "imap") == 0)
		return parse_url(&a->imap, URL_IMAP, "imaps", l, e);
	if (strcmp(l->keyword, "pop3") == 0)
		return parse_url(&a->pop3, URL_POP3, "pop3s", l, e);
	return parse_url(&a->smtp, URL_SMTP, "submissions", l, e);
}

const struct conf_key account_keys[] = {
    CONF_KEY("address", TEXT, struct account, address),
    CONF_KEY("user", STRING, struct account, user),
    CONF_PARSED("imap", parse_server),
    CONF_PARSED("pop3", parse_server),
    CONF_PARSED("smtp", parse_server),
    CONF_KEY("discover", BOOL, struct account, discover),
    CONF_KEY("password-command", COMMAND, struct account, password_command),
    CONF_KEY("token-command", COMMAND, struct account, token_command),
    CONF_KEY("password-file", PATH, struct account, password_file),
    CONF_KEY("credential", STRING, struct account, credential),
    CONF_ONE_OF("auth", struct account, auth, account_auth_names),
    CONF_KEY("tls-ca", PATH, struct account, tls_ca),
    CONF_KEY("tls-fingerprint", APPEND, struct account, tls_fingerprints),
    CONF_KEY("tls-certificate", PATH, struct account, tls_certificate),
    CONF_KEY("tls-key", PATH, struct account, tls_key),
    CONF_ONE_OF("tls-min", struct account, tls_min, tls_min_names),
    CONF_KEY("timeout", DURATION, struct account, timeout),
    CONF_KEY("proxy", STRING, struct account, proxy),
    CONF_KEY("source-address", STRING, struct account, source_address),
    CONF_KEY("tunnel", COMMAND, struct account, tunnel),
    CONF_ONE_OF("compress", struct account, compress, compress_names),
    {0},
};

void
account_init(struct account *a)
{
	*a = (struct account){.timeout = 60000};
}

void
account_clear(struct account *a)
{
	free(a->name);
	free(a->address);
	free(a->user);
	url_clear(&a->imap);
	url_clear(&a->pop3);
	url_clear(&a->smtp);
	free(a->password_command);
	free(a->token_command);
	free(a->password_file);
	free(a->credential);
	free(a->tls_ca);
	words_clear(&a->tls_fingerprints);
	free(a->tls_certificate);
	free(a->tls_key);
	free(a->proxy);
	free(a->source_address);
	free(a->tunnel);
	account_init(a);
}

/* --- where it comes from ------------------------------------------------- */

const struct url *
account_url(const struct account *a, enum url_proto proto)
{
	switch (proto) {
	case URL_IMAP:
		return &a->imap;
	case URL_POP3:
		return &a->pop3;
	case URL_SMTP:
	case URL_LMTP:
		break;
	}
	return &a->smtp;
}

/* The section that says who the account is. */
static const struct conf_section *
section_of(struct conf *c, const struct conf_section *s)
{
	const struct conf_section *a =
	    s->file != NULL ? conf_account(c, s) : NULL;

	return a != NULL ? a : s;
}

void
account_apply(struct account *a, struct conf *c, const struct conf_section *s,
    const struct conf_table *own)
{
	const struct conf_section *base = section_of(c, s);
	struct conf_table tables[] = {
	    {.keys = account_keys, .target = a, .kind = CONF_ACCOUNT},
	    {.keys = own->keys, .kind = own->kind},
	};

	if (base != s)
		conf_apply(c, base, tables, 2);
	tables[1] = *own;
	conf_apply(c, s, tables, 2);
}

int
account_from_url(
    struct account *a, const char *text, enum url_proto *proto_r, struct err *e)
{
	struct url u;

	if (url_parse(text, &u, e) == -1)
		return -1;
	a->name = mem_strdup(u.host);
	*proto_r = u.proto;
	*(u.proto == URL_IMAP     ? &a->imap
	    : u.proto == URL_POP3 ? &a->pop3
				  : &a->smtp) = u;
	return 0;
}

/* --- checks -------------------------------------------------------------- */

/* A checker's context: where to complain. */
struct check {
	struct conf *c;
	struct conf_line at;
	const char *name;
};

static void
complain(const struct check *k, const char *keyword, const char *what)
{
	conf_error(k->c, &k->at, "account '%s': %s %s", k->name, keyword, what);
}

static void
derive_user(struct account *a, enum url_proto proto, const struct check *k)
{
	const char *from = account_url(a, proto)->user;
	struct span s;

	if (a->address != NULL && !header_address(span_of(a->address), &s)) {
		complain(k, "address",
		    "has no address in it; write: Name <user@example.org>");
		return;
	}
	if (a->user != NULL)
		return;
	if (from == NULL)
		from = a->imap.user;
	if (from == NULL)
		from = a->pop3.user;
	if (from == NULL)
		from = a->smtp.user;
	if (from != NULL)
		a->user = mem_strdup(from);
	else if (a->address != NULL)
		a->user = span_dup(s);
}

static void
check_pins(const struct account *a, const struct check *k)
{
	struct err e;
	size_t i;

	for (i = 0; i < a->tls_fingerprints.n; i++)
		if (tls_pin_check(a->tls_fingerprints.v[i], &e) == -1)
			complain(k, "tls-fingerprint", e.text);
}

static void
check_proxy(const char *url, const struct check *k)
{
	struct socks s;
	struct err e;

	if (socks_parse(url, &s, &e) == -1)
		complain(k, "proxy", "must look like socks5://HOST:PORT");
	socks_clear(&s);
}

static bool
is_ip(const char *s)
{
	unsigned char addr[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, s, addr) == 1 ||
	       inet_pton(AF_INET6, s, addr) == 1;
}

static void
check_network(const struct account *a, const struct check *k)
{
	if (a->timeout < 1000)
		complain(k, "timeout", "must be 1s or more");
	if (a->proxy != NULL)
		check_proxy(a->proxy, k);
	if (a->source_address != NULL && !is_ip(a->source_address))
		complain(k, "source-address", "must be an IP address");
	if (a->tunnel != NULL && a->proxy != NULL)
		complain(k, "tunnel", "and proxy exclude each other");
}

static void
check_login(const struct account *a, const struct check *k)
{
	if (a->credential != NULL && strchr(a->credential, '/') != NULL)
		complain(k, "credential",
		    "is a name, not a path; for a path: password-file");
	if ((a->auth == AUTH_OAUTHBEARER || a->auth == AUTH_XOAUTH2) &&
	    a->token_command == NULL)
		complain(k, "auth", "needs token-command for this mechanism");
	if (a->tls_key != NULL && a->tls_certificate == NULL)
		complain(k, "tls-key", "needs tls-certificate too");
}

void
account_check(struct account *a, enum url_proto proto, struct conf *c,
    const struct conf_section *own)
{
	const struct conf_section *s = section_of(c, own);
	struct check k = {.c = c, .name = s->name};

	k.at.file = s->file;
	k.at.line = s->line;
	if (a->name == NULL)
		a->name = mem_strdup(s->name);
	derive_user(a, proto, &k);
	check_pins(a, &k);
	check_login(a, &k);
	check_network(a, &k);
}

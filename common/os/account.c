/*
 * The keywords that say who the user is, where the servers are and how to get
 * there: the same for all three tools.
 */

#include "os/account.h"

#include <arpa/inet.h>

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/enc.h"
#include "base/header.h"
#include "base/mem.h"
#include "base/span.h"

#define SHA256_BYTES 32

const char *const account_auth_names[] = {"auto", "scram-sha-256-plus",
    "scram-sha-1-plus", "scram-sha-256", "scram-sha-1", "oauthbearer",
    "xoauth2", "external", "cram-md5", "plain", "login", "native", "none",
    NULL};
#define AUTH_OAUTHBEARER 5
#define AUTH_XOAUTH2 6

static const char *const tls_min_names[] = {"1.2", "1.3", NULL};
static const char *const compress_names[] = {"auto", "yes", "no", NULL};

static int parse_imap(
    void *, const struct conf *, const struct conf_line *, struct err *);
static int parse_pop3(
    void *, const struct conf *, const struct conf_line *, struct err *);
static int parse_smtp(
    void *, const struct conf *, const struct conf_line *, struct err *);

#define AT(member) offsetof(struct account, member)

const struct conf_key account_keys[] = {
    {.name = "address", .type = CONF_TEXT, .offset = AT(address)},
    {.name = "user", .type = CONF_STRING, .offset = AT(user)},
    {.name = "imap", .type = CONF_CUSTOM, .parse = parse_imap},
    {.name = "pop3", .type = CONF_CUSTOM, .parse = parse_pop3},
    {.name = "smtp", .type = CONF_CUSTOM, .parse = parse_smtp},
    {.name = "discover", .type = CONF_BOOL, .offset = AT(discover)},
    {.name = "password-command",
	.type = CONF_COMMAND,
	.offset = AT(password_command)},
    {.name = "token-command",
	.type = CONF_COMMAND,
	.offset = AT(token_command)},
    {.name = "password-file", .type = CONF_PATH, .offset = AT(password_file)},
    {.name = "credential", .type = CONF_STRING, .offset = AT(credential)},
    {.name = "auth",
	.type = CONF_ENUM,
	.offset = AT(auth),
	.names = account_auth_names},
    {.name = "tls-ca", .type = CONF_PATH, .offset = AT(tls_ca)},
    {.name = "tls-fingerprint",
	.type = CONF_APPEND,
	.offset = AT(tls_fingerprints)},
    {.name = "tls-certificate",
	.type = CONF_PATH,
	.offset = AT(tls_certificate)},
    {.name = "tls-key", .type = CONF_PATH, .offset = AT(tls_key)},
    {.name = "tls-min",
	.type = CONF_ENUM,
	.offset = AT(tls_min),
	.names = tls_min_names},
    {.name = "timeout", .type = CONF_DURATION, .offset = AT(timeout)},
    {.name = "proxy", .type = CONF_STRING, .offset = AT(proxy)},
    {.name = "source-address",
	.type = CONF_STRING,
	.offset = AT(source_address)},
    {.name = "tunnel", .type = CONF_COMMAND, .offset = AT(tunnel)},
    {.name = "compress",
	.type = CONF_ENUM,
	.offset = AT(compress),
	.names = compress_names},
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

/* --- servers ------------------------------------------------------------- */

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
		    "%s:// is another protocol; write "
		    "%s://HOST",
		    url_scheme(&u), scheme);
		url_clear(&u);
		return -1;
	}
	url_clear(to);
	*to = u;
	return 0;
}

static int
parse_imap(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	(void)c;
	return parse_url(
	    &((struct account *)target)->imap, URL_IMAP, "imaps", l, e);
}

static int
parse_pop3(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	(void)c;
	return parse_url(
	    &((struct account *)target)->pop3, URL_POP3, "pop3s", l, e);
}

static int
parse_smtp(void *target, const struct conf *c, const struct conf_line *l,
    struct err *e)
{
	(void)c;
	return parse_url(
	    &((struct account *)target)->smtp, URL_SMTP, "submissions", l, e);
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
derive_user(struct account *a, const struct check *k)
{
	const char *from = a->imap.user;
	struct span s;

	if (a->address != NULL && !header_address(span_of(a->address), &s)) {
		complain(k, "address",
		    "has no address in it; write: Name "
		    "<user@example.org>");
		return;
	}
	if (a->user != NULL)
		return;
	if (from == NULL)
		from = a->pop3.user;
	if (from == NULL)
		from = a->smtp.user;
	if (from != NULL)
		a->user = mem_strdup(from);
	else if (a->address != NULL)
		a->user = span_dup(s);
}

/* Hex as openssl prints it has colons and capitals; pins have neither. */
static bool
normalize_hex(char **pin)
{
	struct span s = span_skip(span_of(*pin), strlen("sha256:"));
	struct buf digits, bytes;
	bool good;
	size_t i;

	buf_init(&digits, 2 * SHA256_BYTES + (size_t)8);
	buf_init(&bytes, SHA256_BYTES);
	buf_puts(&digits, "sha256:");
	for (i = 0; i < s.n && buf_room(&digits) > 0; i++)
		if (s.p[i] >= 'A' && s.p[i] <= 'F')
			buf_putc(&digits, (char)(s.p[i] + ('a' - 'A')));
		else if (s.p[i] != ':')
			buf_putc(&digits, s.p[i]);
	good = dec_hex(&bytes, span_skip(buf_span(&digits), 7)) == 0 &&
	       bytes.len == SHA256_BYTES;
	if (good) {
		free(*pin);
		*pin = mem_strdup(buf_cstr(&digits));
	}
	buf_clear(&digits);
	buf_clear(&bytes);
	return good;
}

static bool
is_spki(const char *pin)
{
	struct span s = span_skip(span_of(pin), strlen("spki-sha256:"));
	struct buf bytes;
	bool good;

	buf_init(&bytes, SHA256_BYTES);
	good = dec_base64(&bytes, s) == 0 && bytes.len == SHA256_BYTES;
	buf_clear(&bytes);
	return good;
}

static void
check_pins(struct account *a, const struct check *k)
{
	size_t i;

	for (i = 0; i < a->tls_fingerprints.n; i++) {
		char **pin = &a->tls_fingerprints.v[i];

		if (strncmp(*pin, "sha256:", 7) == 0) {
			if (!normalize_hex(pin))
				complain(k, "tls-fingerprint",
				    "sha256: needs 64 hex digits");
		} else if (strncmp(*pin, "spki-sha256:", 12) == 0) {
			if (!is_spki(*pin))
				complain(k, "tls-fingerprint",
				    "spki-sha256: needs 44 base64 characters");
		} else
			complain(k, "tls-fingerprint",
			    "must begin with sha256: or spki-sha256:");
	}
}

/* socks5://[user[:password]@]host[:port] */
static bool
is_proxy(const char *url)
{
	struct span s = span_of(url), rest;
	uint64_t port = 1080;
	ptrdiff_t at;

	if (!span_prefix(s, "socks5://"))
		return false;
	s = span_skip(s, strlen("socks5://"));
	while ((at = span_find(s, '@')) != -1)
		s = span_skip(s, (size_t)at + 1);
	if (s.n > 0 && s.p[s.n - 1] == '/')
		s.n--;
	rest = s;
	if (s.n > 0 && s.p[0] == '[' && (at = span_find(s, ']')) != -1)
		rest = span_skip(s, (size_t)at);
	at = span_find(rest, ':');
	if (at != -1 &&
	    (!span_number(span_skip(rest, (size_t)at + 1), 65535, &port) ||
		port == 0))
		return false;
	return s.n > 0 && rest.p + (at == -1 ? (ptrdiff_t)rest.n : at) > s.p &&
	       span_find(s, '/') == -1;
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
	if (a->proxy != NULL && !is_proxy(a->proxy))
		complain(k, "proxy", "must look like socks5://HOST:PORT");
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
account_check(struct account *a, struct conf *c, const struct conf_section *s)
{
	struct check k = {.c = c, .name = s->name};

	k.at.file = s->file;
	k.at.line = s->line;
	if (a->name == NULL)
		a->name = mem_strdup(s->name);
	derive_user(a, &k);
	check_pins(a, &k);
	check_login(a, &k);
	check_network(a, &k);
}

/*
 * The URLs that name a server, an account or a folder.  Errors never repeat
 * more of a URL than its scheme: the rest may hold a password.
 */

#include "base/url.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/enc.h"
#include "base/mem.h"
#include "base/span.h"
#include "base/suggest.h"

#define URL_MAX 4096

static const struct scheme {
	const char *name;
	enum url_proto proto;
	enum url_tls tls;
	uint16_t port;
} schemes[] = {
    {"imaps", URL_IMAP, URL_TLS_IMPLICIT, 993},
    {"imap", URL_IMAP, URL_TLS_STARTTLS, 143},
    {"imap+plain", URL_IMAP, URL_TLS_NONE, 143},
    {"pop3s", URL_POP3, URL_TLS_IMPLICIT, 995},
    {"pop3", URL_POP3, URL_TLS_STARTTLS, 110},
    {"pop3+plain", URL_POP3, URL_TLS_NONE, 110},
    {"submissions", URL_SMTP, URL_TLS_IMPLICIT, 465},
    {"submission", URL_SMTP, URL_TLS_STARTTLS, 587},
    {"submission+plain", URL_SMTP, URL_TLS_NONE, 587},
    {"lmtp", URL_LMTP, URL_TLS_NONE, 24},
};
#define N_SCHEMES (sizeof(schemes) / sizeof(schemes[0]))

static bool
is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Length of the scheme in "scheme://...", 0 when there is none. */
static size_t
scheme_len(const char *s)
{
	size_t n = 0;

	if (!is_alpha(*s))
		return 0;
	while (is_alpha(s[n]) || is_digit(s[n]) || s[n] == '+' || s[n] == '-' ||
	       s[n] == '.')
		n++;
	return strncmp(s + n, "://", 3) == 0 ? n : 0;
}

bool
url_looks_like(const char *s)
{
	return scheme_len(s) > 0;
}

static int
unknown_scheme(struct span name, struct err *e)
{
	const char *names[N_SCHEMES], *nearest;
	char *word = span_show(name, 32);
	size_t i;

	for (i = 0; i < N_SCHEMES; i++)
		names[i] = schemes[i].name;
	nearest = span_prefix(name, "smtp") ? "submissions"
	                                    : suggest(word, names, N_SCHEMES);
	if (nearest != NULL)
		err_set(e, ERR_CONFIG,
		    "unknown URL scheme \"%s\": did you mean %s?", word,
		    nearest);
	else
		err_set(e, ERR_CONFIG,
		    "unknown URL scheme \"%s\": use imaps, "
		    "pop3s or submissions (or imap, pop3, submission with "
		    "STARTTLS, +plain without TLS, or lmtp)",
		    word);
	free(word);
	return -1;
}

/* Percent-decoded, fit for a C string and for a terminal. */
static int
decode(struct span in, const char *what, char **out_r, struct err *e)
{
	struct span s;
	struct buf b;
	size_t i;
	bool good;

	buf_init(&b, URL_MAX);
	good = dec_percent(&b, in) == 0 && enc_utf8_valid(buf_span(&b));
	s = buf_span(&b);
	for (i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			good = false;
	if (good)
		*out_r = span_dup(s);
	else
		err_set(e, ERR_CONFIG,
		    "the %s in the URL has a malformed "
		    "%%-escape, a control character or bytes that are not "
		    "UTF-8 (write a plain %% as %%25)",
		    what);
	buf_clear(&b);
	return good ? 0 : -1;
}

static int
take_user(struct span in, struct url *u, struct err *e)
{
	if (in.n == 0)
		return err_set(e, ERR_CONFIG,
		    "no user before the @ in the "
		    "URL: write scheme://user@host");
	if (span_find(in, ':') != -1)
		return err_set(e, ERR_CONFIG,
		    "no password belongs in a URL, "
		    "since others can see a command's arguments: use "
		    "password-command (a : in a user name is written %%3A)");
	if (span_says(in, (const char *const[]){";auth=", NULL}))
		return err_set(e, ERR_CONFIG,
		    "\";AUTH=\" is not taken in a URL: use the keyword auth");
	return decode(in, "user", &u->user, e);
}

static bool
host_valid(const char *host, bool bracketed)
{
	const char *more = bracketed ? ":.%-_" : ".-_";
	const char *p;

	if (*host == '\0' || (strchr(host, ':') != NULL) != bracketed)
		return false;
	for (p = host; *p != '\0'; p++)
		if (!is_alpha(*p) && !is_digit(*p) &&
		    (unsigned char)*p < 0x80 && strchr(more, *p) == NULL)
			return false;
	return true;
}

static int
take_port(struct span in, struct url *u, struct err *e)
{
	uint64_t v;

	if (in.n == 0)
		return 0;
	if (*in.p != ':' || !span_number(span_skip(in, 1), 65535, &v) || v == 0)
		return err_set(e, ERR_CONFIG,
		    "bad port in the URL: it is a "
		    "number from 1 to 65535 behind the host, as in host:993");
	u->port = (uint16_t)v;
	return 0;
}

static int
take_host(struct span in, struct url *u, struct err *e)
{
	bool bracketed = in.n > 0 && *in.p == '[';
	ptrdiff_t end = span_find(in, bracketed ? ']' : ':');
	struct span host, port;

	if (bracketed && end == -1)
		return err_set(e, ERR_CONFIG,
		    "no ] behind the address in the "
		    "URL: write scheme://[2001:db8::1]");
	host = end == -1 ? in : span_bytes(in.p, (size_t)end);
	port = span_skip(in, host.n + (bracketed ? 1 : 0));
	if (bracketed)
		host = span_skip(host, 1);
	if (host.n == 0)
		return err_set(e, ERR_CONFIG,
		    "no host in the URL: write scheme://user@host");
	if (decode(host, "host", &u->host, e) == -1)
		return -1;
	if (!host_valid(u->host, bracketed))
		return err_set(e, ERR_CONFIG,
		    "bad host in the URL: it is a "
		    "name or an address (IPv6 in brackets)");
	return take_port(port, u, e);
}

static int
take_path(struct span in, struct url *u, struct err *e)
{
	size_t lead;

	if (in.n == 0)
		return 0;
	if (decode(in, "path", &u->path, e) == -1)
		return -1;
	lead = strspn(u->path, "/");
	memmove(u->path, u->path + lead, strlen(u->path + lead) + 1);
	if (*u->path == '\0') {
		free(u->path);
		u->path = NULL;
	}
	return 0;
}

static int
parse_rest(const char *text, struct url *u, struct err *e)
{
	struct span rest = span_of(text), authority;
	ptrdiff_t i, at = -1;

	authority = span_bytes(text, strcspn(text, "/?#"));
	rest = span_skip(rest, authority.n);
	/* The last @: many a user name is an address. */
	for (i = 0; i < (ptrdiff_t)authority.n; i++)
		if (authority.p[i] == '@')
			at = i;
	if (at != -1 && take_user(span_bytes(text, (size_t)at), u, e) == -1)
		return -1;
	if (take_host(span_skip(authority, (size_t)(at + 1)), u, e) == -1)
		return -1;
	if (span_find(rest, '?') != -1 || span_find(rest, '#') != -1)
		return err_set(e, ERR_CONFIG,
		    "a query (?) or fragment (#) has "
		    "no meaning in these URLs: in a name write %%3F and %%23");
	return take_path(rest, u, e);
}

int
url_parse(const char *text, struct url *url_r, struct err *e)
{
	size_t i, n = scheme_len(text);
	struct span name = span_bytes(text, n);

	*url_r = (struct url){0};
	if (n == 0)
		return err_set(e, ERR_CONFIG,
		    "not a URL: it is written imaps://user@host/folder");
	if (strlen(text) > URL_MAX)
		return err_set(
		    e, ERR_CONFIG, "a URL of over %d bytes", URL_MAX);
	for (i = 0; i < N_SCHEMES; i++)
		if (span_caseeq(name, schemes[i].name))
			break;
	if (i == N_SCHEMES)
		return unknown_scheme(name, e);
	url_r->proto = schemes[i].proto;
	url_r->tls = schemes[i].tls;
	url_r->port = schemes[i].port;
	if (parse_rest(text + n + 3, url_r, e) == -1) {
		url_clear(url_r);
		return -1;
	}
	return 0;
}

void
url_clear(struct url *u)
{
	free(u->user);
	free(u->host);
	free(u->path);
	*u = (struct url){0};
}

static const struct scheme *
scheme_of(const struct url *u)
{
	size_t i;

	for (i = 0; i < N_SCHEMES - 1; i++)
		if (schemes[i].proto == u->proto && schemes[i].tls == u->tls)
			return &schemes[i];
	return &schemes[N_SCHEMES - 1];
}

const char *
url_scheme(const struct url *u)
{
	return scheme_of(u)->name;
}

/* What is left after the host: every part is encoded on its own. */
static void
put_path(struct buf *b, struct span path)
{
	ptrdiff_t slash;

	do {
		slash = span_find(path, '/');
		buf_putc(b, '/');
		enc_percent(
		    b, slash == -1 ? path : span_bytes(path.p, (size_t)slash));
		path = span_skip(path, (size_t)(slash + 1));
	} while (slash != -1);
}

static void
put_host(struct buf *b, const char *host)
{
	struct span rest = span_of(host), part;

	if (strchr(host, ':') == NULL) {
		enc_percent(b, rest);
		return;
	}
	buf_putc(b, '[');
	while (rest.n > 0) {
		part = span_bytes(rest.p, strcspn(rest.p, "%"));
		buf_add(b, part);
		if (part.n < rest.n)
			buf_puts(b, "%25");
		rest = span_skip(rest, part.n + 1);
	}
	buf_putc(b, ']');
}

char *
url_show(const struct url *u)
{
	const struct scheme *s = scheme_of(u);
	struct buf b;
	char *text;

	/* A byte is at most three in percent encoding. */
	buf_init(&b, (size_t)URL_MAX * 4);
	buf_printf(&b, "%s://", s->name);
	if (u->user != NULL) {
		enc_percent(&b, span_of(u->user));
		buf_putc(&b, '@');
	}
	put_host(&b, u->host);
	if (u->port != s->port)
		buf_printf(&b, ":%u", u->port);
	if (u->path != NULL)
		put_path(&b, span_of(u->path));
	text = mem_strdup(buf_cstr(&b));
	buf_clear(&b);
	return text;
}

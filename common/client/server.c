/*
 * Which server an account means, and what must be read before the sandbox
 * closes so that it can be talked to.
 */

#include "client/server.h"

#include <string.h>
#include <sysexits.h>

#include "os/net.h"
#include "os/socks.h"

#define DNS_PORT 53

/* --- what TLS needs -------------------------------------------------------- */

/* Whether no connection will have TLS. */
static bool
is_plain(const struct account *a, const struct url *url)
{
	return a->tunnel != NULL ||
	       (url->host != NULL && url->tls == URL_TLS_NONE);
}

static int
load_tls(const struct account *a, const struct url *url,
    struct tls_config **config_r, struct err *e)
{
	struct tls_options o = {.ca = a->tls_ca,
	    .pins = (const char *const *)a->tls_fingerprints.v,
	    .n_pins = a->tls_fingerprints.n,
	    .certificate = a->tls_certificate,
	    .key = a->tls_key,
	    .min_13 = a->tls_min == ACCOUNT_TLS_1_3,
	    .unused = is_plain(a, url)};

	return tls_config_new(&o, config_r, e);
}

/* --- which server ---------------------------------------------------------- */

/* The names of SRV records; LMTP is never looked for. */
static const struct service {
	const char *what, *tls, *starttls;
} services[] = {
    [URL_IMAP] = {"IMAP", "_imaps", "_imap"},
    [URL_POP3] = {"POP3", "_pop3s", "_pop3"},
    [URL_SMTP] = {"mail submission", "_submissions", "_submission"},
};

static int
look_up(
    const struct service *s, const char *domain, struct url *url, struct err *e)
{
	int rv, other;

	url->tls = URL_TLS_IMPLICIT;
	rv = net_srv(s->tls, domain, &url->host, &url->port);
	if (rv != 1) {
		url->tls = URL_TLS_STARTTLS;
		other = net_srv(s->starttls, domain, &url->host, &url->port);
		if (other != 0)
			rv = other;
	}
	if (rv == 1)
		return 0;
	return err_code(e, ERR_CONFIG, rv == 0 ? EX_NOHOST : EX_UNAVAILABLE,
	    "discover: %s %s for %s", domain,
	    rv == 0 ? "publishes no SRV record"
		    : "says that there is no such service",
	    s->what);
}

static int
discover(const struct account *a, enum url_proto proto, struct url *url,
    struct err *e)
{
	const char *at = a->user != NULL ? strrchr(a->user, '@') : NULL;

	if (at == NULL)
		return err_set(e, ERR_CONFIG,
		    "discover: user '%s' has no domain",
		    a->user != NULL ? a->user : "");
	return look_up(&services[proto], at + 1, url, e);
}

int
server_open(struct server *s, const struct account *a, enum url_proto proto,
    struct err *e)
{
	*s = (struct server){.account = a, .url = account_url(a, proto)};
	if (load_tls(a, s->url, &s->tls, e) == -1)
		return -1;
	if (s->url->host != NULL)
		return 0;
	s->found.proto = proto;
	s->url = &s->found;
	return a->tunnel != NULL ? 0 : discover(a, proto, &s->found, e);
}

void
server_close(struct server *s)
{
	tls_config_free(s->tls);
	url_clear(&s->found);
	*s = (struct server){0};
}

/* --- its ports ------------------------------------------------------------- */

static uint16_t
proxy_port(const char *proxy)
{
	struct socks s;
	struct err e;
	uint16_t port = 0; /* none: account_check() has complained */

	if (socks_parse(proxy, &s, &e) == 0)
		port = s.port;
	socks_clear(&s);
	return port;
}

void
server_ports(const struct server *s, struct sandbox *box)
{
	const char *proxy = s->account->proxy;

	box->ports[0] = proxy != NULL ? proxy_port(proxy) : s->url->port;
	box->ports[1] = DNS_PORT;
}

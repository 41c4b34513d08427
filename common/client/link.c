/*
 * From an account to a connection over which a protocol core can log in.
 */

#include "client/link.h"

#include <sys/socket.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/ask.h"
#include "os/clock.h"
#include "os/log.h"
#include "os/net.h"
#include "os/secret.h"
#include "os/stop.h"

#define TUNNEL_END_MS 500
#define ANSWER_MS 30000 /* to a short question */

void
link_init(struct link *l, const struct account *a, const struct url *url,
    struct tls_config *tls, int ask_fd)
{
	*l = (struct link){
	    .account = a, .url = url, .tls_config = tls, .ask_fd = ask_fd};
	if (a->tunnel != NULL)
		snprintf(
		    l->peer, sizeof(l->peer), "tunnel '%.200s'", a->tunnel);
	else
		snprintf(l->peer, sizeof(l->peer), "%.250s:%u", url->host,
		    url->port);
	wire_init(&l->wire);
}

/* A tunnel's command is left time to take its leave, or it would complain of
 * a reset connection. */
static void
let_go(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int64_t until = clock_ms() + TUNNEL_END_MS, left;
	char rest[4096];

	shutdown(fd, SHUT_WR);
	while ((left = until - clock_ms()) > 0 && poll(&p, 1, (int)left) == 1 &&
	       read(fd, rest, sizeof(rest)) > 0)
		;
}

void
link_close(struct link *l)
{
	if (!l->open)
		return;
	if (l->account->tunnel != NULL)
		let_go(l->pump.fd);
	pump_clear(&l->pump);
	wire_clear(&l->wire);
	l->open = false;
}

void
link_clear(struct link *l)
{
	link_close(l);
	mem_free_secret(l->password);
	mem_free_secret(l->token);
	l->password = l->token = NULL;
}

/*
 * The names of enum sasl_mech and of the keyword stand in the same order.  LMTP
 * is for handing mail to this machine: there is no user who would log in.
 */
static enum sasl_mech
pinned(const struct account *a, const struct url *url)
{
	if (a->auth == 0)
		return url->proto == URL_LMTP ? SASL_NOTHING : SASL_ANYTHING;
	return account_auth_names[a->auth + 1] == NULL
	           ? SASL_NOTHING
	           : (enum sasl_mech)(a->auth - 1);
}

static void
fill_login(struct link *l)
{
	const struct account *a = l->account;

	snprintf(l->nonce, sizeof(l->nonce), "%08x%08x%08x%08x", arc4random(),
	    arc4random(), arc4random(), arc4random());
	l->login = (struct sasl_login){.user = a->user,
	    .password = l->password,
	    .token = l->token,
	    .can_password = true,
	    .can_token = a->token_command != NULL,
	    .host = l->url->host,
	    .port = l->url->port,
	    .nonce = l->nonce,
	    .pinned = pinned(a, l->url),
	    .private_path =
		a->tunnel != NULL ||
		/* Of a proxy nobody knows how it goes on from there. */
		(a->proxy == NULL && net_is_loopback(l->pump.fd))};
}

static int
connect_socket(struct link *l, int *fd_r, struct err *e)
{
	const struct account *a = l->account;
	struct net_options o = {.source = a->source_address,
	    .proxy = a->proxy,
	    .timeout = a->timeout,
	    .stop_fd = stop_fd()};

	if (a->tunnel != NULL)
		return ask_tunnel(l->ask_fd, fd_r, e);
	return net_connect(l->url->host, l->url->port, &o, fd_r, e);
}

static int
in_the_clear(const struct link *l, struct err *e)
{
	const char *instead = "";

	switch (l->url->proto) {
	case URL_IMAP:
		instead = "use imaps://";
		break;
	case URL_POP3:
		instead = "use pop3s://";
		break;
	case URL_SMTP:
		instead = "use submissions://";
		break;
	case URL_LMTP:
		instead = "use a tunnel, or no 'auth'";
		break;
	}
	return err_set(e, ERR_TLS,
	    "%s: not loopback, and %s:// has no TLS: credentials are not sent "
	    "in the clear; %s",
	    l->peer, url_scheme(l->url), instead);
}

int
link_connect(struct link *l, struct err *e)
{
	int fd;

	link_close(l);
	/* Tokens expire: each login has its own. */
	mem_free_secret(l->token);
	l->token = NULL;
	if (connect_socket(l, &fd, e) == -1)
		return -1;
	wire_init(&l->wire);
	pump_init(&l->pump, fd, &l->wire, l->peer, l->account->timeout);
	l->pump.stop_fd = stop_fd();
	l->pump.trace = log_get() >= LOG_L_TRACE;
	l->pump.secret = true;
	l->open = true;
	fill_login(l);
	log_info("connected to %s", l->peer);
	if (l->url->tls == URL_TLS_IMPLICIT && l->account->tunnel == NULL)
		return link_tls(l, e);
	if (l->url->tls == URL_TLS_NONE && !l->login.private_path &&
	    l->login.pinned != SASL_NOTHING)
		return in_the_clear(l, e);
	return 0;
}

int
link_tls(struct link *l, struct err *e)
{
	if (pump_tls(&l->pump, l->tls_config, l->url->host, e) == -1)
		return -1;
	l->login.tls = l->login.private_path = true;
	l->login.client_cert = tls_sent_certificate(l->pump.tls);
	l->login.cb_exporter = tls_exporter(l->pump.tls);
	l->login.cb_end_point = tls_end_point(l->pump.tls);
	log_info("%s: %s", l->peer, tls_describe(l->pump.tls));
	return 0;
}

int
link_secret(struct link *l, enum sasl_mech mech, struct err *e)
{
	/* A tunnel may lead nowhere that has a name. */
	const char *host =
	    l->url->host != NULL ? l->url->host : l->account->name;

	switch (sasl_needs(mech)) {
	case SASL_NEEDS_NOTHING:
		return 0;
	case SASL_NEEDS_TOKEN:
		if (ask_secret(l->ask_fd, ASK_TOKEN, host, &l->token, e) == -1)
			return -1;
		l->login.token = l->token;
		return 0;
	case SASL_NEEDS_PASSWORD:
		if (ask_secret(
			l->ask_fd, ASK_PASSWORD, host, &l->password, e) == -1)
			return -1;
		l->login.password = l->password;
		return 0;
	}
	return 0;
}

bool
link_renew(struct link *l, enum sasl_mech mech)
{
	if (l->token == NULL || l->token_renewed ||
	    (mech != SASL_OAUTHBEARER && mech != SASL_XOAUTH2))
		return false;
	mem_free_secret(l->token);
	l->token = NULL;
	l->token_renewed = true;
	return true;
}

int
link_wait(struct link *l, int64_t deadline, enum pump_result *r, struct err *e)
{
	ask_alive(l->ask_fd);
	return pump_wait(&l->pump, deadline, r, e);
}

int64_t
link_hurry(struct link *l)
{
	int64_t timeout = l->pump.timeout;

	if (timeout > ANSWER_MS)
		l->pump.timeout = ANSWER_MS;
	return timeout;
}

void
link_ease(struct link *l, int64_t timeout)
{
	l->pump.timeout = timeout;
}

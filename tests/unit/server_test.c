/*
 * Which server an account means.  The DNS is this test's, so it is compiled
 * together with the module.
 */

#define net_srv asked
#include "../../common/client/server.c"

#include <stdlib.h>

#include "tap.h"

/* What is published: service, port; 0: "not offered". Ended by NULL. */
static const struct record {
	const char *service;
	uint16_t port;
} * published;
static char questions[200];

int
asked(const char *service, const char *domain, char **host_r, uint16_t *port_r)
{
	const struct record *r;
	size_t n = strlen(questions);

	snprintf(questions + n, sizeof(questions) - n, "%s%s.%s",
	    n > 0 ? " " : "", service, domain);
	for (r = published; r->service != NULL; r++) {
		if (strcmp(r->service, service) != 0)
			continue;
		if (r->port == 0)
			return -1;
		*host_r = strdup("mail.example.org");
		*port_r = r->port;
		return 1;
	}
	return 0;
}

static struct account a;
static struct server s;
static struct err e;

static void
given_account(const char *user)
{
	account_clear(&a);
	a.user = user != NULL ? strdup(user) : NULL;
	a.discover = true;
}

static int
look(enum url_proto proto, const struct record *r)
{
	server_close(&s);
	questions[0] = '\0';
	published = r;
	return server_open(&s, &a, proto, &e);
}

static void
test_named(void)
{
	given_account("ada@example.org");
	url_parse("pop3://pop.example.org:1110", &a.pop3, &e);
	url_parse("lmtp://localhost", &a.smtp, &e);
	is_int(look(URL_POP3, NULL), 0, "a server that is named");
	is_str(s.url->host, "pop.example.org", "is that one");
	is_int(s.url->port, 1110, "with its port");
	ok(s.tls != NULL, "TLS is loaded");
	is_int(look(URL_SMTP, NULL), 0, "one for SMTP");
	is_int(s.url->proto, URL_LMTP, "may be one for LMTP");
	is_str(questions, "", "nothing was looked up");

	given_account("ada");
	a.tunnel = strdup("ssh host imap");
	is_int(look(URL_SMTP, NULL), 0, "a tunnel");
	is_str(s.url->host, NULL, "needs no server");
	is_int(s.url->proto, URL_SMTP, "but a protocol");
}

static void
test_found(void)
{
	static const struct record both[] = {{"_imaps", 993}, {"_imap", 143},
	    {"_pop3", 1110}, {"_submission", 587}, {"_submissions", 465},
	    {NULL, 0}};
	static const struct record old[] = {
	    {"_submissions", 0}, {"_submission", 587}, {NULL, 0}};

	given_account("ada@x@example.org");
	is_int(look(URL_IMAP, both), 0, "IMAP");
	is_str(questions, "_imaps.example.org", "TLS is asked for first");
	is_int(s.url->tls, URL_TLS_IMPLICIT, "and is enough");
	is_int(s.url->port, 993, "with its port");
	is_str(s.url->host, "mail.example.org", "and host");
	is_int(look(URL_POP3, both), 0, "POP3");
	is_str(
	    questions, "_pop3s.example.org _pop3.example.org", "then STARTTLS");
	is_int(s.url->tls, URL_TLS_STARTTLS, "which is required then");
	is_int(look(URL_SMTP, both), 0, "SMTP");
	is_str(questions, "_submissions.example.org", "has a name of its own");
	is_int(s.url->proto, URL_SMTP, "its protocol");
	is_int(look(URL_SMTP, old), 0, "SMTP by STARTTLS only");
	is_int(s.url->port, 587, "on its port");
}

static void
test_not_found(void)
{
	static const struct record none[] = {{NULL, 0}};
	static const struct record refused[] = {{"_submissions", 0}, {NULL, 0}};
	static const struct record neither[] = {{"_imap", 0}, {NULL, 0}};

	given_account("ada@example.org");
	is_int(look(URL_SMTP, none), -1, "nothing published");
	is_str(e.text,
	    "discover: example.org publishes no SRV record for mail "
	    "submission",
	    "says so");
	is_int(err_exit(&e), EX_NOHOST, "no such host");
	is_int(look(URL_SMTP, refused), -1, "no such service");
	is_str(e.text,
	    "discover: example.org says that there is no such service for "
	    "mail submission",
	    "says so");
	is_int(err_exit(&e), EX_UNAVAILABLE, "unavailable");
	is_str(questions, "_submissions.example.org _submission.example.org",
	    "and both were asked for");
	is_int(look(URL_IMAP, neither), -1, "no IMAP of any kind");
	is_int(err_exit(&e), EX_UNAVAILABLE, "unavailable");
	given_account("ada");
	is_int(look(URL_IMAP, none), -1, "a user without a domain");
	is_str(e.text, "discover: user 'ada' has no domain", "says so");
	given_account(NULL);
	is_int(look(URL_IMAP, none), -1, "no user at all");
	is_str(questions, "", "nothing to be asked");
	given_account("ada@example.org");
	a.tls_ca = strdup("/nonexistent");
	is_int(look(URL_IMAP, none), -1, "TLS that cannot be loaded");
	is_int(e.kind, ERR_CONFIG, "is a matter of configuration");
}

static void
test_ports(void)
{
	static const struct {
		const char *proxy;
		int port;
	} t[] = {
	    {NULL, 465},
	    {"socks5://h", 1080},
	    {"socks5://u:99@h", 1080},
	    {"socks5://h:99/", 99},
	    {"socks5://[::1]", 1080},
	};
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct sandbox box = {0};

		given_account("ada");
		url_parse("submissions://h", &a.smtp, &e);
		a.proxy = t[i].proxy != NULL ? strdup(t[i].proxy) : NULL;
		look(URL_SMTP, NULL);
		server_ports(&s, &box);
		is_int(box.ports[0], t[i].port, "%s: port",
		    t[i].proxy != NULL ? t[i].proxy : "no proxy");
		is_int(box.ports[1], 53, "and the DNS");
	}
}

int
main(void)
{
	account_init(&a);
	test_named();
	test_found();
	test_not_found();
	test_ports();
	server_close(&s);
	account_clear(&a);
	return done();
}

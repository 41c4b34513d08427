/*
 * What a link knows of a login before it is made: compiled together with the
 * module.  Links that are open are the matter of tests/bats.
 */

#include "../../common/client/link.c"

#include "tap.h"

static struct account a;
static struct url url;
static struct link l;
static struct err e;

static void
to(const char *text)
{
	link_clear(&l);
	url_clear(&url);
	if (text != NULL)
		url_parse(text, &url, &e);
	link_init(&l, &a, &url, NULL, -1);
}

/* The index of the mechanism's name. */
static int
auth(const char *name)
{
	int i;

	for (i = 0; strcmp(account_auth_names[i], name) != 0; i++)
		;
	return i;
}

static void
test_pinned(void)
{
	static const char *const all[] = {
	    "imaps://h", "pop3s://h", "submissions://h", "lmtp://h"};
	size_t i;
	int m;

	for (i = 0; i < 4; i++) {
		to(all[i]);
		a.auth = auth("auto");
		is_int(pinned(&a, &url), i == 3 ? SASL_NOTHING : SASL_ANYTHING,
		    "%s: auto", all[i]);
		a.auth = auth("none");
		is_int(pinned(&a, &url), SASL_NOTHING, "%s: none", all[i]);
		a.auth = auth("native");
		is_int(pinned(&a, &url), SASL_NATIVE, "%s: native", all[i]);
		for (m = 0; m < SASL_NATIVE; m++) {
			a.auth = m + 1;
			quiet((int)pinned(&a, &url) == m &&
				  strcasecmp(account_auth_names[m + 1],
				      sasl_name((enum sasl_mech)m)) == 0,
			    "%s: %s", all[i], account_auth_names[m + 1]);
		}
	}
	a.auth = 0;
}

static void
test_clear(void)
{
	static const char *const t[][2] = {
	    {"imap+plain://h", "h:143: not loopback, and imap+plain:// has no "
			       "TLS: credentials are not sent in the clear; "
			       "use imaps://"},
	    {"pop3+plain://h", "h:110: not loopback, and pop3+plain:// has no "
			       "TLS: credentials are not sent in the clear; "
			       "use pop3s://"},
	    {"submission+plain://h",
		"h:587: not loopback, and submission+plain:// has no TLS: "
		"credentials are not sent in the clear; use submissions://"},
	    {"lmtp://h", "h:24: not loopback, and lmtp:// has no TLS: "
			 "credentials are not sent in the clear; use a tunnel, "
			 "or no 'auth'"},
	};
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		to(t[i][0]);
		is_int(in_the_clear(&l, &e), -1, "%s", t[i][0]);
		is_int(e.kind, ERR_TLS, "of the right kind");
		is_str(e.text, t[i][1], "with the remedy");
	}
}

static void
test_names(void)
{
	to("submissions://[::1]:4650");
	is_str(l.peer, "::1:4650", "host and port");
	a.tunnel = strdup("ssh host smtpd");
	to(NULL);
	is_str(l.peer, "tunnel 'ssh host smtpd'", "a tunnel without a server");
}

int
main(void)
{
	account_init(&a);
	test_pinned();
	test_clear();
	test_names();
	link_clear(&l);
	url_clear(&url);
	account_clear(&a);
	return done();
}

/*
 * sendq/options: what a `send` section says, what is refused in it, and which
 * is for which mail.
 */

#include "options.h"

#include <stdlib.h>
#include <string.h>

#include "proto/smtp.h"
#include "tap.h"

static struct conf c;
static struct send *list;
static size_t n;

static void
forget(void)
{
	size_t i;

	for (i = 0; i < n; i++)
		send_clear(&list[i]);
	free(list);
	conf_clear(&c);
}

/* Reads a configuration with overrides, NULL behind the last. */
static void
load(const char *text, const char *const *sets)
{
	conf_init(&c);
	free(c.home);
	c.home = strdup("/home/ada");
	conf_parse(&c, "config", text, strlen(text));
	for (; sets != NULL && *sets != NULL; sets++)
		conf_override(&c, *sets);
	options_sends(&c, &list, &n);
}

#define ACCOUNT                                    \
	"account work\n"                           \
	"address Ada Lovelace <Ada@example.org>\n" \
	"smtp submissions://smtp.example.org\n"

static void
test_defaults(void)
{
	load(ACCOUNT "send work\n", NULL);
	is_int(c.errors.n, 0, "no errors");
	is_int(n, 1, "one section");
	is_str(list[0].name, "work", "name");
	is_str(list[0].address, "Ada@example.org", "address");
	is_str(list[0].server, NULL, "no URL of its own");
	ok(!list[0].is_default && list[0].sent == NULL && !list[0].queue_only &&
		!list[0].require_tls && !list[0].future_release,
	    "nothing asked for");
	is_int(list[0].n_limits, 0, "no limits");
	is_int(list[0].session_messages, 100, "session-messages");
	is_int(list[0].connections, 1, "connections");
	is_int(list[0].undo, 0, "undo");
	is_int(list[0].expire, 5 * 86400 * INT64_C(1000), "expire");
	is_int(list[0].warn, 4 * 3600 * 1000, "warn");
	is_int(list[0].notify, 0, "dsn");
	is_int(list[0].disable, 0, "disable");
	is_int(list[0].uncertain, UNCERTAIN_RETRY, "uncertain");
	is_str(list[0].failed_to, NULL, "failed-to");
	forget();
}

static void
test_all(void)
{
	load(ACCOUNT "send work\n"
		     "match a@b *@lovelace.example\nmatch c@d\ndefault\n"
		     "sent ~/Mail/Sent\nfailed-to ~/Mail/in\n"
		     "limit 500/day 30/minute\nsession-messages 7\n"
		     "connections 2\nundo 10s\nexpire 2d\nwarn 1h\n"
		     "hello host.example.org\n"
		     "from-header Ada <ada@lovelace.example>\n"
		     "message-id-domain example.org\naliases ~/aliases\n"
		     "dsn failure delay\nrequire-tls\n"
		     "disable CHUNKING\ndisable pipelining dsn\n"
		     "uncertain hold\nqueue-only yes\n",
	    NULL);
	is_int(c.errors.n, 0, "no errors: %s",
	    c.errors.n > 0 ? c.errors.v[0] : "");
	is_int(list[0].match.n, 3, "match");
	is_str(list[0].match.v[2], "c@d", "repeated");
	ok(list[0].is_default, "default");
	is_str(list[0].sent, "/home/ada/Mail/Sent", "sent");
	is_str(list[0].failed_to, "/home/ada/Mail/in", "failed-to");
	is_int(list[0].n_limits, 2, "limits");
	is_int(list[0].limits[0].seconds, 86400, "a day");
	is_int(list[0].limits[0].n, 500, "500");
	is_int(list[0].limits[1].seconds, 60, "a minute");
	is_int(list[0].session_messages, 7, "session-messages");
	is_int(list[0].connections, 2, "connections");
	is_int(list[0].undo, 10000, "undo");
	is_int(list[0].expire, 2 * 86400000, "expire");
	is_int(list[0].warn, 3600000, "warn");
	is_str(list[0].hello, "host.example.org", "hello");
	is_str(list[0].from_header, "Ada <ada@lovelace.example>", "from");
	is_str(list[0].message_id_domain, "example.org", "message-id-domain");
	is_str(list[0].aliases, "/home/ada/aliases", "aliases");
	is_int(list[0].notify, SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_DELAY, "dsn");
	ok(list[0].require_tls && list[0].queue_only, "require-tls");
	is_int(list[0].disable,
	    SMTP_EXT_BIT(SMTP_EXT_CHUNKING) |
		SMTP_EXT_BIT(SMTP_EXT_PIPELINING) | SMTP_EXT_BIT(SMTP_EXT_DSN),
	    "disable");
	is_int(list[0].uncertain, UNCERTAIN_HOLD, "uncertain");
	forget();
	load(ACCOUNT "send work\nlimit 1/hour\n",
	    (const char *const[]){"limit=2/day", "future-release=yes", NULL});
	is_int(c.errors.n, 0, "no errors");
	is_int(list[0].n_limits, 1, "an override replaces");
	is_int(list[0].limits[0].seconds, 86400, "all of it");
	ok(list[0].future_release, "future-release");
	forget();
}

/* Each line alone is an error with its place, and these words in it. */
static void
test_errors(void)
{
	static const struct {
		const char *line, *says;
	} t[] = {
	    {"limit", "500/day"},
	    {"limit 500", "'500' is no limit"},
	    {"limit 0/day", "'0/day' is no limit"},
	    {"limit -1/day", "no limit"},
	    {"limit 5/dya", "did you mean 'day'"},
	    {"limit 5/week", "minute, hour, day"},
	    {"limit 5/day 6/day", "a limit already"},
	    {"dsn", "needs one of: never"},
	    {"dsn delai", "did you mean 'delay'"},
	    {"dsn never delay", "'never' stands alone"},
	    {"disable", "needs one of: PIPELINING"},
	    {"disable CHUNKNIG", "did you mean 'CHUNKING'"},
	    {"uncertain maybe", "retry, hold"},
	    {"session-messages 0", "1"},
	    {"connections 21", "20"},
	    {"undo soon", "soon"},
	    {"expire 0", "'expire' must be"},
	    {"hello a_b", "'a_b' is no name of a host"},
	    {"message-id-domain a@b", "'a@b' is no domain"},
	    {"from-header ada", "no domain"},
	    {"from-header a@b, c@d", "from-header"},
	    {"undo 10s\nfuture-release", "'undo' cannot go with"},
	    {"keep 14d", "unknown keyword 'keep'"},
	    {"mtach a@b", "did you mean 'match'"},
	    {"sent", "needs a value"},
	};
	char text[512];
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		snprintf(
		    text, sizeof(text), ACCOUNT "send work\n%s\n", t[i].line);
		load(text, NULL);
		ok(c.errors.n == 1 && strstr(c.errors.v[0], t[i].says) != NULL,
		    "%s: %s", t[i].line,
		    c.errors.n > 0 ? c.errors.v[0] : "no error");
		ok(c.errors.n > 0 && strncmp(c.errors.v[0], "config:", 7) == 0,
		    "with its place");
		forget();
	}
	load("send work\n", NULL);
	ok(c.errors.n == 1 && strstr(c.errors.v[0], "no server") != NULL,
	    "no server: %s", c.errors.v[0]);
	forget();
	load(ACCOUNT "send work\ndefault\nsend play\naccount work\n", NULL);
	is_int(c.errors.n, 0, "one default is right");
	forget();
	load(ACCOUNT "send work\ndefault\nsend play\naccount work\ndefault\n",
	    NULL);
	ok(c.errors.n == 1 && strstr(c.errors.v[0], "default already") != NULL,
	    "two are not: %s", c.errors.n > 0 ? c.errors.v[0] : "");
	forget();
	load(ACCOUNT, NULL);
	ok(c.errors.n == 1 && strstr(c.errors.v[0], "no 'send' section"),
	    "no section: %s", c.errors.v[0]);
	forget();
}

/* Where reports go, when it is not said. */
static void
test_inbox(void)
{
	static const struct {
		const char *text, *path;
	} t[] = {
	    {"sync work\nmaildir ~/Mail/ada\n", "/home/ada/Mail/ada/INBOX"},
	    {"sync work\nmaildir /m\nlayout maildir++\n", "/m"},
	    {"sync work\nmaildir /m\nlayout flat .\n", "/m/INBOX"},
	    {"sync home\naccount work\nmaildir /m\n", "/m/INBOX"},
	    {"sync home\nmaildir /m\n", NULL},
	    {"sync work\n", NULL},
	    {"fetch work\ndeliver pipe x\ndeliver maildir ~/in\n",
		"/home/ada/in"},
	    {"fetch work\ndeliver mbox ~/in\n", NULL},
	    {"fetch work\ndeliver maildir /in\nsync work\nmaildir /m\n",
		"/m/INBOX"},
	};
	char text[512];
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		snprintf(
		    text, sizeof(text), ACCOUNT "send work\n%s", t[i].text);
		load(text, NULL);
		is_int(c.errors.n, 0, "no errors");
		is_str(list[0].failed_to, t[i].path, "reports %zu", i);
		forget();
	}
	load("send work\nsmtp lmtp://localhost\nsync work\nmaildir /m\n", NULL);
	is_str(list[0].failed_to, "/m/INBOX", "without an account section");
	forget();
}

static void
test_url(void)
{
	static const char *const sets[] = {
	    "smtp=submissions://ada@smtp.example.org:4650", "undo=5s",
	    "address=ada@example.org", NULL};

	load("", sets);
	is_int(c.errors.n, 0, "no errors: %s",
	    c.errors.n > 0 ? c.errors.v[0] : "");
	is_int(n, 1, "a section");
	is_str(list[0].name, "smtp.example.org", "its name");
	is_str(list[0].server, "submissions://ada@smtp.example.org:4650",
	    "its server");
	is_str(list[0].account.smtp.host, "smtp.example.org", "host");
	is_str(list[0].account.user, "ada", "user");
	is_str(list[0].address, "ada@example.org", "address");
	is_int(list[0].undo, 5000, "and other keywords");
	forget();
	load("",
	    (const char *const[]){
		"smtp=submissions://ada%40example.org@smtp.example.org", NULL});
	is_str(list[0].address, "ada@example.org", "the user may be it");
	forget();
	load("", (const char *const[]){"smtp=imaps://x", NULL});
	is_int(c.errors.n > 0, 1, "%s", c.errors.n > 0 ? c.errors.v[0] : "");
	forget();
	load("", (const char *const[]){"smtp=submissions://a:b@x", NULL});
	ok(c.errors.n == 1 && strstr(c.errors.v[0], "password") != NULL,
	    "no password: %s", c.errors.v[0]);
	forget();
	load(ACCOUNT "send work\n", sets);
	ok(n == 1 && list[0].server == NULL, "where there is a section");
	is_int(list[0].account.smtp.port, 4650, "it is overridden");
	forget();
}

static const char *
chosen(const char *sender, const char *from)
{
	static struct err e;
	const struct send *s = options_choose(list, n, sender, from, &e);

	return s != NULL ? s->name : e.kind == ERR_CONFIG ? e.text : NULL;
}

static void
test_choose(void)
{
	load(ACCOUNT "account home\naddress ada@home.example\n"
		     "smtp submissions://smtp.home.example\n"
		     "send work\nmatch *@lovelace.example\n"
		     "send home\nmatch *@*.home.example X@example.org\n",
	    NULL);
	is_int(c.errors.n, 0, "no errors");
	is_str(chosen("x@lovelace.example", NULL), "work", "by sender");
	is_str(chosen("x@LOVELACE.example", "ada@home.example"), "work",
	    "the sender comes first");
	is_str(chosen("x@y.home.example", "a@lovelace.example"), "home",
	    "whatever the order");
	is_str(chosen("Ada@EXAMPLE.org", NULL), "work", "its own address");
	is_str(chosen("x@example.org", NULL), "home", "in any case");
	is_str(chosen(NULL, "ada@home.example"), "home", "by From");
	is_str(chosen("", "ada@home.example"), "home", "the null sender");
	is_str(chosen("root", "ada@home.example"), "home",
	    "one that nobody knows");
	ok(strstr(chosen("who@else", NULL), "who@else") != NULL &&
		strstr(chosen("who@else", NULL), "'work', 'home'") != NULL,
	    "none: %s", chosen("who@else", NULL));
	ok(strstr(chosen(NULL, NULL), "nobody") != NULL, "nobody: %s",
	    chosen(NULL, NULL));
	list[1].is_default = true;
	is_str(chosen("who@else", NULL), "home", "the default");
	is_str(chosen(NULL, NULL), "home", "for nobody, too");
	forget();
	load(ACCOUNT "send work\nmatch a@b\n", NULL);
	is_str(chosen("who@else", NULL), "work", "the only one");
	forget();
}

int
main(void)
{
	test_defaults();
	test_all();
	test_errors();
	test_inbox();
	test_url();
	test_choose();
	return done();
}

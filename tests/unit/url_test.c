/*
 * URLs: what they mean, how they are shown, why they are refused.
 */

#include <stdlib.h>

#include "base/url.h"
#include "prng.h"
#include "tap.h"

/* Every field in one line: "imaps 0 user host port path". */
static const char *
fields(const char *text)
{
	static char out[512];
	struct url u;
	struct err e = {0};

	if (url_parse(text, &u, &e) == -1) {
		if (u.user != NULL || u.host != NULL || u.path != NULL ||
		    e.kind != ERR_CONFIG)
			return "bad failure";
		return NULL;
	}
	snprintf(out, sizeof(out), "%s %s %s %u %s", url_scheme(&u),
	    u.user ? u.user : "-", u.host, u.port, u.path ? u.path : "-");
	url_clear(&u);
	return out;
}

static void
test_parse(void)
{
	static const char *const t[][2] = {
	    {"imaps://h", "imaps - h 993 -"},
	    {"imap://h", "imap - h 143 -"},
	    {"imap+plain://h", "imap+plain - h 143 -"},
	    {"pop3s://h", "pop3s - h 995 -"},
	    {"pop3://h", "pop3 - h 110 -"},
	    {"pop3+plain://h", "pop3+plain - h 110 -"},
	    {"submissions://h", "submissions - h 465 -"},
	    {"submission://h", "submission - h 587 -"},
	    {"submission+plain://h", "submission+plain - h 587 -"},
	    {"lmtp://h", "lmtp - h 24 -"},
	    {"IMAPS://Host.Example/", "imaps - Host.Example 993 -"},
	    {"imaps://ada@h:10993/INBOX", "imaps ada h 10993 INBOX"},
	    {"imaps://ada%40x.org@h/a/b", "imaps ada@x.org h 993 a/b"},
	    {"imaps://ada@x.org@h", "imaps ada@x.org h 993 -"},
	    {"imaps://a%3Ab@h", "imaps a:b h 993 -"},
	    {"imaps://h//a/", "imaps - h 993 a/"},
	    {"imaps://h/Sent Items", "imaps - h 993 Sent Items"},
	    {"imaps://h/caf%C3%A9%3F", "imaps - h 993 caf\xc3\xa9?"},
	    {"imaps://h/a@b:c", "imaps - h 993 a@b:c"},
	    {"imaps://[::1]:143/x", "imaps - ::1 143 x"},
	    {"imaps://ada@[fe80::1%25eth0]", "imaps ada fe80::1%eth0 993 -"},
	    {"imaps://127.0.0.1:1", "imaps - 127.0.0.1 1 -"},
	};
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		is_str(fields(t[i][0]), t[i][1], "%s", t[i][0]);
}

static void
test_refused(void)
{
	/* The text, and what the reason must speak of. */
	static const char *const t[][2] = {
	    {"imapz://h", "imaps"},
	    {"pop://h", "did you mean pop3?"},
	    {"smtp://h", "did you mean submission"},
	    {"https://h", "unknown URL scheme \"https\""},
	    {"h", "not a URL"},
	    {"://h", "not a URL"},
	    {"3imap://h", "not a URL"},
	    {"imaps://ada:hunter2@h", "password-command"},
	    {"imaps://ada:@h", "password-command"},
	    {"imaps://:hunter2@h", "password-command"},
	    {"imaps://", "no host"},
	    {"imaps:///INBOX", "no host"},
	    {"imaps://ada@", "no host"},
	    {"imaps://@h", "no user"},
	    {"imaps://[]", "no host"},
	    {"imaps://h:", "bad port"},
	    {"imaps://h:0", "bad port"},
	    {"imaps://h:65536", "bad port"},
	    {"imaps://h:99999999999999999999", "bad port"},
	    {"imaps://h:9x", "bad port"},
	    {"imaps://ada:hunt/er2@h", "bad port"},
	    {"imaps://[::1]x", "bad port"},
	    {"imaps://[::1", "no ]"},
	    {"imaps://[host]", "bad host"},
	    {"imaps://::1", "no host"},
	    {"imaps://a b", "bad host"},
	    {"imaps://a%2Fb", "bad host"},
	    {"imaps://a;b", "bad host"},
	    {"imaps://ada;AUTH=PLAIN@h", "keyword auth"},
	    {"imaps://;auth=*@h", "keyword auth"},
	    {"imaps://h/a?b", "query"},
	    {"imaps://h#b", "fragment"},
	    {"imaps://h?b", "query"},
	    {"imaps://h/%0a", "control"},
	    {"imaps://h/\x7f", "control"},
	    {"imaps://a%00@h", "user"},
	    {"imaps://h/%", "path"},
	    {"imaps://h/%zz", "path"},
	    {"imaps://h/%ff", "UTF-8"},
	};
	struct err e;
	struct url u;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		is_str(fields(t[i][0]), NULL, "refused: %zu", i);
		url_parse(t[i][0], &u, &e);
		if (!ok(strstr(e.text, t[i][1]) != NULL, "because: %s",
			t[i][1]))
			printf("# %s\n", e.text);
		ok(strstr(e.text, "hunt") == NULL, "without the password");
	}
}

static void
test_length(void)
{
	char big[8192];
	struct err e;
	struct url u;
	char *s;

	memset(big, '!', sizeof(big));
	memcpy(big, "imaps://h/", 10);
	big[4096] = '\0';
	is_int(url_parse(big, &u, &e), 0, "4,096 bytes");
	s = url_show(&u);
	is_int(strlen(s), 10 + 4086 * 3, "all of it is shown");
	free(s);
	url_clear(&u);
	big[4096] = '!';
	big[4097] = '\0';
	is_int(url_parse(big, &u, &e), -1, "one more");
}

static void
test_show(void)
{
	static const char *const t[][2] = {
	    {"imaps://ada@host:993/INBOX", "imaps://ada@host/INBOX"},
	    {"IMAP://host:993", "imap://host:993"},
	    {"imaps://a@b@h/x y/%2e", "imaps://a%40b@h/x%20y/."},
	    {"lmtp://[::1]:24", "lmtp://[::1]"},
	    {"imaps://[fe80::1%25e]:1/a", "imaps://[fe80::1%25e]:1/a"},
	    {"pop3s://h/", "pop3s://h"},
	};
	struct err e;
	struct url u;
	char *s;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		if (!ok(url_parse(t[i][0], &u, &e) == 0, "%s", t[i][0]))
			continue;
		s = url_show(&u);
		is_str(s, t[i][1], "shown");
		free(s);
		url_clear(&u);
	}
	ok(url_looks_like("x://") && url_looks_like("imap+plain://h") &&
		!url_looks_like("/x://") && !url_looks_like("work") &&
		!url_looks_like("a:b") && !url_looks_like(""),
	    "looks like a URL");
}

/* What is shown parses to the same. */
static void
test_round_trip(void)
{
	char text[40], *s, *again;
	struct err e;
	struct url u, v;
	int i, hits = 0;
	size_t n;

	for (i = 0; i < 100000; i++) {
		strlcpy(text, "imaps://", sizeof(text));
		prng_text(text + 8, n = prng(14), "ah@:/%[]42 ", 11);
		text[8 + n] = '\0';
		if (url_parse(text, &u, &e) == -1)
			continue;
		hits++;
		s = url_show(&u);
		again = NULL;
		if (quiet(url_parse(s, &v, &e) == 0, "parse %s", s)) {
			again = url_show(&v);
			quiet(strcmp(s, again) == 0, "%s and %s", s, again);
			quiet(u.port == v.port && strcmp(u.host, v.host) == 0,
			    "the same of %s", s);
		}
		free(s);
		free(again);
		url_clear(&u);
		url_clear(&v);
	}
	ok(tap_failed == 0 && hits > 2000, "%d random URLs come back", hits);
}

int
main(void)
{
	test_parse();
	test_refused();
	test_length();
	test_show();
	test_round_trip();
	return done();
}

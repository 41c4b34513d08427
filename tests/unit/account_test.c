/*
 * os/account: the account's keywords, and what must go together.
 */

#include <stdlib.h>

#include "os/account.h"

#include "tap.h"

#define HEX32 "00112233445566778899aabbccddeeff"
#define SPKI "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static struct account a;
static enum url_proto server = URL_IMAP; /* the one to be used */
static struct conf c;

/* Applies the text as the lines of an account "work". */
static void
load(const char *text)
{
	struct conf_table table = {.keys = account_keys, .target = &a};
	char full[4096];

	account_clear(&a);
	conf_clear(&c);
	conf_init(&c);
	account_init(&a);
	snprintf(full, sizeof(full), "account work\n%s", text);
	conf_parse(&c, "c", full, strlen(full));
	conf_apply(&c, &c.sections[0], &table, 1);
	account_check(&a, server, &c, &c.sections[0]);
}

/* The one error of the text; "" when there is none, all when more. */
static const char *
error_of(const char *text)
{
	static char all[4096];
	size_t i;

	load(text);
	all[0] = '\0';
	for (i = 0; i < c.errors.n; i++) {
		strlcat(all, i > 0 ? "\n" : "", sizeof(all));
		strlcat(all, c.errors.v[i], sizeof(all));
	}
	return all;
}

static void
test_good(void)
{
	setenv("HOME", "/home/ada", 1);
	is_str(error_of("address Ada Lovelace <ada@example.org>\n"
			"imap imaps://imap.example.org\n"
			"pop3 pop3://pop.example.org:1110\n"
			"smtp lmtp://localhost\n"
			"password-command pass show mail/work # c\n"
			"password-file ~/pw\n"
			"auth scram-sha-256\n"
			"tls-fingerprint sha256:" HEX32 HEX32 "\n"
			"tls-fingerprint spki-sha256:" SPKI "\n"
			"tls-certificate ~/cert.pem\ntls-key ~/key.pem\n"
			"tls-min 1.3\n"
			"timeout 2m\n"
			"source-address ::1\n"
			"proxy socks5://me:pw@[::1]:9050\n"
			"compress no\ndiscover\n"),
	    "", "a full account");
	is_str(a.name, "work", "name");
	is_str(a.user, "ada@example.org", "user from the address");
	is_str(a.imap.host, "imap.example.org", "imap");
	is_int(a.pop3.port, 1110, "pop3");
	is_int(a.smtp.proto, URL_LMTP, "LMTP takes mail too");
	is_str(a.password_command, "pass show mail/work", "command");
	is_str(a.password_file, "/home/ada/pw", "path");
	is_str(account_auth_names[a.auth], "scram-sha-256", "auth");
	is_int(a.tls_fingerprints.n, 2, "pins");
	is_int(a.tls_min, ACCOUNT_TLS_1_3, "tls-min");
	is_int(a.timeout, 120000, "timeout");
	is_int(a.compress, COMPRESS_NO, "compress");
	ok(a.discover, "discover");

	is_str(error_of(""), "", "an empty account");
	is_int(a.timeout, 60000, "default timeout");
	is_str(a.user, NULL, "nobody");
}

static void
test_user(void)
{
	load("imap imaps://bob@h\naddress ada@x.org\n");
	is_str(a.user, "bob", "the URL's user comes before the address");
	load("user carol\nimap imaps://bob@h\naddress ada@x.org\n");
	is_str(a.user, "carol", "and `user` before both");
	load("pop3 pop3s://bob%40x.org@h\n");
	is_str(a.user, "bob@x.org", "percent-decoded");
	server = URL_SMTP;
	load("imap imaps://a@h\nsmtp submissions://c@h\naddress d@x.org\n");
	is_str(a.user, "c", "the server's own URL comes first");
	load("imap imaps://h\npop3 pop3s://b@h\nsmtp lmtp://h\n"
	     "address d@x.org\n");
	is_str(a.user, "b", "then another's");
	load("smtp submissions://h\naddress D <d@x.org>\n");
	is_str(a.user, "d@x.org", "then the address");
	server = URL_IMAP;
	is_str(error_of("address Ada Lovelace\n"),
	    "c:1: account 'work': address has no address in it; write: Name "
	    "<user@example.org>",
	    "no address");
}

#define NOT_A_PIN                                                         \
	"\" is not a fingerprint: sha256: and 64 hexadecimal digits, or " \
	"spki-sha256: and 44 of base64"

static void
test_pins(void)
{
	load("tls-fingerprint sha256:AA:bb:CC:DD:EE:FF:00:11:22:33:44:55:66:"
	     "77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99\n");
	is_int(c.errors.n, 0, "as openssl prints it");
	is_str(error_of("tls-fingerprint sha256:" HEX32 "\n"),
	    "c:1: account 'work': tls-fingerprint \"sha256:" HEX32 NOT_A_PIN,
	    "too short");
	is_str(error_of("tls-fingerprint sha256:" HEX32 HEX32 "00\n"),
	    "c:1: account 'work': tls-fingerprint \"sha256:" HEX32 HEX32
	    "00" NOT_A_PIN,
	    "too long");
	ok(strstr(
	       error_of("tls-fingerprint sha256:" HEX32 HEX32 HEX32 HEX32 "\n"),
	       NOT_A_PIN) != NULL,
	    "much too long");
	is_str(error_of("tls-fingerprint spki-sha256:abcd\n"),
	    "c:1: account 'work': tls-fingerprint \"spki-sha256:abcd" NOT_A_PIN,
	    "base64");
	is_str(error_of("tls-fingerprint " HEX32 "\n"),
	    "c:1: account 'work': tls-fingerprint \"" HEX32 NOT_A_PIN,
	    "no kind");
}

static void
test_urls(void)
{
	is_str(error_of("imap imap.example.org\n"),
	    "c:2: imap: 'imap.example.org' is not a URL; write imaps://HOST",
	    "a bare host");
	is_str(error_of("imap pop3s://h\n"),
	    "c:2: imap: pop3s:// is another protocol; write imaps://HOST",
	    "another protocol");
	is_str(error_of("smtp\n"),
	    "c:2: smtp: needs one URL (submissions://HOST)", "nothing");
	ok(strstr(error_of("imap imaps://ada:secret@h\n"), "secret") == NULL,
	    "a password is not repeated");
	ok(strstr(c.errors.v[0], "password-command") != NULL,
	    "and the remedy is named");
}

static void
test_rest(void)
{
	static const char *const good[] = {"socks5://localhost", "socks5://h:1",
	    "socks5://u@h:9050/", "socks5://[::1]", "socks5://u:p@[::1]:65535"};
	static const char *const bad[] = {"http://h", "socks5://",
	    "socks5://:9050", "socks5://h:", "socks5://h:0", "socks5://h:65536",
	    "socks5://h/path", "socks5://u@", "socks5://@h", "socks5://[::1",
	    "socks5://[::1]9", "localhost:9050"};
	char text[128];
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		snprintf(text, sizeof(text), "proxy %s\n", good[i]);
		is_str(error_of(text), "", "proxy %s", good[i]);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "proxy %s\n", bad[i]);
		is_str(error_of(text),
		    "c:1: account 'work': proxy must look like "
		    "socks5://HOST:PORT",
		    "no proxy %s", bad[i]);
	}
	is_str(error_of("source-address localhost\n"),
	    "c:1: account 'work': source-address must be an IP address",
	    "source-address");
	is_str(error_of("timeout 250ms\n"),
	    "c:1: account 'work': timeout must be 1s or more", "timeout");
	is_str(error_of("tls-key /k\n"),
	    "c:1: account 'work': tls-key needs tls-certificate too",
	    "a key alone");
	is_str(error_of("credential a/b\n"),
	    "c:1: account 'work': credential is a name, not a path; for a "
	    "path: password-file",
	    "credential");
	is_str(error_of("auth xoauth2\n"),
	    "c:1: account 'work': auth needs token-command for this mechanism",
	    "xoauth2");
	is_str(error_of("auth xoauth2\ntoken-command t\n"), "", "and a token");
	is_str(error_of("auth sram-sha-1\n"),
	    "c:2: auth: 'sram-sha-1' is none of: auto, scram-sha-256-plus, "
	    "scram-sha-1-plus, scram-sha-256, scram-sha-1, oauthbearer, "
	    "xoauth2, external, cram-md5, plain, login, native, none (did you "
	    "mean 'scram-sha-1'?)",
	    "auth");
	is_str(error_of("tunnel ssh h\nproxy socks5://h\n"),
	    "c:1: account 'work': tunnel and proxy exclude each other",
	    "two ways");
}

/* A tool's own struct and keywords. */
static struct own {
	char *sent;
	uint64_t number;
} own;
static const struct conf_key own_keys[] = {
    CONF_KEY("sent", STRING, struct own, sent),
    {.name = "number",
	.type = CONF_NUMBER,
	.offset = offsetof(struct own, number),
	.max = 9},
    {0},
};

/* Reads the text's first send section, or one that was made up. */
static void
apply(const char *text, const char *override)
{
	const struct conf_table table = {
	    .keys = own_keys, .target = &own, .kind = CONF_SEND};
	const struct conf_section *s = NULL;
	size_t i;

	conf_clear(&c);
	conf_init(&c);
	free(own.sent);
	own = (struct own){0};
	conf_parse(&c, "c", text, strlen(text));
	if (override != NULL)
		conf_override(&c, override);
	for (i = 0; i < c.n && s == NULL; i++)
		if (c.sections[i].kind == CONF_SEND)
			s = &c.sections[i];
	if (s == NULL)
		s = conf_section(&c, CONF_SEND, "h");
	account_apply(&a, &c, s, &table);
	account_check(&a, URL_SMTP, &c, s);
}

static void
test_apply(void)
{
	account_clear(&a);
	apply("account x\nuser u\nsmtp submissions://h\ntimeout 2m\n"
	      "send b\naccount x\ntimeout 3m\nsent s\n",
	    "number=3");
	is_int((long long)c.errors.n, 0, "a section and its account");
	is_str(a.name, "x", "which has the name");
	is_str(account_url(&a, URL_SMTP)->host, "h", "and the server");
	is_str(account_url(&a, URL_LMTP)->host, "h", "be it by LMTP");
	is_str(account_url(&a, URL_IMAP)->host, NULL, "but no other");
	is_int(a.timeout, 180000, "the section overrules it");
	is_str(own.sent, "s", "and has its own");
	is_int((long long)own.number, 3, "the command line too");

	account_clear(&a);
	apply("account b\nsent s\nuser u\naddress x\nsend b\ncolour 1\n"
	      "user v\n",
	    NULL);
	is_str(c.errors.v[0],
	    "c:1: account 'b': address has no address in it; write: Name "
	    "<user@example.org>",
	    "what is wrong is told where it stands");
	is_str(c.errors.v[1], "c:2: 'sent' belongs in a send section",
	    "in the account");
	is_str(c.errors.v[2],
	    "c:6: unknown keyword 'colour' in section "
	    "'send b'",
	    "and in the section");
	is_int((long long)c.errors.n, 3, "once each");

	account_clear(&a);
	apply("account h\nuser u\n", "smtp=submissions://w@h");
	is_int((long long)c.errors.n, 0, "no section, but overrides");
	is_str(a.name, "h", "a name that was made up");
	is_str(a.user, "w", "does not find an account");
	free(own.sent);
}

static void
test_from_url(void)
{
	enum url_proto proto;
	struct err e;

	account_clear(&a);
	is_int(account_from_url(&a, "imaps://ada%40x@h/In/box", &proto, &e), 0,
	    "a URL for an account");
	is_int(proto, URL_IMAP, "its protocol");
	is_str(a.name, "h", "its host is the name");
	is_str(a.imap.user, "ada@x", "its user");
	is_str(a.imap.path, "In/box", "its folder");
	account_clear(&a);
	is_int(account_from_url(&a, "lmtp://h", &proto, &e), 0, "LMTP");
	is_int(account_url(&a, proto)->port, 24, "goes where SMTP goes");
	is_str(a.user, NULL, "without a user");
	account_clear(&a);
	is_int(
	    account_from_url(&a, "imaps://a:b@h", &proto, &e), -1, "a bad one");
	is_int(e.kind, ERR_CONFIG, "is refused");
	is_str(a.name, NULL, "and leaves nothing");
}

int
main(void)
{
	account_init(&a);
	test_good();
	test_user();
	test_pins();
	test_urls();
	test_rest();
	test_apply();
	test_from_url();
	account_clear(&a);
	conf_clear(&c);
	return done();
}

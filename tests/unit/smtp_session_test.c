/*
 * SMTP logins by transcripts.  A script is lines: "S: " from the server, "C: "
 * what the client has to have sent by then, "E: " an event that the session
 * has to give.  Every script runs whole (all that the server says next comes
 * at once), byte by byte and in random pieces.
 */

#include <stdlib.h>

#include "base/mem.h"
#include "prng.h"
#include "proto/smtp_session.h"
#include "tap.h"

enum split { WHOLE, BYTES, RANDOM };

struct talk {
	const char *name;
	const char *script;
	bool starttls, lmtp, token, late_secret, bare;
	enum sasl_mech pinned; /* 0 is SCRAM-SHA-256-PLUS: taken for none */
	const char *password;  /* NULL: secret */
	unsigned int disabled;
	enum err_kind kind; /* how it ends: ERR_NONE: READY */
	const char *says;
};

struct world {
	struct wire w;
	struct smtp p;
	struct smtp_session s;
	struct sasl_login l;
	struct err e;
	struct buf log; /* what the client sent and the events, as a script */
	enum smtp_session_ev ev;
	bool over;
};

static void
log_sent(struct world *x)
{
	struct span out = buf_span(&x->w.out), line;

	while (span_cut(&out, '\n', &line)) {
		buf_puts(&x->log, "C: ");
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		buf_add(&x->log, line);
		buf_puts(&x->log, "\n");
	}
	buf_reset(&x->w.out);
}

/* Steps until the session waits or is over. */
static void
go(struct world *x)
{
	static const char *const names[] = {[SMTP_SESSION_WAIT] = "wait",
	    [SMTP_SESSION_STARTTLS] = "starttls",
	    [SMTP_SESSION_SECRET] = "secret",
	    [SMTP_SESSION_READY] = "ready"};

	while (!x->over) {
		if (smtp_session_step(&x->s, &x->ev, &x->e) == -1) {
			log_sent(x);
			x->over = true;
			return;
		}
		log_sent(x);
		if (x->ev == SMTP_SESSION_WAIT)
			return;
		buf_printf(&x->log, "E: %s\n", names[x->ev]);
		if (x->ev == SMTP_SESSION_STARTTLS) {
			x->l.tls = x->l.private_path = true;
			smtp_session_tls(&x->s);
		} else if (x->ev == SMTP_SESSION_SECRET)
			x->l.password = "secret";
		else
			x->over = true;
	}
}

static void
feed(struct world *x, struct span in, enum split how)
{
	size_t n;

	while (in.n > 0) {
		n = how == WHOLE ? in.n : how == BYTES ? 1 : 1 + prng(9);
		n = n < in.n ? n : in.n;
		buf_append(&x->w.in, in.p, n);
		in = span_skip(in, n);
		go(x);
	}
}

static void
world_init(struct world *x, const struct talk *t)
{
	*x = (struct world){0};
	x->l = (struct sasl_login){.user = "ada",
	    .host = "h",
	    .port = 587,
	    .nonce = "fyko+d2lbbFgONRv9qkxdawL",
	    .password = t->password != NULL ? t->password : "secret",
	    .pinned = t->pinned == 0 ? SASL_ANYTHING : t->pinned};
	if (t->token) {
		x->l.token = t->password != NULL ? t->password : "tok";
		x->l.password = NULL;
	}
	if (t->late_secret) {
		x->l.password = NULL;
		x->l.can_password = true;
	}
	x->l.private_path = x->l.tls = !t->starttls && !t->bare;
	buf_init(&x->log, 100000);
	wire_init(&x->w);
	smtp_init(&x->p, &x->w);
	x->p.disabled = t->disabled;
	smtp_session_init(&x->s, &x->p, &x->l, "me");
	x->s.starttls = t->starttls;
	x->s.lmtp = t->lmtp;
}

static void
world_clear(struct world *x)
{
	smtp_session_clear(&x->s);
	smtp_clear(&x->p);
	wire_clear(&x->w);
	buf_clear(&x->log);
}

static void
judge(struct world *x, const struct talk *t)
{
	if (t->kind == ERR_NONE) {
		ok(x->over && x->e.kind == ERR_NONE, "%s: done: %s", t->name,
		    x->e.text);
		return;
	}
	is_int(x->e.kind, t->kind, "%s: %s", t->name, x->e.text);
	ok(strstr(x->e.text, t->says) != NULL, "%s: says %s", t->name, t->says);
	ok(strstr(x->e.text, "AGFkYQ") == NULL &&
		strstr(x->e.text, "c2VjcmV0") == NULL &&
		strstr(x->e.text, "secret\1") == NULL,
	    "%s: no secret", t->name);
}

static void
run(const struct talk *t, enum split how)
{
	struct world x;
	struct buf said, want;
	struct span rest = span_of(t->script), line;

	world_init(&x, t);
	buf_init(&said, 100000);
	buf_init(&want, 100000);
	while (span_cut(&rest, '\n', &line)) {
		if (span_prefix(line, "S: ")) {
			buf_add(&said, span_skip(line, 3));
			buf_puts(&said, "\r\n");
		} else if (span_eq(line, "EOF")) {
			x.w.eof = true;
			go(&x);
		} else {
			buf_add(&want, line);
			buf_puts(&want, "\n");
		}
		if (!span_prefix(rest, "S: ") && said.len > 0) {
			feed(&x, buf_span(&said), how);
			buf_reset(&said);
		}
	}
	judge(&x, t);
	is_str(buf_cstr(&x.log), buf_cstr(&want), "%s: script (%d)", t->name,
	    (int)how);
	buf_clear(&said);
	buf_clear(&want);
	world_clear(&x);
}

#define HI "S: 220 h ESMTP\nC: EHLO me\n"
#define EHLO(lines) HI "S: 250-h\n" lines "S: 250 HELP\n"
#define IN "S: 235 2.7.0 in\nE: ready\n"
#define PLAIN "C: AUTH PLAIN AGFkYQBzZWNyZXQ=\n"
#define XOAUTH2 "dXNlcj1hZGEBYXV0aD1CZWFyZXIgdG9rAQE="

static const struct talk talks[] = {
    {.name = "PLAIN", .script = EHLO("S: 250-AUTH PLAIN LOGIN\n") PLAIN IN},
    {.name = "AUTH=LOGIN, an empty AUTH, and again",
	.script = EHLO("S: 250-AUTH=LOGIN\nS: 250-AUTH\nS: 250-AUTH PLAIN\n")
	    PLAIN IN},
    {.name = "LOGIN, its prompts in the clear",
	.script = EHLO(
	    "S: 250-AUTH LOGIN\n") "C: AUTH LOGIN\n"
				   "S: 334 Username:\nC: YWRh\nS: 334 \nC: c2VjcmV0\n" IN},
    {.name = "a refusal that repeats what was said",
	.script =
	    EHLO("S: 250-AUTH PLAIN\n") PLAIN "S: 535 not AGFkYQBzZWNyZXQ=\n",
	.kind = ERR_AUTH,
	.says = "535 (not shown: it repeats the secret)"},
    {.name = "a refusal that says what it understood",
	.script = EHLO("S: 250-AUTH PLAIN\n") PLAIN "S: 535 ada, secret: no\n",
	.kind = ERR_AUTH,
	.says = "535 (not shown: it repeats the secret)"},
    {.name = "many greet",
	.script = "S: 220-h\nS: 220-no spam\nS: 220 h\nC: EHLO me\n"
		  "S: 250-h\nS: 250 AUTH PLAIN\n" PLAIN IN},
    {.name = "pinned to nothing",
	.pinned = SASL_NOTHING,
	.script = EHLO("S: 250-AUTH PLAIN\n") "E: ready\n"},
    {.name = "a secret that comes late",
	.late_secret = true,
	.script = EHLO("S: 250-AUTH PLAIN\n") "E: secret\n" PLAIN IN},
    {.name = "HELO instead",
	.pinned = SASL_NOTHING,
	.script = HI "S: 500 5.5.1 XXXX?\nC: HELO me\nS: 250 h\nE: ready\n"},
    {.name = "HELO instead, but a login is wanted",
	.script = HI "S: 502 what\nC: HELO me\nS: 250 h\n",
	.kind = ERR_AUTH,
	.says = "offers no login: set \"auth none\""},
    {.name = "HELO refused too",
	.script = HI "S: 500 what\nC: HELO me\nS: 550 bad name\n",
	.kind = ERR_PROTO,
	.says = "HELO: server says: 550 bad name: the keyword hello"},
    {.name = "EHLO refused for good",
	.script = HI "S: 554 5.7.1 go away\n",
	.kind = ERR_PROTO,
	.says = "554 5.7.1 go away"},
    {.name = "EHLO refused for now",
	.script = HI "S: 451 4.7.1 later\n",
	.kind = ERR_TEMP,
	.says = "later"},
    {.name = "LMTP",
	.lmtp = true,
	.pinned = SASL_NOTHING,
	.script = "S: 220 h\nC: LHLO me\nS: 250-h\nS: 250 PIPELINING\n"
		  "E: ready\n"},
    {.name = "LMTP has no HELO",
	.lmtp = true,
	.pinned = SASL_NOTHING,
	.script = "S: 220 h\nC: LHLO me\nS: 500 what\n",
	.kind = ERR_PROTO,
	.says = "LHLO"},
    {.name = "STARTTLS",
	.starttls = true,
	.script = EHLO(
	    "S: 250-AUTH LOGIN\nS: 250-STARTTLS\n") "C: STARTTLS\n"
						    "S: 220 2.0.0 go\nE: starttls\nC: EHLO me\nS: 250-h\n"
						    "S: 250 AUTH PLAIN\n" PLAIN
							IN},
    {.name = "STARTTLS: what was told before is forgotten",
	.starttls = true,
	.script = EHLO(
	    "S: 250-AUTH PLAIN\nS: 250-STARTTLS\n") "C: STARTTLS\n"
						    "S: 220 go\nE: starttls\nC: EHLO me\nS: 250 h\n",
	.kind = ERR_AUTH,
	.says = "offers no login: set \"auth none\""},
    {.name = "STARTTLS is not used unless it is required",
	.script = EHLO("S: 250-STARTTLS\nS: 250-AUTH PLAIN\n") PLAIN IN},
    {.name = "STARTTLS not offered",
	.starttls = true,
	.script = EHLO("S: 250-AUTH PLAIN\n"),
	.kind = ERR_TLS,
	.says = "does not offer STARTTLS: use submissions://"},
    {.name = "STARTTLS in the greeting line is not an offer",
	.starttls = true,
	.script = HI "S: 250-STARTTLS\nS: 250 HELP\n",
	.kind = ERR_TLS,
	.says = "does not offer STARTTLS"},
    {.name = "STARTTLS required, EHLO unknown: no HELO",
	.starttls = true,
	.script = HI "S: 500 what\n",
	.kind = ERR_TLS,
	.says = "TLS is required, but server does not know EHLO (500 what)"},
    {.name = "STARTTLS refused",
	.starttls = true,
	.script = EHLO("S: 250-STARTTLS\n") "C: STARTTLS\nS: 502 5.5.1 no\n",
	.kind = ERR_TLS,
	.says = "502 5.5.1 no: use submissions://"},
    {.name = "STARTTLS later",
	.starttls = true,
	.script = EHLO("S: 250-STARTTLS\n") "C: STARTTLS\nS: 454 4.7.0 x\n",
	.kind = ERR_TEMP,
	.says = "454 4.7.0 x"},
    {.name = "STARTTLS: another reply was slipped in",
	.starttls = true,
	.script = EHLO("S: 250-STARTTLS\n") "C: STARTTLS\nS: 250 h\n",
	.kind = ERR_TLS,
	.says = "submissions://"},
    {.name = "no password on a bare path",
	.bare = true,
	.script = EHLO("S: 250-AUTH PLAIN\n"),
	.kind = ERR_AUTH,
	.says = "without TLS"},
    {.name = "no AUTH is offered",
	.script = EHLO(""),
	.kind = ERR_AUTH,
	.says = "offers no login: set \"auth none\""},
    {.name = "wrong password",
	.script = EHLO("S: 250-AUTH PLAIN\n") PLAIN
	"S: 535 5.7.8 Error: authentication failed\n",
	.kind = ERR_AUTH,
	.says = "login as ada (PLAIN): server says: 535 5.7.8 Error"},
    {.name = "too many logins",
	.script = EHLO("S: 250-AUTH PLAIN\n") PLAIN
	"S: 454 4.7.0 Too many login attempts\n",
	.kind = ERR_TEMP,
	.says = "Too many"},
    {.name = "a good-bye in the login",
	.script = EHLO("S: 250-AUTH PLAIN\n") PLAIN "S: 421 4.4.2 bye\nEOF\n",
	.kind = ERR_TEMP,
	.says = "421 4.4.2 bye"},
    {.name = "the response repeated",
	.script = EHLO("S: 250-AUTH PLAIN\n") PLAIN
	"S: 500-bad: AUTH PLAIN AGFkYQBzZWNyZXQ=\nS: 500 try again\n",
	.kind = ERR_AUTH,
	.says = "not shown"},
    {.name = "the password repeated",
	.script = EHLO(
	    "S: 250-AUTH LOGIN\n") "C: AUTH LOGIN\nS: 334 a\n"
				   "C: YWRh\nS: 334 b\nC: c2VjcmV0\nS: 501 what is c2VjcmV0\n",
	.kind = ERR_AUTH,
	.says = "not shown"},
    {.name = "the greeting puts off",
	.script = "S: 421 4.7.0 [TSS04] later\n",
	.kind = ERR_TEMP,
	.says = "greeting: server says: 421 4.7.0 [TSS04] later"},
    {.name = "the greeting refuses",
	.script = "S: 554 no\n",
	.kind = ERR_PROTO,
	.says = "554 no"},
    {.name = "a greeting that is none",
	.script = "S: 250 h\n",
	.kind = ERR_TEMP,
	.says = "greeting: server says: 250 h"},
    {.name = "not an SMTP server",
	.script = "S: * OK hi\n",
	.kind = ERR_PROTO,
	.says = "IMAP"},
    {.name = "no greeting",
	.script = "EOF\n",
	.kind = ERR_TEMP,
	.says = "greeting"},
    {.name = "an initial response that was not heard",
	.script = EHLO("S: 250-AUTH PLAIN\n") PLAIN "S: 334 \n"
						    "C: AGFkYQBzZWNyZXQ=\n" IN},
    {.name = "XOAUTH2",
	.token = true,
	.script = EHLO("S: 250-AUTH XOAUTH2 PLAIN\n") "C: AUTH XOAUTH2 " XOAUTH2
						      "\n" IN},
    {.name = "XOAUTH2, the token refused",
	.token = true,
	.script = EHLO(
	    "S: 250-AUTH XOAUTH2\n") "C: AUTH XOAUTH2 " XOAUTH2
				     "\nS: 334 eyJzdGF0dXMiOiI0MDEifQ==\nC: \n"
				     "S: 535-5.7.8 Username and Password not accepted.\n"
				     "S: 535 5.7.8 See the manual\n",
	.kind = ERR_AUTH,
	.says = "token refused (401): login as ada (XOAUTH2): server says: "
		"535 5.7.8 Username and Password not accepted. See the manual"},
    {.name = "OAUTHBEARER, the token refused",
	.token = true,
	.script = EHLO(
	    "S: 250-AUTH OAUTHBEARER\n") "C: AUTH OAUTHBEARER "
					 "bixhPWFkYSwBaG9zdD1oAXBvcnQ9NTg3AWF1dGg9QmVhcmVyIHRvawEB\n"
					 "S: 334 eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\nC: AQ==\n"
					 "S: 535 nope\n",
	.kind = ERR_AUTH,
	.says = "token refused (invalid_token)"},
    {.name = "CRAM-MD5: a challenge that is none",
	.pinned = SASL_CRAM_MD5,
	.script =
	    EHLO("S: 250-AUTH CRAM-MD5 PLAIN\n") "C: AUTH CRAM-MD5\n"
						 "S: 334 not base64!\nC: *\n",
	.kind = ERR_PROTO,
	.says = "not base64"},
    {.name = "a challenge too many",
	.script = EHLO("S: 250-AUTH PLAIN\n") PLAIN "S: 334 YWJj\nC: *\n",
	.kind = ERR_PROTO,
	.says = "after the end"},
    {.name = "SCRAM: the server proves nothing",
	.script = EHLO(
	    "S: 250-AUTH SCRAM-SHA-1\n") "C: AUTH SCRAM-SHA-1 "
					 "biwsbj1hZGEscj1meWtvK2QybGJiRmdPTlJ2OXFreGRhd0w=\n"
					 "S: 235 in\n",
	.kind = ERR_AUTH,
	.says = "proving"},
    {.name = "AUTH is disabled",
	.disabled = SMTP_EXT_BIT(SMTP_EXT_AUTH),
	.script = EHLO("S: 250-AUTH PLAIN\n"),
	.kind = ERR_AUTH,
	.says = "offers no login: set \"auth none\""},
};

static void
test_talks(void)
{
	size_t i;
	int how;

	for (i = 0; i < sizeof(talks) / sizeof(talks[0]); i++) {
		for (how = WHOLE; how <= RANDOM; how++)
			run(&talks[i], (enum split)how);
	}
}

/* The line with the response may have 512 octets, CRLF included. */
static void
test_long_response(void)
{
	struct talk t = {.name = "long", .pinned = SASL_EXTERNAL};
	char user[400];
	struct world x;
	size_t n;
	const char *log;

	for (n = 370; n <= 375; n++) {
		memset(user, 'x', n);
		user[n] = '\0';
		world_init(&x, &t);
		x.l.user = user;
		x.l.client_cert = true;
		feed(&x, span_of("220 h\r\n"), WHOLE);
		feed(&x, span_of("250-h\r\n250 AUTH EXTERNAL\r\n"), WHOLE);
		log = strstr(buf_cstr(&x.log), "C: AUTH");
		if (n <= 372) { /* 496 octets of base64 */
			is_int(log == NULL ? 0 : strlen(log) - 3 + 1, 512,
			    "%zu fits", n);
		} else {
			is_str(log, "C: AUTH EXTERNAL\n", "%zu waits", n);
			feed(&x, span_of("334 go on\r\n"), WHOLE);
			log = strstr(buf_cstr(&x.log), "C: eHh4eHh4");
			ok(log != NULL && strlen(log) == 3 + 500 + 1,
			    "and comes behind the 334");
		}
		feed(&x, span_of("235 in\r\n"), WHOLE);
		ok(x.ev == SMTP_SESSION_READY, "%zu: ready", n);
		world_clear(&x);
	}
}

/* A token of two thousand characters, as offices give them. */
static void
test_long_token(void)
{
	struct talk t = {.name = "token", .token = true};
	char token[2001];
	struct world x;

	memset(token, 't', 2000);
	token[2000] = '\0';
	t.password = token;
	world_init(&x, &t);
	feed(&x, span_of("220 h\r\n"), WHOLE);
	feed(&x, span_of("250-h\r\n250 AUTH XOAUTH2\r\n"), WHOLE);
	ok(strstr(buf_cstr(&x.log), "C: AUTH XOAUTH2\n") != NULL, "by itself");
	feed(&x, span_of("334\r\n"), WHOLE);
	ok(strstr(buf_cstr(&x.log), "C: dXNlcj1hZGEBYXV0aD1CZWFyZXIgdHR0") !=
		NULL,
	    "behind the 334");
	feed(&x, span_of("500 5.5.6 what? dXNlcj1hZGEBYXV0aD1CZWFyZXIg\r\n"),
	    WHOLE);
	ok(strstr(x.e.text, "not shown") != NULL, "half an echo: %s", x.e.text);
	world_clear(&x);
}

static void
test_injection(void)
{
	struct talk t = {.name = "injection", .starttls = true};
	struct world x;

	world_init(&x, &t);
	feed(&x, span_of("220 h\r\n"), WHOLE);
	feed(&x, span_of("250-h\r\n250 STARTTLS\r\n"), WHOLE);
	feed(&x, span_of("220 go\r\n250 injected\r\n"), WHOLE);
	is_int(x.e.kind, ERR_TLS, "fatal: %s", x.e.text);
	world_clear(&x);

	/* what slips in later, before the handshake, is dropped */
	world_init(&x, &t);
	buf_puts(&x.w.in, "220 h\r\n");
	is_int(smtp_session_step(&x.s, &x.ev, &x.e), 0, "greeting");
	buf_puts(&x.w.in, "250-h\r\n250 STARTTLS\r\n");
	is_int(smtp_session_step(&x.s, &x.ev, &x.e), 0, "EHLO");
	buf_puts(&x.w.in, "220 go\r\n");
	is_int(smtp_session_step(&x.s, &x.ev, &x.e), 0, "STARTTLS");
	is_int(x.ev, SMTP_SESSION_STARTTLS, "handshake");
	buf_puts(&x.w.in, "250 injected\r\n");
	is_int(smtp_session_step(&x.s, &x.ev, &x.e), 0, "asked once more");
	is_int(x.ev, SMTP_SESSION_STARTTLS, "still the handshake");
	smtp_session_tls(&x.s);
	is_int(x.w.in.len, 0, "nothing came through");
	world_clear(&x);
}

static void
test_secret_never_comes(void)
{
	struct talk t = {.name = "late", .late_secret = true};
	struct world x;

	world_init(&x, &t);
	buf_puts(&x.w.in, "220 h\r\n");
	smtp_session_step(&x.s, &x.ev, &x.e);
	buf_puts(&x.w.in, "250-h\r\n250 AUTH PLAIN\r\n");
	is_int(smtp_session_step(&x.s, &x.ev, &x.e), 0, "asks");
	is_int(x.ev, SMTP_SESSION_SECRET, "for the secret");
	is_int(smtp_session_step(&x.s, &x.ev, &x.e), -1, "asks no more");
	is_int(x.e.kind, ERR_AUTH, "%s", x.e.text);
	world_clear(&x);
}

static void
test_bad_name(void)
{
	struct talk t = {.name = "hello"};
	struct world x;

	world_init(&x, &t);
	x.s.hello = "me\r\nRSET";
	buf_puts(&x.w.in, "220 h\r\n");
	is_int(smtp_session_step(&x.s, &x.ev, &x.e), -1, "a line break");
	is_int(x.e.kind, ERR_CONFIG, "%s", x.e.text);
	is_int(x.w.out.len, 0, "nothing is sent");
	world_clear(&x);
}

/* What the caller finds when all is done. */
static void
test_caps(void)
{
	struct talk t = {.name = "caps",
	    .pinned = SASL_NOTHING,
	    .disabled = SMTP_EXT_BIT(SMTP_EXT_CHUNKING)};
	struct world x;

	world_init(&x, &t);
	feed(&x, span_of("220 h\r\n"), WHOLE);
	feed(&x,
	    span_of("250-h PIPELINING\r\n250-SIZE 7\r\n250-CHUNKING\r\n"
		    "250-LIMITS RCPTMAX=3\r\n250 8 BITMIME\r\n"),
	    BYTES);
	is_int(x.ev, SMTP_SESSION_READY, "ready");
	is_int(x.p.caps.size, 7, "SIZE");
	is_int(x.p.caps.rcpt_max, 3, "RCPTMAX");
	ok(smtp_has(&x.p.caps, SMTP_EXT_8BITMIME), "8BITMIME");
	ok(!smtp_has(&x.p.caps, SMTP_EXT_PIPELINING), "not what greets");
	ok(!smtp_has(&x.p.caps, SMTP_EXT_CHUNKING), "not what is disabled");
	world_clear(&x);
}

int
main(void)
{
	test_talks();
	test_long_response();
	test_long_token();
	test_injection();
	test_secret_never_comes();
	test_bad_name();
	test_caps();
	return done();
}

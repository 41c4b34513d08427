/*
 * POP3 logins by transcripts.  A script is lines, each with CRLF: "S: " from
 * the server, "C: " what the client has to have sent by then, "E: " an event
 * that the session has to give.  Every script runs whole (all that the server
 * says next comes at once), byte by byte and in random pieces.
 */

#include <stdlib.h>

#include "base/mem.h"
#include "prng.h"
#include "proto/pop3_session.h"
#include "tap.h"

enum split { WHOLE, BYTES, RANDOM };

struct talk {
	const char *name;
	const char *script;
	bool starttls, no_capa, token, late_secret, bare;
	enum sasl_mech pinned; /* 0 is SCRAM-SHA-256-PLUS: taken for none */
	const char *user, *password; /* NULL: ada, secret */
	enum err_kind kind; /* how it ends: ERR_NONE: READY or NO_CAPA */
	const char *says;
};

struct world {
	struct wire w;
	struct pop3 p;
	struct pop3_session s;
	struct sasl_login l;
	struct err e;
	struct buf log; /* what the client sent and the events, as a script */
	enum pop3_session_ev ev;
	const struct talk *t;
	bool over, late_bytes;
};

static const char *const ev_names[] = {[POP3_SESSION_STARTTLS] = "starttls",
    [POP3_SESSION_SECRET] = "secret",
    [POP3_SESSION_NO_CAPA] = "no-capa",
    [POP3_SESSION_READY] = "ready"};

static void
log_sent(struct world *x)
{
	struct span out = buf_span(&x->w.out), line;

	while (span_cut(&out, '\n', &line)) {
		buf_puts(&x->log, "C: ");
		buf_add(&x->log, line);
		buf_puts(&x->log, "\n");
	}
	buf_reset(&x->w.out);
}

/* Steps until the session waits or is over. */
static void
go(struct world *x)
{
	while (!x->over) {
		if (pop3_session_step(&x->s, &x->ev, &x->e) == -1) {
			log_sent(x);
			x->over = true;
			return;
		}
		log_sent(x);
		if (x->ev == POP3_SESSION_WAIT)
			return;
		buf_printf(&x->log, "E: %s\r\n", ev_names[x->ev]);
		if (x->ev == POP3_SESSION_STARTTLS) {
			x->l.tls = x->l.private_path = true;
			pop3_session_tls(&x->s);
		} else if (x->ev == POP3_SESSION_SECRET)
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
	*x = (struct world){.t = t};
	x->l = (struct sasl_login){.user = t->user != NULL ? t->user : "ada",
	    .host = "h",
	    .port = 995,
	    .nonce = "fyko+d2lbbFgONRv9qkxdawL",
	    .password = t->password != NULL ? t->password : "secret",
	    .pinned = t->pinned == 0 ? SASL_ANYTHING : t->pinned};
	if (t->token) {
		x->l.token = "tok";
		x->l.password = NULL;
	}
	if (t->late_secret) {
		x->l.password = NULL;
		x->l.can_password = true;
	}
	x->l.private_path = x->l.tls = !t->starttls && !t->bare;
	buf_init(&x->log, 100000);
	wire_init(&x->w);
	pop3_init(&x->p, &x->w);
	pop3_session_init(&x->s, &x->p, &x->l);
	x->s.starttls = t->starttls;
	x->s.no_capa = t->no_capa;
}

static void
world_clear(struct world *x)
{
	pop3_session_clear(&x->s);
	pop3_clear(&x->p);
	wire_clear(&x->w);
	buf_clear(&x->log);
}

/* "S: " lines that follow each other come at once. */
static void
run(const struct talk *t, enum split how)
{
	struct world x;
	struct buf said, want;
	struct span rest = span_of(t->script), line;
	bool server = false;

	world_init(&x, t);
	buf_init(&said, 100000);
	buf_init(&want, 100000);
	while (rest.n > 0 || said.len > 0) {
		server = rest.n > 0 && span_prefix(rest, "S: ");
		if (!server && said.len > 0) {
			feed(&x, buf_span(&said), how);
			buf_reset(&said);
		}
		if (rest.n == 0)
			break;
		if (span_prefix(rest, "EOF")) {
			x.w.eof = true;
			go(&x);
			rest = span_skip(rest, 5);
			continue;
		}
		span_cut(&rest, '\n', &line);
		buf_add(
		    server ? &said : &want, server ? span_skip(line, 3) : line);
		buf_puts(server ? &said : &want, "\n");
	}
	if (t->kind == ERR_NONE) {
		ok(x.over && x.e.kind == ERR_NONE, "%s: done: %s", t->name,
		    x.e.text);
	} else {
		is_int(x.e.kind, t->kind, "%s: %s", t->name, x.e.text);
		ok(strstr(x.e.text, t->says) != NULL, "%s: says %s", t->name,
		    t->says);
		ok(strstr(x.e.text, "PASS secret") == NULL &&
			strstr(x.e.text, "AGFkYQ") == NULL,
		    "%s: no secret", t->name);
	}
	is_str(buf_cstr(&x.log), buf_cstr(&want), "%s: script (%d)", t->name,
	    (int)how);
	buf_clear(&said);
	buf_clear(&want);
	world_clear(&x);
}

#define HI "S: +OK ready\r\n"
#define CAPA(lines) HI "C: CAPA\r\nS: +OK\r\n" lines "S: .\r\n"
#define READY "S: +OK\r\nE: ready\r\n"
#define X10 "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10

static const struct talk talks[] = {
    {.name = "PLAIN",
	.script = CAPA(
	    "S: UIDL\r\nS: SASL PLAIN LOGIN\r\n") "C: AUTH PLAIN AGFkYQBzZWNyZXQ=\r\n" READY},
    {.name = "USER and PASS",
	.script = CAPA(
	    "S: USER\r\n") "C: USER ada\r\nS: +OK\r\nC: PASS secret\r\n" READY},
    {.name = "in one flight",
	.script = CAPA(
	    "S: USER\r\nS: PIPELINING\r\n") "C: USER ada\r\nC: PASS secret\r\nS: +OK\r\n" READY},
    {.name = "CAPA unknown",
	.script = HI "C: CAPA\r\nS: -ERR what?\r\n"
		     "C: USER ada\r\nS: +OK\r\nC: PASS secret\r\n" READY},
    {.name = "CAPA hangs up",
	.script = HI "C: CAPA\r\nEOF\r\n"
		     "E: no-capa\r\n"},
    {.name = "CAPA cut short",
	.script = HI "C: CAPA\r\nS: +OK\r\n"
		     "S: TOP\r\nEOF\r\n",
	.kind = ERR_TEMP,
	.says = "CAPA"},
    {.name = "no CAPA",
	.no_capa = true,
	.script = HI "C: USER ada\r\nS: +OK\r\nC: PASS secret\r\n" READY},
    {.name = "no CAPA, pinned",
	.no_capa = true,
	.pinned = SASL_PLAIN,
	.script = HI "C: AUTH PLAIN AGFkYQBzZWNyZXQ=\r\n" READY},
    {.name = "pinned to the login command",
	.pinned = SASL_NATIVE,
	.script = CAPA(
	    "S: SASL PLAIN\r\n") "C: USER ada\r\nS: +OK\r\nC: PASS secret\r\n" READY},
    {.name = "pinned to nothing",
	.pinned = SASL_NOTHING,
	.script = CAPA("") "E: ready\r\n"},
    {.name = "a secret that comes late",
	.late_secret = true,
	.script = CAPA(
	    "S: SASL PLAIN\r\n") "E: secret\r\n"
				 "C: AUTH PLAIN AGFkYQBzZWNyZXQ=\r\n" READY},
    {.name = "STLS",
	.starttls = true,
	.script = CAPA(
	    "S: STLS\r\nS: SASL PLAIN\r\n") "C: STLS\r\nS: +OK go\r\nE: starttls\r\nC: CAPA\r\n"
					    "S: +OK\r\nS: SASL LOGIN\r\nS: .\r\n"
					    "C: AUTH LOGIN\r\nS: + VXNlcm5hbWU6\r\nC: YWRh\r\n"
					    "S: + UGFzc3dvcmQ6\r\nC: c2VjcmV0\r\n" READY},
    {.name = "STLS without CAPA",
	.starttls = true,
	.no_capa = true,
	.script = HI "C: STLS\r\nS: +OK\r\nE: starttls\r\n"
		     "C: USER ada\r\nS: +OK\r\nC: PASS secret\r\n" READY},
    {.name = "STLS, CAPA unknown",
	.starttls = true,
	.script = HI "C: CAPA\r\nS: -ERR\r\nC: STLS\r\nS: +OK\r\n"
		     "E: starttls\r\nC: CAPA\r\nS: -ERR\r\n"
		     "C: USER ada\r\nS: +OK\r\nC: PASS secret\r\n" READY},
    {.name = "STLS not offered",
	.starttls = true,
	.script = CAPA("S: SASL PLAIN\r\n"),
	.kind = ERR_TLS,
	.says = "pop3s://"},
    {.name = "STLS refused",
	.starttls = true,
	.script = CAPA("S: STLS\r\n") "C: STLS\r\nS: -ERR no key\r\n",
	.kind = ERR_TLS,
	.says = "no key: use pop3s://"},
    {.name = "STLS later",
	.starttls = true,
	.script = CAPA("S: STLS\r\n") "C: STLS\r\nS: -ERR [SYS/TEMP]\r\n",
	.kind = ERR_TEMP,
	.says = "STLS"},
    {.name = "no password on a bare path",
	.bare = true,
	.script = CAPA("S: USER\r\nS: SASL PLAIN\r\n"),
	.kind = ERR_AUTH,
	.says = "without TLS: use"},
    {.name = "wrong password",
	.script =
	    CAPA("S: USER\r\n") "C: USER ada\r\nS: +OK\r\nC: PASS secret\r\n"
				"S: -ERR no way\r\n",
	.kind = ERR_AUTH,
	.says = "login as ada (login command): server says: no way"},
    {.name = "unknown user",
	.script = CAPA("S: USER\r\n") "C: USER ada\r\nS: -ERR who\r\n",
	.kind = ERR_AUTH,
	.says = "who"},
    {.name = "the password repeated",
	.script = CAPA(
	    "S: USER\r\n") "C: USER ada\r\nS: +OK\r\n"
			   "C: PASS secret\r\nS: -ERR what is PASS secret?\r\n",
	.kind = ERR_AUTH,
	.says = "not shown"},
    {.name = "the response repeated",
	.script = CAPA(
	    "S: SASL PLAIN\r\n") "C: AUTH PLAIN AGFkYQBzZWNyZXQ=\r\n"
				 "S: -ERR bad: AUTH PLAIN AGFkYQBzZWNyZXQ=\r\n",
	.kind = ERR_AUTH,
	.says = "not shown"},
    {.name = "mailbox in use",
	.script = CAPA(
	    "S: SASL PLAIN\r\n") "C: AUTH PLAIN AGFkYQBzZWNyZXQ=\r\nS: -ERR [IN-USE] x\r\n",
	.kind = ERR_TEMP,
	.says = "IN-USE"},
    {.name = "the greeting refuses",
	.script = "S: -ERR too many\r\n",
	.kind = ERR_TEMP,
	.says = "greeting: server says: too many"},
    {.name = "not a POP3 server",
	.script = "S: 220 hi\r\n",
	.kind = ERR_PROTO,
	.says = "SMTP"},
    {.name = "XOAUTH2",
	.token = true,
	.script = CAPA(
	    "S: SASL XOAUTH2 PLAIN\r\n") "C: AUTH XOAUTH2 dXNlcj1hZGEBYXV0aD1CZWFyZXIgdG9rAQE=\r\n" READY},
    {.name = "XOAUTH2, not heard the first time",
	.token = true,
	.script = CAPA(
	    "S: SASL XOAUTH2\r\n") "C: AUTH XOAUTH2 dXNlcj1hZGEBYXV0aD1CZWFyZXIgdG9rAQE=\r\n"
				   "S: + \r\nC: dXNlcj1hZGEBYXV0aD1CZWFyZXIgdG9rAQE=\r\n" READY},
    {.name = "XOAUTH2 at Exchange",
	.token = true,
	.script = "S: +OK The Microsoft Exchange POP3 service is ready.\r\n"
		  "C: CAPA\r\nS: +OK\r\nS: SASL PLAIN XOAUTH2\r\nS: .\r\n"
		  "C: AUTH XOAUTH2\r\nS: + \r\n"
		  "C: dXNlcj1hZGEBYXV0aD1CZWFyZXIgdG9rAQE=\r\n" READY},
    {.name = "XOAUTH2, token refused",
	.token = true,
	.script = CAPA(
	    "S: IMPLEMENTATION Microsoft Exchange\r\n"
	    "S: SASL XOAUTH2\r\n") "C: AUTH XOAUTH2\r\nS: +\r\n"
				   "C: dXNlcj1hZGEBYXV0aD1CZWFyZXIgdG9rAQE=\r\n"
				   "S: + eyJzdGF0dXMiOiI0MDEifQ==\r\nC: \r\nS: -ERR nope\r\n",
	.kind = ERR_AUTH,
	.says = "token refused (401): login as ada"},
    {.name = "OAUTHBEARER, token refused",
	.token = true,
	.script = CAPA(
	    "S: SASL OAUTHBEARER XOAUTH2\r\n") "C: AUTH OAUTHBEARER bixhPWFkYSwBaG9zdD1oAXBvcnQ9OTk1AWF1dGg9QmVh"
					       "cmVyIHRvawEB\r\n"
					       "S: + eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\r\nC: AQ==\r\n"
					       "S: -ERR nope\r\n",
	.kind = ERR_AUTH,
	.says = "token refused (invalid_token)"},
    {.name = "a token, but nothing that takes one",
	.token = true,
	.script = CAPA("S: SASL PLAIN\r\n"),
	.kind = ERR_AUTH,
	.says = "PLAIN for want of a password"},
    {.name = "SCRAM-SHA-1 of RFC 5802",
	.user = "user",
	.password = "pencil",
	.script = CAPA(
	    "S: SASL SCRAM-SHA-1\r\n") "C: AUTH SCRAM-SHA-1 biwsbj11c2VyLHI9ZnlrbytkMmxiYkZnT05S"
				       "djlxa3hkYXdM\r\n"
				       "S: + cj1meWtvK2QybGJiRmdPTlJ2OXFreGRhd0wzcmZjTkhZSlkxWlZ"
				       "2V1ZzN2oscz1RU1hDUitRNnNlazhiZjkyLGk9NDA5Ng==\r\n"
				       "C: Yz1iaXdzLHI9ZnlrbytkMmxiYkZnT05Sdjlxa3hkYXdMM3JmY05IW"
				       "UpZMVpWdldWczdqLHA9djBYOHYzQnoyVDBDSkdiSlF5RjBYK0hJNFRzP"
				       "Q==\r\n"
				       "S: + dj1ybUY5cHFWOFM3c3VBb1pXamE0ZEpSa0ZzS1E9\r\n"
				       "C: \r\n" READY},
    {.name = "SCRAM with a foreign nonce",
	.pinned = SASL_SCRAM_SHA_1,
	.password = "pencil",
	.script = CAPA(
	    "S: SASL SCRAM-SHA-1\r\n") "C: AUTH SCRAM-SHA-1 biwsbj1hZGEscj1meWtvK2QybGJiRmdPTlJ2OXFreGRh"
				       "d0w=\r\n"
				       "S: + cj1GeWtvLHM9UVNYQ1IrUTZzZWs4YmY5MixpPTQwOTY=\r\nC: *\r\n",
	.kind = ERR_PROTO,
	.says = "nonce"},
    {.name = "SCRAM, let in unproved",
	.script = CAPA(
	    "S: SASL SCRAM-SHA-256\r\n") "C: AUTH SCRAM-SHA-256 biwsbj1hZGEscj1meWtvK2QybGJiRmdPTlJ2OXFreG"
					 "Rhd0w=\r\nS: +OK come in\r\n",
	.kind = ERR_AUTH,
	.says = "without proving"},
    {.name = "a challenge that is not base64",
	.script =
	    CAPA("S: SASL LOGIN\r\n") "C: AUTH LOGIN\r\nS: + !\r\nC: *\r\n",
	.kind = ERR_PROTO,
	.says = "base64"},
    {.name = "one challenge too many",
	.script = CAPA("S: SASL PLAIN\r\n") "C: AUTH PLAIN AGFkYQBzZWNyZXQ=\r\n"
					    "S: + AAAA\r\nC: *\r\n",
	.kind = ERR_PROTO,
	.says = "PLAIN"},
    {.name = "a line break in a password",
	.password = "a\r\nDELE 1",
	.script = CAPA("S: USER\r\n") "C: USER ada\r\nS: +OK\r\n",
	.kind = ERR_CONFIG,
	.says = "line break"},
};

static void
test_talks(void)
{
	size_t i, k;

	for (i = 0; i < sizeof(talks) / sizeof(talks[0]); i++) {
		run(&talks[i], WHOLE);
		run(&talks[i], BYTES);
		for (k = 0; k < 5; k++)
			run(&talks[i], RANDOM);
	}
}

/* AUTH with its response is one line of at most 255 octets (RFC 5034). */
static void
test_long_response(void)
{
	char password[400];
	struct talk t = {.name = "long",
	    .pinned = SASL_PLAIN,
	    .password = password,
	    .no_capa = true};
	struct world x;
	size_t n, longest = 0, shortest_two = 0;

	for (n = 1; n < 300; n++) {
		memset(password, 'x', n);
		password[n] = '\0';
		world_init(&x, &t);
		feed(&x, span_of("+OK\r\n"), WHOLE);
		if (span_eq(buf_span(&x.log), "C: AUTH PLAIN\r\n")) {
			if (shortest_two == 0)
				shortest_two = n;
			buf_reset(&x.log);
			feed(&x, span_of("+ \r\n"), WHOLE);
			quiet(x.log.len == 3 + (n + 5 + 2) / 3 * 4 + 2,
			    "then comes the response alone");
		} else
			longest = x.log.len - 3;
		feed(&x, span_of("+OK\r\n"), WHOLE);
		quiet(x.over && x.ev == POP3_SESSION_READY, "%zu: ready", n);
		world_clear(&x);
	}
	/* 11 for "AUTH PLAIN ", 2 for CRLF, base64 in fours */
	is_int(longest, 11 + 240 + 2, "the longest command");
	is_int(shortest_two, 180 - 5 + 1, "beyond it, two steps");
}

/* Bytes behind the reply to STLS must not live on inside TLS. */
static void
test_injection(void)
{
	struct talk t = {
	    .name = "injection", .starttls = true, .no_capa = true};
	struct world x;

	world_init(&x, &t);
	feed(&x, span_of("+OK\r\n"), WHOLE);
	feed(&x, span_of("+OK\r\n+OK injected\r\n"), WHOLE);
	is_int(x.e.kind, ERR_TLS, "fatal: %s", x.e.text);
	world_clear(&x);

	/* what slips in later, before the handshake, is dropped */
	world_init(&x, &t);
	buf_puts(&x.w.in, "+OK\r\n");
	is_int(pop3_session_step(&x.s, &x.ev, &x.e), 0, "greeting");
	buf_puts(&x.w.in, "+OK\r\n");
	is_int(pop3_session_step(&x.s, &x.ev, &x.e), 0, "STLS");
	is_int(x.ev, POP3_SESSION_STARTTLS, "handshake");
	buf_puts(&x.w.in, "+OK injected\r\n");
	is_int(pop3_session_step(&x.s, &x.ev, &x.e), 0, "asked once more");
	is_int(x.ev, POP3_SESSION_STARTTLS, "still the handshake");
	pop3_session_tls(&x.s);
	is_int(x.w.in.len, 0, "nothing came through");
	world_clear(&x);
}

static void
test_secret_never_comes(void)
{
	struct talk t = {.name = "never", .late_secret = true, .no_capa = true};
	struct world x;

	world_init(&x, &t);
	buf_puts(&x.w.in, "+OK\r\n");
	is_int(pop3_session_step(&x.s, &x.ev, &x.e), 0, "asks");
	is_int(x.ev, POP3_SESSION_SECRET, "for the secret");
	is_int(pop3_session_step(&x.s, &x.ev, &x.e), -1, "but once only");
	is_int(x.e.kind, ERR_AUTH, "%s", x.e.text);
	world_clear(&x);
}

static void
test_capa(void)
{
	struct talk t = {.name = "capa"};
	struct world x;

	world_init(&x, &t);
	pop3_session_capa(&x.s, span_of("top"));
	pop3_session_capa(&x.s, span_of("EXPIRE 60"));
	pop3_session_capa(&x.s, span_of(""));
	pop3_session_capa(&x.s, span_of("sasl plain  NTLM XOAUTH2"));
	pop3_session_capa(&x.s, span_of("UIDLX"));
	ok(x.s.has_top, "capabilities in any case");
	ok(!x.s.has_uidl && !x.s.has_user && !x.s.has_pipelining &&
		!x.s.has_stls,
	    "no others");
	is_int(x.s.mechs, SASL_BIT(SASL_PLAIN) | SASL_BIT(SASL_XOAUTH2),
	    "mechanisms");
	world_clear(&x);
}

int
main(void)
{
	test_talks();
	test_long_response();
	test_injection();
	test_secret_never_comes();
	test_capa();
	return done();
}

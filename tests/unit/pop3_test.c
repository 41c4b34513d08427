/*
 * The POP3 core by transcripts: each is fed whole, byte by byte and in random
 * pieces, and has to give the same log of events.
 */

#include <stdlib.h>

#include "base/mem.h"
#include "prng.h"
#include "proto/pop3.h"
#include "tap.h"

struct talk {
	const char *name;
	const char *commands; /* G = greeting only, R = RETR 7, ... */
	const char *in;
	size_t in_n; /* 0: strlen */
	bool eof;
	const char *log;
};

static void
send_all(struct pop3 *p, const char *commands)
{
	struct err e;

	for (; *commands != '\0'; commands++) {
		switch (*commands) {
		case 'C':
			pop3_send(p, POP3_CAPA, 0);
			break;
		case 'S':
			pop3_send(p, POP3_STAT, 0);
			break;
		case 'U':
			pop3_send(p, POP3_UIDL, 0);
			break;
		case 'u':
			pop3_send(p, POP3_UIDL, 3);
			break;
		case 'L':
			pop3_send(p, POP3_LIST, 0);
			break;
		case 'R':
			pop3_send(p, POP3_RETR, 7);
			break;
		case 'T':
			pop3_send_top(p, 7, 0);
			break;
		case 'D':
			pop3_send(p, POP3_DELE, 7);
			break;
		case 'A':
			pop3_send_text(p, POP3_AUTH, "X", &e);
			break;
		case 'Q':
			pop3_send(p, POP3_QUIT, 0);
			break;
		default:
			break;
		}
	}
}

/* One event as text; adjacent pieces of data become one. */
static void
log_event(struct buf *log, const struct pop3_ev *ev, bool *in_data)
{
	static const char *const codes[] = {"", "IN-USE", "LOGIN-DELAY",
	    "SYS/TEMP", "SYS/PERM", "AUTH", "UTF8"};

	if (*in_data && ev->kind != POP3_EV_DATA) {
		buf_putc(log, '|');
		*in_data = false;
	}
	switch (ev->kind) {
	case POP3_EV_REPLY:
		buf_printf(log, "%s%u %s(%s", pop3_cmd_name(ev->cmd), ev->arg,
		    ev->ok ? "ok" : "err", codes[ev->code]);
		buf_add(log, ev->text);
		buf_puts(log, ")");
		break;
	case POP3_EV_LINE:
		buf_puts(log, "<");
		buf_add(log, ev->text);
		buf_puts(log, ">");
		break;
	case POP3_EV_DATA:
		if (!*in_data)
			buf_putc(log, '|');
		*in_data = true;
		buf_add(log, ev->text);
		break;
	case POP3_EV_END:
		buf_puts(log, ".");
		break;
	case POP3_EV_CONTINUE:
		buf_puts(log, "+(");
		buf_add(log, ev->text);
		buf_puts(log, ")");
		break;
	}
}

/* How much to feed next. */
enum split { WHOLE, BYTES, RANDOM };
static size_t
piece(enum split how, size_t left)
{
	size_t n = how == WHOLE ? left : how == BYTES ? 1 : 1 + prng(9);

	return n < left ? n : left;
}

static char *
run(const struct talk *t, enum split how)
{
	struct wire w;
	struct pop3 p;
	struct pop3_ev ev;
	struct err e;
	struct buf log;
	struct span in = span_of(t->in);
	bool in_data = false;
	char *s;
	int rc = 0;
	size_t n;

	if (t->in_n > 0)
		in.n = t->in_n;
	buf_init(&log, 1000000);
	wire_init(&w);
	pop3_init(&p, &w);
	send_all(&p, t->commands);
	for (;;) {
		while ((rc = pop3_next(&p, &ev, &e)) == 1) {
			quiet(ev.kind != POP3_EV_DATA || ev.text.n > 0,
			    "%s: data is never empty", t->name);
			log_event(&log, &ev, &in_data);
		}
		if (rc == -1 || (in.n == 0 && (w.eof || !t->eof)))
			break;
		n = piece(how, in.n);
		buf_append(&w.in, in.p, n);
		in = span_skip(in, n);
		w.eof = t->eof && in.n == 0;
	}
	if (in_data)
		buf_putc(&log, '|');
	if (rc == -1)
		buf_printf(&log, "!%d", (int)e.kind);
	buf_printf(&log, "%zu", pop3_unanswered(&p));
	s = span_dup(buf_span(&log)); /* a NUL shows as '?' */
	buf_clear(&log);
	pop3_clear(&p);
	wire_clear(&w);
	return s;
}

#define OK "+OK\r\n"
#define PROTO "!4"
#define TEMP "!1"
static const struct talk talks[] = {
    {"greeting", "", "+OK ready <a@b>\r\n", 0, false,
	"greeting0 ok(ready <a@b>)0"},
    {"lower case and blanks", "S", " +ok hi \r\n+Ok 2 320\n", 0, false,
	"greeting0 ok(hi)STAT0 ok(2 320)0"},
    {"bare replies", "SD", OK "+OK\n-ERR\r\n", 0, false,
	"greeting0 ok()STAT0 ok()DELE7 err()0"},
    {"half a reply waits", "S", OK "+OK 2 3", 0, false, "greeting0 ok()1"},
    {"a message", "R", OK "+OK 12\r\nA: b\r\n\r\nhello\r\n.\r\n", 0, false,
	"greeting0 ok()RETR7 ok(12)|A: b\r\n\r\nhello\r\n|.0"},
    {"an empty message", "RS", OK OK ".\r\n" OK, 0, false,
	"greeting0 ok()RETR7 ok().STAT0 ok()0"},
    {"unstuffing", "T", OK OK "..\r\n.a\r\n...\r\n..a\r\nb.\r\n.\r\n", 0, false,
	"greeting0 ok()TOP7 ok()|.\r\na\r\n..\r\n.a\r\nb.\r\n|.0"},
    {"stuffed CR", "R", OK OK ".\rx\r\n.\r\r\n.\r\n", 0, false,
	"greeting0 ok()RETR7 ok()|\rx\r\n\r\r\n|.0"},
    {"a stuffed LF", "R", OK OK ".\n.\r\n.\r\n", 0, false,
	"greeting0 ok()RETR7 ok()|\n.\r\n|.0"},
    {"dots between bare LFs are data", "R",
	OK OK "a\n.\nb\r.\rc\r.\r\nd\n.\r\n-ERR no\r\n.\r\n", 0, false,
	"greeting0 ok()RETR7 ok()|a\n.\nb\r.\rc\r.\r\nd\n.\r\n-ERR no\r\n"
	"|.0"},
    {"CR CR LF dot", "R", OK OK "a\r\r\n.\r\n", 0, false,
	"greeting0 ok()RETR7 ok()|a\r\r\n|.0"},
    {"LF CR dot", "R", OK OK "a\n\r.\r\n.\r\n", 0, false,
	"greeting0 ok()RETR7 ok()|a\n\r.\r\n|.0"},
    {"a glued dot is data", "R", OK OK "text.\r\n", 0, false,
	"greeting0 ok()RETR7 ok()|text.\r\n|1"},
    {"NUL and 8 bit", "R", OK OK "a\0b\xff\r\n.\r\n", 19, false,
	"greeting0 ok()RETR7 ok()|a?b\xff\r\n|.0"},
    {"a message refused", "RR", OK "-ERR [SYS/TEMP] no\r\n" OK ".\r\n", 0,
	false,
	"greeting0 ok()RETR7 err(SYS/TEMP[SYS/TEMP] no)"
	"RETR7 ok().0"},
    {"listings", "CULu",
	OK OK "TOP\r\nSASL PLAIN\r\n.\r\n" OK "1 a\r\n..\r\n\r\n2 b\r\n.\r\n" OK
	      ".\r\n+OK 3 x\r\n",
	0, false,
	"greeting0 ok()CAPA0 ok()<TOP><SASL PLAIN>.UIDL0 ok()<1 a><.><>"
	"<2 b>.LIST0 ok().UIDL3 ok(3 x)0"},
    {"a listing ends at CRLF.CRLF only", "L", OK OK "1 1\n.\r\n.\n2 2\r\n.\r\n",
	0, false, "greeting0 ok()LIST0 ok()<1 1><.><><2 2>.0"},
    {"codes", "SSSSSS",
	OK "-ERR [IN-USE] a\r\n-ERR [login-delay]\r\n"
	   "-ERR [SYS/PERM]x\r\n-ERR [AUTH] no\r\n-ERR [UTF8]\r\n"
	   "-ERR [XX] y\r\n",
	0, false,
	"greeting0 ok()STAT0 err(IN-USE[IN-USE] a)"
	"STAT0 err(LOGIN-DELAY[login-delay])"
	"STAT0 err(SYS/PERM[SYS/PERM]x)STAT0 err(AUTH[AUTH] no)"
	"STAT0 err(UTF8[UTF8])STAT0 err([XX] y)0"},
    {"challenges", "A", OK "+ \r\n+\r\n+ YWJj\r\n+OK in\r\n", 0, false,
	"greeting0 ok()+()+()+(YWJj)AUTH0 ok(in)0"},
    {"a challenge only for AUTH", "S", OK "+ x\r\n", 0, false,
	"greeting0 ok()" PROTO "1"},
    {"not POP3", "", "* OK IMAP4rev1\r\n", 0, false, PROTO "1"},
    {"not POP3, an empty line", "", "\r\n", 0, false, PROTO "1"},
    {"unasked", "", OK "+OK\r\n", 0, false, "greeting0 ok()" PROTO "0"},
    {"good-bye unasked", "", OK "-ERR idle\r\n", 0, false,
	"greeting0 ok()" TEMP "0"},
    {"cut: no greeting", "", "", 0, true, TEMP "1"},
    {"cut: half a reply", "S", OK "+OK 2", 0, true, "greeting0 ok()" TEMP "1"},
    {"cut: no reply", "SQ", OK "+OK 2\r\n", 0, true,
	"greeting0 ok()STAT0 ok(2)" TEMP "1"},
    {"cut: in a message", "R", OK OK "abc\r\n", 0, true,
	"greeting0 ok()RETR7 ok()|abc\r\n|" TEMP "1"},
    {"cut: behind the dot", "R", OK OK "abc\r\n.\r", 0, true,
	"greeting0 ok()RETR7 ok()|abc\r\n|" TEMP "1"},
    {"cut: in a listing", "L", OK OK "1 2\r\n.\r", 0, true,
	"greeting0 ok()LIST0 ok()<1 2>" TEMP "1"},
    {"the end in good order", "Q", OK "+OK bye\r\n", 0, true,
	"greeting0 ok()QUIT0 ok(bye)0"},
};

static void
test_talks(void)
{
	size_t i, k;
	char *log;

	for (i = 0; i < sizeof(talks) / sizeof(talks[0]); i++) {
		log = run(&talks[i], WHOLE);
		is_str(log, talks[i].log, "%s: whole", talks[i].name);
		free(log);
		log = run(&talks[i], BYTES);
		is_str(log, talks[i].log, "%s: by bytes", talks[i].name);
		free(log);
		for (k = 0; k < 50; k++) {
			log = run(&talks[i], RANDOM);
			quiet(strcmp(log, talks[i].log) == 0,
			    "%s: in pieces: %s", talks[i].name, log);
			free(log);
		}
	}
}

/* Random bodies from the bytes that matter, against a slow, plain model. */
static char *
model(const char *s, size_t n, size_t *end_r)
{
	struct buf out;
	char *d;
	size_t i, start = 1; /* 1: at the start of a line */

	buf_init(&out, 100000);
	*end_r = 0;
	for (i = 0; i < n; i++) {
		if (start && s[i] == '.') {
			if (i + 2 < n && s[i + 1] == '\r' && s[i + 2] == '\n') {
				*end_r = i + 3;
				break;
			}
			if (++i == n)
				break;
		}
		start = i > 0 && s[i] == '\n' && s[i - 1] == '\r' ? 1 : 0;
		/* a CR that was stuffed is no part of ".\n" */
		buf_putc(&out, s[i]);
	}
	d = mem_strndup(buf_cstr(&out), out.len);
	buf_clear(&out);
	return d;
}

static void
test_random_bodies(void)
{
	char body[64], *in, *got, *want, *data;
	size_t i, n, end;
	struct talk t = {.name = "random", .commands = "R"};

	for (i = 0; i < 20000; i++) {
		n = 1 + prng(40);
		prng_text(body, n, "..\r\r\n\nx", 7);
		body[n] = '\0';
		data = model(body, n, &end);
		if (end == 0) { /* make it end */
			free(data);
			strlcpy(body + n, "\r\n.\r\n", sizeof(body) - n);
			data = model(body, strlen(body), &end);
		}
		body[end] = '\0';
		in = mem_printf("+OK\r\n+OK\r\n%s", body);
		want = mem_printf("greeting0 ok()RETR7 ok()%s%s%s.0",
		    *data != '\0' ? "|" : "", data, *data != '\0' ? "|" : "");
		t.in = in;
		got = run(&t, (enum split)prng(3));
		if (!quiet(strcmp(got, want) == 0, "random body %zu", i)) {
			tap_show("got", got, strlen(got));
			tap_show("want", want, strlen(want));
			i = 20000;
		}
		free(in), free(got), free(want), free(data);
	}
	ok(true, "random bodies were run");
}

static void
test_commands(void)
{
	struct wire w;
	struct pop3 p;
	struct err e;
	struct pop3_ev ev;
	size_t i;

	wire_init(&w);
	pop3_init(&p, &w);
	is_int(pop3_unanswered(&p), 1, "the greeting is awaited");
	send_all(&p, "CSUuLRTDQA");
	pop3_send(&p, POP3_STLS, 0);
	pop3_send(&p, POP3_NOOP, 0);
	is_int(pop3_send_text(&p, POP3_USER, "ada", &e), 0, "USER");
	is_int(pop3_send_text(&p, POP3_PASS, "a b", &e), 0, "PASS");
	is_int(pop3_send_text(&p, POP3_PASS, "a\r\nDELE 1", &e), -1,
	    "no line break in a password");
	is_int(e.kind, ERR_CONFIG, "that is an error of the configuration");
	ok(strstr(e.text, "DELE") == NULL, "which is not shown");
	pop3_send_line(&p, span_of("*"));
	is_mem(buf_span(&w.out).p, w.out.len,
	    "CAPA\r\nSTAT\r\nUIDL\r\nUIDL 3\r\nLIST\r\nRETR 7\r\nTOP 7 0\r\n"
	    "DELE 7\r\nQUIT\r\nAUTH X\r\nSTLS\r\nNOOP\r\nUSER ada\r\n"
	    "PASS a b\r\n*\r\n",
	    "commands as sent");
	is_int(pop3_unanswered(&p), 15, "all are unanswered");
	for (i = 0; i < 200000; i++)
		pop3_send(&p, POP3_RETR, 4000000000u);
	is_int(pop3_next(&p, &ev, &e), -1, "too many are an error");
	is_int(e.kind, ERR_LOCAL, "of ours: %s", e.text);
	pop3_clear(&p);
	wire_clear(&w);
}

static void
test_long_line(void)
{
	struct talk t = {.name = "long", .commands = ""};
	char *s = mem_alloc(70000), *log;

	memset(s, 'a', 69999);
	memcpy(s, "+OK ", 4);
	t.in = s;
	log = run(&t, WHOLE);
	is_str(log, PROTO "1", "a line over 64 KiB");
	free(log);
	s[65534] = '\n'; /* 65,535 bytes with it */
	s[65535] = '\0';
	log = run(&t, RANDOM);
	is_int(strlen(log), strlen("greeting0 ok()0") + 65534 - 4,
	    "a line just below");
	free(log);
	free(s);
}

static void
test_listing_lines(void)
{
	static const char *const bad[] = {
	    "", "x", "1", "1 ", "0 a", "-1 a", "4294967296 a", "1a b"};
	uint32_t msg;
	uint64_t size;
	struct span uid;
	size_t i;

	ok(pop3_parse_uidl(span_of("1 abc"), &msg, &uid) && msg == 1 &&
		span_eq(uid, "abc"),
	    "UIDL");
	ok(pop3_parse_uidl(span_of("  20 \t x.y  "), &msg, &uid) && msg == 20 &&
		span_eq(uid, "x.y"),
	    "UIDL with extra blanks");
	ok(pop3_parse_uidl(span_of("4294967295 a b"), &msg, &uid) &&
		msg == 4294967295u && span_eq(uid, "a"),
	    "UIDL with a word more");
	ok(pop3_parse_list(span_of("3  120 octets"), &msg, &size) && msg == 3 &&
		size == 120,
	    "LIST");
	ok(pop3_parse_list(span_of("3 -1"), &msg, &size) && size == 0,
	    "LIST with a lie");
	ok(pop3_parse_list(span_of("3 99999999999999999999999"), &msg, &size) &&
		size == 0,
	    "LIST with a big lie");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(!pop3_parse_uidl(span_of(bad[i]), &msg, &uid) &&
			!pop3_parse_list(span_of(bad[i]), &msg, &size),
		    "not a listing's line: '%s'", bad[i]);
}

static void
test_refusals(void)
{
	static const struct {
		enum pop3_cmd cmd;
		enum pop3_code code;
		const char *text;
		enum err_kind kind;
		int exit;
	} t[] = {
	    {POP3_PASS, POP3_CODE_NONE, "bad password", ERR_AUTH, 77},
	    {POP3_AUTH, POP3_CODE_NONE, "", ERR_AUTH, 77},
	    {POP3_USER, POP3_CODE_NONE, "who?", ERR_AUTH, 77},
	    {POP3_PASS, POP3_CODE_NONE, "mailbox LOCKED", ERR_TEMP, 75},
	    {POP3_PASS, POP3_CODE_NONE, "maildrop in use", ERR_TEMP, 75},
	    {POP3_PASS, POP3_CODE_NONE, "server busy", ERR_TEMP, 75},
	    {POP3_PASS, POP3_CODE_NONE, "Temporary trouble", ERR_TEMP, 75},
	    {POP3_PASS, POP3_CODE_NONE, "please Try Again", ERR_TEMP, 75},
	    {POP3_PASS, POP3_CODE_IN_USE, "[IN-USE]", ERR_TEMP, 75},
	    {POP3_PASS, POP3_CODE_LOGIN_DELAY, "", ERR_TEMP, 75},
	    {POP3_PASS, POP3_CODE_SYS_TEMP, "no", ERR_TEMP, 75},
	    {POP3_PASS, POP3_CODE_SYS_PERM, "gone", ERR_PROTO, 69},
	    {POP3_PASS, POP3_CODE_AUTH, "busy", ERR_AUTH, 77},
	    {POP3_AUTH, POP3_CODE_NONE,
		"User is authenticated but not connected.", ERR_TEMP, 75},
	    {POP3_RETR, POP3_CODE_NONE,
		"Request is throttled. Suggested "
		"Backoff Time: 299965 milliseconds",
		ERR_TEMP, 75},
	    {POP3_RETR, POP3_CODE_NONE, "no such message", ERR_MESSAGE, 75},
	    {POP3_RETR, POP3_CODE_NONE, "try again", ERR_MESSAGE, 75},
	    {POP3_DELE, POP3_CODE_NONE, "no", ERR_MESSAGE, 75},
	    {POP3_STLS, POP3_CODE_NONE, "no", ERR_TLS, 77},
	    {POP3_GREETING, POP3_CODE_NONE, "no", ERR_TEMP, 75},
	    {POP3_QUIT, POP3_CODE_NONE, "no", ERR_TEMP, 75},
	    {POP3_UIDL, POP3_CODE_NONE, "no", ERR_PROTO, 76},
	    {POP3_LIST, POP3_CODE_NONE, "busy", ERR_TEMP, 75},
	};
	struct pop3_ev ev;
	struct err e;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		ev = (struct pop3_ev){.kind = POP3_EV_REPLY,
		    .cmd = t[i].cmd,
		    .code = t[i].code,
		    .text = span_of(t[i].text)};
		is_int(pop3_refused(&ev, "x", &e), -1, "refused %zu", i);
		is_int(e.kind, t[i].kind, "refused %zu: %s", i, e.text);
		is_int(err_exit(&e), t[i].exit, "refused %zu: exit code", i);
	}
	ev = (struct pop3_ev){.cmd = POP3_PASS, .text = span_of("no\x1b[m")};
	pop3_refused(&ev, "login as ada", &e);
	is_str(e.text, "login as ada: server says: no\\x1b[m", "its text");
}

int
main(void)
{
	test_talks();
	test_random_bodies();
	test_commands();
	test_long_line();
	test_listing_lines();
	test_refusals();
	return done();
}

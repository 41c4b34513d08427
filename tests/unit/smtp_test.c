/*
 * The SMTP core by transcripts.  A script is lines: "> " what the client does,
 * "C: " what it has to have sent, "S: " what the server says, "E: " an event
 * that has to come.  Every script runs whole (all that the server says next
 * comes at once), byte by byte and in random pieces, with the same log.
 */

#include <stdlib.h>

#include "base/mem.h"
#include "prng.h"
#include "proto/smtp.h"
#include "tap.h"

enum split { WHOLE, BYTES, RANDOM };

struct world {
	struct wire w;
	struct smtp p;
	struct err e;
	struct buf log;
	bool dead;
};

/* What is complete; a line without its CR shows as "C!". */
static void
log_sent(struct world *x)
{
	struct span out = buf_span(&x->w.out), line;
	ptrdiff_t lf;
	bool crlf;

	while ((lf = span_find(out, '\n')) != -1) {
		line = (struct span){out.p, (size_t)lf};
		out = span_skip(out, (size_t)lf + 1);
		crlf = line.n > 0 && line.p[line.n - 1] == '\r';
		line.n -= crlf ? 1 : 0;
		buf_puts(&x->log, crlf ? "C: " : "C! ");
		buf_add(&x->log, line);
		buf_puts(&x->log, "\n");
	}
	buf_consume(&x->w.out, x->w.out.len - out.n);
}

static void
log_event(struct world *x, const struct smtp_ev *ev)
{
	static const char *const kinds[] = {
	    [SMTP_EV_REPLY] = "",
	    [SMTP_EV_CONTINUE] = "go on: ",
	    [SMTP_EV_UNASKED] = "unasked: ",
	};
	char *s = smtp_show(ev);

	buf_printf(&x->log, "E: %s%s %u %s%s\n", kinds[ev->kind],
	    smtp_cmd_name(ev->cmd), ev->cookie, s, ev->last ? "" : " ...");
	free(s);
}

static void
drain(struct world *x)
{
	struct smtp_ev ev;
	int rc = 0;

	while (!x->dead && (rc = smtp_next(&x->p, &ev, &x->e)) == 1) {
		quiet(ev.text.n <= SMTP_TEXT_MAX || ev.code == 334, "bounded");
		log_event(x, &ev);
	}
	if (!x->dead && rc == -1) {
		buf_printf(&x->log, "E: !%d %s\n", (int)x->e.kind, x->e.text);
		x->dead = true;
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
		drain(x);
	}
}

/* '|' stands for CRLF, '/' for CR and '\\' for LF. */
static int
give_body(struct world *x, struct span text)
{
	int rc = 0;
	size_t i;

	for (i = 0; i < text.n && rc == 0; i++) {
		if (text.p[i] == '|')
			rc = smtp_body(&x->p, span_of("\r\n"), &x->e);
		else if (text.p[i] == '/')
			rc = smtp_body(&x->p, span_of("\r"), &x->e);
		else if (text.p[i] == '\\')
			rc = smtp_body(&x->p, span_of("\n"), &x->e);
		else
			rc = smtp_body(
			    &x->p, (struct span){text.p + i, 1}, &x->e);
	}
	return rc;
}

static uint64_t
body_size(struct span text)
{
	uint64_t n = text.n;

	for (; text.n > 0; text = span_skip(text, 1))
		n += text.p[0] == '|' ? 1 : 0;
	return n;
}

/* MAIL, RCPT and the bodies have the cookie as their first word. */
static int
act_mail(struct world *x, struct span verb, struct span rest)
{
	struct smtp_mail m = {.sender = "a@b"};
	struct smtp_rcpt r = {.address = "c@d"};
	struct span word;
	uint64_t cookie = 0;

	span_word(&rest, &word);
	span_number(word, UINT32_MAX, &cookie);
	rest = span_trim(rest);
	if (span_eq(verb, "MAIL"))
		return smtp_mail(&x->p, &m, (uint32_t)cookie, &x->e);
	if (span_eq(verb, "RCPT"))
		return smtp_rcpt(&x->p, &r, (uint32_t)cookie, &x->e);
	if (span_eq(verb, "DATA")) {
		smtp_data(&x->p, (uint32_t)cookie);
		return 0;
	}
	if (span_eq(verb, "BDAT")) {
		smtp_bdat(&x->p, body_size(rest), (uint32_t)cookie);
		return give_body(x, rest);
	}
	return smtp_dot(&x->p, (uint32_t)cookie, &x->e);
}

static void
act(struct world *x, struct span line)
{
	static const struct {
		const char *verb;
		enum smtp_cmd cmd;
	} plain[] = {{"EHLO", SMTP_EHLO}, {"LHLO", SMTP_LHLO},
	    {"HELO", SMTP_HELO}, {"AUTH", SMTP_AUTH},
	    {"STARTTLS", SMTP_STARTTLS}, {"RSET", SMTP_RSET},
	    {"NOOP", SMTP_NOOP}, {"QUIT", SMTP_QUIT}};
	struct span verb;
	char *arg;
	size_t i;
	int rc = 1;

	span_word(&line, &verb);
	line = span_trim(line);
	arg = span_dup(line);
	for (i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		if (span_eq(verb, plain[i].verb))
			rc = smtp_send(&x->p, plain[i].cmd,
			    line.n > 0 ? arg : NULL, &x->e);
	}
	free(arg);
	if (span_eq(verb, "EOF")) {
		x->w.eof = true;
		rc = 0;
	} else if (span_eq(verb, "LINE")) {
		smtp_send_line(&x->p, line);
		rc = 0;
	} else if (span_eq(verb, "BODY"))
		rc = give_body(x, line);
	else if (rc == 1)
		rc = act_mail(x, verb, line);
	log_sent(x);
	if (rc == -1)
		buf_printf(&x->log, "E: !%d %s\n", (int)x->e.kind, x->e.text);
}

static void
run(const char *name, const char *script, enum split how)
{
	struct world x = {0};
	struct buf said, want;
	struct span rest = span_of(script), line;

	buf_init(&x.log, 1000000);
	buf_init(&said, 1000000);
	buf_init(&want, 1000000);
	wire_init(&x.w);
	smtp_init(&x.p, &x.w);
	while (rest.n > 0) {
		span_cut(&rest, '\n', &line);
		if (span_prefix(line, "S: ")) {
			buf_add(&said, span_skip(line, 3));
			buf_puts(&said, "\r\n");
		} else if (span_prefix(line, "> ")) {
			act(&x, span_skip(line, 2));
			drain(&x);
		} else {
			buf_add(&want, line);
			buf_puts(&want, "\n");
		}
		if (!span_prefix(rest, "S: ") && said.len > 0) {
			feed(&x, buf_span(&said), how);
			buf_reset(&said);
		}
	}
	is_str(buf_cstr(&x.log), buf_cstr(&want), "%s (%d)", name, (int)how);
	buf_clear(&said);
	buf_clear(&want);
	buf_clear(&x.log);
	smtp_clear(&x.p);
	wire_clear(&x.w);
}

#define HI "S: 220 h\nE: greeting 0 220 h\n"
#define HELO HI "> HELO me\nC: HELO me\nS: 250 h\nE: HELO 0 250 h\n"
#define EHLO(exts) HI "> EHLO me\nC: EHLO me\nS: 250-h\n" exts "S: 250 HELP\n"
#define FAST EHLO("S: 250-PIPELINING\n") "E: EHLO 0 250 h PIPELINING HELP\n"
#define CHUNKS                                       \
	EHLO("S: 250-PIPELINING\nS: 250-CHUNKING\n") \
	"E: EHLO 0 250 h PIPELINING CHUNKING HELP\n"
#define LMTP(exts) HI "> LHLO me\nC: LHLO me\nS: 250-h\n" exts "S: 250 HELP\n"
#define MAIL(n) "> MAIL " n "\nC: MAIL FROM:<a@b>\n"
#define RCPT(n) "> RCPT " n "\nC: RCPT TO:<c@d>\n"

static const struct {
	const char *name, *script;
} talks[] = {
    {"RFC 5321 D.1: one at a time, a recipient refused",
	HELO MAIL("1") "S: 250 OK\nE: MAIL 1 250 OK\n" RCPT("2") "S: 250 OK\nE: RCPT 2 250 OK\n" RCPT(
	    "3") "S: 550 No such user here\nE: RCPT 3 550 No such user here\n"
		 "> DATA 4\nC: DATA\nS: 354 Start mail input; end with "
		 "<CRLF>.<CRLF>\nE: DATA 4 354 Start mail input; end with "
		 "<CRLF>.<CRLF>\n> BODY Blah blah blah...|\nC: Blah blah blah...\n"
		 "> BODY ...etc. etc. etc.|\nC: ....etc. etc. etc.\n> DOT 5\nC: .\n"
		 "S: 250 OK\nE: end of the message 5 250 OK\n> QUIT\nC: QUIT\n"
		 "S: 221 foo.com closing\nE: QUIT 0 221 foo.com closing\n"},
    {"RFC 2920 section 4: pipelined, the next behind the dot",
	FAST MAIL("1") RCPT("2") RCPT(
	    "3") "> DATA 4\nC: DATA\n"
		 "S: 250 2.1.0 ok\nS: 250 2.1.5 ok\nS: 550 5.1.1 no\nS: 354 go\n"
		 "E: MAIL 1 250 2.1.0 ok\nE: RCPT 2 250 2.1.5 ok\n"
		 "E: RCPT 3 550 5.1.1 no\nE: DATA 4 354 go\n"
		 "> BODY hi|\nC: hi\n> DOT 5\nC: .\n> RSET\nC: RSET\n" MAIL("6") RCPT(
		     "7") "> DATA 8\nC: DATA\n"
			  "S: 250 2.0.0 queued as 1\nS: 250 flushed\nS: 250 ok\nS: 250 ok\n"
			  "S: 354 go\nE: end of the message 5 250 2.0.0 queued as 1\n"
			  "E: RSET 0 250 flushed\nE: MAIL 6 250 ok\nE: RCPT 7 250 ok\n"
			  "E: DATA 8 354 go\n"},
    {"pipelined, nobody accepted, DATA refused",
	FAST MAIL("1") RCPT(
	    "2") "> DATA 3\nC: DATA\nS: 250 ok\n"
		 "S: 550 no\nS: 554 no valid recipients\nE: MAIL 1 250 ok\n"
		 "E: RCPT 2 550 no\nE: DATA 3 554 no valid recipients\n"
		 "> RSET\nC: RSET\nS: 250 ok\nE: RSET 0 250 ok\n"},
    {"pipelined, nobody accepted, and 354: a lone dot",
	FAST MAIL("1") RCPT(
	    "2") "> DATA 3\nC: DATA\nS: 250 ok\n"
		 "S: 550 no\nS: 354 go\nE: MAIL 1 250 ok\nE: RCPT 2 550 no\n"
		 "E: DATA 3 354 go\n> DOT 4\nC: .\nS: 554 no valid recipients\n"
		 "E: end of the message 4 554 no valid recipients\n"},
    {"RFC 3030: three transactions in one flight",
	CHUNKS MAIL("1") RCPT("2") RCPT(
	    "3") "> BDAT 4 A: b||one|\n"
		 "C: BDAT 13 LAST\nC: A: b\nC: \nC: one\n"
		 "> RSET\nC: RSET\n" MAIL("5") RCPT(
		     "6") "> BDAT 7 .|..|\n"
			  "C: BDAT 7 LAST\nC: .\nC: ..\n> RSET\nC: RSET\n" MAIL("8") RCPT(
			      "9") "> BDAT 10 QUIT|\nC: BDAT 6 LAST\nC: QUIT\n"
				   "S: 250 ok\nS: 250 ok\nS: 550 5.1.1 no\nS: 250 2.0.0 done 1\n"
				   "S: 250 ok\nS: 250 ok\nS: 452 4.2.2 full\nS: 554 5.5.1 nobody\n"
				   "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 250 2.0.0 done 3\n"
				   "E: MAIL 1 250 ok\nE: RCPT 2 250 ok\nE: RCPT 3 550 5.1.1 no\n"
				   "E: BDAT 4 250 2.0.0 done 1\nE: RSET 0 250 ok\n"
				   "E: MAIL 5 250 ok\nE: RCPT 6 452 4.2.2 full\n"
				   "E: BDAT 7 554 5.5.1 nobody\nE: RSET 0 250 ok\n"
				   "E: MAIL 8 250 ok\nE: RCPT 9 250 ok\n"
				   "E: BDAT 10 250 2.0.0 done 3\n"},
    {"BDAT of nothing",
	CHUNKS MAIL("1")
	    RCPT("2") "> BDAT 3\nC: BDAT 0 LAST\n"
		      "S: 250 ok\nS: 250 ok\nS: 250 ok\nE: MAIL 1 250 ok\n"
		      "E: RCPT 2 250 ok\nE: BDAT 3 250 ok\n"},
    {"BDAT answered before its body has left, which then is illegal",
	CHUNKS MAIL("1") RCPT(
	    "2") "> BDAT 3 ab/|\nC: BDAT 5 LAST\n"
		 "E: !5 the message has a CR without LF, or an LF without CR\n"
		 "S: 250 ok\nS: 250 ok\nS: 552 5.3.4 too big\nE: MAIL 1 250 ok\n"
		 "E: RCPT 2 250 ok\nE: BDAT 3 552 5.3.4 too big\n"
		 "> RSET\nE: !6 a command was sent out of turn\n"},
    {"an illegal body cannot be ended",
	HELO MAIL(
	    "1") "S: 250 a\nE: MAIL 1 250 a\n> DATA 3\nC: DATA\n"
		 "S: 354 c\nE: DATA 3 354 c\n> BODY a\\b|\n"
		 "E: !5 the message has a CR without LF, or an LF without CR\n"
		 "> DOT 4\n"
		 "E: !5 the message has a CR without LF, or an LF without CR\n"},
    {"LMTP: an outcome for each that was accepted (RFC 2033 section 4.4)",
	LMTP("S: 250-PIPELINING\n") "E: LHLO 0 250 h PIPELINING HELP\n" MAIL(
	    "1") RCPT("2") RCPT("3")
	    RCPT(
		"4") "> DATA 5\nC: DATA\n"
		     "S: 250 OK\nS: 250 OK\nS: 550 No such user here\nS: 250 OK\n"
		     "S: 354 go\nE: MAIL 1 250 OK\nE: RCPT 2 250 OK\n"
		     "E: RCPT 3 550 No such user here\nE: RCPT 4 250 OK\n"
		     "E: DATA 5 354 go\n> BODY hi|\nC: hi\n> DOT 6\nC: .\n" MAIL(
			 "7") "S: 250 OK\nS: 452 4.2.2 <bob> is temporarily over quota\nS: 250 x\n"
			      "E: end of the message 2 250 OK ...\n"
			      "E: end of the message 4 452 4.2.2 <bob> is temporarily over quota\n"
			      "E: MAIL 7 250 x\n"},
    {"LMTP with BDAT, two transactions in one flight",
	LMTP("S: 250-PIPELINING\nS: 250-CHUNKING\n") "E: LHLO 0 250 h PIPELINING CHUNKING HELP\n" MAIL(
	    "1") RCPT("2")
	    RCPT("3") "> BDAT 4 a|\nC: BDAT 3 LAST\nC: a\n" MAIL("5") RCPT(
		"6") "> BDAT 7 b|\nC: BDAT 3 LAST\nC: b\n"
		     "S: 250 ok\nS: 250 ok\nS: 250 ok\nS: 250 one\nS: 550 two\n"
		     "S: 250 ok\nS: 550 no\nS: 503 nobody\n"
		     "E: MAIL 1 250 ok\nE: RCPT 2 250 ok\nE: RCPT 3 250 ok\n"
		     "E: BDAT 2 250 one ...\nE: BDAT 3 550 two\n"
		     "E: MAIL 5 250 ok\nE: RCPT 6 550 no\nE: BDAT 7 503 nobody\n"},
    {"LMTP: RSET forgets who was accepted",
	LMTP("S: 250-PIPELINING\nS: 250-CHUNKING\n") "E: LHLO 0 250 h PIPELINING CHUNKING HELP\n" MAIL(
	    "1")
	    RCPT(
		"2") "> RSET\nC: RSET\nS: 250 a\nS: 250 b\nS: 250 c\n"
		     "E: MAIL 1 250 a\nE: RCPT 2 250 b\nE: RSET 0 250 c\n"
		     "> BDAT 3 a|\nC: BDAT 3 LAST\nC: a\nS: 503 no\nE: BDAT 3 503 no\n"},
    {"many lines, codes on each, odd spacing",
	HELO "> NOOP\nC: NOOP\nS: 550-5.7.1 one\nS: 550-5.7.1  two \n"
	     "S: 550-\nS: 550-5.1.1 other\nS: 550 5.7.1\n> NOOP\n"
	     "E: NOOP 0 550 5.7.1 one two other\nC: NOOP\nS: 250\n"
	     "E: NOOP 0 250\n> NOOP\nC: NOOP\nS: 250ok\nE: NOOP 0 250 ok\n"},
    {"statuses that are none",
	HELO "> NOOP\nC: NOOP\nS: 550 4.7.1 x\nE: NOOP 0 550 4.7.1 x\n"
	     "> NOOP\nC: NOOP\nS: 250 2.0 x\nE: NOOP 0 250 2.0 x\n"
	     "> NOOP\nC: NOOP\nS: 250 2.0.0.0 x\nE: NOOP 0 250 2.0.0.0 x\n"
	     "> NOOP\nC: NOOP\nS: 250 2.0.1000 x\nE: NOOP 0 250 2.0.1000 x\n"
	     "> NOOP\nC: NOOP\nS: 250 2..1 x\nE: NOOP 0 250 2..1 x\n"},
    {"control characters do not come through",
	HELO "> NOOP\nC: NOOP\nS: 250 a\x1b[2J\x7f\tb\rc\nE: NOOP 0 "
	     "250 a?[2J??b?c\n"},
    {"codes that change within their kind: the last counts",
	HELO "> NOOP\nC: NOOP\nS: 250-a\nS: 251 b\nE: NOOP 0 251 a b\n"},
    {"codes that change their kind",
	HELO MAIL("1") "S: 250-a\nS: 550 b\n"
		       "E: !1 no sense in the reply to MAIL: 550 b\n"},
    {"no code", HELO MAIL("1") "S: ok\n"
			       "E: !1 no sense in the reply to MAIL: ok\n"},
    {"a code of four digits",
	HELO MAIL("1") "S: 2500 ok\n"
		       "E: !1 no sense in the reply to MAIL: 2500 ok\n"},
    {"a code that there is not",
	HELO MAIL("1") "S: 150 ok\n"
		       "E: !1 no sense in the reply to MAIL: 150 ok\n"},
    {"an empty line", HELO MAIL("1") "S: \n"
				     "E: !1 no sense in the reply to MAIL: \n"},
    {"IMAP", "S: * OK IMAP4rev1\nE: !4 this is an IMAP server: * OK "
	     "IMAP4rev1\n"},
    {"POP3", "S: +OK hi\nE: !4 this is a POP3 server: +OK hi\n"},
    {"HTTP", "S: HTTP/1.1 400\nE: !4 server does not speak SMTP: HTTP/1.1 "
	     "400\n"},
    {"AUTH: challenges are long and raw",
	HELO "> AUTH X\nC: AUTH X\nS: 334 \nE: go on: AUTH 0 334 ...\n"
	     "> LINE YQ==\nC: YQ==\nS: 334 5.7.0 eyJ9\n"
	     "E: go on: AUTH 0 334 5.7.0 eyJ9 ...\n> LINE \nC: \n"
	     "S: 535 5.7.8 no\nE: AUTH 0 535 5.7.8 no\n"},
    {"334 where it means nothing",
	HELO "> NOOP\nC: NOOP\nS: 334 x\nE: NOOP 0 334 x\n"},
    {"a good-bye unasked",
	HELO "S: 421 4.4.2 timeout\nE: unasked: NOOP 0 421 4.4.2 timeout\n"},
    {"a good-bye instead of replies, and no more",
	FAST MAIL("1") RCPT(
	    "2") "> DATA 3\nC: DATA\n"
		 "S: 250 ok\nS: 421 4.3.0 shutting down\nE: MAIL 1 250 ok\n"
		 "E: RCPT 2 421 4.3.0 shutting down\n> EOF\nE: !1 server closed the "
		 "connection instead of its reply to DATA\n"},
    {"a refusal in mid-DATA, then the end: the refusal is told first",
	FAST MAIL("1") RCPT(
	    "2") "> DATA 3\nC: DATA\n"
		 "S: 250 a\nS: 250 b\nS: 354 c\nE: MAIL 1 250 a\nE: RCPT 2 250 b\n"
		 "E: DATA 3 354 c\n> BODY x|\nC: x\nS: 552 5.2.3 too big\n"
		 "E: unasked: NOOP 0 552 5.2.3 too big\n> EOF\n"
		 "E: !1 server closed the connection in the middle of a message\n"},
    {"cut: in a reply",
	HELO MAIL("1") "S: 250-a\n> EOF\nE: !1 server closed the "
		       "connection in the middle of its reply to MAIL\n"},
    {"cut: no greeting", "> EOF\nE: !1 server closed the connection "
			 "instead of its reply to greeting\n"},
    {"the end in good order",
	HELO "> QUIT\nC: QUIT\nS: 221 bye\nE: QUIT 0 221 bye\n> EOF\n"},
    {"out of turn: without PIPELINING",
	HELO MAIL("1") "> RCPT 2\nE: !6 a command was sent out of turn\n"},
    {"out of turn: before the greeting",
	"> EHLO me\nE: !6 a command was sent out of turn\n"},
    {"out of turn: BDAT without CHUNKING",
	FAST MAIL("1") RCPT("2") "> BDAT 3\nE: !6 a command was sent out "
				 "of turn\n"},
    {"out of turn: a dot without DATA",
	HELO "> DOT 3\nE: !6 a command was sent out of turn\n"},
    {"a body that nothing announced",
	HELO "> BODY x\nE: !6 more of a message than was announced\n"},
    {"HELO forgets what EHLO told",
	FAST "> HELO me\nC: HELO me\nS: 250 h\nE: HELO 0 250 h\n" MAIL(
	    "1") "> RCPT 2\nE: !6 a command was sent out of turn\n"},
    {"EHLO refused offers nothing",
	HI "> EHLO me\nC: EHLO me\nS: 500-x\nS: 500 PIPELINING\n"
	   "E: EHLO 0 500 x PIPELINING\n" MAIL(
	       "1") "> RCPT 2\nE: !6 a command was sent out of turn\n"},
};

static void
test_talks(void)
{
	size_t i;
	int how;

	for (i = 0; i < sizeof(talks) / sizeof(talks[0]); i++) {
		for (how = WHOLE; how <= RANDOM; how++)
			run(talks[i].name, talks[i].script, (enum split)how);
	}
}

/* --- limits ------------------------------------------------------------ */

static int
greet(const char *in, size_t n, struct smtp *p, struct wire *w, struct err *e)
{
	struct smtp_ev ev;

	err_clear(e);
	wire_init(w);
	smtp_init(p, w);
	buf_append(&w->in, in, n);
	return smtp_next(p, &ev, e);
}

static void
test_limits(void)
{
	static char in[200000];
	struct smtp p;
	struct smtp_ev ev;
	struct wire w;
	struct err e;
	size_t n = 0, i;

	memset(in, 'x', sizeof(in));
	memcpy(in, "220 ", 4);
	is_int(greet(in, 16383, &p, &w, &e), 0, "a line may still end");
	smtp_clear(&p);
	wire_clear(&w);
	is_int(greet(in, 16384, &p, &w, &e), -1, "a line without end");
	is_int(e.kind, ERR_PROTO, "%s", e.text);
	smtp_clear(&p);
	wire_clear(&w);

	wire_init(&w);
	smtp_init(&p, &w);
	in[16000] = '\n';
	buf_append(&w.in, in, 16001);
	is_int(smtp_next(&p, &ev, &e), 1, "a long line");
	is_int(ev.text.n, SMTP_TEXT_MAX, "of which we keep some");
	smtp_clear(&p);
	wire_clear(&w);

	for (i = 0; i < 1001; i++, n += 7)
		memcpy(in + n, "220-x\r\n", 7);
	is_int(greet(in, 1000 * 7, &p, &w, &e), 0, "1,000 lines");
	buf_puts(&w.in, "220 x\r\n");
	is_int(smtp_next(&p, &ev, &e), -1, "1,001");
	is_int(e.kind, ERR_PROTO, "%s", e.text);
	smtp_clear(&p);
	wire_clear(&w);

	is_int(greet("220 x\r\n", 7, &p, &w, &e), 1, "greeting");
	smtp_send(&p, SMTP_AUTH, "X", &e);
	memset(in, 'A', 12292);
	memcpy(in, "334 ", 4);
	in[12292] = '\n';
	buf_append(&w.in, in, 12293);
	is_int(smtp_next(&p, &ev, &e), 1, "the longest challenge");
	is_int(ev.text.n, 12288, "is whole");
	smtp_clear(&p);
	wire_clear(&w);
}

static void
test_overrun(void)
{
	struct smtp p;
	struct smtp_ev ev;
	struct wire w;
	struct err e;
	struct smtp_mail m = {.sender = "a@b"};
	int i;

	greet("220 x\r\n", 7, &p, &w, &e);
	p.caps.ext = SMTP_EXT_BIT(SMTP_EXT_PIPELINING);
	for (i = 0; i < 70000; i++)
		smtp_mail(&p, &m, 0, &e);
	is_int(smtp_unanswered(&p), 70000, "many commands");
	is_int(smtp_body_room(&p), 0, "no room");
	buf_puts(&w.in, "250 ok\r\n");
	is_int(smtp_next(&p, &ev, &e), -1, "overrun");
	is_int(err_exit(&e), 70, "%s", e.text);
	smtp_clear(&p);
	wire_clear(&w);
}

/* --- what may be sent -------------------------------------------------- */

/* Which of the commands may be sent, as a row of letters. */
static const char *
turns(const struct smtp *p)
{
	static const char letters[SMTP_CMDS + 1] = "gELHSAMRD.BrNQ";
	static char row[SMTP_CMDS + 1];
	unsigned int c;

	for (c = 0; c < SMTP_CMDS; c++)
		row[c] = smtp_may_send(p, (enum smtp_cmd)c) ? letters[c] : '-';
	return row;
}

static void
answer(struct smtp *p, const char *reply)
{
	struct smtp_ev ev;
	struct err e;

	buf_puts(&p->wire->in, reply);
	quiet(smtp_next(p, &ev, &e) == 1, "reply %.3s", reply);
}

static void
test_turns(void)
{
	struct smtp p;
	struct wire w;
	struct err e;
	struct smtp_mail m = {.sender = ""};
	struct smtp_rcpt r = {.address = "c@d"};
	enum smtp_cmd cmd;

	wire_init(&w);
	smtp_init(&p, &w);
	is_str(turns(&p), "--------------", "before the greeting");
	answer(&p, "220 x\r\n");
	is_str(turns(&p), "-ELHSAMRD--rNQ", "behind it");
	ok(!smtp_awaits(&p, &cmd), "nothing awaited");
	smtp_send(&p, SMTP_EHLO, "x", &e);
	is_str(turns(&p), "--------------", "behind EHLO");
	ok(smtp_awaits(&p, &cmd) && cmd == SMTP_EHLO, "EHLO is awaited");
	answer(&p, "250 x\r\n");
	smtp_mail(&p, &m, 1, &e);
	is_str(turns(&p), "--------------", "behind MAIL, one at a time");
	answer(&p, "250 x\r\n");
	smtp_send(&p, SMTP_EHLO, "x", &e);
	answer(&p, "250-x\r\n250-CHUNKING\r\n250 PIPELINING\r\n");
	is_str(turns(&p), "-ELHSAMRD-BrNQ", "all is answered");
	smtp_mail(&p, &m, 1, &e);
	is_str(turns(&p), "------MRD-BrNQ", "behind MAIL, pipelined");
	smtp_rcpt(&p, &r, 2, &e);
	smtp_bdat(&p, 3, 3);
	is_str(turns(&p), "--------------", "within a chunk");
	is_int(smtp_body(&p, span_of("a\r\n"), &e), 0, "its body");
	is_str(turns(&p), "------MRD-BrNQ", "behind a chunk");
	answer(&p, "250 x\r\n");
	answer(&p, "250 x\r\n");
	is_int(smtp_accepted(&p), 1, "one accepted");
	answer(&p, "250 x\r\n");
	is_int(smtp_accepted(&p), 0, "and delivered");
	smtp_mail(&p, &m, 1, &e);
	smtp_rcpt(&p, &r, 2, &e);
	smtp_data(&p, 3);
	is_str(turns(&p), "--------------", "behind DATA");
	answer(&p, "250 x\r\n");
	answer(&p, "250 x\r\n");
	answer(&p, "354 x\r\n");
	is_str(turns(&p), "---------.----", "within the message");
	smtp_dot(&p, 4, &e);
	is_str(turns(&p), "------MRD-BrNQ", "behind the dot");
	smtp_send(&p, SMTP_QUIT, NULL, &e);
	is_str(turns(&p), "--------------", "behind QUIT");
	is_int(smtp_unanswered(&p), 2, "two are unanswered");
	is_int(smtp_seconds(SMTP_DOT), 600, "a dot may take ten minutes");
	smtp_clear(&p);
	wire_clear(&w);
}

/* --- commands ---------------------------------------------------------- */

static void
sent(const char *ext, const struct smtp_mail *m, const struct smtp_rcpt *r,
    const char *want)
{
	struct smtp p;
	struct wire w;
	struct err e;
	struct smtp_ev ev;
	struct span rest = span_of(ext), line;
	int rc;

	greet("220 x\r\n", 7, &p, &w, &e);
	while (span_cut(&rest, '|', &line))
		smtp_caps_line(&p.caps, line, p.disabled);
	p.caps.ext |= SMTP_EXT_BIT(SMTP_EXT_PIPELINING);
	rc = m == NULL ? 0 : smtp_mail(&p, m, 1, &e);
	if (rc == 0 && r != NULL)
		rc = smtp_rcpt(&p, r, 2, &e);
	if (rc == -1) {
		is_int(e.kind, ERR_MESSAGE, "%s", e.text);
		ok(strstr(e.text, want) != NULL, "says %s", want);
		is_int(w.out.len, 0, "and sends nothing");
	} else
		is_mem(buf_span(&w.out).p, w.out.len, want, "sent: %s", ext);
	is_int(smtp_next(&p, &ev, &e), 0, "in order");
	smtp_clear(&p);
	wire_clear(&w);
}

#define M(...) (&(struct smtp_mail){.sender = "a@b", __VA_ARGS__})
#define R(...) (&(struct smtp_rcpt){__VA_ARGS__})
static void
test_parameters(void)
{
	char longer[400];

	sent("", M(.size = 7, .ret = SMTP_RET_FULL, .envid = "x"), NULL,
	    "MAIL FROM:<a@b>\r\n");
	sent("SIZE|DSN", M(.size = 7, .ret = SMTP_RET_HDRS, .envid = "a+b=c d"),
	    NULL, "MAIL FROM:<a@b> SIZE=7 RET=HDRS ENVID=a+2Bb+3Dc+20d\r\n");
	sent("8BITMIME|SMTPUTF8|REQUIRETLS|FUTURERELEASE 100",
	    M(.eight_bit = true, .utf8 = true, .require_tls = true,
		.hold = 100),
	    NULL,
	    "MAIL FROM:<a@b> BODY=8BITMIME SMTPUTF8 REQUIRETLS HOLDFOR=100"
	    "\r\n");
	sent("SIZE 10", M(.size = 11), NULL, "takes 10");
	sent("SIZE 0", M(.size = 11), NULL, "MAIL FROM:<a@b> SIZE=11\r\n");
	sent("SIZE 10", M(.size = 10), NULL, "MAIL FROM:<a@b> SIZE=10\r\n");
	sent("", M(.eight_bit = true), NULL, "8BITMIME");
	sent("", M(.utf8 = true), NULL, "SMTPUTF8");
	sent("", M(.require_tls = true), NULL, "REQUIRETLS");
	sent("", M(.hold = 1), NULL, "FUTURERELEASE");
	sent("FUTURERELEASE 60", M(.hold = 61), NULL, "for 60");
	sent("", NULL,
	    R(.address = "c@d", .notify = SMTP_NOTIFY_NEVER, .orcpt = "c@d"),
	    "RCPT TO:<c@d>\r\n");
	sent("DSN", NULL,
	    R(.address = "c@d", .notify = SMTP_NOTIFY_NEVER, .orcpt = "c+e@d"),
	    "RCPT TO:<c@d> NOTIFY=NEVER ORCPT=rfc822;c+2Be@d\r\n");
	sent("DSN", NULL,
	    R(.address = "c@d",
		.notify = SMTP_NOTIFY_DELAY | SMTP_NOTIFY_FAILURE |
	                  SMTP_NOTIFY_SUCCESS,
		.orcpt = "\xc3\xa9@d"),
	    "RCPT TO:<c@d> NOTIFY=SUCCESS,FAILURE,DELAY\r\n");
	sent("", NULL, R(.address = "\"a> b\\\"<\"@d"),
	    "RCPT TO:<\"a> b\\\"<\"@d>\r\n");
	sent("", NULL, R(.address = "c@d> SIZE=1"), "as it is");
	sent("", NULL, R(.address = "c@d>\r\nDATA"), "as it is");
	sent("", NULL, R(.address = "\"c\\\r\n\"@d"), "as it is");
	sent("", NULL, R(.address = "\"c@d"), "as it is");
	sent("", NULL, R(.address = "\"c\\\"@d"), "as it is");
	sent("", NULL, R(.address = "\xc3\xa9@d"), "SMTPUTF8");
	memset(longer, 'x', sizeof(longer));
	longer[321] = '\0';
	sent("", NULL, R(.address = longer), "too long");
	sent("SMTPUTF8", M(.utf8 = true), R(.address = "\xc3\xa9@d"),
	    "MAIL FROM:<a@b> SMTPUTF8\r\nRCPT TO:<\xc3\xa9@d>\r\n");
}

static void
test_text(void)
{
	struct smtp p;
	struct wire w;
	struct err e;

	greet("220 x\r\n", 7, &p, &w, &e);
	is_int(smtp_send(&p, SMTP_EHLO, "me\r\nRSET", &e), -1, "a line break");
	is_int(e.kind, ERR_CONFIG, "%s", e.text);
	is_int(w.out.len, 0, "nothing is sent");
	smtp_clear(&p);
	wire_clear(&w);
}

/* --- bodies ------------------------------------------------------------ */

static void
begin(struct smtp *p, struct wire *w, bool chunk, size_t n)
{
	struct err e;

	greet("220 x\r\n", 7, p, w, &e);
	p->caps.ext = SMTP_EXT_BIT(SMTP_EXT_CHUNKING);
	if (chunk)
		smtp_bdat(p, n, 0);
	else {
		smtp_data(p, 0);
		answer(p, "354 go\r\n");
	}
	buf_reset(&w->out);
}

/* Stuffs in another way: by whole lines. */
static void
stuff(struct buf *out, struct span in)
{
	struct span line;
	bool whole = true;

	while (in.n > 0) {
		whole = span_find(in, '\n') != -1;
		span_cut(&in, '\n', &line);
		if (line.p[0] == '.')
			buf_putc(out, '.');
		buf_add(out, line);
		if (whole)
			buf_putc(out, '\n');
	}
	buf_puts(out, whole ? ".\r\n" : "\r\n.\r\n");
}

/* Gives the body in three pieces; false when that fails. */
static bool
in_pieces(struct smtp *p, struct span s, size_t a, size_t b)
{
	struct err e;

	if (smtp_body(p, (struct span){s.p, a}, &e) == -1 ||
	    smtp_body(p, (struct span){s.p + a, b - a}, &e) == -1 ||
	    smtp_body(p, span_skip(s, b), &e) == -1)
		return false;
	return !p->in_data || smtp_dot(p, 0, &e) == 0;
}

static bool
has_lone(struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r'))
			return true;
		if (s.p[i] == '\r' && (i + 1 == s.n || s.p[i + 1] != '\n'))
			return true;
	}
	return false;
}

/* Every way to cut it in three. */
static void
body(const char *text, bool good)
{
	struct span s = span_of(text);
	struct buf want;
	struct smtp p;
	struct wire w;
	size_t a, b;
	char *shown = span_show(s, 100);
	int chunk;
	unsigned int wrong = 0;

	buf_init(&want, 100000);
	stuff(&want, s);
	for (chunk = 0; chunk < 2; chunk++) {
		for (a = 0; a <= s.n; a++) {
			for (b = a; b <= s.n; b++) {
				begin(&p, &w, chunk, s.n);
				wrong += in_pieces(&p, s, a, b) != good;
				wrong += has_lone(buf_span(&w.out));
				if (good)
					wrong += !span_same(buf_span(&w.out),
					    chunk ? s : buf_span(&want));
				smtp_clear(&p);
				wire_clear(&w);
			}
		}
		is_int(wrong, 0, "%s: %s by %s, however it is cut", shown,
		    good ? "leaves" : "is stopped", chunk ? "BDAT" : "DATA");
	}
	free(shown);
	buf_clear(&want);
}

static void
test_bodies(void)
{
	char text[64];
	int i;

	body("", true);
	body(".\r\n", true);
	body(".\r\n.\r\n..\r\n", true);
	body("a\r\n.\r\n.b\r\n..\r\nc.\r\n", true);
	body("\r\n\r\n.\r\n\r\n", true);
	body("a\r\n.\r\nMAIL FROM:<x>\r\n", true);
	body("a\n.\nMAIL FROM:<x>\r\n", false);
	body("a\r.\rMAIL FROM:<x>\r\n", false);
	body("a\r\n.\r.\r\n", false);
	body("a\n.\r\n", false);
	body("\n", false);
	body("\r", false);
	body("a\r", false);
	body("a\r\r\n", false);
	body("a\r\n\n", false);
	for (i = 0; i < 40; i++) {
		prng_text(text, 14, ".\r\na", 4);
		text[14] = '\0';
		if (has_lone(span_of(text)))
			body(text, false);
	}
}

static void
test_unfinished_line(void)
{
	struct smtp p;
	struct wire w;
	struct err e;

	begin(&p, &w, false, 0);
	is_int(smtp_body(&p, span_of("a\r\n.b"), &e), 0, "no CRLF at the end");
	is_int(smtp_dot(&p, 0, &e), 0, "the dot");
	is_mem(buf_span(&w.out).p, w.out.len, "a\r\n..b\r\n.\r\n", "gets one");
	smtp_clear(&p);
	wire_clear(&w);
	begin(&p, &w, true, 2);
	is_int(smtp_body(&p, span_of("abc"), &e), -1, "more than announced");
	is_int(w.out.len, 0, "does not leave");
	smtp_clear(&p);
	wire_clear(&w);
}

/* Nothing but dots is the worst case of what smtp_body_room() promises. */
static void
test_room(void)
{
	struct smtp p;
	struct wire w;
	struct err e;
	struct smtp_ev ev;
	size_t n, k;
	unsigned int rounds = 0;

	begin(&p, &w, false, 0);
	while ((n = smtp_body_room(&p) / 3) > 0) {
		for (k = 0; k < n; k++)
			smtp_body(&p, span_of(".\r\n"), &e);
		rounds++;
	}
	ok(rounds > 1 && w.out.len > WIRE_OUT_MAX - 100, "filled up");
	is_int(smtp_dot(&p, 0, &e), 0, "the dot finds its place");
	is_int(smtp_next(&p, &ev, &e), 0, "no overrun");
	smtp_clear(&p);
	wire_clear(&w);
}

/* --- EHLO -------------------------------------------------------------- */

static void
test_caps(void)
{
	static const char *const lines[] = {"8 BITMIME", "auth=LOGIN PLAIN",
	    "AUTH", "AUTH XOAUTH2 NTLM", "AUTH=", "SIZE 5000", "size 4000",
	    "SIZE 6000", "SIZE 0", "SIZE x", "  Pipelining ", "XCLIENT A B",
	    "LIMITS MAILMAX=20 RCPTMAX=100 FOO=1 RCPTDOMAINMAX BAR",
	    "LIMITS rcptmax=50 MAILMAX=0 RCPTDOMAINMAX=99999999999", "", "=",
	    "FUTURERELEASE 86400 2030-01-01T00:00:00Z", "STARTTLS",
	    "ENHANCEDSTATUSCODES", "CHUNKING", "8", "8 FOO"};
	struct smtp_caps c = {0};
	enum smtp_ext x;
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		smtp_caps_line(
		    &c, span_of(lines[i]), SMTP_EXT_BIT(SMTP_EXT_CHUNKING));
	ok(smtp_has(&c, SMTP_EXT_8BITMIME), "8 BITMIME");
	ok(smtp_has(&c, SMTP_EXT_PIPELINING), "PIPELINING");
	ok(smtp_has(&c, SMTP_EXT_STARTTLS), "STARTTLS");
	ok(smtp_has(&c, SMTP_EXT_ENHANCED), "ENHANCEDSTATUSCODES");
	ok(!smtp_has(&c, SMTP_EXT_DSN), "no DSN");
	ok(!smtp_has(&c, SMTP_EXT_CHUNKING), "CHUNKING is disabled");
	is_int(c.mechs,
	    SASL_BIT(SASL_LOGIN) | SASL_BIT(SASL_PLAIN) |
		SASL_BIT(SASL_XOAUTH2),
	    "mechanisms of all lines");
	is_int(c.size, 4000, "the lowest size");
	is_int(c.hold, 86400, "hold");
	is_int(c.mail_max, 20, "MAILMAX");
	is_int(c.rcpt_max, 50, "RCPTMAX");
	is_int(c.rcpt_domain_max, 0, "RCPTDOMAINMAX");
	for (i = 0; i < SMTP_EXTS; i++)
		quiet(smtp_ext_by_name(
			  span_of(smtp_ext_name((enum smtp_ext)i)), &x) &&
			  x == i,
		    "%s by name", smtp_ext_name((enum smtp_ext)i));
	ok(!smtp_ext_by_name(span_of("FOO"), &x), "unknown");
}

/* --- refusals ---------------------------------------------------------- */

static const struct {
	enum smtp_cmd cmd;
	const char *reply;
	enum err_kind kind;
	int exit;
	const char *says;
} refusals[] = {
    {SMTP_GREETING, "421 4.7.0 [TSS04] deferred", ERR_TEMP, 75, "TSS04"},
    {SMTP_GREETING, "554 5.7.1 blocked", ERR_PROTO, 69, "554 5.7.1 blocked"},
    {SMTP_EHLO, "501 5.5.4 Invalid domain name", ERR_PROTO, 69, "hello"},
    {SMTP_HELO, "421 busy", ERR_TEMP, 75, "421 busy"},
    {SMTP_STARTTLS, "454 4.7.0 not now", ERR_TEMP, 75, "not now"},
    {SMTP_STARTTLS, "502 5.5.1 no", ERR_TLS, 77, "no"},
    {SMTP_AUTH, "535 5.7.8 bad", ERR_AUTH, 77, "535 5.7.8 bad"},
    {SMTP_AUTH, "535 authentication failed", ERR_AUTH, 77, "failed"},
    {SMTP_AUTH, "534 5.7.9 Application-specific password required", ERR_AUTH,
	77, "made for applications"},
    {SMTP_AUTH, "535 5.7.139 Authentication unsuccessful", ERR_AUTH, 77,
	"token-command"},
    {SMTP_AUTH, "550 5.7.30 Basic authentication is not supported", ERR_AUTH,
	77, "token-command"},
    {SMTP_AUTH, "454 4.7.0 Too many login attempts", ERR_TEMP, 75, "Too many"},
    {SMTP_AUTH, "454 4.7.0 Temporary authentication failure", ERR_TEMP, 75, ""},
    {SMTP_AUTH, "432 4.3.2 Concurrent connections limit", ERR_TEMP, 75, ""},
    {SMTP_AUTH, "432 4.7.12 A password transition is needed", ERR_AUTH, 77, ""},
    {SMTP_AUTH, "421 4.3.0 bye", ERR_TEMP, 75, ""},
    {SMTP_AUTH, "538 5.7.11 Encryption required", ERR_TLS, 77,
	"submissions://"},
    {SMTP_AUTH, "530 5.7.0 Must issue a STARTTLS command first", ERR_TLS, 77,
	"submissions://"},
    {SMTP_AUTH, "500 5.5.1 line too long", ERR_AUTH, 77, ""},
    {SMTP_AUTH, "503 5.5.1 not enabled", ERR_AUTH, 77, ""},
    {SMTP_MAIL, "530 5.7.0 Must issue a STARTTLS command first", ERR_TLS, 77,
	"submissions://"},
    {SMTP_MAIL, "530 5.5.1 Authentication Required", ERR_AUTH, 77, ""},
    {SMTP_MAIL, "530 5.7.57 Client not authenticated to send mail", ERR_AUTH,
	77, ""},
    {SMTP_MAIL, "550 5.7.57 Client not authenticated to send mail", ERR_AUTH,
	77, ""},
    {SMTP_MAIL, "550 5.7.30 Basic authentication is not supported", ERR_AUTH,
	77, "token-command"},
    {SMTP_MAIL, "451 4.7.1 later", ERR_TEMP, 75, "451 4.7.1 later"},
    {SMTP_RCPT, "550 5.1.1 no such user", ERR_MESSAGE, 69, "5.1.1"},
    {SMTP_RCPT, "550 5.7.30 REQUIRETLS support required", ERR_MESSAGE, 69, ""},
    {SMTP_RCPT, "334 what", ERR_TEMP, 75, ""},
    {SMTP_DATA, "432 4.3.2 Concurrent connections limit", ERR_TEMP, 75, ""},
    {SMTP_DOT, "554 5.2.0 quota", ERR_MESSAGE, 69, ""},
    {SMTP_BDAT, "552 5.3.4 too big", ERR_MESSAGE, 69, ""},
};

static void
test_refusals(void)
{
	struct smtp p;
	struct wire w;
	struct smtp_ev ev;
	struct err e;
	size_t i;

	for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		wire_init(&w);
		smtp_init(&p, &w);
		p.pending[0].cmd = refusals[i].cmd;
		buf_printf(&w.in, "%s\r\n", refusals[i].reply);
		quiet(smtp_next(&p, &ev, &e) == 1, "a reply");
		is_int(smtp_refused(&ev, "x", &e), -1, "%s: refused",
		    refusals[i].reply);
		is_int(e.kind, refusals[i].kind, "%s: kind", refusals[i].reply);
		is_int(err_exit(&e), refusals[i].exit, "exit");
		ok(strstr(e.text, "x: server says: ") == e.text &&
			strstr(e.text, refusals[i].says) != NULL,
		    "%s", e.text);
		smtp_clear(&p);
		wire_clear(&w);
	}
	is_int(smtp_refused(
		   &(struct smtp_ev){
		       .kind = SMTP_EV_UNASKED, .cmd = SMTP_NOOP, .code = 554},
		   "x", &e),
	    -1, "unasked");
	is_int(e.kind, ERR_TEMP, "is for later");
}

int
main(void)
{
	test_talks();
	test_limits();
	test_overrun();
	test_turns();
	test_parameters();
	test_text();
	test_bodies();
	test_unfinished_line();
	test_room();
	test_caps();
	test_refusals();
	return done();
}

/*
 * An SMTP server that says anything, and messages that are anything.  The
 * first byte of a case chooses what the client does, the second how the rest
 * (the server's words, or the message) is cut in pieces; whatever the cut, the
 * outcome is the same.
 */

#include <stdlib.h>
#include <string.h>

#include "proto/smtp_session.h"

#define MUST(cond)               \
	do {                     \
		if (!(cond))     \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define CASE_MAX 100000
#define WISHES 40

/* --- the core ---------------------------------------------------------- */

/* What the client would like to send, in this order, when it may. */
struct client {
	struct wire w;
	struct smtp p;
	enum smtp_cmd wish[WISHES];
	unsigned int n, next;
};

static void
wish(struct client *c, enum smtp_cmd cmd)
{
	MUST(c->n < WISHES);
	c->wish[c->n++] = cmd;
}

/* Three transactions of up to three recipients. */
static void
plan(struct client *c, unsigned how)
{
	unsigned i, k;

	wish(c, (how & 4) != 0 ? SMTP_LHLO : SMTP_EHLO);
	if ((how & 8) != 0)
		wish(c, SMTP_AUTH);
	for (i = 0; i < 3; i++) {
		wish(c, SMTP_MAIL);
		for (k = 0; k <= (how >> 4 & 3); k++)
			wish(c, SMTP_RCPT);
		if ((how & 64) != 0)
			wish(c, SMTP_BDAT);
		else {
			wish(c, SMTP_DATA);
			wish(c, SMTP_DOT);
		}
		wish(c, SMTP_RSET);
	}
	wish(c, SMTP_QUIT);
}

static void
do_wish(struct client *c, enum smtp_cmd cmd, uint32_t cookie)
{
	static const struct smtp_mail mail = {.sender = "a@b", .ret = 1};
	static const struct smtp_rcpt rcpt = {.address = "c@d", .notify = 7};
	struct err e;
	int rc = 0;

	if (cmd == SMTP_MAIL)
		rc = smtp_mail(&c->p, &mail, cookie, &e);
	else if (cmd == SMTP_RCPT)
		rc = smtp_rcpt(&c->p, &rcpt, cookie, &e);
	else if (cmd == SMTP_DATA)
		smtp_data(&c->p, cookie);
	else if (cmd == SMTP_BDAT) {
		smtp_bdat(&c->p, 3, cookie);
		rc = smtp_body(&c->p, span_of(".\r\n"), &e);
	} else if (cmd == SMTP_DOT) {
		rc = smtp_body(&c->p, span_of(".\r\nx"), &e);
		MUST(rc == 0);
		rc = smtp_dot(&c->p, cookie, &e);
	} else
		rc = smtp_send(&c->p, cmd, "x", &e);
	MUST(rc == 0);
}

/* A wish that nothing will ever grant is dropped. */
static void
send_wishes(struct client *c)
{
	enum smtp_cmd cmd;

	for (; c->next < c->n; c->next++) {
		cmd = c->wish[c->next];
		if (smtp_may_send(&c->p, cmd))
			do_wish(c, cmd, c->next);
		else if (smtp_unanswered(&c->p) > 0)
			return;
	}
}

static void
check_event(struct client *c, const struct smtp_ev *ev)
{
	struct err e;
	char *s;
	size_t i;

	MUST(ev->code >= 200 && ev->code <= 599);
	MUST(ev->status.class == 0 || ev->status.class == ev->code / 100);
	if (ev->kind != SMTP_EV_CONTINUE) {
		MUST(ev->text.n <= SMTP_TEXT_MAX);
		for (i = 0; i < ev->text.n; i++)
			MUST((unsigned char)ev->text.p[i] >= ' ');
	} else
		smtp_send_line(&c->p, span_of("YQ=="));
	if (ev->kind == SMTP_EV_REPLY && ev->cmd > SMTP_GREETING &&
	    ev->cmd != SMTP_AUTH)
		MUST(ev->cookie < c->n);
	s = smtp_show(ev);
	MUST(strlen(s) >= 3 && span_find(span_of(s), '\n') == -1);
	free(s);
	err_clear(&e);
	smtp_refused(ev, "x", &e);
	MUST(e.kind != ERR_NONE && err_exit(&e) >= 64);
}

static void
log_event(struct buf *log, const struct smtp_ev *ev)
{
	buf_printf(log, "%d %s %u %u %d:", (int)ev->kind,
	    smtp_cmd_name(ev->cmd), (unsigned)ev->cookie, ev->code, ev->last);
	buf_add(log, ev->text);
	buf_puts(log, "\n");
}

static void
run_core(struct span in, size_t piece, unsigned how, struct buf *log)
{
	struct client c = {.n = 0};
	struct smtp_ev ev;
	struct err e;
	size_t n;
	int rc = 0;

	err_clear(&e);
	wire_init(&c.w);
	smtp_init(&c.p, &c.w);
	plan(&c, how);
	while (rc != -1 && !c.w.eof) {
		n = piece < in.n ? piece : in.n;
		MUST(buf_append(&c.w.in, in.p, n) == 0);
		in = span_skip(in, n);
		c.w.eof = in.n == 0;
		while ((rc = smtp_next(&c.p, &ev, &e)) == 1) {
			log_event(log, &ev);
			check_event(&c, &ev);
			send_wishes(&c);
		}
	}
	MUST(e.kind != ERR_LOCAL);
	buf_printf(log, "!%d %d %s %zu %zu\n", rc, (int)e.kind, e.text,
	    smtp_unanswered(&c.p), smtp_accepted(&c.p));
	buf_add(log, buf_span(&c.w.out));
	smtp_clear(&c.p);
	wire_clear(&c.w);
}

/* --- the session ------------------------------------------------------- */

static void
login_of(unsigned how, struct sasl_login *l)
{
	*l = (struct sasl_login){.user = "ada",
	    .host = "h",
	    .port = 587,
	    .nonce = "fyko+d2lbbFgONRv9qkxdawL",
	    .pinned = SASL_ANYTHING};
	if ((how & 4) != 0)
		l->token = "ya29.token";
	else if ((how & 8) != 0)
		l->password = "hunter2";
	else
		l->can_password = true;
	if ((how & 48) == 16)
		l->pinned = SASL_CRAM_MD5;
	else if ((how & 48) == 32)
		l->pinned = SASL_LOGIN;
	else if ((how & 48) == 48)
		l->pinned = SASL_NOTHING;
	l->tls = l->private_path = (how & 64) != 0;
}

/* False when the session is over. */
static bool
step(struct smtp_session *s, struct sasl_login *l, struct buf *log)
{
	enum smtp_session_ev ev;
	struct err e;

	err_clear(&e);
	while (smtp_session_step(s, &ev, &e) == 0) {
		if (ev == SMTP_SESSION_WAIT)
			return true;
		buf_printf(log, "e%d", (int)ev);
		if (ev == SMTP_SESSION_STARTTLS) {
			MUST(s->starttls && s->smtp->wire->in.len == 0);
			smtp_session_tls(s);
		} else if (ev == SMTP_SESSION_SECRET)
			l->password = "hunter2";
		else
			return false;
	}
	MUST(e.kind != ERR_NONE && e.kind != ERR_LOCAL);
	buf_printf(log, "!%d %s", (int)e.kind, e.text);
	return false;
}

static void
run_session(struct span in, size_t piece, unsigned how, struct buf *log)
{
	struct wire w;
	struct smtp p;
	struct smtp_session s;
	struct sasl_login l;
	size_t n;

	login_of(how, &l);
	wire_init(&w);
	smtp_init(&p, &w);
	smtp_session_init(&s, &p, &l, "me");
	s.starttls = (how & 128) != 0;
	s.lmtp = (how & 2) != 0;
	for (;;) {
		n = piece < in.n ? piece : in.n;
		MUST(buf_append(&w.in, in.p, n) == 0);
		in = span_skip(in, n);
		w.eof = in.n == 0;
		if (!step(&s, &l, log) || w.eof)
			break;
	}
	buf_add(log, buf_span(&w.out));
	smtp_session_clear(&s);
	smtp_clear(&p);
	wire_clear(&w);
}

/* SCRAM is slow by design, and has a harness of its own. */
static bool
has_scram(struct span in)
{
	for (; in.n > 0; in = span_skip(in, 1)) {
		if (span_prefix(in, "SCRAM"))
			return true;
	}
	return false;
}

/* --- bodies ------------------------------------------------------------ */

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

/* What a server takes for the message; the end must be the only one. */
static void
unstuff(struct span in, struct buf *out)
{
	struct span line;

	while (span_cut(&in, '\n', &line)) {
		if (line.p[0] == '.') {
			line = span_skip(line, 1);
			if (line.n == 1) {
				MUST(in.n == 0);
				return;
			}
		}
		buf_add(out, line);
		buf_puts(out, "\n");
	}
	abort();
}

static void
run_body(struct span in, size_t piece, bool chunk, struct buf *log)
{
	struct wire w;
	struct smtp p;
	struct smtp_ev ev;
	struct err e;
	struct span rest = in;
	bool good = true, ended = in.n == 0 || in.p[in.n - 1] == '\n';
	size_t n;

	wire_init(&w);
	smtp_init(&p, &w);
	p.caps.ext = SMTP_EXT_BIT(SMTP_EXT_CHUNKING);
	buf_puts(&w.in, "220 x\r\n354 x\r\n");
	MUST(smtp_next(&p, &ev, &e) == 1);
	if (chunk)
		smtp_bdat(&p, in.n, 0);
	else {
		smtp_data(&p, 0);
		MUST(smtp_next(&p, &ev, &e) == 1);
	}
	buf_reset(&w.out);
	for (; good && rest.n > 0; rest = span_skip(rest, n)) {
		n = piece < rest.n ? piece : rest.n;
		MUST(n <= smtp_body_room(&p));
		good = smtp_body(&p, (struct span){rest.p, n}, &e) == 0;
	}
	if (good && !chunk)
		good = smtp_dot(&p, 0, &e) == 0;
	MUST(good == !has_lone(in) && !has_lone(buf_span(&w.out)));
	if (good && chunk)
		MUST(span_same(buf_span(&w.out), in));
	if (good && !chunk) {
		unstuff(buf_span(&w.out), log);
		MUST(log->len == in.n + (ended ? 0 : 2));
		MUST(in.n == 0 || memcmp(buf_span(log).p, in.p, in.n) == 0);
	}
	smtp_clear(&p);
	wire_clear(&w);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf whole, cut;
	struct span in;
	size_t piece;
	unsigned how;

	if (n < 2 || n > CASE_MAX)
		return 0;
	how = data[0];
	piece = data[1] == 0 ? 1 : data[1];
	in = span_bytes(data + 2, n - 2);
	buf_init(&whole, 8000000);
	buf_init(&cut, 8000000);
	if ((how & 1) != 0 && !has_scram(in)) {
		run_session(in, CASE_MAX, how, &whole);
		run_session(in, piece, how, &cut);
	} else if ((how & 3) == 0) {
		run_core(in, CASE_MAX, how, &whole);
		run_core(in, piece, how, &cut);
	} else if ((how & 3) == 2) {
		run_body(in, CASE_MAX, (how & 4) != 0, &whole);
		run_body(in, piece, (how & 4) != 0, &cut);
	}
	/* what comes behind the reply to STARTTLS shows only in one piece */
	if ((how & 129) != 129)
		MUST(span_same(buf_span(&whole), buf_span(&cut)));
	buf_clear(&whole);
	buf_clear(&cut);
	return 0;
}

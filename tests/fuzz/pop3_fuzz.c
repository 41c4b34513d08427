/*
 * A POP3 server that says anything.  The first byte of a case chooses what the
 * client does, the second how the rest, the server's words, is cut in pieces;
 * whatever the cut, the outcome is the same.
 */

#include <stdlib.h>
#include <string.h>

#include "proto/pop3_session.h"

#define MUST(cond)               \
	do {                     \
		if (!(cond))     \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define CASE_MAX 100000

static void
start_core(struct pop3 *p, unsigned how)
{
	static const enum pop3_cmd order[] = {POP3_CAPA, POP3_UIDL, POP3_LIST,
	    POP3_STAT, POP3_AUTH, POP3_DELE, POP3_QUIT};
	struct err e;
	unsigned i;

	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if ((how >> 2 & (1u << i)) != 0 && order[i] == POP3_AUTH)
			pop3_send_text(p, POP3_AUTH, "LOGIN", &e);
		else if ((how >> 2 & (1u << i)) != 0)
			pop3_send(p, order[i], order[i] == POP3_DELE ? 1 : 0);
		pop3_send(p, POP3_RETR, i + 1);
	}
	pop3_send_top(p, 8, 1);
}

static void
log_event(struct buf *log, const struct pop3_ev *ev, bool *in_data)
{
	if (ev->kind == POP3_EV_DATA) {
		MUST(ev->text.n > 0);
		*in_data = true;
	} else {
		if (*in_data)
			buf_puts(log, "|");
		*in_data = false;
		buf_printf(log, "%d %d %u %d %d:", (int)ev->kind, (int)ev->cmd,
		    (unsigned)ev->arg, ev->ok, (int)ev->code);
	}
	buf_add(log, ev->text);
}

static void
check_event(const struct pop3_ev *ev)
{
	struct err e;
	uint32_t msg;
	uint64_t size;
	struct span uid;

	if (ev->kind == POP3_EV_LINE) {
		MUST(span_find(ev->text, '\n') == -1);
		if (pop3_parse_uidl(ev->text, &msg, &uid))
			MUST(msg > 0 && uid.n > 0);
		(void)pop3_parse_list(ev->text, &msg, &size);
	}
	if (ev->kind == POP3_EV_REPLY && !ev->ok) {
		err_clear(&e);
		pop3_refused(ev, "x", &e);
		MUST(e.kind != ERR_NONE && err_exit(&e) >= 64);
	}
}

static void
run_core(struct span in, size_t piece, unsigned how, struct buf *log)
{
	struct wire w;
	struct pop3 p;
	struct pop3_ev ev;
	struct err e;
	bool in_data = false;
	size_t n;
	int rc = 0;

	err_clear(&e);
	wire_init(&w);
	pop3_init(&p, &w);
	start_core(&p, how);
	while (rc != -1 && !w.eof) {
		n = piece < in.n ? piece : in.n;
		MUST(buf_append(&w.in, in.p, n) == 0);
		in = span_skip(in, n);
		w.eof = in.n == 0;
		while ((rc = pop3_next(&p, &ev, &e)) == 1) {
			check_event(&ev);
			log_event(log, &ev, &in_data);
		}
	}
	buf_printf(
	    log, "!%d %d %s %zu", rc, (int)e.kind, e.text, pop3_unanswered(&p));
	pop3_clear(&p);
	wire_clear(&w);
}

static void
login_of(unsigned how, struct sasl_login *l)
{
	*l = (struct sasl_login){.user = "user",
	    .password = (how & 4) != 0 ? NULL : "hunter2",
	    .can_password = true,
	    .token = (how & 8) != 0 ? "t0ken" : NULL,
	    .private_path = (how & 16) == 0,
	    .nonce = "nonce",
	    .pinned = SASL_ANYTHING};
	if ((how & 32) != 0)
		l->pinned = SASL_LOGIN;
}

/* Goes on until more input is needed: true; false when it is over. */
static bool
step(struct pop3_session *s, struct sasl_login *l, struct buf *log)
{
	enum pop3_session_ev ev;
	struct err e;

	err_clear(&e);
	while (pop3_session_step(s, &ev, &e) == 0) {
		if (ev == POP3_SESSION_WAIT)
			return true;
		buf_printf(log, "e%d", (int)ev);
		if (ev == POP3_SESSION_STARTTLS) {
			MUST(s->starttls && s->pop3->wire->in.len == 0);
			pop3_session_tls(s);
		} else if (ev == POP3_SESSION_SECRET)
			l->password = "hunter2";
		else
			return false;
	}
	MUST(e.kind != ERR_NONE);
	buf_printf(log, "!%d %s", (int)e.kind, e.text);
	return false;
}

static void
run_session(struct span in, size_t piece, unsigned how, struct buf *log)
{
	struct wire w;
	struct pop3 p;
	struct pop3_session s;
	struct sasl_login l;
	size_t n;

	login_of(how, &l);
	wire_init(&w);
	pop3_init(&p, &w);
	pop3_session_init(&s, &p, &l);
	s.no_capa = (how & 64) != 0;
	s.starttls = (how & 128) != 0;
	for (;;) {
		n = piece < in.n ? piece : in.n;
		MUST(buf_append(&w.in, in.p, n) == 0);
		in = span_skip(in, n);
		w.eof = in.n == 0;
		if (!step(&s, &l, log) || w.eof)
			break;
	}
	if (!l.private_path && w.out.len > 0)
		MUST(memmem(buf_span(&w.out).p, w.out.len, "hunter2", 7) ==
		     NULL);
	buf_add(log, buf_span(&w.out));
	pop3_session_clear(&s);
	pop3_clear(&p);
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
	buf_init(&whole, 4000000);
	buf_init(&cut, 4000000);
	if ((how & 1) == 0) {
		run_core(in, CASE_MAX, how, &whole);
		run_core(in, piece, how, &cut);
	} else if (!has_scram(in)) {
		run_session(in, CASE_MAX, how, &whole);
		run_session(in, piece, how, &cut);
	}
	/* what comes behind the reply to STLS shows only in one piece */
	if ((how & 129) != 129)
		MUST(span_same(buf_span(&whole), buf_span(&cut)));
	buf_clear(&whole);
	buf_clear(&cut);
	return 0;
}

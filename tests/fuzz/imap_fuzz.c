/*
 * An IMAP server that says anything.  The first byte of a case chooses what
 * the client is doing, the second how the rest, the server's words, is cut in
 * pieces; whatever the cut, events, commands and outcome are the same.
 */

#include <stdlib.h>

#include "../unit/imap_log.h"
#include "proto/imap_session.h"

#define MUST(cond)               \
	do {                     \
		if (!(cond))     \
			abort(); \
	} while (0)

#define CASE_MAX 100000

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* bits of the first byte */
#define SESSION 0x01u
#define STARTTLS 0x02u
#define BARE 0x04u
#define TOKEN 0x08u
#define COMPRESS 0x10u
#define PREAUTH 0x20u
#define PIN 0xc0u

/* in a core's case */
#define GREETED 0x02u
#define LITERALS 0x04u
#define IDLE 0x08u
#define LOGOUT 0x10u
#define UTF8 0x20u
#define APPEND 0x40u

static void
start_core(struct imap *im, unsigned int mode)
{
	if ((mode & GREETED) != 0)
		im->greeted = true;
	if ((mode & UTF8) != 0)
		imap_set_caps(im, span_of("IMAP4rev2"));
	if ((mode & IDLE) != 0)
		imap_command(im, IMAP_V_IDLE, 1, "IDLE");
	imap_command(im, IMAP_V_FETCH, 2, "UID FETCH 1:* BODY.PEEK[]");
	if ((mode & LITERALS) != 0) {
		imap_begin(im, IMAP_V_LOGIN, 3);
		imap_put(im, "LOGIN ");
		imap_put_astring(im, span_of("\xc3\xa4"));
		imap_put(im, " ");
		imap_put_astring(im, span_of("\r\n"));
		imap_end(im);
		imap_begin(im, IMAP_V_SELECT, 4);
		imap_put_astring(im, span_of("\xc3\xa4"));
		imap_end(im);
	}
	imap_command(im, IMAP_V_SEARCH, 5, "UID SEARCH ALL");
	if ((mode & LOGOUT) != 0)
		imap_command(im, IMAP_V_LOGOUT, 6, "LOGOUT");
	if ((mode & APPEND) == 0)
		return;
	imap_begin(im, IMAP_V_APPEND, 7);
	imap_put(im, "APPEND a ");
	imap_put_literal(im, 5, false, false);
}

/* The literal, once it may go: whatever was answered meanwhile. */
static void
go_on(struct imap *im)
{
	if (!imap_writing(im) || imap_room(im) == 0)
		return;
	imap_put_data(im, span_of("he"));
	imap_put_data(im, span_of("llo"));
	imap_end(im);
	MUST(!imap_writing(im));
}

static void
check_event(const struct imap_ev *ev)
{
	struct err e = {0};

	MUST(ev->kind != IMAP_EV_BODY_DATA || ev->text.n > 0);
	MUST(ev->kind != IMAP_EV_SEARCH || ev->uids != NULL);
	MUST(ev->kind != IMAP_EV_VANISHED || !uidset_empty(ev->uids));
	if (ev->kind == IMAP_EV_DONE || ev->kind == IMAP_EV_STATUS) {
		MUST(imap_refused(ev, "x", &e) == -1);
		MUST(e.kind != ERR_NONE && err_exit(&e) >= 64);
	}
}

static int
core_events(struct imap *im, struct buf *log)
{
	struct imap_ev ev;
	struct err e = {0};
	int r;

	while ((r = imap_next(im, &ev, &e)) == 1) {
		check_event(&ev);
		log_event(log, im, &ev);
	}
	if (r == -1) {
		MUST(e.kind != ERR_NONE && e.text[0] != '\0');
		buf_printf(log, "error %d: %s\n", (int)e.kind, e.text);
	}
	return r;
}

static void
run_core(struct span in, enum log_cut cut, uint32_t seed, unsigned int mode,
    struct buf *log)
{
	struct wire w;
	struct imap im;
	int r = 0;

	wire_init(&w);
	imap_init(&im, &w);
	start_core(&im, mode);
	while (in.n > 0 && r == 0) {
		buf_add(&w.in, log_piece(&in, cut, buf_room(&w.in), &seed));
		r = core_events(&im, log);
		go_on(&im);
	}
	w.eof = true;
	if (r == 0)
		core_events(&im, log);
	log_span(log, "sent", buf_span(&w.out));
	imap_clear(&im);
	wire_clear(&w);
}

/* False when it is over: ended, or at STARTTLS, COMPRESS or READY. */
static bool
step(struct imap_session *s, struct sasl_login *l, struct buf *log)
{
	enum imap_session_ev ev;
	struct err e = {0};

	for (;;) {
		if (imap_session_step(s, &ev, &e) == -1) {
			MUST(e.kind != ERR_NONE && e.text[0] != '\0');
			buf_printf(log, "error %d: %s\n", (int)e.kind, e.text);
			return false;
		}
		if (ev == IMAP_SESSION_WAIT)
			return true;
		buf_printf(log, "event %d\n", (int)ev);
		if (ev == IMAP_SESSION_SECRET)
			l->password = "secret";
		else
			return false;
	}
}

static void
run_session(struct span in, enum log_cut cut, uint32_t seed, unsigned int mode,
    struct buf *log)
{
	static const enum sasl_mech pins[] = {
	    SASL_ANYTHING, SASL_SCRAM_SHA_256, SASL_LOGIN, SASL_NATIVE};
	struct sasl_login l = {.user = "ada",
	    .token = (mode & TOKEN) != 0 ? "tok" : NULL,
	    .can_password = true,
	    .private_path = (mode & BARE) == 0,
	    .host = "h",
	    .port = 993,
	    .nonce = "rOprNGfwEbeRWgbNEkqO",
	    .pinned = pins[(mode & PIN) >> 6]};
	struct wire w;
	struct imap im;
	struct imap_session s;
	bool more = true;

	wire_init(&w);
	imap_init(&im, &w);
	imap_session_init(&s, &im, &l);
	s.starttls = (mode & STARTTLS) != 0;
	s.preauth_ok = (mode & PREAUTH) != 0;
	s.compress = (mode & COMPRESS) != 0;
	while (in.n > 0 && more) {
		buf_add(&w.in, log_piece(&in, cut, buf_room(&w.in), &seed));
		more = step(&s, &l, log);
	}
	w.eof = true;
	if (more)
		step(&s, &l, log);
	log_span(log, "sent", buf_span(&w.out));
	imap_session_clear(&s);
	imap_clear(&im);
	wire_clear(&w);
}

static void
run(struct span in, enum log_cut cut, uint32_t seed, unsigned int mode,
    struct buf *log)
{
	buf_init(log, LOG_MAX);
	if ((mode & SESSION) != 0)
		run_session(in, cut, seed, mode, log);
	else
		run_core(in, cut, seed, mode, log);
}

static void
must_equal(struct span in, enum log_cut cut, uint32_t seed, unsigned int mode,
    const struct buf *whole)
{
	struct buf log;

	run(in, cut, seed, mode, &log);
	if (!span_same(buf_span(&log), buf_span(whole))) {
		fprintf(stderr, "whole:\n%.*s\ncut %d:\n%.*s\n",
		    SPAN(buf_span(whole)), (int)cut, SPAN(buf_span(&log)));
		abort();
	}
	buf_clear(&log);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in;
	struct buf whole;

	if (size < 2 || size > CASE_MAX)
		return 0;
	in = span_bytes(data + 2, size - 2);
	run(in, LOG_WHOLE, 0, data[0], &whole);
	/* Bytes behind STARTTLS are an error only if they are there by then. */
	if ((data[0] & (SESSION | STARTTLS)) != (SESSION | STARTTLS)) {
		must_equal(in, LOG_BYTES, 0, data[0], &whole);
		must_equal(in, LOG_RANDOM, data[1], data[0], &whole);
	}
	buf_clear(&whole);
	return 0;
}

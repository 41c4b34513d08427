/*
 * Reports, line by line; then what holds for all of them, whatever servers and
 * senders say.
 */

#include <stdlib.h>

#include "base/header.h"
#include "bounce.h"
#include "bounce_text.h"
#include "mime_check.h"
#include "prng.h"
#include "tap.h"

#define DAY 86400

static const char original[] = "From: Ada <ada@example.org>\r\n"
			       "To: bob@example.net,\r\n carol@example.org\r\n"
			       "Subject: Lunch\r\n at noon\r\n"
			       "Message-ID: <m1@example.org>\r\n"
			       "\r\n"
			       "X-Body: not this\r\n";

static struct bounce
report(const struct bounce_rcpt *rcpts, size_t n)
{
	return (struct bounce){
	    .id = "1795600000.r1",
	    .host = "host.example.org",
	    .to = "ada@example.org",
	    .envid = "QQ314159",
	    .queue_id = "4bZ",
	    .message_id = "<m1@example.org>",
	    .arrived = 1795500000,
	    .now = 1795600000,
	    .zone = 60,
	    .header = span_of(original),
	    .rcpts = rcpts,
	    .n = n,
	};
}

/* Each line against what it should be; '\n' stands for its CRLF. */
static void
is_report(const struct bounce *b, const char *want, const char *name)
{
	struct span w = span_of(want), g, want_line, line;
	struct buf out;
	unsigned int i = 0;
	char *text;

	buf_init(&out, 1024 * 1024);
	is_int(bounce_compose(b, &out), 0, "%s is composed", name);
	for (g = buf_span(&out); g.n > 0 || w.n > 0;) {
		line = want_line = (struct span){NULL, 0};
		span_cut(&g, '\n', &line);
		span_cut(&w, '\n', &want_line);
		i++;
		if (quiet(line.n > 0 && line.p[line.n - 1] == '\r',
			"%s, line %u ends in CRLF", name, i))
			line.n--;
		text = span_dup(want_line);
		is_mem(line.n > 0 ? line.p : "", line.n, text, "%s, line %u",
		    name, i);
		free(text);
	}
	buf_clear(&out);
}

static void
test_failed(void)
{
	static const struct bounce_rcpt rcpts[] = {
	    {
		.action = BOUNCE_FAILED,
		.address = "bob@example.net",
		.reply = "550 5.1.1 No such user here; see "
			 "https://example.net/help?code=user-unknown for help",
		.server = "smtp.example.org",
		.attempts = 1,
		.last = 1795599999,
	    },
	    {
		.action = BOUNCE_EXPIRED,
		.address = "carol@example.org",
		.original = "carol",
		.reply = "connection refused",
		.server = "smtp.example.org",
		.attempts = 40,
		.last = 1795599999,
	    },
	};
	struct bounce b = report(rcpts, 2);

	is_report(&b,
	    "Return-Path: <>\n"
	    "Date: Wed, 25 Nov 2026 10:46:40 +0100\n"
	    "From: Mail system <MAILER-DAEMON@host.example.org>\n"
	    "To: <ada@example.org>\n"
	    "Subject: Not delivered to 2 recipients: Lunch at noon\n"
	    "Message-ID: <1795600000.r1@host.example.org>\n"
	    "In-Reply-To: <m1@example.org>\n"
	    "References: <m1@example.org>\n"
	    "Auto-Submitted: auto-replied\n"
	    "MIME-Version: 1.0\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\n"
	    " boundary=\"=_1795600000.r1\"\n"
	    "\n"
	    "This is a report in parts, as MIME has them.\n"
	    "\n"
	    "--=_1795600000.r1\n"
	    "Content-Type: text/plain; charset=us-ascii\n"
	    "\n"
	    "This is the mail system on host.example.org. Your message did not "
	    "reach the\n"
	    "following recipients.\n"
	    "\n"
	    "    Subject: Lunch at noon\n"
	    "    Sent on: Tue, 24 Nov 2026 07:00:00 +0100\n"
	    "\n"
	    "<bob@example.net>\n"
	    "    was refused by smtp.example.org:\n"
	    "        550 5.1.1 No such user here; see\n"
	    "        https://example.net/help?code=user-unknown for help\n"
	    "    Tried once, on Wed, 25 Nov 2026 10:46:39 +0100.\n"
	    "    Look for a mistake in the address, and send the message to the "
	    "right\n"
	    "    one.\n"
	    "\n"
	    "<carol@example.org> (given as carol)\n"
	    "    was given up after 1 d 3 h. What went wrong last:\n"
	    "        connection refused\n"
	    "    Tried 40 times, last on Wed, 25 Nov 2026 10:46:39 +0100.\n"
	    "    Reach the person in another way, or send the message again "
	    "later.\n"
	    "\n"
	    "The message is kept: \"sendq --show 4bZ\" shows it, \"sendq "
	    "--retry-now 4bZ\"\n"
	    "tries once more.\n"
	    "\n"
	    "What follows is for programs: the same once more, and the header "
	    "of your\n"
	    "message.\n"
	    "\n"
	    "--=_1795600000.r1\n"
	    "Content-Type: message/delivery-status\n"
	    "Content-Description: Delivery report\n"
	    "\n"
	    "Original-Envelope-Id: QQ314159\n"
	    "Reporting-MTA: dns; host.example.org\n"
	    "Arrival-Date: Tue, 24 Nov 2026 07:00:00 +0100\n"
	    "\n"
	    "Final-Recipient: rfc822; bob@example.net\n"
	    "Action: failed\n"
	    "Status: 5.1.1\n"
	    "Remote-MTA: dns; smtp.example.org\n"
	    "Diagnostic-Code: smtp; 550 5.1.1 No such user here; see\n"
	    " https://example.net/help?code=user-unknown for help\n"
	    "Last-Attempt-Date: Wed, 25 Nov 2026 10:46:39 +0100\n"
	    "Final-Log-ID: 4bZ\n"
	    "\n"
	    "Original-Recipient: rfc822; carol\n"
	    "Final-Recipient: rfc822; carol@example.org\n"
	    "Action: failed\n"
	    "Status: 4.4.7\n"
	    "Remote-MTA: dns; smtp.example.org\n"
	    "Diagnostic-Code: x-sendq; connection refused\n"
	    "Last-Attempt-Date: Wed, 25 Nov 2026 10:46:39 +0100\n"
	    "Final-Log-ID: 4bZ\n"
	    "\n"
	    "--=_1795600000.r1\n"
	    "Content-Type: text/rfc822-headers\n"
	    "Content-Description: The message's header\n"
	    "\n"
	    "From: Ada <ada@example.org>\n"
	    "To: bob@example.net,\n"
	    " carol@example.org\n"
	    "Subject: Lunch\n"
	    " at noon\n"
	    "Message-ID: <m1@example.org>\n"
	    "\n"
	    "--=_1795600000.r1--\n",
	    "failed");
}

static void
test_delayed(void)
{
	static const struct bounce_rcpt rcpt = {
	    .action = BOUNCE_DELAYED,
	    .address = "bob@example.net",
	    .reply = "451 try later",
	    .attempts = 3,
	    .last = 1795599999,
	    .until = 1795500000 + 5 * DAY,
	};
	struct bounce b = report(&rcpt, 1);

	b.header = span_of("Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n");
	b.envid = b.message_id = NULL;
	is_report(&b,
	    "Return-Path: <>\n"
	    "Date: Wed, 25 Nov 2026 10:46:40 +0100\n"
	    "From: Mail system <MAILER-DAEMON@host.example.org>\n"
	    "To: <ada@example.org>\n"
	    "Subject: Delayed on its way to bob@example.net: "
	    "=?utf-8?Q?Gr=C3=BC=C3=9Fe?=\n"
	    "Message-ID: <1795600000.r1@host.example.org>\n"
	    "Auto-Submitted: auto-replied\n"
	    "MIME-Version: 1.0\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\n"
	    " boundary=\"=_1795600000.r1\"\n"
	    "\n"
	    "This is a report in parts, as MIME has them.\n"
	    "\n"
	    "--=_1795600000.r1\n"
	    "Content-Type: text/plain; charset=us-ascii\n"
	    "\n"
	    "This is the mail system on host.example.org. Your message is late: "
	    "it has\n"
	    "not yet reached the following recipient.\n"
	    "\n"
	    "    Sent on: Tue, 24 Nov 2026 07:00:00 +0100\n"
	    "\n"
	    "<bob@example.net>\n"
	    "    is not delivered yet, after 1 d 3 h. The server said last:\n"
	    "        451 try later\n"
	    "    Tried 3 times, last on Wed, 25 Nov 2026 10:46:39 +0100. It "
	    "will be tried\n"
	    "    again until Sun, 29 Nov 2026 07:00:00 +0100.\n"
	    "    You need not do anything.\n"
	    "\n"
	    "\"sendq --retry-now 4bZ\" tries at once, \"sendq --remove 4bZ\" "
	    "gives it up.\n"
	    "\n"
	    "What follows is for programs: the same once more, and the header "
	    "of your\n"
	    "message.\n"
	    "\n"
	    "--=_1795600000.r1\n"
	    "Content-Type: message/delivery-status\n"
	    "Content-Description: Delivery report\n"
	    "\n"
	    "Reporting-MTA: dns; host.example.org\n"
	    "Arrival-Date: Tue, 24 Nov 2026 07:00:00 +0100\n"
	    "\n"
	    "Final-Recipient: rfc822; bob@example.net\n"
	    "Action: delayed\n"
	    "Status: 4.3.0\n"
	    "Diagnostic-Code: smtp; 451 try later\n"
	    "Last-Attempt-Date: Wed, 25 Nov 2026 10:46:39 +0100\n"
	    "Final-Log-ID: 4bZ\n"
	    "Will-Retry-Until: Sun, 29 Nov 2026 07:00:00 +0100\n"
	    "\n"
	    "--=_1795600000.r1\n"
	    "Content-Type: text/rfc822-headers\n"
	    "Content-Description: The message's header\n"
	    "\n"
	    "Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\n"
	    "\n"
	    "--=_1795600000.r1--\n",
	    "delayed");
}

/* RFC 6533: an address that is not ASCII, and a header that is not. */
static void
test_utf8(void)
{
	static const struct bounce_rcpt rcpt = {
	    .action = BOUNCE_FAILED,
	    .address = "d\xc3\xb6ra+x@example.net",
	    .reply = "554 Gr\xc3\xbc\xc3\x9f\x65 \x1b[31m\xff\r\nStatus: 2.0.0",
	    .advice = "Wait.",
	};
	struct bounce b = report(&rcpt, 1);

	b.header = span_of("Subject: L\xc3\xbcnch\r\n");
	b.envid = b.message_id = b.queue_id = NULL;
	is_report(&b,
	    "Return-Path: <>\n"
	    "Date: Wed, 25 Nov 2026 10:46:40 +0100\n"
	    "From: Mail system <MAILER-DAEMON@host.example.org>\n"
	    "To: <ada@example.org>\n"
	    "Subject: =?utf-8?Q?Not_delivered_to_d=C3=B6ra+x=40example=2Enet"
	    "=3A_?=\n"
	    " =?utf-8?B?TMO8bmNo?=\n"
	    "Message-ID: <1795600000.r1@host.example.org>\n"
	    "Auto-Submitted: auto-replied\n"
	    "MIME-Version: 1.0\n"
	    "Content-Type: multipart/report; report-type=global-delivery-status;\n"
	    " boundary=\"=_1795600000.r1\"\n"
	    "Content-Transfer-Encoding: 8bit\n"
	    "\n"
	    "This is a report in parts, as MIME has them.\n"
	    "\n"
	    "--=_1795600000.r1\n"
	    "Content-Type: text/plain; charset=utf-8\n"
	    "Content-Transfer-Encoding: 8bit\n"
	    "\n"
	    "This is the mail system on host.example.org. Your message did not "
	    "reach the\n"
	    "following recipient.\n"
	    "\n"
	    "    Subject: L\xc3\xbcnch\n"
	    "    Sent on: Tue, 24 Nov 2026 07:00:00 +0100\n"
	    "\n"
	    "<d\xc3\xb6ra+x@example.net>\n"
	    "    was refused by the server:\n"
	    "        554 Gr\xc3\xbc\xc3\x9f\x65 [31m? Status: 2.0.0\n"
	    "    Wait.\n"
	    "\n"
	    "What follows is for programs: the same once more, and the header "
	    "of your\n"
	    "message.\n"
	    "\n"
	    "--=_1795600000.r1\n"
	    "Content-Type: message/global-delivery-status\n"
	    "Content-Transfer-Encoding: 8bit\n"
	    "Content-Description: Delivery report\n"
	    "\n"
	    "Reporting-MTA: dns; host.example.org\n"
	    "Arrival-Date: Tue, 24 Nov 2026 07:00:00 +0100\n"
	    "\n"
	    "Final-Recipient: utf-8; d\xc3\xb6ra\\x{2B}x@example.net\n"
	    "Action: failed\n"
	    "Status: 5.0.0\n"
	    "Diagnostic-Code: smtp; 554 Gr??e [31m? Status: 2.0.0\n"
	    "\n"
	    "--=_1795600000.r1\n"
	    "Content-Type: message/global-headers\n"
	    "Content-Transfer-Encoding: 8bit\n"
	    "Content-Description: The message's header\n"
	    "\n"
	    "Subject: L\xc3\xbcnch\n"
	    "\n"
	    "--=_1795600000.r1--\n",
	    "beyond ASCII");
}

static void
test_status(void)
{
	static const struct {
		enum bounce_action action;
		const char *reply, *status;
	} t[] = {
	    {BOUNCE_FAILED, "550 5.1.1 no", "5.1.1"},
	    {BOUNCE_FAILED, "550 5.7.123 no", "5.7.123"},
	    {BOUNCE_FAILED, "550 no", "5.0.0"},
	    {BOUNCE_FAILED, "552 full", "5.2.2"},
	    {BOUNCE_FAILED, "599", "5.0.0"},
	    {BOUNCE_FAILED, "550 2.1.1 what", "5.0.0"},
	    {BOUNCE_FAILED, "550 5.1 what", "5.0.0"},
	    {BOUNCE_FAILED, "550 5.1.1.1 what", "5.0.0"},
	    {BOUNCE_FAILED, "550 5.1.1. what", "5.0.0"},
	    {BOUNCE_FAILED, "550 5.1.1234 what", "5.0.0"},
	    {BOUNCE_FAILED, "550 5.x.1 what", "5.0.0"},
	    {BOUNCE_FAILED, "452 4.2.2 full", "4.2.2"},
	    {BOUNCE_FAILED, "5.1.1 no code", "5.0.0"},
	    {BOUNCE_FAILED, "the server does not offer SMTPUTF8", "5.0.0"},
	    {BOUNCE_FAILED, NULL, "5.0.0"},
	    {BOUNCE_FAILED, "", "5.0.0"},
	    {BOUNCE_EXPIRED, "451 4.7.1 grey", "4.7.1"},
	    {BOUNCE_EXPIRED, "451 grey", "4.4.7"},
	    {BOUNCE_EXPIRED, "connection refused", "4.4.7"},
	    {BOUNCE_EXPIRED, NULL, "4.4.7"},
	    {BOUNCE_DELAYED, "421 4.3.2 busy", "4.3.2"},
	    {BOUNCE_DELAYED, "421 busy", "4.3.2"},
	    {BOUNCE_DELAYED, "no route to host", "4.0.0"},
	};
	struct bounce_rcpt r = {0};
	char status[BOUNCE_STATUS];
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		r.action = t[i].action;
		r.reply = t[i].reply;
		bounce_status(&r, status);
		is_str(status, t[i].status, "status %zu", i);
	}
}

static void
test_text(void)
{
	static const struct {
		const char *text, *flow;
		bool utf8;
		size_t max;
	} t[] = {
	    {"a b", "a b", false, 99},
	    {" a\t\r\n  b ", "a b", false, 99},
	    {"a\x01\x7f", "a", false, 99},
	    {"\xc3\xa9 \xff", "? ?", false, 99},
	    {"\xc3\xa9 \xff\xc3", "\xc3\xa9 ??", true, 99},
	    {"a\xc3\xa9", "a", true, 2},
	    {"\xe2\x80\xae\xc2\x85\xef\xbb\xbf", "???", true, 99},
	    {"abc", "ab", true, 2},
	};
	struct buf clean, out;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		buf_init(&clean, 100);
		buf_init(&out, 100);
		text_clean(&clean, span_of(t[i].text), t[i].utf8, t[i].max);
		text_flow(&out, buf_span(&clean), " ");
		is_str(buf_cstr(&out), t[i].flow, "text %zu", i);
		buf_clear(&clean);
		buf_clear(&out);
	}
}

/* --- whatever is said --------------------------------------------------- */

static char *
noise(size_t max)
{
	static const char *const words[] = {"550", " ", "5.1.1", "\r\n", "\n",
	    "\r", "\t", "=?utf-8?Q?x?=", "\xc3\xa9", "\xff", "\x1b[0m", "--",
	    "=_1795600000.r1", "--=_1795600000.r1--\r\n", "Status: 2.0.0",
	    "a@b.example", ":", "<", ">", ";", "\"", "\\", "x", "\xe2\x80\xae",
	    "Content-Type: text/html\r\n\r\n"};
	struct buf b;
	char *s;
	size_t n = prng(40);

	buf_init(&b, max);
	if (prng(20) == 0)
		while (buf_room(&b) > 0)
			buf_putc(&b, 'y');
	while (n-- > 0)
		buf_puts(&b, words[prng(sizeof(words) / sizeof(words[0]))]);
	s = mem_strdup(buf_cstr(&b));
	buf_clear(&b);
	return s;
}

/* The fields of a block of the second part. */
static size_t
count_fields(struct span part)
{
	struct span name, body;
	size_t n = 0, blocks = 0;

	while (part.n > 0) {
		while (header_next(&part, &name, &body))
			n += name.n > 0 ? 1 : 1000;
		blocks++;
		part = span_skip(part, part.n > 1 && *part.p == '\r' ? 2 : 1);
	}
	return blocks * 100 + n;
}

static void
check_report(const struct bounce *b, struct span out, const struct mime *m)
{
	const struct mime_facts *f = mime_facts(m);
	struct span rest = out, line;
	struct leaves l;
	size_t i;

	quiet(f->parts == 4 && !f->long_line && !f->header_long_line &&
		  !f->header_eight_bit && !f->parts_eight_bit &&
		  !f->opaque_eight_bit,
	    "three parts in one, lines short, headers ASCII");
	while (span_cut(&rest, '\n', &line)) {
		quiet(line.n > 0 && line.p[line.n - 1] == '\r', "CRLF");
		for (i = 0; i + 1 < line.n; i++)
			if (((unsigned char)line.p[i] < ' ' &&
				line.p[i] != '\t') ||
			    line.p[i] == 127)
				break;
		quiet(i + 1 == line.n, "no control character");
	}
	leaves_of(out, WHOLE, &l);
	/* Of two recipients each, with all there is to say of them. */
	quiet(
	    l.n == 4 && count_fields(buf_span(&l.v[2].text)) == 300 + 3 + 2 * 8,
	    "no field more than there has to be");
	if (l.n == 4 && l.v[3].label == MIME_ABSENT)
		quiet(span_prefix(b->header, buf_cstr(&l.v[3].text)),
		    "the header as it was");
	leaves_clear(&l);
}

static void
test_noise(void)
{
	struct bounce_rcpt rcpts[2];
	struct mime_plan plan;
	struct bounce b;
	struct mime *m;
	struct buf out;
	char *said[8];
	size_t i, k;

	for (i = 0; i < 2000; i++) {
		for (k = 0; k < 8; k++)
			said[k] = noise(k == 7 ? 5000 : 3000);
		for (k = 0; k < 2; k++)
			rcpts[k] = (struct bounce_rcpt){
			    prng(2) ? BOUNCE_FAILED : BOUNCE_EXPIRED,
			    prng(2) ? "a@b" : "\xc3\xa9@b", said[k],
			    said[2 + k], said[4 + k], NULL, prng(3), 1, 0};
		b = report(rcpts, 2);
		b.message_id = b.envid = said[6];
		b.header = span_of(said[7]);
		buf_init(&out, 1024 * 1024);
		quiet(bounce_compose(&b, &out) == 0, "composed");
		m = scan(buf_span(&out), WHOLE);
		mime_plan(m, MIME_LINES | MIME_LABELS, &plan);
		quiet(!plan.changes, "fit for transport, labels true");
		check_report(&b, buf_span(&out), m);
		mime_free(m);
		buf_clear(&out);
		for (k = 0; k < 8; k++)
			free(said[k]);
	}
	ok(true, "2000 reports of noise");
}

/* A header of any length is returned up to whole fields. */
static void
test_bounds(void)
{
	static const struct bounce_rcpt rcpt = {.address = "bob@example.net"};
	struct bounce b = report(&rcpt, 1);
	struct buf header, out;
	struct leaves l;

	buf_init(&header, 1024 * 1024);
	while (header.len < 200000)
		buf_puts(&header, "X-A: b\r\n");
	buf_puts(&header, "X-Last: c\r\n\r\n");
	b.header = buf_span(&header);
	buf_init(&out, 100000);
	is_int(bounce_compose(&b, &out), 0, "of a long header");
	leaves_of(buf_span(&out), WHOLE, &l);
	is_int(l.v[3].text.len, 65536, "so much is returned");
	leaves_clear(&l);
	buf_clear(&out);
	buf_init(&out, 3000);
	is_int(bounce_compose(&b, &out), -1, "no room for it");
	buf_clear(&out);
	buf_clear(&header);
}

int
main(void)
{
	test_status();
	test_text();
	test_failed();
	test_delayed();
	test_utf8();
	test_bounds();
	test_noise();
	return done();
}

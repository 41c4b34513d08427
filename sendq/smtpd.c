/*
 * The server's side of SMTP, for one client that runs us: no network, no
 * login, nobody to relay for but the one who called.
 */

#include "smtpd.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/address.h"
#include "base/enc.h"
#include "base/mem.h"
#include "os/file.h"
#include "os/stop.h"
#include "smtpd_parts.h"

#define LINE_MAX_IN 4096 /* RFC 5321's 512, and room for extensions */
#define RCPTS_MAX 10000

/* --- lines ------------------------------------------------------------ */

void
smtpd_reply(struct smtpd *d, const char *line)
{
	struct err e;
	char *shown = span_show(span_of(line), 500);
	char *text = mem_printf("%s\r\n", shown);

	if (file_write(d->out, text, strlen(text), "the client", &e) == -1)
		d->closed = true;
	free(shown);
	free(text);
}

bool
smtpd_fill(struct smtpd *d)
{
	struct pollfd p[2] = {{.fd = d->in, .events = POLLIN},
	    {.fd = stop_fd(), .events = POLLIN}};
	char *room = buf_reserve(&d->input, SMTPD_CHUNK);
	ssize_t n = -1;

	if (room == NULL)
		return false;
	do {
		if (poll(p, 2, -1) == -1 && errno != EINTR)
			break;
		if (stop_requested())
			break;
		n = read(d->in, room, SMTPD_CHUNK);
	} while (n == -1 && (errno == EINTR || errno == EAGAIN));
	buf_commit(&d->input, n > 0 ? (size_t)n : 0);
	return n > 0;
}

/*
 * The next command, without its line end; owned by the caller; NULL: no more.
 * One that is too long comes empty, which is no command.
 */
static char *
next_line(struct smtpd *d)
{
	bool cut = false;
	struct span s;
	ptrdiff_t lf;
	char *line;

	while ((lf = span_find(buf_span(&d->input), '\n')) == -1) {
		if (buf_span(&d->input).n > LINE_MAX_IN) {
			buf_reset(&d->input);
			cut = true;
		}
		if (!smtpd_fill(d))
			return NULL;
	}
	s = span_bytes(buf_span(&d->input).p, (size_t)lf);
	d->bare = s.n == 0 || s.p[s.n - 1] != '\r';
	line = cut ? mem_strdup("") : span_dup(span_trim(s));
	buf_consume(&d->input, (size_t)lf + 1);
	return line;
}

/* --- MAIL and RCPT ---------------------------------------------------- */

/* "FROM:<a@b> SIZE=1": the address in normal form, "" for "<>", owned by the
 * caller; the parameters in *rest. NULL: it is none. */
static char *
path(const char *arg, const char *word, struct span *rest)
{
	struct span s = span_of(arg), one;
	bool quoted = false;
	struct address_walk room;
	struct address a;
	struct err e;
	size_t i;

	if (!span_prefix(s, word))
		return NULL;
	s = span_trim(span_skip(s, strlen(word)));
	for (i = 0; i < s.n && (quoted || s.p[i] != ' '); i++) {
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		else if (s.p[i] == '"')
			quoted = !quoted;
	}
	one = span_bytes(s.p, i);
	*rest = span_skip(s, i);
	if (address_one(one, &room, &a, &e) == -1 ||
	    (a.text.n > 0 && address_check(a.text, &e) == -1))
		return NULL;
	return span_dup(a.text);
}

/* xtext (RFC 3461 section 4): '+' and two digits are an octet. */
static char *
from_xtext(struct span s)
{
	struct buf out;
	struct span hex;
	char *text;
	size_t i;

	buf_init(&out, s.n);
	for (i = 0; i < s.n; i++) {
		hex = span_bytes(s.p + i + 1, 2);
		if (s.p[i] == '+' && s.n - i > 2 && dec_hex(&out, hex) == 0)
			i += 2;
		else
			buf_putc(&out, s.p[i]);
	}
	text = span_dup(buf_span(&out));
	buf_clear(&out);
	return text;
}

static bool
take_envid(struct smtpd *d, struct span value)
{
	char *text = from_xtext(value);
	size_t n = 0;

	while (text[n] >= ' ' && text[n] < 127)
		n++;
	free(d->face.envid);
	d->face.envid = text;
	return n > 0 && n <= 100 && text[n] == '\0';
}

/* Parameters of MAIL: false for one that is not known. SIZE is no promise. */
static bool
mail_parameter(struct smtpd *d, struct span name, struct span value)
{
	if (span_caseeq(name, "SIZE") || span_caseeq(name, "BODY") ||
	    span_caseeq(name, "SMTPUTF8"))
		return true;
	if (span_caseeq(name, "ENVID"))
		return take_envid(d, value);
	if (!span_caseeq(name, "RET"))
		return false;
	d->face.ret = span_caseeq(value, "FULL")   ? SMTP_RET_FULL
	              : span_caseeq(value, "HDRS") ? SMTP_RET_HDRS
	                                           : SMTP_RET_NONE;
	return d->face.ret != SMTP_RET_NONE;
}

/* Of RCPT. What is asked for one is asked for all: an envelope has but one. */
static bool
rcpt_parameter(struct smtpd *d, struct span name, struct span value)
{
	static const char *const words[] = {
	    "SUCCESS", "FAILURE", "DELAY", "NEVER"};
	static const unsigned int bits[] = {SMTP_NOTIFY_SUCCESS,
	    SMTP_NOTIFY_FAILURE, SMTP_NOTIFY_DELAY, SMTP_NOTIFY_NEVER};
	struct span word;
	unsigned int got = d->face.notify, bit;
	size_t i;

	if (span_caseeq(name, "ORCPT"))
		return true;
	if (!span_caseeq(name, "NOTIFY"))
		return false;
	while (span_cut(&value, ',', &word)) {
		for (bit = 0, i = 0; i < 4; i++)
			if (span_caseeq(word, words[i]))
				bit = bits[i];
		if (bit == 0)
			return false;
		got |= bit;
	}
	/* Who wants one report and who wants none: the one is made. */
	d->face.notify =
	    got == SMTP_NOTIFY_NEVER ? got : got & ~(unsigned)SMTP_NOTIFY_NEVER;
	return got != 0;
}

static bool
parameters(struct smtpd *d, struct span rest,
    bool (*one)(struct smtpd *, struct span, struct span))
{
	struct span word, name;

	while (span_word(&rest, &word)) {
		if (!span_cut(&word, '=', &name) || !one(d, name, word))
			return false;
	}
	return true;
}

void
smtpd_forget(struct smtpd *d)
{
	face_clear(&d->face);
	d->face.no_dot = true;
	d->face.queue_only = d->queue_only;
	d->mail = false;
}

static void
mail(struct smtpd *d, const char *arg)
{
	struct span rest;
	char *sender;

	if (!d->greeted) {
		smtpd_reply(d, "503 5.5.1 EHLO first");
		return;
	}
	if (d->mail) {
		smtpd_reply(d, "503 5.5.1 one MAIL a message");
		return;
	}
	smtpd_forget(d);
	sender = path(arg, "FROM:", &rest);
	if (sender == NULL)
		smtpd_reply(d, "501 5.1.7 MAIL FROM:<address>");
	else if (!parameters(d, rest, mail_parameter))
		smtpd_reply(d, "555 5.5.4 a parameter that is not known");
	else {
		d->face.sender = sender;
		sender = NULL;
		d->mail = true;
		smtpd_reply(d, "250 2.1.0 Ok");
	}
	free(sender);
}

static void
rcpt(struct smtpd *d, const char *arg)
{
	struct span rest;
	char *address;

	if (!d->mail) {
		smtpd_reply(d, "503 5.5.1 MAIL first");
		return;
	}
	address = path(arg, "TO:", &rest);
	if (address == NULL || *address == '\0')
		smtpd_reply(d, "501 5.1.3 RCPT TO:<address>");
	else if (!parameters(d, rest, rcpt_parameter))
		smtpd_reply(d, "555 5.5.4 a parameter that is not known");
	else if (d->face.args.n >= RCPTS_MAX)
		smtpd_reply(d, "452 4.5.3 too many recipients");
	else {
		words_add(&d->face.args, address);
		smtpd_reply(d, "250 2.1.5 Ok");
	}
	free(address);
}

/* --- commands --------------------------------------------------------- */

static void
hello(struct smtpd *d, bool extended)
{
	static const char *const extensions[] = {"250-PIPELINING",
	    "250-8BITMIME", "250-SMTPUTF8", "250-SIZE",
	    "250-ENHANCEDSTATUSCODES", "250 DSN"};
	char *line = mem_printf("250%csendq", extended ? '-' : ' ');
	size_t i;

	smtpd_forget(d);
	d->greeted = true;
	smtpd_reply(d, line);
	for (i = 0; extended && i < 6; i++)
		smtpd_reply(d, extensions[i]);
	free(line);
}

/* False: it is over. */
static bool
command(struct smtpd *d, const char *line)
{
	struct span rest = span_of(line), verb = {NULL, 0};
	const char *arg;

	(void)span_word(&rest, &verb);
	arg = rest.n > 0 ? span_trim(rest).p : "";
	if (span_caseeq(verb, "EHLO") || span_caseeq(verb, "HELO"))
		hello(d, span_caseeq(verb, "EHLO"));
	else if (span_caseeq(verb, "MAIL"))
		mail(d, arg);
	else if (span_caseeq(verb, "RCPT"))
		rcpt(d, arg);
	else if (span_caseeq(verb, "DATA"))
		smtpd_data(d);
	else if (span_caseeq(verb, "RSET")) {
		smtpd_forget(d);
		smtpd_reply(d, "250 2.0.0 Ok");
	} else if (span_caseeq(verb, "NOOP") || span_caseeq(verb, "HELP"))
		smtpd_reply(d, "250 2.0.0 Ok");
	else if (span_caseeq(verb, "VRFY"))
		smtpd_reply(d, "252 2.5.2 send it and see");
	else if (span_caseeq(verb, "QUIT")) {
		smtpd_reply(d, "221 2.0.0 bye");
		return false;
	} else
		smtpd_reply(d, "500 5.5.2 a command that is not known");
	return true;
}

int
smtpd_run(struct accept *accept, struct runner *runner, int in, int out)
{
	struct smtpd d = {
	    .accept = *accept, .runner = runner, .in = in, .out = out};
	bool more = true;
	char *line;

	d.accept.face = &d.face;
	d.queue_only = accept->face->queue_only;
	face_init(&d.face);
	buf_init(&d.input, 8 * SMTPD_CHUNK);
	smtpd_reply(&d, "220 sendq ESMTP");
	while (more && !d.closed && (line = next_line(&d)) != NULL) {
		more = command(&d, line);
		free(line);
	}
	if (more && stop_requested())
		smtpd_reply(&d, "421 4.3.2 we are to stop");
	face_clear(&d.face);
	buf_clear(&d.input);
	return 0;
}

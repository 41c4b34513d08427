/*
 * The POP3 client core: which reply belongs to which command, where a
 * multi-line reply ends, and what a refusal means.  Messages pass through in
 * pieces as large as they came.
 */

#include "proto/pop3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/mem.h"

#define LINE_BYTES_MAX ((size_t)64 * 1024)

static const char *const cmd_names[] = {
    [POP3_GREETING] = "greeting",
    [POP3_CAPA] = "CAPA",
    [POP3_STLS] = "STLS",
    [POP3_AUTH] = "AUTH",
    [POP3_USER] = "USER",
    [POP3_PASS] = "PASS",
    [POP3_STAT] = "STAT",
    [POP3_UIDL] = "UIDL",
    [POP3_LIST] = "LIST",
    [POP3_RETR] = "RETR",
    [POP3_TOP] = "TOP",
    [POP3_DELE] = "DELE",
    [POP3_NOOP] = "NOOP",
    [POP3_QUIT] = "QUIT",
};

const char *
pop3_cmd_name(enum pop3_cmd c)
{
	return cmd_names[c];
}

/* --- commands ---------------------------------------------------------- */

static void
push(struct pop3 *p, enum pop3_cmd cmd, uint32_t arg)
{
	struct pop3_pending *v;
	size_t i, cap;

	if (p->pending_n == p->pending_cap) {
		cap = p->pending_cap == 0 ? 16 : p->pending_cap * 2;
		v = mem_array(cap, sizeof(*v));
		for (i = 0; i < p->pending_n; i++)
			v[i] =
			    p->pending[(p->pending_head + i) % p->pending_cap];
		free(p->pending);
		p->pending = v;
		p->pending_head = 0;
		p->pending_cap = cap;
	}
	i = (p->pending_head + p->pending_n++) % p->pending_cap;
	p->pending[i] = (struct pop3_pending){cmd, arg};
}

static void
pop(struct pop3 *p)
{
	p->pending_head = (p->pending_head + 1) % p->pending_cap;
	p->pending_n--;
}

void
pop3_init(struct pop3 *p, struct wire *w)
{
	*p = (struct pop3){.wire = w};
	push(p, POP3_GREETING, 0);
}

void
pop3_clear(struct pop3 *p)
{
	free(p->pending);
	*p = (struct pop3){0};
}

size_t
pop3_unanswered(const struct pop3 *p)
{
	return p->pending_n;
}

uint32_t
pop3_awaited(const struct pop3 *p)
{
	return p->pending_n > 0 ? p->pending[p->pending_head].arg : 0;
}

void
pop3_send(struct pop3 *p, enum pop3_cmd cmd, uint32_t arg)
{
	int rc;

	if (arg > 0)
		rc = buf_printf(&p->wire->out, "%s %u\r\n", cmd_names[cmd],
		    (unsigned int)arg);
	else
		rc = buf_printf(&p->wire->out, "%s\r\n", cmd_names[cmd]);
	p->overrun |= rc == -1;
	push(p, cmd, arg);
}

void
pop3_send_top(struct pop3 *p, uint32_t arg, uint32_t lines)
{
	if (buf_printf(&p->wire->out, "TOP %u %u\r\n", (unsigned int)arg,
		(unsigned int)lines) == -1)
		p->overrun = true;
	push(p, POP3_TOP, arg);
}

int
pop3_send_text(
    struct pop3 *p, enum pop3_cmd cmd, const char *text, struct err *e)
{
	if (text[strcspn(text, "\r\n")] != '\0')
		return err_set(e, ERR_CONFIG, "%s: the %s holds a line break",
		    cmd_names[cmd], cmd == POP3_PASS ? "password" : "text");
	if (buf_printf(&p->wire->out, "%s %s\r\n", cmd_names[cmd], text) == -1)
		p->overrun = true;
	push(p, cmd, 0);
	return 0;
}

void
pop3_send_line(struct pop3 *p, struct span line)
{
	if (buf_add(&p->wire->out, line) == -1 ||
	    buf_puts(&p->wire->out, "\r\n") == -1)
		p->overrun = true;
}

/* --- replies ----------------------------------------------------------- */

/* What to say when the input does not suffice: 0, or an error at its end. */
static int
starved(const struct pop3 *p, struct err *e)
{
	const struct pop3_pending *c;
	char number[16] = "";

	if (!p->wire->eof || p->pending_n == 0)
		return 0;
	c = &p->pending[p->pending_head];
	if (c->cmd == POP3_GREETING)
		return err_set(e, ERR_TEMP,
		    "server closed the connection without a greeting");
	if (c->arg > 0)
		snprintf(number, sizeof(number), " %u", (unsigned int)c->arg);
	return err_set(e, ERR_TEMP, "server closed the connection %s %s%s",
	    p->in_body ? "in the middle of" : "instead of answering",
	    cmd_names[c->cmd], number);
}

/*
 * Takes a line, without its end, off the input: 1, 0 or -1.  A bare LF ends a
 * line too, but only behind CRLF may a dot end a reply.
 */
static int
take_line(struct pop3 *p, struct span *line_r, bool *crlf_r, struct err *e)
{
	struct span in = buf_span(&p->wire->in);
	ptrdiff_t lf;
	size_t n;

	if (in.n > LINE_BYTES_MAX)
		in.n = LINE_BYTES_MAX;
	if ((lf = span_find(in, '\n')) == -1) {
		if (in.n == LINE_BYTES_MAX)
			return err_set(e, ERR_PROTO,
			    "server sent a line of over %zu bytes",
			    LINE_BYTES_MAX);
		return starved(p, e);
	}
	n = (size_t)lf;
	*crlf_r = n > 0 && in.p[n - 1] == '\r';
	*line_r = (struct span){in.p, n - (*crlf_r ? 1 : 0)};
	buf_consume(&p->wire->in, n + 1);
	return 1;
}

static enum pop3_code
code_of(struct span text)
{
	static const struct {
		const char *name;
		enum pop3_code code;
	} codes[] = {
	    {"[IN-USE]", POP3_CODE_IN_USE},
	    {"[LOGIN-DELAY]", POP3_CODE_LOGIN_DELAY},
	    {"[SYS/TEMP]", POP3_CODE_SYS_TEMP},
	    {"[SYS/PERM]", POP3_CODE_SYS_PERM},
	    {"[AUTH]", POP3_CODE_AUTH},
	    {"[UTF8]", POP3_CODE_UTF8},
	};
	size_t i;

	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (span_prefix(text, codes[i].name))
			return codes[i].code;
	}
	return POP3_CODE_NONE;
}

/* An error that shows what the server said. */
static int
said(enum err_kind kind, const char *what, struct span line, struct err *e)
{
	char *shown = span_show(line, 200);

	err_set(e, kind, "%s: %s", what, shown);
	free(shown);
	return -1;
}

static int
not_pop3(struct span line, struct err *e)
{
	if (span_prefix(line, "* OK"))
		return said(ERR_PROTO, "this is an IMAP server", line, e);
	if (span_prefix(line, "220"))
		return said(
		    ERR_PROTO, "this is an SMTP or FTP server", line, e);
	return said(ERR_PROTO, "server does not speak POP3", line, e);
}

static bool
is_multi_line(const struct pop3_pending *c)
{
	return c->cmd == POP3_CAPA || c->cmd == POP3_RETR ||
	       c->cmd == POP3_TOP ||
	       ((c->cmd == POP3_UIDL || c->cmd == POP3_LIST) && c->arg == 0);
}

static int
next_reply(struct pop3 *p, struct pop3_ev *ev, struct err *e)
{
	struct span line;
	bool crlf;
	int rc;

	if ((rc = take_line(p, &line, &crlf, e)) != 1)
		return rc;
	line = span_trim(line);
	if (ev->cmd == POP3_AUTH && line.n > 0 && line.p[0] == '+' &&
	    (line.n == 1 || line.p[1] == ' ')) {
		ev->kind = POP3_EV_CONTINUE;
		ev->text = span_trim(span_skip(line, 1));
		return 1;
	}
	ev->kind = POP3_EV_REPLY;
	ev->ok = span_prefix(line, "+OK");
	if (!ev->ok && !span_prefix(line, "-ERR"))
		return not_pop3(line, e);
	ev->text = span_trim(span_skip(line, ev->ok ? 3 : 4));
	if (ev->ok && is_multi_line(&p->pending[p->pending_head])) {
		p->in_body = p->line_start = true;
		p->after_cr = false;
		return 1;
	}
	if (!ev->ok)
		ev->code = code_of(ev->text);
	pop(p);
	return 1;
}

static int
end_body(struct pop3 *p, struct pop3_ev *ev)
{
	p->in_body = false;
	pop(p);
	ev->kind = POP3_EV_END;
	return 1;
}

static int
next_line(struct pop3 *p, struct pop3_ev *ev, struct err *e)
{
	bool crlf;
	int rc;

	if ((rc = take_line(p, &ev->text, &crlf, e)) != 1)
		return rc;
	if (p->line_start && ev->text.n > 0 && ev->text.p[0] == '.') {
		ev->text = span_skip(ev->text, 1);
		if (ev->text.n == 0 && crlf)
			return end_body(p, ev);
	}
	p->line_start = crlf;
	ev->kind = POP3_EV_LINE;
	return 1;
}

/*
 * How many bytes go before the next dot at the start of a line.  Dots are
 * rarer in mail than line ends, and base64 has none at all; a line has at most
 * one that matters.
 */
static size_t
data_run(const struct pop3 *p, struct span s)
{
	const char *q = s.p, *end = s.p + s.n;

	while (q < end && (q = memchr(q, '.', (size_t)(end - q))) != NULL) {
		if (q - s.p >= 2 && q[-1] == '\n' && q[-2] == '\r')
			return (size_t)(q - s.p);
		if (q - s.p == 1 && q[-1] == '\n' && p->after_cr)
			return 1;
		if ((q = memchr(q, '\n', (size_t)(end - q))) == NULL)
			break;
	}
	return s.n;
}

static int
next_data(struct pop3 *p, struct pop3_ev *ev, struct err *e)
{
	struct span in = buf_span(&p->wire->in);
	size_t skip = 0, n;

	if (in.n == 0)
		return starved(p, e);
	if (p->line_start && in.p[0] == '.') {
		if (in.n == 1 || (in.n == 2 && in.p[1] == '\r'))
			return starved(p, e);
		if (in.p[1] == '\r' && in.p[2] == '\n') {
			buf_consume(&p->wire->in, 3);
			return end_body(p, ev);
		}
		skip = 1;
		p->after_cr = false;
	}
	in = span_skip(in, skip);
	n = data_run(p, in);
	p->line_start =
	    in.p[n - 1] == '\n' && (n > 1 ? in.p[n - 2] == '\r' : p->after_cr);
	p->after_cr = in.p[n - 1] == '\r';
	ev->kind = POP3_EV_DATA;
	ev->text = (struct span){in.p, n};
	buf_consume(&p->wire->in, skip + n);
	return 1;
}

/* Nothing was asked: silence, a good-bye, or nonsense. */
static int
next_unasked(struct pop3 *p, struct err *e)
{
	struct span line;
	bool crlf;
	int rc;

	if ((rc = take_line(p, &line, &crlf, e)) != 1)
		return rc;
	if (span_prefix(line, "-ERR"))
		return said(ERR_TEMP, "server ends the session", line, e);
	return said(ERR_PROTO, "server sent what nobody asked for", line, e);
}

int
pop3_next(struct pop3 *p, struct pop3_ev *ev, struct err *e)
{
	const struct pop3_pending *c;

	if (p->overrun)
		return err_code(e, ERR_LOCAL, EX_SOFTWARE,
		    "more commands at once than the buffer holds");
	if (p->pending_n == 0)
		return next_unasked(p, e);
	c = &p->pending[p->pending_head];
	*ev = (struct pop3_ev){.cmd = c->cmd, .arg = c->arg};
	if (!p->in_body)
		return next_reply(p, ev, e);
	if (c->cmd == POP3_RETR || c->cmd == POP3_TOP)
		return next_data(p, ev, e);
	return next_line(p, ev, e);
}

/* --- what replies say -------------------------------------------------- */

static bool
numbered(struct span *line, uint32_t *msg_r, struct span *value_r)
{
	struct span word;
	uint64_t msg;

	if (!span_word(line, &word) || !span_number(word, UINT32_MAX, &msg) ||
	    msg == 0 || !span_word(line, value_r))
		return false;
	*msg_r = (uint32_t)msg;
	return true;
}

bool
pop3_parse_uidl(struct span line, uint32_t *msg_r, struct span *uid_r)
{
	return numbered(&line, msg_r, uid_r);
}

bool
pop3_parse_list(struct span line, uint32_t *msg_r, uint64_t *size_r)
{
	struct span size;

	if (!numbered(&line, msg_r, &size))
		return false;
	if (!span_number(size, UINT64_MAX, size_r))
		*size_r = 0;
	return true;
}

/* Overload is the server's matter, whatever was asked. */
static const char *const overload[] = {
    "throttl", "backoff", "authenticated but not connected", NULL};

static bool
says_later(struct span text)
{
	static const char *const words[] = {"locked", "in use", "busy",
	    "temporar", "try again", "try later", "too many", NULL};

	return span_says(text, words);
}

/* What a -ERR means for this command when it gives no reason we know. */
static enum err_kind
kind_by_command(const struct pop3_ev *ev)
{
	switch (ev->cmd) {
	case POP3_RETR:
	case POP3_TOP:
	case POP3_DELE:
		return ERR_MESSAGE;
	case POP3_AUTH:
	case POP3_USER:
	case POP3_PASS:
		return says_later(ev->text) ? ERR_TEMP : ERR_AUTH;
	case POP3_GREETING:
	case POP3_QUIT:
		return ERR_TEMP;
	case POP3_STLS:
		return says_later(ev->text) ? ERR_TEMP : ERR_TLS;
	case POP3_CAPA:
	case POP3_STAT:
	case POP3_UIDL:
	case POP3_LIST:
	case POP3_NOOP:
		break;
	}
	return says_later(ev->text) ? ERR_TEMP : ERR_PROTO;
}

static enum err_kind
kind_of(const struct pop3_ev *ev, int *code_r)
{
	switch (ev->code) {
	case POP3_CODE_IN_USE:
	case POP3_CODE_LOGIN_DELAY:
	case POP3_CODE_SYS_TEMP:
		return ERR_TEMP;
	case POP3_CODE_SYS_PERM:
		*code_r = EX_UNAVAILABLE;
		return ERR_PROTO;
	case POP3_CODE_AUTH:
		return ERR_AUTH;
	case POP3_CODE_UTF8:
	case POP3_CODE_NONE:
		break;
	}
	return span_says(ev->text, overload) ? ERR_TEMP : kind_by_command(ev);
}

int
pop3_refused(const struct pop3_ev *ev, const char *what, struct err *e)
{
	int code = 0;
	enum err_kind kind = kind_of(ev, &code);
	char *shown = span_show(ev->text, 300);

	err_code(e, kind, code, "%s: server says: %s", what,
	    *shown != '\0' ? shown : "-ERR");
	free(shown);
	return -1;
}

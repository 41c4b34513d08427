/*
 * The SMTP and LMTP client core, inward: where a reply ends, which command it
 * belongs to, and what it means for the session.
 */

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/mem.h"
#include "proto/smtp.h"

#define LINE_BYTES_MAX ((size_t)16 * 1024) /* RFC 4954 section 4: 12,288 */
#define LINES_MAX 1000

size_t
smtp_unanswered(const struct smtp *p)
{
	return p->pending_n;
}

bool
smtp_awaits(const struct smtp *p, enum smtp_cmd *cmd_r)
{
	if (p->pending_n == 0)
		return false;
	*cmd_r = p->pending[p->pending_head].cmd;
	return true;
}

size_t
smtp_accepted(const struct smtp *p)
{
	return p->accepted_n;
}

/* --- lines ------------------------------------------------------------- */

/* What to say when the input does not suffice: 0, or an error at its end. */
static int
starved(const struct smtp *p, struct err *e)
{
	enum smtp_cmd cmd;

	if (!p->wire->eof)
		return 0;
	if (smtp_awaits(p, &cmd))
		return err_set(e, ERR_TEMP,
		    "server closed the connection %s %s",
		    p->lines > 0 || p->wire->in.len > 0
			? "in the middle of its reply to"
			: "instead of its reply to",
		    smtp_cmd_name(cmd));
	if (p->in_data)
		return err_set(e, ERR_TEMP,
		    "server closed the connection in the middle of a message");
	return 0;
}

/* Takes a line, without its end, off the input: 1, 0 or -1. */
static int
take_line(struct smtp *p, struct span *line_r, struct err *e)
{
	struct span in = buf_span(&p->wire->in);
	ptrdiff_t lf;

	if (in.n > LINE_BYTES_MAX)
		in.n = LINE_BYTES_MAX;
	if ((lf = span_find(in, '\n')) == -1) {
		if (in.n == LINE_BYTES_MAX)
			return err_set(e, ERR_PROTO,
			    "server sent a line of over %zu bytes",
			    LINE_BYTES_MAX);
		return starved(p, e);
	}
	*line_r = span_trim((struct span){in.p, (size_t)lf});
	buf_consume(&p->wire->in, (size_t)lf + 1);
	return 1;
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
unreadable(const struct smtp *p, struct span line, struct err *e)
{
	char what[100] = "server sent what nobody asked for";
	enum smtp_cmd cmd;

	if (smtp_awaits(p, &cmd) && cmd == SMTP_GREETING) {
		if (span_prefix(line, "* "))
			return said(
			    ERR_PROTO, "this is an IMAP server", line, e);
		if (span_prefix(line, "+OK"))
			return said(
			    ERR_PROTO, "this is a POP3 server", line, e);
		return said(ERR_PROTO, "server does not speak SMTP", line, e);
	}
	if (smtp_awaits(p, &cmd)) {
		strlcpy(what, "no sense in the reply to ", sizeof(what));
		strlcat(what, smtp_cmd_name(cmd), sizeof(what));
	}
	return said(ERR_TEMP, what, line, e);
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "250-text" or "250 text"; text may lack, and so may its blank. */
static bool
parse_line(
    struct span line, unsigned int *code_r, bool *more_r, struct span *text_r)
{
	uint64_t code;

	if (line.n < 3 || line.p[0] < '2' || line.p[0] > '5' ||
	    !span_number((struct span){line.p, 3}, 999, &code) ||
	    (line.n > 3 && is_digit(line.p[3])))
		return false;
	*code_r = (unsigned int)code;
	*more_r = line.n > 3 && line.p[3] == '-';
	*text_r = span_skip(line, *more_r ? 4 : 3);
	return true;
}

/* Cuts "5.1.1 " off the front, if it is of that class. */
static bool
cut_status(struct span *text, unsigned int class, struct smtp_status *status_r)
{
	struct span rest = *text, word, part;
	uint64_t v[3];
	size_t i;

	if (!span_word(&rest, &word))
		return false;
	for (i = 0; i < 3; i++) {
		if (!span_cut(&word, '.', &part) ||
		    !span_number(part, 999, &v[i]))
			return false;
	}
	if (word.n > 0 || v[0] != class)
		return false;
	*status_r = (struct smtp_status){
	    (uint16_t)v[0], (uint16_t)v[1], (uint16_t)v[2]};
	*text = rest;
	return true;
}

/* Without control characters: it goes to terminals, logs and files. */
static void
add_text(struct smtp *p, struct span text)
{
	size_t i;

	text = span_trim(text);
	if (p->text_n > 0 && p->text_n < sizeof(p->text) && text.n > 0)
		p->text[p->text_n++] = ' ';
	for (i = 0; i < text.n && p->text_n < sizeof(p->text); i++)
		p->text[p->text_n++] =
		    (unsigned char)text.p[i] < ' ' || text.p[i] == 127
			? '?'
			: text.p[i];
}

/* --- replies ----------------------------------------------------------- */

static void
accept_rcpt(struct smtp *p, uint32_t cookie)
{
	if (p->accepted_n == p->accepted_cap) {
		p->accepted_cap =
		    p->accepted_cap == 0 ? 8 : p->accepted_cap * 2;
		p->accepted = mem_resize(
		    p->accepted, p->accepted_cap, sizeof(*p->accepted));
	}
	p->accepted[p->accepted_n++] = cookie;
}

/*
 * A body is answered; in LMTP once for every recipient that was accepted
 * (RFC 2033 section 4.2), and if there was none, once.  True: that was all.
 */
static bool
body_answered(struct smtp *p, struct smtp_ev *ev)
{
	if (p->lmtp && p->accepted_n > 0) {
		ev->cookie = p->accepted[p->told++];
		if (p->told < p->accepted_n)
			return false;
	}
	p->accepted_n = p->told = 0;
	return true;
}

static bool
is_body_end(enum smtp_cmd cmd)
{
	return cmd == SMTP_DOT || cmd == SMTP_BDAT;
}

/* The reply is whole: what it does to the transaction. */
static void
settle(struct smtp *p, struct smtp_ev *ev)
{
	bool good = ev->code / 100 == 2;

	if (is_body_end(ev->cmd))
		ev->last = body_answered(p, ev);
	if (ev->cmd == SMTP_RCPT && good)
		accept_rcpt(p, ev->cookie);
	if (ev->cmd == SMTP_MAIL || (ev->cmd == SMTP_RSET && good))
		p->accepted_n = p->told = 0;
	if (ev->cmd == SMTP_DATA && ev->code / 100 == 3)
		p->in_data = true;
	if (!ev->last)
		return;
	p->pending_head = (p->pending_head + 1) % p->pending_cap;
	p->pending_n--;
}

static int
finish(struct smtp *p, struct span raw, struct smtp_ev *ev)
{
	*ev = (struct smtp_ev){.kind = SMTP_EV_REPLY,
	    .code = p->code,
	    .status = p->status,
	    .last = true,
	    .text = {p->text, p->text_n}};
	p->lines = 0;
	if (p->pending_n == 0) {
		ev->kind = SMTP_EV_UNASKED;
		ev->cmd = SMTP_NOOP;
		return 1;
	}
	ev->cmd = p->pending[p->pending_head].cmd;
	ev->cookie = p->pending[p->pending_head].cookie;
	if (ev->cmd == SMTP_AUTH && ev->code == 334) {
		ev->kind = SMTP_EV_CONTINUE;
		ev->last = false;
		ev->text = span_trim(raw); /* may be longer than our copy */
		return 1;
	}
	settle(p, ev);
	return 1;
}

static void
take_text(struct smtp *p, struct span text)
{
	struct smtp_status status;
	enum smtp_cmd cmd;

	if (p->lines > 1 && p->code / 100 == 2 && smtp_awaits(p, &cmd) &&
	    (cmd == SMTP_EHLO || cmd == SMTP_LHLO))
		smtp_caps_line(&p->caps, text, p->disabled);
	if (cut_status(&text, p->code / 100, &status) && p->status.class == 0)
		p->status = status;
	add_text(p, text);
}

int
smtp_next(struct smtp *p, struct smtp_ev *ev, struct err *e)
{
	struct span line, text;
	unsigned int code;
	bool more;
	int rc;

	if (p->overrun || p->misused)
		return err_code(e, ERR_LOCAL, EX_SOFTWARE, "%s",
		    p->overrun ? "more at once than the buffer holds"
			       : "a command was sent out of turn");
	while ((rc = take_line(p, &line, e)) == 1) {
		if (!parse_line(line, &code, &more, &text) ||
		    (p->lines > 0 && code / 100 != p->code / 100))
			return unreadable(p, line, e);
		if (p->lines++ == 0) {
			p->text_n = 0;
			p->status = (struct smtp_status){0};
		}
		p->code = code;
		if (p->lines > LINES_MAX)
			return err_set(e, ERR_PROTO,
			    "server sent a reply of over %d lines", LINES_MAX);
		take_text(p, text);
		if (!more)
			return finish(p, text, ev);
	}
	return rc;
}

/* --- what replies mean ------------------------------------------------- */

char *
smtp_show(const struct smtp_ev *ev)
{
	char *text = span_dup(ev->text), *s;
	const struct smtp_status *t = &ev->status;

	if (t->class != 0)
		s = mem_printf("%u %u.%u.%u%s%s", ev->code, t->class,
		    t->subject, t->detail, *text != '\0' ? " " : "", text);
	else
		s = mem_printf(
		    "%u%s%s", ev->code, *text != '\0' ? " " : "", text);
	free(text);
	return s;
}

static bool
has_detail(const struct smtp_ev *ev, unsigned int subject, unsigned int detail)
{
	return ev->status.class != 0 && ev->status.subject == subject &&
	       ev->status.detail == detail;
}

static bool
wants_tls(const struct smtp_ev *ev)
{
	static const char *const words[] = {"STARTTLS", NULL};

	if (ev->code == 538 || ev->code == 523)
		return true;
	return (ev->code == 530 || (ev->cmd == SMTP_AUTH && ev->code > 500)) &&
	       (has_detail(ev, 7, 10) || has_detail(ev, 7, 11) ||
		   span_says(ev->text, words));
}

/* Exchange: no passwords any more, told at the login or not before MAIL. */
static bool
wants_token(const struct smtp_ev *ev)
{
	static const char *const words[] = {"basic authentication", NULL};

	return ev->code / 100 == 5 &&
	       (has_detail(ev, 7, 139) ||
		   (has_detail(ev, 7, 30) && /* else RFC 8689: REQUIRETLS */
		       (ev->cmd == SMTP_AUTH || span_says(ev->text, words))));
}

/* Also where the login failed or was forgotten, and the mail is blamed. */
static bool
wants_login(const struct smtp_ev *ev)
{
	return ev->code == 530 || ev->code == 535 || wants_token(ev) ||
	       (ev->code == 432 && has_detail(ev, 7, 12)) ||
	       (ev->code / 100 == 5 && has_detail(ev, 7, 57)); /* Exchange */
}

static enum err_kind
kind_by_stage(enum smtp_cmd cmd)
{
	switch (cmd) {
	case SMTP_GREETING:
	case SMTP_EHLO:
	case SMTP_LHLO:
	case SMTP_HELO:
		return ERR_PROTO;
	case SMTP_STARTTLS:
		return ERR_TLS;
	case SMTP_AUTH:
		return ERR_AUTH;
	case SMTP_MAIL:
	case SMTP_RCPT:
	case SMTP_DATA:
	case SMTP_DOT:
	case SMTP_BDAT:
	case SMTP_RSET:
	case SMTP_NOOP:
	case SMTP_QUIT:
		break;
	}
	return ERR_MESSAGE;
}

enum err_kind
smtp_refusal(const struct smtp_ev *ev)
{
	if (ev->kind == SMTP_EV_UNASKED)
		return ERR_TEMP;
	if (wants_tls(ev))
		return ERR_TLS;
	if (wants_login(ev))
		return ERR_AUTH;
	return ev->code / 100 == 5 ? kind_by_stage(ev->cmd) : ERR_TEMP;
}

const char *
smtp_remedy(const struct smtp_ev *ev)
{
	if (ev->kind == SMTP_EV_UNASKED || ev->code / 100 != 5)
		return NULL;
	if (wants_tls(ev))
		return "use submissions:// or submission://";
	if (ev->cmd == SMTP_EHLO || ev->cmd == SMTP_LHLO ||
	    ev->cmd == SMTP_HELO)
		return "the keyword hello sets the name that we give";
	if (wants_token(ev))
		return "it takes no password here: set token-command";
	if (ev->cmd == SMTP_AUTH && has_detail(ev, 7, 9))
		return "it may want a password made for applications";
	return NULL;
}

int
smtp_refused(const struct smtp_ev *ev, const char *what, struct err *e)
{
	enum err_kind kind = smtp_refusal(ev);
	const char *remedy = smtp_remedy(ev);
	char *reply = smtp_show(ev), *shown = span_show(span_of(reply), 400);
	bool for_good = kind == ERR_PROTO || kind == ERR_MESSAGE;

	err_code(e, kind, for_good ? EX_UNAVAILABLE : 0,
	    "%s: server says: %s%s%s", what, shown, remedy != NULL ? ": " : "",
	    remedy != NULL ? remedy : "");
	free(shown);
	free(reply);
	return -1;
}

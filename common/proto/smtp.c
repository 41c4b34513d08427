/*
 * The SMTP and LMTP client core, outward: which command may follow which, how
 * commands and their parameters are written, and how a body is framed so that
 * nothing in it can pass for a command.  The replies are smtp_reply.c's.
 */

#include "proto/smtp.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/mem.h"

#define ADDRESS_MAX 320 /* RFC 5321 section 4.5.3.1: 64 + "@" + 255 */

#define PUT(p, ...) \
	((p)->overrun |= buf_printf(&(p)->wire->out, __VA_ARGS__) == -1)

static const struct {
	const char *name;
	unsigned int seconds;
	bool joins; /* may be sent before what precedes it is answered */
	bool leads; /* others may be sent before it is answered */
} cmds[SMTP_CMDS] = {
    [SMTP_GREETING] = {"greeting", 300, false, false},
    [SMTP_EHLO] = {"EHLO", 300, false, false},
    [SMTP_LHLO] = {"LHLO", 300, false, false},
    [SMTP_HELO] = {"HELO", 300, false, false},
    [SMTP_STARTTLS] = {"STARTTLS", 120, false, false},
    [SMTP_AUTH] = {"AUTH", 120, false, false},
    [SMTP_MAIL] = {"MAIL", 300, true, true},
    [SMTP_RCPT] = {"RCPT", 300, true, true},
    [SMTP_DATA] = {"DATA", 120, true, false},
    [SMTP_DOT] = {"end of the message", 600, false, true},
    [SMTP_BDAT] = {"BDAT", 600, true, true},
    [SMTP_RSET] = {"RSET", 120, true, true},
    [SMTP_NOOP] = {"NOOP", 120, true, false},
    [SMTP_QUIT] = {"QUIT", 5, true, false},
};

const char *
smtp_cmd_name(enum smtp_cmd c)
{
	return cmds[c].name;
}

unsigned int
smtp_seconds(enum smtp_cmd c)
{
	return cmds[c].seconds;
}

static void
push(struct smtp *p, enum smtp_cmd cmd, uint32_t cookie)
{
	struct smtp_pending *v;
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
	p->pending[i] = (struct smtp_pending){cmd, cookie};
}

void
smtp_init(struct smtp *p, struct wire *w)
{
	*p = (struct smtp){.wire = w};
	push(p, SMTP_GREETING, 0);
}

void
smtp_clear(struct smtp *p)
{
	free(p->pending);
	free(p->accepted);
	*p = (struct smtp){0};
}

/* --- commands ---------------------------------------------------------- */

bool
smtp_may_send(const struct smtp *p, enum smtp_cmd cmd)
{
	size_t newest;

	if (p->in_data || cmd == SMTP_DOT)
		return p->in_data && cmd == SMTP_DOT && !p->spoilt;
	if (p->spoilt || p->owed > 0 || cmd == SMTP_GREETING ||
	    (cmd == SMTP_BDAT && !smtp_has(&p->caps, SMTP_EXT_CHUNKING)))
		return false;
	if (p->pending_n == 0)
		return true;
	newest = (p->pending_head + p->pending_n - 1) % p->pending_cap;
	return smtp_has(&p->caps, SMTP_EXT_PIPELINING) && cmds[cmd].joins &&
	       cmds[p->pending[newest].cmd].leads;
}

/* Takes a command up, if it is its turn. */
static bool
enter(struct smtp *p, enum smtp_cmd cmd, uint32_t cookie)
{
	if (!smtp_may_send(p, cmd)) {
		p->misused = true;
		return false;
	}
	push(p, cmd, cookie);
	return true;
}

static bool
has_control(const char *s)
{
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s < ' ' || *s == 127)
			return true;
	}
	return false;
}

int
smtp_send(struct smtp *p, enum smtp_cmd cmd, const char *arg, struct err *e)
{
	if (arg != NULL && has_control(arg))
		return err_set(e, ERR_CONFIG,
		    "%s: the text holds a control character", cmds[cmd].name);
	if (!enter(p, cmd, 0))
		return 0;
	if (cmd == SMTP_EHLO || cmd == SMTP_LHLO || cmd == SMTP_HELO) {
		p->caps = (struct smtp_caps){0};
		p->lmtp = cmd == SMTP_LHLO;
	}
	PUT(p, "%s%s%s\r\n", cmds[cmd].name, arg != NULL ? " " : "",
	    arg != NULL ? arg : "");
	return 0;
}

void
smtp_send_line(struct smtp *p, struct span line)
{
	p->overrun |= buf_add(&p->wire->out, line) == -1 ||
	              buf_puts(&p->wire->out, "\r\n") == -1;
}

static bool
is_ascii(const char *s)
{
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s > 127)
			return false;
	}
	return true;
}

/* Whether it stays what it is between angle brackets on a line. */
static bool
is_contained(const char *s)
{
	bool quoted = false;

	for (; *s != '\0'; s++) {
		if (*s == '"')
			quoted = !quoted;
		else if (quoted && *s == '\\' && (s[1] == '"' || s[1] == '\\'))
			s++;
		else if (!quoted && (*s == '<' || *s == '>' || *s == ' '))
			return false;
	}
	return !quoted;
}

static int
check_address(const struct smtp *p, const char *address, struct err *e)
{
	const char *why = NULL;
	char *shown;

	if (strlen(address) > ADDRESS_MAX)
		why = "is too long";
	else if (has_control(address) || !is_contained(address))
		why = "cannot be sent as it is";
	else if (!p->utf8 && !is_ascii(address))
		why = "needs SMTPUTF8";
	if (why == NULL)
		return 0;
	shown = span_show(span_of(address), 100);
	err_code(e, ERR_MESSAGE, EX_DATAERR, "address <%s> %s", shown, why);
	free(shown);
	return -1;
}

static int
lacks(const char *what, enum smtp_ext x, struct err *e)
{
	return err_code(e, ERR_MESSAGE, EX_UNAVAILABLE,
	    "%s, and the server does not offer %s", what, smtp_ext_name(x));
}

static int
check_mail(const struct smtp *p, const struct smtp_mail *m, struct err *e)
{
	const struct smtp_caps *c = &p->caps;

	if (c->size > 0 && m->size > c->size)
		return err_code(e, ERR_MESSAGE, EX_UNAVAILABLE,
		    "the message has %ju octets, and the server takes %ju",
		    (uintmax_t)m->size, (uintmax_t)c->size);
	if (m->utf8 && !smtp_has(c, SMTP_EXT_SMTPUTF8))
		return lacks("the message needs UTF-8 in addresses or header",
		    SMTP_EXT_SMTPUTF8, e);
	if (m->eight_bit && !smtp_has(c, SMTP_EXT_8BITMIME))
		return lacks(
		    "the message has 8-bit text", SMTP_EXT_8BITMIME, e);
	if (m->require_tls && !smtp_has(c, SMTP_EXT_REQUIRETLS))
		return lacks(
		    "TLS is required all the way", SMTP_EXT_REQUIRETLS, e);
	if (m->hold > 0 && !smtp_has(c, SMTP_EXT_FUTURE))
		return lacks(
		    "the message is to be held there", SMTP_EXT_FUTURE, e);
	if (c->hold > 0 && m->hold > c->hold)
		return err_code(e, ERR_MESSAGE, EX_UNAVAILABLE,
		    "the message is to be held for %ju s, and the server holds "
		    "for %ju",
		    (uintmax_t)m->hold, (uintmax_t)c->hold);
	return 0;
}

/* RFC 3461 section 4: xtext. */
static void
put_xtext(struct smtp *p, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s > ' ' && *s < 127 && *s != '+' && *s != '=')
			PUT(p, "%c", *s);
		else
			PUT(p, "+%02X", (unsigned int)(unsigned char)*s);
	}
}

int
smtp_mail(
    struct smtp *p, const struct smtp_mail *m, uint32_t cookie, struct err *e)
{
	static const char *const rets[] = {
	    [SMTP_RET_NONE] = "",
	    [SMTP_RET_FULL] = " RET=FULL",
	    [SMTP_RET_HDRS] = " RET=HDRS",
	};

	p->utf8 = m->utf8;
	if (check_address(p, m->sender, e) == -1 || check_mail(p, m, e) == -1)
		return -1;
	if (!enter(p, SMTP_MAIL, cookie))
		return 0;
	PUT(p, "MAIL FROM:<%s>", m->sender);
	if (m->size > 0 && smtp_has(&p->caps, SMTP_EXT_SIZE))
		PUT(p, " SIZE=%ju", (uintmax_t)m->size);
	PUT(p, "%s%s%s", m->eight_bit ? " BODY=8BITMIME" : "",
	    m->utf8 ? " SMTPUTF8" : "", m->require_tls ? " REQUIRETLS" : "");
	if (m->hold > 0)
		PUT(p, " HOLDFOR=%ju", (uintmax_t)m->hold);
	if (smtp_has(&p->caps, SMTP_EXT_DSN)) {
		PUT(p, "%s", rets[m->ret]);
		if (m->envid != NULL) {
			PUT(p, " ENVID=");
			put_xtext(p, m->envid);
		}
	}
	PUT(p, "\r\n");
	return 0;
}

static void
put_notify(struct smtp *p, unsigned int notify)
{
	static const struct {
		unsigned int bit;
		const char *name;
	} words[] = {
	    {SMTP_NOTIFY_NEVER, "NEVER"},
	    {SMTP_NOTIFY_SUCCESS, "SUCCESS"},
	    {SMTP_NOTIFY_FAILURE, "FAILURE"},
	    {SMTP_NOTIFY_DELAY, "DELAY"},
	};
	const char *before = " NOTIFY=";
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if ((notify & words[i].bit) == 0)
			continue;
		PUT(p, "%s%s", before, words[i].name);
		before = ",";
	}
}

int
smtp_rcpt(
    struct smtp *p, const struct smtp_rcpt *r, uint32_t cookie, struct err *e)
{
	if (check_address(p, r->address, e) == -1)
		return -1;
	if (!enter(p, SMTP_RCPT, cookie))
		return 0;
	PUT(p, "RCPT TO:<%s>", r->address);
	if (smtp_has(&p->caps, SMTP_EXT_DSN)) {
		put_notify(p, r->notify);
		/* beyond ASCII it would be of another type (RFC 6533) */
		if (r->orcpt != NULL && is_ascii(r->orcpt)) {
			PUT(p, " ORCPT=rfc822;");
			put_xtext(p, r->orcpt);
		}
	}
	PUT(p, "\r\n");
	return 0;
}

/* --- bodies ------------------------------------------------------------ */

static void
start_body(struct smtp *p)
{
	p->line_start = true;
	p->cr = false;
}

void
smtp_data(struct smtp *p, uint32_t cookie)
{
	if (!enter(p, SMTP_DATA, cookie))
		return;
	start_body(p);
	PUT(p, "DATA\r\n");
}

void
smtp_bdat(struct smtp *p, uint64_t n, uint32_t cookie)
{
	if (!enter(p, SMTP_BDAT, cookie))
		return;
	start_body(p);
	p->owed = n;
	PUT(p, "BDAT %ju LAST\r\n", (uintmax_t)n);
}

static int
lone(struct smtp *p, struct err *e)
{
	p->spoilt = true;
	return err_code(e, ERR_MESSAGE, EX_DATAERR,
	    "the message has a CR without LF, or an LF without CR");
}

/*
 * How far the first line goes, of which a part may be all there is.  False for
 * a lone CR or LF.  A CR at the end of what there is may be one: it is held.
 */
static bool
line_length(struct smtp *p, struct span s, size_t *n_r)
{
	ptrdiff_t lf = span_find(s, '\n'), cr;
	size_t n = lf == -1 ? s.n : (size_t)lf + 1;

	cr = span_find((struct span){s.p, n}, '\r');
	if (lf != -1 ? cr == -1 || cr != lf - 1
		     : cr != -1 && (size_t)cr != n - 1)
		return false;
	p->cr = lf == -1 && cr != -1;
	p->line_start = lf != -1;
	*n_r = n;
	return true;
}

static void
put_bytes(struct smtp *p, const char *from, const char *to)
{
	p->overrun |=
	    buf_append(&p->wire->out, from, (size_t)(to - from)) == -1;
}

/* The LF that the CR held back needs is the first of these bytes, or lacks. */
static bool
release_cr(struct smtp *p, struct span *s)
{
	if (!p->cr)
		return true;
	if (s->p[0] != '\n')
		return false;
	PUT(p, "\r\n");
	p->cr = false;
	p->line_start = true;
	*s = span_skip(*s, 1);
	return true;
}

int
smtp_body(struct smtp *p, struct span s, struct err *e)
{
	const char *begun, *at, *end;
	size_t n;

	if (s.n == 0)
		return 0;
	if (!p->in_data && s.n > p->owed)
		return err_code(e, ERR_LOCAL, EX_SOFTWARE,
		    "more of a message than was announced");
	p->owed -= p->in_data ? 0 : s.n;
	if (p->spoilt || !release_cr(p, &s))
		return lone(p, e);
	if (s.n == 0)
		return 0;
	end = s.p + s.n;
	for (begun = at = s.p; at < end; at += n) {
		if (p->in_data && p->line_start && *at == '.') {
			put_bytes(p, begun, at);
			PUT(p, ".");
			begun = at;
		}
		if (!line_length(p, (struct span){at, (size_t)(end - at)}, &n))
			return lone(p, e);
	}
	if (p->cr && !p->in_data && p->owed == 0)
		return lone(p, e);
	put_bytes(p, begun, p->cr ? end - 1 : end);
	return 0;
}

size_t
smtp_body_room(const struct smtp *p)
{
	size_t room = buf_room(&p->wire->out);

	/* at worst every line is a dot, and the end needs some */
	return room < 64 ? 0 : (room - 64) / 2;
}

int
smtp_dot(struct smtp *p, uint32_t cookie, struct err *e)
{
	if (p->cr || p->spoilt)
		return lone(p, e);
	if (!enter(p, SMTP_DOT, cookie))
		return 0;
	p->in_data = false;
	PUT(p, "%s.\r\n", p->line_start ? "" : "\r\n");
	return 0;
}

#ifndef PROTO_POP3_H
#define PROTO_POP3_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "base/wire.h"
#include "proto/sasl.h"

/*
 * POP3 (RFC 1939, 2449), client side, pure: commands are appended to
 * wire.out, replies are taken from wire.in as events.  Commands may be
 * pipelined: replies come in their order.
 */
enum pop3_cmd {
	POP3_GREETING, /* not a command: what the server says first */
	POP3_CAPA,
	POP3_STLS,
	POP3_AUTH,
	POP3_USER,
	POP3_PASS,
	POP3_STAT,
	POP3_UIDL,
	POP3_LIST,
	POP3_RETR,
	POP3_TOP,
	POP3_DELE,
	POP3_NOOP,
	POP3_QUIT,
};

/* RFC 3206, 2449 response codes of a -ERR. */
enum pop3_code {
	POP3_CODE_NONE,
	POP3_CODE_IN_USE,
	POP3_CODE_LOGIN_DELAY,
	POP3_CODE_SYS_TEMP,
	POP3_CODE_SYS_PERM,
	POP3_CODE_AUTH,
	POP3_CODE_UTF8,
};

enum pop3_ev_kind {
	POP3_EV_REPLY, /* +OK or -ERR to cmd; a multi-line +OK's data follow */
	POP3_EV_LINE, /* a line of CAPA, UIDL, LIST: without CRLF and stuffing */
	POP3_EV_DATA,     /* bytes of RETR or TOP: unstuffed, CRLF as sent */
	POP3_EV_END,      /* of a multi-line reply */
	POP3_EV_CONTINUE, /* "+ ": text is the challenge, still base64 */
};

struct pop3_ev {
	enum pop3_ev_kind kind;
	enum pop3_cmd cmd; /* the command that this answers */
	uint32_t arg;      /* its message number; 0 when it has none */
	bool ok;           /* REPLY: +OK */
	enum pop3_code code;
	struct span text; /* borrowed: until the next pop3_next(), or until
			   * more is read into wire.in */
};

struct pop3_pending {
	enum pop3_cmd cmd;
	uint32_t arg;
};

struct pop3 {
	struct wire *wire;            /* borrowed */
	struct pop3_pending *pending; /* owned ring of unanswered commands */
	size_t pending_head, pending_n, pending_cap;
	bool in_body;    /* between +OK and the end of a multi-line reply */
	bool line_start; /* in_body: after CRLF, which ended +OK or a line */
	bool after_cr;   /* in_body: the last byte was a CR */
	bool overrun;    /* wire.out was full: a command is lost */
};

/* Starts by awaiting the greeting. */
void pop3_init(struct pop3 *, struct wire *);
void pop3_clear(struct pop3 *);

/*
 * Commands.  The argument of UIDL and LIST may be 0: all.  Whoever pipelines
 * looks at the room in wire.out; when it overflows, pop3_next() fails.
 */
void pop3_send(struct pop3 *, enum pop3_cmd, uint32_t arg);
/* TOP n lines. */
void pop3_send_top(struct pop3 *, uint32_t arg, uint32_t lines);
/* USER and PASS; AUTH with the mechanism and, if any, "SP initial-response".
 * ERR_CONFIG for a CR, LF or NUL in the text. */
int pop3_send_text(
    struct pop3 *, enum pop3_cmd, const char *text, struct err *);
/* A line in answer to CONTINUE: base64 text, or "*" to cancel. */
void pop3_send_line(struct pop3 *, struct span);

/* How many commands have no complete reply yet. */
size_t pop3_unanswered(const struct pop3 *);
/* The message that the reply due next is about; 0: none. */
uint32_t pop3_awaited(const struct pop3 *);

/*
 * The next event: 1; 0 when more input is needed; -1 (ERR_PROTO) when the
 * server does not speak POP3 (line over 64 KiB, no +OK/-ERR, data unasked);
 * ERR_TEMP when wire.eof cut a reply short, or for a -ERR unasked (a timeout).
 * The end of a multi-line reply is CRLF.CRLF only: a dot line between bare LFs
 * is data (RFC 1939 section 3), and so is a dot behind an unterminated line,
 * as some Exchange versions send it: only a deadline ends that reply.
 */
int pop3_next(struct pop3 *, struct pop3_ev *ev_r, struct err *);

/*
 * Parses a "number value" line of UIDL or LIST, tolerating extra blanks and
 * words.  A size that is no number ("-1") is 0: sizes are a hint only.
 */
bool pop3_parse_uidl(struct span line, uint32_t *msg_r, struct span *uid_r);
bool pop3_parse_list(struct span line, uint32_t *msg_r, uint64_t *size_r);

/*
 * The error for a -ERR: kind and exit code by response code and wording
 * (IN-USE, LOGIN-DELAY, SYS/TEMP, throttling, "authenticated but not
 * connected": 75; AUTH: 77; SYS/PERM: ERR_PROTO and 69), else by the command:
 * ERR_AUTH for the login (unless worded as busy or locked), ERR_TLS for STLS, ERR_MESSAGE for RETR, TOP and DELE, ERR_TEMP for the greeting and
 * QUIT, else ERR_PROTO.  `what` says what was tried.  Returns -1.
 */
int pop3_refused(const struct pop3_ev *, const char *what, struct err *);

const char *pop3_cmd_name(enum pop3_cmd);

#endif

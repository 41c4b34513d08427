#ifndef PROTO_SMTP_H
#define PROTO_SMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "base/wire.h"
#include "proto/smtp_caps.h"

/*
 * SMTP (RFC 5321) and LMTP (RFC 2033), client side, pure: commands and bodies
 * are appended to wire.out, replies are taken from wire.in as events, in the
 * order of the commands.  What may be sent before what is answered,
 * smtp_may_send() knows.  With CHUNKING and PIPELINING, whole transactions
 * follow each other in one flight:
 *
 *	MAIL RCPT RCPT BDAT+body RSET MAIL RCPT BDAT+body ...
 *
 * (RSET, since after a transaction that failed the next MAIL may be refused
 * as nested: RFC 3030 section 2.)  Without CHUNKING it is one turn a message:
 *
 *	body+DOT RSET MAIL RCPT RCPT DATA
 */
enum smtp_cmd {
	SMTP_GREETING, /* not a command: what the server says first */
	SMTP_EHLO,
	SMTP_LHLO, /* makes this LMTP */
	SMTP_HELO,
	SMTP_STARTTLS,
	SMTP_AUTH,
	SMTP_MAIL,
	SMTP_RCPT,
	SMTP_DATA,
	SMTP_DOT,  /* the end of a body that DATA began */
	SMTP_BDAT, /* a whole body at once: BDAT n LAST */
	SMTP_RSET,
	SMTP_NOOP,
	SMTP_QUIT,
};
#define SMTP_CMDS (SMTP_QUIT + 1)

/* An enhanced status code (RFC 3463); class 0: none. */
struct smtp_status {
	uint16_t class; /* 2, 4 or 5, as the code begins */
	uint16_t subject, detail;
};

enum smtp_ev_kind {
	SMTP_EV_REPLY,    /* to cmd */
	SMTP_EV_CONTINUE, /* 334 to AUTH: text is the challenge, in base64 */
	SMTP_EV_UNASKED,  /* no command waits: 421, or a body is not wanted */
};

struct smtp_ev {
	enum smtp_ev_kind kind;
	enum smtp_cmd cmd; /* the command that this answers */
	uint32_t cookie;   /* that command's; in LMTP at DOT and BDAT that of
			    * the RCPT whose outcome this is */
	unsigned int code; /* 200 to 599 */
	struct smtp_status status;
	bool last;        /* cmd is answered: no more replies to it */
	struct span text; /* all lines, joined by blanks, without codes; no
			   * control characters, up to SMTP_TEXT_MAX octets;
			   * borrowed until the next smtp_next() or until more
			   * is read into wire.in */
};
#define SMTP_TEXT_MAX 2000

struct smtp_pending {
	enum smtp_cmd cmd;
	uint32_t cookie;
};

struct smtp {
	struct wire *wire;     /* borrowed */
	unsigned int disabled; /* extensions not to be seen: SMTP_EXT_BIT */
	struct smtp_caps caps; /* by the last EHLO */
	bool lmtp;
	/* private */
	struct smtp_pending *pending; /* owned ring of unanswered commands */
	size_t pending_head, pending_n, pending_cap;
	uint32_t *accepted; /* owned: RCPTs of the transaction now answered */
	size_t accepted_n, accepted_cap;
	size_t told;              /* LMTP: of these, how many have an outcome */
	bool in_data;             /* 354 came: a body may go */
	uint64_t owed;            /* octets of the body to the last BDAT */
	bool line_start;          /* the body: a line begins */
	bool cr;                  /* the body: a CR is held back */
	bool spoilt;              /* the body: a lone CR or LF came */
	bool utf8;                /* the last MAIL said SMTPUTF8 */
	bool overrun;             /* wire.out was full */
	bool misused;             /* something was sent out of turn */
	unsigned int lines, code; /* of the reply now being read */
	struct smtp_status status;
	char text[SMTP_TEXT_MAX];
	size_t text_n;
};

/* Starts by awaiting the greeting. */
void smtp_init(struct smtp *, struct wire *);
void smtp_clear(struct smtp *);

/* --- commands ---------------------------------------------------------- */

/*
 * Whether a command may be sent now.  Nothing before the greeting, nor behind
 * an EHLO, STARTTLS, AUTH, DATA, NOOP or QUIT that is not answered; within a
 * body only its end; without PIPELINING nothing while anything is unanswered
 * (RFC 2920 section 3.1; Exim ends sessions over this); BDAT only where
 * CHUNKING is offered.  A command sent nevertheless is lost, and smtp_next()
 * fails.  So it does when wire.out overflows: whoever pipelines looks at its
 * room.
 */
bool smtp_may_send(const struct smtp *, enum smtp_cmd);

/*
 * All but MAIL, RCPT, DATA, DOT and BDAT.  arg: the name of EHLO, LHLO and
 * HELO; for AUTH the mechanism and, if any, " initial-response"; else NULL.
 * -1: ERR_CONFIG for a control character in it.
 */
int smtp_send(struct smtp *, enum smtp_cmd, const char *arg, struct err *);
/* A line in answer to CONTINUE: base64 text, or "*" to cancel. */
void smtp_send_line(struct smtp *, struct span);

enum smtp_ret { SMTP_RET_NONE, SMTP_RET_FULL, SMTP_RET_HDRS };
enum smtp_notify { /* bits; 0: by the server's own custom */
	SMTP_NOTIFY_SUCCESS = 1,
	SMTP_NOTIFY_FAILURE = 2,
	SMTP_NOTIFY_DELAY = 4,
	SMTP_NOTIFY_NEVER = 8, /* alone */
};

struct smtp_mail {
	const char *sender; /* borrowed; "": the null sender */
	uint64_t size;      /* of the body with CRLFs, octets; 0: not known */
	bool eight_bit;     /* the body has octets over 127 */
	bool utf8;          /* header or an address needs SMTPUTF8 */
	bool require_tls;
	uint64_t hold; /* FUTURERELEASE: not before so many seconds; 0: now */
	/* for DSN, left out where that is not offered */
	enum smtp_ret ret;
	const char *envid; /* borrowed; NULL: none; up to 100 octets */
};

struct smtp_rcpt {
	const char *address; /* borrowed */
	/* for DSN, left out where that is not offered */
	unsigned int notify; /* enum smtp_notify */
	const char *orcpt;   /* borrowed; NULL: none; the address as it was */
};

/*
 * MAIL and RCPT.  -1, and nothing is sent: ERR_MESSAGE (exit 65) for an
 * address that cannot stand on a line (control characters; angle brackets or
 * blanks outside of quotes; over 320 octets) or is not ASCII without utf8;
 * ERR_MESSAGE (exit 69) for what this server cannot take: SIZE, 8BITMIME,
 * SMTPUTF8, REQUIRETLS or FUTURERELEASE lacks.
 */
int smtp_mail(
    struct smtp *, const struct smtp_mail *, uint32_t cookie, struct err *);
int smtp_rcpt(
    struct smtp *, const struct smtp_rcpt *, uint32_t cookie, struct err *);

/* DATA.  If the reply is 354, a body and smtp_dot() have to follow. */
void smtp_data(struct smtp *, uint32_t cookie);

/*
 * BDAT n LAST (RFC 3030): the body as one chunk, n octets with its CRLFs, has
 * to follow, whatever is replied meanwhile.
 */
void smtp_bdat(struct smtp *, uint64_t n, uint32_t cookie);

/*
 * A piece of the body, of any length: dot-stuffed behind DATA, as it is
 * behind BDAT.  Lines end with CRLF only.  A lone CR or LF never leaves:
 * ERR_MESSAGE (exit 65); and since SMTP has no way to take back what was begun,
 * nothing can be sent any more, and the connection has to be dropped.  ERR_LOCAL (exit 70) when nothing awaits
 * a body, or not that much.
 */
int smtp_body(struct smtp *, struct span, struct err *);

/* How much smtp_body() can take for sure; 0: let wire.out drain first. */
size_t smtp_body_room(const struct smtp *);

/*
 * Ends the body that DATA began; a CRLF that it lacks is put there.  Also
 * right behind the 354, for a lone dot, when no recipient was accepted.  -1 as
 * smtp_body(), when the body's last octet was a CR.  The cookie comes back
 * with the reply; in LMTP the replies carry those of the RCPTs instead.
 */
int smtp_dot(struct smtp *, uint32_t cookie, struct err *);

/* --- replies ----------------------------------------------------------- */

/*
 * The next event: 1; 0 when more input is needed; -1: ERR_TEMP when wire.eof
 * cut a reply short, or for one that cannot be read (no code, or codes of
 * different kinds on its lines): what was not answered stays unknown;
 * ERR_PROTO for a line over 16 KiB or a reply of over 1,000 lines, or when
 * what greets is no SMTP server; ERR_LOCAL for misuse.  Replies that came
 * before the connection was closed are given first.
 */
int smtp_next(struct smtp *, struct smtp_ev *ev_r, struct err *);

/* How many commands have no complete reply yet. */
size_t smtp_unanswered(const struct smtp *);

/* The command to be answered next, for its time limit; false: none. */
bool smtp_awaits(const struct smtp *, enum smtp_cmd *cmd_r);

/* How many RCPTs were accepted in the transaction that is being answered. */
size_t smtp_accepted(const struct smtp *);

/* "550 5.1.1 no such user", for people and records; owned by the caller. */
char *smtp_show(const struct smtp_ev *);

/*
 * Which kind of error a reply is that is not 2xx, by stage: ERR_TEMP for 4xx
 * and what comes unasked; ERR_TLS for 530 and its kin that call for STARTTLS,
 * and for STARTTLS refused; ERR_AUTH for AUTH refused, 432 4.7.12, and where a
 * login is missed (530, 5.7.57); ERR_PROTO (exit 69) for the greeting, EHLO
 * and HELO; ERR_MESSAGE (exit 69) for the rest.
 */
enum err_kind smtp_refusal(const struct smtp_ev *);

/* What a person can do about it; static; NULL when that cannot be known. */
const char *smtp_remedy(const struct smtp_ev *);

/*
 * The error for such a reply: what was said and what to do; `what` says what
 * was tried.  Returns -1.
 */
int smtp_refused(const struct smtp_ev *, const char *what, struct err *);

const char *smtp_cmd_name(enum smtp_cmd);

/*
 * How long the whole reply to a command may take (RFC 5321 section 4.5.3.2),
 * and a piece of a body to leave.  A QUIT need not be waited for.
 */
unsigned int smtp_seconds(enum smtp_cmd);
#define SMTP_BLOCK_SECONDS 180

#endif

#ifndef PROTO_IMAP_H
#define PROTO_IMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "base/uidset.h"
#include "base/wire.h"
#include "proto/imap_lex.h"
#include "proto/imap_queue.h"
#include "proto/sasl.h"

/*
 * IMAP4rev1/rev2 (RFC 3501, 9051), client side, pure: commands are appended
 * to wire.out, responses are taken from wire.in as typed events.  Commands may
 * be pipelined.  A message body is never held: it is handed on in pieces.
 */

/* clang-format off */
/* Capabilities that the tools act on, a bit each. */
enum imap_cap {
	IMAP_CAP_IMAP4REV1, IMAP_CAP_IMAP4REV2, IMAP_CAP_STARTTLS,
	IMAP_CAP_LOGINDISABLED, IMAP_CAP_SASL_IR, IMAP_CAP_LITERAL_PLUS,
	IMAP_CAP_LITERAL_MINUS, IMAP_CAP_IDLE, IMAP_CAP_NOTIFY,
	IMAP_CAP_UIDPLUS, IMAP_CAP_MOVE, IMAP_CAP_ESEARCH, IMAP_CAP_ENABLE,
	IMAP_CAP_CONDSTORE, IMAP_CAP_QRESYNC, IMAP_CAP_COMPRESS,
	IMAP_CAP_LIST_STATUS, IMAP_CAP_LIST_EXTENDED, IMAP_CAP_SPECIAL_USE,
	IMAP_CAP_NAMESPACE, IMAP_CAP_ID, IMAP_CAP_UNSELECT,
	IMAP_CAP_MULTIAPPEND, IMAP_CAP_BINARY, IMAP_CAP_OBJECTID,
	IMAP_CAP_GMAIL, IMAP_CAP_STATUS_SIZE,
	IMAP_CAP_XAPPLEPUSHSERVICE, /* iCloud: must be asked after login */
	IMAP_CAP_XYMHIGHESTMODSEQ,  /* Yahoo: its own ways */
	IMAP_CAP_XCM,               /* NetEase: wants ID */
	IMAP_CAP_N
};

/* Tagged and untagged conditions. */
enum imap_cond { IMAP_OK, IMAP_NO, IMAP_BAD, IMAP_PREAUTH, IMAP_BYE };

/* Response codes that the tools act on (RFC 9051 7.1, 5530, 4315, ...). */
enum imap_code {
	IMAP_CODE_NONE, IMAP_CODE_OTHER, IMAP_CODE_ALERT,
	IMAP_CODE_UIDVALIDITY, IMAP_CODE_UIDNEXT, IMAP_CODE_HIGHESTMODSEQ,
	IMAP_CODE_NOMODSEQ, IMAP_CODE_READ_ONLY, IMAP_CODE_READ_WRITE,
	IMAP_CODE_PERMANENTFLAGS, IMAP_CODE_CAPABILITY, IMAP_CODE_TRYCREATE,
	IMAP_CODE_APPENDUID, IMAP_CODE_COPYUID, IMAP_CODE_MODIFIED,
	IMAP_CODE_CLOSED, IMAP_CODE_UNAVAILABLE, IMAP_CODE_INUSE,
	IMAP_CODE_AUTHENTICATIONFAILED, IMAP_CODE_AUTHORIZATIONFAILED,
	IMAP_CODE_EXPIRED, IMAP_CODE_PRIVACYREQUIRED, IMAP_CODE_CONTACTADMIN,
	IMAP_CODE_NOPERM, IMAP_CODE_LIMIT, IMAP_CODE_OVERQUOTA,
	IMAP_CODE_NONEXISTENT, IMAP_CODE_ALREADYEXISTS,
	IMAP_CODE_SERVERBUG, IMAP_CODE_NOTIFICATIONOVERFLOW,
	IMAP_CODE_BADEVENT, IMAP_CODE_UIDNOTSTICKY, IMAP_CODE_MAILBOXID,
	IMAP_CODE_COMPRESSIONACTIVE, IMAP_CODE_TOOBIG, IMAP_CODE_MESSAGELIMIT
};
/* clang-format on */

/* System flags as bits; keywords are handed on by name. */
#define IMAP_SEEN 0x01u
#define IMAP_ANSWERED 0x02u
#define IMAP_FLAGGED 0x04u
#define IMAP_DELETED 0x08u
#define IMAP_DRAFT 0x10u
#define IMAP_RECENT 0x20u

enum imap_ev_kind {
	IMAP_EV_GREETING,   /* cond OK, PREAUTH or BYE; code, text */
	IMAP_EV_STATUS,     /* untagged OK NO BAD BYE: cond, code, text */
	IMAP_EV_DONE,       /* tagged: tag, verb, cookie, cond, code, text */
	IMAP_EV_CONTINUE,   /* "+ text", when no literal was waiting for it */
	IMAP_EV_CAPABILITY, /* struct imap's caps and mechs are new */
	IMAP_EV_LIST,       /* folder, sep, attrs */
	IMAP_EV_FOLDER,     /* STATUS response: folder and its numbers */
	IMAP_EV_SEARCH,     /* uids (SEARCH or ESEARCH ALL); number: COUNT */
	IMAP_EV_EXISTS,     /* number */
	IMAP_EV_EXPUNGE,    /* number: sequence number */
	IMAP_EV_VANISHED,   /* uids; earlier: RFC 7162 (EARLIER) */
	IMAP_EV_BODY_BEGIN, /* of a BODY[...] literal: fetch (as known so far) */
	IMAP_EV_BODY_DATA,  /* text: bytes as sent */
	IMAP_EV_BODY_END,
	IMAP_EV_FETCH,   /* the FETCH response is complete: fetch */
	IMAP_EV_ENABLED, /* text: what was enabled */
	IMAP_EV_NAMESPACE /* text: prefixes in UTF-8, a NUL behind each; first the
			   * (first) personal one, be it empty; folder.sep */
};

/* What the FETCH response has said; has_* tell which items came. */
enum imap_body { IMAP_BODY_ABSENT, IMAP_BODY_NIL, IMAP_BODY_SENT };
struct imap_fetch {
	uint32_t seq;
	uint32_t uid; /* 0: not (yet) said */
	unsigned int flags;
	struct span keywords; /* blank-separated; borrowed */
	uint64_t size;        /* RFC822.SIZE; may lie */
	uint64_t modseq;
	uint64_t body_size;       /* of the literal: true */
	struct span internaldate; /* without quotes; borrowed */
	struct span emailid;      /* EMAILID or X-GM-MSGID; borrowed */
	enum imap_body body;
	bool has_flags, has_size;
};

#define IMAP_ATTR_NOSELECT 0x01u
#define IMAP_ATTR_NONEXISTENT 0x02u
#define IMAP_ATTR_NOINFERIORS 0x04u
#define IMAP_ATTR_HASCHILDREN 0x08u
#define IMAP_ATTR_SUBSCRIBED 0x10u
/* special use (RFC 6154), for later tools too */
#define IMAP_ATTR_ALL 0x0100u
#define IMAP_ATTR_ARCHIVE 0x0200u
#define IMAP_ATTR_DRAFTS 0x0400u
#define IMAP_ATTR_FLAGGED 0x0800u
#define IMAP_ATTR_JUNK 0x1000u
#define IMAP_ATTR_SENT 0x2000u
#define IMAP_ATTR_TRASH 0x4000u

struct imap_folder {
	struct span name; /* in UTF-8; borrowed until the next imap_ call */
	char sep;         /* '\0': flat */
	unsigned int attrs;
	uint32_t messages, unseen, uidnext, uidvalidity;
	uint64_t modseq;
	bool has_messages, has_uidnext, has_uidvalidity, has_modseq;
	struct span mailboxid; /* RFC 8474; borrowed; may be empty */
};

/* What a command is for; kept with its tag until it is answered. */
/* clang-format off */
enum imap_verb {
	IMAP_V_CAPABILITY, IMAP_V_STARTTLS, IMAP_V_LOGIN, IMAP_V_AUTHENTICATE,
	IMAP_V_ID, IMAP_V_ENABLE, IMAP_V_COMPRESS, IMAP_V_NAMESPACE,
	IMAP_V_LIST, IMAP_V_STATUS, IMAP_V_SELECT, IMAP_V_EXAMINE,
	IMAP_V_UNSELECT, IMAP_V_SEARCH, IMAP_V_FETCH, IMAP_V_STORE,
	IMAP_V_COPY, IMAP_V_MOVE, IMAP_V_EXPUNGE, IMAP_V_APPEND,
	IMAP_V_CREATE, IMAP_V_DELETE, IMAP_V_RENAME, IMAP_V_SUBSCRIBE,
	IMAP_V_IDLE, IMAP_V_NOTIFY, IMAP_V_NOOP, IMAP_V_LOGOUT
};
/* clang-format on */

struct imap_ev {
	enum imap_ev_kind kind;
	enum imap_cond cond;
	enum imap_code code;
	/* UIDNEXT, UIDVALIDITY, HIGHESTMODSEQ; uidvalidity of APPENDUID, COPYUID */
	uint64_t code_number;
	struct span code_args; /* behind the code's name; borrowed as text */
	const struct uidset *code_from; /* COPYUID's source; borrowed */
	/* SEARCH, VANISHED, MODIFIED, APPENDUID, COPYUID's target; borrowed */
	const struct uidset *uids;
	struct span text;    /* borrowed until the next imap_ call */
	enum imap_verb verb; /* DONE */
	uint32_t cookie;     /* DONE: as given to imap_begin() */
	uint32_t number; /* EXISTS, EXPUNGE; SEARCH: COUNT, or how many uids */
	bool earlier;    /* VANISHED */
	struct imap_fetch fetch;
	struct imap_folder folder;
};

/* A FETCH response while it is being read: private to imap_item.c. */
struct imap_item {
	unsigned int state, item, depth;
	struct imap_fetch f;
	struct buf keywords;
	char internaldate[40], emailid[256];
	unsigned int body;  /* what is to be handed out of it next */
	uint64_t body_left; /* bytes of it still in wire.in or to come there */
};

/* Its members are private but for caps, mechs, append_limit and bye. */
struct imap {
	struct wire *wire; /* borrowed */
	uint64_t caps;     /* bits by enum imap_cap */
	sasl_set mechs;
	bool caps_known;
	uint64_t append_limit; /* APPENDLIMIT (RFC 7889), octets; 0: not told */
	bool bye;              /* the server has said BYE */
	bool greeted;
	size_t eaten; /* of wire.in, by the event handed out last */
	struct imap_lex lex;
	struct imap_queue queue;
	struct imap_item item;
	struct uidset uids, from; /* of the event handed out last */
	struct buf text;          /* of the event: what had to be decoded */
};

void imap_init(struct imap *, struct wire *);
void imap_clear(struct imap *);
bool imap_has(const struct imap *, enum imap_cap);

/* Takes over what a CAPABILITY response lists. */
void imap_set_caps(struct imap *, struct span list);

/* True when folder names travel in UTF-8: a server of IMAP4rev2 alone. */
bool imap_utf8_names(const struct imap *);

/*
 * Building a command: imap_begin() writes the tag; the pieces follow, the
 * blanks and parentheses between them included; imap_end() writes CRLF.
 * Where a literal must wait for the server's "+", what follows is held back
 * and goes out by itself when the "+" has come, later commands too.  A
 * command that overruns wire.out is an error (ERR_LOCAL) of the next
 * imap_next(), which is not called between begin and end, but for a literal
 * that is written in pieces.  imap_put() takes up to 1,000 bytes at once.
 */
void imap_begin(struct imap *, enum imap_verb, uint32_t cookie);
void imap_put(struct imap *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void imap_put_astring(struct imap *, struct span); /* quoted, or a literal */
void imap_put_folder(struct imap *, struct span utf8); /* modified UTF-7 */
void imap_put_uids(struct imap *, const struct uidset *);
void imap_end(struct imap *);

/* A whole command without strings: begin, put, end. */
void imap_command(struct imap *, enum imap_verb, uint32_t cookie,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/*
 * A literal of n octets, announced between imap_begin() and imap_end(), and
 * then written by imap_put_data() in pieces of at most imap_room() octets, with
 * imap_next() in between: for messages of any size.  With `wait`, and where the
 * server has neither LITERAL+ nor, up to 4096 octets, LITERAL- (RFC 7888),
 * imap_room() is 0 until the server's "+" has come.  eight: a literal8 (RFC
 * 3516), which may hold NULs; the server must have BINARY.
 *
 * The command may be answered before it is ended: when imap_writing() is then
 * false, the server has refused the literal, and nothing more is to be put;
 * else the rest must follow, imap_end() included, as if nothing had been said.
 */
void imap_put_literal(struct imap *, uint64_t n, bool eight, bool wait);
void imap_put_data(struct imap *, struct span);
size_t imap_room(const struct imap *);
bool imap_writing(const struct imap *);

/* A line outside any command: SASL answers, "DONE". */
void imap_send_line(struct imap *, struct span);

/* Commands sent and not yet answered by a tagged response. */
size_t imap_unanswered(const struct imap *);

/*
 * The oldest of them, which is the one that the server is at: what it says
 * untagged belongs to that, if servers answer in the order they were asked.
 * False when there is none.
 */
bool imap_oldest(
    const struct imap *, enum imap_verb *verb_r, uint32_t *cookie_r);

/* The bit of a system flag ("\\Seen": IMAP_SEEN), in any case; 0: it is none. */
unsigned int imap_flag(struct span);

/*
 * The next event: 1; 0 when more input is needed; -1: ERR_PROTO (not IMAP:
 * a response line over 1 MiB, a literal outside a body over 64 KiB, nesting
 * over 32, junk where the grammar has a token) or ERR_TEMP (wire.eof, or BYE
 * unasked, with the server's words).  Unknown responses are skipped.
 */
int imap_next(struct imap *, struct imap_ev *ev_r, struct err *);

/*
 * The error for a NO, BAD or BYE, kind and exit code by response code (RFC
 * 5530) and well-known wording; `what` says what was tried.  Returns -1.
 */
int imap_refused(const struct imap_ev *, const char *what, struct err *);

#endif

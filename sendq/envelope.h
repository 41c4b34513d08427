#ifndef SENDQ_ENVELOPE_H
#define SENDQ_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "base/uidset.h"

/*
 * What sendq knows of a message besides its bytes: the text of ID.env (see
 * sendq.spool(5)), read and written. Pure.
 *
 * The first part is written once and never changes:
 *
 *	sendq 1
 *	created 1764104000
 *	account work
 *	sender ada@example.org
 *	...
 *	rcpt bob@example.net
 *	rcpt carol@example.org
 *	end
 *
 * Then the history, a line for each thing that happened, only ever appended:
 *
 *	1764104002 sending 1:2 .
 *	1764104003 sent 1 250 2.0.0 Ok: queued as 4bZ .
 *	1764104003 deferred 2 1764104063 450 4.2.0 try again .
 *
 * What is true now is the replay of that. A line that lacks its final " ." is
 * one that a crash cut off, as is one with a NUL in it: it is ignored. In both
 * parts, control characters, '%', and a '.' behind a blank stand as %XX, so
 * that nothing a server or a caller says can begin a line or end one, not even
 * where the line is cut off. Recipients are numbered from 1.
 *
 * RCPT_SENT is for ever; RCPT_FAILED is left through EVENT_RETRY alone (or a
 * late word of the server that it was sent after all).
 */
enum rcpt_state {
	RCPT_WAITING, /* to be tried at or after `next` */
	RCPT_SENDING, /* in doubt: handed over, no reply known */
	RCPT_SENT,    /* the server has it */
	RCPT_FAILED,  /* will not be tried again */
};

struct rcpt {
	char *address;  /* owned; "local@domain" as the server is told */
	char *original; /* owned; as it was given (ORCPT); NULL: the same */
	enum rcpt_state state;
	unsigned int attempts; /* outcomes so far, those in doubt included;
	                        * EVENT_RETRY of a failed one: anew from 0 */
	int64_t next;          /* not before; seconds */
	int64_t since;         /* the last event about it; seconds; 0: none */
	bool uncertain;        /* an earlier copy may have arrived */
	bool reported;         /* its failure was told to the sender */
	char *reply; /* owned; the server's last words, or ours; NULL */
};

struct envelope {
	int64_t created; /* seconds since 1970, as are all times here */
	char *account;   /* owned; the send section's name */
	char *server;    /* owned; a URL: there was no section; else NULL */
	char *sender;    /* owned; "": the null sender */
	uint64_t size;   /* octets of ID.eml */
	bool eight_bit;  /* its body has octets over 127 */
	bool utf8;       /* header or addresses need SMTPUTF8 */
	bool is_signed;  /* its body must not be changed */
	bool report;     /* is itself a report: none is made of it */
	bool require_tls;
	unsigned int notify; /* enum smtp_notify bits; 0: none asked for */
	int ret;             /* enum smtp_ret */
	char *envid;         /* owned; NULL: none */
	char *message_id;    /* owned; with its brackets */
	char *subject;       /* owned; unfolded, for lists; NULL */
	char *bcc;           /* owned; what was taken out, for the sent copy */
	int64_t hold_until;  /* FUTURERELEASE asked of the server; 0: no */
	struct rcpt *rcpts;  /* owned */
	size_t n_rcpts;

	/* of both: at first --at, --delay, undo; by the history --retry-now */
	int64_t due; /* not before */

	/* of the history */
	bool held;     /* --hold, or `uncertain hold` */
	bool warned;   /* the sender was told that it is late */
	char *copying; /* owned; the sent copy's name, begun, or done; NULL */
	bool copied;   /* and it is in its place */
	int64_t copying_at; /* when that name was recorded */
	char *reporting;    /* owned; a report's name, begun and not yet in its
	                    * place; NULL */
	int64_t reporting_at;
	unsigned int reports; /* how often it was told that someone failed */
	int64_t last;         /* time of the last event; created when none */
	size_t history;       /* where the history begins, octets */
};

void envelope_init(struct envelope *);
void envelope_clear(struct envelope *);
struct rcpt *envelope_add_rcpt(
    struct envelope *, const char *address, const char *original);

/* The first part, with its `end`, appended. -1: over the buffer's limit. */
int envelope_format(const struct envelope *, struct buf *out);

/*
 * Reads a whole .env and replays its history. -1: ERR_LOCAL (EX_DATAERR) when
 * the first part is not whole or of a newer format; *env is then cleared.
 * Unknown words in the history are skipped.
 */
int envelope_parse(struct span text, struct envelope *, struct err *);

/* --- the history ------------------------------------------------------- */

enum event {
	EVENT_SENDING,   /* rcpts */
	EVENT_UNSENT,    /* rcpts: for sure not handed over; as before */
	EVENT_SENT,      /* rcpts, text */
	EVENT_DEFERRED,  /* rcpts, at, text */
	EVENT_UNCERTAIN, /* rcpts, at, text: handed over perhaps; try again */
	EVENT_FAILED,    /* rcpts, text */
	EVENT_RETRY,     /* at: WAITING and FAILED ones are due then; holds
	                  * are left */
	EVENT_HOLD,
	EVENT_RELEASE,
	EVENT_COPYING, /* text: name */
	EVENT_COPIED,
	EVENT_REPORTING, /* text: name */
	EVENT_REPORTED,  /* rcpts */
	EVENT_WARNED,    /* ends EVENT_REPORTING, as EVENT_REPORTED does */
};
#define EVENTS (EVENT_WARNED + 1)

struct history {
	int64_t time; /* seconds */
	enum event event;
	struct uidset rcpts; /* owned; empty where it has none */
	int64_t at;
	struct span text; /* borrowed; decoded where read, raw to be encoded */
};

/* Appends the line, "\n" included. -1: over the buffer's limit. */
int history_format(const struct history *, struct buf *out);

/*
 * Reads a line, without its "\n": 1, and *h is to be cleared; 0 for one that
 * is torn or unknown. The text is decoded into *scratch, whose limit is no
 * less than the line, and borrowed from there.
 */
int history_parse(struct span line, struct buf *scratch, struct history *);
void history_clear(struct history *);
const char *event_name(enum event);

/* What the event does to the envelope: the one place that knows. */
void envelope_apply(struct envelope *, const struct history *);
/* The same for every line of the text. */
void envelope_replay(struct envelope *, struct span text);

/* Text as it stands in both parts; a NUL becomes '?'. -1: over the limit. */
int envelope_encode(struct buf *out, struct span);
/* Cuts the final " ." off a line (without "\n"); false: it is torn. */
bool envelope_whole(struct span *line);

/* --- what follows from it ---------------------------------------------- */

/* The recipients in one state. Adds to *set. */
void envelope_rcpts(
    const struct envelope *, enum rcpt_state, struct uidset *set);

/* WAITING recipients whose time has come (nothing when held). */
void envelope_due(const struct envelope *, int64_t now, struct uidset *set);

/*
 * When something is to be done next; INT64_MAX: never by itself. A time that
 * has passed when a recipient is SENDING (someone is at it, or a crash has to
 * be mended) or all are settled (and the message has not been cleared away).
 */
int64_t envelope_next(const struct envelope *);

/* From when on its age counts: what is scheduled, here or there, is not late
 * before. */
int64_t envelope_born(const struct envelope *);

/* Whether every recipient is SENT or FAILED. */
bool envelope_finished(const struct envelope *);

/* "queued", "scheduled", "sending", "deferred", "held", "uncertain", "failed",
 * "sent": the message as a whole, for lists. */
const char *envelope_state(const struct envelope *, int64_t now);

#endif

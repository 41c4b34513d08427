#ifndef SENDQ_LEDGER_H
#define SENDQ_LEDGER_H

#include <stdint.h>

#include "queue.h"

/*
 * The spool's log: what became of every message, a line a recipient, kept when
 * the message is gone:
 *
 *	1764104003 6925c0a0-3f9ac1b2 work ada@example.org bob@example.net
 *	    sent 250 2.0.0 Ok: queued as 4bZ
 *
 * (on one line): time, ID, account, sender ("<>": the null sender), recipient,
 * outcome, and the rest is the server's words. Control characters, '%', and
 * blanks in all but the words stand as %XX. Over 8 MB it becomes log.old.
 */
struct ledger {
	const struct queue *queue; /* borrowed */
	int fd;
};

/* Opens it for appending; others wait until it is closed. */
int ledger_open(struct ledger *, const struct queue *, struct err *);
void ledger_close(struct ledger *);

/*
 * A line for each recipient of the message: "sent" or "failed", and with
 * `removed` for the others "removed". A line that stands at the end of the log
 * already is left out.
 */
int ledger_add(
    struct ledger *, const struct message *, bool removed, struct err *);
int ledger_sync(struct ledger *, struct err *);

/* A line, as it is read. */
enum ledger_field {
	LEDGER_TIME, /* decimal */
	LEDGER_ID,
	LEDGER_ACCOUNT,
	LEDGER_SENDER,
	LEDGER_RCPT,
	LEDGER_OUTCOME,
	LEDGER_WORDS, /* may be empty */
};
#define LEDGER_FIELDS (LEDGER_WORDS + 1)

struct ledger_line {
	int64_t time;
	char *fields[LEDGER_FIELDS]; /* owned; decoded */
};

/* 1, and it is to be cleared; 0: it is none. Pure. */
int ledger_parse(struct span line, struct ledger_line *);
void ledger_line_clear(struct ledger_line *);

#endif

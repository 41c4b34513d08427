#ifndef SENDQ_SMTPD_PARTS_H
#define SENDQ_SMTPD_PARTS_H

#include "smtpd.h"

/* What smtpd.c and smtpd_data.c share, and nobody else. */
#define SMTPD_CHUNK 16384

struct smtpd {
	struct accept accept;  /* a copy: its face is ours */
	struct face face;      /* what the transaction says so far */
	struct runner *runner; /* borrowed */
	bool queue_only;       /* -odq */
	int in, out;
	struct buf input;   /* owned */
	bool bare;          /* the last line ended in LF alone */
	bool greeted, mail; /* EHLO or HELO, MAIL were good */
	bool closed;        /* no more to read, or nobody to write to */
};

/* A line; one that is longer than any should be is cut off. */
void smtpd_reply(struct smtpd *, const char *line);

/* More input: false at its end and on a stop. */
bool smtpd_fill(struct smtpd *);

/* The transaction is over, one way or another. */
void smtpd_forget(struct smtpd *);

/* DATA: the message, and the reply that it gets. */
void smtpd_data(struct smtpd *);

#endif

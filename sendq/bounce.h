#ifndef SENDQ_BOUNCE_H
#define SENDQ_BOUNCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

/*
 * A report to the sender about recipients that a message did not reach
 * (RFC 3464, as multipart/report of RFC 6522), for people and for programs.
 * Pure. Times are seconds since 1970; text is borrowed; NULL or 0 is left out
 * where that is said.
 */
enum bounce_action {
	BOUNCE_FAILED,
	BOUNCE_EXPIRED, /* failed too: it was tried until the time was up */
	BOUNCE_DELAYED,
};

struct bounce_rcpt {
	enum bounce_action action;
	const char *address;  /* as the server was told */
	const char *original; /* as it was given (ORCPT); NULL: the same */
	const char *reply;    /* what was said last: "550 5.1.1 no such user",
	                       * or, without a code, our own words; NULL */
	const char *server;   /* who said it, or was to; NULL */
	const char *advice;   /* what a person can do; NULL: by the status */
	unsigned int attempts;
	int64_t last;  /* the last one; 0: none */
	int64_t until; /* DELAYED: when it will be given up; 0: not known */
};

struct bounce {
	const char *id;         /* unique: letters, digits, '.', '-', '_' */
	const char *host;       /* this machine's name: it reports */
	const char *to;         /* the message's sender */
	const char *envid;      /* the message's ENVID; NULL */
	const char *queue_id;   /* its name in the queue; NULL */
	const char *message_id; /* its Message-ID, with brackets; NULL */
	int64_t arrived;        /* when it was accepted */
	int64_t now;
	int zone;           /* of all dates: minutes east of Greenwich */
	struct span header; /* the message's: no more is returned of it, and
	                     * of this BOUNCE_HEADER_MAX octets */
	const struct bounce_rcpt *rcpts;
	size_t n;
};
#define BOUNCE_HEADER_MAX (64 * 1024)

/*
 * Appends the report, from Return-Path on. Lines end in CRLF, and are under
 * 998 octets. What others said cannot add a line or field to it. ASCII, unless
 * an address is not, when RFC 6533's forms are used, or what is shown to
 * people. -1: over the buffer's limit; then it holds a part.
 *
 * A status that the server did not give is made of its reply's code, else
 * 5.0.0, 4.4.7 where the time was up, 4.0.0 while it is not.
 */
int bounce_compose(const struct bounce *, struct buf *out);

/* The room for a status: "5.1.1". */
#define BOUNCE_STATUS 16
void bounce_status(const struct bounce_rcpt *, char status_r[BOUNCE_STATUS]);

/* Whether a server's answer is what was said last. */
bool bounce_answered(const struct bounce_rcpt *);

/* The part for people, without its header. (bounce_say.c) */
int bounce_say(const struct bounce *, struct buf *out);

/* The message's subject, made harmless; nothing if it has none. */
#define BOUNCE_SUBJECT_MAX 200
int bounce_subject(const struct bounce *, struct buf *out);

#endif

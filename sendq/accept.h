#ifndef SENDQ_ACCEPT_H
#define SENDQ_ACCEPT_H

#include <stdio.h>

#include "face.h"
#include "options.h"
#include "queue.h"

/*
 * A message on its way from a descriptor into the queue. What it owns of the
 * caller's wishes stands in the face; what the account says in the send
 * section, which is chosen by the message's sender.
 */
struct accept {
	const struct face *face;  /* borrowed */
	const struct send *sends; /* borrowed */
	size_t n_sends;
	struct queue *queue; /* borrowed; NULL for accept_show() */
	int64_t due; /* of what was accepted: when a runner of ours is to look
	              * for it, in seconds; INT64_MAX: it is left to others */
};

/*
 * Reads fd to its end (or to the lone dot), makes the message legal and
 * durable: 0, and *send_r is its account, id_r its name. -1: nothing is left;
 * ERR_MESSAGE (65) for what can never be sent, with line and reason;
 * ERR_CONFIG without an account; ERR_LOCAL for the spool. Uses no more memory
 * than the header needs.
 */
int accept_message(struct accept *, int fd, const struct send **send_r,
    char id_r[QUEUE_ID], struct err *);

/*
 * --dry-run: shows account, envelope and the message as it would go (but for
 * the CRs at its lines' ends) on out, and keeps nothing. As accept_message().
 */
int accept_show(struct accept *, int fd, FILE *out, struct err *);

/*
 * -bv: shows what the addresses come to, a line each. -1: ERR_MESSAGE or
 * ERR_CONFIG for one that comes to nothing.
 */
int accept_verify(struct accept *, FILE *out, struct err *);

#endif

#ifndef PROTO_IMAP_QUEUE_H
#define PROTO_IMAP_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"
#include "base/wire.h"

/*
 * Commands on their way: those not yet answered, and the bytes that must wait
 * because a literal before them waits for the server's "+" (RFC 9051 section
 * 4.3).
 */
struct imap_cmd {
	uint32_t tag;
	int verb;
	uint32_t cookie;
	uint64_t end; /* place in the stream of commands where it ends */
};

struct imap_queue {
	struct wire *wire;  /* borrowed */
	struct imap_cmd *v; /* owned: those not answered, oldest first */
	size_t n, cap;
	uint32_t tag;    /* of the newest */
	struct buf held; /* put, but not yet to be sent */
	uint64_t put;    /* length of the stream so far, held included */
	uint64_t *stops; /* owned: where in it a "+" must come first */
	size_t stops_n, stops_cap;
	bool open; /* the newest command is not yet ended */
	bool dead; /* ... and was answered: what is put goes nowhere */
	bool full; /* something was too long and is lost */
};

void imap_queue_init(struct imap_queue *, struct wire *);
void imap_queue_clear(struct imap_queue *); /* wipes: it saw passwords */

/* Takes up a new command; its tag is then queue->tag. */
void imap_queue_begin(struct imap_queue *, int verb, uint32_t cookie);
void imap_queue_put(struct imap_queue *, struct span);
void imap_queue_stop(struct imap_queue *); /* what follows awaits a "+" */
void imap_queue_end(struct imap_queue *);

/* A "+" has come.  False when nothing waits for it. */
bool imap_queue_go(struct imap_queue *);

/*
 * A command is answered and leaves the queue; what of it was still held is
 * dropped, for the server does not want it.  One that is still being written
 * is dead then; but if none of it was held, the rest must go out all the same.
 * -1 for a tag that is not in the queue or of which nothing was sent.
 */
int imap_queue_answered(
    struct imap_queue *, uint32_t tag, struct imap_cmd *cmd_r);

#endif

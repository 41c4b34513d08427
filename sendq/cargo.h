#ifndef SENDQ_CARGO_H
#define SENDQ_CARGO_H

#include <sys/types.h>

#include "proto/smtp.h"
#include "queue.h"

/*
 * A message as one server can take it: its own bytes, or such as a server
 * without 8BITMIME takes; and addresses without SMTPUTF8 as far as they can
 * do without.
 */
struct cargo {
	const struct envelope *env; /* borrowed */
	int fd;                     /* owned when recoded */
	bool recoded;
	uint64_t size;  /* octets of the body, with its CRLFs */
	bool eight_bit; /* BODY=8BITMIME */
	bool utf8;      /* SMTPUTF8: the header or a local part needs it */
	char *sender;   /* owned */
};

/*
 * Borrows the message, whose body is open.  -1: ERR_MESSAGE (exit 69) when the
 * server lacks what the message cannot do without; ERR_LOCAL for files.  It
 * may be closed then, too, as when zeroed.
 */
int cargo_open(
    struct cargo *, struct message *, const struct smtp_caps *, struct err *);
void cargo_close(struct cargo *);

/* As the server is told; owned by the caller.  -1: ERR_MESSAGE. */
int cargo_address(
    const struct cargo *, const char *address, char **r, struct err *);

/*
 * Reads at most n octets of the body from that offset on: how many, and -1 for
 * an error (ERR_LOCAL).  The file's end before `size` is ERR_MESSAGE.
 */
ssize_t cargo_read(
    const struct cargo *, uint64_t offset, char *, size_t n, struct err *);

#endif

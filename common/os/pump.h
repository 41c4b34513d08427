#ifndef OS_PUMP_H
#define OS_PUMP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/wire.h"
#include "os/tls.h"

/*
 * Moves bytes between a wire and a socket, through TLS and deflate when they
 * are on, and owns every deadline.
 */
struct deflate;

struct pump {
	struct wire *wire;      /* borrowed */
	int fd;                 /* owned */
	struct tls *tls;        /* owned; NULL: plain */
	struct deflate *z;      /* owned; NULL: not compressed */
	int64_t timeout;        /* ms without progress before ERR_TEMP */
	const char *peer;       /* borrowed: "imap.example.org:993", for texts */
	int stop_fd;            /* readable: PUMP_STOP; -1: none */
	int wake_fd;            /* readable: PUMP_WAKE; -1: none */
	bool secret;            /* trace shows "***" for lines we send */
	bool trace;             /* log_wire() every line */
	uint64_t bytes_in, bytes_out; /* on the socket */
};

enum pump_result {
	PUMP_MOVED,  /* wire.in grew, or wire.eof was set */
	PUMP_IDLE,   /* nothing came until `deadline` */
	PUMP_STOP,   /* stop_fd is readable */
	PUMP_WAKE,   /* wake_fd is readable */
};

void pump_init(struct pump *, int fd, struct wire *, const char *peer,
    int64_t timeout);
void pump_clear(struct pump *); /* closes */

/* TLS handshake, to its end.  wire.in must be empty (else ERR_TLS). */
int pump_tls(struct pump *, struct tls_config *, const char *host,
    struct err *);

/* Deflates from here on (RFC 4978); what is in wire.in already is inflated. */
int pump_deflate(struct pump *, struct err *);

/*
 * Sends what is in wire.out and waits for input.  Writing and reading go on at
 * once, so that long pipelines cannot deadlock.  Returns at the first of the
 * results above; deadline in clock_ms() terms, 0: none but the timeout.
 * When wire.in is full it only writes.  -1: ERR_TEMP (reset, time-out with
 * "no answer from PEER for 60 s"), ERR_TLS, ERR_PROTO (inflate).
 */
int pump_wait(struct pump *, int64_t deadline, enum pump_result *result_r,
    struct err *);

/* As pump_wait(), but never blocks: moves what can be moved now. */
int pump_poll(struct pump *, enum pump_result *result_r, struct err *);

/* Sends what is in wire.out; returns when it is all written or failed. */
int pump_flush(struct pump *, struct err *);

#endif

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
struct pump_trace;

struct pump {
	struct wire *wire; /* borrowed */
	int fd;            /* owned; a socket */
	struct tls *tls;   /* owned; NULL: plain */
	struct deflate *z; /* owned; NULL: not compressed */
	int64_t timeout;   /* ms without progress before ERR_TEMP */
	const char *peer;  /* borrowed: "imap.example.org:993", for texts */
	int stop_fd;       /* readable: PUMP_STOP; -1: none */
	int wake_fd;       /* readable: PUMP_WAKE; -1: none */
	bool secret;       /* trace shows "***" for lines we send */
	bool trace;        /* log_wire() every line, bodies cut short */
	uint64_t bytes_in, bytes_out; /* compressed, but before TLS */

	/* private */
	struct buf zin, zout;     /* compressed bytes on their way */
	bool held;                /* inflated bytes wait for room in wire.in */
	bool ended;               /* the socket has no more */
	short read_on, write_on;  /* what TLS wants poll(2) to say first */
	struct pump_trace *lines; /* owned */
};

enum pump_result {
	PUMP_MOVED, /* wire.in grew, wire.out shrank, or wire.eof was set */
	PUMP_IDLE,  /* nothing moved until `deadline` */
	PUMP_STOP,  /* stop_fd is readable: set it to -1 to go on */
	PUMP_WAKE,  /* wake_fd is readable */
};

void pump_init(
    struct pump *, int fd, struct wire *, const char *peer, int64_t timeout);
void pump_clear(struct pump *); /* closes; wipes what is private */

/*
 * TLS handshake, to its end.  ERR_TLS, ERR_TEMP; also ERR_TLS when wire.in
 * is not empty: someone spoke before the handshake.
 */
int pump_tls(
    struct pump *, struct tls_config *, const char *host, struct err *);

/*
 * Deflates from here on (RFC 4978); what is in wire.in already is inflated.
 * wire.out must have been sent.
 */
int pump_deflate(struct pump *, struct err *);

/*
 * Sends what is in wire.out and waits for input.  Writing and reading go on at
 * once, so that long pipelines cannot deadlock.  Returns at the first of the
 * results above, so a caller looks at its input and calls again.  deadline in
 * clock_ms() terms; with one, waiting for input is no time-out; 0: none.
 * When wire.in is full it only writes, and returns at once when there is
 * nothing to write.  -1: ERR_TEMP (reset, end of input met before, time-out
 * with "no answer from PEER for 60 s"), ERR_TLS, ERR_PROTO (inflate).
 */
int pump_wait(
    struct pump *, int64_t deadline, enum pump_result *result_r, struct err *);

/* As pump_wait(), but never blocks: PUMP_IDLE when nothing can be moved. */
int pump_poll(struct pump *, enum pump_result *result_r, struct err *);

/*
 * Sends what is in wire.out, reading meanwhile; returns when it is all
 * written or failed.  Heeds neither stop_fd nor wake_fd.
 */
int pump_flush(struct pump *, struct err *);

#endif

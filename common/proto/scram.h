#ifndef PROTO_SCRAM_H
#define PROTO_SCRAM_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

/* SCRAM (RFC 5802, 7677), client side: used by proto/sasl alone. */
enum scram_hash { SCRAM_SHA_1, SCRAM_SHA_256 };

/* Whether the exchange is tied to the TLS channel (RFC 5802 section 6). */
enum scram_binding {
	SCRAM_CANNOT,    /* "n": this end cannot */
	SCRAM_UNOFFERED, /* "y": it could, the server did not offer it */
	SCRAM_EXPORTER,  /* "p=tls-exporter" (RFC 9266) */
	SCRAM_END_POINT, /* "p=tls-server-end-point" (RFC 5929) */
};

struct scram;

/*
 * All is copied.  `data` is the channel binding's, empty for the first two
 * kinds; `nonce` is 18+ random printable characters without a comma.
 */
struct scram *scram_new(enum scram_hash, enum scram_binding, struct span data,
    const char *user, const char *password, const char *nonce);
void scram_free(struct scram *); /* wipes its secrets; NULL is accepted */

/*
 * Appends the answer to the challenge; the first challenge is not looked at.
 * 0, or -1 as sasl_step().
 */
int scram_step(
    struct scram *, struct span challenge, struct buf *out, struct err *);

/* Appends a saslname: ',' and '=' escaped (section 5.1).  -1: *out is full. */
int scram_put_name(struct buf *out, struct span);

/* 0 once the server has proved itself, else -1: ERR_AUTH. */
int scram_finish(const struct scram *, struct err *);

#endif

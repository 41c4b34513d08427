#ifndef OS_DEFLATE_H
#define OS_DEFLATE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

/* Raw deflate in both directions (RFC 1951), for IMAP COMPRESS (RFC 4978). */
struct deflate;
struct deflate *deflate_new(void);
void deflate_free(struct deflate *);

/* Compresses all of `in` and flushes; appends to *out. -1: over its limit. */
int deflate_out(
    struct deflate *, struct span in, struct buf *out, struct err *);

/*
 * Inflates from *in, consuming, into *out until *in is used up or *out is
 * full.  More may be held inside: call again when there is room.  ERR_PROTO.
 */
int deflate_in(struct deflate *, struct buf *in, struct buf *out, struct err *);

#endif

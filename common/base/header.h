#ifndef BASE_HEADER_H
#define BASE_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <sha2.h>

#include "base/buf.h"
#include "base/span.h"

/*
 * Access to the header of a message (RFC 5322 section 2.2), whatever its line
 * ends and however malformed.  Never rejects.
 */

/*
 * Walks the fields: *rest starts as the header's bytes.  name_r is without
 * the colon (empty for a line that is no field), body_r still folded, without
 * the last line end.  False at the end or at the empty line.
 */
bool header_next(struct span *rest, struct span *name_r, struct span *body_r);

/* The first field of that name (any case); false when there is none. */
bool header_find(struct span header, const char *name, struct span *body_r);

/*
 * Appends the body unfolded: a fold with the blanks around it becomes one
 * space, blanks at both ends are dropped; no CR or LF is left.  -1 when the
 * buffer's limit is reached; then it holds a part.
 */
int header_unfold(struct buf *out, struct span body);

/*
 * The address in an address field or Return-Path: first "<addr>", else the
 * first word with '@', comments and quotes skipped; no further than the list
 * member that has one.  It borrows from body and holds no control character.
 * False: none ("<>" gives true and an empty span).
 */
bool header_address(struct span body, struct span *addr_r);

/*
 * Finds where a header ends in a message that arrives in pieces: feed the
 * pieces in order.  Returns how many bytes of this piece still belong to the
 * header, the empty line included; once that is less than n, it is over.
 */
struct header_scan {
	bool done;
	bool line_empty; /* nothing but CRs since the last LF */
};
void header_scan_init(struct header_scan *);
size_t header_scan_feed(struct header_scan *, const char *, size_t n);

/*
 * The identity of a header: SHA-256 (first 128 bits) over its bytes with
 * every CR dropped, and blanks at line ends, lines of blanks and the last line
 * end ignored, so that POP3, IMAP and a Maildir agree on it, be the empty line
 * with it or not.  Feed pieces in order, header bytes only (header_scan
 * tells); header_digest_hex() ends it.  Of a run of blanks all but its last
 * 1 to 1,024 count even at a line's end.
 */
struct header_digest {
	SHA2_CTX sha;
	char blanks[1024]; /* held back until a line's end decides */
	size_t n_blanks;
	bool held_newline;
};
#define HEADER_DIGEST_HEX 33 /* 32 hex digits and NUL */
void header_digest_init(struct header_digest *);
void header_digest_feed(struct header_digest *, const char *, size_t n);
void header_digest_hex(struct header_digest *, char out_r[HEADER_DIGEST_HEX]);

#endif

#ifndef SENDQ_MIME_H
#define SENDQ_MIME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

/*
 * What makes a message fit for SMTP without changing what it says, pure.  Its
 * lines end in CRLF, and it passes twice, in pieces of any size: first to see
 * what is in it, then, if need be, to be rewritten.
 *
 *	m = mime_new();
 *	mime_scan_feed(m, piece) ...; mime_scan_end(m);
 *	if (mime_plan(m, MIME_LINES, &plan), plan.changes) {
 *		mime_encode_begin(m, MIME_LINES);
 *		mime_encode_feed(m, piece, out) ...; mime_encode_end(m, out);
 *	}
 *
 * Of a part that lies in something signed or encrypted, nothing is changed;
 * nor is anything of a part that cannot be seen through: a header over 256
 * KiB, 50 levels deep, behind 10,000 others, a multipart without its boundary,
 * an encoding that is not MIME's own.  All else that is not fit becomes so.
 */
struct mime;

/* It grows to 500 KiB at most, with the parts and their headers. */
struct mime *mime_new(void);
void mime_free(struct mime *); /* NULL is accepted */

/* --- first pass --------------------------------------------------------- */

struct mime_facts {
	size_t parts; /* the message counts as one */
	/* in bodies, headers of parts in them not counted */
	bool eight_bit; /* an octet over 127: wants 8BITMIME (RFC 6152) */
	bool long_line; /* over 998 octets, or a NUL, or a CR or LF alone */
	bool binary;    /* a part is labelled binary, which wants BINARYMIME */
	/* of these, where nothing may be changed: signed or encrypted */
	bool sealed_eight_bit, sealed_long_line;
	/* or not seen through */
	bool opaque_eight_bit, opaque_long_line;
	/* in headers, where nothing is ever changed but the labels */
	bool header_eight_bit; /* the message's own: wants SMTPUTF8 */
	bool parts_eight_bit;  /* of parts in it: likewise (RFC 6532) */
	bool header_long_line; /* any */
};

/* The piece is not kept. */
void mime_scan_feed(struct mime *, struct span piece);
void mime_scan_end(struct mime *);

/* After the scan; borrowed. */
const struct mime_facts *mime_facts(const struct mime *);

/* --- what there is to do ------------------------------------------------ */

/* Purposes, any of them together. */
#define MIME_SEVEN 1u  /* a server without 8BITMIME: no octet over 127 */
#define MIME_LINES 2u  /* no line over 998 octets, NUL, CR or LF alone */
#define MIME_LABELS 4u /* nothing over 127 below a label that says 7bit */

struct mime_plan {
	bool changes;   /* the second pass would change something */
	bool eight_bit; /* what bodies and headers of parts hold then; */
	bool long_line; /* this one of bodies only */
};

/* After the scan, any number of times. */
void mime_plan(struct mime *, unsigned int purposes, struct mime_plan *plan_r);

/* --- second pass -------------------------------------------------------- */

/*
 * The same octets again, after the scan, any number of times: say, to count
 * what will be sent, and then to send it.
 *
 * Text (also message/...) becomes quoted-printable, anything else base64; what
 * is in one of these already is brought into the form it should have.  In a
 * multipart's text before and behind its parts, '?' replaces what is not
 * ASCII.  Labels, also those of the parts around, say what is there then; a
 * message without MIME-Version gets one when it is changed.  All else stays
 * as it is, octet for octet.
 */
void mime_encode_begin(struct mime *, unsigned int purposes);

/*
 * Appends to *out, of which feeding n octets may want MIME_ROOM(n), and the
 * end MIME_ROOM(0); what belongs together may come with a later piece.  -1:
 * over the buffer's limit; or, at the end, it was not the message that was
 * scanned.
 */
#define MIME_ROOM(n) (16 * (n) + 300 * 1024)
int mime_encode_feed(struct mime *, struct span piece, struct buf *out);
int mime_encode_end(struct mime *, struct buf *out);

#endif

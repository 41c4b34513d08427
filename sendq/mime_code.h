#ifndef SENDQ_MIME_CODE_H
#define SENDQ_MIME_CODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

/*
 * The content of a part, rewritten as it passes so that a transport of 7 bits
 * and short lines does not harm it.  What is decoded from it stays what it
 * was.  No line that is written is over 76 octets, nor begins with "--", so
 * that none is mistaken for a boundary.
 */
enum mime_code_kind {
	MIME_CODE_NONE,     /* as it is */
	MIME_CODE_QP,       /* plain octets become quoted-printable */
	MIME_CODE_BASE64,   /* plain octets become base64, line ends too */
	MIME_CODE_REQP,     /* what is said to be quoted-printable becomes it */
	MIME_CODE_REBASE64, /* base64 is wrapped anew, without what is none:
	                     * readers do not see that (RFC 2045 section 6.8) */
	MIME_CODE_SCRUB,    /* text that nobody reads: '?' for other than ASCII,
	                  * long lines are broken */
};

#define MIME_CODE_LINE 76
#define MIME_LINE_MAX 998 /* RFC 5322 section 2.1.1, without the CRLF */

struct mime_code {
	enum mime_code_kind kind;
	/* private */
	size_t col;    /* octets on this line so far */
	char first[4]; /* the first ones */
	size_t n;
	char keep[MIME_CODE_LINE]; /* n octets that wait for what follows: a
	                            * group for base64; blanks; behind a '='
	                            * its digit */
	bool equals;               /* and before them, a '=' */
};

void mime_code_begin(struct mime_code *, enum mime_code_kind);

/*
 * Content in order: text without line ends (a CR or LF in it is an octet like
 * others), line ends, the end.  last: nothing of the message follows, so that
 * a line left open by base64 is ended.  Appended is at most 4 times of what
 * came, and 400 octets.  -1: over the buffer's limit.
 */
int mime_code_text(struct mime_code *, struct span, struct buf *out);
int mime_code_eol(struct mime_code *, struct buf *out);
int mime_code_end(struct mime_code *, bool last, struct buf *out);

#endif

#ifndef SENDQ_LETTER_H
#define SENDQ_LETTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/words.h"

/*
 * What a caller gives on standard input becomes a legal message (RFC 5322; RFC
 * 6409 section 8 says what a submitter may repair) and an envelope.  Pure: time,
 * chance and names are told.  Two passes, so that a message of any size takes
 * no more memory than its header: first all bytes are fed, and the body comes
 * out of it to be put aside; then the header is made.  What is sent is that
 * header, and the body behind it.
 */
#define LETTER_HEADER_MAX (1024 * 1024) /* octets */
#define LETTER_LINE_MAX 998 /* octets without CRLF (RFC 5322 section 2.1.1) */

/* --- first pass ---------------------------------------------------------- */

/*
 * Line ends become CRLF: LF, a CR that is alone, and CR CR LF, which a file
 * translated twice has, count as one each.  So no CR or LF stands alone in what
 * comes out, whatever SMTP's end of data was hidden in.  A line end that lacks
 * at the end is added; all other octets of a body stay as they are.
 *
 * The header ends at the first empty line.  An mbox's "From " line and a byte
 * order mark in front of it are dropped.  Text without a header is a body: when
 * it does not begin with a field; and when it has no empty line at all, or one
 * that is no field before that, while none of its fields is one that mail has
 * ("Warning: disk full" is no header, and "Subject: disk full" is).
 */
struct letter_scan {
	/* Known after letter_scan_end(). */
	struct buf header;    /* owned; lines with their CRLFs, without the
			       * empty line */
	uint64_t header_line; /* number of the input's line it begins with */
	uint64_t lines;       /* of the input */
	/* of the body */
	uint64_t size;      /* octets */
	bool eight_bit;     /* some are over 127; */
	bool utf8;          /* if so, they are UTF-8 */
	uint64_t longest;   /* octets of its longest line, without CRLF */
	uint64_t long_line; /* number of the input's first line that is over
			     * LETTER_LINE_MAX in the body; 0: none */
	bool done; /* the lone dot came: what follows is not looked at */

	/* private */
	bool dot;  /* such a dot is the end */
	bool held; /* a dot at a line's begin is held back */
	bool in_body;
	bool some, known; /* fields; and one that mail has */
	size_t mbox;      /* octets of the header that are a "From " line */
	size_t line_from; /* octet of the header where the last line begins */
	uint64_t line_n;  /* octets of the line so far */
	unsigned int crs; /* held back */
	unsigned char more, low, high; /* of a character in UTF-8: octets to
					* come, and the range of the next */
};

/* dot: a line that is a single dot ends the message (sendmail without -i). */
void letter_scan_init(struct letter_scan *, bool dot);
void letter_scan_clear(struct letter_scan *);

/*
 * Takes a piece, of any length, and appends what it has of the body to *out,
 * which must have room for LETTER_ROOM(n): the caller drains it in between.
 * -1: ERR_MESSAGE (exit 65), with the line and the reason, for a NUL, for a
 * header over LETTER_HEADER_MAX, and for a line in the header that is no
 * field; ERR_LOCAL (exit 70) without that room.  Then it is over.
 */
#define LETTER_ROOM(n) (2 * (n) + LETTER_HEADER_MAX + 8)
int letter_scan_feed(struct letter_scan *, const char *, size_t n,
    struct buf *out, struct err *);

/* The input is at its end.  -1 as above. */
int letter_scan_end(struct letter_scan *, struct buf *out, struct err *);

/* --- second pass --------------------------------------------------------- */

struct letter_options {
	/* Recipients as they were given, each a list of addresses. */
	const struct words *recipients; /* borrowed; NULL: none */
	bool read_recipients;           /* -t: those of the header, too */
	int64_t now;                    /* seconds since 1970 */
	int zone;                       /* minutes east of Greenwich */
	/* for a Message-ID: an atom that nobody uses twice, and a domain */
	const char *unique, *id_domain; /* borrowed */
	/* for names without a domain in fields; NULL: they stay so */
	const char *domain; /* borrowed */
	/* for a From that lacks: the address in normal form, never NULL, and
	 * the name in UTF-8; NULL or "": none */
	const char *from, *from_name; /* borrowed */
};

struct letter {
	struct buf header;       /* owned; as it will be sent, with the empty
				  * line at its end */
	struct words recipients; /* owned; in normal form, each once, in the
				  * order in which they were named; they may be
				  * without a domain */
	char *from;              /* owned; whose letter it is, as by
				  * letter_from(), a domain added; NULL: that
				  * cannot be read */
	char *message_id;        /* owned; with its brackets */
	char *subject;           /* owned; in one line; NULL: none */
	char *bcc;               /* owned; the Bcc fields, whole, for the copy
				  * that the sender keeps; NULL: none */
	bool utf8;               /* octets over 127 are left in the header:
				  * SMTPUTF8 is needed (RFC 6531) */
	const char *sealed;      /* static; what says that it is signed or
				  * encrypted, so that the body must stay as it
				  * is; NULL: nothing */
};

/*
 * Makes header and envelope from what the scan found.
 *
 * Envelope: the recipients given and, with read_recipients, those of To, Cc
 * and Bcc, as most do nowadays (sendmail itself once took the given ones off
 * the list).  Where there are Resent- fields, those of the newest block count
 * instead (RFC 5322 section 3.6.6): it begins with the first such field, and
 * ends where one comes again or at a trace field.  The null address is no
 * recipient, and no mistake either.
 *
 * Header: Return-Path and Content-Length are dropped, Bcc and Resent-Bcc moved
 * to ->bcc, empty fields that may not be empty dropped.  Date, Message-ID and
 * From are added where they lack, and Resent-Date, Resent-From and
 * Resent-Message-ID to the newest such block; "To: undisclosed-recipients:;"
 * where no recipient is to be seen; MIME-Version, Content-Type and
 * Content-Transfer-Encoding where the body has octets over 127 (or, but for
 * the last, lines over LETTER_LINE_MAX), and "7bit" over such a body becomes
 * "8bit".  Several To, Cc or Reply-To become one; of other fields that may
 * stand but once (RFC 5322 section 3.6) the first counts, and others become
 * X-Duplicate-..., if they say anything else.  Names without domain get one;
 * text beyond ASCII becomes encoded words (RFC 2047) where that can stand, and
 * domains in addresses become A-labels; all that not under a DKIM-Signature.  Lines over LETTER_LINE_MAX are folded. All
 * else stays as it is, octet for octet; of a header that needs nothing, all.
 *
 * -1: ERR_MESSAGE (exit 65), with line and reason: no recipient; one that
 * cannot be read or that address_check() refuses; two From or two Date; a From
 * with such an address; a line that cannot be folded; a header that would be
 * over LETTER_HEADER_MAX.  *l_r is then cleared.
 */
int letter_header(const struct letter_scan *, const struct letter_options *,
    struct letter *l_r, struct err *);
void letter_clear(struct letter *);

/*
 * Whose letter it is, for the choice of an account before letter_header(): the
 * first address of the newest Resent-From, else of From, in normal form, if it
 * can be read; owned by the caller; NULL: none.
 */
char *letter_from(const struct letter_scan *);

#endif

#ifndef SENDQ_LETTER_PARTS_H
#define SENDQ_LETTER_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "base/words.h"
#include "letter.h"

/* What the parts of letter share; pure. */

/* --- fields (letter_field.c) --------------------------------------------- */

enum field_kind {
	FIELD_OTHER, /* none that is known here */
	FIELD_FROM,
	FIELD_SENDER,
	FIELD_REPLY_TO,
	FIELD_TO,
	FIELD_CC,
	FIELD_BCC,
	FIELD_DATE,
	FIELD_SUBJECT,
	FIELD_MESSAGE_ID,
	FIELD_IN_REPLY_TO,
	FIELD_REFERENCES,
	FIELD_RESENT_FROM,
	FIELD_RESENT_SENDER,
	FIELD_RESENT_TO,
	FIELD_RESENT_CC,
	FIELD_RESENT_BCC,
	FIELD_RESENT_DATE,
	FIELD_RESENT_MESSAGE_ID,
	FIELD_MIME_VERSION,
	FIELD_CONTENT_TYPE,
	FIELD_ENCODING, /* Content-Transfer-Encoding */
	FIELD_CONTENT_LENGTH,
	FIELD_RETURN_PATH,
	FIELD_RECEIVED,
	FIELD_DKIM,
	FIELD_TEXT,       /* X-... */
	FIELD_STRUCTURED, /* List-..., Content-..., ... */
};
#define FIELDS (FIELD_STRUCTURED + 1)

/* Bits of field_rules(). */
#define FIELD_IS_LIST 1u  /* of addresses */
#define FIELD_IS_TEXT 2u  /* unstructured: encoded words can stand there */
#define FIELD_ONCE 4u     /* of several the first counts */
#define FIELD_MERGE 8u    /* several become one */
#define FIELD_FILLED 16u  /* an empty one is none */
#define FIELD_HIDDEN 32u  /* not for those who get the message */
#define FIELD_DROPPED 64u /* not for anybody */
#define FIELD_RESENT 128u /* of a Resent- block; */
#define FIELD_TRACE 256u  /* ends such a block */
unsigned int field_rules(enum field_kind);

/* By its name, in any case. */
enum field_kind field_kind(struct span name);

struct field {
	enum field_kind kind;
	unsigned int rules;
	struct span name, body; /* borrowed; the body still folded */
	const char *at;         /* where in the header it begins */
	uint64_t line;          /* number of its first line */
	bool blank;             /* nothing is in it */
};

/* Walks a header of which each field's line ends with CRLF. */
struct field_walk {
	struct span rest; /* starts as the header */
	uint64_t line;    /* starts as the number of its first line */
};
bool field_next(struct field_walk *, struct field *f_r);

/* How many line ends are in it. */
uint64_t field_lines(struct span);

/* What a header holds, fields that count as none left out. */
struct survey {
	struct span header; /* borrowed */
	uint64_t line;
	struct survey_of {
		unsigned int n;
		struct span body; /* of the first */
		uint64_t line;
	} of[FIELDS]; /* of Resent- fields, those of the newest block */
	/* that block, from its first field to what follows it; NULL: none */
	const char *resent, *resent_end;
};

/* -1: ERR_MESSAGE for two From or two Date. */
int survey_take(
    struct survey *, struct span header, uint64_t line, struct err *);

/* Whether a field is of the newest Resent- block. */
bool survey_in_block(const struct survey *, const struct field *);

/* --- recipients (letter_rcpt.c) ------------------------------------------ */

/*
 * Appends the recipients to *to, in normal form, each once.  -1: ERR_MESSAGE
 * for one that is none, or for none at all; then *to holds a part.
 */
int rcpt_gather(const struct survey *, const struct letter_options *,
    struct words *to, struct err *);

/*
 * The first address of a list, in normal form with that domain added if it
 * has none; owned by the caller; NULL: it cannot be read.
 */
char *rcpt_first(struct span body, const char *domain);

/* --- writing (letter_write.c) -------------------------------------------- */

/* Whether it goes beyond ASCII. */
bool write_wide(struct span);

/* Appends a body without those of its lines in which there is nothing.  All
 * these give -1 at the buffer's limit. */
int write_clean(struct buf *out, struct span body);

/*
 * Appends the body of an unstructured field, with encoded words for those
 * beyond ASCII.  *out ends with the name and its colon.
 */
int write_text(struct buf *out, struct span body);

/*
 * Appends a list of addresses, with encoded words in names beyond ASCII, with
 * A-labels (RFC 5890) in such domains if the local part is ASCII, and with "@domain" (NULL: nothing) behind addresses that have none; if it has
 * lines over LETTER_LINE_MAX, with folds behind commas.  One that cannot be
 * read as a whole stays as it is.
 */
int write_list(struct buf *out, struct span body, const char *domain);

/* Appends "name <address>", the name as words, quoted or encoded; its domain
 * as above. */
int write_mailbox(
    struct buf *out, const char *name, const char *address, const char *domain);

/*
 * Appends a field, a CRLF added, with its lines folded that are over
 * LETTER_LINE_MAX: 1.  0: there is no blank to do so; then *out holds a part.
 */
int write_folded(struct buf *out, struct span field);

#endif

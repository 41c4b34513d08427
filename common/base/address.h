#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

/*
 * Addresses as mail programs and people write them (RFC 5322 section 3.4 with
 * the obsolete forms of 4.4, UTF-8 as in RFC 6532), and as an envelope needs
 * them.  An address in its normal form is "local@domain", or only "local" for
 * a user of this machine: no comments, no blanks, no source route, no dot
 * behind the domain, and quotes only around a local part that needs them.
 */
struct address {
	struct span text; /* in normal form; empty for the null address "<>";
			   * borrowed from the walk, until its next step */
	bool local;       /* it has no domain, and is not the null address */
	/* where it stands in the list, as written; borrowed from the list */
	struct span spec; /* its local part and domain; without a domain it
			   * ends where "@domain" would have to follow */
	struct span name; /* the words in front of "<...>", else "(...)" that
			   * stands by it; empty: none */
};

#define ADDRESS_ROOM 1024

/* Private, but for `at`. */
struct address_walk {
	struct span list; /* borrowed */
	size_t i;         /* octets of it that are done */
	size_t at;        /* after an error: the octet that it is about */
	bool in_group;
	char text[ADDRESS_ROOM];
};

/*
 * Walks the list of an address field's body, or of a command's argument:
 * mailboxes, with and without name, and the members of groups.  Folds count
 * as blanks, and so does any CR or LF: they are in no result.  Empty members
 * are skipped; beyond what the RFC has, names may hold anything but , ; : <
 * quotes and parentheses that are not closed; ";" separates as "," does; a
 * local part may have dots anywhere; the list's end ends a group.
 *
 * address_next() gives 1 with the next address, 0 at the end, or -1: ERR_MESSAGE
 * (exit 65) that says what is wrong and shows where; the walk is then over.
 * Time is linear in the list's length, however it is written; nothing is
 * allocated.  An address is not looked at further than its form calls for:
 * see address_check().
 */
void address_walk_init(struct address_walk *, struct span list);
int address_next(struct address_walk *, struct address *a_r, struct err *);

/* The only address of a list: 0; -1 as above, also for none and for several. */
int address_one(struct span list, struct address_walk *room,
    struct address *a_r, struct err *);

/*
 * Appends what a name says: quotes, escapes and folds resolved, comments
 * left out, control characters made blanks.  RFC 2047's encoded words stay as
 * they are.  -1 at the buffer's limit; then it holds a part.
 */
int address_name(struct buf *out, struct span name);

/*
 * Whether an address in normal form can go into an envelope: it is not empty,
 * of UTF-8 without control characters, up to 254 octets in all (RFC 3696,
 * erratum 1690) and 64 in the local part (RFC 5321 section 4.5.3.1.1).  A
 * leading '-' is data.  -1: ERR_MESSAGE (exit 65), with the address and the
 * reason.
 */
#define ADDRESS_MAX 254
#define ADDRESS_LOCAL_MAX 64
int address_check(struct span text, struct err *);

/* What is behind the '@' of an address in normal form; empty: nothing. */
struct span address_domain(struct span text);

/*
 * The order of two addresses in normal form: by domain in any case (ASCII),
 * then by local part, octet by octet.  0: they are the same mailbox as far as
 * a stranger may tell (RFC 5321 section 2.4).
 */
int address_compare(struct span, struct span);

/*
 * Whether an address in normal form fits a pattern as "*@lovelace.example":
 * '*' (and '%', as in patterns of folders) is anything, letters of ASCII fit
 * in either case.
 */
bool address_match(const char *pattern, struct span text);

#endif

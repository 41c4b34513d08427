#ifndef SENDQ_MIME_FIELD_H
#define SENDQ_MIME_FIELD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

/*
 * What a part's header says about the shape of its body (RFC 2045, 2046):
 * Content-Type and Content-Transfer-Encoding, however folded and commented.
 */
enum mime_kind {
	MIME_TEXT, /* a leaf of text, or of something like text */
	MIME_DATA, /* any other leaf */
	MIME_MULTIPART,
	MIME_MESSAGE, /* its body is a message, with a header of its own */
	MIME_OPAQUE,  /* a leaf whose octets must stay as they are */
};

/* Content-Transfer-Encoding. */
enum mime_label {
	MIME_ABSENT,
	MIME_7BIT,
	MIME_8BIT,
	MIME_BINARY,
	MIME_QP,
	MIME_BASE64,
	MIME_UNKNOWN, /* "8-bit", "text": read by everyone as if absent */
	MIME_PRIVATE, /* "x-uuencode": says more than we understand */
};

#define MIME_BOUNDARY_MAX 200 /* RFC 2046 allows 70 */

struct mime_field {
	enum mime_kind kind;
	enum mime_label label;
	bool sealed; /* signed or encrypted: the body must stay as it is */
	bool digest; /* the parts in it are messages unless they say else */
	bool mime;   /* it has a MIME-Version field */
	char boundary[MIME_BOUNDARY_MAX]; /* of a MIME_MULTIPART */
	size_t boundary_n;                /* > 0 for that, else 0 */
};

/*
 * Reads a header with or without its empty line; never fails. Of two fields
 * with one name the first counts. in_digest: it stands in a multipart/digest.
 * Without a type, or with one that cannot be read, it is text (RFC 2045
 * section 5.2). A multipart that names no boundary is opaque; so are
 * message/partial and message/external-body, which RFC 2046 forbids to
 * encode.
 */
void mime_field_read(
    struct span header, bool in_digest, struct mime_field *field_r);

/* "7bit" and so on; NULL for what is not to be written. */
const char *mime_label_name(enum mime_label);

#endif

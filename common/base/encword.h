#ifndef BASE_ENCWORD_H
#define BASE_ENCWORD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

/*
 * Encoded words (RFC 2047): text beyond ASCII in the fields of a header.
 */

/* No line that has one of them is longer (RFC 2047 section 2). */
#define ENCWORD_LINE 76

/*
 * Appends the text as one or more encoded words, CRLF and a blank between
 * them, in a form that can stand in an unstructured field, a comment and a
 * phrase: UTF-8 where it is that, else unknown-8bit (RFC 1428); Q or B,
 * whichever is shorter; no character is cut.  The first begins at that column
 * (0 is a line's first octet) and fits on its line, if ENCWORD_LEAST octets
 * are left there; if not, the line becomes longer by up to so many.  All octets come through, control characters too.  Nothing
 * for an empty text.  -1 at the buffer's limit; then it holds a part.
 */
#define ENCWORD_LEAST 32
int encword(struct buf *out, struct span text, size_t column);

/* Whether it is just one such word ("=?...?="); a reader would decode it. */
bool encword_is(struct span word);

#endif

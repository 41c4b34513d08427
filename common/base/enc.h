#ifndef BASE_ENC_H
#define BASE_ENC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

/*
 * Encodings.  Encoders and decoders append to *out and return 0, or -1 when
 * the input is not valid or the buffer's limit is reached; then *out may hold
 * a part.
 */
int enc_base64(struct buf *out, struct span in); /* RFC 4648 4, no breaks */
int dec_base64(struct buf *out, struct span in); /* strict: padded, canonical */
int enc_hex(struct buf *out, struct span in);    /* lower case */
int dec_hex(struct buf *out, struct span in);    /* either case */
int dec_percent(struct buf *out, struct span in); /* RFC 3986 2.1; no %00 */
int enc_percent(struct buf *out, struct span in); /* all but unreserved */

/*
 * For a place in a line of a text file, readable: control characters, '%' and
 * what stands in `also` (NULL: nothing) become %XX, a NUL '?'; all else stays.
 * dec_percent() reads it.
 */
int enc_line(struct buf *out, struct span in, const char *also);

/* UTF-8 that is well-formed (no surrogates, no overlong, <= U+10FFFF). */
int enc_utf8_valid(struct span); /* 1 yes, 0 no */

/* Cuts one such character off the front; false when there is none. */
bool enc_utf8_next(struct span *, uint32_t *cp_r);

/*
 * Modified UTF-7 for folder names (RFC 3501 section 5.1.3).  From UTF-8 and
 * back, one to one.  A name that is not valid modified UTF-7 (or holds a NUL)
 * fails to decode with -1; the caller then shows it as it is.  (utf7.c)
 */
int enc_utf7(struct buf *out, struct span utf8);
int dec_utf7(struct buf *out, struct span utf7);

#endif

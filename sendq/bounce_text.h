#ifndef SENDQ_BOUNCE_TEXT_H
#define SENDQ_BOUNCE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

/*
 * What others said, as it may stand in a report. Each appends to *out, and
 * gives -1 at the buffer's limit.
 */

#define TRY(x)                     \
	do {                       \
		if ((x) == -1)     \
			return -1; \
	} while (0)

bool text_is_ascii(struct span);

/*
 * Its first octets, up to max: control characters as blanks; '?' for each
 * octet that is no UTF-8, for characters that turn or break lines on a screen,
 * and, without utf8, for all that is not ASCII.
 */
int text_clean(struct buf *out, struct span, bool utf8, size_t max);

/*
 * Its words, with a blank before each that does not begin a line or stand
 * behind a blank; or, where one would end over TEXT_WIDTH octets, with CRLF and
 * `next`, which is of blanks. A word over TEXT_WORD_MAX is broken. The line
 * that *out ends with goes on, and is not ended.
 */
#define TEXT_WIDTH 76
#define TEXT_WORD_MAX 900
int text_flow(struct buf *out, struct span, const char *next);

/* Octets on the line that *out ends with. */
size_t text_column(const struct buf *out);

#endif

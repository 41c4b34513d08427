/*
 * Messages as they are made fit for SMTP.  The first byte of a case tells for
 * which purposes, and how it comes in pieces.
 */

#include <stdio.h>

#include "../unit/mime_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bad;
	struct buf out;

	if (size == 0)
		return 0;
	bad = check_mime(span_bytes(data + 1, size - 1), data[0] & 7,
	    (data[0] & 24) == 0 ? WHOLE
	    : (data[0] & 8)     ? BYTES
				: RANDOM,
	    &out);
	if (bad != NULL) {
		fprintf(stderr, "not so: %s\n", bad);
		abort();
	}
	buf_clear(&out);
	return 0;
}

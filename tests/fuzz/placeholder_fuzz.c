/*
 * Placeholders: whatever the header is, one that is made of it is one, tells
 * the size, is a header and a body, and gives back the header, as its digest
 * sees it.
 */

#include "placeholder.h"

#include <stdlib.h>
#include <string.h>

#include "base/header.h"

#define MUST(cond)               \
	do {                     \
		if (!(cond))     \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
digest(struct span s, char hex_r[HEADER_DIGEST_HEX])
{
	struct header_digest d;

	header_digest_init(&d);
	header_digest_feed(&d, s.p, s.n);
	header_digest_hex(&d, hex_r);
}

static size_t
header_length(struct span s)
{
	struct header_scan scan;

	header_scan_init(&scan);
	return header_scan_feed(&scan, s.p, s.n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span header = span_bytes(data, size), text;
	char before[HEADER_DIGEST_HEX], after[HEADER_DIGEST_HEX];
	struct buf made, back;
	uint64_t told = 0;

	header.n = header_length(header);
	buf_init(&made, 4 * header.n + 2000);
	buf_init(&back, 4 * header.n + 2000);
	(void)placeholder_is(header, &told);
	(void)placeholder_header(header, &back);
	buf_reset(&back);
	MUST(placeholder_write(header, size, &made) == 0);
	text = buf_span(&made);
	MUST(placeholder_is(text, &told) && told == size);
	MUST(header_length(text) < text.n);
	MUST(placeholder_header(text, &back) == 0);
	digest(header, before);
	digest(buf_span(&back), after);
	MUST(strcmp(before, after) == 0);
	buf_clear(&made);
	buf_clear(&back);
	return 0;
}

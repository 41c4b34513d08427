/*
 * syncd/placeholder: what stands for a message, known by itself, and the header
 * out of it again.
 */

#include "placeholder.h"

#include <stdlib.h>

#include "base/header.h"
#include "tap.h"

static struct buf made, back;

static struct span
make(const char *header, uint64_t size)
{
	buf_reset(&made);
	ok(placeholder_write(span_of(header), size, &made) == 0, "made");
	return buf_span(&made);
}

static bool
has(const char *field, const char *want)
{
	struct span body;

	return header_find(buf_span(&made), field, &body) &&
	       span_eq(span_trim(body), want);
}

static const char full[] = "Received: from a\r\n\tby b\r\n"
			   "From: Ada <ada@example.org>\r\n"
			   "Subject: =?utf-8?q?a_long?=\r\n and folded one\r\n"
			   "Message-ID: <1@x>\r\n"
			   "MIME-Version: 1.0\r\n"
			   "Content-Type: multipart/mixed;\r\n boundary=b\r\n"
			   "content-transfer-encoding: 8bit\r\n"
			   "Date: Thu, 26 Nov 2026 10:00:00 +0000\r\n\r\n";

static void
test_made(void)
{
	struct span s = make(full, 5 << 20);
	uint64_t size = 0;

	ok(placeholder_is(s, &size) && size == 5 << 20, "it is one, of 5 MB");
	ok(has("Subject",
	       "[placeholder, 5.0 MB] =?utf-8?q?a_long?=\r\n and folded one"),
	    "its reader sees it");
	ok(has("Content-Type", "text/plain; charset=us-ascii"), "a plain text");
	ok(!has("Content-Transfer-Encoding", "8bit"), "... as it stands");
	ok(has("Message-ID", "<1@x>") && has("From", "Ada <ada@example.org>") &&
		has("Received", "from a\r\n\tby b"),
	    "what it is stays");
	ok(has("X-Syncd-Original-Content-Type",
	       "multipart/mixed;\r\n boundary=b"),
	    "what its content was is put by");
	ok(strstr(buf_cstr(&made), "\n\nThis is only the header") != NULL,
	    "the note is the body");
	ok(!placeholder_is(span_of(full), &size), "the message is none");
	ok(!placeholder_is(span_of("X-Syncd-Placeholder: five\n\n"), &size),
	    "nor what has no size");
	ok(placeholder_is(
	       span_of("Status: RO\nx-syncd-placeholder: 7\n\n"), &size) &&
		size == 7,
	    "wherever a reader put the field");
	make("From: x\n\n", 900);
	ok(has("Subject", "[placeholder, 900 B]"), "no subject");
	make("", 900);
	ok(placeholder_is(buf_span(&made), &size), "nothing at all");
}

static void
digest(struct span s, char out[HEADER_DIGEST_HEX])
{
	struct header_digest d;

	header_digest_init(&d);
	header_digest_feed(&d, s.p, s.n);
	header_digest_hex(&d, out);
}

/* Made, recognised, and undone; true when all is as it was. */
static bool
round_trip(struct span header, uint64_t size)
{
	char want[HEADER_DIGEST_HEX], got[HEADER_DIGEST_HEX];
	uint64_t told = 0;

	buf_reset(&made);
	buf_reset(&back);
	if (placeholder_write(header, size, &made) == -1 ||
	    !placeholder_is(buf_span(&made), &told) || told != size ||
	    placeholder_header(buf_span(&made), &back) == -1)
		return false;
	digest(header, want);
	digest(buf_span(&back), got);
	return strcmp(want, got) == 0;
}

static void
test_undone(void)
{
	/* one in the place of another, hostile ones, malformed ones */
	static const char *const lines[] = {"Subject: a\n", "SUBJECT:b\r\n",
	    "Subject : c\n", " a fold\n", "\ta fold\r\n", "no field\n",
	    "From someone\n", "Content-Type: text/html\n", "Content-: x\n",
	    "X-Syncd-Placeholder: 1\n", "X-Syncd-Original-Subject: d\n",
	    "X-Syncd-Original-: e\n", "X-Syncd-Original-X-Syncd-Original-: e\n",
	    "Message-ID: <m>\n", ": nothing\n", "MIME-Version: 2\n"};
	char header[1000];
	unsigned int i, k, bad = 0;
	uint32_t seed = 1;

	ok(round_trip(span_of(full), 77), "a header comes back");
	ok(round_trip(span_of("A: b\nSubject: x"), 77), "without an end");
	for (i = 0; i < 100000; i++) {
		*header = '\0';
		for (k = 0; k < 8; k++) {
			seed = seed * 1664525 + 1013904223;
			strlcat(header,
			    lines[(seed >> 16) %
				  (sizeof(lines) / sizeof(lines[0]))],
			    sizeof(header));
		}
		if (!round_trip(span_of(header), i) && bad++ < 3)
			printf("# of <%s>\n# made <%s>\n# back <%s>\n", header,
			    buf_cstr(&made), buf_cstr(&back));
	}
	is_int((int)bad, 0, "so do all others");
}

int
main(void)
{
	buf_init(&made, 100000);
	buf_init(&back, 100000);
	test_made();
	test_undone();
	buf_clear(&made);
	buf_clear(&back);
	return done();
}

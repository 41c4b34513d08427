/*
 * What a file is, when its UID is not known: a size and a digest that the server
 * can be asked for, too.
 */

#include <unistd.h>

#include <string.h>

#include "base/enc.h"
#include "base/header.h"
#include "local.h"
#include "placeholder.h"

#define HEADER_MAX (256 * 1024) /* of which the Message-ID is looked for */

static void
digest(struct span s, unsigned char digest_r[LOCAL_DIGEST])
{
	char hex[HEADER_DIGEST_HEX];
	struct header_digest d;
	struct buf raw;

	header_digest_init(&d);
	header_digest_feed(&d, s.p, s.n);
	header_digest_hex(&d, hex);
	buf_init(&raw, LOCAL_DIGEST);
	(void)dec_hex(&raw, span_of(hex));
	memcpy(digest_r, buf_span(&raw).p, LOCAL_DIGEST);
	buf_clear(&raw);
}

/* The field as it stands in the header, name and folds included; one that says
 * nothing is none. */
static bool
find_field(struct span header, const char *name, struct span *field_r)
{
	struct span rest = header, field, body;

	while (header_next(&rest, &field, &body)) {
		if (!span_caseeq(field, name) || span_trim(body).n == 0)
			continue;
		*field_r =
		    span_bytes(field.p, (size_t)(body.p + body.n - field.p));
		return true;
	}
	return false;
}

void
local_digest(
    struct span header, unsigned char digest_r[LOCAL_DIGEST], bool *has_id_r)
{
	struct span field;

	*has_id_r = find_field(header, "Message-ID", &field);
	digest(*has_id_r ? field : header, digest_r);
}

/* A placeholder's is that of the message that it stands for. */
static void
identify(struct span header, uint64_t *size_r,
    unsigned char digest_r[LOCAL_DIGEST], bool *has_id_r)
{
	struct buf original;

	buf_init(&original, HEADER_MAX);
	if (placeholder_is(header, size_r)) {
		(void)placeholder_header(header, &original);
		header = buf_span(&original);
	}
	local_digest(header, digest_r, has_id_r);
	buf_clear(&original);
}

struct measure {
	struct header_scan scan;
	struct buf header;
	uint64_t size;
	bool cr; /* the byte before was one */
};

static void
measure_feed(struct measure *m, const char *p, size_t n)
{
	size_t i, head = header_scan_feed(&m->scan, p, n);

	if (head > buf_room(&m->header))
		head = buf_room(&m->header);
	buf_append(&m->header, p, head);
	m->size += n;
	for (i = 0; i < n; i++) {
		m->size += p[i] == '\n' && !m->cr;
		m->cr = p[i] == '\r';
	}
}

int
local_identity(int fd, uint64_t *size_r, unsigned char digest_r[LOCAL_DIGEST],
    bool *has_id_r, struct err *e)
{
	struct measure m = {0};
	char chunk[65536];
	off_t at = 0;
	ssize_t n;

	header_scan_init(&m.scan);
	buf_init(&m.header, HEADER_MAX);
	while ((n = pread(fd, chunk, sizeof(chunk), at)) > 0) {
		measure_feed(&m, chunk, (size_t)n);
		at += n;
	}
	if (n == -1) {
		buf_clear(&m.header);
		return err_sys(e, ERR_LOCAL, "reading a message");
	}
	*size_r = m.size;
	identify(buf_span(&m.header), size_r, digest_r, has_id_r);
	buf_clear(&m.header);
	return 0;
}

int
local_is_placeholder(int fd, bool *is_r, struct err *e)
{
	struct measure m = {0};
	char chunk[4096];
	uint64_t size;
	off_t at = 0;
	ssize_t n = 0;

	header_scan_init(&m.scan);
	buf_init(&m.header, HEADER_MAX);
	while (!m.scan.done && buf_room(&m.header) > 0 &&
	       (n = pread(fd, chunk, sizeof(chunk), at)) > 0) {
		measure_feed(&m, chunk, (size_t)n);
		at += n;
	}
	*is_r = n != -1 && placeholder_is(buf_span(&m.header), &size);
	buf_clear(&m.header);
	return n == -1 ? err_sys(e, ERR_LOCAL, "reading a message") : 0;
}

/*
 * What has to become of a message so that a server of few extensions can take
 * it.  Most take it as it is.
 */

#include "cargo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/header.h"
#include "base/mem.h"
#include "mime.h"
#include "os/file.h"
#include "os/idn.h"

#define PIECE 16384

static int
lacks(const char *what, enum smtp_ext x, struct err *e)
{
	return err_code(e, ERR_MESSAGE, EX_UNAVAILABLE,
	    "%s, and the server does not offer %s", what, smtp_ext_name(x));
}

ssize_t
cargo_read(
    const struct cargo *c, uint64_t offset, char *p, size_t n, struct err *e)
{
	ssize_t k;

	do
		k = pread(c->fd, p, n, (off_t)offset);
	while (k == -1 && errno == EINTR);
	if (k == -1)
		return err_sys(e, ERR_LOCAL, "cannot read the message");
	if (k == 0 && n > 0)
		return err_code(e, ERR_MESSAGE, EX_DATAERR,
		    "the message is shorter than it was: %ju octets of %ju",
		    (uintmax_t)offset, (uintmax_t)c->size);
	return k;
}

/* --- 8BITMIME -------------------------------------------------------------- */

static int
scan(struct cargo *c, struct mime *m, struct err *e)
{
	char piece[PIECE];
	uint64_t at;
	ssize_t n;

	for (at = 0; at < c->size; at += (uint64_t)n) {
		if ((n = cargo_read(c, at, piece, sizeof(piece), e)) == -1)
			return -1;
		mime_scan_feed(m, span_bytes(piece, (size_t)n));
	}
	mime_scan_end(m);
	return 0;
}

/* Writes out what was encoded. */
static int
put(int fd, struct buf *out, uint64_t *size, struct err *e)
{
	struct span s = buf_span(out);

	if (file_write(fd, s.p, s.n, "the message, encoded", e) == -1)
		return -1;
	*size += s.n;
	buf_reset(out);
	return 0;
}

static int
encode(struct cargo *c, struct mime *m, int fd, uint64_t *size_r, struct err *e)
{
	char piece[PIECE];
	struct buf out;
	uint64_t at;
	ssize_t n;
	int rv = 0;

	buf_init(&out, MIME_ROOM(sizeof(piece)));
	*size_r = 0;
	mime_encode_begin(m, MIME_SEVEN);
	for (at = 0; rv == 0 && at < c->size; at += (uint64_t)n) {
		if ((n = cargo_read(c, at, piece, sizeof(piece), e)) == -1) {
			rv = -1;
			break;
		}
		if (mime_encode_feed(m, span_bytes(piece, (size_t)n), &out) ==
		    -1)
			rv = err_set(e, ERR_LOCAL, "encoding: no room");
		else
			rv = put(fd, &out, size_r, e);
	}
	if (rv == 0 && mime_encode_end(m, &out) == -1)
		rv = err_set(e, ERR_LOCAL, "the message changed");
	if (rv == 0)
		rv = put(fd, &out, size_r, e);
	buf_clear(&out);
	return rv;
}

/* Into a file of its own, without a name. */
static int
replace(struct cargo *c, struct mime *m, const char *dir, struct err *e)
{
	uint64_t size;
	int fd;

	if (file_temp(dir, &fd, e) == -1)
		return -1;
	if (encode(c, m, fd, &size, e) == -1) {
		close(fd);
		return -1;
	}
	c->fd = fd;
	c->recoded = true;
	c->size = size;
	c->eight_bit = false;
	return 0;
}

static int
recode(struct cargo *c, const struct queue *q, struct err *e)
{
	struct mime *m = mime_new();
	struct mime_plan plan;
	char *dir = mem_printf("%s/tmp", q->path);
	int rv = scan(c, m, e);

	if (rv == 0) {
		mime_plan(m, MIME_SEVEN, &plan);
		if (plan.eight_bit)
			rv = lacks(mime_facts(m)->sealed_eight_bit
				       ? "the message has 8-bit text and is "
					 "signed or encrypted"
				       : "the message has 8-bit text that "
					 "cannot be encoded",
			    SMTP_EXT_8BITMIME, e);
		else if (plan.changes)
			rv = replace(c, m, dir, e);
		else
			c->eight_bit = false;
	}
	mime_free(m);
	free(dir);
	return rv;
}

/* --- SMTPUTF8 -------------------------------------------------------------- */

/* Whether the message's own header has octets over 127. */
static int
scan_header(const struct cargo *c, bool *eight_bit_r, struct err *e)
{
	struct header_scan scan;
	char piece[PIECE];
	uint64_t at;
	size_t i, in;
	ssize_t n;

	*eight_bit_r = false;
	header_scan_init(&scan);
	for (at = 0; at < c->size; at += (uint64_t)n) {
		if ((n = cargo_read(c, at, piece, sizeof(piece), e)) == -1)
			return -1;
		in = header_scan_feed(&scan, piece, (size_t)n);
		for (i = 0; i < in; i++)
			*eight_bit_r |= (unsigned char)piece[i] > 127;
		if (in < (size_t)n)
			break;
	}
	return 0;
}

/* Recipients that need it alone fail alone, where it is not offered. */
static int
check_utf8(struct cargo *c, const struct smtp_caps *caps, struct err *e)
{
	bool header;
	size_t i;

	if (!c->env->utf8)
		return 0;
	if (scan_header(c, &header, e) == -1)
		return -1;
	c->utf8 = header || idn_local_part(c->env->sender);
	if (c->utf8 && !smtp_has(caps, SMTP_EXT_SMTPUTF8))
		return lacks(header ? "the message has UTF-8 in its header"
				    : "the sender's address is in UTF-8",
		    SMTP_EXT_SMTPUTF8, e);
	for (i = 0; i < c->env->n_rcpts && !c->utf8; i++)
		c->utf8 = smtp_has(caps, SMTP_EXT_SMTPUTF8) &&
		          idn_local_part(c->env->rcpts[i].address);
	return 0;
}

int
cargo_address(
    const struct cargo *c, const char *address, char **r, struct err *e)
{
	if (!idn_local_part(address))
		return idn_address(address, r, e);
	if (!c->utf8) {
		char *shown = span_show(span_of(address), 200), *what;

		what = mem_printf("the address <%s> is in UTF-8", shown);
		lacks(what, SMTP_EXT_SMTPUTF8, e);
		free(what);
		free(shown);
		return -1;
	}
	*r = mem_strdup(address);
	return 0;
}

/* --- both ------------------------------------------------------------------ */

int
cargo_open(struct cargo *c, struct message *m, const struct smtp_caps *caps,
    struct err *e)
{
	*c = (struct cargo){.env = &m->env,
	    .fd = m->eml_fd,
	    .size = m->env.size,
	    .eight_bit = m->env.eight_bit};
	if (check_utf8(c, caps, e) == -1 ||
	    cargo_address(c, m->env.sender, &c->sender, e) == -1)
		return -1;
	if (c->eight_bit && !smtp_has(caps, SMTP_EXT_8BITMIME))
		return recode(c, m->queue, e);
	return 0;
}

void
cargo_close(struct cargo *c)
{
	if (c->recoded)
		close(c->fd);
	free(c->sender);
	*c = (struct cargo){.fd = -1};
}

/*
 * Raw deflate for IMAP COMPRESS.  The only module that knows zlib; the bytes
 * it yields are bounded by the buffer it writes to, so that a peer cannot
 * blow up a few compressed bytes into all of memory.
 */

#include "os/deflate.h"

#include <limits.h>
#include <stdlib.h>
#define ZLIB_CONST
#include <zlib.h>

#include "base/mem.h"

#define WINDOW (-15)         /* raw, 32 KiB: RFC 4978 section 3 */
#define STEP ((size_t)65536) /* bytes inflated at a time */

struct deflate {
	z_stream out, in;
	bool ended; /* the peer's stream has come to its end */
};

static voidpf
z_alloc(voidpf unused, uInt n, uInt size)
{
	(void)unused;
	return mem_array(n, size);
}

static void
z_free(voidpf unused, voidpf p)
{
	(void)unused;
	free(p);
}

struct deflate *
deflate_new(void)
{
	struct deflate *d = mem_alloc(sizeof(*d));

	/* With an allocator that cannot fail, neither can these. */
	d->out.zalloc = d->in.zalloc = z_alloc;
	d->out.zfree = d->in.zfree = z_free;
	if (deflateInit2(&d->out, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW, 8,
		Z_DEFAULT_STRATEGY) != Z_OK ||
	    inflateInit2(&d->in, WINDOW) != Z_OK)
		abort();
	return d;
}

void
deflate_free(struct deflate *d)
{
	if (d == NULL)
		return;
	deflateEnd(&d->out);
	inflateEnd(&d->in);
	free(d);
}

int
deflate_out(struct deflate *d, struct span in, struct buf *out, struct err *e)
{
	size_t room;

	d->out.next_in = (const Bytef *)in.p;
	d->out.avail_in = (uInt)in.n;
	do {
		room = buf_room(out) < STEP ? buf_room(out) : STEP;
		if (room == 0)
			return err_set(
			    e, ERR_LOCAL, "no room for the compressed output");
		d->out.next_out = (Bytef *)buf_reserve(out, room);
		d->out.avail_out = (uInt)room;
		/* Z_BUF_ERROR: the flush was complete with the last step. */
		(void)deflate(&d->out, Z_SYNC_FLUSH);
		buf_commit(out, room - d->out.avail_out);
	} while (d->out.avail_out == 0);
	return 0;
}

/* One step into `room` bytes of *out. */
static int
step_in(struct deflate *d, struct buf *in, struct buf *out, size_t room,
    struct err *e)
{
	struct span s = buf_span(in);
	size_t n = s.n < INT_MAX ? s.n : INT_MAX;
	int rv;

	d->in.next_in = (const Bytef *)s.p;
	d->in.avail_in = (uInt)n;
	d->in.next_out = (Bytef *)buf_reserve(out, room);
	d->in.avail_out = (uInt)room;
	rv = inflate(&d->in, Z_SYNC_FLUSH);
	buf_commit(out, room - d->in.avail_out);
	buf_consume(in, n - d->in.avail_in);
	d->ended = rv == Z_STREAM_END;
	if (rv == Z_OK || rv == Z_BUF_ERROR || rv == Z_STREAM_END)
		return 0;
	return err_set(e, ERR_PROTO, "the compressed data is damaged: %s",
	    d->in.msg != NULL ? d->in.msg : zError(rv));
}

int
deflate_in(struct deflate *d, struct buf *in, struct buf *out, struct err *e)
{
	size_t room;

	do {
		if ((room = buf_room(out)) == 0)
			return 0;
		if (d->ended && in->len > 0)
			return err_set(e, ERR_PROTO,
			    "data behind the end of the compressed data");
		if (d->ended)
			return 0;
		if (step_in(d, in, out, room < STEP ? room : STEP, e) == -1)
			return -1;
	} while (in->len > 0 || d->in.avail_out == 0);
	return 0;
}

/*
 * The second pass over a message: header and body to where they are kept, and,
 * if SMTP cannot carry them so, once more in another form.
 */

#include "accept_body.h"

#include <sysexits.h>
#include <unistd.h>

#include "mime.h"
#include "os/file.h"

#define PIECE (16u << 10) /* fed to mime at once */
#define WRITE (64u << 10) /* written at once */
#define WHAT "the message"

/* Where a pass writes to. */
struct writer {
	struct input *in;            /* borrowed */
	const struct letter *letter; /* borrowed */
	struct mime *mime;           /* borrowed */
	bool encode;                 /* it is the pass that changes something */
	struct buf out;              /* owned */
	int fd;
	uint64_t size;
};

static int
drain(struct writer *w, struct err *e)
{
	struct span s = buf_span(&w->out);

	if (file_write(w->fd, s.p, s.n, WHAT, e) == -1)
		return -1;
	w->size += s.n;
	buf_reset(&w->out);
	return 0;
}

static int
no_room(struct err *e)
{
	return err_code(
	    e, ERR_LOCAL, EX_SOFTWARE, WHAT ": its parts do not fit");
}

static int
put_piece(struct writer *w, struct span piece, struct err *e)
{
	int rv;

	if (w->encode) {
		rv = mime_encode_feed(w->mime, piece, &w->out);
	} else {
		mime_scan_feed(w->mime, piece);
		rv = buf_add(&w->out, piece);
	}
	if (rv == -1)
		return no_room(e);
	return buf_span(&w->out).n >= WRITE ? drain(w, e) : 0;
}

/* In pieces that mime has room for. */
static int
put(struct writer *w, struct span s, struct err *e)
{
	struct span piece;

	for (; s.n > 0; s = span_skip(s, piece.n)) {
		piece = span_bytes(s.p, s.n < PIECE ? s.n : PIECE);
		if (put_piece(w, piece, e) == -1)
			return -1;
	}
	return 0;
}

static int
pass(struct writer *w, struct err *e)
{
	struct span piece;
	int more;

	w->size = 0;
	input_rewind(w->in);
	if (put(w, buf_span(&w->letter->header), e) == -1)
		return -1;
	while ((more = input_next(w->in, &piece, e)) == 1)
		if (put(w, piece, e) == -1)
			return -1;
	if (more == -1)
		return -1;
	if (!w->encode)
		mime_scan_end(w->mime);
	else if (mime_encode_end(w->mime, &w->out) == -1)
		return no_room(e);
	return drain(w, e);
}

/* What cannot be sent and must not be changed. */
static int
unsendable(const struct writer *w, struct err *e)
{
	const struct mime_facts *f = mime_facts(w->mime);
	const char *why = w->letter->sealed;

	if (why == NULL)
		why = f->sealed_long_line ? "a part that is signed or encrypted"
		                          : "a part that cannot be read";
	return err_code(e, ERR_MESSAGE, EX_DATAERR,
	    "line %llu: over %d characters, which no server need take, in a "
	    "message that must not be changed (%s)",
	    (unsigned long long)w->in->scan.long_line, LETTER_LINE_MAX, why);
}

static int
write_again(struct writer *w, unsigned int purposes, struct err *e)
{
	if (ftruncate(w->fd, 0) == -1 || lseek(w->fd, 0, SEEK_SET) == -1)
		return err_sys(e, ERR_LOCAL, WHAT ": cannot write it anew");
	w->encode = true;
	mime_encode_begin(w->mime, purposes);
	return pass(w, e);
}

static int
write_all(struct writer *w, struct body_facts *facts, struct err *e)
{
	/* Under a DKIM-Signature, labels are as they are. */
	unsigned int purposes =
	    w->letter->sealed != NULL ? 0 : MIME_LINES | MIME_LABELS;
	struct mime_plan plan;

	if (pass(w, e) == -1)
		return -1;
	mime_plan(w->mime, purposes, &plan);
	if (plan.long_line)
		return unsendable(w, e);
	facts->eight_bit = plan.eight_bit;
	if (plan.changes && write_again(w, purposes, e) == -1)
		return -1;
	facts->size = w->size;
	return 0;
}

int
body_write(struct input *in, const struct letter *letter, int fd,
    struct body_facts *facts, struct err *e)
{
	struct writer w = {
	    .in = in, .letter = letter, .mime = mime_new(), .fd = fd};
	int rv;

	*facts = (struct body_facts){0};
	buf_init(&w.out, WRITE + MIME_ROOM(PIECE));
	rv = write_all(&w, facts, e);
	mime_free(w.mime);
	buf_clear(&w.out);
	return rv;
}
